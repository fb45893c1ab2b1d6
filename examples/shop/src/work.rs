//! The clients of both releases: they insert, update and read without pause, and keep account of what every row must be.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use diptych::tokio_postgres::{Client, Error, Row, types::ToSql};

use crate::{release1, release2};

/// Which release a client belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// One name per user.
    One,
    /// First and last name.
    Two,
}

/// What all clients share: the stop signs, the counts, and the users that are written and will not change any more.
#[derive(Debug, Default)]
pub struct Account {
    /// Set to stop the clients of release 1.
    pub stop_one: AtomicBool,
    /// Set to stop the clients of release 2.
    pub stop_two: AtomicBool,
    /// Statements run.
    pub statements: AtomicU64,
    /// Statements that failed.
    pub failed: AtomicU64,
    /// Rows that were not what they must be when they were read.
    pub wrong: AtomicU64,
    /// Rows of the other release that were read and found right.
    pub crossed: AtomicU64,
    /// The longest statement, in microseconds.
    pub longest: AtomicU64,
    /// The first failure, in words.
    pub first_failure: Mutex<Option<String>>,
    /// Every finished user: who wrote it, its id, its first and last name.
    pub finished: Mutex<Vec<(Release, i64, String, String)>>,
    recent: Mutex<VecDeque<(Release, i64, String, String)>>,
}

impl Account {
    fn stopped(&self, release: Release) -> bool {
        match release {
            Release::One => self.stop_one.load(Ordering::Relaxed),
            Release::Two => self.stop_two.load(Ordering::Relaxed),
        }
    }

    async fn query(&self, client: &Client, sql: &str, values: &[&(dyn ToSql + Sync)]) -> Option<Vec<Row>> {
        let began = Instant::now();
        let answer = client.query(sql, values).await;
        self.statements.fetch_add(1, Ordering::Relaxed);
        let micros = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.longest.fetch_max(micros, Ordering::Relaxed);
        answer.map_err(|error| self.fail(sql, &error)).ok()
    }

    fn fail(&self, sql: &str, error: &Error) {
        self.failed.fetch_add(1, Ordering::Relaxed);
        let text = error.as_db_error().map_or_else(|| error.to_string(), |error| error.message().to_owned());
        self.first_failure.lock().expect("no panics while held").get_or_insert(format!("{sql}: {text}"));
    }

    fn finish(&self, user: (Release, i64, String, String)) {
        let mut recent = self.recent.lock().expect("no panics while held");
        recent.push_back(user.clone());
        if recent.len() > 64 {
            recent.pop_front();
        }
        self.finished.lock().expect("no panics while held").push(user);
    }
}

/// Runs one client until its release is stopped.
pub async fn client(release: Release, number: usize, url: &str, account: &Account) -> diptych::Result<()> {
    let client = match release {
        Release::One => release1::Shop::connect(url).await?,
        Release::Two => release2::Shop::connect(url).await?,
    };
    let mut round = 0_u64;
    while !account.stopped(release) && !client.is_closed() {
        round += 1;
        let email = format!("{release:?}-{number}-{round}@example.org");
        let (first, last) = (format!("F{round}"), format!("Of {release:?} {number}"));
        // two thirds of the rows are written in two steps: an insert, then an update of the other release's form
        let (insert, update, read) = match release {
            Release::One => (
                "INSERT INTO users (email, name) VALUES ($1, $2 || ' ' || $3) RETURNING id",
                "UPDATE users SET name = $2 || ' ' || $3 WHERE id = $1",
                "SELECT name FROM users WHERE id = $1",
            ),
            Release::Two => (
                "INSERT INTO users (email, first_name, last_name) VALUES ($1, $2, $3) RETURNING id",
                "UPDATE users SET first_name = $2, last_name = $3 WHERE id = $1",
                "SELECT first_name || ' ' || last_name FROM users WHERE id = $1",
            ),
        };
        let draft = if round.is_multiple_of(3) { "Draft".to_owned() } else { first.clone() };
        let Some(rows) = account.query(&client, insert, &[&email, &draft, &last]).await else { continue };
        let id: i64 = rows[0].get(0);
        if round.is_multiple_of(3) && account.query(&client, update, &[&id, &first, &last]).await.is_none() {
            continue;
        }
        let product = i64::try_from(round % 100).unwrap_or_default() + 1;
        account.query(&client, "INSERT INTO orders (user_id, product_id) VALUES ($1, $2)", &[&id, &product]).await;
        account.finish((release, id, first, last));
        let other = account.recent.lock().expect("no panics while held").iter().find(|user| user.0 != release).cloned();
        let own = (release, id, format!("F{round}"), format!("Of {release:?} {number}"));
        for (by, id, first, last) in [Some(own), other].into_iter().flatten() {
            let Some(rows) = account.query(&client, read, &[&id]).await else { continue };
            let found = rows.first().map(|row| row.get::<_, String>(0));
            if found != Some(format!("{first} {last}")) {
                account.wrong.fetch_add(1, Ordering::Relaxed);
            } else if by != release {
                account.crossed.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
    Ok(())
}

/// Runs one client of a release until the process is stopped: what the two binaries do.
pub async fn serve(release: Release) -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::var("DATABASE_URL").map_err(|_| "set DATABASE_URL to the database of the shop")?;
    println!("release {release:?} at work; Ctrl-C stops it");
    client(release, std::process::id() as usize, &url, &Account::default()).await?;
    Ok(())
}
