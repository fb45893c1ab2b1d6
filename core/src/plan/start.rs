//! Start: preflight, expand, backfill, constraints, live, publish.

use crate::hazard::Hazard;
use crate::layout::chain::Chain;
use crate::layout::tables::{AddedConstraint, Names, Physical, layout};
use crate::model::schema::{Constraint, Index, Table};
use crate::plan::additions::{add_columns, bind, bound_by_rename, new_indexes, partitioned_index, proof, proven};
use crate::plan::backfill::backfill;
use crate::plan::{Action, Command, Phase, Plan, Reaches, Shape, Steps, exclusive, preflight, share_row_exclusive};
use crate::sql::{Sql, ident, join, qualified};
use crate::statements::ddl::{self, Build};
use crate::statements::path::Path;
use crate::statements::sync;
use crate::transition::stage::Moment;
use crate::{
    sql, statements::guard, statements::numbers, statements::partitions, statements::properties, statements::rights,
    statements::views,
};

/// The plan of `start` for a chain.
pub fn start(chain: &Chain) -> Plan {
    let tables = layout(chain);
    let mut steps = Steps::new();
    preflight::checks(chain, &tables, &mut steps);
    super::loans::lend(chain, steps.so_far());
    if chain.older.is_none() {
        steps.transaction(Phase::Expand, "create the guard", Vec::new(), vec![guard::create(chain)]);
    }
    super::extensions::expand(chain, &mut steps);
    super::enums::expand(chain, &mut steps);
    super::sequences::expand(chain, &mut steps);
    super::own_types::expand(chain, &mut steps);
    let scripts: Vec<_> = chain.stage.scripts_of(Moment::Start).collect();
    for number in 0..=scripts.len() {
        if let Some(before) = number.checked_sub(1) {
            super::scripts::run(chain, &tables, before, scripts[before], &mut steps);
            super::rows::run(chain, &tables, before, scripts[before], &mut steps);
            preflight::checks_after_script(chain, &tables, number, &mut steps);
            if number == scripts.len() && chain.stage.is_opaque_before(Moment::Start, number) {
                super::functions::checks(chain, &tables, Phase::Constrain, &mut steps);
                super::code::checks(chain, &tables, Phase::Constrain, &mut steps);
                super::triggers::checks(chain, &tables, Phase::Constrain, &mut steps);
            }
        }
        build(chain, &tables, number, &mut steps);
        // a script writes as the newer version does
        for table in tables.iter().filter(|table| table.scripts_before == number) {
            go_live(chain, table, &mut steps);
        }
        for table in tables.iter().filter(|table| table.scripts_before == number) {
            relate(chain, &tables, table, &mut steps);
        }
    }
    super::sequences::publish(chain, &tables, &mut steps);
    super::triggers::publish(chain, &tables, &mut steps);
    publish(chain, &tables, &mut steps);
    Plan {
        command: Command::Start,
        base: chain.base.clone(),
        from: chain.older.as_ref().map(|version| version.name.clone()),
        to: chain.newer.name.clone(),
        notes: super::notes::notes(chain, &tables),
        steps: steps.done(),
    }
}

