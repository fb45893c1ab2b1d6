//! What a start makes grow: tables whose rows are written anew with more in them, and indexes that are built.

use crate::layout::chain::Chain;
use crate::layout::tables::{Added, layout};
use crate::plan::{Action, Plan};
use serde::Serialize;

/// A table that grows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Growth {
    /// Its name in the database until complete.
    pub table: String,
    /// The columns that a backfill fills; every row is written anew where there is one.
    pub columns: Vec<NewColumn>,
    /// The columns of each index that is built; none for an expression, or where they are told by the server alone.
    pub indexes: Vec<Vec<Option<String>>>,
}

/// A column that is filled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NewColumn {
    /// Its name until complete.
    pub name: String,
    /// Its type.
    pub sql_type: String,
    /// The column that it is another form of, if it is one.
    pub origin: Option<String>,
}

/// What the start of a chain makes grow, by its plan.
pub fn growth(chain: &Chain, plan: &Plan) -> Vec<Growth> {
    let tables = layout(chain);
    let grown = tables.iter().filter(|table| table.is_kept()).map(|table| {
        let filled = |added: &&Added| added.derived || added.numbered;
        let column = |added: &Added| NewColumn {
            name: added.physical.clone(),
            sql_type: added.column.sql_type.clone(),
            origin: table.lineage.origin(&added.column.name),
        };
        let indexes = plan.steps.iter().filter_map(|step| match &step.action {
            Action::CreateIndex { shape: Some(shape), .. } if shape.table == table.name => Some(shape.columns.clone()),
            Action::CreatePartitionedIndex { table: on, .. } if *on == table.name => Some(vec![None]),
            _ => None,
        });
        Growth {
            table: table.name.clone(),
            columns: table.added.iter().filter(filled).map(column).collect(),
            indexes: indexes.collect(),
        }
    });
    grown.filter(|growth| !growth.columns.is_empty() || !growth.indexes.is_empty()).collect()
}
