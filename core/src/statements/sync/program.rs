//! A conversion as a PL/pgSQL program: each scope a block with the table's name there, its columns declared as variables.

use std::collections::BTreeMap;

use crate::layout::chain::Chain;
use crate::layout::tables::Physical;
use crate::sql;
use crate::sql::{Sql, ident, join, user};
use crate::statements::ddl::typed;
use crate::statements::enums;
use crate::transition::lineage::ScopeColumn;

use super::Direction;
use super::conversion::{Conversion, Needs, Scope, Source};

/// A PL/pgSQL body in the making: slots hold values between the blocks.
pub(super) struct Program<'a> {
    pub(super) chain: &'a Chain,
    pub(super) table: &'a Physical<'a>,
    /// The declarations of the slots.
    pub(super) slots: Vec<Sql>,
    pub(super) statements: Vec<Sql>,
    /// What the session has to be told before it runs this.
    pub(super) needs: Needs,
}

impl<'a> Program<'a> {
    pub(super) fn new(chain: &'a Chain, table: &'a Physical<'a>) -> Self {
        Program { chain, table, slots: Vec::new(), statements: Vec::new(), needs: Needs::Nothing }
    }

    /// Emits the blocks that convert the given row, and says in which slot each physical target then lies.
    pub(super) fn evaluate(&mut self, direction: Direction, row: &str) -> Vec<(String, Sql)> {
        let conversion = Conversion::of(self.table, direction);
        let needs = conversion.needs();
        self.needs = self.needs.max(needs);
        let mut values: BTreeMap<&str, Sql> = BTreeMap::new();
        let mut before: Option<&Scope<'_>> = None;
        for scope in &conversion.scopes {
            let mut next = BTreeMap::new();
            let mut assignments = Vec::new();
            for value in &scope.values {
                let slot = match (value.copied(), &value.source) {
                    (Some(other), _) | (None, &Source::Same(other)) => values.get(other).cloned().unwrap_or_default(),
                    (None, Source::Row(physical)) if needs == Needs::Nothing => sql!("{}.{}", Sql::trusted(row), ident(physical)),
                    // values of NEW and OLD are copied into slots first: inside a block a column may be called `new`
                    (None, Source::Row(physical)) => {
                        let slot = self.slot(value.column);
                        self.statements.push(sql!("{} := {}.{};", slot, Sql::trusted(row), ident(physical)));
                        slot
                    }
                    (None, Source::Derived(expression, _)) => {
                        let slot = self.slot(value.column);
                        assignments.push(sql!("{} := {};", slot, user(expression)));
                        slot
                    }
                    (None, Source::Fresh) => {
                        let slot = self.slot(value.column);
                        assignments.push(sql!("{} := NULL;", slot));
                        slot
                    }
                };
                next.insert(value.column.name.as_str(), slot);
            }
            if let Some(below) = before.filter(|_| !assignments.is_empty()) {
                self.block(below, scope, &values, assignments);
            }
            (values, before) = (next, Some(scope));
        }
        let slot = |(logical, physical): &(String, String)| Some((physical.clone(), values.get(logical.as_str())?.clone()));
        conversion.targets.iter().filter_map(slot).collect()
    }

    /// A block in which the columns of a scope bear their names.
    fn block(&mut self, below: &Scope<'_>, above: &Scope<'_>, values: &BTreeMap<&str, Sql>, mut assignments: Vec<Sql>) {
        let is_read = |name: &str| {
            above
                .values
                .iter()
                .any(|value| matches!(&value.source, Source::Derived(_, read) if read.iter().any(|column| column.name == name)))
        };
        let read = below.values.iter().filter(|value| is_read(&value.column.name));
        let read = read.filter_map(|value| Some((value.column, values.get(value.column.name.as_str())?)));
        let read: Vec<(&ScopeColumn, &Sql)> = read.collect();
        let mut variables: Vec<Sql> =
            read.iter().map(|(column, slot)| sql!("{} {} := {};", ident(&column.name), self.declared(column), slot)).collect();
        if below.whole_row {
            // the row as a whole is a record of the table's name
            variables.push(sql!("{} pg_catalog.record;", ident(below.name)));
            let fields = join(read.iter().map(|(column, slot)| sql!("{} AS {}", slot, ident(&column.name))), ", ");
            assignments.insert(0, sql!("SELECT {} INTO {};", fields, ident(below.name)));
        }
        self.statements.push(sql!(
            "<<{}>> DECLARE {}\nBEGIN\n{}\nEND;",
            ident(below.name),
            join(variables, " "),
            join(assignments, "\n")
        ));
    }

    fn slot(&mut self, column: &ScopeColumn) -> Sql {
        let slot = ident(&format!("diptych:{}", self.slots.len() + 1));
        self.slots.push(sql!("{} {};", slot, self.declared(column)));
        slot
    }

    /// A variable's type. Of two types of one name PL/pgSQL assigns the one to the other by its text.
    fn declared(&self, column: &ScopeColumn) -> Sql {
        if let Some((behind, collation)) = self.chain.behind_rules(&column.sql_type) {
            return typed(behind, &column.collation.clone().or_else(|| collation.map(str::to_owned)));
        }
        enums::variable(self.chain, column).unwrap_or_else(|| typed(&column.sql_type, &column.collation))
    }
}
