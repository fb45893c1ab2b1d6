//! A backfill's way through one heap: pass by pass, resumable, each of them short enough that nobody waits for its rows.

use std::collections::VecDeque;
use std::time::{Duration, Instant};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Oid;
use tokio_postgres::{SimpleQueryMessage, Statement};

use crate::error::{Error, Kind, Result};
use crate::execute::executor::{Executor, fenced_off, is_passing, jittered, timeouts};
use crate::execute::pace::{Pace, Unit};
use crate::execute::progress::Progress;
use crate::text::few;
use diptych_core::plan::{Plan, Step};
use diptych_core::sql::{join, literal};
use diptych_core::statements::path::Path;
use diptych_core::{Sql, sql};

/// Passes over a range, each over its share of every block's rows: pruning frees room between them, so that most updates are
/// HOT. One while an old snapshot keeps pruning from it (docs/traps.md F18).
const STRIPES: i32 = 4;
/// Blocks below which a table is not worth a VACUUM on the way.
const VACUUM_FROM: i64 = 1000;
/// Bytes that tries which were given up may leave before VACUUM makes them room for the next, and before the walk ends.
const LEFT_BEHIND: i64 = 64 << 20;

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

/// What has rows of its own: the table, or one of its partitions.
pub(crate) struct Heap {
    /// As SQL.
    pub place: Sql,
    /// For people.
    pub title: String,
    /// Under which its position is kept.
    pub key: String,
    pub update: Sql,
    pub vacuum: Sql,
}

/// Fills a heap, from where an earlier run has come to.
pub(crate) async fn walk(executor: &Executor<'_>, job: &Job<'_>, heap: &Heap, progress: &mut dyn Progress) -> Result<()> {
    // in a deadlock the backfill has given up long before the server looks for a victim (docs/traps.md F4)
    let bound = Duration::from_millis((executor.server.deadlock_timeout / 3).clamp(10, 250));
    let lock = bound.min(Duration::from_millis(50));
    loop {
        let file = File::read(&executor.watched(executor.client.simple_query(measure(heap).as_str()), progress).await?);
        let done = saved(executor, job, heap).await?.filter(|(filenode, _)| *filenode == file.filenode);
        let update = prepare(executor, job, heap, progress).await?;
        let walk = Walk {
            executor,
            job,
            heap,
            update,
            bound,
            lock,
            block: done.map_or(0, |(_, block)| block),
            rows: VecDeque::new(),
            pace: Pace::first(file.blocks, file.bytes, executor.limits.batch),
            snapshot: Snapshot::default(),
            left: Left { since_vacuum: 0, ever: 0, bytes: file.bytes },
            file,
        };
        if let Pass::Done(_) = walk.go(progress).await? {
            return Ok(());
        }
    }
}

/// A prepared statement is read anew wherever the path is another one than when it was prepared.
async fn prepare(executor: &Executor<'_>, job: &Job<'_>, heap: &Heap, progress: &mut dyn Progress) -> Result<Statement> {
    executor.client.batch_execute(job.step.path.set().as_str()).await?;
    let update = executor.watched(executor.client.prepare(heap.update.as_str()), progress).await;
    executor.client.batch_execute(Path::own().set().as_str()).await?;
    update.map_err(|error| Error::during(&job.step.title, error))
}

/// The table's file as it was when the walk began.
#[derive(Clone, Copy)]
struct File {
    filenode: Oid,
    /// How many blocks there are to do.
    blocks: i64,
    /// With what is stored out of line.
    bytes: i64,
}

struct Walk<'a> {
    executor: &'a Executor<'a>,
    job: &'a Job<'a>,
    heap: &'a Heap,
    update: Statement,
    /// The longest that a statement may take, and that it may wait for a lock.
    bound: Duration,
    lock: Duration,
    file: File,
    /// The first block that is not done.
    block: i64,
    /// The rows of it that are still to do, where it is done row by row: those that have come since are in sync.
    rows: VecDeque<u16>,
    pace: Pace,
    snapshot: Snapshot,
    left: Left,
}

enum Pass {
    Done(u64),
    Rewritten,
}

/// What a pass does.
struct Range {
    first: String,
    end: String,
    /// For people.
    title: String,
    stripes: i32,
    /// How many of the listed rows it does, and the first block that is not done afterwards.
    rows: usize,
    block: i64,
}

