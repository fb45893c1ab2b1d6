diptych::database! {
    pub struct Shop { migrations: "tests/tests/ui/snapshots/broken", tables: [] }
}

fn main() {}
