//! `run`: a command of whatever language on a version, with a lease on it for as long as the command runs.

use std::ffi::OsString;
use std::io::IsTerminal;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{ExitCode, ExitStatus};

use diptych::connect;
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use crate::config::{Context, Failure};
use crate::folder;

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
    let mut signals = listen()?;
    let lease = connect::lease_on(url, &context.base, on, &name).await?;
    let mut command = Command::new(program);
    command.args(arguments).env("DATABASE_URL", connect::url_on(url, &on.search_path)?);
    // a pooler refuses options, or drops them unseen
    if !connect::parse(url)?.is_pooled() {
        let before = std::env::var("PGOPTIONS").map_or_else(|_| String::new(), |before| before + " ");
        command.env("PGOPTIONS", before + &connect::startup_options(&on.search_path));
    }
    let child = command.spawn();
    let outcome = match child {
        Ok(mut child) => loop {
            tokio::select! {
                status = child.wait() => break status,
                Some(signal) = signals.recv() => pass(signal, child.id()),
            }
        },
        Err(error) => Err(error),
    };
    lease.end().await;
    outcome.map(code).map_err(|error| {
        Failure::hinted(format!("cannot run `{}`: {error}", program.display()), "name a program that there is, behind `--`")
    })
}

/// Every signal that a supervisor or a person sends.
fn listen() -> Result<mpsc::Receiver<SignalKind>, Failure> {
    let (sender, receiver) = mpsc::channel(8);
    let kinds = [SignalKind::hangup(), SignalKind::terminate(), SignalKind::user_defined1(), SignalKind::user_defined2()];
    for kind in kinds.into_iter().chain([SignalKind::interrupt(), SignalKind::quit()]) {
        let mut stream = signal(kind).map_err(|error| Failure::new(format!("cannot listen to signals: {error}")))?;
        let sender = sender.clone();
        tokio::spawn(async move { while stream.recv().await.is_some() && sender.send(kind).await.is_ok() {} });
    }
    Ok(receiver)
}

/// Sends the command a signal. What is typed at a terminal has reached it already.
fn pass(kind: SignalKind, process: Option<u32>) {
    if [SignalKind::interrupt(), SignalKind::quit()].contains(&kind) && std::io::stdin().is_terminal() {
        return;
    }
    let process = process.and_then(|process| Pid::from_raw(i32::try_from(process).ok()?));
    if let (Some(process), Some(signal)) = (process, Signal::from_named_raw(kind.as_raw_value())) {
        // one that has just ended gets none
        let _ = kill_process(process, signal);
    }
}

/// The code that a shell would tell.
fn code(status: ExitStatus) -> ExitCode {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    u8::try_from(code).map_or(ExitCode::FAILURE, ExitCode::from)
}
