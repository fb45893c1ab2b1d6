//! Every operation under load: clients of both versions write, in half of the cases without a pause, through start, rollback, start and complete, and an
//! account is kept of what every row must be in every version (R1, R2).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use diptych::Quiet;
use diptych_core::model::schema::{Constraint, Table};
use diptych_core::{Schema, model::types};
use diptych_tests::proxy::Proxy;
use diptych_tests::{Database, migration, must, schema, seed};
use tokio::sync::{Mutex, RwLock};
use tokio_postgres::{Client, Statement};

use crate::lifecycle::Side::{New, Old};
use crate::lifecycle::{Account, Case, Side, cases};

/// Clients at work, each with rows of its own and its share of the contended ones.
const CLIENTS: i64 = 6;
/// The statements of one round over all cases, in CI.
const STATEMENTS: u64 = 110_000;
/// How long clients pause between their turns in half of the cases, drawn anew in each run: otherwise the tool waits for a core most of the time.
const PAUSE: Duration = Duration::from_millis(3);
/// Rows that every client writes: their last writer is not known, but that the two versions agree is.
const HOT: i64 = 3;

/// A row as one version has it.
type Image = BTreeMap<String, Option<String>>;

/// A row as the account has it.
#[derive(Clone, Debug, Default)]
struct Row {
    old: Image,
    new: Image,
    notes: u64,
}

/// Who may write now.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    Old,
    Both,
    New,
    End,
}

/// What came of it.
#[derive(Debug, Default)]
struct Tally {
    statements: AtomicU64,
    longest: AtomicU64,
    failures: std::sync::Mutex<Vec<String>>,
    differences: std::sync::Mutex<Vec<String>>,
}

impl Tally {
    fn fail(&self, text: String) {
        self.failures.lock().expect("no panic while held").push(text);
    }

    fn differ(&self, text: String) {
        self.differences.lock().expect("no panic while held").push(text);
    }
}

/// One version of the table that is written.
#[derive(Debug)]
struct Form {
    version: &'static str,
    table: String,
    /// Name, type, and how the clients make values for it.
    columns: Vec<(String, String, Values)>,
    /// The names of the enums.
    enums: BTreeSet<String>,
}

/// How values of a column are made.
#[derive(Clone, Debug)]
enum Values {
    Key,
    Unique,
    Text { nullable: bool },
    Number { nullable: bool },
    Boolean,
    Like(String),
    Among(Vec<String>),
}

impl Form {
    fn new(case: &Case, side: Side, schema: &Schema, table: &Table) -> Self {
        let account = &case.account;
        let (version, name) = match side {
            Old => ("0001_before", account.table.0),
            New => ("0002_change", account.table.1),
        };
        let unique = |column: &str| {
            table
                .constraints
                .values()
                .any(|constraint| matches!(constraint, Constraint::Unique { columns, .. } if columns[0] == column))
                || table.indexes.values().any(|index| index.unique && index.columns[0].column == column)
        };
        let columns = table.columns.iter().filter(|column| !account.unaccounted.contains(&column.name.as_str())).map(|column| {
            let given = account.values.iter().find(|(of, name, _)| *of == side && *name == column.name);
            let values = match (given, column.sql_type.as_str()) {
                (Some((_, _, list)), _) if list.contains('|') => Values::Among(list.split('|').map(str::to_owned).collect()),
                (Some((_, _, like)), _) => Values::Like((*like).to_owned()),
                _ if column.name == "id" => Values::Key,
                _ if unique(&column.name) => Values::Unique,
                (_, "integer" | "bigint") => Values::Number { nullable: column.nullable },
                (_, "boolean") => Values::Boolean,
                _ => Values::Text { nullable: column.nullable },
            };
            (column.name.clone(), column.sql_type.clone(), values)
        });
        Form { version, table: name.to_owned(), columns: columns.collect(), enums: schema.enums.keys().cloned().collect() }
    }

