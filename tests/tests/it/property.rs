//! Random schemas, random changes, random rows: rollback is exact, complete is exact, and each version reads what it should.

mod account;
mod changes;
mod constraints;
mod rows;
mod schemas;
mod values;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use diptych::core::names::shortened;
use diptych::core::sql::{ident, qualified};
use diptych::core::stage::Stage;
use diptych::core::{DeclaredSchema, Migration, Operation, Schema, Snapshot, diff};
use diptych::{Migrator, Quiet, introspect};
use diptych_tests::{Database, client, difference, seed};
use fastrand::Rng;
use tokio_postgres::Client;

use account::{Way, derived};
use rows::{Side, data, read, rows_of};

const BEFORE: &str = "0001_before";
const CHANGE: &str = "0002_change";
/// Operations that are not generated: nothing could be said of what `sql` does, and enums are yet to come. The lifecycle has them.
const NOT_GENERATED: [&str; 4] = ["sql", "create_enum", "alter_enum", "drop_enum"];
/// The seed of the first case.
const FIRST_SEED: u64 = 0x6469_7074_7963_6800;
/// Cases under way at once, each in two databases of its own.
const WORKERS: usize = 6;
/// Of a hundred cases or operations, those that may be refused.
const REFUSED: usize = 20;

/// One change to be tried.
#[derive(Clone)]
struct Case {
    seed: u64,
    from: Schema,
    migration: Migration,
    ways: Vec<Way>,
    /// The structs that it is the difference to, where it is one.
    declared: bool,
}

/// What became of cases.
#[derive(Default)]
struct Totals {
    cases: usize,
    declared: usize,
    rows: usize,
    operations: BTreeMap<&'static str, usize>,
    /// Operations that were refused while the change was put together, by first words.
    refused_operations: BTreeMap<String, usize>,
    /// Starts and diffs that were refused, by first words.
    refused: BTreeMap<String, usize>,
    failed: Vec<String>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn property() {
    let began = Instant::now();
    let alone = std::env::var("SEED").is_ok();
    // the same cases every time, so that a change of ours alone can break them; others where a number is asked for
    let asked = std::env::var("PROPERTY_CASES").ok().and_then(|text| text.parse().ok());
    let wanted = asked.unwrap_or(if alone { 1 } else { 500 });
    let next = Arc::new(AtomicUsize::new(0));
    let mut workers = Vec::new();
    for worker in 0..WORKERS.min(wanted) {
        let next = Arc::clone(&next);
        workers.push(tokio::spawn(async move {
            let mut totals = Totals::default();
            let mut pair = Pair::new(worker).await;
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= wanted || totals.failed.len() >= 2 {
                    break;
                }
                let seed = match (alone, asked) {
                    (true, _) => seed("property").get_seed(),
                    (false, Some(_)) => fastrand::u64(..),
                    (false, None) => FIRST_SEED + number as u64,
                };
                totals.cases += 1;
                if let Some(failure) = one(seed, &mut pair, &mut totals).await {
                    println!("{failure}");
                    totals.failed.push(failure);
                }
            }
            pair.remove().await;
            totals
        }));
    }
    let mut totals = Totals::default();
    for worker in workers {
        totals.add(worker.await.expect("a worker"));
    }
    println!("property: {} in {} s", totals, began.elapsed().as_secs());
    assert!(totals.failed.is_empty(), "{} cases failed; each is printed above with its seed", totals.failed.len());
    let sum = |counts: &BTreeMap<String, usize>| counts.values().sum::<usize>();
    if totals.cases >= 50 {
        assert!(sum(&totals.refused) * 100 <= totals.cases * REFUSED, "too many cases are refused");
        let tried = totals.operations.values().sum::<usize>() + sum(&totals.refused_operations);
        assert!(sum(&totals.refused_operations) * 100 <= tried * REFUSED, "too many operations are refused");
        for name in Operation::NAMES.iter().filter(|name| !NOT_GENERATED.contains(name)) {
            assert!(totals.operations.contains_key(name), "`{name}` was never tried");
        }
    }
}

