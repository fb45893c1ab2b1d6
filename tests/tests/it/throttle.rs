//! What holds a backfill back: a bound of rows a second, and whoever follows the server's log.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use diptych::{Filled, Migrator, Options, Progress};
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
    fn backfill(&mut self, _: &str, filled: &Filled) {
        let allowed = self.began.expect("a step").elapsed().as_secs_f64() * self.rate;
        self.beyond = self.beyond.max(filled.rows as f64 - allowed);
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
        assert_eq!(ask(&case.database.client().await, "SELECT count(waits) FROM diptych.runs").await, "0");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backfill_at_a_low_rate_holds_nothing_between_its_rows_and_is_paused_at_once() {
    let case = Case::of(Database::new().await, 20_000).await;
    let run = case.spawn(&["start", "--max-rate", "3"]);
    let said = run.says("held back by --max-rate 3");
    assert!(said.starts_with("backfill of `items`: ") && said.contains(" rows/s"), "{said}");
    let (lines, json) = case.status();
    assert!(lines.contains("; held back by --max-rate 3"), "{lines}");
    assert_eq!(json["run"]["waits_for"].as_str(), Some("held back by --max-rate 3"));
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
    assert!(said.contains(" rows; waits") && said.contains(" MB behind: for longer than --max-lag 200ms"), "{said}");
    // from elsewhere it is the same, and nothing passes for a speed
    let (lines, json) = case.status();
    let running = lines.lines().find(|line| line.starts_with("running  start on ")).unwrap_or_else(|| panic!("{lines}"));
    assert!(running.contains(" %): ") && running.contains(" rows; waits for slot `reports`, "), "{running}");
    assert!(json["run"]["waits_for"].as_str().is_some_and(|waits| waits.contains("slot `reports`")), "{json}");
    assert!(json["pending"]["rows"].as_u64().is_some_and(|rows| rows > 0), "{json}");
    assert!(json["pending"]["rows_per_second"].is_null() && json["pending"]["seconds_left"].is_null(), "{json}");
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_speed_and_time_left_are_told_here_and_elsewhere_and_rows_count_once_over_two_runs() {
    let case = Case::of(Database::new().await, 60_000).await;
    let run = case.spawn(&["start", "--max-rate", "6000"]);
    let told = |line: &str| -> Vec<u64> {
        let numbers = line.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse().ok());
        numbers.collect()
    };
    // its table's name has no digit: percent, rows, rows a second, time left, bound
    let said = run.says(" left; held back by --max-rate 6000");
    let [percent, rows, speed, left, _] = told(&said)[..] else { panic!("{said}") };
    assert!(percent < 100 && rows < 60_000 && speed > 0 && left > 0 && left <= 60, "{said}");
    let json = case.status().1;
    let pending = |name: &str| json["pending"][name].as_u64().unwrap_or_else(|| panic!("no {name}: {json}"));
    assert!(pending("rows") >= rows && pending("rows") <= 60_000 && pending("percent") >= percent, "{json}");
    // no pass is faster than the bound, and a pass is a tenth of a second
    assert!(pending("rows_per_second") > 0 && pending("rows_per_second") < 12_000 && pending("seconds_left") < 600, "{json}");
    let lines = case.status().0;
    let running = lines.lines().find(|line| line.starts_with("running  start on ")).unwrap_or_else(|| panic!("{lines}"));
    assert!(running.contains(" rows/s, ") && running.contains(" left; held back by --max-rate 6000"), "{running}");
    run.kill();
    let before = ask(&case.database.client().await, "SELECT rows FROM diptych.backfill").await.parse::<i64>().expect("a number");
    let json = case.status().1;
    assert!(json["pending"]["rows"].as_i64() == Some(before) && json["pending"]["rows_per_second"].is_null(), "{json}");
    case.done(&["start"]);
    let all = ask(&case.database.client().await, "SELECT rows FROM diptych.backfill").await.parse::<i64>().expect("a number");
    // a pass whose position was not written yet is counted by nobody
    assert!(before > 0 && all > before && all <= 60_000 && all > 60_000 - 2_000, "{before}, then {all}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_status_of_an_earlier_releases_state_is_told() {
    let case = Case::of(Database::new().await, 20_000).await;
    let run = case.spawn(&["start", "--max-rate", "2000"]);
    run.says("backfill of `items`");
    run.kill();
    let admin = case.database.client().await;
    let before = "ALTER TABLE diptych.backfill DROP rows, DROP rows_per_second, DROP blocks_per_second; \
         ALTER TABLE diptych.runs DROP waits; UPDATE diptych.format SET tool = 'of before'";
    must(&admin, before).await;
    let (lines, json) = case.status();
    assert!(json["pending"]["percent"].is_u64() && json["pending"]["rows"].is_null() && lines.contains(" %);"), "{lines} {json}");
    case.done(&["start"]);
    case.is_right().await;
}
