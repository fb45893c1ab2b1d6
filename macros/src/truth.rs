//! What a check says of a row whose values are known, as far as that can be told without a server: for the rows that a running release
//! writes into a table with new columns.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use diptych_core::model::lexer::{Kind, Token, tokens};

/// A value that old writes leave in a column.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    /// NULL.
    Null,
    /// A number.
    Number(f64),
    /// Any other literal.
    Text(String),
    /// `true` or `false`.
    Truth(bool),
}

impl Value {
    /// The value of a plain literal, with or without a cast.
    pub(crate) fn of(literal: &str) -> Option<Value> {
        let mut parser = Parser { text: literal, tokens: tokens(literal), at: 0, row: &BTreeMap::new() };
        let value = parser.product()?;
        parser.is_at_end().then_some(value)
    }
}

/// Whether a row passes a check; none where only a server could tell. NULL passes, as it does there.
pub(crate) fn passes(check: &str, row: &BTreeMap<&str, Value>) -> Option<bool> {
    let mut parser = Parser { text: check, tokens: tokens(check), at: 0, row };
    let value = parser.either()?;
    match value {
        _ if !parser.is_at_end() => None,
        Value::Null => Some(true),
        Value::Truth(truth) => Some(truth),
        _ => None,
    }
}

/// Whether every row that passes one check passes the other as well, as far as that can be told without a server. `false` where it cannot.
pub(crate) fn implies(known: &str, wanted: &str) -> bool {
    let (known, wanted) = (words(known), words(wanted));
    // AND of BETWEEN, and what CASE or an array holds, are no conditions of their own
    let is_plain = |words: &[String]| !words.iter().any(|word| ["between", "case", "["].contains(&word.as_str()));
    known == wanted || is_plain(&known) && is_plain(&wanted) && follows(&known, &wanted)
}

/// A text word by word, as PostgreSQL compares them.
fn words(text: &str) -> Vec<String> {
    let spelled = |token: &Token| match &token.kind {
        Kind::Word(word) | Kind::Keyword(word) if !text[token.start..].starts_with('"') => word.clone(),
        _ => text[token.start..token.end].to_owned(),
    };
    tokens(text).iter().map(spelled).collect()
}

/// A check passes unless it is false: that the one is false wherever the other is, has to be shown.
fn follows(known: &[String], wanted: &[String]) -> bool {
    let (known, wanted) = (bare(known), bare(wanted));
    let (either, both) = (|words| parts(words, "or"), |words| parts(words, "and"));
    if known == wanted {
        return true;
    }
    if either(wanted).len() == 1 && both(wanted).len() > 1 {
        return both(wanted).into_iter().all(|wanted| follows(known, wanted));
    }
    if either(known).len() > 1 {
        return either(known).into_iter().all(|known| follows(known, wanted));
    }
    both(known).len() > 1 && both(known).into_iter().any(|known| follows(known, wanted))
        || either(wanted).len() > 1 && either(wanted).into_iter().any(|wanted| follows(known, wanted))
        || is_within(known, wanted)
}

/// Without parentheses around the whole.
fn bare(words: &[String]) -> &[String] {
    match words {
        [first, inner @ .., last] if first == "(" && last == ")" && is_balanced(inner) => bare(inner),
        _ => words,
    }
}

fn is_balanced(words: &[String]) -> bool {
    let mut depth = 0;
    words.iter().all(|word| {
        depth += i32::from(word == "(") - i32::from(word == ")");
        depth >= 0
    })
}

/// What stands between a word outside of all parentheses.
fn parts<'a>(words: &'a [String], between: &str) -> Vec<&'a [String]> {
    let mut depth = 0;
    let split = words.split(|word| {
        depth += i32::from(word == "(") - i32::from(word == ")");
        depth == 0 && word == between
    });
    split.collect()
}

/// The values that a comparison of a column with literals lets through.
enum Range<'a> {
    Above(f64, bool),
    Below(f64, bool),
    Among(Vec<&'a str>),
}

