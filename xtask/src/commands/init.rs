//! `init`: the folder of migrations, a place for the structs, the xtask and its alias; what people wrote is left as it is.

use std::fs;
use std::path::{Path, PathBuf};

use toml_edit::{Array, Item, value};

use crate::cargo::{self, Library, Package, Source, Workspace};
use crate::config::{Context, Failure};
use crate::{Making, folder, out};

/// The words of the alias, but for the package: the build of the tool that records compares nothing.
const ALIAS: [&str; 4] = ["--config", "env.DIPTYCH_DRIFT='allow'", "run", "-p"];

pub(crate) fn run(context: &Context, dir: Option<&Path>, making: &Making) -> Result<(), Failure> {
    let mut work = Work::default();
    let Some(workspace) = Workspace::find()? else {
        work.snapshot(&context.dir)?;
        return work.finish("write a migration file there, then `diptych start`");
    };
    let app = workspace.package(making.package.as_deref())?;
    let migrations = dir.map_or_else(|| Ok(app.folder().join("migrations")), std::path::absolute);
    let migrations = migrations.map_err(|error| Failure::new(format!("cannot tell the current folder: {error}")))?;
    let Ok(shown) = migrations.strip_prefix(app.folder()) else {
        return Err(Failure::hinted(
            format!("the folder `{}` is not within package `{}`", migrations.display(), app.name),
            "name one within it with --dir: release builds have its files in them",
        ));
    };
    let source = source(making, app)?;
    let library = app.library()?;
    work.snapshot(&migrations)?;
    let place = work.schema(app, &library, shown, &context.base)?;
    if app.dependency("diptych").is_none() {
        work.edit(&app.manifest, "the dependency `diptych`", |document, path| {
            cargo::table(document, path, "dependencies")?.insert("diptych", Item::Value(source.value("runtime")));
            Ok(())
        })?;
    }
    let (name, package) = (work.xtask(&workspace, app, &place, &source)?, app.name.clone());
    work.alias(&workspace, &name)?;
    let next = match folder::survey(&migrations).is_recorded() {
        true => "`cargo xtask migrate record NAME` after a change of the structs".to_owned(),
        false => format!("declare the tables in `{}`, then `cargo xtask migrate record \"first tables\"`", told(&place.file)),
    };
    work.finish(&next)?;
    check(Workspace::find()?.unwrap_or(workspace), &package, &name)
}

/// Where Diptych comes from: as the command says, or as the package has it already.
fn source(making: &Making, app: &Package) -> Result<Source, Failure> {
    match (&making.path, &making.git, app.dependency("diptych")) {
        (Some(folder), ..) => Source::checkout(folder),
        (None, Some(url), _) => Ok(Source::Git(url.clone())),
        (None, None, Some(there)) => Ok(Source::of(there)),
        (None, None, None) => Ok(Source::Registry),
    }
}

/// What is there now is asked of cargo: settings of the project may keep it from seeing a file.
fn check(seen: Workspace, package: &str, name: &str) -> Result<(), Failure> {
    seen.package(Some(package))?.library()?;
    match seen.packages.iter().any(|package| package.name == name) {
        true => Ok(()),
        false => Err(Failure::hinted(
            format!("the crate `{name}` is there, and cargo does not see it as a member of the workspace"),
            "see to `members` and `exclude` in the workspace's Cargo.toml",
        )),
    }
}

/// Where the database is declared, in code and in a file.
struct Place {
    database: String,
    library: String,
    file: PathBuf,
}

/// What is going to be written, and what is left to people. Nothing is written before all is known.
#[derive(Default)]
struct Work {
    files: Vec<File>,
    left: Vec<String>,
}

struct File {
    path: PathBuf,
    text: String,
    what: Vec<String>,
}

impl Work {
    /// A file as it is going to be, its lines ended by `\n`.
    fn read(&self, path: &Path) -> Result<String, Failure> {
        match self.files.iter().find(|file| file.path == path) {
            Some(file) => Ok(file.text.clone()),
            None => Ok(text(path)?.replace("\r\n", "\n")),
        }
    }

    fn put(&mut self, path: &Path, text: String, what: &str) {
        match self.files.iter_mut().find(|file| file.path == path) {
            Some(file) => {
                file.text = text;
                file.what.push(what.to_owned());
            }
            None => self.files.push(File { path: path.to_owned(), text, what: vec![what.to_owned()] }),
        }
    }

