//! Mutations of good texts: of bytes, of lines, of words, and of the tree that they stand for.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_yaml::Value;

/// One change of a text. Places are fractions of it, so that an edit fits every text.
#[derive(Clone, Debug)]
pub(crate) enum Edit {
    Byte(Index, u8),
    Cut(Index, Index),
    Insert(Index, String),
    RemoveLine(Index),
    RepeatLine(Index),
    SwapLines(Index, Index),
    Word(Index, String),
    /// Another value in a node of the tree.
    Node(Index, Value),
    /// Another key in an entry of the tree.
    Key(Index, String),
    /// A node of the tree in the place of another.
    Graft(Index, Index),
    RemoveNode(Index),
    RepeatNode(Index),
    Json,
}

/// Texts that are hard on a parser, on YAML or on SQL.
pub(crate) fn odd_text() -> impl Strategy<Value = String> {
    let known: Vec<String> = [
        "",
        " ",
        "null",
        "~",
        "Null",
        "true",
        "no",
        "yEs",
        "oN",
        "Y",
        "0",
        "-1",
        "1e999",
        "0x1f",
        "0o7",
        "1_000",
        ".inf",
        "NaN",
        "9999999999999999999999",
        "\0",
        "a\0b",
        "\"",
        "'",
        "''",
        "\\",
        "a\\",
        "$$",
        "$diptych$",
        "\n",
        "a\nb",
        "\na",
        "a\n",
        "a\n\n",
        "  a\n b",
        "\ta",
        "a\t",
        "a\rb",
        "\r\n",
        "\u{85}",
        "\u{2028}",
        "\u{feff}",
        "\u{feff}a",
        "\u{1}",
        "\u{7f}",
        "\u{9f}",
        "ü",
        "😀",
        "e\u{301}",
        "\u{202e}x",
        "- a",
        "a: b",
        "a #b",
        "#",
        "a:",
        ": ",
        "?",
        "? a",
        "!tag",
        "!!str a",
        "&a",
        "*a",
        "[",
        "]",
        "{",
        "}",
        ",",
        "%",
        "@",
        "`",
        "|",
        ">",
        "---",
        "...",
        "--- a",
        "=",
        "<<",
        "diptych-quoted-no",
        "diptych-quoted-y\n",
        "x diptych-quoted-on:",
        "no\n",
        "no:",
        "text, x",
        "users",
        "notes",
        "id",
        "email",
        "name",
        "age",
        "user_id",
        "text",
        "bigint",
        "users_email_key",
        "users_name_idx",
        "users_pkey",
        "users_age",
        "a -- b",
        "/* ",
        "x) --",
        "age > 0",
        "CASCADE",
        "set null",
        "DESC",
        "foreign_key",
        "primary_key",
        "unique",
        "check",
        "serial",
        "int[]",
        ")(",
        "(",
    ]
    .map(str::to_owned)
    .to_vec();
    prop_oneof![
        6 => select(known),
        1 => (1usize..200).prop_map(|count| "x".repeat(count)),
        1 => (20usize..40).prop_map(|count| "ü".repeat(count)),
        1 => (100usize..3000).prop_map(|count| "(".repeat(count)),
        1 => any::<String>(),
        1 => "\\PC{1,70}",
        1 => "[ -~\n]{0,40}",
    ]
}

/// Text that YAML gives a meaning to.
fn fragment() -> impl Strategy<Value = String> {
    let known = [
        "&a ",
        "*a",
        "!tag ",
        "!!binary ",
        "!!int ",
        "<<: *a",
        "---\n",
        "...\n",
        "%YAML 1.1\n",
        "- ",
        "? ",
        ": ",
        "[",
        "]",
        "{",
        "}",
        ", ",
        "|\n",
        ">-\n",
        "\t",
        "'",
        "\"",
        "#",
        "\n",
        "\n\n",
        "  ",
        "\0",
        "\\",
        "\u{feff}",
        "\\x",
        "\\ud83d",
        "[[[[[[[[[[[[[[",
        "{a: {a: {a: {a: ",
        "null",
        "~",
    ];
    prop_oneof![4 => select(known.map(str::to_owned).to_vec()), 1 => odd_text()]
}

