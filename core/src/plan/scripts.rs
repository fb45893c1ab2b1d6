//! Statements of the user's own, in the scope of the newer version as it stands where they are written.
//!
//! A table that an operation above has changed is another thing for the two versions: its physical columns have names of ours, and hold
//! both forms. The statements find a view in its place, temporary and gone with the transaction, over which they read and write as an
//! app of the newer version does, sync included. What no view can carry (indexes, triggers, new columns, other views) is seen by the
//! server's refusal, or by a watch on the views' catalog entries: then the transaction begins anew with the tables themselves under
//! the newer version's names, the older form put aside. So which of the two it is, is never read out of the text.

use std::collections::BTreeSet;

use crate::hazard::Hazard;
use crate::layout::chain::Chain;
use crate::layout::tables::Physical;
use crate::plan::{Action, Phase, Reaches, Script as Run, Steps, When, code, dependents, exclusive, final_form};
use crate::sql::{Sql, ident, join, literal, qualified, verbatim};
use crate::statements::path::Path;
use crate::transition::stage::{Script, Work};
use crate::{model::types, names, sql, statements::views};

/// Where temporary objects are.
pub(super) const TEMPORARY: &str = "pg_temp";

/// One script of a start, with what has to hold behind it.
pub(super) fn run(chain: &Chain, tables: &[Physical<'_>], number: usize, script: &Script, steps: &mut Steps) {
    let Work::Sql { up, .. } = &script.work else { return };
    let mut run = in_scope(chain, tables, number, up);
    run.after = demands(chain, tables, number, script);
    let title = format!("run sql {}", number + 1);
    steps.push(Phase::Constrain, title, Action::Script(Box::new(run))).reaches(Reaches::Script(number)).hazard(Hazard::OpaqueSql);
}

/// Its `down`, when all that came after it is undone.
pub(super) fn undo(chain: &Chain, tables: &[Physical<'_>], number: usize, down: &str, steps: &mut Steps) {
    let run = in_scope(chain, tables, number, down);
    steps.push(Phase::Undo, "run sql `down`", Action::Script(Box::new(run))).when(When::Script(number));
}

/// One script of a complete: every table has its final form. What the version's own views hold is set free if it must be.
pub(super) fn run_at_complete(chain: &Chain, number: usize, script: &Script, steps: &mut Steps) {
    let Work::Sql { up, .. } = &script.work else { return };
    // the version's code reads its views
    let again = views::refresh(chain).into_iter().chain(code::create(chain));
    let again = std::iter::once(views::open(chain)).chain(again).chain([views::close(chain)]);
    let run = Run {
        scope: code::drop(chain, &chain.newer).into_iter().collect(),
        path: Path::base(&chain.base).set_local(),
        text: verbatim(up),
        aside: code::drop(chain, &chain.newer).into_iter().chain([views::withdraw(chain)]).collect(),
        after: again.collect(),
        ..Run::default()
    };
    steps.push(Phase::Contract, format!("run sql {}", number + 1), Action::Script(Box::new(run))).hazard(Hazard::OpaqueSql);
}

/// The tables that are another thing for the newer version, and are all that they become by the time of a script.
fn scope<'a>(tables: &'a [Physical<'a>], number: usize) -> impl Iterator<Item = &'a Physical<'a>> {
    tables.iter().filter(move |table| table.scripts_before <= number && table.is_other())
}

pub(super) fn in_scope(chain: &Chain, tables: &[Physical<'_>], number: usize, text: &str) -> Run {
    let others: Vec<&Physical<'_>> = scope(tables, number).collect();
    let (scratch, version) = (chain.newer.scratch(), &chain.newer.views);
    let places = [&scratch, version].into_iter().filter(|_| chain.makes_types());
    let after: Vec<Sql> = places.map(|place| bring_home(chain, place)).collect();
    let path = search_path(chain);
    if others.is_empty() {
        return Run { path, text: verbatim(text), back: Vec::new(), leave: after, ..Run::default() };
    }
    let shown: BTreeSet<&str> =
        tables.iter().filter(|table| table.scripts_before <= number).filter_map(Physical::final_name).collect();
    let gone: Vec<&str> = others.iter().filter_map(|table| table.older_view()).filter(|name| !shown.contains(name)).collect();
    let names: Vec<&str> = others.iter().filter_map(|table| table.final_name()).chain(gone.iter().copied()).collect();
    let drop_views = sql!("DROP VIEW {}", join(names.iter().map(|name| qualified(TEMPORARY, name)), ", "));
    let leave = std::iter::once(drop_views).chain(after.iter().cloned()).chain([drop_empty(version)]).collect();
    let (aside, back) = renames(chain, &others);
    let places: Vec<Sql> = others.iter().map(|table| qualified(&chain.base, &table.name)).collect();
    let kept = take_away(columns_there(chain, columns(&others)).into_iter().collect());
    Run {
        scope: stand_ins(chain, &others, &gone),
        watch: Some(watch(&names.into_iter().map(literal).collect::<Vec<_>>())),
        path,
        text: verbatim(text),
        leave,
        locks: exclusive(&places, &places),
        aside: std::iter::once(version_there(version)).chain(aside).collect(),
        back: after.into_iter().chain([drop_empty(version)]).chain(kept).chain(back).collect(),
        after: Vec::new(),
    }
}

/// Temporary objects are first where they are not in the list, and nothing is created there.
fn search_path(chain: &Chain) -> Sql {
    let mut path: Vec<String> = Path::base(&chain.base).schemas().to_vec();
    let version = chain.newer.views.clone();
    if chain.makes_types() {
        // the newer forms of types come first, and with them the place where things are created
        path.splice(0..0, [chain.newer.scratch(), version]);
    } else {
        path.push(version);
    }
    sql!("SET LOCAL search_path = {}", join(path.iter().map(|name| ident(name)), ", "))
}

/// The views in the places of tables, and in those of tables that are gone.
fn stand_ins(chain: &Chain, others: &[&Physical<'_>], gone: &[&str]) -> Vec<Sql> {
    let version = &chain.newer.views;
    let mut scope = vec![version_there(version)];
    // before publish the newer forms of types are in the one, then in the other
    let texts = Path::newer(chain, &chain.newer.scratch()).behind(version);
    for table in others {
        if let Some(newer) = table.newer {
            scope.extend(texts.around(views::create_view(chain, TEMPORARY, table, newer)));
        }
    }
    scope.extend(
        gone.iter()
            .map(|name| sql!("CREATE VIEW {} AS SELECT WHERE diptych.gone({})", qualified(TEMPORARY, name), literal(name))),
    );
    scope
}

/// The schema by whose name on the path the triggers know the newer version: not published yet, it is there for as long as a script lasts.
fn version_there(version: &str) -> Sql {
    sql!("CREATE SCHEMA IF NOT EXISTS {}", ident(version))
}

/// The columns that these tables have in the newer version.
fn columns(others: &[&Physical<'_>]) -> Vec<Sql> {
    let named = others.iter().filter_map(|table| Some((table.final_name()?, table.newer?)));
    let columns = named
        .flat_map(|(name, newer)| newer.columns.iter().map(move |column| sql!("({}, {})", literal(name), literal(&column.name))));
    columns.collect()
}

/// The version's schema, where it was there for a script alone.
fn drop_empty(version: &str) -> Sql {
    let text = sql!(
        "
BEGIN
  DROP SCHEMA IF EXISTS {} RESTRICT;
EXCEPTION WHEN dependent_objects_still_exist THEN
  NULL;
END
",
        ident(version)
    );
    sql!("DO {}", sql::dollar_quoted(&text))
}

/// What a script has created beside the newer forms of types belongs in the base schema.
fn bring_home(chain: &Chain, schema: &str) -> Sql {
    let own = chain.made_forms().map(|(_, form)| literal(qualified(schema, &form.name).as_str()));
    let text = sql!(
        "
DECLARE object record;
BEGIN
  FOR object IN SELECT * FROM diptych.foreign_objects({}, {}) AS there
    WHERE pg_catalog.to_regnamespace({}) IS NOT NULL AND there.kind <> 'VIEW'
      AND NOT (there.kind = 'TYPE' AND pg_catalog.to_regtype(there.name) = ANY (ARRAY(SELECT pg_catalog.to_regtype(own.name) FROM pg_catalog.unnest(ARRAY[{}]::pg_catalog.text[]) AS own (name))))
  LOOP
    EXECUTE pg_catalog.format('ALTER %s %s SET SCHEMA %I', object.kind, object.name, {});
  END LOOP;
END
",
        literal(&chain.base),
        literal(schema),
        literal(ident(schema).as_str()),
        join(own, ", "),
        literal(&chain.base)
    );
    sql!("DO {}", sql::dollar_quoted(&text))
}

/// What the catalog says of the views: their entries, and what hangs on them. Reading and writing rows changes nothing of it.
fn watch(names: &[Sql]) -> Sql {
    sql!(
        "WITH own AS (SELECT class.oid, class.reltype FROM pg_catalog.pg_class AS class WHERE class.relnamespace = pg_catalog.pg_my_temp_schema() AND class.relname = ANY (ARRAY[{}]::pg_catalog.name[])), \
         entry (text) AS (\
         SELECT class::pg_catalog.text FROM pg_catalog.pg_class AS class JOIN own ON own.oid = class.oid \
         UNION ALL SELECT attribute::pg_catalog.text FROM pg_catalog.pg_attribute AS attribute JOIN own ON own.oid = attribute.attrelid \
         UNION ALL SELECT def.adbin::pg_catalog.text FROM pg_catalog.pg_attrdef AS def JOIN own ON own.oid = def.adrelid \
         UNION ALL SELECT description::pg_catalog.text FROM pg_catalog.pg_description AS description JOIN own ON own.oid = description.objoid \
         UNION ALL SELECT rule.ev_action::pg_catalog.text FROM pg_catalog.pg_rewrite AS rule JOIN own ON own.oid = rule.ev_class \
         UNION ALL SELECT trigger_.tgname::pg_catalog.text FROM pg_catalog.pg_trigger AS trigger_ JOIN own ON own.oid = trigger_.tgrelid \
         UNION ALL SELECT depend::pg_catalog.text FROM pg_catalog.pg_depend AS depend JOIN own ON depend.refobjid IN (own.oid, own.reltype)) \
         SELECT pg_catalog.md5(coalesce(pg_catalog.string_agg(entry.text, '|' ORDER BY entry.text), '')) FROM entry",
        join(names.iter().cloned(), ", ")
    )
}

/// The renames that make the tables what they are for the newer version, and those that undo it. Nobody sees them: the tables are
/// locked, and views follow attribute numbers.
fn renames(chain: &Chain, others: &[&Physical<'_>]) -> (Vec<Sql>, Vec<Sql>) {
    let (mut there, mut back) = (Vec::new(), Vec::new());
    for table in others {
        let place = qualified(&chain.base, &table.name);
        let rename = |(from, to): &(String, String)| sql!("ALTER TABLE {} RENAME COLUMN {} TO {}", place, ident(from), ident(to));
        let pairs = in_order(
            &table.newer_names.iter().map(|(logical, physical)| (physical.clone(), logical.clone())).collect::<Vec<_>>(),
            &table.removed,
            &table.name,
        );
        there.extend(pairs.iter().map(rename));
        let undone = pairs.iter().rev().map(|(from, to)| rename(&(to.clone(), from.clone())));
        back.splice(0..0, undone);
    }
    let moved: Vec<(String, String)> =
        others.iter().filter_map(|table| Some((table.name.clone(), table.final_name()?.to_owned()))).collect();
    let gone: Vec<String> = others.iter().filter(|table| table.newer.is_none()).map(|table| table.name.clone()).collect();
    let rename = |(from, to): &(String, String)| sql!("ALTER TABLE {} RENAME TO {}", qualified(&chain.base, from), ident(to));
    let pairs = in_order(&moved, &gone, "table");
    there.extend(pairs.iter().map(rename));
    let undone = pairs.iter().rev().map(|(from, to)| rename(&(to.clone(), from.clone())));
    back.splice(0..0, undone);
    (there, back)
}

/// Renames one after the other: what goes is put aside first, then whatever bears a name that another one is to have.
fn in_order(moved: &[(String, String)], gone: &[String], stem: &str) -> Vec<(String, String)> {
    let aside = |name: &str| names::generated("away", &[stem, name]);
    let moved: Vec<&(String, String)> = moved.iter().filter(|(from, to)| from != to).collect();
    let is_wanted = |name: &str| moved.iter().any(|(_, to)| to == name);
    let mut pairs: Vec<(String, String)> = gone.iter().map(|name| (name.clone(), aside(name))).collect();
    pairs.extend(moved.iter().filter(|(from, _)| is_wanted(from)).map(|(from, _)| (from.clone(), aside(from))));
    pairs.extend(moved.iter().map(|(from, to)| (if is_wanted(from) { aside(from) } else { from.clone() }, to.clone())));
    pairs
}

/// What has to hold behind a script of a start, else its transaction is undone.
fn demands(chain: &Chain, tables: &[Physical<'_>], number: usize, script: &Script) -> Vec<Sql> {
    let mut demands = Vec::new();
    demands.extend(older_views(chain));
    demands.extend(still_there(chain, tables, number));
    demands.extend(defaults(chain, tables));
    let built = || tables.iter().filter(|table| table.scripts_before <= number);
    let on_gone: Vec<Sql> = built().filter_map(|table| dependents::of_what_goes(chain, table)).collect();
    demands.extend(demand(
        on_gone,
        "the statements create an object that depends on something that `complete` drops",
        "name the columns of the new version, also in place of `*`; or create the object at complete (`onComplete: true`)",
    ));
    if script.down().is_none() {
        let on_new: Vec<Sql> = built().filter_map(|table| dependents::of_what_came(chain, tables, table)).collect();
        demands.extend(demand(
            on_new,
            "the statements create an object that depends on something that `rollback` drops",
            "add `down` with the statements that drop the object",
        ));
    }
    demands
}

/// Raises where one of these queries finds something.
fn demand(queries: Vec<Sql>, refusal: &str, hint: &str) -> Option<Sql> {
    if queries.is_empty() {
        return None;
    }
    let queries = queries.into_iter().map(|query| sql!("SELECT * FROM ({}) AS one", query));
    let text = sql!(
        "
DECLARE found pg_catalog.text;
BEGIN
  SELECT pg_catalog.string_agg(there.name, '; ' ORDER BY there.name) INTO found FROM ({}) AS there (name);
  IF found IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'DPT02', MESSAGE = {} || found, HINT = {};
  END IF;
END
",
        join(queries, " UNION "),
        literal(&format!("{refusal}: ")),
        literal(hint)
    );
    Some(sql!("DO {}", sql::dollar_quoted(&text)))
}

/// Apps are on the older version: nothing of it goes with a CASCADE.
fn older_views(chain: &Chain) -> Option<Sql> {
    let older = chain.older.as_ref().filter(|older| !older.relations.is_empty())?;
    let names = older.relations.iter().map(|name| sql!("({})", literal(name)));
    let query = sql!(
        "SELECT pg_catalog.format('%I', wanted.name) FROM (VALUES {}) AS wanted (name) WHERE NOT EXISTS (SELECT 1 FROM pg_catalog.pg_class AS class \
         WHERE class.relname = wanted.name AND class.relkind = 'v' AND class.relnamespace = pg_catalog.to_regnamespace({}))",
        join(names, ", "),
        literal(ident(&older.views).as_str())
    );
    demand(
        vec![query],
        &format!("the statements remove tables or columns from version `{}`, which apps use", older.name),
        "use drop_table or drop_column, or remove them at complete (`onComplete: true`)",
    )
}

/// What complete and rollback name is there: they were planned before.
fn still_there(chain: &Chain, tables: &[Physical<'_>], number: usize) -> Option<Sql> {
    let changed: Vec<&Physical<'_>> = tables.iter().filter(|table| !table.is_same()).collect();
    let mut columns = Vec::new();
    let (mut relations, mut forms, mut statistics) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for table in &changed {
        let is_built = table.scripts_before <= number;
        let older = table.older.into_iter().flat_map(|older| &older.columns).map(|column| column.name.as_str());
        let new = table.newer.filter(|_| is_built && table.older.is_none());
        let new = new.into_iter().flat_map(|newer| &newer.columns).map(|column| column.name.as_str());
        let added = table.added.iter().filter(|_| is_built).map(|added| added.physical.as_str());
        columns.extend(older.chain(new).chain(added).map(|column| sql!("({}, {})", literal(&table.name), literal(column))));
        let of = table
            .older
            .into_iter()
            .chain(table.newer)
            .flat_map(|model| &model.columns)
            .map(|column| types::element(&column.sql_type));
        forms.extend(of.filter(|name| chain.stage.from.enums.contains_key(name)));
        let kept = table.kept_constraints.iter().chain(&table.kept_indexes).filter(|(so_far, to_be)| so_far != to_be);
        relations.extend(kept.map(|(so_far, _)| so_far.clone()));
        statistics.extend(super::statistics::needed(table, is_built));
        if is_built && !table.is_partitioned() {
            relations.extend(table.added_constraints.iter().map(|added| added.physical.clone()));
            relations.extend(table.added_indexes.iter().map(|(_, physical, _)| physical.clone()));
        }
    }
    let changed = chain.stage.enums.iter().filter(|form| form.in_from && !form.in_to);
    forms.extend(changed.map(|form| form.name.clone()));
    let base = literal(ident(&chain.base).as_str());
    let mut queries = Vec::new();
    queries.extend(columns_there(chain, columns));
    if !relations.is_empty() {
        queries.push(sql!(
            "SELECT 'constraint or index ' || pg_catalog.format('`%s`', wanted.name) FROM (VALUES {}) AS wanted (name) WHERE NOT EXISTS (SELECT 1 FROM pg_catalog.pg_class AS class \
             WHERE class.relnamespace = pg_catalog.to_regnamespace({}) AND class.relname = wanted.name) AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_constraint AS there \
             WHERE there.connamespace = pg_catalog.to_regnamespace({}) AND there.conname = wanted.name)",
            join(relations.iter().map(|name| sql!("({})", literal(name))), ", "),
            base,
            base
        ));
    }
    queries.extend(super::statistics::lacking(chain, &statistics));
    if !forms.is_empty() {
        queries.push(sql!(
            "SELECT 'type ' || pg_catalog.format('`%s`', wanted.name) FROM (VALUES {}) AS wanted (name) WHERE NOT EXISTS (SELECT 1 FROM pg_catalog.pg_type AS there \
             WHERE there.typnamespace = pg_catalog.to_regnamespace({}) AND there.typname = wanted.name)",
            join(forms.iter().map(|name| sql!("({})", literal(name))), ", "),
            base
        ));
    }
    take_away(queries)
}

/// Of these tables and columns, those that are not there.
fn columns_there(chain: &Chain, columns: Vec<Sql>) -> Option<Sql> {
    let query = |columns: Vec<Sql>| {
        sql!(
            "SELECT 'column ' || pg_catalog.format('`%s.%s`', wanted.table_, wanted.column_) FROM (VALUES {}) AS wanted (table_, column_) WHERE NOT EXISTS (SELECT 1 FROM pg_catalog.pg_attribute AS there \
             JOIN pg_catalog.pg_class AS class ON class.oid = there.attrelid WHERE class.relnamespace = pg_catalog.to_regnamespace({}) AND class.relname = wanted.table_ \
             AND there.attname = wanted.column_ AND NOT there.attisdropped)",
            join(columns, ", "),
            literal(ident(&chain.base).as_str())
        )
    };
    (!columns.is_empty()).then(|| query(columns))
}

fn take_away(queries: Vec<Sql>) -> Option<Sql> {
    demand(
        queries,
        "the statements drop or rename something that other operations of the migration need",
        "move these statements into a migration of their own, or run them at complete (`onComplete: true`)",
    )
}

/// The defaults that complete sets can be had: nothing that their texts name is gone.
fn defaults(chain: &Chain, tables: &[Physical<'_>]) -> Option<Sql> {
    let changes = tables.iter().filter(|table| table.is_kept()).flat_map(|table| {
        let newer = table.newer.into_iter().flat_map(|newer| &newer.columns);
        newer
            .filter(|column| final_form::changes_default(table, column))
            .filter_map(|column| column.default.as_ref())
            .cloned()
            .collect::<Vec<_>>()
    });
    let texts: Vec<Sql> = changes.map(|text| sql::user(&text)).collect();
    if texts.is_empty() {
        return None;
    }
    let query = sql!("SELECT FROM (SELECT {}) AS known WHERE false", join(texts, ", "));
    let text = sql!(
        "
BEGIN
  EXECUTE {};
EXCEPTION WHEN OTHERS THEN
  RAISE EXCEPTION USING ERRCODE = 'DPT02', MESSAGE = pg_catalog.concat('the statements leave the migration without what a default needs: ', SQLERRM),
    HINT = 'put these statements into a migration of its own, or let them run at complete (`onComplete: true`)';
END
",
        literal(query.as_str())
    );
    let path = Path::newer(chain, &chain.newer.scratch());
    Some(join(path.around([sql!("DO {}", sql::dollar_quoted(&text))]), ";\n"))
}
