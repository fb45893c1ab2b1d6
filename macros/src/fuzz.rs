//! Attributes by the thousand: no panic, always good Rust, and a mistake is an error.

use proc_macro2::TokenStream;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, RngSeed};
use syn::DeriveInput;

use crate::{database, expand, newtype, symbol};

/// A few cases of one seed; `PROPTEST_CASES` asks for more, from other seeds.
fn config(cases: u32) -> Config {
    let config = Config { failure_persistence: None, max_shrink_iters: 2000, ..Config::default() };
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => config,
        None => Config { cases, rng_seed: RngSeed::Fixed(0x6469_7074_7963_6821), ..config },
    }
}

const STRUCTS: [&str; 4] = [
    r#"/// People.
    #[schema(table = "users", migrations = "../tests/tests/ui/snapshots/base", dropped(email, down = "name"), crate = ::diptych)]
    #[schema(unique(full_name, age, name = "names", allow(old_writes_may_fail)), index(columns(age, slug), unique, name = "ages"))]
    pub struct User {
        #[schema(primary_key, identity)] pub id: i64,
        #[schema(renamed_from = "name")] pub full_name: String,
        #[schema(up = "coalesce(age, 0)", down = "age::integer", allow(old_writes_may_fail))] pub age: i64,
        /// In small letters.
        #[schema(up = "lower(name)", unique, index, check = "slug <> ''", allow(old_writes_may_fail))] slug: String,
        #[schema(default = "0", type = "numeric(5,2)", column = "visit count")] pub visits: i64,
        pub note: Option<String>,
        #[schema(references = "users(id)", on_delete = "CASCADE", on_update = "SET NULL")] r#type: Option<i64>,
    }"#,
    r#"#[schema(migrations = "../tests/tests/ui/snapshots/used", table = "users", renamed_from = "people", primary_key(id))]
    #[schema(check(name = "old", expr = "age > 3"), foreign_key(id, email, references = "others(x, y)", name = "f", on_delete = "RESTRICT"))]
    struct Person { #[schema(identity = "always")] id: i64, email: String, name: String, #[schema(up = "age::integer", down = "age::text")] age: Option<i32> }"#,
    r#"#[schema(migrations = "../tests/tests/ui/snapshots/broken")] struct Other { id: [u8; 4], r#fn: fn() -> (), x: Option<Box<dyn Send + 'static>>, }"#,
    r#"#[schema(primary_key(a, b), unique(b))] pub(crate) struct Δ { a: <Vec<u8> as IntoIterator>::Item, b: crate::B<'static, 3, { 1 + 1 }> }"#,
];

const DATABASES: [&str; 2] = [
    r#"/// The shop.
    #[derive(Debug)] pub struct Shop { migrations: "../tests/tests/ui/snapshots/base", tables: [User, crate::b::Order, T<'static>], dropped: ["users"], schema: "a b", crate: crate::x }"#,
    "struct Shop { migrations: \"none\" }",
];

const NEWTYPES: [&str; 3] = [
    r#"/// A number of its own.
    #[schema(crate = crate::x)] pub struct Id<T: X<u8>, const N: usize>(pub i64, std::marker::PhantomData<T>) where T: Copy;"#,
    r#"#[schema(type = "citext")] struct Name<'a> { name: &'a str, r#type: [u8; 4] }"#,
    r#"#[schema(type = "int[]")] enum Shape { Round(u8), Square }"#,
];

proptest! {
    #![proptest_config(config(1500))]

    #[test]
    fn mutated_newtypes_never_panic(text in select(NEWTYPES.to_vec()), edits in vec((any::<Index>(), any::<Index>(), edit()), 1..5)) {
        try_newtype(&mutate(text, &edits));
    }

    #[test]
    fn attribute_soup_never_panics(on_struct in vec(token(), 0..12), on_field in vec(token(), 0..12), generics in select(vec!["", "<T: X<u8>>", "<'a, const N: usize = 3>"])) {
        try_derive(&format!("#[schema({})] struct S{generics} {{ #[schema({})] a: u8, b: u8 }}", on_struct.join(" "), on_field.join(" ")));
    }

    #[test]
    fn mutated_structs_never_panic(text in select(STRUCTS.to_vec()), edits in vec((any::<Index>(), any::<Index>(), edit()), 1..5)) {
        try_derive(&mutate(text, &edits));
    }

    #[test]
    fn mutated_databases_never_panic(text in select(DATABASES.to_vec()), edits in vec((any::<Index>(), any::<Index>(), edit()), 1..4)) {
        try_database(&mutate(text, &edits));
    }

    #[test]
    fn database_soup_never_panics(tokens in vec(token(), 0..16)) {
        try_database(&format!("struct S {{ {} }}", tokens.join(" ")));
    }

    #[test]
    fn a_mistake_among_good_attributes_is_an_error(
        good in vec(select(ON_FIELD.to_vec()), 0..4), bad in proptest::option::of(select(BAD_ON_FIELD.to_vec())), at in any::<Index>(),
        groups in vec(select(ON_STRUCT.to_vec()), 0..4), wrong in proptest::option::of(select(BAD_ON_STRUCT.to_vec())),
    ) {
        let list = |good: Vec<&'static str>, bad: Option<&'static str>| {
            // the same word twice is a mistake of its own
            let mut words = std::collections::BTreeSet::new();
            let mut all: Vec<&str> = good.into_iter().filter(|item| words.insert(item.split([' ', '(']).next())).collect();
            if let Some(bad) = bad {
                all.insert(at.index(all.len() + 1), bad);
            }
            all.join(", ")
        };
        let wrongs = bad.is_some() || wrong.is_some();
        let text = format!("#[schema({})] struct S {{ #[schema({})] a: u8, b: u8 }}", list(groups, wrong), list(good, bad));
        let output = try_derive(&text).expect("a struct");
        prop_assert_eq!(output.contains("compile_error"), wrongs, "{}", text);
    }
}

const ON_FIELD: [&str; 16] = [
    "collate = \"C\"",
    "primary_key",
    "identity",
    "identity = \"always\"",
    "unique",
    "index",
    "default = \"1\"",
    "check = \"a > 1\"",
    "references = \"t(x)\"",
    "type = \"text\"",
    "column = \"a\"",
    "renamed_from = \"c\"",
    "up = \"b\"",
    "down = \"0\"",
    "allow(old_writes_may_fail)",
    "default = r#\"'\"'\"#",
];
const BAD_ON_FIELD: [&str; 39] = [
    "down = \"\"",
    "check = 1",
    "generated",
    "generated = 5",
    "sequence_options",
    "deferrable = \"yes\"",
    "match_type(full)",
    "unknown",
    "a::b",
    "primary_key = \"x\"",
    "primary_key(a)",
    "unique x",
    "unique(name = \"x\")",
    "index = \"name\"",
    "default",
    "default = 5",
    "default = \"1\" 2",
    "default(\"1\")",
    "check",
    "check = x",
    "references = \"t\"",
    "references = \"(x)\"",
    "references = \"t(x, y)\"",
    "references(t)",
    "identity = \"sometimes\"",
    "identity(always)",
    "column = \"\"",
    "column = \"b\"",
    "column = \"a\\0\"",
    "type = 'x'",
    "up = {}",
    "down = b\"x\"",
    "allow",
    "allow()",
    "allow(everything)",
    "allow(old_writes_may_fail, more)",
    "default = \"x\".y",
    "column = \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"",
    "up = \"x\" down = \"y\"",
];
const ON_STRUCT: [&str; 17] = [
    "partition_by = \"RANGE (a)\"",
    "unique(b, nulls_not_distinct, storage_parameters = \"fillfactor = 70\", tablespace = \"t\")",
    "statistics(a, b, kinds = \"mcv\", name = \"s\")",
    "statistics(key(expression = \"lower(b)\"))",
    "index(key(a, sort = \"desc\", nulls = \"last\", opclass = \"o\", params = \"p = 1\"), key(expression = \"lower(b)\"), predicate = \"a > 1\")",
    "foreign_key(a, b, references = \"t(x, y)\", on_delete = \"set null\", on_delete_set_columns(a), match_type = \"full\")",
    "exclude(name = \"e\", elements = \"a WITH =\", initially_deferred)",
    "replica_identity = \"index i\"",
    "table = \"t\"",
    "migrations = \"none\"",
    "renamed_from = \"s\"",
    "dropped(c, d, down = \"x\")",
    "unique(a, b)",
    "index(columns(b), unique)",
    "check(name = \"c\", expr = \"a > b\")",
    "foreign_key(a, references = \"t(x)\")",
    "crate = ::diptych",
];
const BAD_ON_STRUCT: [&str; 51] = [
    "storage(fillfactor)",
    "storage(fillfactor = x)",
    "storage(fillfactor = 70u8, autovacuum_enabled = true)",
    "storage(toast(fillfactor = 1, fillfactor = 2))",
    "primary_key(a, method = \"hash\")",
    "unique(a, include(c))",
    "unique(a, deferrable, deferrable)",
    "unique(a, name = \"x\", name = \"y\")",
    "index(key())",
    "statistics(a)",
    "statistics(a, b, kinds = \"all\")",
    "statistics(a, key(b, sort = \"desc\"))",
    "index(key(a, b))",
    "index(key(a, expression = \"b\"))",
    "index(key(a, params = \"x = 1\"))",
    "index(a, nulls_not_distinct)",
    "index(key(a, sort = \"up\"))",
    "index(a, include = \"b\")",
    "exclude(name = \"e\")",
    "exclude(a, name = \"e\", elements = \"a WITH =\")",
    "foreign_key(a, references = \"t(x)\", match_type = \"partial\")",
    "replica_identity = \"some\"",
    "unknown",
    "table",
    "table = 3",
    "table = \"\"",
    "table = \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"",
    "table(\"t\")",
    "dropped",
    "dropped()",
    "dropped(down = \"x\")",
    "dropped(c, up = \"x\")",
    "unique",
    "unique()",
    "unique(c)",
    "unique(a, name = \"\")",
    "unique(a, name = x)",
    "index(a b)",
    "index(a,, b)",
    "index(a, expr = \"x\")",
    "check(name = \"c\")",
    "check(expr = \"x\")",
    "check(name = \"c\", a, b)",
    "foreign_key(a)",
    "foreign_key(a, references = \"t(x, y)\")",
    "foreign_key(a, b, references = \"t(x)\")",
    "crate = \"x\"",
    "crate = a<b>",
    "primary_key",
    "unique(a) b",
    "primary_key(a) primary_key(b)",
];

fn token() -> impl Strategy<Value = String> {
    let signs = [
        "=",
        ",",
        ",",
        "(a)",
        "()",
        "(a, b, name = \"x\")",
        "[]",
        "[a]",
        "{}",
        ":",
        "::",
        "\"x\"",
        "\"t(x)\"",
        "\"\"",
        "5",
        "'c'",
        "b\"x\"",
        "\"a\\0\"",
        "a",
        "b",
        "r#type",
        "true",
        "#",
        "!",
        ";",
        "-",
        "<",
        "'a",
        "self",
    ];
    let words = symbol::ON_STRUCT.iter().chain(symbol::ON_FIELD).chain(symbol::IN_DATABASE).chain(&[
        symbol::NAME,
        symbol::EXPR,
        symbol::EXPRESSION,
        symbol::ELEMENTS,
        symbol::KEY,
        symbol::INCLUDE,
        symbol::PREDICATE,
        symbol::NULLS_NOT_DISTINCT,
        symbol::COLUMNS,
        symbol::OLD_WRITES_MAY_FAIL,
    ]);
    let all: Vec<String> = signs.iter().chain(words).map(|text| (*text).to_owned()).collect();
    prop_oneof![8 => select(all), 1 => text().prop_map(|text| format!("{text:?}"))]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), "\\PC{0,80}", "[a-z(), .]{0,20}"]
}

