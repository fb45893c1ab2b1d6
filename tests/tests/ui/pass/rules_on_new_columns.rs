//! Rules on new columns that no write of the running release breaks.

use diptych::Schema;

#[derive(Schema)]
#[schema(table = "users", migrations = "tests/tests/ui/snapshots/base")]
pub struct Nullable {
    #[schema(primary_key, identity)]
    pub id: i64,
    pub email: String,
    pub name: String,
    pub age: Option<i32>,
    #[schema(unique)]
    pub code: Option<String>,
}

#[derive(Schema)]
#[schema(table = "users", migrations = "tests/tests/ui/snapshots/base")]
pub struct Generated {
    #[schema(primary_key, identity)]
    pub id: i64,
    pub email: String,
    pub name: String,
    pub age: Option<i32>,
    #[schema(unique, default = "gen_random_uuid()")]
    pub code: String,
}

#[derive(Schema)]
#[schema(table = "users", migrations = "tests/tests/ui/snapshots/base")]
pub struct OfAKey {
    #[schema(primary_key, identity)]
    pub id: i64,
    pub email: String,
    pub name: String,
    pub age: Option<i32>,
    #[schema(unique, up = "'u' || id")]
    pub code: String,
}

#[derive(Schema)]
#[schema(table = "users", migrations = "tests/tests/ui/snapshots/base")]
pub struct CheckHolds {
    #[schema(primary_key, identity)]
    pub id: i64,
    pub email: String,
    pub name: String,
    pub age: Option<i32>,
    #[schema(check = "stars >= 0 AND stars <= 5", default = "0")]
    pub stars: i32,
}

#[derive(Schema)]
#[schema(table = "users", migrations = "tests/tests/ui/snapshots/base")]
pub struct CheckOfNull {
    #[schema(primary_key, identity)]
    pub id: i64,
    pub email: String,
    pub name: String,
    pub age: Option<i32>,
    #[schema(check = "length(code) > 2")]
    pub code: Option<String>,
}

#[derive(Schema)]
#[schema(table = "users", migrations = "tests/tests/ui/snapshots/base")]
pub struct OneOf {
    #[schema(primary_key, identity)]
    pub id: i64,
    pub email: String,
    pub name: String,
    pub age: Option<i32>,
    #[schema(check = "state IN ('new', 'old')", default = "'new'")]
    pub state: String,
}

#[derive(Schema)]
#[schema(table = "users", migrations = "tests/tests/ui/snapshots/base")]
pub struct NullReference {
    #[schema(primary_key, identity)]
    pub id: i64,
    pub email: String,
    pub name: String,
    pub age: Option<i32>,
    #[schema(references = "teams(id)")]
    pub team: Option<i64>,
}

#[derive(Schema)]
#[schema(table = "users", migrations = "tests/tests/ui/snapshots/base", unique(email, code, name = "both"))]
pub struct UniqueOfBoth {
    #[schema(primary_key, identity)]
    pub id: i64,
    pub email: String,
    pub name: String,
    pub age: Option<i32>,
    pub code: Option<String>,
}

#[derive(Schema)]
#[schema(table = "users", migrations = "tests/tests/ui/snapshots/base")]
pub struct Allowed {
    #[schema(primary_key, identity)]
    pub id: i64,
    pub email: String,
    pub name: String,
    pub age: Option<i32>,
    #[schema(check = "stars > 0", up = "age", allow(old_writes_may_fail))]
    pub stars: i32,
}

pub(crate) fn main() {}
