//! The engine's state in schema `diptych`: versions, plans, the journal of steps, the run lock.

pub(crate) mod folder;
pub(crate) mod leases;
pub(crate) mod log;
pub(crate) mod made;
pub(crate) mod pauses;

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Json;
use tokio_postgres::{Client, GenericClient};

use crate::catalog::facts;
use crate::catalog::introspect;
use crate::error::{Error, Kind, Result};
use crate::lease::{Lease, host};
use crate::session::observer::Blocker;
use crate::text::{PROCESSES, few, printable};
use diptych_core::layout::chain::{Chain, Version};
use diptych_core::migration::adopt::adopt;
use diptych_core::model::book::Book;
use diptych_core::plan::{self, Command, Plan, Reached};
use diptych_core::sql::literal;
use diptych_core::statements::path::Path;
use diptych_core::{Migration, Schema, names};

/// Where a version stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VersionState {
    /// Expand is under way or was interrupted.
    Starting,
    /// Published beside the version before.
    Started,
    /// Contract is under way or was interrupted.
    Completing,
    /// The one version at rest.
    Live,
    /// A newer one took its place.
    Retired,
    /// Rollback is under way or was interrupted.
    RollingBack,
    /// Undone.
    RolledBack,
}

impl VersionState {
    const ALL: [VersionState; 7] = [
        VersionState::Starting,
        VersionState::Started,
        VersionState::Completing,
        VersionState::Live,
        VersionState::Retired,
        VersionState::RollingBack,
        VersionState::RolledBack,
    ];

    /// The word in the table.
    pub fn word(self) -> &'static str {
        match self {
            VersionState::Starting => "starting",
            VersionState::Started => "started",
            VersionState::Completing => "completing",
            VersionState::Live => "live",
            VersionState::Retired => "retired",
            VersionState::RollingBack => "rolling_back",
            VersionState::RolledBack => "rolled_back",
        }
    }
}

impl fmt::Display for VersionState {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.word())
    }
}

/// A version as the state has it.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The version.
    pub version: Version,
    /// The version before.
    pub parent: Option<String>,
    /// Where it stands.
    pub state: VersionState,
    /// The migrations that led to it from its parent, in order.
    pub migrations: Arc<[Migration]>,
    /// Whether they run statements of the user's own, of which the model knows nothing.
    pub opaque: bool,
    /// What each stored plan must be, by command.
    checksums: BTreeMap<String, String>,
}

/// Everything known about a base schema.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// Every version, in the order in which they were started.
    pub versions: Vec<Recorded>,
}

/// How a migration is kept in the state.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    name: String,
    text: String,
}

/// The migrations that were parsed so far, by the texts that the state has of them: a command reads the state several times, and the texts stay.
#[derive(Debug, Default)]
pub(crate) struct Parsed(Mutex<BTreeMap<String, Arc<[Migration]>>>);

impl Parsed {
    fn migrations(&self, text: &str) -> Result<Arc<[Migration]>> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(there) = known.get(text) {
            return Ok(Arc::clone(there));
        }
        let kept: Vec<Kept> = json(text)?;
        let migrations = kept.iter().map(|kept| Ok(Migration::parse(&kept.name, &kept.text)?)).collect::<Result<Arc<_>>>()?;
        known.insert(text.to_owned(), Arc::clone(&migrations));
        Ok(migrations)
    }
}

impl State {
    /// Reads the state; empty where there is none yet. Changes nothing.
    pub async fn load(client: &Client, base: &str) -> Result<Self> {
        if !is_there(client).await? {
            return Ok(State::default());
        }
        State::read(client, base, &Parsed::default()).await
    }

