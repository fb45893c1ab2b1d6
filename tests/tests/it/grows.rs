//! What a start may need on the disk and of the log is told before it changes anything, and is not less than it takes.

use diptych::{Estimate, Migrator, Options, Progress, Quiet};
use diptych_core::Migration;
use diptych_tests::{Database, ask, migration, must};
use diptych_xtask::server::{self, Server};
use serde_json::Value;

use crate::cli::text;
use crate::pauses::Case;

/// What is told of a start, and nothing else.
#[derive(Default)]
struct Told(Option<Estimate>);

impl Progress for Told {
    fn estimate(&mut self, estimate: &Estimate) {
        self.0 = Some(estimate.clone());
    }
}

struct Shape {
    name: &'static str,
    before: &'static str,
    change: &'static str,
    rows: &'static str,
}

const SHAPES: [Shape; 3] = [
    Shape {
        name: "narrow rows, a key that is converted",
        before: "operations: [{create_table: {name: t, columns: [{name: id, type: integer, pk: true}, {name: n, type: integer, nullable: true}]}}]",
        change: "operations: [{alter_column: {table: t, column: id, type: bigint, up: id, down: id}}]",
        rows: "INSERT INTO t SELECT i, i FROM generate_series(1, 150000) AS i",
    },
    Shape {
        name: "wide rows, three indexes, a text that is converted",
        before: "operations:
  - create_table: {name: t, columns: [{name: id, type: bigint, pk: true}, {name: a, type: text, unique: true}, {name: b, type: text}, {name: c, type: integer}]}
  - create_index: {name: t_c, table: t, columns: [c]}
",
        change: "operations: [{alter_column: {table: t, column: b, type: text, up: upper(b), down: lower(b)}}, {create_index: {name: t_b, table: t, columns: [b]}}]",
        rows: "INSERT INTO t SELECT i, md5(i::text), repeat(md5(i::text), 6), i % 1000 FROM generate_series(1, 40000) AS i",
    },
    Shape {
        name: "documents out of line",
        before: "operations: [{create_table: {name: t, columns: [{name: id, type: bigint, pk: true}, {name: body, type: text}]}}]",
        change: "operations: [{alter_column: {table: t, column: body, type: text, up: \"'x' || body\", down: 'substr(body, 2)'}}]",
        rows: "INSERT INTO t SELECT i, (SELECT string_agg(md5((i * 1000 + j)::text), '') FROM generate_series(1, 200) AS j) FROM generate_series(1, 3000) AS i",
    },
];

fn quiet_server() -> Server {
    let settings = [("autovacuum", "off"), ("max_wal_size", "4GB"), ("checkpoint_timeout", "1h")];
    let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    Server::start(&server::Options { settings, ..server::Options::default() }).expect("a private server")
}

