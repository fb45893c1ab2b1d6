//! Attributes of the structs that recorded migrations have used up, and which migration used them.

use std::collections::BTreeMap;

use diptych_core::model::snapshot::Used;
use diptych_core::{DeclaredSchema, Migration, Operation, Schema, Snapshot};
use serde_json::Value;

/// An operation as its file has it.
struct Told<'a> {
    migration: &'a Migration,
    name: String,
    parts: Value,
}

impl Told<'_> {
    fn has(&self, key: &str, value: &str) -> bool {
        self.parts[key].as_str() == Some(value)
    }

    /// `up` or `down`: one text, or one for each column.
    fn texts(&self, key: &str) -> Vec<&str> {
        match &self.parts[key] {
            Value::String(text) => vec![text],
            Value::Object(each) => each.values().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        }
    }

    /// Whether it removes or changes the column of an attribute, or its table.
    fn is_about(&self, table: &str, column: &str) -> bool {
        let keys =
            self.parts["columns"].as_array().is_some_and(|keys| keys.iter().any(|key| key == column || key["column"] == column));
        let own = self.has("table", table) && (self.has("column", column) || self.parts["column"]["name"] == column || keys);
        own || self.has("name", table) && self.name == "alter_enum"
    }

    /// Whether it did what one attribute of a column asks for; the column is `""` for the table itself and `-name` for what is dropped.
    fn used(&self, table: &str, column: &str, attribute: &Used) -> bool {
        let up = attribute.up.as_deref().is_some_and(|text| self.texts("up").contains(&text));
        let down = attribute.down.as_deref().is_some_and(|text| self.texts("down").contains(&text));
        let renamed = attribute.renamed_from.as_deref().is_some_and(|from| match self.name.as_str() {
            "rename_table" => column.is_empty() && self.has("from", from) && self.has("to", table),
            "rename_column" => self.has("from", from) && self.has("to", column),
            // converted and renamed at once: another column
            _ => self.has("column", from) && self.has("successor", column),
        });
        let dropped = column.strip_prefix('-').is_some_and(|gone| match self.name.as_str() {
            "drop_column" => self.has("table", table) && self.has("column", gone),
            _ => self.name == "alter_enum" && self.parts["up"].get(gone).is_some(),
        });
        up || down || renamed || dropped
    }
}

fn told(migrations: &[Migration]) -> Vec<Told<'_>> {
    let of = |migration| {
        move |operation: &Operation| {
            let mut value = serde_json::to_value(operation).unwrap_or_default();
            Told { migration, name: operation.name().to_owned(), parts: value[operation.name()].take() }
        }
    };
    migrations.iter().flat_map(|migration| migration.operations.iter().map(of(migration))).collect()
}

/// The attributes of one column, each alone.
pub(crate) fn each(used: &Used) -> Vec<Used> {
    let none = Used::default;
    let mut found = Vec::new();
    found.extend(used.renamed_from.clone().map(|from| Used { renamed_from: Some(from), ..none() }));
    found.extend(used.up.clone().map(|up| Used { up: Some(up), ..none() }));
    found.extend(used.down.clone().map(|down| Used { down: Some(down), ..none() }));
    found.extend(used.allow.then(|| Used { allow: true, ..none() }));
    found
}

