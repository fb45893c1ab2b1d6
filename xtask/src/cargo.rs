//! What cargo says of the project that a command is run in, and edits of its TOML files that keep what people wrote.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;
use toml_edit::{Array, DocumentMut, InlineTable, Item, TableLike, Value};

use crate::config::Failure;

/// A workspace, or a package alone.
#[derive(Debug, Deserialize)]
pub(crate) struct Workspace {
    #[serde(rename = "workspace_root")]
    pub(crate) root: PathBuf,
    pub(crate) packages: Vec<Package>,
}

/// A package of it.
#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    #[serde(rename = "manifest_path")]
    pub(crate) manifest: PathBuf,
    dependencies: Vec<Dependency>,
    targets: Vec<Target>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Dependency {
    name: String,
    pub(crate) rename: Option<String>,
    features: Vec<String>,
    uses_default_features: bool,
    kind: Option<String>,
    path: Option<PathBuf>,
    source: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Target {
    name: String,
    crate_types: Vec<String>,
    kind: Vec<String>,
    src_path: PathBuf,
}

/// The library of a package: its name in code, and its file.
#[derive(Debug)]
pub(crate) struct Library {
    pub(crate) name: String,
    pub(crate) file: PathBuf,
    pub(crate) exists: bool,
}

impl Dependency {
    /// The features that are on, as far as the manifest says so; those of Diptych's `migrator` are on by default.
    pub(crate) fn features(&self) -> Vec<String> {
        let by_default = self.uses_default_features || self.features.iter().any(|feature| feature == "migrator");
        self.features.iter().cloned().chain(by_default.then(|| "with-serde_json-1".to_owned())).collect()
    }
}

impl Workspace {
    /// The project that this folder belongs to; none where there is no `Cargo.toml`.
    pub(crate) fn find() -> Result<Option<Workspace>, Failure> {
        let here = std::env::current_dir().map_err(|error| Failure::new(format!("cannot tell the current folder: {error}")))?;
        if !here.ancestors().any(|folder| folder.join("Cargo.toml").is_file()) {
            return Ok(None);
        }
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let output = Command::new(cargo).args(["metadata", "--no-deps", "--format-version", "1"]).output();
        let output =
            output.map_err(|error| Failure::hinted(format!("cannot run cargo: {error}"), "install Rust, or see to PATH"))?;
        if !output.status.success() {
            let words = String::from_utf8_lossy(&output.stderr);
            let words = words.trim().trim_start_matches("error: ");
            return Err(Failure::hinted(format!("cargo cannot read this project: {words}"), "mend it, and run this again"));
        }
        let read = serde_json::from_slice(&output.stdout);
        read.map(Some).map_err(|error| Failure::new(format!("cargo's answer cannot be read: {error}")))
    }

    /// The package whose schema it is: the named one, that of this folder, or the only one.
    pub(crate) fn package(&self, name: Option<&str>) -> Result<&Package, Failure> {
        let apps: Vec<&Package> = self.packages.iter().filter(|package| !package.is_xtask()).collect();
        if let Some(name) = name {
            return apps.iter().find(|package| package.name == name).copied().ok_or_else(|| {
                Failure::hinted(format!("there is no package `{name}` in this workspace"), format!("it has {}", names(&apps)))
            });
        }
        let here = std::env::current_dir().and_then(std::fs::canonicalize).unwrap_or_default();
        let around = apps.iter().filter(|package| here.starts_with(package.folder()));
        match (around.max_by_key(|package| package.folder().as_os_str().len()), &apps[..]) {
            (Some(package), _) | (None, [package]) => Ok(package),
            (None, []) => Err(Failure::hinted("this workspace has no package", "make one: cargo new NAME")),
            (None, _) => Err(Failure::hinted(
                format!("this workspace has several packages: {}", names(&apps)),
                "say whose schema it is: diptych init --package NAME",
            )),
        }
    }

    /// The package that runs the commands over the structs.
    pub(crate) fn xtask(&self) -> Option<&Package> {
        self.packages.iter().find(|package| package.dependency("diptych-xtask").is_some())
    }
}

fn names(packages: &[&Package]) -> String {
    packages.iter().map(|package| format!("`{}`", package.name)).collect::<Vec<_>>().join(", ")
}

impl Package {
    /// The folder of its manifest.
    pub(crate) fn folder(&self) -> &Path {
        self.manifest.parent().unwrap_or(Path::new("."))
    }

    fn is_xtask(&self) -> bool {
        self.name == "xtask" || self.dependency("diptych-xtask").is_some()
    }

    /// An ordinary dependency.
    pub(crate) fn dependency(&self, name: &str) -> Option<&Dependency> {
        self.dependencies.iter().find(|dependency| dependency.name == name && dependency.kind.is_none())
    }

    /// The names of all ordinary dependencies, as code has them but for hyphens.
    pub(crate) fn crates(&self) -> Vec<String> {
        let ordinary = self.dependencies.iter().filter(|dependency| dependency.kind.is_none());
        ordinary.map(|dependency| dependency.rename.clone().unwrap_or_else(|| dependency.name.clone())).collect()
    }

    /// Its library, there or to be made.
    pub(crate) fn library(&self) -> Result<Library, Failure> {
        let linked = |target: &&Target| target.crate_types.iter().any(|kind| kind == "lib" || kind == "rlib");
        if let Some(target) = self.targets.iter().filter(|target| !is_example(target)).find(linked) {
            return Ok(Library { name: target.name.replace('-', "_"), file: target.src_path.clone(), exists: true });
        }
        let file = self.folder().join("src/lib.rs");
        if file.exists()
            || self.targets.iter().any(|target| target.kind.iter().any(|kind| kind.ends_with("lib") || kind == "proc-macro"))
        {
            return Err(Failure::hinted(
                format!("no other crate can use the library of package `{}`, and the xtask has to", self.name),
                "let it be built, with the crate type `rlib` beside its own; or put the schema in a package of its own: cargo new --lib schema",
            ));
        }
        Ok(Library { name: self.name.replace('-', "_"), file, exists: false })
    }
}

fn is_example(target: &Target) -> bool {
    target.kind.iter().any(|kind| kind == "example")
}

/// Where a project gets Diptych from.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// crates.io, in the version of this program.
    Registry,
    /// A checkout.
    Path(PathBuf),
    /// A Git repository.
    Git(String),
}

