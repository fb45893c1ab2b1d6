//! `alter_column`: a column in another form: type, nullability, default, comment.
//!
//! Default and comment change no stored value: both versions share the column, and each version's view carries its own
//! default. A changed type or nullability gets a shadow column, with `up` and `down` between the two; so do values that are
//! others in the newer version, cents in the place of whole units, with nothing else changed.

use serde::{Deserialize, Serialize};

use super::column_spec::{CheckSpec, ReferenceSpec};
use super::operate::Operate;
use crate::error::{Error, Result};
use crate::model::expression::Expression;
use crate::model::rules::add_constraint;
use crate::model::schema::{Column, Constraint, Schema};
use crate::model::types;
use crate::sql;
use crate::transition::stage::Stage;
use crate::yaml::{self, present};

/// The operation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlterColumn {
    /// The table's name.
    pub table: String,
    /// The column's name.
    pub column: String,
    /// The new type.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub sql_type: Option<String>,
    /// Whether it may be NULL from now on.
    #[serde(default, deserialize_with = "yaml::maybe_flag", skip_serializing_if = "Option::is_none")]
    pub nullable: Option<bool>,
    /// The new collation; `null` leaves it to the type, absence leaves it alone (not in pgroll's dialect).
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub collate: Option<Option<String>>,
    /// The new default; `null` drops it, absence leaves it alone.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub default: Option<Option<String>>,
    /// The new comment; `null` drops it, absence leaves it alone.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub comment: Option<Option<String>>,
    /// A unique constraint on the column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unique: Option<UniqueSpec>,
    /// A check constraint on the column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<CheckSpec>,
    /// A foreign key on the column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub references: Option<ReferenceSpec>,
    /// The newer version's value, over the older version's columns.
    #[serde(default, deserialize_with = "yaml::unless_empty", skip_serializing_if = "Option::is_none")]
    pub up: Option<String>,
    /// The older version's value, over the newer version's columns.
    #[serde(default, deserialize_with = "yaml::unless_empty", skip_serializing_if = "Option::is_none")]
    pub down: Option<String>,
}

/// A unique constraint on one column.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UniqueSpec {
    /// Its name.
    pub name: String,
}

impl Operate for AlterColumn {
    fn apply(&self, stage: &mut Stage) -> Result<()> {
        let (table, name) = (&self.table, &self.column);
        let before = stage.to.table(table)?.column(table, name)?.clone();
        let column = self.form(&before)?;
        self.says_enough()?;
        self.is_possible(&before, &column)?;
        let is_converted = column.sql_type != before.sql_type
            || column.nullable != before.nullable
            || column.collation != before.collation
            || self.constrains()
            || self.revalues();
        if is_converted {
            let (up, down) = self.conversions(&stage.to, &before, &column)?;
            stage.convert(table, column, &up, &down)?;
        } else {
            stage.describe_column(table, column)?;
        }
        self.constrain(stage)
    }
}

impl AlterColumn {
    fn constrains(&self) -> bool {
        self.unique.is_some() || self.check.is_some() || self.references.is_some()
    }

    fn revalues(&self) -> bool {
        self.up.is_some() || self.down.is_some()
    }

    /// The column as it will be.
    fn form(&self, before: &Column) -> Result<Column> {
        let (table, name) = (&self.table, &self.column);
        let mut column = before.clone();
        if let Some(sql_type) = &self.sql_type {
            column.sql_type = types::normalize(sql_type);
            if let Some(plain) = types::serial(sql_type) {
                // the notation of a column that has its numbers from a sequence: this one goes on with its own
                if before.identity.is_none() && !before.draws_numbers() {
                    return Err(Error::new(format!("column `{table}.{name}` is not a serial column, and cannot become one"))
                        .hint(format!("give it type {plain}, or add a new column of type {sql_type}")));
                }
                plain.clone_into(&mut column.sql_type);
            }
        }
        if let Some(nullable) = self.nullable {
            column.nullable = nullable;
        }
        if let Some(collation) = &self.collate {
            column.collation.clone_from(collation);
        }
        if let Some(default) = &self.default {
            column.default = default.as_deref().and_then(Expression::default_of);
        }
        if let Some(comment) = &self.comment {
            column.comment.clone_from(comment);
        }
        Ok(column)
    }

    /// Fails where nothing is to change, or values in one direction only.
    fn says_enough(&self) -> Result<()> {
        let (table, name) = (&self.table, &self.column);
        let describes = self.sql_type.is_some()
            || self.nullable.is_some()
            || self.collate.is_some()
            || self.default.is_some()
            || self.comment.is_some();
        if describes || self.constrains() {
            return Ok(());
        }
        if !self.revalues() {
            return Err(Error::new(format!("no change is given for column `{table}.{name}`"))
                .hint("add what changes: type, nullable, collate, default, comment, unique, check, references, or the values (`up` and `down`)"));
        }
        if let Some(missing) =
            [("up", &self.up), ("down", &self.down)].into_iter().find_map(|(key, text)| text.is_none().then_some(key))
        {
            return Err(Error::new(format!(
                "`{table}.{name}` converts its values in one direction only: `{missing}` is missing"
            ))
            .hint(format!("add `{missing}`, an expression over the other version's columns")));
        }
        Ok(())
    }

