//! Attributes, read into plain data; a mistake is noted and the rest is read on.

use diptych_core::model::schema::{IndexColumn, OperatorClass, ReplicaIdentity};
use diptych_core::model::storage::TOAST;
use diptych_core::{Expression, Setting, Storage};
use proc_macro2::{Span, TokenTree};
use quote::ToTokens;
use std::collections::{BTreeMap, BTreeSet};
use syn::ext::IdentExt;
use syn::meta::ParseNestedMeta;
use syn::parse::ParseStream;
use syn::{Attribute, Error, Ident, Lit, LitStr, Path, Result, Token, parenthesized};

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
    pub(crate) statistics: Vec<Group>,
    pub(crate) checks: Vec<Group>,
    pub(crate) foreign_keys: Vec<Group>,
    pub(crate) exclusions: Vec<Group>,
    pub(crate) storage: Storage,
    pub(crate) replica_identity: Option<ReplicaIdentity>,
    pub(crate) partition_by: Option<String>,
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
    pub(crate) sequence_options: Option<String>,
    pub(crate) generated: Option<String>,
    pub(crate) unique: bool,
    pub(crate) index: bool,
    pub(crate) default: Option<String>,
    pub(crate) check: Option<String>,
    pub(crate) references: Option<Target>,
    pub(crate) on_delete: Option<String>,
    pub(crate) on_update: Option<String>,
    pub(crate) match_type: Option<String>,
    pub(crate) deferral: Deferral,
    pub(crate) sql_type: Option<String>,
    pub(crate) collation: Option<String>,
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

/// When a constraint is looked at.
#[derive(Clone, Copy, Default, PartialEq)]
pub(crate) enum Deferral {
    #[default]
    Immediate,
    Deferrable,
    Deferred,
}

/// `(a, b, name = "…", …)`: columns that stand together, and what is said of them.
pub(crate) struct Group {
    pub(crate) span: Span,
    /// The columns, those of keys among them.
    pub(crate) columns: Vec<(String, Span)>,
    /// The keys of an index in order: plain columns, and `key(…)`.
    pub(crate) keys: Vec<IndexColumn>,
    /// `include(a, b)` and `on_delete_set_columns(a)`.
    lists: BTreeMap<&'static str, Vec<(String, Span)>>,
    /// `part = "…"`.
    texts: BTreeMap<&'static str, String>,
    flags: BTreeSet<&'static str>,
    pub(crate) references: Option<Target>,
    pub(crate) old_writes: OldWrites,
}

impl Group {
    fn new(span: Span) -> Self {
        Group {
            span,
            columns: Vec::new(),
            keys: Vec::new(),
            lists: BTreeMap::new(),
            texts: BTreeMap::new(),
            flags: BTreeSet::new(),
            references: None,
            old_writes: OldWrites::MustWork,
        }
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.columns.iter().map(|(name, _)| name.clone()).collect()
    }

    /// What is said of a part.
    pub(crate) fn text(&self, part: &str) -> Option<String> {
        self.texts.get(part).cloned()
    }

    /// Whether a flag is there.
    pub(crate) fn has(&self, flag: &str) -> bool {
        self.flags.contains(flag)
    }

    /// The columns of a list.
    pub(crate) fn list(&self, part: &str) -> Vec<String> {
        self.lists.get(part).into_iter().flatten().map(|(name, _)| name.clone()).collect()
    }

    /// Every column that is named, and where.
    pub(crate) fn named(&self) -> impl Iterator<Item = &(String, Span)> {
        self.columns.iter().chain(self.lists.values().flatten())
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
        statistics: Vec::new(),
        checks: Vec::new(),
        foreign_keys: Vec::new(),
        exclusions: Vec::new(),
        storage: Storage::new(),
        replica_identity: None,
        partition_by: None,
        path: syn::parse_quote!(::diptych),
    };
    each(attributes, symbol::REPEATABLE, mistakes, |word, meta| {
        match word {
            symbol::TABLE => result.table = Some(text(meta)?),
            symbol::MIGRATIONS => result.migrations = plain_folder(&text(meta)?),
            symbol::RENAMED_FROM => result.renamed_from = Some(text(meta)?),
            symbol::CRATE => result.path = meta.value()?.call(Path::parse_mod_style)?,
            symbol::DROPPED => {
                let group = group(meta, &[symbol::DOWN])?;
                let down = group.text(symbol::DOWN);
                for (name, span) in group.columns {
                    result.dropped.push(Dropped { name, down: down.clone(), span });
                }
            }
            symbol::PRIMARY_KEY => result.primary_key = Some(group(meta, symbol::IN_PRIMARY_KEY)?),
            symbol::UNIQUE => result.uniques.push(group(meta, symbol::IN_UNIQUE)?),
            symbol::INDEX => result.indexes.push(group(meta, symbol::IN_INDEX)?),
            symbol::STATISTICS => result.statistics.push(group(meta, symbol::IN_STATISTICS)?),
            symbol::CHECK => result.checks.push(check(meta)?),
            symbol::FOREIGN_KEY => result.foreign_keys.push(foreign_key(meta)?),
            symbol::EXCLUDE => result.exclusions.push(exclusion(meta)?),
            symbol::STORAGE => storage(meta.input, "", &mut result.storage)?,
            symbol::PARTITION_BY => result.partition_by = Some(text(meta)?),
            symbol::REPLICA_IDENTITY => result.replica_identity = replica_identity(meta)?,
            _ => return Err(meta.error(errors::unknown("attribute", word, "on a struct", symbol::ON_STRUCT))),
        }
        Ok(())
    });
    result
}

