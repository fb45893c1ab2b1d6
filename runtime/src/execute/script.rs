//! Statements of the user's own.

use std::time::Duration;
use tokio_postgres::error::SqlState;

use crate::error::{Error, Result};
use crate::execute::executor::{Executor, locks_within, timeouts, work_within};
use crate::execute::progress::Progress;
use crate::execute::steps::Locks;
use diptych_core::Sql;
use diptych_core::plan::{Plan, Script, Step};
use diptych_core::statements::path::Path;

impl Executor<'_> {
    /// Statements of the user's own: the first way, and where that does not do the second, from the beginning.
    pub(crate) async fn script(
        &self,
        attempt: usize,
        plan: &Plan,
        step: &Step,
        script: &Script,
        progress: &mut dyn Progress,
    ) -> Result<()> {
        let first = match self.script_in_scope(plan, step, script, progress).await {
            Ok(true) => return Ok(()),
            Ok(false) => None,
            Err(error) if script.has_two_ways() && may_be_the_scope(&error) => Some(error),
            Err(error) => return Err(error),
        };
        let mut request = self.begin();
        let budget = self.budget();
        let locks = Locks::of(&script.locks, attempt);
        request.push(timeouts(self.gentle(), Duration::ZERO));
        request.extend(locks.gentle);
        request.extend(locks_within(budget, locks.strong));
        request.extend(work_within(budget, script.aside.iter().cloned()));
        request.extend([script.path.clone(), script.text.clone(), Path::own().set_local()]);
        request.extend(script.back.iter().chain(&script.after).cloned());
        request.extend([self.journal_row(plan, step), Sql::trusted("COMMIT")]);
        self.in_transaction(step, &request, progress).await.map_err(|second| match first {
            // what is wrong has nothing to do with the way
            Some(first) if first.code() == second.code() => first,
            _ if second.code() != Some(&SqlState::UNDEFINED_COLUMN) || script.locks.is_empty() => second,
            _ => second.hint_first(
                "split it into two `sql` operations: one with the statements that read and write rows, one with those that change tables; the second must not write rows of tables that operations above it have changed",
            ),
        })
    }

    /// The first way; false where the statements did more to the views in it than they can carry, and nothing is done.
    async fn script_in_scope(&self, plan: &Plan, step: &Step, script: &Script, progress: &mut dyn Progress) -> Result<bool> {
        let mut request = self.begin();
        request.extend(work_within(self.budget(), script.scope.iter().cloned()));
        self.in_transaction(step, &request, progress).await?;
        let before = self.watch(script, progress).await?;
        let text = [script.path.clone(), script.text.clone(), Path::own().set_local()];
        self.in_transaction(step, &text, progress).await?;
        if self.watch(script, progress).await? != before {
            self.client.batch_execute("ROLLBACK").await?;
            return Ok(false);
        }
        let mut request: Vec<Sql> = script.leave.iter().chain(&script.after).cloned().collect();
        request.extend([self.journal_row(plan, step), Sql::trusted("COMMIT")]);
        self.in_transaction(step, &request, progress).await?;
        Ok(true)
    }

    async fn watch(&self, script: &Script, progress: &mut dyn Progress) -> Result<Option<String>> {
        let Some(sql) = &script.watch else { return Ok(None) };
        progress.statement(sql.as_str());
        match self.client.query_one(sql.as_str(), &[]).await {
            Ok(row) => Ok(Some(row.get(0))),
            Err(error) => {
                self.client.batch_execute("ROLLBACK").await?;
                Err(Error::during("cannot watch what a script does", error))
            }
        }
    }
}

/// Whether an error of a script may come of the views in the place of tables: names, kinds of objects, dependencies, what is not
/// supported. What data are like has nothing to do with them.
fn may_be_the_scope(error: &Error) -> bool {
    error.code().is_some_and(|code| ["42", "0A", "2B"].iter().any(|class| code.code().starts_with(class)))
}
