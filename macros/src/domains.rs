//! The domains that `database!` lists.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use std::collections::BTreeSet;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream, Parser};
use syn::{Error, Ident, LitStr, Path, Result, parenthesized};

use crate::attr::{check, text};
use crate::check::Drift;
use crate::errors::{self, Mistakes};
use crate::expand::drifts;
use crate::symbol;
use diptych_core::model::rules::{check_change_of_domain, check_domain};
use diptych_core::{Domain, Snapshot};

/// `percent(type = "numeric(5,2)", not_null, check(name = "…", expr = "VALUE >= 0"))`.
pub(crate) struct Declared {
    name: String,
    span: Span,
    domain: Domain,
}

impl Parse for Declared {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let (name, span) = if input.peek(LitStr) {
            let name: LitStr = input.parse()?;
            (name.value(), name.span())
        } else {
            let name = Ident::parse_any(input)?;
            (name.unraw().to_string(), name.span())
        };
        let content;
        parenthesized!(content in input);
        let mut domain = Domain::default();
        let mut seen = BTreeSet::new();
        let parts = syn::meta::parser(|meta| {
            let word = meta.path.get_ident().map(ToString::to_string).unwrap_or_default();
            match word.as_str() {
                symbol::TYPE => domain.sql_type = text(&meta)?,
                symbol::COLLATE => domain.collation = Some(text(&meta)?),
                symbol::NOT_NULL => domain.not_null = true,
                symbol::DEFAULT => domain.default = Some(text(&meta)?.into()),
                symbol::COMMENT => domain.comment = Some(text(&meta)?),
                symbol::CHECK => {
                    let group = check(&meta)?;
                    let part = |key| group.text(key).unwrap_or_default();
                    if domain.checks.insert(part(symbol::NAME), part(symbol::EXPR).into()).is_some() {
                        return Err(meta.error(errors::twice(&part(symbol::NAME))));
                    }
                    return Ok(());
                }
                _ => return Err(meta.error(errors::unknown("part", &word, "of a domain", symbol::IN_DOMAIN))),
            }
            if seen.insert(word.clone()) { Ok(()) } else { Err(meta.error(errors::twice(&word))) }
        });
        parts.parse2(content.parse::<TokenStream>()?)?;
        Ok(Declared { name, span, domain: domain.normal() })
    }
}

impl Declared {
    /// What the library is told of it.
    pub(crate) fn declared(&self, path: &Path) -> TokenStream {
        let Declared { name, domain: Domain { sql_type, collation, not_null, default, checks, comment }, .. } = self;
        let owned = |text: &str| quote! { ::std::borrow::ToOwned::to_owned(#text) };
        let maybe = |text: Option<TokenStream>| match text {
            Some(text) => quote! { ::core::option::Option::Some(#text) },
            None => quote! { ::core::option::Option::None },
        };
        let expression = |text: &str| quote! { #path::__private::core::Expression::new(#text) };
        let (collation, comment) = (maybe(collation.as_deref().map(owned)), maybe(comment.as_deref().map(owned)));
        let default = maybe(default.as_deref().map(expression));
        let checks = checks.iter().map(|(name, check)| {
            let (name, check) = (owned(name), expression(check));
            quote! { (#name, #check) }
        });
        let (name, sql_type) = (owned(name), owned(sql_type));
        quote! {
            (#name, #path::__private::core::Domain {
                sql_type: #sql_type,
                collation: #collation,
                not_null: #not_null,
                default: #default,
                checks: ::core::iter::IntoIterator::into_iter([#(#checks),*]).collect(),
                comment: #comment,
            })
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
    for Declared { name, span, domain } in listed {
        let mut note = |message: String| mistakes.note(Error::new(*span, message));
        if let Err(error) = check_domain(name, domain) {
            note(errors::not_taken(&error));
        } else if !seen.insert(name) {
            note(errors::twice(name));
        } else if dropped.iter().any(|dropped| dropped.value() == *name) {
            note(errors::domain_dropped_but_there(name));
        } else if let Some(before) = known.schema.domains.get(name).filter(|_| drift != Drift::Allow)
            && let Err(error) = check_change_of_domain(name, before, domain)
        {
            note(errors::domain_changed(&error));
        }
    }
    let version = known.version.as_deref().unwrap_or("(none)");
    let is_said = |name: &String| seen.contains(name) || dropped.iter().any(|dropped| dropped.value() == *name);
    for name in known.schema.domains.keys().filter(|name| drift != Drift::Allow && !is_said(name)) {
        mistakes.note(Error::new(own, errors::domain_gone(name, version)));
    }
}

/// Domains that are not recorded, or not as they are here.
pub(crate) fn unrecorded(listed: &[Declared], dropped: &[LitStr], known: &Snapshot, drift: Drift) -> TokenStream {
    let recorded = &known.schema.domains;
    let new = listed.iter().filter_map(|there| {
        let what = match recorded.get(&there.name) {
            None => format!("domain `{}`", there.name),
            Some(before) if !before.says_the_same(&there.domain) => format!("the change of domain `{}`", there.name),
            Some(_) => return None,
        };
        Some((there.span, what))
    });
    let gone = dropped.iter().filter(|there| recorded.contains_key(&there.value()));
    let gone = gone.map(|there| (there.span(), format!("the end of domain `{}`", there.value())));
    drifts(&new.chain(gone).collect::<Vec<_>>(), known.version.as_deref().unwrap_or("(none)"), drift)
}
