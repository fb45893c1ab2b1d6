//! The sequences that `database!` lists.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use std::collections::{BTreeMap, BTreeSet};
use syn::meta::ParseNestedMeta;
use syn::parse::{ParseStream, Parser};
use syn::{Error, LitInt, LitStr, Path, Result, Token, parenthesized, token};

use crate::attr::text;
use crate::check::Drift;
use crate::errors::{self, Mistakes, Words};
use crate::expand::{option, optional, owned};
use crate::listed::{Entry, Listed};
use crate::symbol;
use diptych_core::model::rules::{check_change_of_sequence, check_sequence, check_successors};
use diptych_core::{Schema, Sequence, Snapshot};

/// `invoice_number(start = 1000, increment = 5)`, or the name alone.
impl Listed for Sequence {
    const WORDS: Words = errors::SEQUENCE;

    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut sequence = Sequence::default();
        if input.peek(token::Paren) {
            let content;
            parenthesized!(content in input);
            let mut seen = BTreeSet::new();
            let parts = syn::meta::parser(|meta| {
                let word = meta.path.get_ident().map(ToString::to_string).unwrap_or_default();
                match word.as_str() {
                    symbol::TYPE => sequence.sql_type = text(&meta)?,
                    symbol::START => sequence.start = Some(number(&meta)?),
                    symbol::INCREMENT => sequence.increment = number(&meta)?,
                    symbol::MIN => sequence.min = Some(number(&meta)?),
                    symbol::MAX => sequence.max = Some(number(&meta)?),
                    symbol::CACHE => sequence.cache = number(&meta)?,
                    symbol::CYCLE => sequence.cycle = true,
                    symbol::COMMENT => sequence.comment = Some(text(&meta)?),
                    _ => return Err(meta.error(errors::unknown("part", &word, "of a sequence", symbol::IN_SEQUENCE))),
                }
                if seen.insert(word.clone()) { Ok(()) } else { Err(meta.error(errors::twice(&word))) }
            });
            parts.parse2(content.parse::<TokenStream>()?)?;
        }
        Ok(sequence.normal())
    }

    fn declared(&self, path: &Path) -> TokenStream {
        let Sequence { sql_type, start, increment, min, max, cache, cycle, comment } = self;
        let [start, min, max] = [start, min, max].map(|number| option(number.map(|number| quote! { #number })));
        let (sql_type, comment) = (owned(sql_type), optional(comment));
        quote! {
            #path::__private::core::Sequence {
                sql_type: #sql_type,
                start: #start,
                increment: #increment,
                min: #min,
                max: #max,
                cache: #cache,
                cycle: #cycle,
                comment: #comment,
            }
        }
    }

    fn recorded(schema: &Schema) -> &BTreeMap<String, Self> {
        &schema.sequences
    }

    fn check(&self, name: &str) -> diptych_core::Result<()> {
        check_sequence(name, self)
    }

    fn check_change(&self, name: &str, _: &Schema, before: &Self) -> diptych_core::Result<()> {
        check_change_of_sequence(name, before, self)
    }
}

/// A whole number behind `=`, with its sign.
fn number(meta: &ParseNestedMeta<'_>) -> Result<i64> {
    let value = meta.value()?;
    let sign = if value.parse::<Option<Token![-]>>()?.is_some() { "-" } else { "" };
    let digits: LitInt = value.parse()?;
    format!("{sign}{}", digits.base10_digits()).parse().map_err(|_| Error::new(digits.span(), errors::NO_BIGINT))
}

/// A sequence that comes where another one goes, and would give its numbers once more.
pub(crate) fn check_places(
    listed: &[Entry<Sequence>],
    dropped: &[LitStr],
    known: &Snapshot,
    drift: Drift,
    mistakes: &mut Mistakes,
    own: Span,
) {
    if drift == Drift::Allow {
        return;
    }
    let recorded = &known.schema.sequences;
    let after: BTreeMap<_, _> = listed.iter().map(|there| (there.name.clone(), there.model.clone())).collect();
    // what is neither listed nor dropped is told already
    let is_said = |name: &String| after.contains_key(name) || dropped.iter().any(|dropped| dropped.value() == *name);
    let before = recorded.iter().filter(|(name, _)| is_said(name));
    let before = before.map(|(name, sequence)| (name.clone(), sequence.clone())).collect();
    if let Err(error) = check_successors(&before, &after) {
        let first = after.iter().find(|(name, sequence)| !recorded.contains_key(*name) && sequence.start.is_none());
        let place = listed.iter().find(|there| first.is_some_and(|(name, _)| *name == there.name));
        mistakes.note(Error::new(place.map_or(own, |there| there.span), errors::sequence_in_place(&error)));
    }
}
