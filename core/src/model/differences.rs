//! In what two schemas differ, object by object, for people to read.

use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

use crate::model::composite::Composite;
use crate::model::domain::Domain;
use crate::model::schema::{Column, Constraint, Enum, Index, Schema, Table};
use crate::model::sequence::Sequence;
use crate::model::statistics::Statistics;
use crate::model::storage::Setting;

/// An object that one schema has in another form than the other, or that only one of them has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The object: `column users.age`.
    pub object: String,
    /// How much it is.
    pub weight: Weight,
    /// What it is in the first schema; none where it is not there.
    pub first: Option<String>,
    /// What it is in the second one.
    pub second: Option<String>,
}

/// How much a difference is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Weight {
    /// A table, an index, a constraint, statistics, an enum, a domain, a composite type, a sequence, or a column that may be left out more in the second schema: what the first has is as it was.
    Beside,
    /// Neither what rows there can be nor how they are found: comments, storage, the replica identity, whether a constraint is validated.
    Outside,
    /// What rows there can be, or what is written and found.
    Meaning,
}

impl Difference {
    /// It in words, each schema by a name of two or three words.
    pub fn told(&self, first: &str, second: &str) -> String {
        let Difference { object, .. } = self;
        match (&self.first, &self.second) {
            (Some(_), None) => format!("{object} is only in {first}"),
            (None, _) => format!("{object} is only in {second}"),
            (Some(one), Some(other)) => match parts(one, other, first, second) {
                Some(parts) => format!("{object} is not the same: {parts}"),
                None => format!("{object} is {one} in {first}, and {other} in {second}"),
            },
        }
    }
}

/// In which of its properties an object differs; none where it is no more than a value.
fn parts(one: &str, other: &str, first: &str, second: &str) -> Option<String> {
    let [one, other] = [one, other].map(|text| serde_json::from_str::<BTreeMap<String, Value>>(text).ok());
    let (one, other) = (one?, other?);
    let said = |value: Option<&Value>| match value {
        None => "not set".to_owned(),
        Some(Value::String(text)) => format!("`{text}`"),
        Some(value) => value.to_string(),
    };
    let keys: BTreeSet<&String> = one.keys().chain(other.keys()).filter(|key| one.get(*key) != other.get(*key)).collect();
    let part = |key: &String| format!("{key} is {} in {first}, and {} in {second}", said(one.get(key)), said(other.get(key)));
    (!keys.is_empty()).then(|| keys.into_iter().map(part).collect::<Vec<_>>().join("; "))
}

/// Every object that is not the same in two schemas; the order of columns does not count.
pub fn differences(first: &Schema, second: &Schema) -> Vec<Difference> {
    let mut found = Vec::new();
    let names = |schema: &Schema| schema.extensions.iter().map(|name| (name.clone(), ())).collect::<BTreeMap<_, _>>();
    compare("extension", "", &names(first), &names(second), |(), ()| Alike::Wholly, |()| true, &mut found);
    let enums = |one: &Enum, other: &Enum| Alike::of(one == other, one.labels == other.labels);
    compare("enum", "", &first.enums, &second.enums, enums, |_| true, &mut found);
    let domains = |one: &Domain, other: &Domain| Alike::of(one.says_the_same(other), one.means_the_same(other));
    compare("domain", "", &first.domains, &second.domains, domains, |_| true, &mut found);
    let composites = |one: &Composite, other: &Composite| Alike::of(one == other, one.attributes == other.attributes);
    compare("composite type", "", &first.composites, &second.composites, composites, |_| true, &mut found);
    let sequences = |one: &Sequence, other: &Sequence| Alike::of(one == other, one.counts_as(other));
    compare("sequence", "", &first.sequences, &second.sequences, sequences, |_| true, &mut found);
    let tables: BTreeSet<&String> = first.tables.keys().chain(second.tables.keys()).collect();
    for name in tables {
        match (first.tables.get(name), second.tables.get(name)) {
            (Some(one), Some(other)) => of_table(name, one, other, &mut found),
            (one, other) => found.push(Difference {
                object: format!("table `{name}`"),
                weight: if one.is_none() { Weight::Beside } else { Weight::Meaning },
                first: one.map(|_| String::new()),
                second: other.map(|_| String::new()),
            }),
        }
    }
    found
}

