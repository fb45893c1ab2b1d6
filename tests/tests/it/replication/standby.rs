//! Physical standbys: queries on them while the primary changes, and a promotion in every phase.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use diptych::{Filled, Outcome, Progress, Quiet};
use diptych_core::Migration;
use diptych_core::plan::{Command, Step};
use diptych_tests::{Database, Work, ask, client, difference, must, release, schema, server};
use diptych_xtask::server::{Options, Server};
use tokio::task::JoinHandle;
use tokio_postgres::config::Host;
use tokio_postgres::error::SqlState;

use super::{SHOP, SHOP_CHANGE, Told, both, eventually, folders, major_of, position};

release!(Two, "0002_change");

/// A copy of a server that follows it; none where `pg_basebackup` cannot be had.
pub(crate) fn standby(primary: &Server, settings: &[(&str, &str)]) -> Option<Server> {
    let own = major_of(primary.bin_dir());
    let is_fit = |folder: &PathBuf| folder.join("pg_basebackup").is_file() && major_of(folder) >= own;
    let program = folders().into_iter().find(is_fit)?.join("pg_basebackup");
    let config = primary.config("postgres");
    let [Host::Unix(folder)] = config.get_hosts() else { panic!("a socket") };
    let connection = format!("host={} user=postgres", folder.display());
    // a newer program than the server's would write down what that one does not know
    let copy = format!("'{}' -d '{connection}' -c fast --no-sync -D \"$2\" && touch \"$2/standby.signal\"", program.display());
    let settings = settings.iter().copied().chain([("primary_conninfo", connection.as_str())]);
    let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let options = Options { settings, made_by: Some(copy), bin_dir: Some(primary.bin_dir().to_owned()), folder: None };
    Some(Server::start(&options).expect("a standby"))
}

pub(crate) fn primary() -> Server {
    Server::start(&Options { bin_dir: Some(server().bin_dir().to_owned()), ..Options::default() }).expect("a private server")
}

/// The same database on a standby, as soon as that has all that the primary has done.
pub(crate) async fn follow(database: &Database, standby: &Server) -> Database {
    let now = position(&database.client().await).await;
    let there = client(&standby.config("postgres")).await;
    eventually(&there, &format!("SELECT pg_last_wal_replay_lsn() >= '{now}'"), "the standby follows").await;
    database.on_server(standby.config("postgres"))
}

