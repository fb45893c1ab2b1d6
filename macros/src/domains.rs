//! The domains that `database!` lists.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use std::collections::{BTreeMap, BTreeSet};
use syn::parse::{Parse, ParseStream, Parser};
use syn::{Path, Result, parenthesized};

use crate::attr::{check, text};
use crate::errors::{self, Words};
use crate::listed::{Listed, name};
use crate::symbol;
use diptych_core::model::rules::{check_change_of_domain, check_domain};
use diptych_core::{Domain, Schema};

/// `percent(type = "numeric(5,2)", not_null, check(name = "…", expr = "VALUE >= 0"))`.
pub(crate) struct Declared {
    name: String,
    span: Span,
    domain: Domain,
}

impl Parse for Declared {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let (name, span) = name(input)?;
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

impl Listed for Declared {
    type Model = Domain;
    const WORDS: Words = errors::DOMAIN;

    fn name(&self) -> &str {
        &self.name
    }

    fn span(&self) -> Span {
        self.span
    }

    fn recorded(schema: &Schema) -> &BTreeMap<String, Domain> {
        &schema.domains
    }

    fn check(&self) -> diptych_core::Result<()> {
        check_domain(&self.name, &self.domain)
    }

    fn check_change(&self, _: &Schema, before: &Domain) -> diptych_core::Result<()> {
        check_change_of_domain(&self.name, before, &self.domain)
    }

    fn says_the_same(&self, before: &Domain) -> bool {
        before.says_the_same(&self.domain)
    }
}
