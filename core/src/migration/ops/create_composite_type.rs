//! `create_composite_type`: a new composite type, which columns of the same migration may have already.
//!
//! Made in the base schema before every table, so that both versions could use it; rollback drops it. No table is locked.

use serde::{Deserialize, Serialize};

use super::operate::Operate;
use crate::error::Result;
use crate::model::composite::{Attribute, Composite};
use crate::model::rules::check_composite;
use crate::transition::stage::Stage;

/// The operation (not in pgroll's dialect).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateCompositeType {
    /// The type's name.
    pub name: String,
    /// Its attributes in order.
    pub attributes: Vec<Attribute>,
    /// The type's comment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

impl Operate for CreateCompositeType {
    fn apply(&self, stage: &mut Stage) -> Result<()> {
        let composite = Composite { attributes: self.attributes.clone(), comment: self.comment.clone() }.normal();
        check_composite(&self.name, &composite)?;
        stage.create_composite(&self.name, composite)
    }
}

impl CreateCompositeType {
    /// The operation that leads to this type.
    pub fn of(name: &str, composite: &Composite) -> Self {
        let Composite { attributes, comment } = composite.clone();
        CreateCompositeType { name: name.to_owned(), attributes, comment }
    }
}
