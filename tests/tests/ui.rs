//! What the build says: one mistake each, with table, column, both versions and the fix. What it lets through is compiled into this test.

/// Each of them is a program.
#[allow(dead_code, deprecated, unreachable_pub)]
#[path = "ui/pass"]
mod pass {
    pub(crate) mod composites;
    pub(crate) mod domains;
    pub(crate) mod enums;
    pub(crate) mod every_change_with_its_fix;
    pub(crate) mod everything;
    pub(crate) mod extensions;
    pub(crate) mod newtypes;
    pub(crate) mod no_tables;
    pub(crate) mod rules_on_new_columns;
    pub(crate) mod sequences;
    pub(crate) mod unchanged;
}

#[test]
fn messages() {
    let cases = trybuild::TestCases::new();
    for kind in ["names", "types", "database", "enums", "rules"] {
        cases.compile_fail(format!("tests/ui/{kind}/*.rs"));
    }
}

#[test]
fn what_compiles() {
    let programs = [
        pass::composites::main,
        pass::domains::main,
        pass::enums::main,
        pass::every_change_with_its_fix::main,
        pass::everything::main,
        pass::extensions::main,
        pass::newtypes::main,
        pass::no_tables::main,
        pass::rules_on_new_columns::main,
        pass::sequences::main,
        pass::unchanged::main,
    ];
    let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/ui/pass")).expect("a folder").count();
    assert_eq!(programs.len(), files, "each file of `ui/pass` is one of them");
    programs.iter().for_each(|main| main());
}
