//! What was allowed for a rule that is recorded is not allowed for the next.

use diptych::Schema;

#[derive(Schema)]
#[schema(table = "users", migrations = "tests/tests/ui/snapshots/allowed")]
pub struct User {
    #[schema(primary_key, identity)]
    pub id: i64,
    #[schema(unique, check = "email <> ''", allow(old_writes_may_fail))]
    pub email: String,
}

fn main() {}
