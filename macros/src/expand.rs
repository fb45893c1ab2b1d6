//! The derive's output: what the struct declares, and one assertion per field for what only types can tell.

use diptych_core::Snapshot;
use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::DeriveInput;

use crate::attr::{Always, Field, Struct, read};
use crate::check::{self, Drift, Outcome};
use crate::{errors, fallback};

/// Expands `#[derive(Schema)]`.
pub(crate) fn derive(input: DeriveInput) -> TokenStream {
    let (table, mistakes) = read(&input);
    if let Some(error) = mistakes {
        let (errors, rest) = (error.to_compile_error(), fallback::table(&table));
        let rest = if input.generics.params.is_empty() { rest } else { TokenStream::new() };
        return quote! { #errors #rest };
    }
    let drift = Drift::read();
    // a missing or unreadable snapshot is one error, in `database!`
    let snapshot = match check::snapshot(&table.migrations) {
        Ok(Some(snapshot)) => Some(snapshot),
        _ => None,
    };
    let outcome = check::compare(&table, &snapshot.clone().unwrap_or_default(), drift);
    let mut output: TokenStream = outcome.errors.iter().map(syn::Error::to_compile_error).collect();
    if snapshot.is_some() && drift != Drift::Allow {
        output.extend(warnings(&outcome, drift));
        let snapshot = snapshot.unwrap_or_default();
        if outcome.recorded.is_some() {
            output.extend(table.fields.iter().map(|field| assertion(&table, field, &outcome, &snapshot)));
        }
    }
    output.extend(implementation(&table));
    output
}

/// A warning that stays one under `-D warnings`: the tool that records has to build.
fn warnings(outcome: &Outcome, drift: Drift) -> TokenStream {
    outcome
        .unrecorded
        .iter()
        .map(|(span, what)| {
            let note = errors::unrecorded(what, &outcome.version);
            if drift == Drift::Deny {
                return syn::Error::new(*span, note).to_compile_error();
            }
            quote_spanned! {*span=>
                #[warn(warnings)]
                const _: () = {
                    #[allow(non_upper_case_globals)]
                    #[deprecated(note = #note)]
                    const schema_drift: () = ();
                    schema_drift
                };
            }
        })
        .collect()
}

/// Every token of it has the field's span, so that the caret stands on the field.
fn assertion(table: &Struct, field: &Field, outcome: &Outcome, snapshot: &Snapshot) -> TokenStream {
    let span = field.span;
    let path = respan(&table.path, span);
    let used = snapshot.used.get(&table.table).and_then(|used| used.get(&field.column)).cloned().unwrap_or_default();
    let fresh = |now: &Option<String>, then: &Option<String>| now.is_some() && now != then;
    let (up, down) = (fresh(&field.up, &used.up), fresh(&field.down, &used.down));
    let (name, nullable) = type_of(field, &path);
    let version = &outcome.version;
    match outcome.column(field, &used) {
        Some(column) => {
            let (table, name_, sql_type, may) = (
                &outcome.recorded.as_ref().map(|(name, _)| name.clone()).unwrap_or_default(),
                &column.name,
                &column.sql_type,
                column.nullable,
            );
            let table = table.as_str();
            quote_spanned! {span=>
                const _: () = #path::__private::assert_unchanged(#name, #nullable, #path::__private::Known {
                    table: #table, column: #name_, version: #version, sql_type: #sql_type, nullable: #may, up: #up, down: #down,
                });
            }
        }
        None => {
            let has_value = up || field.default.is_some() || field.identity.is_some() || field.renamed_from.is_some();
            let (table, column) = (&table.table, &field.column);
            quote_spanned! {span=>
                const _: () = #path::__private::assert_addable(#nullable, #has_value, #table, #column, #version);
            }
        }
    }
}

