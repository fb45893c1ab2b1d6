//! `update`: other values in the newer version, in some rows or in all.
//!
//! The older version keeps its values until complete: each column that is set gets a second one, which the backfill fills in batches and
//! sync keeps up. So a row is never updated twice, whatever stops the start, and `rollback` has nothing to restore. What the older
//! version writes meanwhile is updated as well; `down` is for what the newer version writes.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use super::operate::Operate;
use crate::error::{Error, Result};
use crate::model::types;
use crate::sql;
use crate::sql::{ident, user};
use crate::transition::stage::{Conversion, Stage};
use crate::yaml;

/// The operation (not in pgroll's dialect).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Update {
    /// The table's name.
    pub table: String,
    /// The newer version's values by column: expressions over the row as it was.
    pub set: BTreeMap<String, String>,
    /// Which rows; all of them where nothing is said.
    #[serde(rename = "where", default, deserialize_with = "yaml::unless_empty", skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    /// The older version's values by column, for rows that the newer version writes; its own where nothing is said.
    #[serde(default, deserialize_with = "yaml::or_empty", skip_serializing_if = "BTreeMap::is_empty")]
    pub down: BTreeMap<String, String>,
}

impl Operate for Update {
    fn apply(&self, stage: &mut Stage) -> Result<()> {
        let table = &self.table;
        if self.set.is_empty() {
            return Err(Error::new(format!("no values are given for table `{table}`")).hint("add `set`: {column: expression}"));
        }
        if let Some(column) = self.down.keys().find(|column| !self.set.contains_key(*column)) {
            return Err(Error::new(format!("`down` of table `{table}` is for column `{column}`, which is not set"))
                .hint(format!("add `{column}` to `set`, or remove its `down`")));
        }
        let conversions = self.set.iter().map(|(name, value)| self.conversion(stage, name, value));
        let conversions = conversions.collect::<Result<Vec<_>>>()?;
        stage.convert_columns(table, conversions)
    }
}

impl Update {
    fn conversion(&self, stage: &Stage, name: &str, value: &str) -> Result<Conversion> {
        let column = stage.to.table(&self.table)?.column(&self.table, name)?.clone();
        if value.trim().is_empty() || types::is_column(value, name) {
            return Err(Error::new(format!("`set` gives column `{}.{name}` no other value", self.table))
                .hint("write an expression over the columns of the table, or remove the column from `set`"));
        }
        stage.refuse_what_cannot_move(&self.table, name)?;
        let itself = ident(name);
        let up = match &self.condition {
            Some(condition) => sql!("CASE WHEN {} THEN {} ELSE {} END", user(condition), user(value), itself).as_str().to_owned(),
            None => value.to_owned(),
        };
        let down = self.down.get(name).map_or_else(|| itself.as_str().to_owned(), Clone::clone);
        Ok(Conversion { column, up: up.into(), down: down.into() })
    }
}