    fn value(&self, column: usize, random: &mut fastrand::Rng) -> Option<String> {
        static UNIQUE: AtomicU64 = AtomicU64::new(1);
        let unique = || UNIQUE.fetch_add(1, Ordering::Relaxed);
        let null = |nullable: bool, random: &mut fastrand::Rng| nullable && random.u8(..12) == 0;
        match &self.columns[column].2 {
            Values::Key => None,
            Values::Unique => Some(format!("x{}", unique())),
            Values::Text { nullable } if null(*nullable, random) => None,
            Values::Text { .. } => Some(format!("First{} Last{}", random.u8(..9), random.u8(..9))),
            Values::Number { nullable } if null(*nullable, random) => None,
            Values::Number { .. } => Some(random.u8(..90).to_string()),
            Values::Boolean => Some(if random.bool() { "true" } else { "false" }.to_owned()),
            Values::Among(list) => random.choice(list).cloned(),
            Values::Like(text) => Some(text.replace("{n}", &random.u8(..90).to_string()).replace("{u}", &unique().to_string())),
        }
    }
}

/// Everything that the clients of a case share.
struct Stage {
    case: &'static Case,
    database: Database,
    old: Form,
    new: Option<Form>,
    /// Whether rows reference rows of the same table. PostgreSQL locks the referenced row when a transaction updates a row that it has
    /// written, or deletes one: of another client's, which may wait for this one.
    refers_to_itself: bool,
    phase: RwLock<Phase>,
    tally: Tally,
    /// What a client does not do between two turns.
    pause: Duration,
}

impl Stage {
    fn form(&self, side: Side) -> &Form {
        match (side, &self.new) {
            (New, Some(form)) => form,
            _ => &self.old,
        }
    }
}

/// Conversions as plain SQL over literal rows, on a session that knows no table: what the triggers must come to.
struct Oracle {
    client: Client,
}

impl Oracle {
    /// The other side's converted columns for a row of the given side.
    async fn convert(&self, stage: &Stage, from: Side, image: &Image) -> Image {
        let account: &Account = &stage.case.account;
        let conversions = if from == Old { account.up } else { account.down };
        if conversions.is_empty() {
            return Image::new();
        }
        let form = stage.form(from);
        let mut sql = "SELECT ".to_owned();
        for (at, (_, expression)) in conversions.iter().enumerate() {
            let _ = write!(sql, "{}({expression})::text", if at == 0 { "" } else { ", " });
        }
        sql.push_str(" FROM (SELECT ");
        for (at, (name, sql_type, _)) in form.columns.iter().enumerate() {
            let value = match image.get(name).cloned().flatten() {
                Some(text) => format!("'{}'", text.replace('\'', "''")),
                None => "NULL".to_owned(),
            };
            // an enum by its labels: this session is on no version, and would take the older one's type
            let sql_type = if form.enums.contains(&types::element(sql_type)) {
                if types::is_array(sql_type) { "text[]" } else { "text" }
            } else {
                sql_type
            };
            let _ = write!(sql, "{}{value}::{sql_type} AS \"{name}\"", if at == 0 { "" } else { ", " });
        }
        let _ = write!(sql, ") AS \"{}\"", form.table);
        let row = self.client.query_one(&sql, &[]).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        conversions.iter().enumerate().map(|(at, (name, _))| ((*name).to_owned(), row.get(at))).collect()
    }

    /// The whole row of the newer side for a row that only the older side has.
    async fn derive(&self, stage: &Stage, row: &mut Row) {
        let mut new = carried(stage.case, Old, &row.old);
        new.extend(self.convert(stage, Old, &row.old).await);
        row.new = new;
    }
}

/// What both sides share, under the other side's names.
fn carried(case: &Case, from: Side, image: &Image) -> Image {
    let account = &case.account;
    let converted = if from == Old { account.up } else { account.down };
    let gone = if from == Old { account.down } else { account.up };
    image
        .iter()
        .filter_map(|(name, value)| {
            let renamed = account.renamed.iter().find_map(|(old, new)| match from {
                Old if old == name => Some(*new),
                New if new == name => Some(*old),
                _ => None,
            });
            let other = renamed.unwrap_or(name);
            let is_own = converted.iter().any(|(target, _)| *target == other) || gone.iter().any(|(source, _)| *source == name);
            (!is_own).then(|| (other.to_owned(), value.clone()))
        })
        .collect()
}

