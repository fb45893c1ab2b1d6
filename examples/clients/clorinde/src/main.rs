//! Clorinde over tokio-postgres and deadpool: the pool is as without it; the queries are what `clorinde live` has made of `queries1/shop.sql` and
//! `queries2/shop.sql`.

use std::process::ExitCode;

use deadpool_postgres::{ClientWrapper, Hook, HookError, Manager, ManagerConfig, Object, Pool};
use diptych::connect;
#[cfg(not(feature = "release2"))]
use queries1::queries::shop;
#[cfg(feature = "release2")]
use queries2::queries::shop;
use work::{Client, Result, Shop, User};

/// A pool on the version that this release is built for.
fn pool(url: &str) -> Result<Pool> {
    let encryption = connect::parse(url)?.tls().connector()?;
    let manager = Manager::from_config(Shop::config(url)?, encryption, ManagerConfig::default());
    let on_version = Hook::async_fn(|client: &mut ClientWrapper, _| {
        Box::pin(async move { Shop::verify(&**client).await.map_err(|error| HookError::message(error.to_string())) })
    });
    Ok(Pool::builder(manager).max_size(3).post_create(on_version).build()?)
}

struct Clorinde(Pool);

impl Clorinde {
    async fn session(&self) -> Result<Object> {
        Ok(self.0.get().await?)
    }
}

impl Client for Clorinde {
    async fn open(url: &str) -> Result<Self> {
        let pool = pool(url)?;
        drop(pool.get().await?);
        Ok(Clorinde(pool))
    }

    async fn path(&self) -> Result<String> {
        Ok(self.session().await?.query_one("SHOW search_path", &[]).await?.get(0))
    }

    #[cfg(not(feature = "release2"))]
    async fn upsert(&self, user: &User) -> Result<i64> {
        Ok(shop::upsert().bind(&self.session().await?, &user.email, &user.name()).one().await?)
    }

    #[cfg(feature = "release2")]
    async fn upsert(&self, user: &User) -> Result<i64> {
        Ok(shop::upsert().bind(&self.session().await?, &user.email, &user.first, &user.last).one().await?)
    }

    async fn update(&self, email: &str) -> Result<(String, String)> {
        let row = shop::update().bind(&self.session().await?, &email).one().await?;
        Ok((row.email, row.name))
    }

    async fn order(&self, user: i64) -> Result<i32> {
        Ok(shop::order_tea().bind(&self.session().await?, &user).one().await?)
    }

    async fn join(&self, email: &str) -> Result<(String, String, i64)> {
        let row = shop::join().bind(&self.session().await?, &email).one().await?;
        Ok((row.name, row.title, row.price_cents.into()))
    }

    async fn group_by(&self, email: &str) -> Result<(String, i64, i64)> {
        let row = shop::group_by().bind(&self.session().await?, &email).one().await?;
        Ok((row.email, row.count, row.sum))
    }

    async fn transaction(&self, user: i64) -> Result<i32> {
        let mut session = self.session().await?;
        let transaction = session.transaction().await?;
        shop::change().bind(&transaction, &user).await?;
        transaction.rollback().await?;
        let transaction = session.transaction().await?;
        shop::change().bind(&transaction, &user).await?;
        transaction.commit().await?;
        Ok(shop::quantity().bind(&session, &user).one().await?)
    }

    async fn generated(&self, email: &str) -> Result<Option<String>> {
        Ok(Some(shop::update().bind(&self.session().await?, &email).one().await?.name))
    }

    async fn newest(&self, like: &str) -> Result<Option<(String, String)>> {
        let row = shop::newest().bind(&self.session().await?, &like).opt().await?;
        Ok(row.map(|row| (row.email, row.name)))
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    work::main::<Clorinde, _>("clorinde", async |url| Ok(Shop::lease(url).await?)).await
}
