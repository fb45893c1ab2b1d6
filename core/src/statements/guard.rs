//! The guard: the schema between a version's and the base schema on every path, with a view in the place of each table that raises.
//!
//! PostgreSQL leaves out of a path what is not there. Without the guard, a session whose version is not published yet, or retired, would
//! fall through to the tables themselves, and read and write another form than it was built for (docs/traps.md F10).

use std::collections::BTreeSet;

use crate::layout::chain::Chain;
use crate::layout::tables::Physical;
use crate::names;
use crate::sql;
use crate::sql::{Sql, join, literal};

/// The guard of a base schema that has no version yet.
pub fn create(chain: &Chain) -> Sql {
    sql!("SELECT diptych.create_guard({})", literal(&names::guard_schema(&chain.base)))
}

/// In the place of these tables, under either version's names and with the columns of both.
pub fn put(chain: &Chain, tables: &[&Physical<'_>]) -> Sql {
    let names: BTreeSet<&str> = tables.iter().flat_map(|table| [table.older_view(), table.final_name()]).flatten().collect();
    let scratch = chain.newer.scratch();
    let sources = chain.older.iter().map(|older| literal(&older.views)).chain([literal(&scratch)]);
    sql!(
        "SELECT diptych.guard({}, ARRAY[{}], ARRAY[{}]::pg_catalog.text[])",
        literal(&names::guard_schema(&chain.base)),
        join(sources, ", "),
        list(names)
    )
}

/// In the place of a table that is being created, before its version is published.
pub fn put_new(chain: &Chain, name: &str) -> Sql {
    sql!(
        "SELECT diptych.guard({}, ARRAY[{}], ARRAY[{}])",
        literal(&names::guard_schema(&chain.base)),
        literal(&chain.base),
        literal(name)
    )
}

/// No more in the place of names that one version alone had.
pub fn lift(chain: &Chain, gone: &[&String]) -> Sql {
    let names = list(gone.iter().map(|name| name.as_str()));
    sql!("SELECT diptych.unguard({}, ARRAY[{}]::pg_catalog.text[])", literal(&names::guard_schema(&chain.base)), names)
}

/// The guard goes with the first version.
pub fn remove(chain: &Chain) -> Sql {
    sql!("SELECT diptych.remove_guard({})", literal(&names::guard_schema(&chain.base)))
}

fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> Sql {
    join(names.into_iter().map(literal), ", ")
}
