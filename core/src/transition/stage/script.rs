//! What migrations run at a place among their operations, beside what they change in the model.

use std::collections::BTreeMap;

use crate::model::expression::Expression;
use crate::model::schema::{Constraint, Enum, Table};
use crate::sql::Sql;
use crate::transition::stage::Stage;

/// One such piece of work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// The migration that has it.
    pub migration: String,
    /// What it does.
    pub work: Work,
    /// When it runs.
    pub moment: Moment,
}

/// What a script does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Work {
    /// Statements of the user's own.
    Sql {
        /// The statements.
        up: String,
        /// Run at rollback.
        down: Option<String>,
    },
    /// New rows.
    Insert(Box<Insert>),
    /// Rows that go.
    Delete(Box<Delete>),
}

/// New rows of a table, in the form that the table has at this place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Insert {
    /// The table's name at this place.
    pub table: String,
    /// The table at this place.
    pub model: Table,
    /// The columns that a row gives a value to, in the table's order.
    pub columns: Vec<String>,
    /// The values, in the order of the columns; `DEFAULT` where a row gives none.
    pub rows: Vec<Vec<Sql>>,
    /// The columns that count by themselves, each with the numbers that the rows give it.
    pub numbers: Vec<(String, Numbers)>,
    /// What becomes of a row whose key is there already.
    pub conflict: Conflict,
    /// Those of the values that are expressions.
    pub expressions: Vec<Expression>,
    /// The enums of its columns as they are at this place.
    pub enums: BTreeMap<String, Enum>,
}

/// The numbers of rows, from the lowest to the highest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numbers {
    /// What a sequence that counts down goes on behind.
    pub lowest: i64,
    /// What any other goes on behind.
    pub highest: i64,
}

/// Rows of a table that go, in the form that the table has from this place on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delete {
    /// The table's name.
    pub table: String,
    /// The table at this place.
    pub model: Table,
    /// Which rows.
    pub condition: Expression,
    /// Every table that there is at this place, its own and those that its condition may read: whether the older version has it, and how many
    /// layers its lineage has.
    pub tables: BTreeMap<String, (bool, usize)>,
    /// The foreign keys at this place that are asked when its rows go, each with its table.
    pub keys: Vec<(String, Constraint)>,
}

/// What becomes of a new row whose key is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conflict {
    /// It is refused.
    Refuse,
    /// It is left out.
    Skip,
}

/// When a script runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// At start, before the new version is published.
    Start,
    /// At complete.
    Complete,
}

impl Insert {
    /// Whether a value comes out of other tables, which may have to be made first.
    pub fn reads_tables(&self) -> bool {
        self.expressions.iter().any(|text| !text.facts([]).relations.is_empty())
    }
}

impl Script {
    /// The user's own statements that undo it.
    pub fn down(&self) -> Option<&str> {
        match &self.work {
            Work::Sql { down, .. } => down.as_deref(),
            Work::Insert(_) | Work::Delete(_) => None,
        }
    }

    fn is_opaque(&self) -> bool {
        matches!(self.work, Work::Sql { .. })
    }
}

impl Stage {
    /// Adds a script at this place.
    pub fn script(&mut self, work: Work, moment: Moment) {
        self.scripts.push(Script { migration: self.migration.clone(), work, moment });
    }

    /// The scripts of a moment, in order.
    pub fn scripts_of(&self, moment: Moment) -> impl Iterator<Item = &Script> {
        self.scripts.iter().filter(move |script| script.moment == moment)
    }

    /// Whether the migrations run statements that may do anything.
    pub fn is_opaque(&self) -> bool {
        self.scripts.iter().any(Script::is_opaque)
    }

    /// The same of a moment, before so many of its scripts.
    pub fn is_opaque_before(&self, moment: Moment, number: usize) -> bool {
        self.scripts_of(moment).take(number).any(Script::is_opaque)
    }
}
