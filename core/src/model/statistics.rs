//! Extended statistics: what the planner learns of several columns of a table together, or of an expression.

use serde::{Deserialize, Serialize};

use crate::model::expression::{self, Expression};

/// The kinds, in PostgreSQL's order.
pub const KINDS: [&str; 3] = ["ndistinct", "dependencies", "mcv"];

/// Statistics by `CREATE STATISTICS`. Their target and comment are in no model: they survive as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statistics {
    /// The kinds; every one where none is said.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<String>,
    /// The columns by name: PostgreSQL keeps no order of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// The expressions in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expressions: Vec<Expression>,
}

impl Statistics {
    /// The same with every default left out, and words of one letter case.
    #[must_use]
    pub fn normal(mut self) -> Self {
        let has = |kind: &&str| self.kinds.iter().any(|there| there.eq_ignore_ascii_case(kind));
        let known: Vec<String> = KINDS.into_iter().filter(has).map(str::to_owned).collect();
        // a word that is no kind stays for the rules to name
        let is_unknown = |kind: &String| !KINDS.iter().any(|known| known.eq_ignore_ascii_case(kind));
        let unknown = self.kinds.iter().filter(|kind| is_unknown(kind)).cloned();
        self.kinds = known.into_iter().chain(unknown).collect();
        if self.kinds == KINDS {
            self.kinds.clear();
        }
        self.columns.sort();
        self
    }

    /// The texts of the user's own in it.
    pub fn texts(&self) -> Vec<&Expression> {
        self.expressions.iter().collect()
    }

    /// The same, to be changed.
    pub fn texts_mut(&mut self) -> Vec<&mut Expression> {
        self.expressions.iter_mut().collect()
    }

    /// Whether they are others' equal, in whatever words, as far as PostgreSQL's printing of them tells.
    pub fn says_the_same(&self, other: &Statistics) -> bool {
        expression::alike(self, other, Statistics::texts, Statistics::texts_mut)
    }

    /// The same after a column's rename, but for their texts.
    pub fn rename_column(&mut self, from: &str, to: &str) {
        for column in self.columns.iter_mut().filter(|column| *column == from) {
            to.clone_into(column);
        }
        self.columns.sort();
    }

    /// The second part of the name that PostgreSQL gives unnamed ones.
    pub fn default_stem(&self) -> String {
        let expressions = self.expressions.iter().map(|_| "expr");
        self.columns.iter().map(String::as_str).chain(expressions).collect::<Vec<_>>().join("_")
    }
}
