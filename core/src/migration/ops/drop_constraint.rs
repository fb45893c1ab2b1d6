//! `drop_constraint`: a constraint gone. Without `up` and `down` it holds for both versions until complete.

use serde::{Deserialize, Serialize};

use super::operate::Operate;
use crate::error::{Error, Result};
use crate::model::rules::no_such_constraint;
use crate::transition::stage::Stage;
use crate::yaml;

/// The operation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DropConstraint {
    /// The table's name.
    pub table: String,
    /// Its name.
    pub name: String,
    /// The newer version's value of the column, which then is free of the constraint at once.
    #[serde(default, deserialize_with = "yaml::unless_empty", skip_serializing_if = "Option::is_none")]
    pub up: Option<String>,
    /// The older version's value of the column, still held to it.
    #[serde(default, deserialize_with = "yaml::unless_empty", skip_serializing_if = "Option::is_none")]
    pub down: Option<String>,
}

impl Operate for DropConstraint {
    fn apply(&self, stage: &mut Stage) -> Result<()> {
        let table = stage.to.table(&self.table)?;
        let Some(constraint) = table.constraints.get(&self.name) else {
            return Err(no_such_constraint(&self.table, table, &self.name));
        };
        stage.refuse_what_is_referenced(&self.table, &self.name)?;
        if self.up.is_some() || self.down.is_some() {
            let columns = constraint.columns(table);
            let [column] = columns.as_slice() else {
                return Err(Error::new(format!("`up` and `down` of drop_constraint convert one column, but constraint `{}` of table `{}` is on {} columns", self.name, self.table, columns.len()))
                    .hint("use drop_multicolumn_constraint, or remove `up` and `down`: the constraint then stays in force for both versions until complete"));
            };
            let column = table.column(&self.table, column)?.clone();
            let itself = crate::sql::ident(&column.name).as_str().to_owned();
            let (up, down) = (self.up.clone().unwrap_or_else(|| itself.clone()), self.down.clone().unwrap_or(itself));
            stage.convert(&self.table, column, &up, &down)?;
        }
        let table = stage.table_mut(&self.table)?;
        table.constraints.remove(&self.name);
        table.not_valid.remove(&self.name);
        Ok(())
    }
}
