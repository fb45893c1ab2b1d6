//! Every statement of start, complete and rollback goes wrong once (R3): the tool is killed before it, or the server refuses it,
//! or the connection is lost before or after it. The same command run again finishes, or rollback restores.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use diptych::migrator::VersionState;
use diptych::{Migrator, Options, Outcome, Progress, Quiet};
use diptych_core::plan::{Action, Command};
use diptych_core::{Migration, names};
use diptych_tests::proxy::{Fault, Proxy};
use diptych_tests::{Database, ask, difference, migration, schema, seed};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::lifecycle::{Case, cases, known};

/// What goes wrong with the n-th statement.
#[derive(Clone, Copy, Debug)]
enum Blow {
    /// The tool is gone before it sends it.
    Kill { again: bool },
    /// It fails; every request counts, the bookkeeping as well. Which way it fails goes round from one to the next.
    Fault { offset: usize, again: bool },
}

/// Statements that were blown at already, each with the one before it, so that what is the same for every operation is not tried
/// with every operation; and how often that was so.
#[derive(Clone)]
struct Seen {
    statements: Arc<Mutex<BTreeSet<String>>>,
    left_out: Arc<AtomicUsize>,
    /// Draws the half that is tried.
    seed: u64,
}

/// Notes the statements of a run.
#[derive(Default)]
struct Listener {
    statements: Vec<String>,
}

impl Progress for Listener {
    fn statement(&mut self, sql: &str) {
        self.statements.push(sql.to_owned());
    }
}

/// Ends the run, session and all, before its n-th statement.
struct Killer {
    left: usize,
}

impl Progress for Killer {
    fn statement(&mut self, _: &str) {
        if self.left == 0 {
            // unwinds the task: the connection closes in the middle of whatever was under way
            std::panic::resume_unwind(Box::new("killed"));
        }
        self.left = self.left.saturating_sub(1);
    }
}

/// What became of a run.
#[derive(Debug)]
enum Run {
    /// Nothing was in its way.
    Finished,
    /// It met the blow, and went on to its end all the same.
    Survived,
    /// It met the blow and ended with a message.
    Ended,
}

async fn command(
    migrator: &mut Migrator,
    command: Command,
    all: &[Migration],
    progress: &mut dyn Progress,
) -> diptych::Result<Outcome> {
    match command {
        Command::Start => migrator.start(all, None, progress).await,
        Command::Complete => migrator.complete(progress).await,
        Command::Rollback => migrator.rollback(progress).await,
    }
}

/// Without a blow: it must finish.
async fn undisturbed(database: &Database, what: Command, all: &[Migration], place: &str) -> Outcome {
    let outcome = command(&mut database.migrator().await, what, all, &mut Quiet).await;
    outcome.unwrap_or_else(|error| panic!("{place}: {what} again: {error}"))
}

