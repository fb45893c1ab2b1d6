//! Definitions in SQL: columns, constraints, indexes and comments, on whatever physical names they are given.

use crate::layout::tables::{Names, physical_name};
use crate::model::schema::{Column, Constraint, Index, IndexColumn, IndexParameters, ReplicaIdentity, Table};
use crate::model::statistics::Statistics;
use crate::model::storage::Storage;
use crate::names::OWN_SCHEMA;
use crate::sql;
use crate::sql::{Sql, dotted, ident, idents, join, literal, qualified, type_name, user, verbatim};
use crate::statements::storage;

fn list(names: &Names, columns: &[String]) -> Sql {
    join(columns.iter().map(|column| ident(physical_name(names, column))), ", ")
}

/// `"name" type [DEFAULT …] [GENERATED …] [NOT NULL]` for CREATE TABLE.
pub fn column(base: &str, column: &Column, sequence: Option<&str>) -> Sql {
    let mut parts = vec![ident(&column.name), typed(&column.sql_type, &column.collation)];
    if let Some(default) = &column.default {
        parts.push(sql!("DEFAULT {}", user(default)));
    }
    if let Some(expression) = &column.generated {
        parts.push(sql!("GENERATED ALWAYS AS {} STORED", user(expression)));
    }
    if let Some(sequence) = sequence {
        parts.push(identity(base, column, sequence));
    }
    if !column.nullable {
        parts.push(Sql::trusted("NOT NULL"));
    }
    join(parts, " ")
}

/// `GENERATED … AS IDENTITY (…)`; nothing for a column that is none.
pub fn identity(base: &str, column: &Column, sequence: &str) -> Sql {
    let Some(identity) = &column.identity else { return Sql::default() };
    let when = Sql::trusted(if identity.always { "ALWAYS" } else { "BY DEFAULT" });
    let options = identity.options.as_deref().map_or_else(Sql::default, |text| sql!(" {}", verbatim(text)));
    sql!("GENERATED {} AS IDENTITY (SEQUENCE NAME {}{})", when, qualified(base, sequence), options)
}

/// The constraint's definition without its name; `target` is the physical table of a foreign key and its names.
pub fn constraint(base: &str, constraint: &Constraint, names: &Names, target: Option<(&str, &Names)>) -> Sql {
    let deferral = |deferrable: bool, deferred: bool| match (deferrable, deferred) {
        (_, true) => Sql::trusted(" DEFERRABLE INITIALLY DEFERRED"),
        (true, false) => Sql::trusted(" DEFERRABLE"),
        (false, false) => Sql::default(),
    };
    match constraint {
        Constraint::PrimaryKey { columns, deferrable, initially_deferred, index_parameters } => sql!(
            "PRIMARY KEY ({}){}{}",
            list(names, columns),
            parameters(index_parameters, names),
            deferral(*deferrable, *initially_deferred)
        ),
        Constraint::Unique { columns, nulls_not_distinct, deferrable, initially_deferred, index_parameters } => sql!(
            "UNIQUE{} ({}){}{}",
            Sql::trusted(if *nulls_not_distinct { " NULLS NOT DISTINCT" } else { "" }),
            list(names, columns),
            parameters(index_parameters, names),
            deferral(*deferrable, *initially_deferred)
        ),
        Constraint::Exclude { exclude, deferrable, initially_deferred, index_parameters } => sql!(
            "EXCLUDE USING {} {}{}{}{}",
            ident(exclude.index_method.as_deref().unwrap_or("btree")),
            user(&exclude.elements),
            parameters(index_parameters, names),
            exclude.predicate.as_deref().map_or_else(Sql::default, |text| sql!(" WHERE {}", user(text))),
            deferral(*deferrable, *initially_deferred)
        ),
        Constraint::Check { check, no_inherit } => {
            sql!("CHECK {}{}", user(check), Sql::trusted(if *no_inherit { " NO INHERIT" } else { "" }))
        }
        Constraint::ForeignKey { columns, references, deferrable, initially_deferred } => {
            let none = Names::new();
            let (table, target_names) = target.unwrap_or((&references.table, &none));
            let mut text = sql!(
                "FOREIGN KEY ({}) REFERENCES {} ({})",
                list(names, columns),
                qualified(base, table),
                list(target_names, &references.columns)
            );
            if let Some(kind) = &references.match_type {
                text = sql!("{} MATCH {}", text, verbatim(kind));
            }
            if let Some(action) = &references.on_update {
                text = sql!("{} ON UPDATE {}", text, verbatim(action));
            }
            if let Some(action) = &references.on_delete {
                text = sql!("{} ON DELETE {}", text, verbatim(action));
                if !references.on_delete_set_columns.is_empty() {
                    text = sql!("{} ({})", text, list(names, &references.on_delete_set_columns));
                }
            }
            sql!("{}{}", text, deferral(*deferrable, *initially_deferred))
        }
    }
}