impl Walk<'_> {
    async fn go(mut self, progress: &mut dyn Progress) -> Result<Pass> {
        let mut count = 0;
        let mut vacuumed = self.block;
        // since when one place is tried again and again
        let mut stuck: Option<Instant> = None;
        progress.statement(self.heap.update.as_str());
        while self.block < self.file.blocks {
            let executor = self.executor;
            let range = match executor.watched(self.range(), progress).await {
                Err(error) if is_passing(&error) => return Err(executor.gave_up(&self.job.step.title).await),
                range => range?,
            };
            let began = Instant::now();
            match self.pass(&range, stuck.is_some()).await {
                Ok(Pass::Done(rows)) => {
                    count += rows;
                    self.block = range.block;
                    self.rows.drain(..range.rows);
                    stuck = None;
                    self.pace.done(began.elapsed() / range.stripes.unsigned_abs(), self.bound);
                    progress.backfill(&self.heap.title, self.block.unsigned_abs(), self.file.blocks.unsigned_abs(), count);
                }
                Ok(Pass::Rewritten) => return Ok(Pass::Rewritten),
                Err(error) if is_passing(&error) => {
                    progress.retry(self.job.step, error.message());
                    self.step_back(&error, &range, &mut stuck, progress).await?;
                }
                Err(error) => return Err(error),
            }
            let is_far = self.block - vacuumed > (self.file.blocks / 5).max(VACUUM_FROM);
            if is_far || self.left.since_vacuum > LEFT_BEHIND {
                (vacuumed, self.left.since_vacuum) = (self.block, 0);
                progress.statement(self.heap.vacuum.as_str());
                let client = self.executor.client;
                client.batch_execute(&format!("SET lock_timeout = {}", self.lock.as_millis())).await?;
                // an autovacuum at the same work, or a lock in its way, is no reason to stop
                let _ = client.batch_execute(self.heap.vacuum.as_str()).await;
                client.batch_execute(&self.executor.patience()).await?;
            }
        }
        Ok(Pass::Done(count))
    }

    /// What the next pass does.
    async fn range(&mut self) -> Result<Range> {
        let whole = |block: i64, end: i64, stripes| Range {
            first: format!("({block},0)"),
            end: format!("({end},0)"),
            title: format!("rows in blocks {block} to {end}"),
            stripes,
            rows: 0,
            block: end,
        };
        if let (Unit::Blocks(blocks), true) = (self.pace.unit, self.rows.is_empty()) {
            let stripes = if self.snapshot.is_old(self.executor).await? { 1 } else { STRIPES };
            return Ok(whole(self.block, (self.block + blocks).min(self.file.blocks), stripes));
        }
        if self.rows.is_empty() {
            self.rows = self.list().await?;
        }
        let count = match self.pace.unit {
            Unit::Blocks(_) => self.rows.len(),
            Unit::Rows(rows) => rows.min(self.rows.len()),
            Unit::LongRow => self.rows.len().min(1),
        };
        let block = self.block;
        let (Some(first), Some(last)) = (self.rows.front(), count.checked_sub(1).and_then(|at| self.rows.get(at))) else {
            return Ok(whole(block, block + 1, 1));
        };
        Ok(Range {
            first: format!("({block},{first})"),
            end: format!("({block},{})", last + 1),
            title: if count == 1 {
                format!("row ({block},{first})")
            } else {
                format!("rows ({block},{first}) to ({block},{last})")
            },
            stripes: 1,
            rows: count,
            block: if count == self.rows.len() { block + 1 } else { block },
        })
    }

    /// The rows of a block, without what is stored out of line.
    async fn list(&self) -> Result<VecDeque<u16>> {
        let list = sql!(
            "SELECT ctid::pg_catalog.text FROM {} WHERE ctid >= $1::pg_catalog.text::pg_catalog.tid AND ctid < $2::pg_catalog.text::pg_catalog.tid",
            self.heap.place
        );
        let (first, end) = (format!("({},0)", self.block), format!("({},0)", self.block + 1));
        let rows = self.executor.client.query(list.as_str(), &[&first, &end]).await?;
        let row = |text: String| text.trim_end_matches(')').rsplit(',').next().and_then(|row| row.parse().ok());
        let mut rows: Vec<u16> = rows.iter().filter_map(|found| row(found.get(0))).collect();
        rows.sort_unstable();
        Ok(rows.into())
    }

    /// One range, a transaction per stripe; the last one carries the position.
    async fn pass(&mut self, range: &Range, is_stuck: bool) -> Result<Pass> {
        let client = self.executor.client;
        let statement = if self.pace.unit == Unit::LongRow { self.executor.limits.timeout.max(self.bound) } else { self.bound };
        // rows are not held for as long as a disk or a standby takes: what a crash undoes is the position, too
        let mut begin = self.executor.begin();
        begin.extend([
            timeouts(self.lock, statement),
            Sql::trusted("SET LOCAL synchronous_commit = off"),
            self.job.step.path.set_local(),
        ]);
        let begin = join(begin, "; ");
        let mut count = 0;
        for stripe in 0..range.stripes {
            let outcome = match client.batch_execute(begin.as_str()).await {
                Ok(()) => self.stripe(range, stripe, is_stuck).await,
                Err(error) => Err(fenced_off(error)),
            };
            match outcome {
                Ok(Pass::Done(rows)) => count += rows,
                Ok(Pass::Rewritten) => return Ok(Pass::Rewritten),
                Err(error) => {
                    client.batch_execute("ROLLBACK").await?;
                    return Err(error);
                }
            }
        }
        Ok(Pass::Done(count))
    }

    async fn stripe(&mut self, range: &Range, stripe: i32, is_stuck: bool) -> Result<Pass> {
        let (client, heap) = (self.executor.client, self.heap);
        let update = async { client.execute(&self.update, &[&range.first, &range.end, &stripe, &range.stripes]).await };
        let updated = if is_stuck { self.executor.observed(update).await } else { update.await };
        let rows = updated.map_err(|error| Error::during(&self.job.step.title, error))?;
        // rows are locked until here: what is left is one request
        let is_last = stripe + 1 == range.stripes && range.block != self.block;
        let save = is_last.then(|| save(self.job, heap, &self.file, range.block));
        let end = join([measure(heap)].into_iter().chain(save).chain([Sql::trusted("COMMIT")]), "; ");
        let now = File::read(&client.simple_query(end.as_str()).await?);
        self.left.bytes = now.bytes;
        // under the update's own lock nobody rewrites the table; what it did in another file is no less right, and the position there
        // counts for nothing
        Ok(if now.filenode == self.file.filenode { Pass::Done(rows) } else { Pass::Rewritten })
    }

    /// After a pass that was given up: less at a time, or an error with the true reason.
    async fn step_back(
        &mut self,
        error: &Error,
        range: &Range,
        stuck: &mut Option<Instant>,
        progress: &mut dyn Progress,
    ) -> Result<()> {
        let (title, limits) = (&self.job.step.title, self.executor.limits);
        if let Ok(answer) = self.executor.client.simple_query(measure(self.heap).as_str()).await {
            self.left.add(File::read(&answer).bytes);
        }
        let grown = self.left.told();
        if self.left.ever > LEFT_BEHIND.max(self.file.bytes / 2) {
            let long = self.executor.open_transactions().await;
            return Err(Error::new(Kind::Timeout, format!("{title}: {} cannot be filled{grown}{long}", range.title)).hint(
                "end transactions that have been open for long, so that VACUUM can free the space of the failed attempts, and run the same command again; it goes on where it stopped",
            ));
        }
        if error.code() == Some(&SqlState::QUERY_CANCELED) {
            if self.pace.too_long() {
                return Ok(());
            }
            let seconds = limits.timeout.as_secs();
            return Err(Error::new(Kind::Timeout, format!("{title}: {} takes longer than {seconds} s{grown}", range.title)).hint(
                "give a longer --timeout and run the same command again, which goes on where it stopped; or run `rollback` and make the expression in `up` cheaper",
            ));
        }
        self.pace.blocked();
        let observer = self.executor.observer;
        let since = *stuck.get_or_insert_with(|| {
            observer.seen().clear();
            Instant::now()
        });
        let holders = observer.seen().clone();
        if since.elapsed() >= limits.timeout {
            let what = if error.code() == Some(&SqlState::T_R_DEADLOCK_DETECTED) { "ends in a deadlock" } else { "stays locked" };
            let holders: Vec<String> = holders.iter().map(ToString::to_string).collect();
            let by = if holders.is_empty() { String::new() } else { format!(" by {}", few(&holders, 3, ", ")) };
            return Err(Error::new(Kind::Timeout, format!("{title}: {} {what}{by}{grown}", range.title))
                .hint("end the transaction that holds it and run the same command again; it goes on where it stopped"));
        }
        if since.elapsed() > Duration::from_secs(1) && !holders.is_empty() {
            progress.waiting(&holders);
        }
        tokio::time::sleep(jittered(Duration::from_millis(30))).await;
        Ok(())
    }
}