fn odd_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        6 => odd_text().prop_map(Value::String),
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::Bool),
        1 => any::<i64>().prop_map(|number| Value::Number(number.into())),
        1 => any::<f64>().prop_map(|number| Value::Number(number.into())),
    ];
    prop_oneof![
        8 => leaf.clone(),
        1 => vec(leaf.clone(), 0..4).prop_map(Value::Sequence),
        1 => vec((odd_text(), leaf.clone()), 0..4).prop_map(|entries| Value::Mapping(
            entries.into_iter().map(|(key, value)| (Value::String(key), value)).collect()
        )),
        1 => (leaf, 1usize..300).prop_map(|(leaf, depth)| (0..depth).fold(leaf, |inner, _| Value::Sequence(vec![inner]))),
    ]
}

/// An edit of the text alone, which may leave no YAML at all.
pub(crate) fn of_text() -> impl Strategy<Value = Edit> {
    let place = any::<Index>;
    prop_oneof![
        (place(), any::<u8>()).prop_map(|(at, byte)| Edit::Byte(at, byte)),
        (place(), place()).prop_map(|(from, to)| Edit::Cut(from, to)),
        (place(), fragment()).prop_map(|(at, text)| Edit::Insert(at, text)),
        place().prop_map(Edit::RemoveLine),
        place().prop_map(Edit::RepeatLine),
        (place(), place()).prop_map(|(one, other)| Edit::SwapLines(one, other)),
        (place(), odd_text()).prop_map(|(at, text)| Edit::Word(at, text)),
    ]
}

/// An edit that leaves good YAML (or JSON).
pub(crate) fn of_tree() -> impl Strategy<Value = Edit> {
    let place = any::<Index>;
    prop_oneof![
        6 => (place(), odd_value()).prop_map(|(at, value)| Edit::Node(at, value)),
        2 => (place(), odd_text()).prop_map(|(at, key)| Edit::Key(at, key)),
        4 => (place(), place()).prop_map(|(from, to)| Edit::Graft(from, to)),
        2 => place().prop_map(Edit::RemoveNode),
        2 => place().prop_map(Edit::RepeatNode),
        1 => Just(Edit::Json),
    ]
}

/// The text after the edits, one after the other.
pub(crate) fn mutate(text: &str, edits: &[Edit]) -> String {
    edits.iter().fold(text.to_owned(), |text, edit| apply(&text, edit))
}

fn apply(text: &str, edit: &Edit) -> String {
    let lines: Vec<&str> = text.lines().collect();
    if text.is_empty() || lines.is_empty() {
        return "operations: []".to_owned();
    }
    match edit {
        Edit::Byte(at, byte) => {
            let mut bytes = text.as_bytes().to_vec();
            let at = at.index(bytes.len());
            bytes[at] = *byte;
            String::from_utf8_lossy(&bytes).into_owned()
        }
        Edit::Cut(one, other) => {
            let (one, other) = (boundary(text, one), boundary(text, other));
            format!("{}{}", &text[..one.min(other)], &text[one.max(other)..])
        }
        Edit::Insert(at, what) => {
            let at = boundary(text, at);
            format!("{}{what}{}", &text[..at], &text[at..])
        }
        Edit::RemoveLine(at) => with_lines(&lines, |lines| {
            lines.remove(at.index(lines.len()));
        }),
        Edit::RepeatLine(at) => with_lines(&lines, |lines| lines.insert(at.index(lines.len()), lines[at.index(lines.len())])),
        Edit::SwapLines(one, other) => with_lines(&lines, |lines| {
            let count = lines.len();
            lines.swap(one.index(count), other.index(count));
        }),
        Edit::Word(at, with) => {
            let starts: Vec<usize> = text
                .char_indices()
                .filter(|(at, c)| c.is_alphanumeric() && !text[..*at].ends_with(char::is_alphanumeric))
                .map(|(at, _)| at)
                .collect();
            if starts.is_empty() {
                return text.to_owned();
            }
            let start = starts[at.index(starts.len())];
            let end = text[start..].find(|c: char| !c.is_alphanumeric() && c != '_').map_or(text.len(), |length| start + length);
            format!("{}{with}{}", &text[..start], &text[end..])
        }
        Edit::Json => {
            let Ok(value) = serde_yaml::from_str::<Value>(text) else { return text.to_owned() };
            serde_json::to_string_pretty(&value).unwrap_or_else(|_| text.to_owned())
        }
        of_tree => {
            let Ok(mut value) = serde_yaml::from_str::<Value>(text) else { return text.to_owned() };
            edit_tree(&mut value, of_tree);
            serde_yaml::to_string(&value).unwrap_or_else(|_| text.to_owned())
        }
    }
}

