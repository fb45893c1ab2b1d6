use diptych::Schema;

#[derive(Schema)]
#[schema(table = "users", migrations = "tests/tests/ui/snapshots/base",
    index(key(name, sort = "up")),
    index(name, nulls_not_distinct),
    foreign_key(age, references = "users(id)", on_delete = "explode"),
    foreign_key(age, references = "users(id)", on_delete_set_columns(age)),
    index(name, include(nick))
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
