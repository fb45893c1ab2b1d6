//! A backfill's way through one heap: pass by pass, resumable, each of them short enough that nobody waits for its rows.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{Oid, ToSql};
use tokio_postgres::{Client, Row, SimpleQueryMessage, Statement};

use crate::error::{Error, Kind, Result};
use crate::execute::executor::{Executor, fenced_off, is_passing, jittered, timeouts};
use crate::execute::meter::Speed;
use crate::execute::pace::{Pace, Unit};
use crate::execute::progress::{Filled, Progress};
use crate::execute::throttle::Throttle;
use crate::text::few;
use diptych_core::plan::{Plan, Step};
use diptych_core::sql::{join, literal};
use diptych_core::statements::path::Path;
use diptych_core::{Sql, sql};

/// Passes over a range, each over its share of every block's rows: pruning frees room between them, so that most updates are
/// HOT. One while an old snapshot keeps pruning from it (docs/traps.md F18).
const STRIPES: i32 = 4;
/// Blocks from which on a table is filled by several sessions.
const SHARED_FROM: i64 = 2000;
/// How long the others stand back when an application's statement was seen, or when they got in somebody's way.
const STAND_BACK: Duration = Duration::from_secs(3);
/// Blocks below which a table is not worth a VACUUM on the way.
const VACUUM_FROM: i64 = 1000;
/// Bytes that tries which were given up may leave before VACUUM makes them room for the next, and before the walk ends.
const LEFT_BEHIND: i64 = 64 << 20;

/// What to do with the rows of a table.
pub(crate) struct Job<'a> {
    pub work: Work,
    pub plan: &'a Plan,
    pub step: &'a Step,
    pub schema: &'a str,
    pub table: &'a str,
    pub partitioned: bool,
    pub update: &'a Sql,
    pub verify: &'a Sql,
    pub vacuum: &'a Sql,
}

/// What a walk is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// Values for the columns of the newer version, of which applications see nothing yet.
    Fill,
    /// Rows go, as an application deletes them.
    Delete,
}

impl Work {
    /// What could not be done to a row.
    fn done(self) -> &'static str {
        match self {
            Work::Fill => "filled",
            Work::Delete => "deleted",
        }
    }
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

/// Goes through a heap, from where an earlier run has come to.
pub(crate) async fn walk(
    executor: &Executor<'_>,
    job: &Job<'_>,
    heap: &Heap,
    throttle: &mut Throttle,
    progress: &mut dyn Progress,
) -> Result<()> {
    // in a deadlock the backfill has given up long before the server looks for a victim (docs/traps.md F4)
    let bound = Duration::from_millis((executor.server.deadlock_timeout / 3).clamp(10, 250));
    let lock = bound.min(Duration::from_millis(50));
    loop {
        let file = File::read(&executor.watched(executor.client.simple_query(measure(heap).as_str()), progress).await?);
        let done = saved(executor, job, heap).await?.filter(|done| done.filenode == file.filenode);
        let update = prepare(executor.client, job, heap);
        let update = executor.watched(update, progress).await?;
        let (block, rows) = done.as_ref().map_or((0, 0), |done| (done.block, done.rows));
        let since = match done {
            // what earlier runs have filled is in sync as well
            Some(Saved { since: Some(since), .. }) => Some(since),
            _ => since(executor, heap).await?,
        };
        let is_shared = job.work == Work::Fill && file.blocks >= SHARED_FROM;
        let others = if is_shared { others(executor, job, heap).await } else { Vec::new() };
        let walk = Walk {
            executor,
            job,
            heap,
            update,
            others,
            alone_until: None,
            since,
            bound,
            lock,
            block,
            filled: rows,
            speed: Speed::default(),
            rows: VecDeque::new(),
            pace: Pace::first(file.blocks, file.bytes, executor.limits.batch),
            activity: Activity::default(),
            left: Left { since_vacuum: 0, ever: 0, bytes: file.bytes },
            file,
        };
        executor.note(&walk.save(block, rows)).await?;
        if let Pass::Done(_) = walk.go(throttle, progress).await? {
            return Ok(());
        }
    }
}

