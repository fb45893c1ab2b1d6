//! `diptych.toml`: which options stand for those that are not given, and what is refused.

use std::process::{Command, Output};

use diptych_tests::{Database, server};
use serde_json::Value;

use crate::cli::{Folder, GOOD, binary, refused, text};

/// Two databases of one app, and a file that names them.
struct Case {
    folder: Folder,
    staging: String,
    production: String,
    _databases: [Database; 2],
}

impl Case {
    async fn new() -> Self {
        let databases = [Database::new().await, Database::new().await];
        let [staging, production] = [&databases[0], &databases[1]].map(|database| server().url(&database.name));
        let folder = Folder::new(&[]);
        std::fs::create_dir_all(folder.path().join("db/migrations")).expect("a folder");
        std::fs::write(folder.path().join("db/migrations/0001_users.yaml"), GOOD).expect("a file");
        let case = Case { folder, staging, production, _databases: databases };
        case.write(&format!(
            "dir = \"db/migrations\"\nschema = \"public\"\n\n[environments.staging]\nurl = \"{}\"\nworkers = 1\n\n[environments.production]\nurl-from = \"PRODUCTION\"\nschema = \"shop\"\nlock-timeout = \"100ms\"\n",
            case.staging
        ));
        case
    }

    fn write(&self, toml: &str) {
        std::fs::write(self.folder.path().join("diptych.toml"), toml).expect("a file");
    }

    fn run(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
        let mut command = Command::new(binary());
        command
            .current_dir(self.folder.path())
            .env_remove("DATABASE_URL")
            .env_remove("DIPTYCH_ENV")
            .env("HOME", self.folder.path());
        command.args(arguments).envs(variables.iter().copied()).output().expect("the binary runs")
    }

    /// The version that is live or on its way, and none in a database that has none.
    fn version(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Option<String> {
        let output = self.run(&[arguments, &["status", "--json"]].concat(), variables);
        let status: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output.stderr)));
        let found = status["live"].as_str().or_else(|| status["pending"]["version"].as_str());
        found.map(str::to_owned)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_environment_stands_for_options_that_are_not_given() {
    let case = Case::new().await;
    let secret = ("PRODUCTION", case.production.as_str());
    let started = case.run(&["start", "--env", "staging"], &[]);
    assert!(started.status.success(), "{}", text(&started.stderr));
    let live = Some("0001_users".to_owned());
    // by the option, by the variable, in either form; and another database by another name
    assert_eq!(case.version(&["--env", "staging"], &[]), live);
    assert_eq!(case.version(&["--env=staging"], &[]), live);
    assert_eq!(case.version(&[], &[("DIPTYCH_ENV", "staging")]), live);
    assert_eq!(case.version(&["--env", "production"], &[secret]), None);
    // what is named comes before what the shell happens to have, and what is given before both
    assert_eq!(case.version(&["--env", "staging"], &[("DATABASE_URL", &case.production)]), live);
    assert_eq!(case.version(&["--env", "production", "--schema", "public", "--url", &case.staging], &[secret]), live);
    assert_eq!(case.version(&[], &[("DATABASE_URL", &case.staging)]), live);
    // an environment's value comes before that of all
    for (environment, schema) in [("staging", "public"), ("production", "shop")] {
        let status = case.run(&["status", "--json", "--env", environment], &[secret]);
        let status: Value = serde_json::from_slice(&status.stdout).expect("JSON");
        assert_eq!(status["schema"], schema);
    }
    // behind `--` is somebody else's command
    let echo = case.run(&["run", "--env", "staging", "--version", "0001_users", "--", "echo", "--env", "nowhere"], &[]);
    assert_eq!(text(&echo.stdout), "--env nowhere\n", "{}", text(&echo.stderr));
    // no help text shows a secret
    let help = text(&case.run(&["--help", "--env", "staging"], &[]).stdout);
    assert!(help.contains("--env <NAME>") && !help.contains(&case.staging), "{help}");
    // the file of the page
    let page = include_str!("../../../docs/connecting.md").split_once("```toml\n").expect("a file").1;
    case.write(page.split("```").next().expect("its end"));
    assert_eq!(case.version(&["--env", "staging"], &[("STAGING_URL", &case.staging)]), live);
    assert_eq!(case.version(&["--env", "production"], &[("PRODUCTION_URL", &case.production)]), None);
    // paths begin at the file
    let elsewhere = Folder::new(&[]);
    let file = case.folder.path().join("diptych.toml").display().to_string();
    let mut check = Command::new(binary());
    let check = check.current_dir(elsewhere.path()).args(["check", "--config", &file]).output().expect("the binary runs");
    assert!(check.status.success(), "{}", text(&check.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_file_says_in_vain_is_refused() {
    let case = Case::new().await;
    let whole = "cannot read `diptych.toml`";
    refused(&case.run(&["status", "--env", "stagging"], &[]), &["has no environment `stagging`; it has production, staging"]);
    refused(
        &case.run(&["status", "--env", "production"], &[]),
        &["the variable `PRODUCTION`, which `url-from` names, is not set"],
    );
    for (toml, message) in [
        ("dirr = \"a\"", "there is no option `dirr`"),
        ("[environments.a]\nschemas = \"a\"", "environment `a`: there is no option `schemas`"),
        ("[environments.a]\nurl = \"a\"\nurl-from = \"B\"", "environment `a`: `url` and `url-from` are both there"),
        ("environments = 3", "`environments` is not a table"),
        ("[environments]\na = 3", "`environments.a` is not a table"),
        ("dir = [1]", "the value of `dir` is neither a text nor a number"),
        ("dir = ", "line 1 is not TOML"),
        ("dir = \"a\"\nurl = \"postgresql://a:hidden@h/d", "line 2 is not TOML"),
    ] {
        case.write(toml);
        let output = case.run(&["check"], &[]);
        refused(&output, &["`diptych.toml`: ", message]);
        assert!(!text(&output.stderr).contains("hidden"), "{}", text(&output.stderr));
    }
    // a value of the wrong kind is refused as if it had been given
    case.write("lock-timeout = \"soon\"\ndir = \"db/migrations\"");
    let output = case.run(&["check"], &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("invalid value 'soon' for '--lock-timeout"), "{}", text(&output.stderr));
    std::fs::remove_file(case.folder.path().join("diptych.toml")).expect("the file");
    refused(&case.run(&["check", "--env", "staging"], &[]), &[whole]);
    refused(&case.run(&["check", "--config", "nowhere.toml"], &[]), &["cannot read `nowhere.toml`"]);
    let without = case.run(&["check", "--dir", "db/migrations"], &[]);
    assert!(without.status.success(), "{}", text(&without.stderr));
}
