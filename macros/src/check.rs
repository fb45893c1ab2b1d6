//! Names, compared with the snapshot: what is gone, what is new, what an attribute speaks of in vain.

use diptych_core::model::lexer::Kind;
use diptych_core::model::schema::{Column, Constraint, Index, IndexColumn, References, Table};
use diptych_core::model::snapshot::Used;
use diptych_core::model::statistics::Statistics;
use diptych_core::{Expression, Snapshot, model::lexer};
use proc_macro2::Span;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::SystemTime;
use syn::Error;

use crate::ast::{Declared, Field, Place, Struct};
use crate::attr::{Always, OldWrites};
use crate::errors;
use crate::truth::{self, Value};

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
        Self::asked().unwrap_or(Drift::Warn)
    }

    /// What the environment asks for, or the word that nobody understands.
    pub(crate) fn asked() -> Result<Self, String> {
        let word = std::env::var("DIPTYCH_DRIFT").unwrap_or_default();
        match word.to_lowercase().as_str() {
            // a dependant's release build must not fail inside its dependencies
            "deny" if is_own() => Ok(Drift::Deny),
            "" | "warn" | "deny" => Ok(Drift::Warn),
            "allow" => Ok(Drift::Allow),
            _ => Err(word),
        }
    }
}

/// Whether the crate is the workspace's, and not one that came from a registry or from git.
fn is_own() -> bool {
    let place = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default().replace('\\', "/");
    !["/registry/src/", "/git/checkouts/"].iter().any(|part| place.contains(part))
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
pub(crate) fn snapshot(migrations: &str) -> Result<Option<Arc<Snapshot>>, String> {
    type Key = (PathBuf, Option<SystemTime>, u64);
    static CACHE: OnceLock<Mutex<BTreeMap<Key, Arc<Snapshot>>>> = OnceLock::new();
    let path = folder(migrations).join("snapshot.yaml");
    let Ok(meta) = std::fs::metadata(&path) else { return Ok(None) };
    let key = (path.clone(), meta.modified().ok(), meta.len());
    let mut cache = CACHE.get_or_init(Mutex::default).lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(known) = cache.get(&key) {
        return Ok(Some(Arc::clone(known)));
    }
    let text = match meta.is_file() {
        true => std::fs::File::open(&path).and_then(diptych_core::yaml::text).map_err(|error| error.to_string()),
        false => Err("it is not a regular file".to_owned()),
    };
    let text = text.map_err(|error| diptych_core::Error::new(format!("cannot be read: {error}")));
    let snapshot = text.and_then(|text| Snapshot::parse(&text));
    let snapshot = snapshot.map_err(|error| errors::broken_snapshot(&path.display().to_string(), &error))?;
    let snapshot = Arc::new(snapshot);
    cache.insert(key, Arc::clone(&snapshot));
    Ok(Some(snapshot))
}

/// The snapshot's file, once in a crate: whoever includes it is built anew when it changes, also where `database!` is in another crate.
pub(crate) fn to_track(migrations: &str) -> Option<String> {
    static TOLD: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
    let path = folder(migrations).join("snapshot.yaml");
    let mut told = TOLD.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    (path.is_file() && told.insert(path.clone())).then(|| path.display().to_string())
}

/// What a struct's comparison came to.
pub(crate) struct Outcome {
    /// The table of the snapshot that the struct stands for, under its name there.
    pub(crate) recorded: Option<(String, Table)>,
    /// The snapshot's version, for messages.
    pub(crate) version: String,
    /// What became of each field, in the struct's order.
    pub(crate) fields: Vec<Matched>,
    /// Mistakes.
    pub(crate) errors: Vec<Error>,
    /// What is additive and not recorded.
    pub(crate) unrecorded: Vec<(Span, String)>,
    /// What foreign keys point at that the snapshot does not have: `table(column)`.
    strangers: BTreeSet<String>,
    /// Foreign keys that are the snapshot's if their target was renamed, which only all structs together can tell.
    pub(crate) follows: Vec<Follows>,
}

/// A foreign key whose target has another name in the snapshot.
pub(crate) struct Follows {
    /// Its columns.
    pub(crate) columns: Vec<String>,
    /// The table that it points at.
    pub(crate) to: String,
    /// The table that it points at in the snapshot.
    pub(crate) table: String,
    /// The columns there.
    pub(crate) targets: Vec<String>,
    /// What is wrong if they are not the same.
    pub(crate) otherwise: String,
}

/// A field beside the snapshot.
pub(crate) struct Matched {
    /// The column that it stands for; none where it is new.
    pub(crate) column: Option<Column>,
    /// It has an `up` that no recorded migration has used up.
    pub(crate) up: bool,
    /// The same for `down`.
    pub(crate) down: bool,
    /// The same for `allow(old_writes_may_fail)`.
    pub(crate) allows: bool,
    /// The column that it cannot be renamed from, of which nothing more is said.
    pub(crate) mistaken: Option<String>,
}

/// Compares names.
pub(crate) fn compare(table: &Struct, snapshot: &Snapshot, drift: Drift) -> Outcome {
    let version = snapshot.version.clone().unwrap_or_else(|| "(none)".to_owned());
    let mut outcome = Outcome {
        recorded: None,
        version,
        fields: Vec::new(),
        errors: Vec::new(),
        unrecorded: Vec::new(),
        strangers: strangers(table, snapshot),
        follows: Vec::new(),
    };
    if drift == Drift::Allow {
        return outcome;
    }
    let find = |name: &str| snapshot.schema.tables.get(name).map(|model| (name.to_owned(), model.clone()));
    outcome.recorded = find(&table.table).or_else(|| table.renamed_from.as_deref().and_then(find));
    let Some((old, model)) = outcome.recorded.clone() else {
        match &table.renamed_from {
            Some(from) => outcome.refuse(table.ident.span(), errors::table_renamed_unknown(&table.table, from, &outcome.version)),
            None => outcome.warn(table.ident.span(), format!("table `{}`", table.table)),
        }
        return outcome;
    };
    if old != table.table {
        outcome.warn(table.ident.span(), format!("the rename of table `{old}` to `{}`", table.table));
    }
    let used = Attributes { snapshot, tables: [&table.table, &old] };
    for field in &table.fields {
        columns(table, field, &model, &used, &mut outcome);
    }
    claimed_twice(table, &old, &mut outcome);
    gone(table, &old, &model, &used, &mut outcome);
    constraints(table, &old, &model, &mut outcome);
    outcome
}

impl Outcome {
    fn refuse(&mut self, span: Span, message: String) {
        self.errors.push(Error::new(span, message));
    }

    fn warn(&mut self, span: Span, what: String) {
        self.unrecorded.push((span, what));
    }

    /// Renames that the struct asks for, as (old, new).
    fn renames<'a>(&'a self, table: &'a Struct) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.fields.iter().zip(&table.fields).filter_map(|(matched, field)| {
            let old = matched.column.as_ref()?.name.as_str();
            (old != field.column).then_some((old, field.column.as_str()))
        })
    }

    fn claims(&self, column: &str) -> bool {
        let is_it = |matched: &Matched| matched.column.as_ref().is_some_and(|there| there.name == column);
        self.fields.iter().any(|matched| is_it(matched) || matched.mistaken.as_deref() == Some(column))
    }

    /// Whether a field stands for the column by mistake.
    fn is_mistaken(&self, column: &str) -> bool {
        self.fields
            .iter()
            .any(|matched| matched.mistaken.is_some() && matched.column.as_ref().is_some_and(|there| there.name == column))
    }
}

