//! Fills shadow columns: ranges of the heap, in stripes, resumable, never holding up the application.

use std::time::{Duration, Instant};
use tokio_postgres::Row;
use tokio_postgres::types::Oid;

use crate::error::{Error, Kind, Result};
use crate::executor::{Executor, Progress, is_passing, jittered};
use diptych_core::path::Path;
use diptych_core::plan::{Plan, Step};
use diptych_core::{Sql, partitions, sql};

/// What to fill.
pub(crate) struct Job<'a> {
    pub plan: &'a Plan,
    pub step: &'a Step,
    pub schema: &'a str,
    pub table: &'a str,
    pub partitioned: bool,
    pub update: &'a Sql,
    pub verify: &'a Sql,
    pub vacuum: &'a Sql,
}

/// Passes over a range, each over its share of every block's rows: pruning frees room between them, so that most updates are
/// HOT. One while an old snapshot keeps pruning from it (TRAPS F18).
const STRIPES: i32 = 4;
const FIRST_RANGE: i64 = 64;
const LONGEST_RANGE: i64 = 1024;
/// Blocks below which a table is not worth a VACUUM on the way.
const VACUUM_FROM: i64 = 1000;

/// Fills the table, then scans for rows that were missed; a table that was rewritten on the way is begun again (TRAPS F3).
pub(crate) async fn run(executor: &Executor<'_>, job: &Job<'_>, progress: &mut dyn Progress) -> Result<()> {
    let client = executor.client;
    // the tool's updates are no writes of an application: sync triggers ask for the first setting, the application's own
    // triggers are silent under the second, where the role may set it
    client.batch_execute("SET diptych.backfill = 'on'").await?;
    let replica = client.batch_execute("SET session_replication_role = replica").await.is_ok();
    let outcome = fill(executor, job, progress).await;
    if replica {
        client.batch_execute("RESET session_replication_role").await?;
    }
    client.batch_execute("RESET diptych.backfill; SET statement_timeout = 0; SET lock_timeout = 0").await?;
    outcome
}

async fn fill(executor: &Executor<'_>, job: &Job<'_>, progress: &mut dyn Progress) -> Result<()> {
    let whole = sql::qualified(job.schema, job.table);
    let verify = if job.partitioned { partitions::statement_for(job.verify, &whole, None) } else { job.verify.clone() };
    for _ in 0..5 {
        let heaps = heaps(executor, job, whole.clone()).await?;
        for heap in &heaps {
            walk(executor, job, heap, progress).await?;
        }
        progress.statement(verify.as_str());
        let missed = scan(executor, job, &verify, progress).await?;
        if missed.is_none() {
            return Ok(());
        }
        for heap in &heaps {
            save(executor, job, heap, Place { filenode: 0, block: 0, total: 0 }).await?;
        }
    }
    Err(Error::new(Kind::Failed, format!("backfill of `{}` keeps missing rows", job.table))
        .hint("does another process rewrite the table (VACUUM FULL, CLUSTER)? run the same command again when it has ended"))
}

/// The verifying scan: a row that was missed.
async fn scan(executor: &Executor<'_>, job: &Job<'_>, verify: &Sql, progress: &mut dyn Progress) -> Result<Option<Row>> {
    executor.client.batch_execute(job.step.path.set().as_str()).await?;
    let missed = executor.watched(executor.client.query_opt(verify.as_str(), &[]), progress).await;
    executor.client.batch_execute(Path::own().set().as_str()).await?;
    missed.map_err(|error| Error::during(format!("{}: verifying scan", job.step.title), error))
}

/// What has rows of its own: the table, or one of its partitions.
struct Heap {
    /// As SQL.
    place: Sql,
    /// For people.
    title: String,
    /// Under which its position is kept.
    key: String,
    update: Sql,
    vacuum: Sql,
}

