//! Where a session goes, and how it is opened.

#[cfg(feature = "tls")]
mod certificate;
#[cfg(feature = "tls")]
mod identity;
mod libpq;
pub(crate) mod placement;
pub mod tls;
mod url;

use std::sync::Arc;

use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::error::SqlState;
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::{Client, Config, NoTls, Socket};

use crate::error::{Error, Kind, Result, describe};
use crate::target::libpq::{Ignored, Surroundings};
use crate::target::placement::Placement;
use crate::target::tls::{Mode, Tls};
use crate::target::url::Parameter;
use crate::trace::Connecting;

/// Where a session goes, and how it is secured.
///
/// It is made from a URL by [`parse`], or from the driver's configuration, whose `sslmode` goes no further than `require`.
#[derive(Clone, Debug)]
pub struct Target {
    pub(crate) config: Config,
    tls: Tls,
    placement: Placement,
    /// A password file that is there and is not read.
    ignored: Option<Ignored>,
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

    /// Who puts its sessions on their version.
    pub(crate) fn placement(&self) -> Placement {
        self.placement
    }

    /// Whether the role's own setting puts its sessions on a version (`pooler=true`), and not the startup options.
    pub fn is_pooled(&self) -> bool {
        self.placement == Placement::Role
    }

    /// The same for a tool, unless the URL says what it is.
    #[cfg(feature = "migrator")]
    pub(crate) fn named(mut self, application: &str) -> Self {
        if self.config.get_application_name().is_none() {
            self.config.application_name(application);
        }
        self
    }