fn range(words: &[String]) -> Option<(&str, Range<'_>)> {
    let (column, rest) = words.split_first()?;
    let is_name = column.starts_with(|c: char| c.is_alphabetic() || c == '_') && column != "not";
    let is_literal = |word: &String| word.starts_with(|c: char| c == '\'' || c.is_ascii_digit());
    let signs = rest.iter().take_while(|word| ["<", ">", "="].contains(&word.as_str())).count();
    let (operator, operand) = (rest[..signs].concat(), &rest[signs..]);
    // neither a column named `inf`, nor more digits than are compared exactly
    let is_number = |text: &str| text.len() <= 15 && !text.contains(|c: char| c.is_alphabetic());
    let number = |words: &[String]| Some(words.concat()).filter(|text| is_number(text))?.parse::<f64>().ok();
    let range = match (operator.as_str(), operand) {
        ("", [word, open, list @ .., close]) if word == "in" && open == "(" && close == ")" => {
            let items: Vec<&str> = list.iter().step_by(2).map(String::as_str).collect();
            let is_list = list.iter().step_by(2).all(is_literal) && list.iter().skip(1).step_by(2).all(|word| word == ",");
            Range::Among(is_list.then_some(items)?)
        }
        ("=", [one]) if is_literal(one) => Range::Among(vec![one]),
        (">", value) => Range::Above(number(value)?, false),
        (">=", value) => Range::Above(number(value)?, true),
        ("<", value) => Range::Below(number(value)?, false),
        ("<=", value) => Range::Below(number(value)?, true),
        _ => return None,
    };
    is_name.then_some((column, range))
}

fn is_within(known: &[String], wanted: &[String]) -> bool {
    let (Some((column, known)), Some((that, wanted))) = (range(known), range(wanted)) else { return false };
    column == that
        && match (known, wanted) {
            (Range::Above(from, closed), Range::Above(to, open)) => from > to || from == to && (open || !closed),
            (Range::Below(from, closed), Range::Below(to, open)) => from < to || from == to && (open || !closed),
            (Range::Among(few), Range::Among(many)) => few.iter().all(|one| many.contains(one)),
            _ => false,
        }
}

/// Functions that give NULL for a NULL.
const STRICT: [&str; 14] = [
    "abs",
    "array_length",
    "btrim",
    "cardinality",
    "ceil",
    "char_length",
    "floor",
    "length",
    "lower",
    "ltrim",
    "octet_length",
    "round",
    "rtrim",
    "upper",
];

/// A parser that gives up (`None`) at whatever it does not know for sure.
struct Parser<'a> {
    text: &'a str,
    tokens: Vec<Token>,
    at: usize,
    row: &'a BTreeMap<&'a str, Value>,
}

