//! Attributes, read into plain data; a mistake is noted and the rest is read on.

use proc_macro2::{Span, TokenTree};
use std::collections::BTreeSet;
use syn::meta::ParseNestedMeta;
use syn::parse::ParseStream;
use syn::{Attribute, Error, Ident, LitStr, Path, Result, Token, parenthesized};

use crate::errors::{self, Mistakes};
use crate::symbol;

/// The attributes of a struct.
pub(crate) struct OnStruct {
    pub(crate) table: Option<String>,
    pub(crate) migrations: String,
    pub(crate) renamed_from: Option<String>,
    pub(crate) dropped: Vec<Dropped>,
    pub(crate) primary_key: Option<Group>,
    pub(crate) uniques: Vec<Group>,
    pub(crate) indexes: Vec<Group>,
    pub(crate) checks: Vec<Group>,
    pub(crate) foreign_keys: Vec<Group>,
    pub(crate) path: Path,
}

/// `dropped(column, down = "…")`.
pub(crate) struct Dropped {
    pub(crate) name: String,
    pub(crate) down: Option<String>,
    pub(crate) span: Span,
}

/// The attributes of a field.
#[derive(Default)]
pub(crate) struct OnField {
    pub(crate) primary_key: bool,
    pub(crate) identity: Option<Always>,
    pub(crate) unique: bool,
    pub(crate) index: bool,
    pub(crate) default: Option<String>,
    pub(crate) check: Option<String>,
    pub(crate) references: Option<Target>,
    pub(crate) on_delete: Option<String>,
    pub(crate) on_update: Option<String>,
    pub(crate) sql_type: Option<String>,
    pub(crate) column: Option<String>,
    pub(crate) renamed_from: Option<String>,
    pub(crate) up: Option<String>,
    pub(crate) down: Option<String>,
    pub(crate) old_writes: OldWrites,
}

/// `GENERATED ALWAYS` or `BY DEFAULT`.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Always {
    Yes,
    No,
}

/// Whether writes of the older version may break a new constraint.
#[derive(Clone, Copy, Default, PartialEq)]
pub(crate) enum OldWrites {
    #[default]
    MustWork,
    MayFail,
}

/// `table(column, …)`.
pub(crate) struct Target {
    pub(crate) table: String,
    pub(crate) columns: Vec<String>,
}

/// `(a, b, name = "…", …)`: columns that stand together, and what is said of them.
pub(crate) struct Group {
    pub(crate) span: Span,
    pub(crate) columns: Vec<(String, Span)>,
    pub(crate) name: Option<String>,
    pub(crate) down: Option<String>,
    pub(crate) expr: Option<String>,
    pub(crate) references: Option<Target>,
    pub(crate) on_delete: Option<String>,
    pub(crate) on_update: Option<String>,
    pub(crate) unique: bool,
    pub(crate) old_writes: OldWrites,
}

impl Group {
    pub(crate) fn names(&self) -> Vec<String> {
        self.columns.iter().map(|(name, _)| name.clone()).collect()
    }
}

/// Reads the attributes of a struct.
pub(crate) fn on_struct(attributes: &[Attribute], mistakes: &mut Mistakes) -> OnStruct {
    let mut result = OnStruct {
        table: None,
        migrations: "migrations".to_owned(),
        renamed_from: None,
        dropped: Vec::new(),
        primary_key: None,
        uniques: Vec::new(),
        indexes: Vec::new(),
        checks: Vec::new(),
        foreign_keys: Vec::new(),
        path: syn::parse_quote!(::diptych),
    };
    each(attributes, symbol::REPEATABLE, mistakes, |word, meta| {
        match word {
            symbol::TABLE => result.table = Some(text(meta)?),
            symbol::MIGRATIONS => result.migrations = text(meta)?,
            symbol::RENAMED_FROM => result.renamed_from = Some(text(meta)?),
            symbol::CRATE => result.path = meta.value()?.call(Path::parse_mod_style)?,
            symbol::DROPPED => {
                let group = group(meta, &[symbol::DOWN])?;
                for (name, span) in group.columns {
                    result.dropped.push(Dropped { name, down: group.down.clone(), span });
                }
            }
            symbol::PRIMARY_KEY => result.primary_key = Some(group(meta, &[symbol::ALLOW])?),
            symbol::UNIQUE => result.uniques.push(group(meta, &[symbol::NAME, symbol::ALLOW])?),
            symbol::INDEX => result.indexes.push(group(meta, &[symbol::NAME, symbol::UNIQUE, symbol::ALLOW])?),
            symbol::CHECK => {
                let mut group = group(meta, &[symbol::NAME, symbol::EXPR, symbol::ALLOW])?;
                // `check(name = "…", "expression")`
                if group.expr.is_none() && group.columns.len() == 1 {
                    group.expr = group.columns.pop().map(|(text, _)| text);
                }
                if group.name.is_none() || group.expr.is_none() || !group.columns.is_empty() {
                    return Err(Error::new(group.span, errors::CHECK_PARTS));
                }
                result.checks.push(group);
            }
            symbol::FOREIGN_KEY => {
                let parts = [symbol::NAME, symbol::REFERENCES, symbol::ON_DELETE, symbol::ON_UPDATE, symbol::ALLOW];
                let group = group(meta, &parts)?;
                let target = group.references.as_ref().map_or(0, |target| target.columns.len());
                if target != group.columns.len() {
                    return Err(Error::new(group.span, errors::FOREIGN_KEY_PARTS));
                }
                result.foreign_keys.push(group);
            }
            _ => return Err(meta.error(errors::unknown("attribute", word, "on a struct", symbol::ON_STRUCT))),
        }
        Ok(())
    });
    result
}

