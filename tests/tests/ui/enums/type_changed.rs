use diptych::{Schema, SchemaEnum};

#[derive(Debug, SchemaEnum)]
#[schema(migrations = "tests/tests/ui/snapshots/moods")]
pub enum Mood {
    Sad,
    Meh,
    Happy,
}

#[derive(Schema)]
#[schema(table = "users", migrations = "tests/tests/ui/snapshots/moods")]
pub struct User {
    #[schema(primary_key, identity)]
    pub id: i64,
    #[schema(default = "'sad'")]
    pub mood: Vec<Mood>,
    pub last: Option<Mood>,
}

diptych::database! {
    pub struct Shop { migrations: "tests/tests/ui/snapshots/moods", enums: [Mood], tables: [User], dropped: ["pets", "shape"] }
}

fn main() {}
