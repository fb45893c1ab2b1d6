//! Names and comments stay within their quotes, whatever they hold; what the server would cut off or refuse is refused.

use diptych_core::layout::chain::{Chain, Version};
use diptych_core::model::book::Book;
use diptych_core::plan::Action;
use diptych_core::{Migration, Schema, Sql, sql};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_yaml::Value;
use std::collections::BTreeSet;

use crate::config;
use crate::lexer::{Backslash, Token, lex};
use crate::migrations::{assert_says, plans};

/// What must never stand outside of quotes.
const MARKER: &str = "INJECTED";

/// How many names the files below leave open, `$0` and so on. Within an expression `@0` is the quoted name.
const NAMES: usize = 24;

const BEFORE: &str = r#"
operations:
  - create_table:
      name: $0
      comment: $20
      columns:
        - {name: $1, type: bigint, pk: true, generated: {identity: {sequence: $2}}}
        - {name: $3, type: text, unique: true, comment: $21}
        - {name: $4, type: integer, nullable: true, default: '18', check: {name: $5, constraint: '@4 > 0'}}
  - create_table:
      name: $6
      columns:
        - {name: $7, type: bigint, pk: true, generated: {identity: {}}}
        - {name: $8, type: bigint, nullable: true, references: {name: $9, table: $0, column: $1, on_delete: SET NULL}}
  - create_index: {name: $10, table: $0, columns: [{column: $3}]}
"#;

const CHANGES: &[&str] = &[
    r#"
version_schema: $22
operations:
  - create_table:
      name: $11
      comment: $20
      columns:
        - {name: $1, type: bigint, pk: true, generated: {identity: {sequence: $12}}}
        - {name: $13, type: bigint, references: {name: $14, table: $0, column: $1}, comment: $21}
      constraints:
        - {name: $15, type: unique, columns: [$13, $1]}
        - {name: $16, type: check, check: '@13 > @1'}
        - {name: $17, type: foreign_key, columns: [$1], references: {table: $11, columns: [$1], on_delete: SET NULL, on_delete_set_columns: [$1]}}
  - create_index: {name: $18, table: $11, columns: [{column: $13}], include: [$1], predicate: '@13 > 1'}
  - create_statistics: {name: $19, table: $11, columns: [$13], expressions: ['@13 + @1']}
"#,
    r#"
operations:
  - create_extension: {name: $13}
  - create_domain: {name: $14, type: text, checks: {$5: VALUE <> ''}}
  - create_composite_type: {name: $15, attributes: [{name: $5, type: text}, {name: $14, type: text}]}
  - create_sequence: {name: $16, start: 7, comment: of all}
  - drop_table: {name: $6}
  - rename_table: {from: $0, to: $11}
  - rename_column: {table: $11, from: $3, to: $12}
  - drop_constraint: {table: $11, name: $5}
  - rename_column: {table: $11, from: $4, to: $3}
  - drop_index: {name: $10}
  - create_index: {name: $13, table: $11, columns: [{column: $12}, {column: $3}]}
"#,
    r#"
operations:
  - add_column: {table: $0, column: {name: $11, type: text, comment: $20, unique: true, check: {name: $12, constraint: '@11 > @3'}}, up: '@3 || @0.@3'}
  - drop_column: {table: $0, column: $3, down: '@11'}
  - rename_column: {table: $0, from: $11, to: $13}
  - rename_table: {from: $0, to: $14}
  - alter_column: {table: $6, column: $8, references: {name: $15, table: $14, column: $1}}
"#,
    r#"
operations:
  - alter_column: {table: $0, column: $4, type: text, up: '@4::text', down: '@4::integer', comment: $20, unique: {name: $11}, check: {name: $12, constraint: '@4 > 1'}}
  - alter_column: {table: $0, column: $3, comment: $21, default: "'x'"}
  - create_constraint: {name: $13, table: $0, type: unique, columns: [$3], up: {$3: '@3'}, down: {$3: '@3'}}
  - create_constraint: {name: $14, table: $6, type: check, check: '@8 > 1'}
  - create_constraint: {name: $15, table: $6, type: foreign_key, columns: [$8], references: {table: $0, columns: [$1]}}
  - drop_constraint: {table: $6, name: $9}
"#,
    r#"
operations:
  - drop_table: {name: $6}
  - create_table:
      name: $6
      columns: [{name: $7, type: bigint, pk: true, generated: {identity: {}}}, {name: $11, type: text, unique: true, comment: $20}]
  - create_index: {name: $12, table: $6, columns: [{column: $11}]}
"#,
];

