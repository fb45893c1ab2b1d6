//! Composite types: types of the schema's own that are rows of named attributes.

use serde::{Deserialize, Serialize};

use crate::model::types;
use crate::sql;
use crate::sql::{Sql, dotted, ident, join, type_name};

/// A composite type by `CREATE TYPE … AS (…)`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Composite {
    /// The attributes in order.
    pub attributes: Vec<Attribute>,
    /// `COMMENT ON TYPE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// An attribute of a composite type.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attribute {
    /// Its name.
    pub name: String,
    /// Its type, in PostgreSQL's spelling.
    #[serde(rename = "type")]
    pub sql_type: String,
    /// `COLLATE …`, where it is not that type's own.
    #[serde(rename = "collate", default, skip_serializing_if = "Option::is_none")]
    pub collation: Option<String>,
}

impl Composite {
    /// The same with its types in PostgreSQL's spelling.
    #[must_use]
    pub fn normal(mut self) -> Self {
        for attribute in &mut self.attributes {
            attribute.sql_type = types::normalize(&attribute.sql_type);
        }
        self
    }

    /// The names of the types that its attributes have, or arrays of which they are.
    pub fn elements(&self) -> impl Iterator<Item = String> {
        self.attributes.iter().map(|attribute| types::element(&attribute.sql_type))
    }

    /// A value of this type as one of another, which has the attributes of the same names and NULL for others. NULL stays NULL.
    pub fn carried_over(&self, to: &Composite, value: &str, name: &str) -> String {
        let fields = to.attributes.iter().map(|own| match self.attributes.iter().any(|there| there.name == own.name) {
            true => format!("({}).{}", types::spelled(value), types::spelled(&own.name)),
            false => "NULL".to_owned(),
        });
        let (value, fields) = (types::spelled(value), fields.collect::<Vec<_>>().join(", "));
        format!("CASE WHEN {value} IS DISTINCT FROM NULL THEN ROW({fields})::{} END", types::spelled(name))
    }

    /// What `CREATE TYPE … AS` is told.
    pub fn definition(&self) -> Sql {
        let attributes = self.attributes.iter().map(|attribute| {
            let collation = attribute.collation.as_deref().map_or_else(Sql::default, |name| sql!(" COLLATE {}", dotted(name)));
            sql!("{} {}{}", ident(&attribute.name), type_name(&attribute.sql_type), collation)
        });
        sql!("({})", join(attributes, ", "))
    }
}
