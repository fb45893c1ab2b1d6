//! A command of the user's where there are no signals: what is typed at a terminal reaches it by itself, and its exit code comes back.

use std::process::ExitCode;

use tokio::process::Command;

use crate::config::Failure;

/// While there is one, what is typed ends the command and not us.
pub(crate) struct Listening;

/// Runs it to its end.
pub(crate) async fn attend(mut command: Command, _: Listening) -> Result<ExitCode, Failure> {
    let status = command.status().await.map_err(|error| {
        let program = command.as_std().get_program().display();
        Failure::hinted(format!("cannot run `{program}`: {error}"), "name a program that there is, behind `--`")
    })?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}

pub(crate) fn listen() -> Result<Listening, Failure> {
    tokio::spawn(async { while tokio::signal::ctrl_c().await.is_ok() {} });
    Ok(Listening)
}
