//! `alter_table`: a table's comment.
//!
//! At start only the newer version's view has it; the table itself gets it at complete, in an instant.

use serde::{Deserialize, Serialize};

use super::operate::Operate;
use crate::error::{Error, Result};
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
}

impl Operate for AlterTable {
    fn apply(&self, stage: &mut Stage) -> Result<()> {
        let table = stage.table_mut(&self.table)?;
        let Some(comment) = &self.comment else {
            return Err(Error::new(format!("no change is given for table `{}`", self.table)).hint("add what changes: comment"));
        };
        table.comment.clone_from(comment);
        Ok(())
    }
}
