//! The folder of code that `database!` names: a file of SQL for each function or view of a version.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{Error, Ident, LitStr};

use crate::check::{Drift, folder};
use crate::errors::{self, Mistakes};
use crate::expand::drifts;
use diptych_core::Snapshot;

/// The files of a folder, by their names without `.sql`.
pub(crate) struct Code {
    /// Where it is named, or could be.
    span: Span,
    folder: Option<PathBuf>,
    files: BTreeMap<String, String>,
}

impl Code {
    /// Reads the folder, which must be there if one is named.
    pub(crate) fn read(named: Option<&LitStr>, database: &Ident, mistakes: &mut Mistakes) -> Self {
        let Some(named) = named else { return Code { span: database.span(), folder: None, files: BTreeMap::new() } };
        let place = folder(&named.value());
        if !place.is_dir() {
            mistakes.note(Error::new(named.span(), errors::no_code_folder(&place.display().to_string())));
        }
        Code { span: named.span(), files: files(&place), folder: Some(place) }
    }

    /// The folder, if one is named.
    pub(crate) fn folder(&self) -> Option<String> {
        self.folder.as_ref().map(|place| place.display().to_string())
    }

    /// The texts by their names; the compiler tracks what is included.
    pub(crate) fn declared(&self) -> TokenStream {
        let each = self.files.iter().map(|(name, path)| {
            quote! { (::std::borrow::ToOwned::to_owned(#name), ::std::borrow::ToOwned::to_owned(::core::include_str!(#path))) }
        });
        quote! { <::std::collections::BTreeMap<_, _> as ::core::iter::FromIterator<_>>::from_iter([#(#each),*]) }
    }

    /// A warning for each file that the snapshot does not have as it is; a mistake for each that is gone and not declared so.
    pub(crate) fn compare(&self, known: &Snapshot, dropped: &[LitStr], drift: Drift, mistakes: &mut Mistakes) -> TokenStream {
        let version = known.version.as_deref().unwrap_or("(none)");
        let recorded = &known.schema.code;
        for name in recorded.keys().filter(|name| !self.files.contains_key(*name)) {
            if !dropped.iter().any(|dropped| dropped.value() == *name) {
                mistakes.note(Error::new(self.span, errors::code_gone(name, version)));
            }
        }
        let changed = self.files.iter().filter(|(name, path)| {
            let text = std::fs::read_to_string(path).ok();
            text.is_some() && recorded.get(*name) != text.as_ref()
        });
        let changed: Vec<_> = changed.map(|(name, _)| (self.span, format!("code `{name}`"))).collect();
        drifts(&changed, version, drift)
    }
}

fn files(folder: &Path) -> BTreeMap<String, String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let files = entries.filter(|path| path.is_file() && path.extension().is_some_and(|end| end == "sql"));
    files.filter_map(|path| Some((path.file_stem()?.to_str()?.to_owned(), path.display().to_string()))).collect()
}
