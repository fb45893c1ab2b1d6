//! What foreign keys point at has to be there when they come.

use crate::error::{Error, Result};
use crate::model::schema::{Constraint, Table};
use crate::transition::stage::Stage;

impl Stage {
    /// No foreign key points at a key that the table of the older version has not got yet: it is one of the whole at complete, no sooner.
    pub(super) fn check_targets(&self) -> Result<()> {
        for (name, table) in &self.to.tables {
            for (foreign, constraint) in &table.constraints {
                let Constraint::ForeignKey { references, .. } = constraint else { continue };
                let target = self.to.table(&references.table)?;
                if target.partition_by.is_none() {
                    continue;
                }
                let lineage = self.lineage(&references.table)?;
                if !lineage.in_from {
                    continue;
                }
                let older = self.from.table(&lineage.oldest().table)?;
                let indexed = Table { constraints: Default::default(), ..target.clone() };
                let below: Option<Vec<String>> = references.columns.iter().map(|column| lineage.same_below(column)).collect();
                if !below.is_some_and(|below| older.is_key(&below)) && !indexed.is_key(&references.columns) {
                    return Err(Error::new(format!(
                        "foreign key `{foreign}` of table `{name}` would reference a key of partitioned table `{}` that this migration creates and that exists only after complete",
                        references.table
                    ))
                    .hint("create the foreign key in the next migration"));
                }
            }
        }
        Ok(())
    }
}
