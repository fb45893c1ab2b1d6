//! How a base schema stands: its versions, the run under way, who uses what, and what of the recorded migrations does not fit.

use std::time::Duration;

use serde::Serialize;
use tokio_postgres::Client;

use crate::connect::Published;
use crate::database::search_path;
use crate::error::Result;
use crate::execute::backfill;
use crate::execute::meter::Speed;
use crate::lease::Lease;
use crate::migrator::drift;
use crate::migrator::listed::{self, Listed};
use crate::state::folder::{self, Files, Missing, Problem};
use crate::state::leases;
use crate::state::made;
use crate::state::pauses::{self, Pause};
use crate::state::{self, Recorded, State, VersionState};
use crate::text::printable;
use diptych_core::model::differences::Difference;
use diptych_core::plan::{Action, Command, Step};
use diptych_core::{names, sql};

/// How a base schema stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Status {
    /// The base schema.
    pub schema: String,
    /// The version that is completed and that apps use.
    pub live: Option<String>,
    /// The version that is being started, completed or rolled back, or is started and not completed.
    pub pending: Option<PendingVersion>,
    /// The versions that sessions can be put on, the older one first.
    pub published: Vec<Published>,
    /// The command that is being carried out now.
    pub run: Option<Run>,
    /// Every migration that is applied or recorded, in order.
    pub migrations: Vec<Listed>,
    /// Recorded migrations that are not started.
    pub unstarted: Vec<String>,
    /// Migrations of retired versions that are no longer recorded: nothing needs them any more.
    pub trimmed: Vec<String>,
    /// Recorded migrations that do not fit what the database has applied.
    pub problems: Vec<Problem>,
    /// Who uses which version: the processes that connected through Diptych.
    pub leases: Vec<Lease>,
    /// What applications have created in the schemas of versions, or left there: it goes to the base schema when the version goes,
    /// where its name is free there.
    pub foreign: Vec<String>,
    /// In what the tables differ from what they were when the live version came to rest: then first, now second. Only what is no new
    /// table or index is a problem.
    pub drift: Vec<Difference>,
    /// Objects that the start of the pending version created and that somebody has dropped or changed.
    pub damage: Vec<String>,
}

/// A version on its way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PendingVersion {
    /// Its name.
    pub version: String,
    /// Its state.
    pub state: VersionState,
    /// How many steps of the running command are done.
    pub steps_done: usize,
    /// How many steps there are, without preflight.
    pub steps: usize,
    /// The step that is running or comes next, in words.
    pub step: Option<String>,
    /// The percentage of that step that is done, if it is a backfill.
    pub percent: Option<u8>,
    /// How many rows it has filled; not those that were in sync, since the application has written them.
    pub rows: Option<u64>,
    /// How many rows a second, while it goes on.
    pub rows_per_second: Option<u64>,
    /// How many seconds it takes at this speed, while it goes on and that can be told.
    pub seconds_left: Option<u64>,
    /// Who has paused the start, if anybody has.
    pub paused: Option<Pause>,
    /// The commands that can be run next with the recorded migrations as they are.
    pub next: Vec<Command>,
}

/// A command that is being carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Run {
    /// Which.
    pub command: String,
    /// The host that the tool runs on.
    pub host: String,
    /// The tool's process id on that host.
    pub process: i64,
    /// The process id of its session on the server.
    pub pid: i32,
    /// Seconds since it began.
    pub since: i64,
    /// What its backfill waits for, or is held back by: standbys or slots that are behind, a bound of rows a second.
    pub waits_for: Option<String>,
}

impl std::fmt::Display for Run {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Run { command, host, process, pid, since, .. } = self;
        let [command, host] = [command, host].map(|text| printable(text));
        write!(out, "{command} on {host}, process {process}, pid {pid} on the server, for {since} s")
    }
}

/// How often it is read until it is of one moment, and the pause between.
const TRIES: usize = 20;
const BETWEEN: Duration = Duration::from_millis(100);

/// Reads how a base schema stands; changes nothing. What a command changes meanwhile may be read from before and after, or be gone between two
/// looks: then it is read again.
pub(crate) async fn read(client: &Client, base: &str, files: Files<'_>) -> Result<Status> {
    for _ in 1..TRIES {
        // where it cannot be told, the look says why
        let before = Moment::now(client, base).await.unwrap_or_default();
        let status = look(client, base, files, before.run.is_some()).await;
        let after = Moment::now(client, base).await.unwrap_or_default();
        if before == after && (status.is_ok() || after.run.is_none()) {
            return status;
        }
        tokio::time::sleep(BETWEEN).await;
    }
    look(client, base, files, true).await
}

/// What tells one moment from another.
#[derive(Default, PartialEq, Eq)]
struct Moment {
    /// The session of the command that is being carried out.
    run: Option<i32>,
    /// The versions with their states, and since when each has its own.
    versions: Option<String>,
}

