//! The one error of this crate: opaque, with predicates, a hint, and the server's own error behind it.

use std::fmt;
use tokio_postgres::error::SqlState;

use crate::text::printable;

/// What went wrong while talking to a server or carrying a plan out.
#[derive(Debug)]
pub struct Error {
    message: String,
    hint: Option<String>,
    kind: Kind,
    source: Option<tokio_postgres::Error>,
}

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Refused,
    Connection,
    NotPublished,
    Retired,
    InUse,
    Timeout,
    Interrupted,
    Sign,
    Failed,
}

impl Error {
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Error { message: message.into(), hint: None, kind, source: None }
    }

    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Error::new(Kind::Refused, message)
    }

    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same error, with what was being done before it.
    #[must_use]
    pub(crate) fn within(mut self, what: impl fmt::Display) -> Self {
        self.message = format!("{what}: {}", self.message);
        self
    }

    /// A server's or driver's error in the course of `doing` something.
    pub(crate) fn during(doing: impl fmt::Display, source: tokio_postgres::Error) -> Self {
        let mut message = format!("{doing}: {}", describe(&source));
        if let Some(detail) = source.as_db_error().and_then(|error| error.detail()) {
            message = format!("{message} ({})", printable(detail));
        }
        let hint = source.as_db_error().and_then(|error| error.hint()).map(printable);
        Error { message, hint, kind: Kind::Failed, source: Some(source) }
    }

    /// The same error, with the server's or driver's own behind it.
    #[must_use]
    pub(crate) fn caused_by(mut self, source: tokio_postgres::Error) -> Self {
        self.source = Some(source);
        self
    }

    /// Nothing was changed: a precondition does not hold.
    pub fn is_refused(&self) -> bool {
        matches!(self.kind, Kind::Refused | Kind::InUse)
    }

    /// The server could not be reached, or the session was lost.
    pub fn is_connection(&self) -> bool {
        self.kind == Kind::Connection
    }

    /// The version that the binary was built for is not published.
    pub fn is_not_published(&self) -> bool {
        matches!(self.kind, Kind::NotPublished | Kind::Retired)
    }

    /// It is not published any more, or is about to go: a newer release has taken over.
    pub fn is_retired(&self) -> bool {
        self.kind == Kind::Retired
    }

    /// Somebody is on the version that would go; nothing was changed.
    pub fn is_in_use(&self) -> bool {
        self.kind == Kind::InUse
    }

    /// A lock could not be had, or a row not be filled, in time; everything is as it was before the step, and of a backfill what was
    /// filled stays.
    pub fn is_timeout(&self) -> bool {
        self.kind == Kind::Timeout
    }

    /// Somebody has ended the command ([`Progress::ends`](crate::Progress::ends)): nothing is half done, and the same command goes on.
    pub fn is_interrupted(&self) -> bool {
        self.kind == Kind::Interrupted
    }

    /// The query by which a complete waits for its sign cannot be asked, or gives something else than one boolean; nothing was changed.
    pub fn is_sign(&self) -> bool {
        self.kind == Kind::Sign
    }

    /// The server's error code, where it was the server that refused.
    pub fn code(&self) -> Option<&SqlState> {
        self.source.as_ref().and_then(tokio_postgres::Error::code)
    }

    /// The hint, where there is one.
    pub fn hint_text(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// The message without the hint.
    pub fn message(&self) -> &str {
        &self.message
    }
}

/// What becomes of an error in the course of a run.
#[cfg(feature = "migrator")]
impl Error {
    /// The same error with a hint, where it has none of the server's.
    #[must_use]
    pub(crate) fn or_hint(mut self, hint: &str) -> Self {
        self.hint.get_or_insert_with(|| hint.to_owned());
        self
    }

    /// The same error as that of a sign's query.
    #[must_use]
    pub(crate) fn of_sign(self) -> Self {
        Error { kind: Kind::Sign, ..self }
    }

    /// The same error with a step that comes before those of its hint.
    #[must_use]
    pub(crate) fn hint_first(mut self, step: &str) -> Self {
        self.hint = Some(self.hint.map_or_else(|| step.to_owned(), |hint| format!("{step}; {hint}")));
        self
    }

    /// The error of a step that failed, with the way on behind the server's hint.
    #[must_use]
    pub(crate) fn with_way_on(mut self, way: &str) -> Self {
        if self.kind != Kind::Failed || self.source.is_none() {
            return self;
        }
        let hint = self.hint.take();
        self.hint = Some(match hint {
            // the server's word for dependents is to drop them all, unseen
            _ if self.code() == Some(&SqlState::DEPENDENT_OBJECTS_STILL_EXIST) => {
                format!("change or drop what depends on it and {way}")
            }
            Some(hint) => format!("{}; then {way}", hint.trim_end_matches('.')),
            None => format!("nothing of this step was done: correct the cause and {way}"),
        });
        self
    }

    /// The error of a check that changes nothing: what the server says of the SQL or the rows is a refusal.
    #[must_use]
    pub(crate) fn of_check(mut self) -> Self {
        // what no server does, data exceptions, integrity, syntax and access rules, exceptions raised by functions
        if self.code().is_some_and(|code| ["0A", "22", "23", "42", "P0"].iter().any(|class| code.code().starts_with(class))) {
            self.kind = Kind::Refused;
        }
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(out, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|error| error as _)
    }
}

#[cfg(feature = "migrator")]
impl From<diptych_core::Error> for Error {
    fn from(error: diptych_core::Error) -> Self {
        Error {
            message: error.message().to_owned(),
            hint: error.hint_text().map(str::to_owned),
            kind: Kind::Refused,
            source: None,
        }
    }
}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        Error::during("the database refused", error)
    }
}

/// The server's message, or the driver's with its cause; never a password.
pub fn describe(error: &tokio_postgres::Error) -> String {
    use std::error::Error as _;
    match (error.as_db_error(), error.source()) {
        (Some(server), _) => printable(server.message()),
        (None, Some(cause)) => format!("{error}: {cause}"),
        (None, None) => error.to_string(),
    }
}