async fn filled(primary: &Server, all: &[Migration], rows: u32) -> Database {
    let database = Database::at(&primary.config("postgres"), "public").await;
    database.migrate(&all[..1]).await;
    let insert = format!(
        "INSERT INTO users SELECT n, 'a', n FROM generate_series(1, {rows}) AS n; INSERT INTO orders SELECT n, n, n FROM generate_series(1, {rows}) AS n"
    );
    must(&database.client().await, &insert).await;
    database
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b44_queries_on_standbys_fail_by_conflicts_alone() {
    let primary = primary();
    let mut standbys = Vec::new();
    for feedback in ["on", "off"] {
        let settings = [("hot_standby_feedback", feedback), ("max_standby_streaming_delay", "100ms")];
        let Some(standby) = standby(&primary, &settings) else {
            println!("b44: no pg_basebackup for this server here, and nothing was tried");
            return;
        };
        standbys.push((feedback, standby));
    }
    let all = both(SHOP, SHOP_CHANGE);
    let database = filled(&primary, &all, 40_000).await;
    let writers =
        Work::start(&database, "0001_before", 1, &["UPDATE users SET price = price + 1 WHERE id % 1000 = {n} % 1000"]).await;
    let mut readers = Vec::new();
    for (_, standby) in &standbys {
        readers.push(read(&follow(&database, standby).await, "0001_before", "orders"));
    }
    let mut migrator = database.migrator().await;
    migrator.start(&all, None, &mut Quiet).await.unwrap_or_else(|error| panic!("{error}"));
    let report = writers.stop().await;
    assert_eq!(report.failed, Vec::<String>::new(), "on the primary nothing fails");
    for ((feedback, standby), works) in standbys.iter().zip(std::mem::take(&mut readers)) {
        let there = follow(&database, standby).await;
        tell(&format!("hot_standby_feedback {feedback}, start"), works).await;
        // nobody can write there, so that there is no lease to be had, and none is asked for
        let url = standby.url(&database.name);
        let reader = diptych::connect::connect::<Two>(&url).await.unwrap_or_else(|error| panic!("b44: on a standby: {error}"));
        assert_eq!(ask(&reader, "SELECT count(*) > 0 FROM sales").await, "t");
        drop((reader, diptych::connect::lease::<Two>(&url).await.unwrap()));
        readers.push(read(&there, "0002_change", "sales"));
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut told = Told::default();
    migrator.complete(&mut told).await.unwrap_or_else(|error| panic!("{error}"));
    assert!(
        told.warnings.iter().any(|warning| warning.contains("sessions that only read there hold no lease")),
        "{:?}",
        told.warnings
    );
    for ((feedback, standby), works) in standbys.iter().zip(readers) {
        let there = follow(&database, standby).await;
        tell(&format!("hot_standby_feedback {feedback}, complete"), works).await;
        let kinds = "SELECT confl_lock, confl_snapshot, confl_bufferpin, confl_deadlock FROM pg_stat_database_conflicts WHERE datname = current_database()";
        println!(
            "b44: hot_standby_feedback {feedback}: by lock|snapshot|bufferpin|deadlock {}",
            ask(&there.client().await, kinds).await
        );
        let rows = "SELECT * FROM users ORDER BY id";
        let [ours, theirs] = [&database, &there].map(|place| place.on("0002_change"));
        assert_eq!(ask(&ours.await, rows).await, ask(&theirs.await, rows).await);
    }
}

/// Clients of a standby that read without pause, and connect anew where a conflict has ended their session.
struct Readers {
    stop: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<Seen>>,
}

/// What readers came to.
#[derive(Default)]
struct Seen {
    queries: usize,
    cancelled: usize,
    ended: usize,
    longest: Duration,
}

/// Two clients with short queries, and two with reports that take a second.
fn read(standby: &Database, version: &'static str, orders: &str) -> Readers {
    let short = "SELECT price FROM users WHERE id = 77".to_owned();
    let report = format!(
        "SELECT count(*), sum(price), pg_sleep(1) FROM (SELECT price FROM users UNION ALL SELECT price FROM {orders}) AS both_"
    );
    let stop = Arc::new(AtomicBool::new(false));
    let queries = [short.clone(), short, report.clone(), report];
    let tasks = queries.map(|sql| {
        let (standby, stop) = (standby.clone(), Arc::clone(&stop));
        tokio::spawn(async move {
            let mut seen = Seen::default();
            let mut session = standby.on(version).await;
            while !stop.load(Ordering::Relaxed) {
                let began = Instant::now();
                if let Err(error) = session.simple_query(&sql).await {
                    match error.code().map(SqlState::code) {
                        Some("40001" | "40P01") => seen.cancelled += 1,
                        None if session.is_closed() => {
                            seen.ended += 1;
                            session = standby.on(version).await;
                        }
                        _ => panic!("{sql}: {error:?}"),
                    }
                }
                seen.queries += 1;
                if !sql.contains("pg_sleep") {
                    seen.longest = seen.longest.max(began.elapsed());
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            seen
        })
    });
    Readers { stop, tasks: tasks.into() }
}

/// Prints how many queries failed; none but by conflicts with the replay.
async fn tell(when: &str, readers: Readers) {
    readers.stop.store(true, Ordering::Relaxed);
    let mut sum = Seen::default();
    for task in readers.tasks {
        let seen = task.await.expect("a reader");
        sum.queries += seen.queries;
        sum.cancelled += seen.cancelled;
        sum.ended += seen.ended;
        sum.longest = sum.longest.max(seen.longest);
    }
    println!(
        "b44: {when}: {} of {} queries cancelled by conflicts, {} sessions ended, the longest short query took {} ms",
        sum.cancelled,
        sum.queries,
        sum.ended,
        sum.longest.as_millis()
    );
}

/// Where a run ends, session and all.
#[derive(Clone, Copy)]
enum End {
    Backfill,
    Step(usize),
}

impl Progress for End {
    fn step(&mut self, number: usize, _: usize, _: &Step) {
        if matches!(self, End::Step(at) if *at == number) {
            std::panic::resume_unwind(Box::new("killed"));
        }
    }

    fn backfill(&mut self, _: &str, filled: &Filled) {
        if matches!(self, End::Backfill) && filled.blocks > 0 && filled.blocks < filled.of {
            std::panic::resume_unwind(Box::new("killed"));
        }
    }
}

async fn killed(database: &Database, command: Command, all: &[Migration], mut end: End) {
    let (database, all) = (database.clone(), all.to_vec());
    let task = tokio::spawn(async move {
        let mut migrator = database.migrator().await;
        match command {
            Command::Start => migrator.start(&all, None, &mut end).await,
            Command::Complete => migrator.complete(&mut end).await,
            Command::Rollback => migrator.rollback(&mut end).await,
        }
    });
    assert!(task.await.is_err_and(|error| error.is_panic()), "{command} was to be killed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b44_a_standby_that_is_promoted_in_any_phase_goes_on() {
    let primary = primary();
    let all = both(SHOP, SHOP_CHANGE);
    let database = filled(&primary, &all, 30_000).await;
    let standbys: Vec<Server> = (0..3).map_while(|_| standby(&primary, &[])).collect();
    let [amidst, started, completing] = &standbys[..] else {
        println!("b44: no pg_basebackup for this server here, and nothing was tried");
        return;
    };
    let mut rows = 0;

    // in the middle of the backfill, with whatever has come over by then
    killed(&database, Command::Start, &all, End::Backfill).await;
    let there = promote(database.on_server(amidst.config("postgres"))).await;
    assert!(matches!(there.migrator().await.start(&all, None, &mut Quiet).await, Ok(Outcome::Done(_))));
    rows += compare(
        &database,
        "SELECT id, name, price FROM public.users",
        &there,
        "SELECT id, title, price / 100 FROM public_0002_change.users",
    )
    .await;
    there.migrator().await.rollback(&mut Quiet).await.unwrap_or_else(|error| panic!("{error}"));
    rows += compare(&database, "SELECT id, name, price FROM public.users", &there, "SELECT * FROM public.users").await;
    exact(&there, &all[..1]).await;

    // after the start
    database.migrator().await.start(&all, None, &mut Quiet).await.unwrap_or_else(|error| panic!("{error}"));
    must(&database.on("0001_before").await, "UPDATE users SET price = price + 1 WHERE id % 7 = 0").await;
    must(&database.on("0002_change").await, "UPDATE users SET price = price + 50, kind = 'fancy' WHERE id % 11 = 0").await;
    let there = promote(follow(&database, started).await).await;
    let versions = [
        "SELECT * FROM public_0001_before.users",
        "SELECT * FROM public_0002_change.users",
        "SELECT * FROM public_0002_change.sales",
    ];
    for sql in versions {
        rows += compare(&database, sql, &there, sql).await;
    }
    there.migrator().await.complete(&mut Quiet).await.unwrap_or_else(|error| panic!("{error}"));
    exact(&there, &all).await;
    let halfway = there;

    // within complete
    killed(&database, Command::Complete, &all, End::Step(3)).await;
    let there = promote(follow(&database, completing).await).await;
    for place in [&there, &database] {
        place.migrator().await.complete(&mut Quiet).await.unwrap_or_else(|error| panic!("{error}"));
    }
    exact(&there, &all).await;
    for sql in &versions[1..] {
        rows += compare(&database, sql, &there, sql).await;
        rows += compare(&database, sql, &halfway, sql).await;
    }
    println!("b44: promoted in the backfill, after the start and within complete: {rows} rows compared, 0 different");
}

async fn promote(database: Database) -> Database {
    let admin = client(&database.server).await;
    assert_eq!(ask(&admin, "SELECT pg_promote()").await, "t");
    eventually(&admin, "SELECT NOT pg_is_in_recovery()", "the promotion").await;
    database
}

/// The rows of two queries on two servers are the same: how many.
async fn compare(one: &Database, first: &str, other: &Database, second: &str) -> usize {
    let ours = ask(&one.client().await, &format!("{first} ORDER BY 1")).await;
    let theirs = ask(&other.client().await, &format!("{second} ORDER BY 1")).await;
    assert!(!ours.starts_with('!') && !theirs.starts_with('!'), "{ours:.20} {theirs:.20}");
    assert!(ours == theirs, "{first} | {second}");
    ours.split(';').count()
}

/// The catalog is that of a database made afresh.
async fn exact(database: &Database, all: &[Migration]) {
    let (now, fresh) = (database.catalog().await, database.fresh_catalog(&schema(all)).await);
    assert_eq!(fresh, now, "{}", difference(&fresh, &now));
}
