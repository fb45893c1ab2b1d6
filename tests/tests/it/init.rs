//! `init` in projects of every shape: it makes what is missing, keeps what people wrote, and has nothing to do the second time.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::cli::{binary, refused, text};

/// A project in a folder of its own.
struct Project(tempfile::TempDir);

const BIN: (&str, &str) = ("src/main.rs", "fn main() {}\n");

fn package(name: &str) -> String {
    format!("[package]\nname = \"{name}\" # ours\nedition = \"2024\"\n\n[dependencies]\n")
}

impl Project {
    fn new(files: &[(&str, &str)]) -> Self {
        let project = Project(tempfile::tempdir().expect("a folder"));
        for (name, text) in files {
            let path = project.0.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            std::fs::write(path, text).expect("a file");
        }
        project
    }

    fn init(&self, folder: &str, arguments: &[&str]) -> Output {
        let mut command = Command::new(binary());
        command.current_dir(self.0.path().join(folder)).arg("init").args(arguments).output().expect("the binary runs")
    }

    /// What it says, from the given folder; what was there is there afterwards, line by line, and a second run does nothing.
    fn done(&self, folder: &str, arguments: &[&str]) -> String {
        let before = self.files();
        let output = self.init(folder, arguments);
        let said = text(&output.stdout);
        assert!(output.status.success(), "{said}{}", text(&output.stderr));
        let after = self.files();
        for (path, text) in &before {
            let mut lines = after[path].lines();
            // a list has one more entry
            let bare = |line: &str| line.trim_end_matches(',').to_owned();
            let kept = |line: &&str| !line.starts_with("members = ");
            let all = text.lines().filter(kept).all(|line| lines.any(|there| bare(there) == bare(line)));
            assert!(all, "{}: {}", path.display(), after[path]);
        }
        let again = self.init(folder, arguments);
        assert!(again.status.success());
        assert_eq!(after, self.files(), "the second run changed something");
        let left = said.lines().filter(|line| line.starts_with("left to you: ")).count();
        let words = text(&again.stdout);
        assert_eq!(words.starts_with("nothing to do"), left == 0, "{words}");
        assert!(!words.contains("wrote") && !words.contains("edited"), "{words}");
        said
    }

    /// A refusal that changes nothing.
    fn refused(&self, arguments: &[&str], parts: &[&str]) {
        let before = self.files();
        refused(&self.init("", arguments), parts);
        assert_eq!(before, self.files());
    }

    fn files(&self) -> BTreeMap<PathBuf, String> {
        let (mut found, mut open) = (BTreeMap::new(), vec![self.0.path().to_owned()]);
        while let Some(folder) = open.pop() {
            for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
                match entry.path() {
                    path if path.is_dir() => open.push(path),
                    path => drop(found.insert(path.clone(), std::fs::read_to_string(path).expect("a text"))),
                }
            }
        }
        found.into_iter().map(|(path, text)| (path.strip_prefix(self.0.path()).expect("within").to_owned(), text)).collect()
    }

    fn file(&self, path: &str) -> String {
        self.files().remove(Path::new(path)).unwrap_or_else(|| panic!("no {path}"))
    }

    /// What cargo makes of it: every package with its dependencies.
    fn packages(&self) -> BTreeMap<String, Vec<String>> {
        let output = Command::new(env!("CARGO"))
            .args(["metadata", "--no-deps", "--format-version", "1"])
            .current_dir(self.0.path())
            .output()
            .expect("cargo");
        let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let word = |value: &serde_json::Value| value["name"].as_str().expect("a name").to_owned();
        let list = |value: &serde_json::Value| value.as_array().expect("a list").clone();
        let packages = list(&metadata["packages"]);
        packages.iter().map(|package| (word(package), list(&package["dependencies"]).iter().map(word).collect())).collect()
    }
}

