//! Attributes and fields, read into plain data; every mistake of a struct is collected.

use proc_macro2::Span;
use syn::spanned::Spanned;
use syn::{Attribute, Data, DeriveInput, Error, Fields, Ident, LitStr, Path, Result, Token, Type, parenthesized};

/// A struct as written.
pub(crate) struct Struct {
    pub(crate) ident: Ident,
    pub(crate) table: String,
    pub(crate) comment: Option<String>,
    pub(crate) migrations: String,
    pub(crate) renamed_from: Option<String>,
    pub(crate) dropped: Vec<Dropped>,
    pub(crate) primary_key: Vec<String>,
    pub(crate) uniques: Vec<Group>,
    pub(crate) indexes: Vec<Group>,
    pub(crate) checks: Vec<(String, String)>,
    pub(crate) path: Path,
    pub(crate) fields: Vec<Field>,
}

pub(crate) struct Dropped {
    pub(crate) name: String,
    pub(crate) down: Option<String>,
    pub(crate) span: Span,
}

/// Columns that stand together, with a name where it is given.
#[derive(Default)]
pub(crate) struct Group {
    pub(crate) columns: Vec<String>,
    pub(crate) name: Option<String>,
    pub(crate) unique: bool,
}

/// A field as written.
pub(crate) struct Field {
    pub(crate) span: Span,
    pub(crate) ty: Type,
    pub(crate) column: String,
    pub(crate) comment: Option<String>,
    pub(crate) primary_key: bool,
    pub(crate) identity: Option<Always>,
    pub(crate) unique: bool,
    pub(crate) index: bool,
    pub(crate) default: Option<String>,
    pub(crate) check: Option<String>,
    pub(crate) references: Option<(String, String)>,
    pub(crate) on_delete: Option<String>,
    pub(crate) on_update: Option<String>,
    pub(crate) sql_type: Option<String>,
    pub(crate) renamed_from: Option<String>,
    pub(crate) up: Option<String>,
    pub(crate) down: Option<String>,
    pub(crate) old_writes_may_fail: bool,
}

/// `GENERATED ALWAYS` or `BY DEFAULT`.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Always {
    Yes,
    No,
}

/// Reads a struct. What could be read comes with the mistakes, so that one mistake gives one error.
pub(crate) fn read(input: &DeriveInput) -> (Struct, Option<Error>) {
    let mut mistakes: Option<Error> = None;
    let mut note = |error: Error| match &mut mistakes {
        Some(all) => all.combine(error),
        none => *none = Some(error),
    };
    let mut result = Struct {
        ident: input.ident.clone(),
        table: snake_case(&input.ident.to_string()),
        comment: doc(&input.attrs),
        migrations: "migrations".to_owned(),
        renamed_from: None,
        dropped: Vec::new(),
        primary_key: Vec::new(),
        uniques: Vec::new(),
        indexes: Vec::new(),
        checks: Vec::new(),
        path: syn::parse_quote!(::diptych),
        fields: Vec::new(),
    };
    if let Some(parameter) = input.generics.params.first() {
        note(Error::new(parameter.span(), "a table cannot have type parameters\nhint: declare one struct per table"));
    }
    for attribute in input.attrs.iter().filter(|attribute| attribute.path().is_ident("schema")) {
        if let Err(error) = attribute.parse_nested_meta(|meta| on_struct(&mut result, &meta)) {
            note(error);
        }
    }
    match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => {
                for field in &fields.named {
                    match read_field(field) {
                        (field, None) => result.fields.push(field),
                        (field, Some(error)) => {
                            result.fields.push(field);
                            note(error);
                        }
                    }
                }
            }
            other => note(Error::new(other.span(), "a table needs named fields\nhint: give every column a field name")),
        },
        _ => note(Error::new(
            input.ident.span(),
            "only a struct can be a table\nhint: derive Schema on a struct with named fields",
        )),
    }
    (result, mistakes)
}

fn on_struct(result: &mut Struct, meta: &syn::meta::ParseNestedMeta<'_>) -> Result<()> {
    let name = meta.path.get_ident().map(ToString::to_string).unwrap_or_default();
    match name.as_str() {
        "table" => result.table = text(meta)?,
        "migrations" => result.migrations = text(meta)?,
        "renamed_from" => result.renamed_from = Some(text(meta)?),
        "crate" => result.path = meta.value()?.parse()?,
        "dropped" => {
            let group = group(meta)?;
            for (name, span) in group.columns {
                result.dropped.push(Dropped { name, down: group.down.clone(), span });
            }
        }
        "primary_key" => result.primary_key = group(meta)?.names(),
        "unique" => {
            let group = group(meta)?;
            result.uniques.push(Group { columns: group.names(), name: group.name, unique: true });
        }
        "index" => {
            let group = group(meta)?;
            result.indexes.push(Group { columns: group.names(), name: group.name, unique: group.unique });
        }
        "check" => {
            let group = group(meta)?;
            match (group.name, group.expr) {
                (Some(name), Some(expr)) => result.checks.push((name, expr)),
                _ => return Err(meta.error("a check needs both parts\nhint: write `check(name = \"…\", expr = \"…\")`")),
            }
        }
        _ => {
            return Err(meta.error(format!(
                "unknown attribute `{name}` on a struct\nhint: the attributes are table, migrations, renamed_from, dropped, primary_key, unique, index, check and crate"
            )));
        }
    }
    Ok(())
}

