//! `pull`: structs for the tables and enums of the snapshot; what people wrote stays as it is.

use std::fs;
use std::path::{Path, PathBuf};

use diptych_core::{Schema, Snapshot};

use crate::cargo::{self, Dependency, Package, Workspace};
use crate::config::{Context, Failure};
use crate::leftover::{is_of, sources};
use crate::source::{self, Item, Kind};
use crate::structs::{self, Home, Writer};
use crate::{folder, out};

/// The folder of code, where none is named yet.
const CODE: &str = "code";

/// A source file with what is put in where.
struct File {
    path: PathBuf,
    text: String,
    items: Vec<Item>,
    additions: Vec<(usize, String)>,
}

/// The source files of a package.
struct Sources {
    files: Vec<File>,
    /// The one that has `database!`.
    home: usize,
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
    let home = Home {
        krate: dependency.and_then(|there| there.rename.as_deref()).unwrap_or("diptych").replace('-', "_"),
        features: dependency.map(Dependency::features).unwrap_or_default(),
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
    let Schema { extensions, enums, tables, code, .. } = &snapshot.schema;
    let mut parts = vec!["//! The schema of the database: a struct is a table.\n".to_owned()];
    parts.extend(enums.iter().map(|(name, model)| writer.enum_(name, model)));
    parts.extend(tables.iter().map(|(name, table)| writer.table(name, table)));
    let list = |names: Vec<String>| names.join(", ");
    let mut keys = vec![format!("migrations: {:?}", home.folder)];
    keys.extend(snapshot.base.as_ref().map(|base| format!("schema: {base:?}")));
    if !extensions.is_empty() {
        keys.push(format!("extensions: [{}]", list(extensions.iter().map(|name| format!("{name:?}")).collect())));
    }
    if !enums.is_empty() {
        keys.push(format!("enums: [{}]", list(enums.keys().map(|name| writer.ident(name)).collect())));
    }
    for (key, there) in structs::lists(&snapshot.schema).into_iter().filter(|(_, there)| !there.is_empty()) {
        let texts: Vec<String> = there.into_iter().map(|(_, text)| text).collect();
        keys.push(format!("{key}: [\n            {},\n        ]", texts.join(",\n            ")));
    }
    if !code.is_empty() {
        keys.push(format!("code: {CODE:?}"));
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
    let mut sources = Sources::read(app, dir)?;
    for item in sources.files.iter().flat_map(|file| &file.items).filter(|item| item.kind != Kind::Database) {
        writer.is_called(&item.named(key_of(item.kind)), item.ident());
    }
    let (mut code, mut enums, mut tables, mut told) = (String::new(), Vec::new(), Vec::new(), Vec::new());
    for (name, model) in &snapshot.schema.enums {
        let Some(there) = sources.members(Kind::Enum, name) else {
            code.push_str(&format!("\n{}", writer.enum_(name, model)));
            enums.push(writer.ident(name));
            continue;
        };
        let variants = structs::variants(&model.labels);
        let lacking = model.labels.iter().zip(&variants).filter(|(label, _)| !there.contains(label));
        sources.add(Kind::Enum, name, &lacking.map(|(label, variant)| writer.variant(label, variant)).collect::<String>());
        told.extend(gone(&there, |label| model.labels.contains(label), &format!("variant of enum `{name}`")));
    }
    for (name, table) in &snapshot.schema.tables {
        let Some(there) = sources.members(Kind::Struct, name) else {
            code.push_str(&format!("\n{}", writer.table(name, table)));
            tables.push(writer.ident(name));
            continue;
        };
        sources.add(Kind::Struct, name, &writer.fields(name, table, |column| !there.contains(&column.name)));
        told.extend(gone(&there, |column| table.has_column(column), &format!("field of table `{name}`")));
    }
    let listed = sources.extensions();
    let extensions = snapshot.schema.extensions.iter().filter(|name| !listed.contains(name));
    let extensions = extensions.map(|name| format!("{name:?}")).collect();
    let [domains, composites, sequences] = structs::lists(&snapshot.schema).map(|(key, there)| {
        let listed = sources.names(key);
        let new = there.into_iter().filter(|(name, _)| !listed.iter().any(|listed| listed == name));
        (key, new.map(|(_, text)| text).collect())
    });
    let new = [("extensions", extensions), ("enums", enums), domains, composites, sequences, ("tables", tables)];
    sources.list(code, &new);
    let code = sources.code(app, &snapshot.schema);
    sources.write(app, writer, &code)?;
    told.iter().try_for_each(out::say)
}

/// The word by which code says what a table or an enum is called.
fn key_of(kind: Kind) -> &'static str {
    if kind == Kind::Enum { "name" } else { "table" }
}

impl Sources {
    fn read(app: &Package, dir: &Path) -> Result<Self, Failure> {
        let mut files: Vec<File> = Vec::new();
        for path in sources(app.folder()) {
            let Ok(text) = fs::read_to_string(&path) else { continue };
            let items = source::items(&text).into_iter().filter(|item| is_of(item, app.folder(), dir)).collect();
            files.push(File { path, text, items, additions: Vec::new() });
        }
        let home = files.iter().position(|file| file.items.iter().any(|item| item.kind == Kind::Database));
        let Some(home) = home else {
            return Err(Failure::hinted(
                format!("package `{}` has no `database!`, which lists the structs", app.name),
                "run `diptych init`, which makes it; or print the code with `pull --stdout`",
            ));
        };
        Ok(Sources { files, home })
    }