/// `INCLUDE (…) WITH (…) USING INDEX TABLESPACE …`, with a space before each.
fn parameters(parameters: &IndexParameters, names: &Names) -> Sql {
    let mut text = Sql::default();
    if !parameters.include_columns.is_empty() {
        text = sql!(" INCLUDE ({})", list(names, &parameters.include_columns));
    }
    if let Some(storage) = &parameters.storage_parameters {
        text = sql!("{} WITH {}", text, user(storage));
    }
    if let Some(tablespace) = &parameters.tablespace {
        text = sql!("{} USING INDEX TABLESPACE {}", text, ident(tablespace));
    }
    text
}

/// How an index is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Build {
    /// In the transaction that creates the table.
    Plain,
    /// `CONCURRENTLY`, beside writers.
    Concurrently,
    /// The same for each partition: the names are placeholders of [`crate::statements::partitions`].
    OnPartition,
}

/// A part of `CREATE INDEX`: what is ours, or a text of the user's own.
enum Piece {
    Ours(Sql),
    /// The expression of the key with this number, from 1.
    Expression(usize, String),
    Predicate(String),
}

/// `CREATE [UNIQUE] INDEX …`.
pub fn create_index(base: &str, table: &str, name: &str, index: &Index, names: &Names, build: Build) -> Sql {
    let pieces = pieces(base, table, name, index, names, build).into_iter().map(|piece| match piece {
        Piece::Ours(text) => text,
        Piece::Expression(_, text) | Piece::Predicate(text) => user(&text),
    });
    join(pieces, "")
}

/// The same as a query that gives the statement: opaque texts come out of an index that was made of them on another table, whose columns
/// were renamed since, as the server says them (R6).
fn create_index_bound((base, table, name): (&str, &str, &str), index: &Index, names: &Names, build: Build, made: &Sql) -> Sql {
    let made = literal(made.as_str());
    let pieces = pieces(base, table, name, index, names, build).into_iter().map(|piece| match piece {
        Piece::Ours(text) => literal(text.as_str()),
        Piece::Expression(number, _) => {
            sql!("'(' || pg_catalog.pg_get_indexdef(made.indexrelid, {}, false) || ')'", number)
        }
        Piece::Predicate(_) => sql!("'(' || pg_catalog.pg_get_expr(made.indpred, made.indrelid) || ')'"),
    });
    sql!("SELECT {} FROM pg_catalog.pg_index AS made WHERE made.indexrelid = {}::pg_catalog.regclass", join(pieces, " || "), made)
}

fn pieces(base: &str, table: &str, name: &str, index: &Index, names: &Names, build: Build) -> Vec<Piece> {
    let mut pieces = vec![Piece::Ours(sql!(
        "CREATE {}INDEX {}{} ON {} USING {} (",
        Sql::trusted(if index.unique { "UNIQUE " } else { "" }),
        Sql::trusted(if build == Build::Plain { "" } else { "CONCURRENTLY " }),
        ident(name),
        if build == Build::OnPartition { ident(table) } else { qualified(base, table) },
        ident(index.method.as_deref().unwrap_or("btree"))
    ))];
    for (at, key) in index.columns.iter().enumerate() {
        if at > 0 {
            pieces.push(Piece::Ours(Sql::trusted(", ")));
        }
        pieces.push(match &key.expression {
            Some(expression) => Piece::Expression(at + 1, expression.as_str().to_owned()),
            None => Piece::Ours(ident(physical_name(names, &key.column))),
        });
        pieces.push(Piece::Ours(key_options(key)));
    }
    let mut text = Sql::trusted(")");
    if !index.include.is_empty() {
        text = sql!("{} INCLUDE ({})", text, list(names, &index.include));
    }
    if index.nulls_not_distinct {
        text = sql!("{} NULLS NOT DISTINCT", text);
    }
    if let Some(parameters) = &index.storage_parameters {
        text = sql!("{} WITH {}", text, user(parameters));
    }
    if let Some(tablespace) = &index.tablespace {
        text = sql!("{} TABLESPACE {}", text, ident(tablespace));
    }
    match &index.predicate {
        Some(predicate) => pieces.extend([Piece::Ours(sql!("{} WHERE ", text)), Piece::Predicate(predicate.as_str().to_owned())]),
        None => pieces.push(Piece::Ours(text)),
    }
    pieces
}

