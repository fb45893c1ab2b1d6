//! The guide and the page on adoption, followed word by word in an empty folder: their files are written, their commands are run, their
//! output is what they say.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Instant;

use diptych_tests::{Database, dump, must, server};

use crate::cli::{binary, text};

/// A fenced block: its info string, the last line of prose before it, its lines.
struct Block {
    kind: String,
    before: String,
    lines: Vec<String>,
}

fn blocks(guide: &str) -> Vec<Block> {
    let (mut found, mut open, mut before) = (Vec::new(), None::<Block>, String::new());
    for line in guide.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(kind)) => open = Some(Block { kind: kind.to_owned(), before: before.clone(), lines: Vec::new() }),
            (Some(_), Some(_)) => found.extend(open.take()),
            (Some(block), None) => block.lines.push(line.to_owned()),
            (None, None) if !line.trim().is_empty() => before = line.to_owned(),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block has no end");
    found
}

/// Whoever follows the guide: where they are, and what their environment is.
struct Reader {
    home: PathBuf,
    folder: PathBuf,
    url: String,
}

impl Reader {
    /// Runs a command in the folder that the commands before have led to.
    fn run(&mut self, line: &str) -> Output {
        let told = self.home.join("folder");
        let path = format!("{}:{}", binary().parent().expect("a folder").display(), std::env::var("PATH").expect("a PATH"));
        let target = binary().parent().and_then(Path::parent).expect("a target folder");
        let output = Command::new("sh")
            .args(["-c", &format!("{line}\ncode=$?; pwd >\"$0\"; exit $code")])
            .arg(&told)
            .current_dir(&self.folder)
            .env("PATH", path)
            .env("DATABASE_URL", &self.url)
            // what is built is the same for everybody; here it is shared with the other tests, to be built once
            .env("CARGO_TARGET_DIR", target)
            .env("CARGO_PROFILE_DEV_DEBUG", "line-tables-only")
            .env("CARGO_INCREMENTAL", "0")
            .env("CARGO_NET_OFFLINE", "true")
            .env_remove("CARGO")
            .env_remove("DIPTYCH_MIGRATIONS_ROOT")
            .env_remove("RUST_BACKTRACE")
            .output()
            .expect("a shell");
        self.folder = std::fs::read_to_string(&told).expect("a folder").trim().into();
        output
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guide_can_be_followed() {
    follow("guide", &Database::new().await, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_fifteen_tables_is_adopted() {
    let database = dump::empty(&Database::new().await).await;
    must(&database.client().await, include_str!("../../../docs/adopt.sql")).await;
    if dump::definitions(&database).is_some() {
        follow("adopt", &database, 2);
    }
}

/// Follows a page of docs/ on a database, and looks whether as many migrations are in order then.
fn follow(page: &str, database: &Database, migrations: usize) {
    let began = Instant::now();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().expect("our own folder");
    let guide = std::fs::read_to_string(root.join("docs").join(format!("{page}.md"))).expect("the page");
    // always the same one: what is built in it is found again
    let home = std::env::temp_dir().join(format!("diptych-guide-{:x}", diptych_core::names::hash(&root.display().to_string())));
    let lock = std::fs::File::create(Path::new(env!("CARGO_TARGET_TMPDIR")).join("guide.lock")).expect("a file");
    lock.lock().expect("nobody else is at it");
    let _ = std::fs::remove_dir_all(&home);
    std::fs::create_dir_all(home.join(".cargo")).expect("a folder");
    // until Diptych is on crates.io, and for this state of it afterwards
    let patch = |name: &str, folder: &str| format!("{name} = {{ path = {:?} }}\n", root.join(folder).display().to_string());
    let config = format!("[patch.crates-io]\n{}{}", patch("diptych", "runtime"), patch("diptych-xtask", "xtask"));
    std::fs::write(home.join(".cargo/config.toml"), config).expect("a file");
    let folder = home.join("empty");
    std::fs::create_dir(&folder).expect("a folder");
    let mut reader = Reader { folder, url: server().url(&database.name), home };

    let (mut commands, mut files, mut output, mut written) = (0, 0, String::new(), BTreeMap::new());
    for Block { kind, before, lines } in blocks(&guide) {
        match kind.as_str() {
            "sh" | "sh fails" => {
                output.clear();
                for line in &lines {
                    let ran = reader.run(line);
                    let (said, told) = (text(&ran.stdout), text(&ran.stderr));
                    println!("$ {line}\n{told}{said}");
                    assert_eq!(ran.status.success(), kind == "sh", "{line}\n{told}{said}");
                    output += &said;
                    if kind != "sh" {
                        output += &told;
                    }
                    commands += 1;
                    if line.starts_with("cargo add") || line == "diptych pull" {
                        // the versions that this repository is built with, to build them once
                        std::fs::copy(root.join("Cargo.lock"), reader.folder.join("Cargo.lock")).expect("a copy");
                    }
                }
            }
            "text" => {
                for part in lines.iter().flat_map(|line| line.split('…')).map(str::trim) {
                    assert!(output.contains(part), "the page says `{part}`, and it is not in:\n{output}");
                }
            }
            "rust" => {
                let path = before.split('`').rev().nth(1).filter(|path| before.ends_with(':') && path.ends_with(".rs"));
                let path = path.unwrap_or_else(|| panic!("no path before a file: {before}"));
                let (path, text) = (reader.folder.join(path), lines.join("\n") + "\n");
                std::fs::write(&path, &text).expect("a file");
                written.insert(path, text);
                files += 1;
            }
            other => panic!("the page has a block of kind `{other}`"),
        }
    }
    // init has nothing to add, and everything is recorded
    let again = reader.run("diptych init && cargo xtask migrate check");
    assert!(
        again.status.success() && text(&again.stdout).starts_with("nothing to do"),
        "{}{}",
        text(&again.stdout),
        text(&again.stderr)
    );
    assert!(text(&again.stdout).contains(&format!("{migrations} migrations, all in order")), "{}", text(&again.stdout));
    let edited = |(path, text): &(&PathBuf, &String)| std::fs::read_to_string(path).ok().as_ref() != Some(*text);
    let edits = written.iter().filter(edited).count();
    std::fs::remove_dir_all(&reader.home).expect("removed");
    println!("{page}: {commands} commands, {files} files, {} seconds, {edits} edits not in the guide", began.elapsed().as_secs());
    assert_eq!(edits, 0);
}
