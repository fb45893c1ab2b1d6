//! Partitions come and go while a version is in transition (b39).

use diptych::Quiet;
use diptych_core::Migration;
use diptych_tests::{Database, Told, ask, difference, migration, must};

const BEFORE: &str = "operations:
  - create_enum: {name: mood, labels: [sad, happy]}
  - create_table:
      name: events
      partition_by: LIST (kind)
      columns: [{name: id, type: bigint}, {name: kind, type: integer}, {name: amount, type: integer}, {name: mood, type: mood}]
";
const CHANGE: &str = "operations:
  - alter_column: {table: events, column: amount, type: bigint, up: amount * 100, down: amount / 100}
  - alter_enum: {name: mood, labels: [sad, happy, ecstatic], down: {ecstatic: happy}}
  - create_index: {name: events_amount_idx, table: events, columns: [amount]}
";

async fn begun() -> (Database, [Migration; 2]) {
    let database = Database::new().await;
    let all = [migration("0001_before", BEFORE), migration("0002_change", CHANGE)];
    database.migrate(&all[..1]).await;
    let admin = database.client().await;
    for kind in 1..=4 {
        must(&admin, &format!("CREATE TABLE piece_{kind} PARTITION OF events FOR VALUES IN ({kind})")).await;
        must(&admin, &format!("INSERT INTO events SELECT n, {kind}, n, 'sad' FROM generate_series(1, 2000) AS n")).await;
    }
    (database, all)
}

/// The columns of a table that is none of the model's.
async fn columns(database: &Database, table: &str) -> String {
    let sql = format!(
        "SELECT string_agg(attname || ' ' || format_type(atttypid, NULL), ', ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = '{table}'::regclass AND attnum > 0 AND NOT attisdropped"
    );
    ask(&database.client().await, &sql).await
}

const OLDER: &str = "id bigint, kind integer, amount integer, mood mood";

