//! The plan: what start, complete and rollback will run, as a value that can be printed, stored and resumed (R5).

use serde::{Deserialize, Serialize};
use std::fmt;

use crate::hazard::Hazard;
use crate::layout::chain::Chain;
use crate::layout::tables::Physical;
use crate::sql::{Sql, qualified};
use crate::statements::path::Path;

mod additions;
mod backfill;
mod catalog_checks;
mod claims;
mod code;
pub mod complete;
mod data_checks;
mod deletions;
mod dependents;
mod enums;
mod extend;
mod extensions;
mod final_form;
mod functions;
mod growth;
mod loans;
mod notes;
mod own_types;
mod partitions;
mod preflight;
mod reads;
mod rehearsal;
mod replication;
pub mod rollback;
mod rows;
mod scripts;
mod sequences;
mod server_features;
pub mod start;
mod statistics;
mod storage;
mod triggers;
mod users;

pub use complete::complete;
pub use functions::changed_names;
pub use growth::{Growth, NewColumn, growth};
pub use rollback::rollback;
pub use start::start;

/// A list of steps for one command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// `start`, `complete` or `rollback`.
    pub command: Command,
    /// The base schema.
    pub base: String,
    /// The version before, if there is one.
    pub from: Option<String>,
    /// The version that is started, completed or rolled back.
    pub to: String,
    /// How each change is made, and why: a sentence each. Only a start has them.
    // an earlier build stored them as `ways`
    #[serde(default, alias = "ways", skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// The steps in order.
    pub steps: Vec<Step>,
}

/// The command that a plan is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Expand and publish.
    Start,
    /// Contract.
    Complete,
    /// Undo a start.
    Rollback,
}

/// One step. Its id is stable: a resumed command skips the steps that the journal has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Unique within the plan.
    pub id: String,
    /// What it does, for people.
    pub title: String,
    /// Where it belongs.
    pub phase: Phase,
    /// What is run.
    pub action: Action,
    /// Where the names of its texts are looked up, where it holds any of the user's own. A transaction sets its path itself.
    #[serde(default, skip_serializing_if = "Path::is_own")]
    pub path: Path,
    /// What a start has come to with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reaches: Option<Reaches>,
    /// Whether there is anything for it to do, as far as that hangs on how far a start got.
    #[serde(default, skip_serializing_if = "When::is_always")]
    pub when: When,
    /// The strongest lock that an application can feel, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock: Option<String>,
    /// What it cannot promise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hazards: Vec<Hazard>,
}

/// How far a start got for which a step of its rollback has something to undo.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// However far.
    #[default]
    Always,
    /// The version was published: apps may have used it.
    Published,
    /// It was not.
    Unpublished,
    /// The script with this number, from 0, was run.
    Script(usize),
}

/// What a step of a start comes to that a rollback has to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reaches {
    /// Apps may use the version from here on.
    Published,
    /// The script with this number, from 0, was run.
    Script(usize),
}

/// How far a start got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reached {
    /// The version was published.
    pub published: bool,
    /// How many of its scripts were run, in order.
    pub scripts: usize,
}

impl When {
    fn is_always(&self) -> bool {
        *self == When::Always
    }

    /// Whether a step has something to do after a start that got so far.
    pub fn holds(self, reached: Reached) -> bool {
        match self {
            When::Always => true,
            When::Published => reached.published,
            When::Unpublished => !reached.published,
            When::Script(number) => number < reached.scripts,
        }
    }
}

impl Plan {
    /// How far a start got whose journal has the steps for which `is_done` holds.
    pub fn reached(&self, is_done: impl Fn(&str) -> bool) -> Reached {
        let done = self.steps.iter().filter(|step| is_done(&step.id)).filter_map(|step| step.reaches);
        let mut reached = Reached::default();
        for mark in done {
            match mark {
                Reaches::Published => reached.published = true,
                Reaches::Script(number) => reached.scripts = reached.scripts.max(number + 1),
            }
        }
        reached
    }

