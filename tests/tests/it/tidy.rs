//! Rules of the house that a test can keep.

use std::path::{Path, PathBuf};

pub(crate) fn sources(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(folder)];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                found.push(path);
            }
        }
    }
    found
}

/// What generators of code write first, in the examples of clients.
const GENERATED: [&str; 2] = ["// @generated", "// This file was generated"];

#[test]
fn every_module_says_what_it_is_for() {
    for folder in ["core/src", "macros/src", "runtime/src", "xtask/src", "tests/src", "tests/tests/it", "examples"] {
        for path in sources(folder) {
            let text = std::fs::read_to_string(&path).expect("a source");
            let generated = GENERATED.iter().any(|word| text.starts_with(word));
            assert!(generated || text.starts_with("//! "), "{} has no `//!` sentence", path.display());
        }
    }
}

#[test]
fn core_is_pure() {
    for path in sources("core/src") {
        let text = std::fs::read_to_string(&path).expect("a source");
        for word in ["tokio", "std::fs", "std::net", "std::env", "HashMap", "Instant::now", "SystemTime"] {
            assert!(!text.contains(word), "{} mentions {word}", path.display());
        }
    }
}

/// The most lines that a function has, those of its signature with them. A longer one has parts with names of their own.
const LONGEST: usize = 60;

#[test]
fn no_function_is_long() {
    let (mut count, mut long) = (0, Vec::new());
    for path in ["core/src", "macros/src", "runtime/src", "xtask/src", "examples", "benches"].into_iter().flat_map(sources) {
        let text = std::fs::read_to_string(&path).expect("a source");
        if GENERATED.iter().any(|word| text.starts_with(word)) {
            continue;
        }
        let code = text.split("\n#[cfg(test)]\nmod tests").next().unwrap_or_default();
        for (head, lines) in functions(code) {
            count += 1;
            if lines > LONGEST {
                long.push(format!("{}: `{head}` has {lines} lines", path.display()));
            }
        }
    }
    assert!(count > 1000, "{count} functions are found");
    assert!(long.is_empty(), "{long:#?}");
}

/// The functions of a source, by their first lines, each with how many it has.
fn functions(code: &str) -> Vec<(&str, usize)> {
    let lines: Vec<&str> = code.lines().collect();
    (0..lines.len()).filter_map(|at| Some((lines[at].trim_start(), length(&lines[at..])?))).collect()
}

/// The lines of a function that begins there, as rustfmt leaves it: up to the brace below its first letter. None of one on a single line.
fn length(lines: &[&str]) -> Option<usize> {
    let head = lines[0].trim_start();
    let indent = &lines[0][..lines[0].len() - head.len()];
    let before = |word: &&str| word.starts_with("pub") || ["const", "async", "unsafe"].contains(word);
    let is_function = head.split(' ').find(|word| !before(word)) == Some("fn");
    let goes_on = head.ends_with(['{', '(', '<']) || lines.get(1).is_some_and(|next| next.trim_start() == "where");
    // a trait's own declarations have no brace
    let is_end = |rest: &str| rest == "}" || (rest.starts_with(')') && rest.ends_with(';'));
    let end = lines.iter().position(|line| line.strip_prefix(indent).is_some_and(is_end))?;
    (is_function && goes_on).then_some(end + 1)
}

#[test]
fn every_operation_has_a_lifecycle() {
    let texts = sources("tests/tests/it/lifecycle").into_iter().map(|path| std::fs::read_to_string(path).expect("a source"));
    let text: String = texts.collect();
    for name in diptych_core::Operation::NAMES {
        assert!(text.contains(&format!("- {name}:")) || text.contains(&format!("{{{name}:")), "no lifecycle case uses `{name}`");
    }
}

#[test]
fn the_readme_names_every_operation() {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md")).expect("the README");
    for name in diptych_core::Operation::NAMES {
        assert!(text.contains(&format!("`{name}`")), "the README does not name `{name}`");
    }
}

#[test]
fn the_page_of_clients_shows_what_the_examples_have() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let page = std::fs::read_to_string(root.join("docs/clients.md")).expect("the page");
    let mut shown = 0;
    for (before, block) in page.split("\n```\n").filter_map(|part| part.split_once("```rust\n")) {
        let file = before.rsplit('`').nth(1).filter(|file| file.starts_with("examples/clients/"));
        let file = file.unwrap_or_else(|| panic!("no file is named before:\n{block}"));
        let text = std::fs::read_to_string(root.join(file)).expect("the example");
        assert!(text.contains(block), "{file} does not have:\n{block}");
        shown += 1;
    }
    assert!(shown >= 6, "{shown} examples are shown");
}

/// Where SQL text may be looked into, and why. Everywhere else what a text reads is a fact that PostgreSQL tells (`facts`).
const LOOKS_INTO_SQL: [(&str, &str); 16] = [
    ("core/src/model/lexer.rs", "the lexer itself"),
    (
        "core/src/model/triggers.rs",
        "a file of code is taken apart into its statements; which are triggers is told by their first words",
    ),
    ("core/src/model/book.rs", "what is assumed where there is no server, and a text with new names before the server parses it"),
    ("core/src/model/expression.rs", "whether two texts differ in spaces alone"),
    (
        "core/src/model/plain.rs",
        "a text that seems to read a setting is run under all of the migration's: a longer list of words is faster, never needed",
    ),
    ("core/src/model/texts.rs", "a literal reads nothing: the server need not be asked"),
    (
        "core/src/transition/stage.rs",
        "which author's texts a rename concerns; the server says whether the new words mean the same",
    ),
    ("core/src/plan/functions.rs", "a warning: names in bodies of PL/pgSQL"),
    ("core/src/plan/extend.rs", "a refusal: a script that names a table of which a part of the changes stands below it"),
    ("core/src/migration/ops/alter_enum.rs", "a message: the label that a text mentions"),
    ("macros/src/ast.rs", "the derive has no server: messages alone"),
    ("macros/src/check.rs", "the derive has no server: messages alone"),
    ("macros/src/truth.rs", "the derive has no server: messages alone"),
    ("xtask/src/statements.rs", "an app's files are split into statements, and how each is tried is told by its first word"),
    ("xtask/src/dump.rs", "pg_dump's own output is split into statements, of which some set up its session alone"),
    ("tests/src/printers.rs", "the last word of a relation's name"),
];

#[test]
fn few_places_look_into_sql() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut found = std::collections::BTreeSet::new();
    for path in ["core/src", "macros/src", "runtime/src", "xtask/src", "tests/src"].into_iter().flat_map(sources) {
        let text = std::fs::read_to_string(&path).expect("a source");
        let path = path.strip_prefix(&root).expect("below the root").display().to_string();
        if text.contains("lexer::") || path.ends_with("/lexer.rs") {
            found.insert(path);
        }
    }
    let known: std::collections::BTreeSet<String> = LOOKS_INTO_SQL.iter().map(|(path, _)| (*path).to_owned()).collect();
    assert_eq!(found, known, "a place that looks into SQL text has its reason here");
}
