//! Leases: a process's sign that it uses a version, so that `complete` and `rollback` know whom they would cut off.
//!
//! A lease is a row that expires unless it is renewed. Renewing is one statement on a connection of its own, so that it works
//! behind a transaction pooler and however long the app's transactions are. A process has one per version, not one per client.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::oneshot;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, SimpleQueryMessage};

use crate::error::Result;
use crate::target::{Target, open};
use crate::text::printable;
use crate::trace;
use postgres_protocol::escape::escape_literal;

/// How often a lease is renewed.
pub const RENEWED_EVERY: Duration = Duration::from_secs(5);
/// How long a lease counts after its last renewal: a process that was killed holds a version up no longer than that.
pub const EXPIRES_AFTER: Duration = Duration::from_secs(20);

/// A running process on a version, as `status` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "migrator", derive(serde::Serialize))]
pub struct Lease {
    /// The version.
    pub version: String,
    /// The application's name, as in its sessions.
    pub application: String,
    /// The host that the process runs on.
    pub host: String,
    /// The process id on that host.
    pub process: i64,
    /// The database role.
    pub role: String,
    /// Seconds since it took the lease.
    pub since: i64,
    /// Seconds since it last renewed the lease.
    pub seen: i64,
}

impl std::fmt::Display for Lease {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Lease { application, host, process, role, since, seen, .. } = self;
        let [application, host, role] = [application, host, role].map(|text| printable(text));
        write!(out, "`{application}` on {host}, process {process}, as {role}, for {since} s, seen {seen} s ago")
    }
}

/// What became of a request for a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The process has it; or the database knows no leases, or is a standby, where nobody can write.
    Held,
    /// It could not be asked for: why.
    Failed(String),
    /// The version is retired, or about to be.
    Retired,
    /// The version is not published.
    Unpublished,
    /// The role may not use the version.
    Denied,
    /// The role has too many.
    Many,
}

impl Answer {
    /// What an error means: no state of Diptych's in this database, a standby, or a reason not to go on.
    async fn of(client: &Client, error: &tokio_postgres::Error) -> Self {
        let knows_none = [SqlState::INVALID_SCHEMA_NAME, SqlState::UNDEFINED_FUNCTION];
        if error.code().is_some_and(|code| knows_none.contains(code)) {
            return Answer::Held;
        }
        let standby = client.query_typed_one("SELECT pg_catalog.pg_is_in_recovery()", &[]).await;
        match standby {
            Ok(row) if row.get(0) => Answer::Held,
            _ => Answer::Failed(error.as_db_error().map_or_else(|| error.to_string(), |error| error.message().to_owned())),
        }
    }
}

/// How long the end of a runtime waits for the farewell of a lease that is still held.
const FAREWELL_WITHIN: Duration = Duration::from_secs(2);

/// Keeps a process's lease alive; dropping it ends the lease, and so does the end of the runtime that it was taken in.
#[derive(Debug)]
pub struct LeaseGuard {
    alive: tokio::task::JoinHandle<()>,
    end: oneshot::Sender<()>,
}

impl LeaseGuard {
    /// Ends the lease, and waits until the server knows: for a process that ends by `std::process::exit`.
    pub async fn end(self) {
        drop(self.end);
        let _ = self.alive.await;
    }
}

/// A lease that is given back whatever becomes of the task that keeps it: a runtime that ends drops its tasks where they stand.
struct Kept(Option<Sign>);

impl Drop for Kept {
    fn drop(&mut self) {
        let Some(sign) = self.0.take() else { return };
        let (said, heard) = std::sync::mpsc::channel();
        // a runtime of its own: the one that ends serves no connection any more
        let spawned = std::thread::Builder::new().name("diptych lease".to_owned()).spawn(move || {
            if let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() {
                runtime.block_on(sign.end(None));
            }
            let _ = said.send(());
        });
        if spawned.is_ok() {
            let _ = heard.recv_timeout(FAREWELL_WITHIN);
        }
    }
}

/// The name of this host.
pub(crate) fn host() -> String {
    whoami::hostname().unwrap_or_else(|_| "localhost".to_owned())
}

/// What a lease says, and how its connection is made.
#[derive(Clone, Debug)]
struct Sign {
    target: Target,
    version: String,
    id: String,
    /// The call that takes or renews it, without the end of its transaction.
    call: String,
}

/// The beginning of a lease's transactions, whatever the role's settings are: what a guard decided meanwhile has to be seen, and the moment
/// for which it holds a version's row is waited for.
fn begin() -> String {
    let bound = EXPIRES_AFTER.as_millis();
    format!(
        "BEGIN ISOLATION LEVEL READ COMMITTED, READ WRITE; SET LOCAL lock_timeout = {bound}; SET LOCAL statement_timeout = {bound}"
    )
}