/// What recorded migrations have used up, under the names that table and column had then and have now.
struct Attributes<'a> {
    snapshot: &'a Snapshot,
    tables: [&'a str; 2],
}

impl Attributes<'_> {
    fn of(&self, column: &str) -> impl Iterator<Item = &Used> {
        self.tables.iter().filter_map(|table| self.snapshot.used.get(*table)).filter_map(move |table| table.get(column))
    }

    fn fresh(&self, text: Option<&String>, columns: &[&str], part: fn(&Used) -> Option<&String>) -> bool {
        text.is_some() && !columns.iter().flat_map(|column| self.of(column)).any(|used| part(used) == text)
    }
}

fn columns(table: &Struct, field: &Field, model: &Table, used: &Attributes<'_>, outcome: &mut Outcome) {
    let attributes = &field.attributes;
    let find = |name: &str| model.columns.iter().find(|column| column.name == name).cloned();
    let from = attributes
        .renamed_from
        .as_deref()
        .filter(|_| used.fresh(attributes.renamed_from.as_ref(), &[&field.column], |used| used.renamed_from.as_ref()));
    let column = find(&field.column).or_else(|| find(from?));
    let names: Vec<&str> =
        std::iter::once(field.column.as_str()).chain(column.as_ref().map(|column| column.name.as_str())).collect();
    let up = used.fresh(attributes.up.as_ref(), &names, |used| used.up.as_ref());
    let down = used.fresh(attributes.down.as_ref(), &names, |used| used.down.as_ref());
    let name = format!("`{}.{}`", table.table, field.column);
    let mut mistaken = None;
    match (&column, from) {
        (Some(column), Some(from)) if column.name == field.column && find(from).is_some() => {
            mistaken = Some(from.to_owned());
            outcome.refuse(field.span, errors::renamed_but_there(&table.table, &field.column, from, &outcome.version));
        }
        (Some(column), _) => {
            if column.name != field.column {
                outcome.warn(field.span, format!("the rename of `{}.{}` to `{}`", table.table, column.name, field.column));
            }
            if !same_text(column.default.as_ref(), attributes.default.as_deref()) {
                outcome.warn(field.span, format!("the default of column {name}"));
            }
            if column.collation != attributes.collation && !(up && down) {
                outcome.refuse(field.span, errors::other_collation(&table.table, &field.column, &outcome.version));
            }
            let options = column.identity.as_ref().map(|identity| (identity.always, identity.options.clone()));
            let wanted = attributes.identity.map(|always| (always == Always::Yes, attributes.sequence_options.clone()));
            let renames =
                table.fields.iter().filter_map(|there| Some((there.attributes.renamed_from.as_deref()?, there.column.as_str())));
            let renamed = |text: &Expression| {
                renames.fold(text.clone(), |text, (from, to)| lexer::renamed(&text, &table.table, from, to).into())
            };
            let generated = column.generated.as_ref().map(renamed);
            if options != wanted || !same_text(generated.as_ref(), attributes.generated.as_deref()) {
                outcome.refuse(field.span, errors::other_rule(&table.table, &field.column, &outcome.version));
            }
            if column.comment != field.comment {
                outcome.warn(field.span, format!("the comment of column {name}"));
            }
        }
        (None, Some(from)) => {
            outcome.refuse(field.span, errors::renamed_unknown(&table.table, &field.column, from, &outcome.version));
        }
        (None, None) if attributes.generated.is_some() => {
            outcome.refuse(field.span, errors::generated_later(&table.table, &field.column));
        }
        (None, None) => outcome.warn(field.span, format!("column {name}")),
    }
    let allows =
        attributes.old_writes == OldWrites::MayFail && !names.iter().flat_map(|column| used.of(column)).any(|used| used.allow);
    outcome.fields.push(Matched { column, up, down, allows, mistaken });
}

