//! How fast a backfill is: `integer` to `bigint` by Diptych, and by one plain UPDATE of the same rows on the same server, in one run.
//!
//! ```text
//! cargo bench -p diptych-tests --bench backfill
//! ROWS=10000000 cargo bench -p diptych-tests --bench backfill -- narrow
//! ```
//!
//! A line for each way: rows a second of a whole `start`, then by how much the heap and the indexes grew, WAL, the share of HOT updates, and
//! how many rows were updated for each that there is.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use diptych::{Migrator, Options, Progress};
use diptych_core::Migration;
use diptych_core::plan::Step;
use diptych_tests::{Database, ask, migration, must};
use diptych_xtask::server::{self, Server};
use tokio_postgres::Client;

/// A table whose column `n` is to become a `bigint`.
struct Shape {
    name: &'static str,
    table: &'static str,
    /// Columns with an index each.
    indexes: &'static [&'static str],
    rows: &'static str,
    /// What of `ROWS` it has.
    share: u64,
}

const SHAPES: [Shape; 4] = [
    Shape {
        name: "narrow",
        table: "columns: [{name: id, type: bigint, pk: true}, {name: n, type: integer}]",
        indexes: &[],
        rows: "i, i",
        share: 1,
    },
    Shape {
        name: "wide, six indexes",
        table: "columns: [{name: id, type: bigint, pk: true}, {name: n, type: integer}, {name: a, type: integer}, {name: b, type: integer}, {name: c, type: text}, {name: d, type: text}, {name: e, type: timestamptz}, {name: body, type: text}]",
        indexes: &["a", "b", "c", "d", "e"],
        rows: "i, i, i % 1000, i, 'c' || i, 'd' || i % 5000, now() - i * interval '1 minute', repeat('x', 300)",
        share: 4,
    },
    Shape {
        name: "uuid key",
        table: "columns: [{name: id, type: uuid, pk: true}, {name: n, type: integer}]",
        indexes: &[],
        rows: "gen_random_uuid(), i",
        share: 1,
    },
    Shape {
        name: "no key",
        table: "columns: [{name: id, type: bigint}, {name: n, type: integer}]",
        indexes: &[],
        rows: "i, i",
        share: 1,
    },
];

/// With `STEPS=1`: when each step began.
struct Times(Instant);

impl Progress for Times {
    fn step(&mut self, number: usize, total: usize, step: &Step) {
        if std::env::var_os("STEPS").is_some() {
            eprintln!("{:>8} ms  {number}/{total} {}", self.0.elapsed().as_millis(), step.title);
        }
    }
}

/// What one way came to.
struct Outcome {
    took: Duration,
    heap: f64,
    indexes: f64,
    wal: u64,
    hot: f64,
    updated: f64,
}

#[tokio::main]
async fn main() {
    let rows: u64 = std::env::var("ROWS").map_or(1_000_000, |text| text.parse().expect("ROWS: a number"));
    let buffers = std::env::var("BUFFERS").unwrap_or_else(|_| "2GB".to_owned());
    let wanted = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let settings = [("shared_buffers", buffers.as_str()), ("max_wal_size", "16GB"), ("fsync", "on"), ("autovacuum", "off")];
    let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let server = Server::start(&server::Options { settings, folder: Some(std::env::temp_dir()), ..server::Options::default() })
        .expect("a private server");
    println!(
        "| table | way | rows/s | × plain | heap | indexes | WAL MB | HOT | updates a row |\n|---|---|---|---|---|---|---|---|---|"
    );
    for shape in SHAPES.iter().filter(|shape| wanted.as_deref().is_none_or(|wanted| shape.name.contains(wanted))) {
        let rows = rows / shape.share;
        let plain = measure(&server, shape, rows, None).await;
        tell(shape, "plain UPDATE", rows, &plain, &plain);
        let change = "operations: [{alter_column: {table: t, column: n, type: bigint, up: n, down: n}}]";
        for workers in [1, 2] {
            let outcome = measure(&server, shape, rows, Some((workers, migration("0002_change", change)))).await;
            tell(shape, &format!("diptych, workers: {workers}"), rows, &outcome, &plain);
        }
    }
}