/// Everything but sync and views, for the tables that may use what so many scripts have made, and nothing of a later one.
fn build(chain: &Chain, tables: &[Physical<'_>], scripts: usize, steps: &mut Steps) {
    let here = || tables.iter().filter(|table| table.scripts_before == scripts);
    for table in here() {
        expand(chain, table, steps);
    }
    for table in here().filter(|table| table.needs_fill()) {
        backfill(chain, table, steps);
    }
    for table in here() {
        build_indexes(chain, table, steps);
    }
    for table in here() {
        constrain(chain, table, steps);
    }
    for table in here() {
        super::statistics::create(chain, table, steps);
    }
}

fn expand(chain: &Chain, table: &Physical<'_>, steps: &mut Steps) {
    let base = &chain.base;
    let place = qualified(base, &table.name);
    let texts = Path::newer(chain, &chain.newer.scratch());
    if let (None, Some(newer)) = (table.older, table.newer) {
        let created = ddl::create_table(base, &table.name, &table.lineage.newest().table, newer, |name| table.displaced(name));
        let title = format!("create table `{}`", table.name);
        let mut statements = texts.around(created);
        statements.push(guard::put_new(chain, &table.name));
        steps.transaction(Phase::Expand, title, Vec::new(), statements);
        return;
    }
    let untouched = table.added.is_empty() && table.tightened.is_empty() && checks(table).next().is_none() && !table.needs_sync();
    if !table.is_kept() || untouched {
        return;
    }
    let mut statements = Vec::new();
    statements.extend(numbers::columns(table).map(|added| numbers::create(chain, table, added)));
    statements.extend(add_columns(&place, table));
    statements.extend(proven(table).map(|column| prove_later(chain, table, column)));
    for check in checks(table) {
        let columns = table.newer.map(|newer| check.constraint.columns(newer)).unwrap_or_default();
        statements.extend(bound_by_rename(
            &place,
            table,
            columns,
            sql!(
                "ALTER TABLE {} ADD CONSTRAINT {} {} NOT VALID",
                place,
                ident(&check.physical),
                ddl::constraint(base, &check.constraint, &Names::new(), None)
            ),
        ));
    }
    let mut statements = texts.around(statements);
    statements.extend(properties::carry_columns(table, &place));
    if table.needs_fill() {
        statements.extend(sync::filling(chain, table).statements(chain));
        statements.push(rights::seal());
    }
    let shared = !table.tightened.is_empty() || checks(table).any(|check| is_shared(table, &check.constraint));
    let step = steps.transaction(
        Phase::Expand,
        format!("expand table `{}`", table.name),
        exclusive(std::slice::from_ref(&place), std::slice::from_ref(&place)),
        statements,
    );
    step.lock(format!("ACCESS EXCLUSIVE on {place}, instant")).hazard(Hazard::Standby);
    if !table.added.is_empty() {
        step.hazard(Hazard::PreparedOnBase);
        if table.is_partitioned() {
            step.hazard(Hazard::Partitions);
        }
    }
    if shared {
        step.hazard(Hazard::OldWritesMayFail);
    }
}

fn checks<'a>(table: &'a Physical<'_>) -> impl Iterator<Item = &'a AddedConstraint> {
    table.added_constraints.iter().filter(|added| table.is_kept() && matches!(added.constraint, Constraint::Check { .. }))
}

/// Whether a constraint stands on columns that the older version writes as well.
fn is_shared(table: &Physical<'_>, constraint: &Constraint) -> bool {
    let Some(newer) = table.newer else { return false };
    !constraint.columns(newer).iter().any(|column| table.is_added(table.newer_name(column)))
}

/// From now on no row gets NULL in a column; those that are there are looked at later. `IS NOT NULL` would refuse rows of a composite type with a
/// NULL in them (docs/traps.md H17).
fn prove_later(chain: &Chain, table: &Physical<'_>, column: &str) -> Sql {
    sql!(
        "ALTER TABLE {} ADD CONSTRAINT {} CHECK ({} IS DISTINCT FROM NULL) NOT VALID",
        qualified(&chain.base, &table.name),
        ident(&proof(chain, table, column)),
        ident(column)
    )
}

fn build_indexes(chain: &Chain, table: &Physical<'_>, steps: &mut Steps) {
    if !table.is_kept() {
        return;
    }
    let mut wanted = new_indexes(table);
    // unique ones last: until publish is near, a unique index can only refuse the older version's writes
    wanted.sort_by_key(|(_, _, index)| index.unique);
    for (_, name, index) in wanted {
        let place = qualified(&chain.base, &name);
        let action = if table.is_partitioned() {
            partitioned_index(chain, table, &name, &index)
        } else {
            Action::CreateIndex {
                schema: chain.base.clone(),
                sql: ddl::create_index(&chain.base, &table.name, &name, &index, &table.newer_names, Build::Concurrently),
                drop: sql!("DROP INDEX CONCURRENTLY IF EXISTS {}", place),
                bind: bind(chain, (&chain.base, &table.name, &name), table, &index, Build::Concurrently),
                shape: Some(shape(table, &index)),
                name: name.clone(),
            }
        };
        let step = steps.push(Phase::Constrain, format!("build index `{name}` on `{}`", table.name), action);
        step.path(Path::base(&chain.base)).lock(if table.is_partitioned() {
            PARTITIONED_INDEX_LOCK
        } else {
            "SHARE UPDATE EXCLUSIVE: nobody waits"
        });
        if index.unique {
            let columns = table.newer.map(|newer| index.columns(newer)).unwrap_or_default();
            step.hazard(if columns.iter().any(|column| table.is_added(table.newer_name(column))) {
                Hazard::UpsertOnConvertedKey
            } else {
                Hazard::OldWritesMayFail
            });
            if table.is_partitioned() && table.added_constraints.iter().any(|added| added.physical == name) {
                step.hazard(Hazard::UpsertOnPartitions);
            }
        }
    }
}

const PARTITIONED_INDEX_LOCK: &str =
    "SHARE on the partitioned table and ACCESS EXCLUSIVE on each new index, instant; SHARE UPDATE EXCLUSIVE on each partition";

fn shape(table: &Physical<'_>, index: &Index) -> Shape {
    let physical = |logical: &String| table.newer_name(logical).to_owned();
    let keys = index.columns.iter().map(|key| key.expression.is_none().then(|| physical(&key.column)));
    let columns = keys.chain(index.include.iter().map(|name| Some(physical(name)))).collect();
    Shape { table: table.name.clone(), unique: index.unique, partial: index.predicate.is_some(), columns }
}

fn validate(chain: &Chain, table: &Physical<'_>, name: &str, steps: &mut Steps) {
    let sql = sql!("ALTER TABLE {} VALIDATE CONSTRAINT {}", qualified(&chain.base, &table.name), ident(name));
    steps
        .push(Phase::Constrain, format!("validate `{name}` of `{}`", table.name), Action::Statement { sql })
        .path(Path::base(&chain.base))
        .lock("SHARE UPDATE EXCLUSIVE: nobody waits");
}

fn constrain(chain: &Chain, table: &Physical<'_>, steps: &mut Steps) {
    if table.is_kept() {
        for column in proven(table) {
            validate(chain, table, &proof(chain, table, column), steps);
        }
        for check in checks(table).filter(|check| table.holds_rows(&check.physical)) {
            validate(chain, table, &check.physical, steps);
        }
    }
}

/// Whether the older version writes rows that only the newer version's foreign key holds.
fn is_new_to_older(table: &Physical<'_>, target: &Physical<'_>, physical: &str) -> bool {
    let name = table.added_constraints.iter().find(|added| added.physical == physical).map(|added| &added.name);
    let older = table.older.zip(name).and_then(|(older, name)| older.constraints.get(name));
    let is_succeeded = older.and_then(Constraint::target).is_some_and(|there| *there == target.lineage.oldest().table);
    !is_succeeded && (table.is_kept() || target.is_kept())
}

/// Whether a DELETE or UPDATE does the same to the rows that point at its own in both versions.
fn act_alike(table: &Physical<'_>) -> bool {
    // for want of a key nothing happens to them, and a key without actions refuses
    let actions = |model: Option<&Table>, name: &String| match model?.constraints.get(name)? {
        Constraint::ForeignKey { references, .. } => Some([&references.on_delete, &references.on_update].map(Clone::clone)),
        _ => None,
    };
    let goes = |name: &String| actions(table.older, name) == actions(table.newer, name);
    // what a new key without actions refuses is told as the older version's writes that fail
    let comes = |name: &String| {
        table.removed_constraints.contains(name) || actions(table.newer, name).is_none_or(|both| both == [None, None])
    };
    !table.is_kept()
        || table.removed_constraints.iter().all(goes) && table.added_constraints.iter().all(|added| comes(&added.name))
}

/// Foreign keys come when the sync is live: what their actions change in the newer side goes down to the older one, and is not derived
/// from it again.
fn relate(chain: &Chain, tables: &[Physical<'_>], table: &Physical<'_>, steps: &mut Steps) {
    let base = &chain.base;
    let place = qualified(base, &table.name);
    for (name, constraint) in table.new_foreign_keys() {
        let Constraint::ForeignKey { references, .. } = constraint else { continue };
        let Some(target) = tables.iter().find(|there| there.final_name() == Some(references.table.as_str())) else { continue };
        let parent = qualified(base, &target.name);
        let definition = ddl::constraint(base, constraint, &table.newer_names, Some((&target.name, &target.newer_names)));
        // in the order of the actions that the key may have
        let both = if place == parent { vec![place.clone()] } else { vec![parent.clone(), place.clone()] };
        let add = sql!("ALTER TABLE {} ADD CONSTRAINT {} {}", place, ident(name), definition);
        let in_parts = table.is_partitioned() && chain.server < 18;
        // a table that nobody has written to yet has no rows to look at
        let is_empty = !table.is_kept() && chain.stage.scripts_of(Moment::Start).next().is_none();
        let statement = match in_parts {
            false if is_empty && table.holds_rows(name) => add.clone(),
            false => sql!("{} NOT VALID", add),
            true if table.is_kept() => partitions::add_foreign_keys(&place, name, &definition),
            // without partitions there are no rows
            true => add.clone(),
        };
        let step = steps.transaction(
            Phase::Constrain,
            format!("add foreign key `{name}` to `{}`", table.name),
            share_row_exclusive(&both),
            vec![statement],
        );
        step.lock(format!("SHARE ROW EXCLUSIVE on {}, instant", join(both, ", ")));
        if is_new_to_older(table, target, name) {
            step.hazard(Hazard::OldWritesMayFail);
        }
        if !in_parts && (is_empty || !table.holds_rows(name)) {
            continue;
        }
        if !in_parts {
            validate(chain, table, name, steps);
        } else if table.is_kept() {
            steps
                .push(
                    Phase::Constrain,
                    format!("validate `{name}` of the partitions of `{}`", table.name),
                    Action::Statement { sql: partitions::validate_foreign_keys(&place, name) },
                )
                .lock("SHARE UPDATE EXCLUSIVE: nobody waits");
            steps
                .transaction(
                    Phase::Constrain,
                    format!("add foreign key `{name}` to `{}` as a whole", table.name),
                    exclusive(std::slice::from_ref(&parent), std::slice::from_ref(&parent)),
                    vec![add],
                )
                .lock(format!("ACCESS EXCLUSIVE on {parent}, instant (already proven)"));
        }
    }
}

fn go_live(chain: &Chain, table: &Physical<'_>, steps: &mut Steps) {
    if !table.is_kept() {
        return;
    }
    let place = qualified(&chain.base, &table.name);
    let proven: Vec<_> = proven(table).collect();
    if !proven.is_empty() {
        let changes = proven.iter().flat_map(|column| {
            let numbered = numbers::columns(table).find(|added| added.physical == **column);
            let settled = numbered.map_or_else(Vec::new, |added| numbers::settle(chain, table, added));
            [
                sql!("ALTER TABLE {} ALTER COLUMN {} SET NOT NULL", place, ident(column)),
                sql!("ALTER TABLE {} DROP CONSTRAINT {}", place, ident(&proof(chain, table, column))),
            ]
            .into_iter()
            .chain(settled)
        });
        let mut statements: Vec<Sql> = changes.collect();
        if table.needs_fill() && !table.added.iter().any(|added| added.derived) {
            // no live trigger takes the place of those that gave numbers; their drop has the same lock as the above
            statements.extend(sync::remove(chain, table));
        } else if numbers::columns(table).next().is_some() {
            statements.extend(sync::remove_numbers(chain, table));
        }
        steps
            .transaction(
                Phase::Publish,
                format!("make columns of `{}` NOT NULL", table.name),
                exclusive(std::slice::from_ref(&place), std::slice::from_ref(&place)),
                statements,
            )
            .lock(format!("ACCESS EXCLUSIVE on {place}, instant (already proven)"));
    }
    let sync = table.needs_sync().then(|| sync::live(chain, table)).filter(|sync| !sync.functions.is_empty());
    if let Some(sync) = sync {
        let mut statements = sync.statements(chain);
        statements.extend(sync::remove_filling(chain, table));
        statements.push(rights::seal());
        let step = steps.transaction(
            Phase::Publish,
            format!("sync of `{}` goes live", table.name),
            share_row_exclusive(std::slice::from_ref(&place)),
            statements,
        );
        step.lock(format!("SHARE ROW EXCLUSIVE on {place}, instant: the barrier behind which the new version may be written"))
            .hazard(Hazard::SyncCost);
        if sync::has_sub_select(table) {
            step.hazard(Hazard::SubSelect);
        }
    }
}

fn publish(chain: &Chain, tables: &[Physical<'_>], steps: &mut Steps) {
    if !chain.changes_types() {
        steps.transaction(
            Phase::Publish,
            format!("create schema for version `{}`", chain.newer.name),
            Vec::new(),
            views::create_schema(chain),
        );
    }
    let wanted: Vec<&Physical<'_>> = tables.iter().collect();
    for (number, group) in wanted.chunks(views::GROUP).enumerate() {
        steps.transaction(
            Phase::Publish,
            format!("create views {} to {}", number * views::GROUP + 1, number * views::GROUP + group.len()),
            Vec::new(),
            views::create_views(chain, group),
        );
    }
    let unknown = views::create_unknown(chain, tables);
    if !unknown.is_empty() {
        steps.transaction(Phase::Publish, "create views of tables that the model does not have", Vec::new(), unknown);
    }
    let mut published = vec![views::rename_into_place(chain)];
    published.extend(super::code::create(chain));
    published.push(views::close(chain));
    let step = steps.transaction(Phase::Publish, format!("publish `{}`", chain.newer.views), Vec::new(), published);
    step.reaches(Reaches::Published);
    if !tables.iter().all(act_alike) {
        step.hazard(Hazard::ForeignKeyActions);
    }
}