    fn edit(
        &mut self,
        path: &Path,
        what: &str,
        change: impl FnOnce(&mut toml_edit::DocumentMut, &Path) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let before = if path.exists() { self.read(path)? } else { String::new() };
        let mut document = cargo::parse(path, &before)?;
        change(&mut document, path)?;
        let after = document.to_string();
        if after != before {
            self.put(path, after, what);
        }
        Ok(())
    }

    /// The folder with the empty snapshot.
    fn snapshot(&mut self, dir: &Path) -> Result<(), Failure> {
        let path = dir.join("snapshot.yaml");
        if folder::survey(dir).is_recorded() && !path.exists() {
            self.left.push(format!(
                "`{}` has migrations and no snapshot: put the one back that was recorded, or run `cargo xtask migrate record`",
                dir.display()
            ));
        } else if !path.exists() {
            self.put(&path, "# The schema after the last recorded migration: none yet.\n".to_owned(), "the empty schema");
        }
        Ok(())
    }

    /// The declaration of the database in the library: the one that is there, or a new module.
    fn schema(&mut self, app: &Package, library: &Library, migrations: &Path, base: &str) -> Result<Place, Failure> {
        let sources = library.file.parent().unwrap_or(Path::new("."));
        if let Some((file, name)) = declared(sources) {
            return place(library, sources, file, &name);
        }
        let root = if library.exists { self.read(&library.file)? } else { String::new() };
        let Some(module) = free_module(sources, &root) else {
            return Err(Failure::hinted(
                format!("`{}` has modules `schema` and `database` already, without `database!`", library.name),
                "put `diptych::database!` into one of them by hand, and run this again",
            ));
        };
        let name = struct_name(&app.name);
        let file = sources.join(format!("{module}.rs"));
        self.put(&file, declaration(app, &name, migrations, base), "`database!`, without tables so far");
        let what = if library.exists { format!("`pub mod {module}`") } else { "a library beside the binary".to_owned() };
        self.put(&library.file, with_module(&root, module), &what);
        Ok(Place { database: format!("{}::{module}::{name}", library.name), library: library.name.clone(), file })
    }

    /// The crate that runs the commands over the structs; its name.
    fn xtask(&mut self, workspace: &Workspace, app: &Package, place: &Place, source: &Source) -> Result<String, Failure> {
        if let Some(there) = workspace.xtask() {
            if there.dependency(&app.name).is_none() {
                self.left.push(format!(
                    "`{0}` has the commands of another package: give it the dependency `{1}`, and a task that calls `diptych_xtask::run::<{2}>(…)`",
                    there.name, app.name, place.database
                ));
            }
            return Ok(there.name.clone());
        }
        let depends = source.value("xtask").to_string();
        let folder = workspace.root.join("xtask");
        let files = [
            ("Cargo.toml", xtask_manifest(workspace, app, depends.trim()), "the crate of `cargo xtask`"),
            ("src/main.rs", xtask_main(place), "its one line"),
        ];
        // what a run that was cut off has written is ours
        let own = |(name, ours, _): &(&str, String, &str)| text(&folder.join(name)).is_ok_and(|there| there != *ours);
        if workspace.packages.iter().any(|package| package.name == "xtask") || files.iter().any(own) {
            self.left.push(format!(
                "the crate `xtask` is your own: give it the dependencies `diptych-xtask = {}` and `{}`, and let its task `migrate` be \
                 `diptych_xtask::main::<{}>()`",
                depends.trim(),
                app.name,
                place.database
            ));
            return Ok("xtask".to_owned());
        }
        for (name, ours, what) in files {
            let path = folder.join(name);
            if !path.exists() {
                self.put(&path, ours, what);
            }
        }
        self.edit(&workspace.root.join("Cargo.toml"), "`xtask` as a member of the workspace", |document, path| {
            cargo::add_member(cargo::table(document, path, "workspace")?, "xtask");
            Ok(())
        })?;
        Ok("xtask".to_owned())
    }

