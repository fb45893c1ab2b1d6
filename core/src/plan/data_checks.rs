//! Data checks: the rows that the newer version cannot take are named before anything is changed (R8).
//!
//! Each rule is held against the rows as they will be: the older version's table with `up` applied, as a sub-select that has the newer
//! version's columns under their names, so that opaque text stands where it belongs (R6). One scan per rule, ACCESS SHARE and nothing
//! stronger. What changes afterwards is found by the index build or the validation.

use std::collections::BTreeSet;

use crate::layout::chain::Chain;
use crate::layout::tables::{Added, Physical};
use crate::model::expression::Expression;
use crate::model::schema::{Column, Constraint, Index, IndexColumn, References, Table};
use crate::plan::additions::new_indexes;
use crate::plan::{Steps, Verdict};
use crate::sql::{Sql, concatenation, ident, join, literal, operation, qualified, user};
use crate::statements::ddl;
use crate::statements::enums::{self, Moment};
use crate::statements::path::Path;
use crate::statements::sync::{self, Direction};
use crate::{model::types, sql, statements::numbers};

mod orphans;

use orphans::orphans;

/// The checks of the rows: what each conversion gives, then what the new rules say of it.
pub(super) fn checks(chain: &Chain, tables: &[Physical<'_>], here: &[&Physical<'_>], steps: &mut Steps) {
    for table in here.iter().filter(|table| table.needs_sync()) {
        expressions(chain, table, steps);
        if table.added.iter().any(|added| added.derived) {
            conversions(chain, table, steps);
        }
    }
    for table in here.iter().filter(|table| table.is_kept()) {
        for added in numbers::columns(table) {
            too_many(chain, table, added, steps);
        }
        for column in &table.tightened {
            missing(chain, table, column, steps);
        }
        for (name, check) in never_held(table) {
            broken_check(chain, table, name, check, steps);
        }
        let validated = table.validated().filter_map(|(_, name)| table.newer?.constraints.get_key_value(name));
        let added = table.added_constraints.iter();
        // the backfill is an UPDATE, which no check lets pass with a row that breaks it
        let added =
            added.filter(|added| table.holds_rows(&added.physical) || table.needs_fill() && added.constraint.target().is_none());
        for (name, constraint) in added.map(|added| (&added.name, &added.constraint)).chain(validated) {
            match constraint {
                Constraint::Check { check, .. } => broken_check(chain, table, name, check, steps),
                Constraint::ForeignKey { columns, references, .. } => {
                    orphans(chain, tables, table, (name, columns, references), steps);
                }
                _ => {}
            }
        }
        for (name, _, index) in new_indexes(table).into_iter().filter(|(.., index)| index.unique) {
            duplicates(chain, table, &name, &index, steps);
        }
    }
}

/// Checks that are not valid and stay: a row that breaks one cannot be updated, by the backfill neither.
fn never_held<'a>(table: &'a Physical<'_>) -> impl Iterator<Item = (&'a String, &'a crate::model::expression::Expression)> {
    let newer = table.newer.filter(|_| table.needs_fill());
    let kept = move |name: &String| table.kept_constraints.iter().any(|(_, to_be)| to_be == name);
    newer.into_iter().flat_map(|newer| newer.constraints.iter().filter(|(name, _)| newer.not_valid.contains(*name))).filter_map(
        move |(name, there)| match there {
            Constraint::Check { check, .. } if kept(name) => Some((name, check)),
            _ => None,
        },
    )
}

/// Whether the rows of a table are looked at, so that row security must hide none.
pub(super) fn are_read<'a>(tables: &'a [Physical<'_>]) -> impl Fn(&Physical<'_>) -> bool + 'a {
    // the targets of keys that hold from now on
    let held = tables.iter().filter(|table| table.is_kept()).flat_map(|table| {
        let validated = table.validated().filter_map(|(_, name)| table.newer?.constraints.get(name));
        table.added_constraints.iter().map(|added| &added.constraint).chain(validated)
    });
    let targets: BTreeSet<&str> = held.filter_map(Constraint::target).collect();
    move |table| {
        table.is_kept()
            && (table.needs_fill()
                || !table.tightened.is_empty()
                || !table.added_constraints.is_empty()
                || table.validated().next().is_some()
                || table.added_indexes.iter().any(|(.., index)| index.unique)
                || table.final_name().is_some_and(|name| targets.contains(name)))
    }
}

