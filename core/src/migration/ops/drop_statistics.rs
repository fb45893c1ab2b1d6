//! `drop_statistics`: extended statistics gone at complete; until then the planner has them for either version.
//!
//! They go under ACCESS EXCLUSIVE on the table, for an instant: PostgreSQL would let them go beside readers, and a statement that is being
//! planned just then would fail with "cache lookup failed for statistics object".

use serde::{Deserialize, Serialize};

use super::operate::Operate;
use crate::error::{Error, Result};
use crate::transition::stage::Stage;

/// The operation (not in pgroll's dialect).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DropStatistics {
    /// Their name.
    pub name: String,
}

impl Operate for DropStatistics {
    fn apply(&self, stage: &mut Stage) -> Result<()> {
        let owner = stage.to.tables.iter().find(|(_, table)| table.statistics.contains_key(&self.name));
        let Some(table) = owner.map(|(name, _)| name.clone()) else {
            return Err(Error::new(format!("there are no statistics `{}`", self.name))
                .hint("name statistics that an earlier migration created"));
        };
        stage.table_mut(&table)?.statistics.remove(&self.name);
        Ok(())
    }
}