#[test]
fn a_binary_gets_a_library_and_a_workspace() {
    let project = Project::new(&[("Cargo.toml", &package("my-shop")), BIN]);
    let said = project.done("src", &[]);
    assert!(
        said.ends_with("next: declare the tables in `schema.rs`, then `cargo xtask migrate record \"first tables\"`\n"),
        "{said}"
    );
    let version = env!("CARGO_PKG_VERSION");
    let manifest = format!("{}diptych = \"{version}\"\n\n[workspace]\nmembers = [\"xtask\"]\n", package("my-shop"));
    assert_eq!(project.file("Cargo.toml"), manifest);
    assert_eq!(project.file("src/lib.rs"), "pub mod schema;\n");
    assert!(project.file("src/schema.rs").contains("pub struct MyShop { migrations: \"migrations\", tables: [] }"));
    assert!(project.file("xtask/src/main.rs").contains("diptych_xtask::main::<my_shop::schema::MyShop>()"));
    let dependencies = format!("[dependencies]\ndiptych-xtask = \"{version}\"\nmy-shop = {{ path = \"..\" }}\n");
    assert!(project.file("xtask/Cargo.toml").ends_with(&dependencies), "{}", project.file("xtask/Cargo.toml"));
    // as in this repository; without `-q`, which would compile for minutes in silence
    let alias = include_str!("../../../.cargo/config.toml").lines().nth(1).expect("an alias").replace("shop-xtask", "xtask");
    assert_eq!(project.file(".cargo/config.toml"), format!("[alias]\n{alias}\n"));
    assert!(!alias.contains("-q"));
    assert_eq!(project.packages()["xtask"], ["diptych-xtask", "my-shop"]);
    // a run that was cut off is gone on with
    let whole = project.files();
    std::fs::remove_file(project.0.path().join("xtask/Cargo.toml")).expect("removed");
    std::fs::write(project.0.path().join("Cargo.toml"), manifest.split("\n[workspace]").next().expect("a part")).expect("a file");
    project.done("", &[]);
    assert_eq!(project.files(), whole);
    // from the xtask's folder it is the same project
    assert!(text(&project.init("xtask", &[]).stdout).starts_with("nothing to do"));
}

#[test]
fn a_package_of_a_workspace_is_named_or_stood_in() {
    let root = "# all of it\n[workspace]\nresolver = \"3\"\nmembers = [\n    \"app\", # the app\n    \"tools/other\"\n]\n";
    let project = Project::new(&[
        ("Cargo.toml", root),
        ("app/Cargo.toml", &package("app")),
        ("app/src/lib.rs", "//! The app.\n\npub fn add() {}\n"),
        ("tools/other/Cargo.toml", &package("other")),
        ("tools/other/src/main.rs", "fn main() {}\n"),
        (".cargo/config.toml", "# settings\n[build]\njobs = 2\n\n[alias]\nb = \"build\" # short\n"),
    ]);
    project.refused(&[], &["several packages: `app`, `other`", "--package"]);
    project.refused(&["-p", "gone"], &["no package `gone`"]);
    project.refused(&["-p", "app", "--dir", "elsewhere"], &["elsewhere", "--dir"]);
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a folder").display().to_string();
    project.refused(&["-p", "app", "--path", "app"], &["no checkout"]);
    project.done("", &["-p", "app", "--path", &checkout, "--schema", "shop"]);
    assert_eq!(project.file("app/src/lib.rs"), "//! The app.\n\npub mod schema;\n\npub fn add() {}\n");
    assert!(project.file("app/src/schema.rs").contains("migrations: \"migrations\", schema: \"shop\", tables: []"));
    assert!(project.file("app/Cargo.toml").ends_with(&format!("diptych = {{ path = \"{checkout}/runtime\" }}\n")));
    assert!(
        project
            .file("xtask/Cargo.toml")
            .contains(&format!("diptych-xtask = {{ path = \"{checkout}/xtask\" }}\napp = {{ path = \"../app\" }}"))
    );
    assert_eq!(project.file("Cargo.toml"), root.replace("other\"\n", "other\",\n    \"xtask\"\n"));
    assert!(
        project
            .file(".cargo/config.toml")
            .starts_with("# settings\n[build]\njobs = 2\n\n[alias]\nb = \"build\" # short\nxtask = [")
    );
    // the second package of a workspace is told what is left to do
    let said = project.done("tools/other", &[]);
    assert!(
        said.contains("left to you: `xtask` has the commands of another package") && said.contains("<other::schema::Other>"),
        "{said}"
    );
}

