//! `create_index`: an index, built concurrently at start.
//!
//! SHARE UPDATE EXCLUSIVE on the table: nobody waits. An invalid one that an interrupted build left is found and rebuilt. That it can
//! be built at all is seen beforehand, on an empty twin of the table. Expressions and a predicate over columns that have another name
//! until complete are bound by such a twin too: the server reads them there under the newer version's names, and says them again under
//! the names of now.

use serde::{Deserialize, Deserializer, Serialize};

use super::operate::Operate;
use crate::error::{Error, Result};
use crate::model::expression::Expression;
use crate::model::rules::{check_index, check_name};
use crate::model::schema::{Index, IndexColumn};
use crate::transition::stage::Stage;
use crate::yaml;
use crate::yaml::is_false;

/// The operation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateIndex {
    /// The index's name.
    pub name: String,
    /// The table's name.
    pub table: String,
    /// The keys in order; a map by column is read as well.
    #[serde(deserialize_with = "by_column")]
    pub columns: Vec<IndexColumn>,
    /// `UNIQUE`.
    #[serde(default, deserialize_with = "yaml::flag", skip_serializing_if = "is_false")]
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
    /// `TABLESPACE …` (not in pgroll's dialect).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tablespace: Option<String>,
    /// `INCLUDE (…)` (not in pgroll's dialect).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub include: Vec<String>,
    /// `NULLS NOT DISTINCT` (not in pgroll's dialect).
    #[serde(default, deserialize_with = "yaml::flag", skip_serializing_if = "is_false")]
    pub nulls_not_distinct: bool,
}

impl Operate for CreateIndex {
    fn apply(&self, stage: &mut Stage) -> Result<()> {
        check_name("index", &self.name, Some(&self.table))?;
        // the tables are looked through where it is taken alone: a file may have thousands
        let own = stage.to.tables.get(&self.table);
        let is_taken = own.is_some_and(|own| own.constraints.contains_key(&self.name)) || stage.has_relation(&self.name);
        for (table, model) in stage.to.tables.iter().filter(|_| is_taken) {
            if model.indexes.contains_key(&self.name) || model.constraints.contains_key(&self.name) {
                return Err(Error::new(format!("table `{table}` already has an index or constraint `{}`", self.name))
                    .hint("choose another name"));
            }
        }
        if self.columns.is_empty() {
            return Err(Error::new(format!("index `{}` of table `{}` has no columns", self.name, self.table))
                .hint("add `columns: [{column: …}]`"));
        }
        let index = self.index();
        check_index(&self.name, &index)?;
        let table = stage.table_mut(&self.table)?;
        let keys = self.columns.iter().filter(|key| key.expression.is_none()).map(|key| &key.column);
        for column in keys.chain(&self.include) {
            table.column(&self.table, column)?;
        }
        table.indexes.insert(self.name.clone(), index);
        Ok(())
    }
}

impl CreateIndex {
    /// The model of the index.
    pub fn index(&self) -> Index {
        Index {
            columns: self.columns.clone(),
            unique: self.unique,
            method: self.method.clone(),
            predicate: self.predicate.clone().map(Expression::from),
            storage_parameters: self.storage_parameters.clone(),
            tablespace: self.tablespace.clone(),
            include: self.include.clone(),
            nulls_not_distinct: self.nulls_not_distinct,
        }
        .normal()
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
            predicate: index.predicate.as_deref().map(str::to_owned),
            storage_parameters: index.storage_parameters,
            tablespace: index.tablespace,
            include: index.include,
            nulls_not_distinct: index.nulls_not_distinct,
        }
    }
}

fn by_column<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Vec<IndexColumn>, D::Error> {
    yaml::list_or_map(deserializer, "column")
}
