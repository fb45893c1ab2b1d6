//! `drop_sequence`: a sequence that only the older version has.
//!
//! It goes at complete, when nothing draws from it any more. No table is locked.

use serde::{Deserialize, Serialize};

use super::operate::Operate;
use crate::error::Result;
use crate::transition::stage::Stage;

/// The operation (not in pgroll's dialect).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DropSequence {
    /// The sequence's name.
    pub name: String,
}

impl Operate for DropSequence {
    fn apply(&self, stage: &mut Stage) -> Result<()> {
        stage.drop_sequence(&self.name)
    }
}
