//! The live versions of a base schema, and the step from the oldest to the newest that is under way.

use serde::{Deserialize, Serialize};

use crate::migration::file::Migration;
use crate::model::schema::Schema;
use crate::model::types;
use crate::names;
use crate::transition::stage::{EnumForm, Stage};

/// A version: a schema under the name of the migration that leads to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// The migration's name.
    pub name: String,
    /// The PostgreSQL schema that holds the version's views.
    pub views: String,
    /// The model.
    pub schema: Schema,
    /// Every view in the schema of views.
    pub relations: Vec<String>,
}

impl Version {
    /// The version that a migration leads to, at the end of a stage.
    pub fn new(base: &str, migration: &Migration, stage: &Stage) -> Self {
        let suffix = migration.version_schema.as_deref().unwrap_or(&migration.name);
        let relations = stage.to.tables.keys().cloned().collect();
        Version {
            name: migration.name.clone(),
            views: names::view_schema(base, suffix),
            schema: stage.to.clone().settled(),
            relations,
        }
    }

    /// The scratch name under which the schema of its views is built.
    pub fn scratch(&self) -> String {
        names::generated("building", &[&self.views])
    }
}

/// Two neighbours on the chain and the mapping between them: what start, complete and rollback are planned from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// Where the tables live.
    pub base: String,
    /// The version that apps use so far; none before the first migration.
    pub older: Option<Version>,
    /// The version that the migrations lead to.
    pub newer: Version,
    /// The mapping between the two.
    pub stage: Stage,
    /// The server's major version, for what differs between them.
    pub server: u32,
}

impl Chain {
    /// The forms of enums that are made by a start, with their numbers in the stage.
    pub fn made_forms(&self) -> impl Iterator<Item = (usize, &EnumForm)> {
        let forms = self.stage.enums.iter().enumerate();
        forms.filter(|(number, form)| !form.in_from && (form.in_to || self.reads_form(*number)))
    }

    /// Whether a scope has columns of this form.
    fn reads_form(&self, number: usize) -> bool {
        let scopes = self.stage.lineages.iter().flat_map(|lineage| &lineage.layers).flat_map(|layer| &layer.columns);
        scopes.into_iter().any(|column| column.form == Some(number))
    }

    /// The forms that only one version has, or none, with their numbers in the stage.
    pub fn changed_forms(&self) -> impl Iterator<Item = (usize, &EnumForm)> {
        let gone = self.stage.enums.iter().enumerate().filter(|(_, form)| form.in_from && !form.in_to);
        gone.chain(self.made_forms())
    }

    /// Whether a column of this type may get a value where it has no default of its own: that of its domain, which a type of another schema
    /// may be.
    pub fn may_have_default(&self, sql_type: &str) -> bool {
        let in_model = [&self.stage.from, &self.stage.to].iter().any(|schema| schema.default_of_type(sql_type).is_some());
        in_model || sql_type.contains('.') && !types::is_array(sql_type)
    }

    /// The type behind a domain of either version that has rules, with its collation.
    pub fn behind_rules(&self, sql_type: &str) -> Option<(&str, Option<&str>)> {
        self.stage.from.behind_rules(sql_type).or_else(|| self.stage.to.behind_rules(sql_type))
    }

    /// The type behind a domain of either version that takes no NULL, with its collation.
    pub fn behind_not_null(&self, sql_type: &str) -> Option<(&str, Option<&str>)> {
        self.stage.from.behind_not_null(sql_type).or_else(|| self.stage.to.behind_not_null(sql_type))
    }

    /// Whether the two versions have types that are not the same.
    pub fn changes_types(&self) -> bool {
        self.changed_forms().next().is_some()
    }

    /// Whether a start makes types.
    pub fn makes_types(&self) -> bool {
        self.made_forms().next().is_some()
    }
}