/// A session of one version with its prepared statements, kept for the whole run.
struct Session {
    client: Client,
    prepared: BTreeMap<String, Statement>,
}

impl Session {
    async fn run(&mut self, tally: &Tally, sql: &str, values: &[Option<String>]) -> Option<u64> {
        let began = Instant::now();
        let outcome = async {
            if !self.prepared.contains_key(sql) {
                self.prepared.insert(sql.to_owned(), self.client.prepare(sql).await?);
            }
            let values: Vec<&(dyn tokio_postgres::types::ToSql + Sync)> = values.iter().map(|value| value as _).collect();
            self.client.execute(&self.prepared[sql], &values).await
        };
        let outcome = outcome.await;
        tally.statements.fetch_add(1, Ordering::Relaxed);
        tally.longest.fetch_max(u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
        match outcome {
            Ok(count) => Some(count),
            Err(error) => {
                tally.fail(format!("{sql} {values:?}: {:?}", error.as_db_error()));
                None
            }
        }
    }
}

/// A client's rows.
type Ledger = Arc<Mutex<BTreeMap<i64, Row>>>;

struct Worker {
    stage: Arc<Stage>,
    number: i64,
    ledger: Ledger,
    random: fastrand::Rng,
    old: Session,
    new: Option<Session>,
    oracle: Oracle,
    next: i64,
    /// The contended rows that this transaction may still take: in the order of their ids, as an app does that wants no deadlock.
    hot: std::ops::RangeInclusive<i64>,
    /// Whether this transaction writes no row twice and deletes none, as an app does that wants no deadlock.
    is_careful: bool,
    /// The rows that the open transaction changed, as they were before it.
    undo: BTreeMap<i64, Option<Row>>,
}

impl Worker {
    async fn work(mut self) {
        loop {
            let stage = Arc::clone(&self.stage);
            let phase = stage.phase.read().await;
            let side = match *phase {
                Phase::End => return,
                Phase::Old => {
                    // a release that is rolled back goes: a later one meets types made anew under the same names
                    self.new = None;
                    Old
                }
                Phase::New => New,
                Phase::Both if stage.new.is_none() => Old,
                Phase::Both => [Old, New][usize::from(self.random.bool())],
            };
            if side == New && stage.new.is_none() {
                return;
            }
            if side == New && self.new.is_none() {
                let client = settle(stage.database.on("0002_change").await, self.number).await;
                self.new = Some(Session { client, prepared: BTreeMap::new() });
            }
            self.turn(side, *phase).await;
            drop(phase);
            if stage.pause.is_zero() {
                tokio::task::yield_now().await;
            } else {
                tokio::time::sleep(stage.pause).await;
            }
        }
    }

    fn session(&mut self, side: Side) -> &mut Session {
        match side {
            Old => &mut self.old,
            New => self.new.as_mut().expect("connected"),
        }
    }

    async fn run(&mut self, side: Side, sql: &str, values: &[Option<String>]) -> Option<u64> {
        let stage = Arc::clone(&self.stage);
        self.session(side).run(&stage.tally, sql, values).await
    }

    /// One statement, or one transaction of several.
    async fn turn(&mut self, side: Side, phase: Phase) {
        let ledger = Arc::clone(&self.ledger);
        let mut rows = ledger.lock().await;
        self.hot = 1..=HOT;
        let several = self.random.u8(..10) == 0;
        self.is_careful = several && self.stage.refers_to_itself;
        self.undo.clear();
        if !several {
            self.write(side, phase, &mut rows).await;
            return;
        }
        let kept = self.random.u8(..4) > 0;
        self.run(side, "BEGIN", &[]).await;
        if let Some(id) = self.any(&rows) {
            let table = self.stage.form(side).table.clone();
            self.run(side, &format!("SELECT * FROM \"{table}\" WHERE id = {id} FOR UPDATE"), &[]).await;
        }
        for _ in 0..self.random.u8(2..5) {
            self.write(side, phase, &mut rows).await;
        }
        self.run(side, if kept { "COMMIT" } else { "ROLLBACK" }, &[]).await;
        if !kept {
            for (id, row) in std::mem::take(&mut self.undo) {
                match row {
                    Some(row) => rows.insert(id, row),
                    None => rows.remove(&id),
                };
            }
        }
    }

