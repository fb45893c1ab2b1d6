//! A sequence that is kept, some that change, one that goes, and one that comes in its place.

diptych::database! {
    pub struct Shop {
        migrations: "tests/tests/ui/snapshots/sequences",
        sequences: [
            invoice_number(start = 1000, increment = 5),
            "Short Ones"(type = "int4", max = 99999, cycle),
            spare(min = -5, start = 1, cache = 10, comment = "to spare"),
            new_number(start = 5000, increment = -1, max = 9_000),
        ],
        dropped: ["old_number"],
    }
}

pub(crate) fn main() {
    let operations = Shop::PENDING.operations().unwrap();
    let names: Vec<_> = operations.iter().map(|operation| operation.name()).collect();
    assert_eq!(names, ["alter_sequence", "create_sequence", "alter_sequence", "drop_sequence"]);
}