impl Parser<'_> {
    fn is_at_end(&self) -> bool {
        self.at == self.tokens.len()
    }

    fn word(&mut self, wanted: &str) -> bool {
        let found = matches!(self.tokens.get(self.at), Some(Token { kind: Kind::Word(word) | Kind::Keyword(word), .. }) if word == wanted);
        self.at += usize::from(found);
        found
    }

    fn symbol(&mut self, wanted: char) -> bool {
        let found = self.tokens.get(self.at).is_some_and(|token| token.kind == Kind::Symbol(wanted));
        self.at += usize::from(found);
        found
    }

    fn either(&mut self) -> Option<Value> {
        let mut value = self.both()?;
        while self.word("or") {
            value = or(value, self.both()?)?;
        }
        Some(value)
    }

    fn both(&mut self) -> Option<Value> {
        let mut value = self.not()?;
        while self.word("and") {
            let other = self.not()?;
            value = negated(or(negated(value)?, negated(other)?)?)?;
        }
        Some(value)
    }

    fn not(&mut self) -> Option<Value> {
        if self.word("not") { negated(self.not()?) } else { self.compared() }
    }

    fn compared(&mut self) -> Option<Value> {
        let left = self.product()?;
        if self.word("is") {
            let not = self.word("not");
            return self.word("null").then_some(Value::Truth((left == Value::Null) != not));
        }
        let not = self.word("not");
        let value = if self.word("in") {
            self.list(&left)?
        } else if self.word("between") {
            let low = self.product()?;
            let high = self.word("and").then(|| self.product())??;
            let below = negated(compare(&left, &low, |order| order.is_lt())?)?;
            let above = negated(compare(&left, &high, |order| order.is_gt())?)?;
            negated(or(negated(below)?, negated(above)?)?)?
        } else if not {
            return None;
        } else {
            return match self.operator() {
                operator if operator.is_empty() => Some(left),
                operator => {
                    let right = self.product()?;
                    match operator.as_str() {
                        // an array with NULL put to it is the array
                        "||" => None,
                        // whatever other operator, NULL gives NULL: those that differ have functions of their own
                        _ if left == Value::Null || right == Value::Null => Some(Value::Null),
                        "=" => compare(&left, &right, Ordering::is_eq),
                        "<>" | "!=" => compare(&left, &right, Ordering::is_ne),
                        "<" => compare(&left, &right, Ordering::is_lt),
                        "<=" => compare(&left, &right, Ordering::is_le),
                        ">" => compare(&left, &right, Ordering::is_gt),
                        ">=" => compare(&left, &right, Ordering::is_ge),
                        _ => None,
                    }
                }
            };
        };
        if not { negated(value) } else { Some(value) }
    }

    /// The items of `IN (…)`, each compared.
    fn list(&mut self, left: &Value) -> Option<Value> {
        let mut value = Value::Truth(false);
        self.symbol('(').then_some(())?;
        loop {
            let item = self.product()?;
            value = or(value, compare(left, &item, Ordering::is_eq)?)?;
            if !self.symbol(',') {
                break;
            }
        }
        self.symbol(')').then_some(value)
    }

    /// The signs of an operator that compares; none where there is no operator.
    fn operator(&mut self) -> String {
        let mut signs = String::new();
        while let Some(Token { kind: Kind::Symbol(sign @ ('<' | '>' | '=' | '!' | '~' | '@' | '&' | '|' | '?')), .. }) =
            self.tokens.get(self.at)
        {
            signs.push(*sign);
            self.at += 1;
        }
        if signs.is_empty() && (self.word("like") || self.word("ilike")) {
            signs.push_str("like");
        }
        signs
    }

    /// A value, or arithmetic of values, of which only NULL is worked out.
    fn product(&mut self) -> Option<Value> {
        let mut value = self.value()?;
        while ['+', '-', '*', '/', '%'].into_iter().any(|sign| self.symbol(sign)) {
            let other = self.value()?;
            (value == Value::Null || other == Value::Null).then_some(())?;
            value = Value::Null;
        }
        Some(value)
    }

    fn value(&mut self) -> Option<Value> {
        let negative = self.symbol('-');
        let token = self.tokens.get(self.at)?.clone();
        self.at += 1;
        let raw = &self.text[token.start..token.end];
        let value = match token.kind {
            Kind::Number => Value::Number(raw.parse().ok()?),
            Kind::String => Value::Text(raw.strip_prefix('\'')?.strip_suffix('\'')?.replace("''", "'")),
            Kind::Symbol('(') => {
                let value = self.either()?;
                self.symbol(')').then_some(value)?
            }
            Kind::Keyword(word) if word == "null" => Value::Null,
            Kind::Keyword(word) if word == "true" || word == "false" => Value::Truth(word == "true"),
            Kind::Word(name) if STRICT.contains(&name.as_str()) && self.symbol('(') => {
                let first = self.product()?;
                while self.symbol(',') {
                    self.product()?;
                }
                (self.symbol(')') && first == Value::Null).then_some(Value::Null)?
            }
            Kind::Word(name) => self.row.get(name.as_str())?.clone(),
            _ => return None,
        };
        self.casts()?;
        match value {
            Value::Number(number) if negative => Some(Value::Number(-number)),
            Value::Null => Some(Value::Null),
            _ if negative => None,
            value => Some(value),
        }
    }

    /// Casts to types of one or two words, which leave a literal what it is.
    fn casts(&mut self) -> Option<()> {
        while self.tokens.get(self.at).is_some_and(|token| token.kind == Kind::Cast) {
            self.at += 1;
            let is_name = matches!(self.tokens.get(self.at), Some(Token { kind: Kind::Word(_) | Kind::Keyword(_), .. }));
            is_name.then_some(())?;
            self.at += 1;
            let _ = self.word("varying") || self.word("precision");
        }
        Some(())
    }
}

fn negated(value: Value) -> Option<Value> {
    match value {
        Value::Null => Some(Value::Null),
        Value::Truth(truth) => Some(Value::Truth(!truth)),
        _ => None,
    }
}

fn or(one: Value, other: Value) -> Option<Value> {
    match (one, other) {
        (Value::Truth(true), Value::Truth(_) | Value::Null) | (Value::Truth(_) | Value::Null, Value::Truth(true)) => {
            Some(Value::Truth(true))
        }
        (Value::Truth(false), Value::Truth(false)) => Some(Value::Truth(false)),
        (Value::Truth(_) | Value::Null, Value::Truth(_) | Value::Null) => Some(Value::Null),
        _ => None,
    }
}