fn key_options(key: &IndexColumn) -> Sql {
    let mut text = Sql::default();
    if let Some(collation) = &key.collate {
        text = sql!(" COLLATE {}", dotted(collation));
    }
    if let Some(class) = &key.opclass {
        text = sql!("{} {}", text, dotted(&class.name));
        if !class.params.is_empty() {
            text = sql!("{} ({})", text, join(class.params.iter().map(|param| verbatim(param)), ", "));
        }
    }
    if let Some(sort) = &key.sort {
        text = sql!("{} {}", text, verbatim(sort));
    }
    if let Some(nulls) = &key.nulls {
        text = sql!("{} NULLS {}", text, verbatim(nulls));
    }
    text
}

/// `CREATE STATISTICS …`.
pub fn create_statistics(base: &str, table: &str, name: &str, statistics: &Statistics, names: &Names) -> Sql {
    let kinds = join(statistics.kinds.iter().map(|kind| verbatim(kind)), ", ");
    let kinds = if statistics.kinds.is_empty() { Sql::default() } else { sql!(" ({})", kinds) };
    let columns = statistics.columns.iter().map(|column| ident(physical_name(names, column)));
    let parts = columns.chain(statistics.expressions.iter().map(|text| user(text)));
    sql!("CREATE STATISTICS {}{} ON {} FROM {}", qualified(base, name), kinds, join(parts, ", "), qualified(base, table))
}

/// The empty table on which a definition is tried or bound, and its index; gone when the transaction is rolled back.
const TWIN: &str = "diptych twin";
const TWIN_INDEX: &str = "diptych twin index";

/// The query that gives the `CREATE INDEX CONCURRENTLY` of an index with opaque text, of this name on this table of this schema, and
/// the statements before it, which are to be rolled back.
pub fn bind_index(on: (&str, &str, &str), index: &Index, names: &Names, build: Build, newer: &Table) -> (Sql, Vec<Sql>) {
    let place = qualified(OWN_SCHEMA, TWIN);
    let plain = Table { partition_by: None, ..newer.clone() };
    let mut statements = vec![twin(&plain), create_index(OWN_SCHEMA, TWIN, TWIN_INDEX, index, &Names::new(), Build::Plain)];
    let rename = |from: &str, to: &str| sql!("ALTER TABLE {} RENAME COLUMN {} TO {}", place, ident(from), ident(to));
    let moved: Vec<&String> =
        newer.columns.iter().map(|column| &column.name).filter(|name| physical_name(names, name) != *name).collect();
    let away = |name: &str| crate::names::generated("away", &[name]);
    statements.extend(moved.iter().map(|name| rename(name, &away(name))));
    statements.extend(moved.iter().map(|name| rename(&away(name), physical_name(names, name))));
    (create_index_bound(on, index, names, build, &qualified(OWN_SCHEMA, TWIN_INDEX)), statements)
}

/// A block that tries a new index on an empty twin of the table, after these statements, and leaves nothing.
pub fn try_index(before: Vec<Sql>, newer: &Table, index: &Index) -> Sql {
    let tried = [twin(newer), create_index(OWN_SCHEMA, TWIN, TWIN_INDEX, index, &Names::new(), Build::Plain)];
    attempt(before.into_iter().chain(tried))
}

