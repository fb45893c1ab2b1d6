//! What a command runs with: database, folder, schema, patience; and how it fails.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use diptych::{Guard, Migrator, Options};

use crate::{Global, Project};

/// A failure as it is printed: a message and, where there is one, a `hint:` line.
#[derive(Debug)]
pub(crate) struct Failure(String);

impl Failure {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Failure(message.into())
    }

    pub(crate) fn hinted(message: impl fmt::Display, hint: impl fmt::Display) -> Self {
        Failure(format!("{message}\nhint: {hint}"))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl From<diptych::Error> for Failure {
    fn from(error: diptych::Error) -> Self {
        Failure(error.to_string())
    }
}

impl From<diptych::core::Error> for Failure {
    fn from(error: diptych::core::Error) -> Self {
        Failure(error.to_string())
    }
}

impl From<crate::server::ServerError> for Failure {
    fn from(error: crate::server::ServerError) -> Self {
        Failure(error.to_string())
    }
}

/// The settings of one call.
pub(crate) struct Context {
    url: Option<String>,
    pub(crate) dir: PathBuf,
    pub(crate) base: String,
    lock_timeout: Duration,
    timeout: Duration,
}

impl Context {
    pub(crate) fn new(global: Global, project: Option<&Project>) -> Self {
        let dir =
            global.dir.or_else(|| project.map(|project| project.folder.clone())).unwrap_or_else(|| PathBuf::from("migrations"));
        let base = global.schema.unwrap_or_else(|| project.map_or("public", |project| project.base).to_owned());
        Context { url: global.url, dir, base, lock_timeout: global.lock_timeout, timeout: global.timeout }
    }

    /// The engine on the given database.
    pub(crate) async fn migrator(&self) -> Result<Migrator, Failure> {
        self.connect(self.options()).await
    }

    /// The same for a command that removes a version.
    pub(crate) async fn migrator_with(&self, guard: Guard) -> Result<Migrator, Failure> {
        self.connect(Options { guard, ..self.options() }).await
    }

    async fn connect(&self, options: Options) -> Result<Migrator, Failure> {
        let Some(url) = &self.url else {
            return Err(Failure::hinted(
                "no database is given",
                "give it with --url postgresql://user@host/database, or set DATABASE_URL",
            ));
        };
        let config = diptych::connect::parse(url)?;
        Ok(Migrator::connect(&config, options).await?)
    }

    pub(crate) fn options(&self) -> Options {
        Options { base: self.base.clone(), lock_timeout: self.lock_timeout, timeout: self.timeout, ..Options::default() }
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

#[cfg(test)]
mod tests {
    use super::duration;
    use std::time::Duration;

    #[test]
    fn reads_durations_and_refuses_the_rest() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("10m"), Ok(Duration::from_secs(600)));
        assert!(duration("10").is_err() && duration("fast").is_err() && duration("").is_err());
    }
}
