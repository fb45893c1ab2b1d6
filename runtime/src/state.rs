//! The engine's state in schema `diptych`: versions, plans, the journal of steps, the run lock.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;
use tokio_postgres::{Client, GenericClient};

use crate::error::{Error, Result};
use crate::introspect;
use crate::lease::{self, Lease};
use diptych_core::adopt::adopt;
use diptych_core::chain::{Chain, Retired, Version};
use diptych_core::plan::{Command, Plan};
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
    pub migrations: Vec<Migration>,
}

/// Everything known about a base schema.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// Every version, in the order in which they were started.
    pub versions: Vec<Recorded>,
    /// The schemas of tombstones.
    pub retired: Vec<Retired>,
}

/// How a migration is kept in the state.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    name: String,
    text: String,
}

impl State {
    /// Reads the state; empty where there is none yet. Changes nothing.
    pub async fn load(client: &Client, base: &str) -> Result<Self> {
        let there: bool = client.query_one("SELECT pg_catalog.to_regclass('diptych.versions') IS NOT NULL", &[]).await?.get(0);
        if !there {
            return Ok(State::default());
        }
        let rows = client
            .query("SELECT name, parent, views, migrations::text, model::text, state, relations::text FROM diptych.versions WHERE base = $1 ORDER BY number", &[&base])
            .await?;
        let versions = rows.iter().map(|row| {
            let (name, word): (String, String) = (row.get(0), row.get(5));
            let kept: Vec<Kept> = json(row.get(3))?;
            let migrations = kept.iter().map(|kept| Ok(Migration::parse(&kept.name, &kept.text)?)).collect::<Result<Vec<_>>>()?;
            let schema: Schema = json(row.get(4))?;
            let state = VersionState::ALL.into_iter().find(|state| state.word() == word);
            Ok(Recorded {
                version: Version { name, views: row.get(2), schema, relations: json(row.get(6))? },
                parent: row.get(1),
                state: state.ok_or_else(|| Error::refused(format!("unknown state `{word}` in diptych.versions")))?,
                migrations,
            })
        });
        let rows = client
            .query("SELECT views, relations::text FROM diptych.tombstones WHERE base = $1 ORDER BY views", &[&base])
            .await?;
        let retired = rows.iter().map(|row| Ok(Retired { views: row.get(0), tables: json(row.get(1))? }));
        Ok(State { versions: versions.collect::<Result<_>>()?, retired: retired.collect::<Result<_>>()? })
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

    /// The names of the migrations that were started and not rolled back.
    pub fn applied(&self) -> Vec<&Migration> {
        let kept = self.versions.iter().filter(|recorded| recorded.state != VersionState::RolledBack);
        kept.flat_map(|recorded| &recorded.migrations).collect()
    }

    /// The chain that further migrations would make.
    pub fn extend(&self, base: &str, migrations: &[Migration], server: u32) -> Result<Option<Chain>> {
        let older = self.live().map(|recorded| recorded.version.clone());
        Ok(Chain::extend(base, older, migrations, self.retired.clone(), server)?)
    }

    /// The chain with the pending version.
    pub fn chain(&self, base: &str, server: u32) -> Result<Option<Chain>> {
        match self.pending() {
            Some(pending) => self.extend(base, &pending.migrations, server),
            None => Ok(None),
        }
    }
}

/// Makes the state's tables. Raced by many at once: one after the other, by a lock that nobody waits in.
pub(crate) async fn prepare(client: &Client) -> Result<()> {
    loop {
        let there: bool =
            client.query_one("SELECT pg_catalog.to_regprocedure('diptych.refuse()') IS NOT NULL AND pg_catalog.to_regprocedure('diptych.lease_end(text)') IS NOT NULL", &[]).await?.get(0);
        if there {
            return Ok(());
        }
        if try_lock(client, lock_key("prepare")).await? {
            let made = client.batch_execute(&format!("BEGIN; {} COMMIT", include_str!("state.sql"))).await;
            if made.is_err() {
                let _ = client.batch_execute("ROLLBACK").await;
            }
            unlock(client, lock_key("prepare")).await?;
            return made.map_err(|error| {
                Error::during("cannot create schema `diptych` for the state", error)
                    .hint("the migration role needs CREATE on the database: GRANT CREATE ON DATABASE … TO …")
            });
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The advisory lock's key for a base schema.
pub(crate) fn lock_key(base: &str) -> i64 {
    i64::from_ne_bytes(names::hash(&format!("diptych run {base}")).to_ne_bytes())
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
pub(crate) async fn take_token(client: &Client, base: &str, command: Command) -> Result<i64> {
    let row = client
        .query_one(
            "INSERT INTO diptych.runs AS run (base, token, command, pid) VALUES ($1, 1, $2, pg_catalog.pg_backend_pid()) \
             ON CONFLICT (base) DO UPDATE SET token = run.token + 1, command = EXCLUDED.command, pid = EXCLUDED.pid RETURNING token",
            &[&base, &command.to_string()],
        )
        .await?;
    Ok(row.get(0))
}

/// Enters a version that is about to be started, with its plan, in one transaction.
pub(crate) async fn begin_start(client: &mut Client, chain: &Chain, migrations: &[Migration], plan: &Plan) -> Result<()> {
    let kept: Vec<Kept> =
        migrations.iter().map(|migration| Kept { name: migration.name.clone(), text: migration.to_yaml() }).collect();
    let transaction = client.transaction().await?;
    transaction.execute("DELETE FROM diptych.versions WHERE base = $1 AND name = $2", &[&chain.base, &chain.newer.name]).await?;
    for table in ["plans", "journal", "backfill"] {
        transaction
            .execute(&format!("DELETE FROM diptych.{table} WHERE base = $1 AND version = $2"), &[&chain.base, &chain.newer.name])
            .await?;
    }
    transaction
        .execute(
            "INSERT INTO diptych.versions (base, name, parent, views, migrations, model, relations, state, tool) VALUES ($1, $2, $3, $4, $5, $6, $7, 'starting', $8)",
            &[
                &chain.base,
                &chain.newer.name,
                &chain.older.as_ref().map(|version| version.name.clone()),
                &chain.newer.views,
                &tokio_postgres::types::Json(&kept),
                &tokio_postgres::types::Json(&chain.newer.schema),
                &tokio_postgres::types::Json(&chain.newer.relations),
                &env!("CARGO_PKG_VERSION"),
            ],
        )
        .await?;
    store_plan(&transaction, plan).await?;
    transaction.commit().await?;
    Ok(())
}

/// Moves a version to the state of a command under way, with the command's plan, in one transaction; not while somebody is on
/// the version that has to be unused: those are given back, and nothing is changed.
pub(crate) async fn begin(client: &mut Client, plan: &Plan, state: VersionState, unused: Option<&str>) -> Result<Vec<Lease>> {
    let transaction = client.transaction().await?;
    // nobody takes or renews a lease between the look and the new state, by which later ones are refused
    transaction.batch_execute("SET LOCAL lock_timeout = '5s'; LOCK TABLE diptych.leases IN SHARE MODE").await?;
    if let Some(unused) = unused {
        let mut holders = lease::list(&transaction, &plan.base).await?;
        holders.retain(|lease| lease.version == unused);
        if !holders.is_empty() {
            return Ok(holders);
        }
    }
    lease::forget_expired(&transaction).await?;
    set_state(&transaction, &plan.base, &plan.to, state).await?;
    store_plan(&transaction, plan).await?;
    transaction.commit().await?;
    Ok(Vec::new())
}

/// The plan of a command that was begun.
pub(crate) async fn stored_plan(client: &Client, base: &str, version: &str, command: Command) -> Result<Option<Plan>> {
    let row = client
        .query_opt(
            "SELECT plan::text FROM diptych.plans WHERE base = $1 AND version = $2 AND command = $3",
            &[&base, &version, &command.to_string()],
        )
        .await?;
    row.map(|row| json(row.get(0))).transpose()
}

/// Marks the end of a start: the tombstones that were in its place are gone.
pub(crate) async fn end_start(client: &mut Client, chain: &Chain) -> Result<()> {
    let transaction = client.transaction().await?;
    transaction
        .execute("DELETE FROM diptych.tombstones WHERE base = $1 AND views = $2", &[&chain.base, &chain.newer.views])
        .await?;
    if !chain.stage.scripts.is_empty() {
        // with what sql has made
        transaction
            .execute(
                "UPDATE diptych.versions SET relations = (SELECT coalesce(pg_catalog.jsonb_agg(class.relname ORDER BY class.relname), '[]') \
                 FROM pg_catalog.pg_class AS class JOIN pg_catalog.pg_namespace AS space ON space.oid = class.relnamespace \
                 WHERE space.nspname = $3 AND class.relkind = 'v') WHERE base = $1 AND name = $2",
                &[&chain.base, &chain.newer.name, &chain.newer.views],
            )
            .await?;
    }
    set_state(&transaction, &chain.base, &chain.newer.name, VersionState::Started).await?;
    transaction.commit().await?;
    Ok(())
}

/// Marks the end of a complete: the older version is retired, what was retired before it is gone. What the migrations' own SQL
/// has changed is in the model from now on.
pub(crate) async fn end_complete(client: &mut Client, chain: &Chain) -> Result<()> {
    let adopted = match chain.stage.scripts.is_empty() {
        true => None,
        false => Some(adopt(&chain.newer.schema, introspect::schema(client, &chain.base).await?)),
    };
    let transaction = client.transaction().await?;
    if let Some(adopted) = adopted {
        transaction
            .execute(
                "UPDATE diptych.versions SET model = $3 WHERE base = $1 AND name = $2",
                &[&chain.base, &chain.newer.name, &tokio_postgres::types::Json(&adopted)],
            )
            .await?;
    }
    transaction.execute("DELETE FROM diptych.tombstones WHERE base = $1", &[&chain.base]).await?;
    if let Some(older) = &chain.older {
        set_state(&transaction, &chain.base, &older.name, VersionState::Retired).await?;
        keep_tombstones(&transaction, &chain.base, &diptych_core::views::retired(older)).await?;
    }
    set_state(&transaction, &chain.base, &chain.newer.name, VersionState::Live).await?;
    transaction.commit().await?;
    Ok(())
}

/// Marks the end of a rollback; a published version leaves tombstones.
pub(crate) async fn end_rollback(client: &mut Client, chain: &Chain, tombstones: Option<Retired>) -> Result<()> {
    let transaction = client.transaction().await?;
    set_state(&transaction, &chain.base, &chain.newer.name, VersionState::RolledBack).await?;
    if let Some(tombstones) = tombstones {
        keep_tombstones(&transaction, &chain.base, &tombstones).await?;
    }
    transaction.commit().await?;
    Ok(())
}

async fn keep_tombstones(client: &impl GenericClient, base: &str, retired: &Retired) -> Result<()> {
    client
        .execute(
            "INSERT INTO diptych.tombstones (base, views, relations) VALUES ($1, $2, $3) \
             ON CONFLICT (base, views) DO UPDATE SET relations = EXCLUDED.relations",
            &[&base, &retired.views, &tokio_postgres::types::Json(&retired.tables)],
        )
        .await?;
    Ok(())
}

async fn set_state(client: &impl GenericClient, base: &str, name: &str, state: VersionState) -> Result<()> {
    client
        .execute(
            "UPDATE diptych.versions SET state = $3, changed_at = pg_catalog.clock_timestamp() WHERE base = $1 AND name = $2",
            &[&base, &name, &state.word()],
        )
        .await?;
    Ok(())
}

async fn store_plan(client: &impl GenericClient, plan: &Plan) -> Result<()> {
    client
        .execute(
            "INSERT INTO diptych.plans (base, version, command, plan) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (base, version, command) DO UPDATE SET plan = EXCLUDED.plan",
            &[&plan.base, &plan.to, &plan.command.to_string(), &tokio_postgres::types::Json(plan)],
        )
        .await?;
    Ok(())
}

fn json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| {
        Error::refused(format!("the state in schema `diptych` is not readable: {error}"))
            .hint("it was written by another release of diptych: use that one")
    })
}
