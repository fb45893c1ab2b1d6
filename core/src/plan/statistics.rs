//! Extended statistics: created at start, dropped and renamed at complete, in the place of those whose columns get another form.

use std::collections::BTreeSet;

use crate::layout::chain::Chain;
use crate::layout::tables::{Names, Physical};
use crate::plan::additions::bound_by_rename;
use crate::plan::final_form::in_order;
use crate::plan::{Felt, Lock, Phase, Steps, Verdict, exclusive};
use crate::sql::{Sql, ident, join, literal, qualified};
use crate::statements::path::Path;
use crate::{sql, statements::ddl, statements::enums, statements::properties};

/// New statistics are what this server takes: tried on empty twins, of which nothing stays.
pub(super) fn definitions(chain: &Chain, table: &Physical<'_>, steps: &mut Steps) {
    let (Some(newer), Some(place)) = (table.newer, table.final_name()) else { return };
    for (name, _, model) in table.added_statistics.iter().filter(|_| chain.older.is_some()) {
        let step = steps.check(
            format!("statistics `{name}` of `{place}` can be created"),
            ddl::try_statistics(enums::attempt(chain), newer, model),
            format!("statistics `{name}` of table `{place}` cannot be created"),
            "correct the definition, or drop what no longer fits; the server's message stands above",
            Verdict::Refuse,
        );
        step.path(Path::base(&chain.base));
    }
}

/// PostgreSQL lets nobody but their owner drop or rename statistics.
pub(super) fn check_owner(chain: &Chain, tables: &[Physical<'_>], steps: &mut Steps) {
    let kept = tables.iter().filter(|table| table.is_kept());
    let names = kept.flat_map(|table| {
        let moved = table.kept_statistics.iter().filter(|(so_far, to_be)| so_far != to_be).map(|(so_far, _)| so_far);
        moved.chain(&table.removed_statistics)
    });
    let names: Vec<Sql> = names.map(|name| literal(name)).collect();
    if names.is_empty() {
        return;
    }
    let sql = sql!(
        "SELECT pg_catalog.format('statistics %I (owner %s)', own.stxname, own.stxowner::pg_catalog.regrole), \
         pg_catalog.format('ALTER STATISTICS %I.%I OWNER TO %I', space.nspname, own.stxname, current_user) \
         FROM pg_catalog.pg_statistic_ext AS own JOIN pg_catalog.pg_namespace AS space ON space.oid = own.stxnamespace \
         WHERE space.nspname = {} AND own.stxname IN ({}) AND NOT pg_catalog.pg_has_role(own.stxowner, 'USAGE')",
        literal(&chain.base),
        join(names, ", ")
    );
    steps.check(
        "the statistics that complete drops or renames belong to the migration role",
        sql,
        "the migration role does not own statistics that complete has to drop or rename",
        "give them to the migration role, as their owner or as a superuser",
        Verdict::Refuse,
    );
}

/// They are there from the start on, so that an ANALYZE has filled them by complete.
pub(super) fn create(chain: &Chain, table: &Physical<'_>, steps: &mut Steps) {
    let Some(newer) = table.newer.filter(|_| !table.added_statistics.is_empty()) else { return };
    let place = qualified(&chain.base, &table.name);
    let mut is_moved = false;
    let mut statements = Vec::new();
    for (_, physical, model) in &table.added_statistics {
        let create = |names: &Names| ddl::create_statistics(&chain.base, &table.name, physical, model, names);
        if newer.read_by(model.texts()).iter().any(|column| table.newer_name(column) != column) {
            is_moved = true;
            statements.extend(bound_by_rename(&place, table, newer.columns_of(model), create(&Names::new())));
        } else {
            statements.push(create(&table.newer_names));
        }
    }
    let mut statements = Path::newer(chain, &chain.newer.scratch()).around(statements);
    statements.extend(properties::carry_statistics(chain, table));
    let names = table.added_statistics.iter().map(|(name, ..)| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let places = std::slice::from_ref(&place);
    let (locks, lock) = if is_moved {
        (exclusive(places, places), format!("ACCESS EXCLUSIVE on {place}, instant"))
    } else {
        let locks = vec![Lock::tables(places, "SHARE UPDATE EXCLUSIVE", Felt::ByMaintenance)];
        (locks, format!("SHARE UPDATE EXCLUSIVE on {place}, instant: nobody waits"))
    };
    steps.transaction(Phase::Constrain, format!("create statistics {names} on `{}`", table.name), locks, statements).lock(lock);
}

/// What goes of a table that stays, while nobody plans a statement on it: to those whose list of statistics is a moment older, PostgreSQL
/// would give an error.
pub(super) fn contract(chain: &Chain, table: &Physical<'_>) -> Vec<Sql> {
    let mut statements = Vec::from_iter(properties::carry_statistics(chain, table));
    statements.extend(table.removed_statistics.iter().map(|name| drop(chain, name)));
    statements
}

/// The statistics that the start made.
pub(super) fn undo(chain: &Chain, table: &Physical<'_>) -> Vec<Sql> {
    table.added_statistics.iter().map(|(_, physical, _)| drop(chain, physical)).collect()
}

fn drop(chain: &Chain, name: &str) -> Sql {
    sql!("DROP STATISTICS IF EXISTS {}", qualified(&chain.base, name))
}

/// Statistics get their final names; no table is locked for it.
pub(super) fn rename(chain: &Chain, tables: &[Physical<'_>], steps: &mut Steps) {
    let of_table = |table: &Physical<'_>| {
        let added = table.added_statistics.iter().map(|(name, physical, _)| (physical.clone(), name.clone()));
        added.chain(table.kept_statistics.iter().cloned()).collect::<Vec<_>>()
    };
    let moved = tables.iter().flat_map(of_table).filter(|(so_far, name)| so_far != name).collect();
    let renames = in_order(moved).into_iter();
    let renames: Vec<Sql> = renames
        .map(|(so_far, name)| sql!("ALTER STATISTICS {} RENAME TO {}", qualified(&chain.base, &so_far), ident(&name)))
        .collect();
    if !renames.is_empty() {
        steps.transaction(Phase::Contract, "rename the statistics", Vec::new(), renames);
    }
}

/// Those that have to be there when complete comes, by their names until then.
pub(super) fn needed(table: &Physical<'_>, is_built: bool) -> Vec<String> {
    let kept = table.kept_statistics.iter().filter(|(so_far, to_be)| so_far != to_be).map(|(so_far, _)| so_far.clone());
    let added = table.added_statistics.iter().filter(|_| is_built).map(|(_, physical, _)| physical.clone());
    kept.chain(added).collect()
}

/// Of these statistics, those that are not there.
pub(super) fn lacking(chain: &Chain, names: &BTreeSet<String>) -> Option<Sql> {
    let query = || {
        sql!(
            "SELECT 'statistics ' || pg_catalog.format('`%s`', wanted.name) FROM (VALUES {}) AS wanted (name) WHERE NOT EXISTS (SELECT 1 FROM pg_catalog.pg_statistic_ext AS there \
             WHERE there.stxnamespace = pg_catalog.to_regnamespace({}) AND there.stxname = wanted.name)",
            join(names.iter().map(|name| sql!("({})", literal(name))), ", "),
            literal(ident(&chain.base).as_str())
        )
    };
    (!names.is_empty()).then(query)
}
