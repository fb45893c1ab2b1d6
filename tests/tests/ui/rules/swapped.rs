//! Two fields that change places.

use diptych::Schema;

#[derive(Schema)]
#[schema(table = "users", migrations = "tests/tests/ui/snapshots/base")]
pub struct User {
    #[schema(primary_key, identity)]
    pub id: i64,
    #[schema(renamed_from = "name")]
    pub email: String,
    #[schema(renamed_from = "email")]
    pub name: String,
    pub age: Option<i32>,
}

fn main() {}
