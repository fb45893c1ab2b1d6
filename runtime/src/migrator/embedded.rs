//! Migration from within the app itself, for small apps: its instances start what is pending, and complete it when the older release has gone.

use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use super::sign::Sign;
use super::{Migrator, Options, Outcome};
use crate::database::Database;
use crate::error::{Error, Kind, Result};
use crate::execute::progress::Quiet;
use crate::state::{Recorded, State, VersionState, leases};
use crate::target::{Target, parse};
use diptych_core::Migration;

/// How often it is looked whether the older release has gone.
const EACH: Duration = Duration::from_secs(5);

/// The completion that follows a start, on the runtime that it was begun in. It goes on where this is dropped, and ends with that runtime: then
/// another instance does it, or the next start of this one.
#[derive(Debug)]
pub struct Completion(JoinHandle<Result<Outcome>>);

impl Completion {
    /// Waits for it: until nobody is on the older version. For a program that ends when this is done, and for tests.
    ///
    /// ```no_run
    /// # async fn run(completion: diptych::Completion) -> diptych::Result<()> {
    /// println!("{:?}", completion.done().await?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// What stands against it, such as objects of the start that somebody has dropped; and the end of the runtime.
    pub async fn done(self) -> Result<Outcome> {
        self.0.await.unwrap_or_else(|_| Err(Error::new(Kind::Interrupted, "the runtime of the completion has ended")))
    }
}

/// Makes the version that the binary was built for available, whichever instance comes first; the function `migrate` of a `database!` is this with
/// the usual options. When it returns, that version is published. Then it is completed in the background, once it has been published for
/// `soak` and nobody is on the older one.
///
/// Of many instances at once one carries the migration out, and the others wait until it is done. An instance of the older release that is
/// started meanwhile finds its version published, and changes nothing.
///
/// ```no_run
/// # async fn run<Shop: diptych::Database>(url: &str) -> diptych::Result<()> {
/// use diptych::{Options, connect, embedded};
/// use std::time::Duration;
///
/// let options = Options { lock_timeout: Duration::from_millis(200), ..Options::default() };
/// embedded::migrate::<Shop>(url, options, Duration::from_secs(600)).await?;
/// let client = connect::connect::<Shop>(url).await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// Where the version is retired ([`Error::is_retired`]), or a migration does not fit what the database has applied; where processes stay on a
/// version before the last for [`Options::timeout`]; and where the role may not change the tables.
pub async fn migrate<D: Database>(url: &str, options: Options, soak: Duration) -> Result<Completion> {
    let (target, options) = (parse(url)?, Options { base: D::BASE.to_owned(), ..options });
    let (migrations, since) = (D::migrations()?, Instant::now());
    loop {
        match publish::<D>(&target, &options, &migrations).await {
            Ok(Step::Published) => return Ok(Completion(tokio::spawn(complete::<D>(target, options, soak)))),
            Ok(Step::Further) => {}
            Err(error) if (error.is_in_use() || error.is_connection()) && since.elapsed() < options.timeout => {
                tokio::time::sleep(EACH.min(options.timeout)).await;
            }
            Err(error) => return Err(error),
        }
    }
}

/// How far a start has come.
enum Step {
    /// The binary's version is there.
    Published,
    /// One before it is.
    Further,
}

async fn publish<D: Database>(target: &Target, options: &Options, migrations: &[Migration]) -> Result<Step> {
    let Some(version) = D::VERSION else { return Ok(Step::Published) };
    let mut migrator = Migrator::connect(target.clone(), options.clone()).await?;
    // `status` looks at tables as well, which another instance may be changing
    let state = migrator.load().await?;
    if is_published(&state, version) {
        return Ok(Step::Published);
    }
    if state.versions.iter().any(|there| there.version.name == version && there.state == VersionState::Retired) {
        return Err(Error::new(Kind::Retired, format!("version `{version}` is retired in this database"))
            .hint("deploy the release that was built for the newer version"));
    }
    // one that was started before has to be complete first
    if let Some(pending) = state.pending().filter(|there| there.version.name != version) {
        complete_unused(&mut migrator, pending).await?;
    }
    migrator.start(migrations, Some(version), &mut Quiet).await?;
    Ok(if is_published(&migrator.load().await?, version) { Step::Published } else { Step::Further })
}

fn is_published(state: &State, version: &str) -> bool {
    let there = state.versions.iter().find(|there| there.version.name == version);
    there.is_some_and(|there| matches!(there.state, VersionState::Started | VersionState::Completing | VersionState::Live))
}

/// Completes a version that is started, or being completed, where nobody is on another one: that is looked at before, for each refusal of a
/// complete is entered in the history, which would be full of them.
async fn complete_unused(migrator: &mut Migrator, pending: &Recorded) -> Result<Outcome> {
    let version = &pending.version.name;
    if pending.state == VersionState::Started {
        let leases = leases::list(&migrator.client, &migrator.options.base).await?;
        if let Some(lease) = leases.iter().find(|lease| lease.version != *version) {
            return Err(Error::new(Kind::InUse, format!("version `{}` is in use: {lease}", lease.version))
                .hint("stop the processes of that release, and start this one again"));
        }
    }
    match pending.state {
        VersionState::Started | VersionState::Completing => {
            // one may have come meanwhile
            migrator.asks_again = true;
            migrator.complete(&mut Quiet).await
        }
        _ => Ok(Outcome::Nothing(format!("version `{version}` waits for no complete"))),
    }
}

/// Completes the binary's version when nobody is on the older one.
async fn complete<D: Database>(target: Target, options: Options, soak: Duration) -> Result<Outcome> {
    let sign = Sign { after: Some(soak), ..Sign::default() };
    loop {
        match complete_now::<D>(&target, &options, &sign).await {
            Err(error) if error.is_in_use() || error.is_connection() || error.is_timeout() => tokio::time::sleep(EACH).await,
            outcome => return outcome,
        }
    }
}

async fn complete_now<D: Database>(target: &Target, options: &Options, sign: &Sign) -> Result<Outcome> {
    sign.wait(target.clone(), options, &mut Quiet).await?;
    let mut migrator = Migrator::connect(target.clone(), options.clone()).await?;
    let state = migrator.load().await?;
    match state.pending().filter(|there| Some(there.version.name.as_str()) == D::VERSION) {
        Some(pending) => complete_unused(&mut migrator, pending).await,
        None => Ok(Outcome::Nothing("the version waits for no complete".to_owned())),
    }
}