    /// The steps that a command carries out and writes down: all but those of preflight, which change nothing.
    pub fn journalled(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(|step| step.phase != Phase::Preflight)
    }

    /// Whether nothing has been changed where the journal has the steps for which `is_done` holds: none is there, and the first one
    /// is done whole with its journal row or not at all.
    pub fn is_untouched(&self, is_done: impl Fn(&str) -> bool) -> bool {
        let mut steps = self.journalled();
        steps.next().is_none_or(|first| first.action.is_transaction() && !is_done(&first.id))
            && steps.all(|step| !is_done(&step.id))
    }

    /// The plan without the steps that have nothing to do after a start that got so far.
    #[must_use]
    pub fn after(mut self, reached: Reached) -> Self {
        self.steps.retain(|step| step.when.holds(reached));
        self
    }
}

/// The phases of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Read-only: what would fail is found before anything is changed.
    Preflight,
    /// New columns, tables, triggers.
    Expand,
    /// Existing rows get their new form.
    Backfill,
    /// Indexes and constraints.
    Constrain,
    /// Sync goes live, the views appear.
    Publish,
    /// What only the older version needed goes.
    Contract,
    /// What a start brought goes.
    Undo,
}

/// What a step runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// A query that must give no rows (or merely must run): rows are samples of what would fail.
    Check {
        /// What comes before it in a transaction that is rolled back; no transaction of its own where there is nothing.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        before: Vec<Sql>,
        /// The query; its first column, as text, is the sample, its second, where there is one, the statement that mends it.
        sql: Sql,
        /// The refusal, in words; the samples follow it.
        refusal: String,
        /// The way out; the statements of the query's second column follow it.
        hint: String,
        /// What rows mean.
        #[serde(default, skip_serializing_if = "Verdict::is_refusal")]
        verdict: Verdict,
    },
    /// One transaction, journalled within it.
    Transaction {
        /// `LOCK TABLE …` first, under the whole lock budget; the first of them may be a gentle one against autovacuum.
        locks: Vec<Lock>,
        /// The statements.
        statements: Vec<Sql>,
    },
    /// Statements of the user's own, in one transaction, journalled within it: see [`Script`].
    Script(Box<Script>),
    /// One statement of its own that may be run again: `VALIDATE CONSTRAINT`.
    Statement {
        /// The statement.
        sql: Sql,
    },
    /// `CREATE INDEX CONCURRENTLY`: skipped where it is there and valid, dropped and built again where it is invalid.
    CreateIndex {
        /// The schema.
        schema: String,
        /// The index.
        name: String,
        /// The statement.
        sql: Sql,
        /// The statement that removes an invalid leftover.
        drop: Sql,
        /// What it is like: an index of that name that is another one is not taken for it. Absent in plans of before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        shape: Option<Shape>,
        /// Where it has texts of the user's own over columns that are called otherwise until complete: a transaction that is rolled
        /// back, whose last statement gives the statement to run, with these texts bound (R6).
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        bind: Vec<Sql>,
    },
    /// An index of a partitioned table: on itself alone, then `CONCURRENTLY` on each partition that lacks it, then attached.
    CreatePartitionedIndex {
        /// The schema.
        schema: String,
        /// The table.
        table: String,
        /// The index of the table itself; none where only the partitions have it, until complete makes a key of it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// How the names of the partitions' indexes begin until complete.
        stem: String,
        /// The statement for each partition, with the placeholders of [`crate::statements::partitions`].
        sql: Sql,
        /// As with `CreateIndex`.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        bind: Vec<Sql>,
    },
    /// `UPDATE` over ranges of the heap, then the scan that must find nothing left.
    Backfill {
        /// The schema.
        schema: String,
        /// The table.
        table: String,
        /// Whether it is partitioned: then it is done for each partition, whose name takes the place of the placeholder of
        /// [`crate::statements::partitions`].
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        partitioned: bool,
        /// The update; `$1` and `$2` are the first and the first excluded block's tuple id, `$3` of `$4` the stripe.
        update: Sql,
        /// The verifying scan: rows that were missed.
        verify: Sql,
        /// Run behind the front, once per fifth of the table, so that its room is used again.
        vacuum: Sql,
    },
    /// `DELETE` over ranges of the heap, as an application deletes: its triggers fire, and foreign keys hold.
    Delete {
        /// The schema.
        schema: String,
        /// The table.
        table: String,
        /// As with `Backfill`.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        partitioned: bool,
        /// The deletion; `$1` and `$2` are as with `Backfill`.
        delete: Sql,
        /// The scan for rows that were missed.
        verify: Sql,
        /// As with `Backfill`.
        vacuum: Sql,
    },
}

