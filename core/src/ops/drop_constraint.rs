//! `drop_constraint`: a constraint gone. Without `up` and `down` it holds for both versions until complete.

use serde::{Deserialize, Serialize};

use super::Operate;
use crate::error::{Error, Result};
use crate::schema::Constraint;
use crate::stage::Stage;

/// The operation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DropConstraint {
    /// The table's name.
    pub table: String,
    /// Its name.
    pub name: String,
    /// The newer version's value of the column, which then is free of the constraint at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub up: Option<String>,
    /// The older version's value of the column, still held to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub down: Option<String>,
}

impl Operate for DropConstraint {
    fn apply(&self, stage: &mut Stage) -> Result<()> {
        let table = stage.to.table(&self.table)?;
        let Some(constraint) = table.constraints.get(&self.name) else {
            return Err(Error::new(format!("table `{}` has no constraint `{}`", self.table, self.name)).hint(
                format!("its constraints are {}", table.constraints.keys().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")),
            ));
        };
        if let Some((other, key)) = pointing_at(stage, &self.table, constraint) {
            return Err(Error::new(format!(
                "constraint `{}` of table `{}` is what foreign key `{key}` of table `{other}` points at",
                self.name, self.table
            ))
            .hint(format!("drop constraint `{key}` of `{other}` first, in the same migration")));
        }
        if self.up.is_some() || self.down.is_some() {
            let columns = constraint.columns(table);
            let [column] = columns.as_slice() else {
                return Err(Error::new(format!("constraint `{}` of table `{}` is on {} columns", self.name, self.table, columns.len()))
                    .hint("leave `up` and `down` out: the constraint then holds for both versions until complete"));
            };
            let column = table.column(&self.table, column)?.clone();
            let itself = crate::sql::ident(&column.name).as_str().to_owned();
            let (up, down) = (self.up.clone().unwrap_or_else(|| itself.clone()), self.down.clone().unwrap_or(itself));
            super::alter_column::refuse_what_cannot_move(stage, &self.table, &column.name)?;
            stage.convert_column(&self.table, column, &up, &down)?;
        }
        stage.to.table_mut(&self.table)?.constraints.remove(&self.name);
        Ok(())
    }
}

/// A foreign key that points at a key's columns.
fn pointing_at(stage: &Stage, table: &str, key: &Constraint) -> Option<(String, String)> {
    let (Constraint::PrimaryKey { columns } | Constraint::Unique { columns, deferrable: false, .. }) = key else { return None };
    let is_same = |there: &[String]| there.len() == columns.len() && there.iter().all(|name| columns.contains(name));
    stage.to.tables.iter().find_map(|(other, model)| {
        let found = model.constraints.iter().find(|(_, there)| {
            matches!(there, Constraint::ForeignKey { references, .. } if references.table == table && is_same(&references.columns))
        });
        found.map(|(name, _)| (other.clone(), name.clone()))
    })
}