/// A field that became of a column which another field still is: one of the two would be lost.
fn claimed_twice(table: &Struct, old: &str, outcome: &mut Outcome) {
    let claims: Vec<_> = outcome.fields.iter().map(|matched| matched.column.as_ref().map(|column| column.name.clone())).collect();
    for (at, claim) in claims.iter().enumerate() {
        if let Some(name) = claim
            && claims[..at].contains(claim)
        {
            outcome.refuse(table.fields[at].span, errors::claimed_twice(old, name, &outcome.version));
        }
    }
}

fn gone(table: &Struct, old: &str, model: &Table, used: &Attributes<'_>, outcome: &mut Outcome) {
    for dropped in &table.dropped {
        let name = &dropped.name;
        match model.columns.iter().find(|column| column.name == *name) {
            Some(_) if outcome.is_mistaken(name) => {}
            Some(_) if outcome.claims(name) => {
                outcome.refuse(dropped.span, errors::dropped_but_there(old, name, &outcome.version));
            }
            Some(column)
                if dropped.down.is_none()
                    && !column.nullable
                    && column.default.is_none()
                    && column.identity.is_none()
                    && column.generated.is_none() =>
            {
                outcome.refuse(dropped.span, errors::dropped_without_down(old, name, &outcome.version));
            }
            Some(_) => outcome.warn(dropped.span, format!("the drop of column `{old}.{name}`")),
            // a drop that a recorded migration has carried out may stay on the struct
            None if used.of(&format!("-{name}")).next().is_some() => {}
            None => outcome.refuse(dropped.span, errors::dropped_unknown(old, name, &outcome.version)),
        }
    }
    for column in &model.columns {
        if !outcome.claims(&column.name) && !table.dropped.iter().any(|dropped| dropped.name == column.name) {
            let new = table.fields.iter().zip(&outcome.fields).filter(|(field, matched)| {
                matched.column.is_none() && field.attributes.renamed_from.is_none() && field.attributes.up.is_none()
            });
            let new: Vec<&str> = new.map(|(field, _)| field.column.as_str()).collect();
            let message = errors::field_gone(old, column, &new, &outcome.version);
            outcome.refuse(table.ident.span(), message);
        }
    }
    if model.comment != table.comment {
        outcome.warn(table.ident.span(), format!("the comment of table `{}`", table.table));
    }
    if model.storage != table.storage {
        outcome.warn(table.ident.span(), format!("the storage parameters of table `{}`", table.table));
    }
}