/// `check(name = "…", "expression")`, or with `expr = "…"`.
pub(crate) fn check(meta: &ParseNestedMeta<'_>) -> Result<Group> {
    let mut group = group(meta, symbol::IN_CHECK)?;
    if group.text(symbol::EXPR).is_none() && group.columns.len() == 1 {
        group.texts.extend(group.columns.pop().map(|(text, _)| (symbol::EXPR, text)));
    }
    if group.text(symbol::NAME).is_none() || group.text(symbol::EXPR).is_none() || !group.columns.is_empty() {
        return Err(Error::new(group.span, errors::CHECK_PARTS));
    }
    Ok(group)
}

/// `foreign_key(a, b, references = "table(a, b)", …)`.
fn foreign_key(meta: &ParseNestedMeta<'_>) -> Result<Group> {
    let group = group(meta, symbol::IN_FOREIGN_KEY)?;
    let target = group.references.as_ref().map_or(0, |target| target.columns.len());
    if target != group.columns.len() {
        return Err(Error::new(group.span, errors::FOREIGN_KEY_PARTS));
    }
    Ok(group)
}

/// `exclude(name = "…", elements = "…", …)`.
fn exclusion(meta: &ParseNestedMeta<'_>) -> Result<Group> {
    let group = group(meta, symbol::IN_EXCLUDE)?;
    if group.text(symbol::NAME).is_none() || group.text(symbol::ELEMENTS).is_none() || !group.columns.is_empty() {
        return Err(Error::new(group.span, errors::EXCLUDE_PARTS));
    }
    Ok(group)
}

/// `replica_identity = "full"`, `"index name"` and the like; PostgreSQL's own default is none.
fn replica_identity(meta: &ParseNestedMeta<'_>) -> Result<Option<ReplicaIdentity>> {
    let text = text(meta)?;
    match text.split_once(' ') {
        None if text.eq_ignore_ascii_case("default") => Ok(None),
        None if text.eq_ignore_ascii_case("full") => Ok(Some(ReplicaIdentity::Full)),
        None if text.eq_ignore_ascii_case("nothing") => Ok(Some(ReplicaIdentity::Nothing)),
        Some((word, index)) if word.eq_ignore_ascii_case("index") && !index.trim().is_empty() => {
            Ok(Some(ReplicaIdentity::Index { index: index.trim().to_owned() }))
        }
        _ => Err(meta.error(errors::REPLICA_IDENTITY_KIND)),
    }
}

/// `(fillfactor = 70, toast(autovacuum_enabled = false))`.
fn storage(input: ParseStream<'_>, prefix: &str, found: &mut Storage) -> Result<()> {
    let content;
    parenthesized!(content in input);
    let result = settings(&content, prefix, found);
    // what a mistake leaves unread would be a second error
    while !content.is_empty() {
        content.parse::<TokenTree>()?;
    }
    result
}

fn settings(content: ParseStream<'_>, prefix: &str, found: &mut Storage) -> Result<()> {
    while !content.is_empty() {
        let word = Ident::parse_any(content)?;
        if word == symbol::TOAST && prefix.is_empty() && content.peek(syn::token::Paren) {
            storage(content, TOAST, found)?;
        } else {
            content.parse::<Token![=]>()?;
            let setting = setting(content)?;
            if found.insert(format!("{prefix}{word}"), setting).is_some() {
                return Err(Error::new(word.span(), errors::twice(&word.to_string())));
            }
        }
        if !content.is_empty() {
            content.parse::<Token![,]>()?;
        }
    }
    Ok(())
}

/// A number, `true` or `false`, or a text.
fn setting(input: ParseStream<'_>) -> Result<Setting> {
    let sign = if input.parse::<Option<Token![-]>>()?.is_some() { "-" } else { "" };
    let literal: Lit = input.parse()?;
    let text = match &literal {
        Lit::Int(number) if number.suffix().is_empty() => number.base10_digits().to_owned(),
        Lit::Float(number) if number.suffix().is_empty() => number.base10_digits().to_owned(),
        Lit::Bool(flag) if sign.is_empty() => flag.value.to_string(),
        Lit::Str(text) if sign.is_empty() => text.value(),
        _ => return Err(Error::new(literal.span(), errors::SETTING_FORM)),
    };
    Ok(Setting::from(format!("{sign}{text}").as_str()))
}

