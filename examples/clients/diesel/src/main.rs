//! Diesel over libpq with r2d2: the pool's customizer checks each new session; the tables are what `diesel print-schema` has printed.
//!
//! `diptych run -- shop-diesel` holds the version: there is no runtime here that could renew a lease.

#[rustfmt::skip]
#[cfg(not(feature = "release2"))]
#[path = "../../diesel_async/src/schema1.rs"]
mod schema;
#[rustfmt::skip]
#[cfg(feature = "release2")]
#[path = "../../diesel_async/src/schema2.rs"]
mod schema;

use std::process::ExitCode;
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::dsl::{count_star, sum};
use diesel::prelude::*;
use diesel::r2d2::{self, ConnectionManager, CustomizeConnection, Pool, PooledConnection};
use diesel::result::Error;
use diesel::sql_types;
use schema::{orders, products, users};
use work::{Client, Result, Shop};

/// A pool on the version that this release is built for.
fn pool(url: &str) -> Result<Pool<ConnectionManager<PgConnection>>> {
    let url = Shop::url(url)?;
    // a pool tries again until its time is over: one session tells at once
    PgConnection::establish(&url)?.batch_execute(&Shop::verify_sql())?;
    let pool = Pool::builder().max_size(3).connection_timeout(Duration::from_secs(5));
    Ok(pool.connection_customizer(Box::new(OnVersion)).build(ConnectionManager::new(url))?)
}

#[derive(Debug)]
struct OnVersion;

impl CustomizeConnection<PgConnection, r2d2::Error> for OnVersion {
    fn on_acquire(&self, session: &mut PgConnection) -> Result<(), r2d2::Error> {
        session.batch_execute(&Shop::verify_sql()).map_err(r2d2::Error::QueryError)
    }
}

#[cfg(not(feature = "release2"))]
type Cents = i32;
#[cfg(feature = "release2")]
type Cents = i64;

/// A user as this release has it.
#[derive(Insertable, AsChangeset, Queryable, Selectable)]
#[diesel(table_name = users)]
struct User {
    email: String,
    #[cfg(not(feature = "release2"))]
    name: String,
    #[cfg(feature = "release2")]
    first_name: String,
    #[cfg(feature = "release2")]
    last_name: String,
}

impl From<&work::User> for User {
    #[cfg(not(feature = "release2"))]
    fn from(user: &work::User) -> Self {
        User { email: user.email.clone(), name: user.name() }
    }

    #[cfg(feature = "release2")]
    fn from(user: &work::User) -> Self {
        User { email: user.email.clone(), first_name: user.first.clone(), last_name: user.last.clone() }
    }
}

impl User {
    #[cfg(not(feature = "release2"))]
    fn name(&self) -> String {
        self.name.clone()
    }

    #[cfg(feature = "release2")]
    fn name(&self) -> String {
        format!("{} {}", self.first_name, self.last_name)
    }
}

struct Diesel(Pool<ConnectionManager<PgConnection>>);

impl Diesel {
    fn session(&self) -> Result<PooledConnection<ConnectionManager<PgConnection>>> {
        Ok(self.0.get()?)
    }
}

impl Client for Diesel {
    async fn open(url: &str) -> Result<Self> {
        Ok(Diesel(pool(url)?))
    }

    async fn path(&self) -> Result<String> {
        let path = diesel::dsl::sql::<sql_types::Text>("SELECT current_setting('search_path')");
        Ok(path.get_result(&mut self.session()?)?)
    }

    async fn upsert(&self, user: &work::User) -> Result<i64> {
        let user = User::from(user);
        let insert = diesel::insert_into(users::table).values(&user).on_conflict(users::email).do_update().set(&user);
        Ok(insert.returning(users::id).get_result(&mut self.session()?)?)
    }

    async fn update(&self, email: &str) -> Result<(String, String)> {
        let update = diesel::update(users::table.filter(users::email.eq(email))).set(users::email.eq(users::email));
        let user = update.returning(User::as_returning()).get_result(&mut self.session()?)?;
        Ok((user.email.clone(), user.name()))
    }

    async fn order(&self, user: i64) -> Result<i32> {
        let insert = diesel::insert_into(orders::table).values((orders::user_id.eq(user), orders::product_id.eq(1_i64)));
        Ok(insert.returning(orders::quantity).get_result(&mut self.session()?)?)
    }

    async fn join(&self, email: &str) -> Result<(String, String, i64)> {
        let query = users::table.inner_join(orders::table.inner_join(products::table)).filter(users::email.eq(email)).select((
            User::as_select(),
            products::title,
            products::price_cents,
        ));
        let (user, title, cents): (User, String, Cents) = query.first(&mut self.session()?)?;
        Ok((user.name(), title, cents.into()))
    }

    async fn group_by(&self, email: &str) -> Result<(String, i64, i64)> {
        let query = users::table.inner_join(orders::table).filter(users::email.eq(email)).group_by(users::email).select((
            users::email,
            count_star(),
            sum(orders::quantity),
        ));
        let (email, count, sum): (String, i64, Option<i64>) = query.first(&mut self.session()?)?;
        Ok((email, count, sum.unwrap_or_default()))
    }

    async fn transaction(&self, user: i64) -> Result<i32> {
        let orders = orders::table.filter(orders::user_id.eq(user));
        let change = || diesel::update(orders).set(orders::quantity.eq(orders::quantity + 1));
        let mut session = self.session()?;
        let undone = session.transaction::<(), Error, _>(|session| {
            change().execute(session)?;
            Err(Error::RollbackTransaction)
        });
        undone.expect_err("it is rolled back");
        session.transaction::<_, Error, _>(|session| change().execute(session))?;
        Ok(orders.select(orders::quantity).first(&mut session)?)
    }

    async fn generated(&self, email: &str) -> Result<Option<String>> {
        let query = users::table.filter(users::email.eq(email)).select(User::as_select());
        Ok(Some(query.first(&mut self.session()?)?.name()))
    }

    async fn newest(&self, like: &str) -> Result<Option<(String, String)>> {
        let query = users::table.filter(users::email.like(like)).order(users::id.desc()).select(User::as_select());
        let user = query.first(&mut self.session()?).optional()?;
        Ok(user.map(|user| (user.email.clone(), user.name())))
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    work::main::<Diesel, _>("diesel", async |_| Ok(())).await
}