proptest! {
    #![proptest_config(config(150))]

    #[test]
    fn names_and_comments_stay_within_quotes(change in select(CHANGES.to_vec()), names in names(), base in nasty()) {
        let chain = chain(change, &names, &base);
        let mut known = names.clone();
        known.extend([base, chain.newer.views.clone()]);
        known.extend(chain.older.iter().map(|older| older.views.clone()));
        for plan in plans(&chain) {
            let actions = plan.steps.iter().map(|step| &step.action);
            for statement in actions.flat_map(statements) {
                assert_quoted(statement.as_str(), &known);
            }
        }
    }

    #[test]
    fn too_long_a_name_is_refused(change in select(CHANGES.to_vec()), at in 0..NAMES, long in prop_oneof![
        (64usize..200).prop_map(|count| "x".repeat(count)),
        (32usize..90).prop_map(|count| "ü".repeat(count)),
        "[a-z]{0,60}".prop_map(|text| format!("{text}\0{text}")),
        Just(String::new()),
    ]) {
        let mut names: Vec<String> = (0..NAMES).map(|n| format!("name {n}")).collect();
        names[at] = long.clone();
        let used = |text: &str| text.contains(&format!("${at},")) || text.contains(&format!("${at}\n")) || text.contains(&format!("${at}}}")) || text.contains(&format!("${at}]"));
        // a comment may be long or empty, but hold no NUL byte
        let refused = (at < 20 || at == 22 || long.contains('\0')) && (used(BEFORE) || used(change));
        let first = fill(BEFORE, &names);
        let read = Migration::parse("0001_first", &first).and_then(|first| Ok(first.stage(&Schema::default())?.to));
        let read = read.and_then(|schema| Migration::parse("0002_change", &fill(change, &names))?.stage(&schema));
        prop_assert_eq!(read.is_err(), refused, "{:?} at {}", long, at);
        if let Err(error) = read {
            assert_says(&error);
        }
    }
}

/// Text that leaves its quotes if it can, at most 63 bytes of it.
fn nasty() -> impl Strategy<Value = String> {
    let breaks = [
        "\"; DROP TABLE x; --INJECTED",
        "'); DROP TABLE x; --INJECTED",
        "$$; DROP TABLE x; INJECTED $$",
        "$diptych$; INJECTED $diptych$",
        "$diptych1$ INJECTED",
        "\\'; INJECTED --",
        "\\\"; INJECTED",
        "\n; INJECTED\n",
        "\r--INJECTED",
        "*/ INJECTED",
        "/* INJECTED",
        ">> INJECTED",
        "\"\" INJECTED",
        "'' INJECTED",
        "\"; END; INJECTED $$",
        "%I INJECTED %s",
        "\\ INJECTED",
        "E' INJECTED",
        "U&\" INJECTED",
        "{\"a\": INJECTED",
        "$1 INJECTED",
        "; INJECTED",
        "\t; INJECTED",
        "$diptych",
        "$",
        "\\",
        "\"",
        "'",
        "%",
        "@0",
        "ü INJECTED",
        "\u{a0}INJECTED",
        "NEW.INJECTED",
        "a\" > 0) INJECTED",
    ];
    let part = prop_oneof![8 => select(breaks.map(str::to_owned).to_vec()), 1 => "[\"'$\\\\ \n;a-z]{1,12}", 1 => "\\PC{1,8}"];
    vec(part, 1..4).prop_map(|parts| {
        let mut text = parts.concat();
        while text.len() > 56 {
            text.pop();
        }
        text
    })
}

