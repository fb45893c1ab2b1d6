//! Storage parameters in SQL: of a new table, changed on one that is there, and tried before.

use crate::model::storage::{Setting, Storage, TOAST, between};
use crate::sql;
use crate::sql::{Sql, ident, join, literal};

/// ` WITH (…)` of a new table, with a space before it.
pub fn with(storage: &Storage) -> Sql {
    if storage.is_empty() { Sql::default() } else { sql!(" WITH ({})", assigned(storage.iter())) }
}

/// The statements that change them on a table; none where there is nothing to change. SHARE UPDATE EXCLUSIVE.
pub fn change(place: &Sql, before: &Storage, after: &Storage) -> Vec<Sql> {
    let change = between(before, after);
    let gone: Vec<Sql> = change.iter().filter(|(_, to)| to.is_none()).map(|(name, _)| named(name)).collect();
    let set: Vec<_> = change.iter().filter_map(|(name, to)| Some((name, to.as_ref()?))).collect();
    let reset = (!gone.is_empty()).then(|| sql!("ALTER TABLE {} RESET ({})", place, join(gone, ", ")));
    let set = (!set.is_empty()).then(|| sql!("ALTER TABLE {} SET ({})", place, assigned(set)));
    reset.into_iter().chain(set).collect()
}

/// A statement of PL/pgSQL that fails where a table does not keep one of them: it has no TOAST table, say, of which PostgreSQL tells nobody.
pub fn assert_kept(place: &Sql, storage: &Storage) -> Option<Sql> {
    let wanted = storage.iter().map(|(name, setting)| sql!("({})", literal(&format!("{name}={}", setting.as_str()))));
    let wanted: Vec<Sql> = wanted.collect();
    (!wanted.is_empty()).then(|| {
        let place = sql!("{}::pg_catalog.regclass", literal(place.as_str()));
        sql!(
            "IF EXISTS (SELECT FROM (VALUES {}) AS wanted (parameter) WHERE wanted.parameter NOT IN (\
             SELECT pg_catalog.unnest(own.reloptions) FROM pg_catalog.pg_class AS own WHERE own.oid = {} UNION ALL \
             SELECT pg_catalog.concat({}, kept.parameter) FROM pg_catalog.pg_class AS own JOIN pg_catalog.pg_class AS toast ON toast.oid = own.reltoastrelid \
             CROSS JOIN pg_catalog.unnest(toast.reloptions) AS kept (parameter) WHERE own.oid = {})) THEN \
             RAISE EXCEPTION 'the table would not keep every one of them: a table without columns of variable length has no TOAST table, and no parameters of it'; END IF",
            join(wanted, ", "),
            place,
            literal(TOAST),
            place
        )
    })
}

fn assigned<'a>(storage: impl IntoIterator<Item = (&'a String, &'a Setting)>) -> Sql {
    join(storage.into_iter().map(|(name, setting)| sql!("{} = {}", named(name), literal(setting.as_str()))), ", ")
}

/// A parameter's name, that of one of the TOAST table with its prefix.
fn named(name: &str) -> Sql {
    name.strip_prefix(TOAST).map_or_else(|| ident(name), |own| sql!("toast.{}", ident(own)))
}