/// Reads the attributes of a field.
pub(crate) fn on_field(attributes: &[Attribute], span: Span, mistakes: &mut Mistakes) -> OnField {
    let mut result = OnField::default();
    let mut deferral = (false, false);
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
            symbol::SEQUENCE_OPTIONS => result.sequence_options = Some(text(meta)?),
            symbol::GENERATED => result.generated = Some(text(meta)?),
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
            symbol::MATCH_TYPE => result.match_type = Some(text(meta)?),
            symbol::DEFERRABLE => deferral.0 = true,
            symbol::INITIALLY_DEFERRED => deferral.1 = true,
            symbol::COLLATE => result.collation = Some(text(meta)?),
            symbol::TYPE => result.sql_type = Some(diptych_core::model::types::normalize(&text(meta)?)),
            symbol::COLUMN => result.column = Some(text(meta)?),
            symbol::RENAMED_FROM => result.renamed_from = Some(text(meta)?),
            symbol::UP => result.up = Some(text(meta)?),
            symbol::DOWN => result.down = Some(text(meta)?),
            symbol::ALLOW => result.old_writes = allow(meta.input)?,
            _ => return Err(meta.error(errors::unknown("attribute", word, "on a field", symbol::ON_FIELD))),
        }
        Ok(())
    });
    result.deferral = match deferral {
        (_, true) => Deferral::Deferred,
        (true, false) => Deferral::Deferrable,
        (false, false) => Deferral::Immediate,
    };
    if let Some(message) = contradiction(&result).filter(|_| mistakes.is_empty()) {
        mistakes.note(Error::new(span, message));
    }
    result
}

/// What does not go together on one field.
fn contradiction(field: &OnField) -> Option<&'static str> {
    let of_reference = field.on_delete.is_some() || field.on_update.is_some() || field.match_type.is_some();
    if field.references.is_none() && (of_reference || field.deferral != Deferral::Immediate) {
        Some(errors::ACTION_WITHOUT_REFERENCE)
    } else if field.sequence_options.is_some() && field.identity.is_none() {
        Some(errors::OPTIONS_WITHOUT_IDENTITY)
    } else if field.generated.is_some() && (field.identity.is_some() || field.default.is_some()) {
        Some(errors::GENERATED_TWICE)
    } else {
        None
    }
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