    /// The alias `cargo xtask`.
    fn alias(&mut self, workspace: &Workspace, package: &str) -> Result<(), Failure> {
        let old = workspace.root.join(".cargo/config");
        let path = if old.is_file() { old } else { workspace.root.join(".cargo/config.toml") };
        let words = Array::from_iter(ALIAS.into_iter().chain([package, "--"]));
        let wanted = words.to_string();
        let mut own = None;
        self.edit(&path, "the alias `cargo xtask`", |document, path| {
            let aliases = cargo::table(document, path, "alias")?;
            match aliases.get("xtask") {
                Some(there) => own = Some(there.to_string()),
                None => drop(aliases.insert("xtask", value(words))),
            }
            Ok(())
        })?;
        if own.is_some_and(|own| !own.contains("DIPTYCH_DRIFT")) {
            self.left.push(format!(
                "the alias `xtask` in `{}` is your own: with{} the tool can be built, and can record, whatever the structs say",
                told(&path),
                format_args!(" `xtask = {}`", wanted.trim())
            ));
        }
        Ok(())
    }

    /// Writes everything, and tells it.
    fn finish(self, next: &str) -> Result<(), Failure> {
        if self.files.is_empty() && self.left.is_empty() {
            out::say("nothing to do: everything is there")?;
        }
        for File { path, text, what } in &self.files {
            let verb = if path.exists() { "edited" } else { "wrote " };
            let dir = path.parent().unwrap_or(Path::new("."));
            fs::create_dir_all(dir).map_err(|error| {
                Failure::hinted(
                    format!("cannot make the folder `{}`: {error}", dir.display()),
                    "see that the folder above is writable",
                )
            })?;
            let ends = if path.exists() && self::text(path)?.contains("\r\n") { "\r\n" } else { "\n" };
            folder::write(path, &text.replace('\n', ends))?;
            out::say(format!("{verb} {}: {}", told(path), what.join("; ")))?;
        }
        for line in &self.left {
            out::say(format!("left to you: {line}"))?;
        }
        out::say(format!("next: {next}"))
    }
}

fn text(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|error| {
        Failure::hinted(format!("cannot read `{}`: {error}", path.display()), "make it a readable file of UTF-8 text")
    })
}

/// A path as it is told: from the current folder.
fn told(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(&here).unwrap_or(path).display().to_string()
}

/// The first file below a folder that declares a database, and the database's name.
fn declared(folder: &Path) -> Option<(PathBuf, String)> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths.into_iter().find_map(|path| {
        if path.is_dir() {
            return declared(&path);
        }
        let text = fs::read_to_string(&path).ok().filter(|_| path.extension().is_some_and(|end| end == "rs"))?;
        let call = |line: &str| {
            line.trim_start().split_once("database!").is_some_and(|(before, _)| before.is_empty() || before.ends_with("::"))
        };
        let lines: Vec<&str> = text.lines().skip_while(|line| !call(line)).collect();
        let words = lines.iter().flat_map(|line| line.split(|c: char| !c.is_alphanumeric() && c != '_'));
        let name = words.skip_while(|word| *word != "struct").nth(1)?;
        Some((path, name.to_owned()))
    })
}

/// The place of a declaration that is there.
fn place(library: &Library, sources: &Path, file: PathBuf, name: &str) -> Result<Place, Failure> {
    let module = file.strip_prefix(sources).unwrap_or(&file).with_extension("");
    let words: Vec<_> = module.iter().map(|word| word.to_string_lossy()).collect();
    let path = match words.iter().map(AsRef::as_ref).collect::<Vec<&str>>()[..] {
        ["lib"] => vec![],
        [ref above @ .., "mod"] => above.to_vec(),
        ref all => all.to_vec(),
    };
    if !library.exists || matches!(path[..], ["main"] | ["bin", ..]) {
        return Err(Failure::hinted(
            format!("`{name}` is declared in `{}`, where no xtask can reach it", told(&file)),
            "move `database!` and its structs into the package's library (`src/lib.rs`), and run this again",
        ));
    }
    let database = [&[library.name.as_str()], &path[..], &[name]].concat().join("::");
    Ok(Place { database, library: library.name.clone(), file })
}

/// A name for the new module that neither the library, whose text is `root`, nor the binary has.
fn free_module(sources: &Path, root: &str) -> Option<&'static str> {
    let main = fs::read_to_string(sources.join("main.rs")).unwrap_or_default();
    ["schema", "database", "diptych_schema"].into_iter().find(|module| {
        let taken = format!("mod {module}");
        ![root, &main].iter().any(|text| text.contains(&taken))
            && !sources.join(format!("{module}.rs")).exists()
            && !sources.join(module).exists()
    })
}

