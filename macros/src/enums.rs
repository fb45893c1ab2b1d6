//! `#[derive(SchemaEnum)]`: a Rust enum as an enum type, from its attributes to its impls.

use diptych_core::model::types;
use diptych_core::{Column, Snapshot};
use proc_macro2::{Span, TokenStream};
use quote::quote;
use std::collections::BTreeMap;
use syn::ext::IdentExt;
use syn::{Data, DeriveInput, Error, Fields, Ident, Path};

use crate::ast::snake_case;
use crate::attr::{self, allowed, each, group, text};
use crate::check::{Drift, snapshot};
use crate::errors::{self, Mistakes};
use crate::expand::{drifts, hash, optional};
use crate::symbol;

/// An enum.
struct Enum {
    ident: Ident,
    path: Path,
    name: String,
    comment: Option<String>,
    migrations: String,
    /// Labels that go, with those that take their places.
    dropped: BTreeMap<String, (String, Span)>,
    variants: Vec<Variant>,
}

/// A variant.
struct Variant {
    ident: Ident,
    label: String,
    renamed_from: Option<String>,
    down: Option<String>,
    old_reads: OldReads,
}

/// Whether the running release may read a label that it does not know.
#[derive(Clone, Copy, PartialEq)]
enum OldReads {
    KnownLabels,
    NewLabels,
}

/// Expands `#[derive(SchemaEnum)]`.
pub(crate) fn derive(input: &DeriveInput) -> TokenStream {
    let mut mistakes = Mistakes::default();
    let model = read(input, &mut mistakes);
    let (mut version, mut unrecorded) = (String::new(), Vec::new());
    let drift = Drift::read();
    // a missing or unreadable snapshot is one error, in `database!`
    if let (true, Some(known)) = (mistakes.is_empty() && drift != Drift::Allow, snapshot(&model.migrations).ok().flatten()) {
        version = known.version.clone().unwrap_or_else(|| "(none)".to_owned());
        compare(&model, &known, &version, &mut mistakes, &mut unrecorded);
    }
    let errors = mistakes.to_tokens();
    // an impl for a type with parameters would be a second error
    if !input.generics.params.is_empty() {
        return errors;
    }
    let drifts = if mistakes.is_empty() { drifts(&unrecorded, &version, drift) } else { TokenStream::new() };
    let implementation = implementation(&model, &mistakes);
    quote! { #errors #drifts #implementation }
}

fn read(input: &DeriveInput, mistakes: &mut Mistakes) -> Enum {
    let mut model = Enum {
        ident: input.ident.clone(),
        path: syn::parse_quote!(::diptych),
        name: snake_case(&input.ident.unraw().to_string()),
        comment: attr::doc(&input.attrs),
        migrations: "migrations".to_owned(),
        dropped: BTreeMap::new(),
        variants: Vec::new(),
    };
    each(&input.attrs, &[symbol::DROPPED], mistakes, |word, meta| {
        match word {
            symbol::NAME => model.name = text(meta)?,
            symbol::MIGRATIONS => model.migrations = attr::plain_folder(&text(meta)?),
            symbol::CRATE => model.path = meta.value()?.call(Path::parse_mod_style)?,
            symbol::DROPPED => {
                let group = group(meta, &[symbol::UP])?;
                let up = group.text(symbol::UP).ok_or_else(|| Error::new(group.span, errors::DROPPED_LABEL_PARTS))?;
                model.dropped.extend(group.columns.into_iter().map(|(label, span)| (label, (up.clone(), span))));
            }
            _ => return Err(meta.error(errors::unknown("attribute", word, "on an enum", symbol::ON_ENUM))),
        }
        Ok(())
    });
    let Data::Enum(data) = &input.data else {
        mistakes.note(Error::new(input.ident.span(), errors::NOT_AN_ENUM));
        return model;
    };
    if !input.generics.params.is_empty() || data.variants.iter().any(|variant| !matches!(variant.fields, Fields::Unit)) {
        mistakes.note(Error::new(input.ident.span(), errors::NOT_AN_ENUM));
        return model;
    }
    if let Err(error) = diptych_core::model::rules::check_name("enum", &model.name, None) {
        mistakes.note(Error::new(input.ident.span(), errors::not_taken(&error)));
    }
    for variant in &data.variants {
        let read = read_variant(variant, mistakes);
        if model.variants.iter().any(|other| other.label == read.label) {
            mistakes.note(Error::new(variant.ident.span(), errors::same_label(&model.name, &read.label)));
        }
        if let Err(error) = diptych_core::model::rules::check_name("label", &read.label, None) {
            mistakes.note(Error::new(variant.ident.span(), errors::not_taken(&error)));
        }
        model.variants.push(read);
    }
    model
}

fn read_variant(variant: &syn::Variant, mistakes: &mut Mistakes) -> Variant {
    let mut result = Variant {
        ident: variant.ident.clone(),
        label: snake_case(&variant.ident.unraw().to_string()),
        renamed_from: None,
        down: None,
        old_reads: OldReads::KnownLabels,
    };
    each(&variant.attrs, &[], mistakes, |word, meta| {
        match word {
            symbol::LABEL => result.label = text(meta)?,
            symbol::RENAMED_FROM => result.renamed_from = Some(text(meta)?),
            symbol::DOWN => result.down = Some(text(meta)?),
            symbol::ALLOW => {
                allowed(meta.input, symbol::OLD_READS_NEW_LABELS)?;
                result.old_reads = OldReads::NewLabels;
            }
            _ => return Err(meta.error(errors::unknown("attribute", word, "on a variant", symbol::ON_VARIANT))),
        }
        Ok(())
    });
    result
}

/// The labels held against those of the snapshot.
struct Comparison<'a> {
    model: &'a Enum,
    known: &'a Snapshot,
    before: &'a diptych_core::Enum,
    version: &'a str,
}

