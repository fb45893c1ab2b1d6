//! In what two schemas differ, object by object, for people to read.

use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

use crate::model::schema::{Column, Schema, Table};

/// An object that one schema has in another form than the other, or that only one of them has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The object: `column users.age`.
    pub object: String,
    /// What it is in the first schema; none where it is not there.
    pub first: Option<String>,
    /// What it is in the second one.
    pub second: Option<String>,
}

impl Difference {
    /// It in words, each schema by a name of two or three words.
    pub fn told(&self, first: &str, second: &str) -> String {
        let Difference { object, .. } = self;
        match (&self.first, &self.second) {
            (Some(_), None) => format!("{object} is only in {first}"),
            (None, _) => format!("{object} is only in {second}"),
            (Some(one), Some(other)) => format!("{object} is {one} in {first}, and {other} in {second}"),
        }
    }
}

/// Every object that is not the same in two schemas; the order of columns does not count.
pub fn differences(first: &Schema, second: &Schema) -> Vec<Difference> {
    let mut found = Vec::new();
    compare("enum", "", &first.enums, &second.enums, |one, other| one == other, &mut found);
    let tables: BTreeSet<&String> = first.tables.keys().chain(second.tables.keys()).collect();
    for name in tables {
        match (first.tables.get(name), second.tables.get(name)) {
            (Some(one), Some(other)) => of_table(name, one, other, &mut found),
            (one, other) => found.push(Difference {
                object: format!("table `{name}`"),
                first: one.map(|_| String::new()),
                second: other.map(|_| String::new()),
            }),
        }
    }
    found
}

fn of_table(name: &str, one: &Table, other: &Table, found: &mut Vec<Difference>) {
    let place = format!("{name}.");
    let alone = |column: &Column| {
        let table = Table { columns: vec![column.clone()], ..Table::default() };
        Schema { tables: BTreeMap::from([(name.to_owned(), table)]), ..Schema::default() }
    };
    let same = |one: &Column, other: &Column| alone(one).says_the_same(&alone(other));
    let columns =
        |table: &Table| table.columns.iter().map(|column| (column.name.clone(), column.clone())).collect::<BTreeMap<_, _>>();
    let before = found.len();
    compare("column", &place, &columns(one), &columns(other), same, found);
    compare("constraint", &place, &one.constraints, &other.constraints, |a, b| a.says_the_same(b), found);
    compare("index", &place, &one.indexes, &other.indexes, |a, b| a.says_the_same(b), found);
    let rest = |table: &Table| text(&(&table.comment, &table.replica_identity, &table.partition_by, &table.not_valid));
    if found.len() == before && rest(one) != rest(other) {
        let object = format!("table `{name}` (comment, replica identity, partitioning, NOT VALID)");
        found.push(Difference { object, first: Some(rest(one)), second: Some(rest(other)) });
    }
}

fn compare<T: Serialize>(
    kind: &str,
    place: &str,
    first: &BTreeMap<String, T>,
    second: &BTreeMap<String, T>,
    same: impl Fn(&T, &T) -> bool,
    found: &mut Vec<Difference>,
) {
    let names: BTreeSet<&String> = first.keys().chain(second.keys()).collect();
    for name in names {
        let (one, other) = (first.get(name), second.get(name));
        if let (Some(one), Some(other)) = (one, other)
            && same(one, other)
        {
            continue;
        }
        let object = format!("{kind} `{place}{name}`");
        found.push(Difference { object, first: one.map(text), second: other.map(text) });
    }
}

fn text(of: &impl Serialize) -> String {
    serde_json::to_string(of).unwrap_or_else(|error| unreachable!("a model is plain data: {error}"))
}

#[cfg(test)]
mod tests {
    use super::differences;
    use crate::model::schema::{Column, Schema, Table};

    fn schema(tables: &[(&str, &[Column])]) -> Schema {
        let tables =
            tables.iter().map(|(name, columns)| ((*name).to_owned(), Table { columns: columns.to_vec(), ..Table::default() }));
        Schema { tables: tables.collect(), ..Schema::default() }
    }

    #[test]
    fn each_object_is_told_once_and_the_order_of_columns_is_none() {
        let [a, b, c] = [Column::new("a", "integer", false), Column::new("b", "text", true), Column::new("a", "bigint", false)];
        let one = schema(&[("same", &[a.clone(), b.clone()]), ("other", std::slice::from_ref(&a)), ("mine", &[])]);
        let two = schema(&[("same", &[b.clone(), a.clone()]), ("other", &[c, b]), ("yours", &[])]);
        let told: Vec<String> = differences(&one, &two).iter().map(|there| there.told("the files", "the database")).collect();
        assert_eq!(
            told,
            [
                "table `mine` is only in the files",
                r#"column `other.a` is {"name":"a","type":"integer"} in the files, and {"name":"a","type":"bigint"} in the database"#,
                "column `other.b` is only in the database",
                "table `yours` is only in the database",
            ]
        );
        assert!(differences(&one, &one).is_empty());
    }
}
