//! `delete`: rows go at complete, when no older version has them any more.
//!
//! Until then both versions see them. They go in batches, as an application deletes them: triggers fire, and foreign keys hold. No other
//! lock than those of the rows is taken. There is no way back, and `rollback`, which comes before, has nothing to restore.

use serde::{Deserialize, Serialize};

use super::operate::Operate;
use crate::error::{Error, Result};
use crate::transition::stage::{self, Moment, Stage, Work};

/// The operation (not in pgroll's dialect).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delete {
    /// The table's name.
    pub table: String,
    /// Which rows: a condition over the newer version's columns.
    #[serde(rename = "where")]
    pub condition: String,
}

impl Operate for Delete {
    fn apply(&self, stage: &mut Stage) -> Result<()> {
        let model = stage.to.table(&self.table)?.clone();
        if self.condition.trim().is_empty() {
            return Err(Error::new(format!("`where` of table `{}` is empty", self.table))
                .hint("write a condition over the table's columns; for all rows write `where: 'true'`"));
        }
        let condition = stage.know(&self.table, &model, self.condition.as_str().into());
        let tables = stage.lineages.iter().filter(|lineage| lineage.in_to);
        let tables = tables.map(|it| (it.newest().table.clone(), (it.in_from, it.layers.len()))).collect();
        let keys = stage.to.keys_behind(&self.table);
        let delete = stage::Delete { table: self.table.clone(), model, condition, tables, keys };
        stage.script(Work::Delete(Box::new(delete)), Moment::Complete);
        Ok(())
    }
}