    fn find(&self, kind: Kind, name: &str) -> Option<(usize, usize)> {
        self.files.iter().enumerate().find_map(|(file, of)| {
            let at = of.items.iter().position(|item| item.kind == kind && item.named(key_of(kind)) == name)?;
            Some((file, at))
        })
    }

    /// The columns or labels that a table's struct or an enum has; none where there is no such struct or enum.
    fn members(&self, kind: Kind, name: &str) -> Option<Vec<String>> {
        let (file, at) = self.find(kind, name)?;
        let members = self.files[file].items[at].members.iter();
        Some(members.map(|member| if kind == Kind::Enum { member.label() } else { member.column() }).collect())
    }

    /// The extensions that `database!` lists.
    fn extensions(&self) -> Vec<String> {
        let database = self.files[self.home].items.iter().find(|item| item.kind == Kind::Database);
        database.map(|item| item.texts("extensions")).unwrap_or_default()
    }

    /// The domains, composite types or sequences that `database!` lists.
    fn names(&self, key: &str) -> Vec<String> {
        let database = self.files[self.home].items.iter().find(|item| item.kind == Kind::Database);
        database.map(|item| item.names(key)).unwrap_or_default()
    }

    /// The files of code that the folder lacks, which `database!` names from then on.
    fn code(&mut self, app: &Package, schema: &Schema) -> Vec<(PathBuf, String)> {
        let file = &mut self.files[self.home];
        let Some(database) = file.items.iter().find(|item| item.kind == Kind::Database) else { return Vec::new() };
        let named = database.text("code");
        if named.is_none() && !schema.code.is_empty() {
            file.additions.extend(database.with_key("code", &format!("{CODE:?}")));
        }
        let folder = app.folder().join(named.as_deref().unwrap_or(CODE));
        let files = schema.code.iter().map(|(name, sql)| (folder.join(format!("{name}.sql")), sql.clone()));
        files.filter(|(path, _)| !path.exists()).collect()
    }

    /// Puts members in, at the end of an item's body.
    fn add(&mut self, kind: Kind, name: &str, text: &str) {
        let Some((file, at)) = self.find(kind, name).filter(|_| !text.is_empty()) else { return };
        let file = &mut self.files[file];
        let end = file.items[at].end;
        let before = file.text[..end].trim_end();
        let comma = if before.ends_with([',', '{']) { "" } else { "," };
        // a brace on the same line gets one of its own
        let line = if file.text[before.len()..end].contains('\n') { "" } else { "\n" };
        let addition = (before.len(), format!("{comma}\n{}{line}", text.trim_end_matches('\n')));
        file.additions.push(addition);
    }

