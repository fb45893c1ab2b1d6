//! Puts an app on the version that it was built for.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use postgres_protocol::escape::{escape_identifier, escape_literal};
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Config, GenericClient};

use crate::database::Database;
use crate::error::{Error, Kind, Result};
use crate::lease::{self, Answer, LeaseGuard};
use crate::target::placement::Placement;
pub use crate::target::{Target, parse, put_on, startup_options, url_on, without_password};
use crate::target::{open, open_holding};
use crate::text::printable;

/// A version that sessions can be put on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "migrator", derive(serde::Serialize))]
pub struct Published {
    /// Its name.
    pub version: String,
    /// The schema of its views.
    pub schema: String,
    /// The `search_path` of its sessions: in whatever language and pool, what has to be set.
    pub search_path: String,
}

/// The configuration for pools: the given URL with the version's `search_path` in the startup options, where neither
/// `DISCARD ALL` nor a pooler's reset undoes it.
///
/// A URL with `pooler=true` gives it no options: a pooler would not pass them on, and the role's setting stands in their place. Ask
/// [`verify`] then on the sessions of the pool.
///
/// A pool opens its sessions itself: give it the URL's [`Tls::connector`](crate::tls::Tls::connector) with it, which verifies what `sslmode` asks for.
pub fn config<D: Database>(url: &str) -> Result<Config> {
    Ok(target::<D>(url)?.ready())
}

/// The same as a URL, for clients other than tokio-postgres: sqlx, SeaORM, Diesel, libpq. Run [`verify_sql`] then on each session.
///
/// The word `pooler`, which no other client knows, goes from it.
pub fn url<D: Database>(url: &str) -> Result<String> {
    D::search_path().map_or_else(|| Ok(url.to_owned()), |path| url_on(url, &path))
}

/// A client on the version that the binary was built for; an error where that version is not published.
///
/// The process holds a [lease](mod@crate::lease) on the version until the last such client is dropped.
pub async fn connect<D: Database>(url: &str) -> Result<Client> {
    let target = target::<D>(url)?;
    let held = Arc::new(OnceLock::new());
    let client = open_holding(&target, Arc::clone(&held)).await?;
    if let Some(version) = D::VERSION {
        let views = D::SCHEMA.unwrap_or_default();
        check(&client, version, views).await?;
        let lease = lease::shared(&client, &target, D::BASE, version).await.map_err(|answer| no_lease(answer, version, views))?;
        let _ = held.set(lease);
    }
    Ok(client)
}

/// A lease for a process whose sessions come from a pool over [`config`]: keep it for as long as the pool.
pub async fn lease<D: Database>(url: &str) -> Result<Option<LeaseGuard>> {
    let Some(version) = D::VERSION else { return Ok(None) };
    let target = target::<D>(url)?;
    hold(&target, D::BASE, version, D::SCHEMA.unwrap_or_default()).await.map(Some)
}

/// Until the version that the binary was built for is published: for an app that is deployed before `migrate start`, or beside it. Nothing
/// is held when it returns.
///
/// A server that cannot be reached yet, and a role that is not there yet, are waited for as well.
///
/// # Errors
///
/// After `timeout`, with what was in the way at last; at once where waiting is in vain, such as for a version that is retired.
pub async fn wait_published<D: Database>(url: &str, timeout: Duration) -> Result<()> {
    let until = tokio::time::Instant::now() + timeout;
    let mut pause = Duration::from_millis(100);
    loop {
        let Err(error) = is_published::<D>(url).await else { return Ok(()) };
        let now = tokio::time::Instant::now();
        if !(error.is_connection() || error.is_not_published()) || error.is_retired() {
            return Err(error);
        }
        if now >= until {
            return Err(error.within(format!("after {timeout:?} of waiting")));
        }
        tokio::time::sleep(pause.min(until - now)).await;
        pause = (pause * 2).min(Duration::from_secs(2));
    }
}

async fn is_published<D: Database>(url: &str) -> Result<()> {
    let Some((version, views)) = D::VERSION.zip(D::SCHEMA) else { return Ok(()) };
    let target = target::<D>(url)?;
    let client = open(&target).await?;
    let Err(error) = check(&client, version, views).await else { return Ok(()) };
    match lease::ask(&client, &target, D::BASE, version).await {
        Answer::Retired => Err(no_lease(Answer::Retired, version, views)),
        _ => Err(error),
    }
}

/// A lease for a process that is not built with Diptych, whose sessions are put on the version by [`url_on`]: keep it for as long as that process
/// runs. `application` is its name, unless the URL says another.
#[cfg(feature = "migrator")]
pub async fn lease_on(url: &str, base: &str, on: &Published, application: &str) -> Result<LeaseGuard> {
    let mut target = parse(url)?.named(application);
    if target.placement() == Placement::Options {
        put_on(&mut target.config, &on.search_path);
    }
    hold(&target, base, &on.version, &on.schema).await
}

async fn hold(target: &Target, base: &str, version: &str, views: &str) -> Result<LeaseGuard> {
    let client = open(target).await?;
    check(&client, version, views).await?;
    lease::take(&client, target, base, version).await.map_err(|answer| no_lease(answer, version, views))
}

