//! How a session is secured: what `sslmode` and `sslrootcert` ask for, in libpq's meaning, and where a text says so.

use std::fmt;
use std::path::PathBuf;

use tokio_postgres::config::SslMode;
#[cfg(feature = "tls")]
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::error::{Error, Result};
#[cfg(feature = "tls")]
use crate::target::certificate::{self, Trust};
#[cfg(feature = "tls")]
use crate::target::identity;
use crate::target::placement::Placement;
use crate::target::url::{self, Parameter};

/// What a session asks of TLS; by default, that it is encrypted where the server offers it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    mode: Mode,
    roots: Roots,
    own: Own,
}

/// Who we are to the server, by a certificate: the files of it and of its key. Those that are not named are `~/.postgresql/postgresql.crt`
/// and `.key`, where they are there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Own {
    pub(crate) certificate: Option<PathBuf>,
    pub(crate) key: Option<PathBuf>,
}

/// The values of `sslmode`.
///
/// `allow` is read as `prefer`, which is never weaker. A session over a local socket is never encrypted, whatever the mode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Never encrypted.
    Disable,
    /// Encrypted where the server offers it, and plain where it does not, or does not let us in so. No certificate is verified.
    #[default]
    Prefer,
    /// Encrypted. The certificate is verified, as with `verify-ca`, only where there is a file of authorities.
    Require,
    /// Encrypted, with a certificate that an authority of `sslrootcert` signed.
    VerifyCa,
    /// The same, and the certificate is for the host of the URL.
    VerifyFull,
}

/// The authorities that may sign the server's certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Roots {
    /// None is named: those of `~/.postgresql/root.crt`, or the system's for `verify-full`.
    #[default]
    Usual,
    /// The system's.
    System,
    /// Those of a PEM file.
    File(PathBuf),
}

impl Tls {
    /// What `sslmode` asks for.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// What opens sessions so secured, for pools: beside the configuration of [`config`](crate::connect::config).
    ///
    /// # Errors
    ///
    /// The file of authorities cannot be read, or this processor has not got what TLS is built on.
    #[cfg(feature = "tls")]
    pub fn connector(&self) -> Result<MakeRustlsConnect> {
        certificate::connector(self.trust()?, identity::of(self.own.certificate.clone(), self.own.key.clone())?)
    }

    /// Whose certificate is good enough.
    #[cfg(feature = "tls")]
    fn trust(&self) -> Result<Trust> {
        let usual = || std::env::home_dir().map(|home| home.join(".postgresql/root.crt")).filter(|path| path.is_file());
        let file = match &self.roots {
            Roots::File(path) => Some(path.clone()),
            Roots::System => None,
            Roots::Usual => usual(),
        };
        match (self.mode, file) {
            (Mode::Disable | Mode::Prefer, _) | (Mode::Require, None) => Ok(Trust::Anyone),
            (Mode::Require | Mode::VerifyCa, Some(file)) => certificate::of_file(&file).map(Trust::Authorities),
            (Mode::VerifyFull, Some(file)) => certificate::of_file(&file).map(Trust::AuthoritiesAndName),
            (Mode::VerifyFull, None) => certificate::of_system().map(Trust::AuthoritiesAndName),
            // any name will do: with the system's authorities everybody who owns a domain would pass
            (Mode::VerifyCa, None) => Err(Error::refused("`sslmode=verify-ca` needs to know whose certificates to accept")
                .hint("name the file with the authority's certificate: sslrootcert=PATH; or use sslmode=verify-full")),
        }
    }
}

#[cfg(not(feature = "tls"))]
impl Tls {
    /// There is none to be had.
    pub(crate) fn connector(&self) -> Result<tokio_postgres::NoTls> {
        Err(Error::refused(format!("this program was built without TLS, which `sslmode={}` demands", self.mode))
            .hint("turn on the feature `tls` of the crate `diptych`; or, if nobody can listen on the way, use sslmode=disable"))
    }
}

