//! `drop_index`: an index gone, concurrently, at complete; until then both versions have it.

use serde::{Deserialize, Serialize};

use super::Operate;
use crate::error::{Error, Result};
use crate::stage::Stage;

/// The operation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DropIndex {
    /// The index's name.
    pub name: String,
}

impl Operate for DropIndex {
    fn apply(&self, stage: &mut Stage) -> Result<()> {
        let found = stage.to.tables.iter().find(|(_, table)| table.indexes.contains_key(&self.name)).map(|(name, _)| name.clone());
        if let Some(table) = found {
            super::drop_constraint::refuse_what_is_referenced(stage, &table, &self.name)?;
            stage.table_mut(&table)?.indexes.remove(&self.name);
            return Ok(());
        }
        let owner = stage.to.tables.iter().find(|(_, table)| table.constraints.contains_key(&self.name));
        Err(match owner {
            Some((table, _)) => Error::new(format!("index `{}` belongs to a constraint of table `{table}`", self.name)).hint("use drop_constraint"),
            None => Error::new(format!("there is no index `{}`", self.name)).hint("name an index that an earlier migration created"),
        })
    }
}
