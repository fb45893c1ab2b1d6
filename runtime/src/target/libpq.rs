//! What a URL leaves open, as libpq has it: the service file, then the environment, the password file and the usual socket.

mod passfile;
mod service;

use std::collections::BTreeSet;
use std::path::PathBuf;

use tokio_postgres::Config;
use tokio_postgres::config::Host;

use crate::error::Result;
pub(crate) use crate::target::libpq::passfile::Ignored;
use crate::target::url::{self, Parameter};

/// The parameters that the environment may give, each with its variable.
const VARIABLES: [(&str, &str); 13] = [
    ("host", "PGHOST"),
    ("port", "PGPORT"),
    ("user", "PGUSER"),
    ("password", "PGPASSWORD"),
    ("dbname", "PGDATABASE"),
    ("options", "PGOPTIONS"),
    ("application_name", "PGAPPNAME"),
    ("connect_timeout", "PGCONNECT_TIMEOUT"),
    ("passfile", "PGPASSFILE"),
    ("sslmode", "PGSSLMODE"),
    ("sslrootcert", "PGSSLROOTCERT"),
    ("sslcert", "PGSSLCERT"),
    ("sslkey", "PGSSLKEY"),
];

/// Those that say where the database is, or which: one of them is enough to need no URL.
#[cfg(feature = "migrator")]
const PLACES: [&str; 3] = ["PGHOST", "PGDATABASE", "PGSERVICE"];

/// The folders of sockets, the first that there is being the usual one: Debian's and Red Hat's, and PostgreSQL's own.
#[cfg(unix)]
const SOCKETS: [&str; 3] = ["/var/run/postgresql", "/run/postgresql", "/tmp"];

/// What surrounds the process.
pub(crate) struct Surroundings<'a> {
    pub(crate) variable: &'a dyn Fn(&str) -> Option<String>,
    pub(crate) home: Option<PathBuf>,
}

/// What a text gives.
pub(crate) struct Given {
    /// It, without `service` and `passfile`.
    pub(crate) text: String,
    pub(crate) passfile: Option<String>,
    service: Option<String>,
    /// The names of its parameters, and of those that were put in.
    seen: BTreeSet<String>,
}

impl Surroundings<'static> {
    /// The process's own.
    pub(crate) fn own() -> Self {
        Surroundings { variable: &|name| std::env::var(name).ok(), home: std::env::home_dir() }
    }
}

impl Surroundings<'_> {
    /// A variable that has a value.
    fn variable(&self, name: &str) -> Option<String> {
        (self.variable)(name).filter(|value| !value.is_empty())
    }

    /// Whether it says where the database is.
    #[cfg(feature = "migrator")]
    pub(crate) fn has_place(&self) -> bool {
        PLACES.iter().any(|name| self.variable(name).is_some())
    }

    /// A text without what is for us alone, and what it says of that.
    pub(crate) fn read(&self, text: &str) -> Result<Given> {
        let mut given = Given { text: String::new(), seen: BTreeSet::new(), service: None, passfile: None };
        let text = url::without(text, &mut |key, value| {
            given.seen.insert(key.to_owned());
            let place = match key {
                "service" => &mut given.service,
                "passfile" => &mut given.passfile,
                _ => return Ok(Parameter::Left),
            };
            *place = Some(value.to_owned());
            Ok(Parameter::Taken)
        })?;
        Ok(Given { text, ..given })
    }

    /// The text with what its service and the environment have and it leaves open. `config` is what it gives by itself.
    pub(crate) fn complete(&self, given: &mut Given, config: &Config) -> Result<String> {
        let mut open = match given.service.clone().or_else(|| self.variable("PGSERVICE")) {
            Some(name) => self.service(&name)?,
            None => Vec::new(),
        };
        open.extend(VARIABLES.iter().filter_map(|(key, name)| Some(((*key).to_owned(), self.variable(name)?))));
        let mut whole = given.text.clone();
        for (key, value) in open {
            if is_given(&key, &given.text, config) || !given.seen.insert(key.clone()) {
                continue;
            }
            match key.as_str() {
                "passfile" => given.passfile = Some(value),
                "port" => whole = url::with_port(&whole, &value),
                // the last one comes first in the text
                "host" => whole = value.rsplit(',').fold(whole, |whole, host| url::with(&whole, "host", host)),
                _ => whole = url::with(&whole, &key, &value),
            }
        }
        Ok(whole)
    }

    /// What nothing gives: the host, and the password by the file.
    pub(crate) fn fill(&self, config: &mut Config, passfile: Option<String>) -> Option<Ignored> {
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            config.host(usual_host(config.get_ports().first().copied()));
        }
        if config.get_password().is_some_and(|password| !password.is_empty()) {
            return None;
        }
        let file = passfile.map(PathBuf::from).or_else(|| passfile::usual(self.home.as_deref(), self.variable("APPDATA")))?;
        match passfile::look(&file, &wanted(config)) {
            Ok(password) => {
                if let Some(password) = password {
                    config.password(password);
                }
                None
            }
            Err(ignored) => Some(ignored),
        }
    }
}

/// Whether a text gives a parameter outside its list of parameters.
fn is_given(key: &str, text: &str, config: &Config) -> bool {
    match key {
        "host" => !config.get_hosts().is_empty() || !config.get_hostaddrs().is_empty(),
        // the driver has one for each host of a URL
        "port" => url::has_port(text),
        "user" => config.get_user().is_some_and(|user| !user.is_empty()),
        "password" => config.get_password().is_some(),
        "dbname" => config.get_dbname().is_some(),
        _ => false,
    }
}

/// Where a server is that nobody names.
fn usual_host(port: Option<u16>) -> String {
    #[cfg(unix)]
    {
        let socket = format!(".s.PGSQL.{}", port.unwrap_or(5432));
        let there = SOCKETS.iter().find(|folder| std::path::Path::new(folder).join(&socket).exists());
        there.map_or_else(|| "localhost".to_owned(), |folder| (*folder).to_owned())
    }
    #[cfg(not(unix))]
    {
        let _ = port;
        "localhost".to_owned()
    }
}

/// The words by which a line of the password file is found: host, port, database and user.
fn wanted(config: &Config) -> [Vec<String>; 4] {
    let user = config.get_user().map(str::to_owned).or_else(|| whoami::username().ok()).unwrap_or_default();
    let database = config.get_dbname().map_or_else(|| user.clone(), str::to_owned);
    let hosts = match config.get_hosts().first() {
        Some(Host::Tcp(name)) => vec![name.clone()],
        #[cfg(unix)]
        Some(Host::Unix(path)) => {
            let path = path.display().to_string();
            let is_usual = SOCKETS.contains(&path.as_str());
            std::iter::once(path).chain(is_usual.then(|| "localhost".to_owned())).collect()
        }
        None => config.get_hostaddrs().first().map(ToString::to_string).into_iter().collect(),
    };
    [hosts, vec![config.get_ports().first().copied().unwrap_or(5432).to_string()], vec![database], vec![user]]
}
