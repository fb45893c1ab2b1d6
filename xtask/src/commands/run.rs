//! `run`: a command of whatever language on a version, with a lease on it for as long as the command runs.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use diptych::connect;
use tokio::process::Command;

use crate::config::{Context, Failure};
use crate::{child, folder};

pub(crate) async fn run(context: &Context, version: Option<&str>, command: &[OsString]) -> Result<ExitCode, Failure> {
    let [program, arguments @ ..] = command else { return Err(Failure::new("no command is given")) };
    let published = context.migrator().await?.published().await?;
    let wanted = match version {
        Some(version) => Some(version.to_owned()),
        // what a release brings along is what it was made for: the latest version may be another release's
        None if context.dir.is_dir() => folder::migrations(&context.dir)?.pop().map(|migration| migration.name),
        None => None,
    };
    let wanted = wanted.or_else(|| published.last().map(|on| on.version.clone()));
    let Some(on) = published.iter().find(|on| Some(&on.version) == wanted.as_ref()) else {
        let names: Vec<_> = published.iter().map(|on| format!("`{}`", on.version)).collect();
        return Err(Failure::hinted(
            wanted.map_or_else(
                || "no version is published in this database".to_owned(),
                |wanted| format!("version `{wanted}` is not published in this database"),
            ),
            match &names[..] {
                [] => "run `start` first".to_owned(),
                names => format!("run `start` first; or name a version that is published with --version: {}", names.join(", ")),
            },
        ));
    };
    let url = context.url()?;
    let name = Path::new(program).file_name().unwrap_or(program).to_string_lossy();
    let signals = child::listen()?;
    let lease = connect::lease_on(url, &context.base, on, &name).await?;
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