/// The snapshot of a folder: what the structs carry is used up where the snapshot so far says so, or where one of these migrations did it.
pub(crate) fn snapshot(
    so_far: Option<&Snapshot>,
    migrations: &[Migration],
    declared: &DeclaredSchema,
    version: &str,
    schema: Schema,
) -> Snapshot {
    let told = told(migrations);
    let mut made = declared.snapshot(version, schema);
    for (table, columns) in &mut made.used {
        columns.retain(|column, used| {
            let before = so_far.and_then(|so_far| so_far.used.get(table)?.get(column));
            let was = before.cloned().unwrap_or_default();
            let counts = |alone: &Used| told.iter().any(|operation| operation.used(table, column, alone));
            for alone in each(used) {
                // files do not tell what was allowed: without a snapshot that does, it is asked for again
                let is_kept = each(&was).contains(&alone) || counts(&alone) || alone.allow && so_far.is_none();
                match (is_kept, &alone) {
                    (true, _) => {}
                    (_, Used { up: Some(_), .. }) => used.up = None,
                    (_, Used { down: Some(_), .. }) => used.down = None,
                    (_, Used { renamed_from: Some(_), .. }) => used.renamed_from = None,
                    _ => used.allow = false,
                }
            }
            // `dropped` needs no text
            *used != Used::default() || column.starts_with('-') && (before.is_some() || counts(&Used::default()))
        });
    }
    made.used.retain(|_, columns| !columns.is_empty());
    made
}

/// The newest migration that used an attribute.
pub(crate) fn user<'a>(migrations: &'a [Migration], table: &str, column: &str, attribute: &Used) -> Option<&'a str> {
    let told = told(migrations);
    let did = |operation: &&Told<'_>| operation.used(table, column, attribute);
    let own = told.iter().rev().find(|operation| did(operation) && operation.is_about(table, column.trim_start_matches('-')));
    let found = own.or_else(|| told.iter().rev().find(did)).or_else(|| {
        // what `allow` allowed
        told.iter().rev().find(|operation| attribute.allow && operation.is_about(table, column))
    });
    found.map(|operation| operation.migration.name.as_str())
}

/// The newest migration that gave an enum a label.
pub(crate) fn user_of_label<'a>(migrations: &'a [Migration], name: &str, label: &str) -> Option<&'a str> {
    let gave = |operation: &&Told<'_>| {
        let is_renamed = operation.parts["rename"].as_object().is_some_and(|each| each.values().any(|to| to == label));
        let is_new = operation.parts["labels"].as_array().is_some_and(|labels| labels.iter().any(|there| there == label));
        operation.name == "alter_enum" && operation.has("name", name) && (is_renamed || is_new)
    };
    // the others only have it as well
    let told = told(migrations);
    let mut own: Vec<&Told<'_>> = told.iter().filter(gave).collect();
    let first = own.iter().rposition(|operation| operation.parts["down"].get(label).is_some());
    let at = first.or_else(|| own.len().checked_sub(1))?;
    Some(own.swap_remove(at).migration.name.as_str())
}

/// The newest migration that dropped a table, an enum, a domain, a composite type, a sequence or an extension.
pub(crate) fn user_of_drop<'a>(migrations: &'a [Migration], name: &str) -> Option<&'a str> {
    let dropped = |operation: &&Told<'_>| {
        let drops = ["drop_table", "drop_enum", "drop_domain", "drop_composite_type", "drop_sequence", "drop_extension"];
        drops.contains(&operation.name.as_str()) && operation.has("name", name)
    };
    told(migrations).iter().rev().find(dropped).map(|operation| operation.migration.name.as_str())
}

/// The texts of a migration's `up` and `down`.
pub(crate) fn written(migration: &Migration) -> Vec<String> {
    let told = told(std::slice::from_ref(migration));
    told.iter().flat_map(|operation| [operation.texts("up"), operation.texts("down")].concat()).map(str::to_owned).collect()
}

/// What is used up without the last migration: its texts, and its renames, count again.
pub(crate) fn without(
    used: BTreeMap<String, BTreeMap<String, Used>>,
    last: &Migration,
) -> BTreeMap<String, BTreeMap<String, Used>> {
    let written = written(last);
    let fresh = |text: &String| !written.contains(text);
    let kept =
        |used: Used| Used { up: used.up.filter(fresh), down: used.down.filter(fresh), renamed_from: None, allow: used.allow };
    let of_table = |columns: BTreeMap<String, Used>| columns.into_iter().map(|(column, used)| (column, kept(used))).collect();
    used.into_iter().map(|(table, columns)| (table, of_table(columns))).collect()
}
