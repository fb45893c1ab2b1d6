//! Code: functions, procedures, aggregates, views and materialized views that a version has for itself.
//!
//! They are in the version's schema, so that each release finds its own under the same name. They are created in the transaction that
//! publishes the version, under its final name: what they keep of their `search_path` is that of the app. What tables themselves call
//! (defaults, checks, indexes, generated columns) is no code: it belongs to the base schema, and to `sql` operations. So do triggers, of which
//! [`super::triggers`] has more.

use std::collections::BTreeMap;

use crate::layout::chain::{Chain, Version};
use crate::layout::tables::Physical;
use crate::model::own_type::OwnType;
use crate::plan::functions::Twins;
use crate::plan::{Action, Phase, Steps, Verdict, When, catalog_checks};
use crate::sql::{Sql, ident, join, literal};
use crate::statements::path::Path;
use crate::{names, sql};

/// The newer version's code is tried on empty twins of its tables: behind the last script of a start, which may make what it uses.
pub(super) fn checks(chain: &Chain, tables: &[Physical<'_>], phase: Phase, steps: &mut Steps) {
    if !chain.newer.schema.code.is_empty() {
        nobody_elses(chain, phase, steps);
    }
    if of_version(&chain.newer).is_empty() {
        return;
    }
    let twins = Twins::of(chain, tables);
    let known = tables.iter().flat_map(|table| std::iter::once(table.name.as_str()).chain(table.final_name())).map(literal);
    let sql = sql!(
        "SELECT pg_catalog.format('`%s`: %s', broken.name, broken.reason) FROM diptych.broken_code({}, {}, {}, {}::pg_catalog.jsonb, {}::pg_catalog.jsonb, ARRAY[{}]::pg_catalog.text[], {}::pg_catalog.jsonb) AS broken",
        literal(&chain.base),
        literal(&names::guard_schema(&chain.base)),
        literal(path(chain).as_str()),
        literal(&twins.types.to_string()),
        literal(&twins.columns.to_string()),
        join(known, ", "),
        statements(&chain.newer)
    );
    let refusal = "this code cannot be created in the new version, whose tables and columns are those of the migration";
    let hint = "correct its statements: they find the version's own tables by their names, without a schema";
    let before = if phase == Phase::Preflight { super::loans::lent(chain) } else { Vec::new() };
    let action = Action::Check { before, sql, refusal: refusal.to_owned(), hint: hint.to_owned(), verdict: Verdict::Refuse };
    steps.push(phase, "the version's code works on its tables", action);
}

/// Code is run by the migration role, to be created and to fill materialized views: others put nothing where its names are looked up.
fn nobody_elses(chain: &Chain, phase: Phase, steps: &mut Steps) {
    let refusal =
        "the version's code is created with the migration role's rights, and others may put there what it finds by its names";
    let (sql, hint) = (catalog_checks::strangers(chain), catalog_checks::STRANGERS_GO.to_owned());
    let action = Action::Check { before: Vec::new(), sql, refusal: refusal.to_owned(), hint, verdict: Verdict::Refuse };
    steps.push(phase, "the version's code meets nobody else's", action);
}

/// What is new in the base schema is found behind the views of the older version's code: none has its name.
pub(super) fn hide_nothing(chain: &Chain, steps: &mut Steps) {
    let composites = chain.stage.made_types().into_iter().filter(|(_, own)| matches!(own, OwnType::Composite(_)));
    let made = composites.map(|(name, _)| name).chain(chain.stage.made_sequences().map(|(name, _)| name));
    let made: Vec<Sql> = made.map(|name| literal(name)).collect();
    let Some(older) = chain.older.as_ref().filter(|older| !made.is_empty() && !of_version(older).is_empty()) else { return };
    steps.check(
        "no view of the older version has the name of a new sequence or composite type",
        sql!(
            "SELECT class.relname::pg_catalog.text FROM pg_catalog.pg_class AS class JOIN pg_catalog.pg_namespace AS space ON space.oid = class.relnamespace \
             WHERE space.nspname = {} AND class.relname IN ({})",
            literal(&older.views),
            join(made, ", ")
        ),
        "a view of the older version would hide a new sequence or composite type from every session",
        "choose another name for what is new, or drop the view in an earlier release",
        Verdict::Refuse,
    );
}

/// Creates the newer version's code in its schema, which has its final name; nothing where there is none.
pub(super) fn create(chain: &Chain) -> Option<Sql> {
    let newer = &chain.newer;
    if of_version(newer).is_empty() {
        return None;
    }
    let older = chain.older.as_ref().map_or_else(|| Sql::trusted("NULL"), |older| literal(&older.views));
    let path = sql!("{}, {}", ident(&newer.views), path(chain));
    Some(sql!(
        "SELECT diptych.create_code({}, {}, {}, {}, {}, {}, {}::pg_catalog.jsonb)",
        literal(&chain.base),
        literal(&names::guard_schema(&chain.base)),
        literal(&newer.name),
        literal(&newer.views),
        older,
        literal(path.as_str()),
        statements(newer)
    ))
}

/// A version's code goes, before the views that it reads.
pub(super) fn drop(chain: &Chain, version: &Version) -> Option<Sql> {
    let guard = names::guard_schema(&chain.base);
    let of = [&chain.base, &guard, &version.name, &version.views].map(|text| literal(text));
    (!of_version(version).is_empty()).then(|| sql!("SELECT diptych.drop_code({})", join(of, ", ")))
}

/// The older version's code goes at complete, the newer one's at rollback.
pub(super) fn retire(chain: &Chain, version: Option<&Version>, (phase, when): (Phase, When), steps: &mut Steps) {
    if let Some((version, gone)) = version.and_then(|version| Some((version, drop(chain, version)?))) {
        steps.transaction(phase, format!("drop the code of version `{}`", version.name), Vec::new(), vec![gone]).when(when);
    }
}

/// What follows a version's schema on the path of its app.
fn path(chain: &Chain) -> Sql {
    let path = Path::base(&chain.base).behind(&names::guard_schema(&chain.base));
    join(path.schemas().iter().map(|name| ident(name)), ", ")
}

/// The code that a version has for itself: triggers on tables are not of it.
fn of_version(version: &Version) -> BTreeMap<&String, &String> {
    version.schema.versioned_code().collect()
}

fn statements(version: &Version) -> Sql {
    literal(&serde_json::json!(of_version(version)).to_string())
}
