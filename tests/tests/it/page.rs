//! The page of `plan --html`: well-formed, nothing in it loads or runs, no name becomes markup, and it has every statement of the plan. How it looks
//! in a browser is for `.ci/page`.

use std::path::Path;

use diptych_core::plan::Plan;
use diptych_tests::{Database, server};

use crate::cli::{Folder, GOOD, text};

/// An element of a page, with everything that it is in.
#[derive(Debug)]
struct Element {
    tag: String,
    attributes: Vec<(String, String)>,
    /// The ids of what it is in, and its own.
    within: Vec<String>,
    text: String,
}

/// The elements of a page in the order of their beginnings; what is wrong with it where it is not well-formed.
fn parse(page: &str) -> Result<Vec<Element>, String> {
    let mut rest = page.strip_prefix("<!DOCTYPE html>").ok_or("no doctype")?;
    let (mut found, mut open): (Vec<Element>, Vec<usize>) = (Vec::new(), Vec::new());
    loop {
        let at = rest.find('<').unwrap_or(rest.len());
        let written = unescaped(&rest[..at], open.last().is_some_and(|at| found[*at].tag == "style"))?;
        open.iter().for_each(|at| found[*at].text.push_str(&written));
        if open.is_empty() && !written.trim().is_empty() {
            return Err(format!("text outside: {written}"));
        }
        let Some(tag) = rest[at..].strip_prefix('<') else { break };
        let (tag, after) = tag.split_once('>').ok_or("a tag without an end")?;
        rest = after;
        if let Some(name) = tag.strip_prefix('/') {
            let last = open.pop().ok_or_else(|| format!("</{name}> without a beginning"))?;
            if found[last].tag != name {
                return Err(format!("</{name}> ends <{}>", found[last].tag));
            }
            continue;
        }
        let (tag, is_void) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
        let (name, attributes) = tag.split_once(' ').map_or((tag, ""), |(name, attributes)| (name, attributes));
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit()) {
            return Err(format!("<{name}> is no element"));
        }
        let attributes = attributes_of(attributes)?;
        let mut within = open.last().map_or_else(Vec::new, |at: &usize| found[*at].within.clone());
        within.extend(attributes.iter().filter(|(name, _)| name == "id").map(|(_, id)| id.clone()));
        found.push(Element { tag: name.to_owned(), attributes, within, text: String::new() });
        if !is_void {
            open.push(found.len() - 1);
        }
    }
    open.pop().map_or(Ok(()), |at| Err(format!("<{}> has no end", found[at].tag)))?;
    Ok(found)
}

fn attributes_of(mut rest: &str) -> Result<Vec<(String, String)>, String> {
    let mut found: Vec<(String, String)> = Vec::new();
    while !rest.is_empty() {
        let (name, after) = rest.split_once("=\"").ok_or_else(|| format!("an attribute without a value: {rest}"))?;
        let (value, after) = after.split_once('"').ok_or("a value without an end")?;
        if !name.chars().all(|c| c.is_ascii_lowercase() || c == '-') || found.iter().any(|(there, _)| there == name) {
            return Err(format!("an attribute `{name}`"));
        }
        found.push((name.to_owned(), unescaped(value, false)?));
        rest = after.trim_start();
    }
    Ok(found)
}

/// What a text is for who reads it.
fn unescaped(text: &str, is_raw: bool) -> Result<String, String> {
    if is_raw {
        return Ok(text.to_owned());
    }
    let mut parts = text.split('&');
    let mut read = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, after) = part.split_once(';').ok_or_else(|| format!("an `&` that is not escaped: {part}"))?;
        read.push(match name {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "#39" => '\'',
            "#13" => '\r',
            _ => return Err(format!("an entity `{name}`")),
        });
        read.push_str(after);
    }
    Ok(read)
}

/// Elements of a page that only shows something. None of them loads, runs or sends anything.
const PLAIN: [&str; 40] = [
    "html", "head", "meta", "title", "style", "body", "header", "nav", "main", "footer", "section", "article", "h1", "h2", "h3",
    "h4", "p", "ul", "ol", "li", "dl", "dt", "dd", "div", "span", "b", "a", "code", "pre", "hr", "bdi", "details", "summary",
    "table", "caption", "thead", "tbody", "tr", "th", "td",
];
const ATTRIBUTES: [&str; 13] = [
    "lang",
    "charset",
    "name",
    "content",
    "http-equiv",
    "id",
    "class",
    "aria-label",
    "aria-labelledby",
    "aria-hidden",
    "href",
    "scope",
    "data-number",
];

/// A page that is as it has to be.
fn sound(page: &str) -> Vec<Element> {
    let elements = parse(page).unwrap_or_else(|wrong| panic!("{wrong}"));
    for element in &elements {
        assert!(PLAIN.contains(&element.tag.as_str()), "<{}>", element.tag);
        for (name, value) in &element.attributes {
            assert!(ATTRIBUTES.contains(&name.as_str()), "{name} of <{}>", element.tag);
            assert!(name != "href" || value.starts_with('#'), "a link to {value}");
        }
    }
    let style = &elements.iter().find(|element| element.tag == "style").expect("a style").text;
    assert!(!style.contains("url(") && !style.contains("@import") && !style.contains("http"), "{style}");
    let of = |tag: &str| elements.iter().filter(|element| element.tag == tag).count();
    assert_eq!(["html", "head", "title", "body", "header", "nav", "main", "footer", "h1"].map(of), [1; 9]);
    elements
}

