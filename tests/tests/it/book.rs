//! The pages as a whole: every link leads somewhere, the book has every page, and it is known which blocks of code a test runs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use diptych_tests::{Database, ask, migration, must};

use crate::cli::binary;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().expect("our own folder")
}

/// The pages that people read, by their paths.
fn pages() -> BTreeMap<String, String> {
    let docs = std::fs::read_dir(root().join("docs")).expect("docs").flatten();
    let docs = docs.map(|entry| format!("docs/{}", entry.file_name().to_string_lossy())).filter(|name| name.ends_with(".md"));
    let others = ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"].map(str::to_owned);
    others
        .into_iter()
        .chain(docs)
        .map(|name| (name.clone(), std::fs::read_to_string(root().join(&name)).expect("a page")))
        .collect()
}

/// The lines of a page that are no code.
fn prose(page: &str) -> impl Iterator<Item = &str> {
    let mut is_code = false;
    page.lines().filter(move |line| {
        let is_fence = line.starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    })
}

/// The anchors of a page's headings, as GitHub and mdBook make them.
fn anchors(page: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for heading in prose(page).filter(|line| line.starts_with('#')) {
        let text = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = text.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        let anchor: String = kept.map(|c| if c == ' ' { '-' } else { c }).collect();
        assert!(found.insert(anchor), "two headings have one anchor: {heading}");
    }
    found
}

#[test]
fn every_link_leads_somewhere() {
    let pages = pages();
    let (mut links, mut to_anchors, mut astray) = (0, 0, Vec::new());
    for (name, page) in &pages {
        let folder = root().join(name).parent().expect("a folder").to_owned();
        for target in prose(page).flat_map(|line| line.split("](").skip(1)).filter_map(|rest| rest.split(')').next()) {
            if target.contains("://") || target.contains('`') {
                continue;
            }
            links += 1;
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let path = if file.is_empty() { root().join(name) } else { folder.join(file) };
            if !path.exists() {
                astray.push(format!("{name}: {target}"));
            } else if !anchor.is_empty() {
                to_anchors += 1;
                let text = std::fs::read_to_string(&path).expect("a page");
                if !anchors(&text).contains(anchor) {
                    astray.push(format!("{name}: {target}"));
                }
            }
        }
    }
    assert!(astray.is_empty(), "{astray:#?}");
    println!("links: {links} in {} pages, {to_anchors} of them to a heading", pages.len());
}

#[test]
fn the_book_has_every_page() {
    let summary = std::fs::read_to_string(root().join("docs/SUMMARY.md")).expect("the summary");
    let listed: Vec<String> =
        summary.split("](").skip(1).filter_map(|rest| rest.split(')').next()).map(|file| format!("docs/{file}")).collect();
    let pages: BTreeSet<String> =
        pages().into_keys().filter(|name| name.starts_with("docs/") && name != "docs/SUMMARY.md").collect();
    assert_eq!(listed.iter().cloned().collect::<BTreeSet<_>>(), pages);
    assert_eq!(listed.len(), pages.len(), "a page is there twice");
}

/// Who runs or compiles the blocks of a page of one kind; of any kind where none is named.
const RUN: [(&str, &str, &str); 13] = [
    ("docs/guide.md", "", "followed by `guide`"),
    ("docs/adopt.md", "", "followed by `guide`"),
    ("docs/clients.md", "rust", "found in the examples by `tidy`, which `.ci/clients` builds and runs"),
    ("docs/embedded.md", "rust", "found in the example by `embedded`, which builds and runs it"),
    ("docs/clients.md", "text", "printed by `.ci/clients`"),
    ("docs/connecting.md", "toml", "used by `environments`"),
    ("docs/rows.md", "yaml", "carried out here"),
    ("docs/code.md", "yaml", "carried out here"),
    ("docs/types.md", "yaml", "carried out here"),
    ("docs/code.md", "sql", "carried out here"),
    ("README.md", "rust", "compiled here"),
    ("docs/code.md", "rust", "compiled here"),
    ("docs/types.md", "rust", "compiled here"),
];

/// The blocks that nobody runs, by page and first line, and why.
const NOT_RUN: [(&str, &str, &str); 5] = [
    ("docs/fleets.md", "jq -r", "needs jq, which is not on every machine"),
    ("README.md", "   release 1   ", "a drawing"),
    ("docs/ARCHITECTURE.md", " structs ──▶", "a drawing"),
    ("docs/monitoring.md", "use tracing_subscriber", "needs OpenTelemetry's crates; `tracing` looks at what a subscriber gets"),
    ("docs/monitoring.md", "groups:", "read by Prometheus; `status` looks for its metrics among those that are printed"),
];

struct Block {
    page: String,
    kind: String,
    text: String,
}

fn blocks() -> Vec<Block> {
    let mut found = Vec::new();
    for (page, text) in pages() {
        for block in format!("\n{text}").split("\n```").collect::<Vec<_>>().chunks(2).filter_map(|pair| pair.get(1)) {
            let (kind, text) = block.split_once('\n').unwrap_or((block, ""));
            found.push(Block { page: page.clone(), kind: kind.to_owned(), text: text.to_owned() });
        }
    }
    found
}

