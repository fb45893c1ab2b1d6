//! A command of the user's: signals reach it, and its exit code comes back.

use std::io::IsTerminal;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitCode, ExitStatus};

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use crate::config::Failure;

/// Runs it to its end, with the signals that [`listen`] hears.
pub(crate) async fn attend(mut command: Command, mut signals: mpsc::Receiver<SignalKind>) -> Result<ExitCode, Failure> {
    let outcome = match command.spawn() {
        Ok(mut child) => loop {
            tokio::select! {
                status = child.wait() => break status,
                Some(signal) = signals.recv() => pass(signal, child.id()),
            }
        },
        Err(error) => Err(error),
    };
    outcome.map(code).map_err(|error| {
        let program = command.as_std().get_program().display();
        Failure::hinted(format!("cannot run `{program}`: {error}"), "name a program that there is, behind `--`")
    })
}

/// Every signal that a supervisor or a person sends.
pub(crate) fn listen() -> Result<mpsc::Receiver<SignalKind>, Failure> {
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