    /// Reads the state of a database that was prepared in this session.
    pub(crate) async fn read(client: &Client, base: &str, parsed: &Parsed) -> Result<Self> {
        let rows = client
            .query(
                // nobody asks for the model of a version that has gone, but for the one that a version on its way comes from
                "SELECT name, parent, views, migrations::text, CASE WHEN state IN ('retired', 'rolled_back') AND name <> ALL (ARRAY( \
                   SELECT coming.parent FROM diptych.versions AS coming WHERE coming.base = $1 AND coming.parent IS NOT NULL \
                     AND coming.state IN ('starting', 'started', 'completing', 'rolling_back'))) \
                   THEN NULL ELSE model::text END, state, relations::text, opaque, checksums::text \
                 FROM diptych.versions WHERE base = $1 ORDER BY number",
                &[&base],
            )
            .await?;
        let versions = rows.iter().map(|row| {
            let (name, word): (String, String) = (row.get(0), row.get(5));
            let migrations = parsed.migrations(row.get(3))?;
            let schema: Schema = row.get::<_, Option<&str>>(4).map_or_else(|| Ok(Schema::default()), json)?;
            let state = VersionState::ALL.into_iter().find(|state| state.word() == word);
            Ok(Recorded {
                version: Version { name, views: row.get(2), schema, relations: json(row.get(6))? },
                parent: row.get(1),
                state: state.ok_or_else(|| Error::refused(format!("unknown state `{word}` in diptych.versions")))?,
                migrations,
                opaque: row.get(7),
                checksums: json(row.get(8))?,
            })
        });
        Ok(State { versions: versions.collect::<Result<_>>()? })
    }

    /// The version at rest.
    pub fn live(&self) -> Option<&Recorded> {
        self.versions.iter().rev().find(|recorded| recorded.state == VersionState::Live)
    }

    /// The version that is on its way in or out.
    pub fn pending(&self) -> Option<&Recorded> {
        use VersionState::{Completing, RollingBack, Started, Starting};
        self.versions.iter().rev().find(|recorded| matches!(recorded.state, Starting | Started | Completing | RollingBack))
    }

    /// The version before a version.
    pub fn parent(&self, of: &Recorded) -> Option<&Version> {
        let parent = of.parent.as_ref()?;
        self.versions.iter().map(|recorded| &recorded.version).find(|version| version.name == *parent)
    }

    /// The migrations that were started and not rolled back, in order, each with its version.
    pub fn applied(&self) -> impl Iterator<Item = (&Migration, &Recorded)> {
        let kept = self.versions.iter().filter(|recorded| recorded.state != VersionState::RolledBack);
        kept.flat_map(|recorded| recorded.migrations.iter().map(move |migration| (migration, recorded)))
    }

    /// The chain that further migrations would make.
    pub(crate) async fn extend(
        &self,
        client: &Client,
        base: &str,
        migrations: &[Migration],
        server: u32,
    ) -> Result<Option<Chain>> {
        let older = self.live().map(|recorded| recorded.version.clone());
        self.settle(client, base, |book| Chain::extend(base, older.clone(), migrations, server, book)).await
    }

    /// Makes something of what the server says of texts.
    pub(crate) async fn settle<T>(
        &self,
        client: &Client,
        base: &str,
        make: impl Fn(&mut Book) -> diptych_core::Result<T>,
    ) -> Result<T> {
        let views = self.live().map(|recorded| recorded.version.views.as_str());
        facts::settle(client, base, views, &mut Book::default(), make).await
    }
}

/// The form in which this release writes the state and the plans in it.
const FORMAT: i32 = 1;

/// Whether there is a state. It is looked at before anything in it is read: whose it is, who else may change it, and whether this
/// release knows its form.
pub(crate) async fn is_there(client: &Client) -> Result<bool> {
    Ok(look(client).await?.is_some())
}