/// The SQL type's name and nullability, as expressions over the field's Rust type.
fn type_of(field: &Field, path: &TokenStream) -> (TokenStream, TokenStream) {
    let span = field.span;
    let ty = &field.ty;
    let ty = respan(ty, span);
    let nullable = quote_spanned! {span=> <#ty as #path::SqlType>::NULLABLE };
    match &field.sql_type {
        Some(name) => (quote_spanned! {span=> #name }, nullable),
        None => (quote_spanned! {span=> <#ty as #path::SqlType>::NAME }, nullable),
    }
}

fn respan(tokens: &impl quote::ToTokens, span: proc_macro2::Span) -> TokenStream {
    fn each(stream: TokenStream, span: proc_macro2::Span) -> TokenStream {
        stream
            .into_iter()
            .map(|mut token| {
                if let proc_macro2::TokenTree::Group(group) = &token {
                    let mut inner = proc_macro2::Group::new(group.delimiter(), each(group.stream(), span));
                    inner.set_span(span.located_at(span));
                    return inner.into();
                }
                // a macro's `$crate` and hygiene stay; only the place is the field's
                token.set_span(token.span().located_at(span));
                token
            })
            .collect()
    }
    each(tokens.to_token_stream(), span)
}

fn implementation(table: &Struct) -> TokenStream {
    let (ident, path) = (&table.ident, &table.path);
    let core = quote! { #path::__private::core };
    let name = &table.table;
    let folder = diptych_hash(&table.migrations);
    let optional = |text: &Option<String>| match text {
        Some(text) => quote! { ::core::option::Option::Some(::std::string::String::from(#text)) },
        None => quote! { ::core::option::Option::None },
    };
    let strings = |names: &[String]| quote! { ::std::vec![#(::std::string::String::from(#names)),*] };
    let none = quote! { ::core::option::Option::None };
    let key: Vec<String> = if table.primary_key.is_empty() {
        table.fields.iter().filter(|field| field.primary_key).map(|field| field.column.clone()).collect()
    } else {
        table.primary_key.clone()
    };
    let columns = table.fields.iter().map(|field| {
        let plain_path = quote! { #path };
        let (sql_type, nullable) = type_of(field, &plain_path);
        let column = &field.column;
        let never_null = key.contains(column) || field.identity.is_some();
        let (default, comment) = (optional(&field.default), optional(&field.comment));
        let (from, up, down) = (optional(&field.renamed_from), optional(&field.up), optional(&field.down));
        let identity = match field.identity {
            Some(always) => {
                let always = always == Always::Yes;
                quote! { ::core::option::Option::Some(#core::schema::Identity { always: #always, ..::core::default::Default::default() }) }
            }
            None => none.clone(),
        };
        quote! {
            #core::DeclaredColumn {
                column: #core::Column {
                    default: #default,
                    comment: #comment,
                    identity: #identity,
                    ..#core::Column::new(#column, #sql_type, #nullable && !#never_null)
                },
                renamed_from: #from,
                up: #up,
                down: #down,
            }
        }
    });
    let mut constraints = Vec::new();
    if !key.is_empty() {
        let key = strings(&key);
        constraints.push(quote! { (#none, #core::Constraint::PrimaryKey { columns: #key }) });
    }
    let unique = |name: TokenStream, columns: TokenStream| {
        quote! { (#name, #core::Constraint::Unique { columns: #columns, nulls_not_distinct: false, deferrable: false, initially_deferred: false }) }
    };
    constraints.extend(table.uniques.iter().map(|group| unique(optional(&group.name), strings(&group.columns))));
    for (name, expr) in &table.checks {
        let name = optional(&Some(name.clone()));
        constraints
            .push(quote! { (#name, #core::Constraint::Check { check: ::std::string::String::from(#expr), no_inherit: false }) });
    }
    for field in &table.fields {
        let column = strings(std::slice::from_ref(&field.column));
        if field.unique {
            constraints.push(unique(none.clone(), column.clone()));
        }
        if let Some(check) = &field.check {
            let name = optional(&Some(diptych_core::names::object_name(&table.table, Some(&field.column), "check")));
            constraints.push(
                quote! { (#name, #core::Constraint::Check { check: ::std::string::String::from(#check), no_inherit: false }) },
            );
        }
        if let Some((target, target_column)) = &field.references {
            let action = |text: &Option<String>| optional(&diptych_core::ops::column_spec::normal_action(text.as_deref()));
            let (on_delete, on_update) = (action(&field.on_delete), action(&field.on_update));
            constraints.push(quote! {
                (#none, #core::Constraint::ForeignKey {
                    columns: #column,
                    references: #core::schema::References {
                        table: ::std::string::String::from(#target),
                        columns: ::std::vec![::std::string::String::from(#target_column)],
                        on_delete: #on_delete,
                        on_update: #on_update,
                        ..::core::default::Default::default()
                    },
                    deferrable: false,
                    initially_deferred: false,
                })
            });
        }
    }
    let index = |name: TokenStream, columns: &[String], unique: bool| {
        quote! {
            (#name, #core::Index {
                columns: ::std::vec![#(#core::schema::IndexColumn { column: ::std::string::String::from(#columns), ..::core::default::Default::default() }),*],
                unique: #unique,
                ..::core::default::Default::default()
            })
        }
    };
    let mut indexes: Vec<_> =
        table.indexes.iter().map(|group| index(optional(&group.name), &group.columns, group.unique)).collect();
    for field in table.fields.iter().filter(|field| field.index) {
        indexes.push(index(none.clone(), std::slice::from_ref(&field.column), false));
    }
    let dropped = table.dropped.iter().map(|dropped| {
        let (name, down) = (&dropped.name, optional(&dropped.down));
        quote! { #core::DroppedColumn { name: ::std::string::String::from(#name), down: #down } }
    });
    let (renamed_from, comment) = (optional(&table.renamed_from), optional(&table.comment));
    let names = std::iter::once(&table.table).chain(&table.renamed_from);
    quote! {
        impl #path::__private::Named for #ident {
            const NAMES: &'static [&'static str] = &[#(#names),*];
        }

        impl #path::Table for #ident {
            const FOLDER: u64 = #folder;

            fn declared() -> #core::DeclaredTable {
                #core::DeclaredTable {
                    name: ::std::string::String::from(#name),
                    renamed_from: #renamed_from,
                    comment: #comment,
                    columns: ::std::vec![#(#columns),*],
                    constraints: ::std::vec![#(#constraints),*],
                    indexes: ::std::vec![#(#indexes),*],
                    dropped: ::std::vec![#(#dropped),*],
                }
            }
        }
    }
}

/// The hash by which `database!` and its structs see that they read the same folder.
pub(crate) fn diptych_hash(folder: &str) -> u64 {
    folder.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
