//! `database!`: the list of tables, the embedded migrations, the way to connect.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use std::collections::BTreeSet;
use std::sync::Arc;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Attribute, Error, Ident, LitStr, Path, Result, Token, Visibility, braced, bracketed};

use crate::attr::{plain_folder, skip};
use crate::check::{Drift, folder, snapshot};
use crate::errors::{self, Mistakes};
use crate::expand::{hash, respan};
use crate::symbol;
use diptych_core::names;

/// `pub struct Shop { migrations: "…", schema: "…", tables: […], dropped: […] }`.
pub(crate) struct Input {
    attributes: Vec<Attribute>,
    visibility: Visibility,
    ident: Ident,
    migrations: LitStr,
    schema: LitStr,
    enums: Vec<Path>,
    tables: Vec<Path>,
    dropped: Vec<LitStr>,
    path: Path,
    mistakes: Mistakes,
}

impl Parse for Input {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let attributes = input.call(Attribute::parse_outer)?;
        let visibility = input.parse()?;
        input.parse::<Token![struct]>()?;
        let ident: Ident = input.parse()?;
        let schema = LitStr::new("public", ident.span());
        let content;
        braced!(content in input);
        let mut result = Input {
            attributes,
            visibility,
            migrations: LitStr::new("migrations", ident.span()),
            ident,
            schema,
            enums: Vec::new(),
            tables: Vec::new(),
            dropped: Vec::new(),
            path: syn::parse_quote!(::diptych),
            mistakes: Mistakes::default(),
        };
        let mut seen = BTreeSet::new();
        while !content.is_empty() {
            let key = Ident::parse_any(&content)?;
            content.parse::<Token![:]>()?;
            let (word, list) = (key.to_string(), &content);
            match word.as_str() {
                symbol::MIGRATIONS => {
                    let given: LitStr = content.parse()?;
                    result.migrations = LitStr::new(&plain_folder(&given.value()), given.span());
                }
                symbol::SCHEMA => result.schema = content.parse()?,
                symbol::ENUMS => result.enums = bracketed_list(list)?,
                symbol::TABLES => result.tables = bracketed_list(list)?,
                symbol::DROPPED => result.dropped = bracketed_list(list)?,
                symbol::CRATE => result.path = content.call(Path::parse_mod_style)?,
                _ => {
                    let message = errors::unknown("key", &word, "in database!", symbol::IN_DATABASE);
                    result.mistakes.note(Error::new(key.span(), message));
                    skip(&content)?;
                }
            }
            if !seen.insert(word.clone()) {
                result.mistakes.note(Error::new(key.span(), errors::twice(&word)));
            }
            if !content.is_empty() {
                content.parse::<Token![,]>()?;
            }
        }
        Ok(result)
    }
}

fn bracketed_list<T: Parse>(input: ParseStream<'_>) -> Result<Vec<T>> {
    let list;
    bracketed!(list in input);
    Ok(Punctuated::<T, Token![,]>::parse_terminated(&list)?.into_iter().collect())
}