fn refuse(steps: &mut Steps, title: String, path: Path, sql: Sql, refusal: String, hint: impl Into<String>) {
    steps.check(title, sql, refusal, hint, Verdict::Refuse).path(path);
}

/// The expressions are valid.
fn expressions(chain: &Chain, table: &Physical<'_>, steps: &mut Steps) {
    let comes = chain.made_forms().find(|(_, form)| form.in_to).map(|(_, form)| &form.name);
    let of_enums = comes.map_or_else(String::new, |name| {
        format!("; write labels of enum `{name}`, which this migration creates or changes, as plain text without a cast")
    });
    for (direction, word, side) in [(Direction::Up, "up", "older"), (Direction::Down, "down", "newer")] {
        let Some(query) = sync::validity_query(chain, table, direction) else { continue };
        refuse(
            steps,
            format!("`{word}` of `{}` is valid", table.name),
            sync::path(chain, direction),
            sql!("SELECT NULL::pg_catalog.text FROM ({}) AS valid WHERE false", query),
            format!("`{word}` of table `{}` is not valid SQL", table.name),
            format!(
                "correct the `{word}` expression; it is computed from one row, and can read the columns of the {side} version{of_enums}"
            ),
        );
        if direction == Direction::Up {
            let targets = table.added.iter().filter(|added| added.derived).map(|added| &added.column);
            let targets = targets.map(|column| Column { sql_type: enums::plain(chain, &column.sql_type), ..column.clone() });
            let targets: Vec<Column> = targets.collect();
            refuse(
                steps,
                format!("`{word}` of `{}` gives the types of its columns", table.name),
                sync::path(chain, direction),
                ddl::try_assignment(&targets, &query),
                format!("`{word}` of table `{}` gives another type than its column has", table.name),
                "add a cast to the expression",
            );
        }
    }
}

/// Every existing row has a value that its column takes: one scan, and another one, row by row, to find those on which an expression fails.
fn conversions(chain: &Chain, table: &Physical<'_>, steps: &mut Steps) {
    let row = ident(ROW);
    let added = |physical: &str| table.added.iter().find(|added| added.physical == *physical).map(|added| &added.column);
    // numbers that are given once are not drawn to be looked at
    let is_tried = |physical: &str| added(physical).is_none_or(|column| !draws(table, &column.name));
    let (targets, query) = sync::conversion_query(chain, table, Direction::Up, &row, Moment::Preflight, is_tried);
    if targets.is_empty() {
        return;
    }
    let columns: Vec<Sql> = (1..=targets.len()).map(|number| ident(&format!("diptych {number}"))).collect();
    let given = targets.iter().zip(&columns).filter_map(|(physical, name)| Some((added(physical)?, sql!("result.{}", name))));
    let faults: Vec<Sql> = given.flat_map(|(column, value)| faults_of(chain, table, column, &value)).collect();
    let faults = sql!("nullif(pg_catalog.concat_ws(', ', {}), '')", join(faults, ", "));
    let result = sql!("({}) AS result ({})", query, join(columns, ", "));
    refuse(
        steps,
        format!("every row of `{}` can be converted", table.name),
        sync::path(chain, Direction::Up),
        sql!("DO {}", sql::dollar_quoted(&raise_faults(chain, table, &result, &faults))),
        format!("`up` of table `{}` gives values for existing rows that the columns cannot hold", table.name),
        "change `up` so that it gives a value that fits (coalesce, left), or correct the rows",
    );
}

/// Why a column cannot take a value, in words: an expression for each reason that there may be, NULL where it is none.
fn faults_of(chain: &Chain, table: &Physical<'_>, column: &Column, value: &Sql) -> Vec<Sql> {
    let label = format!("`{}`", column.name);
    // a CASE makes the server evaluate every conversion, so that one that fails is found also where NULL may be
    let null = if column.nullable { Sql::trusted("NULL") } else { literal(&format!("{label} would be NULL")) };
    let plain = ddl::cast(value, &enums::plain(chain, &column.sql_type), &None);
    let mut faults = vec![sql!("CASE WHEN {} IS NOT DISTINCT FROM NULL THEN {} END", plain, null)];
    let fault = |condition: &Sql, reason: String| {
        let text = concatenation([shown(&literal(&label), value), literal(&reason)]);
        sql!("CASE WHEN {} THEN {} END", condition, text)
    };
    let scope = table.lineage.newest().columns.iter().find(|there| there.name == column.name);
    if let Some(condition) = scope.and_then(|there| enums::is_no_label(chain, there, value)) {
        faults.push(fault(&condition, format!(", no label of {}", types::element(&column.sql_type))));
    }
    // an assignment refuses what a cast cuts off
    if let Some(length) = types::length(&column.sql_type) {
        faults.push(fault(&too_long(&length, value), format!(", too long for {}", column.sql_type)));
    }
    faults
}

