//! `rename_index`: the same index under another name.
//!
//! Nothing happens at start: no statement through a version's view can name an index. It is renamed at complete, with
//! SHARE UPDATE EXCLUSIVE, which nobody waits for.

use serde::{Deserialize, Serialize};

use super::operate::Operate;
use crate::error::{Error, Result};
use crate::model::rules::{check_name, table_of_index};
use crate::model::schema::ReplicaIdentity;
use crate::transition::stage::Stage;

/// The operation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RenameIndex {
    /// The name so far.
    pub from: String,
    /// The name to be.
    pub to: String,
}

impl Operate for RenameIndex {
    fn apply(&self, stage: &mut Stage) -> Result<()> {
        let owner = table_of_index(&stage.to, &self.from, "rename_constraint")?;
        check_name("index", &self.to, Some(&owner))?;
        let table = stage.table_mut(&owner)?;
        if table.indexes.contains_key(&self.to) {
            return Err(Error::new(format!("table `{owner}` already has an index `{}`", self.to)).hint("choose another name"));
        }
        if let Some(index) = table.indexes.remove(&self.from) {
            table.indexes.insert(self.to.clone(), index);
        }
        if let Some(ReplicaIdentity::Index { index }) = &mut table.replica_identity
            && *index == self.from
        {
            index.clone_from(&self.to);
        }
        Ok(())
    }
}
