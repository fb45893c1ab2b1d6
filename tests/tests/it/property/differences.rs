//! The difference between a schema and structs.

use diptych_core::{DeclaredSchema, Migration, Schema, Snapshot, migration::diff};
use diptych_tests::difference;
use fastrand::Rng;

use super::{BEFORE, CHANGE};

/// Structs leave the names out that the model would choose itself.
pub(super) fn forget_names(rng: &mut Rng, structs: &mut DeclaredSchema) {
    for table in &mut structs.tables {
        let all = table.constraints.clone();
        for (name, constraint) in &mut table.constraints {
            let alone = all.iter().filter(|(_, there)| there == constraint).count() == 1;
            if alone && name.as_deref() == Some(&constraint.default_name(&table.name)) && rng.bool() {
                *name = None;
            }
        }
    }
}

pub(super) enum Refusal {
    /// As it should be.
    Right(String),
    /// A failure of the property.
    Wrong(String),
}

/// The difference between a schema and structs: it leads there, survives being written, and leaves nothing over.
pub(super) fn difference_to(from: &Schema, structs: &DeclaredSchema, wanted: &Schema) -> Result<Option<Migration>, Refusal> {
    let snapshot = Snapshot { version: Some(BEFORE.to_owned()), schema: from.clone(), ..Snapshot::default() };
    let operations = diff::diff(&snapshot, structs).map_err(|error| match error.hint_text() {
        Some(_) => Refusal::Right(error.message().to_owned()),
        None => Refusal::Wrong(format!("a refusal without a hint: {error}")),
    })?;
    if operations.is_empty() {
        return Ok(None);
    }
    let migration = Migration { name: CHANGE.to_owned(), version_schema: None, operations };
    let wrong = |text: String| Refusal::Wrong(format!("{text}\n{}", migration.to_yaml()));
    let to = migration.stage(from).map_err(|error| wrong(format!("the difference cannot be applied: {error}")))?.to;
    if !plain(&to).says_the_same(&plain(wanted)) {
        let lines = difference(&lines(&plain(wanted)), &lines(&plain(&to)));
        return Err(wrong(format!("the difference leads elsewhere than the structs:\n{lines}")));
    }
    if Migration::parse(CHANGE, &migration.to_yaml()).as_ref() != Ok(&migration) {
        return Err(wrong("the difference is another one when it is read again".to_owned()));
    }
    let after = structs.snapshot(CHANGE, to);
    match diff::diff(&after, structs) {
        Ok(rest) if rest.is_empty() => Ok(Some(migration)),
        Ok(rest) => Err(wrong(format!("{rest:#?}\nremain after it"))),
        Err(error) => Err(wrong(format!("after it: {error}"))),
    }
}

/// Without the order of columns, the names of sequences and the rows that constraints do not hold, which a difference leaves as they are.
fn plain(schema: &Schema) -> Schema {
    let mut schema = schema.clone();
    for table in schema.tables.values_mut() {
        table.not_valid.clear();
        table.columns.sort_by(|one, other| one.name.cmp(&other.name));
        table.columns.iter_mut().filter_map(|column| column.identity.as_mut()).for_each(|identity| identity.sequence = None);
    }
    schema
}

/// Everything of a schema, one line each.
pub(super) fn lines(schema: &Schema) -> Vec<String> {
    let mut lines: Vec<String> = schema.enums.iter().map(|(name, model)| format!("{name}: {model:?}")).collect();
    for (name, table) in &schema.tables {
        lines.push(format!("{name}: {:?} {:?}", table.comment, table.partition_by));
        lines.extend(table.columns.iter().map(|column| format!("{name}: {column:?}")));
        lines.extend(table.constraints.iter().map(|there| format!("{name}: {there:?}")));
        lines.extend(table.indexes.iter().map(|there| format!("{name}: {there:?}")));
    }
    lines
}
