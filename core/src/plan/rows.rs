//! New rows of a migration: tried before anything is changed, written in their place, taken back at rollback.

use std::collections::BTreeSet;

use crate::layout::chain::Chain;
use crate::layout::tables::Physical;
use crate::model::schema::{Column, Constraint, Table};
use crate::plan::{Action, Phase, Reaches, Script as Run, Steps, Verdict, When, catalog_checks, scripts};
use crate::sql;
use crate::sql::{Sql, concatenation, ident, idents, join, literal, operation, qualified, type_name};
use crate::statements::path::Path;
use crate::statements::sequences::bigint;
use crate::statements::{ddl, enums};
use crate::transition::stage::{Conflict, Insert, Moment, Numbers, Script, Work};

/// Rows that one transaction writes.
const GROUP: usize = 100;

/// A table as the rows find it at their place.
pub(super) struct Target<'a> {
    table: &'a Physical<'a>,
    form: Form,
}

/// Whose form a table has at a place.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// No operation above has changed it.
    Older,
    /// No operation below will.
    Newer,
}

/// The table of this name behind so many scripts; none where operations above and below have a part in its form.
pub(super) fn target<'a>(tables: &'a [Physical<'a>], number: usize, name: &str) -> Option<Target<'a>> {
    let is_newer = |table: &&Physical<'_>| table.scripts_before <= number && table.final_name() == Some(name);
    let is_untouched = |table: &&Physical<'_>| table.lineage.first_change.is_none_or(|first| first > number);
    let newer = tables.iter().find(is_newer).map(|table| Target { table, form: Form::Newer });
    newer.or_else(|| {
        let older = tables.iter().find(|table| table.older_view() == Some(name) && is_untouched(table));
        older.map(|table| Target { table, form: Form::Older })
    })
}

impl Target<'_> {
    /// The name in the database of a column.
    fn physical<'a>(&'a self, name: &'a str) -> &'a str {
        if self.form == Form::Newer { self.table.newer_name(name) } else { name }
    }

    /// Where an application of the version writes.
    fn place(&self, chain: &Chain) -> Sql {
        match self.table.final_name().filter(|_| self.form == Form::Newer && self.table.is_other()) {
            Some(name) => qualified(scripts::TEMPORARY, name),
            None => self.home(chain),
        }
    }

    /// The table itself.
    fn home(&self, chain: &Chain) -> Sql {
        qualified(&chain.base, &self.table.name)
    }

    /// The column that has the numbers of one that counts by itself.
    fn counting(&self, name: &str) -> String {
        let older = self.table.lineage.origin(name).filter(|_| self.form == Form::Newer && self.table.older.is_some());
        older.unwrap_or_else(|| self.physical(name).to_owned())
    }
}

/// The insertions of a start, each with its number among the scripts.
fn insertions(chain: &Chain) -> impl DoubleEndedIterator<Item = (usize, &Insert)> {
    let scripts: Vec<_> = chain.stage.scripts_of(Moment::Start).enumerate().collect();
    scripts.into_iter().filter_map(|(number, script)| match &script.work {
        Work::Insert(insert) => Some((number, insert.as_ref())),
        Work::Sql { .. } | Work::Delete(_) => None,
    })
}

/// What `plan` says of them.
pub(super) fn notes<'a>(chain: &'a Chain, tables: &'a [Physical<'a>]) -> impl Iterator<Item = String> + 'a {
    insertions(chain).map(move |(number, insert)| {
        let is_new = target(tables, number, &insert.table).is_some_and(|target| target.table.older.is_none());
        let (count, table) = (insert.rows.len(), &insert.table);
        let undo = if is_new {
            "`rollback` drops the table"
        } else {
            "`rollback` deletes those that are unchanged and that no row references"
        };
        format!("table `{table}`: {} inserted, for both versions; {undo}", rows(count))
    })
}

fn rows(count: usize) -> String {
    if count == 1 { "1 row".to_owned() } else { format!("{count} rows") }
}

