//! The sign that a complete waits for: a query of the user's that gives true, and how long the version has been published.

use std::time::{Duration, Instant};

use tokio_postgres::Client;
use tokio_postgres::types::Type;

use super::{Options, ended};
use crate::error::{Error, Kind, Result};
use crate::execute::executor::{go_on, rest};
use crate::execute::progress::{Awaited, Progress, Wait};
use crate::session;
use crate::state;
use crate::target::Target;

/// How often it is looked for.
const EACH: Duration = Duration::from_secs(2);
/// What leads out where the query cannot be asked.
const WAY_ON: &str = "nothing was changed: let it be one SELECT of one boolean, with schemas before the names of tables and functions, and run it as the migration role in psql";

/// What has to be so before a complete begins.
///
/// ```no_run
/// # async fn run(url: &str) -> diptych::Result<()> {
/// use diptych::{Migrator, Options, Quiet, Sign, connect};
///
/// let (target, options) = (connect::parse(url)?, Options::default());
/// let when = Some("SELECT count(*) = 0 FROM shop.jobs WHERE made_by_old_release".to_owned());
/// Sign { when, ..Sign::default() }.wait(target.clone(), &options, &mut Quiet).await?;
/// Migrator::connect(target, options).await?.complete(&mut Quiet).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Sign {
    /// A query with one value, which has to be true. It is asked every two seconds, in a transaction that may only read, with
    /// `search_path = pg_catalog, pg_temp`. No row and NULL are not true.
    pub when: Option<String>,
    /// How long the version has to have been published.
    pub after: Option<Duration>,
    /// How long to wait for both; as long as it takes, where nothing is said.
    pub within: Option<Duration>,
}

impl Sign {
    /// Waits for it, on a session of its own. Changes nothing. A session that is lost is opened again, for as long as
    /// [`Options::timeout`]. Where no version waits for its complete, or that has begun, there is nothing to wait for.
    ///
    /// # Errors
    ///
    /// Where the query fails or gives something else than one boolean ([`Error::is_sign`]), and where the time is over
    /// ([`Error::is_timeout`]).
    pub async fn wait(&self, target: impl Into<Target>, options: &Options, progress: &mut dyn Progress) -> Result<()> {
        let (target, since) = (target.into(), Instant::now());
        let mut client = session::connect(&target).await?;
        let mut lost = None;
        loop {
            let left = self.within.map(|within| within.saturating_sub(since.elapsed()));
            let most = left.unwrap_or(options.timeout).max(Duration::from_secs(1));
            let asked = tokio::select! {
                asked = self.awaited(&client, &options.base, most) => asked,
                () = rest(Duration::MAX, progress) => go_on(progress).map(|()| None),
            };
            match asked {
                Ok(None) => return Ok(()),
                Ok(Some(awaited)) if left.is_some_and(|left| left.is_zero()) => return Err(self.over(&awaited)),
                Ok(Some(awaited)) => {
                    lost = None;
                    progress.held(&Wait::Sign(awaited));
                }
                Err(error) if !client.is_closed() || progress.ends() => return Err(ended("complete", error, progress)),
                Err(error) if lost.get_or_insert_with(Instant::now).elapsed() >= options.timeout => return Err(error),
                Err(_) => {
                    if let Ok(again) = session::connect(&target).await {
                        client = again;
                    }
                }
            }
            rest(left.unwrap_or(EACH).min(EACH), progress).await;
        }
    }

    /// What has not come, if anything.
    async fn awaited(&self, client: &Client, base: &str, most: Duration) -> Result<Option<Awaited>> {
        if !state::is_there(client).await? {
            return Ok(None);
        }
        let Some((version, age)) = published(client, base).await? else { return Ok(None) };
        let left = self.after.map(|after| after.saturating_sub(age)).filter(|left| !left.is_zero());
        let found = match &self.when {
            Some(sql) => found(client, sql, most).await?,
            None => None,
        };
        Ok((left.is_some() || found.is_some()).then_some(Awaited { version, left, found }))
    }

    fn over(&self, awaited: &Awaited) -> Error {
        let within = self.within.unwrap_or_default();
        Error::new(
            Kind::Timeout,
            format!("the sign for `complete` has not come within {within:?}, and nothing was changed: it {awaited}"),
        )
        .hint("find out why it does not come, then run `complete` again; without --when and --after it completes at once")
    }
}

/// The version that waits for its complete, and for how long it has been published.
async fn published(client: &Client, base: &str) -> Result<Option<(String, Duration)>> {
    // of a state that an earlier release has written, the last change is the start's end
    let sql = "SELECT name, extract(epoch FROM pg_catalog.clock_timestamp() - coalesce( \
         (pg_catalog.to_jsonb(version) ->> 'published_at')::pg_catalog.timestamptz, changed_at))::pg_catalog.float8 \
         FROM diptych.versions AS version WHERE base = $1 AND state = 'started'";
    let row = client.query_opt(sql, &[&base]).await?;
    Ok(row.map(|row| (row.get(0), Duration::try_from_secs_f64(row.get(1)).unwrap_or_default())))
}

/// What a query gives, unless it is true.
async fn found(client: &Client, sql: &str, most: Duration) -> Result<Option<&'static str>> {
    let most = u64::try_from(most.as_millis()).unwrap_or(u64::MAX).clamp(1, i32::MAX.unsigned_abs().into());
    client.batch_execute(&format!("BEGIN READ ONLY; SET LOCAL statement_timeout = {most}")).await?;
    let found = value(client, sql).await;
    client.batch_execute("ROLLBACK").await?;
    match found? {
        None => Ok(Some("no row")),
        Some(None) => Ok(Some("NULL")),
        Some(Some(false)) => Ok(Some("false")),
        Some(Some(true)) => Ok(None),
    }
}

async fn value(client: &Client, sql: &str) -> Result<Option<Option<bool>>> {
    let failed = |error| Error::during("the query of --when fails", error).of_sign().or_hint(WAY_ON);
    let other = |what: String| Error::new(Kind::Sign, format!("the query of --when gives {what}, not one boolean")).hint(WAY_ON);
    let statement = client.prepare(sql).await.map_err(failed)?;
    match statement.columns() {
        [column] if *column.type_() == Type::BOOL => {}
        [column] => return Err(other(format!("a value of type `{}`", column.type_().name()))),
        columns => return Err(other(format!("{} columns", columns.len()))),
    }
    match &client.query(&statement, &[]).await.map_err(failed)?[..] {
        [] => Ok(None),
        [row] => Ok(Some(row.get(0))),
        rows => Err(other(format!("{} rows", rows.len()))),
    }
}
