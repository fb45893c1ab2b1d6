//! Extensions between two versions: those that a start may have to create, and those that go at complete.

use super::Stage;
use crate::error::{Error, Result};

impl Stage {
    /// An extension that the newer version needs.
    pub fn create_extension(&mut self, name: &str) -> Result<()> {
        if !self.to.extensions.insert(name.to_owned()) {
            return Err(Error::new(format!("extension `{name}` is there already")).hint("remove the operation"));
        }
        self.extensions.insert(name.to_owned());
        Ok(())
    }

    /// An extension that the newer version does not need any more.
    pub fn drop_extension(&mut self, name: &str) -> Result<()> {
        if self.to.extensions.remove(name) {
            return Ok(());
        }
        let there = self.to.extensions.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        Err(Error::new(format!("the schema has no extension `{name}`")).hint(if there.is_empty() {
            "it has none at all; remove the operation".to_owned()
        } else {
            format!("its extensions are {there}")
        }))
    }

    /// The extensions that the older version does not have: they may not be in the database yet.
    pub fn made_extensions(&self) -> impl Iterator<Item = &String> {
        self.extensions.difference(&self.from.extensions)
    }

    /// The extensions that the newer version does not have.
    pub fn gone_extensions(&self) -> impl Iterator<Item = &String> {
        self.extensions.difference(&self.to.extensions)
    }
}