impl Source {
    /// A checkout of Diptych.
    pub(crate) fn checkout(folder: &Path) -> Result<Self, Failure> {
        match std::fs::canonicalize(folder) {
            Ok(folder) if folder.join("runtime/Cargo.toml").is_file() => Ok(Source::Path(folder)),
            _ => Err(Failure::hinted(
                format!("`{}` is no checkout of Diptych", folder.display()),
                "name the folder that holds `runtime` and `xtask`",
            )),
        }
    }

    /// Where a dependency of the project's comes from.
    pub(crate) fn of(dependency: &Dependency) -> Self {
        let git = dependency.source.as_deref().and_then(|source| source.strip_prefix("git+"));
        match (dependency.path.as_deref().and_then(Path::parent), git) {
            (Some(checkout), _) => Source::Path(checkout.to_owned()),
            (None, Some(url)) => Source::Git(url.split(['?', '#']).next().unwrap_or_default().to_owned()),
            (None, None) => Source::Registry,
        }
    }

    /// The value of a dependency that stands in the given folder of a checkout.
    pub(crate) fn value(&self, folder: &str) -> Value {
        let (key, text) = match self {
            Source::Registry => return env!("CARGO_PKG_VERSION").into(),
            Source::Path(checkout) => ("path", checkout.join(folder).display().to_string()),
            Source::Git(url) => ("git", url.clone()),
        };
        InlineTable::from_iter([(key, Value::from(text))]).into()
    }
}

/// Reads a TOML file for an edit.
pub(crate) fn parse(path: &Path, text: &str) -> Result<DocumentMut, Failure> {
    text.parse()
        .map_err(|error| Failure::hinted(format!("`{}` cannot be read: {error}", path.display()), "mend it, and run this again"))
}

/// The table of a name, which is made where there is none.
pub(crate) fn table<'a>(document: &'a mut DocumentMut, path: &Path, name: &str) -> Result<&'a mut dyn TableLike, Failure> {
    let item = document.entry(name).or_insert_with(toml_edit::table);
    item.as_table_like_mut()
        .ok_or_else(|| Failure::hinted(format!("`{name}` in `{}` is no table", path.display()), "mend it, and run this again"))
}

/// Turns features of a dependency on; the dependency is made where there is none.
pub(crate) fn depend(dependencies: &mut dyn TableLike, name: &str, version: &str, features: &[&str]) {
    let item = dependencies.entry(name).or_insert_with(|| Item::Value(version.into()));
    if features.is_empty() {
        return;
    }
    if let Some(version) = item.as_str().map(str::to_owned) {
        *item = Item::Value(InlineTable::from_iter([("version", Value::from(version))]).into());
    }
    let Some(table) = item.as_table_like_mut() else { return };
    let list = table.entry("features").or_insert_with(|| Item::Value(Array::new().into()));
    let Some(list) = list.as_array_mut() else { return };
    for feature in features {
        if !list.iter().any(|there| there.as_str() == Some(feature)) {
            list.push(*feature);
        }
    }
    if let Some(inline) = item.as_inline_table_mut() {
        inline.fmt();
    }
}

