//! What `check --sarif` prints: SARIF 2.1.0 as its schema has it, every kind of finding with its code, its file and its line.

use std::collections::BTreeSet;
use std::process::Output;

use serde_json::Value;

use crate::cli::{Folder, GOOD, text};
use crate::dayafter::Project;
use crate::events::misfit;

const MAIL: &str = "operations:\n- add_column: {table: users, column: {name: mail, type: text, nullable: true}}\n";

/// What was found: code, level, file, line and column, message.
#[derive(Debug)]
struct Result {
    code: String,
    level: String,
    file: String,
    at: (u64, u64),
    message: String,
}

/// The results of a run, which ends with 1 if one of them is an error.
fn results(output: &Output) -> Vec<Result> {
    let schema: Value = serde_json::from_str(include_str!("../../fixtures/sarif-2.1.0.json")).expect("the schema");
    // a project's tool runs within a test, which prints lines of its own
    let printed = text(&output.stdout);
    let (begin, end) = (printed.find("{\n").expect("a log"), printed.rfind("\n}").expect("a log"));
    let log: Value = serde_json::from_str(&printed[begin..end + 2]).expect("JSON");
    assert_eq!(misfit(&schema, &schema, &log), None);
    let run = &log["runs"][0];
    let word = |value: &Value| value.as_str().expect("a text").to_owned();
    let found: Vec<Result> = run["results"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|result| {
            let rule = &run["tool"]["driver"]["rules"][result["ruleIndex"].as_u64().expect("a number") as usize];
            assert_eq!(rule["id"], result["ruleId"]);
            assert_eq!(rule["defaultConfiguration"]["level"], result["level"]);
            let place = &result["locations"][0]["physicalLocation"];
            let number = |name: &str| place["region"][name].as_u64().expect("a number");
            Result {
                code: word(&result["ruleId"]),
                level: word(&result["level"]),
                file: word(&place["artifactLocation"]["uri"]),
                at: (number("startLine"), number("startColumn")),
                message: word(&result["message"]["text"]),
            }
        })
        .collect();
    let is_failed = found.iter().any(|result| result.level == "error");
    assert_eq!(output.status.code(), Some(i32::from(is_failed)), "{found:?} {}", text(&output.stderr));
    assert_eq!(text(&output.stderr).contains("error: "), is_failed, "{}", text(&output.stderr));
    found
}

/// The one finding, whose message says what `check` says without SARIF.
fn one(output: &Output, code: &str, file: &str, at: (u64, u64), words: &str) -> String {
    let found = results(output);
    assert_eq!(found.len(), 1, "{code}: {found:?}");
    let found = &found[0];
    assert_eq!((found.code.as_str(), found.at), (code, at), "{found:?}");
    assert!(found.file.ends_with(file) && found.message.contains(words), "{found:?}");
    if found.level == "error" {
        let told = text(&output.stderr);
        assert!(told.contains(&format!("error: {}", found.message)), "{told}");
    }
    code.to_owned()
}

fn folder(files: &[(&str, &str)]) -> Output {
    Folder::new(files).run(None, &["check", "--sarif"])
}

/// Findings in a folder of files alone.
fn of_files() -> Vec<String> {
    let gone = Folder::new(&[]);
    std::fs::remove_dir(gone.path()).expect("an empty folder");
    let binary = Folder::new(&[]);
    std::fs::write(binary.path().join("0001_a b.yaml"), [0xff]).expect("a file");
    let wrong = "operations:\n- create_table:\n    nmae: users\n";
    let late = format!("{MAIL}# here\n- drop_column: {{table: users, column: gone}}\n");
    let made = "operations:\n- sql: {up: CREATE TABLE made ()}\n";
    let unknown = "operations:\n- add_column: {table: made, column: {name: a, type: text, nullable: true}}\n";
    let spoiled = folder(&[("0001_users.yaml", wrong), ("0002_mail.yaml", "no"), ("0003_more.yaml", MAIL)]);
    let codes: Vec<(String, String)> = results(&spoiled).into_iter().map(|found| (found.code, found.file)).collect();
    assert!(
        matches!(&codes[..], [(one, a), (two, b)] if one == two && a.ends_with("0001_users.yaml") && b.ends_with("0002_mail.yaml")),
        "{codes:?}"
    );
    assert_eq!(results(&folder(&[("0001_users.yaml", GOOD)])).len(), 0);
    vec![
        one(&gone.run(None, &["check", "--sarif"]), "DIP801", gone.path().to_str().expect("a path"), (1, 1), "--dir"),
        one(&binary.run(None, &["check", "--sarif"]), "DIP802", "0001_a%20b.yaml", (1, 1), "UTF-8"),
        one(&folder(&[("0001_users.yaml", wrong)]), "DIP803", "0001_users.yaml", (3, 5), "nmae"),
        one(&folder(&[("0001_users.json", GOOD), ("0001_users.yaml", GOOD)]), "DIP804", "0001_users.yaml", (1, 1), "two files"),
        one(&folder(&[("0001_users.yaml", GOOD), ("0002_late.yaml", &late)]), "DIP805", "0002_late.yaml", (4, 1), "`gone`"),
        one(&folder(&[("0001_made.yaml", made), ("0002_more.yaml", unknown)]), "DIP815", "0002_more.yaml", (1, 1), "not checked"),
    ]
}