    fn any(&mut self, rows: &BTreeMap<i64, Row>) -> Option<i64> {
        let at = self.random.usize(..rows.len().max(1));
        rows.keys().nth(at).copied()
    }

    /// Keeps the row as it is before the transaction.
    fn keep(&mut self, id: i64, rows: &BTreeMap<i64, Row>) {
        self.undo.entry(id).or_insert_with(|| rows.get(&id).cloned());
    }

    async fn write(&mut self, side: Side, phase: Phase, rows: &mut BTreeMap<i64, Row>) {
        let choice = self.random.u8(..100);
        let Some(id) = self.any(rows) else { return self.insert(side, phase, rows, None).await };
        if self.is_careful && self.undo.contains_key(&id) {
            return self.insert(side, phase, rows, None).await;
        }
        self.keep(id, rows);
        match choice {
            0..24 => self.insert(side, phase, rows, None).await,
            24..32 if self.stage.case.account.upserts => self.insert(side, phase, rows, Some(id)).await,
            32..40 if rows.len() > 20 && !self.is_careful => {
                let table = self.stage.form(side).table.clone();
                self.run(side, &format!("DELETE FROM \"{table}\" WHERE id = {id}"), &[]).await;
                rows.remove(&id);
            }
            40..48 if self.stage.case.account.notes => {
                self.run(side, &format!("INSERT INTO notes (user_id, body) VALUES ({id}, 'note')"), &[]).await;
                if let Some(row) = rows.get_mut(&id) {
                    row.notes += 1;
                }
            }
            54..64 if !self.stage.case.account.reads.is_empty() => {
                let reads =
                    self.stage.case.account.reads.iter().filter(|(of, _)| *of == side).map(|(_, sql)| *sql).collect::<Vec<_>>();
                if let Some(sql) = self.random.choice(reads) {
                    self.run(side, sql, &[]).await;
                }
            }
            48..54 if !self.hot.is_empty() => {
                // a contended row: whoever comes last, both versions must agree on it
                let hot = self.random.i64(self.hot.clone());
                self.hot = hot + i64::from(self.is_careful)..=HOT;
                let mut unknown = Row::default();
                self.update(side, Phase::End, hot, &mut unknown).await;
            }
            _ => {
                let mut row = rows.get(&id).cloned().unwrap_or_default();
                self.update(side, phase, id, &mut row).await;
                rows.insert(id, row);
            }
        }
    }

    /// An INSERT; of a row that is there, as an upsert.
    async fn insert(&mut self, side: Side, phase: Phase, rows: &mut BTreeMap<i64, Row>, there: Option<i64>) {
        let id = there.unwrap_or_else(|| {
            self.next += 1;
            self.number * 1_000_000 + self.next
        });
        self.keep(id, rows);
        let stage = Arc::clone(&self.stage);
        let form = stage.form(side);
        let mut image = Image::new();
        for (at, (name, _, _)) in form.columns.iter().enumerate() {
            let value = if name == "id" { Some(id.to_string()) } else { form.value(at, &mut self.random) };
            image.insert(name.clone(), value);
        }
        let names: Vec<String> = form.columns.iter().map(|(name, _, _)| format!("\"{name}\"")).collect();
        let places: Vec<String> =
            form.columns.iter().enumerate().map(|(at, (_, sql_type, _))| format!("${}::text::{sql_type}", at + 1)).collect();
        let mut sql = format!("INSERT INTO \"{}\" ({}) VALUES ({})", form.table, names.join(", "), places.join(", "));
        let set: Vec<String> =
            names.iter().filter(|name| *name != "\"id\"").map(|name| format!("{name} = EXCLUDED.{name}")).collect();
        if there.is_some() {
            let _ = write!(sql, " ON CONFLICT (id) DO UPDATE SET {}", set.join(", "));
        }
        let values: Vec<Option<String>> = form.columns.iter().map(|(name, _, _)| image[name].clone()).collect();
        if self.run(side, &sql, &values).await.is_none() {
            return;
        }
        let row = rows.entry(id).or_default();
        let fresh = there.is_none();
        self.account(side, phase, row, image, fresh).await;
    }

