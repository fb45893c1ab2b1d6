use diptych::Schema;

#[derive(Schema)]
#[schema(table = "users", migrations = "tests/tests/ui/snapshots/base")]
pub struct User {
    #[schema(primary_key, sequence_options = "START 3")]
    pub id: i64,
    #[schema(default = "1", generated = "lower(name)")]
    pub email: String,
    pub name: String,
    #[schema(deferrable)]
    pub age: Option<i32>,
}

diptych::database! {
    pub struct Shop { migrations: "tests/tests/ui/snapshots/base", tables: [User] }
}

fn main() {}