/// Numbers by size, also where one is written as a text; texts only for equality, since a collation decides the rest.
fn compare(one: &Value, other: &Value, holds: fn(Ordering) -> bool) -> Option<Value> {
    let number = |value: &Value| match value {
        Value::Number(number) => Some(*number),
        Value::Text(text) => text.trim().parse().ok(),
        _ => None,
    };
    let order = match (one, other) {
        (Value::Null, _) | (_, Value::Null) => return Some(Value::Null),
        (Value::Truth(one), Value::Truth(other)) => one.cmp(other),
        (Value::Text(one), Value::Text(other)) if one == other => Ordering::Equal,
        // two texts that differ are neither equal nor, for sure, in this or that order
        (Value::Text(_), Value::Text(_)) => {
            let (less, greater) = (holds(Ordering::Less), holds(Ordering::Greater));
            return (less == greater).then_some(Value::Truth(less));
        }
        _ => number(one)?.partial_cmp(&number(other)?)?,
    };
    Some(Value::Truth(holds(order)))
}

#[cfg(test)]
mod tests {
    use super::{Value, implies, passes};
    use std::collections::BTreeMap;

    #[test]
    fn a_check_of_values_that_are_known() {
        let row = BTreeMap::from([
            ("n", Value::Null),
            ("zero", Value::of("0").unwrap()),
            ("cents", Value::of("'12'::bigint").unwrap()),
            ("kind", Value::of("'new'::character varying").unwrap()),
            ("done", Value::of("false").unwrap()),
        ]);
        for (check, expected) in [
            ("zero >= 0", Some(true)),
            ("zero > 0", Some(false)),
            ("zero BETWEEN -1 AND 5 AND cents > 10", Some(true)),
            ("zero NOT BETWEEN -1 AND 5", Some(false)),
            ("kind IN ('old', 'new')", Some(true)),
            ("kind IN ('old', 'x')", Some(false)),
            ("kind NOT IN ('old', 'x')", Some(true)),
            ("kind <> ''", Some(true)),
            ("kind = ''", Some(false)),
            ("kind > 'a'", None),
            ("kind LIKE 'n%'", None),
            ("n > 0", Some(true)),
            ("n + zero > 5", Some(true)),
            ("n IS NOT NULL", Some(false)),
            ("n IS NULL OR n > 0", Some(true)),
            ("length(n) < 3", Some(true)),
            ("length(kind) < 3", None),
            ("n LIKE '%@%'", Some(true)),
            ("coalesce(n, 0) > 0", None),
            ("NOT done", Some(true)),
            ("done", Some(false)),
            ("done OR zero = 0", Some(true)),
            ("other > 0", None),
            ("other > 0 OR zero = 0", None),
            ("(n || zero) > zero", None),
            ("false", Some(false)),
            ("is_sane(users)", None),
            ("zero >= 0 garbage", None),
            ("(zero) >= (0)", Some(true)),
        ] {
            assert_eq!(passes(check, &row), expected, "{check}");
        }
    }

    #[test]
    fn a_check_that_says_no_more_than_another() {
        for (known, wanted, expected) in [
            ("size > 0", "(size>0)", true),
            ("size > 0", "SIZE > 0", true),
            ("size > 0", "size > -5", true),
            ("size > 0", "size >= 0", true),
            ("size >= 0", "size > 0", false),
            ("size < 9", "size <= 9.5", true),
            ("size > 0", "size > 2", false),
            ("size > 0", "length > -5", false),
            ("size > 0 AND size < 9", "size < 9", true),
            ("size > 0 AND size < 9", "size < 20 AND size > -1", true),
            ("size < 9", "size > 0 AND size < 9", false),
            ("size > 0", "size > 0 OR name = 'x'", true),
            ("size > 0 OR name = 'x'", "size > 0", false),
            ("size > 5 OR size > 7", "size > 5", true),
            ("kind IN ('a', 'b')", "kind IN ('c', 'b', 'a')", true),
            ("kind = 'a'", "kind IN ('a', 'b')", true),
            ("kind IN ('a', 'b')", "kind IN ('a')", false),
            ("NOT size > 0", "NOT size > -5", false),
            ("NOT (size > 0)", "NOT (size > -5)", false),
            ("size BETWEEN 1 AND 5", "size BETWEEN 1 AND 9", false),
            ("a AND (b OR c)", "(b OR c)", true),
            ("(a) OR (b)", "a", false),
            ("name = 'X'", "name = 'x'", false),
            ("size > inf", "size > 5", false),
            ("size > 9007199254740992", "size > 9007199254740993", false),
            ("ARRAY[a AND b] = y AND ARRAY[c AND d] = z", "ARRAY[a AND d] = z", false),
        ] {
            assert_eq!(implies(known, wanted), expected, "{known} => {wanted}");
        }
    }
}
