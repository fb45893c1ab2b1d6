//! `scratch`: a command on a private database with the folder's tables, for generators of code that read tables and know no views.

use std::ffi::OsString;
use std::process::ExitCode;

use diptych_core::DeclaredSchema;
use tokio::process::Command;

use crate::config::{Context, Failure};
use crate::scratch::Scratch;
use crate::{child, folder, project_snapshot};

pub(crate) async fn run(context: &Context, command: &[OsString]) -> Result<ExitCode, Failure> {
    let [program, arguments @ ..] = command else { return Err(Failure::new("no command is given")) };
    let migrations = folder::migrations(&context.dir)?;
    let snapshot = project_snapshot(context)?;
    let scratch = Scratch::start(context)?;
    let database = scratch.database("scratch").await?;
    database.bring_in(&migrations, std::slice::from_ref(&snapshot.schema), &DeclaredSchema::default()).await?;
    database.create_code().await?;
    let mut command = Command::new(program);
    command.args(arguments);
    database.give_to(&mut command).await?;
    child::attend(command, child::listen()?).await
}