/// A block of PL/pgSQL that raises the first rows with faults: all at once, and row by row, for some seconds, where an expression fails.
fn raise_faults(chain: &Chain, table: &Physical<'_>, result: &Sql, faults: &Sql) -> Sql {
    let (row, place) = (ident(ROW), qualified(&chain.base, &table.name));
    let found = Sql::trusted("pg_catalog.cardinality(\"diptych found\")");
    let late = operation(&Sql::trusted("pg_catalog.statement_timestamp()"), "+", &Sql::trusted("'10 s'::pg_catalog.interval"));
    sql!(
        "
#variable_conflict use_column
DECLARE
  \"diptych row\" record;
  \"diptych found\" pg_catalog.text[];
BEGIN
  BEGIN
    \"diptych found\" := ARRAY(SELECT {} FROM {} AS {}, LATERAL {} WHERE {} IS NOT NULL LIMIT 3);
  EXCEPTION WHEN data_exception OR integrity_constraint_violation OR raise_exception THEN
    FOR {} IN SELECT {}.*, {}.ctid FROM {} AS {} LOOP
      BEGIN
        PERFORM {} FROM {};
      EXCEPTION WHEN data_exception OR integrity_constraint_violation OR raise_exception THEN
        \"diptych found\" := pg_catalog.array_append(\"diptych found\", {});
      END;
      EXIT WHEN {} OR {};
    END LOOP;
    IF \"diptych found\" IS NULL THEN
      RAISE;
    END IF;
  END;
  IF {} THEN
    RAISE EXCEPTION USING ERRCODE = 'data_exception', MESSAGE = pg_catalog.array_to_string(\"diptych found\", '; ');
  END IF;
END
",
        concatenation([sample(table), literal(": "), faults.clone()]),
        place,
        row,
        result,
        faults,
        row,
        row,
        row,
        place,
        row,
        faults,
        result,
        concatenation([sample(table), literal(": "), Sql::trusted("SQLERRM")]),
        operation(&found, "=", &Sql::trusted("3")),
        operation(&Sql::trusted("pg_catalog.clock_timestamp()"), ">", &late),
        operation(&found, ">", &Sql::trusted("0"))
    )
}

/// Whether a value is longer than its column takes: trailing spaces are cut off of text, as the server does.
fn too_long(length: &types::Length, value: &Sql) -> Sql {
    let bits = |value: &Sql| sql!("pg_catalog.bit_length({}::pg_catalog.varbit)", value);
    let scalar = |value: &Sql| match length.kind {
        types::Measure::Characters => {
            let rest = sql!("pg_catalog.substr({}::pg_catalog.text, {})", value, length.limit + 1);
            operation(&sql!("pg_catalog.length(pg_catalog.rtrim({}, ' '))", rest), ">", &Sql::trusted("0"))
        }
        types::Measure::BitsAtMost => operation(&bits(value), ">", &sql!("{}", length.limit)),
        types::Measure::BitsExactly => operation(&bits(value), "<>", &sql!("{}", length.limit)),
    };
    if length.array {
        let elements = sql!("pg_catalog.unnest({}) AS element (value)", value);
        sql!("EXISTS (SELECT 1 FROM {} WHERE {})", elements, scalar(&Sql::trusted("element.value")))
    } else {
        sql!("({})", scalar(value))
    }
}

/// More rows than a `smallserial` column has numbers; of the others a table has never too many.
fn too_many(chain: &Chain, table: &Physical<'_>, added: &Added, steps: &mut Steps) {
    let is_plain = added.column.identity.as_ref().is_some_and(|identity| identity.options.is_none());
    if added.column.sql_type != "smallint" || !is_plain {
        return;
    }
    refuse(
        steps,
        format!("there are numbers for every row of `{}`", table.name),
        sync::path(chain, Direction::Up),
        sql!("SELECT {} FROM {} AS {} OFFSET 32767 LIMIT 1", sample(table), qualified(&chain.base, &table.name), ident(ROW)),
        format!("table `{}` has more rows than column `{}` can number, which ends at 32767", table.name, added.column.name),
        "give the column type serial or bigserial",
    );
}

/// NULL in a column that becomes NOT NULL.
fn missing(chain: &Chain, table: &Physical<'_>, column: &str, steps: &mut Steps) {
    refuse(
        steps,
        format!("no row of `{}` has NULL in `{column}`", table.name),
        sync::path(chain, Direction::Up),
        sql!(
            "SELECT {} FROM {} AS {} WHERE {}.{} IS NOT DISTINCT FROM NULL LIMIT 3",
            sample(table),
            qualified(&chain.base, &table.name),
            ident(ROW),
            ident(ROW),
            ident(column)
        ),
        format!("rows of table `{}` hold NULL in column `{column}`, which becomes NOT NULL", table.name),
        "correct these rows, or give the column an `up` with a value in place of NULL: coalesce(…)",
    );
}

/// A new check that existing rows break.
fn broken_check(chain: &Chain, table: &Physical<'_>, name: &str, check: &Expression, steps: &mut Steps) {
    let Some(newer) = table.newer else { return };
    let read: BTreeSet<String> = newer.read_by([check]).into_iter().collect();
    if reads_whole_row(newer, &[check]) || reads_numbers(table, &read) || reads_new_types(chain, newer, &read) {
        return;
    }
    let place = ident(&table.lineage.newest().table);
    let values = read.iter().map(|column| shown(&literal(column), &sql!("{}.{}", place, ident(column))));
    let values: Vec<Sql> = std::iter::once(sql!("{}.{}", place, sample_name(newer))).chain(joined(values.collect())).collect();
    refuse(
        steps,
        format!("the rows of `{}` satisfy check `{name}`", table.name),
        sync::path(chain, Direction::Up),
        sql!(
            "SELECT {} FROM ({}) AS {} WHERE NOT {} LIMIT 3",
            separated(values, ": "),
            newer_rows(chain, table, newer, &read),
            place,
            user(check)
        ),
        format!("rows of table `{}` break check `{name}`", table.name),
        "correct these rows, or give the column an `up` that satisfies the check; from now on the check also holds for what the older version writes",
    );
}

/// Whether a text reads columns of types that are yet to be made: what it says of them cannot be asked before.
fn reads_new_types(chain: &Chain, newer: &Table, read: &BTreeSet<String>) -> bool {
    newer.columns.iter().any(|column| read.contains(&column.name) && enums::is_made(chain, &column.sql_type))
}

/// A new key that several existing rows have.
fn duplicates(chain: &Chain, table: &Physical<'_>, name: &str, index: &Index, steps: &mut Steps) {
    let Some(newer) = table.newer else { return };
    let is_default = |key: &IndexColumn| key.opclass.as_ref().is_none_or(|class| class.name.ends_with("_pattern_ops"));
    // another operator class may find other values equal: the build knows
    if !index.columns.iter().all(is_default) || reads_whole_row(newer, &index.texts()) || is_held(table, index) {
        return;
    }
    let keys = index.columns.iter().filter(|key| key.expression.is_none()).map(|key| key.column.clone());
    let read: BTreeSet<String> = keys.chain(newer.read_by(index.texts())).collect();
    if reads_numbers(table, &read) || (!index.texts().is_empty() && reads_new_types(chain, newer, &read)) {
        return;
    }
    let place = ident(&table.lineage.newest().table);
    let number = |at: usize| ident(&format!("diptych {}", at + 1));
    let keys: Vec<(Sql, Sql)> = index
        .columns
        .iter()
        .map(|key| match &key.expression {
            Some(text) => (literal(text), ddl::collate(&user(text), &key.collate)),
            None => (literal(&key.column), ddl::collate(&sql!("{}.{}", place, ident(&key.column)), &key.collate)),
        })
        .collect();
    let parts = keys.iter().enumerate().map(|(at, (_, value))| sql!("{} AS {}", value, number(at)));
    let found = sql!(
        "SELECT {}.{} AS row_, {} FROM ({}) AS {}{}",
        place,
        sample_name(newer),
        join(parts, ", "),
        newer_rows(chain, table, newer, &read),
        place,
        index.predicate.as_deref().map_or_else(Sql::default, |text| sql!(" WHERE {}", user(text)))
    );
    let values: Vec<Sql> = keys.iter().enumerate().map(|(at, (label, _))| shown(label, &number(at))).collect();
    let numbers: Vec<Sql> = (0..keys.len()).map(number).collect();
    let present = numbers.iter().map(|key| sql!("{} IS DISTINCT FROM NULL", key));
    let filter = if index.nulls_not_distinct { Sql::default() } else { sql!(" WHERE {}", join(present, " AND ")) };
    let counted = Sql::trusted(
        "pg_catalog.format(' in %s rows (%s, %s)', pg_catalog.count(*), pg_catalog.min(row_), pg_catalog.max(row_))",
    );
    let is_key = newer.constraints.contains_key(name);
    let what = if is_key { "constraint" } else { "unique index" };
    refuse(
        steps,
        format!("no two rows of `{}` have the same key in {what} `{name}`", table.name),
        sync::path(chain, Direction::Up),
        sql!(
            "SELECT {} FROM ({}) AS found{} GROUP BY {} HAVING {} LIMIT 3",
            concatenation(joined(values).into_iter().chain([counted])),
            found,
            filter,
            join(numbers, ", "),
            operation(&Sql::trusted("pg_catalog.count(*)"), ">", &Sql::trusted("1"))
        ),
        format!("rows of table `{}` have the same key, but {what} `{name}` allows it only once", table.name),
        "correct these rows, or give a column of the key an `up` that makes the keys differ",
    );
}

/// The alias of the table as it is.
const ROW: &str = "diptych row";
/// The alias of the same row as the newer version will have it.
const NEWER: &str = "diptych newer";

/// The rows of a table as the newer version will have them, each with how it is named to people.
fn newer_rows(chain: &Chain, table: &Physical<'_>, newer: &Table, read: &BTreeSet<String>) -> Sql {
    sql!(
        "SELECT {} AS {}, {}.* FROM {} AS {}, LATERAL ({}) AS {}",
        sample(table),
        sample_name(newer),
        ident(NEWER),
        qualified(&chain.base, &table.name),
        ident(ROW),
        sync::newer_row(chain, table, read, &ident(ROW)),
        ident(NEWER)
    )
}

/// A name that no column has.
fn sample_name(newer: &Table) -> Sql {
    let mut name = "diptych sample".to_owned();
    while newer.has_column(&name) {
        name.push('\'');
    }
    ident(&name)
}

/// How a row is named to people: by its key, else by its place.
fn sample(table: &Physical<'_>) -> Sql {
    let key = table.older.map(|older| older.primary_key()).unwrap_or_default();
    if key.is_empty() {
        let place = concatenation([literal("row at "), sql!("{}.ctid::pg_catalog.text", ident(ROW))]);
        return sql!("{} COLLATE pg_catalog.\"C\"", place);
    }
    let parts = key.iter().map(|column| shown(&literal(column), &sql!("{}.{}", ident(ROW), ident(column))));
    // under one collation, whatever those of the columns: rows are compared by it
    sql!("({}) COLLATE pg_catalog.\"C\"", joined(parts.collect()).unwrap_or_default())
}

/// `label = value`, the value clipped.
fn shown(label: &Sql, value: &Sql) -> Sql {
    let clipped = sql!("coalesce(pg_catalog.\"left\"({}::pg_catalog.text, 80), 'NULL')", value);
    concatenation([label.clone(), literal(" = "), clipped])
}

/// Parts of a text with commas between them; none of no parts.
fn joined(parts: Vec<Sql>) -> Option<Sql> {
    (!parts.is_empty()).then(|| separated(parts, ", "))
}

/// Parts of a text with a separator between them.
fn separated(parts: Vec<Sql>, separator: &str) -> Sql {
    let between = parts.into_iter().enumerate().flat_map(|(at, part)| {
        let before = (at > 0).then(|| literal(separator));
        before.into_iter().chain([part])
    });
    concatenation(between.collect::<Vec<_>>())
}

/// Whether a rule reads numbers that no row has yet.
fn reads_numbers<'a>(table: &Physical<'_>, read: impl IntoIterator<Item = &'a String>) -> bool {
    read.into_iter().any(|name| draws(table, name) || numbers::columns(table).any(|added| added.column.name == *name))
}

