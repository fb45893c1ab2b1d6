//! What a command runs with: database, folder, schema, patience; and how it fails.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use diptych::{Migrator, Missing, Options, internal};
use diptych_core::Place;

use crate::findings::{Rule, Subject};
use crate::folder::{self, Survey};
use crate::{Global, Lacking, Leaving, Project, Starting};

/// A failure as it is printed: a message and, where there is one, a `hint:` line.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
    /// What the process ends with.
    pub(crate) code: u8,
    /// What `check` calls it, where it is one of its findings.
    pub(crate) finding: Option<Box<(Rule, Subject)>>,
    /// Where within its file it is.
    pub(crate) place: Option<Place>,
}

impl Failure {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Failure { message: message.into(), hint: None, code: 1, finding: None, place: None }
    }

    pub(crate) fn hinted(message: impl fmt::Display, hint: impl fmt::Display) -> Self {
        Failure { hint: Some(hint.to_string()), ..Failure::new(message.to_string()) }
    }

    /// The same as a finding of `check`.
    pub(crate) fn found(self, rule: Rule, subject: Subject) -> Self {
        Failure { finding: Some(Box::new((rule, subject))), ..self }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(out, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

impl From<diptych::Error> for Failure {
    fn from(error: diptych::Error) -> Self {
        Failure { hint: error.hint_text().map(str::to_owned), ..Failure::new(error.message()) }
    }
}

impl From<diptych_core::Error> for Failure {
    fn from(error: diptych_core::Error) -> Self {
        Failure { place: error.place(), hint: error.hint_text().map(str::to_owned), ..Failure::new(error.message()) }
    }
}

impl From<crate::server::ServerError> for Failure {
    fn from(error: crate::server::ServerError) -> Self {
        Failure { hint: error.hint, ..Failure::new(error.message) }
    }
}

/// The settings of one call.
pub(crate) struct Context {
    url: Option<String>,
    pub(crate) dir: PathBuf,
    pub(crate) base: String,
    pub(crate) hooks: Option<PathBuf>,
    lock_timeout: Duration,
    timeout: Duration,
    batch: Duration,
    workers: usize,
}

impl Context {
    pub(crate) fn new(global: Global, project: Option<&Project>) -> Self {
        let dir =
            global.dir.or_else(|| project.map(|project| project.folder.clone())).unwrap_or_else(|| PathBuf::from("migrations"));
        let base = global.schema.unwrap_or_else(|| project.map_or("public", |project| project.base).to_owned());
        Context {
            url: global.url,
            dir,
            base,
            hooks: global.hooks,
            lock_timeout: global.lock_timeout,
            timeout: global.timeout,
            batch: global.batch,
            workers: global.workers.into(),
        }
    }

    /// The engine on the given database.
    pub(crate) async fn migrator(&self) -> Result<Migrator, Failure> {
        self.connect(self.options()).await
    }

    /// The same for a command that may go on without files that are missing.
    pub(crate) async fn migrator_lacking(&self, lacking: Lacking) -> Result<Migrator, Failure> {
        self.connect(Options { missing: lacking.missing(), ..self.options() }).await
    }

    /// The same for a start.
    pub(crate) async fn migrator_starting(&self, starting: &Starting) -> Result<Migrator, Failure> {
        let options = Options {
            max_rate: starting.max_rate,
            max_lag: starting.max_lag,
            free_space: starting.free_space,
            begin: starting.begin(),
            published_state: starting.published_state(),
            missing: starting.lacking.missing(),
            ..self.options()
        };
        self.connect(options).await
    }

    /// The same for a command that removes a version: held against the folder, unless its files may be missing.
    pub(crate) async fn migrator_leaving(&self, leaving: Leaving) -> Result<Migrator, Failure> {
        let missing = leaving.lacking.missing();
        let mut survey = if missing == Missing::Allow { Survey::default() } else { folder::survey(&self.dir) };
        if let Some(failure) = survey.unusable() {
            return Err(failure);
        }
        let migrator = self.connect(Options { guard: leaving.guard(), missing, ..self.options() }).await?;
        Ok(migrator.recorded(survey.files()))
    }

    /// Whether a database is given.
    pub(crate) fn has_url(&self) -> bool {
        self.url.is_some()
    }

    /// The database's URL; one that leaves everything open where the environment says which database it is.
    pub(crate) fn url(&self) -> Result<&str, Failure> {
        let hint = "give it with --url postgresql://user@host/database, or set DATABASE_URL, or PGHOST and what else psql takes";
        match &self.url {
            Some(url) => Ok(url),
            None if internal::is_in_environment() => Ok("postgresql://"),
            None => Err(Failure::hinted("no database is given", hint)),
        }
    }

    async fn connect(&self, options: Options) -> Result<Migrator, Failure> {
        let config = diptych::connect::parse(self.url()?)?;
        Ok(Migrator::connect(&config, options).await?)
    }

    pub(crate) fn options(&self) -> Options {
        Options {
            base: self.base.clone(),
            lock_timeout: self.lock_timeout,
            timeout: self.timeout,
            batch: self.batch,
            workers: self.workers,
            ..Options::default()
        }
    }
}

/// Reads `500ms`, `2s`, `10m`, `1h`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = text[..digits].parse().map_err(|_| format!("`{text}` is not a duration; write 500ms, 2s or 10m"))?;
    match &text[digits..] {
        "ms" => Ok(Duration::from_millis(number)),
        "s" => Ok(Duration::from_secs(number)),
        "m" => Ok(Duration::from_secs(number.saturating_mul(60))),
        "h" => Ok(Duration::from_secs(number.saturating_mul(3600))),
        _ => Err(format!("`{text}` has no unit; write 500ms, 2s or 10m")),
    }
}

/// Reads `500MB`, `200GB`, `2TB`, as PostgreSQL does, or bytes.
pub(crate) fn size(text: &str) -> Result<u64, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = text[..digits].parse().map_err(|_| format!("`{text}` is not a size; write 500MB, 200GB or 2TB"))?;
    let unit: u64 = match &text[digits..] {
        "" | "B" => 1,
        "kB" => 1 << 10,
        "MB" => 1 << 20,
        "GB" => 1 << 30,
        "TB" => 1 << 40,
        _ => return Err(format!("`{text}` has no unit of PostgreSQL's; write 500MB, 200GB or 2TB")),
    };
    Ok(number.saturating_mul(unit))
}

#[cfg(test)]
mod tests {
    use super::{duration, size};
    use std::time::Duration;

    #[test]
    fn reads_durations_and_sizes_and_refuses_the_rest() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("10m"), Ok(Duration::from_secs(600)));
        assert_eq!([size("7"), size("3kB"), size("2TB")], [Ok(7), Ok(3 << 10), Ok(2 << 40)]);
        assert!(size("").is_err() && size("GB").is_err() && size("1.5GB").is_err() && size("1gb").is_err());
        assert!(duration("10").is_err() && duration("fast").is_err() && duration("").is_err());
    }
}