/// What tries that were given up have left in the table, in bytes.
struct Left {
    since_vacuum: i64,
    ever: i64,
    /// How large the table was when this was last looked at.
    bytes: i64,
}

impl Left {
    fn add(&mut self, bytes: i64) {
        let grown = (bytes - self.bytes).max(0);
        self.since_vacuum += grown;
        self.ever += grown;
        self.bytes = bytes;
    }

    /// For a message.
    fn told(&self) -> String {
        match self.ever >> 20 {
            0 => String::new(),
            more => format!("; the failed attempts have made the table grow by {more} MB"),
        }
    }
}

/// Whether a snapshot has been open for so long that the versions a pass leaves behind cannot be pruned by the next: asked once a
/// second.
#[derive(Default)]
struct Snapshot {
    asked: Option<(Instant, bool)>,
}

impl Snapshot {
    async fn is_old(&mut self, executor: &Executor<'_>) -> Result<bool> {
        if let Some((asked, is_old)) = self.asked
            && asked.elapsed() < Duration::from_secs(1)
        {
            return Ok(is_old);
        }
        let row = executor
            .client
            .query_one(
                "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_stat_activity WHERE backend_xmin IS NOT NULL AND pid <> pg_catalog.pg_backend_pid() \
                 AND datname = pg_catalog.current_database() AND xact_start < pg_catalog.clock_timestamp() - interval '1 second')",
                &[],
            )
            .await?;
        let is_old = row.get(0);
        self.asked = Some((Instant::now(), is_old));
        Ok(is_old)
    }
}