    /// New items go to the end of the file of `database!`, which lists them.
    fn list(&mut self, code: String, new: &[(&str, Vec<String>)]) {
        let file = &mut self.files[self.home];
        if let Some(database) = file.items.iter().find(|item| item.kind == Kind::Database) {
            for (key, types) in new {
                file.additions.extend(database.listing(&file.text, key, types));
            }
        }
        if !code.is_empty() {
            file.additions.push((file.text.len(), code));
        }
    }

    /// All files or none, the manifest with them.
    fn write(&self, app: &Package, writer: &Writer<'_>, code: &[(PathBuf, String)]) -> Result<(), Failure> {
        let changed: Vec<&File> = self.files.iter().filter(|file| !file.additions.is_empty()).collect();
        let manifest = manifest(app, writer)?;
        let texts = changed.iter().map(|file| (file.path.clone(), Some(file.with_additions())));
        let texts = texts.chain(manifest.iter().map(|text| (app.manifest.clone(), Some(text.clone()))));
        let texts: Vec<_> = texts.chain(code.iter().map(|(path, text)| (path.clone(), Some(text.clone())))).collect();
        if let Some(folder) = code.first().and_then(|(path, _)| path.parent()) {
            fs::create_dir_all(folder).map_err(|error| Failure::new(format!("cannot create `{}`: {error}", folder.display())))?;
        }
        folder::change(&texts)?;
        for (path, _) in code {
            out::say(format!("wrote `{}`", path.display()))?;
        }
        for file in &changed {
            out::say(format!("wrote what was missing into `{}`", file.path.display()))?;
        }
        if manifest.is_some() {
            let crates = writer.lacking_crates.iter().map(|of| of.name);
            let what: Vec<&str> = writer.lacking_features.iter().copied().chain(crates).collect();
            out::say(format!("edited `{}`, for the types of fields: {}", app.manifest.display(), what.join(", ")))?;
        }
        if changed.is_empty() && code.is_empty() {
            out::say(
                "nothing is missing: every extension, table, column, enum, label, domain, composite type, sequence and file of the snapshot has its place in the code",
            )?;
        }
        Ok(())
    }
}

/// The manifest with the features and crates that the fields' types need; none where nothing is lacking.
fn manifest(app: &Package, writer: &Writer<'_>) -> Result<Option<String>, Failure> {
    if writer.lacking_features.is_empty() && writer.lacking_crates.is_empty() {
        return Ok(None);
    }
    let path = &app.manifest;
    let mut document = cargo::parse(path, &folder::text(path)?)?;
    let dependencies = cargo::table(&mut document, path, "dependencies")?;
    let name = app.dependency("diptych").and_then(|there| there.rename.as_deref()).unwrap_or("diptych");
    let features: Vec<&str> = writer.lacking_features.iter().copied().collect();
    cargo::depend(dependencies, name, env!("CARGO_PKG_VERSION"), &features);
    for of in &writer.lacking_crates {
        cargo::depend(dependencies, of.name, of.version, of.feature.as_slice());
    }
    Ok(Some(document.to_string()))
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

/// What the code has and the snapshot has not: nobody's to remove but the author's.
fn gone(there: &[String], is_known: impl Fn(&String) -> bool, what: &str) -> Vec<String> {
    let unknown = there.iter().filter(|name| !is_known(name));
    unknown.map(|name| format!("note: `{name}` is a {what} that the snapshot does not have")).collect()
}

/// What is left to be done by hand.
fn follow(writer: &Writer<'_>, printed: bool) -> Result<(), Failure> {
    if !writer.placeholders.is_empty() {
        let line = format!(
            "note: no Rust type is known for {}: the fields are String for now; name a type that carries the values",
            writer.placeholders.join(", ")
        );
        if printed { out::tell(line) } else { out::say(line)? }
    }
    // printed code goes where nobody knows the manifest of
    if printed && !writer.lacking_features.is_empty() {
        let features: Vec<&str> = writer.lacking_features.iter().copied().collect();
        out::tell(format!("next: cargo add diptych --features {}", features.join(",")));
    }
    for of in writer.lacking_crates.iter().filter(|_| printed) {
        let feature = of.feature.map_or_else(String::new, |feature| format!(" --features {feature}"));
        out::tell(format!("next: cargo add {}{feature}", of.name));
    }
    Ok(())
}
