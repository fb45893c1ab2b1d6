//! Rollback: what a start brought goes, whatever it got to; every statement may be run again.

use crate::chain::Chain;
use crate::hazard::Hazard;
use crate::plan::{Action, Command, Phase, Plan, Steps, exclusive};
use crate::schema::Constraint;
use crate::shadow::{Physical, layout};
use crate::sql::{Sql, ident, join, qualified, verbatim};
use crate::stage::Moment;
use crate::{ddl, enums, numbers, partitions, sql, sync, views};

/// How far the start got that is to be undone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reached {
    /// The version was published: apps may have used it, so its views become tombstones.
    pub published: bool,
    /// How many of its scripts were run, in order.
    pub scripts: usize,
}

/// The plan of `rollback` for a chain.
pub fn rollback(chain: &Chain, reached: Reached) -> Plan {
    let tables = layout(chain);
    let mut steps = Steps::new();
    let published = reached.published;
    let unfinished = if published {
        // what made room for the version, and was not dropped yet
        chain.retired.iter().find(|retired| retired.views == chain.newer.views).map(|old| (views::aside(&old.views), &old.tables))
    } else {
        Some((views::scratch(&chain.newer), &chain.newer.relations))
    };
    if reached.scripts > 0 {
        let schema = if published { chain.newer.views.clone() } else { views::scratch(&chain.newer) };
        let statements = vec![views::drop_unknown(&schema, &chain.newer.relations)];
        steps.transaction(Phase::Undo, "drop the views of tables that sql has made", Vec::new(), statements);
    }
    let title = format!("drop the unfinished schema of `{}`", chain.newer.name);
    let mut groups = unfinished.map_or_else(Vec::new, |(schema, relations)| views::drop_schema(&schema, relations));
    // its types, while tables still have them, come after the tables
    let last = groups.pop_if(|_| enums::differ(chain) && !published);
    for group in groups {
        steps.transaction(Phase::Undo, title.clone(), Vec::new(), group);
    }
    let mut quiet = Vec::new();
    let scripts: Vec<_> = chain.stage.scripts_of(Moment::Start).collect();
    for number in (0..=scripts.len()).rev() {
        quiet.extend(undo_tables(chain, &tables, number, published, &mut steps));
        let before = number.checked_sub(1).filter(|before| *before < reached.scripts);
        if let Some(down) = before.and_then(|before| scripts[before].down.as_ref()) {
            steps.transaction(Phase::Undo, "run sql `down`", Vec::new(), vec![verbatim(down)]);
        }
    }
    if published {
        let buried = |table: &&Physical<'_>| match table.newer {
            Some(newer) => views::tombstone(chain, &chain.newer.views, &table.lineage.newest().table, newer),
            None => Vec::new(),
        };
        for group in quiet.chunks(views::GROUP) {
            let path = enums::path(chain, &chain.newer.views);
            let graves = path.into_iter().chain(group.iter().flat_map(buried)).collect();
            steps.transaction(Phase::Undo, format!("retire views of `{}`", chain.newer.views), Vec::new(), graves);
        }
    }
    super::enums::undo(chain, &mut steps);
    if let Some(mut group) = last {
        group.splice(0..0, enums::give_back(chain));
        steps.transaction(Phase::Undo, title, Vec::new(), group);
    }
    Plan {
        command: Command::Rollback,
        base: chain.base.clone(),
        from: chain.older.as_ref().map(|version| version.name.clone()),
        to: chain.newer.name.clone(),
        ways: Vec::new(),
        steps: steps.done(),
    }
}

/// Undoes what was built of the tables that come after so many scripts; gives those of which nothing was.
fn undo_tables<'a>(
    chain: &Chain,
    tables: &'a [Physical<'a>],
    scripts: usize,
    published: bool,
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
        let mut all: Vec<Sql> = Vec::from_iter(enums::path(chain, &chain.newer.views).filter(|_| published));
        let mut strong = place.clone();
        if published && let Some(newer) = table.newer {
            let view = &table.lineage.newest().table;
            all.extend(views::tombstone(chain, &chain.newer.views, view, newer));
            strong = qualified(&chain.newer.views, view);
        }
        all.extend(statements);
        let locks =
            if table.older.is_some() || published { exclusive(std::slice::from_ref(&place), &[strong]) } else { Vec::new() };
        steps
            .transaction(Phase::Undo, format!("undo table `{}`", table.name), locks, all)
            .lock(format!("ACCESS EXCLUSIVE on {place}, instant"))
            .hazard(Hazard::Standby);
    }
    quiet
}

fn drop_foreign_keys(chain: &Chain, tables: &[Physical<'_>], table: &Physical<'_>, steps: &mut Steps) {
    for (name, key) in table.new_foreign_keys() {
        let Some(parent) = tables.iter().find(|there| there.final_name() == key.target()) else { continue };
        let (place, parent) = (qualified(&chain.base, &table.name), qualified(&chain.base, &parent.name));
        let both = if place == parent { vec![place.clone()] } else { vec![place.clone(), parent] };
        // the tables of an unfinished start may not be there yet: the lock is the statement's own
        steps
            .transaction(
                Phase::Undo,
                format!("drop foreign key `{name}` of `{}`", table.name),
                Vec::new(),
                vec![sql!("ALTER TABLE IF EXISTS {} DROP CONSTRAINT IF EXISTS {}", place, ident(name))],
            )
            .lock(format!("ACCESS EXCLUSIVE on {}, instant", join(both, ", ")))
            .hazard(Hazard::ForeignKeyDrop);
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
    if table.is_partitioned() {
        for name in built(table) {
            statements.push(sql!("DROP INDEX IF EXISTS {}", qualified(&chain.base, name)));
            statements.push(partitions::drop_indexes(&partitions::stem(chain, table, name)));
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
    sql!("ALTER TABLE {} DROP CONSTRAINT IF EXISTS {}", place, ident(&super::start::proof(chain, table, column)))
}