/// A prepared statement is read anew wherever the path is another one than when it was prepared.
async fn prepare(client: &Client, job: &Job<'_>, heap: &Heap) -> Result<Statement> {
    client.batch_execute(job.step.path.set().as_str()).await?;
    let update = client.prepare(heap.update.as_str()).await;
    client.batch_execute(Path::own().set().as_str()).await?;
    update.map_err(|error| Error::during(&job.step.title, error))
}

/// The updates of a session are no writes of an application from here on: sync triggers ask for the first setting, the application's own
/// triggers are silent under the second, where the role may set it.
pub(crate) async fn enter(client: &Client) -> Result<bool> {
    client.batch_execute("SET diptych.backfill = 'on'").await?;
    Ok(client.batch_execute("SET session_replication_role = replica").await.is_ok())
}

/// The sessions that share the work with the run's own: as many as can be had.
async fn others(executor: &Executor<'_>, job: &Job<'_>, heap: &Heap) -> Vec<(Client, Statement)> {
    let mut others = Vec::new();
    for _ in 1..executor.limits.workers {
        let other = async {
            let client = executor.observer.another().await?;
            client.batch_execute(&executor.patience()).await?;
            enter(&client).await?;
            let update = prepare(&client, job, heap).await?;
            Ok::<_, Error>((client, update))
        };
        match other.await {
            Ok(other) => others.push(other),
            Err(_) => break,
        }
    }
    others
}

/// The first transaction that will find every trigger: rows that it or a later one writes need no fill. Ids come round again, so that a
/// very old row may pass for a new one: the verifying scan finds it, for what is not filled is NULL, if its type has no default.
async fn since(executor: &Executor<'_>, heap: &Heap) -> Result<Option<String>> {
    let ask = sql!(
        "SELECT pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::pg_catalog.xid::pg_catalog.text WHERE NOT EXISTS \
         (SELECT FROM pg_catalog.pg_attribute JOIN pg_catalog.pg_type ON pg_type.oid OPERATOR(pg_catalog.=) atttypid \
         WHERE attrelid OPERATOR(pg_catalog.=) {}::pg_catalog.regclass AND typtype OPERATOR(pg_catalog.=) 'd' AND typdefault IS NOT NULL)",
        literal(heap.place.as_str())
    );
    Ok(executor.client.query_opt(ask.as_str(), &[]).await?.map(|row| row.get(0)))
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
    /// Sessions that share the work where nobody else has any for the server, and until when they do not.
    others: Vec<(Client, Statement)>,
    alone_until: Option<Instant>,
    /// The first transaction of those whose rows are in sync; none where that cannot be told.
    since: Option<String>,
    /// The longest that a statement may take, and that it may wait for a lock.
    bound: Duration,
    lock: Duration,
    file: File,
    /// The first block that is not done.
    block: i64,
    /// How many rows were filled, by earlier runs too, and how fast.
    filled: u64,
    speed: Speed,
    /// The rows of it that are still to do, where it is done row by row: those that have come since are in sync.
    rows: VecDeque<u16>,
    pace: Pace,
    activity: Activity,
    left: Left,
}

enum Pass {
    Done(u64),
    Rewritten,
}

/// What a pass does.
struct Range {
    /// The rows from the first to before the second, of which each session has one share.
    shares: Vec<(String, String)>,
    /// For people.
    title: String,
    stripes: i32,
    /// How many of the listed rows it does, and the first block that is not done afterwards.
    rows: usize,
    block: i64,
}

