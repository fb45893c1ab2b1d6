use diptych::Schema;

#[derive(Schema)]
#[schema(table = "users", migrations = "tests/tests/ui/snapshots/base", dropped(email, down = "name"))]
pub struct User {
    #[schema(primary_key, identity)]
    pub id: i64,
    #[schema(renamed_from = "name")]
    pub full_name: String,
    #[schema(up = "coalesce(age, 0)", down = "age::integer")]
    pub age: i64,
    #[schema(up = "lower(name)")]
    pub slug: String,
    #[schema(default = "0")]
    pub visits: i64,
    pub note: Option<String>,
}

diptych::database! {
    pub struct Shop { migrations: "tests/tests/ui/snapshots/base", tables: [User] }
}

pub(crate) fn main() {}
