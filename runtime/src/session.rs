//! The tool's own sessions: their settings, and what the server has to be asked once.

pub(crate) mod observer;
pub(crate) mod pooler;

use tokio_postgres::Client;

use crate::error::Result;
use crate::target::{Target, open};
use diptych_core::settings;
use diptych_core::statements::path::Path;

/// A session of the tool with every setting pinned that a role or database could have changed (docs/traps.md H11).
pub(crate) async fn connect(target: &Target) -> Result<Client> {
    let client = open_as_is(target).await?;
    client.batch_execute(&settings()).await?;
    Ok(client)
}

/// The first two sessions of a run; the second is there to look with, and may be lacking. Neither sets anything before it is known that
/// it is a session: behind a transaction pooler the settings would go to the sessions of applications.
pub(crate) async fn connect_two(target: &Target) -> Result<(Client, Option<Client>)> {
    let first = open_as_is(target).await?;
    let second = open_as_is(target).await.ok();
    if let Some(second) = &second {
        pooler::refuse_shared(&first, second).await?;
    }
    let settings = settings();
    first.batch_execute(&settings).await?;
    let set = match &second {
        Some(second) => second.batch_execute(&settings).await.is_ok(),
        None => false,
    };
    Ok((first, second.filter(|_| set)))
}

async fn open_as_is(target: &Target) -> Result<Client> {
    open(&target.clone().named("diptych")).await
}

/// What the tool's sessions run under. What is reported as done must outlast a crash of the server, too; where row security would hide
/// a row, a statement is refused rather than incomplete; what a text means, and how values are printed and read, is the same whoever
/// migrates; nothing is compiled for questions that are asked once; a setting that the server does not know is left out.
fn settings() -> String {
    let (path, parsing) = (Path::own().set(), settings::parsing());
    format!(
        "{path}; SET default_transaction_isolation = 'read committed'; SET default_transaction_read_only = off; \
         SET default_transaction_deferrable = off; SET statement_timeout = 0; SET lock_timeout = 0; \
         SET idle_in_transaction_session_timeout = 0; SET idle_session_timeout = 0; SET exit_on_error = off; \
         {parsing}; SET plpgsql.extra_errors = 'none'; SET client_connection_check_interval = '2s'; \
         SET client_min_messages = warning; SET row_security = off; SET check_function_bodies = on; SET jit = off; \
         SELECT pg_catalog.set_config('transaction_timeout', '0', false) FROM pg_catalog.pg_settings WHERE name = 'transaction_timeout'; \
         SELECT pg_catalog.set_config('synchronous_commit', 'on', false) WHERE pg_catalog.current_setting('synchronous_commit') = 'off'; \
         SELECT pg_catalog.set_config('session_replication_role', 'origin', false) WHERE pg_catalog.current_setting('session_replication_role') <> 'origin'",
    )
}

/// What the plan and the executor need to know about the server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Server {
    /// The major version.
    pub major: u32,
    /// `deadlock_timeout` in milliseconds.
    pub deadlock_timeout: u64,
}

impl Server {
    /// Asks.
    pub(crate) async fn ask(client: &Client) -> Result<Self> {
        let row = client
            .query_one(
                "SELECT pg_catalog.current_setting('server_version_num')::pg_catalog.int4, \
                 (SELECT setting::pg_catalog.int8 FROM pg_catalog.pg_settings WHERE name = 'deadlock_timeout')",
                &[],
            )
            .await?;
        let (number, deadlock_timeout): (i32, i64) = (row.get(0), row.get(1));
        Ok(Server {
            major: u32::try_from(number).unwrap_or_default() / 10_000,
            deadlock_timeout: deadlock_timeout.unsigned_abs(),
        })
    }
}
