use diptych::SchemaEnum;

#[derive(Debug, SchemaEnum)]
#[schema(migrations = "tests/tests/ui/snapshots/moods")]
pub enum Mood {
    Sad,
    Happy,
}

fn main() {}
