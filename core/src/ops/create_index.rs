//! `create_index`: an index, built concurrently at start.
//!
//! SHARE UPDATE EXCLUSIVE on the table: nobody waits. An invalid one that an interrupted build left is found and rebuilt.

use serde::{Deserialize, Serialize};

use super::Operate;
use super::column_spec::{check_name, is_false, one_of};
use crate::error::{Error, Result};
use crate::schema::{Index, IndexColumn};
use crate::stage::Stage;

/// The operation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateIndex {
    /// The index's name.
    pub name: String,
    /// The table's name.
    pub table: String,
    /// The keys in order.
    pub columns: Vec<IndexColumn>,
    /// `UNIQUE`.
    #[serde(default, skip_serializing_if = "is_false")]
    pub unique: bool,
    /// `btree` where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// `WHERE …`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predicate: Option<String>,
    /// `WITH (…)`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_parameters: Option<String>,
    /// `INCLUDE (…)` (not in pgroll's dialect).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub include: Vec<String>,
    /// `NULLS NOT DISTINCT` (not in pgroll's dialect).
    #[serde(default, skip_serializing_if = "is_false")]
    pub nulls_not_distinct: bool,
}

impl Operate for CreateIndex {
    fn apply(&self, stage: &mut Stage) -> Result<()> {
        check_name("index", &self.name, Some(&self.table))?;
        for (table, model) in &stage.to.tables {
            if model.indexes.contains_key(&self.name) || model.constraints.contains_key(&self.name) {
                return Err(Error::new(format!("table `{table}` has an index or constraint `{}` already", self.name)).hint("choose another name"));
            }
        }
        if self.columns.is_empty() {
            return Err(Error::new(format!("index `{}` of table `{}` has no columns", self.name, self.table)).hint("add `columns: [{column: …}]`"));
        }
        if let Some(predicate) = &self.predicate {
            stage.refuse_unbound(&self.table, &self.name, predicate)?;
        }
        let table = stage.to.table_mut(&self.table)?;
        for column in self.columns.iter().map(|key| &key.column).chain(&self.include) {
            table.column(&self.table, column)?;
        }
        for key in &self.columns {
            let place = |word: &str| format!("{word} of column `{}` in index `{}`", key.column, self.name);
            if let Some(sort) = &key.sort {
                one_of(&place("sort"), sort, &["ASC", "DESC"])?;
            }
            if let Some(nulls) = &key.nulls {
                one_of(&place("nulls"), nulls, &["FIRST", "LAST"])?;
            }
        }
        table.indexes.insert(self.name.clone(), self.index());
        Ok(())
    }
}

impl CreateIndex {
    /// The model of the index.
    pub fn index(&self) -> Index {
        let upper = |text: &Option<String>, default: &str| text.as_deref().map(str::to_uppercase).filter(|text| text != default);
        let columns = self
            .columns
            .iter()
            .map(|key| {
                let sort = upper(&key.sort, "ASC");
                let usual = if sort.is_some() { "FIRST" } else { "LAST" };
                IndexColumn { nulls: upper(&key.nulls, usual), sort, ..key.clone() }
            })
            .collect();
        Index {
            columns,
            unique: self.unique,
            method: self.method.as_deref().map(str::to_lowercase).filter(|method| method != "btree"),
            predicate: self.predicate.clone(),
            storage_parameters: self.storage_parameters.clone(),
            include: self.include.clone(),
            nulls_not_distinct: self.nulls_not_distinct,
        }
    }

    /// The operation that leads to this index.
    pub fn of(name: &str, table: &str, index: &Index) -> Self {
        let index = index.clone();
        CreateIndex {
            name: name.to_owned(),
            table: table.to_owned(),
            columns: index.columns,
            unique: index.unique,
            method: index.method,
            predicate: index.predicate,
            storage_parameters: index.storage_parameters,
            include: index.include,
            nulls_not_distinct: index.nulls_not_distinct,
        }
    }
}
