//! tokio-postgres with bb8-postgres: the pool's customizer checks each new session.

use std::pin::Pin;
use std::process::ExitCode;
use std::time::Duration;

use bb8_postgres::PostgresConnectionManager;
use bb8_postgres::bb8::{CustomizeConnection, Pool, PooledConnection};
use diptych::connect;
use diptych::tokio_postgres::{Client, Error};
use diptych::tokio_postgres_rustls::MakeRustlsConnect;
use work::{Result, Shop};

type Manager = PostgresConnectionManager<MakeRustlsConnect>;

/// A pool on the version that this release is built for.
async fn pool(url: &str) -> Result<Pool<Manager>> {
    let encryption = connect::parse(url)?.tls().connector()?;
    let manager = Manager::new(Shop::config(url)?, encryption);
    let pool = Pool::builder().max_size(3).connection_timeout(Duration::from_secs(5));
    let pool = pool.connection_customizer(Box::new(OnVersion)).build(manager).await?;
    // a pool tries again until its time is over, and does not tell why: one session tells it at once
    pool.dedicated_connection().await?;
    Ok(pool)
}

#[derive(Debug)]
struct OnVersion;

impl CustomizeConnection<Client, Error> for OnVersion {
    fn on_acquire<'a>(&'a self, client: &'a mut Client) -> Pin<Box<dyn Future<Output = Result<(), Error>> + Send + 'a>> {
        Box::pin(async { client.batch_execute(&Shop::verify_sql()).await })
    }
}

struct Bb8(Pool<Manager>);

impl work::pool::Pool for Bb8 {
    type Lent = PooledConnection<'static, Manager>;

    async fn open(url: &str) -> Result<Self> {
        Ok(Bb8(pool(url).await?))
    }

    async fn lend(&self) -> Result<Self::Lent> {
        Ok(self.0.get_owned().await?)
    }

    fn session(lent: &mut Self::Lent) -> &mut Client {
        lent
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    work::main::<Bb8, _>("bb8", async |url| Ok(Shop::lease(url).await?)).await
}
