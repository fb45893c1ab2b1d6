//! The second session of a run: the run's own is busy when somebody holds it up.

use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;
use tokio_postgres::{Client, Row};

use crate::error::{Error, Result};
use crate::session;
use crate::target::Target;
use crate::text::printable;

/// Who holds a lock which the tool needs: a session, or a prepared transaction, which has none.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Blocker {
    /// Its process id on the server; 0 for a prepared transaction.
    pub pid: i32,
    /// Its application name; the identifier of a prepared transaction.
    pub application: String,
    /// Its database role; empty for the server's own processes.
    pub role: String,
    /// Its state: `active`, `idle in transaction`, … or `prepared`.
    pub state: String,
    /// Age of its transaction, in seconds.
    pub seconds: i64,
}

impl std::fmt::Display for Blocker {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [application, role, state] = [&self.application, &self.role, &self.state].map(|text| printable(text));
        let role = if role.is_empty() { role } else { format!(" of role `{role}`") };
        if self.pid == 0 {
            let end = "end it by COMMIT PREPARED or ROLLBACK PREPARED";
            return write!(out, "prepared transaction `{application}`{role}, for {} s ({end})", self.seconds);
        }
        write!(out, "pid {} (application `{application}`{role}, {state}, for {} s)", self.pid, self.seconds)
    }
}

impl Blocker {
    /// What [`Blocker::read`] reads of `pg_stat_activity AS activity`.
    pub(crate) const OF_SESSION: &str = "activity.pid, coalesce(nullif(activity.application_name, ''), activity.backend_type, ''), \
         coalesce(activity.usename::pg_catalog.text, ''), coalesce(activity.state, activity.backend_type, ''), \
         coalesce(extract(epoch FROM pg_catalog.clock_timestamp() - activity.xact_start), 0)::pg_catalog.int8";

    /// The same of `pg_prepared_xacts AS prepared`.
    pub(crate) const OF_PREPARED: &str = "0, prepared.gid, prepared.owner::pg_catalog.text, 'prepared', \
         extract(epoch FROM pg_catalog.clock_timestamp() - prepared.prepared)::pg_catalog.int8";

    /// Joins `prepared` to the locks `held` of prepared transactions: each of them has its own number locked as well.
    pub(crate) const PREPARED: &str = "JOIN pg_catalog.pg_locks AS own ON own.pid IS NULL AND own.locktype = 'transactionid' AND own.granted \
         AND own.virtualtransaction = held.virtualtransaction JOIN pg_catalog.pg_prepared_xacts AS prepared ON prepared.transaction = own.transactionid";

    /// A row of either.
    pub(crate) fn read(row: &Row) -> Self {
        Blocker { pid: row.get(0), application: row.get(1), role: row.get(2), state: row.get(3), seconds: row.get(4) }
    }
}

/// One session for a whole run, opened at its beginning; opened again where it was lost, but not over and over.
#[derive(Debug)]
pub(crate) struct Observer {
    target: Target,
    base: String,
    session: Mutex<(Option<Arc<Client>>, Option<Instant>)>,
    seen: std::sync::Mutex<Vec<Blocker>>,
}

/// How soon another session is tried for where none could be had.
const AGAIN_AFTER: Duration = Duration::from_secs(10);

impl Observer {
    /// Over a session that is there already, if it is.
    pub(crate) fn new(target: &Target, base: &str, session: Option<Client>) -> Self {
        Observer {
            target: target.clone(),
            base: base.to_owned(),
            session: Mutex::new((session.map(Arc::new), None)),
            seen: std::sync::Mutex::default(),
        }
    }

