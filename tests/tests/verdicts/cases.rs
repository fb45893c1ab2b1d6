//! Reads the cases: changes of the base structs, as short as a diff.
//!
//! ```text
//! no: a name in a few words                 | or `ok:`
//! @ users                                   | the item that changes: a table, an enum, `database`, or `module` for what is beside them
//! - pub age: Option<i32>,                   | a line that goes
//! + pub age: i32,                           | a line that takes its place, or stands at the end
//! > may be NULL in version                  | what the message says; one line for each error
//! = 0                                       | what `…` stands for in the message's proposals, in their order
//! became pub size: i32,                     | the field that `renamed_from` is put on
//! no paste                                  | nothing can be pasted: the hint tells what to correct
//! ```

/// What the build must say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    Accepted,
    Refused,
}

#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) wanted: Wanted,
    pub(crate) text: String,
    pub(crate) says: Vec<String>,
    pub(crate) fills: Vec<String>,
    pub(crate) became: Option<String>,
    pub(crate) is_pasted: bool,
}

const BASE: &str = include_str!("base.rs");

pub(crate) fn all() -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/verdicts/cases");
    let mut files: Vec<_> = std::fs::read_dir(folder).expect("the cases").map(|entry| entry.expect("a file").path()).collect();
    files.sort();
    for file in files {
        let text = std::fs::read_to_string(&file).expect("a file of cases");
        for part in text.split("\n\n").map(str::trim).filter(|part| !part.is_empty()) {
            cases.push(read(part).unwrap_or_else(|error| panic!("{}: {error}:\n{part}", file.display())));
        }
    }
    let mut names: Vec<&str> = cases.iter().map(|case| case.name.as_str()).collect();
    names.sort_unstable();
    let twice = names.windows(2).find(|pair| pair[0] == pair[1]);
    assert!(twice.is_none(), "two cases have one name: {twice:?}");
    for case in &mut cases {
        case.text = placed(&case.text);
    }
    cases
}

fn read(part: &str) -> Result<Case, String> {
    let mut lines = part.lines().filter(|line| !line.starts_with('#'));
    let head = lines.next().ok_or("no head")?;
    let (wanted, name) = match head.split_once(": ") {
        Some(("ok", name)) => (Wanted::Accepted, name),
        Some(("no", name)) => (Wanted::Refused, name),
        _ => return Err(format!("`{head}` is neither ok: nor no:")),
    };
    let mut text: Vec<String> = BASE.lines().map(str::to_owned).collect();
    let mut case = Case {
        name: name.to_owned(),
        wanted,
        text: String::new(),
        says: Vec::new(),
        fills: Vec::new(),
        became: None,
        is_pasted: true,
    };
    let (mut item, mut at) = (None, None);
    for line in lines {
        let (sign, rest) = line.split_once(' ').unwrap_or((line, ""));
        match sign {
            "@" => (item, at) = (Some(rest.to_owned()), None),
            "-" => {
                let (from, to) = range(&text, item.as_deref().ok_or("no item")?)?;
                let found = (from..to).find(|line| text[*line].trim() == rest).ok_or_else(|| format!("no line `{rest}`"))?;
                text.remove(found);
                at = Some(found);
            }
            "+" => {
                let name = item.as_deref().ok_or("no item")?;
                let place = match at {
                    Some(place) => place,
                    None if name == "module" => text.len(),
                    None => range(&text, name)?.1,
                };
                let indent =
                    if name == "module" || ["#[schema(table", "#[schema(name"].iter().any(|start| rest.starts_with(start)) {
                        ""
                    } else {
                        "    "
                    };
                text.insert(place, format!("{indent}{rest}"));
                at = Some(place + 1);
            }
            ">" => case.says.push(rest.to_owned()),
            "=" => case.fills.push(rest.to_owned()),
            "became" => case.became = Some(rest.to_owned()),
            "no" if rest == "paste" => case.is_pasted = false,
            _ => return Err(format!("`{line}` is no line of a case")),
        }
    }
    if (wanted == Wanted::Refused) == case.says.is_empty() {
        return Err("a refused case has what is said, an accepted one has not".to_owned());
    }
    case.text = text.join("\n") + "\n";
    Ok(case)
}

/// The lines of an item, its closing brace excluded.
fn range(text: &[String], item: &str) -> Result<(usize, usize), String> {
    let (head, closing) = match item {
        "mood" => ("pub enum Mood {", "}"),
        "teams" => ("pub struct Team {", "}"),
        "users" => ("pub struct User {", "}"),
        "orders" => ("pub struct Order {", "}"),
        "logs" => ("pub struct Log {", "}"),
        "database" => ("    pub struct Shop {", "    }"),
        _ => return Err(format!("no item `{item}`")),
    };
    let at = text.iter().position(|line| line == head).ok_or_else(|| format!("no item `{item}`"))?;
    let from = (0..at).rev().find(|line| text[*line].is_empty()).map_or(0, |line| line + 1);
    let to = (at..text.len()).find(|line| text[*line] == closing).ok_or("no end")?;
    Ok((from, to))
}

/// With the folder of the snapshot, where it is not named.
fn placed(text: &str) -> String {
    let folder = "migrations = \"tests/verdicts/base\"";
    text.lines()
        .map(|line| match line {
            "    pub struct Shop {" if !text.contains("    migrations: ") => format!("{line} {},\n", folder.replace(" =", ":")),
            _ if line.starts_with("#[schema(") && !line.contains("migrations =") => {
                format!("#[schema({folder}, {}\n", &line["#[schema(".len()..])
            }
            _ => format!("{line}\n"),
        })
        .collect()
}
