//! `drop_code`: code that the newer version does not have.
//!
//! The older version keeps it until complete, when its schema goes. No table is locked.

use serde::{Deserialize, Serialize};

use super::operate::Operate;
use crate::error::{Error, Result};
use crate::transition::stage::Stage;

/// The operation (not in pgroll's dialect).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DropCode {
    /// What it is called in the snapshot.
    pub name: String,
}

impl Operate for DropCode {
    fn apply(&self, stage: &mut Stage) -> Result<()> {
        if stage.to.code.remove(&self.name).is_none() {
            let there: Vec<String> = stage.to.code.keys().map(|name| format!("`{name}`")).collect();
            return Err(Error::new(format!("there is no code `{}`", self.name)).hint(if there.is_empty() {
                "no migration before this one has `set_code`: remove the operation".to_owned()
            } else {
                format!("the code is {}", there.join(", "))
            }));
        }
        Ok(())
    }
}