/// Constraints and indexes: new ones on columns that the running release writes, and whatever else is not recorded.
fn constraints(table: &Struct, old: &str, model: &Table, outcome: &mut Outcome) {
    let mut there = model.clone();
    for (from, to) in outcome.renames(table) {
        there.constraints.values_mut().for_each(|constraint| constraint.rename_column(from, to));
        for index in there.indexes.values_mut() {
            index.rename_column(from, to);
        }
        there.statistics.values_mut().for_each(|statistics| statistics.rename_column(from, to));
        let may_read = |text: &Expression| text.known().is_none_or(|facts| facts.columns.contains(from));
        for (_, text) in there.texts_mut().into_iter().filter(|(_, text)| may_read(text)) {
            *text = lexer::renamed(text, old, from, to).into();
        }
    }
    for wanted in &table.constraints {
        let what = format!("{} on {}", kind(&wanted.definition), list(&table.table, &wanted.columns));
        let keys = || there.indexes.values().filter_map(key_of);
        let is_known = there.constraints.values().cloned().chain(keys()).any(|known| implies(&known, &wanted.definition));
        let is_refused = is_refused(table, wanted, &Rule::of(&wanted.definition), is_known, &what, model, outcome);
        if !is_refused && !is_there(wanted, &there.constraints, Constraint::says_the_same) {
            outcome.warn(wanted.span, what);
        }
    }
    for wanted in &table.indexes {
        let what = format!(
            "{} on {}",
            if wanted.definition.unique { "a unique index" } else { "an index" },
            list(&table.table, &wanted.columns)
        );
        let is_known = there.indexes.values().any(|index| same_key(index, &wanted.definition))
            || there.constraints.values().any(|constraint| implies(constraint, &unique_of(&wanted.definition)));
        let rule = Rule::Apart { nulls_collide: wanted.definition.nulls_not_distinct };
        let is_refused = wanted.definition.unique && is_refused(table, wanted, &rule, is_known, &what, model, outcome);
        if !is_refused && !is_there(wanted, &there.indexes, Index::says_the_same) {
            outcome.warn(wanted.span, what);
        }
    }
    statistics(table, old, model, &there, outcome);
    if !same_text(there.partition_by.as_ref(), table.partition_by.as_deref()) {
        outcome
            .refuse(table.ident.span(), errors::other_partitions(&table.table, there.partition_by.as_deref(), &outcome.version));
    }
    if there.replica_identity != table.replica_identity {
        outcome.warn(table.ident.span(), format!("the replica identity of table `{}`", table.table));
    }
    let lost = |columns: &[String]| columns.iter().any(|name| table.dropped.iter().any(|dropped| dropped.name == *name));
    for (name, constraint) in &there.constraints {
        if !table.constraints.iter().any(|wanted| is_this(wanted, name, constraint, Constraint::says_the_same))
            && !lost(&constraint.columns(model))
        {
            outcome.warn(table.ident.span(), format!("the drop of constraint `{name}` of table `{old}`"));
        }
    }
    for (name, index) in &there.indexes {
        if !table.indexes.iter().any(|wanted| is_this(wanted, name, index, Index::says_the_same)) && !lost(&index.columns(model))
        {
            outcome.warn(table.ident.span(), format!("the drop of index `{name}` of table `{old}`"));
        }
    }
}

