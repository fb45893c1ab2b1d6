//! Rollback: what a start brought goes, whatever it got to; every statement may be run again.

use crate::hazard::Hazard;
use crate::layout::chain::Chain;
use crate::layout::tables::{Physical, layout};
use crate::model::schema::Constraint;
use crate::plan::{Action, Command, Felt, Lock, Phase, Plan, Steps, When, code, dependents, exclusive, replication};
use crate::sql::{Sql, ident, qualified};
use crate::transition::stage::Moment;
use crate::{
    sql, statements::ddl, statements::enums, statements::guard, statements::numbers, statements::partitions, statements::sync,
    statements::views,
};

/// The plan of `rollback` for a chain, however far its start gets: steps say when they have something to do.
pub fn rollback(chain: &Chain) -> Plan {
    let tables = layout(chain);
    let mut steps = Steps::new();
    let (views, scratch) = (&chain.newer.views, chain.newer.scratch());
    dependents::check_views(views, &mut steps);
    super::partitions::checks_of_rollback(chain, &tables, &mut steps);
    replication::checks_of_rollback(chain, &tables, &mut steps);
    code::retire(chain, Some(&chain.newer), (Phase::Undo, When::Published), &mut steps);
    let scripts: Vec<_> = chain.stage.scripts_of(Moment::Start).collect();
    let title = format!("drop the unfinished schema of `{}`", chain.newer.name);
    for group in chain.newer.relations.chunks(views::GROUP) {
        let gone = group.iter().map(|name| views::drop_view(&scratch, name)).collect();
        steps.transaction(Phase::Undo, title.clone(), Vec::new(), gone).when(When::Unpublished);
    }
    if !views::create_unknown(chain, &tables).is_empty() {
        let gone = vec![views::drop_unknown(chain)];
        steps.transaction(Phase::Undo, "drop views of tables that the model does not have", Vec::new(), gone);
    }
    // what a script has added can be taken away again when no view shows it
    let is_bare = scripts.iter().any(|script| script.down().is_some());
    for group in chain.newer.relations.chunks(views::GROUP).filter(|_| is_bare) {
        let gone = group.iter().map(|name| views::drop_view(views, name)).collect();
        steps.transaction(Phase::Undo, format!("drop views of `{views}`"), Vec::new(), gone).when(When::Published);
    }
    let mut quiet = Vec::new();
    for number in (0..=scripts.len()).rev() {
        quiet.extend(undo_tables(chain, &tables, number, if is_bare { Views::Gone } else { Views::There }, &mut steps));
        if let Some(before) = number.checked_sub(1)
            && let Some(down) = scripts[before].down()
        {
            super::scripts::undo(chain, &tables, before, down, &mut steps);
        }
    }
    for group in quiet.chunks(views::GROUP) {
        let gone = group.iter().filter_map(|table| retire(chain, table)).collect();
        steps.transaction(Phase::Undo, format!("drop views of `{views}`"), Vec::new(), gone).when(When::Published);
    }
    super::triggers::undo(chain, &mut steps);
    super::clean_former(chain, &tables, Phase::Undo, &mut steps);
    super::enums::undo(chain, &mut steps);
    super::rows::undo(chain, &tables, &mut steps);
    super::own_types::undo(chain, &mut steps);
    super::sequences::undo(chain, &mut steps);
    for (schema, when) in [(views, When::Published), (&scratch, When::Unpublished)] {
        let mut statements = enums::drop_made(chain, schema);
        statements.extend(views::leave_schema(chain, &chain.newer.name, schema));
        let title = format!("drop the schema of version `{}`, and keep what apps created in it", chain.newer.name);
        steps.transaction(Phase::Undo, title, Vec::new(), statements).when(when);
    }
    lift_guard(chain, &mut steps);
    super::extensions::undo(chain, &mut steps);
    Plan {
        command: Command::Rollback,
        base: chain.base.clone(),
        from: chain.older.as_ref().map(|version| version.name.clone()),
        to: chain.newer.name.clone(),
        notes: Vec::new(),
        steps: steps.done(),
    }
}

/// The guard has the older version's tables alone; where there is no older version, there is no guard.
fn lift_guard(chain: &Chain, steps: &mut Steps) {
    let older = chain.older.as_ref().map(|older| &older.schema.tables);
    let gone = chain.newer.schema.tables.keys().filter(|name| older.is_none_or(|older| !older.contains_key(*name)));
    let gone: Vec<&String> = gone.collect();
    let mut lifted: Vec<Sql> = gone.chunks(views::GROUP).map(|group| guard::lift(chain, group)).collect();
    lifted.extend(older.is_none().then(|| guard::remove(chain)));
    for statement in lifted {
        steps.transaction(Phase::Undo, "remove new tables from the guard", Vec::new(), vec![statement]);
    }
}

/// The newer version's view goes.
fn retire(chain: &Chain, table: &Physical<'_>) -> Option<Sql> {
    Some(views::drop_view(&chain.newer.views, table.final_name()?))
}

/// Whether the published version's views are there while its tables are undone.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Views {
    There,
    Gone,
}

