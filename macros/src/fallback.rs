//! The impl of a struct with mistakes, so that they are the only errors.

use proc_macro2::TokenStream;
use quote::quote;

use crate::ast::Struct;
use crate::expand::hash;

pub(crate) fn table(table: &Struct) -> TokenStream {
    let (ident, path) = (&table.ident, &table.path);
    let (before, after, bounds) = table.generics.split_for_impl();
    let (name, folder) = (hash(&table.table), hash(&table.migrations));
    quote! {
        impl #before #path::__private::Named for #ident #after #bounds {
            const TABLE: ::core::primitive::u64 = #name;
            const ANSWERS_FOR: &'static [::core::primitive::u64] = &[#name];
            const COLUMNS: &'static [#path::__private::ShapeColumn] = &[];
            const SHAPE: #path::__private::Shape =
                #path::__private::Shape { table: "", id: #name, answers_for: &[], columns: &[], keys: &[], points: &[] };
        }

        impl #before #path::Table for #ident #after #bounds {
            const FOLDER: ::core::primitive::u64 = #folder;

            fn declared() -> #path::__private::core::DeclaredTable {
                ::core::unreachable!("a struct with mistakes does not compile")
            }
        }
    }
}