impl Sign {
    fn new(target: &Target, base: &str, version: &str) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let process = std::process::id();
        let host = host();
        let program = std::env::current_exe().ok().and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned()));
        let application = target.config().get_application_name().map(str::to_owned).or(program).unwrap_or_default();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        let id = format!("{host}/{process}/{now:x}/{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let words = [id.as_str(), base, version, application.as_str(), host.as_str()].map(escape_literal).join(", ");
        let call = format!("{}; SELECT diptych.lease({words}, {process}, {})", begin(), EXPIRES_AFTER.as_secs());
        Sign { target: target.clone().renamed(&format!("{application} lease")), version: version.to_owned(), id, call }
    }

    /// Takes or renews it.
    async fn renew(&self, client: &Client) -> Answer {
        self.ask(client, "COMMIT").await
    }

    async fn ask(&self, client: &Client, end: &str) -> Answer {
        let rows = match client.simple_query(&format!("{}; {end}", self.call)).await {
            Ok(rows) => rows,
            Err(error) => {
                let _ = client.simple_query("ROLLBACK").await;
                return Answer::of(client, &error).await;
            }
        };
        let word = rows.iter().find_map(|row| match row {
            SimpleQueryMessage::Row(row) => row.get(0),
            _ => None,
        });
        match word {
            Some("retired") => Answer::Retired,
            Some("unpublished") => Answer::Unpublished,
            Some("denied") => Answer::Denied,
            Some("many") => Answer::Many,
            _ => Answer::Held,
        }
    }

    /// Says farewell, over a new session where the one there was is lost.
    async fn end(&self, session: Option<Client>) {
        let farewell = format!("{}; SELECT diptych.lease_end({}); COMMIT", begin(), escape_literal(&self.id));
        if let Some(client) = session
            && client.simple_query(&farewell).await.is_ok()
        {
            return;
        }
        if let Ok(client) = open(&self.target).await {
            let _ = client.simple_query(&farewell).await;
        }
    }

    fn kept(self) -> LeaseGuard {
        trace::lease_taken(&self.version);
        let (end, ended) = oneshot::channel();
        LeaseGuard { alive: tokio::spawn(Kept(Some(self)).keep(ended)), end }
    }
}

impl Kept {
    /// Renews it until the guard is dropped.
    async fn keep(mut self, mut end: oneshot::Receiver<()>) {
        let Some(sign) = self.0.clone() else { return };
        let (mut session, mut is_lost): (Option<Client>, _) = (None, false);
        while tokio::time::timeout(RENEWED_EVERY, &mut end).await.is_err() {
            if session.as_ref().is_none_or(Client::is_closed) {
                session = open(&sign.target).await.ok();
            }
            let renewed = match &session {
                Some(client) => tokio::time::timeout(EXPIRES_AFTER, sign.renew(client)).await.ok(),
                None => None,
            };
            match &renewed {
                Some(Answer::Held) => trace::lease_renewed(&sign.version),
                _ if is_lost => {}
                _ => trace::lease_lost(&sign.version, &renewed),
            }
            is_lost = renewed != Some(Answer::Held);
            if renewed.is_none() {
                session = None;
            }
        }
        sign.end(session).await;
        trace::lease_ended(&sign.version);
        self.0 = None;
    }
}

/// The process's lease on a version, taken over the given session where there is none yet; none where the version is retired.
pub(crate) async fn shared(client: &Client, target: &Target, base: &str, version: &str) -> Result<Arc<LeaseGuard>, Answer> {
    static KEPT: Mutex<BTreeMap<String, Weak<LeaseGuard>>> = Mutex::new(BTreeMap::new());
    let config = target.config();
    let key = format!(
        "{:?} {:?} {:?} {:?} {base:?} {version:?}",
        config.get_hosts(),
        config.get_ports(),
        config.get_dbname(),
        config.get_user()
    );
    let there = || {
        let kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
        // a guard whose runtime has ended keeps nothing alive
        kept.get(&key).and_then(Weak::upgrade).filter(|guard| !guard.alive.is_finished())
    };
    let sign = Sign::new(target, base, version);
    if let Some(guard) = there() {
        // the version may still be used: asked by a lease that is taken and given back in one transaction
        return held(sign.ask(client, "ROLLBACK").await).map(|()| guard);
    }
    held(sign.renew(client).await)?;
    let guard = Arc::new(sign.kept());
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    kept.retain(|_, guard| guard.strong_count() > 0);
    kept.insert(key, Arc::downgrade(&guard));
    Ok(guard)
}

fn held(answer: Answer) -> Result<(), Answer> {
    if answer == Answer::Held { Ok(()) } else { Err(answer) }
}

/// What the answer to a request would be.
pub(crate) async fn ask(client: &Client, target: &Target, base: &str, version: &str) -> Answer {
    Sign::new(target, base, version).ask(client, "ROLLBACK").await
}

/// A lease for a process whose sessions come from a pool: held for as long as the pool lives.
pub(crate) async fn take(client: &Client, target: &Target, base: &str, version: &str) -> Result<LeaseGuard, Answer> {
    let sign = Sign::new(target, base, version);
    held(sign.renew(client).await)?;
    Ok(sign.kept())
}
