//! The composite types that `database!` lists.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use std::collections::BTreeSet;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Error, Ident, LitStr, Path, Result, Token, parenthesized, token};

use crate::attr::{quoted, text};
use crate::check::Drift;
use crate::errors::{self, Mistakes};
use crate::expand::drifts;
use crate::symbol;
use diptych_core::model::rules::{check_change_of_composite, check_composite};
use diptych_core::{Attribute, Composite, Snapshot};

/// `address(street: "text", zip(type = "text", collate = "C"), comment = "…")`.
pub(crate) struct Declared {
    name: String,
    span: Span,
    composite: Composite,
}

/// What stands between its parentheses, with commas between.
enum Part {
    Attribute(Attribute),
    Comment(Span, String),
}

/// A word of Rust, or a text.
fn name(input: ParseStream<'_>) -> Result<(String, Span)> {
    if input.peek(LitStr) {
        let name: LitStr = input.parse()?;
        return Ok((name.value(), name.span()));
    }
    let name = Ident::parse_any(input)?;
    Ok((name.unraw().to_string(), name.span()))
}

impl Parse for Part {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let (name, span) = name(input)?;
        if input.peek(Token![=]) && name == symbol::COMMENT {
            input.parse::<Token![=]>()?;
            return Ok(Part::Comment(span, quoted(input, symbol::COMMENT)?));
        }
        if input.peek(token::Paren) {
            let content;
            parenthesized!(content in input);
            let mut attribute = Attribute { name, ..Attribute::default() };
            let parts = syn::meta::parser(|meta| {
                let word = meta.path.get_ident().map(ToString::to_string).unwrap_or_default();
                match word.as_str() {
                    symbol::TYPE => attribute.sql_type = text(&meta)?,
                    symbol::COLLATE => attribute.collation = Some(text(&meta)?),
                    _ => return Err(meta.error(errors::unknown("part", &word, "of an attribute", symbol::IN_ATTRIBUTE))),
                }
                Ok(())
            });
            parts.parse2(content.parse::<TokenStream>()?)?;
            return Ok(Part::Attribute(attribute));
        }
        if !input.peek(Token![:]) {
            return Err(Error::new(span, errors::attribute_without_type(&name)));
        }
        input.parse::<Token![:]>()?;
        Ok(Part::Attribute(Attribute { sql_type: quoted(input, &name)?, name, collation: None }))
    }
}

impl Parse for Declared {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let (name, span) = name(input)?;
        let content;
        parenthesized!(content in input);
        let mut composite = Composite::default();
        for part in Punctuated::<Part, Token![,]>::parse_terminated(&content)? {
            match part {
                Part::Attribute(attribute) => composite.attributes.push(attribute),
                Part::Comment(span, _) if composite.comment.is_some() => {
                    return Err(Error::new(span, errors::twice(symbol::COMMENT)));
                }
                Part::Comment(_, comment) => composite.comment = Some(comment),
            }
        }
        Ok(Declared { name, span, composite: composite.normal() })
    }
}

impl Declared {
    /// What the library is told of it.
    pub(crate) fn declared(&self, path: &Path) -> TokenStream {
        let owned = |text: &str| quote! { ::std::borrow::ToOwned::to_owned(#text) };
        let maybe = |text: Option<&str>| match text.map(owned) {
            Some(text) => quote! { ::core::option::Option::Some(#text) },
            None => quote! { ::core::option::Option::None },
        };
        let attributes = self.composite.attributes.iter().map(|Attribute { name, sql_type, collation }| {
            let (name, sql_type, collation) = (owned(name), owned(sql_type), maybe(collation.as_deref()));
            quote! { #path::__private::core::Attribute { name: #name, sql_type: #sql_type, collation: #collation } }
        });
        let (name, comment) = (owned(&self.name), maybe(self.composite.comment.as_deref()));
        quote! {
            (#name, #path::__private::core::Composite { attributes: ::std::vec![#(#attributes),*], comment: #comment })
        }
    }
}

/// What the list says in vain, what it leaves out, and what cannot become of a recorded one.
pub(crate) fn check_list(
    listed: &[Declared],
    dropped: &[LitStr],
    known: &Snapshot,
    drift: Drift,
    mistakes: &mut Mistakes,
    own: Span,
) {
    let mut seen = BTreeSet::new();
    for Declared { name, span, composite } in listed {
        let mut note = |message: String| mistakes.note(Error::new(*span, message));
        let is_recorded = drift != Drift::Allow && known.schema.composites.contains_key(name);
        if let Err(error) = check_composite(name, composite) {
            note(errors::not_taken(&error));
        } else if !seen.insert(name) {
            note(errors::twice(name));
        } else if dropped.iter().any(|dropped| dropped.value() == *name) {
            note(errors::composite_dropped_but_there(name));
        } else if is_recorded && let Err(error) = check_change_of_composite(&known.schema, name, composite) {
            note(errors::composite_changed(&error));
        }
    }
    let version = known.version.as_deref().unwrap_or("(none)");
    let is_said = |name: &String| seen.contains(name) || dropped.iter().any(|dropped| dropped.value() == *name);
    for name in known.schema.composites.keys().filter(|name| drift != Drift::Allow && !is_said(name)) {
        mistakes.note(Error::new(own, errors::composite_gone(name, version)));
    }
}

/// Composite types that are not recorded, or not as they are here.
pub(crate) fn unrecorded(listed: &[Declared], dropped: &[LitStr], known: &Snapshot, drift: Drift) -> TokenStream {
    let recorded = &known.schema.composites;
    let new = listed.iter().filter_map(|there| {
        let what = match recorded.get(&there.name) {
            None => format!("composite type `{}`", there.name),
            Some(before) if *before != there.composite => format!("the change of composite type `{}`", there.name),
            Some(_) => return None,
        };
        Some((there.span, what))
    });
    let gone = dropped.iter().filter(|there| recorded.contains_key(&there.value()));
    let gone = gone.map(|there| (there.span(), format!("the end of composite type `{}`", there.value())));
    drifts(&new.chain(gone).collect::<Vec<_>>(), known.version.as_deref().unwrap_or("(none)"), drift)
}
