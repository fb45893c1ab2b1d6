//! The words of the attributes and of `database!`, each in one place.

/// The attribute itself.
pub(crate) const SCHEMA: &str = "schema";

pub(crate) const ALLOW: &str = "allow";
pub(crate) const CHECK: &str = "check";
pub(crate) const COLUMN: &str = "column";
pub(crate) const COLUMNS: &str = "columns";
pub(crate) const CRATE: &str = "crate";
pub(crate) const DEFAULT: &str = "default";
pub(crate) const DOWN: &str = "down";
pub(crate) const DROPPED: &str = "dropped";
pub(crate) const EXPR: &str = "expr";
pub(crate) const FOREIGN_KEY: &str = "foreign_key";
pub(crate) const IDENTITY: &str = "identity";
pub(crate) const INDEX: &str = "index";
pub(crate) const MIGRATIONS: &str = "migrations";
pub(crate) const NAME: &str = "name";
pub(crate) const OLD_WRITES_MAY_FAIL: &str = "old_writes_may_fail";
pub(crate) const ON_DELETE: &str = "on_delete";
pub(crate) const ON_UPDATE: &str = "on_update";
pub(crate) const PRIMARY_KEY: &str = "primary_key";
pub(crate) const REFERENCES: &str = "references";
pub(crate) const RENAMED_FROM: &str = "renamed_from";
pub(crate) const TABLE: &str = "table";
pub(crate) const TABLES: &str = "tables";
pub(crate) const TYPE: &str = "type";
pub(crate) const UNIQUE: &str = "unique";
pub(crate) const UP: &str = "up";

/// What a struct can have.
pub(crate) const ON_STRUCT: &[&str] =
    &[TABLE, MIGRATIONS, RENAMED_FROM, DROPPED, PRIMARY_KEY, UNIQUE, INDEX, CHECK, FOREIGN_KEY, CRATE];
/// What a struct can have more than once.
pub(crate) const REPEATABLE: &[&str] = &[DROPPED, UNIQUE, INDEX, CHECK, FOREIGN_KEY];
/// What a field can have.
pub(crate) const ON_FIELD: &[&str] = &[
    PRIMARY_KEY,
    IDENTITY,
    UNIQUE,
    INDEX,
    DEFAULT,
    CHECK,
    REFERENCES,
    ON_DELETE,
    ON_UPDATE,
    TYPE,
    COLUMN,
    RENAMED_FROM,
    UP,
    DOWN,
    ALLOW,
];
/// What `database!` can have.
pub(crate) const IN_DATABASE: &[&str] = &[MIGRATIONS, SCHEMA, TABLES, DROPPED, CRATE];