/// The release whose functions the state has, where there is one.
async fn look(client: &Client) -> Result<Option<String>> {
    let rows = client.query(include_str!("state/trust.sql"), &[]).await?;
    let tables: Vec<String> = rows.first().map(|row| row.get(3)).unwrap_or_default();
    let findings: Vec<(String, String)> = rows.iter().filter_map(|row| Some((row.get::<_, Option<_>>(0)?, row.get(1)))).collect();
    if let Some(owner) = rows.first().and_then(|row| row.get::<_, Option<String>>(2)) {
        return Err(Error::refused(format!("schema `diptych`, where the state is kept, belongs to role `{owner}`")).hint(format!(
            "if `{owner}` migrates this database, connect as that role; if not, look at what is in the schema, and remove it: DROP SCHEMA diptych CASCADE"
        )));
    }
    if !findings.is_empty() {
        let (what, mends): (Vec<String>, Vec<String>) = findings.into_iter().unzip();
        return Err(Error::refused(format!("other roles can get at the state in schema `diptych`: {}", what.join("; ")))
            .hint(format!("find out who made this possible, then put it right: {}", mends.join("; "))));
    }
    let has = |name: &str| tables.iter().any(|table| table == name);
    if !has("format") && !has("versions") {
        return Ok(None);
    }
    if !has("format") {
        return Err(Error::refused(
            "the state in schema `diptych` was written by a release before 0.1.0, which this release cannot continue",
        )
        .hint("finish with that release; then remove its state and start anew: DROP SCHEMA diptych CASCADE"));
    }
    // without the rights that everybody needs here the functions are not as they should be
    let format = "SELECT number, CASE WHEN pg_catalog.has_schema_privilege('public', 'diptych', 'USAGE') AND NOT EXISTS (\
         SELECT FROM pg_catalog.pg_proc WHERE pronamespace = 'diptych'::pg_catalog.regnamespace AND proname IN ('lease', 'lease_end', 'gone') \
         AND NOT pg_catalog.has_function_privilege('public', oid, 'EXECUTE')) THEN tool ELSE '' END FROM diptych.format";
    let Some(row) = client.query_opt(format, &[]).await? else {
        return Err(Error::refused("the state in schema `diptych` is empty: its tables were made for a subscriber").hint(
            "migrate the publisher's database instead; if this database is no longer a subscriber: DROP SCHEMA diptych CASCADE",
        ));
    };
    let format: i32 = row.get(0);
    if format > FORMAT {
        return Err(Error::refused(format!(
            "the state in schema `diptych` has format {format}, but this release knows only {FORMAT}: a newer release wrote it"
        ))
        .hint("use that release, or a newer one"));
    }
    Ok(Some(row.get(1)))
}

/// What becomes of the first command where a publication of all tables would publish the state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PublishedState {
    /// It is refused: a native subscriber stops at the first row of a table that it lacks.
    #[default]
    Refuse,
    /// It goes on: the subscribers have the tables.
    Allow,
}

const TABLES: &str = include_str!("state/tables.sql");
const LATER: &str = include_str!("state/later.sql");
const UPGRADE: &str = include_str!("state/upgrade.sql");
const FUNCTIONS: &str = concat!(
    include_str!("state/later.sql"),
    include_str!("state/upgrade.sql"),
    include_str!("state/told.sql"),
    include_str!("state/code.sql"),
    include_str!("state/functions.sql"),
    include_str!("state/triggers.sql"),
    include_str!("state/rows.sql"),
    include_str!("state/rehearsal.sql")
);

