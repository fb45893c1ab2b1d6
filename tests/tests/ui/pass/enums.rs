use diptych::{EnumType, Schema, SchemaEnum, SqlType};

#[derive(Clone, Copy, Debug, PartialEq, SchemaEnum)]
#[schema(migrations = "tests/tests/ui/snapshots/moods", dropped(meh, up = "ok"))]
pub enum Mood {
    Sad,
    #[schema(label = "ok", down = "meh")]
    Fine,
    #[schema(renamed_from = "happy")]
    VeryHappy,
    #[schema(allow(old_reads_new_labels))]
    r#Type,
}

/// Kinds of pets.
#[derive(Debug, SchemaEnum)]
#[schema(name = "Pet Kind", migrations = "tests/tests/ui/snapshots/moods")]
pub enum Kind {
    Cat,
}

#[derive(Schema)]
#[schema(table = "users", migrations = "tests/tests/ui/snapshots/moods")]
pub struct User {
    #[schema(primary_key, identity)]
    pub id: i64,
    #[schema(default = "'sad'")]
    pub mood: Mood,
    pub last: Option<Mood>,
    pub moods: Option<Vec<Mood>>,
    pub kind: Option<Kind>,
}

diptych::database! {
    pub struct Shop { migrations: "tests/tests/ui/snapshots/moods", enums: [Mood, Kind], tables: [User], dropped: ["pets", "shape"] }
}

pub(crate) fn main() {
    assert_eq!(Mood::ALL.iter().map(EnumType::label).collect::<Vec<_>>(), ["sad", "ok", "very_happy", "type"]);
    assert_eq!((<Mood as SqlType>::NAME, <Vec<Kind> as SqlType>::NAME), ("mood", "\"Pet Kind\"[]"));
    let names: Vec<&str> = Shop::PENDING.operations().unwrap().iter().map(|operation| operation.name()).collect();
    assert_eq!(names, ["drop_table", "create_enum", "alter_enum", "add_column", "add_column", "drop_enum"]);
}
