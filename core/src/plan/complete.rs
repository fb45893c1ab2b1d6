//! Complete: what only the older version needed goes, one table per short transaction; names become final.

use std::collections::BTreeSet;

use crate::hazard::Hazard;
use crate::layout::chain::Chain;
use crate::layout::tables::{Names, Physical, layout};
use crate::model::schema::{Constraint, ReplicaIdentity, Table};
use crate::plan::final_form::{changes_default, drop_columns, in_order, rename_columns};
use crate::plan::{Action, Command, Phase, Plan, Steps, When, claims, code, dependents, exclusive, triggers};
use crate::sql::{Sql, ident, literal, qualified, user};
use crate::statements::ddl::{self};
use crate::statements::path::Path;
use crate::transition::stage::Moment;
use crate::{
    names, sql, statements::guard, statements::numbers, statements::partitions, statements::properties, statements::rights,
    statements::sync, statements::views,
};

/// The plan of `complete` for a chain.
pub fn complete(chain: &Chain) -> Plan {
    let tables = layout(chain);
    let mut steps = Steps::new();
    let changes = triggers::Changes::of(chain);
    checks(chain, &changes, &tables, &mut steps);
    for table in tables.iter().filter(|table| table.is_partitioned() && table.is_kept()) {
        index_new_partitions(chain, table, &mut steps);
    }
    code::retire(chain, chain.older.as_ref(), (Phase::Contract, When::Always), &mut steps);
    for table in &tables {
        drop_foreign_keys(chain, &tables, table, &mut steps);
    }
    // tables that go make room for those that take their names
    for table in tables.iter().filter(|table| table.newer.is_none()) {
        drop_table(chain, table, &mut steps);
    }
    let mut quiet = Vec::new();
    let order = in_order_of_names(&tables);
    for (table, name) in &order {
        let mut statements = contract(chain, table, name);
        if statements.is_empty() {
            quiet.push(*table);
        } else {
            statements.splice(0..0, triggers::take(chain, &changes, table));
            statements.extend(triggers::put(chain, &changes, table, name));
            contract_table(chain, table, statements, &mut steps);
        }
    }
    retire_views(chain, &quiet, &mut steps);
    triggers::exchange(chain, &changes, &quiet, &mut steps);
    drop_indexes(chain, &tables, &mut steps);
    super::own_types::contract(chain, &mut steps);
    rename_indexes(chain, &tables, &mut steps);
    super::statistics::rename(chain, &tables, &mut steps);
    super::clean_former(chain, &tables, Phase::Contract, &mut steps);
    rename_tables(chain, &order, &mut steps);
    validate(chain, &tables, &mut steps);
    super::storage::contract(chain, &tables, &mut steps);
    triggers::leave(chain, &changes, &mut steps);
    super::sequences::contract(chain, &mut steps);
    super::enums::contract(chain, &mut steps);
    for (number, script) in chain.stage.scripts_of(Moment::Complete).enumerate() {
        super::scripts::run_at_complete(chain, number, script, &mut steps);
        super::deletions::run_at_complete(chain, script, &mut steps);
    }
    leave(chain, &mut steps);
    super::extensions::contract(chain, &mut steps);
    Plan {
        command: Command::Complete,
        base: chain.base.clone(),
        from: chain.older.as_ref().map(|version| version.name.clone()),
        to: chain.newer.name.clone(),
        notes: Vec::new(),
        steps: steps.done(),
    }
}