fn read_field(field: &syn::Field) -> (Field, Option<Error>) {
    let ident = field.ident.as_ref().map(|ident| ident.to_string()).unwrap_or_default();
    let mut result = Field {
        span: field.ident.as_ref().map_or_else(|| field.span(), Ident::span),
        ty: field.ty.clone(),
        column: ident.strip_prefix("r#").unwrap_or(&ident).to_owned(),
        comment: doc(&field.attrs),
        primary_key: false,
        identity: None,
        unique: false,
        index: false,
        default: None,
        check: None,
        references: None,
        on_delete: None,
        on_update: None,
        sql_type: None,
        renamed_from: None,
        up: None,
        down: None,
        old_writes_may_fail: false,
    };
    let mut mistakes: Option<Error> = None;
    for attribute in field.attrs.iter().filter(|attribute| attribute.path().is_ident("schema")) {
        if let Err(error) = attribute.parse_nested_meta(|meta| on_field(&mut result, &meta)) {
            match &mut mistakes {
                Some(all) => all.combine(error),
                none => *none = Some(error),
            }
        }
    }
    (result, mistakes)
}

fn on_field(result: &mut Field, meta: &syn::meta::ParseNestedMeta<'_>) -> Result<()> {
    let name = meta.path.get_ident().map(ToString::to_string).unwrap_or_default();
    match name.as_str() {
        "primary_key" => result.primary_key = true,
        "identity" => {
            let always = meta.input.peek(Token![=]) && text(meta)?.eq_ignore_ascii_case("always");
            result.identity = Some(if always { Always::Yes } else { Always::No });
        }
        "unique" => result.unique = true,
        "index" => result.index = true,
        "default" => result.default = Some(text(meta)?),
        "check" => result.check = Some(text(meta)?),
        "references" => {
            let target = text(meta)?;
            let parts = target.strip_suffix(')').and_then(|target| target.split_once('('));
            let Some((table, column)) = parts else {
                return Err(meta.error("a reference names a table and a column\nhint: write `references = \"table(column)\"`"));
            };
            result.references = Some((table.trim().to_owned(), column.trim().to_owned()));
        }
        "on_delete" => result.on_delete = Some(text(meta)?),
        "on_update" => result.on_update = Some(text(meta)?),
        "type" => result.sql_type = Some(diptych_core::types::normalize(&text(meta)?)),
        "column" => result.column = text(meta)?,
        "renamed_from" => result.renamed_from = Some(text(meta)?),
        "up" => result.up = Some(text(meta)?),
        "down" => result.down = Some(text(meta)?),
        "allow" => {
            let content;
            parenthesized!(content in meta.input);
            let what: Ident = content.parse()?;
            if what != "old_writes_may_fail" {
                return Err(Error::new(
                    what.span(),
                    format!("nothing called `{what}` can be allowed\nhint: write `allow(old_writes_may_fail)`"),
                ));
            }
            result.old_writes_may_fail = true;
        }
        _ => {
            return Err(meta.error(format!(
                "unknown attribute `{name}` on a field\nhint: the attributes are primary_key, identity, unique, index, default, check, references, on_delete, on_update, type, column, renamed_from, up, down and allow"
            )));
        }
    }
    Ok(())
}

fn text(meta: &syn::meta::ParseNestedMeta<'_>) -> Result<String> {
    Ok(meta.value()?.parse::<LitStr>()?.value())
}

/// `(a, b, name = "…", down = "…", expr = "…", unique)`.
#[derive(Default)]
struct Parsed {
    columns: Vec<(String, Span)>,
    name: Option<String>,
    down: Option<String>,
    expr: Option<String>,
    unique: bool,
}

impl Parsed {
    fn names(&self) -> Vec<String> {
        self.columns.iter().map(|(name, _)| name.clone()).collect()
    }
}

fn group(meta: &syn::meta::ParseNestedMeta<'_>) -> Result<Parsed> {
    let content;
    parenthesized!(content in meta.input);
    let mut group = Parsed::default();
    while !content.is_empty() {
        if content.peek(LitStr) {
            let column: LitStr = content.parse()?;
            group.columns.push((column.value(), column.span()));
        } else {
            let word: Ident = syn::ext::IdentExt::parse_any(&content)?;
            let span = word.span();
            let word = word.to_string();
            if content.peek(Token![=]) {
                content.parse::<Token![=]>()?;
                let value = content.parse::<LitStr>()?.value();
                match word.as_str() {
                    "name" => group.name = Some(value),
                    "down" => group.down = Some(value),
                    "expr" => group.expr = Some(value),
                    _ => return Err(Error::new(span, format!("unknown part `{word}`\nhint: the parts are name, down and expr"))),
                }
            } else if word == "unique" {
                group.unique = true;
            } else {
                group.columns.push((word.strip_prefix("r#").unwrap_or(&word).to_owned(), span));
            }
        }
        if !content.is_empty() {
            content.parse::<Token![,]>()?;
        }
    }
    Ok(group)
}

fn doc(attributes: &[Attribute]) -> Option<String> {
    let lines = attributes.iter().filter(|attribute| attribute.path().is_ident("doc")).filter_map(|attribute| {
        let value = &attribute.meta.require_name_value().ok()?.value;
        match value {
            syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) => Some(text.value().trim().to_owned()),
            _ => None,
        }
    });
    let text = lines.collect::<Vec<_>>().join("\n").trim().to_owned();
    (!text.is_empty()).then_some(text)
}

fn snake_case(name: &str) -> String {
    let mut result = String::new();
    for (at, character) in name.chars().enumerate() {
        if character.is_uppercase() && at > 0 {
            result.push('_');
        }
        result.extend(character.to_lowercase());
    }
    result
}
