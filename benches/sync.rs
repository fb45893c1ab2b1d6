//! What a statement costs while two versions are live, and what a view costs at rest: each as a ratio to the same statement on the same
//! table without them, in one run on one server.
//!
//! ```text
//! cargo bench -p diptych-tests --bench sync
//! ROWS=1000000 ROUNDS=9 cargo bench -p diptych-tests --bench sync -- date
//! ```
//!
//! A line for each conversion and statement: microseconds a row without and with, and the ratio. Each is the least of several rounds that
//! take turns, by the processor time of the backend where the system tells it, and by the clock elsewhere.

use std::time::Instant;

use diptych_core::Migration;
use diptych_tests::{Database, ask, migration, must};
use diptych_xtask::server::{self, Server};
use tokio_postgres::Client;

/// A conversion of column `n` of a table `t`, which also has a key and a column that nobody converts.
struct Change {
    name: &'static str,
    from: &'static str,
    to: &'static str,
    up: &'static str,
    down: &'static str,
    /// A value of the older form by the number of the row.
    value: &'static str,
    /// Another value than the row has, in the older form and in the newer.
    others: (&'static str, &'static str),
}

const CHANGES: [Change; 4] = [
    Change {
        name: "integer to bigint",
        from: "integer",
        to: "bigint",
        up: "n",
        down: "n",
        value: "id",
        others: ("n + 2", "n + 2"),
    },
    Change {
        name: "text in another case",
        from: "text",
        to: "text",
        up: "lower(n)",
        down: "upper(n)",
        value: "'A' || id",
        others: ("reverse(n)", "reverse(n)"),
    },
    Change {
        name: "timestamptz to date",
        from: "timestamptz",
        to: "date",
        up: "CAST(n AS date)",
        down: "CAST(n AS timestamptz)",
        value: "now() + id * interval '1 minute'",
        others: ("n + interval '1 day'", "n + 1"),
    },
    Change {
        name: "by a function",
        from: "integer",
        to: "bigint",
        up: "twice(n)",
        down: "n / 2",
        value: "id",
        others: ("n + 2", "n + 2"),
    },
];

#[tokio::main]
async fn main() {
    let number = |name: &str, usual: u64| std::env::var(name).map_or(usual, |text| text.parse().expect("a number"));
    let (rows, rounds) = (number("ROWS", 100_000), number("ROUNDS", 5));
    let wanted = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let settings = [("shared_buffers", "1GB"), ("max_wal_size", "16GB"), ("autovacuum", "off"), ("jit", "off")];
    let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let server = Server::start(&server::Options { settings, ..server::Options::default() }).expect("a private server");
    println!("| conversion | statement | µs without | µs with | ratio |\n|---|---|---|---|---|");
    for change in CHANGES.iter().filter(|change| wanted.as_deref().is_none_or(|wanted| change.name.contains(wanted))) {
        measure(&server, change, rows, rounds).await;
    }
}