    /// Opens the session, where there is none; why there is none to be had.
    pub(crate) async fn open(&self) -> Result<Arc<Client>> {
        let mut there = self.session.lock().await;
        if let Some(client) = there.0.as_ref().filter(|client| !client.is_closed()) {
            return Ok(Arc::clone(client));
        }
        let client = session::connect(&self.target).await.map(Arc::new);
        *there = (client.as_ref().ok().cloned(), Some(Instant::now()));
        client.map_err(|error| {
            Error::refused(format!("the run cannot name who blocks it, because it has no second connection to look with: {}", error.message()))
                .hint("allow the migration role two connections (max_connections, CONNECTION LIMIT); without the second one the run goes on, and still ends in time")
        })
    }

    async fn session(&self) -> Option<Arc<Client>> {
        {
            let there = self.session.lock().await;
            let is_there = there.0.as_ref().is_some_and(|client| !client.is_closed());
            if !is_there && there.1.is_some_and(|tried| tried.elapsed() < AGAIN_AFTER) {
                return None;
            }
        }
        self.open().await.ok()
    }

    /// A further session for the run.
    pub(crate) async fn another(&self) -> Result<Client> {
        session::connect(&self.target).await
    }

    /// Who holds up the run's session.
    pub(crate) async fn blockers(&self) -> Vec<Blocker> {
        let Some(client) = self.session().await else { return Vec::new() };
        let sql = format!(
            "WITH run AS (SELECT run.pid, pg_catalog.pg_blocking_pids(run.pid) AS by FROM diptych.runs AS run WHERE run.base = $1) \
             SELECT {} FROM run JOIN pg_catalog.pg_stat_activity AS activity ON activity.pid = ANY (run.by) \
             UNION ALL SELECT DISTINCT {} FROM run JOIN pg_catalog.pg_locks AS wanted ON wanted.pid = run.pid AND NOT wanted.granted \
             JOIN pg_catalog.pg_locks AS held ON held.pid IS NULL AND held.granted AND held.locktype = wanted.locktype \
             AND (held.database, held.relation, held.page, held.tuple, held.transactionid, held.classid, held.objid, held.objsubid) \
             IS NOT DISTINCT FROM (wanted.database, wanted.relation, wanted.page, wanted.tuple, wanted.transactionid, wanted.classid, wanted.objid, wanted.objsubid) \
             {} WHERE 0 = ANY (run.by)",
            Blocker::OF_SESSION,
            Blocker::OF_PREPARED,
            Blocker::PREPARED
        );
        let found: Vec<Blocker> = client.query(&sql, &[&self.base]).await.unwrap_or_default().iter().map(Blocker::read).collect();
        if !found.is_empty() {
            *self.seen() = found.clone();
        }
        found
    }

    /// Who held up the run's session when anybody was last seen to.
    pub(crate) fn seen(&self) -> std::sync::MutexGuard<'_, Vec<Blocker>> {
        self.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Ends what the run's session is at.
    pub(crate) async fn cancel(&self) {
        let Some(client) = self.session().await else { return };
        let cancel = "SELECT pg_catalog.pg_cancel_backend(pid) FROM diptych.runs WHERE base = $1";
        let _ = client.execute(cancel, &[&self.base]).await;
    }
}

/// Long transactions: whoever waits for a row cannot be told whose it is, but these are the ones to look at.
pub(crate) async fn open_transactions(client: &Client) -> Vec<Blocker> {
    let sql = format!(
        "(SELECT {} FROM pg_catalog.pg_prepared_xacts AS prepared WHERE prepared.database = pg_catalog.current_database() \
         AND prepared.prepared < pg_catalog.clock_timestamp() - interval '1 second' ORDER BY prepared.prepared LIMIT 3) UNION ALL \
         (SELECT {} FROM pg_catalog.pg_stat_activity AS activity WHERE activity.datname = pg_catalog.current_database() \
         AND activity.pid <> pg_catalog.pg_backend_pid() AND activity.xact_start < pg_catalog.clock_timestamp() - interval '1 second' \
         ORDER BY activity.xact_start LIMIT 3)",
        Blocker::OF_PREPARED,
        Blocker::OF_SESSION
    );
    client.query(&sql, &[]).await.unwrap_or_default().iter().map(Blocker::read).collect()
}