/// Whether a column's values come from a sequence, which gives each number once: preflight draws none.
fn draws(table: &Physical<'_>, column: &str) -> bool {
    let added = table.added.iter().find(|added| added.column.name == *column);
    let default = added.filter(|added| !added.derived).and_then(|added| added.default.as_ref());
    default.is_some_and(|text| text.facts([]).draws_numbers) || table.lineage.draws(column)
}

/// Whether a text reads the row as a whole, or what a sub-select does not have.
fn reads_whole_row(newer: &Table, texts: &[&Expression]) -> bool {
    texts.iter().any(|text| {
        let facts = newer.facts(text);
        facts.whole_row || facts.system_columns
    })
}

/// The older version's column whose values a column of the newer version has, whatever its type: one that is merely wider.
fn carried(table: &Physical<'_>, column: &str) -> Option<String> {
    let layers = &table.lineage.layers;
    let mut name = column.to_owned();
    for at in (1..layers.len()).rev() {
        match layers[at].up.get(&name)? {
            crate::transition::lineage::Link::Same(below) => name.clone_from(below),
            crate::transition::lineage::Link::Derived(text) => {
                let [below, above] = [at - 1, at].map(|at| layers[at].columns.iter().find(|there| there.name == name));
                let (below, above) = (below?, above?);
                if !is_itself(text, &name, &above.sql_type)
                    || below.collation != above.collation
                    || !types::widens(&below.sql_type, &above.sql_type)
                {
                    return None;
                }
            }
            crate::transition::lineage::Link::Fresh => return None,
        }
    }
    Some(name)
}

