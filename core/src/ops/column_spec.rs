//! A column as files have it, with the constraints that may stand on it.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::expression::Expression;
use crate::schema::{Column, Constraint, Identity, References, Table};
use crate::yaml;
use crate::{names, types};

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
                return Err(Error::new(format!("column `{table}.{}` is not generated by one rule", self.name))
                    .hint("give `generated` either an `expression` or an `identity`"));
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
            let unique = unique(columns.clone());
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

/// A plain unique constraint.
pub fn unique(columns: Vec<String>) -> Constraint {
    Constraint::unique(columns)
}

/// A referential action in upper case; `NO ACTION` is the absence of one.
pub fn normal_action(action: Option<&str>) -> Option<String> {
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ").to_uppercase();
    action.map(words).filter(|text| text != "NO ACTION")
}

/// Adds a constraint under a name that must be free on the table.
pub fn add_constraint(table_name: &str, table: &mut Table, name: &str, constraint: Constraint) -> Result<()> {
    if name.is_empty() {
        return Err(Error::new(format!("a constraint of table `{table_name}` has no name")).hint("add `name: …`"));
    }
    check_name("constraint", name, Some(table_name))?;
    if let Constraint::PrimaryKey { columns, .. } | Constraint::Unique { columns, .. } | Constraint::ForeignKey { columns, .. } =
        &constraint
    {
        if columns.is_empty() {
            return Err(
                Error::new(format!("constraint `{name}` of table `{table_name}` has no columns")).hint("add `columns: […]`")
            );
        }
        for (at, column) in columns.iter().enumerate() {
            table.column(table_name, column)?;
            if columns[..at].contains(column) {
                return Err(Error::new(format!("constraint `{name}` of table `{table_name}` has column `{column}` twice"))
                    .hint("keep one of them"));
            }
        }
    }
    if let Constraint::PrimaryKey { index_parameters, .. }
    | Constraint::Unique { index_parameters, .. }
    | Constraint::Exclude { index_parameters, .. } = &constraint
    {
        for column in &index_parameters.include_columns {
            table.column(table_name, column)?;
        }
    }
    if let Constraint::ForeignKey { columns, references, .. } = &constraint {
        check_references(&format!("foreign key `{name}` of table `{table_name}`"), columns, references)?;
    }
    if matches!(constraint, Constraint::PrimaryKey { .. }) && !table.primary_key().is_empty() {
        return Err(Error::new(format!("table `{table_name}` would have two primary keys")).hint("keep one of them"));
    }
    table.not_valid.remove(name);
    if table.constraints.insert(name.to_owned(), constraint).is_some() {
        return Err(Error::new(format!("table `{table_name}` has a constraint `{name}` already")).hint("choose another name"));
    }
    Ok(())
}

/// The error that lists the constraints there are.
pub(crate) fn no_such_constraint(name: &str, table: &Table, constraint: &str) -> Error {
    let there = table.constraints.keys().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    Error::new(format!("table `{name}` has no constraint `{constraint}`")).hint(if there.is_empty() {
        "it has none at all".to_owned()
    } else {
        format!("its constraints are {there}")
    })
}

const WHEN: [&str; 2] = ["ALWAYS", "BY DEFAULT"];
const ACTIONS: [&str; 4] = ["CASCADE", "RESTRICT", "SET NULL", "SET DEFAULT"];

/// The words and columns of a foreign key; its target is looked at where the other tables are known.
pub fn check_references(place: &str, columns: &[String], references: &References) -> Result<()> {
    if references.columns.len() != columns.len() {
        return Err(Error::new(format!("{place} has {} columns and references {}", columns.len(), references.columns.len()))
            .hint("name as many columns on either side"));
    }
    for (word, action) in [("on_delete", &references.on_delete), ("on_update", &references.on_update)] {
        if let Some(action) = action {
            one_of(&format!("{word} of {place}"), action, &ACTIONS)?;
        }
    }
    if let Some(kind) = &references.match_type {
        one_of(&format!("match_type of {place}"), kind, &["FULL"])?;
    }
    let sets = matches!(references.on_delete.as_deref(), Some("SET NULL" | "SET DEFAULT"));
    if !references.on_delete_set_columns.is_empty() && !sets {
        return Err(Error::new(format!("{place} has `on_delete_set_columns`, but sets nothing on delete"))
            .hint("add `on_delete: SET NULL` or `SET DEFAULT`, or remove the columns"));
    }
    match references.on_delete_set_columns.iter().find(|column| !columns.contains(column)) {
        Some(column) => Err(Error::new(format!("{place} is to set column `{column}`, which is not one of its own"))
            .hint("name columns of the foreign key in `on_delete_set_columns`")),
        None => Ok(()),
    }
}

/// The keyword that a file's text stands for, in any case. Keywords are printed as they are, so that nothing else may pass.
pub(crate) fn one_of<'a>(place: &str, given: &str, words: &[&'a str]) -> Result<&'a str> {
    words
        .iter()
        .find(|word| word.eq_ignore_ascii_case(given))
        .copied()
        .ok_or_else(|| Error::new(format!("{place} cannot be `{given}`")).hint(format!("write one of {}", words.join(", "))))
}

/// Refuses names that PostgreSQL would cut off, that it cannot store or that are empty.
pub fn check_name(kind: &str, name: &str, table: Option<&str>) -> Result<()> {
    let place = table.map_or_else(String::new, |table| format!(" of table `{table}`"));
    if name.is_empty() {
        let article = if kind.starts_with('i') { "an" } else { "a" };
        return Err(Error::new(format!("{article} {kind}{place} has no name")).hint("add `name: …`"));
    }
    if name.contains('\0') {
        return Err(
            Error::new(format!("{kind} name `{}`{place} holds a NUL byte", name.escape_debug())).hint("choose another name")
        );
    }
    if name.len() > names::LONGEST {
        return Err(Error::new(format!("{kind} name `{name}`{place} is longer than {} bytes", names::LONGEST))
            .hint("choose a shorter name"));
    }
    Ok(())
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
pub(crate) fn is_false(value: &bool) -> bool {
    !value
}
