//! The server is killed (`kill -9` of the postmaster) at points chosen at random, and started again over the same data (R3).

use std::time::{Duration, Instant};

use diptych::migrator::VersionState;
use diptych::{Migrator, Options, Outcome, Quiet};
use diptych_core::Migration;
use diptych_core::plan::Command;
use diptych_tests::{Database, ask, client, difference, migration, schema, seed};
use diptych_xtask::server::{self, Server};

use crate::lifecycle::{Case, cases, known};

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn the_server_is_killed_at_random_points() {
    let mut random = seed("outage");
    let settings = [("synchronous_commit", "on"), ("full_page_writes", "on"), ("shared_buffers", "16MB")];
    let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let mut server = Server::start(&server::Options { settings, ..server::Options::default() }).expect("a private server");
    // one case in three, others each time; all of them with `FAULTS`
    let (only, all) = (std::env::var("CASE").ok(), std::env::var_os("FAULTS").is_some());
    let (mut points, mut tried) = (Points::default(), 0);
    for case in &cases() {
        if only.as_deref().map_or(all || random.u8(..3) == 0, |only| case.name.contains(only)) {
            every_command(&mut server, case, &mut random, &mut points).await;
            tried += 1;
        }
    }
    println!(
        "outage: the server was killed at {} points over {tried} cases ({} in the middle of a command), 0 failures",
        points.tried, points.amidst
    );
    assert!(points.amidst > 0 || only.is_some(), "no command was hit");
}

/// How often the server was killed, and how often a command was under way.
#[derive(Default)]
struct Points {
    tried: usize,
    amidst: usize,
}

async fn every_command(server: &mut Server, case: &Case, random: &mut fastrand::Rng, points: &mut Points) {
    let all = [migration("0001_before", case.before), migration("0002_change", case.change)];
    let database = Database::at(&server.config("postgres"), "public").await;
    database.migrate(&all[..1]).await;
    let old = database.on("0001_before").await;
    for statement in case.seed.split("; ") {
        assert_eq!(ask(&old, statement).await, "", "{}: {statement}", case.name);
    }
    drop(old);
    let (before, fresh) = (database.catalog().await, database.fresh_catalog(&schema(&all)).await);
    let times = [undisturbed(&database, Command::Start, &all).await, undisturbed(&database, Command::Rollback, &all).await];
    for round in 0..2 {
        // started, perhaps killed on the way, started again
        killed(server, &database, Command::Start, &all, times[0], random, points, case.name).await;
        undisturbed(&database, Command::Start, &all).await;
        assert_eq!(pending(&database, &all).await, Some(VersionState::Started), "{}", case.name);
        if round == 1 {
            break;
        }
        killed(server, &database, Command::Rollback, &all, times[1], random, points, case.name).await;
        undisturbed(&database, Command::Rollback, &all).await;
        let after = database.catalog().await;
        assert_eq!(before, after, "{}: rolled back\n{}", case.name, difference(&before, &after));
    }
    killed(server, &database, Command::Complete, &all, times[1], random, points, case.name).await;
    undisturbed(&database, Command::Complete, &all).await;
    let after = known(database.catalog().await, &fresh);
    assert_eq!(fresh, after, "{}: completed\n{}", case.name, difference(&fresh, &after));
}

async fn run(database: &Database, command: Command, all: &[Migration]) -> diptych::Result<Outcome> {
    let options = Options { timeout: Duration::from_secs(60), ..Options::default() };
    let mut migrator = Migrator::connect(&database.config(), options).await?;
    match command {
        Command::Start => migrator.start(all, None, &mut Quiet).await,
        Command::Complete => migrator.complete(&mut Quiet).await,
        Command::Rollback => migrator.rollback(&mut Quiet).await,
    }
}

async fn undisturbed(database: &Database, command: Command, all: &[Migration]) -> Duration {
    let began = Instant::now();
    run(database, command, all).await.unwrap_or_else(|error| panic!("{command}: {error}"));
    began.elapsed()
}

async fn pending(database: &Database, all: &[Migration]) -> Option<VersionState> {
    database.migrator().await.status(all).await.expect("a status").pending.map(|pending| pending.state)
}

/// Runs a command and kills the server some time on the way; afterwards the state tells the truth.
#[allow(clippy::too_many_arguments)]
async fn killed(
    server: &mut Server,
    database: &Database,
    command: Command,
    all: &[Migration],
    usual: Duration,
    random: &mut fastrand::Rng,
    points: &mut Points,
    name: &str,
) {
    let running = {
        let (database, all) = (database.clone(), all.to_vec());
        tokio::spawn(async move { run(&database, command, &all).await })
    };
    tokio::time::sleep(usual.mul_f64(random.f64())).await;
    tokio::task::block_in_place(|| server.crash().expect("the server comes back"));
    let outcome = running.await.expect("the tool does not panic");
    points.tried += 1;
    points.amidst += usize::from(outcome.is_err());
    // recovery is over when it lets us in
    drop(client(&database.config()).await);
    let state = pending(database, all).await;
    match (command, &outcome) {
        (Command::Start, Ok(_)) => assert_eq!(state, Some(VersionState::Started), "{name}: {command} reported success"),
        (_, Ok(_)) => assert_eq!(state, None, "{name}: {command} reported success"),
        (_, Err(error)) => assert!(!error.message().is_empty(), "{name}: {command}"),
    }
    if state == Some(VersionState::Starting) {
        let refused = database.migrator().await.complete(&mut Quiet).await;
        assert!(refused.is_err_and(|error| error.is_refused()), "{name}: complete went on");
    }
}