/// Reads the attributes of a field.
pub(crate) fn on_field(attributes: &[Attribute], span: Span, mistakes: &mut Mistakes) -> OnField {
    let mut result = OnField::default();
    each(attributes, &[], mistakes, |word, meta| {
        match word {
            symbol::PRIMARY_KEY => result.primary_key = true,
            symbol::IDENTITY => {
                result.identity = Some(match meta.input.peek(Token![=]).then(|| text(meta)).transpose()?.as_deref() {
                    None | Some("by default") => Always::No,
                    Some("always") => Always::Yes,
                    Some(_) => return Err(meta.error(errors::IDENTITY_KIND)),
                });
            }
            symbol::UNIQUE => result.unique = true,
            symbol::INDEX => result.index = true,
            symbol::DEFAULT => result.default = Some(text(meta)?),
            symbol::CHECK => result.check = Some(text(meta)?),
            symbol::REFERENCES => {
                let target = target(&text(meta)?).filter(|target| target.columns.len() == 1);
                result.references = Some(target.ok_or_else(|| meta.error(errors::REFERENCE_FORM))?);
            }
            symbol::ON_DELETE => result.on_delete = Some(text(meta)?),
            symbol::ON_UPDATE => result.on_update = Some(text(meta)?),
            symbol::TYPE => result.sql_type = Some(diptych_core::types::normalize(&text(meta)?)),
            symbol::COLUMN => result.column = Some(text(meta)?),
            symbol::RENAMED_FROM => result.renamed_from = Some(text(meta)?),
            symbol::UP => result.up = Some(text(meta)?),
            symbol::DOWN => result.down = Some(text(meta)?),
            symbol::ALLOW => result.old_writes = allow(meta.input)?,
            _ => return Err(meta.error(errors::unknown("attribute", word, "on a field", symbol::ON_FIELD))),
        }
        Ok(())
    });
    if result.references.is_none() && (result.on_delete.is_some() || result.on_update.is_some()) && mistakes.is_empty() {
        mistakes.note(Error::new(span, errors::ACTION_WITHOUT_REFERENCE));
    }
    result
}

/// A doc comment as one text.
pub(crate) fn doc(attributes: &[Attribute]) -> Option<String> {
    let lines = attributes.iter().filter(|attribute| attribute.path().is_ident("doc")).filter_map(|attribute| {
        match &attribute.meta.require_name_value().ok()?.value {
            syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) => Some(text.value().trim().to_owned()),
            _ => None,
        }
    });
    let text = lines.collect::<Vec<_>>().join("\n").trim().to_owned();
    (!text.is_empty()).then_some(text)
}

/// Passes over what belongs to a mistake, up to the next comma.
pub(crate) fn skip(input: ParseStream<'_>) -> Result<()> {
    while !input.is_empty() && !input.peek(Token![,]) {
        input.parse::<TokenTree>()?;
    }
    Ok(())
}