#[test]
fn it_is_known_which_blocks_are_run() {
    let (mut run, mut not_run, mut lines) = (BTreeMap::<_, usize>::new(), 0, 0);
    for block in blocks() {
        let by = RUN.iter().find(|(page, kind, _)| block.page == *page && (kind.is_empty() || block.kind == *kind));
        let reason = NOT_RUN.iter().find(|(page, first, _)| block.page == *page && block.text.starts_with(first));
        match (by, reason) {
            (Some((_, _, by)), None) => *run.entry(*by).or_default() += 1,
            (None, Some((page, _, reason))) => {
                println!("not run: {page}: {reason}");
                not_run += 1;
            }
            _ => panic!("it is not known who runs this block of {}, of kind `{}`:\n{}", block.page, block.kind, block.text),
        }
    }
    assert_eq!(not_run, NOT_RUN.len());
    for page in pages().values() {
        lines += prose(page).filter(|line| line.starts_with("    ") && !line.trim_start().starts_with('-')).count();
    }
    println!("blocks: {} are run, compiled or printed by tests, {not_run} are not", run.values().sum::<usize>());
    run.iter().for_each(|(by, count)| println!("  {count} {by}"));
    println!("  {lines} indented lines, commands and output that stand alone, are run by none of this");
}

/// The blocks of a page and kind.
fn of(page: &str, kind: &str) -> Vec<String> {
    blocks().into_iter().filter(|block| block.page == page && block.kind == kind).map(|block| block.text).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_migrations_of_the_pages_are_carried_out() {
    let table = |name: &str, columns: &str| {
        format!("- create_table: {{name: {name}, columns: [{{name: id, type: bigint, pk: true}}, {columns}]}}\n")
    };
    let column = |name: &str, kind: &str| format!("{{name: {name}, type: {kind}, nullable: true}}");
    let users = |columns: &[String]| table("users", &columns.join(", "));

    let database = Database::new().await;
    let before = format!("operations:\n{}{}", users(&[column("email", "text")]), table("sessions", &column("user_id", "bigint")));
    let [rows] = of("docs/rows.md", "yaml").try_into().expect("one block");
    let all = [migration("0001_before", &before), migration("0002_rows", &rows)];
    database.migrate(&all[..1]).await;
    let old = database.on("0001_before").await;
    must(&old, "INSERT INTO users VALUES (1, 'Ada@B.c'); INSERT INTO sessions VALUES (1, 1), (2, NULL)").await;
    drop(old);
    database.migrate_on(&all).await;
    let said = ask(&database.on("0002_rows").await, "SELECT email, plan, (SELECT count(*) FROM sessions) FROM users").await;
    assert_eq!(said, "ada@b.c|1|1");

    let database = Database::new().await;
    let columns = [("name", "text"), ("age", "integer"), ("changed_at", "timestamptz"), ("slug", "text")];
    let columns = columns.map(|(name, kind)| column(name, kind));
    let code = |name: &str, sql: &str| format!("- set_code: {{name: {name}, sql: {}}}\n", serde_json::Value::from(sql));
    let farewell = "CREATE FUNCTION farewell() RETURNS text LANGUAGE sql AS $$ SELECT 'bye' $$";
    let adults = "CREATE VIEW adults AS SELECT id, name FROM users WHERE age >= 21";
    let before = format!("operations:\n{}{}{}", users(&columns), code("farewell", farewell), code("adults", adults));
    let [change] = of("docs/code.md", "yaml").try_into().expect("one block");
    let files = of("docs/code.md", "sql");
    assert_eq!(files.len(), 3);
    let files: String = files.iter().map(|file| code(name(file), file)).collect();
    let all = [("0001_before", before), ("0002_change", change), ("0003_files", format!("operations:\n{files}"))];
    database.migrate(&all.map(|(name, text)| migration(name, &text))).await;
    let new = database.on("0003_files").await;
    must(&new, "INSERT INTO users (id, full_name, age) VALUES (1, 'Ada', 36)").await;
    let said = ask(&new, "SELECT greeting(1), slug, changed_at IS NOT NULL FROM users").await;
    assert_eq!(said, "good day Ada|ada|t");

    let database = Database::new().await;
    let homes = "{name: home, type: address, default: \"'(unknown,)'\"}, {name: others, type: 'address[]', nullable: true}";
    let address =
        "- create_composite_type: {name: address, attributes: [{name: street, type: text}, {name: zip, type: text, collate: C}]}";
    let before = format!("operations:\n{address}\n{}", table("customers", homes));
    let [change] = of("docs/types.md", "yaml").try_into().expect("one block");
    let all = [migration("0001_before", &before), migration("0002_country", &format!("operations:\n{change}"))];
    database.migrate(&all[..1]).await;
    let rows = "INSERT INTO customers VALUES (1, '(Elm,1)', '{\"(Oak,2)\",\"(,)\"}'), (2, '(,)', NULL), (3, '(,)', '{}'), (4, '(,)', '{NULL,\"(Ash,)\"}')";
    must(&database.on("0001_before").await, rows).await;
    database.migrate_on(&all).await;
    let said = ask(&database.on("0002_country").await, "SELECT home::text, others::text FROM customers ORDER BY id").await;
    assert_eq!(said, "(Elm,1,)|{\"(Oak,2,)\",\"(,,)\"};(,,)|NULL;(,,)|{};(,,)|{NULL,\"(Ash,,)\"}");
}

/// The name of a piece of code, of a file whose first line is its path.
fn name(file: &str) -> &str {
    let path = file.lines().next().and_then(|line| line.strip_prefix("-- code/"));
    path.and_then(|path| path.strip_suffix(".sql")).expect("the path of the file")
}

/// A block of Rust with what its page takes for granted, in a package of its own.
struct Package {
    page: &'static str,
    /// Which block of the page it is.
    at: usize,
    before: &'static str,
    after: &'static str,
    snapshot: &'static str,
}

const NOTHING: &str = include_str!("../ui/snapshots/empty/snapshot.yaml");
const USERS: &str = include_str!("../../../examples/quickstart/migrations/snapshot.yaml");
const MOODS: &str = "version: 0001_moods\nenums:\n  mood:\n    labels: [sad, meh, happy, furious]\ntables: {}\n";
const USER: &str =
    "#[derive(diptych::Schema)] #[schema(table = \"users\")] pub struct User { #[schema(primary_key)] pub id: i64 }";

const PACKAGES: [Package; 10] = [
    Package { page: "README.md", at: 0, before: "use diptych::Schema;", after: "", snapshot: NOTHING },
    Package {
        page: "README.md",
        at: 1,
        before: "use diptych::Schema;",
        after: "diptych::database! { pub struct Shop { migrations: \"migrations\", tables: [User] } }",
        snapshot: USERS,
    },
    Package {
        page: "README.md",
        at: 2,
        before: "use diptych::SchemaEnum;",
        after: "diptych::database! { pub struct Shop { migrations: \"migrations\", enums: [Mood], tables: [] } }",
        snapshot: MOODS,
    },
    Package { page: "docs/code.md", at: 0, before: USER, after: "", snapshot: NOTHING },
    Package { page: "docs/types.md", at: 0, before: USER, after: "", snapshot: NOTHING },
    Package { page: "docs/types.md", at: 1, before: "pub struct Decimal;", after: "", snapshot: NOTHING },
    Package { page: "docs/types.md", at: 2, before: "pub struct Address;", after: "", snapshot: NOTHING },
    Package { page: "docs/types.md", at: 3, before: "", after: "", snapshot: NOTHING },
    Package {
        page: "docs/types.md",
        at: 4,
        before: "pub struct Decimal; pub mod foreign { pub struct Interval; }
            #[derive(diptych::Schema)] #[schema(table = \"events\")] pub struct Event { #[schema(primary_key)] pub id: i64,",
        after: "} diptych::database! { pub struct Shop { migrations: \"migrations\", tables: [Event] } }",
        snapshot: NOTHING,
    },
    Package {
        page: "docs/types.md",
        at: 5,
        before: "use std::marker::PhantomData; use diptych::SqlType;",
        after: "",
        snapshot: NOTHING,
    },
];

#[test]
fn the_structs_of_the_pages_compile() {
    let count: usize = ["README.md", "docs/code.md", "docs/types.md"].map(|page| of(page, "rust").len()).iter().sum();
    assert_eq!(PACKAGES.len(), count, "each block of Rust is one of them");
    let home = tempfile::tempdir().expect("a folder");
    let write = |path: &str, text: &str| {
        let path = home.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    };
    write("Cargo.toml", "[workspace]\nresolver = \"3\"\nmembers = [\"block*\"]\n");
    std::fs::copy(root().join("Cargo.lock"), home.path().join("Cargo.lock")).expect("a copy");
    for (number, package) in PACKAGES.iter().enumerate() {
        let folder = format!("block{number}");
        let dependency = format!("diptych = {{ path = {:?} }}", root().join("runtime"));
        let manifest =
            format!("[package]\nname = \"{folder}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[dependencies]\n{dependency}\n");
        write(&format!("{folder}/Cargo.toml"), &manifest);
        let text = &of(package.page, "rust")[package.at];
        write(&format!("{folder}/src/lib.rs"), &format!("#![allow(dead_code)]\n{}\n{text}\n{}\n", package.before, package.after));
        write(&format!("{folder}/migrations/snapshot.yaml"), package.snapshot);
        for file in of("docs/code.md", "sql") {
            write(&format!("{folder}/code/{}.sql", name(&file)), &file);
        }
    }
    let output = std::process::Command::new(env!("CARGO"))
        .args(["build", "-q", "--offline", "--workspace", "--keep-going"])
        .current_dir(home.path())
        // as `guide` does, which has built the dependencies
        .env("CARGO_TARGET_DIR", binary().parent().and_then(Path::parent).expect("a target folder"))
        .env("CARGO_PROFILE_DEV_DEBUG", "line-tables-only")
        .env("CARGO_INCREMENTAL", "0")
        .env_remove("DIPTYCH_MIGRATIONS_ROOT")
        .env("DIPTYCH_DRIFT", "warn")
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
