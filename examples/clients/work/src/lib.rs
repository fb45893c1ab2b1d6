//! What each client is asked to do on either release of the shop, and how its answers are counted: the same for all of them.
//!
//! A client is built once for each release: as it is for release 1, with the feature `release2` for release 2.

pub mod pool;
pub mod sql;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use diptych::{connect, tokio_postgres::NoTls};

#[cfg(not(feature = "release2"))]
pub use shop::release1::Shop;
#[cfg(feature = "release2")]
pub use shop::release2::Shop;

/// The release that this is built for.
pub const RELEASE: u8 = if cfg!(feature = "release2") { 2 } else { 1 };

/// Whatever a client's own errors are.
pub type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;

/// Who is written and read.
#[derive(Clone, Debug)]
pub struct User {
    pub email: String,
    pub first: String,
    pub last: String,
}

impl User {
    /// As release 1 has it.
    pub fn name(&self) -> String {
        format!("{} {}", self.first, self.last)
    }
}

/// A client's own way to do each kind of work; what it does not have is `None`.
#[allow(async_fn_in_trait, reason = "one task calls it")]
pub trait Client: Sized {
    /// Sessions on the version that this is built for; an error where they are not on it.
    async fn open(url: &str) -> Result<Self>;
    /// The path of a session.
    async fn path(&self) -> Result<String>;
    /// `INSERT … ON CONFLICT (email) DO UPDATE … RETURNING id`.
    async fn upsert(&self, user: &User) -> Result<i64>;
    /// `UPDATE … RETURNING`: email and name.
    async fn update(&self, email: &str) -> Result<(String, String)>;
    /// `INSERT … RETURNING`: an order of product 1, and the quantity that it has by default.
    async fn order(&self, user: i64) -> Result<i32>;
    /// Name, title and price, from three tables.
    async fn join(&self, email: &str) -> Result<(String, String, i64)>;
    /// Email, and the number and quantity of the orders.
    async fn group_by(&self, email: &str) -> Result<(String, i64, i64)>;
    /// Adds one to the quantity in a transaction that is rolled back, then in one that is committed. Tells the quantity.
    async fn transaction(&self, user: i64) -> Result<i32>;
    /// `COPY (SELECT …) TO STDOUT`: email and name.
    async fn copy_out(&self, _email: &str) -> Result<Option<String>> {
        Ok(None)
    }
    /// The name, read by code that the client's generator has made.
    async fn generated(&self, _email: &str) -> Result<Option<String>> {
        Ok(None)
    }
    /// Email and name of the newest user with such an email.
    async fn newest(&self, like: &str) -> Result<Option<(String, String)>>;
}

/// The columns of the table.
const KINDS: [&str; 10] =
    ["path", "check", "upsert", "returning", "join", "group_by", "transaction", "copy_out", "generated", "others_rows"];

/// Runs a program of the table, `NAME ROUNDS`: opens the client, holds what `hold` gives, works, and prints a line for each kind of work.
pub async fn main<C: Client, L>(name: &str, hold: impl AsyncFnOnce(&str) -> Result<L>) -> ExitCode {
    let run = async {
        let url = std::env::var("DATABASE_URL")?;
        let rounds = std::env::args().nth(1).unwrap_or_default().parse()?;
        let client = C::open(&url).await?;
        let held = hold(&url).await?;
        let done = work(&client, name, &url, rounds).await;
        drop(held);
        Ok(done)
    };
    match run.await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err::<_, Box<dyn std::error::Error + Send + Sync>>(error) => {
            eprintln!("{name}, release {RELEASE}: {}", told(&*error));
            ExitCode::FAILURE
        }
    }
}

/// What became of one kind of work.
#[derive(Clone, PartialEq)]
enum Cell {
    Done(u32),
    Failed,
    Absent,
}

async fn work<C: Client>(client: &C, name: &str, url: &str, rounds: u32) -> bool {
    let mut cells = vec![Cell::Done(0); KINDS.len()];
    for round in 0..rounds {
        let user = User {
            email: format!("{name}-{round}@release{RELEASE}"),
            first: format!("First{round}"),
            last: format!("Last {round}"),
        };
        for (kind, cell) in KINDS.into_iter().zip(&mut cells) {
            let Cell::Done(count) = *cell else { continue };
            // once is enough: pools take their time until they give up
            if kind == "check" && count == 1 {
                continue;
            }
            match one(client, name, kind, url, &user).await {
                Ok(Some(true)) => *cell = Cell::Done(count + 1),
                Ok(Some(false)) => {}
                Ok(None) => *cell = Cell::Absent,
                Err(error) => {
                    eprintln!("{name}, release {RELEASE}, {kind}: {}", told(&*error));
                    *cell = Cell::Failed;
                }
            }
        }
    }
    for (kind, cell) in KINDS.into_iter().zip(&cells) {
        match cell {
            Cell::Done(count) => println!("{kind}\t{count}"),
            Cell::Failed => println!("{kind}\tfailed"),
            Cell::Absent => println!("{kind}\t-"),
        }
    }
    !cells.contains(&Cell::Failed) && !cells.contains(&Cell::Done(0))
}

