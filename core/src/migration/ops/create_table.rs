//! `create_table`: a table that only the newer version has.
//!
//! Created at start, empty and unknown to the older version; nothing waits for it. A foreign key of it takes
//! SHARE ROW EXCLUSIVE on the referenced table for an instant, in a step of its own.

use serde::{Deserialize, Deserializer, Serialize};

use super::column_spec::ColumnSpec;
use super::operate::Operate;
use crate::error::{Error, Result};
use crate::model::expression::Expression;
use crate::model::rules::{add_constraint, check_name};
use crate::model::schema::{Constraint, Table};
use crate::model::storage::Storage;
use crate::model::table_constraint::TableConstraint;
use crate::names;
use crate::transition::stage::Stage;
use crate::yaml;

/// The operation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateTable {
    /// The table's name.
    pub name: String,
    /// Its columns; a map by name is read as well.
    #[serde(deserialize_with = "by_name")]
    pub columns: Vec<ColumnSpec>,
    /// Constraints on several columns, or under names of one's own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub constraints: Vec<TableConstraint>,
    /// The comment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// `PARTITION BY …`, `RANGE (created_at)`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition_by: Option<String>,
    /// The storage parameters by name, `fillfactor: 70`.
    #[serde(default, skip_serializing_if = "Storage::is_empty")]
    pub storage: Storage,
}

impl Operate for CreateTable {
    fn apply(&self, stage: &mut Stage) -> Result<()> {
        let mut table = self.table()?;
        self.number_taken_names(stage, &mut table);
        for (name, constraint) in &table.constraints {
            if let Constraint::ForeignKey { references, .. } = constraint {
                let target = if references.table == self.name { &table } else { stage.to.table(&references.table)? };
                for column in &references.columns {
                    target.column(&references.table, column).map_err(|error| error.within(format!("foreign key `{name}`")))?;
                }
            }
        }
        stage.create_table(&self.name, table)
    }
}

impl CreateTable {
    /// The model of the table.
    pub fn table(&self) -> Result<Table> {
        check_name("table", &self.name, None)?;
        let mut table = Table {
            comment: self.comment.clone(),
            partition_by: self.partition_by.clone().map(Expression::from),
            storage: self.storage.clone(),
            ..Table::default()
        };
        table.check_storage(&self.name)?;
        for spec in &self.columns {
            if table.has_column(&spec.name) {
                return Err(Error::new(format!("table `{}` has two columns `{}`", self.name, spec.name)).hint("keep one of them"));
            }
            table.columns.push(spec.column(&self.name)?);
        }
        let key: Vec<String> = self.columns.iter().filter(|spec| spec.pk).map(|spec| spec.name.clone()).collect();
        if !key.is_empty() {
            let key = Constraint::primary_key(key);
            add_constraint(&self.name, &mut table, &key.default_name(&self.name), key)?;
        }
        for spec in &self.columns {
            spec.add_constraints(&self.name, &mut table)?;
        }
        for constraint in &self.constraints {
            let model = constraint.constraint(&self.name)?;
            if let Constraint::PrimaryKey { columns, .. } = &model {
                for column in &mut table.columns {
                    column.nullable &= !columns.contains(&column.name);
                }
            }
            add_constraint(&self.name, &mut table, &constraint.name, model)?;
        }
        Ok(table)
    }

    /// Names that PostgreSQL would choose, and that a table has which was renamed, get a number, as PostgreSQL does.
    fn number_taken_names(&self, stage: &mut Stage, table: &mut Table) {
        let given = |name: &str| self.constraints.iter().any(|constraint| constraint.name == name);
        let free = |stage: &mut Stage, name: &str| {
            let mut numbered = (1..).map(|n| names::shortened(&format!("{name}{n}")));
            numbered.find(|name| !given(name) && !stage.has_relation(name)).unwrap_or_default()
        };
        let keys = table.constraints.iter().filter(|(name, there)| there.owns_index() && !given(name));
        for name in keys.map(|(name, _)| name.clone()).collect::<Vec<_>>() {
            if !stage.has_relation(&name) {
                continue;
            }
            if let Some(key) = table.constraints.remove(&name) {
                table.constraints.insert(free(stage, &name), key);
            }
        }
        for column in &mut table.columns {
            let name = column.sequence_name(&self.name).filter(|name| given(name) || stage.has_relation(name));
            if let (Some(name), Some(identity)) = (name, &mut column.identity)
                && identity.sequence.is_none()
            {
                identity.sequence = Some(free(stage, &name));
            }
        }
    }

    /// The operation that leads to this table.
    pub fn of(name: &str, table: &Table) -> Self {
        CreateTable {
            name: name.to_owned(),
            columns: table.columns.iter().map(ColumnSpec::of).collect(),
            constraints: table.constraints.iter().map(|(name, constraint)| TableConstraint::of(name, constraint)).collect(),
            comment: table.comment.clone(),
            partition_by: table.partition_by.as_deref().map(str::to_owned),
            storage: table.storage.clone(),
        }
    }
}

fn by_name<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Vec<ColumnSpec>, D::Error> {
    yaml::list_or_map(deserializer, "name")
}