async fn run(database: &Database, what: Command, all: &[Migration], blow: Blow, at: usize) -> Run {
    match blow {
        Blow::Kill { .. } => {
            let (database, all) = (database.clone(), all.to_vec());
            let task = tokio::spawn(async move {
                let mut migrator = database.migrator().await;
                let outcome = command(&mut migrator, what, &all, &mut Killer { left: at }).await;
                outcome.unwrap_or_else(|error| panic!("{what}: {error}"));
            });
            match task.await {
                Ok(()) => Run::Finished,
                Err(error) => match error.into_panic().downcast::<&str>() {
                    Ok(word) if *word == "killed" => Run::Ended,
                    Ok(other) => panic!("{other}"),
                    Err(other) => std::panic::resume_unwind(other),
                },
            }
        }
        Blow::Fault { offset, .. } => {
            let fault = Fault::ALL[(at + offset) % Fault::ALL.len()];
            let proxy = Proxy::new(&database.config(), Some((at, fault)));
            let options =
                Options { base: database.base.clone(), timeout: std::time::Duration::from_secs(60), ..Options::default() };
            let outcome = async {
                let mut migrator = Migrator::connect(&proxy.config(&database.config()), options).await?;
                command(&mut migrator, what, all, &mut Quiet).await
            };
            match (outcome.await, proxy.struck()) {
                (Ok(_), false) => Run::Finished,
                (Ok(_), true) => Run::Survived,
                (Err(error), true) => {
                    assert!(!error.message().is_empty(), "{fault:?}: no message");
                    Run::Ended
                }
                (Err(error), false) => panic!("{what}, undisturbed: {error}"),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_before_every_statement() {
    every_case("crash", &[Blow::Kill { again: everything() }]).await;
}

/// `SHARD=2/12`: the second of twelve parts, for `FAULTS=all`, which is work for half a day.
fn shard() -> Option<(usize, usize)> {
    let text = std::env::var("SHARD").ok()?;
    let (own, all) = text.split_once('/').expect("SHARD=NUMBER/ALL");
    let (own, all) = (own.parse().expect("a number"), all.parse().expect("a number"));
    assert!((1..=all).contains(&own), "SHARD={text}");
    Some((own, all))
}

/// An eighth of the points, another eighth each time; with `FAULTS=once` each of them, with `FAULTS=all` each with every operation.
fn faults(wanted: &str) -> bool {
    std::env::var("FAULTS").is_ok_and(|value| value == wanted)
}

fn everything() -> bool {
    faults("all")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_statement_fails_once() {
    // each request fails in one way; in every way and with every operation, where FAULTS=all asks for it
    let again = everything();
    let ways = if again { Fault::ALL.len() } else { 1 };
    let blows: Vec<Blow> = (0..ways).map(|offset| Blow::Fault { offset, again }).collect();
    every_case("errors", &blows).await;
}

async fn every_case(name: &str, blows: &[Blow]) {
    let cases: &'static [Case] = cases().leak();
    let only = std::env::var("CASE").ok();
    let (mut points, mut failed) = (0, Vec::new());
    // most of a point is waiting: several cases at a time
    let room = Arc::new(Semaphore::new(6));
    let seen = Seen { statements: Arc::default(), left_out: Arc::default(), seed: seed(name).u64(..) };
    let mut tasks = JoinSet::new();
    let chosen: Vec<(usize, &'static Case)> =
        cases.iter().enumerate().filter(|(_, case)| only.as_deref().is_none_or(|only| case.name.contains(only))).collect();
    let shard = shard();
    let blows = chosen.iter().flat_map(|chosen| blows.iter().map(move |blow| (chosen, blow)));
    for (at, (&(number, case), blow)) in blows.enumerate() {
        if shard.is_none_or(|(own, all)| at % all == own - 1) {
            let blow = match *blow {
                Blow::Fault { offset, again } => Blow::Fault { offset: offset + number * 3, again },
                blow @ Blow::Kill { .. } => blow,
            };
            let (room, seen) = (Arc::clone(&room), seen.clone());
            tasks.spawn(async move {
                let _turn = room.acquire_owned().await;
                (case.name, tokio::spawn(every_point(case, blow, seen)).await.ok())
            });
        }
    }
    while let Some(ended) = tasks.join_next().await {
        match ended.expect("a case") {
            (_, Some(count)) => points += count,
            (case, None) => failed.push(case),
        }
    }
    println!(
        "{name}: {points} points tried over {} cases, {} failures ({} more were the same statement after the same one, one look of preflight after another, or were not drawn)",
        chosen.len(),
        failed.len(),
        seen.left_out.load(Ordering::Relaxed)
    );
    assert!(failed.is_empty(), "{failed:?}");
}

/// Which points of a command to try: all of them, or those whose request has not failed yet.
struct Points {
    requests: Option<Vec<String>>,
    /// What preflight asks: between one look and the next nothing is changed, so that the first of them stands for all.
    looks: BTreeSet<String>,
    command: Command,
    seen: Seen,
}

impl Points {
    /// Runs the command once, undisturbed, and notes its requests.
    async fn of(database: &Database, command: Command, all: &[Migration], blow: Blow, seen: &Seen) -> Self {
        let plan = database.migrator().await.plan(command, all, None).await.expect("a plan");
        let looks = plan.iter().flat_map(|plan| &plan.steps).filter_map(|step| match &step.action {
            Action::Check { sql, .. } if step.path.is_own() => Some(sql.to_string()),
            Action::Check { sql, .. } => Some(format!("{}; {sql}", step.path.set_local())),
            _ => None,
        });
        let looks = looks.collect();
        let requests = match blow {
            Blow::Kill { again: true } | Blow::Fault { again: true, .. } => None,
            Blow::Kill { again: false } => {
                let mut listener = Listener::default();
                let outcome = self::command(&mut database.migrator().await, command, all, &mut listener).await;
                outcome.unwrap_or_else(|error| panic!("{command}: {error}"));
                Some(listener.statements)
            }
            Blow::Fault { .. } => {
                let proxy = Proxy::new(&database.config(), None);
                let mut migrator = database.migrator_over(&proxy.config(&database.config())).await;
                self::command(&mut migrator, command, all, &mut Quiet).await.unwrap_or_else(|error| panic!("{command}: {error}"));
                Some(proxy.requests())
            }
        };
        Points { requests, looks, command, seen: seen.clone() }
    }

    /// Whether a point is worth a try.
    fn wants(&self, at: usize) -> bool {
        let Some(requests) = &self.requests else { return true };
        let Some(request) = requests.get(at) else { return true };
        let before = at.checked_sub(1).map_or("", |before| requests[before].as_str());
        let key = format!("{} {} {}", self.command, alike(before), alike(request));
        let looking = self.looks.contains(request) && self.looks.contains(before);
        let drawn = faults("once") || names::hash(&format!("{} {key}", self.seen.seed)).is_multiple_of(8);
        let fresh = !looking && self.seen.statements.lock().expect("no panic while held").insert(key) && drawn;
        if !fresh {
            self.seen.left_out.fetch_add(1, Ordering::Relaxed);
        }
        fresh
    }
}

/// A request without what differs from run to run: the run's token, the number of the step.
fn alike(request: &str) -> String {
    let end = request.find("INSERT INTO diptych.journal").unwrap_or(request.len());
    match request[..end].split_once("SELECT diptych.fence(") {
        Some((before, rest)) => format!("{before}{}", rest.split_once(')').map_or("", |(_, rest)| rest)),
        None => request[..end].to_owned(),
    }
}

async fn every_point(case: &'static Case, blow: Blow, seen: Seen) -> usize {
    let all = [migration("0001_before", case.before), migration("0002_change", case.change)];
    let ready = Database::new().await;
    ready.migrate(&all[..1]).await;
    let client = ready.on("0001_before").await;
    for statement in case.seed.split("; ") {
        assert_eq!(ask(&client, statement).await, "", "{}: {statement}", case.name);
    }
    drop(client);
    let (before, fresh) = (ready.catalog().await, ready.fresh_catalog(&schema(&all)).await);
    let mut points = 0;
    let state = async |database: &Database| {
        let status = database.migrator().await.status(&all).await.expect("a status");
        (status.live, status.pending.map(|pending| pending.state))
    };

    // start: then run again or rolled back, in turn; one database serves all points, since each leads back
    // a start after a rollback has its tombstones to remove: that is the one that all points but the first meet
    undisturbed(&ready, Command::Start, &all, case.name).await;
    undisturbed(&ready, Command::Rollback, &all, case.name).await;
    let starting = Points::of(&ready, Command::Start, &all, blow, &seen).await;
    let undoing = Points::of(&ready, Command::Rollback, &all, blow, &seen).await;
    undisturbed(&ready, Command::Rollback, &all, case.name).await;
    for at in (0..).filter(|at| starting.wants(*at)) {
        let met = run(&ready, Command::Start, &all, blow, at).await;
        let place = format!("{}: start, {blow:?} at statement {at}", case.name);
        let (_, pending) = state(&ready).await;
        match met {
            Run::Finished | Run::Survived => assert_eq!(pending, Some(VersionState::Started), "{place}"),
            Run::Ended => {
                assert!(matches!(pending, None | Some(VersionState::Starting | VersionState::Started)), "{place}: {pending:?}");
                if pending == Some(VersionState::Starting) {
                    let refused = ready.migrator().await.complete(&mut Quiet).await;
                    assert!(refused.is_err_and(|error| error.is_refused()), "{place}: complete went on");
                }
                if at % 2 == 0 {
                    undisturbed(&ready, Command::Start, &all, &place).await;
                    assert_eq!(state(&ready).await.1, Some(VersionState::Started), "{place}");
                }
            }
        }
        undisturbed(&ready, Command::Rollback, &all, &place).await;
        let after = ready.catalog().await;
        assert_eq!(before, after, "{place}, rolled back\n{}", difference(&before, &after));
        if matches!(met, Run::Finished) {
            break;
        }
        points += 1;
    }

    // rollback: then run again
    for at in (0..).filter(|at| undoing.wants(*at)) {
        undisturbed(&ready, Command::Start, &all, case.name).await;
        let met = run(&ready, Command::Rollback, &all, blow, at).await;
        let place = format!("{}: rollback, {blow:?} at statement {at}", case.name);
        if !matches!(met, Run::Ended) {
            assert_eq!(state(&ready).await.1, None, "{place}");
        }
        undisturbed(&ready, Command::Rollback, &all, &place).await;
        let after = ready.catalog().await;
        assert_eq!(before, after, "{place}, run again\n{}", difference(&before, &after));
        if matches!(met, Run::Finished) {
            break;
        }
        points += 1;
    }

    // complete: then run again, each on a copy
    undisturbed(&ready, Command::Start, &all, case.name).await;
    let copy = ready.copy().await;
    let completing = Points::of(&copy, Command::Complete, &all, blow, &seen).await;
    copy.remove().await;
    for at in (0..).filter(|at| completing.wants(*at)) {
        let copy = ready.copy().await;
        let met = run(&copy, Command::Complete, &all, blow, at).await;
        let place = format!("{}: complete, {blow:?} at statement {at}", case.name);
        let (live, pending) = state(&copy).await;
        match (&met, pending) {
            (Run::Ended, Some(VersionState::Completing)) => {
                // as long as nothing is contracted, there is a way back
                let done = copy.migrator().await.status(&all).await.expect("a status").pending.expect("a version").steps_done;
                match copy.migrator().await.rollback(&mut Quiet).await {
                    Ok(_) => {
                        assert_eq!(done, 0, "{place}: rollback went on");
                        let after = copy.catalog().await;
                        assert_eq!(before, after, "{place}, rolled back\n{}", difference(&before, &after));
                        undisturbed(&copy, Command::Start, &all, &place).await;
                    }
                    Err(error) => assert!(error.is_refused(), "{place}: {error}"),
                }
                undisturbed(&copy, Command::Complete, &all, &place).await;
            }
            (Run::Ended, Some(VersionState::Started)) => {
                undisturbed(&copy, Command::Complete, &all, &place).await;
            }
            (_, pending) => assert_eq!((live.as_deref(), pending), (Some("0002_change"), None), "{place}"),
        }
        let after = known(copy.catalog().await);
        assert_eq!(fresh, after, "{place}, run again\n{}", difference(&fresh, &after));
        copy.remove().await;
        if matches!(met, Run::Finished) {
            break;
        }
        points += 1;
    }
    points
}
