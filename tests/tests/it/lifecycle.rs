//! Every operation through start → look → rollback → look → start → complete → look, old and new clients at work.

/// A table for `concat!`.
macro_rules! users {
    () => {
        "operations:
  - create_table:
      name: users
      columns:
        - {name: id, type: bigint, pk: true, generated: {identity: {user_specified_values: BY DEFAULT}}}
        - {name: email, type: text, unique: true}
        - {name: name, type: text, nullable: true, comment: the whole name}
        - {name: age, type: integer, nullable: true, default: '18'}
  - create_index: {name: users_name_idx, table: users, columns: [{column: name}]}
"
    };
}

/// The same, for tables that reference each other by two columns.
macro_rules! regions {
    () => {
        "operations:
  - create_table:
      name: teams
      columns: [{name: region, type: text}, {name: code, type: integer}]
      constraints: [{name: teams_key, type: primary_key, columns: [region, code]}]
  - create_table:
      name: users
      columns:
        - {name: id, type: bigint, pk: true, generated: {identity: {user_specified_values: BY DEFAULT}}}
        - {name: email, type: text, unique: true}
        - {name: name, type: text, nullable: true}
        - {name: region, type: text, default: \"'north'\"}
        - {name: code, type: integer, nullable: true}
        - {name: boss, type: bigint, nullable: true}
"
    };
}

mod alter;
mod code;
mod columns;
mod composites;
mod constraints;
mod domains;
pub(crate) mod enums;
mod extensions;
mod indexes;
mod partitions;
mod promises;
mod refusals;
mod rows;
mod sequences;
mod serial;
mod several;
mod sql;
mod statistics;
mod tables;

use std::collections::BTreeMap;

use diptych::Quiet;
use diptych::internal::introspect;
use diptych_tests::{Database, Work, ask, difference, has_extension, major, migration, printers, schema, seed};
use futures_util::{StreamExt, stream};

/// One operation's way. Statements are given with what they must answer: rows as `a|b;c|d`, or `!SQLSTATE`.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// The line of `EXPECTATIONS` that it proves.
    pub(crate) expectation: &'static str,
    /// Migrations before the one that is tried.
    pub(crate) before: &'static str,
    /// Run through the older version first.
    pub(crate) seed: &'static str,
    /// The migration that is tried.
    pub(crate) change: &'static str,
    /// What the load test holds every row against.
    pub(crate) account: Account,
    /// Run on the older version all the while, until it is retired; `{n}` is a fresh number.
    pub(crate) work: &'static str,
    /// After start.
    pub(crate) started: &'static [(Side, &'static str, &'static str)],
    /// After complete, through the newer version.
    pub(crate) completed: &'static [(&'static str, &'static str)],
}

/// The change as plain SQL, said once more in other words: how a row of one version looks in the other.
pub(crate) struct Account {
    /// The table that is written, under its older and its newer name; empty where the newer version has none.
    pub(crate) table: (&'static str, &'static str),
    /// Columns that only change their name.
    pub(crate) renamed: &'static [(&'static str, &'static str)],
    /// Columns of the newer version, and their value over the older one's columns.
    pub(crate) up: &'static [(&'static str, &'static str)],
    /// Columns of the older version, and their value over the newer one's columns.
    pub(crate) down: &'static [(&'static str, &'static str)],
    /// Values that clients write, where their type alone does not tell: `{n}` is a small number, `{u}` a unique one.
    pub(crate) values: &'static [(Side, &'static str, &'static str)],
    /// Columns whose values nobody can foretell.
    pub(crate) unaccounted: &'static [&'static str],
    /// Whether `id` alone is a key that an upsert may name.
    pub(crate) upserts: bool,
    /// What clients of a version read besides: functions and views of its own.
    pub(crate) reads: &'static [(Side, &'static str)],
    /// Whether there is a table `notes` that references it with ON DELETE CASCADE.
    pub(crate) notes: bool,
}

/// What is expected of a tool like this: pgroll's promises, line by line. Each has a case of its own at least; what is to be
/// refused at once is in `refusals`.
const EXPECTATIONS: [&str; 14] = [
    "create_table",
    "add_column",
    "drop_column",
    "rename",
    "drop_table",
    "alter_column type",
    "not null",
    "constraint on a column",
    "default, comment",
    "key to bigint",
    "several changes of a column",
    "constraints",
    "indexes",
    "sql",
];

/// Nobody else promises it.
pub(crate) const BEYOND: &str = "beyond";

