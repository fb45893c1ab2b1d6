//! `drop_extension`: an extension that only the older version needs.
//!
//! It goes at the end of complete, whoever created it, and start refuses where anything uses it that stays: a column, an index, a function,
//! another extension. No table of the app's is locked.

use serde::{Deserialize, Serialize};

use super::operate::Operate;
use crate::error::Result;
use crate::transition::stage::Stage;

/// The operation (not in pgroll's dialect).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DropExtension {
    /// The extension's name.
    pub name: String,
}

impl Operate for DropExtension {
    fn apply(&self, stage: &mut Stage) -> Result<()> {
        stage.drop_extension(&self.name)
    }
}
