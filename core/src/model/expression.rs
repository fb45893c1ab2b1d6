//! A SQL text of the user's own, with what it reads.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use crate::model::facts::{Facts, Volatility};
use crate::model::lexer;

/// A SQL text of the user's own: a default, a check, a predicate, a conversion. It is never edited (R6), and what it reads is a fact that
/// goes with it (R10). Two are equal where their texts are.
///
/// Files have the text alone.
#[derive(Clone, Default)]
pub struct Expression {
    text: String,
    facts: Option<Box<Facts>>,
    /// The text in the older version, where a rename has given it another one since.
    former: Option<String>,
}

impl Expression {
    /// A text of which nothing is known yet.
    pub fn new(text: impl Into<String>) -> Self {
        Expression { text: text.into(), facts: None, former: None }
    }

    /// A constant: it reads nothing.
    pub fn constant(text: &str) -> Self {
        Expression::new(text).with(Facts { printed: text.to_owned(), ..Facts::default() })
    }

    /// An expression of the tool's own over one column.
    pub fn over(column: &str, text: &str) -> Self {
        let facts = Facts { columns: [column.to_owned()].into(), printed: text.to_owned(), ..Facts::default() };
        Expression::new(text).with(facts)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether a name stands in it, of whatever.
    pub fn mentions(&self, name: &str) -> bool {
        lexer::words(&self.text).any(|word| word == name)
    }

    /// What is known of it.
    pub fn known(&self) -> Option<&Facts> {
        self.facts.as_deref()
    }

    /// What it reads: known, or what it seems to, in a scope of these columns.
    pub fn facts<'a>(&self, columns: impl IntoIterator<Item = &'a str>) -> Cow<'_, Facts> {
        match &self.facts {
            Some(facts) => Cow::Borrowed(facts),
            None => Cow::Owned(lexer::assume(&self.text, "", columns)),
        }
    }

    /// Whether PostgreSQL adds a column with this default without a rewrite: one that is the same for every row.
    pub fn is_fast_default(&self) -> bool {
        self.facts([]).volatility != Volatility::Volatile
    }

    /// A column's default, of which NULL is none.
    pub fn default_of(text: &str) -> Option<Self> {
        (!lexer::is_null(text)).then(|| text.into())
    }

    /// The same text with what it reads.
    #[must_use]
    pub fn with(mut self, facts: Facts) -> Self {
        self.facts = Some(Box::new(facts));
        self
    }

    /// The same in the words that it has after a rename in its scope.
    #[must_use]
    pub fn reworded(self, now: Expression) -> Self {
        Expression { former: self.former.or(Some(self.text)), ..now }
    }

    /// The text that the older version has for it.
    pub fn former(&self) -> &str {
        self.former.as_deref().unwrap_or(&self.text)
    }

    /// The same, in the words of another that says it.
    #[must_use]
    pub fn in_words_of(self, other: &Expression) -> Self {
        Expression { text: other.text.clone(), ..self }
    }

    /// The text as one that was never told otherwise: the version that has it is a version of its own by now.
    pub fn settle(&mut self) {
        self.former = None;
    }

    /// The ways in which it is said: the text, and what PostgreSQL prints for it.
    pub fn words(&self) -> impl Iterator<Item = String> {
        let printed = self.known().filter(|facts| !facts.is_assumed).map(|facts| facts.printed.clone());
        std::iter::once(self.text.clone()).chain(printed)
    }

    /// Whether two texts say the same, as far as PostgreSQL's printing of them tells.
    pub fn says_the_same(&self, other: &Expression) -> bool {
        self.text == other.text || other.words().any(|text| self.words().any(|own| lexer::alike(&own, &text)))
    }

    /// The same of texts that may be absent.
    pub fn same(one: &Option<Expression>, other: &Option<Expression>) -> bool {
        match (one, other) {
            (Some(one), Some(other)) => one.says_the_same(other),
            (one, other) => one.is_none() && other.is_none(),
        }
    }
}

/// Whether two things are equal, but for the words of texts that say the same.
pub(crate) fn alike<T: Clone + PartialEq>(
    one: &T,
    other: &T,
    texts: impl Fn(&T) -> Vec<&Expression>,
    texts_mut: impl Fn(&mut T) -> Vec<&mut Expression>,
) -> bool {
    let mut other = other.clone();
    let (own, theirs) = (texts(one), texts_mut(&mut other));
    let same = own.len() == theirs.len() && own.iter().zip(&theirs).all(|(own, their)| own.says_the_same(their));
    if same {
        theirs.into_iter().zip(own).for_each(|(their, own)| their.clone_from(own));
    }
    same && *one == other
}

impl Deref for Expression {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for Expression {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, out)
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Expression {}

impl From<&str> for Expression {
    fn from(text: &str) -> Self {
        Expression::new(text)
    }
}

impl From<String> for Expression {
    fn from(text: String) -> Self {
        Expression::new(text)
    }
}

impl Serialize for Expression {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Expression {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Expression::new)
    }
}
