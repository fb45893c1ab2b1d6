//! Preflight: what is asked of the database before anything is changed.

use crate::layout::chain::Chain;
use crate::layout::tables::{AddedConstraint, Physical};
use crate::model::schema::{Column, Constraint, Table};
use crate::plan::additions::new_indexes;
use crate::plan::{
    Phase, Steps, Verdict, catalog_checks, claims, code, data_checks, dependents, functions, rehearsal, replication,
    server_features,
};
use crate::sql::{Sql, ident, join, literal};
use crate::statements::enums;
use crate::statements::path::Path;
use crate::transition::stage::Moment;
use crate::{names, sql, statements::ddl};

/// The checks of a start, in the order in which they cost: names first, rows last.
pub(super) fn checks(chain: &Chain, tables: &[Physical<'_>], steps: &mut Steps) {
    let base = &chain.base;
    let kept: Vec<_> = tables.iter().filter(|table| table.older.is_some()).collect();
    let rows: Vec<_> = {
        let columns = kept.iter().flat_map(|table| {
            let columns = table.older.into_iter().flat_map(|older| &older.columns);
            columns.map(|column| sql!("({}, {})", literal(&table.name), literal(&column.name)))
        });
        columns.collect()
    };
    // a table may have no columns, VALUES must have rows
    if !rows.is_empty() {
        steps.check(
            "the database has the tables and columns of the older version",
            sql!(
                "SELECT pg_catalog.format('%I.%I', wanted.table_, wanted.column_) FROM (VALUES {}) AS wanted (table_, column_) WHERE NOT EXISTS (\
                 SELECT 1 FROM pg_catalog.pg_attribute AS there JOIN pg_catalog.pg_class AS class ON class.oid = there.attrelid \
                 JOIN pg_catalog.pg_namespace AS space ON space.oid = class.relnamespace \
                 WHERE space.nspname = {} AND class.relname = wanted.table_ AND there.attname = wanted.column_ AND NOT there.attisdropped)",
                join(rows, ", "),
                literal(base)
            ),
            format!("schema `{base}` lacks tables or columns of the older version"),
            "somebody changed the database outside Diptych: put back what is missing",
            Verdict::Refuse,
        );
    }
    let guard = chain.older.is_none().then(|| names::guard_schema(base));
    let schemas = [Some(chain.newer.views.clone()), Some(chain.newer.scratch()), guard].into_iter().flatten();
    let schemas = join(schemas.map(|name| literal(&name)), ", ");
    steps.check(
        "the names of the version's schemas are free",
        sql!("SELECT space.nspname::pg_catalog.text FROM pg_catalog.pg_namespace AS space WHERE space.nspname IN ({})", schemas),
        format!("a schema already has a name that version `{}` needs", chain.newer.name),
        "rename or drop it, or rename the migration",
        Verdict::Refuse,
    );
    server_features::known(chain, tables, steps);
    super::statistics::check_owner(chain, tables, steps);
    super::extensions::checks(chain, tables, steps);
    super::enums::checks(chain, tables, steps);
    super::sequences::checks(chain, tables, steps);
    super::own_types::checks(chain, steps);
    code::hide_nothing(chain, steps);
    catalog_checks::checks(chain, tables, steps);
    super::partitions::checks_of_start(chain, tables, steps);
    replication::checks(chain, tables, steps);
    of_tables(chain, tables, 0, steps);
    super::rows::checks(chain, tables, steps);
    super::deletions::checks(chain, tables, steps);
    let is_opaque = chain.stage.is_opaque_before(Moment::Start, usize::MAX);
    if !is_opaque {
        code::checks(chain, tables, Phase::Preflight, steps);
        super::triggers::checks(chain, tables, Phase::Preflight, steps);
    }
    let has_views = chain.older.is_some() || !kept.is_empty();
    if has_views && !is_opaque {
        functions::checks(chain, tables, Phase::Preflight, steps);
    }
}

/// The checks of the tables that may use what the script before has made: they have to wait for it.
pub(super) fn checks_after_script(chain: &Chain, tables: &[Physical<'_>], scripts: usize, steps: &mut Steps) {
    let mut late = Steps::new();
    of_tables(chain, tables, scripts, &mut late);
    for step in late.done() {
        steps.push(Phase::Constrain, step.title, step.action).path(step.path);
    }
}

/// Types, definitions and rows of the tables that come after so many scripts.
fn of_tables(chain: &Chain, tables: &[Physical<'_>], scripts: usize, steps: &mut Steps) {
    let here: Vec<_> = tables.iter().filter(|table| table.scripts_before == scripts).collect();
    claims::checks_of_start(chain, &here, scripts, steps);
    if scripts == 0 {
        super::loans::checks(chain, steps);
    }
    for table in &here {
        dependents::check(chain, table, steps);
    }
    types_exist(chain, &here, steps);
    definitions(chain, &here, steps);
    here.iter().for_each(|table| super::own_types::may_be_left_out(chain, table, steps));
    here.iter().for_each(|table| super::statistics::definitions(chain, table, steps));
    here.iter().for_each(|table| super::storage::check(chain, table, steps));
    rehearsal::checks(chain, &here, steps);
    foreign_keys_fit(chain, &here, steps);
    data_checks::checks(chain, tables, &here, steps);
}

/// The server knows the types of the new columns.
fn types_exist(chain: &Chain, tables: &[&Physical<'_>], steps: &mut Steps) {
    let created =
        tables.iter().filter(|table| table.older.is_none()).filter_map(|table| table.newer).flat_map(|newer| &newer.columns);
    let added = tables.iter().flat_map(|table| &table.added).map(|added| &added.column);
    let columns = created.chain(added).filter(|column| !enums::is_made(chain, &column.sql_type));
    let types: std::collections::BTreeSet<_> = columns.map(|column| (&column.sql_type, &column.collation)).collect();
    if types.is_empty() {
        return;
    }
    let casts = types
        .iter()
        .enumerate()
        .map(|(at, (name, collation))| sql!("{} AS {}", ddl::null(name, collation), ident(&format!("type {at}"))));
    let step = steps.check(
        "the types of the new columns are known",
        sql!("SELECT NULL::pg_catalog.text FROM (SELECT {}) AS known WHERE false", join(casts, ", ")),
        "a new column has a type or collation that this database does not have",
        "correct the name; or list the type's extension (`extensions` of database!, or a `create_extension` in the migration); or create the type or collation first",
        Verdict::Refuse,
    );
    step.path(Path::base(&chain.base));
}

/// New tables and indexes are what this server takes: tried on empty twins, of which nothing stays.
fn definitions(chain: &Chain, tables: &[&Physical<'_>], steps: &mut Steps) {
    let mut attempt = |title: String, sql: Sql, refusal: String| {
        let hint = "correct the definition, or, above the operation that changes its columns, drop what no longer fits; the server's message stands above";
        steps.check(title, sql, refusal, hint, Verdict::Refuse).path(Path::base(&chain.base));
    };
    for table in tables {
        let (Some(newer), Some(name)) = (table.newer, table.final_name()) else { continue };
        if table.is_kept() {
            let older = |name: &String| table.older.and_then(|older| older.columns.iter().find(|column| column.name == *name));
            let is_other = |column: &&Column| {
                let before = table.lineage.same_below(&column.name).as_ref().and_then(older);
                column.default.is_some() && before.is_none_or(|before| before.default != column.default)
            };
            let changed: Vec<&Column> = newer.columns.iter().filter(is_other).collect();
            if !changed.is_empty() {
                let refusal = format!("a column of table `{name}` does not accept its default");
                let sql = ddl::try_defaults(enums::attempt(chain), &changed);
                attempt(format!("the columns of `{name}` accept their defaults"), sql, refusal);
            }
            // a twin has another name, by which a text may not call it
            let is_tried = |added: &&AddedConstraint| matches!(&added.constraint, Constraint::Check { check, .. } if !check.mentions(name) && !check.mentions(&table.name));
            for added in table.added_constraints.iter().filter(is_tried) {
                let refusal = format!("check `{}` of table `{name}` does not fit the newer version's columns", added.name);
                attempt(
                    format!("check `{}` of `{name}` can be made", added.name),
                    ddl::try_check(enums::attempt(chain), newer, &added.constraint),
                    refusal,
                );
            }
            for (index, _, model) in new_indexes(table) {
                let refusal = format!("index `{index}` of table `{name}` cannot be built");
                attempt(
                    format!("index `{index}` of `{name}` can be built"),
                    ddl::try_index(enums::attempt(chain), newer, &model),
                    refusal,
                );
            }
        } else if chain.older.is_some() {
            let refusal = format!("table `{name}` cannot be created");
            attempt(format!("table `{name}` can be created"), ddl::try_table(enums::attempt(chain), name, newer), refusal);
        }
    }
}

/// The columns of the new foreign keys can be compared with those that they point at.
fn foreign_keys_fit(chain: &Chain, here: &[&Physical<'_>], steps: &mut Steps) {
    for table in here {
        for (_, constraint) in table.new_foreign_keys() {
            let Constraint::ForeignKey { columns, references, .. } = constraint else { continue };
            let (Some(newer), Some(target)) = (table.newer, chain.stage.to.tables.get(&references.table)) else { continue };
            let (own, referenced) = (named(newer, columns), named(target, &references.columns));
            // a type that a key has can be compared with itself
            let alike = |(own, there): (&&Column, &&Column)| own.sql_type == there.sql_type && own.collation == there.collation;
            if own.len() == referenced.len() && own.iter().zip(&referenced).all(alike) {
                continue;
            }
            let list = |names: &[String]| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            let step = steps.check(
                format!("a new foreign key of `{}` can be compared with its key in `{}`", table.name, references.table),
                ddl::try_foreign_key(enums::attempt(chain), &own, &referenced),
                format!(
                    "a foreign key on {} of table `{}` cannot reference {} of table `{}`, because their types cannot be compared",
                    list(columns),
                    table.name,
                    list(&references.columns),
                    references.table
                ),
                "give the columns on both sides the same types",
                Verdict::Refuse,
            );
            step.path(Path::base(&chain.base));
        }
    }
}

fn named<'a>(table: &'a Table, names: &[String]) -> Vec<&'a Column> {
    names.iter().filter_map(|name| table.columns.iter().find(|column| column.name == *name)).collect()
}
