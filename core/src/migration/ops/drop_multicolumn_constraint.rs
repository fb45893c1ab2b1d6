//! `drop_multicolumn_constraint`: a constraint gone from the newer version at once, while the older one is still held to it.
//!
//! The columns with `up` and `down` get shadows, which are free of it; `down` gives the older version values that obey it. What
//! rows of the newer version break cannot be told by the database alone, so that without `down` nothing is changed. The constraint
//! itself goes at complete, with the columns.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use super::operate::Operate;
use crate::error::{Error, Result};
use crate::model::rules::no_such_constraint;
use crate::sql;
use crate::transition::stage::Stage;
use crate::yaml;

/// The operation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DropMulticolumnConstraint {
    /// The table's name.
    pub table: String,
    /// The constraint's name.
    pub name: String,
    /// The newer version's values by column; the column itself where absent.
    #[serde(default, deserialize_with = "yaml::or_empty", skip_serializing_if = "BTreeMap::is_empty")]
    pub up: BTreeMap<String, String>,
    /// The older version's values by column, still held to the constraint.
    #[serde(default, deserialize_with = "yaml::or_empty", skip_serializing_if = "BTreeMap::is_empty")]
    pub down: BTreeMap<String, String>,
}

impl Operate for DropMulticolumnConstraint {
    fn apply(&self, stage: &mut Stage) -> Result<()> {
        let place = format!("constraint `{}` of table `{}`", self.name, self.table);
        let table = stage.to.table(&self.table)?;
        let Some(constraint) = table.constraints.get(&self.name) else {
            return Err(no_such_constraint(&self.table, table, &self.name));
        };
        let columns = constraint.columns(table);
        if let Some(column) = self.up.keys().chain(self.down.keys()).find(|column| !columns.contains(column)) {
            return Err(Error::new(format!("{place} is not on column `{column}`"))
                .hint(format!("its columns are {}", columns.join(", "))));
        }
        if self.down.is_empty() {
            return Err(Error::new(format!("{place} is dropped without `down`, so the older version has no valid values for rows that break it"))
                .hint("add `down: {column: …}` with values that satisfy the constraint, or use drop_constraint: the constraint then stays in force until complete"));
        }
        if let Some(column) = self.up.keys().find(|column| !self.down.contains_key(*column)) {
            return Err(Error::new(format!("{place} has `up` for column `{column}`, but no `down`"))
                .hint(format!("add `down: {{{column}: …}}` with a value that satisfies the constraint, or remove its `up`")));
        }
        stage.refuse_what_is_referenced(&self.table, &self.name)?;
        stage.table_mut(&self.table)?.constraints.remove(&self.name);
        for (column, down) in &self.down {
            let model = stage.to.table(&self.table)?.column(&self.table, column)?.clone();
            let itself = sql::ident(column).as_str().to_owned();
            stage.convert(&self.table, model, self.up.get(column).unwrap_or(&itself), down)?;
        }
        Ok(())
    }
}
