//! The derive's output: what the struct declares, and one assertion per field for what only types can tell.

use diptych_core::model::expression::Expression;
use diptych_core::model::schema::{Exclusion, IndexParameters, References, ReplicaIdentity};
use diptych_core::{Constraint, Index, Statistics};
use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::{DeriveInput, Path};

use crate::ast::{Field, Struct, read};
use crate::attr::{Always, OldWrites};
use crate::check::{self, Drift, Matched, Outcome};
use crate::{errors, fallback};

/// Expands `#[derive(Schema)]`.
pub(crate) fn derive(input: DeriveInput) -> TokenStream {
    let (table, mistakes) = read(&input);
    if !mistakes.is_empty() {
        let (errors, rest) = (mistakes.to_tokens(), fallback::table(&table));
        return quote! { #errors #rest };
    }
    let drift = Drift::read();
    // a missing or unreadable snapshot is one error, in `database!`
    let snapshot = check::snapshot(&table.migrations).ok().flatten();
    let compared = if snapshot.is_some() { drift } else { Drift::Allow };
    let outcome = check::compare(&table, &snapshot.unwrap_or_default(), compared);
    let tracked = check::to_track(&table.migrations);
    let tracked = tracked.map(|path| quote! { const _: &[::core::primitive::u8] = ::core::include_bytes!(#path); });
    let mut output: TokenStream = tracked.into_iter().collect();
    output.extend(outcome.errors.iter().map(syn::Error::to_compile_error));
    output.extend(warnings(&outcome, drift));
    let fields = outcome.fields.iter().enumerate();
    output.extend(fields.map(|(at, matched)| assertion(&table, at, matched, &outcome, drift)));
    output.extend((0..table.fields.len()).map(|at| key_or_identity(&table, at)));
    output.extend(implementation(&table, &outcome));
    output
}

/// A warning that stays one under `-D warnings`: the tool that records has to build.
fn warnings(outcome: &Outcome, drift: Drift) -> TokenStream {
    drifts(&outcome.unrecorded, &outcome.version, drift)
}

/// The same for a list of what is not recorded.
pub(crate) fn drifts(unrecorded: &[(proc_macro2::Span, String)], version: &str, drift: Drift) -> TokenStream {
    unrecorded
        .iter()
        .map(|(span, what)| {
            let note = errors::unrecorded(what, version);
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
fn assertion(table: &Struct, at: usize, matched: &Matched, outcome: &Outcome, drift: Drift) -> TokenStream {
    if matched.mistaken.is_some() {
        return TokenStream::new();
    }
    let field = &table.fields[at];
    let span = field.span;
    let path = respan(&table.path, span);
    let own = column_of(table, at, span);
    let (version, up, down) = (&outcome.version, matched.up, matched.down);
    let Some(column) = &matched.column else {
        let given = &field.attributes;
        let has_value = up
            || given.default.as_deref().is_some_and(|text| Expression::default_of(text).is_some())
            || given.identity.is_some()
            || given.generated.is_some()
            || given.renamed_from.is_some();
        let (table, column) = (&table.table, &field.column);
        return quote_spanned! {span=>
            const _: () = #path::__private::assert_addable(#own, #has_value, #table, #column, #version);
        };
    };
    let old = outcome.recorded.as_ref().map_or(table.table.as_str(), |(name, _)| name);
    let (column, sql_type, may) = (&column.name, diptych_core::model::types::normalize(&column.sql_type), column.nullable);
    let id = hash(&sql_type);
    let known = quote_spanned! {span=>
        #path::__private::Known {
            table: #old, column: #column, version: #version, sql_type: #sql_type, id: #id, nullable: #may, up: #up, down: #down,
        }
    };
    // only conversions let a difference pass, which is still not recorded
    let recorded = (drift == Drift::Deny && (up || down)).then(|| {
        quote_spanned! {span=> const _: () = #path::__private::assert_recorded(#own, #known); }
    });
    quote_spanned! {span=>
        const _: () = #path::__private::assert_unchanged(#own, #known);
        #recorded
    }
}

/// An identity counts, and neither it nor a key is ever NULL.
fn key_or_identity(table: &Struct, at: usize) -> TokenStream {
    let field = &table.fields[at];
    let span = field.span;
    let path = respan(&table.path, span);
    let own = column_of(table, at, span);
    let (is_identity, is_key) = (field.attributes.identity.is_some(), table.key.contains(&field.column));
    let (table, column) = (&table.table, &field.column);
    let numbered =
        is_identity.then(|| quote_spanned! {span=> const _: () = #path::__private::assert_numbered(#own, #table, #column); });
    let required = (is_identity || is_key).then(|| {
        let what = if is_key { "belongs to the primary key" } else { "is an identity" };
        quote_spanned! {span=> const _: () = #path::__private::assert_required(#own, #what, #table, #column); }
    });
    quote! { #numbered #required }
}

/// What the field's Rust type says of its column: the only place that asks the type, so that one without an answer gives one error, and
/// the compiler looks once.
fn column_shape(field: &Field, path: &Path, was: u64) -> TokenStream {
    let (span, path) = (field.span, respan(path, field.span));
    let (ty, name, id) = (respan(&field.ty, span), &field.column, hash(&field.column));
    match &field.attributes.sql_type {
        // the Rust type need not know of Diptych
        Some(sql_type) => quote_spanned! {span=> {
            #[allow(unused_imports)]
            use #path::__private::Unknown as _;
            let nullable = #path::__private::Probe::<#ty>::IS_OPTION || #path::__private::Probe::<#ty>::NULLABLE;
            #path::__private::ShapeColumn { name: #name, id: #id, was: #was, sql_type: #sql_type, nullable, is_enum: ::core::option::Option::None }
        } },
        None => quote_spanned! {span=> #path::__private::ShapeColumn::of::<#ty>(#name, #id, #was) },
    }
}

/// What the types of all fields say, and which of them is asked for: two arguments.
fn column_of(table: &Struct, at: usize, span: Span) -> TokenStream {
    let (path, ident) = (respan(&table.path, span), respan(&table.ident, span));
    quote_spanned! {span=> <#ident as #path::__private::Named>::COLUMNS, #at }
}

/// Tokens that stand at `span`, as far as messages go.
pub(crate) fn respan(tokens: &impl quote::ToTokens, span: proc_macro2::Span) -> TokenStream {
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

fn implementation(table: &Struct, outcome: &Outcome) -> TokenStream {
    let (ident, path) = (&table.ident, &table.path);
    let core = quote! { #path::__private::core };
    let (name, folder) = (&table.table, hash(&table.migrations));
    let keys = (0..table.fields.len()).filter(|at| is_never_null(table, &table.fields[*at]));
    let columns = table.fields.iter().enumerate().map(|(at, field)| declared(&core, at, field));
    let constraints = table.constraints.iter().map(|wanted| {
        let (name, definition) = (optional(&wanted.name), constraint(&core, &wanted.definition));
        quote! { own.constraints.push((#name, #definition)); }
    });
    let indexes = table.indexes.iter().map(|wanted| {
        let (name, definition) = (optional(&wanted.name), index(&core, &wanted.definition));
        quote! { own.indexes.push((#name, #definition)); }
    });
    let statistics = table.statistics.iter().map(|wanted| {
        let (name, definition) = (optional(&wanted.name), statistics(&core, &wanted.definition));
        quote! { own.statistics.push((#name, #definition)); }
    });
    let dropped = table.dropped.iter().map(|dropped| {
        let (name, down) = (&dropped.name, optional(&dropped.down));
        quote! { own.dropped.push(#core::DroppedColumn { name: ::std::borrow::ToOwned::to_owned(#name), down: #down }); }
    });
    let storage = table.storage.iter().map(|(name, setting)| {
        let (name, setting) = (owned(name), setting.as_str());
        quote! { own.storage.insert(#name, #core::Setting::from(#setting)); }
    });
    let rest = [
        set(quote! { own.renamed_from }, table.renamed_from.as_ref().map(owned)),
        set(quote! { own.comment }, table.comment.as_ref().map(owned)),
        set(quote! { own.replica_identity }, table.replica_identity.as_ref().map(|identity| replica_identity(&core, identity))),
        set(quote! { own.partition_by }, table.partition_by.as_deref().map(|text| expressed(&core, text))),
    ];
    let parts = constraints.chain(indexes).chain(statistics).chain(storage).chain(dropped).chain(rest);
    // a rename that is recorded no longer answers for the old name
    let from = outcome.recorded.iter().map(|(name, _)| name).filter(|old| **old != table.table).map(|old| hash(old));
    let (table_id, shape) = (hash(&table.table), shape(table, outcome));
    quote! {
        impl #path::__private::Named for #ident {
            const TABLE: ::core::primitive::u64 = #table_id;
            const ANSWERS_FOR: &'static [::core::primitive::u64] = &[#table_id, #(#from),*];
            #shape
        }

        impl #path::Table for #ident {
            const FOLDER: ::core::primitive::u64 = #folder;

            #path::__private::planned! {
                #[allow(unused_mut)]
                fn declared() -> #core::DeclaredTable {
                    let mut own = #path::__private::declared(#name, <Self as #path::__private::Named>::COLUMNS, &[#(#keys),*]);
                    #(#columns)*
                    #(#parts)*
                    own
                }
            }
        }
    }
}

/// What a field says beside its name and its type: only that is written out, most fields say nothing, and the compiler looks at all
/// of it.
fn declared(core: &TokenStream, at: usize, field: &Field) -> TokenStream {
    let given = &field.attributes;
    let text = |text: &Option<String>| text.as_ref().map(owned);
    let expression = |text: Option<&str>| text.map(|text| expressed(core, text));
    let identity = given.identity.map(|always| {
        let (always, options) = (always == Always::Yes, optional(&given.sequence_options));
        quote! { #core::model::schema::Identity { always: #always, options: #options, ..::core::default::Default::default() } }
    });
    let allow = (given.old_writes == OldWrites::MayFail).then(|| quote! { own.columns[#at].allow = true; });
    let column = quote! { own.columns[#at].column };
    let default = given.default.as_deref().filter(|text| Expression::default_of(text).is_some());
    let parts = [
        set(quote! { #column.default }, expression(default)),
        set(quote! { #column.comment }, text(&field.comment)),
        set(quote! { #column.identity }, identity),
        set(quote! { #column.generated }, expression(given.generated.as_deref())),
        set(quote! { #column.collation }, text(&given.collation)),
        set(quote! { own.columns[#at].renamed_from }, text(&given.renamed_from)),
        set(quote! { own.columns[#at].up }, text(&given.up)),
        set(quote! { own.columns[#at].down }, text(&given.down)),
    ];
    quote! { #(#parts)* #allow }
}

/// A key or an identity.
fn is_never_null(table: &Struct, field: &Field) -> bool {
    table.key.contains(&field.column) || field.attributes.identity.is_some()
}

fn set(place: TokenStream, value: Option<TokenStream>) -> TokenStream {
    value.map_or_else(TokenStream::new, |value| quote! { #place = ::core::option::Option::Some(#value); })
}

/// What other structs may ask of it.
fn shape(table: &Struct, outcome: &Outcome) -> TokenStream {
    let (path, name) = (&table.path, &table.table);
    let hashes = |names: &[String]| {
        let hashes = names.iter().map(|name| hash(name));
        quote! { &[#(#hashes),*] }
    };
    let columns = table.fields.iter().enumerate().map(|(at, field)| {
        let id = hash(&field.column);
        let was = outcome.fields.get(at).and_then(|matched| matched.column.as_ref()).map_or(id, |column| hash(&column.name));
        column_shape(field, path, was)
    });
    let keys = table.constraints.iter().filter_map(|wanted| match &wanted.definition {
        Constraint::PrimaryKey { columns, .. } | Constraint::Unique { columns, .. } => Some(hashes(columns)),
        _ => None,
    });
    let indexes = table.indexes.iter().filter_map(|wanted| {
        let index = &wanted.definition;
        let is_plain = index.unique && index.predicate.is_none() && index.columns.iter().all(|key| key.expression.is_none());
        is_plain.then(|| hashes(&index.columns.iter().map(|key| key.column.clone()).collect::<Vec<_>>()))
    });
    let points = table.constraints.iter().filter_map(|wanted| {
        let Constraint::ForeignKey { columns, references, .. } = &wanted.definition else { return None };
        let follows = outcome.follows.iter().find(|follows| follows.columns == *columns && follows.to == references.table);
        let follows = match follows {
            None => quote! { ::core::option::Option::None },
            Some(follows) => {
                let (table, targets, otherwise) = (hash(&follows.table), hashes(&follows.targets), &follows.otherwise);
                quote! {
                    ::core::option::Option::Some(#path::__private::Follows { table: #table, targets: #targets, otherwise: #otherwise })
                }
            }
        };
        let from = format!("`{name}.{}`", columns.join(", "));
        let to = format!("`{}({})`", references.table, references.columns.join(", "));
        let (columns, target, targets) = (hashes(columns), hash(&references.table), hashes(&references.columns));
        Some(quote! {
            #path::__private::Points {
                from: #from, to: #to, columns: #columns, table: #target, targets: #targets, follows: #follows,
            }
        })
    });
    let keys = keys.chain(indexes);
    quote! {
        const COLUMNS: &'static [#path::__private::ShapeColumn] = &[#(#columns),*];
        const SHAPE: #path::__private::Shape = #path::__private::Shape {
            table: #name,
            id: <Self as #path::__private::Named>::TABLE,
            answers_for: <Self as #path::__private::Named>::ANSWERS_FOR,
            columns: <Self as #path::__private::Named>::COLUMNS,
            keys: &[#(#keys),*],
            points: &[#(#points),*],
        };
    }
}

fn constraint(core: &TokenStream, constraint: &Constraint) -> TokenStream {
    match constraint {
        Constraint::PrimaryKey { columns, deferrable, initially_deferred, index_parameters } => {
            let (columns, parameters) = (strings(columns), parameters(core, index_parameters));
            quote! {
                #core::Constraint::PrimaryKey {
                    columns: #columns,
                    deferrable: #deferrable,
                    initially_deferred: #initially_deferred,
                    index_parameters: #parameters,
                }
            }
        }
        Constraint::Unique { columns, nulls_not_distinct, deferrable, initially_deferred, index_parameters } => {
            let (columns, parameters) = (strings(columns), parameters(core, index_parameters));
            quote! {
                #core::Constraint::Unique {
                    columns: #columns,
                    nulls_not_distinct: #nulls_not_distinct,
                    deferrable: #deferrable,
                    initially_deferred: #initially_deferred,
                    index_parameters: #parameters,
                }
            }
        }
        Constraint::Check { check, no_inherit } => {
            let check = check.as_str();
            quote! { #core::Constraint::Check { check: #core::Expression::new(#check), no_inherit: #no_inherit } }
        }
        Constraint::ForeignKey { columns, references, deferrable, initially_deferred } => {
            let (columns, references) = (strings(columns), target(core, references));
            quote! {
                #core::Constraint::ForeignKey {
                    columns: #columns,
                    references: #references,
                    deferrable: #deferrable,
                    initially_deferred: #initially_deferred,
                }
            }
        }
        Constraint::Exclude { exclude, deferrable, initially_deferred, index_parameters } => {
            let (exclude, parameters) = (exclusion(core, exclude), parameters(core, index_parameters));
            quote! {
                #core::Constraint::Exclude {
                    exclude: #exclude,
                    deferrable: #deferrable,
                    initially_deferred: #initially_deferred,
                    index_parameters: #parameters,
                }
            }
        }
    }
}

/// What a foreign key points at.
fn target(core: &TokenStream, references: &References) -> TokenStream {
    let (table, columns) = (&references.table, strings(&references.columns));
    let (on_delete, on_update) = (optional(&references.on_delete), optional(&references.on_update));
    let (set, kind) = (strings(&references.on_delete_set_columns), optional(&references.match_type));
    quote! {
        #core::model::schema::References {
            table: ::std::borrow::ToOwned::to_owned(#table),
            columns: #columns,
            on_delete: #on_delete,
            on_delete_set_columns: #set,
            on_update: #on_update,
            match_type: #kind,
        }
    }
}

/// What an exclusion constraint compares.
fn exclusion(core: &TokenStream, exclude: &Exclusion) -> TokenStream {
    let (method, elements) = (optional(&exclude.index_method), exclude.elements.as_str());
    let predicate = expression(core, exclude.predicate.as_deref());
    quote! {
        #core::model::schema::Exclusion {
            index_method: #method,
            elements: #core::Expression::new(#elements),
            predicate: #predicate,
        }
    }
}

fn parameters(core: &TokenStream, parameters: &IndexParameters) -> TokenStream {
    let include = strings(&parameters.include_columns);
    let (storage, tablespace) = (optional(&parameters.storage_parameters), optional(&parameters.tablespace));
    quote! {
        #core::model::schema::IndexParameters { include_columns: #include, storage_parameters: #storage, tablespace: #tablespace }
    }
}

fn index(core: &TokenStream, index: &Index) -> TokenStream {
    let keys = index.columns.iter().map(|key| {
        let (column, collate) = (&key.column, optional(&key.collate));
        let expression = expression(core, key.expression.as_deref());
        let (sort, nulls) = (optional(&key.sort), optional(&key.nulls));
        let opclass = match &key.opclass {
            Some(class) => {
                let (name, params) = (&class.name, strings(&class.params));
                quote! {
                    ::core::option::Option::Some(#core::model::schema::OperatorClass {
                        name: ::std::borrow::ToOwned::to_owned(#name),
                        params: #params,
                    })
                }
            }
            None => quote! { ::core::option::Option::None },
        };
        quote! {
            #core::model::schema::IndexColumn {
                column: ::std::borrow::ToOwned::to_owned(#column),
                expression: #expression,
                collate: #collate,
                sort: #sort,
                nulls: #nulls,
                opclass: #opclass,
            }
        }
    });
    let (unique, nulls_not_distinct, include) = (index.unique, index.nulls_not_distinct, strings(&index.include));
    let (method, predicate) = (optional(&index.method), expression(core, index.predicate.as_deref()));
    let (storage, tablespace) = (optional(&index.storage_parameters), optional(&index.tablespace));
    quote! {
        #core::Index {
            columns: ::std::vec![#(#keys),*],
            unique: #unique,
            method: #method,
            predicate: #predicate,
            storage_parameters: #storage,
            tablespace: #tablespace,
            include: #include,
            nulls_not_distinct: #nulls_not_distinct,
        }
    }
}

fn statistics(core: &TokenStream, statistics: &Statistics) -> TokenStream {
    let (kinds, columns) = (strings(&statistics.kinds), strings(&statistics.columns));
    let expressions = statistics.expressions.iter().map(|text| expressed(core, text));
    quote! {
        #core::Statistics { kinds: #kinds, columns: #columns, expressions: ::std::vec![#(#expressions),*] }
    }
}

fn replica_identity(core: &TokenStream, identity: &ReplicaIdentity) -> TokenStream {
    let name = quote! { #core::model::schema::ReplicaIdentity };
    match identity {
        ReplicaIdentity::Nothing => quote! { #name::Nothing },
        ReplicaIdentity::Full => quote! { #name::Full },
        ReplicaIdentity::Index { index } => quote! { #name::Index { index: ::std::borrow::ToOwned::to_owned(#index) } },
    }
}

pub(crate) fn optional(text: &Option<String>) -> TokenStream {
    option(text.as_ref().map(owned))
}

fn expression(core: &TokenStream, text: Option<&str>) -> TokenStream {
    option(text.map(|text| expressed(core, text)))
}

pub(crate) fn option(value: Option<impl ToTokens>) -> TokenStream {
    match value {
        Some(value) => quote! { ::core::option::Option::Some(#value) },
        None => quote! { ::core::option::Option::None },
    }
}

pub(crate) fn owned(text: &String) -> TokenStream {
    quote! { ::std::borrow::ToOwned::to_owned(#text) }
}

pub(crate) fn expressed(core: &TokenStream, text: &str) -> TokenStream {
    quote! { #core::Expression::new(#text) }
}

fn strings(names: &[String]) -> TokenStream {
    quote! { ::std::vec![#(::std::borrow::ToOwned::to_owned(#names)),*] }
}

/// FNV-1a, as `diptych::types::hash` has it: ids of types, tables and folders are compared across the two.
pub(crate) fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
