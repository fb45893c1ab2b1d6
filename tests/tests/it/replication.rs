//! Replication is part of production: publications and native subscribers, physical standbys that are read and promoted, `pg_upgrade`.

mod lists;
pub(crate) mod standby;
mod upgrade;

use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use diptych::{Migrator, Options, PublishedState, Quiet};
use diptych_core::Migration;
use diptych_tests::{Database, Told, Work, ask, migration, must, server};
use diptych_xtask::server::{self as private, Server};
use tokio_postgres::Client;
use tokio_postgres::config::Host;

use crate::cli::{Folder, refused, text};

/// The folders of server programs that can be had here, those of the suite's own server first, then the newest.
fn folders() -> Vec<PathBuf> {
    let cache = std::env::var_os("DIPTYCH_PG_CACHE").map_or_else(|| PathBuf::from("/var/tmp/diptych-postgres"), PathBuf::from);
    let mut found: Vec<PathBuf> = [(PathBuf::from("/usr/lib/postgresql"), "bin"), (cache, "native/bin")]
        .iter()
        .flat_map(|(parent, rest)| {
            std::fs::read_dir(parent).into_iter().flatten().flatten().map(move |entry| entry.path().join(rest))
        })
        .collect();
    found.sort_by_key(|folder| std::cmp::Reverse(major_of(folder)));
    found.insert(0, server().bin_dir().to_owned());
    found
}

/// The major version of the server in a folder of programs.
fn major_of(folder: &std::path::Path) -> u32 {
    let output = std::process::Command::new(folder.join("postgres")).arg("--version").output();
    let text = output.map(|output| text(&output.stdout)).unwrap_or_default();
    text.split(|c: char| !c.is_ascii_digit()).find_map(|part| part.parse().ok()).unwrap_or_default()
}

/// The statements that a hint ends with.
fn statements(told: &str) -> String {
    let hint = told.split_once("\nhint: ").unwrap_or_else(|| panic!("no hint: {told}")).1;
    hint.split_once(": ").unwrap_or_else(|| panic!("no statements: {hint}")).1.to_owned()
}

