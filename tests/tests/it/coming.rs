//! The page for those who come from another tool: every command of ours is one that the program takes, and every link leads to a file.

use std::collections::BTreeSet;
use std::path::Path;

/// The tools that have a table.
const TOOLS: [&str; 13] = [
    "Flyway",
    "Liquibase",
    "Prisma Migrate",
    "Atlas",
    "pgroll",
    "reshape",
    "sqlx",
    "Diesel",
    "refinery",
    "Django",
    "Alembic",
    "Rails",
    "gh-ost",
];

#[test]
fn the_page_names_what_there_is() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let page = std::fs::read_to_string(docs.join("coming-from.md")).expect("the page");
    let sections: Vec<&str> = page.split("\n## ").skip(1).collect();
    let titles: Vec<&str> = sections.iter().filter_map(|section| section.lines().next()).collect();
    assert_eq!(titles, TOOLS);
    let (mut rows, mut without, mut links, mut commands) = (0, 0, 0, 0);
    let mut distinct = BTreeSet::new();
    let introduction = page.split("\n## ").next().unwrap_or_default();
    for row in sections.iter().flat_map(|section| section.lines()).filter(|line| line.starts_with("| ")) {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let &[theirs, ours, shown] = cells.as_slice() else { panic!("a row has three cells: {row}") };
        if ours == "Diptych" {
            continue;
        }
        assert!(!theirs.is_empty() && !ours.is_empty(), "{row}");
        rows += 1;
        without += usize::from(ours.starts_with("none"));
        links += targets(shown).chain(targets(ours)).inspect(|target| leads_somewhere(&docs, target)).count();
        commands += spans(ours).filter(|span| taken(span, &mut distinct)).count();
    }
    links += targets(introduction).inspect(|target| leads_somewhere(&docs, target)).count();
    commands += spans(introduction).filter(|span| taken(span, &mut distinct)).count();
    assert!(rows >= 13 * 8 && commands > rows / 2, "{rows} rows, {commands} commands");
    println!(
        "coming from {} tools: {rows} rows, {commands} commands ({} different), {links} links; {without} rows say that there is none",
        TOOLS.len(),
        distinct.len()
    );
}

/// Whether it is a command of ours; one that the program does not take fails.
fn taken(span: &str, distinct: &mut BTreeSet<String>) -> bool {
    let Some(words) = span.strip_prefix("diptych ").or_else(|| span.strip_prefix("cargo xtask migrate ")) else { return false };
    // stands for all of them
    if words == "…" {
        return false;
    }
    let parsed = diptych_xtask::command().try_get_matches_from(std::iter::once("diptych").chain(words.split(' ')));
    assert!(parsed.is_ok(), "`{span}`: {}", parsed.expect_err("as it was seen"));
    distinct.insert(words.to_owned());
    true
}

/// The code spans of a text.
fn spans(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// Where the links of a text lead.
fn targets(text: &str) -> impl Iterator<Item = &str> {
    text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target)
}

fn leads_somewhere(docs: &Path, target: &str) {
    let file = target.split('#').next().unwrap_or_default();
    assert!(docs.join(file).is_file(), "{target} leads nowhere");
}
