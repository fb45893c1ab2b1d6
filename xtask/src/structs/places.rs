//! Constraints, indexes and statistics as attributes: on the field that can say one by itself, else on the struct.

use std::collections::BTreeMap;

use diptych_core::model::schema::{Exclusion, IndexColumn, IndexParameters, References, ReplicaIdentity};
use diptych_core::model::storage::{Storage, TOAST};
use diptych_core::{Constraint, Index, Setting, Statistics, Table, names};
use proc_macro2::Literal;

use super::is_ident;

/// Words of attributes that stand for themselves among columns.
const FLAGS: [&str; 5] = ["unique", "nulls_not_distinct", "deferrable", "initially_deferred", "no_inherit"];

/// Where each constraint and index of a table is said.
pub(super) struct Places {
    pub(super) on_struct: Vec<String>,
    pub(super) on_field: BTreeMap<String, Vec<String>>,
}

impl Places {
    pub(super) fn of(name: &str, table: &Table) -> Self {
        let mut places = Places { on_struct: Vec::new(), on_field: BTreeMap::new() };
        for (constraint, model) in &table.constraints {
            match on_field(name, table, constraint, model) {
                Some((column, key, part)) if places.is_free(column, key) => places.put(column, part),
                _ => places.on_struct.push(self::constraint(name, constraint, model)),
            }
        }
        for (index, model) in &table.indexes {
            let plain = |key: &IndexColumn| {
                let key = IndexColumn { column: key.column.clone(), ..IndexColumn::default() };
                Index { columns: vec![key], ..Index::default() }
            };
            match model.columns.first() {
                Some(key) if key.expression.is_none() && *model == plain(key) && places.is_free(&key.column, "index") => {
                    places.put(&key.column, "index".to_owned());
                }
                _ => places.on_struct.push(self::index(name, index, model)),
            }
        }
        places.on_struct.extend(table.statistics.iter().map(|(own, model)| statistics(name, own, model)));
        // the key first, the rest by kind and name
        places.on_struct.sort_by_key(|part| !part.starts_with("primary_key"));
        places.on_struct.extend((!table.storage.is_empty()).then(|| storage(&table.storage)));
        let identity = table.replica_identity.as_ref().map(|identity| match identity {
            ReplicaIdentity::Nothing => "nothing".to_owned(),
            ReplicaIdentity::Full => "full".to_owned(),
            ReplicaIdentity::Index { index } => format!("index {index}"),
        });
        places.on_struct.extend(identity.map(|text| format!("replica_identity = {}", quoted(&text))));
        places.on_struct.extend(table.partition_by.as_ref().map(|text| format!("partition_by = {}", quoted(text))));
        places
    }

    /// Whether a field has none of this kind yet: it can have one of each.
    fn is_free(&self, column: &str, key: &str) -> bool {
        self.on_field.get(column).is_none_or(|parts| !parts.iter().any(|part| part.starts_with(key)))
    }

    fn put(&mut self, column: &str, part: String) {
        self.on_field.entry(column.to_owned()).or_default().push(part);
    }
}

/// A constraint that a field can say by itself: the column, the word that it begins with, and the whole.
fn on_field<'a>(table: &str, of: &'a Table, name: &str, model: &'a Constraint) -> Option<(&'a str, &'static str, String)> {
    match model {
        Constraint::PrimaryKey { columns, .. } if columns.len() == 1 && *model == Constraint::primary_key(columns.clone()) => {
            Some((&columns[0], "primary_key", "primary_key".to_owned()))
        }
        Constraint::Unique { columns, .. } if columns.len() == 1 && *model == Constraint::unique(columns.clone()) => {
            Some((&columns[0], "unique", "unique".to_owned()))
        }
        Constraint::Check { check, no_inherit: false } => {
            let column = of.columns.iter().find(|column| names::object_name(table, Some(&column.name), "check") == name)?;
            Some((&column.name, "check", format!("check = {}", quoted(check))))
        }
        Constraint::ForeignKey { columns, references, deferrable, initially_deferred }
            if columns.len() == 1 && references.on_delete_set_columns.is_empty() && is_plain(references) =>
        {
            let mut parts = reference(references);
            parts.extend(deferrals(*deferrable, *initially_deferred));
            Some((&columns[0], "references", parts.join(", ")))
        }
        _ => None,
    }
}

