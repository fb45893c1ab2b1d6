//! The words of the attributes and of `database!`, each in one place.

/// The attribute itself.
pub(crate) const SCHEMA: &str = "schema";

pub(crate) const ALLOW: &str = "allow";
pub(crate) const CHECK: &str = "check";
pub(crate) const CACHE: &str = "cache";
pub(crate) const CODE: &str = "code";
pub(crate) const COLLATE: &str = "collate";
pub(crate) const COLUMN: &str = "column";
pub(crate) const COLUMNS: &str = "columns";
pub(crate) const COMMENT: &str = "comment";
pub(crate) const COMPOSITES: &str = "composites";
pub(crate) const CRATE: &str = "crate";
pub(crate) const CYCLE: &str = "cycle";
pub(crate) const DEFAULT: &str = "default";
pub(crate) const DEFERRABLE: &str = "deferrable";
pub(crate) const DOMAINS: &str = "domains";
pub(crate) const DOWN: &str = "down";
pub(crate) const DROPPED: &str = "dropped";
pub(crate) const ELEMENTS: &str = "elements";
pub(crate) const ENUMS: &str = "enums";
pub(crate) const EXCLUDE: &str = "exclude";
pub(crate) const EXPR: &str = "expr";
pub(crate) const EXPRESSION: &str = "expression";
pub(crate) const EXTENSIONS: &str = "extensions";
pub(crate) const FOREIGN_KEY: &str = "foreign_key";
pub(crate) const GENERATED: &str = "generated";
pub(crate) const IDENTITY: &str = "identity";
pub(crate) const INCLUDE: &str = "include";
pub(crate) const INCREMENT: &str = "increment";
pub(crate) const INDEX: &str = "index";
pub(crate) const INDEX_METHOD: &str = "index_method";
pub(crate) const INITIALLY_DEFERRED: &str = "initially_deferred";
pub(crate) const KEY: &str = "key";
pub(crate) const KINDS: &str = "kinds";
pub(crate) const LABEL: &str = "label";
pub(crate) const MATCH_TYPE: &str = "match_type";
pub(crate) const MAX: &str = "max";
pub(crate) const METHOD: &str = "method";
pub(crate) const MIGRATIONS: &str = "migrations";
pub(crate) const MIN: &str = "min";
pub(crate) const NAME: &str = "name";
pub(crate) const NO_INHERIT: &str = "no_inherit";
pub(crate) const NOT_NULL: &str = "not_null";
pub(crate) const NULLS: &str = "nulls";
pub(crate) const NULLS_NOT_DISTINCT: &str = "nulls_not_distinct";
pub(crate) const OLD_READS_NEW_LABELS: &str = "old_reads_new_labels";
pub(crate) const OLD_WRITES_MAY_FAIL: &str = "old_writes_may_fail";
pub(crate) const ON_DELETE: &str = "on_delete";
pub(crate) const ON_DELETE_SET_COLUMNS: &str = "on_delete_set_columns";
pub(crate) const ON_UPDATE: &str = "on_update";
pub(crate) const OPCLASS: &str = "opclass";
pub(crate) const PARAMS: &str = "params";
pub(crate) const PARTITION_BY: &str = "partition_by";
pub(crate) const PREDICATE: &str = "predicate";
pub(crate) const PRIMARY_KEY: &str = "primary_key";
pub(crate) const REFERENCES: &str = "references";
pub(crate) const RENAMED_FROM: &str = "renamed_from";
pub(crate) const REPLICA_IDENTITY: &str = "replica_identity";
pub(crate) const SEQUENCE_OPTIONS: &str = "sequence_options";
pub(crate) const SEQUENCES: &str = "sequences";
pub(crate) const SORT: &str = "sort";
pub(crate) const START: &str = "start";
pub(crate) const STATISTICS: &str = "statistics";
pub(crate) const STORAGE: &str = "storage";
pub(crate) const STORAGE_PARAMETERS: &str = "storage_parameters";
pub(crate) const TABLE: &str = "table";
pub(crate) const TABLES: &str = "tables";
pub(crate) const TABLESPACE: &str = "tablespace";
pub(crate) const TOAST: &str = "toast";
pub(crate) const TYPE: &str = "type";
pub(crate) const UNIQUE: &str = "unique";
pub(crate) const UP: &str = "up";