/// How far two objects are the same.
enum Alike {
    Wholly,
    InMeaning,
    No,
}

impl Alike {
    fn of(wholly: bool, in_meaning: bool) -> Self {
        match (wholly, in_meaning) {
            (true, _) => Alike::Wholly,
            (false, true) => Alike::InMeaning,
            (false, false) => Alike::No,
        }
    }
}

fn of_table(name: &str, one: &Table, other: &Table, found: &mut Vec<Difference>) {
    let place = format!("{name}.");
    let alone = |column: &Column| {
        let table = Table { columns: vec![column.clone()], ..Table::default() };
        Schema { tables: BTreeMap::from([(name.to_owned(), table)]), ..Schema::default() }
    };
    let columns = |one: &Column, other: &Column| {
        let plain = |column: &Column| alone(&Column { comment: None, ..column.clone() });
        Alike::of(alone(one).says_the_same(&alone(other)), plain(one).says_the_same(&plain(other)))
    };
    let constraints = |one: &Constraint, other: &Constraint| {
        Alike::of(one.says_the_same(other), one.clone().unstored().says_the_same(&other.clone().unstored()))
    };
    let indexes = |one: &Index, other: &Index| {
        let plain = |index: &Index| Index { storage_parameters: None, tablespace: None, ..index.clone() };
        Alike::of(one.says_the_same(other), plain(one).says_the_same(&plain(other)))
    };
    let by_name =
        |table: &Table| table.columns.iter().map(|column| (column.name.clone(), column.clone())).collect::<BTreeMap<_, _>>();
    compare("column", &place, &by_name(one), &by_name(other), columns, can_be_left_out, found);
    compare("constraint", &place, &one.constraints, &other.constraints, constraints, |_| true, found);
    compare("index", &place, &one.indexes, &other.indexes, indexes, |_| true, found);
    // they decide which plan is chosen, and no more
    let statistics = |one: &Statistics, other: &Statistics| Alike::of(one.says_the_same(other), true);
    compare("statistics", &place, &one.statistics, &other.statistics, statistics, |_| true, found);
    let so_far = found.len();
    let settings = |one: &Setting, other: &Setting| Alike::of(one == other, true);
    compare("storage parameter", &place, &one.storage, &other.storage, settings, |_| true, found);
    found[so_far..].iter_mut().for_each(|there| there.weight = Weight::Outside);
    let rest = |table: &Table| text(&(&table.comment, &table.replica_identity, &table.partition_by, &table.not_valid));
    if rest(one) != rest(other) {
        let object = format!("table `{name}` (comment, replica identity, partitioning, NOT VALID)");
        let weight = if one.partition_by == other.partition_by { Weight::Outside } else { Weight::Meaning };
        found.push(Difference { object, weight, first: Some(rest(one)), second: Some(rest(other)) });
    }
}

/// Whether whoever does not know a column can write rows all the same.
fn can_be_left_out(column: &Column) -> bool {
    column.nullable || column.default.is_some() || column.identity.is_some() || column.generated.is_some()
}

fn compare<T: Serialize>(
    kind: &str,
    place: &str,
    first: &BTreeMap<String, T>,
    second: &BTreeMap<String, T>,
    alike: impl Fn(&T, &T) -> Alike,
    is_apart: impl Fn(&T) -> bool,
    found: &mut Vec<Difference>,
) {
    let names: BTreeSet<&String> = first.keys().chain(second.keys()).collect();
    for name in names {
        let (one, other) = (first.get(name), second.get(name));
        let weight = match (one, other) {
            (Some(one), Some(other)) => match alike(one, other) {
                Alike::Wholly => continue,
                Alike::InMeaning => Weight::Outside,
                Alike::No => Weight::Meaning,
            },
            (None, Some(other)) if is_apart(other) => Weight::Beside,
            _ => Weight::Meaning,
        };
        let object = format!("{kind} `{place}{name}`");
        found.push(Difference { object, weight, first: one.map(text), second: other.map(text) });
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
                "column `other.a` is not the same: type is `integer` in the files, and `bigint` in the database",
                "column `other.b` is only in the database",
                "table `yours` is only in the database",
            ]
        );
        assert!(differences(&one, &one).is_empty());
    }
}
