//! The demo: two releases at work on one database while its schema changes under them.

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::Parser;
use diptych::Migration;
use diptych::plan::{Phase, Step};
use diptych::{Database, Guard, Migrator, Options, Progress};
use diptych_xtask::server::{self, Server};
use shop::release2::Shop;
use shop::work::{Account, Release, client};
use tokio::task::JoinHandle;

/// Fills a shop, runs release 1, starts release 2 beside it, completes, and checks that nothing failed and nothing was lost.
#[derive(Parser, Debug)]
#[command(name = "xtask demo")]
struct Arguments {
    /// Users in the shop before anybody comes
    #[arg(long, default_value_t = 200_000)]
    users: u32,
    /// Clients of each release
    #[arg(long, default_value_t = 4)]
    clients: usize,
    /// End with one line of JSON
    #[arg(long)]
    json: bool,
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Runs the demo.
pub(crate) fn main(arguments: Vec<OsString>) -> ExitCode {
    let arguments = Arguments::parse_from(arguments.into_iter().skip(1));
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let outcome = runtime.block_on(async {
        tokio::select! {
            outcome = tell(&arguments) => outcome,
            _ = tokio::signal::ctrl_c() => Err("interrupted".into()),
        }
    });
    // clients that are still at work are not waited for
    runtime.shutdown_timeout(Duration::from_secs(1));
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn tell(arguments: &Arguments) -> Result<bool, Failure> {
    let began = Instant::now();
    let say = |line: String| println!("{:6.1} s  {line}", began.elapsed().as_secs_f64());
    let server = Server::start(&server::Options::default())?;
    let url = server.url("postgres");
    let migrations = Shop::migrations()?;
    let (first, all) = (&migrations[..1], &migrations[..]);
    say("a private PostgreSQL is up; release 1's schema is migrated".to_owned());
    // release 1's lease ends a moment after its last client
    let options = Options { guard: Guard::Wait(Duration::from_secs(30)), ..Options::default() };
    let mut migrator = Migrator::connect(&diptych::connect::parse(&url)?, options).await?;
    migrator.start(first, None, &mut Teller(None)).await?;
    migrator.complete(&mut Teller(None)).await?;
    fill(&url, arguments.users).await?;
    say(format!("the shop is filled: {} users, 100 products", arguments.users));

    let account = Arc::new(Account::default());
    let failing = Arc::new(AtomicBool::new(false));
    let ones = staff(Release::One, arguments.clients, &url, &account, &failing);
    settle(&account, 3_000).await;
    say(format!(
        "release 1 is at work: {} clients, {} statements so far",
        arguments.clients,
        account.statements.load(Ordering::Relaxed)
    ));
    say(format!("start `{}`: release 1 goes on", migrations.last().map_or("", |migration: &Migration| &migration.name)));
    migrator.start(all, None, &mut Teller(Some(began))).await?;
    say(format!("version `{}` is published beside the old one", Shop::VERSION.unwrap_or_default()));
    let twos = staff(Release::Two, arguments.clients, &url, &account, &failing);
    settle(&account, account.statements.load(Ordering::Relaxed) + 12_000).await;
    say(format!(
        "both releases are at work: {} rows of the other one read and found right",
        account.crossed.load(Ordering::Relaxed)
    ));
    account.stop_one.store(true, Ordering::Relaxed);
    join(ones).await?;
    say("release 1 is stopped; complete".to_owned());
    migrator.complete(&mut Teller(Some(began))).await?;
    settle(&account, (account.statements.load(Ordering::Relaxed) + 3_000).max(21_000)).await;
    account.stop_two.store(true, Ordering::Relaxed);
    join(twos).await?;
    let counted = audit(&url, arguments.users, &account).await?;
    let fine = report(&account, counted, arguments, &say);
    Ok(fine && !failing.load(Ordering::Relaxed))
}

/// Tells what came of it: whether enough was done, nothing failed and nothing was lost.
fn report(account: &Account, (rows, lost): (i64, i64), arguments: &Arguments, say: &dyn Fn(String)) -> bool {
    let statements = account.statements.load(Ordering::Relaxed);
    let failed = account.failed.load(Ordering::Relaxed);
    let waited = account.longest.load(Ordering::Relaxed) / 1000;
    say(format!("{statements} statements, {failed} failed, {lost} rows lost or wrong of {rows}, longest wait {waited} ms"));
    if let Some(text) = account.first_failure.lock().expect("no panics while held").as_ref() {
        say(format!("the first failure: {text}"));
    }
    if arguments.json {
        println!(
            "{}",
            format_args!(
                "{{\"statements\":{statements},\"failed\":{failed},\"lost\":{lost},\"max_wait_ms\":{waited},\"rows\":{rows}}}"
            )
        );
    }
    failed == 0 && lost == 0 && statements >= 20_000 && account.crossed.load(Ordering::Relaxed) > 0
}

/// Users and products as release 1 writes them.
async fn fill(url: &str, users: u32) -> Result<(), Failure> {
    let client = shop::release1::Shop::connect(url).await?;
    client
        .execute("INSERT INTO products (title, price_cents) SELECT 'Product ' || n, n FROM generate_series(1, 100) AS n", &[])
        .await?;
    let sql = "INSERT INTO users (email, name) SELECT 'user' || n || '@example.org', 'First' || n || ' Last' || n FROM generate_series(1, $1::int4) AS n";
    client.execute(sql, &[&i32::try_from(users)?]).await?;
    Ok(())
}

fn staff(release: Release, clients: usize, url: &str, account: &Arc<Account>, failing: &Arc<AtomicBool>) -> Vec<JoinHandle<()>> {
    (0..clients)
        .map(|number| {
            let (url, account, failing) = (url.to_owned(), Arc::clone(account), Arc::clone(failing));
            tokio::spawn(async move {
                if let Err(error) = client(release, number, &url, &account).await {
                    eprintln!("error: release {release:?}: {error}");
                    failing.store(true, Ordering::Relaxed);
                }
            })
        })
        .collect()
}

async fn join(clients: Vec<JoinHandle<()>>) -> Result<(), Failure> {
    for client in clients {
        client.await?;
    }
    Ok(())
}

/// Lets the clients work until so many statements were run.
async fn settle(account: &Account, statements: u64) {
    let since = Instant::now();
    while account.statements.load(Ordering::Relaxed) < statements && since.elapsed() < Duration::from_secs(120) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Every row that was there or was written is there, in the form that it must have: how many there are, how many are not so.
async fn audit(url: &str, users: u32, account: &Account) -> Result<(i64, i64), Failure> {
    let client = Shop::connect(url).await?;
    let rows: i64 = client.query_one("SELECT count(*) FROM users", &[]).await?.get(0);
    let right: i64 = client
        .query_one(
            "SELECT count(*) FROM users WHERE email LIKE 'user%' AND first_name = 'First' || id AND last_name = 'Last' || id",
            &[],
        )
        .await?
        .get(0);
    let finished = account.finished.lock().expect("no panics while held").clone();
    let (ids, names): (Vec<i64>, Vec<String>) =
        finished.iter().map(|(_, id, first, last)| (*id, format!("{first}|{last}"))).unzip();
    let kept: i64 = client
        .query_one(
            "SELECT count(*) FROM unnest($1::int8[], $2::text[]) AS wanted (id, name) JOIN users USING (id) \
             JOIN orders ON orders.user_id = users.id AND orders.status = 'new' WHERE wanted.name = first_name || '|' || last_name",
            &[&ids, &names],
        )
        .await?
        .get(0);
    let lost = i64::from(users) - right + i64::try_from(finished.len())? - kept;
    Ok((rows, lost + i64::try_from(account.wrong.load(Ordering::Relaxed))?))
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
