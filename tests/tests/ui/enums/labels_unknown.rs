use diptych::SchemaEnum;

#[derive(Debug, SchemaEnum)]
#[schema(migrations = "tests/tests/ui/snapshots/moods")]
#[schema(dropped(meh, up = "fine"), dropped(bored, up = "sad"), dropped(sad, up = "happy"))]
pub enum Mood {
    Sad,
    Happy,
    #[schema(down = "joyful")]
    Glad,
    #[schema(renamed_from = "low")]
    Down,
    #[schema(renamed_from = "happy")]
    Glee,
}

#[derive(Debug, SchemaEnum)]
#[schema(migrations = "tests/tests/ui/snapshots/moods")]
pub enum Shape {
    Circle,
    #[schema(allow(old_reads_new_labels))]
    Square,
}

fn main() {}
