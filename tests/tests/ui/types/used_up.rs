use diptych::Schema;

#[derive(Schema)]
#[schema(table = "users", migrations = "tests/tests/ui/snapshots/used")]
pub struct User {
    #[schema(primary_key, identity)]
    pub id: i64,
    pub email: String,
    pub name: String,
    #[schema(up = "age::integer", down = "age::text")]
    pub age: Option<String>,
}

diptych::database! {
    pub struct Shop { migrations: "tests/tests/ui/snapshots/used", tables: [User] }
}

fn main() {}
