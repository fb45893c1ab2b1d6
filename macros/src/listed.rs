//! What `database!` lists by name, because no Rust item declares it: domains, composite types and sequences.

use proc_macro2::{Span, TokenStream};
use std::collections::{BTreeMap, BTreeSet};
use syn::ext::IdentExt;
use syn::parse::ParseStream;
use syn::{Error, Ident, LitStr, Result};

use crate::check::Drift;
use crate::errors::{self, Mistakes, Words};
use crate::expand::drifts;
use diptych_core::{Schema, Snapshot};

/// An entry of such a list.
pub(crate) trait Listed {
    /// What the model has of it.
    type Model;
    /// How messages speak of it.
    const WORDS: Words;

    fn name(&self) -> &str;
    fn span(&self) -> Span;
    /// Those that are recorded.
    fn recorded(schema: &Schema) -> &BTreeMap<String, Self::Model>;
    /// Whether PostgreSQL would take it.
    fn check(&self) -> diptych_core::Result<()>;
    /// Whether a recorded one may become this while two versions have it.
    fn check_change(&self, schema: &Schema, before: &Self::Model) -> diptych_core::Result<()>;
    fn says_the_same(&self, before: &Self::Model) -> bool;
}

/// A name in a list: a word of Rust, or a text.
pub(crate) fn name(input: ParseStream<'_>) -> Result<(String, Span)> {
    if input.peek(LitStr) {
        let name: LitStr = input.parse()?;
        return Ok((name.value(), name.span()));
    }
    let name = Ident::parse_any(input)?;
    Ok((name.unraw().to_string(), name.span()))
}

/// What a list says in vain, what it leaves out, and what cannot become of a recorded one.
pub(crate) fn check<L: Listed>(
    listed: &[L],
    dropped: &[LitStr],
    known: &Snapshot,
    drift: Drift,
    mistakes: &mut Mistakes,
    own: Span,
) {
    let recorded = L::recorded(&known.schema);
    let is_dropped = |name: &str| dropped.iter().any(|dropped| dropped.value() == name);
    let mut seen = BTreeSet::new();
    for there in listed {
        let name = there.name();
        let mut note = |message: String| mistakes.note(Error::new(there.span(), message));
        let is_first = seen.insert(name);
        if let Err(error) = there.check() {
            note(errors::not_taken(&error));
        } else if !is_first {
            note(errors::twice(name));
        } else if is_dropped(name) {
            note(errors::listed_and_dropped(&L::WORDS, name));
        } else if let Some(before) = recorded.get(name).filter(|_| drift != Drift::Allow)
            && let Err(error) = there.check_change(&known.schema, before)
        {
            note(errors::listed_otherwise(&L::WORDS, &error));
        }
    }
    let version = known.version.as_deref().unwrap_or("(none)");
    let is_said = |name: &String| seen.contains(name.as_str()) || is_dropped(name);
    for name in recorded.keys().filter(|name| drift != Drift::Allow && !is_said(name)) {
        mistakes.note(Error::new(own, errors::not_listed(&L::WORDS, name, version)));
    }
}

/// Those that are not recorded, or not as they are here.
pub(crate) fn unrecorded<L: Listed>(listed: &[L], dropped: &[LitStr], known: &Snapshot, drift: Drift) -> TokenStream {
    let (recorded, kind) = (L::recorded(&known.schema), L::WORDS.kind);
    let new = listed.iter().filter_map(|there| {
        let name = there.name();
        let what = match recorded.get(name) {
            None => format!("{kind} `{name}`"),
            Some(before) if !there.says_the_same(before) => format!("the change of {kind} `{name}`"),
            Some(_) => return None,
        };
        Some((there.span(), what))
    });
    let gone = dropped.iter().filter(|there| recorded.contains_key(&there.value()));
    let gone = gone.map(|there| (there.span(), format!("the end of {kind} `{}`", there.value())));
    drifts(&new.chain(gone).collect::<Vec<_>>(), known.version.as_deref().unwrap_or("(none)"), drift)
}
