//! `#[derive(SqlType)]`: a newtype has the PostgreSQL type of its field, or the one that it names.

use diptych_core::model::types;
use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Error, Field, Path, Type};

use crate::attr::{each, text};
use crate::errors::{self, Mistakes};
use crate::symbol;

/// Expands `#[derive(SqlType)]`.
pub(crate) fn derive(input: &DeriveInput) -> TokenStream {
    let mut mistakes = Mistakes::default();
    let mut path: Path = syn::parse_quote!(::diptych);
    let mut named = None;
    each(&input.attrs, &[], &mut mistakes, |word, meta| {
        match word {
            symbol::TYPE => named = Some(types::normalize(&text(meta)?)),
            symbol::CRATE => path = meta.value()?.call(Path::parse_mod_style)?,
            _ => return Err(meta.error(errors::unknown("attribute", word, "on a newtype", symbol::ON_NEWTYPE))),
        }
        Ok(())
    });
    for field in fields(input) {
        each(&field.attrs, &[], &mut mistakes, |_, meta| Err(meta.error(errors::NEWTYPE_FIELD)));
    }
    let inner = inner(input);
    if named.is_none() && inner.is_none() {
        mistakes.note(Error::new(input.ident.span(), errors::NOT_A_NEWTYPE));
    }
    // with mistakes, the impls are there so that these are the only errors
    let impls = match (named, inner) {
        (None, Some(inner)) if mistakes.is_empty() => delegated(input, &path, inner),
        (named, _) => given(input, &path, &named.unwrap_or_default()),
    };
    let errors = mistakes.to_tokens();
    quote! { #errors #impls }
}

/// The type of the only field, but for markers.
fn inner(input: &DeriveInput) -> Option<&Type> {
    let is_marker =
        |ty: &Type| matches!(ty, Type::Path(path) if path.path.segments.last().is_some_and(|last| last.ident == "PhantomData"));
    let mut types = fields(input).map(|field| &field.ty).filter(|ty| !is_marker(ty));
    types.next().filter(|_| types.next().is_none())
}

fn fields(input: &DeriveInput) -> impl Iterator<Item = &Field> {
    match &input.data {
        Data::Struct(data) => Some(data.fields.iter()),
        _ => None,
    }
    .into_iter()
    .flatten()
}

fn delegated(input: &DeriveInput, path: &Path, inner: &Type) -> TokenStream {
    let (ident, span) = (&input.ident, inner.span());
    let (before, after, bounds) = input.generics.split_for_impl();
    let has = |what: TokenStream| {
        let mut generics = input.generics.clone();
        // the lifetime makes a bound of types without parameters one that may be false, and none that is needless
        generics.make_where_clause().predicates.push(syn::parse_quote!(for<'diptych> #inner: #path::#what));
        generics.where_clause
    };
    let of_type = if input.generics.params.is_empty() { bounds.cloned() } else { has(quote! { SqlType }) };
    let of_array = has(quote! { Element });
    // in the field's place: that is what a message is about
    let (name, nullable, is_enum) = (
        quote_spanned! {span=> <#inner as #path::SqlType>::NAME },
        quote_spanned! {span=> <#inner as #path::SqlType>::NULLABLE },
        quote_spanned! {span=> <#inner as #path::SqlType>::ENUM },
    );
    quote! {
        impl #before #path::SqlType for #ident #after #of_type {
            const NAME: &'static ::core::primitive::str = #name;
            const NULLABLE: ::core::primitive::bool = #nullable;
            const ENUM: ::core::option::Option<&'static ::core::primitive::str> = #is_enum;
        }

        impl #before #path::Element for #ident #after #of_array {
            const ARRAY: &'static ::core::primitive::str = <#inner as #path::Element>::ARRAY;
        }
    }
}

fn given(input: &DeriveInput, path: &Path, name: &str) -> TokenStream {
    let ident = &input.ident;
    let (before, after, bounds) = input.generics.split_for_impl();
    let element = (!types::is_array(name)).then(|| {
        let array = format!("{name}[]");
        quote! {
            impl #before #path::Element for #ident #after #bounds {
                const ARRAY: &'static ::core::primitive::str = #array;
            }
        }
    });
    quote! {
        impl #before #path::SqlType for #ident #after #bounds {
            const NAME: &'static ::core::primitive::str = #name;
        }

        #element
    }
}
