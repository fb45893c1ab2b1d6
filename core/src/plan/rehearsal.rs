//! What a change does to a table is tried on a twin of it before anything is changed: `runtime/src/state/rehearsal.sql` has how.

use serde_json::json;

use crate::layout::chain::Chain;
use crate::layout::tables::Physical;
use crate::model::schema::Constraint;
use crate::plan::{Steps, Verdict, additions};
use crate::sql;
use crate::sql::{Sql, join, literal, qualified};
use crate::statements::path::Path;
use crate::{statements::ddl, statements::enums};

/// Where the twins are.
const TWINS: &str = "_diptych_tried";

/// What PostgreSQL writes anew within the lock budget: about a tenth of a second, with its indexes.
const SMALL: u64 = 8 << 20;

/// A trigger's function that may write its row as a whole: for a warning, where it could not be tried.
const WHOLE_ROW: &str = "(select|values\\s*\\(|,)\\s*(new|old)\\.\\*";

/// The checks of the tables that come after so many scripts.
pub(super) fn checks(chain: &Chain, here: &[&Physical<'_>], steps: &mut Steps) {
    let hint = "put it back (what one partition has for itself is part of no version), or make the change in a migration of its own, and start and complete that one first";
    drift(chain, here, hint, steps);
    of_wider(chain, here, steps);
    of_row_types(chain, here, steps);
}

/// What was changed since the start of what goes.
pub(super) fn checks_of_complete(chain: &Chain, tables: &[Physical<'_>], steps: &mut Steps) {
    let tables: Vec<_> = tables.iter().collect();
    let hint = "put it back, run `complete` again, and make the change in a later migration (`rollback` is possible, too)";
    drift(chain, &tables, hint, steps);
}

/// What new columns do to a table, and to the triggers on it.
fn of_wider(chain: &Chain, here: &[&Physical<'_>], steps: &mut Steps) {
    let widened: Vec<_> = here.iter().filter(|table| table.is_kept() && !table.added.is_empty()).collect();
    if widened.is_empty() {
        return;
    }
    let changes = widened.iter().map(|table| {
        let statements = additions::add_columns(&qualified(TWINS, &table.name), table);
        let statements = statements.iter().map(|sql| sql.as_str().into()).collect();
        (table.name.clone(), serde_json::Value::Array(statements))
    });
    let changes = literal(&serde_json::Value::Object(changes.collect()).to_string());
    let mut prepare = enums::attempt(chain);
    if prepare.is_empty() {
        prepare.push(Path::base(&chain.base).set_local());
    }
    prepare.splice(..0, super::loans::lent(chain));
    let prepare = join(prepare.iter().map(|sql| literal(sql.as_str())), ", ");
    let base = literal(&chain.base);
    steps.check(
        "no table is rewritten under a lock",
        sql!(
            "SELECT pg_catalog.concat_ws(': ', pg_catalog.format('%s (%s)', found.name, pg_catalog.pg_size_pretty(found.size)), found.reason) \
             FROM diptych.rewritten({}, ARRAY[{}]::pg_catalog.text[], {}::pg_catalog.jsonb) AS found WHERE found.reason IS NOT NULL OR found.size > {}",
            base,
            prepare,
            changes,
            SMALL
        ),
        "PostgreSQL would rewrite these tables while everybody waits, or does not accept the new columns; it does so with columns of domains that have constraints, and with values that it cannot give to existing rows at once",
        "give the column the type that the domain is based on, and a `check` of its own in place of the domain's",
        Verdict::Refuse,
    );
    let path = chain.older.as_ref().map_or_else(Path::own, |older| Path::base(&chain.base).behind(&older.views));
    let path = literal(path.value().as_str());
    let triggers = |suspect: &Sql| {
        sql!(
            "SELECT pg_catalog.concat_ws(': ', found.name, found.reason) FROM diptych.broken_triggers({}, ARRAY[{}]::pg_catalog.text[], {}, {}::pg_catalog.jsonb, {}) AS found",
            base,
            prepare,
            path,
            changes,
            suspect
        )
    };
    let hint = "name the columns in the trigger's function: INSERT INTO history (a, b) VALUES (NEW.a, NEW.b)";
    steps.check(
        "the application's triggers work on a table with one more column",
        triggers(&Sql::trusted("NULL")),
        "these triggers fail on an empty table with one more column, and would fail on every write",
        hint,
        Verdict::Refuse,
    );
    steps.check(
        "triggers that could not be tried do not seem to write whole rows",
        triggers(&literal(WHOLE_ROW)),
        "these triggers could not be tried (they fail on an empty table, or belong to a role whose code is not run here), and seem to write whole rows, which have one more column from now on",
        hint,
        Verdict::Warn,
    );
}

/// What has a table's row for a type.
fn of_row_types(chain: &Chain, here: &[&Physical<'_>], steps: &mut Steps) {
    let changed = here.iter().filter(|table| table.is_kept() && !(table.added.is_empty() && table.removed.is_empty()));
    let names: Vec<Sql> = changed.map(|table| literal(&table.name)).collect();
    if names.is_empty() {
        return;
    }
    let names = join(names, ", ");
    let found = |condition: &str| {
        sql!(
            "SELECT found.what FROM diptych.of_row_types({}, ARRAY[{}]::pg_catalog.text[]) AS found WHERE {}",
            literal(&chain.base),
            names,
            Sql::trusted(condition)
        )
    };
    steps.check(
        "nothing has the row type of a table whose columns change",
        found("NOT found.is_taken"),
        "these functions and columns have a table's row type, which gets columns that the versions' views do not have",
        "let a function return columns of its own (RETURNS TABLE …), or pin it to the tables (ALTER FUNCTION … SET search_path = …) and name the columns in it; give a column a type of its own",
        Verdict::Refuse,
    );
    steps.check(
        "no function takes a row of a table whose columns change",
        found("found.is_taken"),
        "these functions take a row of a table, which has other columns from now on",
        "make sure that they name the columns they use, and do not write the row as a whole",
        Verdict::Warn,
    );
}

/// What was changed by hand of what gets another form, and would be lost with the older one.
fn drift(chain: &Chain, here: &[&Physical<'_>], hint: &str, steps: &mut Steps) {
    let tables = here.iter().filter_map(|table| {
        let (older, newer) = table.older.zip(table.newer)?;
        let has_successor =
            |column: &&String| newer.columns.iter().any(|there| table.lineage.origin(&there.name).as_ref() == Some(*column));
        let columns: Vec<&String> = table.removed.iter().filter(has_successor).collect();
        let again = |name: &&String| newer.constraints.contains_key(*name);
        let constraints: Vec<&String> = table.removed_constraints.iter().filter(again).collect();
        if columns.is_empty() && constraints.is_empty() {
            return None;
        }
        let keys: Vec<_> = constraints.iter().filter_map(|name| key_as_recorded(name, older.constraints.get(*name)?)).collect();
        let statements = ddl::create_table(TWINS, &table.name, &table.name, older, str::to_owned);
        let statements: Vec<&str> = statements.iter().map(Sql::as_str).collect();
        Some((
            table.name.clone(),
            json!({"statements": statements, "columns": columns, "constraints": constraints, "keys": keys}),
        ))
    });
    let tables: serde_json::Map<_, _> = tables.collect();
    if tables.is_empty() {
        return;
    }
    steps.check(
        "columns and constraints that are converted are as the migrations have them",
        sql!(
            "SELECT found.what, found.mend FROM diptych.drift({}, {}, {}::pg_catalog.jsonb) AS found",
            literal(&chain.base),
            literal(Path::base(&chain.base).value().as_str()),
            literal(&serde_json::Value::Object(tables).to_string())
        ),
        "these were changed outside Diptych, and the conversion would lose the change",
        hint,
        Verdict::Refuse,
    );
}

/// A foreign key's rules as the catalog has them; nothing for other constraints.
fn key_as_recorded(name: &str, constraint: &Constraint) -> Option<serde_json::Value> {
    let Constraint::ForeignKey { references, deferrable, initially_deferred, .. } = constraint else { return None };
    let action = |action: &Option<String>| match action.as_deref() {
        Some("RESTRICT") => "r",
        Some("CASCADE") => "c",
        Some("SET NULL") => "n",
        Some("SET DEFAULT") => "d",
        _ => "a",
    };
    let matches = if references.match_type.as_deref() == Some("FULL") { "f" } else { "s" };
    let (updates, deletes) = (action(&references.on_update), action(&references.on_delete));
    Some(
        json!({"name": name, "updates": updates, "deletes": deletes, "matches": matches, "is_deferrable": deferrable, "is_deferred": initially_deferred}),
    )
}
