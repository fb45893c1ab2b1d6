diptych::database! {
    pub struct Shop { migrations: "tests/tests/ui/snapshots/none", tables: [] }
}

fn main() {}