/// What a refusal that has to do with certificates means, and what to do.
pub(crate) fn refusal(error: &tokio_postgres::Error) -> Option<(String, &'static str)> {
    #[cfg(feature = "tls")]
    return certificate::refusal(error);
    #[cfg(not(feature = "tls"))]
    {
        let _ = error;
        None
    }
}

impl From<SslMode> for Tls {
    fn from(mode: SslMode) -> Self {
        let mode = match mode {
            SslMode::Disable => Mode::Disable,
            SslMode::Prefer => Mode::Prefer,
            _ => Mode::Require,
        };
        Tls { mode, roots: Roots::Usual, own: Own::default() }
    }
}

impl From<Mode> for SslMode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Disable => SslMode::Disable,
            Mode::Prefer => SslMode::Prefer,
            Mode::Require | Mode::VerifyCa | Mode::VerifyFull => SslMode::Require,
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Mode::Disable => "disable",
            Mode::Prefer => "prefer",
            Mode::Require => "require",
            Mode::VerifyCa => "verify-ca",
            Mode::VerifyFull => "verify-full",
        })
    }
}

/// Takes `sslmode`, `sslrootcert`, `sslcert`, `sslkey` and `pooler` out of a URL or `key=value` string; the driver knows a part of the first alone.
pub(crate) fn take_from(text: &str) -> Result<(Tls, Placement, String)> {
    let mut asked = Asked::default();
    let rest = url::without(text, &mut |key, value| asked.take(key, value))?;
    let placement = asked.placement;
    Ok((asked.check()?, placement, rest))
}

/// What was found so far; of a parameter given twice the last counts, as in libpq.
#[derive(Default)]
struct Asked {
    mode: Option<Mode>,
    roots: Roots,
    own: Own,
    placement: Placement,
}

impl Asked {
    fn take(&mut self, key: &str, value: &str) -> Result<Parameter> {
        match key {
            "sslmode" => {
                self.mode = Some(match value {
                    "disable" => Mode::Disable,
                    "allow" | "prefer" => Mode::Prefer,
                    "require" => Mode::Require,
                    "verify-ca" => Mode::VerifyCa,
                    "verify-full" => Mode::VerifyFull,
                    _ => {
                        return Err(Error::refused(format!("there is no `sslmode={value}`"))
                            .hint("use disable, prefer, require, verify-ca or verify-full"));
                    }
                });
            }
            "sslrootcert" => {
                self.roots = match value {
                    "" => Roots::Usual,
                    "system" => Roots::System,
                    path => Roots::File(PathBuf::from(path)),
                };
            }
            "sslcert" => self.own.certificate = named(value),
            "sslkey" => self.own.key = named(value),
            "pooler" => {
                self.placement = match value {
                    "true" => Placement::Role,
                    "false" => Placement::Options,
                    _ => {
                        return Err(
                            Error::refused("the parameter `pooler` has another value than it can have").hint("use true or false")
                        );
                    }
                };
            }
            _ => return Ok(Parameter::Left),
        }
        Ok(Parameter::Taken)
    }

    fn check(self) -> Result<Tls> {
        let mode = match (self.mode, &self.roots) {
            (None, Roots::System) => Mode::VerifyFull,
            (Some(mode), Roots::System) if mode != Mode::VerifyFull => {
                return Err(Error::refused(format!("`sslmode={mode}` is too weak for `sslrootcert=system`"))
                    .hint("use sslmode=verify-full: everybody can have a certificate that the system trusts"));
            }
            (mode, _) => mode.unwrap_or_default(),
        };
        Ok(Tls { mode, roots: self.roots, own: self.own })
    }
}