/// Makes the state's tables, and brings its functions to this release's. Raced by many at once: one after the other, by a lock that
/// nobody waits in.
pub(crate) async fn prepare(client: &Client, published: PublishedState, timeout: Duration) -> Result<()> {
    let since = Instant::now();
    // by their text, which may be another one within a release's own time as well
    let own = &format!("{} {:016x}", env!("CARGO_PKG_VERSION"), names::hash(FUNCTIONS));
    loop {
        let there = look(client).await?;
        if there.as_ref() == Some(own) {
            return Ok(());
        }
        if there.is_none() && published == PublishedState::Refuse {
            refuse_published(client).await?;
        }
        if !try_lock(client, lock_key("prepare")).await? {
            if since.elapsed() >= timeout {
                return Err(held_by_others(client, lock_key("prepare"), "another command makes the state ready").await?);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        }
        let made = prepare_locked(client, own, published).await;
        unlock(client, lock_key("prepare")).await?;
        match made {
            // sessions of apps and of other commands hold tables of the state, one after another
            Err(error) if error.code() == Some(&SqlState::T_R_DEADLOCK_DETECTED) && since.elapsed() < timeout => {}
            made => made?,
        }
    }
}

/// Nobody is sent the state unasked. It cannot be kept from a publication of all tables: only what is UNLOGGED is not published, and
/// that is lost in a crash.
async fn refuse_published(client: &Client) -> Result<()> {
    let names = publications_of_all(client).await?;
    if names.is_empty() {
        return Ok(());
    }
    let tables = on_one_line(&[TABLES, LATER]);
    Err(Error::refused(format!(
        "all tables are published (publication {}), also those of schema `diptych` in which Diptych keeps its state, and a native subscriber stops at the first row of a table that it lacks",
        names.join(", ")
    ))
    .hint(format!(
        "publish tables by their names, or create the state's tables on each subscriber and run `start --allow-published-state`; on the subscriber: {tables}"
    )))
}

async fn publications_of_all(client: &Client) -> Result<Vec<String>> {
    let sql = "SELECT pg_catalog.format('%I', pubname) FROM pg_catalog.pg_publication WHERE puballtables ORDER BY pubname";
    Ok(client.query(sql, &[]).await?.iter().map(|row| printable(row.get(0))).collect())
}

/// Statements without what is for us alone.
fn on_one_line(texts: &[&str]) -> String {
    let lines = texts.iter().flat_map(|text| text.lines()).map(str::trim);
    lines.filter(|line| !line.is_empty() && !line.starts_with("--")).collect::<Vec<_>>().join(" ")
}

/// The columns of the state's tables.
async fn columns(client: &Client) -> Result<BTreeSet<String>> {
    let sql = "SELECT pg_catalog.concat(class.relname, '.', attribute.attname) FROM pg_catalog.pg_class AS class \
         JOIN pg_catalog.pg_attribute AS attribute ON attribute.attrelid = class.oid AND attribute.attnum > 0 AND NOT attribute.attisdropped \
         WHERE class.relnamespace = 'diptych'::pg_catalog.regnamespace AND class.relkind = 'r'";
    Ok(client.query(sql, &[]).await?.iter().map(|row| row.get(0)).collect())
}

/// Nobody is sent what this release adds to the state of an earlier one, unasked.
async fn refuse_published_additions(client: &Client, before: &BTreeSet<String>, publications: &[String]) -> Result<()> {
    let now = columns(client).await?;
    let added: Vec<String> = now.difference(before).cloned().collect();
    if added.is_empty() {
        return Ok(());
    }
    Err(Error::refused(format!(
        "all tables are published (publication {}), also those of Diptych's state, to which this release adds {}; a native subscriber stops at the first row of a table or column that it lacks",
        publications.join(", "),
        added.join(", ")
    ))
    .hint(format!(
        "add the same on each subscriber and run `start --allow-published-state`, which brings the state here to this release; on the subscriber: {}",
        on_one_line(&[LATER, UPGRADE])
    )))
}

async fn prepare_locked(client: &Client, own: &str, published: PublishedState) -> Result<()> {
    let (tables, asked) = match look(client).await? {
        // whoever had the lock before has made it
        Some(there) if there == own => return Ok(()),
        None => (format!("{TABLES}; INSERT INTO diptych.format VALUES ({FORMAT}, '')"), Vec::new()),
        Some(_) if published == PublishedState::Refuse => (String::new(), publications_of_all(client).await?),
        Some(_) => (String::new(), Vec::new()),
    };
    let before = if asked.is_empty() { BTreeSet::new() } else { columns(client).await? };
    // where updates are published, a table without a key takes none but by its identity
    let text = format!(
        "BEGIN; {tables}; {FUNCTIONS}; SELECT diptych.seal(); ALTER TABLE diptych.format REPLICA IDENTITY FULL; \
         UPDATE diptych.format SET tool = {}",
        literal(own)
    );
    let made = async {
        client.batch_execute(&text).await.map_err(|error| {
            Error::during("cannot create schema `diptych` for the state", error)
                .hint("the migration role needs CREATE on the database: GRANT CREATE ON DATABASE … TO …")
        })?;
        if !asked.is_empty() {
            refuse_published_additions(client, &before, &asked).await?;
        }
        Ok(client.batch_execute("COMMIT").await?)
    };
    let made = made.await;
    if made.is_err() {
        let _ = client.batch_execute("ROLLBACK").await;
    }
    made
}

/// The advisory lock's key for a base schema.
pub(crate) fn lock_key(base: &str) -> i64 {
    i64::from_ne_bytes(names::hash(&format!("diptych run {base}")).to_ne_bytes())
}

/// The key of the lock by which a rollback that waits for the run asks a paused start to give way: gone with the one who asks.
pub(crate) fn way_key(base: &str) -> i64 {
    lock_key(&format!("{base} way"))
}

/// A lock that is polled, never waited in: a blocked waiter and CREATE INDEX CONCURRENTLY deadlock.
pub(crate) async fn try_lock(client: &Client, key: i64) -> Result<bool> {
    Ok(client.query_one("SELECT pg_catalog.pg_try_advisory_lock($1)", &[&key]).await?.get(0))
}

/// Lets go of it.
pub(crate) async fn unlock(client: &Client, key: i64) -> Result<()> {
    client.query_one("SELECT pg_catalog.pg_advisory_unlock($1)", &[&key]).await?;
    Ok(())
}

/// Takes the run's row: the token by which every transaction of the run sees that it still is the one.
pub(crate) async fn take_token(client: &Client, base: &str, command: &str) -> Result<i64> {
    let row = client
        .query_one(
            "INSERT INTO diptych.runs AS run (base, token, command, pid, host, process) VALUES ($1, 1, $2, pg_catalog.pg_backend_pid(), $3, $4) \
             ON CONFLICT (base) DO UPDATE SET token = run.token + 1, command = EXCLUDED.command, pid = EXCLUDED.pid, \
             host = EXCLUDED.host, process = EXCLUDED.process, since = EXCLUDED.since, waits = NULL RETURNING token",
            &[&base, &command, &host(), &i64::from(std::process::id())],
        )
        .await?;
    Ok(row.get(0))
}

/// The steps of a command that are done.
pub(crate) async fn journal(client: &Client, base: &str, pending: &Recorded, command: Command) -> Result<BTreeSet<String>> {
    let sql = "SELECT step FROM diptych.journal WHERE base = $1 AND version = $2 AND command = $3";
    let rows = client.query(sql, &[&base, &pending.version.name, &command.to_string()]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// How far the start of a version got: its journal says so.
pub(crate) async fn reached(client: &Client, base: &str, pending: &Recorded) -> Result<Reached> {
    let plan = read_plan(client, base, pending, Command::Start).await?;
    let done = journal(client, base, pending, Command::Start).await?;
    Ok(plan.map_or_else(Reached::default, |plan| plan.reached(|id| done.contains(id))))
}

/// Whether the completion of a version has changed nothing yet.
pub(crate) async fn is_untouched(client: &Client, base: &str, pending: &Recorded) -> Result<bool> {
    let plan = read_plan(client, base, pending, Command::Complete).await?;
    let done = journal(client, base, pending, Command::Complete).await?;
    Ok(plan.is_some_and(|plan| plan.is_untouched(|id| done.contains(id))))
}

/// What a start decides, for itself and for the commands after it.
pub(crate) struct Plans {
    pub start: Plan,
    pub complete: Plan,
    pub rollback: Plan,
}

impl Plans {
    /// The plans for a chain.
    pub(crate) fn of(chain: &Chain) -> Self {
        Plans { start: plan::start(chain), complete: plan::complete(chain), rollback: plan::rollback(chain) }
    }
}

/// Enters a version that is about to be started, with its plans, in one transaction.
pub(crate) async fn begin_start(client: &mut Client, chain: &Chain, migrations: &[Migration], plans: &Plans) -> Result<()> {
    let kept: Vec<Kept> =
        migrations.iter().map(|migration| Kept { name: migration.name.clone(), text: migration.to_yaml() }).collect();
    let (base, name) = (&chain.base, &chain.newer.name);
    let transaction = client.transaction().await?;
    for table in ["plans", "journal", "backfill", "pauses", "made", "inserted"] {
        let sql = format!("DELETE FROM diptych.{table} WHERE base = $1 AND version = $2");
        transaction.execute(&sql, &[base, name]).await?;
    }
    let mut checksums = BTreeMap::new();
    for plan in [&plans.start, &plans.complete, &plans.rollback] {
        let text = serde_json::to_string(plan).unwrap_or_else(|error| unreachable!("a plan is plain data: {error}"));
        let command = plan.command.to_string();
        let sql = format!(
            "INSERT INTO diptych.plans AS entered (base, version, command, plan) VALUES ($1, $2, $3, $4) RETURNING {CHECKSUM}"
        );
        let row = transaction.query_one(&sql, &[base, name, &command, &text]).await?;
        checksums.insert(command, row.get::<_, String>(0));
    }
    transaction
        .execute(
            "INSERT INTO diptych.versions (base, name, parent, views, migrations, model, relations, opaque, state, checksums, tool, role, host, began_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'starting', $9, $10, current_user, $11, pg_catalog.clock_timestamp()) \
             ON CONFLICT (base, name) DO UPDATE SET number = DEFAULT, parent = EXCLUDED.parent, views = EXCLUDED.views, \
             migrations = EXCLUDED.migrations, model = EXCLUDED.model, relations = EXCLUDED.relations, code = '[]', functions = '[]', opaque = EXCLUDED.opaque, \
             state = EXCLUDED.state, checksums = EXCLUDED.checksums, tool = EXCLUDED.tool, changed_at = pg_catalog.clock_timestamp(), \
             role = EXCLUDED.role, host = EXCLUDED.host, began_at = EXCLUDED.began_at, published_at = NULL",
            &[
                base,
                name,
                &chain.older.as_ref().map(|version| version.name.clone()),
                &chain.newer.views,
                &Json(&kept),
                &Json(&chain.newer.schema),
                &Json(&chain.newer.relations),
                &chain.stage.is_opaque(),
                &Json(&checksums),
                &env!("CARGO_PKG_VERSION"),
                &host(),
            ],
        )
        .await?;
    transaction.commit().await?;
    Ok(())
}

/// What a stored plan's text must add up to.
const CHECKSUM: &str = "pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(entered.plan, 'UTF8')), 'hex')";

/// Who keeps a version from going.
#[derive(Debug)]
pub(crate) enum Holders {
    /// Nobody: the command is entered.
    None,
    /// Processes with a lease on it.
    Leases(Vec<Lease>),
    /// Sessions that are about to take one.
    Sessions(Vec<Blocker>),
}

/// Moves a version to the state of a command under way, in one transaction; not while somebody is on the version that has to be unused:
/// those are given back, and nothing is changed. Without one, nobody is asked and nobody is waited for.
pub(crate) async fn begin(
    client: &mut Client,
    pending: &Recorded,
    base: &str,
    state: VersionState,
    unused: Option<&str>,
) -> Result<Holders> {
    let transaction = client.transaction().await?;
    if let Some(unused) = unused {
        // nobody takes a lease between the look and the new state, by which later ones are refused. Never waited for: others would
        // have to wait behind
        let own = "SELECT FROM diptych.versions WHERE base = $1 AND name = $2 FOR UPDATE NOWAIT";
        match transaction.execute(own, &[&base, &unused]).await {
            Err(error) if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) => {
                drop(transaction);
                return Ok(Holders::Sessions(takers(client).await?));
            }
            outcome => outcome?,
        };
        let mut holders = leases::list(&transaction, base).await?;
        holders.retain(|lease| lease.version == unused);
        if !holders.is_empty() {
            return Ok(Holders::Leases(holders));
        }
    }
    leases::forget_expired(&transaction).await?;
    set_state(&transaction, base, &pending.version.name, state).await?;
    transaction.commit().await?;
    Ok(Holders::None)
}

/// The sessions that are in the middle of taking a lease.
async fn takers(client: &Client) -> Result<Vec<Blocker>> {
    holders(client, "held.relation = 'diptych.versions'::pg_catalog.regclass AND held.mode = 'RowShareLock'").await
}

/// The session that holds an advisory lock.
pub(crate) async fn lock_holders(client: &Client, key: i64) -> Result<Vec<Blocker>> {
    let [high, low] = [key >> 32, key].map(|half| half & 0xffff_ffff);
    let condition = format!(
        "held.locktype = 'advisory' AND held.classid = {high}::pg_catalog.oid AND held.objid = {low}::pg_catalog.oid AND held.objsubid = 1 \
         AND held.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())"
    );
    holders(client, &condition).await
}

/// Why a lock is not to be had.
pub(crate) async fn held_by_others(client: &Client, key: i64, what: &str) -> Result<Error> {
    let holders: Vec<String> = lock_holders(client, key).await?.iter().map(ToString::to_string).collect();
    let message = format!("{what}: {}", few(&holders, PROCESSES, ", "));
    Ok(Error::new(Kind::Timeout, message).hint("wait for it to end, or end it; `status` shows what it is doing"))
}

/// The other sessions, and the prepared transactions, that hold a lock for which a condition on `held` is true.
async fn holders(client: &Client, condition: &str) -> Result<Vec<Blocker>> {
    let sql = format!(
        "(SELECT {} FROM pg_catalog.pg_locks AS held JOIN pg_catalog.pg_stat_activity AS activity ON activity.pid = held.pid \
         WHERE {condition} AND held.granted AND held.pid <> pg_catalog.pg_backend_pid() ORDER BY activity.xact_start) \
         UNION ALL SELECT {} FROM pg_catalog.pg_locks AS held {} WHERE {condition} AND held.granted AND held.pid IS NULL",
        Blocker::OF_SESSION,
        Blocker::OF_PREPARED,
        Blocker::PREPARED
    );
    Ok(client.query(&sql, &[]).await?.iter().map(Blocker::read).collect())
}

/// The plan that was stored for a command, where the version's state is one that it belongs to.
pub(crate) async fn stored_plan(client: &Client, base: &str, pending: &Recorded, command: Command) -> Result<Option<Plan>> {
    use VersionState::{Completing, RollingBack, Started, Starting};
    let belongs = match command {
        Command::Start => matches!(pending.state, Starting),
        Command::Complete => matches!(pending.state, Started | Completing),
        Command::Rollback => matches!(pending.state, Starting | Started | RollingBack),
    };
    if !belongs {
        return Ok(None);
    }
    let name = &pending.version.name;
    read_plan(client, base, pending, command).await?.map(Some).ok_or_else(|| {
        Error::refused(format!("the state has no plan for the {command} of version `{name}`"))
            .hint("schema `diptych` was changed by hand: put back the row of diptych.plans from a backup")
    })
}

/// The plan that was stored for a command, whatever state its version is in.
pub(crate) async fn read_plan(client: &Client, base: &str, pending: &Recorded, command: Command) -> Result<Option<Plan>> {
    let (name, word) = (&pending.version.name, command.to_string());
    let sql = format!("SELECT plan, {CHECKSUM} FROM diptych.plans AS entered WHERE base = $1 AND version = $2 AND command = $3");
    let Some(row) = client.query_opt(&sql, &[&base, name, &word]).await? else { return Ok(None) };
    if pending.checksums.get(&word).map(String::as_str) != Some(row.get(1)) {
        return Err(Error::refused(format!(
            "the plan for the {command} of version `{name}` is not the one that its start stored"
        ))
        .hint("schema `diptych` was changed by hand: put back the row of diptych.plans from a backup"));
    }
    json(row.get(0)).map(Some)
}

/// What is in the schemas of versions and is none of their own.
pub(crate) async fn foreign_objects(client: &Client, base: &str) -> Result<Vec<String>> {
    if !is_there(client).await? {
        return Ok(Vec::new());
    }
    let sql = "SELECT pg_catalog.format('%s %s', pg_catalog.lower(object.kind), object.name) \
         FROM (SELECT views FROM diptych.versions WHERE base = $1 UNION SELECT schema FROM diptych.kept WHERE base = $1) AS version, diptych.foreign_objects($1, version.views) AS object \
         ORDER BY 1";
    Ok(client.query(sql, &[&base]).await?.iter().map(|row| row.get(0)).collect())
}

/// Marks the end of a start, with what is there now.
pub(crate) async fn end_start(client: &mut Client, base: &str, pending: &Recorded, older: Option<&Version>) -> Result<()> {
    let transaction = client.transaction().await?;
    made::enter(&transaction, base, &pending.version, older).await?;
    set_state(&transaction, base, &pending.version.name, VersionState::Started).await?;
    transaction.commit().await?;
    Ok(())
}

/// Marks the end of a complete: the older version is retired, and what the tables are is written down. What the migrations' own SQL has
/// changed is in the model from now on.
pub(crate) async fn end_complete(client: &mut Client, base: &str, pending: &Recorded, older: Option<&Version>) -> Result<()> {
    let transaction = client.transaction().await?;
    // as the migrations' own texts have the names
    transaction.batch_execute(Path::base(base).set_local().as_str()).await?;
    let found = introspect::schema(&transaction, base).await?;
    transaction.batch_execute(Path::own().set_local().as_str()).await?;
    made::forget(&transaction, base, &pending.version.name).await?;
    forget_rows(&transaction, base, &pending.version.name).await?;
    made::enter_rest(&transaction, base, &pending.version.name, &found).await?;
    if pending.opaque {
        let adopted = adopt(&pending.version.schema, found);
        transaction
            .execute(
                "UPDATE diptych.versions SET model = $3 WHERE base = $1 AND name = $2",
                &[&base, &pending.version.name, &Json(&adopted)],
            )
            .await?;
    }
    if let Some(older) = older {
        set_state(&transaction, base, &older.name, VersionState::Retired).await?;
        made::forget(&transaction, base, &older.name).await?;
    }
    set_state(&transaction, base, &pending.version.name, VersionState::Live).await?;
    transaction.commit().await?;
    Ok(())
}

/// Marks the end of a rollback.
pub(crate) async fn end_rollback(client: &Client, base: &str, pending: &Recorded) -> Result<()> {
    made::forget(client, base, &pending.version.name).await?;
    forget_rows(client, base, &pending.version.name).await?;
    // a lease on what is gone is none on what comes under its name; one that is being renewed is refused at its next turn
    let leases = "DELETE FROM diptych.leases WHERE id IN (SELECT id FROM diptych.leases WHERE base = $1 AND version = $2 FOR UPDATE SKIP LOCKED)";
    client.execute(leases, &[&base, &pending.version.name]).await?;
    set_state(client, base, &pending.version.name, VersionState::RolledBack).await
}

/// The rows that a start has inserted are as good as any others.
async fn forget_rows(client: &impl GenericClient, base: &str, version: &str) -> Result<()> {
    client.execute("DELETE FROM diptych.inserted WHERE base = $1 AND version = $2", &[&base, &version]).await?;
    Ok(())
}

async fn set_state(client: &impl GenericClient, base: &str, name: &str, state: VersionState) -> Result<()> {
    client
        .execute(
            "UPDATE diptych.versions SET state = $3, changed_at = pg_catalog.clock_timestamp(), \
             published_at = CASE WHEN $3 = 'started' THEN pg_catalog.clock_timestamp() ELSE published_at END WHERE base = $1 AND name = $2",
            &[&base, &name, &state.word()],
        )
        .await?;
    // after the row, for which whoever pauses waits: nobody pauses what is no longer a start
    pauses::lift(client, base).await?;
    Ok(())
}

fn json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| {
        Error::refused(format!("the state in schema `diptych` is not readable: {error}"))
            .hint("it was written by another release of diptych: use that one")
    })
}
