//! A state that an earlier release has written: this one goes on with it.

use diptych::{Migrator, Options, PublishedState, Quiet};
use diptych_tests::{Database, ask, client, dump, major, migration, must};

/// Format 1, as it was when it came to be: two versions live, some rows of each. A later format gets a file of its own beside it.
const FORMAT_1: &str = include_str!("../../fixtures/state-1.sql");

fn all() -> [diptych_core::Migration; 2] {
    let before = "operations:
  - create_enum: {name: mood, labels: [sad, happy]}
  - create_table: {name: teams, columns: [{name: id, type: integer, pk: true}]}
  - create_table: {name: items, columns: [{name: id, type: bigint, pk: true}, {name: price, type: numeric}, {name: mood, type: mood, nullable: true},
      {name: team, type: integer, nullable: true, references: {name: items_team, table: teams, column: id}}]}
";
    let change = "operations:
  - alter_column: {table: items, column: price, type: bigint, up: price * 100, down: price / 100.0}
  - alter_enum: {name: mood, labels: [sad, happy, calm], down: {calm: happy}}
  - rename_column: {table: items, from: team, to: crew}
  - create_index: {name: items_price, table: items, columns: [price]}
  - rename_table: {from: teams, to: crews}
  - create_table: {name: notes, columns: [{name: id, type: bigint, pk: true}]}
";
    [migration("0001_before", before), migration("0002_change", change)]
}

/// `cargo test -p diptych-tests --test it -- --ignored writes_the_fixture`, once for each format, by the release that brings it.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "writes a file of the repository"]
async fn writes_the_fixture() {
    let database = dump::empty(&Database::new().await).await;
    database.migrate(&all()[..1]).await;
    must(&database.on("0001_before").await, "INSERT INTO teams VALUES (1); INSERT INTO items VALUES (1, 1.50, 'sad', 1)").await;
    database.migrator().await.start(&all(), None, &mut Quiet).await.unwrap();
    must(&database.on("0002_change").await, "INSERT INTO items VALUES (2, 250, 'calm', 1)").await;
    let text = dump::text(&database).expect("pg_dump");
    std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/state-1.sql"), text).expect("written");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_of_format_1_goes_on() {
    let template = Database::new().await;
    for end in ["complete", "rollback"] {
        let database = dump::empty(&template).await;
        // what this server does not know
        let text = if major() < 15 { FORMAT_1.replace(" WITH (security_invoker='true')", "") } else { FORMAT_1.to_owned() };
        client(&database.config()).await.batch_execute(&text).await.unwrap_or_else(|error| panic!("{error:?}"));
        let status = database.migrator().await.status(&all()).await.unwrap();
        assert_eq!((status.live.as_deref(), status.damage, status.problems.len()), (Some("0001_before"), Vec::new(), 0));
        // what it has not noted is not known; once it is brought up to date, its steps tell when they were
        assert!(status.migrations.iter().all(|of| of.began_at.is_none() && of.role.is_none()), "{:?}", status.migrations);
        assert_eq!(database.migrator().await.log().await.unwrap(), []);
        let (old, new) = (database.on("0001_before").await, database.on("0002_change").await);
        assert_eq!(ask(&old, "SELECT * FROM items ORDER BY id").await, "1|1.50|sad|1;2|2.5000000000000000|happy|1");
        assert_eq!(ask(&new, "SELECT * FROM items ORDER BY id").await, "1|150|sad|1;2|250|calm|1");
        must(&old, "INSERT INTO items VALUES (3, 3, 'happy', 1)").await;
        must(&new, "UPDATE items SET price = 400 WHERE id = 1").await;
        if end == "complete" {
            database.migrator().await.complete(&mut Quiet).await.unwrap();
            assert_eq!(ask(&new, "SELECT * FROM items ORDER BY id").await, "1|400|sad|1;2|250|calm|1;3|300|happy|1");
            let status = database.migrator().await.status(&all()).await.unwrap();
            assert!(status.migrations.iter().all(|of| of.began_at.is_some() && of.role.is_none()), "{:?}", status.migrations);
            assert!(status.migrations.iter().all(|of| of.milliseconds.is_some_and(|took| took >= 0)), "{:?}", status.migrations);
            let log = database.migrator().await.log().await.unwrap();
            assert_eq!((log.len(), log[0].command.as_str(), log[0].outcome.as_str()), (1, "complete", "done"));
        } else {
            database.migrator().await.rollback(&mut Quiet).await.unwrap();
            assert_eq!(ask(&old, "SELECT id, trunc(price, 1) FROM items ORDER BY id").await, "1|4.0;2|2.5;3|3.0");
            database.migrator().await.start(&all(), None, &mut Quiet).await.unwrap();
            database.migrator().await.complete(&mut Quiet).await.unwrap();
        }
    }
}

/// What this release adds to the state reaches no subscriber unasked: it would stop at the first row of a table or column that it lacks.
#[tokio::test(flavor = "multi_thread")]
async fn a_published_state_is_brought_to_this_release_when_its_subscribers_are() {
    let template = Database::new().await;
    let text = if major() < 15 { FORMAT_1.replace(" WITH (security_invoker='true')", "") } else { FORMAT_1.to_owned() };
    let (publisher, subscriber) = (dump::empty(&template).await, dump::empty(&template).await);
    let (admin, other) = (client(&publisher.config()).await, client(&subscriber.config()).await);
    for client in [&admin, &other] {
        client.batch_execute(&text).await.unwrap_or_else(|error| panic!("{error:?}"));
    }
    must(&admin, "CREATE PUBLICATION everything FOR ALL TABLES").await;
    let error = publisher.migrator().await.complete(&mut Quiet).await.unwrap_err();
    assert!(error.is_refused() && error.message().contains("publication everything"), "{error}");
    assert!(error.message().contains("log.outcome") && error.message().contains("versions.began_at"), "{error}");
    assert_eq!(ask(&admin, "SELECT to_regclass('diptych.log') IS NULL").await, "t", "nothing is made");
    // followed
    let hint = error.hint_text().expect("a hint").to_owned();
    assert!(hint.contains("`start --allow-published-state`"), "{hint}");
    let (_, statements) = hint.split_once("on the subscriber: ").expect("statements");
    must(&other, statements).await;
    let options = Options { published_state: PublishedState::Allow, ..Options::default() };
    let allowed = Migrator::connect(&publisher.config(), options).await.unwrap().start(&all(), None, &mut Quiet).await;
    allowed.unwrap_or_else(|error| panic!("{error}"));
    let columns = "SELECT string_agg(attrelid::regclass || '.' || attname, ' ' ORDER BY attrelid::regclass::text, attname) FROM pg_attribute \
        WHERE attrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'diptych'::regnamespace AND relkind = 'r') AND attnum > 0 AND NOT attisdropped";
    assert_eq!(ask(&admin, columns).await, ask(&other, columns).await);
    // nobody is asked again
    publisher.migrator().await.complete(&mut Quiet).await.unwrap();
}
