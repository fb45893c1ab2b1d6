//! The plan is data: a team's own rules about changes of the schema, as tests.

use diptych::{Database, Operation};
use shop::release2::Shop;

/// What is not recorded yet, by the structs as they are now.
#[test]
fn this_release_drops_nothing() {
    let pending = Shop::PENDING.operations().expect("the snapshot can be read");
    let drops = |operation: &&Operation| matches!(operation.name(), "drop_table" | "drop_column");
    assert!(!pending.iter().any(|operation| drops(&operation)), "drop it in the next release: {pending:?}");
}

/// What was recorded, from the first migration on.
#[test]
fn no_migration_is_only_a_script() {
    for migration in Shop::migrations().expect("the migrations can be read") {
        let is_script = migration.operations.iter().all(|operation| operation.name() == "sql");
        assert!(!is_script, "{}: say why in the review, and add it here", migration.name);
    }
    assert_eq!(Shop::MIGRATIONS.last().map(|(name, _)| *name), Shop::VERSION, "the snapshot is of the newest migration");
}