/// What [`File::read`] reads.
fn measure(heap: &Heap) -> Sql {
    sql!(
        "SELECT pg_catalog.pg_relation_filenode(place), \
         pg_catalog.pg_relation_size(place) OPERATOR(pg_catalog./) pg_catalog.current_setting('block_size')::pg_catalog.int8, \
         pg_catalog.pg_table_size(place) FROM (SELECT {}::pg_catalog.regclass) AS heap (place)",
        literal(heap.place.as_str())
    )
}

impl File {
    /// The first row of an answer; nothing where the table is gone.
    fn read(answer: &[SimpleQueryMessage]) -> Self {
        let row = answer.iter().find_map(|message| if let SimpleQueryMessage::Row(row) = message { Some(row) } else { None });
        let number = |at| row.and_then(|row| row.get(at)).and_then(|text| text.parse::<i64>().ok()).unwrap_or_default();
        File { filenode: Oid::try_from(number(0)).unwrap_or_default(), blocks: number(1), bytes: number(2) }
    }
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

/// The heap is to be filled from the beginning.
pub(crate) async fn forget(executor: &Executor<'_>, job: &Job<'_>, heap: &Heap) -> Result<()> {
    let nothing = File { filenode: 0, blocks: 0, bytes: 0 };
    Ok(executor.client.batch_execute(save(job, heap, &nothing, 0).as_str()).await?)
}

fn save(job: &Job<'_>, heap: &Heap, file: &File, block: i64) -> Sql {
    let key = [&job.plan.base, &job.plan.to, &heap.key].map(|text| literal(text));
    sql!(
        "INSERT INTO diptych.backfill (base, version, step, filenode, block, total) VALUES ({}, {}, {}, {}) \
         ON CONFLICT (base, version, step) DO UPDATE SET filenode = EXCLUDED.filenode, block = EXCLUDED.block, total = EXCLUDED.total",
        join(key, ", "),
        file.filenode,
        block,
        file.blocks
    )
}
