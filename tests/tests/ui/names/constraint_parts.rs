use diptych::Schema;

#[derive(Schema)]
#[schema(table = "users", migrations = "tests/tests/ui/snapshots/base",
    unique(email, name = "one", name = "two"),
    unique(name, method = "hash"),
    index(key(email, expression = "lower(email)")),
    exclude(name = "apart"),
    replica_identity = "some"
)]
pub struct User {
    #[schema(primary_key, identity)]
    pub id: i64,
    pub email: String,
    pub name: String,
    pub age: Option<i32>,
}

diptych::database! {
    pub struct Shop { migrations: "tests/tests/ui/snapshots/base", tables: [User] }
}

fn main() {}
