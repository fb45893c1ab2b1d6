//! Random schemas, random changes, random rows: rollback is exact, complete is exact, and each version reads what it should.

mod account;
mod attempt;
mod changes;
mod code;
mod constraints;
mod differences;
mod enums;
mod partitions;
mod rows;
mod schemas;
mod structs;
mod totals;
mod values;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use diptych_core::migration::ops::{DropCode, SetCode};
use diptych_core::model::lexer;
use diptych_core::transition::stage::Stage;
use diptych_core::{Migration, Operation, Schema, migration::diff};
use diptych_tests::{has_extension, seed};
use fastrand::Rng;

use account::Way;
use attempt::{Pair, attempt};
use differences::{Refusal, difference_to, forget_names, lines};
use totals::Totals;

const BEFORE: &str = "0001_before";
const CHANGE: &str = "0002_change";
/// Operations that are not generated: nothing could be said of what `sql` does, and those of rows change what both versions read. The
/// lifecycle has them.
const NOT_GENERATED: [&str; 3] = ["delete", "insert", "sql"];
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn property() {
    let began = Instant::now();
    let alone = std::env::var("SEED").is_ok();
    // the same cases every time, so that a change of ours alone can break them; others where a number is asked for
    let asked = std::env::var("PROPERTY_CASES").ok().and_then(|text| text.parse().ok());
    let wanted = asked.unwrap_or(if alone { 1 } else { 250 });
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
        // a server may be without extensions
        let can_be = |name: &&&str| !name.ends_with("_extension") || has_extension("citext");
        for name in Operation::NAMES.iter().filter(|name| !NOT_GENERATED.contains(name)).filter(can_be) {
            assert!(totals.operations.contains_key(name), "`{name}` was never tried");
        }
        assert!(totals.of_enums.0 > 0, "no table with an enum column ever had rows");
        assert!(totals.code > 0, "no code was tried to its end");
        assert!(totals.in_parts.0 > 0, "no partitioned table ever had rows");
    }
}

/// One case of a seed, and a line for it; what to print where it fails.
async fn one(seed: u64, pair: &mut Pair, totals: &mut Totals) -> Option<String> {
    let line = |operations: usize, kind: &str, outcome: &str| {
        println!("property: SEED={seed} operations={operations} kind={kind} outcome={outcome}");
    };
    // a case that is run again is told in full
    let words = |refusal: String| if std::env::var("SEED").is_ok() { refusal } else { first_words(&refusal) };
    let mut rng = Rng::with_seed(seed);
    let case = match case(seed, &mut rng, totals) {
        Ok(Ok(case)) => case,
        Ok(Err(refusal)) => {
            *totals.refused.entry(first_words(&refusal)).or_default() += 1;
            line(0, "structs", &format!("refused ({})", words(refusal)));
            return None;
        }
        Err(text) => {
            line(0, "none", "failed");
            return Some(failure(seed, &text, None));
        }
    };
    let kind = if case.declared { "structs" } else { "operations" };
    let number = case.migration.operations.len();
    totals.declared += usize::from(case.declared);
    if std::env::var("SEED").is_ok() {
        println!("{}", files(&case));
    }
    for operation in &case.migration.operations {
        *totals.operations.entry(operation.name()).or_default() += 1;
    }
    let text = match attempt(&case, pair).await {
        Ok(done) => {
            totals.count(&done);
            match done.refused {
                Some(refusal) => {
                    *totals.refused.entry(first_words(&refusal)).or_default() += 1;
                    line(number, kind, &format!("refused ({})", words(refusal)));
                }
                None => line(number, kind, "passed"),
            }
            return None;
        }
        Err(text) => text,
    };
    line(number, kind, "failed");
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

/// Whether a text has a column's name for a word.
fn mentions(text: &str, column: &str) -> bool {
    lexer::words(text).any(|word| word == column)
}

/// The schema created from nothing.
fn anew(schema: &Schema) -> Migration {
    Migration { name: BEFORE.to_owned(), version_schema: None, operations: diff::create_all(schema) }
}

/// Its migrations as files.
fn files(case: &Case) -> String {
    format!("\n--- {BEFORE}.yaml\n{}--- {CHANGE}.yaml\n{}", anew(&case.from).to_yaml(), case.migration.to_yaml())
}

fn failure(seed: u64, text: &str, case: Option<&Case>) -> String {
    let files = case.map_or_else(String::new, files);
    format!("property failed: {text}{files}\nagain: SEED={seed} cargo test -p diptych-tests --test it property -- --nocapture\n")
}

/// A schema and its change, of one of the two kinds; what a refusal says where it was refused, as an error should be.
fn case(seed: u64, rng: &mut Rng, totals: &mut Totals) -> Result<Result<Case, String>, String> {
    loop {
        let mut from = schemas::schema(rng);
        from.code = code::of(seed, &from);
        let created = anew(&from).stage(&Schema::default()).map_err(|error| format!("create_all: {error}"))?.to;
        if created != from {
            return Err(format!("create_all leads to\n{created:#?}\nnot to\n{from:#?}"));
        }
        if rng.bool() {
            let (mut structs, ways) = structs::next_release(rng, &from);
            structs.code = code::of(seed, &structs::wanted(&structs));
            let wanted = structs::wanted(&structs);
            forget_names(rng, &mut structs);
            let migration = match difference_to(&from, &structs, &wanted) {
                Ok(Some(migration)) => migration,
                Ok(None) => continue,
                Err(Refusal::Wrong(text)) => {
                    return Err(format!("{text}\nfrom\n{}\nto\n{}", lines(&from).join("\n"), lines(&wanted).join("\n")));
                }
                Err(Refusal::Right(text)) => return Ok(Err(text)),
            };
            return Ok(Ok(Case { seed, from, migration, ways, declared: true }));
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
        operations.extend(recoded(seed, &from, &stage.to));
        if let Some(case) = listed(seed, &from, operations).filter(|case| !case.migration.operations.is_empty()) {
            return Ok(Ok(case));
        }
    }
}

/// The operations that make a version's code fit its tables, or take it away.
fn recoded(seed: u64, from: &Schema, to: &Schema) -> Vec<Operation> {
    let wanted = if seed.is_multiple_of(4) { BTreeMap::new() } else { code::of(seed, to) };
    let gone = from.code.keys().filter(|name| !wanted.contains_key(*name));
    let gone = gone.map(|name| DropCode { name: name.clone() }.into());
    let changed = wanted.iter().filter(|(name, sql)| from.code.get(*name) != Some(sql));
    gone.chain(changed.map(|(name, sql)| SetCode { name: name.clone(), sql: sql.clone() }.into())).collect()
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
    ways.retain(|way| way.old.is_some() || way.new.is_some());
    let migration = Migration { name: CHANGE.to_owned(), version_schema: None, operations };
    // a replica identity may have lost its index
    migration.stage(from).ok()?;
    Some(Case { seed, from: from.clone(), migration, ways, declared: false })
}

/// What a message says before it comes to the case, without the names in it.
fn first_words(message: &str) -> String {
    let words: Vec<&str> = message.split('`').enumerate().map(|(at, part)| if at % 2 == 0 { part } else { "…" }).collect();
    words.concat().split(": ").next().unwrap_or_default().to_owned()
}
