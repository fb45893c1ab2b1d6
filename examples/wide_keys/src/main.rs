//! The change that people dread most: a primary key runs out of `integer`, other tables point at it, and the app goes on.
//!
//! `cargo run -p wide-keys` shows it on a private server: `cargo run -p wide-keys -- 1000000` with as many notes.

pub mod release1;
pub mod release2;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use diptych::plan::{Phase, Step};
use diptych::tokio_postgres::Client;
use diptych::{Database, Guard, Migrator, Options, Progress};
use diptych_xtask::server::{self, Server};

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> ExitCode {
    let notes = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(100_000);
    match show(notes).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What the clients came to.
#[derive(Default)]
struct Tally {
    statements: AtomicU64,
    longest: AtomicU64,
    stop_old: AtomicBool,
    stop_new: AtomicBool,
}

async fn show(notes: i64) -> Result<(), Failure> {
    let began = Instant::now();
    let say = |line: &str| println!("{:6.1} s  {line}", began.elapsed().as_secs_f64());
    let server = Server::start(&server::Options::default())?;
    let url = server.url("postgres");
    let migrations = release2::Notes::migrations()?;
    // release 1's lease ends a moment after its last client
    let options = Options { guard: Guard::Wait(Duration::from_secs(30)), ..Options::default() };
    let mut migrator = Migrator::connect(diptych::connect::parse(&url)?, options).await?;
    migrator.start(&migrations[..1], None, &mut Teller(None)).await?;
    migrator.complete(&mut Teller(None)).await?;
    let client = release1::Notes::connect(&url).await?;
    client.execute("INSERT INTO users (email) SELECT 'user' || n FROM generate_series(1, 1000) AS n", &[]).await?;
    let fill = "INSERT INTO notes (user_id, body) SELECT 1 + n % 1000, 'note ' || n FROM generate_series(1, $1::int8) AS n";
    client.execute(fill, &[&notes]).await?;
    say(&format!("{notes} notes of 1000 users, keys are integer; release 1 writes"));

    let tally = Arc::new(Tally::default());
    let old: Vec<_> = (0..2).map(|_| tokio::spawn(write_old(url.clone(), Arc::clone(&tally)))).collect();
    drop(client);
    migrator.start(&migrations, None, &mut Teller(Some(began))).await?;
    say("both releases write: integer and bigint, the same rows");
    let new: Vec<_> = (0..2).map(|_| tokio::spawn(write_new(url.clone(), Arc::clone(&tally)))).collect();
    tokio::time::sleep(Duration::from_secs(1)).await;
    tally.stop_old.store(true, Ordering::Relaxed);
    for client in old {
        client.await??;
    }
    say("release 1 is stopped; complete");
    migrator.complete(&mut Teller(Some(began))).await?;
    let client = release2::Notes::connect(&url).await?;
    client.batch_execute("SELECT setval('public.users_id_seq', 3000000000)").await?;
    let id: i64 =
        client.query_one("INSERT INTO users (email) VALUES ('the three thousand millionth') RETURNING id", &[]).await?.get(0);
    client.execute("INSERT INTO notes (user_id, body) VALUES ($1, 'at last')", &[&id]).await?;
    tally.stop_new.store(true, Ordering::Relaxed);
    for client in new {
        client.await??;
    }
    let lost: i64 = client
        .query_one("SELECT count(*) FROM notes WHERE NOT EXISTS (SELECT FROM users WHERE users.id = notes.user_id)", &[])
        .await?
        .get(0);
    say(&format!(
        "a user has the key {id}; {} statements, 0 failed, {lost} notes without their user, longest wait {} ms",
        tally.statements.load(Ordering::Relaxed),
        tally.longest.load(Ordering::Relaxed)
    ));
    if lost == 0 { Ok(()) } else { Err("notes lost their users".into()) }
}

async fn write_old(url: String, tally: Arc<Tally>) -> Result<(), Failure> {
    let client = release1::Notes::connect(&url).await?;
    while !tally.stop_old.load(Ordering::Relaxed) {
        let id: i32 =
            row(&client, &tally, "INSERT INTO users (email) VALUES (gen_random_uuid()::text) RETURNING id").await?.get(0);
        row(&client, &tally, &format!("INSERT INTO notes (user_id, body) VALUES ({id}, 'old') RETURNING id")).await?;
        if id % 3 == 0 {
            row(&client, &tally, &format!("DELETE FROM users WHERE id = {id} RETURNING id")).await?;
        }
    }
    Ok(())
}

async fn write_new(url: String, tally: Arc<Tally>) -> Result<(), Failure> {
    let client = release2::Notes::connect(&url).await?;
    while !tally.stop_new.load(Ordering::Relaxed) {
        let id: i64 =
            row(&client, &tally, "INSERT INTO users (email) VALUES (gen_random_uuid()::text) RETURNING id").await?.get(0);
        row(&client, &tally, &format!("INSERT INTO notes (user_id, body) VALUES ({id}, 'new') RETURNING id")).await?;
        if id % 3 == 0 {
            row(&client, &tally, &format!("DELETE FROM users WHERE id = {id} RETURNING id")).await?;
        }
    }
    Ok(())
}

async fn row(client: &Client, tally: &Tally, sql: &str) -> Result<diptych::tokio_postgres::Row, Failure> {
    let began = Instant::now();
    let row = client.query_one(sql, &[]).await?;
    tally.statements.fetch_add(1, Ordering::Relaxed);
    tally.longest.fetch_max(u64::try_from(began.elapsed().as_millis())?, Ordering::Relaxed);
    Ok(row)
}

/// Tells the steps that take their time.
struct Teller(Option<Instant>);

impl Progress for Teller {
    fn step(&mut self, _: usize, _: usize, step: &Step) {
        if let Some(began) = self.0
            && step.phase != Phase::Preflight
        {
            println!("{:6.1} s    {}: {}", began.elapsed().as_secs_f64(), step.phase, step.title);
        }
    }
}