fn each(
    attributes: &[Attribute],
    repeatable: &[&str],
    mistakes: &mut Mistakes,
    mut read: impl FnMut(&str, &ParseNestedMeta<'_>) -> Result<()>,
) {
    let mut seen = BTreeSet::new();
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident(symbol::SCHEMA)) {
        let whole = attribute.parse_nested_meta(|meta| {
            let word = meta.path.get_ident().map(ToString::to_string).unwrap_or_default();
            if let Err(error) = read(&word, &meta) {
                mistakes.note(error);
            } else if !meta.input.is_empty() && !meta.input.peek(Token![,]) {
                mistakes.note(meta.input.error(errors::too_much(&word)));
            } else if !seen.insert(word.clone()) && !repeatable.contains(&word.as_str()) {
                mistakes.note(Error::new_spanned(&meta.path, errors::twice(&word)));
            }
            skip(meta.input)
        });
        if let Err(error) = whole {
            mistakes.note(error);
        }
    }
}

fn text(meta: &ParseNestedMeta<'_>) -> Result<String> {
    Ok(meta.value()?.parse::<LitStr>()?.value())
}

fn target(text: &str) -> Option<Target> {
    let (table, columns) = text.trim().strip_suffix(')')?.split_once('(')?;
    let columns: Vec<String> = columns.split(',').map(|column| column.trim().to_owned()).collect();
    let complete = !table.trim().is_empty() && columns.iter().all(|column| !column.is_empty());
    complete.then(|| Target { table: table.trim().to_owned(), columns })
}

fn allow(input: ParseStream<'_>) -> Result<OldWrites> {
    let content;
    parenthesized!(content in input);
    let what: Ident = content.parse()?;
    if what == symbol::OLD_WRITES_MAY_FAIL {
        return Ok(OldWrites::MayFail);
    }
    Err(Error::new(what.span(), errors::not_allowed(&what.to_string())))
}

fn group(meta: &ParseNestedMeta<'_>, parts: &[&str]) -> Result<Group> {
    let content;
    parenthesized!(content in meta.input);
    let mut group = Group {
        span: meta.path.get_ident().map_or_else(Span::call_site, Ident::span),
        columns: Vec::new(),
        name: None,
        down: None,
        expr: None,
        references: None,
        on_delete: None,
        on_update: None,
        unique: false,
        old_writes: OldWrites::MustWork,
    };
    let result = read_group(&mut group, &content, parts);
    // what a mistake leaves unread would be a second error
    while !content.is_empty() {
        content.parse::<TokenTree>()?;
    }
    result?;
    if group.columns.is_empty() && !parts.contains(&symbol::EXPR) {
        return Err(Error::new(group.span, errors::NO_COLUMNS));
    }
    Ok(group)
}

fn read_group(group: &mut Group, content: ParseStream<'_>, parts: &[&str]) -> Result<()> {
    while !content.is_empty() {
        if content.peek(LitStr) {
            let column: LitStr = content.parse()?;
            group.columns.push((column.value(), column.span()));
        } else {
            let word: Ident = syn::ext::IdentExt::parse_any(content)?;
            let (span, word) = (word.span(), word.to_string());
            if content.peek(Token![=]) {
                content.parse::<Token![=]>()?;
                let value = content.parse::<LitStr>()?.value();
                match word.as_str() {
                    part if !parts.contains(&part) => return Err(Error::new(span, errors::unknown("part", part, "here", parts))),
                    symbol::NAME => group.name = Some(value),
                    symbol::DOWN => group.down = Some(value),
                    symbol::EXPR => group.expr = Some(value),
                    symbol::ON_DELETE => group.on_delete = Some(value),
                    symbol::ON_UPDATE => group.on_update = Some(value),
                    symbol::REFERENCES => {
                        group.references = Some(target(&value).ok_or_else(|| Error::new(span, errors::REFERENCE_FORM))?);
                    }
                    part => return Err(Error::new(span, errors::unknown("part", part, "with a value", parts))),
                }
            } else if word == symbol::COLUMNS && content.peek(syn::token::Paren) {
                let inner;
                parenthesized!(inner in content);
                read_group(group, &inner, &[])?;
            } else if word == symbol::ALLOW && parts.contains(&symbol::ALLOW) && content.peek(syn::token::Paren) {
                group.old_writes = allow(content)?;
            } else if word == symbol::UNIQUE && parts.contains(&symbol::UNIQUE) {
                group.unique = true;
            } else {
                group.columns.push((word.strip_prefix("r#").unwrap_or(&word).to_owned(), span));
            }
        }
        if !content.is_empty() {
            content.parse::<Token![,]>()?;
        }
    }
    Ok(())
}
