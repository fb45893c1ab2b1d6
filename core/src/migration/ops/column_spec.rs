//! A column as files have it, with the constraints that may stand on it.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::model::expression::Expression;
use crate::model::rules::{add_constraint, check_name, normal_action, one_of};
use crate::model::schema::{Column, Constraint, Identity, References, Table};
use crate::model::types;
use crate::yaml::{self, is_false};

/// The words of an identity.
const WHEN: [&str; 2] = ["ALWAYS", "BY DEFAULT"];

/// A column of `create_table` and `add_column`. `nullable` is false where absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnSpec {
    /// Its name.
    pub name: String,
    /// Its type in any spelling.
    #[serde(rename = "type")]
    pub sql_type: String,
    /// Whether it may be NULL.
    #[serde(default, deserialize_with = "yaml::flag", skip_serializing_if = "is_false")]
    pub nullable: bool,
    /// A unique constraint of PostgreSQL's naming.
    #[serde(default, deserialize_with = "yaml::flag", skip_serializing_if = "is_false")]
    pub unique: bool,
    /// Part of the primary key.
    #[serde(default, deserialize_with = "yaml::flag", skip_serializing_if = "is_false")]
    pub pk: bool,
    /// The collation, where it is not the type's own (not in pgroll's dialect).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collate: Option<String>,
    /// The default as SQL text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// A check constraint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<CheckSpec>,
    /// A foreign key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub references: Option<ReferenceSpec>,
    /// The comment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// A stored expression or an identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generated: Option<GeneratedSpec>,
}

/// A check on a column.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckSpec {
    /// The constraint's name.
    pub name: String,
    /// The condition as SQL text.
    pub constraint: String,
    /// `NO INHERIT`.
    #[serde(default, deserialize_with = "yaml::flag", skip_serializing_if = "is_false")]
    pub no_inherit: bool,
}

/// A foreign key on a column.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReferenceSpec {
    /// The constraint's name.
    pub name: String,
    /// The referenced table.
    pub table: String,
    /// The referenced column.
    pub column: String,
    /// `ON DELETE …`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_delete: Option<String>,
    /// `ON UPDATE …`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_update: Option<String>,
    /// `MATCH …`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub match_type: Option<String>,
    /// `DEFERRABLE`.
    #[serde(default, deserialize_with = "yaml::flag", skip_serializing_if = "is_false")]
    pub deferrable: bool,
    /// `INITIALLY DEFERRED`.
    #[serde(default, deserialize_with = "yaml::flag", skip_serializing_if = "is_false")]
    pub initially_deferred: bool,
}

/// `generated`: one of the two.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GeneratedSpec {
    /// `GENERATED ALWAYS AS (expression) STORED`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expression: Option<String>,
    /// `GENERATED … AS IDENTITY`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<IdentitySpec>,
}

/// An identity's options.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdentitySpec {
    /// `ALWAYS` or `BY DEFAULT` (where absent: `ALWAYS`, as in pgroll).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_specified_values: Option<String>,
    /// Sequence options as SQL text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence_options: Option<String>,
    /// The sequence's name, where it is not the one that PostgreSQL would choose (not in pgroll's dialect).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<String>,
}

impl ColumnSpec {
    /// The column without its constraints.
    pub fn column(&self, table: &str) -> Result<Column> {
        check_name("column", &self.name, Some(table))?;
        if self.sql_type.trim().is_empty() {
            return Err(Error::new(format!("column `{table}.{}` has no type", self.name)).hint("add `type: …`"));
        }
        let serial = types::serial(&self.sql_type);
        let mut column = Column::new(&self.name, serial.unwrap_or(&self.sql_type), self.nullable && !self.pk);
        column.collation.clone_from(&self.collate);
        column.default = self.default.as_deref().and_then(Expression::default_of);
        column.comment.clone_from(&self.comment);
        if serial.is_some() {
            column.identity = Some(Identity::default());
        }
        if let Some(generated) = &self.generated {
            if generated.expression.is_some() == generated.identity.is_some() {
                return Err(Error::new(format!(
                    "`generated` of column `{table}.{}` has both or neither of `expression` and `identity`",
                    self.name
                ))
                .hint("give `generated` exactly one of them: an `expression` or an `identity`"));
            }
            column.generated = generated.expression.clone().map(Expression::from);
            if let Some(identity) = &generated.identity {
                if let Some(sequence) = &identity.sequence {
                    check_name("sequence", sequence, Some(table))?;
                }
                let when = identity.user_specified_values.as_deref().unwrap_or(WHEN[0]);
                let place = format!("user_specified_values of column `{table}.{}`", self.name);
                column.identity = Some(Identity {
                    always: one_of(&place, when, &WHEN)? == WHEN[0],
                    sequence: identity.sequence.clone(),
                    options: identity.sequence_options.clone(),
                });
            }
        }
        if column.identity.is_some() {
            column.nullable = false;
        }
        Ok(column)
    }

    /// The spec that leads to this column.
    pub fn of(column: &Column) -> Self {
        ColumnSpec {
            name: column.name.clone(),
            sql_type: column.sql_type.clone(),
            nullable: column.nullable,
            collate: column.collation.clone(),
            default: column.default.as_deref().map(str::to_owned),
            comment: column.comment.clone(),
            generated: match (&column.generated, &column.identity) {
                (None, None) => None,
                (expression, identity) => Some(GeneratedSpec {
                    expression: expression.as_deref().map(str::to_owned),
                    identity: identity.as_ref().map(|identity| IdentitySpec {
                        user_specified_values: Some(if identity.always { "ALWAYS" } else { "BY DEFAULT" }.to_owned()),
                        sequence_options: identity.options.clone(),
                        sequence: identity.sequence.clone(),
                    }),
                }),
            },
            ..ColumnSpec::default()
        }
    }

    /// Adds the constraints that stand on the column, but for the primary key.
    pub fn add_constraints(&self, name: &str, table: &mut Table) -> Result<()> {
        let columns = vec![self.name.clone()];
        if self.unique {
            let unique = Constraint::unique(columns.clone());
            add_constraint(name, table, &unique.default_name(name), unique)?;
        }
        if let Some(check) = &self.check {
            add_constraint(
                name,
                table,
                &check.name,
                Constraint::Check { check: check.constraint.clone().into(), no_inherit: check.no_inherit },
            )?;
        }
        if let Some(references) = &self.references {
            add_constraint(name, table, &references.name, references.constraint(columns))?;
        }
        Ok(())
    }
}

impl ReferenceSpec {
    /// The foreign key of the given columns.
    pub fn constraint(&self, columns: Vec<String>) -> Constraint {
        Constraint::ForeignKey {
            columns,
            references: References {
                table: self.table.clone(),
                columns: vec![self.column.clone()],
                on_delete: normal_action(self.on_delete.as_deref()),
                on_delete_set_columns: Vec::new(),
                on_update: normal_action(self.on_update.as_deref()),
                match_type: self.match_type.as_deref().map(str::to_uppercase).filter(|text| text != "SIMPLE"),
            },
            deferrable: self.deferrable || self.initially_deferred,
            initially_deferred: self.initially_deferred,
        }
    }
}
