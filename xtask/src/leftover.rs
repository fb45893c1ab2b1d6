//! Attributes that a recorded migration has used up and that are still in the structs: told by `check`, removed by `check --fix`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use diptych_core::model::snapshot::Used;
use diptych_core::{DeclaredSchema, Migration, Snapshot};

use crate::cargo::Workspace;
use crate::config::{Context, Failure};
use crate::source::{self, Entry, Item, Kind, List};
use crate::{folder, out, used};

/// Where an attribute is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    /// On the struct of a table.
    Table(String),
    /// On a field.
    Column(String, String),
    /// On an enum.
    Enum(String),
    /// On a variant.
    Label(String, String),
    /// In `database!`.
    Database,
}

/// An attribute that is used up.
pub(crate) struct Leftover {
    place: Place,
    key: &'static str,
    /// What is dropped.
    argument: Option<String>,
    /// The migration that used it, where its file is there.
    by: Option<String>,
    /// Where the snapshot has it: table, column, and the attribute alone.
    known: Option<(String, String, Used)>,
}

impl fmt::Display for Leftover {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.argument {
            Some(argument) if self.place == Place::Database => write!(out, "`{}: [\"{argument}\"]`", self.key)?,
            Some(argument) => write!(out, "`{}({argument})`", self.key)?,
            None => write!(out, "`{}`", self.key)?,
        }
        match &self.place {
            Place::Table(table) => write!(out, " of table `{table}`"),
            Place::Column(table, column) => write!(out, " of `{table}.{column}`"),
            Place::Enum(name) => write!(out, " of enum `{name}`"),
            Place::Label(name, label) => write!(out, " of label `{label}` of enum `{name}`"),
            Place::Database => write!(out, " of `database!`"),
        }?;
        match &self.by {
            Some(by) => write!(out, " is used up by `{by}`"),
            None => write!(out, " is used up"),
        }
    }
}

/// Everything that is used up, in the structs' order.
pub(crate) fn find(snapshot: &Snapshot, declared: &DeclaredSchema, migrations: &[Migration]) -> Vec<Leftover> {
    let mut found = Vec::new();
    // what the structs carry, as far as the snapshot has it as used
    let carried = declared.snapshot("", snapshot.schema.clone()).used;
    for (table, columns) in &carried {
        for (column, now) in columns {
            let Some(then) = snapshot.used.get(table).and_then(|columns| columns.get(column)) else { continue };
            let known = |alone: &Used| Some((table.clone(), column.clone(), alone.clone()));
            let by = |alone: &Used| used::user(migrations, table, column, alone).map(str::to_owned);
            if let Some(gone) = column.strip_prefix('-') {
                let is_enum = declared.enums.iter().any(|there| there.name == *table);
                let place = if is_enum { Place::Enum(table.clone()) } else { Place::Table(table.clone()) };
                let (argument, by) = (Some(gone.to_owned()), by(&Used::default()));
                found.push(Leftover { place, key: "dropped", argument, by, known: known(now) });
                continue;
            }
            let place = match column.as_str() {
                "" => Place::Table(table.clone()),
                _ => Place::Column(table.clone(), column.clone()),
            };
            let then = used::each(then);
            for alone in used::each(now).into_iter().filter(|alone| then.contains(alone)) {
                let key = match alone {
                    Used { renamed_from: Some(_), .. } => "renamed_from",
                    Used { up: Some(_), .. } => "up",
                    Used { down: Some(_), .. } => "down",
                    _ => "allow",
                };
                found.push(Leftover { place: place.clone(), key, argument: None, by: by(&alone), known: known(&alone) });
            }
        }
    }
    for there in &declared.enums {
        let Some(recorded) = snapshot.schema.enums.get(&there.name) else { continue };
        for label in there.labels.iter().filter(|label| recorded.labels.contains(&label.label)) {
            let parts = [
                ("renamed_from", label.renamed_from.is_some()),
                ("down", label.down.is_some()),
                ("allow", label.allow.is_some()),
            ];
            let by = used::user_of_label(migrations, &there.name, &label.label).map(str::to_owned);
            for (key, _) in parts.into_iter().filter(|(_, is_there)| *is_there) {
                let place = Place::Label(there.name.clone(), label.label.clone());
                found.push(Leftover { place, key, argument: None, by: by.clone(), known: None });
            }
        }
    }
    for name in &declared.dropped {
        let schema = &snapshot.schema;
        let is_type = schema.enums.contains_key(name) || schema.has_own_type(name);
        let is_relation = schema.tables.contains_key(name) || schema.sequences.contains_key(name);
        let is_there = is_relation || is_type || schema.extensions.contains(name);
        if !is_there {
            let by = used::user_of_drop(migrations, name).map(str::to_owned);
            found.push(Leftover { place: Place::Database, key: "dropped", argument: Some(name.clone()), by, known: None });
        }
    }
    found
}

