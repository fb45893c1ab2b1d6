//! What `database!` lists by name, because no Rust item declares it: domains, composite types and sequences.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use std::collections::{BTreeMap, BTreeSet};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::{Error, Ident, LitStr, Path, Result};

use crate::check::Drift;
use crate::errors::{self, Mistakes, Words};
use crate::expand::{drifts, owned};
use diptych_core::{Schema, Snapshot};

/// An entry of such a list.
pub(crate) struct Entry<M> {
    pub name: String,
    pub span: Span,
    pub model: M,
}

/// What the model has of an entry.
pub(crate) trait Listed: PartialEq + Sized {
    /// How messages speak of it.
    const WORDS: Words;

    /// What stands behind its name.
    fn parse(input: ParseStream<'_>) -> Result<Self>;
    /// What the library is told of it.
    fn declared(&self, path: &Path) -> TokenStream;
    /// Those that are recorded.
    fn recorded(schema: &Schema) -> &BTreeMap<String, Self>;
    /// Whether PostgreSQL would take it.
    fn check(&self, name: &str) -> diptych_core::Result<()>;
    /// Whether a recorded one may become this while two versions have it.
    fn check_change(&self, name: &str, schema: &Schema, before: &Self) -> diptych_core::Result<()>;

    fn says_the_same(&self, before: &Self) -> bool {
        self == before
    }
}

impl<M: Listed> Parse for Entry<M> {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let (name, span) = name(input)?;
        Ok(Entry { name, span, model: M::parse(input)? })
    }
}

impl<M: Listed> Entry<M> {
    /// What the library is told of it.
    pub(crate) fn declared(&self, path: &Path) -> TokenStream {
        let (name, model) = (owned(&self.name), self.model.declared(path));
        quote! { (#name, #model) }
    }
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
pub(crate) fn check<M: Listed>(
    listed: &[Entry<M>],
    dropped: &[LitStr],
    known: &Snapshot,
    drift: Drift,
    mistakes: &mut Mistakes,
    own: Span,
) {
    let recorded = M::recorded(&known.schema);
    let is_dropped = |name: &str| dropped.iter().any(|dropped| dropped.value() == name);
    let mut seen = BTreeSet::new();
    for Entry { name, span, model } in listed {
        let mut note = |message: String| mistakes.note(Error::new(*span, message));
        let is_first = seen.insert(name);
        if let Err(error) = model.check(name) {
            note(errors::not_taken(&error));
        } else if !is_first {
            note(errors::twice(name));
        } else if is_dropped(name) {
            note(errors::listed_and_dropped(&M::WORDS, name));
        } else if let Some(before) = recorded.get(name).filter(|_| drift != Drift::Allow)
            && let Err(error) = model.check_change(name, &known.schema, before)
        {
            note(errors::listed_otherwise(&M::WORDS, &error));
        }
    }
    let version = known.version.as_deref().unwrap_or("(none)");
    let is_said = |name: &String| seen.contains(name) || is_dropped(name);
    for name in recorded.keys().filter(|name| drift != Drift::Allow && !is_said(name)) {
        mistakes.note(Error::new(own, errors::not_listed(&M::WORDS, name, version)));
    }
}

/// Those that are not recorded, or not as they are here.
pub(crate) fn unrecorded<M: Listed>(listed: &[Entry<M>], dropped: &[LitStr], known: &Snapshot, drift: Drift) -> TokenStream {
    let (recorded, kind) = (M::recorded(&known.schema), M::WORDS.kind);
    let new = listed.iter().filter_map(|Entry { name, span, model }| {
        let what = match recorded.get(name) {
            None => format!("{kind} `{name}`"),
            Some(before) if !model.says_the_same(before) => format!("the change of {kind} `{name}`"),
            Some(_) => return None,
        };
        Some((*span, what))
    });
    let gone = dropped.iter().filter(|there| recorded.contains_key(&there.value()));
    let gone = gone.map(|there| (there.span(), format!("the end of {kind} `{}`", there.value())));
    drifts(&new.chain(gone).collect::<Vec<_>>(), known.version.as_deref().unwrap_or("(none)"), drift)
}
