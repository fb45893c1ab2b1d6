//! Replication is part of production: publications and native subscribers, physical standbys that are read and promoted, `pg_upgrade`.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use diptych::core::Migration;
use diptych::{Migrator, Options, Progress, PublishedState, Quiet};
use diptych_tests::{Database, ask, migration, must, server};
use diptych_xtask::server::{self as private, Server};
use tokio_postgres::Client;
use tokio_postgres::config::Host;

use crate::cli::{Folder, refused, text};

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

/// A database that publishes, and one on another server that subscribes.
struct Pair {
    publisher: Database,
    subscriber: Database,
}

impl Pair {
    async fn new() -> Self {
        static SERVERS: OnceLock<[Server; 2]> = OnceLock::new();
        let [publisher, subscriber] = SERVERS.get_or_init(|| [logical(), logical()]);
        Pair {
            publisher: Database::at(&publisher.config("postgres"), "public").await,
            subscriber: Database::at(&subscriber.config("postgres"), "public").await,
        }
    }

    /// Subscribes to the publication `news`; its slot and its worker are called as the publisher's database.
    async fn subscribe(&self) {
        let name = &self.publisher.name;
        let [Host::Unix(folder)] = self.publisher.server.get_hosts() else { panic!("a socket") };
        let connection = format!("host={} user=postgres dbname={name}", folder.display());
        let sql = format!("CREATE SUBSCRIPTION {name} CONNECTION '{connection}' PUBLICATION news");
        must(&self.subscriber.client().await, &sql).await;
        let ready = "SELECT count(*) > 0 AND bool_and(srsubstate = 'r') FROM pg_subscription_rel";
        eventually(&self.subscriber.client().await, ready, "the first copy").await;
        self.caught_up().await;
    }

    /// Waits until the subscriber has applied all that the publisher has done so far.
    async fn caught_up(&self) {
        let admin = self.publisher.client().await;
        let now = ask(&admin, "SELECT pg_current_wal_insert_lsn()").await;
        let sql = format!(
            "SELECT count(*) = 1 AND bool_and(replay_lsn >= '{now}') FROM pg_stat_replication WHERE application_name = '{}'",
            self.publisher.name
        );
        eventually(&admin, &sql, &format!("the subscriber of {} goes on", self.publisher.name)).await;
    }

    /// The rows of a query on both sides are the same: how many.
    async fn compare(&self, sql: &str) -> usize {
        self.caught_up().await;
        let [ours, theirs] = [ask(&self.publisher.client().await, sql).await, ask(&self.subscriber.client().await, sql).await];
        assert!(!ours.starts_with('!'), "{ours}: {sql}");
        assert_eq!(ours, theirs, "{sql}");
        ours.split(';').filter(|row| !row.is_empty()).count()
    }

    /// Ends the subscription, so that the publisher's database can go.
    async fn end(self) {
        must(&self.subscriber.client().await, &format!("DROP SUBSCRIPTION {}", self.publisher.name)).await;
    }
}

/// A server that publishes or subscribes.
fn logical() -> Server {
    let settings = [
        ("wal_level", "logical"),
        ("max_replication_slots", "40"),
        ("max_wal_senders", "40"),
        ("max_worker_processes", "60"),
        ("max_logical_replication_workers", "40"),
        // how long a subscriber rests that has stopped
        ("wal_retrieve_retry_interval", "100ms"),
    ];
    let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    Server::start(&private::Options { settings, ..private::Options::default() }).expect("a private server")
}