/// Rows are the same in both versions.
const SAME: Account = Account {
    table: ("users", "users"),
    renamed: &[],
    up: &[],
    down: &[],
    values: &[],
    unaccounted: &[],
    reads: &[],
    upserts: true,
    notes: true,
};

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Side {
    Old,
    New,
}
use Side::Old;

const ALONE: &str = users!();

/// The same, and a table that references it.
const USERS: &str = concat!(
    users!(),
    "  - create_table:
      name: notes
      columns:
        - {name: id, type: bigint, pk: true, generated: {identity: {user_specified_values: BY DEFAULT}}}
        - {name: user_id, type: bigint, references: {name: notes_user_fk, table: users, column: id, on_delete: CASCADE}}
        - {name: body, type: text}
  - create_index: {name: notes_user_idx, table: notes, columns: [{column: user_id}]}
"
);

/// The same, and a table that may be referenced.
const TEAMS: &str = concat!(users!(), "  - create_table: {name: teams, columns: [{name: id, type: integer, pk: true}]}\n");

/// Tables that may reference each other by two columns.
const REGIONS: &str = regions!();

const SEED: &str = "INSERT INTO users (email, name, age) SELECT 'u' || n, 'First' || n || ' Last' || n, n % 90 FROM generate_series(1, 500) AS n";
const WORK: &str = "INSERT INTO users (email, name) VALUES ('w{n}', 'Work Er'); UPDATE users SET name = name || 'x' WHERE email = 'w{n}'; SELECT * FROM users WHERE id = 1";

/// Every operation's ways; on PostgreSQL 14 without those that need NULLS NOT DISTINCT or a list of columns to set, and on a server without
/// PostgreSQL's own extensions without theirs.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = all_cases();
    let newer = |text: &str| text.contains("nulls_not_distinct") || text.contains("on_delete_set_columns");
    cases.retain(|case| major() >= 15 || !(newer(case.before) || newer(case.change)));
    cases.retain(|case| extensions::NEEDED.iter().all(|name| !case.change.contains(name) || has_extension(name)));
    cases
}

