//! What the build says to every kind of change, in one table (`cases`): each case changes the structs of `base.rs`, and compiles or does
//! not. What the message proposes is pasted where it says, and compiles. What compiles is recorded, started and completed, and the
//! running release's statements (`base/writes.sql`) do not fail.

mod cases;
mod paste;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use cases::{Case, Wanted};

/// An error of the compiler.
#[derive(Clone, Debug)]
struct Said {
    /// The line and column that the caret stands on, from 0.
    place: (usize, usize),
    text: String,
}

/// A module of the program.
struct Module {
    name: String,
    text: String,
}

#[test]
fn the_build_is_right_and_its_fixes_hold() {
    let snapshot = include_str!("base/snapshot.yaml");
    let schema = diptych_tests::schema(&[diptych_tests::migration("0001_base", include_str!("base/0001_base.yaml"))]);
    let made = diptych_core::Snapshot { version: Some("0001_base".to_owned()), schema, ..Default::default() }.to_yaml();
    if std::env::var("SNAPSHOT").is_ok_and(|value| value == "overwrite") {
        std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/verdicts/base/snapshot.yaml"), &made).expect("written");
    }
    assert_eq!(made, snapshot, "SNAPSHOT=overwrite writes it");

    let only = std::env::var("CASE").ok();
    let mut cases = cases::all();
    cases.retain(|case| only.as_deref().is_none_or(|only| case.name.contains(only)));
    let mut wrong = Vec::new();
    let first: Vec<Module> = cases.iter().map(|case| Module { name: case.name.clone(), text: case.text.clone() }).collect();
    let (_, mut said) = build("first", &first, None);
    if only.is_none() {
        for (word, words) in
            [("perhaps", "DIP707: there is no `DIPTYCH_DRIFT=perhaps`"), ("DENY", "DIP706: column `users.nick` is not in")]
        {
            let wanted = "a new column that may be NULL";
            let module = first.iter().find(|module| module.name == wanted).expect("the case");
            let (_, denied) = build("drift", std::slice::from_ref(module), Some(word));
            let denied = denied.get(wanted).cloned().unwrap_or_default();
            match &denied[..] {
                [only] if only.text.contains(words) => {}
                other => wrong.push(format!("DIPTYCH_DRIFT={word}: {other:#?}")),
            }
            said.entry(format!("{wanted}, DIPTYCH_DRIFT={word}")).or_default().extend(denied);
        }
    }
    let known = |name: &String| name.contains("DIPTYCH_DRIFT") || cases.iter().any(|case| case.name == *name);
    wrong.extend(said.iter().filter(|(name, _)| !known(name)).map(|(name, said)| format!("{name}: {said:#?}")));
    wrong.extend(catalogue(said.values().flatten()).filter(|_| only.is_none()));
    let mut second = Vec::new();
    let (mut refused, mut accepted, mut pasted) = (0, 0, 0);
    for case in &cases {
        let said = said.get(&case.name).map_or(&[][..], Vec::as_slice);
        match judge(case, said) {
            Err(text) => wrong.push(format!("{}: {text}", case.name)),
            Ok(()) if case.wanted == Wanted::Accepted => {
                accepted += 1;
                second.push(Module { name: case.name.clone(), text: case.text.clone() });
            }
            Ok(()) => {
                refused += 1;
                match paste::all(case, said) {
                    Ok(texts) => {
                        pasted += texts.len();
                        let texts = texts.into_iter().enumerate();
                        second.extend(texts.map(|(at, text)| Module { name: format!("{}, way {}", case.name, at + 1), text }));
                    }
                    Err(text) => wrong.push(format!("{}: {text}", case.name)),
                }
            }
        }
    }
    let (program, said) = build("second", &second, None);
    for (name, said) in &said {
        wrong.push(format!("{name} does not compile: {said:#?}"));
    }
    if let Some(program) = program {
        let output = Command::new(program).output().expect("the program runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        print!("{text}");
        if !output.status.success() {
            wrong.push(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        wrong.extend(text.lines().filter(|line| line.starts_with("broken: ")).map(str::to_owned));
    }
    println!(
        "verdicts: {} cases, {refused} refused, {accepted} accepted, {} wrong; {pasted} proposed lines pasted",
        cases.len(),
        wrong.len()
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// What is wrong with the catalogue: a code without a page, a page without a code, or a code that no case has.
fn catalogue<'a>(said: impl Iterator<Item = &'a Said>) -> impl Iterator<Item = String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let read = |path: &Path| std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let codes = |text: &str| -> BTreeSet<String> {
        let found = text.match_indices("DIP").map(|(at, _)| text[at..].chars().take(6).collect::<String>());
        found.filter(|code| code[3..].len() == 3 && code[3..].chars().all(|c| c.is_ascii_digit())).collect()
    };
    let mut shown = codes(&said.map(|said| said.text.as_str()).collect::<Vec<_>>().join("\n"));
    for kind in std::fs::read_dir(root.join("tests/tests/ui")).expect("the cases of messages").flatten() {
        for file in std::fs::read_dir(kind.path()).expect("a folder").flatten() {
            if file.path().extension().is_some_and(|end| end == "stderr") {
                shown.extend(codes(&read(&file.path())));
            }
        }
    }
    let sources = ["macros/src/errors.rs", "runtime/src/types.rs"].map(|path| read(&root.join(path))).concat();
    let page = read(&root.join("xtask/src/commands/explain/errors.md"));
    let titles: Vec<&str> = page.lines().filter(|line| line.starts_with("## DIP")).collect();
    let (used, explained) = (codes(&sources), codes(&titles.join("\n")));
    println!("catalogue: {} codes, {} pages, {} with a case", used.len(), explained.len(), used.intersection(&shown).count());
    let say = |codes: Vec<&String>, what: &str| codes.into_iter().map(|code| format!("{code} {what}")).collect::<Vec<_>>();
    let mut wrong = say(used.difference(&explained).collect(), "has no page");
    wrong.extend(say(explained.difference(&used).collect(), "is on the page and in no message"));
    wrong.extend(say(used.difference(&shown).collect(), "has no case"));
    wrong.into_iter()
}

/// Whether the compiler said what the case wants.
fn judge(case: &Case, said: &[Said]) -> Result<(), String> {
    let list = || said.iter().map(|said| said.text.as_str()).collect::<Vec<_>>().join("\n");
    if case.wanted == Wanted::Accepted {
        return if said.is_empty() { Ok(()) } else { Err(format!("is refused:\n{}", list())) };
    }
    if said.len() != case.says.len() {
        return Err(format!("{} errors, wanted {}:\n{}", said.len(), case.says.len(), list()));
    }
    for words in &case.says {
        if !said.iter().any(|said| said.text.contains(words)) {
            return Err(format!("`{words}` is not said:\n{}", list()));
        }
    }
    if let Some(said) = said.iter().find(|said| !said.text.contains("hint: ")) {
        return Err(format!("no hint: {}", said.text));
    }
    Ok(())
}

/// Builds a program of these modules; what the compiler says against each, where there is no program.
fn build(name: &str, modules: &[Module], drift: Option<&str>) -> (Option<PathBuf>, BTreeMap<String, Vec<Said>>) {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("verdicts").join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("a folder");
    let mut list = "pub const CASES: &[super::Case] = &[\n".to_owned();
    let mut whole = String::new();
    for (at, module) in modules.iter().enumerate() {
        let path = folder.join(format!("case_{at:03}.rs"));
        std::fs::write(&path, &module.text).expect("written");
        let may_fail = module.text.contains("allow(old_writes_may_fail)");
        let _ = writeln!(whole, "#[path = {path:?}]\nmod case_{at:03};");
        let _ = writeln!(list, "    ({:?}, {may_fail}, <case_{at:03}::Shop as diptych::Database>::declared),", module.name);
    }
    whole.push_str(&list);
    whole.push_str("];\n");
    let main = folder.join("cases.rs");
    std::fs::write(&main, whole).expect("written");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.env_remove("DIPTYCH_DRIFT").envs(drift.map(|word| ("DIPTYCH_DRIFT", word)));
    let output = cargo
        .args(["build", "-p", "diptych-tests", "--features", "verdicts", "--example", "verdicts", "--message-format", "json"])
        .env("DIPTYCH_VERDICTS", &main)
        .output()
        .expect("cargo runs");
    let mut said: BTreeMap<String, Vec<Said>> = BTreeMap::new();
    let mut program = None;
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let Ok(line) = serde_json::from_str::<serde_json::Value>(line) else { continue };
        if line["reason"] == "compiler-artifact" && line["target"]["name"] == "verdicts" {
            program = line["executable"].as_str().map(PathBuf::from);
        }
        let message = &line["message"];
        if line["reason"] != "compiler-message" || message["level"] != "error" {
            continue;
        }
        let notes = message["children"].as_array().into_iter().flatten().filter_map(|note| note["message"].as_str());
        let first = message["message"].as_str().unwrap_or_default();
        // notes are the compiler's way to say how to go on
        let notes = notes
            .filter(|_| !first.contains("hint: "))
            .filter(|note| note.contains("#[schema("))
            .map(|note| format!("\nhint: {note}"));
        let text = first.to_owned() + &notes.collect::<String>();
        let spans = message["spans"].as_array().into_iter().flatten();
        let Some(mut span) = spans.clone().find(|span| span["is_primary"] == true) else { continue };
        // what a macro says, it says where it was called
        while !span["file_name"].as_str().is_some_and(|file| file.contains("case_")) && span["expansion"].is_object() {
            span = &span["expansion"]["span"];
        }
        let number = |key: &str| usize::try_from(span[key].as_u64().unwrap_or(1)).expect("small") - 1;
        let file = span["file_name"].as_str().unwrap_or_default();
        let stem = Path::new(file).file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let at = stem.strip_prefix("case_").and_then(|number| number.parse::<usize>().ok());
        let name = at.and_then(|at| modules.get(at)).map_or_else(|| file.to_owned(), |module| module.name.clone());
        said.entry(name).or_default().push(Said { place: (number("line_start"), number("column_start")), text });
    }
    assert!(program.is_some() || !said.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    (program, said)
}