/// What a struct can have.
pub(crate) const ON_STRUCT: &[&str] = &[
    TABLE,
    MIGRATIONS,
    RENAMED_FROM,
    DROPPED,
    PRIMARY_KEY,
    UNIQUE,
    INDEX,
    STATISTICS,
    CHECK,
    FOREIGN_KEY,
    EXCLUDE,
    STORAGE,
    REPLICA_IDENTITY,
    PARTITION_BY,
    CRATE,
];
/// What a struct can have more than once.
pub(crate) const REPEATABLE: &[&str] = &[DROPPED, UNIQUE, INDEX, STATISTICS, CHECK, FOREIGN_KEY, EXCLUDE];
/// What a field can have.
pub(crate) const ON_FIELD: &[&str] = &[
    PRIMARY_KEY,
    IDENTITY,
    SEQUENCE_OPTIONS,
    GENERATED,
    UNIQUE,
    INDEX,
    DEFAULT,
    CHECK,
    REFERENCES,
    ON_DELETE,
    ON_UPDATE,
    MATCH_TYPE,
    DEFERRABLE,
    INITIALLY_DEFERRED,
    TYPE,
    COLLATE,
    COLUMN,
    RENAMED_FROM,
    UP,
    DOWN,
    ALLOW,
];
/// What a primary key in parentheses can have besides columns.
pub(crate) const IN_PRIMARY_KEY: &[&str] =
    &[NAME, DEFERRABLE, INITIALLY_DEFERRED, INCLUDE, STORAGE_PARAMETERS, TABLESPACE, ALLOW];
/// The same for a unique constraint.
pub(crate) const IN_UNIQUE: &[&str] =
    &[NAME, NULLS_NOT_DISTINCT, DEFERRABLE, INITIALLY_DEFERRED, INCLUDE, STORAGE_PARAMETERS, TABLESPACE, ALLOW];
/// The same for an index.
pub(crate) const IN_INDEX: &[&str] =
    &[NAME, UNIQUE, ALLOW, KEY, METHOD, PREDICATE, INCLUDE, NULLS_NOT_DISTINCT, STORAGE_PARAMETERS, TABLESPACE];
/// What statistics can have besides columns.
pub(crate) const IN_STATISTICS: &[&str] = &[NAME, KEY, KINDS];
/// What a key of an index can have.
pub(crate) const IN_KEY: &[&str] = &[EXPRESSION, SORT, NULLS, COLLATE, OPCLASS, PARAMS];
/// What a check can have.
pub(crate) const IN_CHECK: &[&str] = &[NAME, EXPR, NO_INHERIT, ALLOW];
/// What a foreign key can have besides columns.
pub(crate) const IN_FOREIGN_KEY: &[&str] =
    &[NAME, REFERENCES, ON_DELETE, ON_DELETE_SET_COLUMNS, ON_UPDATE, MATCH_TYPE, DEFERRABLE, INITIALLY_DEFERRED, ALLOW];
/// What an exclusion constraint can have.
pub(crate) const IN_EXCLUDE: &[&str] =
    &[NAME, INDEX_METHOD, ELEMENTS, PREDICATE, DEFERRABLE, INITIALLY_DEFERRED, INCLUDE, STORAGE_PARAMETERS, TABLESPACE, ALLOW];
/// Parts that are words of their own, without a value.
pub(crate) const FLAGS: &[&str] = &[UNIQUE, NULLS_NOT_DISTINCT, DEFERRABLE, INITIALLY_DEFERRED, NO_INHERIT];
/// What `database!` can have.
pub(crate) const IN_DATABASE: &[&str] =
    &[MIGRATIONS, SCHEMA, EXTENSIONS, ENUMS, DOMAINS, COMPOSITES, SEQUENCES, TABLES, CODE, DROPPED, CRATE];
/// What a domain can have.
pub(crate) const IN_DOMAIN: &[&str] = &[TYPE, COLLATE, NOT_NULL, DEFAULT, CHECK, COMMENT];
/// What an attribute of a composite type can have.
pub(crate) const IN_ATTRIBUTE: &[&str] = &[TYPE, COLLATE];
/// What a sequence can have.
pub(crate) const IN_SEQUENCE: &[&str] = &[TYPE, START, INCREMENT, MIN, MAX, CACHE, CYCLE, COMMENT];
/// What an enum can have.
pub(crate) const ON_ENUM: &[&str] = &[NAME, MIGRATIONS, DROPPED, CRATE];
/// What a newtype can have.
pub(crate) const ON_NEWTYPE: &[&str] = &[TYPE, CRATE];
/// What a variant can have.
pub(crate) const ON_VARIANT: &[&str] = &[LABEL, RENAMED_FROM, DOWN, ALLOW];