fn tell(shape: &Shape, way: &str, rows: u64, outcome: &Outcome, plain: &Outcome) {
    let Outcome { took, heap, indexes, wal, hot, updated } = outcome;
    let speed = rows as f64 / took.as_secs_f64();
    let ratio = plain.took.as_secs_f64() / took.as_secs_f64();
    println!(
        "| {} | {way} | {speed:.0} | {ratio:.2} | × {heap:.2} | × {indexes:.2} | {} | {:.0} % | {updated:.2} |",
        shape.name,
        wal >> 20,
        hot * 100.0
    );
}

/// One UPDATE of a new column, or a start of the migration.
async fn measure(server: &Server, shape: &Shape, rows: u64, change: Option<(usize, Migration)>) -> Outcome {
    let database = Database::at(&server.config("postgres"), "public").await;
    let mut text = format!("operations:\n  - create_table:\n      name: t\n      {}\n", shape.table);
    for column in shape.indexes {
        let _ = writeln!(text, "  - create_index: {{table: t, name: t_{column}, columns: [{column}]}}");
    }
    let before = migration("0001_before", &text);
    database.migrate(std::slice::from_ref(&before)).await;
    let client = database.client().await;
    must(&client, &format!("INSERT INTO public.t SELECT {} FROM generate_series(1, {rows}) AS i", shape.rows)).await;
    must(&client, "VACUUM (ANALYZE, FREEZE) public.t").await;
    must(&client, "CHECKPOINT").await;
    let (sizes, counts) = (sizes(&client).await, counts(&client).await);
    let wal = ask(&client, "SELECT pg_current_wal_insert_lsn()").await;
    let began = Instant::now();
    match change {
        Some((workers, change)) => {
            let options = Options { workers, ..Options::default() };
            let mut migrator = Migrator::connect(&database.config(), options).await.expect("a migrator");
            migrator.start(&[before, change], None, &mut Times(Instant::now())).await.expect("a start");
        }
        None => {
            must(&client, "ALTER TABLE public.t ADD COLUMN wider bigint").await;
            must(&client, "UPDATE public.t SET wider = n").await;
        }
    }
    let took = began.elapsed();
    let wal = ask(&client, &format!("SELECT pg_current_wal_insert_lsn() - '{wal}'")).await.parse().expect("bytes");
    let (heap, indexes) = self::sizes(&client).await;
    let (updated, hot) = self::counts(&client).await;
    let (updated, hot) = (updated - counts.0, hot - counts.1);
    drop(client);
    let admin = diptych_tests::client(&server.config("postgres")).await;
    must(&admin, &format!("DROP DATABASE {} WITH (FORCE)", database.name)).await;
    Outcome {
        took,
        heap: heap / sizes.0,
        indexes: indexes / sizes.1.max(1.0),
        wal,
        hot: hot / updated,
        updated: updated / rows as f64,
    }
}

/// Of the heap and of the indexes, in bytes.
async fn sizes(client: &Client) -> (f64, f64) {
    pair(client, "SELECT pg_relation_size('public.t') || ' ' || pg_indexes_size('public.t')").await
}

/// Updates, and those that were HOT; when the sessions have told of theirs.
async fn counts(client: &Client) -> (f64, f64) {
    tokio::time::sleep(Duration::from_millis(1500)).await;
    pair(client, "SELECT n_tup_upd || ' ' || n_tup_hot_upd FROM pg_stat_user_tables WHERE relid = 'public.t'::regclass").await
}

async fn pair(client: &Client, sql: &str) -> (f64, f64) {
    let text = ask(client, sql).await;
    let (one, two) = text.split_once(' ').expect("two numbers");
    (one.parse().expect("a number"), two.parse().expect("a number"))
}