async fn measure(server: &Server, change: &Change, rows: u64, rounds: u64) {
    let database = Database::at(&server.config("postgres"), "public").await;
    let all = prepare(&database, change, rows).await;
    let admin = database.client().await;
    let tell = |statement: &str, (without, with): (f64, f64)| {
        println!("| {} | {statement} | {without:.2} | {with:.2} | {:.2} |", change.name, with / without);
    };
    let old = Session::of(database.on("0001_before").await).await;
    let few = rows.min(10_000);
    let each = |sql: String| format!("DO $$ BEGIN FOR i IN 1..{few} LOOP {sql}; END LOOP; END $$");
    let read = |table: &str| each(format!("EXECUTE 'SELECT n FROM {table} WHERE id = ' || i"));
    tell("at rest: select by key", least(&admin, &[("public.plain", &old), ("plain", &old)], rounds, few, read).await);

    database.migrator().await.start(&all, None, &mut diptych::Quiet).await.expect("a start");
    let new = Session::of(database.on("0002_after").await).await;
    // what is compared is the same write on the table beside it, of the same form
    let (older, newer, another) = (change.others.0, change.others.1, "other + 1");
    for (what, session, column, value) in [
        ("older version: update of n", &old, "n", older),
        ("newer version: update of n", &new, "n", newer),
        ("older version: update of another column", &old, "other", another),
    ] {
        let value = |table: &str| if table == "plain" && column == "n" { older } else { value };
        let pair = [("plain", &old), ("t", session)];
        let one = |table: &str| each(format!("UPDATE {table} SET {column} = {} WHERE id = i", value(table)));
        let all = |table: &str| format!("UPDATE {table} SET {column} = {}", value(table));
        tell(&format!("{what}, each row"), least(&admin, &pair, rounds, few, one).await);
        tell(&format!("{what}, all rows"), least(&admin, &pair, rounds, rows, all).await);
    }
    let insert =
        |table: &str| format!("INSERT INTO {table} SELECT -id, {}, 0 FROM generate_series(1, {few}) AS id", change.value);
    tell("older version: insert of many rows", least(&admin, &[("plain", &old), ("t", &old)], rounds, few, insert).await);
    drop((old, new, admin));
    let admin = diptych_tests::client(&server.config("postgres")).await;
    must(&admin, &format!("DROP DATABASE {} WITH (FORCE)", database.name)).await;
}

/// The two tables, filled, and the migrations, of which the first is done.
async fn prepare(database: &Database, change: &Change, rows: u64) -> [Migration; 2] {
    let Change { from, to, up, down, value, .. } = change;
    let admin = database.client().await;
    must(&admin, "CREATE FUNCTION twice(integer) RETURNS bigint LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN $1 * 2; END'").await;
    let columns = format!("[{{name: id, type: bigint, pk: true}}, {{name: n, type: {from}}}, {{name: other, type: integer}}]");
    let table = |name: &str| format!("  - create_table: {{name: {name}, columns: {columns}}}\n");
    let before = migration("0001_before", &format!("operations:\n{}{}", table("t"), table("plain")));
    let after = format!("operations: [{{alter_column: {{table: t, column: n, type: {to}, up: '{up}', down: '{down}'}}}}]");
    let all = [before, migration("0002_after", &after)];
    database.migrate(&all[..1]).await;
    for table in ["t", "plain"] {
        must(&admin, &format!("INSERT INTO public.{table} SELECT id, {value}, 0 FROM generate_series(1, {rows}) AS id")).await;
    }
    all
}

/// A session whose processor time can be read.
struct Session {
    client: Client,
    /// Its process.
    process: String,
}

impl Session {
    async fn of(client: Client) -> Self {
        let process = ask(&client, "SELECT pg_backend_pid()").await;
        Session { client, process }
    }

    /// Nanoseconds of processor time so far, where the system tells them.
    fn cpu(&self) -> Option<u64> {
        let text = std::fs::read_to_string(format!("/proc/{}/schedstat", self.process)).ok()?;
        text.split(' ').next()?.parse().ok()
    }

    /// How long a statement takes, in nanoseconds.
    async fn time(&self, sql: &str) -> f64 {
        let (began, before) = (Instant::now(), self.cpu());
        must(&self.client, sql).await;
        match (before, self.cpu()) {
            (Some(before), Some(after)) => (after - before) as f64,
            _ => began.elapsed().as_nanos() as f64,
        }
    }
}

/// The least that a statement takes on each of two tables, in microseconds for each of so many rows. Each round begins with both tables
/// as they were.
async fn least(admin: &Client, pair: &[(&str, &Session); 2], rounds: u64, rows: u64, sql: impl Fn(&str) -> String) -> (f64, f64) {
    let mut least = [f64::MAX; 2];
    for _ in 0..rounds {
        for (at, (table, session)) in pair.iter().enumerate() {
            least[at] = least[at].min(session.time(&sql(table)).await);
        }
        must(admin, "DELETE FROM public.t WHERE id < 0").await;
        must(admin, "DELETE FROM public.plain WHERE id < 0").await;
        must(admin, "VACUUM public.t, public.plain").await;
    }
    (least[0] / 1000.0 / rows as f64, least[1] / 1000.0 / rows as f64)
}
