//! Every statement of start, complete and rollback goes wrong once (R3): the tool is killed before it, or the server refuses it,
//! or the connection is lost before or after it. The same command run again finishes, or rollback restores.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use diptych::migrator::VersionState;
use diptych::{Migrator, Options, Outcome, Progress, Quiet};
use diptych_core::plan::Command;
use diptych_core::{Migration, names};
use diptych_tests::proxy::{Fault, Proxy};
use diptych_tests::{Database, ask, difference, migration, schema, seed};
use futures_util::{StreamExt, stream};

use crate::lifecycle::{Case, cases, known};

/// What goes wrong with the n-th statement.
#[derive(Clone, Copy, Debug)]
enum Blow {
    /// The tool is gone before it sends it.
    Kill,
    /// It fails; every request counts, the bookkeeping as well. Which way it fails goes round from one to the next.
    Fault { offset: usize },
}

/// Statements that were blown at already, each with the one before it, so that what is the same for every operation is not tried
/// with every operation; and how often that was so.
#[derive(Clone)]
struct Seen {
    statements: Arc<Mutex<BTreeSet<String>>>,
    left_out: Arc<AtomicUsize>,
    /// Draws what is tried.
    seed: u64,
    extent: Extent,
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
        Blow::Kill => {
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
        Blow::Fault { offset } => {
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

/// How many of the points are tried.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Extent {
    /// One case in two and of those one point in so many, others each time.
    Drawn(u64),
    /// `FAULTS=once`: each of them, but no statement after the same one twice, whatever the operation.
    Once,
    /// `FAULTS=all`: each with every operation, and each way in which a statement can fail.
    All,
}

impl Extent {
    fn asked() -> Self {
        match std::env::var("FAULTS").as_deref() {
            Err(_) => Extent::Drawn(24),
            Ok("once") => Extent::Once,
            Ok("all") => Extent::All,
            Ok(other) => panic!("FAULTS={other}: once or all"),
        }
    }
}

/// `SHARD=2/12`: the second of twelve parts, for `FAULTS=all`, which is work for half a day.
fn shard() -> Option<(usize, usize)> {
    let text = std::env::var("SHARD").ok()?;
    let (own, all) = text.split_once('/').expect("SHARD=NUMBER/ALL");
    let (own, all) = (own.parse().expect("a number"), all.parse().expect("a number"));
    assert!((1..=all).contains(&own), "SHARD={text}");
    Some((own, all))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_statement_is_killed_before_and_fails_once() {
    let extent = Extent::asked();
    let cases: &'static [Case] = cases().leak();
    let only = std::env::var("CASE").ok();
    let mut random = seed("crash");
    let draws = matches!(extent, Extent::Drawn(_));
    let chosen: Vec<(usize, &'static Case)> = cases
        .iter()
        .enumerate()
        .filter(|(_, case)| only.as_deref().map_or(!draws || random.bool(), |only| case.name.contains(only)))
        .collect();
    // a pass prepares a database, and gives its blows one after the other
    let passes = chosen.iter().flat_map(|&(number, case)| {
        let fault = |offset: usize| Blow::Fault { offset: offset + number * 3 };
        let blows: Vec<Vec<Blow>> = match extent {
            Extent::All => std::iter::once(Blow::Kill).chain((0..Fault::ALL.len()).map(fault)).map(|blow| vec![blow]).collect(),
            Extent::Drawn(_) | Extent::Once => vec![vec![Blow::Kill, fault(0)]],
        };
        blows.into_iter().map(move |blows| (case, blows))
    });
    let shard = shard();
    let passes = passes.enumerate().filter(|(at, _)| shard.is_none_or(|(own, all)| at % all == own - 1)).map(|(_, pass)| pass);
    let seen = Seen { statements: Arc::default(), left_out: Arc::default(), seed: random.u64(..), extent };
    // most of a point is waiting: several at a time
    let runs = passes.map(|(case, blows)| {
        let seen = seen.clone();
        async move { (case.name, tokio::spawn(every_point(case, blows, seen)).await.ok()) }
    });
    let ended: Vec<(&str, Option<Tried>)> = stream::iter(runs).buffer_unordered(6).collect().await;
    let (mut tried, mut failed) = (Tried::default(), Vec::new());
    for (case, count) in ended {
        match count {
            Some(count) => tried.add(count),
            None => failed.push(case),
        }
    }
    println!(
        "crash: {} points killed, {} failed, over {} cases, {} failures ({} more were the same statement after the same one, one look of preflight after another, or were not drawn)",
        tried.killed,
        tried.failed,
        chosen.len(),
        failed.len(),
        seen.left_out.load(Ordering::Relaxed)
    );
    assert!(failed.is_empty(), "{failed:?}");
}

/// How many points were tried.
#[derive(Clone, Copy, Debug, Default)]
struct Tried {
    killed: usize,
    failed: usize,
}

impl Tried {
    fn add(&mut self, other: Tried) {
        self.killed += other.killed;
        self.failed += other.failed;
    }

    /// A run that was over before its point came is none.
    fn count(&mut self, blow: Blow, met: &Run) {
        match (met, blow) {
            (Run::Finished, _) => {}
            (_, Blow::Kill) => self.killed += 1,
            (_, Blow::Fault { .. }) => self.failed += 1,
        }
    }
}

/// The points of a command: what it sends when nothing is in its way.
struct Points {
    /// What it tells as statements.
    told: Vec<String>,
    /// What it sends: the bookkeeping as well.
    sent: Vec<String>,
    /// What preflight asks: between one look and the next nothing is changed, so that the first of them stands for all.
    looks: BTreeSet<String>,
    command: Command,
    seen: Seen,
}

impl Points {
    /// Runs the command once, undisturbed.
    async fn of(database: &Database, command: Command, all: &[Migration], seen: &Seen) -> Self {
        let plan = database.migrator().await.plan(command, all, None).await.expect("a plan");
        let looks = plan.iter().flat_map(|plan| &plan.steps).filter_map(|step| Some(step.look()?.to_string()));
        let looks = looks.collect();
        let proxy = Proxy::new(&database.config(), None);
        let mut migrator = database.migrator_over(&proxy.config(&database.config())).await;
        let mut listener = Listener::default();
        self::command(&mut migrator, command, all, &mut listener).await.unwrap_or_else(|error| panic!("{command}: {error}"));
        Points { told: listener.statements, sent: proxy.requests(), looks, command, seen: seen.clone() }
    }

    /// The points that are worth a try, blow after blow.
    fn worth(&self, blows: &[Blow]) -> impl Iterator<Item = (Blow, usize)> {
        let points = blows.iter().flat_map(|&blow| (0..self.requests(blow).len()).map(move |at| (blow, at)));
        points.filter(|&(blow, at)| self.wants(blow, at))
    }

    fn requests(&self, blow: Blow) -> &[String] {
        match blow {
            Blow::Kill => &self.told,
            Blow::Fault { .. } => &self.sent,
        }
    }

    fn wants(&self, blow: Blow, at: usize) -> bool {
        let requests = self.requests(blow);
        let request = requests[at].as_str();
        let before = at.checked_sub(1).map_or("", |before| requests[before].as_str());
        let kind = if matches!(blow, Blow::Kill) { "killed" } else { "failed" };
        let key = format!("{kind} {} {} {}", self.command, alike(before), alike(request));
        let drawn = match self.seen.extent {
            Extent::All => return true,
            Extent::Once => true,
            Extent::Drawn(of) => names::hash(&format!("{} {key}", self.seen.seed)).is_multiple_of(of),
        };
        let looking = self.looks.contains(request) && self.looks.contains(before);
        let fresh = drawn && !looking && self.seen.statements.lock().expect("no panic while held").insert(key);
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

async fn every_point(case: &'static Case, blows: Vec<Blow>, seen: Seen) -> Tried {
    let all = [migration("0001_before", case.before), migration("0002_change", case.change)];
    let ready = Database::new().await;
    ready.migrate(&all[..1]).await;
    let client = ready.on("0001_before").await;
    for statement in case.seed.split("; ") {
        assert_eq!(ask(&client, statement).await, "", "{}: {statement}", case.name);
    }
    drop(client);
    let (before, fresh) = (ready.catalog().await, ready.fresh_catalog(&schema(&all)).await);
    let mut tried = Tried::default();
    let state = async |database: &Database| {
        let status = database.migrator().await.status(&all).await.expect("a status");
        (status.live, status.pending.map(|pending| pending.state))
    };

    // start: then run again or rolled back, in turn; one database serves all points, since each leads back
    // a start after a rollback has its tombstones to remove: that is the one that all points but the first meet
    undisturbed(&ready, Command::Start, &all, case.name).await;
    undisturbed(&ready, Command::Rollback, &all, case.name).await;
    let starting = Points::of(&ready, Command::Start, &all, &seen).await;
    let undoing = Points::of(&ready, Command::Rollback, &all, &seen).await;
    undisturbed(&ready, Command::Rollback, &all, case.name).await;
    for (blow, at) in starting.worth(&blows) {
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
        tried.count(blow, &met);
    }

    // rollback: then run again
    for (blow, at) in undoing.worth(&blows) {
        undisturbed(&ready, Command::Start, &all, case.name).await;
        let met = run(&ready, Command::Rollback, &all, blow, at).await;
        let place = format!("{}: rollback, {blow:?} at statement {at}", case.name);
        if !matches!(met, Run::Ended) {
            assert_eq!(state(&ready).await.1, None, "{place}");
        }
        undisturbed(&ready, Command::Rollback, &all, &place).await;
        let after = ready.catalog().await;
        assert_eq!(before, after, "{place}, run again\n{}", difference(&before, &after));
        tried.count(blow, &met);
    }

    // complete: then run again, each on a copy
    undisturbed(&ready, Command::Start, &all, case.name).await;
    let copy = ready.copy().await;
    let completing = Points::of(&copy, Command::Complete, &all, &seen).await;
    drop(copy);
    for (blow, at) in completing.worth(&blows) {
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
        let after = known(copy.catalog().await, &fresh);
        assert_eq!(fresh, after, "{place}, run again\n{}", difference(&fresh, &after));
        tried.count(blow, &met);
    }
    tried
}