/// One case of a seed; what to print where it fails.
async fn one(seed: u64, pair: &mut Pair, totals: &mut Totals) -> Option<String> {
    let mut rng = Rng::with_seed(seed);
    let case = match case(seed, &mut rng, totals) {
        Ok(Some(case)) => case,
        Ok(None) => return None,
        Err(text) => return Some(failure(seed, &text, None)),
    };
    totals.declared += usize::from(case.declared);
    for operation in &case.migration.operations {
        *totals.operations.entry(operation.name()).or_default() += 1;
    }
    let text = match attempt(&case, pair).await {
        Ok(Done { rows, refused }) => {
            totals.rows += rows;
            if let Some(refusal) = refused {
                *totals.refused.entry(first_words(&refusal)).or_default() += 1;
            }
            return None;
        }
        Err(text) => text,
    };
    let whole = failure(seed, &text, Some(&case));
    let (smaller, text) = shrink(case, text, pair).await;
    Some(format!("{whole}\nwith fewer operations, {}", failure(seed, &text, Some(&smaller))))
}

/// The case again with fewer operations, as long as it fails.
async fn shrink(mut case: Case, mut text: String, pair: &mut Pair) -> (Case, String) {
    let mut at = 0;
    while at < case.migration.operations.len() && case.migration.operations.len() > 1 {
        let mut operations = case.migration.operations.clone();
        operations.remove(at);
        let Some(smaller) = listed(case.seed, &case.from, operations) else {
            at += 1;
            continue;
        };
        match attempt(&smaller, pair).await {
            // the same failure, not one that the missing operation makes
            Err(now) if first_words(&now) == first_words(&text) => (case, text) = (smaller, now),
            _ => at += 1,
        }
    }
    (case, text)
}

/// The schema created from nothing.
fn anew(schema: &Schema) -> Migration {
    Migration { name: BEFORE.to_owned(), version_schema: None, operations: diff::create_all(schema) }
}

fn failure(seed: u64, text: &str, case: Option<&Case>) -> String {
    let files = case.map_or_else(String::new, |case| {
        let before = anew(&case.from);
        format!("\n--- {BEFORE}.yaml\n{}--- {CHANGE}.yaml\n{}", before.to_yaml(), case.migration.to_yaml())
    });
    format!("property failed: {text}{files}\nagain: SEED={seed} cargo test -p diptych-tests --test it property -- --nocapture\n")
}

/// A schema and its change, of one of the two kinds; none where it was refused, as an error should be.
fn case(seed: u64, rng: &mut Rng, totals: &mut Totals) -> Result<Option<Case>, String> {
    loop {
        let from = schemas::schema(rng);
        let created = anew(&from).stage(&Schema::default()).map_err(|error| format!("create_all: {error}"))?.to;
        if created != from {
            return Err(format!("create_all leads to\n{created:#?}\nnot to\n{from:#?}"));
        }
        if rng.bool() {
            let (mut structs, ways) = changes::next_release(rng, &from);
            let wanted = changes::wanted(&structs);
            forget_names(rng, &mut structs);
            let migration = match difference_to(&from, &structs, &wanted) {
                Ok(Some(migration)) => migration,
                Ok(None) => continue,
                Err(Refusal::Wrong(text)) => {
                    return Err(format!("{text}\nfrom\n{}\nto\n{}", lines(&from).join("\n"), lines(&wanted).join("\n")));
                }
                Err(Refusal::Right(text)) => {
                    *totals.refused.entry(first_words(&text)).or_default() += 1;
                    return Ok(None);
                }
            };
            return Ok(Some(Case { seed, from, migration, ways, declared: true }));
        }
        let mut stage = Stage::identity(&from);
        let mut operations = Vec::new();
        for _ in 0..rng.u8(1..=6) {
            let again = operations.last().filter(|_| rng.u8(..3) == 0);
            let more = again.and_then(|last| changes::once_more(rng, &stage.to, last));
            for operation in more.or_else(|| changes::operations(rng, &stage.to)).into_iter().flatten() {
                let mut next = stage.clone();
                if let Err(error) = operation.apply(&mut next) {
                    if error.hint_text().is_none() {
                        return Err(format!("a refusal without a hint: {error}"));
                    }
                    *totals.refused_operations.entry(first_words(error.message())).or_default() += 1;
                    break;
                }
                stage = next;
                operations.push(operation);
            }
        }
        if let Some(case) = listed(seed, &from, operations).filter(|case| !case.migration.operations.is_empty()) {
            return Ok(Some(case));
        }
    }
}

