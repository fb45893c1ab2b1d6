//! `explain`: what a code of a compile error, or of a finding of `check`, means, and the ways out.

use crate::config::Failure;
use crate::out;

/// Every code of a compile error, in sections of their own.
const ERRORS: &str = include_str!("explain/errors.md");
/// Every code of a finding of `check`, likewise.
const FINDINGS: &str = include_str!("explain/findings.md");

pub(crate) fn run(code: Option<&str>) -> Result<(), Failure> {
    let Some(code) = code else {
        return sections().try_for_each(|section| out::say(section.lines().next().unwrap_or_default()));
    };
    let wanted = code.trim().trim_end_matches(':').to_uppercase();
    let wanted = if wanted.starts_with("DIP") { wanted } else { format!("DIP{wanted}") };
    let found = sections().find(|section| section.split(':').next() == Some(wanted.as_str()));
    match found {
        Some(section) => out::say(section.trim_end()),
        None => Err(Failure::hinted(format!("there is no code `{code}`"), "run `explain` without a code for the list")),
    }
}

/// The findings of `check`: code, title and text of each.
pub(crate) fn findings() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    FINDINGS.split("\n## ").skip(1).filter_map(|section| {
        let (head, text) = section.split_once('\n')?;
        let (code, title) = head.split_once(": ")?;
        Some((code, title, text.trim()))
    })
}

/// The sections, each from its code on.
fn sections() -> impl Iterator<Item = &'static str> {
    [ERRORS, FINDINGS].into_iter().flat_map(|page| page.split("\n## ").skip(1))
}
