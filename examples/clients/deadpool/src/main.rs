//! tokio-postgres with deadpool-postgres: the pool's hook checks each new session.

use std::process::ExitCode;

use deadpool_postgres::{ClientWrapper, Hook, HookError, Manager, ManagerConfig, Object, Pool};
use diptych::{connect, tokio_postgres};
use work::{Result, Shop};

/// A pool on the version that this release is built for.
fn pool(url: &str) -> Result<Pool> {
    let encryption = connect::parse(url)?.tls().connector()?;
    let manager = Manager::from_config(Shop::config(url)?, encryption, ManagerConfig::default());
    let on_version = Hook::async_fn(|client: &mut ClientWrapper, _| {
        Box::pin(async move { Shop::verify(&**client).await.map_err(|error| HookError::message(error.to_string())) })
    });
    Ok(Pool::builder(manager).max_size(3).post_create(on_version).build()?)
}

struct Deadpool(Pool);

impl work::pool::Pool for Deadpool {
    type Lent = Object;

    async fn open(url: &str) -> Result<Self> {
        Ok(Deadpool(pool(url)?))
    }

    async fn lend(&self) -> Result<Object> {
        Ok(self.0.get().await?)
    }

    fn session(lent: &mut Object) -> &mut tokio_postgres::Client {
        lent
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    work::main::<Deadpool, _>("deadpool", async |url| Ok(Shop::lease(url).await?)).await
}
