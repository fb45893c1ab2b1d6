//! `create_constraint`: a unique, check, primary key or foreign key constraint on existing columns.
//!
//! Columns with `up` and `down` get shadows, which alone are held to the constraint; the others are shared, so that
//! the older version is held to it as well from the moment it is validated. An exclusion constraint is refused: PostgreSQL can only add
//! it with a scan and an index build under ACCESS EXCLUSIVE. With `not_valid` nobody looks at the rows that are there.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use super::operate::Operate;
use crate::error::{Error, Result};
use crate::model::rules::add_constraint;
use crate::model::schema::{Constraint, Exclusion, IndexParameters, References};
use crate::model::table_constraint::TableConstraint;
use crate::transition::stage::Stage;
use crate::yaml;
use crate::yaml::is_false;

/// The operation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateConstraint {
    /// Its name.
    pub name: String,
    /// The table's name.
    pub table: String,
    /// `unique`, `check`, `primary_key` or `foreign_key`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its columns in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// The condition of a check.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<String>,
    /// `NO INHERIT` of a check.
    #[serde(default, deserialize_with = "yaml::flag", skip_serializing_if = "is_false")]
    pub no_inherit: bool,
    /// `DEFERRABLE` (not in pgroll's dialect).
    #[serde(default, deserialize_with = "yaml::flag", skip_serializing_if = "is_false")]
    pub deferrable: bool,
    /// `INITIALLY DEFERRED` (not in pgroll's dialect).
    #[serde(default, deserialize_with = "yaml::flag", skip_serializing_if = "is_false")]
    pub initially_deferred: bool,
    /// `NOT VALID` of a check or foreign key: the rows that are there are not held to it, until `validate_constraint` (not in pgroll's dialect).
    #[serde(default, deserialize_with = "yaml::flag", skip_serializing_if = "is_false")]
    pub not_valid: bool,
    /// `NULLS NOT DISTINCT` of a unique constraint (15+, not in pgroll's dialect).
    #[serde(default, deserialize_with = "yaml::flag", skip_serializing_if = "is_false")]
    pub nulls_not_distinct: bool,
    /// The target of a foreign key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub references: Option<References>,
    /// What the index of a primary key or unique constraint has besides.
    #[serde(default, skip_serializing_if = "IndexParameters::is_none")]
    pub index_parameters: IndexParameters,
    /// What an exclusion constraint says: refused (not in pgroll's dialect).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exclude: Option<Exclusion>,
    /// The newer version's values by column.
    #[serde(default, deserialize_with = "yaml::or_empty", skip_serializing_if = "BTreeMap::is_empty")]
    pub up: BTreeMap<String, String>,
    /// The older version's values by column.
    #[serde(default, deserialize_with = "yaml::or_empty", skip_serializing_if = "BTreeMap::is_empty")]
    pub down: BTreeMap<String, String>,
}

impl CreateConstraint {
    /// The operation that leads to this constraint.
    pub fn of(table: &str, name: &str, constraint: &Constraint) -> Self {
        let spec = TableConstraint::of(name, constraint);
        CreateConstraint {
            name: spec.name,
            table: table.to_owned(),
            kind: spec.kind,
            columns: spec.columns,
            check: spec.check,
            no_inherit: spec.no_inherit,
            deferrable: spec.deferrable,
            initially_deferred: spec.initially_deferred,
            nulls_not_distinct: spec.nulls_not_distinct,
            references: spec.references,
            index_parameters: spec.index_parameters,
            exclude: spec.exclude,
            ..CreateConstraint::default()
        }
    }

    /// Only a check and a foreign key can leave the rows aside that are there.
    fn refuse_not_valid(&self, constraint: &Constraint) -> Result<()> {
        let may_skip_rows = matches!(constraint, Constraint::Check { .. } | Constraint::ForeignKey { .. });
        if self.not_valid && !(may_skip_rows && self.up.is_empty()) {
            let why = if may_skip_rows { "`up` gives every row a value that satisfies it" } else { "its index holds every row" };
            return Err(Error::new(format!("constraint `{}` of table `{}` cannot be `not_valid`: {why}", self.name, self.table))
                .hint("remove `not_valid`"));
        }
        Ok(())
    }

    /// Gives the columns with `up` another form.
    fn convert(&self, stage: &mut Stage) -> Result<()> {
        for (column, up) in &self.up {
            let down = self.down.get(column).cloned();
            let model = stage.to.table(&self.table)?.column(&self.table, column)?.clone();
            let itself = crate::sql::ident(column).as_str().to_owned();
            stage.convert(&self.table, model, up, down.as_deref().unwrap_or(&itself))?;
        }
        Ok(())
    }
}

impl Operate for CreateConstraint {
    fn apply(&self, stage: &mut Stage) -> Result<()> {
        let constraint = TableConstraint {
            name: self.name.clone(),
            kind: self.kind.clone(),
            columns: self.columns.clone(),
            check: self.check.clone(),
            no_inherit: self.no_inherit,
            references: self.references.clone(),
            deferrable: self.deferrable,
            initially_deferred: self.initially_deferred,
            nulls_not_distinct: self.nulls_not_distinct,
            index_parameters: self.index_parameters.clone(),
            exclude: self.exclude.clone(),
        }
        .constraint(&self.table)?;
        if matches!(constraint, Constraint::Exclude { .. }) {
            return Err(Error::new(format!("exclusion constraint `{}` cannot be added to the existing table `{}`: PostgreSQL would lock the table while it scans all rows", self.name, self.table))
                .hint("create a new table with it (create_table), or add it with an `sql` operation while the application is down"));
        }
        self.refuse_not_valid(&constraint)?;
        if let Constraint::PrimaryKey { columns, .. } = &constraint {
            let table = stage.to.table(&self.table)?;
            for column in columns {
                if table.column(&self.table, column)?.nullable {
                    return Err(Error::new(format!("key column `{}.{column}` may be NULL", self.table))
                        .hint("make it NOT NULL with alter_column first"));
                }
            }
        }
        if let Some(column) = self.down.keys().find(|column| !self.up.contains_key(*column)) {
            return Err(Error::new(format!(
                "constraint `{}` of table `{}` has `down` for column `{column}`, but no `up`",
                self.name, self.table
            ))
            .hint(format!("add `up: {{{column}: …}}`, or remove its `down`")));
        }
        self.convert(stage)?;
        if let Constraint::ForeignKey { references, .. } = &constraint {
            let target = stage.to.table(&references.table)?;
            for column in &references.columns {
                target.column(&references.table, column)?;
            }
            if let Some(key) = stage.key_that_goes(&references.table, &references.columns)? {
                return Err(Error::new(format!(
                    "foreign key `{}` of table `{}` would depend on key `{key}` of table `{}`, which this migration drops or rebuilds",
                    self.name, self.table, references.table
                ))
                .hint("create the foreign key in the next migration"));
            }
        }
        let table = stage.table_mut(&self.table)?;
        add_constraint(&self.table, table, &self.name, constraint)?;
        if self.not_valid {
            table.not_valid.insert(self.name.clone());
        }
        Ok(())
    }
}
