//! Puts an app on the version that it was built for.

use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::error::SqlState;
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::{Client, Config, NoTls, Socket};

use crate::database::Database;
use crate::error::{Error, Kind, Result};
use crate::tls::{self, Mode, Tls};
use diptych_core::chain::view_schema;
use diptych_core::sql;

/// Where a session goes, and how it is secured.
///
/// It is made from a URL by [`parse`], or from the driver's configuration, whose `sslmode` goes no further than `require`.
#[derive(Clone, Debug)]
pub struct Target {
    config: Config,
    tls: Tls,
}

impl Target {
    /// The driver's part; `verify-ca` and `verify-full` are `require` in it.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// How it is secured.
    pub fn tls(&self) -> &Tls {
        &self.tls
    }

    /// The same for a tool, unless the URL says what it is.
    pub(crate) fn named(mut self, application: &str) -> Self {
        if self.config.get_application_name().is_none() {
            self.config.application_name(application);
        }
        self
    }

    /// Host and port, for messages; no user, no password.
    pub(crate) fn place(&self) -> String {
        let host = match self.config.get_hosts().first() {
            Some(Host::Tcp(name)) => name.clone(),
            #[cfg(unix)]
            Some(Host::Unix(path)) => path.display().to_string(),
            None => self.config.get_hostaddrs().first().map_or_else(|| "localhost".to_owned(), ToString::to_string),
        };
        match self.config.get_ports().first() {
            Some(port) => format!("`{host}:{port}`"),
            None => format!("`{host}`"),
        }
    }

    /// The configuration to connect with.
    fn ready(&self) -> Config {
        let mut config = self.config.clone();
        config.ssl_mode(if self.is_local() { SslMode::Disable } else { self.tls.mode().into() });
        if config.get_hosts().is_empty() {
            // the driver has TLS for hosts alone, were it only to say that there is no name
            for address in config.get_hostaddrs().to_vec() {
                config.host(address.to_string());
            }
        }
        config
    }

    #[cfg(unix)]
    fn is_local(&self) -> bool {
        !self.config.get_hosts().is_empty() && self.config.get_hosts().iter().all(|host| matches!(host, Host::Unix(_)))
    }

    #[cfg(not(unix))]
    fn is_local(&self) -> bool {
        false
    }
}

impl From<Config> for Target {
    fn from(config: Config) -> Self {
        Target { tls: config.get_ssl_mode().into(), config }
    }
}

impl From<&Config> for Target {
    fn from(config: &Config) -> Self {
        config.clone().into()
    }
}

impl From<&Target> for Target {
    fn from(target: &Target) -> Self {
        target.clone()
    }
}

/// The configuration for pools: the given URL with the version's `search_path` in the startup options, where neither
/// `DISCARD ALL` nor a pooler's reset undoes it.
///
/// A pool opens its sessions itself: give it the URL's [`Tls::connector`] with it, which verifies what `sslmode` asks for.
pub fn config<D: Database>(url: &str) -> Result<Config> {
    Ok(target::<D>(url)?.ready())
}

/// A client on the version that the binary was built for; an error where that version is not published.
pub async fn connect<D: Database>(url: &str) -> Result<Client> {
    let client = open(&target::<D>(url)?).await?;
    if let Some(version) = D::VERSION {
        verify(&client, D::BASE, version).await?;
    }
    Ok(client)
}

fn target<D: Database>(url: &str) -> Result<Target> {
    let mut target = parse(url)?;
    if let Some(version) = D::VERSION {
        put_on(&mut target.config, D::BASE, &view_schema(D::BASE, version));
    }
    Ok(target)
}

/// Reads a connection URL or `key=value` string, with libpq's `sslmode` and `sslrootcert`.
pub fn parse(url: &str) -> Result<Target> {
    let (tls, rest) = tls::take_from(url)?;
    let mut config: Config = rest.parse().map_err(|error: tokio_postgres::Error| {
        let cause = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
        Error::refused(format!("the connection URL is not valid: {cause}"))
            .hint("give one like postgresql://user@host:5432/database with --url or DATABASE_URL")
    })?;
    // the end of a password would stand in messages as a host
    if config.get_hosts().iter().any(|host| matches!(host, Host::Tcp(name) if name.contains('@'))) {
        return Err(Error::refused("the connection URL is not valid: there are two `@` in it")
            .hint("write an `@` that belongs to the user or password as %40"));
    }
    config.ssl_mode(tls.mode().into());
    Ok(Target { config, tls })
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

/// Opens a session and drives it in the background.
pub(crate) async fn open(target: &Target) -> Result<Client> {
    let mut config = target.ready();
    let refused = |error| Error::connecting(target, error);
    if config.get_ssl_mode() == SslMode::Disable {
        return start(&config, NoTls).await.map_err(refused);
    }
    let preferred = target.tls.mode() == Mode::Prefer;
    let encrypted = match target.tls.connector() {
        Ok(connector) => start(&config, connector).await,
        Err(_) if preferred => return start(&config, NoTls).await.map_err(refused),
        Err(error) => return Err(error),
    };
    match encrypted {
        // as libpq does: TLS may be offered and yet not work, or not be what pg_hba.conf wants
        Err(error) if preferred && (is_tls(&error) || error.code() == Some(&SqlState::INVALID_AUTHORIZATION_SPECIFICATION)) => {
            start(config.ssl_mode(SslMode::Disable), NoTls).await.map_err(|_| refused(error))
        }
        outcome => outcome.map_err(refused),
    }
}

async fn start<T>(config: &Config, tls: T) -> Result<Client, tokio_postgres::Error>
where
    T: MakeTlsConnect<Socket>,
    T::Stream: Send + 'static,
    T::TlsConnect: Send,
    <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
{
    let (client, connection) = config.connect(tls).await?;
    tokio::spawn(async move {
        // what ends a connection is told to whoever waits for an answer on it
        let _ = connection.await;
    });
    Ok(client)
}

/// Whether TLS is what failed; the driver tells by its words alone.
pub(crate) fn is_tls(error: &tokio_postgres::Error) -> bool {
    error.to_string().starts_with("error performing TLS")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_driver_is_told_what_it_knows() {
        for (url, mode, place) in [
            ("postgresql://h:1/db", SslMode::Prefer, "`h:1`"),
            ("postgresql://u:p@h/db?sslmode=verify-full&sslrootcert=/a", SslMode::Require, "`h:5432`"),
            ("host=h sslmode=disable", SslMode::Disable, "`h`"),
            ("hostaddr=127.0.0.1 sslmode=require", SslMode::Require, "`127.0.0.1`"),
            ("postgresql:///db?host=%2Ftmp&sslmode=require", SslMode::Disable, "`/tmp`"),
        ] {
            let target = parse(url).unwrap();
            assert_eq!((target.ready().get_ssl_mode(), target.place().as_str()), (mode, place), "{url}");
            assert!(!target.ready().get_hosts().is_empty(), "{url}");
        }
        let error = parse("postgresql://u:p@secret@h/db").unwrap_err();
        assert!(error.is_refused() && !error.to_string().contains("secret"), "{error}");
    }
}
