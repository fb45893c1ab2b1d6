//! Sequences between two versions: those that a start makes, those that change, and those that go at complete.

use super::Stage;
use crate::error::{Error, Result};
use crate::model::expression::Expression;
use crate::model::rules::check_successors;
use crate::model::sequence::Sequence;

impl Stage {
    /// A new sequence.
    pub fn create_sequence(&mut self, name: &str, sequence: Sequence) -> Result<()> {
        if self.to.sequences.contains_key(name) {
            return Err(Error::new(format!("sequence `{name}` already exists")).hint("drop it first, or choose another name"));
        }
        self.refuse_taken("sequence", name)?;
        if self.has_relation(name) {
            return Err(Error::new(format!("sequence `{name}` would take the name of an index or key"))
                .hint("choose another name, or drop the other one in an earlier release"));
        }
        self.to.sequences.insert(name.to_owned(), sequence);
        Ok(())
    }

    /// A sequence with other options.
    pub fn alter_sequence(&mut self, name: &str, sequence: Sequence) -> Result<()> {
        self.to.sequence(name)?;
        self.to.sequences.insert(name.to_owned(), sequence);
        Ok(())
    }

    /// A sequence gone.
    pub fn drop_sequence(&mut self, name: &str) -> Result<()> {
        self.to.sequence(name)?;
        self.refuse_undone("sequence", name, self.from.sequences.contains_key(name))?;
        self.to.sequences.remove(name);
        Ok(())
    }

    /// Defaults and code of the newer version that draw from what goes, and a sequence that comes in its place.
    pub(super) fn check_sequences(&self) -> Result<()> {
        for name in self.gone_sequences() {
            let draws = |text: &Expression| text.facts([]).sequences.contains(name);
            let mut columns =
                self.to.tables.iter().flat_map(|(table, model)| model.columns.iter().map(move |column| (table, column)));
            let column = columns.find(|(_, column)| column.default.as_ref().is_some_and(draws));
            if let Some((table, column)) = column {
                return Err(Error::new(format!("the default of column `{table}.{}` draws from sequence `{name}`", column.name))
                    .hint("give the column another default, or none, in the same migration; or keep the sequence"));
            }
            let domain = self.to.domains.iter().find(|(_, domain)| domain.default.as_ref().is_some_and(draws));
            if let Some((domain, _)) = domain {
                return Err(Error::new(format!("the default of domain `{domain}` draws from sequence `{name}`"))
                    .hint("give the domain another default, or none, in the same migration; or keep the sequence"));
            }
            if let Some((code, _)) = self.to.code.iter().find(|(_, text)| draws_by_name(text, name)) {
                return Err(Error::new(format!("code `{code}` draws from sequence `{name}`"))
                    .hint("let it draw from another one, or drop it, in the same migration; or keep the sequence"));
            }
        }
        check_successors(&self.from.sequences, &self.to.sequences)
    }

    /// The sequences that the older version does not have.
    pub fn made_sequences(&self) -> impl Iterator<Item = (&String, &Sequence)> {
        self.to.sequences.iter().filter(|(name, _)| !self.from.sequences.contains_key(*name))
    }

    /// The sequences that the newer version does not have.
    pub fn gone_sequences(&self) -> impl Iterator<Item = &String> {
        self.from.sequences.keys().filter(|name| !self.to.sequences.contains_key(*name))
    }

    /// The sequences of both versions that are not the same in them: name, the older one's form, the newer one's.
    pub fn changed_sequences(&self) -> impl Iterator<Item = (&String, &Sequence, &Sequence)> {
        let kept = self.from.sequences.iter().filter_map(|(name, before)| Some((name, before, self.to.sequences.get(name)?)));
        kept.filter(|(_, before, after)| before != after)
    }
}

/// Whether a text speaks of counters and has a sequence's name for a string, alone or with its schema.
fn draws_by_name(text: &str, name: &str) -> bool {
    let speaks = ["nextval", "currval", "setval"].iter().any(|word| text.to_ascii_lowercase().contains(word));
    speaks && [format!("'{name}'"), format!(".{name}'"), format!("\"{name}\"'")].iter().any(|written| text.contains(written))
}