    /// The same under another name.
    pub(crate) fn renamed(mut self, application: &str) -> Self {
        self.config.application_name(application);
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
    pub(crate) fn ready(&self) -> Config {
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
        Target { tls: config.get_ssl_mode().into(), config, placement: Placement::default(), ignored: None }
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

/// Reads a connection URL or `key=value` string, with libpq's parameters for TLS, and `pooler=true` where a pooler is between, which
/// passes no startup options on: the role's own setting puts its sessions on their version then.
///
/// What it leaves open comes from where libpq has it: the service (`service=`, `PGSERVICE`), then the environment (`PGHOST`, `PGPASSWORD` and
/// others), then the password file, the usual socket and the name of the system's user. An error quotes nothing of the text: a misspelt one
/// may have its password anywhere.
///
/// ```
/// let target = diptych::connect::parse("postgresql://app@localhost/shop?sslmode=disable")?;
/// assert_eq!(target.config().get_dbname(), Some("shop"));
/// # Ok::<(), diptych::Error>(())
/// ```
pub fn parse(url: &str) -> Result<Target> {
    parse_in(url, &Surroundings::own())
}

fn parse_in(url: &str, surroundings: &Surroundings<'_>) -> Result<Target> {
    let mut given = surroundings.read(url)?;
    let alone = parse_alone(&given.text)?;
    let whole = surroundings.complete(&mut given, &alone.config)?;
    let mut target = parse_alone(&whole)?;
    target.ignored = surroundings.fill(&mut target.config, given.passfile);
    Ok(target)
}

/// Whether the environment says where the database is, where no URL does.
#[cfg(feature = "migrator")]
pub fn is_in_environment() -> bool {
    Surroundings::own().has_place()
}

/// What a text gives by itself.
fn parse_alone(url: &str) -> Result<Target> {
    let (tls, placement, rest) = tls::take_from(url)?;
    let refuse = |cause: &str| {
        Error::refused(format!("the connection URL is not valid: {cause}"))
            .hint("give one like postgresql://user@host:5432/database with --url or DATABASE_URL")
    };
    let mut config: Config = rest.parse().map_err(|error: tokio_postgres::Error| {
        let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
        refuse(match cause.as_str() {
            // these name an option that there is, and no value
            known if known.starts_with("invalid value for option") => known,
            unknown if unknown.starts_with("unknown option") => "it has an unknown option",
            _ => "it cannot be read",
        })
    })?;
    // what follows the first `@` of a password would be taken for the host, and told in messages
    if config
        .get_hosts()
        .iter()
        .any(|host| matches!(host, Host::Tcp(name) if name.contains(['@', '/', ':']) && !is_address(name)))
    {
        return Err(refuse("the host is invalid; within a password, write `@`, `:` and `/` as %40, %3A and %2F"));
    }
    config.ssl_mode(tls.mode().into());
    Ok(Target { config, tls, placement, ignored: None })
}

fn is_address(host: &str) -> bool {
    // an IPv6 address may have its zone
    host.split('%').next().is_some_and(|address| address.parse::<std::net::IpAddr>().is_ok())
}

/// The startup options that put a session on a version, as `PGOPTIONS` and a URL's `options` have them.
pub fn startup_options(path: &str) -> String {
    // the server splits options at white space; a backslash keeps it, and itself
    let escaped = |c: char| c == '\\' || c == '\u{b}' || c.is_ascii_whitespace();
    let escaped: String = path.chars().flat_map(|c| escaped(c).then_some('\\').into_iter().chain([c])).collect();
    format!("-c search_path={escaped}")
}

/// Sets the `search_path` of a version in the startup options.
pub fn put_on(config: &mut Config, path: &str) {
    let options = startup_options(path);
    let options = config.get_options().map_or_else(|| options.clone(), |before| format!("{before} {options}"));
    config.options(options);
}

/// The same URL or `key=value` string with the `search_path` of a version in its startup options, for drivers of whatever language.
///
/// ```
/// let url = diptych::connect::url_on("postgresql://app@localhost/shop", "public_0002_split_name, public_diptych_guard, public")?;
/// assert!(url.ends_with("/shop?options=%2Dc%20search%5Fpath%3Dpublic%5F0002%5Fsplit%5Fname%2C%5C%20public%5Fdiptych%5Fguard%2C%5C%20public"));
/// # Ok::<(), diptych::Error>(())
/// ```
///
/// With `pooler=true` in it nothing is put in: its role's own setting is the path. The word itself, which no driver knows, goes.
pub fn url_on(url: &str, path: &str) -> Result<String> {
    let target = parse(url)?;
    let placement = target.placement();
    let mut options: Vec<String> = target.config.get_options().map(str::to_owned).into_iter().collect();
    let rest = url::without(url, &mut |key, _| {
        Ok(match key {
            "pooler" => Parameter::Taken,
            "options" if placement == Placement::Options => Parameter::Taken,
            _ => Parameter::Left,
        })
    })?;
    if placement == Placement::Role {
        return Ok(rest);
    }
    options.push(startup_options(path));
    Ok(url::with(&rest, "options", &options.join(" ")))
}

/// The same URL or `key=value` string without its password, to be shown.
pub fn without_password(url: &str) -> Result<String> {
    parse(url)?;
    url::without_password(url)
}

/// Opens a session and drives it in the background.
pub(crate) async fn open(target: &Target) -> Result<Client> {
    open_holding(target, Arc::new(())).await
}

/// The same; what is held goes with the session.
pub(crate) async fn open_holding(target: &Target, held: Arc<impl Send + Sync + 'static>) -> Result<Client> {
    let told = Connecting::begin(|| target.place(), &target.config);
    let opened = open_as_asked(target, held).await;
    told.ended(&opened);
    opened
}

async fn open_as_asked(target: &Target, held: Arc<impl Send + Sync + 'static>) -> Result<Client> {
    let mut config = target.ready();
    let refused = |error| refused_by(target, error);
    if config.get_ssl_mode() == SslMode::Disable {
        return start(&config, NoTls, held).await.map_err(refused);
    }
    let preferred = target.tls.mode() == Mode::Prefer;
    let encrypted = match target.tls.connector() {
        Ok(connector) => start(&config, connector, Arc::clone(&held)).await,
        Err(_) if preferred => return start(&config, NoTls, held).await.map_err(refused),
        Err(error) => return Err(error),
    };
    match encrypted {
        // as libpq does: TLS may be offered and yet not work, or not be what pg_hba.conf wants
        Err(error) if preferred && (is_tls(&error) || error.code() == Some(&SqlState::INVALID_AUTHORIZATION_SPECIFICATION)) => {
            start(config.ssl_mode(SslMode::Disable), NoTls, held).await.map_err(|_| refused(error))
        }
        outcome => outcome.map_err(refused),
    }
}

async fn start<T>(config: &Config, tls: T, held: Arc<impl Send + Sync + 'static>) -> Result<Client, tokio_postgres::Error>
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
        drop(held);
    });
    Ok(client)
}

/// Whether TLS is what failed; the driver tells by its words alone.
pub(crate) fn is_tls(error: &tokio_postgres::Error) -> bool {
    error.to_string().starts_with("error performing TLS")
}

/// The server could not be reached, or refused the login.
fn refused_by(target: &Target, source: tokio_postgres::Error) -> Error {
    if let (Some(Ignored { why, hint }), true) = (&target.ignored, describe(&source).contains("password missing")) {
        let message = format!("cannot connect to {}: the server asks for a password, and {why}", target.place());
        return Error::new(Kind::Connection, message).hint(hint).caused_by(source);
    }
    let mode = target.tls().mode();
    let (what, hint) = match source.code().map(SqlState::code).unwrap_or_default() {
        "28000" if mode == Mode::Disable => (
            describe(&source),
            "check the user of --url or DATABASE_URL, and the server's pg_hba.conf: if it admits only TLS, use sslmode=require or more",
        ),
        "28P01" | "28000" => {
            (describe(&source), "check the user and password of --url or DATABASE_URL, and the server's pg_hba.conf")
        }
        "3D000" => (describe(&source), "create the database first, or correct its name in --url or DATABASE_URL"),
        "08P01" if describe(&source).contains("startup parameter") => (
            describe(&source),
            "a pooler passes no startup options on: connect as the version's role, which `migrate roles` makes, and add pooler=true to the URL; or connect to the server itself",
        ),
        "53300" => (describe(&source), "the server has no free connection: close some, or raise max_connections"),
        _ => tls::refusal(&source).unwrap_or_else(|| match describe(&source) {
            what if what.contains("does not support TLS") => (
                format!("the server does not offer TLS, which `sslmode={mode}` requires"),
                "turn `ssl` on in the server's postgresql.conf; or use sslmode=prefer, if nobody can listen on the network",
            ),
            what if is_tls(&source) => (what, "the server's log may say why"),
            what if what.contains("password missing") => (
                "the server asks for a password".to_owned(),
                "give it in --url or DATABASE_URL, after the user and a colon, or in PGPASSWORD or the password file",
            ),
            what => (what, "check host and port of --url or DATABASE_URL, and that the server runs"),
        }),
    };
    let message = format!("cannot connect to {}: {what}", target.place());
    Error::new(Kind::Connection, message).hint(hint).caused_by(source)
}

#[cfg(test)]
mod tests {
    use super::{Placement, SslMode, parse, put_on};
    use crate::database::search_path;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::{Index, select};
    use proptest::test_runner::{Config as Cases, RngSeed};
    use tokio_postgres::Config;

