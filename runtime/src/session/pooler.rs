//! Whether a session of ours is one session of the server: locks, settings and prepared statements of a run depend on it.

use std::time::Duration;

use tokio_postgres::Client;

use crate::error::{Error, Result};

/// How long the second session may wait for an answer: a pooler with one session of the server to spare gives none.
const ANSWERS_WITHIN: Duration = Duration::from_secs(10);

/// Refuses two clients whose transactions a pooler gives to any session of the server.
///
/// They ask in turn which process serves them. A session of its own names the same one each time, and another than the other client. A
/// transaction pooler gives the second client what the first has just given back, or, where its sessions take turns, gives one client two.
pub(crate) async fn refuse_shared(first: &Client, second: &Client) -> Result<()> {
    let asked = tokio::time::timeout(ANSWERS_WITHIN, async {
        let mut seen = Vec::new();
        // twice: others may come in between
        for client in [first, second, second, first, first, second, second, first] {
            match process(client).await {
                Ok(pid) => seen.push((std::ptr::eq(client, first), pid)),
                Err(error) if std::ptr::eq(client, first) => return Err(error),
                // without the second session the run goes on, and is told so
                Err(_) => return Ok(false),
            }
        }
        Ok(seen.iter().any(|(mine, pid)| seen.iter().any(|(other_mine, other)| (mine == other_mine) != (pid == other))))
    })
    .await;
    let what = match asked {
        Ok(Ok(false)) => return Ok(()),
        Ok(Ok(true)) => "a pooler stands before the server and gives one session's transactions to several of the server's, so that locks and settings do not hold".to_owned(),
        Ok(Err(error)) => return Err(error.into()),
        Err(_) => format!("a second session got no answer within {} s: a pooler seems to stand before the server, and to have no other to give", ANSWERS_WITHIN.as_secs()),
    };
    Err(Error::refused(what).hint("give --url or DATABASE_URL the server's own address and port, or the pooler's in session mode (pool_mode = session) with two sessions to spare"))
}

async fn process(client: &Client) -> Result<i32, tokio_postgres::Error> {
    // nothing is prepared: the next session may not have it
    Ok(client.query_typed_one("SELECT pg_catalog.pg_backend_pid()", &[]).await?.get(0))
}