#[tokio::test(flavor = "multi_thread")]
async fn b39_what_was_detached_is_cleaned_by_complete_and_by_rollback() {
    for completes in [true, false] {
        let (database, all) = begun().await;
        let admin = database.client().await;
        // tables of another base schema may have columns of the same names
        must(&admin, "CREATE SCHEMA other; CREATE TABLE other.mine (id integer)").await;
        let catalog = database.catalog().await;
        let mut migrator = database.migrator().await;
        migrator.start(&all, None, &mut Quiet).await.unwrap();
        must(&admin, "CREATE TABLE piece_5 PARTITION OF events FOR VALUES IN (5)").await;
        must(&admin, "CREATE TABLE like_events (LIKE events INCLUDING ALL)").await;
        // a table of another role is none of ours, and what hangs on it holds nothing up
        let role = format!("stranger_{}", database.name);
        let shadow = "SELECT attname FROM pg_attribute WHERE attrelid = 'events'::regclass AND attname LIKE '\\_diptych\\_new\\_%' ORDER BY 1 LIMIT 1";
        let shadow = ask(&admin, shadow).await;
        must(&admin, &format!("CREATE ROLE {role}; CREATE TABLE theirs (\"{shadow}\" bigint); CREATE VIEW on_theirs AS SELECT * FROM theirs; ALTER TABLE theirs OWNER TO {role}")).await;
        must(&database.on("0002_change").await, "INSERT INTO events VALUES (1, 5, 12345, 'ecstatic')").await;
        must(
            &admin,
            "ALTER TABLE events DETACH PARTITION piece_1; ALTER TABLE events DETACH PARTITION piece_5; DROP TABLE piece_2",
        )
        .await;
        must(&database.on("0001_before").await, "INSERT INTO events VALUES (1, 3, 7, 'sad')").await;
        if completes {
            // whose columns are of an enum that goes is told before anything is changed, with the statement
            let error = migrator.complete(&mut Quiet).await.unwrap_err();
            assert!(error.is_refused(), "{error}");
            for table in ["piece_1", "piece_5", "like_events"] {
                let statement = format!("ALTER TABLE public.{table} ALTER COLUMN mood TYPE text");
                assert!(error.to_string().contains(&statement), "{error}");
                must(&admin, &statement).await;
            }
            migrator.complete(&mut Quiet).await.unwrap();
            assert_eq!(
                ask(&admin, "SELECT count(*), sum(amount) FROM events WHERE id > 0").await,
                format!("4001|{}", 2 * 200_100_000 + 700)
            );
        } else {
            migrator.rollback(&mut Quiet).await.unwrap();
            let kept: Vec<String> = catalog.iter().filter(|line| !line.contains("piece_")).cloned().collect();
            let now: Vec<String> = database
                .catalog()
                .await
                .into_iter()
                .filter(|line| !["piece_", "like_events", "theirs"].iter().any(|by_hand| line.contains(by_hand)))
                .collect();
            assert_eq!(kept, now, "{}", difference(&kept, &now));
        }
        let older = if completes { OLDER.replace("mood mood", "mood text") } else { OLDER.to_owned() };
        for table in ["piece_1", "piece_5"] {
            assert_eq!(columns(&database, table).await, older, "{table}");
            must(&admin, &format!("INSERT INTO {table} VALUES (9, 9, 9, 'sad')")).await;
        }
        assert_eq!(columns(&database, "like_events").await, older);
        assert_eq!(columns(&database, "theirs").await, format!("{shadow} bigint"));
        must(&admin, &format!("DROP OWNED BY {role} CASCADE; DROP ROLE {role}")).await;
        assert_eq!(ask(&admin, "SELECT id, kind, amount, mood FROM piece_5 WHERE id = 1").await, "1|5|123|happy");
        if !completes {
            must(&admin, "ALTER TABLE events ATTACH PARTITION piece_1 FOR VALUES IN (1, 9)").await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn b39_partitions_may_go_while_they_are_filled_and_indexed() {
    for statement in [
        "DROP TABLE piece_{n}",
        "ALTER TABLE events DETACH PARTITION piece_{n}",
        "ALTER TABLE events DETACH PARTITION piece_{n}; DROP TABLE piece_{n}",
    ] {
        for delay in [0, 40, 80, 120, 160] {
            let (database, mut all) = begun().await;
            // a table that has left before the start would keep the enum as it is
            all[1].operations.remove(1);
            let (admin, statement) = (database.client().await, statement.to_owned());
            let manager = tokio::spawn(async move {
                tokio::time::sleep(std::time::Duration::from_millis(delay)).await;
                let mut answers = Vec::new();
                for number in [4, 3, 1] {
                    must(&admin, "SET deadlock_timeout = '10s'").await;
                    answers.push(ask(&admin, &statement.replace("{n}", &number.to_string())).await);
                    tokio::time::sleep(std::time::Duration::from_millis(60)).await;
                }
                answers
            });
            let mut migrator = database.migrator().await;
            migrator.start(&all, None, &mut Quiet).await.unwrap_or_else(|error| panic!("start after {delay} ms: {error}"));
            let answers = manager.await.expect("the manager");
            assert!(answers.iter().all(|answer| !answer.starts_with("!40")), "{answers:?}");
            migrator.complete(&mut Quiet).await.unwrap_or_else(|error| panic!("complete after {delay} ms: {error}"));
            assert_eq!(ask(&database.on("0002_change").await, "SELECT min(amount) FROM events").await, "100");
        }
    }
}

/// The last partition whose index is not attached yet goes: from then on no ATTACH tells PostgreSQL that the index is whole.
#[tokio::test(flavor = "multi_thread")]
async fn b39_the_partition_that_is_to_be_attached_last_goes() {
    for number in [1, 4] {
        let (database, mut all) = begun().await;
        all[1].operations.retain(|operation| operation.name() == "create_index");
        let admin = database.client().await;
        let run = {
            let (database, all) = (database.clone(), all.clone());
            tokio::spawn(async move { database.migrator().await.start(&all, None, &mut Quiet).await.map(drop) })
        };
        let built = format!("SELECT count(*) FROM pg_index WHERE indrelid = 'piece_{number}'::regclass AND indisvalid");
        while !run.is_finished() && ask(&admin, &built).await != "1" {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        // who reads it keeps its index from being attached
        must(&admin, "BEGIN").await;
        assert_eq!(ask(&admin, &format!("SELECT count(*) FROM piece_{number} WHERE amount = 3")).await, "1");
        let observer = database.client().await;
        let attached = "SELECT count(*) FROM pg_inherits JOIN pg_index ON indexrelid = inhrelid WHERE indrelid::regclass::text LIKE 'piece%'";
        for _ in 0..300 {
            if run.is_finished() || ask(&observer, attached).await == "3" {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        println!("b39: {} attached when the partition went", ask(&observer, attached).await);
        must(&admin, &format!("DROP TABLE piece_{number}")).await;
        must(&admin, "COMMIT").await;
        run.await.expect("the run").unwrap_or_else(|error| panic!("piece_{number}: {error}"));
        let valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'events_amount_idx'::regclass";
        assert_eq!(ask(&admin, valid).await, "t");
        database.migrator().await.complete(&mut Quiet).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn b39_partitions_may_go_in_the_middle_of_their_own_backfill() {
    for statement in ["DROP TABLE piece_{n}", "ALTER TABLE events DETACH PARTITION piece_{n}"] {
        let (database, mut all) = begun().await;
        let slow = CHANGE.replace("up: amount * 100", "up: 'CASE WHEN pg_sleep(0.0002) IS NULL THEN 0 ELSE amount * 100 END'");
        all[1] = migration("0002_change", &slow);
        all[1].operations.remove(1);
        let run = {
            let (database, all) = (database.clone(), all.clone());
            tokio::spawn(async move { database.migrator().await.start(&all, None, &mut Quiet).await.map(drop) })
        };
        let admin = database.client().await;
        must(&admin, "SET deadlock_timeout = '10s'").await;
        // each one as soon as it is the one that is filled
        let at =
            "SELECT coalesce((SELECT block > 0 FROM diptych.backfill WHERE step LIKE '% ' || 'piece_{n}'::regclass::oid), false)";
        for number in [2, 3] {
            while !run.is_finished() && ask(&admin, &at.replace("{n}", &number.to_string())).await != "t" {
                tokio::time::sleep(std::time::Duration::from_millis(2)).await;
            }
            assert!(!run.is_finished(), "it was too fast");
            assert_eq!(ask(&admin, &statement.replace("{n}", &number.to_string())).await, "");
        }
        run.await.expect("the run").unwrap_or_else(|error| panic!("{statement}: {error}"));
        database.migrator().await.complete(&mut Quiet).await.unwrap();
        assert_eq!(ask(&database.on("0002_change").await, "SELECT count(*), min(amount) FROM events").await, "4000|100");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn b22_many_partitions_are_told_with_the_time_that_they_take() {
    for (partitions, is_told) in [(40, false), (1000, true)] {
        let database = Database::new().await;
        let all = [migration("0001_before", BEFORE), migration("0002_change", CHANGE)];
        database.migrate(&all[..1]).await;
        let admin = database.client().await;
        let create = format!(
            "DO 'BEGIN FOR n IN 1..{partitions} LOOP EXECUTE format(''CREATE TABLE piece_%s PARTITION OF events FOR VALUES IN (%s)'', n, n); END LOOP; END'"
        );
        must(&admin, &create).await;
        let mut told = Told::default();
        // looked at alone: the change itself would take its time
        let mut migrator = database.migrator().await;
        let plan = migrator.plan(diptych_core::plan::Command::Start, &all, None).await.unwrap().expect("a plan");
        assert!(plan.steps.iter().any(|step| step.title == "partitioned tables change within the lock budget"));
        must(&admin, "BEGIN; LOCK TABLE events IN ACCESS SHARE MODE").await;
        let options = diptych::Options { timeout: std::time::Duration::from_secs(1), ..diptych::Options::default() };
        let mut patient = diptych::Migrator::connect(&database.config(), options).await.unwrap();
        let error = patient.start(&all, None, &mut told).await.unwrap_err();
        assert!(error.is_timeout(), "{error}");
        let words = format!("events ({} partitions, about ", partitions + 1);
        assert_eq!(told.warnings.iter().any(|text| text.contains(&words)), is_told, "{:?}", told.warnings);
        must(&admin, "ROLLBACK").await;
        migrator.rollback(&mut Quiet).await.unwrap();
    }
}
