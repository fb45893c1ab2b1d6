//! `drop_column`: a column that only the older version has.
//!
//! At start the newer version's view lacks it, and `down` fills it for rows that the newer version writes; the column
//! itself goes at complete.

use serde::{Deserialize, Serialize};

use super::operate::Operate;
use crate::error::{Error, Result};
use crate::model::expression::Expression;
use crate::transition::stage::Stage;
use crate::yaml;

/// The operation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DropColumn {
    /// The table's name.
    pub table: String,
    /// The column's name.
    pub column: String,
    /// The older version's value, over the newer version's columns.
    #[serde(default, deserialize_with = "yaml::unless_empty", skip_serializing_if = "Option::is_none")]
    pub down: Option<String>,
    /// The column that takes its place, added earlier in the same migration: it gets the rights and the statistics target. Our own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub successor: Option<String>,
}

impl Operate for DropColumn {
    fn apply(&self, stage: &mut Stage) -> Result<()> {
        let column = stage.to.table(&self.table)?.column(&self.table, &self.column)?;
        if self.down.is_none()
            && !column.nullable
            && column.default.is_none()
            && column.identity.is_none()
            && column.generated.is_none()
        {
            return Err(Error::new(format!(
                "column `{}.{}` is NOT NULL, so the older version needs a value for rows that the newer one writes",
                self.table, self.column
            ))
            .hint("add `down: …` with that value, over the columns that remain"));
        }
        if let Some(successor) = &self.successor {
            stage.to.table(&self.table)?.column(&self.table, successor)?;
            if *successor == self.column {
                return Err(Error::new(format!("column `{}.{successor}` cannot be its own successor", self.table))
                    .hint("name the column that takes its place"));
            }
        }
        stage.drop_column(&self.table, &self.column, self.down.clone().map(Expression::from), self.successor.as_deref())
    }
}
