//! `create_statistics`: extended statistics of a table, there from the start on, for the planner's use with either version.
//!
//! SHARE UPDATE EXCLUSIVE on the table, for an instant; ACCESS EXCLUSIVE, for an instant, where an expression reads a column that has another
//! name until complete. That the server takes them is seen beforehand, on an empty twin of the table. The next ANALYZE fills them.

use serde::{Deserialize, Serialize};

use super::operate::Operate;
use crate::error::{Error, Result};
use crate::model::expression::Expression;
use crate::model::rules::{check_name, check_statistics};
use crate::model::statistics::Statistics;
use crate::transition::stage::Stage;

/// The operation (not in pgroll's dialect).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateStatistics {
    /// Their name.
    pub name: String,
    /// The table's name.
    pub table: String,
    /// `ndistinct`, `dependencies` and `mcv`; all of them where absent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<String>,
    /// The columns.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// The expressions, `lower(email)`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expressions: Vec<String>,
}

impl Operate for CreateStatistics {
    fn apply(&self, stage: &mut Stage) -> Result<()> {
        check_name("statistics", &self.name, Some(&self.table))?;
        if let Some((table, _)) = stage.to.tables.iter().find(|(_, table)| table.statistics.contains_key(&self.name)) {
            return Err(Error::new(format!("table `{table}` already has statistics `{}`", self.name)).hint("choose another name"));
        }
        let table = stage.table_mut(&self.table)?;
        for column in &self.columns {
            table.column(&self.table, column)?;
        }
        let statistics = self.statistics();
        let columns: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
        check_statistics(&self.name, &statistics, &columns)?;
        table.statistics.insert(self.name.clone(), statistics);
        Ok(())
    }
}

impl CreateStatistics {
    /// The model of the statistics.
    pub fn statistics(&self) -> Statistics {
        Statistics {
            kinds: self.kinds.clone(),
            columns: self.columns.clone(),
            expressions: self.expressions.iter().map(|text| Expression::from(text.clone())).collect(),
        }
        .normal()
    }

    /// The operation that leads to these statistics.
    pub fn of(name: &str, table: &str, statistics: &Statistics) -> Self {
        CreateStatistics {
            name: name.to_owned(),
            table: table.to_owned(),
            kinds: statistics.kinds.clone(),
            columns: statistics.columns.clone(),
            expressions: statistics.expressions.iter().map(|text| text.as_str().to_owned()).collect(),
        }
    }
}