/// A token instead of one, beside one, or nothing.
fn edit() -> impl Strategy<Value = Option<String>> {
    proptest::option::weighted(0.8, token())
}

/// Puts pieces in the place of others, at the borders of words.
fn mutate(text: &str, edits: &[(Index, Index, Option<String>)]) -> String {
    edits.iter().fold(text.to_owned(), |text, (from, length, with)| {
        let mut borders: Vec<usize> = text
            .char_indices()
            .filter(|(at, c)| !c.is_alphanumeric() || text[..*at].ends_with(|c: char| !c.is_alphanumeric()))
            .map(|(at, _)| at)
            .collect();
        borders.push(text.len());
        let from = from.index(borders.len());
        let to = (from + length.index(4)).min(borders.len() - 1);
        format!("{}{}{}", &text[..borders[from]], with.as_deref().unwrap_or_default(), &text[borders[to]..])
    })
}

/// Expands what parses; the output as text.
fn try_derive(text: &str) -> Option<String> {
    let input = syn::parse_str::<DeriveInput>(text).ok()?;
    Some(good_rust(expand::derive(input), text))
}

/// The same of a newtype.
fn try_newtype(text: &str) -> Option<String> {
    let input = syn::parse_str::<DeriveInput>(text).ok()?;
    Some(good_rust(newtype::derive(&input), text))
}

