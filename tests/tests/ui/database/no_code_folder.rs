diptych::database! {
    pub struct Shop { migrations: "tests/tests/ui/snapshots/empty", code: "nowhere", tables: [] }
}

fn main() {}