/// What may have come since the start and would be found half-way through.
fn checks(chain: &Chain, changes: &triggers::Changes, tables: &[Physical<'_>], steps: &mut Steps) {
    claims::checks_of_complete(chain, tables, steps);
    dependents::check_of_complete(chain, tables, steps);
    super::partitions::checks_of_complete(chain, tables, steps);
    super::rehearsal::checks_of_complete(chain, tables, steps);
    super::enums::checks_of_complete(chain, tables, steps);
    super::sequences::checks_of_complete(chain, tables, steps);
    super::extensions::checks_of_complete(chain, tables, steps);
    super::statistics::check_owner(chain, tables, steps);
    super::replication::checks_of_complete(chain, tables, steps);
    triggers::checks_of_complete(chain, changes, tables, steps);
    super::deletions::checks_of_complete(chain, tables, steps);
}

/// Indexes that the newer version does not have; those of partitioned tables went with the contract.
fn drop_indexes(chain: &Chain, tables: &[Physical<'_>], steps: &mut Steps) {
    for table in tables.iter().filter(|table| table.newer.is_some() && !table.is_partitioned()) {
        for name in &table.removed_indexes {
            let sql = sql!("DROP INDEX CONCURRENTLY IF EXISTS {}", qualified(&chain.base, name));
            steps
                .push(Phase::Contract, format!("drop index `{name}`"), Action::Statement { sql })
                .lock("SHARE UPDATE EXCLUSIVE: nobody waits");
        }
    }
}

/// Partitions that came after the start have the indexes of which keys are made, too.
fn index_new_partitions(chain: &Chain, table: &Physical<'_>, steps: &mut Steps) {
    for added in &table.added_constraints {
        if let Some(index) = ddl::key_index(&added.constraint) {
            steps
                .push(
                    Phase::Contract,
                    format!("partitions of `{}` that were added since the start get `{}`", table.name, added.name),
                    super::additions::partitioned_index(chain, table, &added.physical, &index),
                )
                .path(Path::base(&chain.base))
                .lock("SHARE UPDATE EXCLUSIVE on each partition: nobody waits");
        }
    }
}

/// The tables that stay, each with the name that its contract gives it: whoever takes another's name comes after that one. Who swaps
/// names with another, or takes an index's, is put aside until the end.
fn in_order_of_names<'a>(tables: &'a [Physical<'a>]) -> Vec<(&'a Physical<'a>, String)> {
    let older = tables.iter().filter_map(|table| Some((&table.name, table.older?)));
    let others: BTreeSet<String> = older
        .flat_map(|(name, older)| {
            let sequences = older.columns.iter().filter_map(|column| column.sequence_name(name));
            older.constraints.keys().chain(older.indexes.keys()).cloned().chain(sequences)
        })
        .collect();
    let mut waiting: Vec<&Physical<'_>> = tables.iter().filter(|table| table.newer.is_some()).collect();
    let mut order = Vec::new();
    while !waiting.is_empty() {
        let is_taken = |table: &Physical<'_>| {
            let wanted = table.final_name().filter(|name| *name != table.name);
            waiting.iter().any(|other| wanted == Some(other.name.as_str()))
        };
        let free = waiting.iter().position(|table| !is_taken(table));
        let table = waiting.remove(free.unwrap_or_default());
        let at_once = table.final_name().filter(|name| *name == table.name || free.is_some() && !others.contains(*name));
        order.push((table, at_once.map_or_else(|| names::generated("away", &[&table.name]), str::to_owned)));
    }
    order
}

fn drop_foreign_keys(chain: &Chain, tables: &[Physical<'_>], table: &Physical<'_>, steps: &mut Steps) {
    let Some(older) = table.older else { return };
    let gone: Vec<&String> = match table.newer {
        None => older.constraints.keys().collect(),
        Some(_) => table.removed_constraints.iter().collect(),
    };
    for name in gone {
        let Some(Constraint::ForeignKey { references, .. }) = older.constraints.get(name) else { continue };
        let place = qualified(&chain.base, &table.name);
        let parent = tables.iter().find(|there| there.older.is_some() && there.lineage.oldest().table == references.table);
        let parent = parent.filter(|parent| parent.name != table.name);
        let both: Vec<_> = parent.into_iter().chain([table]).collect();
        let drop = sql!("ALTER TABLE {} DROP CONSTRAINT IF EXISTS {}", place, ident(name));
        let statements = properties::carry_comment(table, name, &place).into_iter().chain([drop]).collect();
        steps.drop_foreign_key(chain, Phase::Contract, (name, &table.name), &both, statements);
    }
}

fn drop_table(chain: &Chain, table: &Physical<'_>, steps: &mut Steps) {
    let place = qualified(&chain.base, &table.name);
    let mut statements = Vec::from_iter(retire(chain, table));
    statements.push(sql!("DROP TABLE {}", place));
    steps
        .transaction(
            Phase::Contract,
            format!("drop table `{}`", table.name),
            exclusive(std::slice::from_ref(&place), &[strong(chain, table)]),
            statements,
        )
        .lock(format!("ACCESS EXCLUSIVE on {place}, instant"))
        .hazard(Hazard::DataGoes)
        .hazard(Hazard::Standby);
}

fn contract_table(chain: &Chain, table: &Physical<'_>, statements: Vec<Sql>, steps: &mut Steps) {
    let place = qualified(&chain.base, &table.name);
    let mut all = Vec::from_iter(retire(chain, table));
    all.extend(statements);
    let step = steps.transaction(
        Phase::Contract,
        format!("contract table `{}`", table.name),
        exclusive(std::slice::from_ref(&place), &[strong(chain, table)]),
        all,
    );
    step.lock(format!("ACCESS EXCLUSIVE on {place}, instant")).hazard(Hazard::Standby);
    if !table.removed.is_empty() {
        step.hazard(Hazard::DataGoes);
    }
    if let (Some(older), Some(newer)) = (table.older, table.newer)
        && older.replica_identity != newer.replica_identity
    {
        step.hazard(Hazard::ReplicaIdentity);
    }
}

/// What to lock: the older version's view, which locks its table after itself, in the order of the app's own statements.
fn strong(chain: &Chain, table: &Physical<'_>) -> Sql {
    match (&chain.older, table.older_view()) {
        (Some(older), Some(view)) => qualified(&older.views, view),
        _ => qualified(&chain.base, &table.name),
    }
}

/// The older version's view goes.
fn retire(chain: &Chain, table: &Physical<'_>) -> Option<Sql> {
    let (older, view) = chain.older.as_ref().zip(table.older_view())?;
    Some(views::drop_view(&older.views, view))
}

/// The older version's schema goes, and the guard in the place of tables that it alone had.
fn leave(chain: &Chain, steps: &mut Steps) {
    let Some(older) = &chain.older else { return };
    let gone = older.schema.tables.keys().filter(|name| !chain.newer.schema.tables.contains_key(*name));
    for group in gone.collect::<Vec<_>>().chunks(views::GROUP) {
        let statements = vec![guard::lift(chain, group)];
        steps.transaction(Phase::Contract, "remove dropped tables from the guard", Vec::new(), statements);
    }
    let statements = views::leave_schema(chain, &older.name, &older.views);
    steps.transaction(
        Phase::Contract,
        format!("drop the schema of version `{}`, and keep what apps created in it", older.name),
        Vec::new(),
        statements,
    );
}

/// The statements that bring a table to its final form and to a name; none where both versions see it alike.
fn contract(chain: &Chain, table: &Physical<'_>, name: &str) -> Vec<Sql> {
    let base = &chain.base;
    let mut place = qualified(base, &table.name);
    let Some(newer) = table.newer else { return Vec::new() };
    let mut statements = Vec::new();
    if table.is_kept() {
        if table.needs_sync() {
            statements.extend(sync::remove(chain, table));
        }
        statements.extend(properties::carry_columns_again(table, &place));
        statements.extend(super::replication::carry(chain, table));
        statements.extend(properties::put_down(chain, table));
        statements.extend(super::statistics::contract(chain, table));
        for name in &table.removed_constraints {
            let key = table.older.and_then(|older| older.constraints.get(name));
            if !matches!(key, Some(Constraint::ForeignKey { .. })) {
                statements.extend(properties::carry_comment(table, name, &place));
                statements.push(sql!("ALTER TABLE {} DROP CONSTRAINT IF EXISTS {}", place, ident(name)));
            }
        }
        for column in &table.loosened {
            statements.push(sql!("ALTER TABLE {} ALTER COLUMN {} DROP NOT NULL", place, ident(column)));
        }
        if table.is_partitioned() {
            // not to be had concurrently; the lock is there already
            statements.extend(table.removed_indexes.iter().map(|name| sql!("DROP INDEX IF EXISTS {}", qualified(base, name))));
        }
        let sequences: Vec<_> = table.identities().map(|(origin, added)| sequence(chain, table, &origin, added)).collect();
        statements.extend(sequences.iter().flat_map(|sequence| sequence.begin.iter().cloned()));
        statements.extend(numbers::hand_over(chain, table));
        statements.extend(drop_columns(table, &place));
        statements.extend(sequences.into_iter().map(|sequence| sequence.end));
        statements.extend(numbers::columns(table).map(|added| numbers::rename(chain, table, added)));
    }
    // before its indexes, which may take the name that it had
    if name != table.name {
        statements.push(sql!("ALTER TABLE {} RENAME TO {}", place, ident(name)));
        place = qualified(base, name);
    }
    if table.is_kept() {
        statements.extend(rename_columns(table, &place));
        statements.extend(final_constraints(chain, table, &place));
        if chain.server >= 18 {
            let given = table.added.iter().filter(|added| !added.column.nullable);
            statements.extend(given.map(|added| name_not_null(table, &place, &added.column.name)));
        }
        statements.extend(properties::take_up(table));
        statements.extend(properties::name_index_columns(table, &place));
        statements.extend(final_identity(table, newer, &place));
        statements.extend(Path::newer(chain, &chain.newer.views).around(final_defaults(table, newer, &place)));
        statements.extend(comments(table, newer, &place));
    }
    statements
}

/// The name that PostgreSQL would give a column's NOT NULL where the table is created.
fn name_not_null(table: &Physical<'_>, place: &Sql, column: &str) -> Sql {
    let wanted = names::object_name(table.final_name().unwrap_or(&table.name), Some(column), "not_null");
    sql!("SELECT diptych.name_not_null({}, {}, {})", literal(place.as_str()), literal(column), literal(&wanted))
}

/// How an identity's sequence is handed over.
struct Handover {
    begin: Vec<Sql>,
    end: Sql,
}

/// The new column becomes an identity that goes on where the older one's sequence stands, with its rights; the older
/// sequence goes with its column, and the new one takes its name. Nobody draws from either meanwhile: the table is locked.
fn sequence(chain: &Chain, table: &Physical<'_>, origin: &str, added: &crate::layout::tables::Added) -> Handover {
    let place = qualified(&chain.base, &table.name);
    let scratch = numbers::scratch(chain, table, added);
    let name = added.column.sequence_name(&table.lineage.newest().table).unwrap_or_default();
    let identity = ddl::identity(&chain.base, &added.column, &scratch);
    let text = sql!(
        "
DECLARE
  older pg_catalog.regclass := pg_catalog.pg_get_serial_sequence({}, {})::pg_catalog.regclass;
  newer pg_catalog.regclass := {}::pg_catalog.regclass;
  rights pg_catalog.aclitem[];
  owner pg_catalog.oid;
  comment pg_catalog.text;
  right_ record;
BEGIN
  EXECUTE pg_catalog.format('SELECT pg_catalog.setval(%L, last_value, is_called) FROM %s', newer, older);
  SELECT class.relacl, class.relowner, pg_catalog.obj_description(older, 'pg_class') INTO rights, owner, comment
    FROM pg_catalog.pg_class AS class WHERE class.oid = older;
  IF comment IS NOT NULL THEN
    EXECUTE pg_catalog.format('COMMENT ON SEQUENCE %s IS %L', newer, comment);
  END IF;
  {}
END
",
        literal(place.as_str()),
        literal(origin),
        literal(qualified(&chain.base, &scratch).as_str()),
        rights::grant(
            &Sql::trusted("rights"),
            &Sql::trusted("'SEQUENCE ' || newer"),
            None,
            Some(&Sql::trusted("acl.grantee = owner"))
        )
    );
    Handover {
        begin: vec![
            sql!("ALTER TABLE {} ALTER COLUMN {} ADD {}", place, ident(&added.physical), identity),
            sql!("DO {}", sql::dollar_quoted(&text)),
        ],
        end: sql!("ALTER SEQUENCE {} RENAME TO {}", qualified(&chain.base, &scratch), ident(&name)),
    }
}

fn final_constraints(chain: &Chain, table: &Physical<'_>, place: &Sql) -> Vec<Sql> {
    let mut statements = Vec::new();
    let rename = |from: &str, to: &str| sql!("ALTER TABLE {} RENAME CONSTRAINT {} TO {}", place, ident(from), ident(to));
    let of_partitions = |from: &str, to: &str| table.is_partitioned().then(|| partitions::rename_constraints(place, from, to));
    // keys get their names with the other indexes, when those that bear them are gone
    let is_key = |name: &String| table.newer.and_then(|newer| newer.constraints.get(name)).and_then(ddl::key_index).is_some();
    let moved = table.kept_constraints.iter().filter(|(so_far, to_be)| so_far != to_be).cloned();
    let (keys, others): (Vec<_>, Vec<_>) = moved.partition(|(_, to_be)| is_key(to_be));
    statements.extend(keys.iter().map(|(so_far, _)| rename(so_far, &key_aside(table, so_far))));
    for (so_far, to_be) in in_order(others) {
        statements.push(rename(&so_far, &to_be));
        statements.extend(of_partitions(&so_far, &to_be));
    }
    for added in &table.added_constraints {
        if is_key(&added.name) && table.is_partitioned() {
            let definition = ddl::constraint(&chain.base, &added.constraint, &Names::new(), None);
            let stem = partitions::stem(chain, table, &added.physical);
            statements.extend(partitions::add_key(place, &stem, &added.physical, &added.constraint, &definition));
        } else if is_key(&added.name) {
            statements.push(sql!(
                "ALTER TABLE {} {}",
                place,
                ddl::attach_key(&added.physical, &added.physical, &added.constraint)
            ));
        } else if added.name != added.physical {
            statements.push(rename(&added.physical, &added.name));
            statements.extend(of_partitions(&added.physical, &added.name));
        }
    }
    statements
}

/// The name of a key that gets another one, until the indexes have theirs.
fn key_aside(table: &Physical<'_>, so_far: &str) -> String {
    names::generated("key", &[&table.name, so_far])
}

/// The replica identity, where it is another one or its index is a new one. Indexes still have the names of before complete.
fn final_identity(table: &Physical<'_>, newer: &Table, place: &Sql) -> Option<Sql> {
    let index = match &newer.replica_identity {
        Some(ReplicaIdentity::Index { index }) => Some(index),
        _ => None,
    };
    let rebuilt = index.is_some_and(|index| {
        table.added_constraints.iter().any(|added| added.name == *index)
            || table.added_indexes.iter().any(|(name, ..)| name == index)
    });
    let name_of = |index: &str| {
        let added = table.added_indexes.iter().map(|(to_be, so_far, _)| (to_be, so_far.clone()));
        let kept = table.kept_indexes.iter().map(|(so_far, to_be)| (to_be, so_far.clone()));
        let keys = table.added_constraints.iter().map(|added| (&added.name, added.physical.clone()));
        let moved = table.kept_constraints.iter().filter(|(so_far, to_be)| so_far != to_be);
        let moved = moved.map(|(so_far, to_be)| (to_be, key_aside(table, so_far)));
        let mut names = added.chain(kept).chain(keys).chain(moved);
        names.find(|(to_be, _)| *to_be == index).map_or_else(|| index.to_owned(), |(_, so_far)| so_far)
    };
    let so_far = table.older.and_then(|older| older.replica_identity.as_ref());
    // a rename of the index alone changes nothing, but is not worth telling apart
    (rebuilt || so_far != newer.replica_identity.as_ref())
        .then(|| ddl::replica_identity(place, newer.replica_identity.as_ref(), name_of))
}

fn final_defaults(table: &Physical<'_>, newer: &Table, place: &Sql) -> Vec<Sql> {
    let changed = newer.columns.iter().filter(|column| changes_default(table, column));
    let statements = changed.map(|column| {
        let change =
            column.default.as_deref().map_or_else(|| Sql::trusted("DROP DEFAULT"), |text| sql!("SET DEFAULT {}", user(text)));
        sql!("ALTER TABLE {} ALTER COLUMN {} {}", place, ident(&column.name), change)
    });
    statements.collect()
}

fn comments(table: &Physical<'_>, newer: &Table, place: &Sql) -> Vec<Sql> {
    let Some(older) = table.older else { return Vec::new() };
    let mut statements = Vec::new();
    if older.comment != newer.comment {
        statements.push(ddl::comment(&sql!("TABLE {}", place), newer.comment.as_deref()));
    }
    for column in &newer.columns {
        let physical = table.newer_name(&column.name);
        let so_far = older.columns.iter().find(|there| there.name == physical).and_then(|there| there.comment.clone());
        if so_far != column.comment {
            statements.push(ddl::comment(&sql!("COLUMN {}.{}", place, ident(&column.name)), column.comment.as_deref()));
        }
    }
    statements
}

/// The older version's views of tables that stay as they are go, in groups: nobody uses them any more.
fn retire_views(chain: &Chain, tables: &[&Physical<'_>], steps: &mut Steps) {
    let Some(older) = &chain.older else { return };
    for group in tables.chunks(views::GROUP) {
        let gone = group.iter().filter_map(|table| retire(chain, table)).collect();
        steps.transaction(Phase::Contract, format!("drop views of `{}`", older.views), Vec::new(), gone);
    }
}

/// Indexes and keys, and sequences of new tables, get their final names; no table is locked for it.
fn rename_indexes(chain: &Chain, tables: &[Physical<'_>], steps: &mut Steps) {
    let mut indexes: Vec<(String, String)> = Vec::new();
    let mut statements = Vec::new();
    for table in tables {
        let Some(newer) = table.newer else { continue };
        // a key's name is that of its index
        let keys = newer.constraints.iter().filter(|(_, there)| ddl::key_index(there).is_some()).map(|(name, _)| name);
        if table.older.is_none() {
            indexes.extend(keys.chain(newer.indexes.keys()).map(|name| (table.displaced(name), name.clone())));
            let sequences = newer.columns.iter().filter_map(|column| column.sequence_name(&table.lineage.newest().table));
            let sequences = sequences.map(|name| (table.displaced(&name), name)).filter(|(so_far, name)| so_far != name);
            statements.extend(
                sequences
                    .map(|(so_far, name)| sql!("ALTER SEQUENCE {} RENAME TO {}", qualified(&chain.base, &so_far), ident(&name))),
            );
            continue;
        }
        let keys: BTreeSet<&String> = keys.collect();
        let kept = table.kept_constraints.iter().filter(|(so_far, name)| keys.contains(name) && so_far != name);
        indexes.extend(kept.map(|(so_far, name)| (key_aside(table, so_far), name.clone())));
        let added = table.added_constraints.iter().filter(|added| keys.contains(&added.name));
        indexes.extend(added.map(|added| (added.physical.clone(), added.name.clone())));
        indexes.extend(table.kept_indexes.iter().cloned());
        indexes.extend(table.added_indexes.iter().map(|(name, physical, _)| (physical.clone(), name.clone())));
    }
    indexes.retain(|(so_far, name)| so_far != name);
    let renames = in_order(indexes)
        .into_iter()
        .map(|(so_far, name)| sql!("ALTER INDEX {} RENAME TO {}", qualified(&chain.base, &so_far), ident(&name)));
    statements.extend(renames);
    for table in tables.iter().filter(|table| table.is_partitioned() && table.is_kept()) {
        let name = table.final_name().unwrap_or(&table.name);
        let keys = table.added_constraints.iter().filter(|added| ddl::key_index(&added.constraint).is_some());
        let added = keys.map(|added| &added.name).chain(table.added_indexes.iter().map(|(to_be, ..)| to_be));
        statements.extend(added.map(|index| partitions::name_indexes(&chain.base, name, index)));
    }
    if !statements.is_empty() {
        steps.transaction(Phase::Contract, "rename the indexes", Vec::new(), statements);
    }
}

/// Tables that were put aside get their names.
/// Constraints that are to hold the rows that were there before them. All have their final names.
fn validate(chain: &Chain, tables: &[Physical<'_>], steps: &mut Steps) {
    for table in tables {
        let Some(place) = table.final_name().map(|name| qualified(&chain.base, name)) else { continue };
        for (_, name) in table.validated() {
            let sql = sql!("ALTER TABLE {} VALIDATE CONSTRAINT {}", place, ident(name));
            steps
                .push(Phase::Contract, format!("validate `{name}` of `{}`", table.name), Action::Statement { sql })
                .path(Path::base(&chain.base))
                .lock("SHARE UPDATE EXCLUSIVE: nobody waits");
        }
    }
}

fn rename_tables(chain: &Chain, order: &[(&Physical<'_>, String)], steps: &mut Steps) {
    for (table, name) in order {
        if let Some(to_be) = table.final_name().filter(|to_be| to_be != name) {
            let place = qualified(&chain.base, name);
            let rename = vec![sql!("ALTER TABLE {} RENAME TO {}", place, ident(to_be))];
            let locks = exclusive(std::slice::from_ref(&place), std::slice::from_ref(&place));
            steps
                .transaction(Phase::Contract, format!("rename the table to `{to_be}`"), locks, rename)
                .lock(format!("ACCESS EXCLUSIVE on {place}, instant"));
        }
    }
}