/// A file, unless it is named by nothing.
fn named(path: &str) -> Option<PathBuf> {
    (!path.is_empty()).then(|| PathBuf::from(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, mode: Mode, roots: &str, rest: &str) {
        let (tls, _, left) = take_from(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        let roots = match roots {
            "" => Roots::Usual,
            "system" => Roots::System,
            path => Roots::File(PathBuf::from(path)),
        };
        assert_eq!((tls, left.as_str()), (Tls { mode, roots, own: Own::default() }, rest), "{text}");
        left.parse::<tokio_postgres::Config>().unwrap_or_else(|error| panic!("{left}: {error}"));
    }

    #[test]
    fn urls_give_up_what_the_driver_does_not_know() {
        check("postgresql://u@h/db", Mode::Prefer, "", "postgresql://u@h/db");
        check("postgres://u@h/db?sslmode=disable", Mode::Disable, "", "postgres://u@h/db");
        check("postgres://u@h/db?sslmode=allow", Mode::Prefer, "", "postgres://u@h/db");
        check(
            "postgresql://u:p%3F@h:1/db?connect_timeout=3&sslmode=verify-full&sslrootcert=%2Fa%20b%2Fca.crt&options=-c%20a%3Db",
            Mode::VerifyFull,
            "/a b/ca.crt",
            "postgresql://u:p%3F@h:1/db?connect_timeout=3&options=-c%20a%3Db",
        );
        // a password with a `?` in it
        check(
            "postgresql://u:p?sslmode=disable@h/db?sslmode=require",
            Mode::Require,
            "",
            "postgresql://u:p?sslmode=disable@h/db",
        );
        check("postgresql://h?%73slmode=require&sslmode=verify-ca&sslrootcert=x", Mode::VerifyCa, "x", "postgresql://h");
        check("postgresql:///db?host=%2Ftmp&sslrootcert=system", Mode::VerifyFull, "system", "postgresql:///db?host=%2Ftmp");
        check("postgresql://h/db?sslrootcert=&sslmode=require", Mode::Require, "", "postgresql://h/db");
    }

    #[test]
    fn pairs_give_it_up_too() {
        check("", Mode::Prefer, "", "");
        check("host=h sslmode=verify-ca sslrootcert=/ca user=u", Mode::VerifyCa, "/ca", "host=h user=u");
        check(
            r"sslrootcert = '/a b/it\'s' password='x sslmode=disable' sslmode='require'",
            Mode::Require,
            "/a b/it's",
            r" password='x sslmode=disable'",
        );
        check(r"password=a\ sslmode=disable host=h", Mode::Prefer, "", r"password=a\ sslmode=disable host=h");
        check("host=a sslmode=require\nsslmode = verify-full", Mode::VerifyFull, "", "host=a");
        check("host=h password=''", Mode::Prefer, "", "host=h password=''");
    }

    #[test]
    fn the_own_certificate_is_taken_as_well() {
        let (tls, _, rest) = take_from("postgresql://h/db?sslcert=%2Fa%2Fme.crt&sslkey=me.key").unwrap();
        let own = Own { certificate: Some("/a/me.crt".into()), key: Some("me.key".into()) };
        assert_eq!((tls.own, rest.as_str()), (own, "postgresql://h/db"));
        assert_eq!(take_from("sslcert='' host=h").unwrap().0.own, Own::default());
    }

    #[test]
    fn what_is_wrong_or_weak_is_refused() {
        for (text, part) in [
            ("postgresql://h?sslmode=verify", "`sslmode=verify`"),
            ("postgresql://h?sslmode=", "`sslmode=`"),
            ("host=h sslmode=Require", "`sslmode=Require`"),
            ("sslmode=require sslrootcert=system", "too weak"),
            ("host=h =x sslmode=verify-full", "no name"),
        ] {
            let error = take_from(text).unwrap_err();
            assert!(error.is_refused() && error.message().contains(part) && error.hint_text().is_some(), "{text}: {error}");
        }
        let left = take_from("host=h sslmode='require").unwrap().2;
        assert!(left.parse::<tokio_postgres::Config>().is_err(), "{left}");
    }
}
