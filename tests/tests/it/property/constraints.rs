//! Random changes of a table's constraints and of its replica identity.

use diptych_core::migration::ops::column_spec::ColumnSpec;
use diptych_core::migration::ops::{
    AddColumn, CreateConstraint, DropConstraint, DropMulticolumnConstraint, RenameConstraint, SetReplicaIdentity,
    ValidateConstraint,
};
use diptych_core::model::schema::ReplicaIdentity;
use diptych_core::model::table_constraint::TableConstraint;
use diptych_core::sql::ident;
use diptych_core::{Column, Constraint, Operation, Schema, Table};
use fastrand::Rng;

use super::changes::{is_read, is_referenced, is_target, pointers};
use super::mentions;
use super::partitions;
use super::schemas::{self, name, relations, some_columns};

/// One change as one to three operations, where the table has what it takes.
pub(super) fn operations(rng: &mut Rng, schema: &Schema, table: &str) -> Option<Vec<Operation>> {
    let not_valid: Vec<&String> = schema.tables[table].not_valid.iter().collect();
    if let Some(name) = rng.choice(not_valid).filter(|_| rng.bool()) {
        return Some(vec![ValidateConstraint { table: table.to_owned(), name: name.clone() }.into()]);
    }
    match rng.u8(..8) {
        0 | 1 => create_constraint(rng, schema, table),
        2 => add_reference(rng, schema, table),
        3 => drop_constraint(rng, schema, table),
        4 => drop_multicolumn_constraint(rng, schema, table),
        5 | 6 => rename_constraint(rng, schema, table),
        _ => {
            let model = &schema.tables[table];
            // a few that are to be refused
            let wrong = (model.partition_by.is_some() && rng.u8(..4) == 0).then_some(ReplicaIdentity::Full);
            let identity = wrong.or_else(|| replica_identity(rng, model));
            Some(vec![SetReplicaIdentity::of(table, identity.as_ref()).into()])
        }
    }
}

/// A replica identity that the table can have.
pub(super) fn replica_identity(rng: &mut Rng, table: &Table) -> Option<ReplicaIdentity> {
    if table.partition_by.is_some() {
        return None;
    }
    let names = table.constraints.keys().chain(table.indexes.keys());
    let fit = names.filter(|name| {
        let identity = ReplicaIdentity::Index { index: (*name).clone() };
        Table { replica_identity: Some(identity), ..table.clone() }.check_replica_identity("").is_ok()
    });
    match (rng.u8(..5), rng.choice(fit.collect::<Vec<_>>())) {
        (0, _) => None,
        (1, _) => Some(ReplicaIdentity::Nothing),
        (2.., Some(index)) => Some(ReplicaIdentity::Index { index: index.clone() }),
        _ => Some(ReplicaIdentity::Full),
    }
}

/// Whether nothing stands in the way of another form of the column.
fn is_movable(schema: &Schema, table: &str, column: &Column) -> bool {
    let model = &schema.tables[table];
    column.identity.is_none()
        && column.generated.is_none()
        && !is_read(model, &column.name)
        && !is_excluded(model, &column.name)
        && !is_target(schema, table, &column.name)
        && !partitions::is_key(model, &column.name)
        && !model.indexes.values().any(|index| index.predicate.as_ref().is_some_and(|text| mentions(text, &column.name)))
}

/// Whether an exclusion constraint is on it.
pub(super) fn is_excluded(model: &Table, column: &str) -> bool {
    let mut constraints = model.constraints.values().filter(|there| matches!(there, Constraint::Exclude { .. }));
    constraints.any(|there| there.columns(model).iter().any(|name| name == column))
}

/// A constraint that existing rows meet, mostly: what is unique already stays so with more columns.
pub(super) fn harmless_constraint(rng: &mut Rng, schema: &Schema, table: &str) -> Option<(String, Constraint)> {
    let model = &schema.tables[table];
    let (name, mut constraint) = schemas::constraint(rng, schema, table)?;
    if let Constraint::Unique { columns, index_parameters, .. } = &mut constraint {
        let mut unique = model.primary_key().to_vec();
        for key in model.constraints.values() {
            if let Constraint::Unique { columns, .. } = key {
                unique.clone_from(columns);
            }
        }
        if unique.is_empty() && rng.u8(..20) > 0 {
            return None;
        }
        for key in unique {
            if !columns.contains(&key) {
                columns.push(key);
            }
        }
        index_parameters.include_columns.retain(|name| !columns.contains(name));
    }
    Some((name, constraint))
}

