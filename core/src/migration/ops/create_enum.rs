//! `create_enum`: a new enum type, which columns of the same migration may have already.
//!
//! Made in the schema of the newer version, by whose path its name is found, and moved to the base schema at complete. No table is
//! locked.

use serde::{Deserialize, Serialize};

use super::operate::Operate;
use crate::error::Result;
use crate::model::rules::{check_labels, check_name};
use crate::model::schema::Enum;
use crate::transition::stage::Stage;

/// The operation (not in pgroll's dialect).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateEnum {
    /// The type's name.
    pub name: String,
    /// Its labels in order.
    pub labels: Vec<String>,
    /// The type's comment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

impl Operate for CreateEnum {
    fn apply(&self, stage: &mut Stage) -> Result<()> {
        check_name("enum", &self.name, None)?;
        check_labels(&self.name, &self.labels)?;
        stage.create_enum(&self.name, Enum { comment: self.comment.clone(), labels: self.labels.clone() })
    }
}

impl CreateEnum {
    /// The operation that leads to this type.
    pub fn of(name: &str, model: &Enum) -> Self {
        CreateEnum { name: name.to_owned(), labels: model.labels.clone(), comment: model.comment.clone() }
    }
}