/// Expands `database!`.
pub(crate) fn expand(mut input: Input) -> TokenStream {
    let place = folder(&input.migrations.value());
    let file = place.join("snapshot.yaml");
    let shown = file.display().to_string();
    let drift = Drift::read();
    let read = snapshot(&input.migrations.value());
    // the tool that records makes it anew, and one that cannot be read is an error of its own
    let is_compared = drift != Drift::Allow && read.is_ok() && file.is_file();
    let known = match read {
        Ok(Some(snapshot)) => snapshot,
        Ok(None) => {
            input.mistakes.note(Error::new(input.migrations.span(), errors::no_snapshot(&shown)));
            Arc::default()
        }
        Err(_) if drift == Drift::Allow => Arc::default(),
        Err(message) => {
            input.mistakes.note(Error::new(input.migrations.span(), message));
            Arc::default()
        }
    };
    let (files, others): (Vec<_>, Vec<_>) = files(&place).into_iter().partition(|(_, path)| std::path::Path::new(path).is_file());
    for (_, path) in &others {
        input.mistakes.note(Error::new(input.migrations.span(), errors::no_file(path)));
    }
    if let (None, Some((newest, _)), true) = (&known.version, files.last(), is_compared) {
        input.mistakes.note(Error::new(input.migrations.span(), errors::emptied_snapshot(&shown, newest)));
    }
    if let (Some(version), Some((newest, _))) = (known.version.as_deref(), files.last())
        && drift != Drift::Allow
        && newest != version
    {
        input.mistakes.note(Error::new(input.migrations.span(), errors::other_newest(newest, version)));
    }
    let recorded = known.base.as_deref().unwrap_or("public");
    if let Some(version) = known.version.as_deref().filter(|_| drift != Drift::Allow && recorded != input.schema.value()) {
        let message = errors::other_schema(&input.schema.value(), recorded, version);
        input.mistakes.note(Error::new(input.schema.span(), message));
    }
    if let Err(word) = Drift::asked() {
        input.mistakes.note(Error::new(input.ident.span(), errors::unknown_drift(&word)));
    }
    let compared = if drift == Drift::Allow { TokenStream::new() } else { compare(&input, &known) };
    let Input { attributes, visibility, ident, schema, enums, tables, dropped, path, mistakes, .. } = &input;
    let mistakes = mistakes.to_tokens();
    let version = match &known.version {
        Some(version) => quote! { ::core::option::Option::Some(#version) },
        None => quote! { ::core::option::Option::None },
    };
    let views = match &known.version {
        Some(version) => {
            let views = names::view_schema(&schema.value(), version);
            quote! { ::core::option::Option::Some(#views) }
        }
        None => quote! { ::core::option::Option::None },
    };
    let guard = names::guard_schema(&schema.value());
    let embedded = files.iter().map(|(stem, path)| quote! { (#stem, ::core::include_str!(#path)) });
    // the compiler tracks what is included: a new snapshot rebuilds
    let text = if file.is_file() {
        quote! { ::core::include_str!(#shown) }
    } else {
        quote! { "" }
    };
    let folder_shown = place.display().to_string();
    let declared = tables.iter().map(|table| quote! { <#table as #path::Table>::declared() });
    quote! {
        #mistakes
        #(#attributes)*
        #[derive(::core::clone::Clone, ::core::marker::Copy, ::core::fmt::Debug)]
        #visibility struct #ident;

        // a change of the variable rebuilds
        const _: ::core::option::Option<&::core::primitive::str> = ::core::option_env!("DIPTYCH_DRIFT");
        #compared

        impl #ident {
            #path::__private::planned! {
                /// What differs between the snapshot and the structs, as typed operations: for a team's own rules, as tests.
                ///
                /// `assert!(Shop::PENDING.operations()?.iter().all(|operation| operation.name() != "drop_column"))`
                pub const PENDING: #path::database::Pending<Self> = #path::database::Pending::new();
            }
            /// Every recorded migration.
            pub const MIGRATIONS: &'static [(&'static ::core::primitive::str, &'static ::core::primitive::str)] = <Self as #path::Database>::MIGRATIONS;
            /// The version that the binary was built for.
            pub const VERSION: ::core::option::Option<&'static ::core::primitive::str> = <Self as #path::Database>::VERSION;

            /// The schema of that version's views.
            pub const SCHEMA: ::core::option::Option<&'static ::core::primitive::str> = <Self as #path::Database>::SCHEMA;

            /// The `search_path` of that version, as `SET search_path TO` takes it.
            pub fn search_path() -> ::core::option::Option<::std::string::String> {
                <Self as #path::Database>::search_path()
            }

            /// Whether a client that a pool has opened is on that version; an error where it is not.
            pub async fn verify(client: &impl #path::tokio_postgres::GenericClient) -> #path::Result<()> {
                #path::connect::verify::<Self>(client).await
            }

            /// A client on the version that the binary was built for; an error where that version is not published.
            pub async fn connect(url: &::core::primitive::str) -> #path::Result<#path::tokio_postgres::Client> {
                #path::connect::connect::<Self>(url).await
            }

            /// A lease on that version for a process whose sessions come from a pool: keep it for as long as the pool.
            pub async fn lease(url: &::core::primitive::str) -> #path::Result<::core::option::Option<#path::LeaseGuard>> {
                #path::connect::lease::<Self>(url).await
            }

            /// The configuration behind it, for pools.
            pub fn config(url: &::core::primitive::str) -> #path::Result<#path::tokio_postgres::Config> {
                #path::connect::config::<Self>(url)
            }

            /// The same as a URL, for clients other than tokio-postgres.
            pub fn url(url: &::core::primitive::str) -> #path::Result<::std::string::String> {
                #path::connect::url::<Self>(url)
            }

            /// One SQL statement that fails where a session is not on that version, for clients other than tokio-postgres.
            pub fn verify_sql() -> ::std::string::String {
                #path::connect::verify_sql::<Self>()
            }
        }

        impl #path::Database for #ident {
            const BASE: &'static ::core::primitive::str = #schema;
            const VERSION: ::core::option::Option<&'static ::core::primitive::str> = #version;
            const SCHEMA: ::core::option::Option<&'static ::core::primitive::str> = #views;
            const GUARD: &'static ::core::primitive::str = #guard;
            const MIGRATIONS: &'static [(&'static ::core::primitive::str, &'static ::core::primitive::str)] = &[#(#embedded),*];
            const SNAPSHOT: &'static ::core::primitive::str = #text;
            const FOLDER: &'static ::core::primitive::str = #folder_shown;

            #path::__private::planned! {
                fn declared() -> #path::__private::core::DeclaredSchema {
                    #path::__private::core::DeclaredSchema {
                        enums: ::std::vec![#(<#enums as #path::EnumType>::declared()),*],
                        tables: ::std::vec![#(#declared),*],
                        dropped: ::std::vec![#(::std::borrow::ToOwned::to_owned(#dropped)),*],
                    }
                }
            }
        }
    }
}

/// What only the whole list can tell: folders, tables gone, tables twice.
fn compare(input: &Input, known: &diptych_core::Snapshot) -> TokenStream {
    let Input { ident, enums, tables, dropped, path, .. } = input;
    let version = known.version.as_deref().unwrap_or("(none)");
    let folder = hash(&input.migrations.value());
    let spans = tables.iter().map(|table| table.segments.last().map_or_else(Span::call_site, |segment| segment.ident.span()));
    let told = known.schema.enums.keys().filter(|name| !dropped.iter().any(|dropped| dropped.value() == **name));
    let own = quote! { &[#(<#tables as #path::__private::Named>::TABLE),*] };
    let each = tables.iter().zip(spans).enumerate().map(|(at, (table, span))| {
        let message = errors::SAME_TABLE;
        let path = respan(path, span);
        // each names the lists once: what is written out for each pair is what a compiler is slow at
        quote_spanned! {span=>
            const _: () = #path::__private::assert_folder(<#table as #path::Table>::FOLDER, #folder);
            const _: () = #path::__private::assert_agrees(&SHAPES[#at], SHAPES, ENUMS, TOLD);
            const _: () = ::core::assert!(!#path::__private::comes_again(OWN, OWN_IN_ORDER, #at), "{}", #message);
        }
    });
    let gone = known.schema.tables.keys().filter(|name| !dropped.iter().any(|dropped| dropped.value() == **name)).map(|name| {
        let (id, message) = (hash(name), errors::table_gone(name, version));
        quote_spanned! {ident.span()=>
            const _: () = ::core::assert!(#path::__private::is_among(TABLES_IN_ORDER, #id), "{}", #message);
        }
    });
    let types = enums.iter().enumerate().map(|(at, name)| {
        let span = name.segments.last().map_or_else(Span::call_site, |segment| segment.ident.span());
        let (message, path) = (errors::SAME_ENUM, respan(path, span));
        quote_spanned! {span=>
            const _: () = #path::__private::assert_folder(<#name as #path::EnumType>::FOLDER, #folder);
            const _: () = ::core::assert!(!#path::__private::comes_again(TYPES, TYPES_IN_ORDER, #at), "{}", #message);
        }
    });
    let types_gone =
        known.schema.enums.keys().filter(|name| !dropped.iter().any(|dropped| dropped.value() == **name)).map(|name| {
            let (id, message) = (hash(name), errors::enum_gone(name, version));
            quote_spanned! {ident.span()=>
                const _: () = ::core::assert!(#path::__private::is_among(TYPES_IN_ORDER, #id), "{}", #message);
            }
        });
    let there = dropped.iter().map(|dropped| {
        let name = dropped.value();
        let (id, message) = (hash(&name), errors::table_dropped_but_there(&name, version));
        quote_spanned! {dropped.span()=>
            const _: () = ::core::assert!(!#path::__private::is_among(OWN_IN_ORDER, #id), "{}", #message);
        }
    });
    quote! {
        const _: () = {
            #[allow(dead_code)]
            const TABLES: &[&[::core::primitive::u64]] = &[#(<#tables as #path::__private::Named>::ANSWERS_FOR),*];
            #[allow(dead_code)]
            const SHAPES: &[#path::__private::Shape] = &[#(<#tables as #path::__private::Named>::SHAPE),*];
            #[allow(dead_code)]
            const ENUMS: &[&::core::primitive::str] = &[#(<#enums as #path::EnumType>::TYPE),*];
            #[allow(dead_code)]
            const TYPES: &[::core::primitive::u64] = &[#(#path::__private::hash(<#enums as #path::EnumType>::TYPE)),*];
            #[allow(dead_code)]
            const TABLES_IN_ORDER: &[::core::primitive::u64] =
                &#path::__private::in_order::<{ #path::__private::total(TABLES) }>(TABLES);
            #[allow(dead_code)]
            const OWN_IN_ORDER: &[::core::primitive::u64] = &#path::__private::in_order::<{ OWN.len() }>(&[OWN]);
            #[allow(dead_code)]
            const TYPES_IN_ORDER: &[::core::primitive::u64] = &#path::__private::in_order::<{ TYPES.len() }>(&[TYPES]);
            // of these it is said that they are gone
            #[allow(dead_code)]
            const TOLD: &[&::core::primitive::str] = &[#(#told),*];
            #[allow(dead_code)]
            const OWN: &[::core::primitive::u64] = #own;
            #(#types)*
            #(#each)*
            #(#types_gone)*
            #(#gone)*
            #(#there)*
        };
    }
}

/// The recorded migrations of a folder, in the order of their names.
fn files(folder: &std::path::Path) -> Vec<(String, String)> {
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|end| end == "yaml" || end == "yml" || end == "json"))
        .filter_map(|path| Some((path.file_stem()?.to_str()?.to_owned(), path.display().to_string())))
        .filter(|(stem, _)| stem != "snapshot")
        .collect();
    files.sort();
    files
}
