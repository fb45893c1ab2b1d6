//! The files for pipelines (`examples/pipelines`): each command in them is run as it stands there, with the built binary on a real database.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use diptych_tests::{Database, ask, server};
use serde::Deserialize;
use serde_yaml::Value;

use crate::cli::{Folder, GOOD, binary, text};

const MAIL: &str = "operations: [{add_column: {table: users, column: {name: mail, type: text, nullable: true}}}]";

/// The app of both images and of the unit: it writes what only the newer version has.
const SHOP: &str =
    r#"exec psql -qXv ON_ERROR_STOP=1 "$DATABASE_URL" -c "INSERT INTO users (id, mail) SELECT count(*), 'a@b.c' FROM users""#;

/// The team's own part of a blue-green deploy, with processes that hold their version.
const ACTION: &str = r#"case "$*" in
"deploy green") diptych run -- sleep 600 >/dev/null 2>&1 & echo $! >green.pid ;;
"healthy green") [ ! -e sick ] && diptych run -- shop ;;
switch*) echo "$2" >serving ;;
stop*) kill "$(cat "$2.pid")"; while [ -d "/proc/$(cat "$2.pid")" ] && ! grep -q '^State:.Z' "/proc/$(cat "$2.pid")/status"; do sleep 0.05; done ;;
*) exit 2 ;;
esac"#;

/// Which commands no test runs, and why.
const NOT_RUN: [(&str, &str); 9] = [
    ("github/check.yml: plan: install the binary", "downloads the archive of a release"),
    ("github/deploy.yml: start: install the binary", "downloads the archive of a release"),
    ("github/deploy.yml: complete: install the binary", "downloads the archive of a release"),
    ("github/by-hand.yml: end: install the binary", "downloads the archive of a release"),
    ("github/fleet.yml: first: install the binary", "downloads the archive of a release"),
    ("github/fleet.yml: others: install the binary", "downloads the archive of a release"),
    ("github/check.yml: plan: comment", "writes to a pull request on GitHub"),
    ("gitlab/gitlab-ci.yml: .diptych: before_script 1", "downloads the archive of a release"),
    ("gitlab/gitlab-ci.yml: check: script 7", "writes to a merge request on GitLab"),
];
/// Likewise, in the Dockerfile.
const NOT_BUILT: [(&str, &str); 1] =
    [("docker/Dockerfile: build: RUN", "downloads the crate of a release, and its dependencies")];

/// What a database has before a scene.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    Nothing,
    First,
    Both,
}

/// Commands of one file, in the order in which that system runs them, and the version that is live afterwards.
struct Scene {
    before: Before,
    commands: &'static [&'static str],
    live: &'static str,
    pending: Option<&'static str>,
    /// What `${{ … }}` stands for besides the database.
    inputs: &'static [(&'static str, &'static str)],
    /// Rows that the app has written.
    rows: &'static str,
}

const fn scene(before: Before, commands: &'static [&'static str], live: &'static str, pending: Option<&'static str>) -> Scene {
    Scene { before, commands, live, pending, inputs: &[], rows: "0" }
}

/// What the expressions of `fleet.yml` stand for.
const fn fleet(command: &'static str) -> [(&'static str, &'static str); 5] {
    [
        ("secrets[fromJSON(vars.FLEET)[0]]", ""),
        ("fromJSON(vars.FLEET)[0]", "ACME"),
        ("secrets[matrix.database]", ""),
        ("matrix.database", "GLOBEX"),
        ("inputs.command", command),
    ]
}

const ONE: &str = "0001_users";
const TWO: &str = "0002_mail";

