//! A domain that is kept, one that loses rules, one that goes, and one that comes.

diptych::database! {
    pub struct Shop {
        migrations: "tests/tests/ui/snapshots/domains",
        domains: [
            years(type = "int4", check(name = "grown", expr = "VALUE  >= 0")),
            "Short Text"(type = "text"),
            word(type = "text"),
            nick(type = "word", default = "'x'", comment = "a name"),
        ],
        dropped: ["share"],
    }
}

pub(crate) fn main() {
    let operations = Shop::PENDING.operations().unwrap();
    let names: Vec<_> = operations.iter().map(|operation| operation.name()).collect();
    // each after the one that it is based on
    assert_eq!(names, ["alter_domain", "create_domain", "drop_domain"]);
}
