//! Definitions in SQL: columns, constraints, indexes and comments, on whatever physical names they are given.

use std::collections::BTreeMap;

use crate::schema::{Column, Constraint, Index};
use crate::sql;
use crate::sql::{Sql, ident, idents, join, literal, qualified, type_name, user, verbatim};

/// Physical names by logical ones.
pub type Names = BTreeMap<String, String>;

/// The physical name of a logical one; itself where the map does not say.
pub fn physical<'a>(names: &'a Names, logical: &'a str) -> &'a str {
    names.get(logical).map_or(logical, String::as_str)
}

fn list(names: &Names, columns: &[String]) -> Sql {
    join(columns.iter().map(|column| ident(physical(names, column))), ", ")
}

/// `"name" type [DEFAULT …] [GENERATED …] [NOT NULL]` for CREATE TABLE.
pub fn column(base: &str, column: &Column, sequence: Option<&str>) -> Sql {
    let mut parts = vec![ident(&column.name), type_name(&column.sql_type)];
    if let Some(default) = &column.default {
        parts.push(sql!("DEFAULT {}", user(default)));
    }
    if let Some(expression) = &column.generated {
        parts.push(sql!("GENERATED ALWAYS AS {} STORED", user(expression)));
    }
    if let (Some(identity), Some(sequence)) = (&column.identity, sequence) {
        let when = Sql::trusted(if identity.always { "ALWAYS" } else { "BY DEFAULT" });
        let options = identity.options.as_deref().map_or_else(Sql::default, |text| sql!(" {}", verbatim(text)));
        parts.push(sql!("GENERATED {} AS IDENTITY (SEQUENCE NAME {}{})", when, qualified(base, sequence), options));
    }
    if !column.nullable {
        parts.push(Sql::trusted("NOT NULL"));
    }
    join(parts, " ")
}

