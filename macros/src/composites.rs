//! The composite types that `database!` lists.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use std::collections::BTreeMap;
use syn::parse::{Parse, ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Error, Path, Result, Token, parenthesized, token};

use crate::attr::{quoted, text};
use crate::errors::{self, Words};
use crate::expand::{optional, owned};
use crate::listed::{Listed, name};
use crate::symbol;
use diptych_core::model::rules::{check_change_of_composite, check_composite};
use diptych_core::{Attribute, Composite, Schema};

/// What stands between its parentheses, with commas between.
enum Part {
    Attribute(Attribute),
    Comment(Span, String),
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

/// `address(street: "text", zip(type = "text", collate = "C"), comment = "…")`.
impl Listed for Composite {
    const WORDS: Words = errors::COMPOSITE;

    fn parse(input: ParseStream<'_>) -> Result<Self> {
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
        Ok(composite.normal())
    }

    fn declared(&self, path: &Path) -> TokenStream {
        let core = quote! { #path::__private::core };
        let attributes = self.attributes.iter().map(|Attribute { name, sql_type, collation }| {
            let (name, sql_type, collation) = (owned(name), owned(sql_type), optional(collation));
            quote! { #core::Attribute { name: #name, sql_type: #sql_type, collation: #collation } }
        });
        let comment = optional(&self.comment);
        quote! { #core::Composite { attributes: ::std::vec![#(#attributes),*], comment: #comment } }
    }

    fn recorded(schema: &Schema) -> &BTreeMap<String, Self> {
        &schema.composites
    }

    fn check(&self, name: &str) -> diptych_core::Result<()> {
        check_composite(name, self)
    }

    fn check_change(&self, name: &str, schema: &Schema, _: &Self) -> diptych_core::Result<()> {
        check_change_of_composite(schema, name, self)
    }
}
