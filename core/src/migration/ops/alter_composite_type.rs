//! `alter_composite_type`: a composite type with another comment, at complete. No table is locked.
//!
//! Nothing else of one can change while two versions have it. An attribute more or less is one for both at once: `ROW(…)::address` of the
//! older release fails for a field too few or too many, and so do its decoders, which get the fields by their number. One with another name is
//! not found by `(home).street`. Another type PostgreSQL refuses as long as a column has the composite type. The way out is another composite
//! type, to which the columns are converted (docs/types.md).

use serde::{Deserialize, Serialize};

use super::operate::Operate;
use crate::error::{Error, Result};
use crate::transition::stage::Stage;
use crate::yaml::present;

/// The operation (not in pgroll's dialect).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlterCompositeType {
    /// The type's name.
    pub name: String,
    /// The new comment; `null` drops it.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub comment: Option<Option<String>>,
}

impl Operate for AlterCompositeType {
    fn apply(&self, stage: &mut Stage) -> Result<()> {
        let mut composite = stage.to.composite(&self.name)?.clone();
        let Some(comment) = &self.comment else {
            return Err(Error::new(format!("no change is given for composite type `{}`", self.name))
                .hint("add its `comment`, the only thing that can change of one"));
        };
        composite.comment.clone_from(comment);
        stage.to.composites.insert(self.name.clone(), composite);
        Ok(())
    }
}
