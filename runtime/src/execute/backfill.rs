//! Fills shadow columns, or deletes rows: a walk through each heap of a table, and a scan for what was missed.

use tokio_postgres::Row;
use tokio_postgres::error::SqlState;

use crate::error::{Error, Kind, Result};
use crate::execute::executor::Executor;
use crate::execute::progress::Progress;
use crate::execute::throttle::Throttle;
use crate::execute::walk::{self, Heap, Job, Work};
use diptych_core::plan::{Action, Step};
use diptych_core::statements::path::Path;
use diptych_core::{Sql, sql, statements::partitions};

/// Fills the table, then scans for rows that were missed; a table that was rewritten on the way is begun again (docs/traps.md F3).
pub(crate) async fn run(executor: &Executor<'_>, job: &Job<'_>, progress: &mut dyn Progress) -> Result<()> {
    let client = executor.client;
    if job.work == Work::Delete {
        return fill(executor, job, progress).await.map_err(|error| match error.code() {
            Some(&SqlState::FOREIGN_KEY_VIOLATION | &SqlState::RESTRICT_VIOLATION) => {
                error.hint_first("delete or change the rows that reference these")
            }
            _ => error,
        });
    }
    let replica = walk::enter(client).await?;
    let outcome = fill(executor, job, progress).await;
    if replica {
        client.batch_execute("RESET session_replication_role").await?;
    }
    client.batch_execute("RESET diptych.backfill").await?;
    outcome
}

async fn fill(executor: &Executor<'_>, job: &Job<'_>, progress: &mut dyn Progress) -> Result<()> {
    let whole = sql::qualified(job.schema, job.table);
    let verify = if job.partitioned { partitions::statement_for(job.verify, &whole, None) } else { job.verify.clone() };
    let mut throttle = Throttle::new(&executor.limits);
    for _ in 0..5 {
        let heaps = heaps(executor, job, whole.clone()).await?;
        for heap in &heaps {
            if let Err(error) = walk::walk(executor, job, heap, &mut throttle, progress).await {
                // a partition that has gone meanwhile has no rows of this table any more
                let is_there = self::heaps(executor, job, whole.clone()).await?.iter().any(|there| there.key == heap.key);
                if is_there || !job.partitioned {
                    return Err(error);
                }
            }
        }
        throttle.end(executor, progress).await?;
        progress.statement(verify.as_str());
        let missed = scan(executor, job, &verify, progress).await?;
        if missed.is_none() {
            return Ok(());
        }
        for heap in &heaps {
            walk::forget(executor, job, heap).await?;
        }
    }
    if job.work == Work::Delete {
        // each row that was there has been met in one of the rounds, unless it was moved in all of them
        progress.warning(
            &Error::new(
                Kind::Failed,
                format!(
                    "{}: some of them stay, because applications go on writing such rows or a trigger keeps them",
                    job.step.title
                ),
            )
            .hint("delete them when nobody writes them any more"),
        );
        return Ok(());
    }
    Err(Error::new(Kind::Failed, format!("backfill of `{}` keeps missing rows", job.table))
        .hint("if another process rewrites the table (VACUUM FULL, CLUSTER), wait for it; then run the same command again"))
}

/// The verifying scan: a row that was missed.
async fn scan(executor: &Executor<'_>, job: &Job<'_>, verify: &Sql, progress: &mut dyn Progress) -> Result<Option<Row>> {
    executor.client.batch_execute(job.step.path.set().as_str()).await?;
    let missed = executor.watched(executor.client.query_opt(verify.as_str(), &[]), progress).await;
    executor.client.batch_execute(Path::own().set().as_str()).await?;
    missed.map_err(|error| Error::during(format!("{}: verifying scan", job.step.title), error))
}

/// Under which name the position within a step is kept: the plans of start and complete number their steps each for itself.
pub(crate) fn position(step: &Step) -> String {
    match step.action {
        Action::Delete { .. } => format!("delete {}", step.id),
        _ => step.id.clone(),
    }
}

async fn heaps(executor: &Executor<'_>, job: &Job<'_>, whole: Sql) -> Result<Vec<Heap>> {
    if !job.partitioned {
        let (update, vacuum) = (job.update.clone(), job.vacuum.clone());
        return Ok(vec![Heap { place: whole, title: job.table.to_owned(), key: position(job.step), update, vacuum }]);
    }
    let tree = crate::execute::partitions::tree(executor, &whole).await?;
    let leaves = tree.into_iter().filter(|node| node.is_leaf && node.level > 0);
    Ok(leaves
        .map(|leaf| Heap {
            update: partitions::statement_for(job.update, &leaf.place, None),
            vacuum: partitions::statement_for(job.vacuum, &leaf.place, None),
            title: format!("{} ({})", job.table, leaf.name),
            key: format!("{} {}", position(job.step), leaf.oid),
            place: leaf.place,
        })
        .collect())
}
