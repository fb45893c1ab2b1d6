//! Names, compared with the snapshot: what is gone, what is new, what an attribute speaks of in vain.

use diptych_core::schema::Table;
use diptych_core::snapshot::Used;
use diptych_core::{Snapshot, sql};
use proc_macro2::Span;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, OnceLock};
use std::time::SystemTime;
use syn::Error;

use crate::attr::{Field, Struct};
use crate::errors;

/// What the environment says of drift.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Drift {
    /// What is unrecorded is a warning.
    Warn,
    /// It is an error: for release builds.
    Deny,
    /// Nothing is compared: for the build of the tool that records.
    Allow,
}

impl Drift {
    pub(crate) fn read() -> Self {
        match std::env::var("DIPTYCH_DRIFT").as_deref() {
            // a dependant's release build must not fail inside its dependencies
            Ok("deny") if std::env::var_os("CARGO_PRIMARY_PACKAGE").is_some() => Drift::Deny,
            Ok("allow") => Drift::Allow,
            _ => Drift::Warn,
        }
    }
}

/// The folder of migrations beside Cargo.toml; where there is none (a project that is generated elsewhere, as trybuild's), the
/// same folder under `DIPTYCH_MIGRATIONS_ROOT`.
pub(crate) fn folder(migrations: &str) -> PathBuf {
    let beside = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default()).join(migrations);
    match std::env::var_os("DIPTYCH_MIGRATIONS_ROOT") {
        Some(root) if !beside.exists() => PathBuf::from(root).join(migrations),
        _ => beside,
    }
}

/// The snapshot of a folder; none where the file is missing. Parsed once per content in a compiler process.
pub(crate) fn snapshot(migrations: &str) -> Result<Option<Snapshot>, String> {
    type Key = (PathBuf, Option<SystemTime>, u64);
    static CACHE: OnceLock<Mutex<BTreeMap<Key, Snapshot>>> = OnceLock::new();
    let path = folder(migrations).join("snapshot.yaml");
    let Ok(meta) = std::fs::metadata(&path) else { return Ok(None) };
    let key = (path.clone(), meta.modified().ok(), meta.len());
    let mut cache = CACHE.get_or_init(Mutex::default).lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(known) = cache.get(&key) {
        return Ok(Some(known.clone()));
    }
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    let snapshot = Snapshot::parse(&text).map_err(|error| errors::broken_snapshot(&path.display().to_string(), &error))?;
    cache.insert(key, snapshot.clone());
    Ok(Some(snapshot))
}

/// What a struct's comparison came to.
pub(crate) struct Outcome {
    /// The table of the snapshot that the struct stands for.
    pub(crate) recorded: Option<(String, Table)>,
    /// The snapshot's version, for messages.
    pub(crate) version: String,
    /// Mistakes.
    pub(crate) errors: Vec<Error>,
    /// What is additive and not recorded.
    pub(crate) unrecorded: Vec<(Span, String)>,
}

impl Outcome {
    /// The column of the snapshot that a field stands for.
    pub(crate) fn column<'a>(&'a self, field: &Field, used: &Used) -> Option<&'a diptych_core::Column> {
        let (_, table) = self.recorded.as_ref()?;
        let find = |name: &str| table.columns.iter().find(|column| column.name == name);
        find(&field.column).or_else(|| {
            let from = field.renamed_from.as_deref().filter(|from| used.renamed_from.as_deref() != Some(*from))?;
            find(from)
        })
    }
}

