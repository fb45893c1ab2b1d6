use diptych::SchemaEnum;

#[derive(Debug, SchemaEnum)]
#[schema(migrations = "tests/tests/ui/snapshots/moods")]
pub enum Mood {
    Sad,
    Meh,
    Happy,
    Ecstatic,
}

fn main() {}
