diptych::database! {
    /// As `init` writes it.
    pub struct Shop { migrations: "tests/tests/ui/snapshots/empty", tables: [] }
}

fn main() {
    assert_eq!(Shop::VERSION, None);
}