fn scenes() -> Vec<Scene> {
    use Before::{Both, First, Nothing};
    let by_hand: &[&str] = &["github/by-hand.yml: end: who is on which version", "github/by-hand.yml: end: end it"];
    let fleet_first: &[&str] = &[
        "github/fleet.yml: first: what would be run",
        "github/fleet.yml: first: carry it out",
        "github/fleet.yml: first: how it stands",
    ];
    let fleet_others: &[&str] = &["github/fleet.yml: others: carry it out", "github/fleet.yml: others: how it stands"];
    vec![
        scene(
            Nothing,
            &[
                "github/check.yml: plan: service shadow",
                "github/check.yml: plan: the files are in order",
                "github/check.yml: plan: the shadow database becomes what the base branch has",
                "github/check.yml: plan: what would be run",
            ],
            ONE,
            None,
        ),
        Scene {
            rows: "1",
            ..scene(
                First,
                &[
                    "github/deploy.yml: start: what will be run",
                    "github/deploy.yml: start: the new version comes beside the old one",
                    "github/deploy.yml: release: your own deploy, of whatever kind",
                    "github/deploy.yml: complete: the old version goes when its last process has gone",
                ],
                TWO,
                None,
            )
        },
        Scene { inputs: &[("inputs.command", "complete")], ..scene(Both, by_hand, TWO, None) },
        Scene { inputs: &[("inputs.command", "rollback")], ..scene(Both, by_hand, ONE, None) },
        Scene { inputs: const { &fleet("start") }, ..scene(First, fleet_first, ONE, Some(TWO)) },
        Scene { inputs: const { &fleet("complete") }, ..scene(Both, fleet_others, TWO, None) },
        Scene { inputs: const { &fleet("rollback") }, ..scene(Both, fleet_first, ONE, None) },
        scene(
            Nothing,
            &[
                "gitlab/gitlab-ci.yml: check: script 1",
                "gitlab/gitlab-ci.yml: check: script 2",
                "gitlab/gitlab-ci.yml: check: script 3",
                "gitlab/gitlab-ci.yml: check: script 4",
                "gitlab/gitlab-ci.yml: check: script 5",
                "gitlab/gitlab-ci.yml: check: script 6",
            ],
            ONE,
            None,
        ),
        Scene {
            rows: "1",
            ..scene(
                First,
                &[
                    "gitlab/gitlab-ci.yml: start: script 1",
                    "gitlab/gitlab-ci.yml: start: script 2",
                    "gitlab/gitlab-ci.yml: release: script 1",
                    "gitlab/gitlab-ci.yml: complete: script 1",
                ],
                TWO,
                None,
            )
        },
        scene(Both, &["gitlab/gitlab-ci.yml: rollback: script 1"], ONE, None),
        Scene { rows: "1", ..scene(First, &["docker/Dockerfile: tool", "docker/Dockerfile: app"], ONE, Some(TWO)) },
        Scene {
            rows: "1",
            ..scene(
                First,
                &[
                    "docker/compose.yml: database: healthcheck",
                    "docker/compose.yml: start",
                    "docker/compose.yml: app",
                    "docker/compose.yml: complete",
                ],
                TWO,
                None,
            )
        },
        scene(Both, &["docker/compose.yml: rollback"], ONE, None),
        scene(
            First,
            &["kubernetes/job.yaml: Job shop-start: diptych", "kubernetes/job.yaml: CronJob shop-complete: diptych"],
            TWO,
            None,
        ),
        Scene {
            rows: "1",
            ..scene(
                First,
                &["kubernetes/deployment.yaml: Deployment shop: start", "kubernetes/deployment.yaml: Deployment shop: shop"],
                ONE,
                Some(TWO),
            )
        },
        Scene {
            rows: "1",
            ..scene(
                First,
                &[
                    "helm/templates/start.yaml: Job {{ .Release.Name }}-start: diptych",
                    "helm/templates/deployment.yaml: Deployment {{ .Release.Name }}: app",
                    "helm/templates/complete.yaml: CronJob {{ .Release.Name }}-complete: diptych",
                ],
                TWO,
                None,
            )
        },
        scene(Both, &["helm/templates/rollback.yaml: Job {{ .Release.Name }}-rollback: diptych"], ONE, None),
        Scene {
            rows: "1",
            ..scene(
                First,
                &[
                    "argocd/sync.yaml: Job shop-start: diptych",
                    "argocd/sync.yaml: Deployment shop: shop",
                    "argocd/sync.yaml: Job shop-complete: diptych",
                ],
                TWO,
                None,
            )
        },
        Scene {
            rows: "1",
            ..scene(
                First,
                &[
                    "systemd/shop-start.service: ExecStart",
                    "systemd/shop.service: ExecStart",
                    "systemd/shop-complete.service: ExecStart",
                ],
                TWO,
                None,
            )
        },
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_of_a_file_works() {
    let found = commands();
    let mut run = BTreeSet::new();
    for scene in scenes() {
        let place = Place::new(scene.before).await;
        for name in scene.commands {
            let command = found.get(*name).unwrap_or_else(|| panic!("no file has `{name}`: {:#?}", found.keys()));
            // the release that a rollback of Helm's leads back to has the older folder
            let folder = if name.contains("helm/templates/rollback") { "base/migrations" } else { "migrations" };
            let output = place.run(command, folder, scene.inputs);
            assert!(output.status.success(), "{name}:\n{}\n{}{}", command.script, text(&output.stdout), text(&output.stderr));
            run.insert((*name).to_owned());
        }
        let at = scene.commands[0];
        assert_eq!(place.state(), (scene.live.to_owned(), scene.pending.map(str::to_owned)), "{at}");
        assert_eq!(ask(&place.database.client().await, "SELECT count(*) FROM public.users").await, scene.rows, "{at}");
        if let Ok(plan) = std::fs::read_to_string(place.folder.path().join("plan.md")) {
            assert!(plan.starts_with("### Migration `0002_mail`"), "{at}: {plan}");
        }
        if let Ok(summary) = std::fs::read_to_string(place.folder.path().join("summary.md")) {
            assert!(summary.contains("### ACME\n```\n") || summary.contains("### GLOBEX\n```\n"), "{at}: {summary}");
            assert!(summary.contains(scene.live), "{at}: {summary}");
        }
        if let Ok(page) = std::fs::read_to_string(place.folder.path().join("plan.html")) {
            assert!(page.contains("<title>Migration 0002_mail after 0001_users"), "{at}: {page}");
        }
        if let Ok(log) = std::fs::read_to_string(place.folder.path().join("check.sarif")) {
            assert!(log.contains(r#""version": "2.1.0""#), "{at}: {log}");
        }
    }
    for (name, reason) in NOT_RUN.into_iter().chain(NOT_BUILT) {
        assert!(run.insert(name.to_owned()), "{name} is run");
        println!("not run: {name}: {reason}");
    }
    let all: BTreeSet<String> = found.into_keys().collect();
    assert_eq!(all, run, "a command of a file is run here, or has its reason");
    println!("pipelines: {} commands of {} files, {} run", all.len(), files().len(), all.len() - NOT_RUN.len() - NOT_BUILT.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn blue_green_goes_on_or_back() {
    let script = root().join("blue-green.sh");
    for (is_sick, live, serving, rows) in [(false, TWO, "green\n", "1"), (true, ONE, "blue\n", "0")] {
        let place = Place::new(Before::First).await;
        let folder = place.folder.path();
        if is_sick {
            std::fs::write(folder.join("sick"), "").expect("a file");
        }
        let blue = place.command("diptych").args(["run", "--version", ONE, "--", "sleep", "600"]).stdout(Stdio::null()).spawn();
        let mut blue = blue.expect("blue runs");
        std::fs::write(folder.join("blue.pid"), blue.id().to_string()).expect("a file");
        let output =
            place.command("bash").arg(&script).arg(folder.join("bin/action")).env("SOAK", "0").output().expect("bash runs");
        assert_eq!(output.status.success(), !is_sick, "{}{}", text(&output.stdout), text(&output.stderr));
        assert_eq!(place.state(), (live.to_owned(), None), "{}", text(&output.stderr));
        assert_eq!(std::fs::read_to_string(folder.join("serving")).expect("somebody serves"), serving);
        assert_eq!(blue.try_wait().expect("a process").is_some(), !is_sick, "blue goes when green has taken over");
        assert_eq!(ask(&place.database.client().await, "SELECT count(*) FROM public.users").await, rows);
        for colour in ["blue", "green"] {
            let stop = place.command("bash").args(["-c", &format!("kill $(cat {colour}.pid)")]).stderr(Stdio::null()).status();
            stop.expect("bash runs");
        }
        blue.wait().expect("blue ends");
    }
}

#[test]
fn every_file_is_on_the_page() {
    let page = std::fs::read_to_string(root().join("../../docs/pipelines.md")).expect("the page");
    for file in files().keys() {
        assert!(page.contains(&format!("[{file}](../examples/pipelines/{file})")), "docs/pipelines.md does not have {file}");
    }
}

/// The address that `cargo binstall` makes, of this version, and that the release workflow uploads to.
#[test]
fn every_download_is_an_archive_of_a_release() {
    let text = |path: &str| std::fs::read_to_string(root().join("../..").join(path)).expect("a file");
    let manifest = text("xtask/Cargo.toml");
    let template =
        manifest.lines().find_map(|line| line.strip_prefix("pkg-url = ")).expect("the address").trim_matches('"').to_owned();
    let address = template.replace("{ repo }", env!("CARGO_PKG_REPOSITORY")).replace("{ version }", env!("CARGO_PKG_VERSION"));
    let (folder, archive) = address.rsplit_once('/').expect("an address");
    assert!(text(".ci/archive").contains(&format!("archive={}", archive.replace("{ target }", "$target"))), "{archive}");
    let workflow = &documents(&text(".github/workflows/release.yml"))[0];
    let matrix = list(&workflow["jobs"]["archive"]["strategy"]["matrix"]["include"]);
    let archives: Vec<String> =
        matrix.iter().map(|row| archive.replace("{ target }", row["target"].as_str().expect("a target"))).collect();
    let mut downloads = 0;
    for (file, text) in files() {
        for line in text.lines().filter(|line| line.contains("DIPTYCH_RELEASE")) {
            match line.split_once("DIPTYCH_RELEASE: ") {
                Some((_, there)) => assert_eq!(there, folder, "{file}"),
                None => assert!(archives.iter().any(|archive| line.contains(&format!("/{archive}"))), "{file}: {line}"),
            }
            downloads += 1;
        }
    }
    assert!(downloads >= 8 && archives.len() >= 4, "{downloads} lines, {archives:?}");
}

/// A checkout with both migrations and `base` as the older branch has it, a database, and programs on the path.
struct Place {
    folder: Folder,
    database: Database,
    url: String,
}

impl Place {
    async fn new(before: Before) -> Self {
        let folder = Folder::new(&[]);
        let database = Database::new().await;
        let url = server().url(&database.name);
        let place = Place { folder, database, url };
        let at = place.folder.path();
        for folder in ["bin", "migrations"] {
            std::fs::create_dir(at.join(folder)).expect("a folder");
        }
        std::os::unix::fs::symlink(binary(), at.join("bin/diptych")).expect("a link");
        for (name, script) in [("bin/shop", SHOP), ("bin/action", ACTION), ("deploy.sh", "exec diptych run -- shop")] {
            let path = at.join(name);
            std::fs::write(&path, format!("#!/usr/bin/env bash\n{script}\n")).expect("a file");
            std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("permissions");
        }
        std::fs::write(at.join("migrations/0001_users.yaml"), GOOD).expect("a file");
        place.shell("git init -q -b main && git add migrations && git -c user.name=a -c user.email=a@b.c commit -qm first && git remote add origin .");
        std::fs::write(at.join("migrations/0002_mail.yaml"), MAIL).expect("a file");
        match before {
            // the pipeline itself makes `base` in GitLab's file; in GitHub's a checkout does, which is an action
            Before::Nothing => {}
            Before::First | Before::Both => {
                place.shell("git worktree add -q --detach base main");
                place.shell("diptych start --to 0001_users && diptych complete");
            }
        }
        if before == Before::Both {
            place.shell("diptych start");
        }
        place
    }

    /// A program with the environment of a scene.
    fn command(&self, program: &str) -> Command {
        let at = self.folder.path();
        let path = format!("{}:{}:/usr/local/bin:/usr/bin:/bin", at.join("bin").display(), server().bin_dir().display());
        let found = at.join("bin").join(program);
        let mut command = Command::new(if found.exists() { found } else { PathBuf::from(program) });
        command.current_dir(at).env("PATH", path).env("DATABASE_URL", &self.url).env("HOME", at);
        let config = server().config(&self.database.name);
        if let Some(tokio_postgres::config::Host::Unix(socket)) = config.get_hosts().first() {
            command.env("PGHOST", socket);
        }
        command.env("CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "main").env("GITHUB_STEP_SUMMARY", at.join("summary.md"));
        command
    }

    fn shell(&self, script: &str) {
        let output = self.command("bash").args(["-eo", "pipefail", "-c", script]).output().expect("bash runs");
        assert!(output.status.success(), "{script}: {}", text(&output.stderr));
    }

    /// Runs a command as its file has it; what is in a fixed place in an image or on a server is in this folder.
    fn run(&self, command: &Found, migrations: &str, inputs: &[(&str, &str)]) -> Output {
        let at = self.folder.path();
        if command.needs_base && !at.join("base").exists() {
            self.shell("git worktree add -q --detach base main");
        }
        let mut script = command.script.clone();
        for (fixed, here) in [
            ("/usr/local/bin/diptych", "bin/diptych"),
            ("/srv/shop/migrations", migrations),
            ("/srv/shop/bin/shop", "bin/shop"),
            ("/app/shop", "bin/shop"),
        ] {
            script = script.replace(fixed, &at.join(here).display().to_string());
        }
        script = script.replace("--dir /migrations", &format!("--dir {}", at.join(migrations).display()));
        let mut shell = self.command("bash");
        for (name, value) in &command.environment {
            let value = match value.strip_prefix("${{ ").and_then(|rest| rest.strip_suffix(" }}")) {
                Some("secrets.DATABASE_URL") => continue,
                Some(expression) => inputs
                    .iter()
                    .find(|(input, _)| *input == expression)
                    .unwrap_or_else(|| panic!("the scene does not say what `{expression}` is"))
                    .1
                    .to_owned(),
                None => value.clone(),
            };
            if name != "DATABASE_URL" {
                shell.env(name, value);
            }
        }
        shell.args(["-eo", "pipefail", "-c", &script]).output().expect("bash runs")
    }

    /// The live version, and the one that is started.
    fn state(&self) -> (String, Option<String>) {
        let output = self.command("diptych").args(["status", "--json"]).output().expect("the binary runs");
        let status: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let pending = status["pending"]["version"].as_str().map(str::to_owned);
        (status["live"].as_str().unwrap_or_default().to_owned(), pending)
    }
}

/// A command of a file.
struct Found {
    script: String,
    environment: Vec<(String, String)>,
    /// Whether an action has put the older branch beside the checkout.
    needs_base: bool,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/pipelines")
}

/// Every file, by its path below the folder.
fn files() -> BTreeMap<String, String> {
    let (mut found, mut open) = (BTreeMap::new(), vec![root()]);
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(root()).expect("below the root").display().to_string();
                found.insert(name, std::fs::read_to_string(&path).expect("a text"));
            }
        }
    }
    found
}

/// Every command in every file, by file and place.
fn commands() -> BTreeMap<String, Found> {
    let files = files();
    let images = images(&files["docker/Dockerfile"]);
    let mut all = BTreeMap::new();
    for (file, text) in &files {
        let found = match file.as_str() {
            "docker/Dockerfile" => dockerfile(text, &images),
            "docker/compose.yml" => compose(text, &images),
            file if file.starts_with("github/") => github(text),
            file if file.starts_with("gitlab/") => gitlab(text),
            file if file.starts_with("systemd/") => systemd(text),
            // run as a whole by a test of its own; without commands
            "blue-green.sh" | "helm/Chart.yaml" | "helm/values.yaml" => Vec::new(),
            _ => kubernetes(text, &images),
        };
        for (place, command) in found {
            let name = format!("{file}: {place}");
            assert!(all.insert(name.clone(), command).is_none(), "{name} is there twice");
        }
    }
    all
}

fn plain(script: String) -> Found {
    Found { script, environment: Vec::new(), needs_base: false }
}

fn documents(text: &str) -> Vec<Value> {
    serde_yaml::Deserializer::from_str(text).map(|document| Value::deserialize(document).expect("YAML")).collect()
}

/// The entries of a mapping, in its order; none where there is none.
fn entries(value: &Value) -> Vec<(String, &Value)> {
    let mapping = value.as_mapping().into_iter().flatten();
    mapping.map(|(name, value)| (name.as_str().unwrap_or_default().to_owned(), value)).collect()
}

fn list(value: &Value) -> &[Value] {
    value.as_sequence().map_or(&[], Vec::as_slice)
}

/// The words of a command in exec form.
fn words(value: &Value) -> Vec<String> {
    list(value).iter().map(|word| word.as_str().expect("a word").to_owned()).collect()
}

fn github(text: &str) -> Vec<(String, Found)> {
    let document = &documents(text)[0];
    let mut found = Vec::new();
    for (job, value) in entries(&document["jobs"]) {
        for (service, value) in entries(&value["services"]) {
            let options = value["options"].as_str().unwrap_or_default();
            let health = options.split_once("--health-cmd ").expect("a health check").1;
            found.push((format!("{job}: service {service}"), plain(health.split(' ').next().unwrap_or_default().to_owned())));
        }
        let needs_base = list(&value["steps"]).iter().any(|step| step["with"]["path"].as_str() == Some("base"));
        for step in list(&value["steps"]) {
            let Some(script) = step["run"].as_str() else {
                let known = ["actions/checkout@", "actions/upload-artifact@", "github/codeql-action/upload-sarif@"];
                let is_known = |action: &str| known.iter().any(|known| action.starts_with(known));
                assert!(step["uses"].as_str().is_some_and(is_known), "{step:?}");
                continue;
            };
            assert!(!script.contains("${{"), "an expression in a script is an injection: {script}");
            let environment = [&document["env"], &value["env"], &step["env"]].into_iter().flat_map(entries);
            let environment = environment.map(|(name, value)| (name, value.as_str().expect("a text").to_owned())).collect();
            let name = step["name"].as_str().expect("a step has a name");
            found.push((format!("{job}: {name}"), Found { script: script.to_owned(), environment, needs_base }));
        }
    }
    found
}

fn gitlab(text: &str) -> Vec<(String, Found)> {
    let mut found = Vec::new();
    for (job, value) in entries(&documents(text)[0]) {
        for part in ["before_script", "script"] {
            for (at, line) in list(&value[part]).iter().enumerate() {
                found.push((format!("{job}: {part} {}", at + 1), plain(line.as_str().expect("a line").to_owned())));
            }
        }
    }
    found
}

/// What the images run, without a word of one's own: what stands before the words, and the words.
struct Image {
    entry: Vec<String>,
    words: Vec<String>,
}

fn images(dockerfile: &str) -> BTreeMap<String, Image> {
    let mut images = BTreeMap::new();
    for stage in dockerfile.split("\nFROM ").skip(1) {
        let (head, rest) = stage.split_once('\n').expect("a stage");
        let name = head.split_once(" AS ").map_or("tool", |(_, name)| name).to_owned();
        let form = |word: &str| {
            let line = rest.lines().find_map(|line| line.strip_prefix(word)).unwrap_or("[]");
            serde_json::from_str::<Vec<String>>(line).expect("the exec form")
        };
        images.insert(name, Image { entry: form("ENTRYPOINT "), words: form("CMD ") });
    }
    images
}

fn exec(entry: &[String], words: &[String]) -> Found {
    let all: Vec<&str> = entry.iter().chain(words).map(String::as_str).collect();
    // none of them needs quotes, so that they are the same words for a shell
    assert!(all.iter().all(|word| word.chars().all(|c| c.is_ascii_alphanumeric() || "/-_.".contains(c))), "{all:?}");
    plain(all.join(" "))
}

fn dockerfile(text: &str, images: &BTreeMap<String, Image>) -> Vec<(String, Found)> {
    let mut found: Vec<(String, Found)> = images
        .iter()
        .filter(|(_, image)| !image.entry.is_empty())
        .map(|(name, image)| (name.clone(), exec(&image.entry, &image.words)))
        .collect();
    for stage in text.split("\nFROM ").skip(1) {
        let name = stage.lines().next().and_then(|head| head.split_once(" AS ")).map_or("tool", |(_, name)| name);
        let runs = stage.lines().filter_map(|line| line.strip_prefix("RUN "));
        found.extend(runs.map(|script| (format!("{name}: RUN"), plain(script.to_owned()))));
    }
    found
}

fn compose(text: &str, images: &BTreeMap<String, Image>) -> Vec<(String, Found)> {
    let mut found = Vec::new();
    for (service, value) in entries(&documents(text)[0]["services"]) {
        if let [kind, test @ ..] = words(&value["healthcheck"]["test"]).as_slice() {
            assert_eq!(kind, "CMD");
            found.push((format!("{service}: healthcheck"), exec(test, &[])));
        }
        if value.get("build").is_some() {
            let image = &images[value["build"]["target"].as_str().unwrap_or("tool")];
            let own = words(&value["command"]);
            found.push((service, exec(&image.entry, if own.is_empty() { &image.words } else { &own })));
        }
    }
    found
}

fn kubernetes(text: &str, images: &BTreeMap<String, Image>) -> Vec<(String, Found)> {
    let mut found = Vec::new();
    for document in documents(text) {
        let object =
            format!("{} {}", document["kind"].as_str().expect("a kind"), document["metadata"]["name"].as_str().expect("a name"));
        let spec = &document["spec"];
        let pod = if spec.get("jobTemplate").is_some() { &spec["jobTemplate"]["spec"]["template"] } else { &spec["template"] };
        for container in ["initContainers", "containers"].iter().flat_map(|kind| list(&pod["spec"][*kind])) {
            let of_image = container["image"].as_str().expect("an image");
            let is_tool = of_image.contains("/migrations:") || of_image.contains(".migrations ");
            let image = &images[if is_tool { "tool" } else { "app" }];
            let (entry, own) = (words(&container["command"]), words(&container["args"]));
            let entry = if entry.is_empty() { &image.entry } else { &entry };
            let name = container["name"].as_str().expect("a name");
            found.push((format!("{object}: {name}"), exec(entry, if own.is_empty() { &image.words } else { &own })));
        }
    }
    found
}

fn systemd(text: &str) -> Vec<(String, Found)> {
    let lines = text.lines().filter_map(|line| line.split_once('=')).filter(|(name, _)| name.starts_with("Exec"));
    lines.map(|(name, command)| (name.to_owned(), plain(command.to_owned()))).collect()
}
