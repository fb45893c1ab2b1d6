//! `drop_table`: a table that only the older version has.
//!
//! At start the newer version has no view of it, and meets the guard in its place; the table itself goes at complete, its foreign keys
//! before it, one at a time, because each locks two tables.

use serde::{Deserialize, Serialize};

use super::operate::Operate;
use crate::error::Result;
use crate::transition::stage::Stage;

/// The operation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DropTable {
    /// The table's name.
    pub name: String,
}

impl Operate for DropTable {
    fn apply(&self, stage: &mut Stage) -> Result<()> {
        stage.drop_table(&self.name)
    }
}
