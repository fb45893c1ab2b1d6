//! What holds a backfill back: a bound of rows a second, and whoever follows the server's log.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use diptych::{Migrator, Options, Progress};
use diptych_core::plan::{Phase, Step};
use diptych_tests::{Database, ask, client, must};

use crate::pauses::{Case, both, holds_nothing};
use crate::replication::logical;
use crate::replication::standby::{follow, primary, standby};

/// When the backfill began, when it was done, and how many rows it had filled at the most beyond what a rate allows.
struct Clock {
    rate: f64,
    began: Option<Instant>,
    ended: Option<Instant>,
    beyond: f64,
}

impl Progress for Clock {
    fn step(&mut self, _: usize, _: usize, step: &Step) {
        match step.phase {
            Phase::Backfill => self.began = Some(Instant::now()),
            _ if self.began.is_some() => {
                self.ended.get_or_insert_with(Instant::now);
            }
            _ => {}
        }
    }
    fn backfill(&mut self, _: &str, _: u64, _: u64, rows: u64) {
        let allowed = self.began.expect("a step").elapsed().as_secs_f64() * self.rate;
        self.beyond = self.beyond.max(rows as f64 - allowed);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_a_second_are_bounded_for_all_sessions_together() {
    for (rows, rate) in [(24_000, 8_000), (30, 10), (3, 1)] {
        let case = Case::of(Database::new().await, rows).await;
        let options = Options { max_rate: NonZeroU32::new(rate), workers: 2, ..Options::default() };
        let mut migrator = Migrator::connect(&case.database.config(), options).await.expect("a migrator");
        let mut clock = Clock { rate: rate.into(), began: None, ended: None, beyond: 0.0 };
        migrator.start(&both(), None, &mut clock).await.unwrap_or_else(|error| panic!("{error}"));
        let took = clock.ended.expect("an end") - clock.began.expect("a beginning");
        assert!(took >= Duration::from_secs((rows / rate).into()), "{rows} rows at {rate} rows/s within {took:?}");
        // a pass, which is a tenth of a second
        let pass = f64::from(rate / 10).max(1.0) + 1.0;
        assert!(clock.beyond <= pass, "{} rows more than {rate} rows/s allow", clock.beyond);
        case.is_right().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backfill_at_a_low_rate_holds_nothing_between_its_rows_and_is_paused_at_once() {
    let case = Case::of(Database::new().await, 20_000).await;
    let run = case.spawn(&["start", "--max-rate", "3"]);
    run.says("backfill of `items`");
    holds_nothing(&case.database).await;
    case.done(&["pause"]);
    run.says("paused by");
    case.done(&["rollback"]);
    assert_eq!(run.code(), Some(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backfill_waits_for_a_slot_that_is_behind() {
    let server = logical();
    let case = Case::of(Database::at(&server.config("postgres"), "public").await, 200_000).await;
    let admin = case.database.client().await;
    must(&admin, "SELECT pg_create_logical_replication_slot('reports', 'test_decoding')").await;
    let run = case.spawn(&["--batch", "1ms", "start", "--max-lag", "200ms"]);
    let said = run.says("waits for slot `reports`, ");
    assert!(said.contains(" MB behind: for longer than --max-lag 200ms"), "{said}");
    let there = case.position().await;
    holds_nothing(&case.database).await;
    assert_eq!(case.position().await, there);
    // its reader comes, and is gone again
    must(&admin, "SELECT pg_replication_slot_advance('reports', pg_current_wal_flush_lsn())").await;
    let since = Instant::now();
    while case.position().await == there {
        assert!(since.elapsed() < Duration::from_secs(60), "it does not go on");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    must(&admin, "SELECT pg_drop_replication_slot('reports')").await;
    assert_eq!(run.code(), Some(0));
    case.is_right().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backfill_waits_for_a_standby_that_is_behind_where_its_role_may_see_it() {
    let primary = primary();
    let Some(standby) = standby(&primary, &[("cluster_name", "reader")]) else {
        println!("throttle: no pg_basebackup for this server here, and nothing was tried");
        return;
    };
    let case = Case::of(Database::at(&primary.config("postgres"), "public").await, 200_000).await;
    let there = client(&follow(&case.database, &standby).await.config()).await;
    must(&there, "SELECT pg_wal_replay_pause()").await;
    let run = case.spawn(&["--batch", "1ms", "start", "--max-lag", "200ms"]);
    let said = run.says("waits for standby `reader`, ");
    assert!(said.contains(" MB behind: for longer than --max-lag 200ms"), "{said}");
    let position = case.position().await;
    holds_nothing(&case.database).await;
    assert_eq!(case.position().await, position);
    must(&there, "SELECT pg_wal_replay_resume()").await;
    assert_eq!(run.code(), Some(0));
    case.is_right().await;
    // a role that may not see it is told so, and waits for nobody
    must(&there, "SELECT pg_wal_replay_pause()").await;
    let mut owner = Database::at(&primary.config("postgres"), "public").await;
    let create = "CREATE ROLE plain LOGIN; GRANT CREATE ON DATABASE {} TO plain; GRANT ALL ON SCHEMA public TO plain; ALTER SCHEMA public OWNER TO plain";
    must(&owner.client().await, &create.replace("{}", &owner.name)).await;
    owner.server.user("plain");
    let case = Case::of(owner, 20_000).await;
    let run = case.spawn(&["start", "--max-lag", "200ms"]);
    let told = run.says("warning: ");
    assert!(told.contains("role plain may not see how far standbys have replayed"), "{told}");
    let hint = run.says("hint: ");
    assert_eq!(run.code(), Some(0));
    case.is_right().await;
    // as the hint says
    case.done(&["rollback"]);
    let grant = hint.split("run ").nth(1).and_then(|rest| rest.split(',').next()).expect("a statement");
    must(&client(&primary.config("postgres")).await, grant).await;
    must(&there, "SELECT pg_wal_replay_resume()").await;
    let said = case.done(&["start", "--max-lag", "10m"]);
    assert!(!said.contains("warning"), "{said}");
    assert_eq!(ask(&there, "SELECT pg_is_in_recovery()").await, "t");
}