/// Adds a member to a workspace's list, in the list's own layout.
pub(crate) fn add_member(workspace: &mut dyn TableLike, member: &str) {
    let members = workspace.entry("members").or_insert_with(|| Item::Value(Array::new().into()));
    let Some(members) = members.as_array_mut() else { return };
    if members.iter().any(|there| there.as_str().is_some_and(|there| there == member)) {
        return;
    }
    let text = |raw: Option<&toml_edit::RawString>| raw.and_then(|raw| raw.as_str()).unwrap_or_default().to_owned();
    let trailing = text(Some(members.trailing()));
    let Some(last) = members.iter_mut().last() else {
        members.push(member);
        return;
    };
    // what stands behind the last one (a comment) stays behind it
    let behind = text(last.decor().suffix()) + &trailing;
    let before = text(last.decor().prefix());
    let before = before.rfind('\n').map_or(" ", |at| &before[at..]);
    last.decor_mut().set_suffix("");
    let end = if behind.contains('\n') { "\n" } else { "" };
    let (suffix, trailing) = if members.trailing_comma() { ("", end) } else { (end, "") };
    members.push_formatted(Value::from(member).decorated(format!("{}{before}", behind.trim_end()), suffix));
    members.set_trailing(trailing);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_added_as_the_others_are() {
        for (before, after) in [
            ("[workspace]\n", "[workspace]\nmembers = [\"xtask\"]\n"),
            ("[workspace]\nmembers = []\n", "[workspace]\nmembers = [\"xtask\"]\n"),
            ("[workspace]\nmembers = [\"a\"] # ours\n", "[workspace]\nmembers = [\"a\", \"xtask\"] # ours\n"),
            ("workspace = { members = [\"a\"] }\n", "workspace = { members = [\"a\", \"xtask\"] }\n"),
            (
                "[workspace]\nmembers = [\n  \"a\", # first\n  # the other\n  \"b\", # second\n]\n",
                "[workspace]\nmembers = [\n  \"a\", # first\n  # the other\n  \"b\", # second\n  \"xtask\",\n]\n",
            ),
            ("[workspace]\nmembers = [\n\t\"a\" # last\n]\n", "[workspace]\nmembers = [\n\t\"a\", # last\n\t\"xtask\"\n]\n"),
        ] {
            let path = Path::new("Cargo.toml");
            let mut document = parse(path, before).unwrap();
            add_member(table(&mut document, path, "workspace").unwrap(), "xtask");
            assert_eq!(document.to_string(), after);
            let once = document.to_string();
            add_member(table(&mut document, path, "workspace").unwrap(), "xtask");
            assert_eq!(document.to_string(), once);
        }
    }

    #[test]
    fn features_are_turned_on_and_all_else_stays() {
        for (before, after) in [
            ("[dependencies]\na = \"1\"\n", "[dependencies]\na = { version = \"1\", features = [\"x\", \"y\"] }\n"),
            (
                "[dependencies]\na = { path = \"..\", features = [\"y\"] } # why\n",
                "[dependencies]\na = { path = \"..\", features = [\"y\", \"x\"] } # why\n",
            ),
            ("[dependencies.a]\nversion = \"1\"\n", "[dependencies.a]\nversion = \"1\"\nfeatures = [\"x\", \"y\"]\n"),
            ("[dependencies]\n", "[dependencies]\na = { version = \"2\", features = [\"x\", \"y\"] }\n"),
        ] {
            let path = Path::new("Cargo.toml");
            let mut document = parse(path, before).unwrap();
            depend(table(&mut document, path, "dependencies").unwrap(), "a", "2", &["x", "y"]);
            assert_eq!(document.to_string(), after);
        }
    }

    #[test]
    fn a_dependency_is_added_and_all_else_stays() {
        for (before, after) in [
            ("[dependencies]\na = \"1\" # why", "[dependencies]\na = \"1\" # why\ndiptych = \"9\"\n"),
            ("[package]\nname = \"a\"\n", "[package]\nname = \"a\"\n\n[dependencies]\ndiptych = \"9\"\n"),
            ("[dependencies.a]\nversion = \"1\"\n", "[dependencies]\ndiptych = \"9\"\n[dependencies.a]\nversion = \"1\"\n"),
            ("dependencies.a = \"1\"\n\n[features]\n", "dependencies.a = \"1\"\ndependencies.diptych = \"9\"\n\n[features]\n"),
        ] {
            let path = Path::new("Cargo.toml");
            let mut document = parse(path, before).unwrap();
            table(&mut document, path, "dependencies").unwrap().insert("diptych", Item::Value("9".into()));
            assert_eq!(document.to_string(), after);
        }
    }
}