/// A block that tries new statistics on an empty twin of the table, after these statements, and leaves nothing.
pub fn try_statistics(before: Vec<Sql>, newer: &Table, statistics: &Statistics) -> Sql {
    let tried = [twin(newer), create_statistics(OWN_SCHEMA, TWIN, TWIN, statistics, &Names::new())];
    attempt(before.into_iter().chain(tried))
}

/// A block that tries a new table, but for its foreign keys, after these statements, and leaves nothing.
pub fn try_table(before: Vec<Sql>, logical: &str, table: &Table) -> Sql {
    let tried = create_table(OWN_SCHEMA, TWIN, logical, table, |name| crate::names::generated("twin", &[name]));
    let kept = storage::assert_kept(&qualified(OWN_SCHEMA, TWIN), &table.storage);
    attempt(before.into_iter().chain(tried).chain(kept))
}

/// A block that tries other storage parameters on an empty twin of the table, after these statements, and leaves nothing.
pub fn try_storage(before: Vec<Sql>, newer: &Table) -> Sql {
    let place = qualified(OWN_SCHEMA, TWIN);
    let tried = storage::change(&place, &Storage::new(), &newer.storage);
    let kept = storage::assert_kept(&place, &newer.storage);
    attempt(before.into_iter().chain([twin(newer)]).chain(tried).chain(kept))
}

/// A block that tries whether an empty table takes rows, but for its foreign keys, after these statements, and leaves nothing.
pub fn try_rows(before: Vec<Sql>, logical: &str, table: &Table, insert: impl FnOnce(&Sql) -> Sql) -> Sql {
    let tried = create_table(OWN_SCHEMA, TWIN, logical, table, |name| crate::names::generated("twin", &[name]));
    attempt(before.into_iter().chain(tried).chain([insert(&qualified(OWN_SCHEMA, TWIN))]))
}

/// A block that tries whether a check can be made over a table's columns, after these statements, and leaves nothing.
pub fn try_check(before: Vec<Sql>, newer: &Table, check: &Constraint) -> Sql {
    let add = sql!("ALTER TABLE {} ADD {}", qualified(OWN_SCHEMA, TWIN), constraint(OWN_SCHEMA, check, &Names::new(), None));
    attempt(before.into_iter().chain([twin(newer), add]))
}

/// A block that tries whether columns take their defaults, after these statements, and leaves nothing.
pub fn try_defaults(before: Vec<Sql>, columns: &[&Column]) -> Sql {
    let columns = columns.iter().map(|column| {
        let declared = typed(&column.sql_type, &column.collation);
        let default = column.default.as_ref().map_or_else(|| Sql::trusted("NULL"), |default| sql::user(default));
        sql!("{} {} DEFAULT {}", ident(&column.name), declared, default)
    });
    attempt(before.into_iter().chain([sql!("CREATE TABLE {} ({})", qualified(OWN_SCHEMA, TWIN), join(columns, ", "))]))
}

/// A block that tries whether a row can be written without these columns, after these statements, and leaves nothing.
pub fn try_without(before: Vec<Sql>, columns: &[(&str, Option<Sql>)]) -> Sql {
    let columns = columns.iter().enumerate().map(|(at, (sql_type, default))| {
        let default = default.as_ref().map_or_else(Sql::default, |default| sql!(" DEFAULT {}", default));
        sql!("{} {}{}", ident(&format!("column {at}")), type_name(sql_type), default)
    });
    let twin = qualified(OWN_SCHEMA, TWIN);
    let made = sql!("CREATE TABLE {} ({})", twin, join(columns, ", "));
    attempt(before.into_iter().chain([made, sql!("INSERT INTO {} DEFAULT VALUES", twin)]))
}

/// A block that tries whether a foreign key can lead from columns to a key of other columns, after these statements, and leaves nothing.
pub fn try_foreign_key(before: Vec<Sql>, own: &[&Column], referenced: &[&Column]) -> Sql {
    let declared = |column: &&Column| sql!("{} {}", ident(&column.name), typed(&column.sql_type, &column.collation));
    let names = |columns: &[&Column]| join(columns.iter().map(|column| ident(&column.name)), ", ");
    let key = qualified(OWN_SCHEMA, &crate::names::generated("twin", &["key"]));
    let tried = [
        sql!("CREATE TABLE {} ({}, UNIQUE ({}))", key, join(referenced.iter().map(declared), ", "), names(referenced)),
        sql!(
            "CREATE TABLE {} ({}, FOREIGN KEY ({}) REFERENCES {} ({}))",
            qualified(OWN_SCHEMA, TWIN),
            join(own.iter().map(declared), ", "),
            names(own),
            key,
            names(referenced)
        ),
    ];
    attempt(before.into_iter().chain(tried))
}

