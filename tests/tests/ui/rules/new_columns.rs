//! Rules on new columns, or on no column, that writes of the running release break.

use diptych::Schema;

#[derive(Schema)]
#[schema(table = "users", migrations = "tests/tests/ui/snapshots/base")]
pub struct UniqueDefault {
    #[schema(primary_key, identity)]
    pub id: i64,
    pub email: String,
    pub name: String,
    pub age: Option<i32>,
    #[schema(unique, default = "'x'")]
    pub code: String,
}

#[derive(Schema)]
#[schema(table = "users", migrations = "tests/tests/ui/snapshots/base")]
pub struct UniqueUp {
    #[schema(primary_key, identity)]
    pub id: i64,
    pub email: String,
    pub name: String,
    pub age: Option<i32>,
    #[schema(unique, up = "lower(name)")]
    pub code: String,
}

#[derive(Schema)]
#[schema(table = "users", migrations = "tests/tests/ui/snapshots/base", unique(code, name = "codes", nulls_not_distinct))]
pub struct UniqueNullsNotDistinct {
    #[schema(primary_key, identity)]
    pub id: i64,
    pub email: String,
    pub name: String,
    pub age: Option<i32>,
    pub code: Option<String>,
}

#[derive(Schema)]
#[schema(table = "users", migrations = "tests/tests/ui/snapshots/base")]
pub struct CheckDefault {
    #[schema(primary_key, identity)]
    pub id: i64,
    pub email: String,
    pub name: String,
    pub age: Option<i32>,
    #[schema(check = "stars > 0", default = "0")]
    pub stars: i32,
}

#[derive(Schema)]
#[schema(table = "users", migrations = "tests/tests/ui/snapshots/base")]
pub struct CheckNull {
    #[schema(primary_key, identity)]
    pub id: i64,
    pub email: String,
    pub name: String,
    pub age: Option<i32>,
    #[schema(check = "stars IS NOT NULL")]
    pub stars: Option<i32>,
}

#[derive(Schema)]
#[schema(table = "users", migrations = "tests/tests/ui/snapshots/base")]
pub struct CheckUp {
    #[schema(primary_key, identity)]
    pub id: i64,
    pub email: String,
    pub name: String,
    pub age: Option<i32>,
    #[schema(check = "stars > 0", up = "age")]
    pub stars: i32,
}

#[derive(Schema)]
#[schema(table = "users", migrations = "tests/tests/ui/snapshots/base")]
pub struct ReferenceDefault {
    #[schema(primary_key, identity)]
    pub id: i64,
    pub email: String,
    pub name: String,
    pub age: Option<i32>,
    #[schema(references = "teams(id)", default = "1")]
    pub team: i64,
}

#[derive(Schema)]
#[schema(table = "users", migrations = "tests/tests/ui/snapshots/base")]
pub struct ReferenceUp {
    #[schema(primary_key, identity)]
    pub id: i64,
    pub email: String,
    pub name: String,
    pub age: Option<i32>,
    #[schema(references = "teams(id)", up = "age")]
    pub team: i64,
}

#[derive(Schema)]
#[schema(table = "users", migrations = "tests/tests/ui/snapshots/base")]
pub struct DefaultNull {
    #[schema(primary_key, identity)]
    pub id: i64,
    pub email: String,
    pub name: String,
    pub age: Option<i32>,
    #[schema(default = "NULL")]
    pub code: String,
}

#[derive(Schema)]
#[schema(table = "users", migrations = "tests/tests/ui/snapshots/base", check(name = "never", expr = "false"))]
pub struct CheckOfNothing {
    #[schema(primary_key, identity)]
    pub id: i64,
    pub email: String,
    pub name: String,
    pub age: Option<i32>,
}

#[derive(Schema)]
#[schema(table = "users", migrations = "tests/tests/ui/snapshots/base", check(name = "sane", expr = "is_sane(users)"))]
pub struct CheckOfTheRow {
    #[schema(primary_key, identity)]
    pub id: i64,
    pub email: String,
    pub name: String,
    pub age: Option<i32>,
}

#[derive(Schema)]
#[schema(table = "users", migrations = "tests/tests/ui/snapshots/base", index(code, unique, name = "codes_idx"))]
pub struct UniqueIndex {
    #[schema(primary_key, identity)]
    pub id: i64,
    pub email: String,
    pub name: String,
    pub age: Option<i32>,
    #[schema(default = "'x'")]
    pub code: String,
}

#[derive(Schema)]
#[schema(table = "users", migrations = "tests/tests/ui/snapshots/base")]
pub struct UniqueOfAFoldedKey {
    #[schema(primary_key, identity)]
    pub id: i64,
    pub email: String,
    pub name: String,
    pub age: Option<i32>,
    #[schema(unique, up = "id % 2")]
    pub parity: i64,
}

fn main() {}