/// Whether an expression is a column, or its plain cast to a type.
fn is_itself(text: &str, name: &str, sql_type: &str) -> bool {
    let is_name = |text: &str| text.trim() == name && name == name.to_lowercase() || text.trim() == ident(name).as_str();
    let is_type = |text: &str| types::normalize(text) == sql_type;
    let cast = text.split_once("::").or_else(|| {
        let (word, inside) = text.trim().strip_suffix(')')?.split_once('(')?;
        let at = inside.to_lowercase().find(" as ").filter(|_| word.trim().eq_ignore_ascii_case("cast"))?;
        Some((inside.get(..at)?, inside.get(at + 4..)?))
    });
    is_name(text) || cast.is_some_and(|(value, to)| is_name(value) && is_type(to))
}

/// Whether a unique key of the older version already keeps this one.
fn is_held(table: &Physical<'_>, index: &Index) -> bool {
    let plain = |key: &IndexColumn| key.expression.is_none() && key.collate.is_none() && key.opclass.is_none();
    let origins: Option<BTreeSet<String>> =
        index.columns.iter().map(|key| if plain(key) { carried(table, &key.column) } else { None }).collect();
    let (Some(origins), Some(older)) = (origins, table.older) else { return false };
    let keys = older.constraints.values().filter_map(ddl::key_index);
    let keeps = |key: Index| {
        key.unique
            && key.predicate.is_none()
            && (key.nulls_not_distinct || !index.nulls_not_distinct)
            && key.columns.iter().all(|key| plain(key) && origins.contains(&key.column))
    };
    keys.chain(older.indexes.values().cloned()).any(keeps)
}