/// Statistics that come or go: no release's writes can break them.
fn statistics(table: &Struct, old: &str, model: &Table, there: &Table, outcome: &mut Outcome) {
    for wanted in &table.statistics {
        if !is_there(wanted, &there.statistics, Statistics::says_the_same) {
            outcome.warn(wanted.span, format!("statistics on {}", list(&table.table, &wanted.columns)));
        }
    }
    for (name, own) in &there.statistics {
        let is_kept = table.statistics.iter().any(|wanted| is_this(wanted, name, own, Statistics::says_the_same));
        let columns = model.columns_of(own);
        if !is_kept && !table.dropped.iter().any(|dropped| columns.contains(&dropped.name)) {
            outcome.warn(table.ident.span(), format!("the drop of statistics `{name}` of table `{old}`"));
        }
    }
}

/// Whether a rule is refused: one that writes of the running release may break, be it new, or one that is there over columns whose values
/// a conversion changes.
fn is_refused<T>(
    table: &Struct,
    wanted: &Declared<T>,
    rule: &Rule<'_>,
    is_known: bool,
    what: &str,
    old: &Table,
    outcome: &mut Outcome,
) -> bool {
    let is_changed = |field: &Field, matched: &Matched| {
        wanted.columns.contains(&field.column) && matches!(Written::to(field, matched), Written::Filled(_) | Written::Derived(_))
    };
    let mut fields = table.fields.iter().zip(&outcome.fields);
    if is_known && !fields.any(|(field, matched)| matched.column.is_some() && is_changed(field, matched)) {
        return false;
    }
    if !endangered(table, wanted, rule, is_known, old, outcome) {
        return false;
    }
    if let Rule::Points(references) = rule
        && outcome.strangers.contains(&target(references))
        && let Some((target, targets)) = pointed_at(&wanted.columns, references, table, old, outcome)
    {
        outcome.follows.push(Follows {
            columns: wanted.columns.clone(),
            to: references.table.clone(),
            table: target,
            targets,
            otherwise: errors::new_constraint(what, &outcome.version, place(table, wanted, outcome)),
        });
        return false;
    }
    let one_for_all = table.fields.iter().zip(&outcome.fields).find_map(|(field, matched)| {
        let is_it = wanted.columns == [field.column.as_str()] && matches!(rule, Rule::Apart { .. });
        (is_it && matched.column.is_none() && matches!(Written::to(field, matched), Written::Value(_))).then_some(field)
    });
    let place = place(table, wanted, outcome);
    let message = match one_for_all {
        Some(field) if field.attributes.default.is_some() => errors::one_value_for_all(what, &outcome.version),
        _ if is_known => errors::converted_rule(what, &outcome.version, place),
        _ => errors::new_constraint(what, &outcome.version, place),
    };
    outcome.refuse(wanted.span, message);
    true
}

fn strangers(table: &Struct, snapshot: &Snapshot) -> BTreeSet<String> {
    let is_there = |references: &References| {
        let there = snapshot.schema.tables.get(&references.table);
        let has = |name: &String| there.is_some_and(|there| there.columns.iter().any(|column| column.name == *name));
        references.columns.iter().all(has)
    };
    let references = table.constraints.iter().filter_map(|wanted| match &wanted.definition {
        Constraint::ForeignKey { references, .. } => Some(references),
        _ => None,
    });
    references.filter(|references| !is_there(references)).map(target).collect()
}

fn target(references: &References) -> String {
    format!("{}({})", references.table, references.columns.join(", "))
}

/// What the foreign key on these columns points at in the snapshot, where it is under other names than in this release.
fn pointed_at(
    columns: &[String],
    references: &References,
    table: &Struct,
    old: &Table,
    outcome: &Outcome,
) -> Option<(String, Vec<String>)> {
    let was = |column: &String| {
        let field = table.fields.iter().position(|field| field.column == *column);
        field.and_then(|at| outcome.fields[at].column.as_ref()).map(|there| there.name.clone())
    };
    let before: Vec<String> = columns.iter().filter_map(was).collect();
    old.constraints.values().find_map(|constraint| match constraint {
        Constraint::ForeignKey { columns, references: there, .. }
            if *columns == before && there.columns.len() == references.columns.len() =>
        {
            Some((there.table.clone(), there.columns.clone()))
        }
        _ => None,
    })
}

