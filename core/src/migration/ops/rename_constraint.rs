//! `rename_constraint`: the same constraint under another name.
//!
//! Nothing happens at start: no statement through a version's view can name a constraint, and until complete both versions are held
//! to the one there is. It is renamed at complete, with its index, in the table's own transaction: ACCESS EXCLUSIVE, instant.

use serde::{Deserialize, Serialize};

use super::operate::Operate;
use crate::error::{Error, Result};
use crate::model::rules::{check_name, no_such_constraint};
use crate::model::schema::ReplicaIdentity;
use crate::transition::stage::Stage;

/// The operation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RenameConstraint {
    /// The table's name.
    pub table: String,
    /// The name so far.
    pub from: String,
    /// The name to be.
    pub to: String,
}

impl Operate for RenameConstraint {
    fn apply(&self, stage: &mut Stage) -> Result<()> {
        check_name("constraint", &self.to, Some(&self.table))?;
        let table = stage.table_mut(&self.table)?;
        if table.constraints.contains_key(&self.to) {
            return Err(
                Error::new(format!("table `{}` already has a constraint `{}`", self.table, self.to)).hint("choose another name")
            );
        }
        let Some(constraint) = table.constraints.remove(&self.from) else {
            return Err(no_such_constraint(&self.table, table, &self.from));
        };
        if let Some(ReplicaIdentity::Index { index }) = &mut table.replica_identity
            && *index == self.from
        {
            index.clone_from(&self.to);
        }
        table.constraints.insert(self.to.clone(), constraint);
        if table.not_valid.remove(&self.from) {
            table.not_valid.insert(self.to.clone());
        }
        Ok(())
    }
}