/// Removes these from the source files of the workspace, and from what the snapshot has as used.
pub(crate) fn remove(context: &Context, snapshot: &Snapshot, leftovers: &[Leftover]) -> Result<(), Failure> {
    let Some(workspace) = Workspace::find()? else {
        return Err(Failure::hinted(
            "`check --fix` edits the source files of the structs, and there is no Cargo.toml here",
            "run it in the folder of the project",
        ));
    };
    let (mut files, mut lines, mut done) = (Vec::new(), Vec::new(), BTreeSet::new());
    search(context, &workspace, leftovers, |path, text, (cuts, gone)| {
        for (at, words, _) in gone {
            let shown = path.strip_prefix(&workspace.root).unwrap_or(&path).display();
            lines.push(format!("{shown}: removed `{words}`; {}", leftovers[at]));
            done.insert(at);
        }
        files.push((path, Some(source::cut(text, cuts))));
    });
    let mut after = snapshot.clone();
    for (_, leftover) in leftovers.iter().enumerate().filter(|(at, _)| done.contains(at)) {
        leftover.forget(&mut after.used);
    }
    if after != *snapshot {
        files.push((context.dir.join(folder::SNAPSHOT), Some(after.to_yaml())));
    }
    folder::change(&files)?;
    lines.into_iter().try_for_each(out::say)?;
    for (_, leftover) in leftovers.iter().enumerate().filter(|(at, _)| !done.contains(at)) {
        out::say(format!("left to you: {leftover}, and no source file of the workspace has it in plain sight"))?;
    }
    if done.is_empty() { Ok(()) } else { out::say("next: review the edits; `cargo xtask migrate check` looks again") }
}

/// Where each of these stands: file, line and column, for those that a source file of the workspace has in plain sight.
pub(crate) fn spots(context: &Context, leftovers: &[Leftover]) -> Vec<Option<(PathBuf, usize, usize)>> {
    let mut spots = vec![None; leftovers.len()];
    if let Ok(Some(workspace)) = Workspace::find() {
        search(context, &workspace, leftovers, |path, text, (_, gone)| {
            for (at, _, begin) in gone {
                let (line, column) = source::line_and_column(text, begin);
                spots[at].get_or_insert((path.clone(), line, column));
            }
        });
    }
    spots
}

/// Goes through the source files of the workspace: each one that has some of these, with its text, what to cut, and what goes with that.
fn search(context: &Context, workspace: &Workspace, leftovers: &[Leftover], mut found: impl FnMut(PathBuf, &str, Cuts)) {
    for package in &workspace.packages {
        for path in sources(package.folder()) {
            let Ok(text) = fs::read_to_string(&path) else { continue };
            let (mut cuts, mut gone) = (Vec::new(), Vec::new());
            for item in source::items(&text).iter().filter(|item| is_of(item, package.folder(), &context.dir)) {
                for (place, lists) in places(item) {
                    let own: Vec<usize> = (0..leftovers.len()).filter(|at| leftovers[*at].place == place).collect();
                    for list in lists {
                        let (cut, with) = match &place {
                            Place::Database => cuts_of_database(list, &text, &own, leftovers),
                            _ => cuts_of_list(list, &text, &own, leftovers),
                        };
                        cuts.extend(cut);
                        gone.extend(with);
                    }
                }
            }
            if !cuts.is_empty() {
                found(path, &text, (cuts, gone));
            }
        }
    }
}