    /// An UPDATE of one column or of several.
    async fn update(&mut self, side: Side, phase: Phase, id: i64, row: &mut Row) {
        let stage = Arc::clone(&self.stage);
        let form = stage.form(side);
        let writable: Vec<usize> = (0..form.columns.len()).filter(|at| form.columns[*at].0 != "id").collect();
        if writable.is_empty() {
            return;
        }
        let count = if self.random.u8(..4) == 0 { writable.len() } else { 1 };
        let mut chosen = writable;
        self.random.shuffle(&mut chosen);
        chosen.truncate(count);
        chosen.sort_unstable();
        let mut image = if side == Old { row.old.clone() } else { row.new.clone() };
        let (mut parts, mut values) = (Vec::new(), Vec::new());
        for at in chosen {
            let (name, sql_type, _) = &form.columns[at];
            let value = form.value(at, &mut self.random);
            values.push(value.clone());
            parts.push(format!("\"{name}\" = ${}::text::{sql_type}", values.len()));
            image.insert(name.clone(), value);
        }
        // the key as a value, so that the statement is prepared once
        values.push(Some(id.to_string()));
        let key = &form.columns.iter().find(|(name, _, _)| name == "id").expect("a key").1;
        let sql = format!("UPDATE \"{}\" SET {} WHERE id = ${}::text::{key}", form.table, parts.join(", "), values.len());
        match self.run(side, &sql, &values).await {
            Some(1) => self.account(side, phase, row, image, false).await,
            Some(count) if phase != Phase::End => stage.tally.differ(format!("{count} rows updated for {id}: {sql}")),
            _ => {}
        }
    }