/// Undoes what was built of the tables that come after so many scripts; gives those of which nothing was.
fn undo_tables<'a>(
    chain: &Chain,
    tables: &'a [Physical<'a>],
    scripts: usize,
    views: Views,
    steps: &mut Steps,
) -> Vec<&'a Physical<'a>> {
    let here = || tables.iter().filter(|table| table.scripts_before == scripts);
    for table in here() {
        drop_foreign_keys(chain, tables, table, steps);
    }
    for table in here() {
        drop_indexes(chain, table, steps);
    }
    let mut quiet = Vec::new();
    for table in here() {
        let statements = undo(chain, table);
        if statements.is_empty() {
            quiet.push(table);
            continue;
        }
        let place = qualified(&chain.base, &table.name);
        for when in [When::Published, When::Unpublished] {
            let is_there = table.older.is_some() || when == When::Published;
            let mut locks = Vec::new();
            if is_there {
                locks = exclusive(std::slice::from_ref(&place), std::slice::from_ref(&place));
                // view before table, as statements take them; the view may be gone by somebody's hand
                let view = retire(chain, table).filter(|_| when == When::Published && views == Views::There);
                locks.splice(1..1, view.map(|sql| Lock { sql, reversed: None, felt: Felt::ByApplications }));
            }
            steps
                .transaction(Phase::Undo, format!("undo table `{}`", table.name), locks, statements.clone())
                .when(when)
                .lock(format!("ACCESS EXCLUSIVE on {place}, instant"))
                .hazard(Hazard::Standby);
        }
    }
    quiet
}

fn drop_foreign_keys(chain: &Chain, tables: &[Physical<'_>], table: &Physical<'_>, steps: &mut Steps) {
    for (name, key) in table.new_foreign_keys() {
        let Some(parent) = tables.iter().find(|there| there.final_name() == key.target()) else { continue };
        let both = if table.name == parent.name { vec![table] } else { vec![parent, table] };
        let place = qualified(&chain.base, &table.name);
        let drop = sql!("ALTER TABLE IF EXISTS {} DROP CONSTRAINT IF EXISTS {}", place, ident(name));
        for when in [When::Published, When::Unpublished] {
            // what is new may not be there yet, and no app uses it
            let used = both.iter().copied().filter(|table| table.older.is_some() || when == When::Published);
            let used: Vec<_> = used.collect();
            steps.drop_foreign_key(chain, Phase::Undo, (name, &table.name), &used, vec![drop.clone()]).when(when);
        }
    }
}

/// The indexes that the start built, under their names until complete.
fn built<'a>(table: &'a Physical<'_>) -> impl Iterator<Item = &'a String> {
    let indexes = table.added_indexes.iter().map(|(_, physical, _)| physical);
    let keys = table.added_constraints.iter().filter(|added| ddl::key_index(&added.constraint).is_some());
    indexes.chain(keys.map(|added| &added.physical))
}

fn drop_indexes(chain: &Chain, table: &Physical<'_>, steps: &mut Steps) {
    // those of a partitioned table cannot be dropped concurrently: they go under its lock
    if !table.is_kept() || table.is_partitioned() {
        return;
    }
    for name in built(table) {
        let sql = sql!("DROP INDEX CONCURRENTLY IF EXISTS {}", qualified(&chain.base, name));
        steps
            .push(Phase::Undo, format!("drop index `{name}`"), Action::Statement { sql })
            .lock("SHARE UPDATE EXCLUSIVE: nobody waits");
    }
}

fn undo(chain: &Chain, table: &Physical<'_>) -> Vec<Sql> {
    let place = qualified(&chain.base, &table.name);
    if table.older.is_none() {
        return vec![sql!("DROP TABLE IF EXISTS {}", place)];
    }
    if !table.is_kept() {
        return Vec::new();
    }
    let mut statements = Vec::new();
    if table.needs_sync() {
        statements.extend(sync::remove(chain, table));
    }
    statements.extend(replication::carry_back(chain, table));
    statements.extend(super::statistics::undo(chain, table));
    if table.is_partitioned() {
        for name in built(table) {
            statements.push(sql!("DROP INDEX IF EXISTS {}", qualified(&chain.base, name)));
            statements.push(partitions::drop_indexes(&place, &partitions::stem(chain, table, name)));
        }
        let keys = table.added_constraints.iter().filter(|added| matches!(added.constraint, Constraint::ForeignKey { .. }));
        statements.extend(keys.map(|added| partitions::drop_foreign_keys(&place, &added.physical)));
    }
    for added in &table.added_constraints {
        if matches!(added.constraint, Constraint::Check { .. }) {
            statements.push(sql!("ALTER TABLE {} DROP CONSTRAINT IF EXISTS {}", place, ident(&added.physical)));
        }
    }
    for column in &table.tightened {
        statements.push(drop_proof(chain, table, column));
        statements.push(sql!("ALTER TABLE {} ALTER COLUMN {} DROP NOT NULL", place, ident(column)));
    }
    for added in &table.added {
        statements.push(drop_proof(chain, table, &added.physical));
        statements.push(sql!("ALTER TABLE {} DROP COLUMN IF EXISTS {}", place, ident(&added.physical)));
        if added.numbered {
            statements.push(numbers::remove(chain, table, added));
        }
    }
    statements
}

fn drop_proof(chain: &Chain, table: &Physical<'_>, column: &str) -> Sql {
    let place = qualified(&chain.base, &table.name);
    sql!("ALTER TABLE {} DROP CONSTRAINT IF EXISTS {}", place, ident(&super::additions::proof(chain, table, column)))
}
