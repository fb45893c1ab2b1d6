//! A migration file: pgroll's dialect, YAML or JSON, its name the file's stem.

use serde::{Deserialize, Serialize};

use crate::error::{Place, Result};
use crate::migration::ops::Operation;
use crate::model::book::Book;
use crate::model::rules::check_name;
use crate::model::schema::Schema;
use crate::transition::stage::Stage;
use crate::{names, yaml};

/// A recorded, named list of operations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Migration {
    /// The file's stem, `0002_split_name`: the version's name.
    pub name: String,
    /// The name of the version schema after the base schema's, where it is not the migration's.
    pub version_schema: Option<String>,
    /// What to do, in order.
    pub operations: Vec<Operation>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version_schema: Option<String>,
    operations: Vec<Operation>,
}

impl Migration {
    /// Reads a file's text; `name` is its stem.
    pub fn parse(name: &str, text: &str) -> Result<Self> {
        check_name("migration", name, None)?;
        let file: File = yaml::read(text).map_err(|error| error.within(format!("migration `{name}`")))?;
        if let Some(version) = &file.version_schema {
            check_name("version schema", version, None).map_err(|error| error.within(format!("migration `{name}`")))?;
        }
        Ok(Migration { name: name.to_owned(), version_schema: file.version_schema, operations: file.operations })
    }

    /// The file's text.
    pub fn to_yaml(&self) -> String {
        yaml::write(&File { version_schema: self.version_schema.clone(), operations: self.operations.clone() })
    }

    /// A checksum of what the migration does: the same for files that differ in layout or comments only.
    pub fn checksum(&self) -> String {
        format!("{:016x}", names::hash(&self.to_yaml()))
    }

    /// Whether another migration does the same, whatever its name.
    pub fn does_the_same(&self, other: &Self) -> bool {
        (self.version_schema == other.version_schema && self.operations == other.operations)
            || self.checksum() == other.checksum()
    }

    /// Adds the operations to a stage.
    pub fn apply(&self, stage: &mut Stage) -> Result<()> {
        stage.migration.clone_from(&self.name);
        for (number, operation) in self.operations.iter().enumerate() {
            operation.apply(stage).map_err(|error| {
                let named = format!("migration `{}`, operation {} (`{}`)", self.name, number + 1, operation.name());
                error.within(named).at(Place::Operation(number + 1))
            })?;
            stage.learn();
        }
        if self.operations.is_empty() {
            return Ok(());
        }
        stage.check().map_err(|error| error.within(format!("migration `{}`", self.name)))
    }

    /// The mapping from the given schema to the one that the migration leads to.
    pub fn stage(&self, from: &Schema) -> Result<Stage> {
        self.stage_with(from, &mut Book::default())
    }

    /// The same with what is known of texts. What is not known yet is noted in the book, also where there is an error, which may come of
    /// that.
    pub fn stage_with(&self, from: &Schema, book: &mut Book) -> Result<Stage> {
        let mut stage = Stage::knowing(from, std::mem::take(book));
        let applied = self.apply(&mut stage);
        *book = std::mem::take(&mut stage.book);
        applied.map(|()| stage)
    }
}
