//! `alter_table`: a table's comment and its storage parameters.
//!
//! At start only the newer version's view has the comment; the table itself gets it at complete, in an instant. Storage parameters have no
//! meaning for what either version reads and writes, and are set at complete as well: SHARE UPDATE EXCLUSIVE, for which no reader or
//! writer waits. `user_catalog_table` would need ACCESS EXCLUSIVE, and is refused.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::operate::Operate;
use crate::error::{Error, Result};
use crate::model::storage::{self, Setting};
use crate::transition::stage::Stage;
use crate::yaml::present;

/// The operation (not in pgroll's dialect).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlterTable {
    /// The table's name.
    pub table: String,
    /// The new comment; `null` drops it.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub comment: Option<Option<String>>,
    /// The storage parameters that change, by name; `null` resets one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub storage: BTreeMap<String, Option<Setting>>,
}

impl Operate for AlterTable {
    fn apply(&self, stage: &mut Stage) -> Result<()> {
        let table = stage.table_mut(&self.table)?;
        if self.comment.is_none() && self.storage.is_empty() {
            return Err(
                Error::new(format!("no change is given for table `{}`", self.table)).hint("add what changes: comment or storage")
            );
        }
        if let Some(comment) = &self.comment {
            table.comment.clone_from(comment);
        }
        storage::change(&self.table, &mut table.storage, &self.storage)?;
        table.check_storage(&self.table)
    }
}