/// By what an index is told from another one of its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// The table that it is on.
    pub table: String,
    /// Whether it is a unique one.
    pub unique: bool,
    /// Whether it leaves rows out.
    pub partial: bool,
    /// The names of its columns, those that it includes too; none for an expression.
    pub columns: Vec<Option<String>>,
}

/// Statements of the user's own. There are two ways to run them, of which the second is taken where the server refuses the first, or
/// where the statements did more than the first can carry: the whole transaction is undone and begun anew.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Script {
    /// The first way: views in the place of the tables that are another thing for the version, gone with the transaction.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scope: Vec<Sql>,
    /// A query that gives something else once the statements did more to these views than read and write their rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watch: Option<Sql>,
    /// Where the statements look names up.
    pub path: Sql,
    /// The statements.
    pub text: Sql,
    /// What ends the first way.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub leave: Vec<Sql>,
    /// The second way: the locks that it takes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub locks: Vec<Lock>,
    /// The tables themselves are made what they are for the version, or what holds them is taken away.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aside: Vec<Sql>,
    /// And back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub back: Vec<Sql>,
    /// Behind either way: what has to hold, and what follows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<Sql>,
}

impl Script {
    /// Whether there is a second way.
    pub fn has_two_ways(&self) -> bool {
        !self.aside.is_empty()
    }

    /// Every statement of the first way, then what the second has in the place of its frame.
    fn statements(&self) -> Vec<&Sql> {
        let first = self.scope.iter().chain(&self.watch).chain([&self.path, &self.text]).chain(&self.leave).chain(&self.after);
        first.chain(self.locks.iter().map(|lock| &lock.sql)).chain(&self.aside).chain(&self.back).collect()
    }
}

/// What it means that a check finds something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The command is refused, with nothing changed.
    #[default]
    Refuse,
    /// It is told, and the command goes on.
    Warn,
}

impl Verdict {
    fn is_refusal(&self) -> bool {
        *self == Verdict::Refuse
    }
}

/// A table lock at the head of a transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lock {
    /// `LOCK TABLE … IN … MODE`.
    pub sql: Sql,
    /// The same tables in the opposite order. An application that locks them in this one stands in the way of the other for ever
    /// (docs/traps.md F6).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reversed: Option<Sql>,
    /// Whether applications can wait behind it: then the budget holds, else the time that cancels an autovacuum.
    pub felt: Felt,
}

impl Lock {
    fn tables(tables: &[Sql], mode: &'static str, felt: Felt) -> Lock {
        let lock = |tables| crate::sql!("LOCK TABLE {} IN {} MODE", crate::sql::join(tables, ", "), Sql::trusted(mode));
        let reversed = (tables.len() > 1).then(|| lock(tables.iter().rev().cloned().collect::<Vec<_>>()));
        Lock { sql: lock(tables.to_vec()), reversed, felt }
    }

    /// The lock as the given attempt at a step takes it, counted from 0.
    pub fn at_attempt(&self, attempt: usize) -> &Sql {
        self.reversed.as_ref().filter(|_| attempt % 2 == 1).unwrap_or(&self.sql)
    }
}