fn edit_tree(value: &mut Value, edit: &Edit) {
    let places = places(value);
    let pick = |at: &Index| &places[at.index(places.len())];
    match edit {
        Edit::Node(at, with) => *node(value, pick(at)) = with.clone(),
        Edit::Graft(from, to) => {
            let grafted = node(value, pick(from)).clone();
            *node(value, pick(to)) = grafted;
        }
        Edit::Key(at, key) => with_parent(value, pick(at), |parent, last| {
            if let Value::Mapping(map) = parent {
                let mut entries: Vec<_> = std::mem::take(map).into_iter().collect();
                entries[last].0 = Value::String(key.clone());
                *map = entries.into_iter().collect();
            }
        }),
        Edit::RemoveNode(at) => with_parent(value, pick(at), |parent, last| match parent {
            Value::Sequence(items) => {
                items.remove(last);
            }
            Value::Mapping(map) => {
                let kept = std::mem::take(map).into_iter().enumerate().filter(|(at, _)| *at != last);
                *map = kept.map(|(_, entry)| entry).collect();
            }
            _ => {}
        }),
        Edit::RepeatNode(at) => with_parent(value, pick(at), |parent, last| {
            if let Value::Sequence(items) = parent {
                items.insert(last, items[last].clone());
            }
        }),
        _ => {}
    }
}

/// Every node but the root, as the positions on the way to it; the root alone where there is no other.
fn places(value: &Value) -> Vec<Vec<usize>> {
    fn walk(value: &Value, path: &mut Vec<usize>, found: &mut Vec<Vec<usize>>) {
        let below: Vec<&Value> = match value {
            Value::Sequence(items) => items.iter().collect(),
            Value::Mapping(map) => map.iter().map(|(_, value)| value).collect(),
            _ => Vec::new(),
        };
        for (at, value) in below.into_iter().enumerate() {
            path.push(at);
            found.push(path.clone());
            walk(value, path, found);
            path.pop();
        }
    }
    let mut found = Vec::new();
    walk(value, &mut Vec::new(), &mut found);
    if found.is_empty() { vec![Vec::new()] } else { found }
}

fn node<'a>(value: &'a mut Value, path: &[usize]) -> &'a mut Value {
    path.iter().fold(value, |value, at| match value {
        Value::Sequence(items) => &mut items[*at],
        Value::Mapping(map) => map.iter_mut().nth(*at).expect("a place of this tree").1,
        other => other,
    })
}

fn with_parent(value: &mut Value, path: &[usize], change: impl FnOnce(&mut Value, usize)) {
    if let [before @ .., last] = path {
        change(node(value, before), *last);
    }
}

fn with_lines(lines: &[&str], change: impl FnOnce(&mut Vec<&str>)) -> String {
    let mut lines = lines.to_vec();
    change(&mut lines);
    lines.join("\n") + "\n"
}

fn boundary(text: &str, at: &Index) -> usize {
    let mut at = at.index(text.len() + 1);
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}
