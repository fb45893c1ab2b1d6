//! The domains that `database!` lists.

use proc_macro2::TokenStream;
use quote::quote;
use std::collections::{BTreeMap, BTreeSet};
use syn::parse::{ParseStream, Parser};
use syn::{Path, Result, parenthesized};

use crate::attr::{check, text};
use crate::errors::{self, Words};
use crate::expand::{expressed, option, optional, owned};
use crate::listed::Listed;
use crate::symbol;
use diptych_core::model::rules::{check_change_of_domain, check_domain};
use diptych_core::{Domain, Schema};

/// `percent(type = "numeric(5,2)", not_null, check(name = "…", expr = "VALUE >= 0"))`.
impl Listed for Domain {
    const WORDS: Words = errors::DOMAIN;

    fn parse(input: ParseStream<'_>) -> Result<Self> {
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
        Ok(domain.normal())
    }

    fn declared(&self, path: &Path) -> TokenStream {
        let Domain { sql_type, collation, not_null, default, checks, comment } = self;
        let core = quote! { #path::__private::core };
        let (sql_type, collation, comment) = (owned(sql_type), optional(collation), optional(comment));
        let default = option(default.as_deref().map(|text| expressed(&core, text)));
        let checks = checks.iter().map(|(name, check)| {
            let (name, check) = (owned(name), expressed(&core, check));
            quote! { (#name, #check) }
        });
        quote! {
            #core::Domain {
                sql_type: #sql_type,
                collation: #collation,
                not_null: #not_null,
                default: #default,
                checks: ::core::iter::IntoIterator::into_iter([#(#checks),*]).collect(),
                comment: #comment,
            }
        }
    }

    fn recorded(schema: &Schema) -> &BTreeMap<String, Self> {
        &schema.domains
    }

    fn check(&self, name: &str) -> diptych_core::Result<()> {
        check_domain(name, self)
    }

    fn check_change(&self, name: &str, _: &Schema, before: &Self) -> diptych_core::Result<()> {
        check_change_of_domain(name, before, self)
    }

    fn says_the_same(&self, before: &Self) -> bool {
        before.says_the_same(self)
    }
}
