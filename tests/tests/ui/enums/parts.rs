use diptych::SchemaEnum;

#[derive(Debug, SchemaEnum)]
#[schema(migrations = "tests/tests/ui/snapshots/moods", dropped(meh), table = "moods")]
pub enum Mood {
    Sad,
    #[schema(label = "sad", up = "x")]
    Low,
    #[schema(allow(old_writes_may_fail))]
    Happy,
}

#[derive(Debug, SchemaEnum)]
pub enum Shape {
    Circle(f64),
}

#[derive(Debug, SchemaEnum)]
pub struct Point;

fn main() {}
