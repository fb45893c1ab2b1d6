//! `run`: a command of whatever language on a version, with a lease on it for as long as the command runs.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use diptych::{Migrator, Published, connect};
use tokio::process::Command;

use crate::config::{Context, Failure};
use crate::{child, folder};

pub(crate) async fn run(
    context: &Context,
    version: Option<&str>,
    wait: Duration,
    command: &[OsString],
) -> Result<ExitCode, Failure> {
    let [program, arguments @ ..] = command else { return Err(Failure::new("no command is given")) };
    let url = context.url()?;
    let name = Path::new(program).file_name().unwrap_or(program).to_string_lossy();
    let signals = child::listen()?;
    let on = published(context, version, wait).await?;
    let lease = connect::lease_on(url, &context.base, &on, &name).await?;
    let mut command = Command::new(program);
    command.args(arguments).env("DATABASE_URL", connect::url_on(url, &on.search_path)?);
    // a pooler refuses options, or drops them unseen
    if !connect::parse(url)?.is_pooled() {
        let before = std::env::var("PGOPTIONS").map_or_else(|_| String::new(), |before| before + " ");
        command.env("PGOPTIONS", before + &connect::startup_options(&on.search_path));
    }
    let outcome = child::attend(command, signals).await;
    lease.end().await;
    outcome
}

/// The version that is wanted, as soon as it is published.
async fn published(context: &Context, version: Option<&str>, wait: Duration) -> Result<Published, Failure> {
    let wanted = match version {
        Some(version) => Some(version.to_owned()),
        // what a release brings along is what it was made for: the latest version may be another release's
        None if context.dir.is_dir() => folder::migrations(&context.dir)?.pop().map(|migration| migration.name),
        None => None,
    };
    let target = connect::parse(context.url()?)?;
    let until = Instant::now() + wait;
    loop {
        let published = match Migrator::connect(target.clone(), context.options()).await {
            Ok(migrator) => migrator.published().await,
            Err(error) => Err(error),
        };
        let is_over = Instant::now() >= until;
        match published {
            Ok(published) => match on(&published, wanted.as_deref()) {
                Some(on) => return Ok(on.clone()),
                None if is_over => return Err(missing(&published, wanted.as_deref())),
                None => {}
            },
            // the server may not be there yet either
            Err(error) if is_over || !error.is_connection() => return Err(error.into()),
            Err(_) => {}
        }
        tokio::time::sleep(Duration::from_millis(500).min(until.saturating_duration_since(Instant::now()))).await;
    }
}

fn on<'a>(published: &'a [Published], wanted: Option<&str>) -> Option<&'a Published> {
    match wanted {
        Some(wanted) => published.iter().find(|on| on.version == wanted),
        None => published.last(),
    }
}

fn missing(published: &[Published], wanted: Option<&str>) -> Failure {
    let names: Vec<_> = published.iter().map(|on| format!("`{}`", on.version)).collect();
    let message = wanted.map_or_else(
        || "no version is published in this database".to_owned(),
        |wanted| format!("version `{wanted}` is not published in this database"),
    );
    let start = "run `start` first, or wait for it with --wait 5m";
    let hint = match &names[..] {
        [] => start.to_owned(),
        names => format!("{start}; or name a version that is published with --version: {}", names.join(", ")),
    };
    Failure::hinted(message, hint)
}