/// Whether an application's statements can wait behind a lock request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Felt {
    /// They can: the lock budget bounds it.
    ByApplications,
    /// Only maintenance can (SHARE UPDATE EXCLUSIVE).
    ByMaintenance,
}

impl Action {
    /// Every statement as it is sent, in order.
    pub fn statements(&self) -> Vec<&Sql> {
        match self {
            Action::Check { before, sql, .. } => before.iter().chain([sql]).collect(),
            Action::Statement { sql } => vec![sql],
            Action::CreateIndex { sql, bind, .. } | Action::CreatePartitionedIndex { sql, bind, .. } => {
                bind.iter().chain([sql]).collect()
            }
            Action::Transaction { locks, statements } => locks.iter().map(|lock| &lock.sql).chain(statements).collect(),
            Action::Script(script) => script.statements(),
            Action::Backfill { update, verify, vacuum, .. } => vec![update, vacuum, verify],
            Action::Delete { delete, verify, vacuum, .. } => vec![delete, vacuum, verify],
        }
    }

    /// Whether the action runs in a transaction with its journal row.
    pub fn is_transaction(&self) -> bool {
        matches!(self, Action::Transaction { .. } | Action::Script(_))
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Phase::Preflight => "preflight",
            Phase::Expand => "expand",
            Phase::Backfill => "backfill",
            Phase::Constrain => "constrain",
            Phase::Publish => "publish",
            Phase::Contract => "contract",
            Phase::Undo => "undo",
        })
    }
}

impl fmt::Display for Command {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Command::Start => "start",
            Command::Complete => "complete",
            Command::Rollback => "rollback",
        })
    }
}

/// Collects steps and numbers them.
pub(crate) struct Steps {
    steps: Vec<Step>,
}

impl Steps {
    pub(crate) fn new() -> Self {
        Steps { steps: Vec::new() }
    }

    pub(crate) fn push(&mut self, phase: Phase, title: impl Into<String>, action: Action) -> &mut Step {
        let id = format!("{:04}", self.steps.len() + 1);
        self.steps.push(Step {
            id,
            title: title.into(),
            phase,
            action,
            path: Path::own(),
            reaches: None,
            when: When::Always,
            lock: None,
            hazards: Vec::new(),
        });
        self.steps.last_mut().expect("just pushed")
    }

    /// A look at the database before anything is changed: what it finds, with the statement that mends it in a second column if there is one,
    /// is a refusal or a warning.
    pub(crate) fn check(
        &mut self,
        title: impl Into<String>,
        sql: Sql,
        refusal: impl Into<String>,
        hint: impl Into<String>,
        verdict: Verdict,
    ) -> &mut Step {
        let action = Action::Check { before: Vec::new(), sql, refusal: refusal.into(), hint: hint.into(), verdict };
        self.push(Phase::Preflight, title, action)
    }

    pub(crate) fn transaction(
        &mut self,
        phase: Phase,
        title: impl Into<String>,
        locks: Vec<Lock>,
        statements: Vec<Sql>,
    ) -> &mut Step {
        self.push(phase, title, Action::Transaction { locks, statements })
    }