fn both(before: &str, change: &str) -> [Migration; 2] {
    [migration("0001_before", before), migration("0002_change", change)]
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
        self.copied().await;
    }

    /// Lets the subscriber take the tables that have come to the publication since.
    async fn refresh(&self) {
        must(&self.subscriber.client().await, &format!("ALTER SUBSCRIPTION {} REFRESH PUBLICATION", self.publisher.name)).await;
        self.copied().await;
    }

    async fn copied(&self) {
        let ready = "SELECT count(*) > 0 AND bool_and(srsubstate = 'r') FROM pg_subscription_rel";
        eventually(&self.subscriber.client().await, ready, "the first copy").await;
        self.caught_up().await;
    }

    /// Waits until the subscriber has applied all that the publisher has done so far.
    async fn caught_up(&self) {
        let admin = self.publisher.client().await;
        let now = position(&admin).await;
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

/// Where the log ends with all that was done so far, on disk.
async fn position(admin: &Client) -> String {
    must(admin, "SET synchronous_commit = on").await;
    must(admin, "SELECT pg_logical_emit_message(true, 'here', '')").await;
    ask(admin, "SELECT pg_current_wal_flush_lsn()").await
}

/// A server that publishes or subscribes.
pub(crate) fn logical() -> Server {
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
        assert!(since.elapsed() < Duration::from_secs(30), "{what}: {sql}: {}", ask(client, sql).await);
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
    pair.refresh().await;

    // once it is there, nobody is asked again; a rollback, then the whole way
    for (round, completes) in [(1, false), (2, true)] {
        let mut told = Told::default();
        let mut migrator = pair.publisher.migrator().await;
        migrator.start(&all, None, &mut told).await.unwrap_or_else(|error| panic!("{error}"));
        must(&subscriber, &statements(told.of("at the first row with a column"))).await;
        must(&subscriber, &statements(told.of("new tables"))).await;
        pair.refresh().await;
        write(&pair.publisher, round).await;
        rows += pair.compare("SELECT * FROM users ORDER BY 1").await;
        rows += pair.compare("SELECT * FROM notes ORDER BY 1").await;
        let mut told = Told::default();
        if completes {
            migrator.complete(&mut told).await.unwrap_or_else(|error| panic!("{error}"));
            pair.caught_up().await;
            must(&subscriber, &statements(told.of("columns under other names"))).await;
        } else {
            migrator.rollback(&mut told).await.unwrap_or_else(|error| panic!("{error}"));
            must(
                &pair.publisher.on("0001_before").await,
                "UPDATE users SET price = price + 1; INSERT INTO users VALUES (999, 'z', 1)",
            )
            .await;
            pair.caught_up().await;
            must(&subscriber, &statements(told.of("no longer send the new columns"))).await;
            must(&subscriber, &statements(told.of("no longer send the new tables"))).await;
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
    assert!(
        told.of("these subscriptions write").contains(&format!("{} (public.users)", pair.publisher.name)),
        "{:?}",
        told.warnings
    );
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
    assert!(told.of("these slots decode every table").contains(&format!("{name} (test_decoding)")), "{:?}", told.warnings);
    must(&admin, &format!("SELECT pg_drop_replication_slot('{name}')")).await;
}

const SHOP: &str = "operations:
  - create_table:
      name: users
      columns: [{name: id, type: bigint, pk: true}, {name: name, type: text}, {name: price, type: integer, nullable: true}]
  - create_table:
      name: orders
      columns: [{name: id, type: bigint, pk: true}, {name: users, type: bigint, references: {name: orders_users, table: users, column: id}}, {name: price, type: integer}]
";
const SHOP_CHANGE: &str = "operations:
  - alter_column: {table: users, column: price, type: bigint, up: price * 100, down: price / 100}
  - rename_column: {table: users, from: name, to: title}
  - add_column: {table: users, column: {name: kind, type: text, default: \"'plain'\"}}
  - alter_column: {table: orders, column: price, type: bigint, up: price * 100, down: price / 100}
  - rename_table: {from: orders, to: sales}
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_publication_of_tables_with_filters_goes_through_a_whole_transition() {
    // 14 has neither filters nor lists
    let newer = diptych_tests::major() >= 15;
    let filter = if newer { " WHERE (id % 2 = 0)" } else { "" };
    let of_users = if newer { "WHERE id % 2 = 0" } else { "" };
    let pair = Pair::new().await;
    let all = both(SHOP, SHOP_CHANGE);
    pair.publisher.migrate(&all[..1]).await;
    let (publisher, subscriber) = (pair.publisher.client().await, pair.subscriber.client().await);
    must(&subscriber, "CREATE TABLE users (id bigint PRIMARY KEY, name text NOT NULL, price integer); CREATE TABLE orders (id bigint PRIMARY KEY, users bigint, price integer)").await;
    must(&publisher, "INSERT INTO users SELECT n, 'a', n FROM generate_series(1, 4000) AS n; INSERT INTO orders SELECT n, n, n FROM generate_series(1, 2000) AS n").await;
    must(&publisher, &format!("CREATE PUBLICATION news FOR TABLE users{filter}, orders")).await;
    pair.subscribe().await;
    let (mut rows, mut written) = (0, 0);
    for completes in [false, true] {
        let old = Work::start(
            &pair.publisher,
            "0001_before",
            2,
            &[
                "INSERT INTO users VALUES ({n}, 'b', 5)",
                "UPDATE users SET price = price + 1 WHERE id % 500 = {n} % 500",
                "INSERT INTO orders VALUES ({n}, 7, 7)",
                "DELETE FROM users WHERE id = {n} - 40",
            ],
        )
        .await;
        let mut told = Told::default();
        let mut migrator = pair.publisher.migrator().await;
        migrator.start(&all, None, &mut told).await.unwrap_or_else(|error| panic!("{error}"));
        // the subscriber has stopped, or has not, and goes on
        must(&subscriber, &statements(told.of("at the first row with a column"))).await;
        let new = Work::start(
            &pair.publisher,
            "0002_change",
            2,
            &[
                "INSERT INTO users (id, title, price) VALUES ({n}, 'c', 550)",
                "UPDATE users SET price = price + 50, kind = 'fancy' WHERE id % 300 = {n} % 300",
                "UPDATE sales SET price = price + 3 WHERE id % 700 = {n} % 700",
            ],
        )
        .await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        for work in [old, new] {
            let report = work.stop().await;
            assert_eq!(report.failed, Vec::<String>::new());
            written += report.statements;
        }
        rows += pair.compare(&format!("SELECT * FROM users {of_users} ORDER BY 1")).await;
        rows += pair.compare("SELECT * FROM orders ORDER BY 1").await;
        let mut told = Told::default();
        let after = if completes {
            migrator.complete(&mut told).await.unwrap_or_else(|error| panic!("{error}"));
            "columns under other names"
        } else {
            migrator.rollback(&mut told).await.unwrap_or_else(|error| panic!("{error}"));
            "no longer send the new columns"
        };
        pair.caught_up().await;
        must(&subscriber, &statements(told.of(after))).await;
    }
    must(&pair.publisher.on("0002_change").await, "UPDATE users SET price = price + 1 WHERE id % 3 = 0; DELETE FROM sales WHERE id % 5 = 0; INSERT INTO sales VALUES (-1, 6, 10000000000)").await;
    rows += pair.compare(&format!("SELECT id, title, price, kind FROM users {of_users} ORDER BY 1")).await;
    rows += pair.compare("SELECT id, users, price FROM sales ORDER BY 1").await;
    println!(
        "publication of tables: {written} statements through start, rollback, start and complete, {rows} rows compared, 0 different"
    );
    pair.end().await;
}
