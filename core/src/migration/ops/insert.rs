//! `insert`: new rows, in their place among the operations, as an application of the newer version writes them.
//!
//! They are there before the operations below it, and for both versions: triggers, foreign keys and sync see the rows of an
//! application. A hundred rows are one transaction, which holds no other lock than theirs. `rollback` takes back those that are as they
//! were inserted and that no row references, and tells of the others.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

use super::operate::Operate;
use crate::error::{Error, Result};
use crate::model::schema::{Column, Table};
use crate::model::types;
use crate::model::value::Value;
use crate::sql::Sql;
use crate::transition::stage::{self, Conflict, Moment, Numbers, Stage, Work};

/// The operation (not in pgroll's dialect).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Insert {
    /// The table's name.
    pub table: String,
    /// The rows: values by column. What a row leaves out has the column's default.
    pub rows: Vec<BTreeMap<String, Value>>,
    /// What becomes of a row whose key is there already; it is refused where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_conflict: Option<OnConflict>,
}

/// What becomes of a row whose key is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnConflict {
    /// Nothing: the row that is there stays as it is.
    Nothing,
}

impl Operate for Insert {
    fn apply(&self, stage: &mut Stage) -> Result<()> {
        let model = stage.to.table(&self.table)?.clone();
        self.can_be_taken_back(stage, &model)?;
        let given: BTreeSet<&String> = self.rows.iter().flat_map(BTreeMap::keys).collect();
        for name in &given {
            if model.column(&self.table, name)?.generated.is_some() {
                return Err(Error::new(format!("`{}.{name}` is a generated column, whose value is computed", self.table))
                    .hint(format!("remove `{name}` from the rows")));
            }
        }
        if given.is_empty() {
            return Err(Error::new(format!("no values are given for table `{}`", self.table))
                .hint("add `rows`, a list of maps: {column: value}"));
        }
        let columns: Vec<String> =
            model.columns.iter().map(|column| column.name.clone()).filter(|name| given.contains(name)).collect();
        let rows = self.rows.iter().enumerate().map(|(at, row)| self.values(&model, &columns, at, row));
        let rows = rows.collect::<Result<_>>()?;
        self.refuse_unknown_numbers(stage, &model)?;
        let numbers = self.numbers(&model);
        let conflict = self.on_conflict.map_or(Conflict::Refuse, |OnConflict::Nothing| Conflict::Skip);
        let expressions = self.rows.iter().flat_map(BTreeMap::values).filter_map(Value::expression);
        let expressions = expressions.map(|text| stage.know(&self.table, &model, text.into())).collect();
        let used = |name: &String| model.columns.iter().any(|column| types::element(&column.sql_type) == *name);
        let enums = stage.to.enums.iter().filter(|(name, _)| used(name)).map(|(name, own)| (name.clone(), own.clone())).collect();
        let insert = stage::Insert { table: self.table.clone(), model, columns, rows, numbers, conflict, expressions, enums };
        stage.script(Work::Insert(Box::new(insert)), Moment::Start);
        Ok(())
    }
}

impl Insert {
    /// Fails where the rows could not be found again: each is known by its key, in either version.
    fn can_be_taken_back(&self, stage: &Stage, model: &Table) -> Result<()> {
        let lineage = stage.lineage(&self.table)?;
        let older = stage.from.tables.get(&lineage.oldest().table).filter(|_| lineage.in_from);
        let has_key = |table: &Table| !table.primary_key().is_empty();
        if older.is_none_or(|older| has_key(older) && has_key(model)) {
            return Ok(());
        }
        Err(Error::new(format!("table `{}` has no primary key, by which `rollback` could find the rows again", self.table))
            .hint("give the table a primary key in an earlier migration, or insert the rows with an `sql` operation"))
    }

    fn values(&self, model: &Table, columns: &[String], at: usize, row: &BTreeMap<String, Value>) -> Result<Vec<Sql>> {
        let value = |name: &String| {
            let place = format!("row {}: `{}.{name}`", at + 1, self.table);
            let default = || Ok(Sql::trusted("DEFAULT"));
            row.get(name).map_or_else(default, |value| value.for_column(model.column(&self.table, name)?, &place))
        };
        columns.iter().map(value).collect()
    }

    /// What a column counts by itself goes on behind the rows' numbers, which have to be known for that.
    fn refuse_unknown_numbers(&self, stage: &mut Stage, model: &Table) -> Result<()> {
        for column in counting(model) {
            for text in self.rows.iter().filter_map(|row| row.get(&column.name)?.expression()) {
                let known = stage.know(&self.table, model, text.into());
                if !known.facts([]).draws_numbers {
                    return Err(Error::new(format!("column `{}.{}` counts by itself, and a row has `{text}` for a number: an application would get it once more", self.table, column.name))
                        .hint("write the number, or leave the column out, so that it gives the row its own"));
                }
            }
        }
        Ok(())
    }

    /// The numbers that the rows give columns which count by themselves.
    fn numbers(&self, model: &Table) -> Vec<(String, Numbers)> {
        let given = |name: &String| {
            let numbers = self.rows.iter().filter_map(|row| row.get(name)?.integer());
            Some(Numbers { lowest: numbers.clone().min()?, highest: numbers.max()? })
        };
        counting(model).filter_map(|column| Some((column.name.clone(), given(&column.name)?))).collect()
    }
}

/// The columns that count by themselves.
fn counting(model: &Table) -> impl Iterator<Item = &Column> {
    model.columns.iter().filter(|column| column.identity.is_some() || column.draws_numbers())
}