impl Moment {
    async fn now(client: &Client, base: &str) -> Result<Self> {
        let run = state::lock_holders(client, state::lock_key(base)).await?.first().map(|holder| holder.pid);
        let versions = if state::is_there(client).await? {
            let sql = "SELECT pg_catalog.string_agg(pg_catalog.concat_ws(' ', name, state, changed_at), ', ' ORDER BY number) FROM diptych.versions WHERE base = $1";
            client.query_one(sql, &[&base]).await?.get(0)
        } else {
            None
        };
        Ok(Moment { run, versions })
    }
}

/// Reads it once. While a command is at work, what it makes and drops is nobody's damage.
async fn look(client: &Client, base: &str, files: Files<'_>, is_at_work: bool) -> Result<Status> {
    let state = &State::load(client, base).await?;
    let comparison = folder::compare(base, state, files);
    let mut pending = match state.pending() {
        Some(recorded) => Some(pending(client, base, recorded).await?),
        None => None,
    };
    if let Some(pending) = &mut pending {
        pending.next.retain(|command| comparison.refusal(*command, Missing::Refuse).is_none());
    }
    let run = run(client, base).await?;
    if let Some(pending) = pending.as_mut().filter(|pending| run.is_none() || pending.paused.is_some()) {
        (pending.rows_per_second, pending.seconds_left) = (None, None);
    }
    let started = state.pending().filter(|recorded| recorded.state == VersionState::Started && !is_at_work);
    let damage = match started {
        Some(recorded) => made::damage(client, base, &recorded.version, state.parent(recorded)).await?,
        None => Vec::new(),
    };
    if let Some(pending) = pending.as_mut().filter(|_| !damage.is_empty()) {
        pending.next.retain(|command| *command != Command::Complete);
    }
    let drift = if is_at_work { Vec::new() } else { drift::find(client, base, state).await? };
    let mut problems = comparison.problems();
    problems.extend(state.live().and_then(|live| drift::problem(&live.version.name, &drift)));
    Ok(Status {
        schema: base.to_owned(),
        live: state.live().map(|recorded| recorded.version.name.clone()),
        pending,
        published: published(base, state),
        run,
        migrations: listed::list(client, base, state, &comparison).await?,
        unstarted: comparison.unstarted.iter().map(|migration| migration.name.clone()).collect(),
        trimmed: comparison.trimmed.iter().map(|name| (*name).to_owned()).collect(),
        problems,
        drift,
        leases: leases::list(client, base).await?,
        foreign: state::foreign_objects(client, base).await?,
        damage: damage.into_iter().map(|item| item.what).collect(),
    })
}

/// The versions that sessions can be put on, the older one first: not one that is on its way out.
pub(crate) fn published(base: &str, state: &State) -> Vec<Published> {
    let completing = state.pending().filter(|pending| pending.state == VersionState::Completing);
    let leaves = completing.and_then(|pending| pending.parent.as_deref());
    let stays = |recorded: &&Recorded| {
        let there = matches!(recorded.state, VersionState::Live | VersionState::Started | VersionState::Completing);
        there && leaves != Some(recorded.version.name.as_str())
    };
    let published = |recorded: &Recorded| Published {
        version: recorded.version.name.clone(),
        schema: recorded.version.views.clone(),
        search_path: search_path(&recorded.version.views, &names::guard_schema(base), base),
    };
    state.versions.iter().filter(stays).map(published).collect()
}

async fn pending(client: &Client, base: &str, recorded: &Recorded) -> Result<PendingVersion> {
    let (command, next) = match recorded.state {
        VersionState::Completing if state::is_untouched(client, base, recorded).await? => {
            (Command::Complete, vec![Command::Complete, Command::Rollback])
        }
        VersionState::Completing => (Command::Complete, vec![Command::Complete]),
        VersionState::RollingBack => (Command::Rollback, vec![Command::Rollback]),
        VersionState::Started => (Command::Start, vec![Command::Complete, Command::Rollback]),
        _ => (Command::Start, vec![Command::Start, Command::Rollback]),
    };
    let done = state::journal(client, base, recorded, command).await?;
    let mut plan = state::read_plan(client, base, recorded, command).await?;
    if command == Command::Rollback {
        let reached = state::reached(client, base, recorded).await?;
        plan = plan.map(|plan| plan.after(reached));
    }
    let steps: Vec<&Step> = plan.iter().flat_map(|plan| plan.journalled()).collect();
    let current = steps.iter().find(|step| !done.contains(&step.id));
    let filling = match current {
        Some(step) => filling(client, base, recorded, step).await?,
        None => Filling::default(),
    };
    Ok(PendingVersion {
        version: recorded.version.name.clone(),
        state: recorded.state,
        steps_done: steps.iter().filter(|step| done.contains(&step.id)).count(),
        steps: steps.len(),
        step: current.map(|step| step.title.clone()),
        percent: filling.percent,
        rows: filling.rows,
        rows_per_second: filling.rows_per_second,
        seconds_left: filling.seconds_left,
        paused: paused(client, base).await?,
        next,
    })
}

