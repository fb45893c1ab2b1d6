//! A schema after statements of the user's own, which the model cannot foresee.

use std::collections::BTreeSet;

use crate::model::schema::{Schema, Table};

/// What the database has, in the words of the model where the two mean the same: texts are printed by PostgreSQL in another form.
pub fn adopt(known: &Schema, found: Schema) -> Schema {
    let tables = found.tables.into_iter().map(|(name, table)| match known.tables.get(&name) {
        Some(there) if shape(there) == shape(&table) => {
            (name, Table { not_valid: table.not_valid, storage: table.storage, ..there.clone() })
        }
        _ => (name, table),
    });
    let domains = found.domains.into_iter().map(|(name, domain)| match known.domains.get(&name) {
        Some(there) if there.shape() == domain.shape() => (name, there.clone()),
        _ => (name, domain),
    });
    // an extension is a version's where an operation says so, and so is code
    let (extensions, code) = (known.extensions.clone(), known.code.clone());
    Schema {
        extensions,
        enums: found.enums,
        domains: domains.collect(),
        composites: found.composites,
        sequences: found.sequences,
        tables: tables.collect(),
        code,
    }
}

/// What can be compared of a table: names, types and nullability; constraints, indexes and statistics by their names.
fn shape(table: &Table) -> BTreeSet<String> {
    let columns = table.columns.iter().map(|column| format!("column {} {} {}", column.name, column.sql_type, column.nullable));
    let constraints = table.constraints.keys().map(|name| format!("constraint {name}"));
    let indexes = table.indexes.keys().map(|name| format!("index {name}"));
    let statistics = table.statistics.keys().map(|name| format!("statistics {name}"));
    columns.chain(constraints).chain(indexes).chain(statistics).collect()
}

#[cfg(test)]
mod tests {
    use super::adopt;
    use crate::model::schema::{Column, Schema, Table};

    #[test]
    fn what_is_known_keeps_its_words() {
        let table = |default: &str, more: &[&str]| {
            let mut columns = vec![Column { default: Some(default.into()), ..Column::new("a", "text", false) }];
            columns.extend(more.iter().map(|name| Column::new(name, "integer", true)));
            Table { columns, ..Table::default() }
        };
        let schema = |tables: &[(&str, Table)]| Schema {
            tables: tables.iter().map(|(name, table)| ((*name).to_owned(), table.clone())).collect(),
            ..Schema::default()
        };
        let known = schema(&[("same", table("lower('X')", &[])), ("wider", table("'x'", &[])), ("gone", table("'x'", &[]))]);
        let found = schema(&[
            ("same", table("lower('X'::text)", &[])),
            ("wider", table("'x'::text", &["b"])),
            ("new", table("'x'::text", &[])),
        ]);
        let adopted = adopt(&known, found.clone());
        assert_eq!(adopted.tables["same"], known.tables["same"]);
        assert_eq!(adopted.tables["wider"], found.tables["wider"]);
        assert_eq!(adopted.tables.keys().collect::<Vec<_>>(), ["new", "same", "wider"]);
    }
}
