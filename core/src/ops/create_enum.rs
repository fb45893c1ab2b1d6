//! `create_enum`: a new enum type, which columns of the same migration may have already.
//!
//! Made in the schema of the newer version, by whose path its name is found, and moved to the base schema at complete. No table is
//! locked.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

use super::Operate;
use super::column_spec::check_name;
use crate::error::{Error, Result};
use crate::names;
use crate::schema::Enum;
use crate::stage::Stage;

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

/// Labels are names, and each is there once.
pub(super) fn check_labels(name: &str, labels: &[String]) -> Result<()> {
    let mut seen = BTreeSet::new();
    for label in labels {
        if label.len() > names::LONGEST || label.contains('\0') {
            return Err(Error::new(format!("label `{}` of enum `{name}` is longer than {} bytes or holds a NUL byte", label.escape_debug(), names::LONGEST))
                .hint("choose a shorter label"));
        }
        if !seen.insert(label) {
            return Err(Error::new(format!("enum `{name}` has the label `{label}` twice")).hint("remove one of them"));
        }
    }
    Ok(())
}
