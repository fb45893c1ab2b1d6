//! `add_column`: a column that only the newer version has.
//!
//! A constant or stable default is PostgreSQL's fast default: no scan, no rewrite. With `up`, or with a default that
//! is evaluated per row, the column is filled by the backfill and kept filled by the sync triggers. So is an identity or `serial`: existing
//! rows get numbers, in no order that means anything, and the sequence goes on behind them for both versions.

use serde::{Deserialize, Serialize};

use super::column_spec::ColumnSpec;
use super::operate::Operate;
use crate::error::{Error, Result};
use crate::model::expression::Expression;
use crate::transition::stage::Stage;
use crate::yaml;

/// The operation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddColumn {
    /// The table's name.
    pub table: String,
    /// The column.
    pub column: ColumnSpec,
    /// The value for existing rows and for the older version's writes, over the older version's columns.
    #[serde(default, deserialize_with = "yaml::unless_empty", skip_serializing_if = "Option::is_none")]
    pub up: Option<String>,
}

impl Operate for AddColumn {
    fn apply(&self, stage: &mut Stage) -> Result<()> {
        let (table, name) = (&self.table, &self.column.name);
        stage.to.table(table)?;
        let column = self.column.column(table)?;
        if self.column.pk {
            return Err(Error::new(format!("column `{table}.{name}` cannot join the primary key when it is added"))
                .hint("add the column first, then the key with create_constraint"));
        }
        if column.identity.is_some() && (self.up.is_some() || column.default.is_some()) {
            let word = if self.up.is_some() { "up" } else { "default" };
            return Err(Error::new(format!(
                "identity column `{table}.{name}` has `{word}`, but its values come from its sequence"
            ))
            .hint(format!("remove `{word}`: existing rows get numbers too; or add a plain column")));
        }
        if column.identity.is_some() && !matches!(column.sql_type.as_str(), "smallint" | "integer" | "bigint") {
            return Err(Error::new(format!("identity column `{table}.{name}` cannot have type {}", column.sql_type))
                .hint("give it smallint, integer or bigint"));
        }
        if column.generated.is_some() {
            return Err(Error::new(format!(
                "generated column `{table}.{name}` cannot be added to an existing table without a rewrite"
            ))
            .hint("add a plain column with `up` instead"));
        }
        let mut up = self.up.clone().map(Expression::from);
        if up.is_none()
            && let Some(default) = &column.default
        {
            let default = stage.know_default(table, &column.sql_type, default.clone())?;
            up = (!default.is_fast_default()).then_some(default);
        }
        if up.is_none() && !column.nullable && column.default.is_none() && column.identity.is_none() {
            return Err(Error::new(format!("column `{table}.{name}` is NOT NULL, but existing rows have no value for it"))
                .hint("add `up: …` with their value, or a `default`, or make it nullable"));
        }
        if let Some(references) = &self.column.references
            && (references.table != *table || references.column != *name)
        {
            stage.to.table(&references.table)?.column(&references.table, &references.column)?;
        }
        stage.add_column(table, column, up)?;
        self.column.add_constraints(table, stage.table_mut(table)?)
    }
}
