//! `drop_composite_type`: a composite type that only the older version has.
//!
//! It goes at complete, when no table has a column of it any more. No table is locked.

use serde::{Deserialize, Serialize};

use super::operate::Operate;
use crate::error::Result;
use crate::transition::stage::Stage;

/// The operation (not in pgroll's dialect).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DropCompositeType {
    /// The type's name.
    pub name: String,
}

impl Operate for DropCompositeType {
    fn apply(&self, stage: &mut Stage) -> Result<()> {
        stage.drop_composite(&self.name)
    }
}
