//! The backfill: existing rows get their values in the newer version's columns, while apps write.

use crate::hazard::Hazard;
use crate::layout::chain::Chain;
use crate::layout::tables::Physical;
use crate::plan::{Action, Phase, Steps, notes};
use crate::sql;
use crate::sql::{Sql, ident, join, operation, qualified};
use crate::statements::sync::{self, Direction};
use crate::statements::{enums, numbers, partitions, ranges};

/// The alias of a row's converted values.
const RESULT: &str = "diptych result";

/// One walk over the rows of a table, or of its partitions, and what it costs.
pub(super) fn backfill(chain: &Chain, table: &Physical<'_>, steps: &mut Steps) {
    let fill = Fill::of(chain, table);
    let step = steps.push(
        Phase::Backfill,
        format!("backfill table `{}`", table.name),
        Action::Backfill {
            schema: chain.base.clone(),
            table: table.name.clone(),
            partitioned: table.is_partitioned(),
            update: fill.update(),
            verify: fill.verify(),
            vacuum: ranges::vacuum(&fill.place),
        },
    );
    step.path(sync::path(chain, Direction::Up))
        .lock("row locks, some 25 ms each, at most 250 ms; a single row for as long as it takes to write")
        .hazard(Hazard::RepeatableRead)
        .hazard(Hazard::RowLocks)
        .hazard(Hazard::Standby);
    if notes::has_default_that_stays(table) {
        step.hazard(Hazard::DefaultStays);
    }
    if sync::has_sub_select(table) {
        step.hazard(Hazard::SubSelect);
    }
}

/// How the rows of a table, or of one of its partitions, get their values.
struct Fill<'a> {
    chain: &'a Chain,
    table: &'a Physical<'a>,
    place: Sql,
    row: Sql,
    /// The physical columns that are converted, and the query that gives their values.
    targets: Vec<String>,
    query: Sql,
}

impl<'a> Fill<'a> {
    fn of(chain: &'a Chain, table: &'a Physical<'_>) -> Self {
        let whole = qualified(&chain.base, &table.name);
        let place = if table.is_partitioned() { ident(partitions::PARTITION) } else { whole };
        let row = ident("diptych row");
        let (targets, query) = sync::conversion_query(chain, table, Direction::Up, &row, enums::Moment::Start, |_| true);
        Fill { chain, table, place, row, targets, query }
    }

    /// Fills the rows between two places, of one stripe, but for those that are in sync.
    fn update(&self) -> Sql {
        let columns = join(self.targets.iter().map(|target| ident(target)), ", ");
        let converted = (!self.targets.is_empty()).then(|| sql!("({}) = ({})", columns, self.query));
        let numbered = numbers::columns(self.table).map(|added| {
            let value = numbers::value(self.chain, self.table, added, &self.held(&added.physical));
            sql!("{} = {}", ident(&added.physical), value)
        });
        let place_of = sql!("{}.ctid", self.row);
        let stripe = |parameter: &str| sql!("{}::pg_catalog.int4", Sql::trusted(parameter));
        let hash = operation(&sql!("pg_catalog.hashtid({})", place_of), "&", &Sql::trusted("2147483647"));
        sql!(
            "UPDATE {} AS {} SET {} WHERE {} AND {} AND ({}) IS NOT TRUE",
            self.place,
            self.row,
            join(converted.into_iter().chain(numbered), ", "),
            ranges::within(&self.row),
            operation(&operation(&hash, "%", &stripe("$4")), "=", &stripe("$3")),
            self.is_new()
        )
    }

    /// Whether a row was written since the walk began, and so is in sync: an application's, or the new version of one that is done.
    fn is_new(&self) -> Sql {
        let age = |of: &Sql| sql!("pg_catalog.age({})", of);
        let since = age(&sql!("{}.xmin", self.row));
        let begun = age(&Sql::trusted("$5::pg_catalog.text::pg_catalog.xid"));
        sql!("{} AND {}", operation(&since, ">=", &Sql::trusted("0")), operation(&since, "<=", &begun))
    }

    /// Finds a row that was missed.
    fn verify(&self) -> Sql {
        let aliases = join((1..=self.targets.len()).map(result), ", ");
        let converted = sql!(", LATERAL ({}) AS {} ({})", self.query, ident(RESULT), aliases);
        let numbers = numbers::columns(self.table).map(|added| sql!("{} IS NULL", self.held(&added.physical)));
        sql!(
            "SELECT {}.ctid::pg_catalog.text FROM {} AS {}{} WHERE {} LIMIT 1",
            self.row,
            self.place,
            self.row,
            if self.targets.is_empty() { Sql::default() } else { converted },
            join(self.is_unconverted().into_iter().chain(numbers), " OR ")
        )
    }

    /// Whether a column of a row is empty whose conversion gives a value. The conversion is asked last. A row of NULLs is a value (docs/traps.md H17).
    fn is_unconverted(&self) -> Option<Sql> {
        let is_empty = |target: &String| sql!("{} IS NOT DISTINCT FROM NULL", self.held(target));
        let missed =
            self.targets.iter().enumerate().map(|(at, target)| {
                sql!("({} AND ({}).{} IS DISTINCT FROM NULL)", is_empty(target), ident(RESULT), result(at + 1))
            });
        let (empty, missed) = (join(self.targets.iter().map(is_empty), " OR "), join(missed, " OR "));
        (!self.targets.is_empty()).then(|| sql!("(({}) AND ({}))", empty, missed))
    }

    /// What a row has in a column.
    fn held(&self, physical: &str) -> Sql {
        sql!("{}.{}", self.row, ident(physical))
    }
}

/// The alias of one of a row's converted values.
fn result(number: usize) -> Sql {
    ident(&format!("diptych {number}"))
}