/// The operations in order, with their account; none where one cannot be applied.
fn listed(seed: u64, from: &Schema, operations: Vec<Operation>) -> Option<Case> {
    let mut stage = Stage::identity(from);
    let mut ways = account::begin(from);
    for operation in &operations {
        let before = stage.to.clone();
        operation.apply(&mut stage).ok()?;
        account::enter(&mut ways, operation, &before, &stage.to);
    }
    // a replica identity may have lost its index
    stage.to.check().ok()?;
    ways.retain(|way| way.old.is_some() || way.new.is_some());
    let migration = Migration { name: CHANGE.to_owned(), version_schema: None, operations };
    Some(Case { seed, from: from.clone(), migration, ways, declared: false })
}

/// Structs leave the names out that the model would choose itself.
fn forget_names(rng: &mut Rng, structs: &mut DeclaredSchema) {
    for table in &mut structs.tables {
        let all = table.constraints.clone();
        for (name, constraint) in &mut table.constraints {
            let alone = all.iter().filter(|(_, there)| there == constraint).count() == 1;
            if alone && name.as_deref() == Some(&constraint.default_name(&table.name)) && rng.bool() {
                *name = None;
            }
        }
    }
}

enum Refusal {
    /// As it should be.
    Right(String),
    /// A failure of the property.
    Wrong(String),
}

/// The difference between a schema and structs: it leads there, survives being written, and leaves nothing over.
fn difference_to(from: &Schema, structs: &DeclaredSchema, wanted: &Schema) -> Result<Option<Migration>, Refusal> {
    let snapshot = Snapshot { version: Some(BEFORE.to_owned()), schema: from.clone(), ..Snapshot::default() };
    let operations = diff::diff(&snapshot, structs).map_err(|error| match error.hint_text() {
        Some(_) => Refusal::Right(error.message().to_owned()),
        None => Refusal::Wrong(format!("a refusal without a hint: {error}")),
    })?;
    if operations.is_empty() {
        return Ok(None);
    }
    let migration = Migration { name: CHANGE.to_owned(), version_schema: None, operations };
    let wrong = |text: String| Refusal::Wrong(format!("{text}\n{}", migration.to_yaml()));
    let to = migration.stage(from).map_err(|error| wrong(format!("the difference cannot be applied: {error}")))?.to;
    if plain(&to) != plain(wanted) {
        let lines = difference(&lines(&plain(wanted)), &lines(&plain(&to)));
        return Err(wrong(format!("the difference leads elsewhere than the structs:\n{lines}")));
    }
    if Migration::parse(CHANGE, &migration.to_yaml()).as_ref() != Ok(&migration) {
        return Err(wrong("the difference is another one when it is read again".to_owned()));
    }
    let after = structs.snapshot(CHANGE, to);
    match diff::diff(&after, structs) {
        Ok(rest) if rest.is_empty() => Ok(Some(migration)),
        Ok(rest) => Err(wrong(format!("{rest:#?}\nremain after it"))),
        Err(error) => Err(wrong(format!("after it: {error}"))),
    }
}

/// Without the order of columns and the names of sequences, which a difference leaves as they are.
fn plain(schema: &Schema) -> Schema {
    let mut schema = schema.clone();
    for table in schema.tables.values_mut() {
        table.columns.sort_by(|one, other| one.name.cmp(&other.name));
        table.columns.iter_mut().filter_map(|column| column.identity.as_mut()).for_each(|identity| identity.sequence = None);
    }
    schema
}