    /// Keeps everybody from both tables, of which those are given that apps may use, the referenced one first. It comes alone, before
    /// anything else of its table.
    ///
    /// The views come first: a statement has its views before it has a table, and the foreign key's own queries have tables alone. Who
    /// is past them gets to its end, whichever of the two it takes first; nobody is met in the middle (docs/traps.md F6).
    pub(crate) fn drop_foreign_key(
        &mut self,
        chain: &Chain,
        phase: Phase,
        (name, of): (&str, &str),
        tables: &[&Physical<'_>],
        statements: Vec<Sql>,
    ) -> &mut Step {
        let title = format!("drop foreign key `{name}` of `{of}`");
        if tables.is_empty() {
            return self.transaction(phase, title, Vec::new(), statements);
        }
        let places: Vec<Sql> = tables.iter().map(|table| qualified(&chain.base, &table.name)).collect();
        let views: Vec<Sql> = tables.iter().flat_map(|table| views_of(chain, table)).collect();
        let mut locks = exclusive(&places, &places);
        let shut = views.iter().zip(views.iter().rev()).map(|(view, reversed)| Lock {
            sql: crate::statements::views::lock_alone(view),
            reversed: (view != reversed).then(|| crate::statements::views::lock_alone(reversed)),
            felt: Felt::ByApplications,
        });
        locks.splice(1..1, shut);
        self.transaction(phase, title, locks, statements)
            .lock(format!("ACCESS EXCLUSIVE on {}, and on their views, instant", crate::sql::join(places, ", ")))
            .hazard(Hazard::ForeignKeyDrop)
            .hazard(Hazard::Standby)
    }

    pub(crate) fn so_far(&mut self) -> &mut [Step] {
        &mut self.steps
    }

    pub(crate) fn done(self) -> Vec<Step> {
        self.steps
    }
}

impl Step {
    /// What a check sends, in one request.
    pub fn look(&self) -> Option<Sql> {
        let Action::Check { before, sql, .. } = &self.action else { return None };
        // several statements in one request are one transaction
        let text = if self.path.is_own() { sql.clone() } else { crate::sql!("{}; {}", self.path.set_local(), sql) };
        let begun = || crate::sql!("BEGIN; {}; {}; ROLLBACK", crate::sql::join(before.clone(), "; "), text);
        Some(if before.is_empty() { text.clone() } else { begun() })
    }

    pub(crate) fn lock(&mut self, lock: impl Into<String>) -> &mut Self {
        self.lock = Some(lock.into());
        self
    }

    pub(crate) fn reaches(&mut self, mark: Reaches) -> &mut Self {
        self.reaches = Some(mark);
        self
    }

    pub(crate) fn when(&mut self, when: When) -> &mut Self {
        self.when = when;
        self
    }

    pub(crate) fn path(&mut self, path: Path) -> &mut Self {
        self.path = path;
        self
    }

    pub(crate) fn hazard(&mut self, hazard: Hazard) -> &mut Self {
        self.hazards.push(hazard);
        self
    }
}

/// First the gentle lock that makes an autovacuum yield (docs/traps.md F7), then the strong one, view before table.
pub(crate) fn exclusive(gentle: &[Sql], strong: &[Sql]) -> Vec<Lock> {
    vec![
        Lock::tables(gentle, "SHARE UPDATE EXCLUSIVE", Felt::ByMaintenance),
        Lock::tables(strong, "ACCESS EXCLUSIVE", Felt::ByApplications),
    ]
}

/// The views through which statements of both versions get at a table.
fn views_of(chain: &Chain, table: &Physical<'_>) -> Vec<Sql> {
    let older = chain.older.as_ref().zip(table.older_view()).map(|(older, view)| qualified(&older.views, view));
    let newer = table.final_name().map(|view| qualified(&chain.newer.views, view));
    older.into_iter().chain(newer).collect()
}

/// What has left a partitioned table gives back what was ours.
fn clean_former(chain: &Chain, tables: &[Physical<'_>], phase: Phase, steps: &mut Steps) {
    for table in tables {
        if let Some(sql) = crate::statements::partitions::clean_former(chain, table, phase == Phase::Undo) {
            let title = format!("drop what was added to partitions that were detached from `{}`", table.name);
            steps.transaction(phase, title, Vec::new(), vec![sql]).lock("ACCESS EXCLUSIVE on each of them");
        }
    }
}

/// The lock that CREATE TRIGGER and ADD FOREIGN KEY take, asked for up front.
pub(crate) fn share_row_exclusive(tables: &[Sql]) -> Vec<Lock> {
    vec![
        Lock::tables(tables, "SHARE UPDATE EXCLUSIVE", Felt::ByMaintenance),
        Lock::tables(tables, "SHARE ROW EXCLUSIVE", Felt::ByApplications),
    ]
}
