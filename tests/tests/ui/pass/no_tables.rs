diptych::database! {
    /// As `init` writes it.
    pub struct Shop { migrations: "tests/tests/ui/snapshots/empty", tables: [] }
}

pub(crate) fn main() {
    assert_eq!(Shop::VERSION, None);
}
