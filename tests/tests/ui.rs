//! What the build says: one mistake each, with table, column, both versions and the fix.

#[test]
fn messages() {
    let cases = trybuild::TestCases::new();
    for kind in ["names", "types", "database", "enums", "rules"] {
        cases.compile_fail(format!("tests/ui/{kind}/*.rs"));
    }
    cases.pass("tests/ui/pass/*.rs");
}
