use diptych::Schema;

#[derive(Schema)]
#[schema(table = "users", migrations = "tests/tests/ui/snapshots/emptied")]
pub struct User {
    #[schema(primary_key)]
    pub id: i64,
}

diptych::database! {
    pub struct Shop { migrations: "tests/tests/ui/snapshots/emptied", tables: [User] }
}

fn main() {}
