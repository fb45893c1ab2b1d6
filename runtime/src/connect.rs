//! Puts an app on the version that it was built for.

use std::sync::{Arc, OnceLock};
use tokio_postgres::{Client, Config, NoTls};

use crate::database::Database;
use crate::error::{Error, Kind, Result};
use crate::lease::{self, LeaseGuard};
use diptych_core::chain::view_schema;
use diptych_core::sql;

/// The configuration for pools: the given URL with the version's `search_path` in the startup options, where neither
/// `DISCARD ALL` nor a pooler's reset undoes it.
pub fn config<D: Database>(url: &str) -> Result<Config> {
    let mut config = parse(url)?;
    if let Some(version) = D::VERSION {
        put_on(&mut config, D::BASE, &view_schema(D::BASE, version));
    }
    Ok(config)
}

/// A client on the version that the binary was built for; an error where that version is not published.
///
/// The process holds a [lease](crate::lease) on the version until the last such client is dropped.
pub async fn connect<D: Database>(url: &str) -> Result<Client> {
    let config = config::<D>(url)?;
    let held = Arc::new(OnceLock::new());
    let client = open(&config, Arc::clone(&held)).await?;
    if let Some(version) = D::VERSION {
        verify(&client, D::BASE, version).await?;
        let lease = lease::shared(&client, &config, D::BASE, version).await.ok_or_else(|| retired(version))?;
        let _ = held.set(lease);
    }
    Ok(client)
}

/// A lease for a process whose sessions come from a pool over [`config`]: keep it for as long as the pool.
pub async fn lease<D: Database>(url: &str) -> Result<Option<LeaseGuard>> {
    let Some(version) = D::VERSION else { return Ok(None) };
    match lease::take(&config::<D>(url)?, D::BASE, version).await? {
        Some(guard) => Ok(Some(guard)),
        None => Err(retired(version)),
    }
}

/// Reads a connection URL or `key=value` string.
pub fn parse(url: &str) -> Result<Config> {
    url.parse().map_err(|error: tokio_postgres::Error| {
        let cause = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
        Error::refused(format!("the connection URL is not valid: {cause}"))
            .hint("give one like postgresql://user@host:5432/database with --url or DATABASE_URL")
    })
}

/// Sets the `search_path` of a version in the startup options.
pub fn put_on(config: &mut Config, base: &str, views: &str) {
    let path = format!("{}, {}", sql::ident(views), sql::ident(base));
    // the server splits options at blanks; a backslash keeps one, and itself
    let escaped: String = path.chars().flat_map(|c| if c == ' ' || c == '\\' { vec!['\\', c] } else { vec![c] }).collect();
    let options = format!("-c search_path={escaped}");
    let options = config.get_options().map_or_else(|| options.clone(), |before| format!("{before} {options}"));
    config.options(options);
}

/// Opens a session and drives it in the background; what is held goes with the session.
pub(crate) async fn open(config: &Config, held: impl Send + 'static) -> Result<Client> {
    let (client, connection) = config.connect(NoTls).await.map_err(|error| Error::connecting(&place(config), error))?;
    tokio::spawn(async move {
        // what ends a connection is told to whoever waits for an answer on it
        let _ = connection.await;
        drop(held);
    });
    Ok(client)
}

async fn verify(client: &Client, base: &str, version: &str) -> Result<()> {
    let views = view_schema(base, version);
    let current: Option<String> =
        client.query_one("SELECT (pg_catalog.current_schemas(false))[1]::pg_catalog.text", &[]).await?.get(0);
    if current.as_deref() == Some(views.as_str()) {
        return Ok(());
    }
    Err(Error::new(
        Kind::NotPublished,
        format!("version `{version}` is not published in this database (there is no schema `{views}` that this user may use)"),
    )
    .hint("run `migrate start` first; if the version was retired, deploy the release that was built for the newer one"))
}

fn retired(version: &str) -> Error {
    Error::new(Kind::NotPublished, format!("version `{version}` is retired in this database, or about to be"))
        .hint("deploy the release that was built for the newer version")
}

/// Host and database, for messages; no user, no password.
fn place(config: &Config) -> String {
    use tokio_postgres::config::Host;
    let host = config.get_hosts().first().map_or_else(
        || "localhost".to_owned(),
        |host| match host {
            Host::Tcp(name) => name.clone(),
            #[cfg(unix)]
            Host::Unix(path) => path.display().to_string(),
        },
    );
    match config.get_ports().first() {
        Some(port) => format!("`{host}:{port}`"),
        None => format!("`{host}`"),
    }
}
