//! `rename_table`: the same table under another name.
//!
//! At start only the newer version's view has the new name; the table is renamed at complete, in an instant.

use serde::{Deserialize, Serialize};

use super::operate::Operate;
use crate::error::Result;
use crate::model::rules::check_name;
use crate::transition::stage::Stage;

/// The operation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RenameTable {
    /// The name so far.
    pub from: String,
    /// The name to be.
    pub to: String,
}

impl Operate for RenameTable {
    fn apply(&self, stage: &mut Stage) -> Result<()> {
        check_name("table", &self.to, None)?;
        stage.rename_table(&self.from, &self.to)
    }
}