async fn heaps(executor: &Executor<'_>, job: &Job<'_>, whole: Sql) -> Result<Vec<Heap>> {
    if !job.partitioned {
        let (update, vacuum) = (job.update.clone(), job.vacuum.clone());
        return Ok(vec![Heap { place: whole, title: job.table.to_owned(), key: job.step.id.clone(), update, vacuum }]);
    }
    let tree = crate::partitions::tree(executor, &whole).await?;
    let leaves = tree.into_iter().filter(|node| node.is_leaf && node.level > 0);
    Ok(leaves
        .map(|leaf| Heap {
            update: partitions::statement_for(job.update, &leaf.place, None),
            vacuum: partitions::statement_for(job.vacuum, &leaf.place, None),
            title: format!("{} ({})", job.table, leaf.name),
            key: format!("{} {}", job.step.id, leaf.oid),
            place: leaf.place,
        })
        .collect())
}

/// A position in a file of the table.
#[derive(Clone, Copy)]
struct Place {
    filenode: Oid,
    block: i64,
    /// How many blocks there are to do.
    total: i64,
}

async fn walk(executor: &Executor<'_>, job: &Job<'_>, heap: &Heap, progress: &mut dyn Progress) -> Result<()> {
    let client = executor.client;
    let (filenode, total) = executor.watched(measure(executor, heap), progress).await?;
    let mut place = Place { filenode, block: 0, total };
    if let Some((file, block)) = saved(executor, job, heap).await?
        && file == filenode
    {
        place.block = block;
    }
    // a prepared statement is read anew wherever the path is another one than when it was prepared
    client.batch_execute(job.step.path.set().as_str()).await?;
    let update = executor.watched(client.prepare(heap.update.as_str()), progress).await;
    client.batch_execute(Path::own().set().as_str()).await?;
    let update = update.map_err(|error| Error::during(&job.step.title, error))?;
    let bound = Duration::from_millis((executor.server.deadlock_timeout / 3).clamp(10, 250));
    client
        .batch_execute(&format!(
            "SET statement_timeout = {}; SET lock_timeout = {}",
            bound.as_millis(),
            bound.as_millis().min(50)
        ))
        .await?;
    let mut range = FIRST_RANGE;
    let mut rows = 0;
    let mut vacuumed = place.block;
    let mut stuck: Option<Instant> = None;
    progress.statement(heap.update.as_str());
    while place.block < total {
        let end = (place.block + range).min(total);
        let began = Instant::now();
        let stripes = if old_snapshot(executor).await? { 1 } else { STRIPES };
        match pass(executor, (job, heap), &update, place, end, stripes).await {
            Ok(Pass::Done(count)) => {
                rows += count;
                place.block = end;
                stuck = None;
                progress.backfill(&heap.title, place.block.unsigned_abs(), total.unsigned_abs(), rows);
                let each = began.elapsed() / u32::try_from(stripes).unwrap_or(1);
                if each < Duration::from_millis(40) {
                    range = (range * 2).min(LONGEST_RANGE);
                } else if each > Duration::from_millis(100) {
                    range = (range / 2).max(1);
                }
            }
            Ok(Pass::Rewritten) => return Box::pin(walk(executor, job, heap, progress)).await,
            Err(error) if is_passing(&error) => {
                let since = *stuck.get_or_insert_with(Instant::now);
                if since.elapsed() >= executor.limits.timeout {
                    let blockers = executor.last_blockers().await;
                    return Err(Error::new(
                        Kind::Timeout,
                        format!("{}: rows in blocks {} to {end} stay locked{blockers}", job.step.title, place.block),
                    )
                    .hint("end the transaction that holds them and run the same command again; it goes on where it stopped"));
                }
                range = (range / 2).max(1);
                progress.retry(job.step, error.message());
                if since.elapsed() > Duration::from_secs(1) {
                    progress.waiting(&executor.open_transactions().await);
                }
                tokio::time::sleep(jittered(Duration::from_millis(30))).await;
            }
            Err(error) => return Err(error),
        }
        if place.block - vacuumed > (total / 5).max(VACUUM_FROM) {
            vacuumed = place.block;
            client.batch_execute("SET statement_timeout = 0").await?;
            progress.statement(heap.vacuum.as_str());
            // an autovacuum at the same work, or a lock in its way, is no reason to stop
            let _ = client.batch_execute(heap.vacuum.as_str()).await;
            client.batch_execute(&format!("SET statement_timeout = {}", bound.as_millis())).await?;
        }
    }
    client.batch_execute("SET statement_timeout = 0; SET lock_timeout = 0").await?;
    Ok(())
}

