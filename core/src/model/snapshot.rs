//! The snapshot: the schema after the last recorded migration, checked in beside the structs.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

use crate::error::Result;
use crate::model::composite::Composite;
use crate::model::domain::Domain;
use crate::model::schema::{Enum, Schema, Table};
use crate::model::sequence::Sequence;
use crate::yaml;

/// `migrations/snapshot.yaml`. An empty file is the empty schema.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "File", into = "File")]
pub struct Snapshot {
    /// The version that the snapshot stands for; none before the first migration.
    pub version: Option<String>,
    /// The base schema that it was recorded for; none for `public`.
    pub base: Option<String>,
    /// The schema: the file's `extensions`, `enums`, `domains`, `composites`, `sequences`, `tables` and `code`.
    pub schema: Schema,
    /// Attributes that a recorded migration has used up, by table and column: the same text counts as absent.
    pub used: BTreeMap<String, BTreeMap<String, Used>>,
}

/// The snapshot as its file has it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(default, rename = "schema", skip_serializing_if = "Option::is_none")]
    base: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    extensions: BTreeSet<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    enums: BTreeMap<String, Enum>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    domains: BTreeMap<String, Domain>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    composites: BTreeMap<String, Composite>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    sequences: BTreeMap<String, Sequence>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    tables: BTreeMap<String, Table>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    code: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    used: BTreeMap<String, BTreeMap<String, Used>>,
}

impl From<File> for Snapshot {
    fn from(File { version, base, extensions, enums, domains, composites, sequences, tables, code, used }: File) -> Self {
        Snapshot { version, base, schema: Schema { extensions, enums, domains, composites, sequences, tables, code }, used }
    }
}

impl From<Snapshot> for File {
    fn from(Snapshot { version, base, schema, used }: Snapshot) -> Self {
        let Schema { extensions, enums, domains, composites, sequences, tables, code } = schema;
        File { version, base, extensions, enums, domains, composites, sequences, tables, code, used }
    }
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
    /// `allow(old_writes_may_fail)` on the field: what it allowed is recorded, and the next rule is not meant by it.
    #[serde(default, skip_serializing_if = "yaml::is_false")]
    pub allow: bool,
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