    /// A few cases of one seed; `PROPTEST_CASES` asks for more, from other seeds.
    fn cases() -> Cases {
        let cases = Cases { failure_persistence: None, ..Cases::default() };
        match std::env::var_os("PROPTEST_CASES") {
            Some(_) => cases,
            None => Cases { cases: 1500, rng_seed: RngSeed::Fixed(0x6469_7074_7963_6821), ..cases },
        }
    }

    /// Told apart from every word of a message.
    const SECRET: &str = "hunter2SECRET";

    const GOOD: [&str; 8] = [
        "postgresql://user:hunter2SECRET@host:5432/database?sslmode=disable&application_name=app",
        "postgres://user:hunter2SECRET@[::1]:5432,other/database?options=-c%20a%3Db",
        "postgresql://user@host/database?password=hunter2SECRET&connect_timeout=3",
        "postgresql:///database?host=/run/socket&user=user&password=hunter2SECRET",
        "host=host port=5432 user=user password=hunter2SECRET dbname=database",
        "host=/run/socket user='user' password='hunter2SECRET' target_session_attrs=read-write",
        "jdbc:postgresql://user:hunter2SECRET@host/database?sslmode=disable",
        "postgresql+driver://user:hunter2SECRET@host/database?sslmode=require",
    ];

    fn try_url(text: &str) {
        let error = match parse(text) {
            Ok(target) => return keeps_its_meaning(text, target.config),
            Err(error) => error,
        };
        let told = error.to_string();
        assert!(error.is_refused() && told.contains("hint: "), "{told}");
        assert!(!told.contains(SECRET), "`{text}` is told: {told}");
    }

    /// What is put into a URL as text, or taken out, is what is put into its configuration; all else stays.
    fn keeps_its_meaning(text: &str, mut config: Config) {
        let read = |text: String| parse(&text).unwrap_or_else(|error| panic!("`{text}`: {error}")).config;
        let bare = read(super::without_password(text).unwrap());
        assert_eq!(bare.get_password(), None, "`{text}`");
        assert_eq!(bare.clone().password("x"), config.clone().password("x"), "`{text}`");
        let on = read(super::url_on(text, "\"public_a b\", public_diptych_guard, public").unwrap());
        put_on(&mut config, "\"public_a b\", public_diptych_guard, public");
        assert_eq!(on, config, "`{text}`");
    }

