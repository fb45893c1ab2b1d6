//! The words of a SQL text, strings and comments left out.
//!
//! What a text reads is asked of PostgreSQL ([`crate::model::book`]). This is for where there is no server: the build, messages, and texts that
//! use what a migration's own SQL is yet to make.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::facts::{Facts, Volatility};
use crate::{model::types, sql};

/// A part of a text that means something, with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: Kind,
    /// Where it begins, in bytes.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
}

/// What a token is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A name, or a keyword that may be one: folded as the server does, or as it stands between quotes.
    Word(String),
    /// A keyword that can be no column's name without quotes.
    Keyword(String),
    /// A string literal.
    String,
    /// A number.
    Number,
    /// `::`.
    Cast,
    /// Any other character.
    Symbol(char),
}

/// The tokens of a text. One that ends within quotes has what it would have with the quotes closed.
pub fn tokens(text: &str) -> Vec<Token> {
    let mut lexer = Lexer { text, at: 0, found: Vec::new() };
    while lexer.at < text.len() {
        lexer.step();
    }
    lexer.found
}

/// The names of a text.
pub fn words(text: &str) -> impl Iterator<Item = String> {
    tokens(text).into_iter().filter_map(|token| match token.kind {
        Kind::Word(word) => Some(word),
        _ => None,
    })
}

/// Whether two texts differ in spaces and comments at most.
pub fn alike(one: &str, other: &str) -> bool {
    let (ones, others) = (tokens(one), tokens(other));
    let same = |(a, b): (&Token, &Token)| {
        a.kind == b.kind && (!matches!(a.kind, Kind::String | Kind::Number) || one[a.start..a.end] == other[b.start..b.end])
    };
    ones.len() == others.len() && ones.iter().zip(&others).all(same)
}

/// In order.
const RESERVED: [&str; 100] = [
    "all",
    "analyse",
    "analyze",
    "and",
    "any",
    "array",
    "as",
    "asc",
    "asymmetric",
    "authorization",
    "binary",
    "both",
    "case",
    "cast",
    "check",
    "collate",
    "collation",
    "column",
    "concurrently",
    "constraint",
    "create",
    "cross",
    "current_catalog",
    "current_date",
    "current_role",
    "current_schema",
    "current_time",
    "current_timestamp",
    "current_user",
    "default",
    "deferrable",
    "desc",
    "distinct",
    "do",
    "else",
    "end",
    "except",
    "false",
    "fetch",
    "for",
    "foreign",
    "freeze",
    "from",
    "full",
    "grant",
    "group",
    "having",
    "ilike",
    "in",
    "initially",
    "inner",
    "intersect",
    "into",
    "is",
    "isnull",
    "join",
    "lateral",
    "leading",
    "left",
    "like",
    "limit",
    "localtime",
    "localtimestamp",
    "natural",
    "not",
    "notnull",
    "null",
    "offset",
    "on",
    "only",
    "or",
    "order",
    "outer",
    "overlaps",
    "placing",
    "primary",
    "references",
    "returning",
    "right",
    "select",
    "session_user",
    "similar",
    "some",
    "symmetric",
    "table",
    "tablesample",
    "then",
    "to",
    "trailing",
    "true",
    "union",
    "unique",
    "user",
    "using",
    "variadic",
    "verbose",
    "when",
    "where",
    "window",
    "with",
];

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    found: Vec<Token>,
}

impl Lexer<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn push(&mut self, kind: Kind, length: usize) {
        let end = (self.at + length).min(self.text.len());
        self.found.push(Token { kind, start: self.at, end });
        self.at = end;
    }

    fn step(&mut self) {
        let rest = self.rest();
        let Some(first) = rest.chars().next() else { return };
        let second = rest[first.len_utf8()..].chars().next();
        if first.is_whitespace() {
            self.at += first.len_utf8();
        } else if rest.starts_with("--") {
            self.at += rest.find('\n').unwrap_or(rest.len());
        } else if rest.starts_with("/*") {
            self.at += comment(rest);
        } else if let Some(length) = string(rest) {
            self.push(Kind::String, length);
        } else if first == '"' {
            let (name, length) = quoted(rest);
            self.push(Kind::Word(name), length);
        } else if rest.get(..3).is_some_and(|start| start.eq_ignore_ascii_case("u&\"")) {
            let (name, length) = quoted(&rest[2..]);
            self.push(Kind::Word(name), length + 2);
        } else if first.is_ascii_digit() || (first == '.' && second.is_some_and(|c| c.is_ascii_digit())) {
            let length = rest.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '_'))).unwrap_or(rest.len());
            self.push(Kind::Number, length);
        } else if is_word_start(first) {
            let length = rest.find(|c: char| !is_word(c)).unwrap_or(rest.len());
            let word = fold(&rest[..length]);
            let is_reserved = RESERVED.binary_search(&word.as_str()).is_ok();
            self.push(if is_reserved { Kind::Keyword(word) } else { Kind::Word(word) }, length);
        } else if rest.starts_with("::") {
            self.push(Kind::Cast, 2);
        } else {
            self.push(Kind::Symbol(first), first.len_utf8());
        }
    }
}