    /// Books a write: its own side has what was written; the other one what both share, and a conversion where its result changed.
    async fn account(&self, side: Side, phase: Phase, row: &mut Row, image: Image, fresh: bool) {
        let before = std::mem::replace(if side == Old { &mut row.old } else { &mut row.new }, image.clone());
        if phase != Phase::Both {
            return;
        }
        let shared = carried(self.stage.case, side, &image);
        let now = self.oracle.convert(&self.stage, side, &image).await;
        let then = if fresh { Image::new() } else { self.oracle.convert(&self.stage, side, &before).await };
        let other = if side == Old { &mut row.new } else { &mut row.old };
        other.extend(shared);
        for (name, value) in now {
            if fresh || then.get(&name) != Some(&value) {
                other.insert(name, value);
            }
        }
    }
}

/// Compares every row with the account, in a version; nobody writes meanwhile.
async fn compare(stage: &Stage, ledgers: &[Ledger], side: Side) {
    let form = stage.form(side);
    let client = stage.database.on(form.version).await;
    let list: Vec<String> = form.columns.iter().map(|(name, _, _)| format!("\"{name}\"::text")).collect();
    let sql = format!("SELECT id::text, {} FROM \"{}\" WHERE id > {HOT}", list.join(", "), form.table);
    let rows = client.query(&sql, &[]).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    let mut there: BTreeMap<i64, Image> = rows
        .iter()
        .map(|row| {
            let id: String = row.get(0);
            let image = form.columns.iter().enumerate().map(|(at, (name, _, _))| (name.clone(), row.get(at + 1))).collect();
            (id.parse().expect("a key"), image)
        })
        .collect();
    let mut notes: BTreeMap<i64, u64> = BTreeMap::new();
    if stage.case.account.notes {
        for row in client.query("SELECT user_id::int8 FROM notes", &[]).await.expect("notes") {
            *notes.entry(row.get(0)).or_default() += 1;
        }
    }
    for ledger in ledgers {
        for (id, row) in ledger.lock().await.iter() {
            let wanted = if side == Old { &row.old } else { &row.new };
            match there.remove(id) {
                Some(image) if image == *wanted => {}
                found => stage.tally.differ(format!("{side:?}: row {id} is {found:?}, must be {wanted:?}")),
            }
            let count = notes.remove(id).unwrap_or_default();
            if count != row.notes {
                stage.tally.differ(format!("{side:?}: row {id} has {count} notes, must have {}", row.notes));
            }
        }
    }
    for id in there.keys() {
        stage.tally.differ(format!("{side:?}: row {id} must not be there"));
    }
    for id in notes.keys() {
        stage.tally.differ(format!("{side:?}: notes of {id} must not be there"));
    }
}

/// Every other client has settings under which texts would be read otherwise, and values printed otherwise.
async fn settle(client: Client, number: i64) -> Client {
    if number % 2 == 0 {
        must(&client, "SET standard_conforming_strings = off; SET escape_string_warning = off; SET transform_null_equals = on")
            .await;
        must(&client, "SET TimeZone = 'Asia/Tokyo'; SET DateStyle = 'SQL, DMY'; SET bytea_output = 'escape'").await;
        must(&client, "SET extra_float_digits = -10; SET plpgsql.extra_errors = 'all'").await;
    }
    client
}

/// The contended rows: each side is the conversion of the other, one way or the other; a column that both versions have, for itself. What a
/// constant stands for on the other side says nothing of a write to that column alone.
async fn agree(stage: &Stage, oracle: &Oracle) {
    let account = &stage.case.account;
    let Some(new) = stage.new.as_ref().filter(|_| !account.up.is_empty() && !account.down.is_empty()) else { return };
    let (one, two) = (stage.database.on(stage.old.version).await, stage.database.on(new.version).await);
    for id in 1..=HOT {
        let (Some(old), Some(new)) = (image(&one, &stage.old, id).await, image(&two, new, id).await) else { continue };
        let up = oracle.convert(stage, Old, &old).await;
        let down = oracle.convert(stage, New, &new).await;
        let is_up = |name: &String| new.get(name) == up.get(name);
        let is_down = |name: &String| old.get(name) == down.get(name);
        let is_constant = |name: &String| {
            let texts = account.up.iter().chain(account.down).filter(|(column, _)| column == name);
            texts.into_iter().any(|(_, text)| text.split('\'').count() == 3 && text.starts_with('\'') && text.ends_with('\''))
        };
        let (both, of_newer): (Vec<_>, Vec<_>) = up.keys().partition(|name| down.contains_key(*name));
        let of_older = down.keys().filter(|name| !up.contains_key(*name));
        let alike = both.into_iter().all(|name| is_up(name) || is_down(name) || is_constant(name))
            && (of_newer.into_iter().all(is_up) || of_older.into_iter().all(is_down));
        if !alike {
            stage.tally.differ(format!("contended row {id}: {old:?} and {new:?} do not agree"));
        }
    }
}

async fn image(client: &Client, form: &Form, id: i64) -> Option<Image> {
    let list: Vec<String> = form.columns.iter().map(|(name, _, _)| format!("\"{name}\"::text")).collect();
    let sql = format!("SELECT {} FROM \"{}\" WHERE id = {id}", list.join(", "), form.table);
    let row = client.query_opt(&sql, &[]).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"))?;
    Some(form.columns.iter().enumerate().map(|(at, (name, _, _))| (name.clone(), row.get(at))).collect())
}

/// Writes to a table that nobody migrates, as often as a client does: what the machine itself makes statements wait.
async fn bystander(stop: Arc<std::sync::atomic::AtomicBool>) -> Duration {
    let database = Database::new().await;
    let client = database.client().await;
    must(&client, "CREATE TABLE counters (n bigint); INSERT INTO counters VALUES (0)").await;
    let mut longest = Duration::ZERO;
    while !stop.load(Ordering::Relaxed) {
        let began = Instant::now();
        client.batch_execute("UPDATE counters SET n = n + 1").await.expect("a statement");
        longest = longest.max(began.elapsed());
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    longest
}

/// With `NETWORK=50` between the tool and the server, in milliseconds there and back. A case lasts minutes then, most of which is
/// waiting: the clients pause between their turns, and several cases run side by side.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_operation_under_load() {
    let network = std::env::var("NETWORK").ok().map(|text| Duration::from_millis(text.parse().expect("NETWORK: milliseconds")));
    let only = std::env::var("CASE").ok();
    all_under_load("load", network.unwrap_or_default(), |name| only.as_deref().is_none_or(|only| name.contains(only))).await;
}

/// What waits behind the tool's locks waits no longer where the network is slow.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b21_the_lock_budget_holds_over_a_slow_network() {
    all_under_load("b21", Duration::from_millis(50), |name| name == "alter_column type").await;
}