async fn eventually(client: &Client, sql: &str, what: &str) {
    let since = Instant::now();
    while ask(client, sql).await != "t" {
        assert!(since.elapsed() < Duration::from_secs(30), "{what}: {sql}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

const USERS: &str = "operations:
  - create_table:
      name: users
      columns: [{name: id, type: bigint, pk: true}, {name: name, type: text}, {name: price, type: integer, nullable: true}]
";
const USERS_CHANGE: &str = "operations:
  - alter_column: {table: users, column: price, type: bigint, up: price * 100, down: price / 100}
  - rename_column: {table: users, from: name, to: title}
  - add_column: {table: users, column: {name: kind, type: text, default: \"'plain'\"}}
  - create_table: {name: notes, columns: [{name: id, type: bigint, pk: true}, {name: note, type: text}]}
";

/// Writes through both versions.
async fn write(database: &Database, round: u32) {
    let (old, new) = (database.on("0001_before").await, database.on("0002_change").await);
    let at = round * 100;
    must(&old, &format!("INSERT INTO users SELECT {at} + n, 'old' || n, n FROM generate_series(1, 20) AS n")).await;
    must(
        &new,
        &format!(
            "INSERT INTO users (id, title, price) SELECT {at} + 50 + n, 'new' || n, n * 150 FROM generate_series(1, 20) AS n"
        ),
    )
    .await;
    must(&old, &format!("UPDATE users SET price = price + 1 WHERE id > {at} AND id % 3 = 0")).await;
    must(&new, &format!("UPDATE users SET price = price + 50, title = title || '!' WHERE id > {at} AND id % 5 = 0")).await;
    must(&new, &format!("DELETE FROM users WHERE id > {at} AND id % 7 = 0; INSERT INTO notes VALUES ({at}, 'x')")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn b41_a_publication_of_all_tables_is_told_before_the_state_is_made() {
    let pair = Pair::new().await;
    let (publisher, subscriber) = (pair.publisher.client().await, pair.subscriber.client().await);
    for admin in [&publisher, &subscriber] {
        must(admin, "CREATE TABLE orders (id bigint PRIMARY KEY)").await;
    }
    must(&publisher, "INSERT INTO orders VALUES (1); CREATE PUBLICATION news FOR ALL TABLES").await;
    pair.subscribe().await;
    let all = both(USERS, USERS_CHANGE);

    // every command that would make the state is refused
    let error = pair.publisher.migrator().await.start(&all[..1], None, &mut Quiet).await.unwrap_err();
    assert!(error.is_refused() && error.message().contains("publication news"), "{error}");
    assert!(pair.publisher.migrator().await.complete(&mut Quiet).await.unwrap_err().is_refused());
    assert_eq!(ask(&publisher, "SELECT to_regnamespace('diptych') IS NULL").await, "t", "nothing is made");
    must(&publisher, "INSERT INTO orders VALUES (2)").await;
    let mut rows = pair.compare("SELECT * FROM orders ORDER BY 1").await;

    // followed
    must(&subscriber, &statements(&error.to_string())).await;
    let options = Options { published_state: PublishedState::Allow, ..Options::default() };
    let mut migrator = Migrator::connect(&pair.publisher.config(), options).await.unwrap();
    let mut told = Told::default();
    migrator.start(&all[..1], None, &mut told).await.unwrap_or_else(|error| panic!("{error}"));
    must(&subscriber, &statements(told.of("new tables"))).await;
    migrator.complete(&mut Quiet).await.unwrap();
    must(&pair.publisher.on("0001_before").await, "INSERT INTO users SELECT n, 'a', n FROM generate_series(1, 50) AS n").await;
    let refresh = format!("ALTER SUBSCRIPTION {} REFRESH PUBLICATION WITH (copy_data = false)", pair.publisher.name);
    must(&subscriber, &refresh).await;
    pair.caught_up().await;

    // once it is there, nobody is asked again; a rollback, then the whole way
    for (round, completes) in [(1, false), (2, true)] {
        let mut told = Told::default();
        let mut migrator = pair.publisher.migrator().await;
        migrator.start(&all, None, &mut told).await.unwrap_or_else(|error| panic!("{error}"));
        must(&subscriber, &statements(told.of("at the first row with a column"))).await;
        must(&subscriber, &statements(told.of("new tables"))).await;
        must(&subscriber, &refresh).await;
        write(&pair.publisher, round).await;
        rows += pair.compare("SELECT * FROM users ORDER BY 1").await;
        rows += pair.compare("SELECT * FROM notes ORDER BY 1").await;
        let mut told = Told::default();
        if completes {
            migrator.complete(&mut told).await.unwrap_or_else(|error| panic!("{error}"));
            pair.caught_up().await;
            must(&subscriber, &statements(told.of("under other names from `complete` on"))).await;
        } else {
            migrator.rollback(&mut told).await.unwrap_or_else(|error| panic!("{error}"));
            must(
                &pair.publisher.on("0001_before").await,
                "UPDATE users SET price = price + 1; INSERT INTO users VALUES (999, 'z', 1)",
            )
            .await;
            pair.caught_up().await;
            must(&subscriber, &statements(told.of("new columns no more"))).await;
            must(&subscriber, &statements(told.of("new tables no more"))).await;
            rows += pair.compare("SELECT * FROM users ORDER BY 1").await;
        }
    }
    must(&pair.publisher.on("0002_change").await, "UPDATE users SET price = price + 7 WHERE id % 2 = 0; INSERT INTO users (id, title, price) VALUES (9999, 'z', 10000000000); INSERT INTO notes VALUES (1, 'y')").await;
    rows += pair.compare("SELECT id, title, price, kind FROM users ORDER BY 1").await;
    rows += pair.compare("SELECT * FROM notes ORDER BY 1").await;
    println!("b41: a publication of all tables through start, rollback, start and complete: {rows} rows compared, 0 different");
    pair.end().await;
}

#[test]
fn b41_the_command_line_takes_the_hint() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let database = runtime.block_on(async {
        let database = Database::new().await;
        must(&database.client().await, "CREATE PUBLICATION news FOR ALL TABLES").await;
        database
    });
    let (folder, url) = (Folder::new(&[("0001_before.yaml", USERS)]), server().url(&database.name));
    refused(&folder.run(Some(&url), &["start"]), &["publication news", "--allow-published-state", "CREATE TABLE diptych.runs"]);
    let output = folder.run(Some(&url), &["start", "--allow-published-state"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(folder.run(Some(&url), &["complete"]).status.success(), "nobody is asked again");
}

const LISTED: &str = "operations:
  - create_table:
      name: users
      columns:
        - {name: id, type: integer, pk: true}
        - {name: name, type: text}
        - {name: price, type: integer, nullable: true}
        - {name: note, type: text, nullable: true}
";
const LISTED_CHANGE: &str = "operations:
  - alter_column: {table: users, column: price, type: bigint, up: price * 100, down: price / 100}
  - rename_column: {table: users, from: name, to: title}
  - drop_column: {table: users, column: note, down: \"'-'\"}
";
const KEY_CHANGE: &str = "  - alter_column: {table: users, column: id, type: bigint, up: id, down: id}\n";

#[tokio::test(flavor = "multi_thread")]
async fn b42_a_list_of_columns_is_carried_over_by_complete_and_back_by_rollback() {
    if diptych_tests::major() < 15 {
        println!("b42: PostgreSQL 14 has no lists of columns");
        return;
    }
    // the whole row of a list with a filter on the key; of one whose key is converted, so that no filter may read it
    list_is_carried(LISTED_CHANGE, " WHERE (id <> 0)").await;
    list_is_carried(&format!("{LISTED_CHANGE}{KEY_CHANGE}"), "").await;
    println!("b42: two lists of columns, each through two rollbacks and a complete");
}

async fn list_is_carried(change: &str, filter: &str) {
    let database = Database::of_owner("b42").await;
    let owner = database.server.get_user().unwrap_or_default().to_owned();
    let root = database.superuser().await;
    must(&root, "SET search_path = shop").await;
    let lists = async || {
        let columns = "SELECT string_agg(attname, ',' ORDER BY attname) FROM pg_attribute JOIN pg_publication_rel ON attrelid = prrelid AND attnum = ANY (prattrs)";
        let filter = "SELECT pg_get_expr(prqual, prrelid) FROM pg_publication_rel";
        format!("{} {}", ask(&root, columns).await, ask(&root, filter).await)
    };
    let all = both(LISTED, change);
    database.migrate(&all[..1]).await;
    let old = database.on("0001_before").await;
    must(&old, "INSERT INTO users SELECT n, 'a', n, 'b' FROM generate_series(1, 9) AS n").await;
    must(&root, &format!("CREATE PUBLICATION news FOR TABLE users (id, name, price, note){filter}")).await;
    let before = lists().await;

    // the publication of another role is refused, and the hint leads out
    let catalog = database.catalog().await;
    let error = database.migrator().await.start(&all, None, &mut Quiet).await.unwrap_err();
    assert!(error.is_refused() && error.message().contains("news (shop.users), which belongs to another role"), "{error}");
    assert_eq!(statements(&error.to_string()), format!("ALTER PUBLICATION news OWNER TO {owner}"));
    assert_eq!(catalog, database.catalog().await);
    must(&root, &statements(&error.to_string())).await;

    // rollback, of a list as it was and of one that had the new columns already
    for lists_new in [false, true] {
        let mut migrator = database.migrator().await;
        migrator.start(&all, None, &mut Quiet).await.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(lists().await, before, "until complete the list is as it was");
        if lists_new {
            let shadow = ask(&root, "SELECT attname FROM pg_attribute WHERE attrelid = 'shop.users'::regclass AND attname LIKE '~_diptych~_new~_users~_price%' ESCAPE '~'").await;
            must(&root, &format!("ALTER PUBLICATION news SET TABLE users (id, name, {shadow}, note){filter}")).await;
        }
        migrator.rollback(&mut Quiet).await.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(lists().await, before);
        must(
            &old,
            "UPDATE users SET price = price + 1; DELETE FROM users WHERE id = 9; INSERT INTO users VALUES (9, 'a', 9, 'b')",
        )
        .await;
    }

    // complete: the key stays covered, the filter is what it was
    let mut migrator = database.migrator().await;
    migrator.start(&all, None, &mut Quiet).await.unwrap_or_else(|error| panic!("{error}"));
    let mut told = Told::default();
    migrator.complete(&mut told).await.unwrap_or_else(|error| panic!("{error}"));
    assert!(told.of("lists of columns").contains("news (shop.users)"), "{:?}", told.0);
    assert_eq!(lists().await, before.replace("id,name,note,price", "id,price,title"));
    must(&database.on("0002_change").await, "UPDATE users SET price = price + 1; DELETE FROM users WHERE id = 1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn b42_a_filter_that_reads_what_goes_and_a_list_without_anything_else_are_refused() {
    if diptych_tests::major() < 15 {
        return;
    }
    for (publication, why) in [
        (
            "ALTER TABLE users REPLICA IDENTITY FULL; CREATE PUBLICATION news FOR TABLE users WHERE (price > 0)",
            "whose filter reads it",
        ),
        (
            "CREATE PUBLICATION news FOR TABLE users (id, price) WHERE (price > 0) WITH (publish = 'insert')",
            "whose filter reads it",
        ),
        ("CREATE PUBLICATION news FOR TABLE users (note) WITH (publish = 'insert')", "which has no other column"),
        ("CREATE PUBLICATION news FOR TABLE users (name)", "whose list of columns lacks some of it"),
        (
            "ALTER TABLE users REPLICA IDENTITY DEFAULT; CREATE PUBLICATION news FOR TABLE users WHERE (name <> '')",
            "whose filter reads more than it",
        ),
        ("ALTER TABLE users REPLICA IDENTITY FULL; CREATE PUBLICATION news FOR TABLE users (id, name, price, note)", "is FULL"),
    ] {
        let database = Database::new().await;
        let all = both(LISTED, LISTED_CHANGE);
        database.migrate(&all[..1]).await;
        let admin = database.client().await;
        for statement in publication.split("; ") {
            must(&admin, statement).await;
        }
        let catalog = database.catalog().await;
        let error = database.migrator().await.start(&all, None, &mut Quiet).await.unwrap_err();
        assert!(error.is_refused() && error.message().contains(why), "{publication}: {error}");
        assert_eq!(catalog, database.catalog().await);
        must(&admin, &statements(&error.to_string())).await;
        database.migrate_on(&all).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn b42_a_converted_table_that_subscribes_is_told_and_never_stops_at_complete() {
    let pair = Pair::new().await;
    let publisher = pair.publisher.client().await;
    must(
        &publisher,
        "CREATE TABLE users (id bigint PRIMARY KEY, name text NOT NULL, price integer); CREATE PUBLICATION news FOR TABLE users",
    )
    .await;
    must(&publisher, "INSERT INTO users SELECT n, 'a', n FROM generate_series(1, 20) AS n").await;
    let all = both(USERS, USERS_CHANGE);
    pair.subscriber.migrate(&all[..1]).await;
    pair.subscribe().await;
    let mut told = Told::default();
    let mut migrator = pair.subscriber.migrator().await;
    migrator.start(&all, None, &mut told).await.unwrap_or_else(|error| panic!("{error}"));
    assert!(told.of("these subscriptions write").contains(&format!("{} (public.users)", pair.publisher.name)), "{:?}", told.0);
    // until complete, what is applied is converted
    must(&publisher, "INSERT INTO users VALUES (21, 'z', 21); UPDATE users SET price = price + 1 WHERE id < 5").await;
    let rows = pair.compare("SELECT id, name, price FROM users ORDER BY 1").await;
    let new = pair.subscriber.on("0002_change").await;
    let wanted = ask(&publisher, "SELECT id, name, price * 100 FROM users ORDER BY 1").await;
    assert_eq!(ask(&new, "SELECT id, title, price FROM users ORDER BY 1").await, wanted);
    let error = migrator.complete(&mut Quiet).await.unwrap_err();
    assert!(error.is_refused() && error.message().contains("these subscriptions write"), "{error}");
    must(&publisher, "INSERT INTO users VALUES (22, 'z', 22)").await;
    assert_eq!(pair.compare("SELECT id, name, price FROM users ORDER BY 1").await, 22, "it goes on");
    let admin = pair.subscriber.client().await;
    must(&admin, &statements(&error.to_string())).await;
    migrator.complete(&mut Quiet).await.unwrap_or_else(|error| panic!("{error}"));
    // the publisher follows, and the subscription goes on
    must(
        &publisher,
        "ALTER TABLE users ALTER COLUMN price TYPE bigint USING price * 100; ALTER TABLE users RENAME COLUMN name TO title",
    )
    .await;
    must(&admin, &format!("ALTER SUBSCRIPTION {} ENABLE", pair.publisher.name)).await;
    must(&publisher, "INSERT INTO users VALUES (23, 'z', 2300); UPDATE users SET price = price + 1 WHERE id > 15").await;
    let rows = rows + pair.compare("SELECT id, title, price FROM users ORDER BY 1").await;
    println!("b42: a converted table that subscribes: {rows} rows compared, 0 different");
    pair.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn b42_slots_of_other_plugins_are_told() {
    let pair = Pair::new().await;
    let all = both(USERS, USERS_CHANGE);
    pair.publisher.migrate(&all[..1]).await;
    let admin = pair.publisher.client().await;
    let name = format!("slot_{}", pair.publisher.name);
    must(&admin, &format!("SELECT pg_create_logical_replication_slot('{name}', 'test_decoding')")).await;
    let mut told = Told::default();
    pair.publisher.migrator().await.start(&all, None, &mut told).await.unwrap_or_else(|error| panic!("{error}"));
    assert!(told.of("these slots decode every table").contains(&format!("{name} (test_decoding)")), "{:?}", told.0);
    must(&admin, &format!("SELECT pg_drop_replication_slot('{name}')")).await;
}
