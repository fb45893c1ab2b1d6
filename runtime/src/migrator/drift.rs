//! What somebody has changed in the tables outside Diptych, while a version is at rest.

use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use crate::catalog::introspect;
use crate::error::{Error, Result};
use crate::execute::progress::Progress;
use crate::state::folder::Problem;
use crate::state::{State, made};
use crate::text::few;
use diptych_core::layout::chain::Chain;
use diptych_core::model::differences::{Difference, Weight, differences};
use diptych_core::statements::path::Path;

/// How many differences a message holds.
const NAMED: usize = 5;

/// In what the tables differ from what they were when the version came to rest: then first, now second. Nothing while a version is on its
/// way, when tables have both versions' columns, or where there is no version.
pub(crate) async fn find(client: &Client, base: &str, state: &State) -> Result<Vec<Difference>> {
    let (Some(live), None) = (state.live(), state.pending()) else { return Ok(Vec::new()) };
    let Some((then, is_comparable)) = made::rest(client, base, &live.version.name).await? else { return Ok(Vec::new()) };
    client.batch_execute(Path::base(base).set().as_str()).await?;
    let now = introspect::schema(client, base).await;
    client.batch_execute(Path::own().set().as_str()).await?;
    let now = now?;
    Ok(if is_comparable { differences(&then, &now) } else { differences(&then.muted(), &now.muted()) })
}

/// What stands against a start; none where nothing differs in its meaning.
pub(crate) fn problem(version: &str, drift: &[Difference]) -> Option<Problem> {
    let told: Vec<String> = drift.iter().filter(|there| there.weight == Weight::Meaning).map(told).collect();
    (!told.is_empty()).then(|| Problem {
        message: format!("the tables are not as version `{version}` left them: {}", few(&told, NAMED, "; ")),
        hint: "somebody changed them outside Diptych: put them back; or take the change over: `record --from-database NAME` writes it as a migration, and `baseline` enters that".to_owned(),
    })
}

/// Goes on from a start's preflight where nothing was changed by hand that matters. What preflight has against it says more, and may come of
/// that.
pub(crate) fn judge(version: &str, drift: &[Difference], preflight: Result<()>, progress: &mut dyn Progress) -> Result<()> {
    preflight.map_err(|error| match drift {
        [] => error,
        _ => error.hint_first(
            "`status` shows what was changed outside Diptych; if what is in the way is what this migration makes, run `baseline`, which enters it",
        ),
    })?;
    if let Some(problem) = problem(version, drift) {
        return Err(problem.into());
    }
    let new: Vec<String> = drift.iter().map(told).collect();
    if !new.is_empty() {
        progress.warning(
            &Error::refused(format!("somebody changed these outside Diptych: {}", few(&new, NAMED, "; ")))
                .hint("they stay as they are; `record --from-database NAME` takes them over"),
        );
    }
    Ok(())
}

fn told(difference: &Difference) -> String {
    difference.told("the version", "the database")
}

/// Statements of a first migration that find what they make: there is another way in.
pub(crate) fn with_way_in(chain: &Chain, error: Error) -> Error {
    let codes = [SqlState::DUPLICATE_TABLE, SqlState::DUPLICATE_OBJECT, SqlState::DUPLICATE_FUNCTION, SqlState::DUPLICATE_SCHEMA];
    match error.code() {
        Some(code) if chain.older.is_none() && codes.contains(code) => error.hint_first(
            "if the database has what the migration makes, run `rollback`, then `baseline`: it enters the migration without running it",
        ),
        _ => error,
    }
}
