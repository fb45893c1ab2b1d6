//! `database!`: the list of tables, the embedded migrations, the way to connect.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Attribute, Error, Ident, LitStr, Path, Result, Token, Visibility, braced, bracketed};

use crate::check::{Drift, folder, snapshot};
use crate::errors;
use crate::expand::diptych_hash;

/// `pub struct Shop { migrations: "…", schema: "…", tables: […], dropped: […] }`.
pub(crate) struct Input {
    attributes: Vec<Attribute>,
    visibility: Visibility,
    ident: Ident,
    migrations: LitStr,
    schema: String,
    tables: Vec<Path>,
    dropped: Vec<String>,
}

impl Parse for Input {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let attributes = input.call(Attribute::parse_outer)?;
        let visibility = input.parse()?;
        input.parse::<Token![struct]>()?;
        let ident: Ident = input.parse()?;
        let content;
        braced!(content in input);
        let mut result = Input {
            attributes,
            visibility,
            migrations: LitStr::new("migrations", ident.span()),
            ident,
            schema: "public".to_owned(),
            tables: Vec::new(),
            dropped: Vec::new(),
        };
        while !content.is_empty() {
            let key: Ident = content.parse()?;
            content.parse::<Token![:]>()?;
            let list;
            match key.to_string().as_str() {
                "migrations" => result.migrations = content.parse()?,
                "schema" => result.schema = content.parse::<LitStr>()?.value(),
                "tables" => {
                    bracketed!(list in content);
                    result.tables = Punctuated::<Path, Token![,]>::parse_terminated(&list)?.into_iter().collect();
                }
                "dropped" => {
                    bracketed!(list in content);
                    result.dropped =
                        Punctuated::<LitStr, Token![,]>::parse_terminated(&list)?.iter().map(LitStr::value).collect();
                }
                other => {
                    return Err(Error::new(
                        key.span(),
                        format!("unknown key `{other}` in database!\nhint: the keys are migrations, schema, tables and dropped"),
                    ));
                }
            }
            if !content.is_empty() {
                content.parse::<Token![,]>()?;
            }
        }
        Ok(result)
    }
}

/// Expands `database!`.
pub(crate) fn expand(input: Input) -> TokenStream {
    let Input { attributes, visibility, ident, migrations, schema, tables, dropped } = &input;
    let place = folder(&migrations.value());
    let path = place.join("snapshot.yaml");
    let shown = path.display().to_string();
    let drift = Drift::read();
    let mut errors = TokenStream::new();
    let known = match snapshot(&migrations.value()) {
        Ok(Some(snapshot)) => snapshot,
        Ok(None) => {
            errors.extend(Error::new(migrations.span(), errors::no_snapshot(&shown)).to_compile_error());
            diptych_core::Snapshot::default()
        }
        Err(_) if drift == Drift::Allow => diptych_core::Snapshot::default(),
        Err(message) => {
            errors.extend(Error::new(migrations.span(), message).to_compile_error());
            diptych_core::Snapshot::default()
        }
    };
    let version = match &known.version {
        Some(version) => quote! { ::core::option::Option::Some(#version) },
        None => quote! { ::core::option::Option::None },
    };
    let files = files(&place);
    let embedded = files.iter().map(|(stem, path)| quote! { (#stem, ::core::include_str!(#path)) });
    let text = if path.is_file() {
        quote! { ::core::include_str!(#shown) }
    } else {
        quote! { "" }
    };
    let folder_shown = place.display().to_string();
    let hash = diptych_hash(&migrations.value());
    let same_folder = tables.iter().map(|table| {
        let span = table.segments.last().map_or_else(Span::call_site, |segment| segment.ident.span());
        quote_spanned! {span=> const _: () = ::diptych::__private::assert_folder(<#table as ::diptych::Table>::FOLDER, #hash); }
    });
    let gone = (drift != Drift::Allow).then(|| {
        let names = known.tables.tables.keys().filter(|name| !dropped.contains(name));
        let assertions = names.map(|name| {
            let message = errors::table_gone(name, known.version.as_deref().unwrap_or("(none)"));
            let span = ident.span();
            quote_spanned! {span=> const _: () = ::core::assert!(#ident::diptych_declares(#name), #message); }
        });
        quote! { #(#assertions)* }
    });
    let names = tables.iter().map(|table| quote! { <#table as ::diptych::__private::Named>::NAMES });
    let declares = (gone.is_some() && !known.tables.tables.is_empty()).then(|| {
        quote! {
            #[doc(hidden)]
            const fn diptych_declares(name: &str) -> bool {
                ::diptych::__private::any_named(&[#(#names),*], name)
            }
        }
    });
    let declared = tables.iter().map(|table| quote! { <#table as ::diptych::Table>::declared() });
    quote! {
        #errors
        #(#attributes)*
        #[derive(Clone, Copy, Debug)]
        #visibility struct #ident;

        // a change of the variable rebuilds
        const _: ::core::option::Option<&str> = ::core::option_env!("DIPTYCH_DRIFT");
        #(#same_folder)*
        #gone

        impl #ident {
            /// What differs between the snapshot and the structs.
            pub const PENDING: ::diptych::database::Pending<Self> = ::diptych::database::Pending::new();
            /// Every recorded migration.
            pub const MIGRATIONS: &'static [(&'static str, &'static str)] = <Self as ::diptych::Database>::MIGRATIONS;
            /// The version that the binary was built for.
            pub const VERSION: ::core::option::Option<&'static str> = <Self as ::diptych::Database>::VERSION;

            #declares

            /// A client on the version that the binary was built for; an error where that version is not published.
            pub async fn connect(url: &str) -> ::diptych::Result<::diptych::tokio_postgres::Client> {
                ::diptych::connect::connect::<Self>(url).await
            }

            /// The configuration behind it, for pools.
            pub fn config(url: &str) -> ::diptych::Result<::diptych::tokio_postgres::Config> {
                ::diptych::connect::config::<Self>(url)
            }
        }

        impl ::diptych::Database for #ident {
            const BASE: &'static str = #schema;
            const VERSION: ::core::option::Option<&'static str> = #version;
            const MIGRATIONS: &'static [(&'static str, &'static str)] = &[#(#embedded),*];
            const SNAPSHOT: &'static str = #text;
            const FOLDER: &'static str = #folder_shown;

            fn declared() -> ::diptych::core::DeclaredSchema {
                ::diptych::core::DeclaredSchema {
                    tables: ::std::vec![#(#declared),*],
                    dropped: ::std::vec![#(::std::string::String::from(#dropped)),*],
                }
            }
        }
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
