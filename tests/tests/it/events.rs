//! What a program reads: `--json` as the schema has it, `--quiet` and `--verbose`.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Command, Output, Stdio};

use diptych_tests::{Database, ask, must, release, server};
use serde_json::Value;

use crate::cli::{Folder, GOOD, binary, text};

release!(Users, "0001_users");

const CHANGE: &str = "operations:
  - add_column: {table: users, column: {name: twice, type: bigint}, up: id * 2}
  - create_index: {name: users_twice, table: users, columns: [{column: twice}]}
";
const BAD: &str = "operations: [{create_constraint: {name: small, table: users, type: check, columns: [id], check: id < 5, up: {id: id}, down: {id: id}}}]";

pub(crate) fn schema() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/output.schema.json");
    serde_json::from_str(&std::fs::read_to_string(path).expect("the schema")).expect("JSON")
}

/// Why a value does not fit a part of the schema, which has these words alone.
pub(crate) fn misfit(root: &Value, rule: &Value, value: &Value) -> Option<String> {
    let rule = rule.as_object().expect("a rule");
    rule.iter().find_map(|(word, wanted)| {
        let list = || wanted.as_array().expect("a list");
        let fits = |rule: &&Value| misfit(root, rule, value).is_none();
        let is = match word.as_str() {
            "description" | "$schema" | "$comment" | "id" | "title" | "$defs" | "definitions" => true,
            "$ref" => {
                let at = wanted.as_str().expect("a name").trim_start_matches('#');
                return misfit(root, root.pointer(at).expect("a definition"), value);
            }
            "type" if wanted.is_array() => list().iter().any(|one| is_of(one, value)),
            "type" => is_of(wanted, value),
            "const" => value == wanted,
            "enum" => list().contains(value),
            "minimum" => value.as_i64().is_none_or(|value| Some(value) >= wanted.as_i64()),
            "maximum" => value.as_i64().is_none_or(|value| Some(value) <= wanted.as_i64()),
            "minItems" => value.as_array().is_none_or(|items| Some(items.len() as u64) >= wanted.as_u64()),
            "uniqueItems" => value.as_array().is_none_or(|items| (1..items.len()).all(|at| !items[..at].contains(&items[at]))),
            "oneOf" => list().iter().filter(fits).count() == 1,
            "anyOf" => list().iter().any(|rule| fits(&rule)),
            "required" => list().iter().all(|name| value.get(name.as_str().expect("a name")).is_some()),
            "items" => return value.as_array()?.iter().find_map(|value| misfit(root, wanted, value)),
            "properties" => {
                let known = value.as_object()?.iter().filter_map(|(name, value)| Some((wanted.get(name)?, value)));
                return known.into_iter().find_map(|(rule, value)| misfit(root, rule, value));
            }
            "additionalProperties" if *wanted != Value::Bool(false) => true,
            "additionalProperties" => value.as_object()?.keys().all(|name| rule["properties"].get(name).is_some()),
            other => panic!("the schema says `{other}`"),
        };
        (!is).then(|| format!("`{word}` is {wanted}, but this is {value}"))
    })
}

fn is_of(name: &Value, value: &Value) -> bool {
    match name.as_str().expect("a type") {
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        "object" => value.is_object(),
        "array" => value.is_array(),
        "null" => value.is_null(),
        other => panic!("the schema has type `{other}`"),
    }
}

/// What a command printed, each line an event that fits.
pub(crate) fn events(output: &Output) -> Vec<Value> {
    let schema = schema();
    let lines = text(&output.stdout);
    let events: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    for event in &events {
        assert_eq!(misfit(&schema, &schema, event), None);
    }
    events
}

fn names(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["event"].as_str().expect("a name")).collect()
}

