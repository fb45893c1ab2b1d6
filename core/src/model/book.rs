//! Questions to PostgreSQL about texts of the user's own, and its answers.
//!
//! The planner is a function of the migrations and of facts: where it needs one that nobody has told it yet, it notes the question and
//! goes on with what the text seems to say. Whoever has a server puts the open questions to it, and plans again with the answers.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

use crate::model::facts::Facts;
use crate::model::lexer;
use crate::model::texts::Purpose;
use crate::names;

/// A column of the scope that a question is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ScopeColumn {
    /// Its name.
    pub name: String,
    /// Its type.
    pub sql_type: String,
    /// Its collation, where it is not the type's own.
    pub collation: Option<String>,
}

/// What becomes of the scope before the text is printed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Then {
    /// The table gets another name.
    Table {
        /// The name to be.
        to: String,
    },
    /// A column gets another name.
    Column {
        /// The name so far.
        from: String,
        /// The name to be.
        to: String,
    },
    /// Labels of an enum get other names.
    Labels {
        /// The enum.
        of: String,
        /// The names to be, by those so far.
        names: BTreeMap<String, String>,
    },
}

/// A question for PostgreSQL: what does this text read, in this scope.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Question {
    /// The name by which the row is called.
    pub table: String,
    /// The columns in scope.
    pub columns: Vec<ScopeColumn>,
    /// Enums that are not in the database yet, or have other labels there.
    pub enums: BTreeMap<String, Vec<String>>,
    /// Extensions that may not be in the database yet.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub extensions: BTreeSet<String>,
    /// Domains and composite types that are not in the database yet, each after those that it is made of: `DOMAIN` or `TYPE`, name, and what
    /// `CREATE … AS` is told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub own_types: Vec<(String, String, String)>,
    /// Sequences that are not in the database yet.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub sequences: BTreeSet<String>,
    /// What the text stands for.
    pub purpose: Purpose,
    /// The text.
    pub text: String,
    /// What becomes of the scope before it is printed.
    pub then: Vec<Then>,
}

impl Question {
    /// A short name for it, the same in every release.
    pub fn key(&self) -> String {
        let text = serde_json::to_string(self).unwrap_or_else(|error| unreachable!("a question is plain data: {error}"));
        format!("{:016x}", names::hash(&text))
    }

    /// What the text seems to say.
    pub fn assume(&self) -> Facts {
        let mut facts = lexer::assume(&self.text, &self.table, self.columns.iter().map(|column| column.name.as_str()));
        if !self.then.is_empty() {
            facts.printed = self.after().text;
        }
        for change in &self.then {
            if let Then::Column { from, to } = change {
                facts.rename_column(from, to);
            }
        }
        facts
    }

    /// The same question when all has become of the scope that is to, of the text as its author would change it.
    #[must_use]
    pub fn after(&self) -> Question {
        let mut after = self.clone();
        for change in std::mem::take(&mut after.then) {
            match &change {
                Then::Table { to } => {
                    let is_column = after.columns.iter().any(|column| column.name == after.table);
                    after.text = lexer::renamed_table(&after.text, &after.table, to, is_column);
                    after.table.clone_from(to);
                }
                Then::Column { from, to } => {
                    after.text = lexer::renamed(&after.text, &self.table, from, to);
                    after.columns.iter_mut().filter(|column| column.name == *from).for_each(|column| column.name.clone_from(to));
                }
                Then::Labels { of, names } => {
                    after.text = lexer::relabelled(&after.text, names);
                    let labels = after.enums.get_mut(of).into_iter().flatten();
                    labels.for_each(|label| names.get(label).into_iter().for_each(|to| label.clone_from(to)));
                }
            }
        }
        after
    }
}

/// What PostgreSQL says to a question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// The facts.
    Facts(Facts),
    /// It does not take the text, in its own words.
    Refused(String),
}

/// Questions and answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Book {
    answers: BTreeMap<String, Answer>,
    open: BTreeMap<String, Question>,
}

impl Book {
    /// The facts; what the text seems to say, and an open question, where nobody has answered.
    pub fn ask(&mut self, question: Question) -> Facts {
        let is_default = matches!(question.purpose, Purpose::Default(_)) && question.then.is_empty();
        if let Some(facts) = Some(&question.text).filter(|_| is_default).and_then(|text| lexer::certain(text)) {
            return facts;
        }
        let key = question.key();
        match self.answers.get(&key) {
            Some(Answer::Facts(facts)) => facts.clone(),
            Some(Answer::Refused(_)) => question.assume(),
            None => {
                let facts = question.assume();
                self.open.insert(key, question);
                facts
            }
        }
    }

    /// PostgreSQL's own words, where it does not take the text.
    pub fn refusal(&self, question: &Question) -> Option<&str> {
        match self.answers.get(&question.key()) {
            Some(Answer::Refused(words)) => Some(words),
            _ => None,
        }
    }

    /// The questions that nobody has answered.
    pub fn open(&self) -> impl Iterator<Item = &Question> {
        self.open.values()
    }

    /// Takes an answer.
    pub fn answer(&mut self, question: &Question, answer: Answer) {
        let key = question.key();
        self.open.remove(&key);
        self.answers.insert(key, answer);
    }
}