/// Whether a target's names can be told from the signs between them.
fn is_plain(references: &References) -> bool {
    let is_plain = |name: &String| !name.contains(['(', ')', ',']) && name.trim() == name;
    is_plain(&references.table) && references.columns.iter().all(is_plain)
}

fn reference(references: &References) -> Vec<String> {
    let mut parts = vec![format!("references = {}", quoted(&format!("{}({})", references.table, references.columns.join(", "))))];
    let texts =
        [("on_delete", &references.on_delete), ("on_update", &references.on_update), ("match_type", &references.match_type)];
    parts.extend(texts.into_iter().filter_map(|(key, text)| Some(format!("{key} = {}", quoted(text.as_ref()?)))));
    if !references.on_delete_set_columns.is_empty() {
        parts.push(format!("on_delete_set_columns({})", columns(&references.on_delete_set_columns)));
    }
    parts
}

fn deferrals(deferrable: bool, initially_deferred: bool) -> Option<String> {
    match (deferrable, initially_deferred) {
        (_, true) => Some("initially_deferred".to_owned()),
        (true, false) => Some("deferrable".to_owned()),
        (false, false) => None,
    }
}

/// A constraint as a struct says it.
fn constraint(table: &str, name: &str, model: &Constraint) -> String {
    let mut parts = Vec::new();
    let word = match model {
        Constraint::PrimaryKey { columns, deferrable, initially_deferred, index_parameters } => {
            parts.push(self::columns(columns));
            parts.extend(deferrals(*deferrable, *initially_deferred));
            parts.extend(self::parameters(index_parameters));
            "primary_key"
        }
        Constraint::Unique { columns, nulls_not_distinct, deferrable, initially_deferred, index_parameters } => {
            parts.push(self::columns(columns));
            parts.extend(nulls_not_distinct.then(|| "nulls_not_distinct".to_owned()));
            parts.extend(deferrals(*deferrable, *initially_deferred));
            parts.extend(self::parameters(index_parameters));
            "unique"
        }
        Constraint::Check { check, no_inherit } => {
            parts.extend([format!("name = {}", quoted(name)), format!("expr = {}", quoted(check))]);
            parts.extend(no_inherit.then(|| "no_inherit".to_owned()));
            return format!("check({})", parts.join(", "));
        }
        Constraint::ForeignKey { columns, references, deferrable, initially_deferred } => {
            parts.push(self::columns(columns));
            parts.extend(reference(references));
            parts.extend(deferrals(*deferrable, *initially_deferred));
            "foreign_key"
        }
        Constraint::Exclude { exclude, deferrable, initially_deferred, index_parameters } => {
            let Exclusion { index_method, elements, predicate } = exclude;
            parts.push(format!("name = {}", quoted(name)));
            parts.extend(index_method.as_ref().map(|method| format!("index_method = {}", quoted(method))));
            parts.push(format!("elements = {}", quoted(elements)));
            parts.extend(predicate.as_ref().map(|text| format!("predicate = {}", quoted(text))));
            parts.extend(deferrals(*deferrable, *initially_deferred));
            parts.extend(self::parameters(index_parameters));
            return format!("exclude({})", parts.join(", "));
        }
    };
    if model.default_name(table) != name {
        parts.push(format!("name = {}", quoted(name)));
    }
    format!("{word}({})", parts.join(", "))
}

fn parameters(of: &IndexParameters) -> Vec<String> {
    let IndexParameters { include_columns, storage_parameters, tablespace } = of;
    further(include_columns, storage_parameters.as_deref(), tablespace.as_deref())
}

fn further(include: &[String], storage_parameters: Option<&str>, tablespace: Option<&str>) -> Vec<String> {
    let mut parts = Vec::new();
    if !include.is_empty() {
        parts.push(format!("include({})", columns(include)));
    }
    parts.extend(storage_parameters.map(|text| format!("storage_parameters = {}", quoted(text))));
    parts.extend(tablespace.map(|text| format!("tablespace = {}", quoted(text))));
    parts
}