/// Names apart from each other.
fn names() -> impl Strategy<Value = Vec<String>> {
    vec(nasty(), NAMES)
        .prop_map(|names| names.into_iter().enumerate().map(|(n, name)| format!("{name}{}", (b'a' + n as u8) as char)).collect())
}

fn chain(change: &str, names: &[String], base: &str) -> Chain {
    let first = Migration::parse(&names[23], &fill(BEFORE, names)).unwrap();
    let stage = first.stage(&Schema::default()).unwrap_or_else(|error| panic!("{error}"));
    let older = Version::new(base, &first, &stage);
    let change = Migration::parse(&names[19], &fill(change, names)).unwrap();
    Chain::extend(base, Some(older), &[change], 17, &mut Book::default()).unwrap_or_else(|error| panic!("{error}")).unwrap()
}

/// The file with its names.
fn fill(text: &str, names: &[String]) -> String {
    fn walk(value: &mut Value, names: &[String]) {
        match value {
            Value::String(text) => *text = replaced(text, names),
            Value::Sequence(items) => items.iter_mut().for_each(|item| walk(item, names)),
            Value::Mapping(map) => {
                *map = std::mem::take(map)
                    .into_iter()
                    .map(|(mut key, mut value)| {
                        walk(&mut key, names);
                        walk(&mut value, names);
                        (key, value)
                    })
                    .collect();
            }
            _ => {}
        }
    }
    let mut value: Value = serde_yaml::from_str(text).expect("the file is good");
    walk(&mut value, names);
    serde_yaml::to_string(&value).expect("and can be printed")
}

fn replaced(text: &str, names: &[String]) -> String {
    if let Some(name) = text.strip_prefix('$').and_then(|number| names.get(number.parse::<usize>().ok()?)) {
        return name.clone();
    }
    let mut parts = text.split('@');
    let mut result = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let digits = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        let name = &names[part[..digits].parse::<usize>().expect("a number after @")];
        result += &format!("{}{}", sql::ident(name), &part[digits..]);
    }
    result
}

fn statements(action: &Action) -> Vec<&Sql> {
    let mut all = action.statements();
    if let Action::CreateIndex { drop, .. } = action {
        all.push(drop);
    }
    all
}

/// One statement, closed in itself, in which no name leaves its quotes: read either way of backslashes, bodies as well.
fn assert_quoted(statement: &str, names: &[String]) {
    for backslash in [Backslash::IsPlain, Backslash::Escapes] {
        let tokens = lex(statement, backslash).unwrap_or_else(|error| panic!("{error} in\n{statement}"));
        assert!(!tokens.contains(&Token::Sign(';')), "more than one statement in\n{statement}");
        assert_tokens(statement, &tokens, names, backslash);
    }
}

fn assert_tokens(statement: &str, tokens: &[Token], names: &[String], backslash: Backslash) {
    let known: BTreeSet<&str> = names.iter().map(String::as_str).collect();
    let mut depth = 0i32;
    for token in tokens {
        match token {
            Token::Bare(text) | Token::Comment(text) => {
                assert!(!text.contains(MARKER), "`{text}` stands outside of quotes in\n{statement}")
            }
            Token::Dollar(body) => {
                let inner = lex(body, backslash).unwrap_or_else(|error| panic!("{error} in the body of\n{statement}"));
                assert_tokens(statement, &inner, names, backslash);
            }
            // what breaks out and in again leaves pieces: a name stands whole, but for those that are made of several
            Token::Ident(name) if name.contains(MARKER) => {
                let made = name.starts_with("_diptych_") || ["_key", "_pkey", "_seq"].iter().any(|end| name.ends_with(end));
                assert!(made || known.contains(name.as_str()), "`{name}` is none of the names in\n{statement}");
            }
            Token::Sign('(') => depth += 1,
            Token::Sign(')') => depth -= 1,
            _ => {}
        }
        assert!(depth >= 0, "a bracket is closed that was not open in\n{statement}");
    }
    assert_eq!(depth, 0, "brackets are left open in\n{statement}");
}
