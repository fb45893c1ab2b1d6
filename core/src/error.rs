//! The one error of this crate: a message and, where there is one, the way out.

use std::fmt;

/// What went wrong while reading, applying or planning migrations.
///
/// `Display` prints the message and, on a line of its own, `hint: …` where there is a way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    message: String,
    hint: Option<String>,
    place: Option<Place>,
}

/// Where in a file something is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A line and a column of the text, from 1.
    Text {
        /// The line.
        line: usize,
        /// The column.
        column: usize,
    },
    /// The operation with this number, from 1.
    Operation(usize),
}

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error with a lowercase message that names its object in full.
    pub fn new(message: impl Into<String>) -> Self {
        Error { message: message.into(), hint: None, place: None }
    }

    /// The same error with a hint that can be followed literally.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same error with `prefix: ` before its message.
    #[must_use]
    pub fn within(mut self, prefix: impl fmt::Display) -> Self {
        self.message = format!("{prefix}: {}", self.message);
        self
    }

    /// The same error with its place, unless one is known that is more exact.
    #[must_use]
    pub fn at(mut self, place: Place) -> Self {
        self.place = self.place.or(Some(place));
        self
    }

    /// Where in its file it is, where that is known.
    pub fn place(&self) -> Option<Place> {
        self.place
    }

    /// The message without the hint.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The hint, where there is one.
    pub fn hint_text(&self) -> Option<&str> {
        self.hint.as_deref()
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

impl std::error::Error for Error {}
