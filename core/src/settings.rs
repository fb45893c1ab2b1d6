//! Settings that change what a text means, or how a value is printed and read: conversions run under the same ones, whoever writes.

use crate::sql;
use crate::sql::{Sql, join};

/// How a text is parsed. The tool's own sessions have the same values.
const PARSED: [(&str, &str); 3] =
    [("standard_conforming_strings", "on"), ("transform_null_equals", "off"), ("backslash_quote", "safe_encoding")];
/// What functions, casts and the assignment to a column of another type look at.
const LOOKED_AT: [&str; 14] = [
    "DateStyle",
    "IntervalStyle",
    "TimeZone",
    "array_nulls",
    "bytea_output",
    "default_text_search_config",
    "extra_float_digits",
    "lc_monetary",
    "lc_numeric",
    "lc_time",
    "quote_all_identifiers",
    "timezone_abbreviations",
    "xmlbinary",
    "xmloption",
];

/// The `SET` clauses of a function that evaluates a user's texts. What the database and the migration role say of dates, numbers and so on
/// holds for every writer, as it does for the backfill.
pub(crate) fn clauses() -> Sql {
    let parsed = PARSED.iter().map(|(name, value)| sql!(" SET {} = {}", Sql::trusted(*name), Sql::trusted(*value)));
    let current = LOOKED_AT.iter().map(|name| sql!(" SET {} FROM CURRENT", Sql::trusted(*name)));
    join(parsed.chain(current), "")
}

/// `SET …` for a session: how texts are parsed.
pub fn parsing() -> Sql {
    join(PARSED.iter().map(|(name, value)| sql!("SET {} = {}", Sql::trusted(*name), Sql::trusted(*value))), "; ")
}
