//! A composite type that is kept, one with another comment, those that go, and two that come, of which one is made of the other.

diptych::database! {
    pub struct Shop {
        migrations: "tests/tests/ui/snapshots/composites",
        composites: [
            address(street: "text", zip: "text", comment = "where mail goes"),
            "Full Name"(first: "text", "last": "text"),
            point(x(type = "int4"), y: "int4"),
            both(of: "of", comment: "text"),
            of(word(type = "text", collate = "C")),
        ],
        dropped: ["share", "word"],
    }
}

pub(crate) fn main() {
    let operations = Shop::PENDING.operations().unwrap();
    let names: Vec<_> = operations.iter().map(|operation| operation.name()).collect();
    let expected =
        ["alter_composite_type", "create_composite_type", "create_composite_type", "drop_composite_type", "drop_composite_type"];
    assert_eq!(names, expected);
}
