//! The names of tables, indexes, keys and sequences in a stage's newer version, asked for table after table.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::schema::Schema;

/// The names, brought up to date where tables have changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Relations {
    /// Of each table, those that it had when it was last looked at.
    of: BTreeMap<String, Vec<String>>,
    /// How many have a name.
    count: BTreeMap<String, usize>,
    changed: BTreeSet<String>,
}

impl Relations {
    /// A table has come, gone or changed.
    pub(super) fn change(&mut self, table: &str) {
        self.changed.insert(table.to_owned());
    }

    /// Whether something has this name.
    pub(super) fn has(&mut self, schema: &Schema, name: &str) -> bool {
        for table in std::mem::take(&mut self.changed) {
            for gone in self.of.remove(&table).unwrap_or_default() {
                if let Some(count) = self.count.get_mut(&gone) {
                    *count -= 1;
                }
            }
            let Some(model) = schema.tables.get(&table) else { continue };
            let names: Vec<String> = model.relations(&table).map(|(name, _)| name).collect();
            for name in &names {
                *self.count.entry(name.clone()).or_default() += 1;
            }
            self.of.insert(table, names);
        }
        self.count.get(name).is_some_and(|count| *count > 0)
    }
}
