//! What the texts of a stage read: asked where nobody has answered yet, kept with the texts, followed through renames.

use std::collections::BTreeMap;

use super::Stage;
use crate::error::Result;
use crate::model::book::{Question, ScopeColumn, Then};
use crate::model::expression::Expression;
use crate::model::facts::Facts;
use crate::model::own_type::OwnType;
use crate::model::schema::Table;
use crate::model::texts::{Place, Purpose};
use crate::model::types;

impl Stage {
    /// What a text would read in a scope: that of a table under a name.
    pub(crate) fn question(&self, name: &str, scope: &Table, purpose: Purpose, text: &str, then: Vec<Then>) -> Question {
        let column = |column: &crate::model::schema::Column| ScopeColumn {
            name: column.name.clone(),
            sql_type: column.sql_type.clone(),
            collation: column.collation.clone(),
        };
        // the others are in the database as they are here
        let enums = self
            .to
            .enums
            .iter()
            .filter(|(name, model)| self.from.enums.get(*name).map(|there| &there.labels) != Some(&model.labels));
        Question {
            table: name.to_owned(),
            columns: scope.columns.iter().map(column).collect(),
            enums: enums.map(|(name, model)| (name.clone(), model.labels.clone())).collect(),
            extensions: self.made_extensions().cloned().collect(),
            own_types: self.made_types().into_iter().map(|(name, own)| asked(name, own)).collect(),
            sequences: self.made_sequences().map(|(name, _)| name.clone()).collect(),
            purpose,
            text: text.to_owned(),
            then,
        }
    }

    /// A conversion with what it reads in a scope, where that is not known already.
    pub(crate) fn know(&mut self, name: &str, scope: &Table, text: Expression) -> Expression {
        if text.known().is_some() {
            return text;
        }
        let question = self.question(name, scope, Purpose::Value, &text, Vec::new());
        let facts = self.book.ask(question);
        text.with(facts)
    }

    /// A default of a column that is yet to come, with what it reads.
    pub(crate) fn know_default(&mut self, table: &str, sql_type: &str, text: Expression) -> Result<Expression> {
        let scope = self.to.table(table)?;
        let question = self.question(table, scope, Purpose::Default(sql_type.to_owned()), &text, Vec::new());
        let facts = self.book.ask(question);
        Ok(text.with(facts))
    }

    /// Every text of the tables that have changed has its facts.
    pub fn learn(&mut self) {
        for name in std::mem::take(&mut self.unlearned) {
            let Some(table) = self.to.tables.get(&name) else { continue };
            let unknown = |(place, text): (Place, &Expression)| text.known().is_none().then(|| (place, text.as_str().to_owned()));
            let unknown: Vec<(Place, String)> = table.texts().into_iter().filter_map(unknown).collect();
            if unknown.is_empty() {
                continue;
            }
            let questions = unknown.into_iter().map(|(place, text)| {
                let question = self.question(&name, table, table.purpose(&place), &text, Vec::new());
                (place, question)
            });
            let questions: Vec<(Place, Question)> = questions.collect();
            let facts: BTreeMap<Place, Facts> =
                questions.into_iter().map(|(place, question)| (place, self.book.ask(question))).collect();
            for (place, text) in self.to.tables.get_mut(&name).map(Table::texts_mut).unwrap_or_default() {
                if let Some(facts) = facts.get(&place) {
                    *text = std::mem::take(text).with(facts.clone());
                }
            }
        }
    }

    /// The texts for which `concerns` holds as they are after changes in their scope: in their author's words where those still say what
    /// PostgreSQL says, else in its own. Those that the changes leave alone are not among them.
    pub(crate) fn followed(
        &mut self,
        name: &str,
        table: &Table,
        then: &[Then],
        concerns: impl Fn(&Place, &Facts) -> bool,
    ) -> BTreeMap<Place, Expression> {
        let concerned = table.texts().into_iter().filter(|(place, text)| concerns(place, &table.facts(text)));
        let mut questions: Vec<(Place, Question)> = concerned
            .map(|(place, text)| {
                let question = self.question(name, table, table.purpose(&place), text, then.to_vec());
                (place, question)
            })
            .collect();
        for (_, question) in &mut questions {
            for of in then.iter().filter_map(|change| if let Then::Labels { of, .. } = change { Some(of) } else { None }) {
                question.enums.extend(self.to.enums.get(of).map(|model| (of.clone(), model.labels.clone())));
            }
        }
        let followed = questions.into_iter().map(|(place, question)| {
            let said = self.book.ask(question.clone());
            let after = question.after();
            let facts = self.book.ask(after.clone());
            let is_own = facts.printed == said.printed;
            let (text, facts) = if is_own { (after.text, facts) } else { (said.printed.clone(), said) };
            (place, Expression::new(text).with(facts))
        });
        followed.collect()
    }

    /// The texts of a table that have to do with an enum follow the new names of its labels; gives all of them with their places.
    pub(crate) fn relabel(&mut self, table: &str, name: &str, names: &BTreeMap<String, String>) -> Vec<Place> {
        let Some(model) = self.to.tables.get(table) else { return Vec::new() };
        let columns: Vec<String> = model
            .columns
            .iter()
            .filter(|column| types::element(&column.sql_type) == name)
            .map(|column| column.name.clone())
            .collect();
        let is_type = |found: &String| found == name || found.strip_suffix(name).is_some_and(|before| before.ends_with('.'));
        let concerns = |place: &Place, facts: &Facts| {
            matches!(place, Place::Default(column) if columns.contains(column))
                || columns.iter().any(|column| facts.reads(column))
                || facts.types.iter().any(is_type)
        };
        let model = model.clone();
        let after = self.followed(table, &model, &[Then::Labels { of: name.to_owned(), names: names.clone() }], concerns);
        let places = after.keys().cloned().collect();
        if let Some(table) = self.to.tables.get_mut(table) {
            put(table, after);
        }
        places
    }

    /// PostgreSQL's own words, where it does not take the text in a place of a table as it is now; none as long as it was not asked.
    pub(crate) fn refusal(&mut self, table: &str, place: &Place) -> Option<String> {
        let model = self.to.tables.get(table)?;
        let text = model.texts().into_iter().find(|(there, _)| there == place)?.1;
        let question = self.question(table, model, model.purpose(place), text, Vec::new());
        self.book.ask(question.clone());
        self.book.refusal(&question).map(str::to_owned)
    }
}

/// A type that is not in the database yet, as questions have it.
pub(crate) fn asked(name: &str, own: OwnType<'_>) -> (String, String, String) {
    (own.word().to_owned(), name.to_owned(), own.definition().as_str().to_owned())
}

/// Puts texts in the places of those that said it in other words.
pub(crate) fn put(table: &mut Table, mut reworded: BTreeMap<Place, Expression>) {
    for (place, text) in table.texts_mut() {
        if let Some(now) = reworded.remove(&place).filter(|now| *now != *text) {
            *text = std::mem::take(text).reworded(now);
        }
    }
}