enum Pass {
    Done(u64),
    Rewritten,
}

/// One range, a transaction per stripe; the last one carries the position.
async fn pass(
    executor: &Executor<'_>,
    on: (&Job<'_>, &Heap),
    update: &tokio_postgres::Statement,
    place: Place,
    end: i64,
    stripes: i32,
) -> Result<Pass> {
    let mut rows = 0;
    for stripe in 0..stripes {
        executor.client.batch_execute(sql!("BEGIN; {}", on.0.step.path.set_local()).as_str()).await?;
        let outcome = stripe_body(executor, on, update, place, end, (stripe, stripes)).await;
        match outcome {
            Ok(Pass::Done(count)) => {
                executor.client.batch_execute("COMMIT").await?;
                rows += count;
            }
            other => {
                executor.client.batch_execute("ROLLBACK").await?;
                return other;
            }
        }
    }
    Ok(Pass::Done(rows))
}

async fn stripe_body(
    executor: &Executor<'_>,
    on: (&Job<'_>, &Heap),
    update: &tokio_postgres::Statement,
    place: Place,
    end: i64,
    (stripe, stripes): (i32, i32),
) -> Result<Pass> {
    let (job, heap) = on;
    executor.fence().await?;
    let (first, last) = (format!("({},0)", place.block), format!("({end},0)"));
    let rows = executor
        .client
        .execute(update, &[&first, &last, &stripe, &stripes])
        .await
        .map_err(|error| Error::during(&job.step.title, error))?;
    // under the update's own lock nobody rewrites the table
    if measure(executor, heap).await?.0 != place.filenode {
        return Ok(Pass::Rewritten);
    }
    if stripe + 1 == stripes {
        save(executor, job, heap, Place { block: end, ..place }).await?;
    }
    Ok(Pass::Done(rows))
}

/// The table's file and its length in blocks.
async fn measure(executor: &Executor<'_>, heap: &Heap) -> Result<(Oid, i64)> {
    let row = executor
        .client
        .query_one(
            "SELECT pg_catalog.pg_relation_filenode($1::pg_catalog.text::pg_catalog.regclass), \
             pg_catalog.pg_relation_size($1::pg_catalog.text::pg_catalog.regclass) OPERATOR(pg_catalog./) pg_catalog.current_setting('block_size')::pg_catalog.int8",
            &[&heap.place.as_str()],
        )
        .await?;
    Ok((row.get(0), row.get(1)))
}

/// Whether a snapshot has been open for so long that the versions a pass leaves behind cannot be pruned by the next.
async fn old_snapshot(executor: &Executor<'_>) -> Result<bool> {
    let row = executor
        .client
        .query_one(
            "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_stat_activity WHERE backend_xmin IS NOT NULL AND pid <> pg_catalog.pg_backend_pid() \
             AND datname = pg_catalog.current_database() AND xact_start < pg_catalog.clock_timestamp() - interval '1 second')",
            &[],
        )
        .await?;
    Ok(row.get(0))
}

async fn saved(executor: &Executor<'_>, job: &Job<'_>, heap: &Heap) -> Result<Option<(Oid, i64)>> {
    let row = executor
        .client
        .query_opt(
            "SELECT filenode, block FROM diptych.backfill WHERE base = $1 AND version = $2 AND step = $3",
            &[&job.plan.base, &job.plan.to, &heap.key],
        )
        .await?;
    Ok(row.map(|row| (row.get(0), row.get(1))))
}

async fn save(executor: &Executor<'_>, job: &Job<'_>, heap: &Heap, place: Place) -> Result<()> {
    executor
        .client
        .execute(
            "INSERT INTO diptych.backfill (base, version, step, filenode, block, total) VALUES ($1, $2, $3, $4, $5, $6) \
             ON CONFLICT (base, version, step) DO UPDATE SET filenode = EXCLUDED.filenode, block = EXCLUDED.block, total = EXCLUDED.total",
            &[&job.plan.base, &job.plan.to, &heap.key, &place.filenode, &place.block, &place.total],
        )
        .await?;
    Ok(())
}