    /// Fails where the column counts, and could not go on counting.
    fn is_possible(&self, before: &Column, column: &Column) -> Result<()> {
        let (table, name) = (&self.table, &self.column);
        if column.identity.is_some() && !matches!(column.sql_type.as_str(), "smallint" | "integer" | "bigint") {
            return Err(Error::new(format!("identity column `{table}.{name}` cannot have type {}", column.sql_type))
                .hint("give it smallint, integer or bigint, or add a new column with `up` and drop this one"));
        }
        if column.identity.is_some() && column.nullable {
            return Err(Error::new(format!("identity column `{table}.{name}` cannot hold NULL"))
                .hint("leave it NOT NULL, or add a new column with `up` and drop this one"));
        }
        let is_integer = |name: &str| matches!(name, "smallint" | "integer" | "bigint");
        if before.draws_numbers()
            && column.draws_numbers()
            && is_integer(&before.sql_type)
            && is_integer(&column.sql_type)
            && !types::widens(&before.sql_type, &column.sql_type)
        {
            return Err(Error::new(format!(
                "serial column `{table}.{name}` cannot get the narrower type {}: its sequence may already be beyond that type's range",
                column.sql_type
            ))
            .hint(format!("keep the type {}, or drop its default in the same operation (default: null)", before.sql_type)));
        }
        Ok(())
    }

    fn constrain(&self, stage: &mut Stage) -> Result<()> {
        let (table, name) = (&self.table, &self.column);
        let target = stage.table_mut(table)?;
        if let Some(spec) = &self.unique {
            add_constraint(table, target, &spec.name, Constraint::unique(vec![name.clone()]))?;
        }
        if let Some(check) = &self.check {
            add_constraint(
                table,
                target,
                &check.name,
                Constraint::Check { check: check.constraint.clone().into(), no_inherit: check.no_inherit },
            )?;
        }
        if let Some(references) = &self.references {
            add_constraint(table, target, &references.name, references.constraint(vec![name.clone()]))?;
            stage.to.table(&references.table)?.column(&references.table, &references.column)?;
        }
        Ok(())
    }

    /// `up` and `down`; the column itself where nothing but a looser or tighter rule sets the two forms apart.
    fn conversions(&self, schema: &Schema, before: &Column, after: &Column) -> Result<(String, String)> {
        let itself = || sql::ident(&self.column).as_str().to_owned();
        // PostgreSQL casts no row to another one
        let as_type = |from: &Column, to: &Column| match [from, to]
            .map(|column| schema.composites.get(&types::element(&column.sql_type)))
        {
            [Some(one), Some(other)] if ![from, to].iter().any(|column| types::is_array(&column.sql_type)) => {
                one.carried_over(other, &self.column, &types::element(&to.sql_type))
            }
            _ => format!("CAST({} AS {})", itself(), to.sql_type),
        };
        let place = format!("`{}.{}`", self.table, self.column);
        let retyped = before.sql_type != after.sql_type;
        let up = match &self.up {
            Some(up) => up.clone(),
            None if retyped => {
                return Err(Error::new(format!(
                    "{place} changes its type from {} to {} without `up`",
                    before.sql_type, after.sql_type
                ))
                .hint(format!(
                    "add `up: '{}'`, or another expression over the older version's columns",
                    as_type(before, after)
                )));
            }
            None if before.nullable && !after.nullable => {
                return Err(Error::new(format!("{place} becomes NOT NULL without `up`")).hint(format!(
                    "add `up: 'coalesce({0}, …)'` with the value for rows that hold NULL, or `up: '{0}'` where none does",
                    itself()
                )));
            }
            None => itself(),
        };
        let down = match &self.down {
            Some(down) => down.clone(),
            None if retyped => {
                return Err(Error::new(format!(
                    "{place} changes its type from {} to {} without `down`",
                    before.sql_type, after.sql_type
                ))
                .hint(format!(
                    "add `down: '{}'`, or another expression over the newer version's columns",
                    as_type(after, before)
                )));
            }
            None if !before.nullable && after.nullable => {
                return Err(Error::new(format!("{place} becomes nullable without `down`, and the older version cannot take NULL"))
                    .hint(format!("add `down: 'coalesce({0}, …)'` with the value that the older version reads in place of NULL, or `down: '{0}'`: the column then accepts NULL only after complete", itself())));
            }
            None => itself(),
        };
        Ok((up, down))
    }
}
