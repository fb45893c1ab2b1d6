//! The rooms of `core` and `runtime`: what is imported flows one way, from file to file without a circle, and from room to room.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use crate::tidy::sources;

/// The rooms in the order of the flow: an import goes only backwards. Files that stand in none come before them all.
const ROOMS: [(&str, &[&str]); 2] = [
    ("core", &["model", "transition", "migration", "layout", "statements", "plan"]),
    ("runtime", &["target", "lease", "connect", "session", "catalog", "state", "execute", "migrator"]),
];

type Module = Vec<String>;

#[test]
fn imports_flow_one_way() {
    for (package, rooms) in ROOMS {
        let files = files(package);
        let modules: BTreeSet<Module> = files.keys().cloned().collect();
        let imports: BTreeMap<&Module, BTreeSet<Module>> = files
            .iter()
            .filter(|(module, _)| !module.is_empty())
            .map(|(module, text)| (module, imports(module, text, &modules)))
            .collect();
        let room = |module: &Module| rooms.iter().position(|room| *room == module[0]).map_or(0, |at| at + 1);
        let upward: Vec<String> = imports
            .iter()
            .flat_map(|(module, found)| found.iter().map(move |other| (*module, other)))
            .filter(|(module, other)| room(other) > room(module))
            .map(|(module, other)| format!("{} imports {}", module.join("::"), other.join("::")))
            .collect();
        let count = imports.values().map(BTreeSet::len).sum::<usize>();
        let circle = in_circles(&imports);
        println!(
            "{package}: {} files, {count} imports, {} upward, {} files in circles",
            imports.len(),
            upward.len(),
            circle.len()
        );
        assert!(count > 60, "the imports are not found");
        assert!(upward.is_empty(), "{upward:#?}");
        assert!(circle.is_empty(), "{circle:#?}");
    }
}

/// The files of a package, by the modules that they are.
fn files(package: &str) -> BTreeMap<Module, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(package).join("src");
    let module = |path: &Path| -> Module {
        let path = path.strip_prefix(&root).expect("below the root").with_extension("");
        path.iter().map(|part| part.to_string_lossy().into_owned()).filter(|part| part != "lib").collect()
    };
    sources(&format!("{package}/src"))
        .iter()
        .map(|path| (module(path), std::fs::read_to_string(path).expect("a source")))
        .collect()
}

/// The other files that a file names, but for the tests in it.
fn imports(module: &Module, text: &str, modules: &BTreeSet<Module>) -> BTreeSet<Module> {
    let mut found = Vec::new();
    paths(text.parse().expect("tokens"), &mut found);
    let resolved = found.into_iter().map(|path| {
        let mut place = if path[0] == "crate" { Vec::new() } else { module.clone() };
        let mut rest = path.as_slice();
        while let Some(word) = rest.first().filter(|word| ["crate", "super"].contains(&word.as_str())) {
            if word == "super" {
                place.pop();
            }
            rest = &rest[1..];
        }
        place.extend_from_slice(rest);
        while !modules.contains(&place) {
            place.pop();
        }
        assert!(
            !place.is_empty(),
            "{} names {}, which is only passed on by the crate's root",
            module.join("::"),
            path.join("::")
        );
        place
    });
    resolved.filter(|other| other != module).collect()
}

/// Every path from `crate` or `super` on, wherever it stands.
fn paths(stream: TokenStream, found: &mut Vec<Vec<String>>) {
    let tokens: Vec<TokenTree> = stream.into_iter().collect();
    let mut at = 0;
    while at < tokens.len() {
        match &tokens[at] {
            TokenTree::Ident(word)
                if *word == "mod" && matches!(tokens.get(at + 1), Some(TokenTree::Ident(name)) if *name == "tests") =>
            {
                at += 3;
            }
            // `pub(crate)` has no path behind it
            TokenTree::Ident(word) if *word == "crate" || *word == "super" => {
                at = path(&tokens, at, Vec::new(), found);
            }
            TokenTree::Group(group) => {
                paths(group.stream(), found);
                at += 1;
            }
            _ => at += 1,
        }
    }
}

/// One path, or the tree of a `use`; where it ends.
fn path(tokens: &[TokenTree], mut at: usize, mut so_far: Vec<String>, found: &mut Vec<Vec<String>>) -> usize {
    let colon = |at: usize| matches!(tokens.get(at), Some(TokenTree::Punct(mark)) if mark.as_char() == ':');
    loop {
        match tokens.get(at) {
            Some(TokenTree::Ident(word)) => so_far.push(word.to_string()),
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                let inside: Vec<TokenTree> = group.stream().into_iter().collect();
                let comma = |token: &TokenTree| matches!(token, TokenTree::Punct(mark) if mark.as_char() == ',');
                for part in inside.split(comma).filter(|part| !part.is_empty()) {
                    path(part, 0, so_far.clone(), found);
                }
                return at + 1;
            }
            _ => break,
        }
        at += 1;
        if !(colon(at) && colon(at + 1)) {
            break;
        }
        at += 2;
    }
    if so_far.len() > 1 {
        found.push(so_far);
    }
    at
}

/// The files that import themselves over others, or import such a file.
fn in_circles(imports: &BTreeMap<&Module, BTreeSet<Module>>) -> Vec<String> {
    let mut left: BTreeMap<&Module, BTreeSet<&Module>> =
        imports.iter().map(|(module, found)| (*module, found.iter().collect())).collect();
    loop {
        let free: BTreeSet<&Module> = left.iter().filter(|(_, found)| found.is_empty()).map(|(module, _)| *module).collect();
        if free.is_empty() {
            let told = |(module, found): (&Module, BTreeSet<&Module>)| {
                let names: Vec<String> = found.iter().map(|other| other.join("::")).collect();
                format!("{} imports {}", module.join("::"), names.join(", "))
            };
            return left.into_iter().map(told).collect();
        }
        left.retain(|module, _| !free.contains(module));
        left.values_mut().for_each(|found| found.retain(|other| !free.contains(other)));
    }
}