/// What the table would refuse is found before anything is changed, where no statements of the user's own come first.
pub(super) fn checks(chain: &Chain, tables: &[Physical<'_>], steps: &mut Steps) {
    let kept = insertions(chain).filter_map(|(number, insert)| target(tables, number, &insert.table));
    let kept: BTreeSet<&str> = kept.filter(|it| it.table.older.is_some()).map(|it| it.table.name.as_str()).collect();
    // a rollback deletes them
    catalog_checks::written(chain, &kept.into_iter().map(literal).collect::<Vec<_>>(), "12", steps);
    if insertions(chain).any(|(_, insert)| !insert.expressions.is_empty()) {
        catalog_checks::meets_nobody_elses(chain, "the values of `insert`", steps);
    }
    let may_try =
        |(number, insert): &(usize, &Insert)| !insert.reads_tables() && !chain.stage.is_opaque_before(Moment::Start, *number);
    for (number, insert) in insertions(chain).filter(may_try) {
        let Some(target) = target(tables, number, &insert.table) else { continue };
        takes_rows(chain, insert, steps);
        for (column, numbers) in &insert.numbers {
            leaves_numbers(chain, &target, column, *numbers, steps);
        }
        if insert.conflict == Conflict::Refuse {
            keys_are_free(chain, &target, insert, steps);
        }
        references_are_there(chain, tables, number, insert, steps);
    }
}

/// An empty twin of the table takes the rows.
fn takes_rows(chain: &Chain, insert: &Insert, steps: &mut Steps) {
    // a twin has no partitions
    let model = Table { partition_by: None, ..insert.model.clone() };
    let tried = ddl::try_rows(enums::attempt_at(chain, &insert.enums), &insert.table, &model, |twin| {
        statement(twin, insert, &insert.rows)
    });
    let step = steps.check(
        format!("table `{}` takes the rows that are inserted", insert.table),
        tried,
        format!("table `{}` does not take the rows that `insert` gives it", insert.table),
        "correct the values in the migration; the server's message stands above",
        Verdict::Refuse,
    );
    step.path(Path::base(&chain.base));
}

/// An application goes on behind the number of a row, and gets a thousand more at least.
fn leaves_numbers(chain: &Chain, target: &Target<'_>, column: &str, numbers: Numbers, steps: &mut Steps) {
    if target.table.older.is_none() {
        return;
    }
    steps.check(
        format!("applications have numbers left in column `{column}` of `{}`", target.table.name),
        sql!(
            "SELECT pg_catalog.format('%s counts to %s, and a row has %s', own.seqrelid::pg_catalog.regclass, side.ends, side.given) \
             FROM pg_catalog.pg_sequence AS own CROSS JOIN LATERAL (SELECT CASE WHEN own.seqincrement > 0 THEN own.seqmax ELSE own.seqmin END, \
             CASE WHEN own.seqincrement > 0 THEN {} ELSE {} END) AS side (ends, given) \
             WHERE own.seqrelid = pg_catalog.pg_get_serial_sequence({}, {})::pg_catalog.regclass::pg_catalog.oid \
             AND (side.given::pg_catalog.numeric - coalesce(pg_catalog.pg_sequence_last_value(own.seqrelid), 0)) * own.seqincrement > 0 \
             AND pg_catalog.div(side.ends::pg_catalog.numeric - side.given, own.seqincrement) < 1000",
            bigint(numbers.highest),
            bigint(numbers.lowest),
            literal(target.home(chain).as_str()),
            literal(&target.counting(column))
        ),
        format!("applications go on behind the numbers that `insert` gives rows of table `{}`, and would have fewer than a thousand", target.table.name),
        "give the row a number that applications have got by, such as 0 or a negative one",
        Verdict::Refuse,
    );
}

/// No row of the table has the key of a new one.
fn keys_are_free(chain: &Chain, target: &Target<'_>, insert: &Insert, steps: &mut Steps) {
    for columns in keys(&insert.model) {
        let Some(compared) = Compared::of(target, &columns, insert, &columns) else { continue };
        let step = steps.check(
            format!("no row of `{}` has the key of a row that is inserted", insert.table),
            sql!("SELECT {} FROM {} LIMIT 3", compared.shown(), compared.joined(chain, target, "JOIN")),
            format!("rows that `insert` gives table `{}` are there already", insert.table),
            "remove them from the migration, or add `on_conflict: nothing` to the operation, which leaves the rows that are there as they are",
            Verdict::Refuse,
        );
        step.path(Path::base(&chain.base));
    }
}

/// What the new rows reference is there, unless the migration inserts it.
fn references_are_there(chain: &Chain, tables: &[Physical<'_>], number: usize, insert: &Insert, steps: &mut Steps) {
    for constraint in insert.model.constraints.values() {
        let Constraint::ForeignKey { columns, references, .. } = constraint else { continue };
        let is_inserted = insertions(chain).any(|(_, other)| other.table == references.table);
        let Some(parent) = target(tables, number, &references.table).filter(|_| !is_inserted) else { continue };
        let Some(compared) = Compared::of(&parent, &references.columns, insert, columns) else { continue };
        let missing =
            compared.columns.iter().map(|column| sql!("\"diptych row\".{} IS NOT DISTINCT FROM NULL", ident(&column.name)));
        let given = (0..columns.len()).map(|at| sql!("{} IS DISTINCT FROM NULL", Compared::value(at)));
        let step = steps.check(
            format!("the rows that are inserted into `{}` reference rows that are there", insert.table),
            sql!(
                "SELECT {} FROM {} WHERE {} LIMIT 3",
                compared.shown(),
                compared.joined(chain, &parent, "RIGHT JOIN"),
                join(missing.take(1).chain(given), " AND ")
            ),
            format!(
                "rows that `insert` gives table `{}` reference rows of `{}` that are not there",
                insert.table, references.table
            ),
            "correct the values, or insert the rows that they reference, above this operation",
            Verdict::Refuse,
        );
        step.path(Path::base(&chain.base));
    }
}

/// Values of the new rows beside columns of a table as it is now.
struct Compared<'a> {
    columns: Vec<&'a Column>,
    labels: &'a [String],
    values: Vec<Sql>,
}

impl<'a> Compared<'a> {
    /// None where a column is another one by now, or no row has a value for each of them.
    fn of(target: &Target<'a>, columns: &[String], insert: &Insert, given: &'a [String]) -> Option<Self> {
        let older = target.table.older?;
        let physical = |name: &String| match target.form {
            Form::Older => Some(name.clone()),
            Form::Newer => target.table.lineage.same_below(name),
        };
        let columns: Option<Vec<&Column>> = columns.iter().map(|name| older.column("", &physical(name)?).ok()).collect();
        let (columns, labels) = (columns?, given);
        let places: Option<Vec<usize>> = given.iter().map(|name| insert.columns.iter().position(|there| there == name)).collect();
        let places = places?;
        let is_given = |row: &&Vec<Sql>| places.iter().all(|at| row[*at].as_str() != "DEFAULT");
        let typed = |row: &Vec<Sql>| {
            let values = places.iter().zip(&columns);
            let values = values.map(|(at, column)| sql!("CAST({} AS {})", row[*at], type_name(&column.sql_type)));
            sql!("({})", join(values, ", "))
        };
        let values: Vec<Sql> = insert.rows.iter().filter(is_given).map(typed).collect();
        (!values.is_empty()).then_some(Compared { columns, labels, values })
    }

    fn value(at: usize) -> Sql {
        ident(&format!("diptych {}", at + 1))
    }

    fn shown(&self) -> Sql {
        let shown = self.labels.iter().enumerate();
        let shown = shown
            .map(|(at, label)| concatenation([literal(&format!("{label} = ")), sql!("{}::pg_catalog.text", Self::value(at))]));
        sql!("pg_catalog.concat_ws(', ', {})", join(shown, ", "))
    }

    fn joined(&self, chain: &Chain, target: &Target<'_>, how: &'static str) -> Sql {
        let alike = self.columns.iter().enumerate();
        let alike = alike.map(|(at, column)| sql!("\"diptych row\".{} = {}", ident(&column.name), Self::value(at)));
        sql!(
            "{} AS \"diptych row\" {} (VALUES {}) AS given ({}) ON {}",
            target.home(chain),
            Sql::trusted(how),
            join(self.values.iter().cloned(), ", "),
            join((0..self.columns.len()).map(Self::value), ", "),
            join(alike, " AND ")
        )
    }
}

/// The columns of each key that holds for every row.
fn keys(model: &Table) -> Vec<Vec<String>> {
    let constraints = model.constraints.values().filter_map(|constraint| match constraint {
        Constraint::PrimaryKey { columns, .. } | Constraint::Unique { columns, .. } => Some(columns.clone()),
        _ => None,
    });
    let indexes = model
        .indexes
        .values()
        .filter(|index| index.unique && index.predicate.is_none() && index.columns.iter().all(|key| key.expression.is_none()));
    constraints.chain(indexes.map(|index| index.columns.iter().map(|key| key.column.clone()).collect())).collect()
}

/// The statement that writes these rows to a place.
fn statement(place: &Sql, insert: &Insert, rows: &[Vec<Sql>]) -> Sql {
    let counts = |name: &String| insert.model.columns.iter().any(|column| column.name == *name && column.identity.is_some());
    let overriding = if insert.columns.iter().any(counts) { " OVERRIDING SYSTEM VALUE" } else { "" };
    let conflict = if insert.conflict == Conflict::Skip { " ON CONFLICT DO NOTHING" } else { "" };
    let rows = rows.iter().map(|row| sql!("({})", join(row.iter().cloned(), ", ")));
    sql!(
        "INSERT INTO {} ({}){} VALUES {}{}",
        place,
        idents(&insert.columns),
        Sql::trusted(overriding),
        join(rows, ", "),
        Sql::trusted(conflict)
    )
}

/// Writes the rows, a group of them in each transaction, which notes what a rollback takes back.
pub(super) fn run(chain: &Chain, tables: &[Physical<'_>], number: usize, script: &Script, steps: &mut Steps) {
    let Work::Insert(insert) = &script.work else { return };
    let Some(target) = target(tables, number, &insert.table) else { return };
    let place = target.place(chain);
    for (group, rows) in insert.rows.chunks(GROUP).enumerate() {
        let mut texts: Vec<Sql> =
            insert.numbers.iter().map(|(column, numbers)| count_on(chain, &target, column, *numbers)).collect();
        let mut after = Vec::new();
        let inserted = statement(&place, insert, rows);
        if target.table.older.is_some() {
            texts.push(noting(chain, number, insert, group * GROUP, &inserted));
            after.push(note(chain, number, insert, &target));
        } else {
            texts.push(inserted);
        }
        let text = join(texts, ";\n");
        // rows are all that it writes: a view does for that
        let scope = scripts::in_scope(chain, tables, number, text.as_str());
        let run = Run { locks: Vec::new(), aside: Vec::new(), back: Vec::new(), watch: None, after, ..scope };
        let title = format!("insert {} into `{}`", self::rows(rows.len()), insert.table);
        let step = steps.push(Phase::Constrain, title, Action::Script(Box::new(run)));
        step.reaches(Reaches::Script(number)).lock("row locks on the new rows, for one short transaction");
    }
}

/// The numbers that a column gives by itself go on behind those that the rows have; this is not undone.
fn count_on(chain: &Chain, target: &Target<'_>, column: &str, numbers: Numbers) -> Sql {
    let last = Sql::trusted("coalesce(pg_catalog.pg_sequence_last_value(own.seqrelid), 0)");
    sql!(
        "SELECT pg_catalog.setval(own.seqrelid::pg_catalog.regclass, CASE WHEN own.seqincrement OPERATOR(pg_catalog.>) 0 THEN {} ELSE {} END) FROM pg_catalog.pg_sequence AS own \
         WHERE own.seqrelid OPERATOR(pg_catalog.=) pg_catalog.pg_get_serial_sequence({}, {})::pg_catalog.regclass::pg_catalog.oid \
         AND CASE WHEN own.seqincrement OPERATOR(pg_catalog.>) 0 THEN {} ELSE {} END",
        numbers.highest,
        numbers.lowest,
        literal(target.home(chain).as_str()),
        literal(&target.counting(column)),
        operation(&last, "<", &sql!("{}", numbers.highest)),
        operation(&last, ">", &sql!("{}", numbers.lowest))
    )
}

/// What names the rows of an insertion in the state.
fn name(chain: &Chain, number: usize) -> Sql {
    sql!("{}, {}, {}", literal(&chain.base), literal(&chain.newer.name), number)
}

/// The statement with the keys of the rows that it writes entered in the state.
fn noting(chain: &Chain, number: usize, insert: &Insert, before: usize, inserted: &Sql) -> Sql {
    sql!(
        "WITH \"diptych row\" AS ({} RETURNING {}) INSERT INTO diptych.inserted (base, version, operation, number, key) \
         SELECT {}, {} OPERATOR(pg_catalog.+) pg_catalog.row_number() OVER (), pg_catalog.to_jsonb(\"diptych row\") FROM \"diptych row\"",
        inserted,
        idents(insert.model.primary_key()),
        name(chain, number),
        before
    )
}

/// The rows of which the keys were entered, as the older version sees them.
fn note(chain: &Chain, number: usize, insert: &Insert, target: &Target<'_>) -> Sql {
    let key = insert.model.primary_key().iter().map(|name| sql!("{}, {}", literal(name), literal(target.physical(name))));
    let columns = target.table.older.into_iter().flat_map(|older| &older.columns).map(|column| literal(&column.name));
    sql!(
        "SELECT diptych.note_inserted({}, {}, pg_catalog.jsonb_build_object({}), ARRAY[{}]::pg_catalog.text[])",
        name(chain, number),
        literal(target.home(chain).as_str()),
        join(key, ", "),
        join(columns, ", ")
    )
}

/// Takes the rows back from tables that are as the older version has them again, and tells of those that stay.
pub(super) fn undo(chain: &Chain, tables: &[Physical<'_>], steps: &mut Steps) {
    for (number, insert) in insertions(chain).rev() {
        let Some(target) = target(tables, number, &insert.table) else { continue };
        let Some(older) = target.table.older else { continue };
        let key = join(older.primary_key().iter().map(|name| literal(name)), ", ");
        for group in (0..insert.rows.len().div_ceil(GROUP)).rev() {
            let take = sql!(
                "SELECT diptych.take_back({}, {}, {}, {}, ARRAY[{}]::pg_catalog.text[])",
                name(chain, number),
                group * GROUP,
                (group + 1) * GROUP,
                literal(target.home(chain).as_str()),
                key
            );
            let title = format!("delete the rows that were inserted into `{}`", target.table.name);
            let step = steps.transaction(Phase::Undo, title, Vec::new(), vec![take]).when(When::Script(number));
            step.lock("row locks on these rows, for one short transaction");
        }
        let stays = Action::Check {
            before: Vec::new(),
            sql: sql!(
                "SELECT noted.stays FROM diptych.inserted AS noted WHERE (noted.base, noted.version, noted.operation) OPERATOR(pg_catalog.=) ({}) ORDER BY noted.number",
                name(chain, number)
            ),
            refusal: format!("rows that were inserted into table `{}` stay", target.table.name),
            hint: "look at these rows, and delete those that nobody needs".to_owned(),
            verdict: Verdict::Warn,
        };
        let title = format!("no row that was inserted into `{}` stays", target.table.name);
        steps.push(Phase::Undo, title, stays).when(When::Script(number));
    }
}