/// Findings in a project, which has structs and a snapshot: the release whose structs it has, what becomes of its folder, and further options.
fn of_a_project(release: &str, change: impl Fn(&Project), options: &[&str]) -> Output {
    let project = Project::new();
    change(&project);
    project.run(None, release, &[&["check", "--sarif"], options].concat())
}

fn of_structs() -> Vec<String> {
    let edited = |project: &Project| {
        project.done("mail", &["record", "mail"]);
        project.write("0002_mail.yaml", &MAIL.replace("text", "varchar(100)"));
    };
    let failing = |project: &Project| {
        project.done("mail", &["record", "mail"]);
        project.write("0002_mail.yaml", &format!("{MAIL}- sql: {{up: SELECT nonsense}}\n"));
    };
    let twice = |project: &Project| ["0002_mail.yaml", "0002_more.yaml"].iter().for_each(|name| project.write(name, MAIL));
    let recorded = |project: &Project| {
        project.done("mail", &["record", "mail"]);
    };
    let lost = |project: &Project| {
        recorded(project);
        std::fs::remove_file(project.0.path().join("0002_mail.yaml")).expect("a file");
    };
    let torn = |project: &Project| project.write("snapshot.yaml", "version: 0001_users\n<<<<<<< ours\n");
    vec![
        one(&of_a_project("first", twice, &[]), "DIP806", "0002_more.yaml", (1, 1), "--rebase"),
        one(&of_a_project("first", torn, &[]), "DIP807", "snapshot.yaml", (2, 1), "snapshot"),
        one(&of_a_project("first", |_| (), &["--schema", "other"]), "DIP808", "snapshot.yaml", (1, 1), "`other`"),
        one(
            &of_a_project("first", |project| project.write("0002_mail.yaml", MAIL), &[]),
            "DIP809",
            "0002_mail.yaml",
            (1, 1),
            "newer",
        ),
        one(&of_a_project("mail", lost, &[]), "DIP810", "snapshot.yaml", (1, 1), "restore"),
        one(&of_a_project("mail", edited, &[]), "DIP811", "snapshot.yaml", (1, 1), "column `users.mail`"),
        one(&of_a_project("mail", |_| (), &[]), "DIP812", "snapshot.yaml", (1, 1), "record NAME"),
        one(&of_a_project("first", recorded, &[]), "DIP813", "snapshot.yaml", (1, 1), "`users.mail`"),
        one(&of_a_project("mail", failing, &[]), "DIP816", "", (1, 1), "nonsense"),
    ]
}

/// Attributes that are used up, each where it stands.
fn of_sources() -> String {
    let project = Project::new();
    project.done("used", &["record", "split name"]);
    let source = include_str!("dayafter/used_up.rs");
    let folder = project.0.path();
    for name in ["src", "migrations"] {
        std::fs::create_dir(folder.join(name)).expect("a folder");
    }
    for name in project.files().into_keys() {
        std::fs::rename(folder.join(&name), folder.join("migrations").join(&name)).expect("moved");
    }
    std::fs::write(folder.join("Cargo.toml"), "[package]\nname = \"app\"\nedition = \"2024\"\n").expect("a file");
    std::fs::write(folder.join("src/lib.rs"), source).expect("a file");
    let dir = folder.join("migrations");
    let found = results(&project.run(None, "used", &["check", "--sarif", "--dir", dir.to_str().expect("a path")]));
    assert!(found.len() >= 3, "{found:?}");
    for result in &found {
        assert_eq!(
            (result.code.as_str(), result.level.as_str(), result.file.as_str()),
            ("DIP814", "note", "src/lib.rs"),
            "{result:?}"
        );
        let (line, column) = result.at;
        let here: String = source.lines().nth(line as usize - 1).expect("a line").chars().skip(column as usize - 1).collect();
        let attribute = result.message.split(['`', '(']).nth(1).expect("an attribute");
        assert!(here.starts_with(attribute), "{attribute} at {here}");
    }
    found[0].code.clone()
}

#[test]
fn every_finding_has_its_code_its_file_and_its_line() {
    let mut seen: BTreeSet<String> = of_files().into_iter().chain(of_structs()).collect();
    seen.insert(of_sources());
    let page = include_str!("../../../xtask/src/commands/explain/findings.md");
    let explained: BTreeSet<String> =
        page.lines().filter_map(|line| Some(line.strip_prefix("## ")?.split(':').next()?.to_owned())).collect();
    assert_eq!(seen, explained, "each code has a case here and a section there");
    println!("sarif: {} kinds of findings, each with a case and a section", seen.len());
}

#[test]
fn explain_tells_what_a_finding_means() {
    let folder = Folder::new(&[]);
    let said = text(&folder.run(None, &["explain", "dip805"]).stdout);
    assert!(said.starts_with("DIP805: a migration that cannot be applied"), "{said}");
    let all = text(&folder.run(None, &["explain"]).stdout);
    assert!(all.contains("DIP101: ") && all.contains("DIP816: "), "{all}");
}