async fn paused(client: &Client, base: &str) -> Result<Option<Pause>> {
    // a state that an earlier release has written knows of no pause
    let there: bool = client.query_one("SELECT pg_catalog.to_regclass('diptych.pauses') IS NOT NULL", &[]).await?.get(0);
    if there { pauses::find(client, base).await } else { Ok(None) }
}

/// How far a backfill is.
#[derive(Default)]
struct Filling {
    percent: Option<u8>,
    rows: Option<u64>,
    rows_per_second: Option<u64>,
    seconds_left: Option<u64>,
}

/// How far a backfill is, in blocks done of those that there were when each table's turn came.
async fn filling(client: &Client, base: &str, recorded: &Recorded, step: &Step) -> Result<Filling> {
    let (Action::Backfill { schema, table, partitioned, .. } | Action::Delete { schema, table, partitioned, .. }) = &step.action
    else {
        return Ok(Filling::default());
    };
    let heaps = if *partitioned {
        "SELECT tree.relid::pg_catalog.oid, pg_catalog.format('%s %s', $3::pg_catalog.text, tree.relid::pg_catalog.oid) \
         FROM pg_catalog.pg_partition_tree(pg_catalog.to_regclass($4)) AS tree WHERE tree.isleaf AND tree.level > 0"
    } else {
        "SELECT pg_catalog.to_regclass($4)::pg_catalog.oid, $3::pg_catalog.text"
    };
    // a state that an earlier release has written lacks columns
    let more = |column| format!("(pg_catalog.to_jsonb(saved) ->> '{column}')::pg_catalog.float8");
    let [rows, row_speed, block_speed] = ["rows", "rows_per_second", "blocks_per_second"].map(more);
    let row = client
        .query_one(
            &format!(
                "WITH heap (oid, key) AS ({heaps}) SELECT coalesce(sum(saved.block), 0)::pg_catalog.int8, \
                 coalesce(sum(coalesce(saved.total, pg_catalog.pg_relation_size(heap.oid) / pg_catalog.current_setting('block_size')::pg_catalog.int8)), 0)::pg_catalog.int8, \
                 sum({rows}), max({row_speed}) FILTER (WHERE saved.block < saved.total), max({block_speed}) FILTER (WHERE saved.block < saved.total) \
                 FROM heap LEFT JOIN diptych.backfill AS saved ON saved.base = $1 AND saved.version = $2 AND saved.step = heap.key \
                 AND saved.filenode = pg_catalog.pg_relation_filenode(heap.oid)"
            ),
            &[&base, &recorded.version.name, &backfill::position(step), &sql::qualified(schema, table).as_str()],
        )
        .await?;
    let (done, total): (i64, i64) = (row.get(0), row.get(1));
    let [rows, rows_per_second, blocks] = [2, 3, 4].map(|at| row.get::<_, Option<f64>>(at));
    let speed = Speed { rows: rows_per_second.unwrap_or_default(), blocks: blocks.unwrap_or_default() };
    Ok(Filling {
        percent: (total > 0).then(|| u8::try_from((done.saturating_mul(100) / total).clamp(0, 100)).unwrap_or(100)),
        rows: rows.map(|rows| rows as u64),
        rows_per_second: (speed.rows > 0.0).then(|| speed.rows.round() as u64),
        seconds_left: speed.seconds_for((total - done).max(0).unsigned_abs()),
    })
}

/// The run that holds the base schema now.
pub(crate) async fn run(client: &Client, base: &str) -> Result<Option<Run>> {
    let Some(pid) = state::lock_holders(client, state::lock_key(base)).await?.first().map(|holder| holder.pid) else {
        return Ok(None);
    };
    let there: bool = client.query_one("SELECT pg_catalog.to_regclass('diptych.runs') IS NOT NULL", &[]).await?.get(0);
    if !there {
        return Ok(None);
    }
    let sql = "SELECT command, host, process, pid, extract(epoch FROM pg_catalog.clock_timestamp() - since)::pg_catalog.int8, \
         pg_catalog.to_jsonb(runs) ->> 'waits' FROM diptych.runs WHERE base = $1 AND pid = $2";
    let row = client.query_opt(sql, &[&base, &pid]).await?;
    Ok(row.map(|row| Run {
        command: row.get(0),
        host: row.get(1),
        process: row.get(2),
        pid: row.get(3),
        since: row.get(4),
        waits_for: row.get(5),
    }))
}