/// Everything of a schema, one line each.
fn lines(schema: &Schema) -> Vec<String> {
    let mut lines = Vec::new();
    for (name, table) in &schema.tables {
        lines.push(format!("{name}: {:?}", table.comment));
        lines.extend(table.columns.iter().map(|column| format!("{name}: {column:?}")));
        lines.extend(table.constraints.iter().map(|there| format!("{name}: {there:?}")));
        lines.extend(table.indexes.iter().map(|there| format!("{name}: {there:?}")));
    }
    lines
}

/// Two databases that are used again and again: one for the change, one for what it should come to.
struct Pair {
    work: Database,
    fresh: Database,
}

impl Pair {
    async fn new(worker: usize) -> Self {
        let base = ["public", "app data"][worker % 2];
        Pair { work: Database::with_base(base).await, fresh: Database::with_base(base).await }
    }

    async fn remove(self) {
        self.work.remove().await;
        self.fresh.remove().await;
    }
}

/// Removes everything from a database.
async fn clear(client: &Client, base: &str) -> Result<(), String> {
    let all = "SELECT nspname FROM pg_catalog.pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'";
    let schemas = read(client, all).await?;
    let mut text: String = schemas.iter().map(|name| format!("DROP SCHEMA {} CASCADE;", ident(name))).collect();
    text.push_str(&format!("CREATE SCHEMA {0}; SET search_path = {0}; SET client_min_messages = warning", ident(base)));
    client.batch_execute(&text).await.map_err(|error| format!("clearing: {error:?}"))
}

/// What a case came to.
struct Done {
    rows: usize,
    refused: Option<String>,
}

/// A case from its beginning to its end, in its own task: a panic is its failure.
async fn attempt(case: &Case, pair: &mut Pair) -> Result<Done, String> {
    let (case, work, fresh) = (case.clone(), pair.work.clone(), pair.fresh.clone());
    match tokio::spawn(async move { run(&case, &work, &fresh).await }).await {
        Ok(result) => result,
        Err(panic) => Err(format!("{panic}")),
    }
}

async fn run(case: &Case, work: &Database, fresh: &Database) -> Result<Done, String> {
    let mut rng = Rng::with_seed(case.seed);
    let base = work.base.as_str();
    let session = client(&work.config()).await;
    clear(&session, base).await?;
    let mut migrator = work.migrator().await;
    let all = [anew(&case.from), case.migration.clone()];
    create(&mut migrator, &all[..1]).await.map_err(|error| format!("the schema before cannot be created: {error}"))?;

    let to = case.migration.stage(&case.from).map_err(|error| error.to_string())?.to;
    let old = Side { schema: &case.from, views: shortened(&format!("{base}_{BEFORE}")), base };
    let new = Side { schema: &to, views: shortened(&format!("{base}_{CHANGE}")), base };
    let rows = rows::fill(&session, &mut rng, &old).await?;
    let writes = rows::writes(&mut rng, &old);
    let answers = in_vain(&session, async |session| rows::run_all(session, &old, &writes).await).await?;

    let catalog = objects(&session, base).await?;
    let then = data(&session, &old).await?;
    let unchanged = async |what: &str| -> Result<(), String> {
        let now = objects(&session, base).await?;
        if now != catalog {
            return Err(format!("{what} does not leave the catalog as it was:\n{}", difference(&catalog, &now)));
        }
        let now = data(&session, &old).await?;
        if now == then {
            Ok(())
        } else {
            Err(format!("{what} does not leave the rows as they were:\n{}", difference(&then, &now)))
        }
    };

    if let Err(error) = migrator.start(&all, None, &mut Quiet).await {
        if error.hint_text().is_none() {
            return Err(format!("start fails without a hint: {error}"));
        }
        if !error.is_refused() {
            // nobody else writes: rows that break a new rule are there before the start
            return Err(format!("start fails on the way: {error}"));
        }
        unchanged("a start that is refused").await?;
        return Ok(Done { rows, refused: Some(error.message().to_owned()) });
    }
    in_vain(&session, async |session| both_sides(session, case, &mut rng.clone(), &old, &new, &writes, &answers).await).await?;
    migrator.rollback(&mut Quiet).await.map_err(|error| format!("rollback: {error}"))?;
    unchanged("rollback").await?;

    migrator.start(&all, None, &mut Quiet).await.map_err(|error| format!("second start: {error}"))?;
    session.batch_execute("BEGIN").await.map_err(|error| error.to_string())?;
    both_sides(&session, case, &mut rng, &old, &new, &writes, &answers).await?;
    session.batch_execute("COMMIT").await.map_err(|error| error.to_string())?;
    let then = data(&session, &new).await?;
    migrator.complete(&mut Quiet).await.map_err(|error| format!("complete: {error}"))?;
    let now = data(&session, &new).await?;
    if now != then {
        return Err(format!("complete changes the newer version's rows:\n{}", difference(&then, &now)));
    }
    let completed = objects(&session, base).await?;
    let anew = create_fresh(fresh, &to).await?;
    if completed != anew {
        return Err(format!("complete does not lead to what is created anew:\n{}", difference(&anew, &completed)));
    }
    Ok(Done { rows, refused: None })
}

