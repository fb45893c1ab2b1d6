//! `pull`: structs for the tables and enums of the snapshot; what people wrote stays as it is.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use diptych_core::{Schema, Snapshot};

use crate::cargo::{Package, Workspace};
use crate::config::{Context, Failure};
use crate::leftover::{is_of, sources};
use crate::source::{self, Item, Kind};
use crate::structs::{self, Home, Writer};
use crate::{folder, out};

/// A source file with what is put in where.
struct File {
    path: PathBuf,
    text: String,
    items: Vec<Item>,
    additions: Vec<(usize, String)>,
}

pub(crate) fn run(context: &Context, dir: Option<&Path>, package: Option<&str>, stdout: bool) -> Result<(), Failure> {
    let workspace = Workspace::find()?;
    let app = workspace.as_ref().map(|workspace| workspace.package(package)).transpose();
    // code that is printed need not be for a package
    let app = if stdout && package.is_none() { app.unwrap_or_default() } else { app? };
    let dir = match (dir, app) {
        (None, Some(app)) => app.folder().join("migrations"),
        _ => context.dir.clone(),
    };
    let snapshot = folder::snapshot(&dir)?;
    if snapshot.schema == Schema::default() {
        return Err(Failure::hinted(
            format!("the snapshot in `{}` has no tables", dir.display()),
            "run `baseline` on the database first; it writes the snapshot",
        ));
    }
    let dependency = app.and_then(|app| app.dependency("diptych"));
    let mut features: Vec<String> = dependency.map(|there| there.features.clone()).unwrap_or_default();
    // by default, with `migrator`
    features.push("with-serde_json-1".to_owned());
    let home = Home {
        krate: dependency.and_then(|there| there.rename.as_deref()).unwrap_or("diptych").replace('-', "_"),
        features,
        crates: app.map(Package::crates).unwrap_or_default(),
        folder: app.and_then(|app| dir.strip_prefix(app.folder()).ok()).unwrap_or(&dir).display().to_string(),
    };
    let mut writer = Writer::new(&snapshot.schema, &home);
    match app.filter(|_| !stdout) {
        Some(app) => into(app, &dir, &snapshot, &mut writer)?,
        None => out::print(whole(&snapshot, &home, &mut writer))?,
    }
    follow(&writer, stdout || app.is_none())
}

/// Everything, as one file.
fn whole(snapshot: &Snapshot, home: &Home, writer: &mut Writer<'_>) -> String {
    let Schema { enums, tables } = &snapshot.schema;
    let mut parts = vec!["//! The schema of the database: a struct is a table.\n".to_owned()];
    parts.extend(enums.iter().map(|(name, model)| writer.enum_(name, model)));
    parts.extend(tables.iter().map(|(name, table)| writer.table(name, table)));
    let list = |names: Vec<String>| names.join(", ");
    let mut keys = vec![format!("migrations: {:?}", home.folder)];
    keys.extend(snapshot.base.as_ref().map(|base| format!("schema: {base:?}")));
    if !enums.is_empty() {
        keys.push(format!("enums: [{}]", list(enums.keys().map(|name| writer.ident(name)).collect())));
    }
    keys.push(format!("tables: [{}]", list(tables.keys().map(|name| writer.ident(name)).collect())));
    let krate = &home.krate;
    parts.push(format!(
        "{krate}::database! {{\n    /// The database.\n    pub struct Database {{\n        {},\n    }}\n}}\n",
        keys.join(",\n        ")
    ));
    parts.join("\n")
}

