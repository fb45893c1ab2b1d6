//! Domains between two versions: those that a start makes, those that lose rules at complete, and those that go then.

use super::Stage;
use crate::error::{Error, Result};
use crate::model::domain::Domain;
use crate::model::types;

impl Stage {
    /// A new domain.
    pub fn create_domain(&mut self, name: &str, domain: Domain) -> Result<()> {
        if self.to.domains.contains_key(name) {
            return Err(Error::new(format!("domain `{name}` already exists")).hint("drop it first, or choose another name"));
        }
        let taken = [
            (self.from.domains.contains_key(name), "a domain"),
            (self.from.enums.contains_key(name) || self.to.enums.contains_key(name), "an enum"),
            (self.from.tables.contains_key(name), "a table"),
        ];
        if let Some((_, what)) = taken.into_iter().find(|(is_taken, _)| *is_taken) {
            return Err(Error::new(format!("domain `{name}` would take the name of {what} of the older or the newer version"))
                .hint("choose another name, or drop the other one in an earlier release"));
        }
        self.to.domains.insert(name.to_owned(), domain);
        Ok(())
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
        if !self.from.domains.contains_key(name) {
            return Err(Error::new(format!("domain `{name}` is created and dropped in the same migration"))
                .hint("remove both operations, or drop it in the next migration"));
        }
        self.refuse_type_in_use("domain", name)?;
        self.to.domains.remove(name);
        Ok(())
    }

    /// Refuses to drop a type that something of the newer version has.
    pub(super) fn refuse_type_in_use(&self, kind: &str, name: &str) -> Result<()> {
        if let Some((table, column)) = self.to.columns_of_type(name).next() {
            return Err(Error::new(format!("{kind} `{name}` is the type of column `{table}.{}`", column.name))
                .hint("drop the column, or give it another type, earlier in the same migration"));
        }
        if let Some((domain, _)) = self.to.domains.iter().find(|(_, domain)| types::element(&domain.sql_type) == name) {
            return Err(Error::new(format!("domain `{domain}` is based on {kind} `{name}`"))
                .hint(format!("drop domain `{domain}` earlier in the same migration")));
        }
        Ok(())
    }

    /// The domains that the older version does not have.
    pub fn made_domains(&self) -> Vec<(&String, &Domain)> {
        self.to.domains_in_order(|name| !self.from.domains.contains_key(name))
    }

    /// The domains that the newer version does not have, each after those that are based on it.
    pub fn gone_domains(&self) -> Vec<&String> {
        let mut gone = self.from.domains_in_order(|name| !self.to.domains.contains_key(name));
        gone.reverse();
        gone.into_iter().map(|(name, _)| name).collect()
    }
}
