//! Who follows the server's log, and how far behind: standbys, and slots of any kind.

use std::collections::VecDeque;
use std::fmt;
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio_postgres::Client;

use crate::error::{Error, Result};
use crate::text::printable;

/// A standby or a replication slot that is behind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Follower {
    /// `standby` or `slot`, and its name.
    pub name: String,
    /// How much of the log it has not come to, in bytes.
    pub bytes: i64,
}

impl fmt::Display for Follower {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, name) = self.name.split_once(' ').unwrap_or(("", &self.name));
        write!(out, "{kind} `{}`, {} MB behind", printable(name), self.bytes >> 20)
    }
}

/// Who is behind for how long, seen by where the log was so long ago: that holds for slots too, and for standbys that have stopped.
pub(crate) struct Lag {
    pub(crate) most: Duration,
    /// Where the log was when; the first one is the newest that is old enough, if any is.
    marks: VecDeque<(Instant, String)>,
}

impl Lag {
    pub(crate) fn new(most: Duration) -> Self {
        Lag { most, marks: VecDeque::new() }
    }

    /// Those who are further behind than is allowed.
    pub(crate) async fn look(&mut self, client: &Client) -> Result<Vec<Follower>> {
        while self.marks.get(1).is_some_and(|mark| mark.0.elapsed() >= self.most) {
            self.marks.pop_front();
        }
        let mark = self.marks.front().filter(|mark| mark.0.elapsed() >= self.most).map(|mark| mark.1.as_str());
        let rows = client.query(FOLLOWERS, &[&mark, &self.most.as_secs_f64()]).await?;
        if let Some(row) = rows.first() {
            self.marks.push_back((Instant::now(), row.get(0)));
        }
        let behind = |row: &tokio_postgres::Row| Some(Follower { name: row.get::<_, Option<_>>(1)?, bytes: row.get(2) });
        Ok(rows.iter().filter_map(behind).collect())
    }
}

/// Where the log is, and whoever is behind: a row without a name where nobody is. A standby is where it has replayed to, a slot where its
/// reader has confirmed to. A slot that the server has given up keeps nothing, and a logical one's process is the slot's.
const FOLLOWERS: &str = "WITH here (lsn) AS (SELECT pg_catalog.pg_current_wal_flush_lsn()), \
     follower (name, lsn, lag) AS ( \
       SELECT 'standby ' || coalesce(nullif(sender.application_name, ''), sender.client_addr::pg_catalog.text, ''), sender.replay_lsn, sender.replay_lag \
       FROM pg_catalog.pg_stat_replication AS sender WHERE sender.replay_lsn IS NOT NULL \
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_replication_slots AS slot WHERE slot.active_pid = sender.pid AND slot.slot_type = 'logical') \
       UNION ALL \
       SELECT 'slot ' || slot.slot_name, coalesce(slot.confirmed_flush_lsn, slot.restart_lsn), NULL \
       FROM pg_catalog.pg_replication_slots AS slot WHERE slot.wal_status IS DISTINCT FROM 'lost' \
       AND (slot.slot_type = 'logical' OR NOT EXISTS ( \
         SELECT FROM pg_catalog.pg_stat_replication AS sender WHERE sender.pid = slot.active_pid AND sender.replay_lsn IS NOT NULL)) \
     ) \
     SELECT here.lsn::pg_catalog.text, follower.name, pg_catalog.pg_wal_lsn_diff(here.lsn, follower.lsn)::pg_catalog.int8 FROM here \
     LEFT JOIN follower ON follower.lsn < $1::pg_catalog.text::pg_catalog.pg_lsn OR follower.lag > pg_catalog.make_interval(secs => $2) \
     ORDER BY follower.name";

/// What a run has to be told that is to wait for whoever is behind, where its role may not see how far standbys are.
pub(crate) async fn unseen(client: &Client) -> Result<Option<Error>> {
    let sql = "SELECT pg_catalog.quote_ident(current_user) FROM pg_catalog.pg_stat_replication AS sender WHERE sender.state IS NULL \
         AND NOT EXISTS (SELECT FROM pg_catalog.pg_replication_slots AS slot WHERE slot.active_pid = sender.pid AND slot.slot_type = 'logical') LIMIT 1";
    let row = client.query_opt(sql, &[]).await?;
    Ok(row.map(|row| {
        let role: String = row.get(0);
        Error::refused(format!(
            "role {role} may not see how far standbys have replayed: --max-lag waits for replication slots alone"
        ))
        .hint(format!("let a superuser run GRANT pg_read_all_stats TO {role}, and run the same command again"))
    }))
}
