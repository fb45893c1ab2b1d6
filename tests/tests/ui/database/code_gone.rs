diptych::database! {
    pub struct Shop { migrations: "tests/tests/ui/snapshots/coded", code: "tests/tests/ui/snapshots/coded/code", tables: [] }
}

fn main() {}