/// The text of the new module.
fn declaration(app: &Package, name: &str, migrations: &Path, base: &str) -> String {
    let krate = app.dependency("diptych").and_then(|there| there.rename.as_deref()).unwrap_or("diptych");
    let mut keys = format!("migrations: {:?}, ", migrations.display().to_string());
    if base != "public" {
        keys += &format!("schema: {base:?}, ");
    }
    if krate != "diptych" {
        keys += &format!("crate: {krate}, ");
    }
    format!(
        "//! The schema of the database: a struct is a table.\n\n{krate}::database! {{\n    /// The database of `{}`.\n    \
         pub struct {name} {{ {keys}tables: [] }}\n}}\n",
        app.name
    )
}

/// The manifest of the crate that runs the commands.
fn xtask_manifest(workspace: &Workspace, app: &Package, depends: &str) -> String {
    let up = Path::new("..").join(app.folder().strip_prefix(&workspace.root).unwrap_or(app.folder()));
    let up = up.display().to_string();
    format!(
        "[package]\nname = \"xtask\"\nedition = \"2024\"\npublish = false\n\n[dependencies]\ndiptych-xtask = {depends}\n{} = {{ path = {:?} }}\n",
        app.name,
        up.trim_end_matches('/')
    )
}

/// Its one line.
fn xtask_main(place: &Place) -> String {
    format!(
        "//! `cargo xtask migrate …`: Diptych's commands over the structs of `{}`.\n\n\
         fn main() -> std::process::ExitCode {{\n    diptych_xtask::main::<{}>()\n}}\n",
        place.library, place.database
    )
}

/// A package's name as a type's: `my-shop` is `MyShop`.
fn struct_name(package: &str) -> String {
    let capital = |word: &str| word.chars().take(1).flat_map(char::to_uppercase).chain(word.chars().skip(1)).collect::<String>();
    package.split(['-', '_']).map(capital).collect()
}

/// A library's text with one more module: before its first item, behind the comments and attributes of the library itself.
fn with_module(text: &str, module: &str) -> String {
    let line = format!("pub mod {module};\n");
    let (mut at, mut end) = (0, 0);
    for row in text.split_inclusive('\n') {
        let word = row.trim();
        let whole = word.matches('[').count() == word.matches(']').count();
        match () {
            () if word.starts_with("//!") || (word.starts_with("#![") && word.ends_with(']') && whole) => {
                (end, at) = (end + row.len(), end + row.len())
            }
            () if word.is_empty() || (word.starts_with("//") && !word.starts_with("///")) => end += row.len(),
            // an attribute or comment over several lines: nobody but a compiler knows where it ends
            () if word.starts_with("#!") || word.starts_with("/*") => return format!("{}\n\n{line}", text.trim_end()),
            () => break,
        }
    }
    let (head, rest) = text.split_at(at);
    let gap = if head.is_empty() || head.ends_with("\n\n") { "" } else { "\n" };
    let rest = rest.trim_start_matches(['\n', '\r']);
    let behind = if rest.is_empty() || rest.starts_with("pub mod ") || rest.starts_with("mod ") { "" } else { "\n" };
    format!("{head}{gap}{line}{behind}{rest}")
}

#[cfg(test)]
mod tests {
    use super::{struct_name, with_module};

    #[test]
    fn a_module_stands_before_the_first_item() {
        for (before, after) in [
            ("", "pub mod schema;\n"),
            ("pub fn add() {}\n", "pub mod schema;\n\npub fn add() {}\n"),
            ("//! A shop.\n\nmod work;\n", "//! A shop.\n\npub mod schema;\nmod work;\n"),
            ("//! A shop.\n", "//! A shop.\n\npub mod schema;\n"),
            ("#![no_std]\n/// Adds.\nfn add() {}\n", "#![no_std]\n\npub mod schema;\n\n/// Adds.\nfn add() {}\n"),
            ("// licence\n//! A shop.\n// why\nuse a;\n", "// licence\n//! A shop.\n\npub mod schema;\n\n// why\nuse a;\n"),
            ("#![cfg_attr(\n    a, b\n)]\nuse a;", "#![cfg_attr(\n    a, b\n)]\nuse a;\n\npub mod schema;\n"),
            ("/*! A\nuse a;\n*/\nuse b;\n", "/*! A\nuse a;\n*/\nuse b;\n\npub mod schema;\n"),
        ] {
            assert_eq!(with_module(before, "schema"), after);
        }
    }

    #[test]
    fn a_package_is_a_type() {
        assert_eq!((struct_name("my-shop_2"), struct_name("guestbook")), ("MyShop2".to_owned(), "Guestbook".to_owned()));
    }
}