/// Bytes of the tables, of the indexes, and of the log so far.
async fn sizes(database: &Database) -> [u64; 3] {
    let sql = "SELECT sum(pg_table_size(oid)), sum(pg_indexes_size(oid)), pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0') \
         FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'";
    let row = ask(&database.client().await, sql).await;
    let numbers: Vec<u64> = row.split('|').map(|number| number.parse().expect("a number")).collect();
    numbers.try_into().expect("three")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_takes_no_more_than_it_was_said_to() {
    let server = quiet_server();
    let mut wrong = Vec::new();
    for shape in &SHAPES {
        // while an old snapshot is open, nothing of what is written is used again
        for snapshot in ["none", "an old one"] {
            let database = Database::at(&server.config("postgres"), "public").await;
            let all = [migration("0001_before", shape.before), migration("0002_change", shape.change)];
            database.migrate(&all[..1]).await;
            must(&database.on("0001_before").await, shape.rows).await;
            let admin = database.client().await;
            must(&admin, "VACUUM ANALYZE public.t").await;
            must(&admin, "CHECKPOINT").await;
            let old = database.client().await;
            if snapshot != "none" {
                must(&old, "BEGIN ISOLATION LEVEL REPEATABLE READ").await;
                must(&old, "SELECT 1").await;
            }
            let told = started(&database, &all, snapshot).await;
            let said = format!("{}, snapshot {snapshot}", shape.name);
            wrong.extend(is_wrong(&said, told.0, told.1));
            drop(old);
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Starts until rows are filled and indexes are built: what was told, and by how much tables, indexes and the log have grown.
async fn started(database: &Database, all: &[Migration], snapshot: &str) -> (Estimate, [u64; 3]) {
    let before = sizes(database).await;
    let mut told = Told::default();
    let mut migrator = database.migrator().await;
    if snapshot == "none" {
        migrator.start(all, None, &mut told).await.unwrap_or_else(|error| panic!("{error}"));
    } else {
        // an index that is built concurrently waits for it
        let options = Options { timeout: std::time::Duration::from_secs(4), ..Options::default() };
        let mut impatient = Migrator::connect(&database.config(), options).await.expect("a migrator");
        let _ = impatient.start(all, None, &mut told).await;
    }
    let after = sizes(database).await;
    (told.0.expect("it is told"), [0, 1, 2].map(|at| after[at] - before[at]))
}

/// What of it was told wrongly: too little, or any number that is large enough.
fn is_wrong(said: &str, told: Estimate, grown: [u64; 3]) -> Vec<String> {
    let parts = ["tables", "indexes", "WAL"].into_iter().zip(grown).zip([told.tables, told.indexes, told.wal]);
    let line = |((what, grown), told): ((&str, u64), u64)| (grown, told, format!("{what} {} of {} kB", grown >> 10, told >> 10));
    let lines: Vec<(u64, u64, String)> = parts.map(line).collect();
    println!("grows: {said}: {}", [0, 1, 2].map(|at| lines[at].2.as_str()).join(", "));
    let is_wrong = |grown: u64, told: u64| grown > told || told > grown * 8 + (1 << 20);
    lines.into_iter().filter(|(grown, told, _)| is_wrong(*grown, *told)).map(|(.., line)| format!("{said}: {line}")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_fit_is_refused_before_anything_is_changed() {
    let case = Case::of(Database::new().await, 60_000).await;
    must(&case.database.client().await, "ANALYZE public.items").await;
    let before = case.database.catalog().await;
    let plan = case.done(&["plan"]);
    let line = plan.lines().find(|line| line.starts_with("-- needs up to ")).unwrap_or_else(|| panic!("{plan}"));
    assert!(line.contains(" in tables, ") && line.contains(" of WAL in all"), "{line}");
    let summary = case.done(&["plan", "--summary"]);
    assert!(summary.contains("the rows of `items` are filled, in short transactions: about 60,000\n"), "{summary}");
    // what the server has counted is what is told, be it so or not
    must(&case.database.client().await, "UPDATE pg_class SET reltuples = 1234567890 WHERE oid = 'public.items'::regclass").await;
    let summary = case.done(&["plan", "--summary"]);
    assert!(summary.contains(": about 1,234,567,936, in 3 h at 100,000 a second\n"), "{summary}");
    must(&case.database.client().await, "ANALYZE public.items").await;
    let json: Value = serde_json::from_str(&case.done(&["plan", "--json"])).expect("JSON");
    let bytes = |name: &str| json["estimate"][name].as_u64().unwrap_or_else(|| panic!("no {name}: {json}"));
    let needed = bytes("tables") + bytes("indexes") + bytes("wal_kept");
    assert!(json["steps"].is_array() && bytes("wal") >= bytes("wal_kept") && needed > 1 << 20, "{json}");
    for size in ["0MB", "1MB", &(needed - 1).to_string()] {
        case.refused(&["start", "--free-space", size], &["0002_wider", "may need up to", "are free by --free-space"]);
    }
    assert_eq!(case.database.catalog().await, before);
    assert!(case.done(&["status"]).contains("waiting  0002_wider"));
    let output = case.run(&["start", "--free-space", "12 bananas"]);
    assert!(output.status.code() == Some(2) && text(&output.stderr).contains("12 bananas"), "{}", text(&output.stderr));
    let said = case.done(&["start", "--free-space", "2TB"]);
    assert!(said.lines().any(|line| line.starts_with("needs up to ")), "{said}");
    // there is nothing to estimate any more
    let json: Value = serde_json::from_str(&case.done(&["plan", "complete", "--json"])).expect("JSON");
    assert!(json["estimate"].is_null(), "{json}");
    case.is_right().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_small_tables_nothing_is_said() {
    let case = Case::of(Database::new().await, 100).await;
    assert!(!case.done(&["plan"]).contains("needs up to") && !case.done(&["start"]).contains("needs up to"));
    let partitioned = "operations: [{create_table: {name: t, partition_by: RANGE (id), columns: [{name: id, type: bigint, pk: true}, {name: n, type: integer}]}}]";
    let change = "operations: [{alter_column: {table: t, column: n, type: bigint, up: n, down: n}}]";
    let all = [migration("0001_before", partitioned), migration("0002_change", change)];
    let database = Database::new().await;
    database.migrate(&all[..1]).await;
    let pieces = "CREATE TABLE public.a PARTITION OF public.t FOR VALUES FROM (0) TO (30000); CREATE TABLE public.b PARTITION OF public.t FOR VALUES FROM (30000) TO (60000); \
         INSERT INTO public.t SELECT i, i FROM generate_series(1, 59999) AS i; ANALYZE public.t";
    must(&database.client().await, pieces).await;
    let estimate = database.migrator().await.estimate(&all, None).await.expect("an estimate");
    assert!(estimate.as_ref().is_some_and(|estimate| estimate.tables > 2 << 20), "{estimate:?}");
    assert!(database.migrator().await.estimate(&all[..1], None).await.expect("an estimate").is_none());
    let mut migrator = database.migrator().await;
    migrator.start(&all, None, &mut Quiet).await.expect("started");
    assert!(migrator.estimate(&all, None).await.expect("an estimate").is_none());
}