/// What is missing goes into the source files of the package: fields to their structs, structs to the file of `database!`.
fn into(app: &Package, dir: &Path, snapshot: &Snapshot, writer: &mut Writer<'_>) -> Result<(), Failure> {
    let mut files: Vec<File> = Vec::new();
    for path in sources(app.folder()) {
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let items = source::items(&text).into_iter().filter(|item| is_of(item, app.folder(), dir)).collect();
        files.push(File { path, text, items, additions: Vec::new() });
    }
    let Some(home) = files.iter().position(|file| file.items.iter().any(|item| item.kind == Kind::Database)) else {
        return Err(Failure::hinted(
            format!("package `{}` has no `database!`, which lists the structs", app.name),
            "run `diptych init`, which makes it; or print the code with `pull --stdout`",
        ));
    };
    let (mut new, mut told) = (BTreeMap::from([("enums", Vec::new()), ("tables", Vec::new())]), Vec::new());
    let mut code = String::new();
    for (name, model) in &snapshot.schema.enums {
        let variants = structs::variants(&model.labels);
        match find(&files, Kind::Enum, "name", name) {
            Some((file, at)) => {
                let there: Vec<String> = files[file].items[at].members.iter().map(|member| member.label()).collect();
                let lacking = model.labels.iter().zip(&variants).filter(|(label, _)| !there.contains(label));
                let text: String = lacking.map(|(label, variant)| writer.variant(label, variant)).collect();
                add(&mut files[file], at, text);
                told.extend(gone(&there, |label| model.labels.contains(label), &format!("variant of enum `{name}`")));
            }
            None => {
                code.push_str(&format!("\n{}", writer.enum_(name, model)));
                new.entry("enums").or_default().push(writer.ident(name));
            }
        }
    }
    for (name, table) in &snapshot.schema.tables {
        match find(&files, Kind::Struct, "table", name) {
            Some((file, at)) => {
                let there: Vec<String> = files[file].items[at].members.iter().map(|member| member.column()).collect();
                let text = writer.fields(name, table, |column| !there.contains(&column.name));
                add(&mut files[file], at, text);
                told.extend(gone(&there, |column| table.has_column(column), &format!("field of table `{name}`")));
            }
            None => {
                code.push_str(&format!("\n{}", writer.table(name, table)));
                new.entry("tables").or_default().push(writer.ident(name));
            }
        }
    }
    let file = &mut files[home];
    if let Some(database) = file.items.iter().find(|item| item.kind == Kind::Database) {
        for (key, types) in &new {
            file.additions.extend(database.listing(&file.text, key, types));
        }
    }
    if !code.is_empty() {
        file.additions.push((file.text.len(), code));
    }
    let changed: Vec<&File> = files.iter().filter(|file| !file.additions.is_empty()).collect();
    let texts: Vec<(PathBuf, Option<String>)> =
        changed.iter().map(|file| (file.path.clone(), Some(file.with_additions()))).collect();
    folder::change(&texts)?;
    for file in &changed {
        out::say(format!("wrote what was missing into `{}`", file.path.display()))?;
    }
    if changed.is_empty() {
        out::say("nothing is missing: every table, column, enum and label of the snapshot has its place in the code")?;
    }
    told.iter().try_for_each(out::say)
}

impl File {
    fn with_additions(&self) -> String {
        let mut additions = self.additions.clone();
        additions.sort_by_key(|(at, _)| *at);
        let (mut made, mut from) = (String::new(), 0);
        for (at, text) in additions {
            made.push_str(&self.text[from..at]);
            made.push_str(&text);
            from = at;
        }
        made + &self.text[from..]
    }
}

fn find(files: &[File], kind: Kind, key: &str, name: &str) -> Option<(usize, usize)> {
    files.iter().enumerate().find_map(|(file, of)| {
        let at = of.items.iter().position(|item| item.kind == kind && item.named(key) == name)?;
        Some((file, at))
    })
}

/// Puts members in, at the end of an item's body.
fn add(file: &mut File, at: usize, text: String) {
    if text.is_empty() {
        return;
    }
    let end = file.items[at].end;
    let before = file.text[..end].trim_end();
    let comma = if before.ends_with([',', '{']) { "" } else { "," };
    // a brace on the same line gets one of its own
    let line = if file.text[before.len()..end].contains('\n') { "" } else { "\n" };
    let text = format!("{comma}\n{}{line}", text.trim_end_matches('\n'));
    file.additions.push((before.len(), text));
}

/// What the code has and the snapshot has not: nobody's to remove but the author's.
fn gone(there: &[String], is_known: impl Fn(&String) -> bool, what: &str) -> Vec<String> {
    let unknown = there.iter().filter(|name| !is_known(name));
    unknown.map(|name| format!("note: `{name}` is a {what} that the snapshot does not have")).collect()
}

/// What is left to be done by hand.
fn follow(writer: &Writer<'_>, printed: bool) -> Result<(), Failure> {
    let say = |line: String| match printed {
        true => {
            out::tell(line);
            Ok(())
        }
        false => out::say(line),
    };
    if !writer.placeholders.is_empty() {
        say(format!(
            "note: no Rust type is known for {}: the fields are String for now; name a type that carries the values",
            writer.placeholders.join(", ")
        ))?;
    }
    if !writer.lacking_features.is_empty() {
        let features: Vec<&str> = writer.lacking_features.iter().copied().collect();
        say(format!("next: cargo add diptych --features {}", features.join(",")))?;
    }
    writer.lacking_crates.iter().try_for_each(|of| say(format!("next: cargo add {of}")))
}
