//! `complete`: contract.

use diptych::Guard;

use crate::config::{Context, Failure};
use crate::progress::Teller;
use crate::render;

pub(crate) async fn run(context: &Context, guard: Guard) -> Result<(), Failure> {
    let outcome = context.migrator_with(guard).await?.complete(&mut Teller::new()).await?;
    println!("{}", render::outcome("completed", &outcome));
    Ok(())
}
