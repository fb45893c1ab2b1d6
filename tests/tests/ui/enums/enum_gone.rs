use diptych::{Schema, SchemaEnum};

#[derive(Debug, SchemaEnum)]
#[schema(name = "kind", migrations = "tests/tests/ui/snapshots/moods")]
pub enum Kind {
    Cat,
}

#[derive(Debug, SchemaEnum)]
#[schema(name = "kind", migrations = "tests/tests/ui/snapshots/moods")]
pub enum Other {
    Cat,
}

#[derive(Schema)]
#[schema(table = "users", migrations = "tests/tests/ui/snapshots/moods")]
pub struct User {
    #[schema(primary_key, identity)]
    pub id: i64,
    #[schema(type = "mood", default = "'sad'")]
    pub mood: String,
    #[schema(type = "mood")]
    pub last: Option<String>,
}

diptych::database! {
    pub struct Shop { migrations: "tests/tests/ui/snapshots/moods", enums: [Kind, Other], tables: [User], dropped: ["pets", "shape"] }
}

fn main() {}