impl Leftover {
    /// The same text may be used again, for another change.
    fn forget(&self, used: &mut BTreeMap<String, BTreeMap<String, Used>>) {
        let Some((table, column, alone)) = &self.known else { return };
        let Some(columns) = used.get_mut(table) else { return };
        if let Some(there) = columns.get_mut(column) {
            there.up.take_if(|_| alone.up.is_some());
            there.down.take_if(|_| alone.down.is_some());
            there.renamed_from.take_if(|_| alone.renamed_from.is_some());
            there.allow &= !alone.allow;
        }
        columns.retain(|name, there| *there != Used::default() || name.starts_with('-') && name != column);
        used.retain(|_, columns| !columns.is_empty());
    }
}

/// The lists of attributes of an item, and what they are of.
fn places(item: &Item) -> Vec<(Place, &[List])> {
    let table = || item.named("table");
    let name = || item.named("name");
    match item.kind {
        Kind::Struct => {
            let fields = item.members.iter().map(|field| (Place::Column(table(), field.column()), &field.lists[..]));
            std::iter::once((Place::Table(table()), &item.lists[..])).chain(fields).collect()
        }
        Kind::Enum => {
            let variants = item.members.iter().map(|variant| (Place::Label(name(), variant.label()), &variant.lists[..]));
            std::iter::once((Place::Enum(name()), &item.lists[..])).chain(variants).collect()
        }
        Kind::Database => vec![(Place::Database, &item.lists[..])],
    }
}

/// What to cut, and which leftovers go with which words, and where these begin.
type Cuts = (Vec<Range<usize>>, Vec<(usize, String, usize)>);

fn cuts_of_list(list: &List, text: &str, own: &[usize], leftovers: &[Leftover]) -> Cuts {
    let which = |entry: &Entry| own.iter().copied().find(|at| entry.is(leftovers[*at].key, leftovers[*at].argument.as_deref()));
    let (cuts, gone) = list.without(text, |entry| which(entry).is_some());
    let told = gone.into_iter().filter_map(|entry| Some((which(entry)?, words(&text[entry.range.clone()]), entry.range.start)));
    (cuts, told.collect())
}

fn cuts_of_database(list: &List, text: &str, own: &[usize], leftovers: &[Leftover]) -> Cuts {
    let names: Vec<&str> = own.iter().filter_map(|at| leftovers[*at].argument.as_deref()).collect();
    let cuts = list.without_texts(text, "dropped", &names);
    let Some(first) = cuts.first().map(|cut| cut.start) else { return (cuts, Vec::new()) };
    let words = |at: usize| format!("dropped: [{:?}]", leftovers[at].argument.as_deref().unwrap_or_default());
    (cuts, own.iter().map(|at| (*at, words(*at), first)).collect())
}

/// Whether an item belongs to this folder of migrations.
pub(crate) fn is_of(item: &Item, package: &Path, dir: &Path) -> bool {
    let own = fs::canonicalize(package.join(item.folder()));
    own.is_ok_and(|own| fs::canonicalize(dir).is_ok_and(|dir| own == dir))
}

/// The Rust files of a package, without those of packages within it and of what was built.
pub(crate) fn sources(package: &Path) -> Vec<PathBuf> {
    let (mut found, mut open) = (Vec::new(), vec![package.to_owned()]);
    while let Some(folder) = open.pop() {
        for path in fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()) {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let is_link = path.is_symlink();
            if path.is_dir() && !is_link && !name.starts_with('.') && name != "target" && !path.join("Cargo.toml").exists() {
                open.push(path);
            } else if path.is_file() && name.ends_with(".rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// An attribute on one line.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
