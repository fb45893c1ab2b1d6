//! `explain`: what a code of a compile error means, and the ways out.

use crate::config::Failure;
use crate::out;

/// Every code, in sections of their own.
const PAGE: &str = include_str!("explain/errors.md");

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

/// The sections, each from its code on.
fn sections() -> impl Iterator<Item = &'static str> {
    PAGE.split("\n## ").skip(1)
}
