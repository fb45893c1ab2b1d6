//! The impl of a struct with mistakes, so that they are the only errors.

use proc_macro2::TokenStream;
use quote::quote;

use crate::attr::Struct;

pub(crate) fn table(table: &Struct) -> TokenStream {
    let (ident, path) = (&table.ident, &table.path);
    let name = &table.table;
    let folder = crate::expand::diptych_hash(&table.migrations);
    quote! {
        impl #path::__private::Named for #ident {
            const NAMES: &'static [&'static str] = &[#name];
        }

        impl #path::Table for #ident {
            const FOLDER: u64 = #folder;
            fn declared() -> #path::__private::core::DeclaredTable { ::core::unreachable!() }
        }
    }
}