impl Walk<'_> {
    async fn go(mut self, throttle: &mut Throttle, progress: &mut dyn Progress) -> Result<Pass> {
        let mut vacuumed = self.block;
        // since when one place is tried again and again
        let mut stuck: Option<Instant> = None;
        progress.statement(self.heap.update.as_str());
        while self.block < self.file.blocks {
            let executor = self.executor;
            if throttle.wait(executor, progress).await? {
                stuck = None;
            }
            self.pace.unit = throttle.bounded(self.pace.unit, 1 + self.others.len());
            let range = match executor.watched(self.range(), progress).await {
                Err(error) if is_passing(&error) => return Err(executor.gave_up(&self.job.step.title).await),
                range => range?,
            };
            let began = Instant::now();
            match executor.cancellable(self.pass(&range, stuck.is_some()), progress).await {
                Ok(Pass::Done(rows)) => {
                    self.speed = throttle.done(began, rows, range.block - self.block);
                    (self.block, self.filled) = (range.block, self.filled + rows);
                    self.rows.drain(..range.rows);
                    stuck = None;
                    self.pace.done(began.elapsed() / range.stripes.unsigned_abs(), self.bound);
                    progress.backfill(&self.heap.title, &self.progress(throttle));
                }
                Ok(Pass::Rewritten) => return Ok(Pass::Rewritten),
                Err(error) if is_passing(&error) => {
                    progress.retry(self.job.step, error.message());
                    self.step_back(&error, &range, &mut stuck, progress).await?;
                }
                Err(_) if self.has_lost_another() => self.stand_back(),
                Err(error) => return Err(error),
            }
            let is_far = self.block - vacuumed > (self.file.blocks / 5).max(VACUUM_FROM);
            if is_far || self.left.since_vacuum > LEFT_BEHIND {
                (vacuumed, self.left.since_vacuum) = (self.block, 0);
                progress.statement(self.heap.vacuum.as_str());
                let client = executor.client;
                client.batch_execute(&format!("SET lock_timeout = {}", self.lock.as_millis())).await?;
                // an autovacuum at the same work, or a lock in its way, is no reason to stop
                let _ = executor.cancellable(client.batch_execute(self.heap.vacuum.as_str()), progress).await;
                client.batch_execute(&executor.patience()).await?;
            }
        }
        Ok(Pass::Done(self.filled))
    }

    fn progress(&self, throttle: &Throttle) -> Filled {
        let [blocks, of] = [self.block, self.file.blocks].map(i64::unsigned_abs);
        let (rows_per_second, seconds_left) = (self.speed.rows.round() as u64, self.speed.seconds_for(of - blocks));
        Filled { blocks, of, rows: self.filled, rows_per_second, seconds_left, wait: throttle.held_back() }
    }

    /// What the next pass does.
    async fn range(&mut self) -> Result<Range> {
        let whole = |block: i64, each: i64, sessions: usize, end: i64, stripes| {
            let starts = (block..end).step_by(usize::try_from(each).unwrap_or(1)).take(sessions);
            let shares = starts.map(|start| (format!("({start},0)"), format!("({},0)", (start + each).min(end))));
            Range { shares: shares.collect(), title: format!("rows in blocks {block} to {end}"), stripes, rows: 0, block: end }
        };
        if let (Unit::Blocks(blocks), true) = (self.pace.unit, self.rows.is_empty()) {
            self.activity.look(self.executor).await?;
            if self.activity.is_busy {
                self.stand_back();
            }
            let is_alone = self.alone_until.is_some_and(|until| Instant::now() < until);
            let sessions = if is_alone { 1 } else { 1 + self.others.len() };
            // a row that goes leaves no new version to make room for
            let stripes = if self.activity.is_old || self.job.work == Work::Delete { 1 } else { STRIPES };
            let end = (self.block + blocks * i64::try_from(sessions).unwrap_or(1)).min(self.file.blocks);
            return Ok(whole(self.block, blocks, sessions, end, stripes));
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
            return Ok(whole(block, 1, 1, block + 1, 1));
        };
        Ok(Range {
            shares: vec![(format!("({block},{first})"), format!("({block},{})", last + 1))],
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

    /// One range, a transaction per stripe and share. All shares of a stripe are done before the next: an earlier snapshot would keep
    /// pruning from what the stripe has left. The last transaction carries the position; that of several comes after them.
    async fn pass(&mut self, range: &Range, is_stuck: bool) -> Result<Pass> {
        let statement = if self.pace.unit == Unit::LongRow { self.executor.limits.timeout.max(self.bound) } else { self.bound };
        // rows are not held for as long as a disk or a standby takes: what a crash undoes is the position, too
        let mut begin = self.executor.begin();
        begin.extend([
            timeouts(self.lock, statement),
            Sql::trusted("SET LOCAL synchronous_commit = off"),
            self.job.step.path.set_local(),
        ]);
        let begin = join(begin, "; ");
        let moved = (range.block != self.block).then_some(range.block);
        let is_shared = range.shares.len() > 1;
        let mut count = 0;
        for stripe in 0..range.stripes {
            let position = moved.filter(|_| !is_shared && stripe + 1 == range.stripes).map(|block| (block, self.filled + count));
            let own = (self.executor.client, &self.update);
            let sessions = std::iter::once(own).chain(self.others.iter().map(|(client, update)| (client, update)));
            let shares = sessions.zip(&range.shares).map(|(session, share)| {
                let part = (share, stripe, range.stripes);
                self.stripe(session, &begin, part, position, is_stuck)
            });
            for outcome in join_all(shares).await {
                let (rows, now) = outcome?;
                count += rows;
                self.left.bytes = now.bytes;
                // under the update's own lock nobody rewrites the table; what it did in another file is no less right, and the position
                // there counts for nothing
                if now.filenode != self.file.filenode {
                    return Ok(Pass::Rewritten);
                }
            }
        }
        if let Some(block) = moved.filter(|_| is_shared) {
            self.executor.note(&self.save(block, self.filled + count)).await?;
        }
        Ok(Pass::Done(count))
    }

    /// A transaction of one session: how many rows it updated, and the file as it was then.
    async fn stripe(
        &self,
        (client, update): (&Client, &Statement),
        begin: &Sql,
        ((first, end), stripe, stripes): (&(String, String), i32, i32),
        position: Option<(i64, u64)>,
        is_stuck: bool,
    ) -> Result<(u64, File)> {
        let outcome = async {
            client.batch_execute(begin.as_str()).await.map_err(fenced_off)?;
            let parameters: [&(dyn ToSql + Sync); 5] = [first, end, &stripe, &stripes, &self.since];
            // those that the statement takes
            let parameters = &parameters[..update.params().len().min(parameters.len())];
            let update = async { client.execute(update, parameters).await };
            let updated = if is_stuck { self.executor.observed(update).await } else { update.await };
            let rows = updated.map_err(|error| Error::during(&self.job.step.title, error))?;
            // rows are locked until here: what is left is one request
            let save = position.map(|(block, before)| self.save(block, before + rows));
            let rest = [measure(self.heap)].into_iter().chain(save).chain([Sql::trusted("COMMIT")]);
            let now = client.simple_query(join(rest, "; ").as_str()).await?;
            Ok((rows, File::read(&now)))
        };
        let outcome = outcome.await;
        if outcome.is_err() {
            client.batch_execute("ROLLBACK").await?;
        }
        outcome
    }

    /// The position, with how many rows are filled there.
    fn save(&self, block: i64, rows: u64) -> Sql {
        save(self.job, self.heap, &self.file, &Position { block, rows, speed: self.speed, since: self.since.as_deref() })
    }

    /// Whether one of the sessions that share the work has ended: the others do its part.
    fn has_lost_another(&mut self) -> bool {
        let count = self.others.len();
        self.others.retain(|(client, _)| !client.is_closed());
        self.others.len() < count
    }

    fn stand_back(&mut self) {
        self.alone_until = Some(Instant::now() + STAND_BACK);
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
        self.stand_back();
        if let Ok(answer) = self.executor.client.simple_query(measure(self.heap).as_str()).await {
            self.left.add(File::read(&answer).bytes);
        }
        let grown = self.left.told();
        if self.left.ever > LEFT_BEHIND.max(self.file.bytes / 2) {
            let long = self.executor.open_transactions().await;
            return Err(Error::new(Kind::Timeout, format!("{title}: {} cannot be {}{grown}{long}", range.title, self.job.work.done())).hint(
                "end transactions that have been open for long, so that VACUUM can free the space of the failed attempts, and run the same command again; it goes on where it stopped",
            ));
        }
        if error.code() == Some(&SqlState::QUERY_CANCELED) {
            if self.pace.too_long() {
                return Ok(());
            }
            let seconds = limits.timeout.as_secs();
            let again = "give a longer --timeout and run the same command again, which goes on where it stopped";
            let hint = match self.job.work {
                Work::Fill => format!("{again}; or run `rollback` and make the expression in `up` cheaper"),
                Work::Delete => again.to_owned(),
            };
            return Err(
                Error::new(Kind::Timeout, format!("{title}: {} takes longer than {seconds} s{grown}", range.title)).hint(hint)
            );
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

/// What else goes on, looked at once a second.
#[derive(Default)]
struct Activity {
    looked: Option<Instant>,
    /// Whether a snapshot has been open for so long that the versions a pass leaves behind cannot be pruned by the next.
    is_old: bool,
    /// Whether somebody else's statement runs on the server, or may: a role that may not see what others do is not to assume.
    is_busy: bool,
}

impl Activity {
    async fn look(&mut self, executor: &Executor<'_>) -> Result<()> {
        if self.looked.is_some_and(|looked| looked.elapsed() < Duration::from_secs(1)) {
            return Ok(());
        }
        let look = "SELECT coalesce(bool_or(datname = pg_catalog.current_database() AND backend_xmin IS NOT NULL \
             AND xact_start < pg_catalog.clock_timestamp() - interval '1 second'), false), \
             coalesce(bool_or(datname IS NOT NULL AND coalesce(backend_type, 'client backend') = 'client backend' \
             AND coalesce(state, 'active') = 'active' AND coalesce(application_name, '') <> 'diptych'), false) \
             FROM pg_catalog.pg_stat_activity WHERE pid <> pg_catalog.pg_backend_pid()";
        let row = executor.client.query_one(look, &[]).await?;
        *self = Activity { looked: Some(Instant::now()), is_old: row.get(0), is_busy: row.get(1) };
        Ok(())
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

/// Where an earlier run has come to.
struct Saved {
    filenode: Oid,
    block: i64,
    rows: u64,
    since: Option<String>,
}

async fn saved(executor: &Executor<'_>, job: &Job<'_>, heap: &Heap) -> Result<Option<Saved>> {
    let row = executor
        .client
        .query_opt(
            "SELECT filenode, block, since, rows FROM diptych.backfill WHERE base = $1 AND version = $2 AND step = $3",
            &[&job.plan.base, &job.plan.to, &heap.key],
        )
        .await?;
    let saved = |row: Row| Saved {
        filenode: row.get(0),
        block: row.get(1),
        since: row.get(2),
        rows: row.get::<_, i64>(3).unsigned_abs(),
    };
    Ok(row.map(saved))
}

/// The heap is to be filled from the beginning.
pub(crate) async fn forget(executor: &Executor<'_>, job: &Job<'_>, heap: &Heap) -> Result<()> {
    let nothing = File { filenode: 0, blocks: 0, bytes: 0 };
    Ok(executor.client.batch_execute(save(job, heap, &nothing, &Position::default()).as_str()).await?)
}

/// How far a heap is filled, and how fast.
#[derive(Default)]
struct Position<'a> {
    block: i64,
    rows: u64,
    speed: Speed,
    since: Option<&'a str>,
}

fn save(job: &Job<'_>, heap: &Heap, file: &File, position: &Position<'_>) -> Sql {
    let key = [&job.plan.base, &job.plan.to, &heap.key].map(|text| literal(text));
    let Position { block, rows, speed, since } = position;
    let [rows_per_second, blocks_per_second] = [speed.rows, speed.blocks].map(|speed| literal(&speed.to_string()));
    sql!(
        "INSERT INTO diptych.backfill (base, version, step, filenode, block, total, since, rows, rows_per_second, blocks_per_second) \
         VALUES ({}, {}, {}, {}, {}, {}, {}, {}) ON CONFLICT (base, version, step) DO UPDATE \
         SET filenode = EXCLUDED.filenode, block = EXCLUDED.block, total = EXCLUDED.total, since = EXCLUDED.since, rows = EXCLUDED.rows, \
         rows_per_second = EXCLUDED.rows_per_second, blocks_per_second = EXCLUDED.blocks_per_second",
        join(key, ", "),
        file.filenode,
        *block,
        file.blocks,
        since.map_or(Sql::trusted("NULL"), literal),
        *rows,
        rows_per_second,
        blocks_per_second
    )
}
