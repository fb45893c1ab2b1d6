//! Where names are looked up: those of a user's own texts, and those of the tool's own statements.
//!
//! The tool's own statements find nothing but the server's own objects: whoever may create in another schema could put an operator
//! or a function there that fits better than the one that was meant, and it would run with the rights of the migration role.

use serde::{Deserialize, Serialize};

use crate::layout::chain::Chain;
use crate::sql;
use crate::sql::{Sql, ident, join};

/// A `search_path`: the schemas in order; the server's own alone where there are none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Path(Vec<String>);

impl Path {
    /// The tool's own.
    pub fn own() -> Self {
        Path::default()
    }

    /// That of the migrations' texts: the base schema, and `public`, where extensions usually are.
    pub fn base(base: &str) -> Self {
        let public = (base != "public").then(|| "public".to_owned());
        Path(std::iter::once(base.to_owned()).chain(public).collect())
    }

    /// The same with another schema before it.
    #[must_use]
    pub fn behind(mut self, first: &str) -> Self {
        self.0.insert(0, first.to_owned());
        self
    }

    /// The path on which the newer version's names mean its own types, which are in `home`.
    pub fn newer(chain: &Chain, home: &str) -> Self {
        let base = Path::base(&chain.base);
        if chain.makes_types() { base.behind(home) } else { base }
    }

    /// The schemas in order.
    pub fn schemas(&self) -> &[String] {
        &self.0
    }

    /// Whether it is the tool's own.
    pub fn is_own(&self) -> bool {
        self.0.is_empty()
    }

    /// The value of the setting. Temporary objects come last: they are never meant.
    pub fn value(&self) -> Sql {
        let schemas =
            if self.0.is_empty() { Sql::trusted("pg_catalog") } else { join(self.0.iter().map(|name| ident(name)), ", ") };
        sql!("{}, pg_temp", schemas)
    }

    /// The clause of a function.
    pub(crate) fn clause(&self) -> Sql {
        sql!(" SET search_path = {}", self.value())
    }

    /// `SET LOCAL search_path = …`, until the transaction ends or the next of its kind.
    pub fn set_local(&self) -> Sql {
        sql!("SET LOCAL search_path = {}", self.value())
    }

    /// `SET search_path = …`.
    pub fn set(&self) -> Sql {
        sql!("SET search_path = {}", self.value())
    }

    /// Statements of a transaction that hold texts of the user's own, and the tool's own path again behind them.
    pub fn around(&self, statements: impl IntoIterator<Item = Sql>) -> Vec<Sql> {
        let mut inside: Vec<Sql> = statements.into_iter().collect();
        if !inside.is_empty() {
            inside.insert(0, self.set_local());
            inside.push(Path::own().set_local());
        }
        inside
    }
}
