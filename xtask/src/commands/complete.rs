//! `complete`: contract.

use crate::config::{Context, Failure};
use crate::progress::Teller;
use crate::render;

pub(crate) async fn run(context: &Context) -> Result<(), Failure> {
    let outcome = context.migrator().await?.complete(&mut Teller::new()).await?;
    println!("{}", render::outcome("completed", &outcome));
    Ok(())
}