/// Compares the labels with those of the snapshot.
fn compare(model: &Enum, known: &Snapshot, version: &str, mistakes: &mut Mistakes, unrecorded: &mut Vec<(Span, String)>) {
    let (name, span) = (&model.name, model.ident.span());
    let Some(before) = known.schema.enums.get(name) else {
        unrecorded.push((span, format!("enum `{name}`")));
        return;
    };
    let comparison = Comparison { model, known, before, version };
    for variant in model.variants.iter().filter(|variant| !comparison.was(&variant.label)) {
        if let Some(message) = comparison.refusal_of_new(variant) {
            mistakes.note(Error::new(variant.ident.span(), message));
        }
        unrecorded.push((variant.ident.span(), format!("label `{}` of enum `{name}`", variant.label)));
    }
    comparison.look_at_gone(mistakes, unrecorded);
    comparison.look_at_dropped(mistakes);
    let labels: Vec<&String> = model.variants.iter().map(|variant| &variant.label).collect();
    if unrecorded.is_empty() && (labels != before.labels.iter().collect::<Vec<_>>() || model.comment != before.comment) {
        unrecorded.push((span, format!("the order of labels or the comment of enum `{name}`")));
    }
}

impl Comparison<'_> {
    fn was(&self, label: &String) -> bool {
        self.before.labels.contains(label)
    }

    fn is(&self, label: &String) -> bool {
        self.model.variants.iter().any(|variant| variant.label == *label)
    }

    /// Whether a new variant takes the place of a label.
    fn is_renamed(&self, label: &String) -> bool {
        let mut new = self.model.variants.iter().filter(|variant| !self.was(&variant.label));
        new.any(|variant| variant.renamed_from.as_ref() == Some(label))
    }

    /// Why a new label cannot be one.
    fn refusal_of_new(&self, variant: &Variant) -> Option<String> {
        let (name, label, version) = (&self.model.name, &variant.label, self.version);
        let unknown = |word: &str, label: &str| errors::no_such_label(name, word, label, &format!("version `{version}`"));
        match (&variant.renamed_from, &variant.down) {
            (Some(from), _) if !self.was(from) => Some(unknown(symbol::RENAMED_FROM, from)),
            (Some(from), _) => self.is(from).then(|| errors::label_renamed_but_there(name, from)),
            (None, Some(down)) => (!self.was(down)).then(|| unknown(symbol::DOWN, down)),
            (None, None) if variant.old_reads == OldReads::KnownLabels => Some(errors::new_label(name, label, version)),
            (None, None) => {
                let unreadable =
                    |column: &Column| !column.nullable && column.default.is_none() && !types::is_array(&column.sql_type);
                let (table, column) = self.known.schema.columns_of_type(name).find(|(_, column)| unreadable(column))?;
                Some(errors::unreadable_label(name, label, table, &column.name, version))
            }
        }
    }

    /// Labels that no variant has any more.
    fn look_at_gone(&self, mistakes: &mut Mistakes, unrecorded: &mut Vec<(Span, String)>) {
        let Enum { name, ident, dropped, .. } = self.model;
        for label in self.before.labels.iter().filter(|label| !self.is(label) && !self.is_renamed(label)) {
            match dropped.get(label) {
                None => mistakes.note(Error::new(ident.span(), errors::label_gone(name, label, self.version))),
                Some((up, span)) if !self.is(up) => {
                    mistakes.note(Error::new(*span, errors::no_such_label(name, symbol::UP, up, "this release")))
                }
                Some((_, span)) => unrecorded.push((*span, format!("the end of label `{label}` of enum `{name}`"))),
            }
        }
    }

    /// What is said to go was there, and goes.
    fn look_at_dropped(&self, mistakes: &mut Mistakes) {
        let Enum { name, dropped, .. } = self.model;
        for (label, (_, span)) in dropped {
            let used = self.known.used.get(name).is_some_and(|used| used.contains_key(&format!("-{label}")));
            if self.is(label) {
                mistakes.note(Error::new(*span, errors::label_dropped_but_there(name, label)));
            } else if !self.was(label) && !used {
                let version = format!("version `{}`", self.version);
                mistakes.note(Error::new(*span, errors::no_such_label(name, symbol::DROPPED, label, &version)));
            }
        }
    }
}

