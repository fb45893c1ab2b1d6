//! `create_extension`: an extension that the newer version needs, whose types and functions operations of the same migration may have already.
//!
//! At start, before everything else, and only where the database does not have it: one that is there is taken as it is, in whatever schema
//! and version. A new one lies in the base schema, unless its author says where it belongs. Rollback drops what the start created, unless
//! somebody else uses it by then. No table is locked.

use serde::{Deserialize, Serialize};

use super::operate::Operate;
use crate::error::Result;
use crate::model::rules::check_name;
use crate::transition::stage::Stage;

/// The operation (not in pgroll's dialect).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateExtension {
    /// The extension's name.
    pub name: String,
}

impl Operate for CreateExtension {
    fn apply(&self, stage: &mut Stage) -> Result<()> {
        check_name("extension", &self.name, None)?;
        stage.create_extension(&self.name)
    }
}
