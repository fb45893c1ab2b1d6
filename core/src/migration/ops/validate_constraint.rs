//! `validate_constraint`: the rows that were there before a constraint are held to it, too.
//!
//! Nothing happens at start but a look at the rows: those that break it are named. They are held to it at complete, by a scan under
//! SHARE UPDATE EXCLUSIVE, which nobody waits for: there is nothing to take back at rollback, and no new row can break it meanwhile.

use serde::{Deserialize, Serialize};

use super::operate::Operate;
use crate::error::{Error, Result};
use crate::model::rules::no_such_constraint;
use crate::transition::stage::Stage;

/// The operation (not in pgroll's dialect).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValidateConstraint {
    /// The table's name.
    pub table: String,
    /// The constraint's name.
    pub name: String,
}

impl Operate for ValidateConstraint {
    fn apply(&self, stage: &mut Stage) -> Result<()> {
        let table = stage.table_mut(&self.table)?;
        if !table.constraints.contains_key(&self.name) {
            return Err(no_such_constraint(&self.table, table, &self.name));
        }
        if !table.not_valid.remove(&self.name) {
            return Err(Error::new(format!("every row of table `{}` is held to constraint `{}` already", self.table, self.name))
                .hint("remove this `validate_constraint`"));
        }
        Ok(())
    }
}
