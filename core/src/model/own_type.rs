//! The types of a schema's own that are made of others: domains and composite types, which may be made of each other.

use crate::model::composite::Composite;
use crate::model::domain::Domain;
use crate::model::types;
use crate::sql::Sql;

/// One of them.
#[derive(Clone, Copy, Debug)]
pub enum OwnType<'a> {
    /// A domain.
    Domain(&'a Domain),
    /// A composite type.
    Composite(&'a Composite),
}

impl OwnType<'_> {
    /// What people call it.
    pub fn kind(self) -> &'static str {
        match self {
            OwnType::Domain(_) => "domain",
            OwnType::Composite(_) => "composite type",
        }
    }

    /// What statements call it.
    pub fn word(self) -> &'static str {
        match self {
            OwnType::Domain(_) => "DOMAIN",
            OwnType::Composite(_) => "TYPE",
        }
    }

    /// The names of the types that it is made of.
    pub fn elements(self) -> Vec<String> {
        match self {
            OwnType::Domain(domain) => vec![types::element(&domain.sql_type)],
            OwnType::Composite(composite) => composite.elements().collect(),
        }
    }

    /// What `CREATE … AS` is told.
    pub fn definition(self) -> Sql {
        match self {
            OwnType::Domain(domain) => domain.definition(),
            OwnType::Composite(composite) => composite.definition(),
        }
    }

    /// Its comment.
    pub fn comment(&self) -> Option<&str> {
        match self {
            OwnType::Domain(domain) => domain.comment.as_deref(),
            OwnType::Composite(composite) => composite.comment.as_deref(),
        }
    }
}