async fn all_under_load(what: &str, network: Duration, is_wanted: impl Fn(&str) -> bool) {
    let mut random = seed(what);
    let cases: &'static [Case] = cases().leak();
    let chosen: Vec<&'static Case> = cases.iter().filter(|case| is_wanted(case.name)).collect();
    assert!(!chosen.is_empty(), "no case of that name");
    // `SOAK=3600` goes on for an hour
    let soak = std::env::var("SOAK").ok().map(|seconds| Duration::from_secs(seconds.parse().expect("SOAK: seconds")));
    let began = Instant::now();
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let standing_by = tokio::spawn(bystander(Arc::clone(&stop)));
    let (mut statements, mut longest, mut failures, mut differences) = (0, 0, Vec::new(), Vec::new());
    let quota = STATEMENTS / cases.len() as u64;
    let side_by_side = if network.is_zero() { 1 } else { 4 };
    loop {
        let mut waiting = chosen.iter().copied();
        let mut running = tokio::task::JoinSet::new();
        loop {
            while running.len() < side_by_side
                && let Some(case) = waiting.next()
            {
                let random = random.fork();
                running.spawn(async move { (case, under_load(case, quota, network, random).await) });
            }
            let Some(done) = running.join_next().await else { break };
            let (case, tally) = done.expect("a case to its end");
            statements += tally.statements.load(Ordering::Relaxed);
            longest = longest.max(tally.longest.load(Ordering::Relaxed));
            let of = |list: std::sync::Mutex<Vec<String>>| {
                list.into_inner().expect("no panic while held").into_iter().map(|text| format!("{}: {text}", case.name))
            };
            failures.extend(of(tally.failures));
            differences.extend(of(tally.differences));
        }
        if soak.is_none_or(|soak| began.elapsed() >= soak) || !failures.is_empty() || !differences.is_empty() {
            break;
        }
    }
    stop.store(true, Ordering::Relaxed);
    let noise = standing_by.await.expect("the bystander");
    let longest = Duration::from_micros(longest);
    println!(
        "{what}: {statements} statements over {} cases, {} failures, {} differences, longest wait {} ms (a bystander's: {} ms)",
        chosen.len(),
        failures.len(),
        differences.len(),
        longest.as_millis(),
        noise.as_millis()
    );
    assert!(failures.is_empty(), "{:#?}", &failures[..failures.len().min(5)]);
    assert!(differences.is_empty(), "{:#?}", &differences[..differences.len().min(5)]);
    // the budget is half of deadlock_timeout, 500 ms; what the machine adds is seen by the bystander
    assert!(longest < Duration::from_millis(750) + 2 * noise, "a statement waited {longest:?}");
}