/// An index as a struct says it.
fn index(table: &str, name: &str, model: &Index) -> String {
    let mut parts: Vec<String> = model.columns.iter().map(key).collect();
    parts.extend(model.unique.then(|| "unique".to_owned()));
    parts.extend(model.nulls_not_distinct.then(|| "nulls_not_distinct".to_owned()));
    parts.extend(model.method.as_ref().map(|text| format!("method = {}", quoted(text))));
    parts.extend(model.predicate.as_ref().map(|text| format!("predicate = {}", quoted(text))));
    parts.extend(further(&model.include, model.storage_parameters.as_deref(), model.tablespace.as_deref()));
    if names::object_name(table, Some(&model.default_stem()), "idx") != name {
        parts.push(format!("name = {}", quoted(name)));
    }
    format!("index({})", parts.join(", "))
}

/// Statistics as a struct says them.
fn statistics(table: &str, name: &str, model: &Statistics) -> String {
    let mut parts = Vec::new();
    if !model.columns.is_empty() {
        parts.push(columns(&model.columns));
    }
    parts.extend(model.expressions.iter().map(|text| format!("key(expression = {})", quoted(text))));
    if !model.kinds.is_empty() {
        parts.push(format!("kinds = {}", quoted(&model.kinds.join(", "))));
    }
    if names::object_name(table, Some(&model.default_stem()), "stat") != name {
        parts.push(format!("name = {}", quoted(name)));
    }
    format!("statistics({})", parts.join(", "))
}

/// Storage parameters as a struct says them.
fn storage(of: &Storage) -> String {
    let part = |name: &str, setting: &Setting| match setting.is_bare() {
        true => format!("{name} = {}", setting.as_str()),
        false => format!("{name} = {}", quoted(setting.as_str())),
    };
    let (toast, own): (Vec<_>, Vec<_>) = of.iter().partition(|(name, _)| name.starts_with(TOAST));
    let mut parts: Vec<String> = own.into_iter().map(|(name, setting)| part(name, setting)).collect();
    let toast: Vec<String> = toast.into_iter().map(|(name, setting)| part(&name[TOAST.len()..], setting)).collect();
    parts.extend((!toast.is_empty()).then(|| format!("toast({})", toast.join(", "))));
    format!("storage({})", parts.join(", "))
}

fn key(of: &IndexColumn) -> String {
    let IndexColumn { column, expression, collate, sort, nulls, opclass } = of;
    if *of == (IndexColumn { column: column.clone(), ..IndexColumn::default() }) {
        return columns(std::slice::from_ref(column));
    }
    let mut parts = match expression {
        Some(text) => vec![format!("expression = {}", quoted(text))],
        None => vec![columns(std::slice::from_ref(column))],
    };
    let texts = [("sort", sort), ("nulls", nulls), ("collate", collate)];
    parts.extend(texts.into_iter().filter_map(|(key, text)| Some(format!("{key} = {}", quoted(text.as_ref()?)))));
    if let Some(opclass) = opclass {
        parts.push(format!("opclass = {}", quoted(&opclass.name)));
        if !opclass.params.is_empty() {
            parts.push(format!("params = {}", quoted(&opclass.params.join(", "))));
        }
    }
    format!("key({})", parts.join(", "))
}

/// Columns as a list of an attribute has them.
fn columns(of: &[String]) -> String {
    let shown = |name: &String| match is_ident(name) && !FLAGS.contains(&name.as_str()) {
        true => name.clone(),
        false => quoted(name),
    };
    of.iter().map(shown).collect::<Vec<_>>().join(", ")
}

/// A text as a literal; one with quotes and backslashes as a raw one.
pub(super) fn quoted(text: &str) -> String {
    let is_raw = text.contains(['"', '\\']) && !text.contains("\"#") && !text.chars().any(char::is_control);
    if is_raw { format!("r#\"{text}\"#") } else { Literal::string(text).to_string() }
}
