//! The pause of a start: a row by which it waits, whichever process carries it out, until somebody resumes it.

use serde::Serialize;
use std::fmt;
use tokio_postgres::GenericClient;

use crate::error::Result;
use crate::lease::host;
use crate::text::printable;

/// Who has paused a start, and since when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Pause {
    /// The database role that paused it.
    pub role: String,
    /// The host that it was paused from.
    pub host: String,
    /// Seconds since then.
    pub since: i64,
}

impl fmt::Display for Pause {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [role, host] = [&self.role, &self.host].map(|text| printable(text));
        write!(out, "by role `{role}` on {host}, for {} s", self.since)
    }
}

/// The pause of the start that is under way or was interrupted, where it has one.
pub(crate) async fn find(client: &impl GenericClient, base: &str) -> Result<Option<Pause>> {
    let sql = "SELECT pause.role, pause.host, extract(epoch FROM pg_catalog.clock_timestamp() - pause.since)::pg_catalog.int8 \
         FROM diptych.pauses AS pause JOIN diptych.versions AS version ON version.base = pause.base AND version.name = pause.version \
         WHERE pause.base = $1 AND version.state = 'starting'";
    let row = client.query_opt(sql, &[&base]).await?;
    Ok(row.map(|row| Pause { role: row.get(0), host: row.get(1), since: row.get(2) }))
}

/// Pauses the start that there is. Says whether it did: not where the start is paused, or has ended meanwhile.
pub(crate) async fn enter(client: &impl GenericClient, base: &str) -> Result<bool> {
    let sql = "INSERT INTO diptych.pauses (base, version, role, host) \
         SELECT base, name, current_user, $2 FROM diptych.versions WHERE base = $1 AND state = 'starting' FOR SHARE \
         ON CONFLICT DO NOTHING";
    Ok(client.execute(sql, &[&base, &host()]).await? > 0)
}

/// Ends a pause. Says whether there was one.
pub(crate) async fn lift(client: &impl GenericClient, base: &str) -> Result<bool> {
    Ok(client.execute("DELETE FROM diptych.pauses WHERE base = $1", &[&base]).await? > 0)
}