fn is_word_start(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_' || !c.is_ascii()
}

fn is_word(c: char) -> bool {
    is_word_start(c) || c.is_ascii_digit() || c == '$'
}

/// As the server folds names without quotes.
fn fold(name: &str) -> String {
    name.to_lowercase()
}

fn comment(text: &str) -> usize {
    let (mut depth, mut at) = (0usize, 0);
    while at < text.len() {
        if text[at..].starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if text[at..].starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

/// The length of the string literal that a text begins with.
fn string(text: &str) -> Option<usize> {
    let lower = text.get(..2).map(str::to_ascii_lowercase).unwrap_or_default();
    let (prefix, escapes) = match lower.as_str() {
        "e'" => (1, true),
        "b'" | "x'" | "n'" => (1, false),
        "u&" if text[2..].starts_with('\'') => (2, false),
        _ if text.starts_with('\'') => (0, false),
        _ => return dollar_quoted(text),
    };
    let mut rest = text[prefix + 1..].char_indices().peekable();
    while let Some((at, c)) = rest.next() {
        match c {
            '\\' if escapes => drop(rest.next()),
            '\'' if rest.peek().is_some_and(|(_, next)| *next == '\'') => drop(rest.next()),
            '\'' => return Some(prefix + 1 + at + 1),
            _ => {}
        }
    }
    Some(text.len())
}

fn dollar_quoted(text: &str) -> Option<usize> {
    let inside = text.strip_prefix('$')?;
    let end = inside.find('$')?;
    let tag = &inside[..end];
    if tag.starts_with(|c: char| c.is_ascii_digit()) || !tag.chars().all(|c| is_word(c) && c != '$') {
        return None;
    }
    let opening = &text[..end + 2];
    let body = &text[opening.len()..];
    Some(body.find(opening).map_or(text.len(), |at| opening.len() * 2 + at))
}

/// The name between double quotes, and its length with them.
fn quoted(text: &str) -> (String, usize) {
    let mut name = String::new();
    let mut rest = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = rest.next() {
        match c {
            '"' if rest.peek().is_some_and(|(_, next)| *next == '"') => {
                name.push('"');
                rest.next();
            }
            '"' => return (name, at + 1),
            c => name.push(c),
        }
    }
    (name, text.len())
}

/// What a text that stands in a table's scope seems to read: assumed, where nobody can be asked.
pub fn assume<'a>(text: &str, table: &str, columns: impl IntoIterator<Item = &'a str>) -> Facts {
    let columns: BTreeSet<&str> = columns.into_iter().collect();
    let tokens = tokens(text);
    let kind = |at: Option<usize>| at.and_then(|at| tokens.get(at)).map(|token| &token.kind);
    let mut facts = Facts { is_assumed: true, printed: text.to_owned(), ..Facts::default() };
    let mut calls = false;
    for (at, token) in tokens.iter().enumerate() {
        let (before, after) = (kind(at.checked_sub(1)), kind(Some(at + 1)));
        let word = match &token.kind {
            Kind::Keyword(word) => {
                if CLOCKS.contains(&word.as_str()) || word == "current_user" {
                    facts.volatility = facts.volatility.max(Volatility::Stable);
                } else if word == "select" || word == "table" {
                    facts.relations.insert("a sub-select".to_owned());
                }
                calls |= after == Some(&Kind::Symbol('(')) && ["left", "right"].contains(&word.as_str());
                continue;
            }
            // a quote that is never closed is a word of nothing, and no table is called so
            Kind::Word(word) if before != Some(&Kind::Cast) && !word.is_empty() => word,
            _ => continue,
        };
        let qualifier = match (before, kind(at.checked_sub(2))) {
            (Some(Kind::Symbol('.')), Some(Kind::Word(qualifier))) => Some(qualifier),
            _ => None,
        };
        let is_qualifier = after == Some(&Kind::Symbol('.'));
        let is_relation =
            matches!(before, Some(Kind::Keyword(word)) if ["from", "join", "only", "table"].contains(&word.as_str()));
        if after == Some(&Kind::Symbol('(')) {
            calls |= !NO_FUNCTIONS.contains(&word.as_str());
            facts.draws_numbers |= word == "nextval";
            if let (true, Some(Kind::String)) = (word == "nextval", kind(Some(at + 2))) {
                let name = &text[tokens[at + 2].start..tokens[at + 2].end];
                facts.sequences.extend(words(name.trim_matches('\'')).last());
            }
        } else if word == table && is_qualifier && qualifier.is_none() {
            facts.whole_row |= kind(Some(at + 2)) == Some(&Kind::Symbol('*'));
        } else if columns.contains(word.as_str()) && qualifier.is_none_or(|qualifier| qualifier == table) {
            facts.columns.insert(word.clone());
        } else if word == table && qualifier.is_none() {
            facts.whole_row |= !is_relation;
        } else if SYSTEM_COLUMNS.contains(&word.as_str()) {
            facts.system_columns = true;
        }
    }
    if calls {
        facts.volatility = if is_clock(text) { Volatility::Stable } else { Volatility::Volatile };
    }
    facts
}

/// What a default surely reads, where its text says it: a plain literal, or the clock. Most are of this kind.
pub fn certain(text: &str) -> Option<Facts> {
    let all = tokens(text);
    let kinds: Vec<&Kind> = all.iter().map(|token| &token.kind).collect();
    let raw = |at: usize| &text[all[at].start..all[at].end];
    let volatility = match &kinds[..] {
        [Kind::Symbol('+' | '-'), Kind::Number] | [Kind::Number | Kind::String] => Volatility::Immutable,
        [Kind::Keyword(word)] if CLOCKS.contains(&word.as_str()) => Volatility::Stable,
        [Kind::Keyword(word)] if ["true", "false", "null"].contains(&word.as_str()) => Volatility::Immutable,
        [Kind::Word(_), Kind::Symbol('('), Kind::Symbol(')')] if raw(0).eq_ignore_ascii_case("now") => Volatility::Stable,
        _ => return None,
    };
    Some(Facts { volatility, printed: text.to_owned(), ..Facts::default() })
}

/// Whether a text is NULL and nothing else, of whatever type: as a default it is none.
pub fn is_null(text: &str) -> bool {
    let kinds: Vec<Kind> = tokens(text).into_iter().map(|token| token.kind).collect();
    is_null_in(&kinds)
}

fn is_null_in(kinds: &[Kind]) -> bool {
    let is = |kind: &Kind, wanted: &str| matches!(kind, Kind::Keyword(word) | Kind::Word(word) if word == wanted);
    match kinds {
        [null] => is(null, "null"),
        [cast, Kind::Symbol('('), null @ .., Kind::Symbol(')')] if is(cast, "cast") => {
            null.iter().position(|kind| is(kind, "as")).is_some_and(|at| is_null_in(&null[..at]))
        }
        [Kind::Symbol('('), inner @ .., Kind::Symbol(')')] if is_null_in(inner) => true,
        _ => kinds.iter().position(|kind| *kind == Kind::Cast).is_some_and(|at| is_null_in(&kinds[..at])),
    }
}

/// The clock of the transaction, as keywords.
const CLOCKS: [&str; 5] = ["current_date", "current_time", "current_timestamp", "localtime", "localtimestamp"];

/// What every table has besides its own columns.
const SYSTEM_COLUMNS: [&str; 6] = ["tableoid", "ctid", "xmin", "xmax", "cmin", "cmax"];

/// Names that call no function although a parenthesis follows.
const NO_FUNCTIONS: [&str; 10] = ["between", "by", "coalesce", "exists", "greatest", "least", "nullif", "over", "row", "varying"];

/// The clock of the transaction, which is the same for every row.
fn is_clock(text: &str) -> bool {
    let words: Vec<Kind> = tokens(text).into_iter().map(|token| token.kind).collect();
    let now = [Kind::Word("now".to_owned()), Kind::Symbol('('), Kind::Symbol(')')];
    words.starts_with(&now) && words.get(3).is_none_or(|next| *next == Kind::Cast)
}

/// A text after a column's rename, as it seems to be; for where nobody can be asked.
pub fn renamed(text: &str, table: &str, from: &str, to: &str) -> String {
    replaced(text, to, |before, word, after| {
        let is_called = after == Some(&Kind::Symbol('('));
        let is_foreign = before.1 == Some(&Kind::Symbol('.')) && before.0 != Some(&Kind::Word(table.to_owned()));
        word == from && !is_called && !is_foreign && before.1 != Some(&Kind::Cast)
    })
}

/// A text after its table's rename, as it seems to be; for where nobody can be asked. Alone, a name that a column has as well is the column.
pub fn renamed_table(text: &str, from: &str, to: &str, is_column: bool) -> String {
    replaced(text, to, |before, word, after| {
        let is_other = matches!(before.1, Some(Kind::Symbol('.') | Kind::Cast)) || after == Some(&Kind::Symbol('('));
        word == from && !is_other && (!is_column || after == Some(&Kind::Symbol('.')))
    })
}

/// A text with a name in place of words, which are shown with the two tokens before them and the one after.
fn replaced(text: &str, name: &str, is_it: impl Fn((Option<&Kind>, Option<&Kind>), &str, Option<&Kind>) -> bool) -> String {
    let all = tokens(text);
    let kind = |at: Option<usize>| at.and_then(|at| all.get(at)).map(|token| &token.kind);
    let mut result = String::new();
    let mut written = 0;
    for (at, token) in all.iter().enumerate() {
        let Kind::Word(word) = &token.kind else { continue };
        if is_it((kind(at.checked_sub(2)), kind(at.checked_sub(1))), word, kind(Some(at + 1))) {
            result.push_str(&text[written..token.start]);
            result.push_str(&types::spelled(name));
            written = token.end;
        }
    }
    result.push_str(&text[written..]);
    result
}

/// A text whose literals of some labels have others, as it seems to be; for where nobody can be asked.
pub fn relabelled(text: &str, names: &BTreeMap<String, String>) -> String {
    let mut result = String::new();
    let mut written = 0;
    for token in tokens(text).iter().filter(|token| token.kind == Kind::String) {
        let whole = &text[token.start..token.end];
        if let Some(to) = sql::quoted(whole).and_then(|(value, _)| names.get(&value)) {
            result.push_str(&text[written..token.start]);
            result.push_str(sql::literal(to).as_str().trim_start());
            written = token.end;
        }
    }
    result.push_str(&text[written..]);
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_columns_from_what_looks_like_them() {
        let columns = ["name", "age", "text", "Name", "users"];
        for (text, expected) in [
            ("kind IN ('name', 'age')", ""),
            ("kind -- name\n = 'x' /* age /* name */ */", ""),
            ("name(age)", "age"),
            ("users.name || other.age", "name"),
            ("age::text", "age"),
            ("lower(NAME) <> \"Name\"", "Name,name"),
            ("$$name$$ || $a$ age $$ $a$ || E'\\'name' || U&'age'", ""),
            ("nam || ages", ""),
        ] {
            let read: Vec<String> = assume(text, "users", columns).columns.into_iter().collect();
            assert_eq!(read.join(","), expected, "{text}");
        }
        assert!(
            assume("to_jsonb(people)", "people", columns).whole_row && assume("people.* IS NULL", "people", columns).whole_row
        );
        assert!(!assume("people.name", "people", columns).whole_row && !assume("\"", "", columns).whole_row);
        assert!(
            !assume("(SELECT 1)", "people", columns).relations.is_empty()
                && assume("'select'", "people", columns).relations.is_empty()
        );
    }

    #[test]
    fn what_calls_nothing_changes_with_nothing() {
        for (text, expected) in [
            ("0", Volatility::Immutable),
            ("'it''s'::text", Volatility::Immutable),
            ("'random()'", Volatility::Immutable),
            ("now()", Volatility::Stable),
            ("CURRENT_DATE", Volatility::Stable),
            ("random()", Volatility::Volatile),
            ("'a' || f('b')", Volatility::Volatile),
        ] {
            assert_eq!(assume(text, "t", []).volatility, expected, "{text}");
        }
        for (text, is_certain) in
            [("0", true), ("'x'", true), ("NULL", true), ("-1.5", true), ("now()", true), ("'x'::mood", false), ("f()", false)]
        {
            assert_eq!(certain(text).is_some(), is_certain, "{text}");
        }
        let drawn = |text: &str| assume(text, "t", []).sequences.into_iter().collect::<Vec<_>>();
        assert_eq!(drawn("nextval('Shop.Invoices'::regclass) + nextval ( '\"In voices\"')"), ["In voices", "invoices"]);
        assert!(drawn("nextval(name) || 'nextval'").is_empty());
        assert!(assume("nextval('s')", "t", []).draws_numbers && !assume("'nextval'", "t", []).draws_numbers);
    }

    #[test]
    fn a_rename_leaves_strings_and_others_alone() {
        let text = "length(name) > 3 AND users.name <> 'name' -- name\n AND other.name::name = name(1)";
        assert_eq!(
            renamed(text, "users", "name", "Title"),
            "length(\"Title\") > 3 AND users.\"Title\" <> 'name' -- name\n AND other.name::name = name(1)"
        );
    }
}