/// Where `allow` goes, for messages; a field whose `allow` a recorded migration has used up takes no second one.
fn place<T>(table: &Struct, wanted: &Declared<T>, outcome: &Outcome) -> &'static str {
    let is_used = table.fields.iter().zip(&outcome.fields).any(|(field, matched)| {
        wanted.columns.contains(&field.column) && field.attributes.old_writes == OldWrites::MayFail && !matched.allows
    });
    match &wanted.place {
        _ if is_used => errors::ON_STRUCT_INSTEAD,
        Place::Field(_) => "to the field's `#[schema(…)]`",
        Place::Key => "to the `#[schema(…)]` of the key's fields",
        Place::Group(_) => "within the parentheses",
    }
}

/// What a rule asks of old writes.
enum Rule<'a> {
    /// Rows that are apart; whether two NULLs are not.
    Apart { nulls_collide: bool },
    /// Rows that pass.
    Check(&'a str),
    /// Rows that point at one that is there.
    Points(&'a References),
}

impl<'a> Rule<'a> {
    fn of(constraint: &'a Constraint) -> Self {
        match constraint {
            Constraint::PrimaryKey { .. } => Rule::Apart { nulls_collide: true },
            Constraint::Unique { nulls_not_distinct, .. } => Rule::Apart { nulls_collide: *nulls_not_distinct },
            Constraint::Exclude { .. } => Rule::Apart { nulls_collide: false },
            Constraint::Check { check, .. } => Rule::Check(check.as_str()),
            Constraint::ForeignKey { references, .. } => Rule::Points(references),
        }
    }
}

/// What the running release's writes leave in a column.
enum Written<'a> {
    /// What it writes.
    ItsOwn,
    /// The author answers for it: by a conversion both ways, or by a word.
    Answered,
    /// Something else in each row.
    Apart,
    /// This value.
    Value(Value),
    /// Its own, or this where that is NULL.
    Filled(Value),
    /// What an expression makes of a row.
    Derived(&'a str),
    /// Nobody can tell.
    Unknown,
}

/// Functions whose values are apart.
const GENERATORS: [&str; 7] =
    ["gen_random_uuid", "nextval", "uuid_generate_v1", "uuid_generate_v1mc", "uuid_generate_v4", "uuidv4", "uuidv7"];

impl<'a> Written<'a> {
    fn to(field: &'a Field, matched: &Matched) -> Self {
        let given = &field.attributes;
        let is_serial = || given.sql_type.as_deref().is_some_and(|name| name.ends_with("serial"));
        match (&matched.column, given.default.as_deref().filter(|text| Expression::default_of(text).is_some())) {
            _ if matched.allows => Written::Answered,
            (Some(_), _) if matched.up && matched.down => Written::Answered,
            (Some(column), _) => match given.up.as_deref().filter(|text| matched.up && !is_cast_of(text, &column.name)) {
                Some(text) => filled(text, &column.name).map_or(Written::Derived(text), Written::Filled),
                None => Written::ItsOwn,
            },
            _ if given.identity.is_some() || is_serial() => Written::Apart,
            (None, default) => match (given.generated.as_deref().or(given.up.as_deref()), default) {
                (Some(text), _) => Written::Derived(text),
                (None, None) => Written::Value(Value::Null),
                (None, Some(default)) if calls(default, &GENERATORS) => Written::Apart,
                (None, Some(default)) => Value::of(default).map_or(Written::Unknown, Written::Value),
            },
        }
    }
}

/// Whether a text is a column, or a cast of it and nothing else.
fn is_cast_of(text: &str, column: &str) -> bool {
    let kinds: Vec<Kind> = lexer::tokens(text).into_iter().map(|token| token.kind).collect();
    let is_it = |kind: &Kind| matches!(kind, Kind::Word(name) if name == column);
    // a type's name, with its length
    let is_type = |kinds: &[Kind]| {
        let is_part = |kind: &Kind| matches!(kind, Kind::Word(_) | Kind::Number | Kind::Symbol('(' | ')' | ','));
        kinds.iter().all(is_part)
    };
    match &kinds[..] {
        [only] => is_it(only),
        [first, Kind::Cast, rest @ ..] => is_it(first) && is_type(rest),
        [
            Kind::Word(cast) | Kind::Keyword(cast),
            Kind::Symbol('('),
            inner,
            Kind::Word(r#as) | Kind::Keyword(r#as),
            rest @ ..,
            Kind::Symbol(')'),
        ] => cast == "cast" && is_it(inner) && r#as == "as" && is_type(rest),
        _ => false,
    }
}

/// What a column that may be NULL is filled with: the literal of `coalesce(column, literal)`.
fn filled(text: &str, column: &str) -> Option<Value> {
    let tokens = lexer::tokens(text);
    let is_word = |at: usize, word: &str| matches!(tokens.get(at).map(|token| &token.kind), Some(Kind::Word(name) | Kind::Keyword(name)) if name == word);
    let is_sign = |at: usize, sign: char| tokens.get(at).is_some_and(|token| token.kind == Kind::Symbol(sign));
    let last = tokens.len().checked_sub(1)?;
    let is_call = is_word(0, "coalesce") && is_sign(1, '(') && is_word(2, column) && is_sign(3, ',') && is_sign(last, ')');
    if !is_call { None } else { Value::of(&text[tokens[3].end..tokens[last].start]) }
}

/// Whether a text is a call of one of these functions.
fn calls(text: &str, names: &[&str]) -> bool {
    let kinds: Vec<Kind> = lexer::tokens(text).into_iter().map(|token| token.kind).collect();
    matches!(&kinds[..], [Kind::Word(name), Kind::Symbol('('), .., Kind::Symbol(')')] if names.contains(&name.as_str()))
}

/// Whether writes of the running release may break a rule without a word of the author that this is well.
fn endangered<T>(table: &Struct, wanted: &Declared<T>, rule: &Rule<'_>, is_known: bool, old: &Table, outcome: &Outcome) -> bool {
    let mut fields = table.fields.iter().zip(&outcome.fields);
    let is_allowed = match &wanted.place {
        Place::Field(column) => fields.any(|(field, matched)| field.column == *column && matched.allows),
        Place::Group(old_writes) => *old_writes == OldWrites::MayFail,
        Place::Key => false,
    };
    if is_allowed {
        return false;
    }
    let fields = table.fields.iter().zip(&outcome.fields).filter(|(field, _)| wanted.columns.contains(&field.column));
    let written: Vec<(&str, Written<'_>)> =
        fields.map(|(field, matched)| (field.column.as_str(), Written::to(field, matched))).collect();
    let mut each = written.iter().map(|(_, written)| written);
    if !written.is_empty() && each.clone().all(|written| matches!(written, Written::Answered)) {
        return false;
    }
    let is_null = |written: &Written<'_>| matches!(written, Written::Value(Value::Null));
    match rule {
        Rule::Apart { nulls_collide } => {
            let apart = |written: &Written<'_>| match written {
                Written::Apart => true,
                Written::Derived(text) => is_key(text, old),
                written => !nulls_collide && is_null(written),
            };
            !each.any(apart)
        }
        Rule::Points(references) => {
            let points = |written: &Written<'_>| match written {
                Written::Derived(text) => old.constraints.values().any(|constraint| {
                    matches!(constraint, Constraint::ForeignKey { columns, references: there, .. }
                        if *columns == [text.trim()] && there.table == references.table && there.columns == references.columns)
                }),
                written => is_null(written) && (references.match_type.is_none() || wanted.columns.len() == 1),
            };
            !each.any(points)
        }
        Rule::Check(check) => {
            let values = written.iter().filter_map(|(column, written)| match written {
                Written::Value(value) => Some((*column, value.clone())),
                _ => None,
            });
            let values: BTreeMap<&str, Value> = values.collect();
            let holds = |row: &BTreeMap<&str, Value>| truth::passes(check, row) == Some(true);
            if !is_known {
                return !holds(&values);
            }
            // what is not filled obeys the rule that is there
            !written.iter().all(|(column, written)| match written {
                Written::Filled(value) => {
                    let mut row = values.clone();
                    row.insert(column, value.clone());
                    holds(&row)
                }
                Written::Derived(_) => holds(&values),
                _ => true,
            })
        }
    }
}

/// Whether a text is a column that is a key by itself, with literals put before or behind it at most: what is made of a key in another way may
/// be the same for two of them (`lower(email)`).
fn is_key(text: &str, table: &Table) -> bool {
    let is_key = |name: &String| {
        table.constraints.values().any(|constraint| match constraint {
            Constraint::PrimaryKey { columns, .. } | Constraint::Unique { columns, .. } => columns == std::slice::from_ref(name),
            _ => false,
        })
    };
    let mut column = None;
    lexer::tokens(text).into_iter().all(|token| match token.kind {
        Kind::Word(name) => column.replace(name).is_none(),
        Kind::String | Kind::Symbol('|') => true,
        _ => false,
    }) && column.as_ref().is_some_and(is_key)
}

/// Whether rows that obey one constraint obey the other as well, whatever its name and what else is said of it.
fn implies(there: &Constraint, wanted: &Constraint) -> bool {
    match (there, wanted) {
        (
            Constraint::ForeignKey { columns, references, .. },
            Constraint::ForeignKey { columns: those, references: target, .. },
        ) => {
            let strict = target.match_type.is_none() || references.match_type == target.match_type;
            columns == those && references.table == target.table && references.columns == target.columns && strict
        }
        (
            Constraint::Unique { columns, nulls_not_distinct, deferrable, .. },
            Constraint::Unique { columns: those, nulls_not_distinct: strict, deferrable: lenient, .. },
        ) => are_among(columns, those) && (*nulls_not_distinct || !strict) && (!deferrable || *lenient),
        (
            Constraint::PrimaryKey { columns, deferrable, .. } | Constraint::Unique { columns, deferrable, .. },
            Constraint::PrimaryKey { columns: those, deferrable: lenient, .. }
            | Constraint::Unique { columns: those, deferrable: lenient, .. },
        ) => are_among(columns, those) && (!deferrable || *lenient),
        (Constraint::Check { check, .. }, Constraint::Check { check: that, .. }) => {
            check.says_the_same(that) || truth::implies(check, that)
        }
        (one, other) => one.says_the_same(other),
    }
}

/// Rows that are apart in some columns are apart in more.
fn are_among(columns: &[String], those: &[String]) -> bool {
    !columns.is_empty() && columns.iter().all(|column| those.contains(column))
}

/// The same of unique indexes.
fn same_key(there: &Index, wanted: &Index) -> bool {
    let mut keys = there.columns.iter();
    let is_among = |key: &IndexColumn| {
        let is_it = |that: &IndexColumn| {
            that.column == key.column
                && Expression::same(&that.expression, &key.expression)
                && (&that.collate, &that.opclass) == (&key.collate, &key.opclass)
        };
        wanted.columns.iter().any(is_it)
    };
    there.unique
        && keys.all(is_among)
        && (there.predicate.is_none() || Expression::same(&there.predicate, &wanted.predicate))
        && (there.nulls_not_distinct || !wanted.nulls_not_distinct)
}

/// The unique constraint that a unique index is as good as.
fn key_of(index: &Index) -> Option<Constraint> {
    // under a collation or operators of its own, others are the same
    let is_plain = |key: &IndexColumn| key.expression.is_none() && key.collate.is_none() && key.opclass.is_none();
    (index.unique && index.predicate.is_none() && index.columns.iter().all(is_plain)).then(|| unique_of(index))
}

fn is_there<T>(wanted: &Declared<T>, there: &BTreeMap<String, T>, same: fn(&T, &T) -> bool) -> bool {
    there.iter().any(|(name, definition)| is_this(wanted, name, definition, same))
}

fn is_this<T>(wanted: &Declared<T>, name: &str, definition: &T, same: fn(&T, &T) -> bool) -> bool {
    same(&wanted.definition, definition) && wanted.name.as_deref().is_none_or(|given| given == name)
}

/// Whether a recorded text says what the struct does.
fn same_text(recorded: Option<&Expression>, declared: Option<&str>) -> bool {
    Expression::same(&recorded.cloned(), &declared.map(Expression::new))
}

fn kind(constraint: &Constraint) -> &'static str {
    match constraint {
        Constraint::PrimaryKey { .. } => "the primary key",
        Constraint::Unique { .. } => "a unique constraint",
        Constraint::Check { .. } => "a check",
        Constraint::ForeignKey { .. } => "a foreign key",
        Constraint::Exclude { .. } => "an exclusion constraint",
    }
}

fn list(table: &str, columns: &[String]) -> String {
    match columns {
        [] => format!("table `{table}`"),
        [one] => format!("column `{table}.{one}`"),
        several => format!("columns `{table}.({})`", several.join(", ")),
    }
}

/// The unique constraint that says as much as an index, but for its predicate.
fn unique_of(index: &Index) -> Constraint {
    let columns = index.columns.iter().filter(|key| key.expression.is_none()).map(|key| key.column.clone()).collect();
    let mut constraint = Constraint::unique(columns);
    if let Constraint::Unique { nulls_not_distinct, .. } = &mut constraint {
        *nulls_not_distinct = index.nulls_not_distinct;
    }
    constraint
}
