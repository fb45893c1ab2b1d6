//! Domains and composite types between two versions: those that a start makes, domains that lose rules at complete, and those that go then.

use super::Stage;
use crate::error::{Error, Result};
use crate::model::composite::Composite;
use crate::model::domain::Domain;
use crate::model::own_type::OwnType;

impl Stage {
    /// A new domain.
    pub fn create_domain(&mut self, name: &str, domain: Domain) -> Result<()> {
        self.refuse_type("domain", name)?;
        self.to.domains.insert(name.to_owned(), domain);
        Ok(())
    }

    /// A new composite type.
    pub fn create_composite(&mut self, name: &str, composite: Composite) -> Result<()> {
        self.refuse_type("composite type", name)?;
        self.to.composites.insert(name.to_owned(), composite);
        Ok(())
    }

    fn refuse_type(&self, kind: &str, name: &str) -> Result<()> {
        if self.to.own_types().any(|(there, own)| *there == name && own.kind() == kind) {
            return Err(Error::new(format!("{kind} `{name}` already exists")).hint("drop it first, or choose another name"));
        }
        self.refuse_taken(kind, name)
    }

    /// A domain with another default or comment, or with fewer rules.
    pub fn alter_domain(&mut self, name: &str, domain: Domain) -> Result<()> {
        self.to.domain(name)?;
        self.to.domains.insert(name.to_owned(), domain);
        Ok(())
    }

    /// A domain gone.
    pub fn drop_domain(&mut self, name: &str) -> Result<()> {
        self.to.domain(name)?;
        self.refuse_drop("domain", name, self.from.domains.contains_key(name))?;
        self.to.domains.remove(name);
        Ok(())
    }

    /// A composite type gone.
    pub fn drop_composite(&mut self, name: &str) -> Result<()> {
        self.to.composite(name)?;
        self.refuse_drop("composite type", name, self.from.composites.contains_key(name))?;
        self.to.composites.remove(name);
        Ok(())
    }

    fn refuse_drop(&self, kind: &str, name: &str, is_older: bool) -> Result<()> {
        self.refuse_undone(kind, name, is_older)?;
        self.refuse_type_in_use(kind, name)
    }

    /// Refuses to drop a type that something of the newer version has.
    pub(super) fn refuse_type_in_use(&self, kind: &str, name: &str) -> Result<()> {
        if let Some((table, column)) = self.to.columns_of_type(name).next() {
            return Err(Error::new(format!("{kind} `{name}` is the type of column `{table}.{}`", column.name))
                .hint("drop the column, or give it another type, earlier in the same migration"));
        }
        if let Some((user, made)) = self.made_of(name) {
            return Err(Error::new(format!("{made} {kind} `{name}`")).hint(format!("drop {user} earlier in the same migration")));
        }
        Ok(())
    }

    /// The domain or composite type of the newer version that is made of a type: it, and how it is.
    pub(super) fn made_of(&self, name: &str) -> Option<(String, String)> {
        let (user, own) = self.to.own_types().find(|(_, own)| own.elements().iter().any(|element| element == name))?;
        let user = format!("{} `{user}`", own.kind());
        let how = if let OwnType::Domain(_) = own { "is based on" } else { "has attributes of" };
        Some((user.clone(), format!("{user} {how}")))
    }

    /// The domains and composite types that the older version does not have, each after those that it is made of.
    pub fn made_types(&self) -> Vec<(&String, OwnType<'_>)> {
        self.to.own_types_in_order(|name| !self.from.has_own_type(name))
    }

    /// Those that the newer version does not have, each after those that are made of it.
    pub fn gone_types(&self) -> Vec<(&String, OwnType<'_>)> {
        let mut gone = self.from.own_types_in_order(|name| !self.to.has_own_type(name));
        gone.reverse();
        gone
    }
}