/// Whether a foreign key of the older version already says the same.
fn points_already(table: &Physical<'_>, target: &Physical<'_>, columns: &[String], references: &References) -> bool {
    let wanted: Option<BTreeSet<(String, String)>> = columns
        .iter()
        .zip(&references.columns)
        .map(|(own, other)| Some((carried(table, own)?, carried(target, other)?)))
        .collect();
    let (Some(wanted), Some(older), true) = (wanted, table.older, target.is_kept()) else { return false };
    let mut held = older.constraints.iter().filter(|(name, _)| !older.not_valid.contains(*name));
    held.any(|(_, there)| match there {
        Constraint::ForeignKey { columns, references: then, .. } => {
            then.table == target.lineage.oldest().table
                && (then.match_type == references.match_type || references.match_type.is_none())
                && columns.iter().cloned().zip(then.columns.iter().cloned()).collect::<BTreeSet<_>>() == wanted
        }
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::is_itself;

    #[test]
    fn knows_a_column_and_its_plain_cast() {
        for text in ["id", "\"id\"", "id::bigint", "CAST(id AS int8)", "cast( \"id\" as bigint )", " id :: int8 "] {
            assert!(is_itself(text, "id", "bigint"), "{text}");
        }
        for text in ["id + 1", "id::integer", "id::integer::bigint", "f(id AS bigint)", "idx", "CAST(abs(id) AS bigint)"] {
            assert!(!is_itself(text, "id", "bigint"), "{text}");
        }
        assert!(!is_itself("Name", "Name", "text"));
    }
}
