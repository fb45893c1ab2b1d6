//! Ranges of a heap's rows: a statement over all rows of a table is run over one after the other.

use crate::sql;
use crate::sql::{Sql, operation};

/// Whether a row lies between two places: `$1`, and `$2`, which is the first that does not.
pub(crate) fn within(row: &Sql) -> Sql {
    let place = sql!("{}.ctid", row);
    let bound = |parameter: &str| sql!("{}::pg_catalog.text::pg_catalog.tid", Sql::trusted(parameter));
    sql!("{} AND {}", operation(&place, ">=", &bound("$1")), operation(&place, "<", &bound("$2")))
}

/// Frees the room of the versions that a walk has left behind, without a look at the indexes.
pub(crate) fn vacuum(place: &Sql) -> Sql {
    sql!("VACUUM (INDEX_CLEANUP off, TRUNCATE off) {}", place)
}
