//! `roles`: a role for each version that there is, for apps behind a pooler.

use std::fs;
use std::path::Path;

use diptych::VersionRole;

use crate::config::{Context, Failure};
use crate::events::Event;
use crate::out;
use crate::progress::Teller;

/// Where the password of new roles is looked for if no file is named. It is no argument: those stand in the list of processes.
const VARIABLE: &str = "DIPTYCH_ROLE_PASSWORD";

pub(crate) async fn run(context: &Context, app: &str, password_file: Option<&Path>, json: bool) -> Result<(), Failure> {
    let settled = settle(context, app, password_file).await;
    match &settled {
        Ok(roles) if json => Event::Roles { roles }.tell("roles")?,
        Err(failure) if json => Event::failed(failure).tell("roles")?,
        Ok(roles) if roles.is_empty() => out::say("nothing to do: no version is started")?,
        Ok(roles) => roles.iter().try_for_each(out::say)?,
        Err(_) => {}
    }
    settled.map(drop)
}

async fn settle(context: &Context, app: &str, password_file: Option<&Path>) -> Result<Vec<VersionRole>, Failure> {
    let password = password(password_file)?;
    let mut migrator = context.migrator().await?;
    Ok(match &password {
        Some(password) => migrator.roles_with_password(app, password, &mut Teller::new()).await?,
        None => migrator.roles(app, &mut Teller::new()).await?,
    })
}

/// The first line of the file, or the variable's value.
fn password(file: Option<&Path>) -> Result<Option<Vec<u8>>, Failure> {
    let (given, place) = match (file, std::env::var_os(VARIABLE)) {
        (Some(file), _) => {
            let text = fs::read(file).map_err(|error| {
                Failure::hinted(
                    format!("cannot read the password in `{}`: {error}", file.display()),
                    "name a readable file with --password-file",
                )
            })?;
            let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
            (line.strip_suffix(b"\r").unwrap_or(line).to_vec(), format!("`{}`", file.display()))
        }
        (None, Some(value)) => (value.into_encoded_bytes(), VARIABLE.to_owned()),
        (None, None) => return Ok(None),
    };
    if given.is_empty() || given.contains(&0) {
        return Err(Failure::hinted(
            format!("the password in {place} is empty, or holds a NUL byte"),
            "write a password there; or leave it out, and give the roles one with `\\password` in psql",
        ));
    }
    Ok(Some(given))
}