async fn create(migrator: &mut Migrator, migrations: &[Migration]) -> diptych::Result<()> {
    migrator.start(migrations, None, &mut Quiet).await?;
    migrator.complete(&mut Quiet).await?;
    Ok(())
}

async fn create_fresh(fresh: &Database, schema: &Schema) -> Result<Vec<String>, String> {
    let session = client(&fresh.config()).await;
    clear(&session, &fresh.base).await?;
    let migrations = [anew(schema)];
    if !migrations[0].operations.is_empty() {
        create(&mut fresh.migrator().await, &migrations)
            .await
            .map_err(|error| format!("the schema after cannot be created anew: {error}"))?;
    }
    objects(&session, &fresh.base).await
}

async fn objects(session: &Client, base: &str) -> Result<Vec<String>, String> {
    session.batch_execute(&format!("SET search_path = {}", ident(base))).await.map_err(|error| error.to_string())?;
    introspect::catalog(session, base).await.map_err(|error| error.to_string())
}

/// Does something in a transaction that is rolled back.
async fn in_vain<T>(session: &Client, work: impl AsyncFnOnce(&Client) -> Result<T, String>) -> Result<T, String> {
    session.batch_execute("BEGIN").await.map_err(|error| error.to_string())?;
    let result = work(session).await?;
    session.batch_execute("ROLLBACK").await.map_err(|error| error.to_string())?;
    Ok(result)
}

/// Both versions write, and either reads what it should.
async fn both_sides(
    session: &Client,
    case: &Case,
    rng: &mut Rng,
    old: &Side<'_>,
    new: &Side<'_>,
    writes: &[rows::Write],
    answers: &[String],
) -> Result<(), String> {
    agree(session, case, old, new).await.map_err(|text| format!("after start, {text}"))?;
    let now = rows::run_all(session, old, writes).await?;
    let mut drifted = false;
    for ((write, then), now) in writes.iter().zip(answers).zip(&now) {
        let refused_by_new_rules = then.starts_with('+') && now.starts_with("!23");
        // sequences have moved on, and a foreign key may point at what they gave
        let pointed_elsewhere = then.starts_with("!23503") && (now.starts_with('+') || now.starts_with("!23"));
        // of two rules, another may be looked at first
        let alike = then.split(' ').next() == now.split(' ').next();
        // what stands in the way of a row may itself have been refused
        let nothing_in_the_way = drifted && then.starts_with("!23");
        drifted |= !alike;
        if !alike && !refused_by_new_rules && !pointed_elsewhere && !nothing_in_the_way {
            return Err(format!("the older version's `{}` answered {then} before the start, and {now} after it", write.sql));
        }
    }
    agree(session, case, old, new).await.map_err(|text| format!("after the older version's writes, {text}"))?;
    for write in rows::writes(rng, new) {
        let before = seen_from_below(session, case, old, new, &write.table).await?;
        let answer = rows::run_all(session, new, std::slice::from_ref(&write)).await?.remove(0);
        if !answer.starts_with('+') && !answer.starts_with("!23") {
            return Err(format!("the newer version's `{}` answers {answer}", write.sql));
        }
        let Some((below, above)) = before.filter(|_| write.sql.starts_with("INSERT") && answer.starts_with('+')) else {
            continue;
        };
        let (below_now, above_now) = seen_from_below(session, case, old, new, &write.table).await?.expect("as before");
        let (read, wanted) = (more(below, below_now), more(above, above_now));
        if read != wanted {
            return Err(format!("after the newer version's `{}` the older one reads {read:?}, not {wanted:?}", write.sql));
        }
    }
    Ok(())
}

