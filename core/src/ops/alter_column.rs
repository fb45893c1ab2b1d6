//! `alter_column`: a column in another form: type, nullability, default, comment.
//!
//! Default and comment change no stored value: both versions share the column, and each version's view carries its own
//! default. A changed type or nullability gets a shadow column, with `up` and `down` between the two; so do values that are
//! others in the newer version, cents in the place of whole units, with nothing else changed.

use serde::{Deserialize, Deserializer, Serialize};

use super::Operate;
use super::column_spec::{CheckSpec, ReferenceSpec, add_constraint, unique};
use crate::error::{Error, Result};
use crate::expression::Expression;
use crate::sql;
use crate::schema::{Column, Constraint};
use crate::stage::Stage;
use crate::types;
use crate::yaml;

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
        let mut column = before.clone();
        if let Some(sql_type) = &self.sql_type {
            column.sql_type = types::normalize(sql_type);
            if let Some(plain) = types::serial(sql_type) {
                // the notation of a column that has its numbers from a sequence: this one goes on with its own
                if before.identity.is_none() && !before.draws_numbers() {
                    return Err(Error::new(format!("column `{table}.{name}` is no serial column, and cannot become one"))
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
        let constrained = self.unique.is_some() || self.check.is_some() || self.references.is_some();
        let described = self.sql_type.is_some() || self.nullable.is_some() || self.collate.is_some() || self.default.is_some() || self.comment.is_some();
        let revalued = self.up.is_some() || self.down.is_some();
        if !described && !constrained {
            if !revalued {
                return Err(Error::new(format!("nothing of column `{table}.{name}` is to be altered"))
                    .hint("say what changes: type, nullable, collate, default, comment, unique, check, references, or the values (`up` and `down`)"));
            }
            if let Some(missing) = [("up", &self.up), ("down", &self.down)].into_iter().find_map(|(key, text)| text.is_none().then_some(key)) {
                return Err(Error::new(format!("the values of `{table}.{name}` change without `{missing}`"))
                    .hint(format!("add `{missing}`, an expression over the other version's columns")));
            }
        }
        let converted = column.sql_type != before.sql_type || column.nullable != before.nullable || column.collation != before.collation || constrained || revalued;
        if column.identity.is_some() && !matches!(column.sql_type.as_str(), "smallint" | "integer" | "bigint") {
            return Err(Error::new(format!("identity column `{table}.{name}` cannot have type {}", column.sql_type))
                .hint("give it smallint, integer or bigint, or add a new column with `up` and drop this one"));
        }
        if column.identity.is_some() && column.nullable {
            return Err(Error::new(format!("identity column `{table}.{name}` cannot hold NULL")).hint("leave it NOT NULL, or add a new column with `up` and drop this one"));
        }
        let is_integer = |name: &str| matches!(name, "smallint" | "integer" | "bigint");
        if before.draws_numbers()
            && column.draws_numbers()
            && is_integer(&before.sql_type)
            && is_integer(&column.sql_type)
            && !types::widens(&before.sql_type, &column.sql_type)
        {
            return Err(Error::new(format!("serial column `{table}.{name}` cannot get the narrower type {}, which its sequence may have outgrown", column.sql_type))
                .hint(format!("leave it {}, or drop its default in the same operation (default: null)", before.sql_type)));
        }
        if converted {
            let (up, down) = self.conversions(&before, &column)?;
            convert(stage, table, column, &up, &down)?;
        } else {
            stage.describe_column(table, column)?;
        }
        let target = stage.table_mut(table)?;
        if let Some(spec) = &self.unique {
            add_constraint(table, target, &spec.name, unique(vec![name.clone()]))?;
        }
        if let Some(check) = &self.check {
            add_constraint(table, target, &check.name, Constraint::Check { check: check.constraint.clone().into(), no_inherit: check.no_inherit })?;
        }
        if let Some(references) = &self.references {
            add_constraint(table, target, &references.name, references.constraint(vec![name.clone()]))?;
            stage.to.table(&references.table)?.column(&references.table, &references.column)?;
        }
        Ok(())
    }
}

impl AlterColumn {
    /// `up` and `down`; the column itself where nothing but a looser or tighter rule sets the two forms apart.
    fn conversions(&self, before: &Column, after: &Column) -> Result<(String, String)> {
        let itself = || sql::ident(&self.column).as_str().to_owned();
        let place = format!("`{}.{}`", self.table, self.column);
        let retyped = before.sql_type != after.sql_type;
        let up = match &self.up {
            Some(up) => up.clone(),
            None if retyped => {
                return Err(Error::new(format!("{place} changes its type from {} to {} without `up`", before.sql_type, after.sql_type))
                    .hint(format!("add `up: 'CAST({} AS {})'`, or another expression over the older version's columns", itself(), after.sql_type)));
            }
            None if before.nullable && !after.nullable => {
                return Err(Error::new(format!("{place} becomes NOT NULL without `up`"))
                    .hint(format!("add `up: 'coalesce({0}, …)'` with the value for rows that hold NULL, or `up: '{0}'` where none does", itself())));
            }
            None => itself(),
        };
        let down = match &self.down {
            Some(down) => down.clone(),
            None if retyped => {
                return Err(Error::new(format!("{place} changes its type from {} to {} without `down`", before.sql_type, after.sql_type))
                    .hint(format!("add `down: 'CAST({} AS {})'`, or another expression over the newer version's columns", itself(), before.sql_type)));
            }
            None if !before.nullable && after.nullable => {
                return Err(Error::new(format!("{place} becomes nullable without `down`, and the older version cannot take NULL"))
                    .hint(format!("add `down: 'coalesce({0}, …)'` with the value that the older version is to read, or `down: '{0}'`: the column then takes NULL from complete on", itself())));
            }
            None => itself(),
        };
        Ok((up, down))
    }
}

/// A column in another form: in a shadow, unless both versions can share the one that is there.
pub(super) fn convert(stage: &mut Stage, table: &str, column: Column, up: &str, down: &str) -> Result<()> {
    if stage.is_shared(table, &column, up, down)? {
        return stage.describe_column(table, column);
    }
    refuse_what_cannot_move(stage, table, &column.name)?;
    stage.convert_column(table, column, up.into(), down.into())
}

/// A shadow column takes over constraints and plain indexes of the model; what it cannot yet is refused.
pub(super) fn refuse_what_cannot_move(stage: &Stage, table: &str, column: &str) -> Result<()> {
    let model = stage.to.table(table)?;
    let there = model.column(table, column)?;
    let refuse = |what: String, hint: &str| Err(Error::new(format!("column `{table}.{column}` cannot be converted: {what}")).hint(hint));
    if there.generated.is_some() {
        return refuse("it is a generated column".into(), "add a new column with `up` and drop this one in a later migration");
    }
    for (name, constraint) in &model.constraints {
        if matches!(constraint, Constraint::Exclude { .. }) && constraint.columns(model).iter().any(|there| there == column) {
            return refuse(format!("exclusion constraint `{name}` is on it, and could only be built again while nobody writes"), "drop the constraint in this migration");
        }
    }
    if let Some((key, other, foreign)) = stage.key_that_includes(table, column) {
        return refuse(
            format!("it is included in key `{key}`, which foreign key `{foreign}` of table `{other}` may hang on"),
            &format!("drop constraint `{foreign}` of `{other}` first, in the same migration"),
        );
    }
    if let Some(other) = model.generated_from(column) {
        return refuse(format!("generated column `{other}` reads it"), "drop the generated column first");
    }
    Ok(())
}

pub(super) fn present<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Option<Option<String>>, D::Error> {
    Option::<String>::deserialize(deserializer).map(Some)
}
