//! A constraint of a table as files have it.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::model::rules::normal_action;
use crate::model::schema::{Constraint, Exclusion, IndexParameters, References};
use crate::yaml::{self, is_false};

/// A constraint of the table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableConstraint {
    /// Its name.
    pub name: String,
    /// `unique`, `check`, `primary_key`, `foreign_key` or `exclude`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its columns in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// The condition of a check.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<String>,
    /// `DEFERRABLE`.
    #[serde(default, deserialize_with = "yaml::flag", skip_serializing_if = "is_false")]
    pub deferrable: bool,
    /// `INITIALLY DEFERRED`.
    #[serde(default, deserialize_with = "yaml::flag", skip_serializing_if = "is_false")]
    pub initially_deferred: bool,
    /// `NO INHERIT` of a check.
    #[serde(default, deserialize_with = "yaml::flag", skip_serializing_if = "is_false")]
    pub no_inherit: bool,
    /// `NULLS NOT DISTINCT` of a unique constraint (15+).
    #[serde(default, deserialize_with = "yaml::flag", skip_serializing_if = "is_false")]
    pub nulls_not_distinct: bool,
    /// The target of a foreign key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub references: Option<References>,
    /// What the index of a primary key, unique or exclusion constraint has besides.
    #[serde(default, skip_serializing_if = "IndexParameters::is_none")]
    pub index_parameters: IndexParameters,
    /// What an exclusion constraint says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exclude: Option<Exclusion>,
}

impl TableConstraint {
    /// The model of the constraint.
    pub fn constraint(&self, table: &str) -> Result<Constraint> {
        let columns = self.columns.clone();
        let lacks = |what: &str| {
            Error::new(format!("constraint `{}` of table `{table}` has no `{what}`", self.name)).hint(format!("add `{what}: …`"))
        };
        self.refuse_what_is_in_vain(table)?;
        let index_parameters = self.index_parameters.clone();
        let (deferrable, initially_deferred) = (self.deferrable || self.initially_deferred, self.initially_deferred);
        Ok(match self.kind.as_str() {
            "primary_key" => Constraint::PrimaryKey { columns, deferrable, initially_deferred, index_parameters },
            "unique" => Constraint::Unique {
                columns,
                nulls_not_distinct: self.nulls_not_distinct,
                deferrable,
                initially_deferred,
                index_parameters,
            },
            "exclude" => {
                let exclude = self.exclude.clone().ok_or_else(|| lacks("exclude"))?;
                if exclude.elements.trim().is_empty() {
                    return Err(lacks("exclude.elements"));
                }
                let method = exclude.index_method.as_deref().map(str::to_lowercase).filter(|method| method != "btree");
                let exclude = Exclusion { index_method: method, ..exclude };
                Constraint::Exclude { exclude, deferrable, initially_deferred, index_parameters }
            }
            "check" => {
                Constraint::Check { check: self.check.clone().ok_or_else(|| lacks("check"))?.into(), no_inherit: self.no_inherit }
            }
            "foreign_key" => {
                let given = self.references.clone().ok_or_else(|| lacks("references"))?;
                Constraint::ForeignKey {
                    columns,
                    references: References {
                        on_delete: normal_action(given.on_delete.as_deref()),
                        on_update: normal_action(given.on_update.as_deref()),
                        match_type: given.match_type.as_deref().map(str::to_uppercase).filter(|text| text != "SIMPLE"),
                        ..given
                    },
                    deferrable,
                    initially_deferred,
                }
            }
            other => {
                return Err(Error::new(format!("constraint `{}` of table `{table}` has the unknown type `{other}`", self.name))
                    .hint("the types are unique, check, primary_key, foreign_key and exclude"));
            }
        })
    }

    /// What is said of another kind of constraint than this would be lost in silence.
    fn refuse_what_is_in_vain(&self, table: &str) -> Result<()> {
        let kind = self.kind.as_str();
        let indexed = ["unique", "primary_key", "exclude"].contains(&kind);
        for (word, given, fits) in [
            ("columns", !self.columns.is_empty(), kind != "exclude"),
            ("check", self.check.is_some(), kind == "check"),
            ("no_inherit", self.no_inherit, kind == "check"),
            ("deferrable", self.deferrable, kind != "check"),
            ("initially_deferred", self.initially_deferred, kind != "check"),
            ("nulls_not_distinct", self.nulls_not_distinct, kind == "unique"),
            ("references", self.references.is_some(), kind == "foreign_key"),
            ("index_parameters", !self.index_parameters.is_none(), indexed),
            ("exclude", self.exclude.is_some(), kind == "exclude"),
        ] {
            if given && !fits {
                return Err(Error::new(format!(
                    "constraint `{}` of table `{table}` has `{word}`, which a constraint of type {kind} cannot have",
                    self.name
                ))
                .hint(format!("remove `{word}`, or correct the type")));
            }
        }
        Ok(())
    }

    /// The spec that leads to this constraint.
    pub fn of(name: &str, constraint: &Constraint) -> Self {
        let spec = TableConstraint { name: name.to_owned(), ..TableConstraint::default() };
        match constraint.clone() {
            Constraint::PrimaryKey { columns, deferrable, initially_deferred, index_parameters } => TableConstraint {
                kind: "primary_key".to_owned(),
                columns,
                deferrable,
                initially_deferred,
                index_parameters,
                ..spec
            },
            Constraint::Unique { columns, nulls_not_distinct, deferrable, initially_deferred, index_parameters } => {
                TableConstraint {
                    kind: "unique".to_owned(),
                    columns,
                    nulls_not_distinct,
                    deferrable,
                    initially_deferred,
                    index_parameters,
                    ..spec
                }
            }
            Constraint::Exclude { exclude, deferrable, initially_deferred, index_parameters } => TableConstraint {
                kind: "exclude".to_owned(),
                exclude: Some(exclude),
                deferrable,
                initially_deferred,
                index_parameters,
                ..spec
            },
            Constraint::Check { check, no_inherit } => {
                TableConstraint { kind: "check".to_owned(), check: Some(check.as_str().to_owned()), no_inherit, ..spec }
            }
            Constraint::ForeignKey { columns, references, deferrable, initially_deferred } => TableConstraint {
                kind: "foreign_key".to_owned(),
                columns,
                references: Some(references),
                deferrable,
                initially_deferred,
                ..spec
            },
        }
    }
}
