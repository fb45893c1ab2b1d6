//! The operations: one file each, registered in one list.

use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};
use std::fmt;

use crate::error::Result;
use crate::transition::stage::Stage;

pub mod add_column;
pub mod alter_column;
pub mod alter_composite_type;
pub mod alter_domain;
pub mod alter_enum;
pub mod alter_sequence;
pub mod alter_table;
pub mod column_spec;
pub mod create_composite_type;
pub mod create_constraint;
pub mod create_domain;
pub mod create_enum;
pub mod create_extension;
pub mod create_index;
pub mod create_sequence;
pub mod create_statistics;
pub mod create_table;
pub mod delete;
pub mod drop_code;
pub mod drop_column;
pub mod drop_composite_type;
pub mod drop_constraint;
pub mod drop_domain;
pub mod drop_enum;
pub mod drop_extension;
pub mod drop_index;
pub mod drop_multicolumn_constraint;
pub mod drop_sequence;
pub mod drop_statistics;
pub mod drop_table;
pub mod insert;
mod operate;
pub mod raw_sql;
pub mod rename_column;
pub mod rename_constraint;
pub mod rename_index;
pub mod rename_table;
pub mod set_code;
pub mod set_replica_identity;
pub mod update;
pub mod validate_constraint;

pub use operate::Operate;

macro_rules! operations {
    ($($module:ident :: $Type:ident = $name:literal),* $(,)?) => {
        $(pub use $module::$Type;)*

        /// One change to a schema, as a file has it: a map of one key.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Operation {
            $(#[doc = concat!("`", $name, "`")] $Type($Type)),*
        }

        impl Operation {
            /// Every operation's name.
            pub const NAMES: &'static [&'static str] = &[$($name),*];

            /// The operation's name in files.
            pub fn name(&self) -> &'static str {
                match self { $(Operation::$Type(_) => $name),* }
            }

            /// Folds the operation into the stage, or says why it cannot be.
            pub fn apply(&self, stage: &mut Stage) -> Result<()> {
                match self { $(Operation::$Type(operation) => operation.apply(stage)),* }
            }
        }

        $(impl From<$Type> for Operation {
            fn from(operation: $Type) -> Self { Operation::$Type(operation) }
        })*

        impl Serialize for Operation {
            fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
                let mut map = serializer.serialize_map(Some(1))?;
                match self { $(Operation::$Type(operation) => map.serialize_entry($name, operation)?),* }
                map.end()
            }
        }

        impl<'de> Visitor<'de> for OperationVisitor {
            type Value = Operation;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an operation: a map of one key")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Operation, A::Error> {
                let name: String = map.next_key()?.ok_or_else(|| A::Error::custom("an operation without a name"))?;
                let operation = match name.as_str() {
                    $($name => Operation::$Type(map.next_value()?),)*
                    other => return Err(A::Error::unknown_variant(other, Operation::NAMES)),
                };
                match map.next_key::<String>()? {
                    None => Ok(operation),
                    Some(second) => Err(A::Error::custom(format!("`{second}` beside `{name}`: one operation per list entry"))),
                }
            }
        }
    };
}

struct OperationVisitor;

operations! {
    create_table::CreateTable = "create_table",
    drop_table::DropTable = "drop_table",
    rename_table::RenameTable = "rename_table",
    alter_table::AlterTable = "alter_table",
    add_column::AddColumn = "add_column",
    drop_column::DropColumn = "drop_column",
    rename_column::RenameColumn = "rename_column",
    alter_column::AlterColumn = "alter_column",
    create_index::CreateIndex = "create_index",
    drop_index::DropIndex = "drop_index",
    rename_index::RenameIndex = "rename_index",
    create_statistics::CreateStatistics = "create_statistics",
    drop_statistics::DropStatistics = "drop_statistics",
    create_constraint::CreateConstraint = "create_constraint",
    drop_constraint::DropConstraint = "drop_constraint",
    drop_multicolumn_constraint::DropMulticolumnConstraint = "drop_multicolumn_constraint",
    rename_constraint::RenameConstraint = "rename_constraint",
    validate_constraint::ValidateConstraint = "validate_constraint",
    set_replica_identity::SetReplicaIdentity = "set_replica_identity",
    create_enum::CreateEnum = "create_enum",
    alter_enum::AlterEnum = "alter_enum",
    drop_enum::DropEnum = "drop_enum",
    create_domain::CreateDomain = "create_domain",
    alter_domain::AlterDomain = "alter_domain",
    drop_domain::DropDomain = "drop_domain",
    create_composite_type::CreateCompositeType = "create_composite_type",
    alter_composite_type::AlterCompositeType = "alter_composite_type",
    drop_composite_type::DropCompositeType = "drop_composite_type",
    create_sequence::CreateSequence = "create_sequence",
    alter_sequence::AlterSequence = "alter_sequence",
    drop_sequence::DropSequence = "drop_sequence",
    set_code::SetCode = "set_code",
    drop_code::DropCode = "drop_code",
    create_extension::CreateExtension = "create_extension",
    drop_extension::DropExtension = "drop_extension",
    insert::Insert = "insert",
    update::Update = "update",
    delete::Delete = "delete",
    raw_sql::RawSql = "sql",
}

impl<'de> Deserialize<'de> for Operation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_map(OperationVisitor)
    }
}