/// The impls; those of an enum with mistakes are there so that these are the only errors.
fn implementation(model: &Enum, mistakes: &Mistakes) -> TokenStream {
    let is_sound = mistakes.is_empty();
    let sound = model.variants.iter().filter(|_| is_sound);
    let (variants, labels): (Vec<_>, Vec<_>) = sound.map(|variant| (&variant.ident, &variant.label)).unzip();
    // an enum without variants has no value to match
    let label_of = if !is_sound {
        quote! { ::core::unreachable!("an enum with mistakes does not compile") }
    } else if variants.is_empty() {
        quote! { match *self {} }
    } else {
        quote! { match self { #(Self::#variants => #labels),* } }
    };
    let enum_type = enum_type(model, &variants, &label_of);
    let (sql_type, to_sql, from_sql) = (sql_type(model), to_sql(model), from_sql(model, &variants, &labels));
    quote! { #enum_type #sql_type #to_sql #from_sql }
}

/// `EnumType`: the name, the variants, and what is declared.
fn enum_type(model: &Enum, variants: &[&Ident], label_of: &TokenStream) -> TokenStream {
    let Enum { ident, path, name, .. } = model;
    let (core, folder) = (quote! { #path::__private::core }, hash(&model.migrations));
    let declared = model.variants.iter().map(|variant| declared_label(&core, variant));
    let dropped = model.dropped.iter().map(|(label, (up, _))| {
        quote! { (::std::borrow::ToOwned::to_owned(#label), ::std::borrow::ToOwned::to_owned(#up)) }
    });
    let (comment, count) = (optional(&model.comment), model.dropped.len());
    quote! {
        impl #path::EnumType for #ident {
            const TYPE: &'static ::core::primitive::str = #name;
            const ALL: &'static [Self] = &[#(Self::#variants),*];
            const FOLDER: ::core::primitive::u64 = #folder;

            fn label(&self) -> &'static ::core::primitive::str {
                #label_of
            }

            #path::__private::planned! {
                fn declared() -> #core::DeclaredEnum {
                    #core::DeclaredEnum {
                        name: ::std::borrow::ToOwned::to_owned(#name),
                        comment: #comment,
                        labels: ::std::vec![#(#declared),*],
                        dropped: ::core::iter::FromIterator::from_iter::<[(::std::string::String, ::std::string::String); #count]>([#(#dropped),*]),
                    }
                }
            }
        }
    }
}

fn declared_label(core: &TokenStream, variant: &Variant) -> TokenStream {
    let (label, from, down) = (&variant.label, optional(&variant.renamed_from), optional(&variant.down));
    let allow = match variant.old_reads {
        OldReads::NewLabels => {
            quote! { ::core::option::Option::Some(#core::migration::ops::alter_enum::Allowed::OldReadsNewLabels) }
        }
        OldReads::KnownLabels => quote! { ::core::option::Option::None },
    };
    quote! {
        #core::DeclaredLabel { label: ::std::borrow::ToOwned::to_owned(#label), renamed_from: #from, down: #down, allow: #allow }
    }
}

/// `SqlType` and `Element`: the type's name, and its array's.
fn sql_type(Enum { ident, path, name, .. }: &Enum) -> TokenStream {
    let spelled = types::spelled(name);
    let array = format!("{spelled}[]");
    quote! {
        impl #path::SqlType for #ident {
            const NAME: &'static ::core::primitive::str = #spelled;
            const ENUM: ::core::option::Option<&'static ::core::primitive::str> = ::core::option::Option::Some(#name);
        }

        impl #path::Element for #ident {
            const ARRAY: &'static ::core::primitive::str = #array;
        }
    }
}

/// `ToSql` of tokio-postgres: the label as text.
fn to_sql(Enum { ident, path, name, .. }: &Enum) -> TokenStream {
    let types_path = quote! { #path::tokio_postgres::types };
    quote! {
        impl #types_path::ToSql for #ident {
            fn to_sql(
                &self,
                _: &#types_path::Type,
                out: &mut #types_path::private::BytesMut,
            ) -> ::core::result::Result<#types_path::IsNull, ::std::boxed::Box<dyn ::std::error::Error + ::core::marker::Sync + ::core::marker::Send>> {
                out.extend_from_slice(#path::EnumType::label(self).as_bytes());
                ::core::result::Result::Ok(#types_path::IsNull::No)
            }

            fn accepts(ty: &#types_path::Type) -> ::core::primitive::bool {
                ty.name() == #name && ::core::matches!(ty.kind(), #types_path::Kind::Enum(_))
            }

            fn to_sql_checked(
                &self,
                ty: &#types_path::Type,
                out: &mut #types_path::private::BytesMut,
            ) -> ::core::result::Result<#types_path::IsNull, ::std::boxed::Box<dyn ::std::error::Error + ::core::marker::Sync + ::core::marker::Send>> {
                if !<Self as #types_path::ToSql>::accepts(ty) {
                    return ::core::result::Result::Err(::std::boxed::Box::new(#types_path::WrongType::new::<Self>(::core::clone::Clone::clone(ty))));
                }
                #types_path::ToSql::to_sql(self, ty, out)
            }
        }
    }
}

/// `FromSql` of tokio-postgres: the variant of a label.
fn from_sql(Enum { ident, path, name, .. }: &Enum, variants: &[&Ident], labels: &[&String]) -> TokenStream {
    let types_path = quote! { #path::tokio_postgres::types };
    let unknown = format!("is no label of enum `{name}`");
    quote! {
        impl<'a> #types_path::FromSql<'a> for #ident {
            fn from_sql(
                _: &#types_path::Type,
                raw: &'a [::core::primitive::u8],
            ) -> ::core::result::Result<Self, ::std::boxed::Box<dyn ::std::error::Error + ::core::marker::Sync + ::core::marker::Send>> {
                match ::core::str::from_utf8(raw)? {
                    #(#labels => ::core::result::Result::Ok(Self::#variants),)*
                    other => ::core::result::Result::Err(::core::convert::Into::into(::std::format!("`{other}` {}", #unknown))),
                }
            }

            fn accepts(ty: &#types_path::Type) -> ::core::primitive::bool {
                <Self as #types_path::ToSql>::accepts(ty)
            }
        }
    }
}
