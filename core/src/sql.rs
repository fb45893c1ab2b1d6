//! SQL text: the only place that quotes and prints.

use serde::{Deserialize, Serialize};
use std::fmt;

/// SQL text that was put together from quoted parts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Default)]
#[serde(transparent)]
pub struct Sql(String);

/// Puts SQL together: a template whose arguments must be [`Sql`] or integers, never plain strings.
#[macro_export]
macro_rules! sql {
    ($template:literal $(, $argument:expr)* $(,)?) => {
        $crate::sql::Sql::trusted(format!($template $(, $crate::sql::Fragment::fragment(&$argument))*))
    };
}

/// What may stand in a [`sql!`] template.
pub trait Fragment {
    /// The text that is printed in its place.
    fn fragment(&self) -> String;
}

impl Fragment for Sql {
    fn fragment(&self) -> String {
        self.0.clone()
    }
}

impl<F: Fragment> Fragment for &F {
    fn fragment(&self) -> String {
        (*self).fragment()
    }
}

macro_rules! integers {
    ($($integer:ty),*) => { $(impl Fragment for $integer {
        fn fragment(&self) -> String { self.to_string() }
    })* };
}
integers!(u32, i64, u64, usize);

impl Sql {
    /// Text that is known to be SQL: constants and the results of [`sql!`].
    pub fn trusted(text: impl Into<String>) -> Self {
        Sql(text.into())
    }

    /// The text as it is sent to the server.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Sql {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// A quoted identifier. Always quoted, so that reserved words and case need no thought.
pub fn ident(name: &str) -> Sql {
    Sql(format!("\"{}\"", name.replace('"', "\"\"")))
}

/// A quoted identifier within a schema.
pub fn qualified(schema: &str, name: &str) -> Sql {
    Sql(format!("{}.{}", ident(schema), ident(name)))
}

/// A string literal; an escape string where it holds backslashes, whatever `standard_conforming_strings` says.
pub fn literal(text: &str) -> Sql {
    let doubled = text.replace('\'', "''");
    if doubled.contains('\\') { Sql(format!(" E'{}'", doubled.replace('\\', "\\\\"))) } else { Sql(format!("'{doubled}'")) }
}

/// A user's own expression in parentheses. Opaque: never edited; a trailing `--` comment cannot swallow what follows.
pub fn user(expression: &str) -> Sql {
    if expression.contains("--") { Sql(format!("({expression}\n)")) } else { Sql(format!("({expression})")) }
}

/// A user's own statement or default, as written.
pub fn verbatim(text: &str) -> Sql {
    Sql(text.to_owned())
}

/// A name that may be written with its schema, `pg_catalog."C"`.
pub fn dotted(name: &str) -> Sql {
    if name.contains('"') { verbatim(name) } else { join(name.split('.').map(ident), ".") }
}

/// A type name as the model holds it (normalised by [`crate::model::types::normalize`]).
pub fn type_name(name: &str) -> Sql {
    Sql(name.to_owned())
}

/// Parts joined by a separator.
pub fn join(parts: impl IntoIterator<Item = Sql>, separator: &str) -> Sql {
    Sql(parts.into_iter().map(|part| part.0).collect::<Vec<_>>().join(separator))
}

/// An operation by one of the server's own operators, whatever stands in other schemas of the path.
pub fn operation(left: &Sql, operator: &str, right: &Sql) -> Sql {
    Sql(format!("({left} OPERATOR(pg_catalog.{operator}) {right})"))
}

/// Texts put together; NULL where one of them is.
pub fn concatenation(parts: impl IntoIterator<Item = Sql>) -> Sql {
    let joined = parts.into_iter().reduce(|left, right| operation(&left, "||", &right));
    joined.unwrap_or_else(|| literal(""))
}

/// Quoted names, comma-separated.
pub fn idents<'a>(names: impl IntoIterator<Item = &'a String>) -> Sql {
    join(names.into_iter().map(|name| ident(name)), ", ")
}

/// The value of the string literal that a text begins with, and what follows it.
pub fn quoted(text: &str) -> Option<(String, &str)> {
    let escaped = text.strip_prefix(['E', 'e']).filter(|rest| rest.starts_with('\''));
    let inside = escaped.unwrap_or(text).strip_prefix('\'')?;
    let mut value = String::new();
    let mut rest = inside.char_indices();
    while let Some((at, c)) = rest.next() {
        match c {
            '\'' if inside[at + 1..].starts_with('\'') => value.extend(rest.next().map(|(_, c)| c)),
            '\'' => return Some((value, &inside[at + 1..])),
            // `\n` and its like stand for another character
            '\\' if escaped.is_some() => value.push(rest.next().map(|(_, c)| c).filter(|c| !c.is_alphanumeric())?),
            c => value.push(c),
        }
    }
    None
}

/// Whether a text is one quoted literal, whose type is that of the column that it is for.
pub fn is_quoted(text: &str) -> bool {
    quoted(text.trim()).is_some_and(|(_, rest)| rest.is_empty())
}

/// The label of a default that is a plain literal, and what follows it: a cast or nothing.
pub(crate) fn label_of(text: &str) -> Option<(String, &str)> {
    let (label, rest) = quoted(text.trim())?;
    let is_cast = rest.is_empty() || rest.starts_with("::") && !rest.contains(['(', '\'', '|', '+']);
    is_cast.then_some((label, rest))
}

/// A default that is a plain literal, without its cast.
pub fn literal_of(text: &str) -> Option<&str> {
    let text = text.trim();
    label_of(text).map(|(_, rest)| &text[..text.len() - rest.len()])
}

/// A body between dollar quotes whose tag the body does not hold.
pub fn dollar_quoted(body: &Sql) -> Sql {
    let tag = (0..)
        .map(|n| if n == 0 { "$diptych$".to_owned() } else { format!("$diptych{n}$") })
        .find(|tag| !body.0.contains(tag.trim_end_matches('$')))
        .unwrap_or_default();
    Sql(format!("{tag}{}{tag}", body.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_what_could_break_out() {
        assert_eq!(ident("a\"b").as_str(), "\"a\"\"b\"");
        assert_eq!(literal("it's \\").as_str(), " E'it''s \\\\'");
        assert_eq!(dollar_quoted(&Sql::trusted("x$diptych$y")).as_str(), "$diptych1$x$diptych$y$diptych1$");
    }
}
