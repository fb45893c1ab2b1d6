//! Every migration that a database or a folder has, with its state: the table of `status`.

use std::collections::BTreeMap;

use serde::Serialize;
use tokio_postgres::Client;

use crate::error::Result;
use crate::state::folder::Comparison;
use crate::state::log::MOMENT;
use crate::state::{Recorded, State, VersionState};
use diptych_core::Migration;

/// A migration, as `status` lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// Its name.
    pub migration: String,
    /// The version that it is part of; none where it is not started.
    pub version: Option<String>,
    /// `pending` where it is not started, `trimmed` where its version is retired and its file gone, and its version's state otherwise.
    pub state: String,
    /// The database role that started it, where that is known.
    pub role: Option<String>,
    /// The host that it was started from.
    pub host: Option<String>,
    /// When its start began, in UTC.
    pub began_at: Option<String>,
    /// How long it took from then until the version was published, with its pauses.
    pub milliseconds: Option<i64>,
    /// Of what it does; the same for files that differ in layout or comments alone.
    pub checksum: String,
}

/// When, by whom and for how long a version was started.
#[derive(Default)]
struct Started {
    role: Option<String>,
    host: Option<String>,
    began_at: Option<String>,
    milliseconds: Option<i64>,
}

/// What is applied, in order, what was rolled back and is recorded no more, and what is not started.
pub(crate) async fn list(client: &Client, base: &str, state: &State, comparison: &Comparison<'_>) -> Result<Vec<Listed>> {
    let started = if state.versions.is_empty() { BTreeMap::new() } else { started(client, base).await? };
    let waits = |migration: &Migration| comparison.unstarted.iter().any(|there| there.name == migration.name);
    let is_shown = |migration: &Migration, of: &Recorded| of.state != VersionState::RolledBack || !waits(migration);
    let known = state.versions.iter().flat_map(|of| of.migrations.iter().map(move |migration| (migration, of)));
    let none = Started::default();
    let known = known.filter(|(migration, of)| is_shown(migration, of)).map(|(migration, of)| {
        let Started { role, host, began_at, milliseconds } = started.get(&of.version.name).unwrap_or(&none);
        let is_trimmed = comparison.trimmed.contains(&migration.name.as_str());
        Listed {
            migration: migration.name.clone(),
            version: Some(of.version.name.clone()),
            state: if is_trimmed { "trimmed".to_owned() } else { of.state.to_string() },
            role: role.clone(),
            host: host.clone(),
            began_at: began_at.clone(),
            milliseconds: *milliseconds,
            checksum: migration.checksum(),
        }
    });
    let waiting = comparison.unstarted.iter().map(|migration| Listed {
        migration: migration.name.clone(),
        version: None,
        state: "pending".to_owned(),
        role: None,
        host: None,
        began_at: None,
        milliseconds: None,
        checksum: migration.checksum(),
    });
    Ok(known.chain(waiting).collect())
}

/// Of each version; none of a state that an earlier release has written, which lacks the columns.
async fn started(client: &Client, base: &str) -> Result<BTreeMap<String, Started>> {
    let is_noted = "SELECT EXISTS (SELECT FROM pg_catalog.pg_attribute WHERE attrelid = 'diptych.versions'::pg_catalog.regclass AND attname = 'began_at')";
    if !client.query_one(is_noted, &[]).await?.get::<_, bool>(0) {
        return Ok(BTreeMap::new());
    }
    let sql = format!(
        "SELECT name, role, host, pg_catalog.to_char(began_at AT TIME ZONE 'UTC', {MOMENT}), \
         (extract(epoch FROM published_at - began_at) * 1000)::pg_catalog.int8 FROM diptych.versions WHERE base = $1"
    );
    let rows = client.query(&sql, &[&base]).await?;
    let of = |row: &tokio_postgres::Row| Started {
        role: row.get(1),
        host: row.get(2),
        began_at: row.get(3),
        milliseconds: row.get(4),
    };
    Ok(rows.iter().map(|row| (row.get(0), of(row))).collect())
}
