//! `drop_constraint`: a constraint gone. Without `up` and `down` it holds for both versions until complete.

use serde::{Deserialize, Serialize};

use super::Operate;
use super::column_spec::no_such_constraint;
use crate::error::{Error, Result};
use crate::schema::Constraint;
use crate::stage::Stage;
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
        refuse_what_is_referenced(stage, &self.table, &self.name)?;
        if self.up.is_some() || self.down.is_some() {
            let columns = constraint.columns(table);
            let [column] = columns.as_slice() else {
                return Err(Error::new(format!("constraint `{}` of table `{}` is on {} columns", self.name, self.table, columns.len()))
                    .hint("use drop_multicolumn_constraint, or leave `up` and `down` out: it then holds for both versions until complete"));
            };
            let column = table.column(&self.table, column)?.clone();
            let itself = crate::sql::ident(&column.name).as_str().to_owned();
            let (up, down) = (self.up.clone().unwrap_or_else(|| itself.clone()), self.down.clone().unwrap_or(itself));
            super::alter_column::convert(stage, &self.table, column, &up, &down)?;
        }
        let table = stage.table_mut(&self.table)?;
        table.constraints.remove(&self.name);
        table.not_valid.remove(&self.name);
        Ok(())
    }
}

/// A key that foreign keys point at cannot go before them: which of several keys they hang on is the server's secret.
pub(super) fn refuse_what_is_referenced(stage: &Stage, table: &str, name: &str) -> Result<()> {
    let model = stage.to.table(table)?;
    let mut columns: Vec<&String> = match (model.constraints.get(name), model.indexes.get(name)) {
        (Some(Constraint::PrimaryKey { columns, .. } | Constraint::Unique { columns, .. }), _) => columns.iter().collect(),
        (None, Some(index)) if index.unique => index.columns.iter().map(|key| &key.column).collect(),
        _ => return Ok(()),
    };
    columns.sort();
    for (other, there) in &stage.to.tables {
        for (foreign, constraint) in &there.constraints {
            let Constraint::ForeignKey { references, .. } = constraint else { continue };
            let mut targets: Vec<&String> = references.columns.iter().collect();
            targets.sort();
            if references.table == table && targets == columns {
                return Err(Error::new(format!("key `{name}` of table `{table}` cannot go: foreign key `{foreign}` of table `{other}` points at it"))
                    .hint(format!("drop constraint `{foreign}` of `{other}` first, in the same migration")));
            }
        }
    }
    Ok(())
}
