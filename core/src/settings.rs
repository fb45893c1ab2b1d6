//! Settings that change what a text means, or how a value is printed and read: conversions run under the same ones, whoever writes.

use crate::sql;
use crate::sql::{Sql, dollar_quoted, join, literal};

/// How a text is parsed, and names are printed. The tool's own sessions have the same values.
const PARSED: [(&str, &str); 4] = [
    ("standard_conforming_strings", "on"),
    ("transform_null_equals", "off"),
    ("backslash_quote", "safe_encoding"),
    // names of the catalog are compared with those of the migrations
    ("quote_all_identifiers", "off"),
];
/// What functions, casts and the assignment to a column of another type look at.
const LOOKED_AT: [&str; 12] = [
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
    "xmlbinary",
    "xmloption",
];
/// The same, but the server reads a file each time that it is set, which takes longer than all else: a function looks whether the writer
/// has another value.
const ABBREVIATIONS: &str = "timezone_abbreviations";
/// What stands for the migration's value of it in a function's text. No role but a superuser could hand it over in a setting of ours.
const MIGRATIONS: &str = "'diptych: timezone_abbreviations of the migration'";

/// The `SET` clauses of a function that evaluates a user's texts. What the database and the migration role say of dates, numbers and so on
/// holds for every writer, as it does for the backfill. Each costs the writer a moment in each row.
pub(crate) fn clauses() -> Sql {
    let parsed = PARSED.iter().map(|(name, value)| sql!(" SET {} = {}", Sql::trusted(*name), Sql::trusted(*value)));
    let current = LOOKED_AT.iter().map(|name| sql!(" SET {} FROM CURRENT", Sql::trusted(*name)));
    join(parsed.chain(current), "")
}

/// Statements of a function with these clauses, with what is too dear for a clause around them.
pub(crate) fn around(statements: &Sql) -> Sql {
    let set = |value: &str| {
        sql!("PERFORM pg_catalog.set_config('{}', {}, true);", Sql::trusted(ABBREVIATIONS), Sql::trusted(value.to_owned()))
    };
    sql!(
        "DECLARE\n\"diptych:abbreviations\" pg_catalog.text := nullif(pg_catalog.current_setting('{}'), {});\nBEGIN\nIF \"diptych:abbreviations\" IS NOT NULL THEN {} END IF;\n{}\nIF \"diptych:abbreviations\" IS NOT NULL THEN {} END IF;\nEND;",
        Sql::trusted(ABBREVIATIONS),
        Sql::trusted(MIGRATIONS),
        set(MIGRATIONS),
        statements,
        set("\"diptych:abbreviations\"")
    )
}

/// Creates such a function, with the value that the migration's session has.
pub(crate) fn settle(create: &Sql) -> Sql {
    let text = sql!(
        "\nBEGIN\nEXECUTE pg_catalog.replace({}, {}, pg_catalog.quote_literal(pg_catalog.current_setting('{}')));\nEND\n",
        dollar_quoted(create),
        literal(MIGRATIONS),
        Sql::trusted(ABBREVIATIONS)
    );
    sql!("DO {}", dollar_quoted(&text))
}

/// `SET …` for a session: how texts are parsed.
pub fn parsing() -> Sql {
    join(PARSED.iter().map(|(name, value)| sql!("SET {} = {}", Sql::trusted(*name), Sql::trusted(*value))), "; ")
}
