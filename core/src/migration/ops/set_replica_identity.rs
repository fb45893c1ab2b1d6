//! `set_replica_identity`: what logical decoding tells of the rows that are updated or deleted.
//!
//! Set at complete, for the newer version. Both versions write one table, so that at start it would change what the older version's
//! subscribers are told, and NOTHING on a published table refuses every UPDATE and DELETE of either version (R1); what was never set
//! need not be put back (R4); and the index may be one that this migration builds, whose columns are final only then. A converted
//! column takes the identity with it to its new index. ACCESS EXCLUSIVE, instant, in the table's own transaction. A table that is
//! created in the same migration has it from the beginning.

use serde::{Deserialize, Serialize};

use super::operate::Operate;
use crate::error::{Error, Result};
use crate::model::rules::one_of;
use crate::model::schema::ReplicaIdentity;
use crate::transition::stage::Stage;

/// The operation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetReplicaIdentity {
    /// The table's name.
    pub table: String,
    /// The identity.
    pub identity: IdentitySpec,
}

/// `identity`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdentitySpec {
    /// `NOTHING`, `DEFAULT`, `INDEX` or `FULL`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The index, for `INDEX`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub index: String,
}

const KINDS: [&str; 4] = ["NOTHING", "DEFAULT", "INDEX", "FULL"];

impl Operate for SetReplicaIdentity {
    fn apply(&self, stage: &mut Stage) -> Result<()> {
        let table = stage.table_mut(&self.table)?;
        let kind = one_of(&format!("the replica identity of table `{}`", self.table), &self.identity.kind, &KINDS)?;
        let index = self.identity.index.clone();
        if table.partition_by.is_some() && kind != "DEFAULT" {
            return Err(Error::new(format!("table `{}` is partitioned, and has no replica identity of its own", self.table))
                .hint(format!("set that of each partition: ALTER TABLE … REPLICA IDENTITY {kind}")));
        }
        if (kind == "INDEX") == index.is_empty() {
            return Err(Error::new(format!(
                "the replica identity of table `{}` has type {kind} and index `{index}`, which do not fit together",
                self.table
            ))
            .hint("name an `index` with type INDEX, and no index with the other types"));
        }
        table.replica_identity = match kind {
            "NOTHING" => Some(ReplicaIdentity::Nothing),
            "FULL" => Some(ReplicaIdentity::Full),
            "INDEX" => Some(ReplicaIdentity::Index { index }),
            _ => None,
        };
        table.check_replica_identity(&self.table)
    }
}

impl SetReplicaIdentity {
    /// The operation that leads to this identity.
    pub fn of(table: &str, identity: Option<&ReplicaIdentity>) -> Self {
        let (kind, index) = match identity {
            None => ("DEFAULT", ""),
            Some(ReplicaIdentity::Nothing) => ("NOTHING", ""),
            Some(ReplicaIdentity::Full) => ("FULL", ""),
            Some(ReplicaIdentity::Index { index }) => ("INDEX", index.as_str()),
        };
        SetReplicaIdentity { table: table.to_owned(), identity: IdentitySpec { kind: kind.to_owned(), index: index.to_owned() } }
    }
}