/// The constraint's definition without its name; `target` is the physical table of a foreign key and its names.
pub fn constraint(base: &str, constraint: &Constraint, names: &Names, target: Option<(&str, &Names)>) -> Sql {
    let deferral = |deferrable: bool, deferred: bool| match (deferrable, deferred) {
        (_, true) => Sql::trusted(" DEFERRABLE INITIALLY DEFERRED"),
        (true, false) => Sql::trusted(" DEFERRABLE"),
        (false, false) => Sql::default(),
    };
    match constraint {
        Constraint::PrimaryKey { columns } => sql!("PRIMARY KEY ({})", list(names, columns)),
        Constraint::Unique { columns, nulls_not_distinct, deferrable, initially_deferred } => sql!(
            "UNIQUE{} ({}){}",
            Sql::trusted(if *nulls_not_distinct { " NULLS NOT DISTINCT" } else { "" }),
            list(names, columns),
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

/// How an index is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Build {
    /// In the transaction that creates the table.
    Plain,
    /// `CONCURRENTLY`, beside writers.
    Concurrently,
}

/// `CREATE [UNIQUE] INDEX …`.
pub fn create_index(base: &str, table: &str, name: &str, index: &Index, names: &Names, build: Build) -> Sql {
    let keys = index.columns.iter().map(|key| {
        let mut text = ident(physical(names, &key.column));
        if let Some(collation) = &key.collate {
            text = sql!("{} COLLATE {}", text, dotted(collation));
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
    });
    let mut text = sql!(
        "CREATE {}INDEX {}{} ON {} USING {} ({})",
        Sql::trusted(if index.unique { "UNIQUE " } else { "" }),
        Sql::trusted(if build == Build::Concurrently { "CONCURRENTLY " } else { "" }),
        ident(name),
        qualified(base, table),
        ident(index.method.as_deref().unwrap_or("btree")),
        join(keys, ", ")
    );
    if !index.include.is_empty() {
        text = sql!("{} INCLUDE ({})", text, list(names, &index.include));
    }
    if index.nulls_not_distinct {
        text = sql!("{} NULLS NOT DISTINCT", text);
    }
    if let Some(parameters) = &index.storage_parameters {
        text = sql!("{} WITH ({})", text, verbatim(parameters));
    }
    if let Some(predicate) = &index.predicate {
        text = sql!("{} WHERE {}", text, user(predicate));
    }
    text
}

/// The unique index that a primary key or unique constraint will be made of.
pub fn key_index(constraint: &Constraint) -> Option<Index> {
    let (columns, nulls_not_distinct) = match constraint {
        Constraint::PrimaryKey { columns } => (columns, false),
        Constraint::Unique { columns, nulls_not_distinct, .. } => (columns, *nulls_not_distinct),
        _ => return None,
    };
    let columns =
        columns.iter().map(|column| crate::schema::IndexColumn { column: column.clone(), ..Default::default() }).collect();
    Some(Index { columns, unique: true, nulls_not_distinct, ..Index::default() })
}

/// `ADD CONSTRAINT … USING INDEX …`, instant.
pub fn attach_key(name: &str, index: &str, constraint: &Constraint) -> Sql {
    let kind = Sql::trusted(if matches!(constraint, Constraint::PrimaryKey { .. }) { "PRIMARY KEY" } else { "UNIQUE" });
    let deferral = match constraint {
        Constraint::Unique { initially_deferred: true, .. } => " DEFERRABLE INITIALLY DEFERRED",
        Constraint::Unique { deferrable: true, .. } => " DEFERRABLE",
        _ => "",
    };
    sql!("ADD CONSTRAINT {} {} USING INDEX {}{}", ident(name), kind, ident(index), Sql::trusted(deferral))
}

/// `COMMENT ON …`; no comment clears it.
pub fn comment(object: &Sql, text: Option<&str>) -> Sql {
    sql!("COMMENT ON {} IS {}", object, text.map_or_else(|| Sql::trusted("NULL"), literal))
}

/// `CREATE TABLE` with everything but foreign keys; `name_of` gives the names that its relations have for now.
pub fn create_table(
    base: &str,
    physical: &str,
    logical: &str,
    table: &crate::schema::Table,
    name_of: impl Fn(&str) -> String,
) -> Vec<Sql> {
    let names = Names::new();
    let columns =
        table.columns.iter().map(|there| column(base, there, there.sequence_name(logical).map(|name| name_of(&name)).as_deref()));
    let mut parts: Vec<Sql> = columns.collect();
    let mut keys: Vec<&[String]> = Vec::new();
    let mut redundant = Vec::new();
    for (name, there) in &table.constraints {
        let name = if key_index(there).is_some() { name_of(name) } else { name.clone() };
        match there {
            Constraint::ForeignKey { .. } => continue,
            Constraint::PrimaryKey { columns } | Constraint::Unique { columns, .. } => {
                // of two keys on the same columns, CREATE TABLE silently leaves one out
                if keys.contains(&columns.as_slice()) {
                    redundant.push((name, there));
                    continue;
                }
                keys.push(columns);
            }
            Constraint::Check { .. } => {}
        }
        parts.push(sql!("CONSTRAINT {} {}", ident(&name), constraint(base, there, &names, None)));
    }
    let place = qualified(base, physical);
    let mut statements = vec![sql!("CREATE TABLE {} ({})", place, join(parts, ", "))];
    for (name, there) in redundant {
        statements.push(sql!("ALTER TABLE {} ADD CONSTRAINT {} {}", place, ident(&name), constraint(base, there, &names, None)));
    }
    for (name, index) in &table.indexes {
        statements.push(create_index(base, physical, &name_of(name), index, &names, Build::Plain));
    }
    if table.comment.is_some() {
        statements.push(comment(&sql!("TABLE {}", place), table.comment.as_deref()));
    }
    for there in table.columns.iter().filter(|there| there.comment.is_some()) {
        statements.push(comment(&sql!("COLUMN {}.{}", place, ident(&there.name)), there.comment.as_deref()));
    }
    statements
}

/// A name that may be written with its schema, `pg_catalog."C"`.
fn dotted(name: &str) -> Sql {
    if name.contains('"') { verbatim(name) } else { join(name.split('.').map(ident), ".") }
}

/// Quoted names of a list, for messages and SQL alike.
pub fn quoted(names: &[String]) -> Sql {
    idents(names)
}