pub(crate) fn each(
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

pub(crate) fn text(meta: &ParseNestedMeta<'_>) -> Result<String> {
    let word = meta.path.get_ident().map(ToString::to_string).unwrap_or_default();
    quoted(meta.value()?, &word)
}

/// A folder as every struct writes it: neither `./` before it nor `/` behind it.
pub(crate) fn plain_folder(text: &str) -> String {
    let mut text = text.trim_end_matches('/');
    while let Some(rest) = text.strip_prefix("./") {
        text = rest.trim_start_matches('/');
    }
    text.to_owned()
}

/// A text that says something.
pub(crate) fn quoted(input: ParseStream<'_>, word: &str) -> Result<String> {
    if !input.peek(LitStr)
        && let Ok(literal) = input.fork().parse::<syn::Lit>()
    {
        let shown = literal.to_token_stream().to_string();
        return Err(Error::new(literal.span(), errors::not_quoted(word, &shown)));
    }
    let text: LitStr = input.parse()?;
    let value = text.value();
    if value.trim().is_empty() { Err(Error::new(text.span(), errors::empty(word))) } else { Ok(value) }
}

fn target(text: &str) -> Option<Target> {
    let (table, columns) = text.trim().strip_suffix(')')?.split_once('(')?;
    let columns: Vec<String> = columns.split(',').map(|column| column.trim().to_owned()).collect();
    let complete = !table.trim().is_empty() && columns.iter().all(|column| !column.is_empty());
    complete.then(|| Target { table: table.trim().to_owned(), columns })
}

fn allow(input: ParseStream<'_>) -> Result<OldWrites> {
    allowed(input, symbol::OLD_WRITES_MAY_FAIL).map(|()| OldWrites::MayFail)
}

/// `allow(what)`, the only one that can stand there.
pub(crate) fn allowed(input: ParseStream<'_>, word: &str) -> Result<()> {
    let content;
    parenthesized!(content in input);
    let what: Ident = content.parse()?;
    if what == word { Ok(()) } else { Err(Error::new(what.span(), errors::not_allowed(&what.to_string(), word))) }
}

pub(crate) fn group(meta: &ParseNestedMeta<'_>, parts: &'static [&'static str]) -> Result<Group> {
    let content;
    parenthesized!(content in meta.input);
    let mut group = Group::new(meta.path.get_ident().map_or_else(Span::call_site, Ident::span));
    let result = read_group(&mut group, &content, parts);
    // what a mistake leaves unread would be a second error
    while !content.is_empty() {
        content.parse::<TokenTree>()?;
    }
    result?;
    if group.keys.is_empty() && !parts.contains(&symbol::EXPR) && !parts.contains(&symbol::ELEMENTS) {
        return Err(Error::new(group.span, errors::NO_COLUMNS));
    }
    Ok(group)
}

fn read_group(group: &mut Group, content: ParseStream<'_>, parts: &'static [&'static str]) -> Result<()> {
    while !content.is_empty() {
        if content.peek(LitStr) {
            let column: LitStr = content.parse()?;
            push_column(group, column.value(), column.span());
        } else {
            let word: Ident = syn::ext::IdentExt::parse_any(content)?;
            read_part(group, &word, content, parts)?;
        }
        if !content.is_empty() {
            content.parse::<Token![,]>()?;
        }
    }
    Ok(())
}

fn read_part(group: &mut Group, ident: &Ident, content: ParseStream<'_>, parts: &'static [&'static str]) -> Result<()> {
    let (span, word) = (ident.span(), ident.to_string());
    let part = parts.iter().find(|part| **part == word).copied();
    let is_list = |part: &str| [symbol::INCLUDE, symbol::ON_DELETE_SET_COLUMNS].contains(&part);
    if content.peek(Token![=]) {
        content.parse::<Token![=]>()?;
        let value = quoted(content, &word)?;
        let new = match part {
            None => return Err(Error::new(span, errors::unknown("part", &word, "here", parts))),
            Some(symbol::REFERENCES) => {
                let target = target(&value).ok_or_else(|| Error::new(span, errors::REFERENCE_FORM))?;
                group.references.replace(target).is_none()
            }
            Some(part) if symbol::FLAGS.contains(&part) || is_list(part) || [symbol::ALLOW, symbol::KEY].contains(&part) => {
                return Err(Error::new(span, errors::unknown("part", part, "with a value", parts)));
            }
            Some(part) => group.texts.insert(part, value).is_none(),
        };
        return if new { Ok(()) } else { Err(Error::new(span, errors::twice(&word))) };
    }
    if content.peek(syn::token::Paren) {
        if part == Some(symbol::ALLOW) {
            group.old_writes = allow(content)?;
            return Ok(());
        }
        let inner;
        match part {
            Some(symbol::KEY) => {
                parenthesized!(inner in content);
                return read_key(group, span, &inner);
            }
            Some(part) if is_list(part) => {
                parenthesized!(inner in content);
                let mut list = Group::new(span);
                read_group(&mut list, &inner, &[])?;
                let new = group.lists.insert(part, list.columns).is_none();
                return if new { Ok(()) } else { Err(Error::new(span, errors::twice(part))) };
            }
            _ if word == symbol::COLUMNS => {
                parenthesized!(inner in content);
                return read_group(group, &inner, &[]);
            }
            _ => {}
        }
    }
    match part {
        Some(flag) if symbol::FLAGS.contains(&flag) => {
            if !group.flags.insert(flag) {
                return Err(Error::new(span, errors::twice(flag)));
            }
        }
        _ => push_column(group, word.strip_prefix("r#").unwrap_or(&word).to_owned(), span),
    }
    Ok(())
}

fn push_column(group: &mut Group, name: String, span: Span) {
    group.keys.push(IndexColumn { column: name.clone(), ..IndexColumn::default() });
    group.columns.push((name, span));
}

/// `key(column, sort = "desc")` or `key(expression = "lower(email)")`.
fn read_key(group: &mut Group, span: Span, content: ParseStream<'_>) -> Result<()> {
    let mut key = Group::new(span);
    let result = read_group(&mut key, content, symbol::IN_KEY);
    while !content.is_empty() {
        content.parse::<TokenTree>()?;
    }
    result?;
    let expression = key.text(symbol::EXPRESSION);
    let params = key.text(symbol::PARAMS);
    let opclass = key.text(symbol::OPCLASS);
    if key.columns.len() + usize::from(expression.is_some()) != 1 || (params.is_some() && opclass.is_none()) {
        return Err(Error::new(span, errors::KEY_PARTS));
    }
    group.keys.push(IndexColumn {
        column: key.names().pop().unwrap_or_default(),
        expression: expression.map(Expression::from),
        collate: key.text(symbol::COLLATE),
        sort: key.text(symbol::SORT),
        nulls: key.text(symbol::NULLS),
        opclass: opclass.map(|name| OperatorClass { name, params: params.into_iter().collect() }),
    });
    group.columns.extend(key.columns);
    Ok(())
}
