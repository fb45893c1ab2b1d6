//! An enum between two versions.

use crate::model::schema::Enum;

/// An enum as one or both versions have it, or as it was for a moment between two operations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnumForm {
    /// Its name.
    pub name: String,
    /// Its labels and comment.
    pub model: Enum,
    /// The older version has it.
    pub in_from: bool,
    /// The newer version has it.
    pub in_to: bool,
}

impl EnumForm {
    /// Whether one type serves both versions.
    pub fn is_shared(&self) -> bool {
        self.in_from && self.in_to
    }
}
