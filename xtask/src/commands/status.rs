//! `status`: how the database stands.

use crate::config::{Context, Failure};
use crate::{folder, render};

pub(crate) async fn run(context: &Context, json: bool) -> Result<(), Failure> {
    let migrations = folder::migrations(&context.dir)?;
    let status = context.migrator().await?.status(&migrations).await?;
    if json {
        println!("{}", serde_json::to_string(&status).map_err(|error| Failure::new(error.to_string()))?);
    } else {
        println!("{}", render::status(&status));
    }
    Ok(())
}