fn all_cases() -> Vec<Case> {
    let mut cases = Vec::new();
    cases.extend(tables::cases());
    cases.extend(columns::cases());
    cases.extend(alter::cases());
    cases.extend(constraints::cases());
    cases.extend(indexes::cases());
    cases.extend(statistics::cases());
    cases.extend(partitions::cases());
    cases.extend(serial::cases());
    cases.extend(enums::cases());
    cases.extend(extensions::cases());
    cases.extend(domains::cases());
    cases.extend(composites::cases());
    cases.extend(sequences::cases());
    cases.extend(sql::cases());
    cases.extend(rows::cases());
    cases.extend(code::cases());
    cases.extend(promises::cases());
    cases.extend(several::cases());
    cases
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lifecycle_in_public() {
    // `DRAW=2`: one case in two, others each time
    let draw = std::env::var("DRAW").map_or(1, |text| text.parse().expect("DRAW: a number"));
    run_all("public", draw).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lifecycle_in_another_schema() {
    run_all("app data", 3).await;
}

/// Carries out one case in so many, or those that are asked for.
async fn run_all(base: &'static str, draw: usize) {
    let cases: &'static [Case] = cases().leak();
    let mut random = seed(base);
    let only = std::env::var("CASE").ok();
    let drawn: Vec<&Case> = cases
        .iter()
        .filter(|case| only.as_deref().map_or(draw == 1 || random.usize(..draw) == 0, |only| case.name.contains(only)))
        .collect();
    // a few at a time; each in a task of its own, so that one failure does not hide the next
    let runs = drawn.iter().map(|&case| async move { tokio::spawn(run(case, base)).await.is_err().then_some(case.name) });
    let ended: Vec<Option<&str>> = stream::iter(runs).buffer_unordered(3).collect().await;
    let failed: Vec<&str> = ended.into_iter().flatten().collect();
    for line in EXPECTATIONS {
        println!("  {line}: {} cases", cases.iter().filter(|case| case.expectation == line).count());
    }
    let unproven = EXPECTATIONS.iter().filter(|line| !cases.iter().any(|case| case.expectation == **line));
    assert_eq!(unproven.count(), 0, "each expectation has a case");
    let known = |line: &str| line == BEYOND || EXPECTATIONS.contains(&line);
    assert!(cases.iter().all(|case| known(case.expectation)), "each case proves one of the expectations");
    println!(
        "docs/peers.md 2: {} lines; lifecycle in `{base}` on PostgreSQL {}: {} cases, {} failed",
        EXPECTATIONS.len(),
        major(),
        drawn.len(),
        failed.len()
    );
    assert!(failed.is_empty(), "failed in `{base}`: {failed:?}");
}

async fn run(case: &Case, base: &'static str) {
    let place = format!("{} in {base}", case.name);
    let database = Database::with_base(base).await;
    let before = [migration("0001_before", case.before)];
    let all = [before[0].clone(), migration("0002_change", case.change)];
    database.migrate(&before).await;
    let old = database.on("0001_before").await;
    for statement in case.seed.split("; ") {
        assert_eq!(ask(&old, statement).await, "", "{place}: {statement}");
    }
    let catalog = database.catalog().await;
    let files = files(&database).await;
    let mut migrator = database.migrator().await;
    let failed = |what: &str, error: diptych::Error| -> diptych::Outcome { panic!("{place}: {what}: {error}") };

    let statements: Vec<&str> = case.work.split("; ").collect();
    let work = Work::start(&database, "0001_before", 2, &statements).await;
    migrator.start(&all, None, &mut Quiet).await.unwrap_or_else(|error| failed("start", error));
    look(&database, case, &place).await;
    migrator.rollback(&mut Quiet).await.unwrap_or_else(|error| failed("rollback", error));
    let rolled_back = database.catalog().await;
    assert_eq!(catalog, rolled_back, "{place}: rollback\n{}", difference(&catalog, &rolled_back));
    let new = database.on("0002_change").await;
    migrator.start(&all, None, &mut Quiet).await.unwrap_or_else(|error| failed("second start", error));
    let report = work.stop().await;
    assert!(
        report.failed.is_empty(),
        "{place}: {} of {} statements failed: {:?}",
        report.failed.len(),
        report.statements,
        &report.failed[..1]
    );
    assert!(report.statements > 0, "{place}: nobody worked");
    let compared = printers::compare(&database, &database.client().await).await.unwrap_or_else(|text| panic!("{place}: {text}"));
    println!("  {place}: {} conversions printed twice, {} rows alike", compared.conversions, compared.rows);
    migrator.complete(&mut Quiet).await.unwrap_or_else(|error| failed("complete", error));
    let rewritten: Vec<_> = self::files(&database)
        .await
        .into_iter()
        .filter(|(oid, file)| files.get(oid).is_some_and(|before| before != file))
        .collect();
    assert!(rewritten.is_empty(), "{place}: tables were written anew: {rewritten:?}");
    for (statement, answer) in case.completed {
        assert_eq!(ask(&new, statement).await, *answer, "{place}: after complete: {statement}");
    }
    assert_eq!(ask(&old, "SELECT * FROM users").await, "!42P01", "{place}: the retired version");
    let (completed, fresh) = (database.catalog().await, database.fresh_catalog(&schema(&all)).await);
    let known = self::known(completed, &fresh);
    assert_eq!(known, fresh, "{place}: complete\n{}", difference(&fresh, &known));
    if all.iter().any(|migration| migration.operations.iter().any(|operation| operation.name() == "sql")) {
        return;
    }
    // what is there is read back as the model that it was made from
    let found = introspect::schema(&database.client().await, base).await.unwrap_or_else(|error| panic!("{place}: {error}"));
    let is_code = |line: &String| ["code ", "function ", "trigger "].iter().any(|kind| line.starts_with(kind));
    let fresh: Vec<String> = fresh.into_iter().filter(|line| !is_code(line)).collect();
    let again = database.fresh_catalog(&found).await;
    assert_eq!(fresh, again, "{place}: read back\n{}", difference(&fresh, &again));
}

/// Each table of the base schema by its number, with the file that it is in.
async fn files(database: &Database) -> BTreeMap<u32, u32> {
    let sql = "SELECT class.oid, pg_relation_filenode(class.oid) FROM pg_class AS class WHERE class.relnamespace = $1::text::regnamespace AND class.relkind = 'r'";
    let rows =
        database.client().await.query(sql, &[&diptych_core::sql::ident(&database.base).as_str()]).await.expect("the tables");
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

/// What a version knows of a catalog, whose own is `fresh`: neither functions that `sql` made, nor partitions.
pub(crate) fn known(catalog: Vec<String>, fresh: &[String]) -> Vec<String> {
    let is_known = |line: &String| !line.starts_with("function ") || fresh.contains(line);
    catalog.into_iter().filter(|line| is_known(line) && !line.contains("piece_")).collect()
}

async fn look(database: &Database, case: &Case, place: &str) {
    let (old, new) = (database.on("0001_before").await, database.on("0002_change").await);
    for (side, statement, answer) in case.started {
        let client = if *side == Old { &old } else { &new };
        assert_eq!(ask(client, statement).await, *answer, "{place}: after start, {side:?}: {statement}");
    }
}
