use diptych::Schema;

pub struct Foreign;
type Maybe = Option<Foreign>;

#[derive(Schema)]
#[schema(table = "users", migrations = "tests/tests/ui/snapshots/base")]
pub struct User {
    #[schema(primary_key, identity)]
    pub id: i64,
    #[schema(type = "uuid")]
    pub email: Foreign,
    #[schema(type = "text")]
    pub name: Maybe,
    #[schema(type = "integer")]
    pub age: Foreign,
}

diptych::database! {
    pub struct Shop { migrations: "tests/tests/ui/snapshots/base", tables: [User] }
}

fn main() {}
