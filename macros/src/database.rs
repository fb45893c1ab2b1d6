//! `database!`: the list of tables, the embedded migrations, the way to connect.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Attribute, Error, Ident, LitStr, Path, Result, Token, Visibility, braced, bracketed};

use crate::attr::{plain_folder, skip};
use crate::check::{Drift, folder, snapshot};
use crate::code::Code;
use crate::errors::{self, Mistakes};
use crate::expand::{drifts, hash, option, respan};
use crate::listed::{self, Entry};
use crate::sequences;
use crate::symbol;
use diptych_core::model::rules::check_name;
use diptych_core::{Composite, Domain, Sequence, Snapshot, names};

/// `pub struct Shop { migrations: "…", schema: "…", extensions: […], enums: […], domains: […], composites: […], sequences: […], tables: […], dropped: […] }`.
pub(crate) struct Input {
    attributes: Vec<Attribute>,
    visibility: Visibility,
    ident: Ident,
    migrations: LitStr,
    schema: LitStr,
    extensions: Vec<LitStr>,
    enums: Vec<Path>,
    domains: Vec<Entry<Domain>>,
    composites: Vec<Entry<Composite>>,
    sequences: Vec<Entry<Sequence>>,
    tables: Vec<Path>,
    code: Option<LitStr>,
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
            extensions: Vec::new(),
            enums: Vec::new(),
            domains: Vec::new(),
            composites: Vec::new(),
            sequences: Vec::new(),
            tables: Vec::new(),
            code: None,
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
                symbol::EXTENSIONS => result.extensions = bracketed_list(list)?,
                symbol::ENUMS => result.enums = bracketed_list(list)?,
                symbol::DOMAINS => result.domains = bracketed_list(list)?,
                symbol::COMPOSITES => result.composites = bracketed_list(list)?,
                symbol::SEQUENCES => result.sequences = bracketed_list(list)?,
                symbol::TABLES => result.tables = bracketed_list(list)?,
                symbol::CODE => result.code = Some(content.parse()?),
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

/// What a folder has recorded, by its snapshot and its migrations.
struct Recorded {
    folder: PathBuf,
    /// The snapshot, be it there or not.
    file: PathBuf,
    known: Arc<Snapshot>,
    /// The snapshot is there, and could be read.
    is_readable: bool,
    /// The migrations' names and paths, in order.
    files: Vec<(String, String)>,
}

/// Expands `database!`.
pub(crate) fn expand(mut input: Input) -> TokenStream {
    let drift = Drift::read();
    let recorded = read(&mut input, drift);
    if drift != Drift::Allow {
        check_versions(&mut input, &recorded);
        check_schema(&mut input, &recorded.known);
    }
    if let Err(word) = Drift::asked() {
        input.mistakes.note(Error::new(input.ident.span(), errors::unknown_drift(&word)));
    }
    check_extensions(&mut input, &recorded.known, drift);
    let Input { domains, composites, sequences, dropped, mistakes, ident, .. } = &mut input;
    listed::check(domains, dropped, &recorded.known, drift, mistakes, ident.span());
    listed::check(composites, dropped, &recorded.known, drift, mistakes, ident.span());
    listed::check(sequences, dropped, &recorded.known, drift, mistakes, ident.span());
    sequences::check_places(sequences, dropped, &recorded.known, drift, mistakes, ident.span());
    let code = Code::read(input.code.as_ref(), &input.ident, &mut input.mistakes);
    let mut compared = TokenStream::new();
    if drift != Drift::Allow {
        compared.extend(compare(&input, &recorded.known));
        compared.extend(code.compare(&recorded.known, &input.dropped, drift, &mut input.mistakes));
        if input.mistakes.is_empty() {
            compared.extend(unlisted(&input, &recorded.known, drift));
            compared.extend(listed::unrecorded(&input.domains, &input.dropped, &recorded.known, drift));
            compared.extend(listed::unrecorded(&input.composites, &input.dropped, &recorded.known, drift));
            compared.extend(listed::unrecorded(&input.sequences, &input.dropped, &recorded.known, drift));
        }
    }
    let (constants, functions, database) = (constants(&input), functions(&input), database(&input, &recorded, &code));
    let Input { attributes, visibility, ident, mistakes, .. } = &input;
    let mistakes = mistakes.to_tokens();
    quote! {
        #mistakes
        #(#attributes)*
        #[derive(::core::clone::Clone, ::core::marker::Copy, ::core::fmt::Debug)]
        #visibility struct #ident;

        // a change of the variable rebuilds
        const _: ::core::option::Option<&::core::primitive::str> = ::core::option_env!("DIPTYCH_DRIFT");
        #compared

        impl #ident {
            #constants
            #functions
        }

        #database
    }
}

