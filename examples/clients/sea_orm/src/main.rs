//! SeaORM: the pool below it checks each new session; the entities are what `sea-orm-cli generate entity` has written.

#[rustfmt::skip]
#[allow(unused_imports, reason = "the generator writes a prelude, too")]
#[cfg(not(feature = "release2"))]
#[path = "entity1/mod.rs"]
mod entity;
#[rustfmt::skip]
#[allow(unused_imports, reason = "the generator writes a prelude, too")]
#[cfg(feature = "release2")]
#[path = "entity2/mod.rs"]
mod entity;

use std::process::ExitCode;
use std::time::Duration;

use entity::{orders, products, users};
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict};
use sea_orm::sqlx::{self, AssertSqlSafe, Connection, PgConnection};
use sea_orm::{ActiveValue::Set, ConnectOptions, Database, DatabaseConnection, Statement, prelude::*};
use sea_orm::{QueryOrder, QuerySelect, TransactionTrait};
use work::{Client, Result, Shop, User};

/// A pool on the version that this release is built for.
async fn database(url: &str) -> Result<DatabaseConnection> {
    let url = Shop::url(url)?;
    // a pool tries again until its time is over, and does not tell why: one session tells it at once
    verify(&mut PgConnection::connect(&url).await?).await?;
    let mut options = ConnectOptions::new(url);
    options.max_connections(3).acquire_timeout(Duration::from_secs(5)).sqlx_logging(false);
    options.map_sqlx_postgres_pool_opts(|pool| pool.after_connect(|session, _| Box::pin(verify(session))));
    Ok(Database::connect(options).await?)
}

async fn verify(session: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::raw_sql(AssertSqlSafe(Shop::verify_sql())).execute(session).await.map(|_| ())
}

#[cfg(not(feature = "release2"))]
fn new(user: &User) -> users::ActiveModel {
    users::ActiveModel { email: Set(user.email.clone()), name: Set(user.name()), ..Default::default() }
}

#[cfg(feature = "release2")]
fn new(user: &User) -> users::ActiveModel {
    let (email, first_name, last_name) = (Set(user.email.clone()), Set(user.first.clone()), Set(user.last.clone()));
    users::ActiveModel { email, first_name, last_name, ..Default::default() }
}

#[cfg(not(feature = "release2"))]
const NAMES: [users::Column; 1] = [users::Column::Name];
#[cfg(feature = "release2")]
const NAMES: [users::Column; 2] = [users::Column::FirstName, users::Column::LastName];

#[cfg(not(feature = "release2"))]
fn name(user: &users::Model) -> String {
    user.name.clone()
}

#[cfg(feature = "release2")]
fn name(user: &users::Model) -> String {
    format!("{} {}", user.first_name, user.last_name)
}

struct SeaOrm(DatabaseConnection);

impl SeaOrm {
    async fn user(&self, email: &str) -> Result<users::Model> {
        let user = users::Entity::find().filter(users::Column::Email.eq(email)).one(&self.0).await?;
        Ok(user.ok_or("there is no such user")?)
    }
}

impl Client for SeaOrm {
    async fn open(url: &str) -> Result<Self> {
        Ok(SeaOrm(database(url).await?))
    }

    async fn path(&self) -> Result<String> {
        let row = self.0.query_one_raw(Statement::from_string(self.0.get_database_backend(), "SHOW search_path")).await?;
        Ok(row.ok_or("no row")?.try_get_by_index(0)?)
    }

    async fn upsert(&self, user: &User) -> Result<i64> {
        let conflict = OnConflict::column(users::Column::Email).update_columns(NAMES).to_owned();
        Ok(users::Entity::insert(new(user)).on_conflict(conflict).exec_with_returning(&self.0).await?.id)
    }

    async fn update(&self, email: &str) -> Result<(String, String)> {
        let same = Expr::col(users::Column::Email);
        let update = users::Entity::update_many().col_expr(users::Column::Email, same);
        let mut updated = update.filter(users::Column::Email.eq(email)).exec_with_returning(&self.0).await?;
        let user = updated.pop().ok_or("no row")?;
        Ok((user.email.clone(), name(&user)))
    }

    async fn order(&self, user: i64) -> Result<i32> {
        let order = orders::ActiveModel { user_id: Set(user), product_id: Set(1), ..Default::default() };
        Ok(order.insert(&self.0).await?.quantity)
    }

    async fn join(&self, email: &str) -> Result<(String, String, i64)> {
        let query = users::Entity::find().find_also_related(orders::Entity).and_also_related(products::Entity);
        let row = query.filter(users::Column::Email.eq(email)).one(&self.0).await?;
        let Some((user, _, Some(product))) = row else { return Err("no row".into()) };
        Ok((name(&user), product.title, product.price_cents.into()))
    }

    async fn group_by(&self, email: &str) -> Result<(String, i64, i64)> {
        let query = users::Entity::find().inner_join(orders::Entity).filter(users::Column::Email.eq(email)).select_only();
        let query = query.column(users::Column::Email).group_by(users::Column::Email);
        let query = query.column_as(orders::Column::Id.count(), "count").column_as(orders::Column::Quantity.sum(), "sum");
        Ok(query.into_tuple().one(&self.0).await?.ok_or("no row")?)
    }

    async fn transaction(&self, user: i64) -> Result<i32> {
        let more = Expr::col(orders::Column::Quantity).add(1);
        let change = orders::Entity::update_many().col_expr(orders::Column::Quantity, more);
        let change = change.filter(orders::Column::UserId.eq(user));
        let transaction = self.0.begin().await?;
        change.clone().exec(&transaction).await?;
        transaction.rollback().await?;
        let transaction = self.0.begin().await?;
        change.exec(&transaction).await?;
        transaction.commit().await?;
        let order = orders::Entity::find().filter(orders::Column::UserId.eq(user)).one(&self.0).await?;
        Ok(order.ok_or("no row")?.quantity)
    }

    async fn generated(&self, email: &str) -> Result<Option<String>> {
        Ok(Some(name(&self.user(email).await?)))
    }

    async fn newest(&self, like: &str) -> Result<Option<(String, String)>> {
        let query = users::Entity::find().filter(users::Column::Email.like(like)).order_by_desc(users::Column::Id);
        Ok(query.one(&self.0).await?.map(|user| (user.email.clone(), name(&user))))
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    work::main::<SeaOrm, _>("sea-orm", async |url| Ok(Shop::lease(url).await?)).await
}
