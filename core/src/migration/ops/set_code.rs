//! `set_code`: a function, procedure, aggregate, view or materialized view of a version, as the statements that create it.
//!
//! It is created in the newer version's schema when that is published, and the older version keeps its own: each release finds its
//! own under the same name. Nothing of it is in the base schema, and no table is locked.

use serde::{Deserialize, Serialize};

use super::operate::Operate;
use crate::error::{Error, Result};
use crate::model::rules::check_name;
use crate::model::triggers::Triggers;
use crate::transition::stage::Stage;

/// The operation (not in pgroll's dialect).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetCode {
    /// What it is called in the snapshot: the name of its file, without `.sql`.
    pub name: String,
    /// `CREATE FUNCTION …`, without a schema, and what belongs to it: `COMMENT ON`, `GRANT`, overloads, indexes.
    pub sql: String,
}

impl Operate for SetCode {
    fn apply(&self, stage: &mut Stage) -> Result<()> {
        check_name("code", &self.name, None)?;
        if self.name.contains(['/', '\\']) {
            return Err(Error::new(format!("code name `{}` is no name of a file", self.name)).hint("leave the slashes out of it"));
        }
        if self.sql.trim().is_empty() {
            return Err(Error::new(format!("code `{}` has no statements", self.name)).hint(
                "write the statement that creates it, `CREATE FUNCTION …` or `CREATE VIEW …`, or remove it with `drop_code`",
            ));
        }
        if let Some(triggers) = Triggers::of(&self.sql) {
            triggers.check(&self.name)?;
        }
        stage.to.code.insert(self.name.clone(), self.sql.clone());
        Ok(())
    }
}