fn create_constraint(rng: &mut Rng, schema: &Schema, table: &str) -> Option<Vec<Operation>> {
    let model = &schema.tables[table];
    let (name, constraint) = if model.primary_key().is_empty() && rng.bool() {
        let keys = model.constraints.values().filter_map(|there| match there {
            Constraint::Unique { columns, .. } => Some(columns.clone()),
            _ => None,
        });
        let columns = rng.choice(keys.collect::<Vec<_>>())?;
        if model.columns.iter().any(|column| column.nullable && columns.contains(&column.name)) && rng.u8(..10) > 0 {
            return None;
        }
        (name(rng, &relations(schema)), Constraint::primary_key(columns))
    } else {
        harmless_constraint(rng, schema, table)?
    };
    let mut shadowed = Vec::new();
    if rng.u8(..4) == 0 {
        let columns = constraint.columns(model);
        shadowed = some_columns(rng, model, 2, |column| columns.contains(&column.name) && is_movable(schema, table, column));
    }
    let itself = |column: &String| (column.clone(), ident(column).as_str().to_owned());
    let is_rule = match constraint {
        Constraint::Check { .. } => true,
        // before PostgreSQL 18
        Constraint::ForeignKey { .. } => model.partition_by.is_none(),
        _ => false,
    };
    let operation = CreateConstraint {
        not_valid: is_rule && shadowed.is_empty() && rng.bool(),
        up: shadowed.iter().map(itself).collect(),
        down: shadowed.iter().map(itself).collect(),
        ..CreateConstraint::of(table, &name, &constraint)
    };
    Some(vec![operation.into()])
}

fn drop_constraint(rng: &mut Rng, schema: &Schema, table: &str) -> Option<Vec<Operation>> {
    let model = &schema.tables[table];
    let (name, constraint) = rng.choice(model.constraints.iter().collect::<Vec<_>>())?;
    let columns = constraint.columns(model);
    let is_key = matches!(constraint, Constraint::PrimaryKey { .. } | Constraint::Unique { .. });
    if is_key && is_referenced(schema, table, Some(&columns)) && rng.u8(..8) > 0 {
        return None;
    }
    let freed = columns.len() == 1 && !is_key && rng.u8(..4) == 0;
    let itself = columns.first().filter(|_| freed).map(|column| ident(column).as_str().to_owned());
    Some(vec![DropConstraint { table: table.to_owned(), name: name.clone(), up: itself.clone(), down: itself }.into()])
}

/// Gone for the newer version at once: some of the columns get another form.
fn drop_multicolumn_constraint(rng: &mut Rng, schema: &Schema, table: &str) -> Option<Vec<Operation>> {
    let model = &schema.tables[table];
    let moves = |constraint: &Constraint, column: &Column| {
        constraint.columns(model).contains(&column.name) && is_movable(schema, table, column)
    };
    // without `down` it is to be refused
    let is_wrong = rng.u8(..10) == 0;
    let can_go = |(_, constraint): &(&String, &Constraint)| {
        let is_key = matches!(constraint, Constraint::PrimaryKey { .. } | Constraint::Unique { .. });
        let is_held = is_key && is_referenced(schema, table, Some(&constraint.columns(model)));
        let has_down = is_wrong || model.columns.iter().any(|column| moves(constraint, column));
        !is_held && has_down && !matches!(constraint, Constraint::Exclude { .. })
    };
    let (name, constraint) = rng.choice(model.constraints.iter().filter(can_go).collect::<Vec<_>>())?;
    let moved = some_columns(rng, model, 2, |column| moves(constraint, column));
    if moved.is_empty() && !is_wrong {
        return None;
    }
    let itself = |column: &String| (column.clone(), ident(column).as_str().to_owned());
    let up = moved.iter().filter(|_| rng.bool()).map(itself).collect();
    let down = moved.iter().map(itself).collect();
    Some(vec![DropMulticolumnConstraint { table: table.to_owned(), name: name.clone(), up, down }.into()])
}

fn rename_constraint(rng: &mut Rng, schema: &Schema, table: &str) -> Option<Vec<Operation>> {
    let from = rng.choice(schema.tables[table].constraints.keys().collect::<Vec<_>>())?.clone();
    Some(vec![RenameConstraint { table: table.to_owned(), from, to: name(rng, &relations(schema)) }.into()])
}

/// New columns that point somewhere, empty for now.
fn add_reference(rng: &mut Rng, schema: &Schema, table: &str) -> Option<Vec<Operation>> {
    let (target, columns) = schemas::target(rng, schema)?;
    let mut model = schema.tables[table].clone();
    let own = pointers(rng, schema, &target, &columns, &mut model)?;
    let added = model.columns.iter().filter(|column| own.contains(&column.name));
    let mut result: Vec<Operation> =
        added.map(|column| AddColumn { table: table.to_owned(), column: ColumnSpec::of(column), up: None }.into()).collect();
    let key = schemas::reference(rng, &model, own, &target, columns);
    let spec = TableConstraint::of(&name(rng, &relations(schema)), &key);
    let operation = CreateConstraint {
        name: spec.name,
        table: table.to_owned(),
        kind: spec.kind,
        columns: spec.columns,
        references: spec.references,
        deferrable: spec.deferrable,
        initially_deferred: spec.initially_deferred,
        ..CreateConstraint::default()
    };
    result.push(operation.into());
    Some(result)
}