async fn filled() -> (Database, String, Folder) {
    let database = Database::new().await;
    let url = server().url(&database.name);
    let folder = Folder::new(&[("0001_users.yaml", GOOD)]);
    for command in ["start", "complete"] {
        assert!(folder.run(Some(&url), &[command]).status.success());
    }
    must(&database.client().await, "INSERT INTO public.users SELECT generate_series(1, 3000)").await;
    std::fs::write(folder.path().join("0002_change.yaml"), CHANGE).expect("a file");
    (database, url, folder)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_event_fits_the_schema() {
    let (database, url, folder) = filled().await;
    let mut seen = BTreeSet::new();
    let mut run = |arguments: &[&str], code: i32| {
        let output = folder.run(Some(&url), arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", text(&output.stderr));
        let events = events(&output);
        seen.extend(names(&events).iter().map(|name| (*name).to_owned()));
        assert!(events.iter().all(|event| event["command"] == arguments[0]), "{events:?}");
        let last = ["done", "nothing", "failed"];
        let ends = names(&events).iter().filter(|name| last.contains(name)).count();
        assert!(ends == 1 && last.contains(&names(&events)[events.len() - 1]), "{events:?}");
        (events, text(&output.stderr))
    };
    let (started, said) = run(&["start", "--json", "--verbose"], 0);
    assert_eq!(said, "");
    let count = |name: &str| names(&started).iter().filter(|there| **there == name).count();
    assert!(count("step_begun") > 2 && count("step_begun") == count("step_ended"), "{started:?}");
    assert!(count("statement") > 2, "{started:?}");
    let filled: Vec<&Value> = started.iter().filter(|event| event["event"] == "backfill").collect();
    assert!(filled.last().is_some_and(|last| last["blocks"] == last["of"] && last["rows"] == 3000), "{filled:?}");
    assert_eq!(started.last().map(|last| &last["versions"]), Some(&Value::from(vec!["0002_change"])));
    assert_eq!(names(&run(&["start", "--json"], 0).0), ["nothing"]);

    // somebody is on the version that goes
    let lease = diptych::connect::lease::<Users>(&url).await;
    let _lease = lease.expect("a lease");
    let (events, said) = run(&["complete", "--json", "--wait", "1s"], 1);
    assert!(names(&events).contains(&"waiting") && said.contains("error: ") && said.contains("hint: "), "{events:?} {said}");
    let failed = events.last().expect("an event");
    assert!(failed["code"] == 1 && failed["hint"].as_str().is_some_and(|hint| hint.contains("--wait")), "{failed}");
    run(&["complete", "--json", "--force"], 0);
    std::fs::write(folder.path().join("0003_bad.yaml"), BAD).expect("a file");
    run(&["start", "--json"], 1);
    must(&database.client().await, "DELETE FROM public.users WHERE id > 4").await;
    run(&["start", "--json"], 0);
    let hooks = folder.path().join("hooks");
    std::fs::create_dir(&hooks).expect("a folder");
    std::fs::write(hooks.join("after-rollback.sql"), "SELECT 1 / 0").expect("a hook");
    assert!(names(&run(&["rollback", "--json"], 0).0).contains(&"warning"));
    let nowhere = folder.run(Some("postgresql://user:secret@127.0.0.1:1/db"), &["start", "--json"]);
    assert_eq!(names(&self::events(&nowhere)), ["failed"]);
    assert!(!text(&nowhere.stdout).contains("secret"));
    println!("events: seen and fitting: {seen:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_waited_for_is_an_event_and_so_is_a_signal() {
    let (database, url, folder) = filled().await;
    let other = database.client().await;
    must(&other, "BEGIN; LOCK TABLE public.users IN ACCESS SHARE MODE").await;
    let mut child = Command::new(binary())
        .arg("--dir")
        .arg(folder.path())
        .args(["--url", &url, "start", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary runs");
    let schema = schema();
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let mut next = || lines.next().map(|line| serde_json::from_str::<Value>(&line.expect("text")).expect("JSON"));
    let mut next = || next().inspect(|event| assert_eq!(misfit(&schema, &schema, event), None));
    let waiting = std::iter::from_fn(&mut next).find(|event| event["event"] == "waiting").expect("it waits");
    assert!(waiting["for"] == "lock" && waiting["blockers"][0]["role"] == "postgres", "{waiting}");
    let status = folder.run(Some(&url), &["status", "--json"]);
    let status: Value = serde_json::from_slice(&status.stdout).expect("JSON");
    assert_eq!(misfit(&schema, &schema["$defs"]["status"], &status), None);
    assert_eq!(status["run"]["command"], "start");
    Command::new("kill").args(["-s", "INT", &child.id().to_string()]).status().expect("kill");
    let last = std::iter::from_fn(&mut next).last().expect("an event");
    assert!(last["event"] == "failed" && last["code"] == 130, "{last}");
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    let log = folder.run(Some(&url), &["history", "--json"]);
    let log: Value = serde_json::from_slice(&log.stdout).expect("JSON");
    let rule = serde_json::json!({"type": "array", "items": {"$ref": "#/$defs/logged"}});
    assert_eq!(misfit(&schema, &rule, &log), None);
    assert_eq!(log[0]["outcome"], "interrupted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_under_way_is_waited_for() {
    let (_database, url, folder) = filled().await;
    let mut paused = Command::new(binary())
        .arg("--dir")
        .arg(folder.path())
        .args(["--url", &url, "start", "--pause", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary runs");
    let mut lines = BufReader::new(paused.stdout.take().expect("a pipe")).lines();
    let mut next = || lines.next().map(|line| serde_json::from_str::<Value>(&line.expect("text")).expect("JSON"));
    let held = std::iter::from_fn(&mut next).find(|event| event["event"] == "waiting").expect("it waits");
    assert_eq!(held["for"], "resume", "{held}");
    let output = folder.run(Some(&url), &["--timeout", "5s", "start", "--json"]);
    let events = events(&output);
    assert!(names(&events).starts_with(&["waiting"]) && names(&events).ends_with(&["failed"]), "{events:?}");
    assert!(events[0]["for"] == "lock" && events[0]["blockers"][0]["application"] == "diptych", "{events:?}");
    assert!(folder.run(Some(&url), &["resume"]).status.success());
    let last = std::iter::from_fn(&mut next).last().expect("an event");
    assert!(last["event"] == "done" && paused.wait().expect("it ends").success(), "{last}");
}

#[tokio::test(flavor = "multi_thread")]
async fn quiet_tells_errors_alone_and_verbose_each_statement() {
    let (_database, url, folder) = filled().await;
    let said = |arguments: &[&str]| {
        let output = folder.run(Some(&url), arguments);
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    assert_eq!(said(&["start", "--quiet"]), (Some(0), String::new(), String::new()));
    assert_eq!(said(&["rollback", "-q"]), (Some(0), String::new(), String::new()));
    let (code, out, told) = said(&["start"]);
    assert!(code == Some(0) && out == "started `0002_change`\n" && !told.contains("COMMIT"), "{out}{told}");
    let (code, _, told) = said(&["complete", "--verbose"]);
    assert!(code == Some(0) && told.contains("\n  COMMIT;\n") && told.contains("[1/"), "{told}");
    std::fs::write(folder.path().join("0003_bad.yaml"), BAD).expect("a file");
    let (code, out, told) = said(&["start", "-q"]);
    assert!(code == Some(1) && out.is_empty() && told.starts_with("error: ") && told.contains("\nhint: "), "{told}");
    assert_eq!(said(&["start", "-q", "--json"]).0, Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_xtask_tells_the_same() {
    let built = Command::new(env!("CARGO")).args(["build", "-q", "-p", "shop-xtask"]).env("DIPTYCH_DRIFT", "allow").status();
    assert!(built.expect("cargo").success());
    let (database, hooks) = (Database::new().await, tempfile::tempdir().expect("a folder"));
    let admin = database.client().await;
    must(&admin, "CREATE SCHEMA ops; CREATE TABLE ops.told (hook text)").await;
    let sql = "INSERT INTO ops.told SELECT current_setting('diptych.hook')::jsonb ->> 'version'";
    std::fs::write(hooks.path().join("before-start.sql"), sql).expect("a hook");
    let run = |arguments: &[&str]| {
        let mut command = Command::new(binary().with_file_name("shop-xtask"));
        command.args(["migrate", "--url", &server().url(&database.name), "--hooks"]).arg(hooks.path()).args(arguments);
        command.output().expect("the xtask runs")
    };
    let output = run(&["start", "--json"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let events = events(&output);
    assert_eq!(names(&events).last(), Some(&"done"));
    let told = ask(&admin, "SELECT string_agg(to_jsonb(hook)::text, ',') FROM ops.told").await;
    assert_eq!(format!("[{told}]"), events.last().expect("an event")["versions"].to_string());
    assert_eq!(run(&["status", "--exit-code"]).status.code(), Some(3));
    assert!(text(&run(&["history"]).stdout).lines().count() == 2);
}

/// The one object that a command prints.
fn object(folder: &Folder, url: &str, arguments: &[&str], code: i32) -> Value {
    let output = folder.run(Some(url), arguments);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", text(&output.stderr));
    let [event] = events(&output).try_into().unwrap_or_else(|events| panic!("{arguments:?}: {events:?}"));
    assert_eq!(event["command"], arguments[0]);
    assert_eq!(text(&output.stderr).contains("error: "), code != 0, "{arguments:?}: {}", text(&output.stderr));
    event
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_short_command_prints_one_object() {
    let (database, url, folder) = filled().await;
    let object = |arguments: &[&str], code: i32| object(&folder, &url, arguments, code);
    assert_eq!(object(&["pause", "--json"], 1)["event"], "failed");
    assert_eq!(object(&["resume", "--json"], 0)["event"], "nothing");
    assert_eq!(object(&["repair", "--json"], 0)["event"], "nothing");
    let mut start = Command::new(binary());
    start.arg("--dir").arg(folder.path()).args(["--url", &url, "start", "--pause", "-q"]);
    let mut start = start.spawn().expect("the binary runs");
    let admin = database.client().await;
    while ask(&admin, "SELECT count(*) FROM diptych.pauses").await == "0" {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(object(&["pause", "--json"], 0)["event"], "nothing");
    let resumed = object(&["resume", "--json"], 0);
    assert!(resumed["event"] == "done" && resumed["versions"] == serde_json::json!(["0002_change"]), "{resumed}");
    assert!(start.wait().expect("it ends").success());

    let app = format!("app_{}", database.name);
    must(&admin, &format!("CREATE ROLE {app}")).await;
    let changes = |event: &Value| {
        let roles = event["roles"].as_array().expect("a list").iter();
        roles.map(|role| role["change"].as_str().expect("a word").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(changes(&object(&["roles", &app, "--json"], 0)), ["made", "made"]);
    assert_eq!(changes(&object(&["roles", &app, "--json"], 0)), ["kept", "kept"]);
    assert_eq!(object(&["roles", "nobody_of_this_name", "--json"], 1)["event"], "failed");

    let triggers = "SELECT string_agg(tgname, ' ' ORDER BY tgname) FROM pg_trigger WHERE tgrelid = 'public.users'::regclass AND NOT tgisinternal";
    let (name, before) = (ask(&admin, &format!("SELECT split_part(({triggers}), ' ', 1)")).await, ask(&admin, triggers).await);
    assert_eq!(object(&["repair", "--dry-run", "--json"], 0)["objects"], serde_json::json!([]));
    let name = format!("\"{name}\"");
    must(&admin, &format!("DROP TRIGGER {name} ON public.users")).await;
    let damage = object(&["repair", "--dry-run", "--json"], 0);
    let [lost] = damage["objects"].as_array().expect("a list").as_slice() else { panic!("{damage}") };
    assert!(lost["what"].as_str().is_some_and(|what| what.contains(&name) && what.ends_with("was dropped")), "{damage}");
    let output = folder.run(Some(&url), &["repair", "--dry-run"]);
    assert!(
        text(&output.stdout).contains(&format!("would be put back by\n  DROP TRIGGER IF EXISTS {name} ON")),
        "{}",
        text(&output.stdout)
    );
    assert_ne!(ask(&admin, triggers).await, before, "a dry run changes something");
    // the statement that is told does it
    must(&admin, &format!("BEGIN; {}", lost["put_back"].as_str().expect("statements"))).await;
    assert_eq!(ask(&admin, triggers).await, before);
    must(&admin, "ROLLBACK").await;
    let repaired = object(&["repair", "--json"], 0);
    assert!(repaired["event"] == "repaired" && repaired["objects"][0] == lost["what"], "{repaired}");
    assert_eq!(ask(&admin, triggers).await, before);
    let column = "SELECT quote_ident(attname) FROM pg_attribute WHERE attrelid = 'public.users'::regclass AND attname LIKE '\\_diptych\\_new%'";
    let column = ask(&admin, column).await;
    must(&admin, &format!("ALTER TABLE public.users DROP COLUMN {column} CASCADE")).await;
    let output = folder.run(Some(&url), &["repair", "--dry-run", "--json"]);
    let damage = events(&output);
    let is_lost =
        |object: &Value| object["what"].as_str().is_some_and(|what| what.contains(&column)) && object["put_back"].is_null();
    let is_told = damage[0]["objects"].as_array().is_some_and(|objects| objects.iter().any(is_lost));
    assert!(output.status.code() == Some(1) && is_told, "{damage:?}");
    assert!(text(&output.stderr).contains("hint: run `rollback`"), "{}", text(&output.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_baseline_prints_one_object() {
    let (_database, url, folder) = filled().await;
    assert_eq!(object(&folder, &url, &["baseline", "--to", "0001_users", "--json"], 0)["event"], "nothing");
    assert_eq!(object(&folder, &url, &["baseline", "--json"], 1)["event"], "failed");
    let fresh = Database::new().await;
    must(&fresh.client().await, "CREATE TABLE public.users (id bigint PRIMARY KEY)").await;
    let url = server().url(&fresh.name);
    let shown = folder.run(Some(&url), &["baseline", "--to", "0001_users", "--dry-run", "--json"]);
    let (schema, shown): (Value, Value) = (schema(), serde_json::from_slice(&shown.stdout).expect("JSON alone"));
    assert_eq!(misfit(&schema, &schema["$defs"]["inventory"], &shown), None);
    let adopted = object(&folder, &url, &["baseline", "--to", "0001_users", "--json"], 0);
    assert_eq!(adopted["versions"], serde_json::json!(["0001_users"]));
}

#[test]
fn the_walk_through_the_schema_finds_what_does_not_fit() {
    let schema = schema();
    let good = serde_json::json!({"command": "start", "at": 1, "event": "nothing", "reason": "x"});
    assert_eq!(misfit(&schema, &schema, &good), None);
    for (name, value) in
        [("event", Value::from("other")), ("at", Value::from(-1)), ("reason", Value::Null), ("more", Value::from(1))]
    {
        let mut bad = good.clone();
        bad[name] = value;
        assert!(misfit(&schema, &schema, &bad).is_some(), "{bad}");
    }
}