async fn under_load(case: &'static Case, quota: u64, network: Duration, mut random: fastrand::Rng) -> Tally {
    let all = [migration("0001_before", case.before), migration("0002_change", case.change)];
    let database = Database::new().await;
    database.migrate(&all[..1]).await;
    let client = database.on("0001_before").await;
    for statement in case.seed.split("; ") {
        must(&client, statement).await;
    }
    let (before, after) = (schema(&all[..1]), schema(&all));
    let old = Form::new(case, Old, &before, &before.tables[case.account.table.0]);
    let new = after.tables.get(case.account.table.1).map(|table| Form::new(case, New, &after, table));
    let refers_to_itself = [(&before, case.account.table.0), (&after, case.account.table.1)].iter().any(|(schema, name)| {
        schema
            .tables
            .get(*name)
            .into_iter()
            .flat_map(|table| table.constraints.values())
            .any(|there| matches!(there, Constraint::ForeignKey { references, .. } if references.table == *name))
    });
    let (phase, tally) = (RwLock::new(Phase::Old), Tally::default());
    let pause = if network.is_zero() && random.bool() { PAUSE } else { network / 2 };
    let stage = Arc::new(Stage { case, database, old, new, refers_to_itself, phase, tally, pause });

    // the rows that are there are shared out
    let mut ledgers: Vec<BTreeMap<i64, Row>> = vec![BTreeMap::new(); usize::try_from(CLIENTS).expect("few")];
    let ids = client.query(&format!("SELECT id::int8 FROM \"{}\" WHERE id > {HOT}", stage.old.table), &[]).await.expect("rows");
    for row in ids {
        let id: i64 = row.get(0);
        let row = Row { old: image(&client, &stage.old, id).await.expect("a row"), ..Row::default() };
        ledgers[usize::try_from(id % CLIENTS).expect("small")].insert(id, row);
    }
    let ledgers: Vec<Ledger> = ledgers.into_iter().map(|rows| Arc::new(Mutex::new(rows))).collect();
    let mut workers = Vec::new();
    for number in 1..=CLIENTS {
        let worker = Worker {
            stage: Arc::clone(&stage),
            number,
            ledger: Arc::clone(&ledgers[usize::try_from(number - 1).expect("small")]),
            random: random.fork(),
            old: Session { client: settle(stage.database.on("0001_before").await, number).await, prepared: BTreeMap::new() },
            new: None,
            oracle: Oracle { client: stage.database.client().await },
            next: 0,
            hot: 1..=HOT,
            is_careful: false,
            undo: BTreeMap::new(),
        };
        workers.push(tokio::spawn(worker.work()));
    }
    let oracle = Oracle { client: stage.database.client().await };
    let way = Proxy::distant(&stage.database.config(), network);
    let mut migrator = if network.is_zero() {
        stage.database.migrator().await
    } else {
        stage.database.migrator_over(&way.config(&stage.database.config())).await
    };
    let reach = async |share: u64| {
        let since = Instant::now();
        while stage.tally.statements.load(Ordering::Relaxed) < quota * share / 10 && since.elapsed() < Duration::from_secs(60) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    // after a start every row of the newer side is what the older side makes of it
    let open = async || {
        let mut phase = stage.phase.write().await;
        for ledger in &ledgers {
            for row in ledger.lock().await.values_mut() {
                oracle.derive(&stage, row).await;
            }
        }
        compare(&stage, &ledgers, Old).await;
        if stage.new.is_some() {
            compare(&stage, &ledgers, New).await;
        }
        *phase = Phase::Both;
    };
    let settle = async |next: Phase| {
        let mut phase = stage.phase.write().await;
        if matches!(*phase, Phase::Old | Phase::Both) {
            compare(&stage, &ledgers, Old).await;
        }
        if matches!(*phase, Phase::Both | Phase::New) && stage.new.is_some() {
            compare(&stage, &ledgers, New).await;
        }
        if *phase == Phase::Both {
            agree(&stage, &oracle).await;
        }
        *phase = next;
    };
    let failed = |what: &str, error: diptych::Error| -> diptych::Outcome { panic!("{}: {what}: {error}", case.name) };

    reach(1).await;
    migrator.start(&all, None, &mut Quiet).await.unwrap_or_else(|error| failed("start", error));
    open().await;
    reach(4).await;
    settle(Phase::Old).await;
    migrator.rollback(&mut Quiet).await.unwrap_or_else(|error| failed("rollback", error));
    reach(5).await;
    migrator.start(&all, None, &mut Quiet).await.unwrap_or_else(|error| failed("second start", error));
    open().await;
    reach(8).await;
    settle(Phase::New).await;
    migrator.complete(&mut Quiet).await.unwrap_or_else(|error| failed("complete", error));
    reach(if stage.new.is_some() { 10 } else { 0 }).await;
    settle(Phase::End).await;
    for worker in workers {
        worker.await.expect("a client");
    }
    Arc::into_inner(stage).map(|stage| stage.tally).expect("nobody else has it")
}