/// Reads the folder; what cannot be read is a mistake.
fn read(input: &mut Input, drift: Drift) -> Recorded {
    let folder = folder(&input.migrations.value());
    let file = folder.join("snapshot.yaml");
    let read = snapshot(&input.migrations.value());
    let is_readable = read.is_ok() && file.is_file();
    let mut refuse = |message: String| input.mistakes.note(Error::new(input.migrations.span(), message));
    // the tool that records makes it anew, and one that cannot be read is an error of its own
    let known = match read {
        Ok(Some(snapshot)) => snapshot,
        Ok(None) => {
            refuse(errors::no_snapshot(&file.display().to_string()));
            Arc::default()
        }
        Err(_) if drift == Drift::Allow => Arc::default(),
        Err(message) => {
            refuse(message);
            Arc::default()
        }
    };
    let (files, others): (Vec<_>, Vec<_>) =
        files(&folder).into_iter().partition(|(_, path)| std::path::Path::new(path).is_file());
    others.iter().for_each(|(_, path)| refuse(errors::no_file(path)));
    Recorded { folder, file, known, is_readable, files }
}

/// The snapshot is that of the newest migration.
fn check_versions(input: &mut Input, recorded: &Recorded) {
    let Some((newest, _)) = recorded.files.last() else { return };
    let message = match recorded.known.version.as_deref() {
        None if recorded.is_readable => errors::emptied_snapshot(&recorded.file.display().to_string(), newest),
        Some(version) if newest != version => errors::other_newest(newest, version),
        _ => return,
    };
    input.mistakes.note(Error::new(input.migrations.span(), message));
}

/// The base schema is the one that the migrations were recorded for.
fn check_schema(input: &mut Input, known: &Snapshot) {
    let recorded = known.base.as_deref().unwrap_or("public");
    if let Some(version) = known.version.as_deref().filter(|_| recorded != input.schema.value()) {
        let message = errors::other_schema(&input.schema.value(), recorded, version);
        input.mistakes.note(Error::new(input.schema.span(), message));
    }
}

/// What an app reads of its database's type.
fn constants(Input { path, .. }: &Input) -> TokenStream {
    quote! {
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
    }
}

/// What an app, or a client of its own, calls.
fn functions(Input { path, .. }: &Input) -> TokenStream {
    quote! {
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

        /// Until that version is published: for an app that is deployed before `migrate start`, or beside it. An error after `timeout`, and at
        /// once where the version is retired.
        pub async fn wait_published(url: &::core::primitive::str, timeout: ::core::time::Duration) -> #path::Result<()> {
            #path::connect::wait_published::<Self>(url, timeout).await
        }

        #path::__private::planned! {
            /// Publishes that version where it is not, and completes it in the background once it has been published for `soak` and nobody is on
            /// the older one: for an app that migrates its own database. Many instances may call it at once.
            pub async fn migrate(url: &::core::primitive::str, soak: ::core::time::Duration) -> #path::Result<#path::Completion> {
                #path::embedded::migrate::<Self>(url, ::core::default::Default::default(), soak).await
            }
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
}

