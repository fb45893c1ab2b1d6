//! `roles`: a role for each version that there is, for apps behind a pooler.

use crate::config::{Context, Failure};
use crate::out;
use crate::progress::Teller;

pub(crate) async fn run(context: &Context, app: &str) -> Result<(), Failure> {
    let roles = context.migrator().await?.roles(app, &mut Teller::new()).await?;
    if roles.is_empty() {
        return out::say("nothing to do: no version is started");
    }
    for role in roles {
        out::say(role)?;
    }
    Ok(())
}
