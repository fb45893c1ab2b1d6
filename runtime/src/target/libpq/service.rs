//! The service file: settings under a name, in `~/.pg_service.conf` or the system's file.

use std::path::{Path, PathBuf};

use tokio_postgres::Config;

use crate::error::{Error, Result};
use crate::target::libpq::Surroundings;
use crate::target::{tls, url};

/// Where the system's file is if no variable says so: Debian's and Red Hat's place.
const SYSTEM: [&str; 2] = ["/etc/postgresql-common", "/etc/sysconfig/pgsql"];
/// Its name there.
const FILE: &str = "pg_service.conf";

impl Surroundings<'_> {
    /// The settings of a service, in order.
    pub(super) fn service(&self, name: &str) -> Result<Vec<(String, String)>> {
        let own = match self.variable("PGSERVICEFILE") {
            Some(path) if !Path::new(&path).is_file() => {
                return Err(Error::refused(format!("the service file `{path}` of PGSERVICEFILE is not there"))
                    .hint("correct PGSERVICEFILE, or unset it: then ~/.pg_service.conf counts"));
            }
            Some(path) => Some(PathBuf::from(path)),
            None => self.home.as_ref().map(|home| home.join(".pg_service.conf")),
        };
        let system: Vec<PathBuf> = match self.variable("PGSYSCONFDIR") {
            Some(folder) => vec![Path::new(&folder).join(FILE)],
            None => SYSTEM.iter().map(|folder| Path::new(folder).join(FILE)).collect(),
        };
        for path in own.into_iter().chain(system).filter(|path| path.is_file()) {
            let text = std::fs::read_to_string(&path).map_err(|error| {
                Error::refused(format!("the service file `{}` cannot be read: {error}", path.display()))
                    .hint("let this user read it, or give the database with --url or DATABASE_URL")
            })?;
            if let Some(settings) = section(&path, &text, name)? {
                return Ok(settings);
            }
        }
        // a URL's own words are not told
        Err(Error::refused("no service file has the service that the URL or PGSERVICE names")
            .hint("write a section of its name and the settings into ~/.pg_service.conf, or name a service that is there"))
    }
}

/// The settings of a section; none where the file does not have it.
fn section(path: &Path, text: &str, name: &str) -> Result<Option<Vec<(String, String)>>> {
    let mut found: Option<Vec<(String, String)>> = None;
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(title) = line.strip_prefix('[') {
            if found.is_some() {
                break;
            }
            found = title.strip_prefix(name).is_some_and(|rest| rest.starts_with(']')).then(Vec::new);
            continue;
        }
        let Some(settings) = &mut found else { continue };
        let refuse = |what: &str| {
            Err(Error::refused(format!("line {} of the service file `{}` {what}", number + 1, path.display()))
                .hint("write name=value there, without blanks round the `=`, or take the line out"))
        };
        let Some((key, value)) = line.split_once('=') else { return refuse("is no setting") };
        if key == "service" {
            return refuse("names another service, which a service cannot");
        }
        if !is_known(key, value) {
            return refuse("has a setting that is not known here, or another value than it can have");
        }
        // of a setting that is there twice the first counts
        if settings.iter().all(|(there, _)| there != key) {
            settings.push((key.to_owned(), value.to_owned()));
        }
    }
    Ok(found)
}

/// Whether a URL may have the same.
fn is_known(key: &str, value: &str) -> bool {
    let alone = url::with("", key, value);
    key == "passfile" || tls::take_from(&alone).is_ok_and(|(_, _, rest)| rest.parse::<Config>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_is_read_as_in_libpq() {
        let text = "# all\n[other]\nhost=a\n\n[shop]\n  host=b \nport=1\nport=2\n# no\noptions=-c a=b c\n[shop]\nuser=late\n";
        let read = |name| section(Path::new("f"), text, name).unwrap();
        let wanted =
            [("host", "b"), ("port", "1"), ("options", "-c a=b c")].map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(read("shop"), Some(wanted.to_vec()));
        assert_eq!((read("sho"), read("nobody")), (None, None));
        for (text, part) in [
            ("[s]\nhost", "line 2 of the service file `f` is no setting"),
            ("[s]\nservice=t", "another service"),
            ("[s]\nhorst=t", "not known"),
            ("[s]\nsslmode=t", "another value"),
        ] {
            let error = section(Path::new("f"), text, "s").unwrap_err();
            assert!(error.message().contains(part) && error.hint_text().is_some(), "{error}");
        }
    }
}
