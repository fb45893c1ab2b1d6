//! sqlx: the pool's callback checks each new session; `query!` is checked by the compiler against what `cargo sqlx prepare` has written.

use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

use futures_util::TryStreamExt;
use sqlx::postgres::{PgConnectOptions, PgPoolCopyExt, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions, PgConnection, PgPool};
use work::{Client, Result, Shop, User, sql};

/// A pool on the version that this release is built for.
async fn pool(url: &str) -> Result<PgPool> {
    let options = PgConnectOptions::from_str(&Shop::url(url)?)?;
    // a pool tries again until its time is over, and does not tell why: one session tells it at once
    verify(&mut options.connect().await?).await?;
    let pool = PgPoolOptions::new().max_connections(3).acquire_timeout(Duration::from_secs(5));
    Ok(pool.after_connect(|session, _| Box::pin(verify(session))).connect_with(options).await?)
}

async fn verify(session: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::raw_sql(AssertSqlSafe(Shop::verify_sql())).execute(session).await.map(|_| ())
}

struct Sqlx(PgPool);

impl Client for Sqlx {
    async fn open(url: &str) -> Result<Self> {
        Ok(Sqlx(pool(url).await?))
    }

    async fn path(&self) -> Result<String> {
        Ok(sqlx::query_scalar("SHOW search_path").fetch_one(&self.0).await?)
    }

    async fn upsert(&self, user: &User) -> Result<i64> {
        let upsert = sqlx::query_scalar(sql::UPSERT).bind(&user.email).bind(&user.first).bind(&user.last);
        Ok(upsert.fetch_one(&self.0).await?)
    }

    async fn update(&self, email: &str) -> Result<(String, String)> {
        Ok(sqlx::query_as(sql::UPDATE).bind(email).fetch_one(&self.0).await?)
    }

    async fn order(&self, user: i64) -> Result<i32> {
        Ok(sqlx::query_scalar(sql::ORDER).bind(user).fetch_one(&self.0).await?)
    }

    async fn join(&self, email: &str) -> Result<(String, String, i64)> {
        Ok(sqlx::query_as(sql::JOIN).bind(email).fetch_one(&self.0).await?)
    }

    async fn group_by(&self, email: &str) -> Result<(String, i64, i64)> {
        Ok(sqlx::query_as(sql::GROUP_BY).bind(email).fetch_one(&self.0).await?)
    }

    async fn transaction(&self, user: i64) -> Result<i32> {
        let mut transaction = self.0.begin().await?;
        sqlx::query(sql::CHANGE).bind(user).execute(&mut *transaction).await?;
        transaction.rollback().await?;
        let mut transaction = self.0.begin().await?;
        sqlx::query(sql::CHANGE).bind(user).execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(sqlx::query_scalar(sql::QUANTITY).bind(user).fetch_one(&self.0).await?)
    }

    async fn copy_out(&self, email: &str) -> Result<Option<String>> {
        let chunks: Vec<_> = self.0.copy_out_raw(&sql::copy_out(email)).await?.try_collect().await?;
        Ok(Some(String::from_utf8(chunks.concat())?))
    }

    #[cfg(not(feature = "release2"))]
    async fn generated(&self, email: &str) -> Result<Option<String>> {
        let user = sqlx::query!("SELECT name FROM users WHERE email = $1", email).fetch_one(&self.0).await?;
        Ok(Some(user.name))
    }

    #[cfg(feature = "release2")]
    async fn generated(&self, email: &str) -> Result<Option<String>> {
        let user = sqlx::query!("SELECT first_name, last_name FROM users WHERE email = $1", email).fetch_one(&self.0).await?;
        Ok(Some(format!("{} {}", user.first_name, user.last_name)))
    }

    async fn newest(&self, like: &str) -> Result<Option<(String, String)>> {
        Ok(sqlx::query_as(sql::NEWEST).bind(like).fetch_optional(&self.0).await?)
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    work::main::<Sqlx, _>("sqlx", async |url| Ok(Shop::lease(url).await?)).await
}