fn twin(table: &Table) -> Sql {
    let columns =
        table.columns.iter().map(|column| sql!("{} {}", ident(&column.name), typed(&column.sql_type, &column.collation)));
    sql!("CREATE TABLE {} ({}){}", qualified(OWN_SCHEMA, TWIN), join(columns, ", "), partition_by(table))
}

/// ` PARTITION BY …`, with a space before it.
fn partition_by(table: &Table) -> Sql {
    table.partition_by.as_deref().map_or_else(Sql::default, |text| sql!(" PARTITION BY {}", verbatim(text)))
}

fn attempt(statements: impl IntoIterator<Item = Sql>) -> Sql {
    let body = sql!(
        "\n#variable_conflict use_column\nBEGIN\n{};\nRAISE EXCEPTION USING ERRCODE = 'DPT00';\nEXCEPTION WHEN SQLSTATE 'DPT00' THEN NULL;\nEND\n",
        join(statements, ";\n")
    );
    sql!("DO {}", sql::dollar_quoted(&body))
}

/// A type with its collation.
pub fn typed(sql_type: &str, collation: &Option<String>) -> Sql {
    collated(type_name(sql_type), collation)
}

/// NULL of a type with its collation.
pub fn null(sql_type: &str, collation: &Option<String>) -> Sql {
    cast(&Sql::trusted("NULL"), sql_type, collation)
}

/// A value as one of a type with its collation.
pub fn cast(value: &Sql, sql_type: &str, collation: &Option<String>) -> Sql {
    collate(&sql!("CAST({} AS {})", value, type_name(sql_type)), collation)
}

/// A value under a collation, where there is one.
pub fn collate(value: &Sql, collation: &Option<String>) -> Sql {
    collated(value.clone(), collation)
}

/// A block that tries whether a query's columns can be assigned to columns of these types, and leaves nothing.
pub fn try_assignment(columns: &[Column], query: &Sql) -> Sql {
    let table = Table { columns: columns.to_vec(), ..Table::default() };
    let insert = sql!("INSERT INTO {} SELECT * FROM ({}) AS given WHERE false", qualified(OWN_SCHEMA, TWIN), query);
    attempt([twin(&table), insert])
}

fn collated(text: Sql, collation: &Option<String>) -> Sql {
    collation.as_deref().map_or_else(|| text.clone(), |collation| sql!("{} COLLATE {}", text, dotted(collation)))
}

/// The unique index that a primary key or unique constraint will be made of.
pub fn key_index(constraint: &Constraint) -> Option<Index> {
    let (columns, nulls_not_distinct, parameters) = match constraint {
        Constraint::PrimaryKey { columns, index_parameters, .. } => (columns, false, index_parameters),
        Constraint::Unique { columns, nulls_not_distinct, index_parameters, .. } => {
            (columns, *nulls_not_distinct, index_parameters)
        }
        _ => return None,
    };
    let columns = columns.iter().map(|column| IndexColumn { column: column.clone(), ..IndexColumn::default() }).collect();
    let IndexParameters { include_columns: include, storage_parameters, tablespace } = parameters.clone();
    Some(Index { columns, unique: true, nulls_not_distinct, include, storage_parameters, tablespace, ..Index::default() })
}

/// `ADD CONSTRAINT … USING INDEX …`, instant.
pub fn attach_key(name: &str, index: &str, constraint: &Constraint) -> Sql {
    let (kind, deferral) = (Sql::trusted(key_kind(constraint)), Sql::trusted(key_deferral(constraint)));
    sql!("ADD CONSTRAINT {} {} USING INDEX {}{}", ident(name), kind, ident(index), deferral)
}

/// `PRIMARY KEY` or `UNIQUE`.
pub(crate) fn key_kind(constraint: &Constraint) -> &'static str {
    if matches!(constraint, Constraint::PrimaryKey { .. }) { "PRIMARY KEY" } else { "UNIQUE" }
}

