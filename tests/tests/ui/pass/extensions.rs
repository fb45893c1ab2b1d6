//! An extension that is kept, one that goes, and one that comes.

diptych::database! {
    pub struct Shop {
        migrations: "tests/tests/ui/snapshots/extensions",
        extensions: ["citext", "hstore", "uuid-ossp"],
        dropped: ["ltree"],
    }
}

pub(crate) fn main() {
    let operations = Shop::PENDING.operations().unwrap();
    let names: Vec<_> = operations.iter().map(|operation| operation.name()).collect();
    assert_eq!(names, ["create_extension", "drop_extension"]);
}