    proptest! {
        #![proptest_config(cases())]

        #[test]
        fn random_text_is_read_or_refused(prefix in select(vec!["", "postgres://", "postgresql://", "host="]), text in any::<String>()) {
            try_url(&format!("{prefix}{text}"));
        }

        #[test]
        fn a_mutated_url_does_not_tell_its_password(
            url in select(GOOD.to_vec()),
            edits in vec((any::<Index>(), any::<bool>(), "[@:/?&=%' \\\\\\[\\],#a-z0-9\0\u{e9}]{0,4}"), 0..6),
        ) {
            let mut url = url.to_owned();
            for (at, cut, text) in edits {
                let at = at.index(url.len() + 1);
                let secret = url.find(SECRET).map_or(0..0, |start| start + 1..start + SECRET.len());
                if !url.is_char_boundary(at) || secret.contains(&at) {
                    continue;
                }
                match url[at..].chars().next() {
                    Some(next) if cut && !url[at..].starts_with(SECRET) => url.replace_range(at..at + next.len_utf8(), &text),
                    _ => url.insert_str(at, &text),
                }
            }
            prop_assert!(url.contains(SECRET));
            try_url(&url);
        }

        #[test]
        fn a_search_path_is_one_option(base in name(), views in name(), before in proptest::option::of(Just("-c a=b"))) {
            let mut config = Config::new();
            before.map(|before| config.options(before));
            let guard = format!("{base}_guard");
            put_on(&mut config, &search_path(&views, &guard, &base));
            let options = split(config.get_options().unwrap_or_default());
            let letters = "abcdefghijklmnopqrstuvwxyz_";
            let plain = |name: &str| name.starts_with(|c| letters.contains(c)) && name.chars().all(|c| letters.contains(c) || c.is_ascii_digit());
            let quoted = |name: &str| if plain(name) { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) };
            let path = format!(
                "search_path={}, {}, {}",
                quoted(&views),
                quoted(&guard),
                quoted(&base)
            );
            let mut expected = vec!["-c".to_owned(), path];
            if before.is_some() {
                expected.splice(0..0, ["-c".to_owned(), "a=b".to_owned()]);
            }
            prop_assert_eq!(options, expected);
        }
    }

    fn name() -> impl Strategy<Value = String> {
        prop_oneof!["[a-z_]{1,12}", "[a-z \\\\\"'\t\n\r\u{b}\u{c}$,;-]{1,12}", "\\PC{1,12}"]
    }

    /// As the server does it (`pg_split_opts`).
    fn split(options: &str) -> Vec<String> {
        let mut found = Vec::new();
        let mut rest = options.chars().peekable();
        let is_space = |c: &char| matches!(c, ' ' | '\t' | '\n' | '\u{b}' | '\u{c}' | '\r');
        loop {
            while rest.next_if(is_space).is_some() {}
            let mut option = String::new();
            while let Some(next) = rest.next_if(|c| !is_space(c)) {
                option.push(if next == '\\' { rest.next().unwrap_or(next) } else { next });
            }
            if option.is_empty() {
                return found;
            }
            found.push(option);
        }
    }

    #[test]
    fn what_looks_like_a_url_does_not_tell_its_password() {
        for url in [
            "jdbc:postgresql://user:hunter2SECRET@host/database?sslmode=disable",
            " postgresql://user:hunter2SECRET@host/database?sslmode=disable",
            "host=host password=two hunter2SECRET=words",
            "postgresql://user:hunter2SECRET?sslmode=disable",
            "postgresql://user:p@hunter2SECRET@host/database",
            "postgresql://user:p@x/hunter2SECRET@host/database?a=b",
        ] {
            assert!(!parse(url).unwrap_err().to_string().contains("SECRET"), "{url}");
        }
        for url in [
            "postgresql://user@[fe80::1%25eth0]/database",
            "postgresql://[::1]:5432/d",
            "host=::1",
            "host=a,b",
            "postgresql:///d?host=/run/a:b",
        ] {
            parse(url).unwrap_or_else(|error| panic!("{url}: {error}"));
        }
    }

    #[test]
    fn a_text_says_whether_a_pooler_is_there() {
        for (url, placement) in [
            ("postgresql://u@h/db?sslmode=disable&pooler=true", Placement::Role),
            ("host=h pooler='true' dbname=d", Placement::Role),
            ("postgresql://h/db?pooler=true&pooler=false", Placement::Options),
            ("host=h", Placement::Options),
        ] {
            assert_eq!(parse(url).unwrap().placement(), placement, "{url}");
            let on = super::url_on(url, "a, b, c").unwrap();
            assert_eq!((on.contains("options"), on.contains("pooler")), (placement == Placement::Options, false), "{url}");
        }
        let error = parse("host=h pooler=SECRET").unwrap_err();
        assert!(error.is_refused() && !error.to_string().contains("SECRET"), "{error}");
    }

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