/// Every row that the older version wrote reads in the newer one as `up` has it.
async fn agree(session: &Client, case: &Case, old: &Side<'_>, new: &Side<'_>) -> Result<(), String> {
    for way in &case.ways {
        let (Some(from), Some(to)) = (&way.old, &way.new) else { continue };
        let (query, unknown) = derived(way, true, qualified(&old.views, from).as_str());
        let columns: Vec<&String> =
            new.schema.tables[to].columns.iter().map(|column| &column.name).filter(|name| !unknown.contains(*name)).collect();
        let wanted = read(session, &rows_of(&query, &columns)).await?;
        let seen = read(session, &rows_of(qualified(&new.views, to).as_str(), &columns)).await?;
        if seen != wanted {
            return Err(format!("the newer version's `{to}` does not read what `up` says:\n{}", difference(&wanted, &seen)));
        }
    }
    Ok(())
}

/// A table's rows as the older version reads them, and as `down` has them; none for a table of one version.
async fn seen_from_below(
    session: &Client,
    case: &Case,
    old: &Side<'_>,
    new: &Side<'_>,
    table: &str,
) -> Result<Option<(Vec<String>, Vec<String>)>, String> {
    let Some(way) = case.ways.iter().find(|way| way.new.as_deref() == Some(table)) else { return Ok(None) };
    let Some(from) = &way.old else { return Ok(None) };
    let (query, unknown) = derived(way, false, qualified(&new.views, table).as_str());
    let columns: Vec<&String> =
        old.schema.tables[from].columns.iter().map(|column| &column.name).filter(|name| !unknown.contains(*name)).collect();
    let below = read(session, &rows_of(qualified(&old.views, from).as_str(), &columns)).await?;
    Ok(Some((below, read(session, &rows_of(&query, &columns)).await?)))
}

/// What the second list has more than the first.
fn more(then: Vec<String>, mut now: Vec<String>) -> Vec<String> {
    for row in then {
        if let Some(at) = now.iter().position(|there| *there == row) {
            now.remove(at);
        }
    }
    now
}

/// What a message says before it comes to the case, without the names in it.
fn first_words(message: &str) -> String {
    let words: Vec<&str> = message.split('`').enumerate().map(|(at, part)| if at % 2 == 0 { part } else { "…" }).collect();
    words.concat().split(": ").next().unwrap_or_default().to_owned()
}

impl Totals {
    fn add(&mut self, other: Totals) {
        self.cases += other.cases;
        self.declared += other.declared;
        self.rows += other.rows;
        self.failed.extend(other.failed);
        for (name, count) in other.operations {
            *self.operations.entry(name).or_default() += count;
        }
        for (mine, theirs) in [(&mut self.refused_operations, other.refused_operations), (&mut self.refused, other.refused)] {
            for (words, count) in theirs {
                *mine.entry(words).or_default() += count;
            }
        }
    }
}

impl std::fmt::Display for Totals {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let list = |counts: &BTreeMap<String, usize>| {
            counts.iter().map(|(words, count)| format!("{count} × {words}")).collect::<Vec<_>>().join("; ")
        };
        let operations: Vec<String> = self.operations.iter().map(|(name, count)| format!("{name} {count}")).collect();
        write!(
            out,
            "{} cases ({} of structs), {} rows, operations: {}, refused cases: [{}], refused operations: [{}], {} failures",
            self.cases,
            self.declared,
            self.rows,
            operations.join(", "),
            list(&self.refused),
            list(&self.refused_operations),
            self.failed.len()
        )
    }
}
