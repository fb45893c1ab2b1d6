//! `record --rebase`: one's own migrations get the numbers after all others, and everything is proven in the new order.

use std::path::Path;

use diptych_core::Migration;

use super::{anew, readable};
use crate::agreement::{distinct, number};
use crate::applied::refuse_applied;
use crate::config::{Context, Failure};
use crate::{Project, folder, out};

pub(super) async fn run(context: &Context, project: &Project, names: &[String]) -> Result<(), Failure> {
    let recorded = folder::migrations(&context.dir)?;
    let names: Vec<String> = names.iter().map(|name| stem(name)).collect();
    if let Some(name) = names.iter().find(|name| !recorded.iter().any(|there| there.name == **name)) {
        let there = recorded.iter().map(|migration| format!("`{}`", migration.name)).collect::<Vec<_>>().join(", ");
        return Err(Failure::hinted(format!("the folder has no migration `{name}`"), format!("name one of {there}")));
    }
    let (own, others): (Vec<&Migration>, Vec<&Migration>) = recorded.iter().partition(|there| names.contains(&there.name));
    let renamed = renamed(&own, &others);
    let mut all: Vec<Migration> = others.iter().map(|there| (*there).clone()).chain(renamed.iter().cloned()).collect();
    // names without numbers come after all numbers
    all.sort_by(|one, other| one.name.cmp(&other.name));
    // two of the others may still have one number
    distinct(&all)?;
    let moved: Vec<(&Migration, &Migration)> =
        own.iter().copied().zip(&renamed).filter(|(old, new)| old.name != new.name).collect();
    if moved.is_empty() {
        out::say("nothing to renumber: these migrations come after all others")?;
        return anew::run(context, project).await;
    }
    refuse_applied(context, &recorded, &moved.iter().map(|(old, _)| *old).collect::<Vec<_>>()).await?;
    let so_far = readable(context)?;
    let made = anew::of_files(context, &all, &project.declared, so_far.as_ref()).await?;
    let (mut written, mut gone) = (Vec::new(), Vec::new());
    for (old, new) in &moved {
        let Some(path) = folder::file(&context.dir, &old.name) else { continue };
        let end = path.extension().unwrap_or_default().to_string_lossy().into_owned();
        written.push((context.dir.join(format!("{}.{end}", new.name)), Some(folder::text(&path)?)));
        gone.push((path, None));
    }
    // a name that goes may be that of another one now
    gone.retain(|(path, _)| !written.iter().any(|(there, _)| there == path));
    written.push((context.dir.join(folder::SNAPSHOT), Some(made.to_yaml())));
    folder::change(&[written, gone].concat())?;
    for (old, new) in &moved {
        out::say(format!("renumbered `{}`: it is `{}` now", old.name, new.name))?;
    }
    out::say(format!(
        "proven on a scratch server in the new order: {} migrations; the snapshot is made anew\nnext: review and commit the folder, then `cargo xtask migrate check`",
        all.len()
    ))
}

/// A migration's name, also where a path of its file is given.
fn stem(name: &str) -> String {
    let path = Path::new(name);
    match path.extension().and_then(|end| end.to_str()) {
        Some("yaml" | "yml" | "json") => path.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
        _ => path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
    }
}

/// The same migrations with the numbers after those of the others; as they are where they come last already.
fn renamed(own: &[&Migration], others: &[&Migration]) -> Vec<Migration> {
    let last = others.iter().filter_map(|there| number(&there.name)).max().unwrap_or(0);
    // as many digits as the others have: files are in the order of their names
    let width = others.iter().rev().find_map(|there| number(&there.name).map(|_| there.name.find('_').unwrap_or(4))).unwrap_or(4);
    let comes_last = |name: &String| others.iter().all(|there| there.name < *name) && number(name).is_some_and(|own| own > last);
    if own.iter().all(|there| comes_last(&there.name)) {
        return own.iter().map(|there| (*there).clone()).collect();
    }
    let numbered = own.iter().zip(last + 1..).map(|(there, number)| {
        let words =
            there.name.split_once('_').filter(|_| self::number(&there.name).is_some()).map_or(&*there.name, |(_, words)| words);
        Migration { name: format!("{number:0width$}_{words}"), ..(*there).clone() }
    });
    numbered.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(names: &[&str]) -> Vec<Migration> {
        let migration = |name: &&str| Migration { name: (*name).to_owned(), version_schema: None, operations: Vec::new() };
        names.iter().map(migration).collect()
    }

    #[test]
    fn own_migrations_come_last_in_their_order() {
        for (own, others, wanted) in [
            (&["0002_mine"][..], &["0001_a", "0002_theirs"][..], &["0003_mine"][..]),
            (&["0002_x", "0003_y"], &["0001_a", "0002_b", "0003_c"], &["0004_x", "0005_y"]),
            (&["0001_a", "0004_b"], &["0002_c"], &["0003_a", "0004_b"]),
            (&["0009_late"], &["0001_a"], &["0009_late"]),
            (&["by_hand"], &["0001_a"], &["0002_by_hand"]),
            (&["01_x"], &["01_a"], &["02_x"]),
        ] {
            let (own, others) = (folder(own), folder(others));
            let made = renamed(&own.iter().collect::<Vec<_>>(), &others.iter().collect::<Vec<_>>());
            assert_eq!(made.iter().map(|there| there.name.as_str()).collect::<Vec<_>>(), wanted);
        }
        assert_eq!(stem("migrations/0002_mine.yaml"), "0002_mine");
        assert_eq!(stem("0002_mine"), "0002_mine");
    }
}
