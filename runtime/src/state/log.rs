//! The log of commands: which was carried out when, by whom, for how long, and what it came to.

use serde::Serialize;
use tokio_postgres::{Client, GenericClient};

use crate::error::{Error, Result};

/// How many commands of a base schema are kept.
const KEPT: i64 = 1000;
/// How a moment is told, in JSON too.
pub(crate) const MOMENT: &str = "'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'";

/// A command that was carried out, or is; not one that had nothing to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Logged {
    /// `start`, `complete`, `rollback`, `repair` or `baseline`.
    pub command: String,
    /// The versions that it worked on; none where it was refused before that.
    pub versions: Vec<String>,
    /// The database role that ran it.
    pub role: String,
    /// The host that it ran on.
    pub host: String,
    /// Its process id there.
    pub process: i64,
    /// When it became the one run of its schema, in UTC.
    pub began_at: String,
    /// How long it took from then on; nothing where its end is not known.
    pub milliseconds: Option<i64>,
    /// `done`, `interrupted`, `refused`, `failed`; `running`, or `lost` where the process ended without a word, as after a kill.
    pub outcome: String,
    /// The error, where it came to one.
    pub message: Option<String>,
}

/// Enters the run, where it is not entered, with a version that it works on from here on.
pub(crate) async fn enter(client: &impl GenericClient, base: &str, token: i64, version: &str) -> Result<()> {
    client.execute(&entering("pg_catalog.jsonb_build_array($3::pg_catalog.text)"), &[&base, &token, &version]).await?;
    Ok(())
}

fn entering(versions: &str) -> String {
    format!(
        "INSERT INTO diptych.log AS log (base, token, command, versions, role, host, process, began_at) \
         SELECT base, token, command, {versions}, current_user, host, process, since FROM diptych.runs WHERE base = $1 AND token = $2 \
         ON CONFLICT (base, token) DO UPDATE SET versions = log.versions || EXCLUDED.versions WHERE NOT log.versions @> EXCLUDED.versions"
    )
}

/// Enters what a run has come to. Where that cannot be, the server has other worries than this log.
pub(crate) async fn end(client: &mut Client, base: &str, token: i64, error: Option<&Error>) {
    let (word, message) = (error.map_or("done", word), error.map(Error::message));
    let entered = async {
        let transaction = client.transaction().await?;
        transaction.execute(&entering("'[]'"), &[&base, &token]).await?;
        let end = "UPDATE diptych.log SET ended_at = pg_catalog.clock_timestamp(), outcome = $3, message = $4 WHERE base = $1 AND token = $2";
        transaction.execute(end, &[&base, &token, &word, &message]).await?;
        let old = "DELETE FROM diptych.log WHERE base = $1 AND token < \
             (SELECT token FROM diptych.log WHERE base = $1 ORDER BY token DESC OFFSET $2 LIMIT 1)";
        transaction.execute(old, &[&base, &(KEPT - 1)]).await?;
        transaction.commit().await
    };
    let _ = entered.await;
}

fn word(error: &Error) -> &'static str {
    match error {
        error if error.is_interrupted() => "interrupted",
        error if error.is_refused() => "refused",
        _ => "failed",
    }
}

/// The commands, the newest first; of a state that an earlier release has written none. `runs` is the session that carries out one now.
pub(crate) async fn read(client: &Client, base: &str, runs: Option<i32>) -> Result<Vec<Logged>> {
    let there: bool = client.query_one("SELECT pg_catalog.to_regclass('diptych.log') IS NOT NULL", &[]).await?.get(0);
    if !there {
        return Ok(Vec::new());
    }
    let sql = format!(
        "SELECT log.command, ARRAY(SELECT pg_catalog.jsonb_array_elements_text(log.versions)), log.role, log.host, log.process, \
         pg_catalog.to_char(log.began_at AT TIME ZONE 'UTC', {MOMENT}), \
         (extract(epoch FROM log.ended_at - log.began_at) * 1000)::pg_catalog.int8, \
         coalesce(log.outcome, CASE WHEN run.token = log.token AND run.pid = $2 THEN 'running' ELSE 'lost' END), log.message \
         FROM diptych.log AS log LEFT JOIN diptych.runs AS run ON run.base = log.base WHERE log.base = $1 ORDER BY log.token DESC"
    );
    let rows = client.query(&sql, &[&base, &runs]).await?;
    let logged = |row: &tokio_postgres::Row| Logged {
        command: row.get(0),
        versions: row.get(1),
        role: row.get(2),
        host: row.get(3),
        process: row.get(4),
        began_at: row.get(5),
        milliseconds: row.get(6),
        outcome: row.get(7),
        message: row.get(8),
    };
    Ok(rows.iter().map(logged).collect())
}
