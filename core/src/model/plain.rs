//! What means and gives the same under all settings of a session.
//!
//! PostgreSQL says which functions and operators a text uses. That none of them looks at a setting it does not say: a `double precision`
//! is printed by a function that it calls immutable, with as many digits as a setting wants.

use crate::model::lexer::{self, Kind};

/// Types whose values are printed and read in the same way under all settings.
const PLAIN_TYPES: [&str; 8] = ["bigint", "boolean", "character varying", "integer", "numeric", "smallint", "text", "uuid"];

/// Words of texts over such types that mean the same under all settings: those of the language, types, functions of the server's own.
/// What gives a `double precision` is none of them, since that is printed in several ways.
const PLAIN_WORDS: &str = "and as asymmetric between bigint bool boolean both btrim case cast char_length character character_length coalesce \
    concat concat_ws decimal distinct else end false for from greatest in initcap int int2 int4 int8 integer is leading least left length like \
    lower lpad ltrim md5 not null nullif numeric octet_length or overlay placing position repeat replace reverse right rpad rtrim smallint \
    split_part starts_with strpos substr substring symmetric text then trailing translate trim true upper uuid varchar varying when";

/// Operators over such types, and what stands between words: no power, no roots, no search.
const PLAIN_SYMBOLS: &str = "(),.+-*/%|<>=!~";

/// Whether values of a type are printed and read in the same way under all settings.
pub(crate) fn is_plain(sql_type: &str) -> bool {
    PLAIN_TYPES.contains(&sql_type.split('(').next().unwrap_or(sql_type))
}

/// Whether a text over columns of plain types means and gives the same under all settings. It calls nothing but the server's own; the
/// names are those that it may use for columns and tables.
pub(crate) fn reads_no_setting(text: &str, names: &[&str]) -> bool {
    let tokens = lexer::tokens(text);
    let is_plain = |(at, token): (usize, &lexer::Token)| {
        let written = &text[token.start..token.end];
        match &token.kind {
            Kind::Word(word) if names.contains(&word.as_str()) => true,
            Kind::Word(word) | Kind::Keyword(word) => PLAIN_WORDS.split_ascii_whitespace().any(|plain| plain == word),
            Kind::String => written.starts_with('\'') && !written.contains('\\'),
            Kind::Number | Kind::Cast => true,
            // a root
            Kind::Symbol('/') if at > 0 && tokens[at - 1].kind == Kind::Symbol('|') => false,
            // `transform_null_equals`
            Kind::Symbol('=') => !stands_beside_null(&tokens, at),
            Kind::Symbol(symbol) => PLAIN_SYMBOLS.contains(*symbol),
        }
    };
    tokens.iter().enumerate().all(is_plain)
}

fn stands_beside_null(tokens: &[lexer::Token], at: usize) -> bool {
    let is_null = |token: Option<&lexer::Token>| token.is_some_and(|token| token.kind == Kind::Keyword("null".to_owned()));
    let before = tokens[..at].iter().rev().find(|token| token.kind != Kind::Symbol(')'));
    let after = tokens[at + 1..].iter().find(|token| token.kind != Kind::Symbol('('));
    is_null(before) || is_null(after)
}

#[cfg(test)]
mod tests {
    use super::{is_plain, reads_no_setting};

    #[test]
    fn tells_what_reads_a_setting() {
        for text in [
            "n",
            "items.n",
            "coalesce(n, 0) * 2",
            "CASE WHEN n = 1 THEN NULL ELSE lower(trim(BOTH ' ' FROM a)) END",
            "a || ' ' || n::text",
            "CAST(a AS varchar(20))",
            "split_part(a, ',', 1)",
            "n IS NOT NULL AND a <> ''",
        ] {
            assert!(reads_no_setting(text, &["n", "a", "items"]), "{text}");
        }
        for text in [
            "a::date",
            "CASE WHEN a = NULL THEN 'x' END",
            "CASE WHEN (NULL) = a THEN 'x' END",
            "a || '\\'",
            "E'x' || a",
            "U&'x'",
            "(n ^ 2)::text",
            "(|/ n)::text",
            "(n::float8)::text",
            "a @@ 'b'",
            "quote_ident(a)",
            "round(n)::text",
            "a || current_date",
            "mine(a)",
            "other.n",
            "a || now()",
            "to_char(n, '9D9')",
        ] {
            assert!(!reads_no_setting(text, &["n", "a", "items"]), "{text}");
        }
        assert!(is_plain("character varying(20)") && is_plain("numeric(10,2)") && is_plain("bigint"));
        for name in ["date", "bigint[]", "character(3)", "bytea", "double precision", "interval", "mood"] {
            assert!(!is_plain(name), "{name}");
        }
    }
}
