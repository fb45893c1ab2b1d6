//! Storage parameters: tried before anything is changed, and set at complete, under a lock for which no reader or writer waits.

use crate::layout::chain::Chain;
use crate::layout::tables::Physical;
use crate::plan::{Felt, Lock, Phase, Steps, Verdict};
use crate::sql::qualified;
use crate::statements::path::Path;
use crate::statements::{ddl, enums, storage};

/// The server knows the parameters, takes their values, and keeps them: tried on an empty twin, of which nothing stays.
pub(super) fn check(chain: &Chain, table: &Physical<'_>, steps: &mut Steps) {
    let (Some(newer), Some(name)) = (table.newer, table.final_name()) else { return };
    let is_changed = match table.older {
        Some(older) => older.storage != newer.storage,
        // a later version's new table is tried as a whole
        None => chain.older.is_none(),
    };
    if !is_changed || newer.storage.is_empty() {
        return;
    }
    let step = steps.check(
        format!("table `{name}` can have its storage parameters"),
        ddl::try_storage(enums::attempt(chain), newer),
        format!("table `{name}` cannot have its storage parameters on this server"),
        "correct the parameter that the server's message names, or take it out",
        Verdict::Refuse,
    );
    step.path(Path::base(&chain.base));
}

/// Tables have their final names.
pub(super) fn contract(chain: &Chain, tables: &[Physical<'_>], steps: &mut Steps) {
    for table in tables {
        let (Some(older), Some(newer), Some(name)) = (table.older, table.newer, table.final_name()) else { continue };
        let place = qualified(&chain.base, name);
        let statements = storage::change(&place, &older.storage, &newer.storage);
        if statements.is_empty() {
            continue;
        }
        let locks = vec![Lock::tables(std::slice::from_ref(&place), "SHARE UPDATE EXCLUSIVE", Felt::ByMaintenance)];
        steps
            .transaction(Phase::Contract, format!("set the storage parameters of `{name}`"), locks, statements)
            .lock(format!("SHARE UPDATE EXCLUSIVE on {place}, instant: nobody waits"));
    }
}