/// ` DEFERRABLE …` of a key, with a space before it.
pub(crate) fn key_deferral(constraint: &Constraint) -> &'static str {
    match constraint {
        Constraint::PrimaryKey { initially_deferred: true, .. } | Constraint::Unique { initially_deferred: true, .. } => {
            " DEFERRABLE INITIALLY DEFERRED"
        }
        Constraint::PrimaryKey { deferrable: true, .. } | Constraint::Unique { deferrable: true, .. } => " DEFERRABLE",
        _ => "",
    }
}

/// `COMMENT ON …`; no comment clears it.
pub fn comment(object: &Sql, text: Option<&str>) -> Sql {
    sql!("COMMENT ON {} IS {}", object, text.map_or_else(|| Sql::trusted("NULL"), literal))
}

/// `CREATE TABLE` with everything but foreign keys; `name_of` gives the names that its relations have for now.
pub fn create_table(base: &str, physical: &str, logical: &str, table: &Table, name_of: impl Fn(&str) -> String) -> Vec<Sql> {
    let names = Names::new();
    let columns =
        table.columns.iter().map(|there| column(base, there, there.sequence_name(logical).map(|name| name_of(&name)).as_deref()));
    let mut parts: Vec<Sql> = columns.collect();
    let mut keys: Vec<&[String]> = Vec::new();
    let mut later = Vec::new();
    for (name, there) in &table.constraints {
        let name = if there.owns_index() { name_of(name) } else { name.clone() };
        match there {
            Constraint::ForeignKey { .. } => continue,
            // CREATE TABLE takes the words, and has it valid all the same
            Constraint::Check { .. } if table.not_valid.contains(&name) => {
                later.push((name, there, " NOT VALID"));
                continue;
            }
            Constraint::PrimaryKey { columns, .. } | Constraint::Unique { columns, .. } => {
                // of two keys on the same columns, CREATE TABLE silently leaves one out
                if keys.contains(&columns.as_slice()) {
                    later.push((name, there, ""));
                    continue;
                }
                keys.push(columns);
            }
            Constraint::Check { .. } | Constraint::Exclude { .. } => {}
        }
        parts.push(sql!("CONSTRAINT {} {}", ident(&name), constraint(base, there, &names, None)));
    }
    let place = qualified(base, physical);
    let mut statements =
        vec![sql!("CREATE TABLE {} ({}){}{}", place, join(parts, ", "), partition_by(table), storage::with(&table.storage))];
    for (name, there, rows) in later {
        let definition = constraint(base, there, &names, None);
        statements.push(sql!("ALTER TABLE {} ADD CONSTRAINT {} {}{}", place, ident(&name), definition, Sql::trusted(rows)));
    }
    for (name, index) in &table.indexes {
        statements.push(create_index(base, physical, &name_of(name), index, &names, Build::Plain));
    }
    if let Some(identity) = &table.replica_identity {
        statements.push(replica_identity(&place, Some(identity), &name_of));
    }
    if table.comment.is_some() {
        statements.push(comment(&sql!("TABLE {}", place), table.comment.as_deref()));
    }
    for there in table.columns.iter().filter(|there| there.comment.is_some()) {
        statements.push(comment(&sql!("COLUMN {}.{}", place, ident(&there.name)), there.comment.as_deref()));
    }
    statements
}

/// `ALTER TABLE … REPLICA IDENTITY …`; `name_of` gives the name that the index has for now.
pub fn replica_identity(place: &Sql, identity: Option<&ReplicaIdentity>, name_of: impl Fn(&str) -> String) -> Sql {
    let kind = match identity {
        None => Sql::trusted("DEFAULT"),
        Some(ReplicaIdentity::Nothing) => Sql::trusted("NOTHING"),
        Some(ReplicaIdentity::Full) => Sql::trusted("FULL"),
        Some(ReplicaIdentity::Index { index }) => sql!("USING INDEX {}", ident(&name_of(index))),
    };
    sql!("ALTER TABLE {} REPLICA IDENTITY {}", place, kind)
}

/// Quoted names of a list, for messages and SQL alike.
pub fn quoted(names: &[String]) -> Sql {
    idents(names)
}
