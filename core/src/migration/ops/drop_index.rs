//! `drop_index`: an index gone, concurrently, at complete; until then both versions have it.

use serde::{Deserialize, Serialize};

use super::operate::Operate;
use crate::error::Result;
use crate::model::rules::table_of_index;
use crate::transition::stage::Stage;

/// The operation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DropIndex {
    /// The index's name.
    pub name: String,
}

impl Operate for DropIndex {
    fn apply(&self, stage: &mut Stage) -> Result<()> {
        let table = table_of_index(&stage.to, &self.name, "drop_constraint")?;
        stage.refuse_what_is_referenced(&table, &self.name)?;
        stage.table_mut(&table)?.indexes.remove(&self.name);
        Ok(())
    }
}
