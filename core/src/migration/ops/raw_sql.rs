//! `sql`: statements of one's own, run once at start (or at complete), undone by `down` at rollback.
//!
//! Opaque: Diptych neither reads nor checks them, and what they lock and how long is theirs. At start they run in their place: after
//! the tables that no later operation changes, before those that one does, so that its expressions, types and defaults may use what
//! the statements make. Rollback goes the same way back.

use serde::{Deserialize, Serialize};

use super::operate::Operate;
use crate::error::{Error, Result};
use crate::transition::stage::{Moment, Stage, Work};
use crate::yaml;
use crate::yaml::is_false;

/// The operation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawSql {
    /// Run at start.
    pub up: String,
    /// Run at rollback.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub down: Option<String>,
    /// Run `up` at complete instead.
    #[serde(rename = "onComplete", default, deserialize_with = "yaml::flag", skip_serializing_if = "is_false")]
    pub on_complete: bool,
}

impl Operate for RawSql {
    fn apply(&self, stage: &mut Stage) -> Result<()> {
        if self.up.trim().is_empty() {
            return Err(Error::new("`up` is empty").hint("write the statements to run"));
        }
        let moment = if self.on_complete { Moment::Complete } else { Moment::Start };
        stage.script(Work::Sql { up: self.up.clone(), down: self.down.clone() }, moment);
        Ok(())
    }
}