/// The statements that the page has of a command.
fn shown(elements: &[Element], command: &str) -> Vec<String> {
    let own = elements.iter().filter(|element| element.tag == "pre" && element.within.iter().any(|id| id == command));
    own.map(|element| element.text.clone()).collect()
}

/// A database with the first migration, and a folder with both, of which the second has a name of its own.
struct Change {
    database: Database,
    folder: Folder,
    page: std::path::PathBuf,
}

impl Change {
    async fn new(first: (&str, &str), second: (&str, &str)) -> Self {
        let database = Database::new().await;
        let folder = Folder::new(&[first]);
        let page = folder.path().join("page.html");
        let change = Change { database, folder, page };
        for command in ["start", "complete"] {
            change.done(&[command]);
        }
        std::fs::write(change.folder.path().join(second.0), second.1).expect("a file");
        change
    }

    fn done(&self, arguments: &[&str]) -> String {
        let output = self.folder.run(Some(&server().url(&self.database.name)), arguments);
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    fn page(&self) -> String {
        let told = self.done(&["plan", "--html", self.page.to_str().expect("a path")]);
        assert!(told.starts_with("wrote ") && told.contains("page.html"), "{told}");
        std::fs::read_to_string(&self.page).expect("the page")
    }

    /// Every statement of a command is there, in its order; how many there are.
    fn holds(&self, elements: &[Element], command: &str) -> usize {
        let plan: Plan = serde_json::from_str(&self.done(&["plan", command, "--json"])).expect("a plan");
        let statements = plan.steps.iter().flat_map(|step| step.action.statements());
        let statements: Vec<String> = statements.map(|sql| format!("{sql};")).collect();
        assert_eq!(shown(elements, command), statements, "{command}");
        statements.len()
    }
}

fn nasty(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/nasty").join(name)).expect("a migration")
}

#[tokio::test(flavor = "multi_thread")]
async fn no_name_of_a_page_becomes_markup() {
    let (first, second) = (nasty("0001_nasty.yaml"), nasty("0002_nasty.yaml"));
    let change = Change::new(("0001_nasty.yaml", &first), ("0002_<u>nasty.yaml", &second)).await;
    let page = change.page();
    assert_eq!(change.page(), page, "the same input gives the same bytes");
    let elements = sound(&page);
    let body = &elements.iter().find(|element| element.tag == "body").expect("a body").text;
    for name in [
        "0002_<u>nasty",
        "<script>alert(1)</script>",
        "\"><img src=x onerror=alert(2)>",
        "</style><script>alert(\"comment\")</script> & <!-- a comment",
        "former → <i>present</i>",
        "</b>new text (was old)",
        "new `tick` & more",
        "enum (happy, \"></li><img src=x onerror=alert(1)>, <sad>)",
        "\u{202e}turned round\u{202c}",
        "not in this version",
        "20 tables stay as they are",
        "31 that stay as they are",
    ] {
        assert!(body.contains(name), "{name}");
    }
    let numbers: Vec<&str> =
        elements.iter().filter(|element| element.tag == "bdi").map(|odd| odd.attributes[1].1.as_str()).collect();
    assert!(["U+202E", "U+202C", "U+200B"].iter().all(|number| numbers.contains(number)), "{numbers:?}");
    let mut count = change.holds(&elements, "start");
    // on its way it is told as well, with what the two others would run
    change.done(&["start"]);
    let elements = sound(&change.page());
    count += change.holds(&elements, "complete") + change.holds(&elements, "rollback");
    let marks = ["added", "removed", "changed"].map(|mark| {
        let is_marked = |element: &&Element| element.tag == "li" && element.attributes.iter().any(|(_, class)| class == mark);
        elements
            .iter()
            .filter(is_marked)
            .inspect(|line| assert!(line.text.contains(&format!("{mark}: ")), "{}", line.text))
            .count()
    });
    assert_eq!(marks, [5, 3, 10], "lines that are added, removed and changed");
    println!("page: {} bytes, {} elements, {count} statements as in the plans", page.len(), elements.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_version_has_a_page_and_no_change_has_none() {
    let change = Change::new(("0001_users.yaml", GOOD), ("README", "")).await;
    assert!(change.done(&["plan", "--html", change.page.to_str().expect("a path")]).contains("nothing to do"));
    assert!(!change.page.exists());
    let database = Database::new().await;
    let fresh = Change { database, folder: Folder::new(&[("0001_users.yaml", GOOD)]), page: change.page.clone() };
    let elements = sound(&fresh.page());
    fresh.holds(&elements, "start");
    let body = &elements.iter().find(|element| element.tag == "body").expect("a body").text;
    assert!(body.contains("Migration 0001_users, schema public") && !body.contains("Two releases run"), "{body}");
}

#[test]
fn what_is_not_well_formed_is_found() {
    for wrong in [
        "<p><b></p></b>",
        "<p>",
        "</p>",
        "<p>a & b</p>",
        "<p class=a></p>",
        "<P></P>",
        "<p id=\"a\" id=\"b\"></p>",
        "text",
        "<p",
        "<!-- -->",
    ] {
        assert!(parse(&format!("<!DOCTYPE html>{wrong}")).is_err(), "{wrong}");
    }
    assert_eq!(parse("<!DOCTYPE html><p>a &lt; b</p>").expect("it is")[0].text, "a < b");
}
