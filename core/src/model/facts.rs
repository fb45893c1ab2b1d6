//! What a SQL text of the user's own reads: asked of PostgreSQL, never guessed (R10).

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What a text reads.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// The columns of the table that it stands in.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub columns: BTreeSet<String>,
    /// The row as a whole.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub whole_row: bool,
    /// A system column, `tableoid` and its like.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub system_columns: bool,
    /// Other tables and views.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub relations: BTreeSet<String>,
    /// Functions, and those of operators, that are not the server's own.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub functions: BTreeSet<String>,
    /// Types that are not the server's own.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub types: BTreeSet<String>,
    /// Sequences of the schema that it draws from by name.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub sequences: BTreeSet<String>,
    /// It takes numbers from a sequence.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub draws_numbers: bool,
    /// Whether it gives the same again.
    #[serde(default, skip_serializing_if = "Volatility::is_immutable")]
    pub volatility: Volatility,
    /// The text as PostgreSQL prints it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub printed: String,
    /// Nobody was asked, or nobody could answer: it is what the text seems to say.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_assumed: bool,
}

/// Whether an expression gives the same again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Volatility {
    /// Always.
    #[default]
    Immutable,
    /// Within a statement; settings and tables count.
    Stable,
    /// Never for sure.
    Volatile,
}

impl Volatility {
    fn is_immutable(&self) -> bool {
        *self == Volatility::Immutable
    }
}

impl Facts {
    /// Whether it reads a column, alone or with its whole row.
    pub fn reads(&self, column: &str) -> bool {
        self.whole_row || self.columns.contains(column)
    }

    /// The same after a column's rename.
    pub fn rename_column(&mut self, from: &str, to: &str) {
        if self.columns.remove(from) {
            self.columns.insert(to.to_owned());
        }
    }
}
