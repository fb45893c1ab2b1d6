//! Replication is part of production: publications and native subscribers, physical standbys that are read and promoted, `pg_upgrade`.

use diptych::core::Migration;
use diptych::{Progress, Quiet};
use diptych_tests::{Database, ask, migration, must};

/// What was told.
#[derive(Default)]
struct Told(Vec<String>);

impl Progress for Told {
    fn warning(&mut self, warning: &diptych::Error) {
        self.0.push(warning.to_string());
    }
}

impl Told {
    /// The one warning that holds a text.
    fn of(&self, text: &str) -> &str {
        let found: Vec<_> = self.0.iter().filter(|told| told.contains(text)).collect();
        assert_eq!(found.len(), 1, "`{text}` in {:#?}", self.0);
        found[0]
    }
}

/// The statements that a hint ends with.
fn statements(told: &str) -> String {
    let hint = told.split_once("\nhint: ").unwrap_or_else(|| panic!("no hint: {told}")).1;
    hint.split_once(": ").unwrap_or_else(|| panic!("no statements: {hint}")).1.to_owned()
}

fn both(before: &str, change: &str) -> [Migration; 2] {
    [migration("0001_before", before), migration("0002_change", change)]
}

const LOOSE: &str = "operations:
  - create_table: {name: words, columns: [{name: word, type: text}, {name: price, type: integer}]}
  - create_table: {name: events, partition_by: LIST (kind), columns: [{name: id, type: bigint}, {name: kind, type: integer}, {name: price, type: integer}]}
";
const LOOSE_CHANGE: &str = "operations:
  - alter_column: {table: words, column: price, type: bigint, up: price * 100, down: price / 100}
  - alter_column: {table: events, column: price, type: bigint, up: price * 100, down: price / 100}
";

#[tokio::test(flavor = "multi_thread")]
async fn b28_a_published_table_without_replica_identity_is_refused_before_it_is_filled() {
    let publications = [
        ("CREATE PUBLICATION news FOR TABLE words, events", "events_1 events_2 words"),
        ("CREATE PUBLICATION news FOR TABLE words, events WITH (publish_via_partition_root)", "events_1 events_2 words"),
        ("CREATE PUBLICATION news FOR TABLE events_1", "events_1"),
        ("CREATE PUBLICATION news FOR TABLE words WITH (publish = 'insert')", ""),
    ];
    for (publication, named) in publications {
        let database = Database::new().await;
        let all = both(LOOSE, LOOSE_CHANGE);
        database.migrate(&all[..1]).await;
        let admin = database.client().await;
        must(&admin, "CREATE TABLE events_1 PARTITION OF events FOR VALUES IN (1); CREATE TABLE events_2 PARTITION OF events FOR VALUES IN (2)").await;
        must(&admin, "INSERT INTO words VALUES ('a', 1); INSERT INTO events VALUES (1, 1, 1), (2, 2, 2)").await;
        must(&admin, publication).await;
        let before = database.catalog().await;
        let mut migrator = database.migrator().await;
        if !named.is_empty() {
            let error = migrator.start(&all, None, &mut Quiet).await.unwrap_err();
            assert!(error.is_refused() && error.message().contains("replica identity"), "{error}");
            assert_eq!(before, database.catalog().await, "nothing is changed");
            let mends = statements(&error.to_string());
            let wanted: Vec<String> =
                named.split(' ').map(|table| format!("ALTER TABLE public.{table} REPLICA IDENTITY FULL")).collect();
            assert_eq!(mends, wanted.join("; "));
            must(&admin, &mends).await;
        }
        migrator.start(&all, None, &mut Quiet).await.unwrap_or_else(|error| panic!("{publication}: {error}"));
        migrator.complete(&mut Quiet).await.unwrap();
        assert_eq!(ask(&admin, "SELECT price FROM words UNION SELECT price FROM events ORDER BY 1").await, "100;200");
    }
    // a key counts, until it is no identity any more
    let database = Database::new().await;
    let all = both(
        "operations: [{create_table: {name: words, columns: [{name: id, type: bigint, pk: true}, {name: price, type: integer}]}}]",
        "operations: [{alter_column: {table: words, column: price, type: bigint, up: price * 100, down: price / 100}}]",
    );
    database.migrate(&all[..1]).await;
    let admin = database.client().await;
    must(&admin, "INSERT INTO words VALUES (1, 1); CREATE PUBLICATION news FOR ALL TABLES").await;
    must(&admin, "ALTER TABLE words REPLICA IDENTITY NOTHING").await;
    let mut migrator = database.migrator().await;
    assert!(migrator.start(&all, None, &mut Quiet).await.unwrap_err().is_refused());
    must(&admin, "ALTER TABLE words REPLICA IDENTITY DEFAULT").await;
    migrator.start(&all, None, &mut Quiet).await.unwrap_or_else(|error| panic!("{error}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publication_of_partitions_is_told_with_the_subscribers_statements() {
    let database = Database::new().await;
    let all = both(LOOSE, LOOSE_CHANGE);
    database.migrate(&all[..1]).await;
    let admin = database.client().await;
    must(&admin, "CREATE TABLE events_1 PARTITION OF events FOR VALUES IN (1); ALTER TABLE events_1 REPLICA IDENTITY FULL; CREATE PUBLICATION news FOR TABLE events_1").await;
    let mut told = Told::default();
    database.migrator().await.start(&all, None, &mut told).await.unwrap_or_else(|error| panic!("{error}"));
    let told = statements(told.of("native subscriber"));
    assert!(told.starts_with("ALTER TABLE public.events_1 ADD COLUMN \"_diptych_new_events_price_0002_change_"), "{told}");
}
