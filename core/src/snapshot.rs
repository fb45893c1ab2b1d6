//! The snapshot: the schema after the last recorded migration, checked in beside the structs.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use crate::error::Result;
use crate::schema::Schema;
use crate::yaml;

/// `migrations/snapshot.yaml`. An empty file is the empty schema.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Snapshot {
    /// The version that the snapshot stands for; none before the first migration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The tables.
    #[serde(default, skip_serializing_if = "no_tables")]
    pub tables: Schema,
    /// Attributes that a recorded migration has used up, by table and column: the same text counts as absent.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub used: BTreeMap<String, BTreeMap<String, Used>>,
}

/// The attributes of one column that the last recorded migration used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Used {
    /// `up = "…"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub up: Option<String>,
    /// `down = "…"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub down: Option<String>,
    /// `renamed_from = "…"`; for a table under the column name `""`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renamed_from: Option<String>,
}

impl Snapshot {
    /// Reads the file's text.
    pub fn parse(text: &str) -> Result<Self> {
        if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
            return Ok(Snapshot::default());
        }
        yaml::read(text).map_err(|error| error.within("snapshot"))
    }

    /// The file's text.
    pub fn to_yaml(&self) -> String {
        format!(
            "# Written by `migrate record`; reviewed and committed with the structs. Do not edit by hand.\n{}",
            yaml::write(self)
        )
    }
}

fn no_tables(schema: &Schema) -> bool {
    schema.tables.is_empty()
}