#[test]
fn what_is_ones_own_is_left_to_one() {
    let project = Project::new(&[
        ("Cargo.toml", &format!("{}\n[workspace]\nmembers = [\"xtask\"]\n", package("app"))),
        ("src/lib.rs", "mod schema;\n"),
        ("src/schema.rs", "// of another tool\n"),
        ("xtask/Cargo.toml", &package("xtask")),
        ("xtask/src/main.rs", "fn main() {}\n"),
        (".cargo/config.toml", "[alias]\nxtask = \"run -p xtask --\"\n"),
    ]);
    let said = project.done("", &[]);
    assert!(
        said.contains("left to you: the crate `xtask` is your own")
            && said.contains("diptych_xtask::main::<app::database::App>()"),
        "{said}"
    );
    assert!(said.contains("left to you: the alias `xtask`") && said.contains("DIPTYCH_DRIFT"), "{said}");
    assert_eq!(project.file("src/lib.rs"), "pub mod database;\nmod schema;\n");
    assert_eq!(project.file("xtask/Cargo.toml"), package("xtask"));
}

#[test]
fn lines_end_as_they_did() {
    let manifest = package("app").replace('\n', "\r\n");
    let project =
        Project::new(&[("Cargo.toml", &manifest), ("src/lib.rs", "//! Ours.\r\n\r\nmod work;\r\n"), ("src/work.rs", "")]);
    project.done("", &[]);
    assert_eq!(project.file("src/lib.rs"), "//! Ours.\r\n\r\npub mod schema;\r\nmod work;\r\n");
    assert!(project.file("Cargo.toml").starts_with(&format!("{manifest}diptych = ")));
    assert!(project.file("Cargo.toml").ends_with("\r\n[workspace]\r\nmembers = [\"xtask\"]\r\n"));
    assert!(!project.file("src/schema.rs").contains('\r'));
}

#[test]
fn a_database_that_is_declared_is_found() {
    let declared = "pub mod tables;\n";
    let tables = "diptych::database! {\n    /// Ours.\n    pub struct Ours { migrations: \"migrations\", tables: [] }\n}\n";
    let project = Project::new(&[
        ("Cargo.toml", &format!("{}db = {{ package = \"diptych\", git = \"https://example.org/diptych\" }}\n", package("app"))),
        ("src/lib.rs", declared),
        ("src/tables/mod.rs", tables),
    ]);
    project.done("", &[]);
    assert!(project.file("xtask/src/main.rs").contains("<app::tables::Ours>"));
    assert!(project.file("xtask/Cargo.toml").contains("diptych-xtask = { git = \"https://example.org/diptych\" }"));
    assert_eq!(project.packages()["app"], ["diptych"]);
}

#[test]
fn what_an_xtask_could_not_reach_is_refused() {
    let tables = "diptych::database! { pub struct Ours { migrations: \"migrations\", tables: [] } }\nfn main() {}\n";
    let project = Project::new(&[("Cargo.toml", &package("app")), ("src/main.rs", tables)]);
    project.refused(&[], &["`Ours` is declared in `src/main.rs`", "src/lib.rs"]);
    let dynamic = format!("{}\n[lib]\ncrate-type = [\"cdylib\"]\n", package("app"));
    let project = Project::new(&[("Cargo.toml", &dynamic), ("src/lib.rs", "")]);
    project.refused(&[], &["package `app`", "rlib"]);
    let hidden = package("app").replace("edition", "autolib = false\nedition");
    let project = Project::new(&[("Cargo.toml", &hidden), BIN]);
    refused(&project.init("", &[]), &["the library of package `app`", "let it be built"]);
    let own = [("Cargo.toml", package("app")), ("xtask/Cargo.toml", format!("{}\n[workspace]\n", package("xtask")))];
    let own = own.each_ref().map(|(path, text)| (*path, text.as_str()));
    let project = Project::new(&[own[0], own[1], BIN, ("xtask/src/main.rs", "fn main() {}\n")]);
    refused(&project.init("", &[]), &["cargo does not see it as a member", "`exclude`"]);
    let project = Project::new(&[("Cargo.toml", "[package\n")]);
    project.refused(&[], &["cargo cannot read this project"]);
}

#[test]
fn without_a_crate_it_is_a_folder_of_files() {
    let project = Project::new(&[]);
    let said = project.done("", &["--dir", "db"]);
    assert!(said.starts_with("wrote  db/snapshot.yaml") && said.contains("next: write a migration file"), "{said}");
    assert_eq!(project.files().len(), 1);
}