fn target<D: Database>(url: &str) -> Result<Target> {
    let mut target = parse(url)?;
    if let Some(path) = D::search_path().filter(|_| target.placement() == Placement::Options) {
        put_on(&mut target.config, &path);
    }
    Ok(target)
}

/// Whether a client that something else has opened, a pool say, is on the version that the binary was built for; an error where it is not.
///
/// It reads no table, and works behind a pooler in any mode: it prepares nothing.
pub async fn verify<D: Database>(client: &impl GenericClient) -> Result<()> {
    match D::VERSION.zip(D::SCHEMA) {
        Some((version, views)) => check(client, version, views).await,
        None => Ok(()),
    }
}

/// One SQL statement that fails where the session is not on the version that the binary was built for: [`verify`] for clients other than
/// tokio-postgres, on each new session. The server's message and hint are those of `verify`.
///
/// It returns no rows, reads no table and has no parameters. Run it as it is, without preparing it.
pub fn verify_sql<D: Database>() -> String {
    let Some((version, views)) = D::VERSION.zip(D::SCHEMA) else { return "SELECT".to_owned() };
    let gone = unpublished(version, views);
    let [name, view, gone, gone_hint, hint] =
        [&escape_identifier(views), views, gone.message(), gone.hint_text().unwrap_or_default(), ELSEWHERE].map(escape_literal);
    let before = escape_literal(&format!("the session is not on version `{version}`: its search_path, as role `"));
    // operators and functions are the server's own: a session that is elsewhere may find others first
    let body = format!(
        "BEGIN \
           IF (pg_catalog.current_schemas(false))[1] OPERATOR(pg_catalog.=) {view}::pg_catalog.name THEN RETURN; END IF; \
           IF pg_catalog.has_schema_privilege(pg_catalog.to_regnamespace({name})::pg_catalog.oid, 'USAGE') THEN \
             RAISE EXCEPTION USING ERRCODE = 'invalid_schema_name', HINT = {hint}, MESSAGE = pg_catalog.concat({before}, current_user, \
               '`, is `', pg_catalog.current_setting('search_path'), '`'); \
           END IF; \
           RAISE EXCEPTION USING ERRCODE = 'invalid_schema_name', HINT = {gone_hint}, MESSAGE = {gone}; \
         END"
    );
    format!("DO {}", escape_literal(&body).trim_start())
}

async fn check(client: &impl GenericClient, version: &str, views: &str) -> Result<()> {
    let row = client
        .query_typed_one(
            "SELECT (pg_catalog.current_schemas(false))[1]::pg_catalog.text, pg_catalog.current_setting('search_path'), \
             pg_catalog.has_schema_privilege(pg_catalog.to_regnamespace($1)::pg_catalog.oid, 'USAGE'), current_user::pg_catalog.text",
            &[(&escape_identifier(views), Type::TEXT)],
        )
        .await?;
    let (current, usable): (Option<String>, Option<bool>) = (row.get(0), row.get(2));
    match usable {
        _ if current.as_deref() == Some(views) => Ok(()),
        Some(true) => Err(elsewhere(version, row.get(3), row.get(1))),
        _ => Err(unpublished(version, views)),
    }
}

/// What to do about a session that is elsewhere.
const ELSEWHERE: &str = "through PgBouncer and its like, which drop startup options, connect as the version's role, which `migrate roles` makes, \
     with pooler=true in the URL; a pool of the app's own takes Shop::config(url), or Shop::url(url)";

/// The version is there, and the session is not on it.
fn elsewhere(version: &str, role: &str, path: &str) -> Error {
    let [role, path] = [role, path].map(printable);
    Error::refused(format!("the session is not on version `{version}`: its search_path, as role `{role}`, is `{path}`"))
        .hint(ELSEWHERE)
}

fn unpublished(version: &str, views: &str) -> Error {
    Error::new(
        Kind::NotPublished,
        format!("version `{version}` is not published in this database (there is no schema `{views}` that this user may use)"),
    )
    .hint("run `migrate start` first; if the version was retired, deploy the release that was built for the newer one")
}

/// Why a process may not go on without a lease.
fn no_lease(answer: Answer, version: &str, views: &str) -> Error {
    match answer {
        Answer::Held | Answer::Unpublished | Answer::Denied => unpublished(version, views),
        Answer::Retired => {
            Error::new(Kind::Retired, format!("version `{version}` is retired in this database, or is about to be"))
                .hint("deploy the release that was built for the newer version")
        }
        Answer::Failed(why) => Error::refused(format!(
            "this process cannot get a lease on version `{version}`, and without one `complete` would cut it off: {why}"
        ))
        .hint("make sure that the role may open one more connection, and may use schema `diptych` (`start` gives PUBLIC what it needs there)"),
        Answer::Many => Error::refused(format!("this role already has 10,000 leases, and gets no more for version `{version}`"))
            .hint("let each process take one lease, or give the applications roles of their own"),
    }
}