/// Does one kind of work, and compares what comes back: done, nothing to do yet, or not to be had.
async fn one<C: Client>(client: &C, client_name: &str, kind: &str, url: &str, user: &User) -> Result<Option<bool>> {
    let (email, name) = (user.email.as_str(), user.name());
    match kind {
        "path" => same(client.path().await?, Shop::search_path().unwrap_or_default())?,
        "check" => check::<C>(client_name, url).await?,
        "upsert" => {
            let id = client.upsert(&User { first: "Old".to_owned(), ..user.clone() }).await?;
            same(client.upsert(user).await?, id)?;
        }
        "returning" => {
            same(client.update(email).await?, (email.to_owned(), name))?;
            same(client.order(client.upsert(user).await?).await?, 1)?;
        }
        "join" => same(client.join(email).await?, (name, "Tea".to_owned(), 250))?,
        "group_by" => same(client.group_by(email).await?, (email.to_owned(), 1, 1))?,
        "transaction" => same(client.transaction(client.upsert(user).await?).await?, 2)?,
        "copy_out" => {
            let Some(copied) = client.copy_out(email).await? else { return Ok(None) };
            same(copied, format!("{email}\t{name}\n"))?;
        }
        "generated" => {
            let Some(read) = client.generated(email).await? else { return Ok(None) };
            same(read, name)?;
        }
        _ => {
            let other = client.newest(&format!("%@release{}", 3 - RELEASE)).await?;
            // nobody is there yet, or is being written
            let Some((email, name)) = other.filter(|(_, name)| !name.starts_with("Old ")) else { return Ok(Some(false)) };
            let number = email.split('@').next().and_then(|before| before.rsplit('-').next()).unwrap_or_default();
            same(name, format!("First{number} Last {number}"))?;
        }
    }
    Ok(Some(true))
}

/// Sessions elsewhere are refused: new ones of a pool, which are not lent, and those of an app that starts, which is told why.
async fn check<C: Client>(client_name: &str, url: &str) -> Result<()> {
    let (admin, connection) = connect::parse(url)?.config().connect(NoTls).await?;
    tokio::spawn(connection);
    // as behind a pooler: a setting of the role puts the sessions on the version
    let role = format!("{client_name}_{RELEASE}").replace('-', "_");
    let path = Shop::search_path().unwrap_or_default();
    admin.batch_execute(&format!("CREATE ROLE {role} LOGIN SUPERUSER; ALTER ROLE {role} SET search_path TO {path}")).await?;
    let url = url.replace("user=postgres", &format!("user={role}")) + "&pooler=true&options=";
    let client = C::open(&url).await?;
    same(client.path().await?, path)?;
    // somebody takes the setting away, and every session has to be opened anew
    let end = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{role}'");
    admin.batch_execute(&format!("ALTER ROLE {role} RESET search_path; {end}")).await?;
    let mut is_kept_out = false;
    for _ in 0..6 {
        let began = Instant::now();
        let Err(error) = client.path().await else { return Err("the pool lends a session that is elsewhere".into()) };
        // some pools tell why, others try again until their time is over; that a session has ended is told at once
        is_kept_out = is_elsewhere(&*error) || began.elapsed() > Duration::from_secs(3);
        if is_kept_out {
            break;
        }
    }
    let told = C::open(&url).await.err().is_some_and(|error| is_elsewhere(&*error));
    same((is_kept_out, told), (true, true))
}

fn is_elsewhere(error: &(dyn std::error::Error + 'static)) -> bool {
    told(error).contains("the session is not on version")
}

fn same<T: PartialEq + std::fmt::Debug>(found: T, wanted: T) -> Result<()> {
    if found == wanted { Ok(()) } else { Err(format!("{found:?} in place of {wanted:?}").into()) }
}

/// An error with what is behind it.
fn told(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