/// What the library asks of it.
fn database(input: &Input, recorded: &Recorded, code: &Code) -> TokenStream {
    let (code_folder, code) = (option(code.folder().as_deref()), code.declared());
    let Input { ident, schema, extensions, enums, domains, composites, sequences, tables, dropped, path, .. } = input;
    let domains = domains.iter().map(|domain| domain.declared(path));
    let composites = composites.iter().map(|composite| composite.declared(path));
    let sequences = sequences.iter().map(|sequence| sequence.declared(path));
    let version = option(recorded.known.version.as_deref());
    let views = recorded.known.version.as_deref().map(|version| names::view_schema(&schema.value(), version));
    let views = option(views.as_deref());
    let guard = names::guard_schema(&schema.value());
    let embedded = recorded.files.iter().map(|(stem, path)| quote! { (#stem, ::core::include_str!(#path)) });
    // the compiler tracks what is included: a new snapshot rebuilds
    let shown = recorded.file.display().to_string();
    let text = if recorded.file.is_file() {
        quote! { ::core::include_str!(#shown) }
    } else {
        quote! { "" }
    };
    let folder_shown = recorded.folder.display().to_string();
    let declared = tables.iter().map(|table| quote! { <#table as #path::Table>::declared() });
    quote! {
        impl #path::Database for #ident {
            const BASE: &'static ::core::primitive::str = #schema;
            const VERSION: ::core::option::Option<&'static ::core::primitive::str> = #version;
            const SCHEMA: ::core::option::Option<&'static ::core::primitive::str> = #views;
            const GUARD: &'static ::core::primitive::str = #guard;
            const MIGRATIONS: &'static [(&'static ::core::primitive::str, &'static ::core::primitive::str)] = &[#(#embedded),*];
            const SNAPSHOT: &'static ::core::primitive::str = #text;
            const FOLDER: &'static ::core::primitive::str = #folder_shown;
            const CODE: ::core::option::Option<&'static ::core::primitive::str> = #code_folder;

            #path::__private::planned! {
                fn declared() -> #path::__private::core::DeclaredSchema {
                    #path::__private::core::DeclaredSchema {
                        extensions: ::std::vec![#(::std::borrow::ToOwned::to_owned(#extensions)),*],
                        domains: ::core::iter::IntoIterator::into_iter([#(#domains),*]).collect(),
                        composites: ::core::iter::IntoIterator::into_iter([#(#composites),*]).collect(),
                        sequences: ::core::iter::IntoIterator::into_iter([#(#sequences),*]).collect(),
                        enums: ::std::vec![#(<#enums as #path::EnumType>::declared()),*],
                        tables: ::std::vec![#(#declared),*],
                        code: #code,
                        dropped: ::std::vec![#(::std::borrow::ToOwned::to_owned(#dropped)),*],
                    }
                }
            }
        }
    }
}

/// The list of extensions: what it names in vain, and what it leaves out.
fn check_extensions(input: &mut Input, known: &Snapshot, drift: Drift) {
    let Input { ident, extensions, dropped, mistakes, .. } = input;
    let mut seen = BTreeSet::new();
    for there in extensions.iter() {
        let name = there.value();
        if name.is_empty() {
            mistakes.note(Error::new(there.span(), errors::UNNAMED_EXTENSION));
        } else if let Err(error) = check_name("extension", &name, None) {
            mistakes.note(Error::new(there.span(), errors::not_taken(&error)));
        } else if !seen.insert(name.clone()) {
            mistakes.note(Error::new(there.span(), errors::twice(&name)));
        } else if dropped.iter().any(|dropped| dropped.value() == name) {
            mistakes.note(Error::new(there.span(), errors::extension_dropped_but_there(&name)));
        }
    }
    let version = known.version.as_deref().unwrap_or("(none)");
    let is_said = |name: &String| seen.contains(name) || dropped.iter().any(|dropped| dropped.value() == *name);
    for name in known.schema.extensions.iter().filter(|name| drift != Drift::Allow && !is_said(name)) {
        mistakes.note(Error::new(ident.span(), errors::extension_gone(name, version)));
    }
}

/// Extensions that are not recorded, or not recorded as gone.
fn unlisted(input: &Input, known: &Snapshot, drift: Drift) -> TokenStream {
    let recorded = &known.schema.extensions;
    let new = input.extensions.iter().filter(|there| !recorded.contains(&there.value()));
    let gone = input.dropped.iter().filter(|there| recorded.contains(&there.value()));
    let new = new.map(|there| (there.span(), format!("extension `{}`", there.value())));
    let gone = gone.map(|there| (there.span(), format!("the end of extension `{}`", there.value())));
    drifts(&new.chain(gone).collect::<Vec<_>>(), known.version.as_deref().unwrap_or("(none)"), drift)
}

/// What only the whole list can tell: folders, tables gone, tables twice.
fn compare(input: &Input, known: &Snapshot) -> TokenStream {
    let (types, each) = (each_enum(input), each_table(input));
    let (types_gone, gone, there) = (enums_gone(input, known), tables_gone(input, known), dropped_but_there(input, known));
    let lists = lists(input, known);
    quote! {
        const _: () = {
            #lists
            #(#types)*
            #(#each)*
            #(#types_gone)*
            #(#gone)*
            #(#there)*
        };
    }
}

/// The lists that the assertions read, each written out once.
fn lists(Input { enums, tables, dropped, path, .. }: &Input, known: &Snapshot) -> TokenStream {
    let told = known.schema.enums.keys().filter(|name| !is_dropped(dropped, name));
    let own = quote! { &[#(<#tables as #path::__private::Named>::TABLE),*] };
    quote! {
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
    }
}

fn is_dropped(dropped: &[LitStr], name: &str) -> bool {
    dropped.iter().any(|dropped| dropped.value() == name)
}

/// Each table is of the folder, agrees with those that it points at, and is there once.
fn each_table(Input { migrations, tables, path, .. }: &Input) -> Vec<TokenStream> {
    let folder = hash(&migrations.value());
    let each = tables.iter().enumerate().map(|(at, table)| {
        let span = last_word(table);
        let message = errors::SAME_TABLE;
        let path = respan(path, span);
        // each names the lists once: what is written out for each pair is what a compiler is slow at
        quote_spanned! {span=>
            const _: () = #path::__private::assert_folder(<#table as #path::Table>::FOLDER, #folder);
            const _: () = #path::__private::assert_agrees(&SHAPES[#at], SHAPES, ENUMS, TOLD);
            const _: () = ::core::assert!(!#path::__private::comes_again(OWN, OWN_IN_ORDER, #at), "{}", #message);
        }
    });
    each.collect()
}

/// Each enum is of the folder, and is there once.
fn each_enum(Input { migrations, enums, path, .. }: &Input) -> Vec<TokenStream> {
    let folder = hash(&migrations.value());
    let each = enums.iter().enumerate().map(|(at, name)| {
        let span = last_word(name);
        let (message, path) = (errors::SAME_ENUM, respan(path, span));
        quote_spanned! {span=>
            const _: () = #path::__private::assert_folder(<#name as #path::EnumType>::FOLDER, #folder);
            const _: () = ::core::assert!(!#path::__private::comes_again(TYPES, TYPES_IN_ORDER, #at), "{}", #message);
        }
    });
    each.collect()
}

/// Where a path has its last word.
fn last_word(path: &Path) -> Span {
    path.segments.last().map_or_else(Span::call_site, |segment| segment.ident.span())
}

/// A recorded table that is not said to be dropped is one that a struct answers for.
fn tables_gone(Input { ident, dropped, path, .. }: &Input, known: &Snapshot) -> Vec<TokenStream> {
    let version = shown_version(known);
    let gone = known.schema.tables.keys().filter(|name| !is_dropped(dropped, name)).map(|name| {
        let (id, message) = (hash(name), errors::table_gone(name, version));
        quote_spanned! {ident.span()=>
            const _: () = ::core::assert!(#path::__private::is_among(TABLES_IN_ORDER, #id), "{}", #message);
        }
    });
    gone.collect()
}

/// The same of enums.
fn enums_gone(Input { ident, dropped, path, .. }: &Input, known: &Snapshot) -> Vec<TokenStream> {
    let version = shown_version(known);
    let gone = known.schema.enums.keys().filter(|name| !is_dropped(dropped, name)).map(|name| {
        let (id, message) = (hash(name), errors::enum_gone(name, version));
        quote_spanned! {ident.span()=>
            const _: () = ::core::assert!(#path::__private::is_among(TYPES_IN_ORDER, #id), "{}", #message);
        }
    });
    gone.collect()
}

/// What is said to be dropped is no struct's table.
fn dropped_but_there(Input { dropped, path, .. }: &Input, known: &Snapshot) -> Vec<TokenStream> {
    let version = shown_version(known);
    let there = dropped.iter().map(|dropped| {
        let name = dropped.value();
        let (id, message) = (hash(&name), errors::table_dropped_but_there(&name, version));
        quote_spanned! {dropped.span()=>
            const _: () = ::core::assert!(!#path::__private::is_among(OWN_IN_ORDER, #id), "{}", #message);
        }
    });
    there.collect()
}

fn shown_version(known: &Snapshot) -> &str {
    known.version.as_deref().unwrap_or("(none)")
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