/// Compares names.
pub(crate) fn compare(table: &Struct, snapshot: &Snapshot, drift: Drift) -> Outcome {
    let version = snapshot.version.clone().unwrap_or_else(|| "(none)".to_owned());
    let find = |name: &str| snapshot.tables.tables.get(name).map(|model| (name.to_owned(), model.clone()));
    let recorded = find(&table.table).or_else(|| table.renamed_from.as_deref().and_then(find));
    let mut outcome = Outcome { recorded, version, errors: Vec::new(), unrecorded: Vec::new() };
    if drift == Drift::Allow {
        outcome.recorded = None;
        return outcome;
    }
    let Some((old, model)) = outcome.recorded.clone() else {
        outcome.unrecorded.push((table.ident.span(), format!("table `{}`", table.table)));
        return outcome;
    };
    let version = outcome.version.clone();
    let used = |column: &str| snapshot.used.get(&table.table).and_then(|used| used.get(column)).cloned().unwrap_or_default();
    let mut claimed = Vec::new();
    for field in &table.fields {
        match outcome.column(field, &used(&field.column)).cloned() {
            Some(column) => {
                if column.name != field.column {
                    outcome.unrecorded.push((field.span, format!("the rename of `{old}.{}` to `{}`", column.name, field.column)));
                }
                constraints(table, field, &model, &mut outcome);
                claimed.push(column.name);
            }
            None => match field.renamed_from.as_deref() {
                Some(from) if used(&field.column).renamed_from.as_deref() != Some(from) => {
                    outcome.errors.push(Error::new(field.span, errors::renamed_unknown(&old, &field.column, from, &version)));
                }
                _ => outcome.unrecorded.push((field.span, format!("column `{}.{}`", table.table, field.column))),
            },
        }
    }
    for dropped in &table.dropped {
        let there = model.columns.iter().find(|column| column.name == dropped.name);
        let message = match there {
            None if snapshot.version.is_some() && !was_dropped(snapshot, table, &dropped.name) => {
                errors::dropped_unknown(&old, &dropped.name, &version)
            }
            Some(_) if claimed.contains(&dropped.name) => errors::dropped_but_there(&old, &dropped.name, &version),
            Some(column)
                if dropped.down.is_none() && !column.nullable && column.default.is_none() && column.identity.is_none() =>
            {
                errors::dropped_without_down(&old, &dropped.name, &version)
            }
            Some(_) => {
                outcome.unrecorded.push((dropped.span, format!("the drop of column `{old}.{}`", dropped.name)));
                continue;
            }
            None => continue,
        };
        outcome.errors.push(Error::new(dropped.span, message));
    }
    for column in &model.columns {
        if !claimed.contains(&column.name) && !table.dropped.iter().any(|dropped| dropped.name == column.name) {
            outcome.errors.push(Error::new(table.ident.span(), errors::field_gone(&old, column, &version)));
        }
    }
    outcome
}

/// A drop that a recorded migration has carried out may stay on the struct.
fn was_dropped(snapshot: &Snapshot, table: &Struct, column: &str) -> bool {
    snapshot.used.get(&table.table).is_some_and(|used| used.contains_key(&format!("-{column}")))
}

/// New constraints on columns that the running release writes.
fn constraints(table: &Struct, field: &Field, model: &Table, outcome: &mut Outcome) {
    use diptych_core::Constraint;
    if field.old_writes_may_fail || (field.up.is_some() && field.down.is_some()) || field.renamed_from.is_some() {
        return;
    }
    let has = |wanted: &dyn Fn(&Constraint) -> bool| model.constraints.values().any(wanted);
    let on = |columns: &[String]| columns == [field.column.clone()];
    let mut refuse = |what: &str| {
        outcome.errors.push(Error::new(field.span, errors::new_constraint(what, &table.table, &field.column, &outcome.version)));
    };
    if field.unique && !has(&|constraint| matches!(constraint, Constraint::Unique { columns, .. } if on(columns))) {
        refuse("a unique constraint");
    }
    if field.references.is_some()
        && !has(&|constraint| matches!(constraint, Constraint::ForeignKey { columns, .. } if on(columns)))
    {
        refuse("a foreign key");
    }
    if let Some(check) = &field.check
        && !has(&|constraint| matches!(constraint, Constraint::Check { check: there, .. } if there == check))
        && sql::mentions(check, &field.column)
    {
        refuse("a check");
    }
}
