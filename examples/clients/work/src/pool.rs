//! The work over tokio-postgres, whichever pool its sessions come from.

use diptych::tokio_postgres::{self, Row};
use futures_util::TryStreamExt;

use crate::{Client, Result, User, sql};

/// A pool of tokio-postgres clients.
#[allow(async_fn_in_trait, reason = "one task calls it")]
pub trait Pool: Sized {
    /// What it lends.
    type Lent;
    /// A pool on the version that this is built for, which checks its sessions.
    async fn open(url: &str) -> Result<Self>;
    /// Lends a session.
    async fn lend(&self) -> Result<Self::Lent>;
    /// The session of what it has lent.
    fn session(lent: &mut Self::Lent) -> &mut tokio_postgres::Client;
}

impl<P: Pool> Client for P {
    async fn open(url: &str) -> Result<Self> {
        let pool = <P as Pool>::open(url).await?;
        drop(pool.lend().await?);
        Ok(pool)
    }

    async fn path(&self) -> Result<String> {
        let mut lent = self.lend().await?;
        Ok(P::session(&mut lent).query_one("SHOW search_path", &[]).await?.get(0))
    }

    async fn upsert(&self, user: &User) -> Result<i64> {
        let mut lent = self.lend().await?;
        Ok(P::session(&mut lent).query_one(sql::UPSERT, &[&user.email, &user.first, &user.last]).await?.get(0))
    }

    async fn update(&self, email: &str) -> Result<(String, String)> {
        let mut lent = self.lend().await?;
        Ok(two(&P::session(&mut lent).query_one(sql::UPDATE, &[&email]).await?))
    }

    async fn order(&self, user: i64) -> Result<i32> {
        let mut lent = self.lend().await?;
        Ok(P::session(&mut lent).query_one(sql::ORDER, &[&user]).await?.get(0))
    }

    async fn join(&self, email: &str) -> Result<(String, String, i64)> {
        let mut lent = self.lend().await?;
        let row = P::session(&mut lent).query_one(sql::JOIN, &[&email]).await?;
        Ok((row.get(0), row.get(1), row.get(2)))
    }

    async fn group_by(&self, email: &str) -> Result<(String, i64, i64)> {
        let mut lent = self.lend().await?;
        let row = P::session(&mut lent).query_one(sql::GROUP_BY, &[&email]).await?;
        Ok((row.get(0), row.get(1), row.get(2)))
    }

    async fn transaction(&self, user: i64) -> Result<i32> {
        let mut lent = self.lend().await?;
        let session = P::session(&mut lent);
        let transaction = session.transaction().await?;
        transaction.execute(sql::CHANGE, &[&user]).await?;
        transaction.rollback().await?;
        let transaction = session.transaction().await?;
        transaction.execute(sql::CHANGE, &[&user]).await?;
        transaction.commit().await?;
        Ok(session.query_one(sql::QUANTITY, &[&user]).await?.get(0))
    }

    async fn copy_out(&self, email: &str) -> Result<Option<String>> {
        let mut lent = self.lend().await?;
        let chunks: Vec<_> = P::session(&mut lent).copy_out(&sql::copy_out(email)).await?.try_collect().await?;
        Ok(Some(String::from_utf8(chunks.concat())?))
    }

    async fn newest(&self, like: &str) -> Result<Option<(String, String)>> {
        let mut lent = self.lend().await?;
        Ok(P::session(&mut lent).query_opt(sql::NEWEST, &[&like]).await?.map(|row| two(&row)))
    }
}

fn two(row: &Row) -> (String, String) {
    (row.get(0), row.get(1))
}
