//! Storage parameters as a user meets them: refused before anything is changed, set while readers and writers are at work, brought along and taken over.

use std::time::Duration;

use diptych::{Migrator, Options, Quiet};
use diptych_core::Migration;
use diptych_tests::{Database, ask, difference, dump, major, migration, must, refused, server};

use crate::cli::{Folder, text};
use crate::existing::Existing;

const BEFORE: &str = "operations:
  - create_table: {name: notes, columns: [{name: id, type: bigint, pk: true}, {name: body, type: text}], storage: {fillfactor: 90}}
  - create_table: {name: numbers, columns: [{name: id, type: bigint, pk: true}]}
";

/// A database with two tables, and the migrations up to a change.
async fn with_notes(change: &str) -> (Database, [Migration; 2]) {
    let database = Database::new().await;
    let all = [migration("0001_before", BEFORE), migration("0002_change", &format!("operations: [{change}]"))];
    database.migrate(&all[..1]).await;
    (database, all)
}

/// The parameters of a table, those of its TOAST table among them.
async fn stored(database: &Database, table: &str) -> String {
    let sql = format!(
        "SELECT string_agg(parameter, ',' ORDER BY parameter COLLATE \"C\") FROM pg_class AS own LEFT JOIN pg_class AS toast ON toast.oid = own.reltoastrelid \
         CROSS JOIN LATERAL (SELECT unnest(own.reloptions) UNION ALL SELECT concat('toast.', unnest(toast.reloptions))) AS kept (parameter) \
         WHERE own.oid = 'public.{table}'::regclass"
    );
    ask(&database.client().await, &sql).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_does_not_take_is_found_before_anything_is_changed() {
    let new = |storage: &str| {
        format!("{{create_table: {{name: more, columns: [{{name: id, type: bigint, pk: true}}], storage: {storage}}}}}")
    };
    for (change, said) in [
        ("{alter_table: {table: notes, storage: {fillfactr: 70}}}".to_owned(), "unrecognized parameter \"fillfactr\""),
        ("{alter_table: {table: notes, storage: {fillfactor: 5}}}".to_owned(), "value 5 out of bounds for option \"fillfactor\""),
        ("{alter_table: {table: notes, storage: {autovacuum_enabled: maybe}}}".to_owned(), "invalid value for boolean option"),
        ("{alter_table: {table: notes, storage: {toast.fillfactor: 70}}}".to_owned(), "unrecognized parameter \"fillfactor\""),
        ("{alter_table: {table: notes, storage: {toast.x: 70}}}".to_owned(), "unrecognized parameter \"x\""),
        ("{alter_table: {table: numbers, storage: {toast.autovacuum_enabled: false}}}".to_owned(), "has no TOAST table"),
        (new("{fillfactr: 70}"), "unrecognized parameter \"fillfactr\""),
        (new("{toast.autovacuum_enabled: false}"), "has no TOAST table"),
    ] {
        let (database, all) = with_notes(&change).await;
        let mut migrator = database.migrator().await;
        let error = refused(&database, &mut migrator, &all).await;
        assert!(error.contains(said) && error.contains("hint: "), "{change}: {error}");
        // a first version as well
        if change.contains("create_table") {
            let fresh = Database::new().await;
            let mut migrator = fresh.migrator().await;
            let error = refused(&fresh, &mut migrator, &[migration("0001_first", &format!("operations: [{change}]"))]).await;
            assert!(error.contains(said) && error.contains("hint: "), "{change}: {error}");
        }
    }
    let (database, all) = with_notes(&new("{oids: false}")).await;
    let error = refused(&database, &mut database.migrator().await, &all).await;
    assert!(error.contains("would not keep every one of them"), "{error}");
    // what only some servers know is taken where it is known
    let (database, all) = with_notes("{alter_table: {table: notes, storage: {vacuum_max_eager_freeze_failure_rate: 0.5}}}").await;
    let mut migrator = database.migrator().await;
    if major() < 18 {
        let error = refused(&database, &mut migrator, &all).await;
        assert!(error.contains("unrecognized parameter \"vacuum_max_eager_freeze_failure_rate\""), "{error}");
    } else {
        migrator.start(&all, None, &mut Quiet).await.expect("started");
        migrator.complete(&mut Quiet).await.expect("completed");
        assert_eq!(stored(&database, "notes").await, "fillfactor=90,vacuum_max_eager_freeze_failure_rate=0.5");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn they_are_set_beside_readers_and_writers_that_have_not_ended() {
    let change = "{alter_table: {table: notes, storage: {fillfactor: null, autovacuum_vacuum_scale_factor: 0.01, toast.autovacuum_enabled: false}}}";
    let (database, all) = with_notes(change).await;
    let before = database.catalog().await;
    let options = || Options { timeout: Duration::from_secs(4), ..Options::default() };
    let mut migrator = Migrator::connect(&database.config(), options()).await.expect("connected");
    migrator.start(&all, None, &mut Quiet).await.expect("started");
    assert_eq!(stored(&database, "notes").await, "fillfactor=90");
    migrator.rollback(&mut Quiet).await.expect("rolled back");
    let now = database.catalog().await;
    assert_eq!(before, now, "{}", difference(&before, &now));
    migrator.start(&all, None, &mut Quiet).await.expect("started");
    // on the table itself and through the newer version, whose views stay
    let (direct, new) = (database.client().await, database.on("0002_change").await);
    must(&direct, "BEGIN; INSERT INTO public.notes VALUES (1, 'a'); SELECT count(*) FROM public.notes").await;
    must(&new, "BEGIN; INSERT INTO notes VALUES (2, 'b'); SELECT count(*) FROM notes").await;
    migrator.complete(&mut Quiet).await.expect("completed");
    assert_eq!(stored(&database, "notes").await, "autovacuum_vacuum_scale_factor=0.01,toast.autovacuum_enabled=false");
    must(&direct, "INSERT INTO public.notes VALUES (3, 'c'); COMMIT").await;
    must(&new, "INSERT INTO notes VALUES (4, 'd'); COMMIT").await;
    assert_eq!(ask(&new, "SELECT count(*) FROM notes").await, "4");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_exists_brings_them_along() {
    let made_by = "CREATE TABLE notes (id bigint PRIMARY KEY, body text) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.010, toast.autovacuum_enabled = off); \
         CREATE TABLE parted (id bigint PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE part PARTITION OF parted DEFAULT WITH (fillfactor = 60)";
    let Some(existing) = Existing::new(made_by).await else { return };
    let seen = existing.run(&["baseline"]);
    assert!(seen.contains("1 table with storage parameters: public.part\n"), "{seen}");
    let pulled = existing.run(&["pull", "--stdout"]);
    let line =
        "#[schema(storage(autovacuum_vacuum_scale_factor = \"0.010\", fillfactor = 70, toast(autovacuum_enabled = \"off\")))]";
    assert!(pulled.contains(line) && pulled.matches("storage(").count() == 1, "{pulled}");
    let fresh = existing.completed().await;
    existing.is_as(&fresh);
    // by hand: told, no hindrance, and taken over
    let by_hand = "ALTER TABLE notes RESET (autovacuum_vacuum_scale_factor); ALTER TABLE notes SET (fillfactor = 50, parallel_workers = 2, toast.autovacuum_enabled = on)";
    must(&existing.client, by_hand).await;
    let status = existing.status();
    for told in [
        "storage parameter `notes.autovacuum_vacuum_scale_factor` is only in the version",
        "storage parameter `notes.fillfactor` is 70 in the version, and 50 in the database",
        "storage parameter `notes.parallel_workers` is only in the database",
        "storage parameter `notes.toast.autovacuum_enabled` is \"off\" in the version, and \"on\" in the database",
    ] {
        assert!(status.contains(told), "{told}: {status}");
    }
    let differing = existing.folder.run(Some(&existing.url), &["diff", "files", "database", "--operations"]);
    assert!(text(&differing.stdout).contains("fillfactor: 50"), "{}", text(&differing.stdout));
    assert_eq!(existing.take_over("tuned", &fresh), ["alter_table"]);
    existing.is_as(&fresh);
    assert!(!existing.status().contains("drift"));
}

/// What nobody has taken over stays, through a change of another parameter of the same table.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_set_by_hand_stays_where_the_migration_says_nothing_of_it() {
    let (database, all) = with_notes("{alter_table: {table: notes, storage: {fillfactor: 60}}}").await;
    must(&database.client().await, "ALTER TABLE public.notes SET (parallel_workers = 3)").await;
    let mut migrator = database.migrator().await;
    migrator.start(&all, None, &mut Quiet).await.expect("started");
    migrator.complete(&mut Quiet).await.expect("completed");
    assert_eq!(stored(&database, "notes").await, "fillfactor=60,parallel_workers=3");
}

/// What statements of one's own set is in the model: another database of the same app is held against it.
#[tokio::test(flavor = "multi_thread")]
async fn statements_of_ones_own_set_them_too() {
    let scripted = "operations: [{sql: {up: 'ALTER TABLE notes SET (user_catalog_table = true)', down: 'ALTER TABLE notes RESET (user_catalog_table)'}}]";
    let folder = Folder::new(&[("0001_before.yaml", BEFORE), ("0002_scripted.yaml", scripted)]);
    let run = |url: &str, arguments: &[&str]| {
        let output = folder.run(Some(url), arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}{}", text(&output.stdout), text(&output.stderr));
        text(&output.stdout)
    };
    let other = dump::empty(&Database::new().await).await;
    let made_by = "CREATE TABLE notes (id bigint PRIMARY KEY, body text NOT NULL) WITH (fillfactor = 90, user_catalog_table = true); CREATE TABLE numbers (id bigint PRIMARY KEY)";
    must(&other.client().await, made_by).await;
    let url = server().url(&other.name);
    run(&url, &["baseline", "--to", "0002_scripted"]);
    run(&url, &["complete"]);
    assert!(run(&url, &["diff", "files", "database"]).contains("no difference"));
}

#[tokio::test(flavor = "multi_thread")]
async fn h23_parameters_of_no_toast_table_are_lost_in_silence() {
    let database = Database::new().await;
    let client = database.client().await;
    must(&client, "CREATE TABLE numbers (id bigint PRIMARY KEY); ALTER TABLE numbers SET (toast.nonsense = 1); ALTER TABLE numbers RESET (nonsense)").await;
    assert_eq!(stored(&database, "numbers").await, "NULL");
    assert_eq!(ask(&client, "ALTER TABLE numbers SET (nonsense = 1)").await, "!22023");
}