fn try_database(text: &str) {
    if let Ok(input) = syn::parse_str::<database::Input>(text) {
        good_rust(database::expand(input), text);
    }
}

fn good_rust(output: TokenStream, input: &str) -> String {
    let text = output.to_string();
    if let Err(error) = syn::parse2::<syn::File>(output) {
        panic!("{error} in the output of\n{input}\n{text}");
    }
    text
}

#[test]
fn the_corpus_is_good() {
    for text in STRUCTS {
        let output = try_derive(text).expect("a struct");
        assert!(!output.contains("compile_error") || text.contains("Person"), "{output}");
    }
    for text in NEWTYPES {
        let output = try_newtype(text).expect("a type");
        assert!(!output.contains("compile_error"), "{output}");
    }
    for text in DATABASES {
        syn::parse_str::<database::Input>(text).unwrap_or_else(|error| panic!("{error}"));
        try_database(text);
    }
}

#[test]
fn two_fields_of_one_column_are_an_error() {
    let text = |field: &str| {
        format!(
            "#[schema(table = \"users\", migrations = \"../tests/tests/ui/snapshots/base\")] struct U {{ #[schema(primary_key, identity)] id: i64, email: String, {field}, age: Option<i32>, #[schema(renamed_from = \"name\")] full: String }}"
        )
    };
    let (one, two) =
        (try_derive(&text("x: Option<i8>")).expect("a struct"), try_derive(&text("name: String")).expect("a struct"));
    assert!(!one.contains("compile_error") && two.contains("stand for column `users.name`"), "{two}");
}
