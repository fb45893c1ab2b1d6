//! A schema as source code: structs with `#[derive(Schema)]`, enums with `#[derive(SchemaEnum)]`.

mod known;
mod places;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use diptych_core::{Column, Composite, Domain, Enum, Schema, Sequence, Table, model::types};
use proc_macro2::{Literal, TokenStream, TokenTree};

use crate::source::snake_case;
use known::{Crate, Known, PLACEHOLDER};
use places::{Places, quoted};

/// The folder of migrations where the code names none.
const FOLDER: &str = "migrations";

/// Names that would hide what the fields' types and the derives need.
const TAKEN: [&str; 14] = [
    "Box",
    "Default",
    "Err",
    "None",
    "Ok",
    "Option",
    "Result",
    "Schema",
    "SchemaEnum",
    "Self",
    "Some",
    "SqlType",
    "String",
    "Vec",
];

/// The package that the code is for.
pub(crate) struct Home {
    /// The crate `diptych` under the name that the package has for it.
    pub(crate) krate: String,
    /// The features of it that are on.
    pub(crate) features: Vec<String>,
    /// The crates that the package depends on.
    pub(crate) crates: Vec<String>,
    /// The folder of migrations, relative to the package.
    pub(crate) folder: String,
}

/// What code a schema becomes.
pub(crate) struct Writer<'a> {
    schema: &'a Schema,
    home: &'a Home,
    /// The names in code of tables and enums.
    names: BTreeMap<&'a str, String>,
    /// The features that the fields need and that are not on.
    pub(crate) lacking_features: BTreeSet<&'static str>,
    /// The crates that the fields need and that the package does not depend on.
    pub(crate) lacking_crates: BTreeSet<Crate>,
    /// The columns for whose types no Rust type is known.
    pub(crate) placeholders: Vec<String>,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(schema: &'a Schema, home: &'a Home) -> Self {
        let (names, lacking_features, lacking_crates) = Default::default();
        let mut writer = Writer { schema, home, names, lacking_features, lacking_crates, placeholders: Vec::new() };
        for name in schema.enums.keys().chain(schema.tables.keys()) {
            let mut ident = type_name(name);
            while TAKEN.contains(&ident.as_str()) || writer.names.values().any(|other| *other == ident) {
                ident.push_str("Row");
            }
            writer.names.insert(name, ident);
        }
        writer
    }

    /// A table or enum has this name in code already.
    pub(crate) fn is_called(&mut self, name: &str, ident: &str) {
        if let Some(there) = self.names.get_mut(name) {
            ident.clone_into(there);
        }
    }

    /// The name in code of a table or enum.
    pub(crate) fn ident(&self, name: &str) -> String {
        self.names.get(name).cloned().unwrap_or_else(|| type_name(name))
    }

    /// An enum.
    pub(crate) fn enum_(&self, name: &str, model: &Enum) -> String {
        let ident = self.ident(name);
        let mut text = docs("", model.comment.as_deref());
        let _ = writeln!(text, "#[derive(Clone, Copy, Debug, PartialEq, Eq, {}::SchemaEnum)]", self.home.krate);
        text.push_str(&attributes("", &self.on_type("name", name, &ident)));
        let _ = writeln!(text, "pub enum {ident} {{");
        model
            .labels
            .iter()
            .zip(variants(&model.labels))
            .for_each(|(label, variant)| text.push_str(&self.variant(label, &variant)));
        text.push_str("}\n");
        text
    }

    /// A variant.
    pub(crate) fn variant(&self, label: &str, variant: &str) -> String {
        let part = (snake_case(variant) != label).then(|| format!("label = {}", quoted(label)));
        format!("{}    {variant},\n", attributes("    ", &Vec::from_iter(part)))
    }

    /// A struct.
    pub(crate) fn table(&mut self, name: &str, table: &Table) -> String {
        let ident = self.ident(name);
        let mut places = Places::of(name, table);
        let mut parts = self.on_type("table", name, &ident);
        parts.append(&mut places.on_struct);
        let mut text = docs("", table.comment.as_deref());
        let _ = writeln!(text, "#[derive(Clone, Debug, {}::Schema)]", self.home.krate);
        if says_twice(&parts) {
            text.push_str("#[allow(clippy::duplicated_attributes)]\n");
        }
        text.push_str(&attributes("", &parts));
        let _ = writeln!(text, "pub struct {ident} {{");
        for column in &table.columns {
            text.push_str(&self.field_of(name, column, &mut places));
        }
        text.push_str("}\n");
        text
    }

    /// The fields of these columns of a table.
    pub(crate) fn fields(&mut self, name: &str, table: &Table, is_wanted: impl Fn(&Column) -> bool) -> String {
        let mut places = Places::of(name, table);
        table.columns.iter().filter(|column| is_wanted(column)).map(|column| self.field_of(name, column, &mut places)).collect()
    }

    /// What the attribute of a struct or an enum says besides its own.
    fn on_type(&self, key: &str, name: &str, ident: &str) -> Vec<String> {
        let named = (snake_case(ident) != name).then(|| format!("{key} = {}", quoted(name)));
        let folder = (self.home.folder != FOLDER).then(|| format!("migrations = {}", quoted(&self.home.folder)));
        named.into_iter().chain(folder).collect()
    }

    fn field_of(&mut self, table: &str, column: &Column, places: &mut Places) -> String {
        let mut text = docs("    ", column.comment.as_deref());
        let (rust, declared) = self.rust_type(&column.sql_type);
        let rust = rust.unwrap_or_else(|| {
            self.placeholders.push(format!("`{table}.{}` ({})", column.name, column.sql_type));
            let _ = writeln!(text, "    // a Rust type that carries `{}` belongs here", column.sql_type);
            PLACEHOLDER.to_owned()
        });
        let (ident, is_same) = field_name(&column.name);
        let mut parts = Vec::new();
        if !is_same {
            parts.push(format!("column = {}", quoted(&column.name)));
        }
        parts.extend(places.on_field.remove(&column.name).unwrap_or_default());
        if let Some(identity) = &column.identity {
            parts.push(if identity.always { "identity = \"always\"".to_owned() } else { "identity".to_owned() });
            parts.extend(identity.options.as_ref().map(|options| format!("sequence_options = {}", quoted(options))));
        }
        parts.extend((declared != column.sql_type).then(|| format!("type = {}", quoted(&column.sql_type))));
        parts.extend(column.collation.as_ref().map(|name| format!("collate = {}", quoted(name))));
        parts.extend(column.default.as_ref().map(|text| format!("default = {}", quoted(text))));
        parts.extend(column.generated.as_ref().map(|text| format!("generated = {}", quoted(text))));
        let rust = if column.nullable { format!("Option<{rust}>") } else { rust };
        text.push_str(&attributes("    ", &parts));
        let _ = writeln!(text, "    pub {ident}: {rust},");
        text
    }

    /// The Rust type for a column's, where one is known, and the type that it declares by itself.
    fn rust_type(&mut self, sql: &str) -> (Option<String>, String) {
        if let Some(element) = sql.strip_suffix("[]") {
            let (rust, declared) = self.rust_type(element);
            return (rust.map(|rust| format!("Vec<{rust}>")), format!("{declared}[]"));
        }
        let name = types::element(sql);
        if self.schema.enums.contains_key(&name) {
            return (Some(self.ident(&name)), sql.to_owned());
        }
        if let Some(domain) = self.schema.domains.get(&name) {
            // the value is one of the type that it is based on
            return self.rust_type(&domain.sql_type);
        }
        let Some(found) = Known::of(sql, &self.home.features) else { return (None, "text".to_owned()) };
        if !found.is_on(&self.home.features) {
            self.lacking_features.extend(found.feature);
        }
        let is_there = |of: &Crate| self.home.crates.iter().any(|name| name == of.name);
        self.lacking_crates.extend(found.of.filter(|of| !is_there(of)));
        (Some(found.rust.to_owned()), found.declared().to_owned())
    }
}

/// The lists of `database!` that have no Rust items: the key of each, and what it has by name.
pub(crate) fn lists(schema: &Schema) -> [(&'static str, Vec<(&str, String)>); 3] {
    let domains = schema.domains.iter().map(|(name, model)| (name.as_str(), domain(name, model)));
    let composites = schema.composites.iter().map(|(name, model)| (name.as_str(), composite(name, model)));
    let sequences = schema.sequences.iter().map(|(name, model)| (name.as_str(), sequence(name, model)));
    [("domains", domains.collect()), ("composites", composites.collect()), ("sequences", sequences.collect())]
}

/// A domain as `database!` lists it.
fn domain(name: &str, domain: &Domain) -> String {
    let text = |key: &str, text: &str| format!("{key} = {}", quoted(text));
    let mut parts = vec![text("type", &domain.sql_type)];
    parts.extend(domain.collation.as_deref().map(|name| text("collate", name)));
    parts.extend(domain.not_null.then(|| "not_null".to_owned()));
    parts.extend(domain.default.as_deref().map(|default| text("default", default)));
    let checks = domain.checks.iter();
    parts.extend(checks.map(|(name, check)| format!("check({}, {})", text("name", name), text("expr", check))));
    parts.extend(domain.comment.as_deref().map(|comment| text("comment", comment)));
    format!("{}({})", word(name), parts.join(", "))
}

/// A composite type as `database!` lists it.
fn composite(name: &str, composite: &Composite) -> String {
    let attributes = composite.attributes.iter().map(|own| match &own.collation {
        None => format!("{}: {}", word(&own.name), quoted(&own.sql_type)),
        Some(collation) => format!("{}(type = {}, collate = {})", word(&own.name), quoted(&own.sql_type), quoted(collation)),
    });
    let comment = composite.comment.as_deref().map(|comment| format!("comment = {}", quoted(comment)));
    format!("{}({})", word(name), attributes.chain(comment).collect::<Vec<_>>().join(", "))
}

/// A sequence as `database!` lists it.
fn sequence(name: &str, sequence: &Sequence) -> String {
    let plain = Sequence::default();
    let number = |key: &str, number: i64| format!("{key} = {number}");
    let Sequence { sql_type, start, increment, min, max, cache, cycle, comment } = sequence;
    let mut parts = Vec::new();
    parts.extend((*sql_type != plain.sql_type).then(|| format!("type = {}", quoted(sql_type))));
    parts.extend(start.map(|start| number("start", start)));
    parts.extend((*increment != plain.increment).then(|| number("increment", *increment)));
    parts.extend(min.map(|min| number("min", min)));
    parts.extend(max.map(|max| number("max", max)));
    parts.extend((*cache != plain.cache).then(|| number("cache", *cache)));
    parts.extend(cycle.then(|| "cycle".to_owned()));
    parts.extend(comment.as_deref().map(|comment| format!("comment = {}", quoted(comment))));
    if parts.is_empty() { word(name) } else { format!("{}({})", word(name), parts.join(", ")) }
}

/// A name in a list of `database!`: in quotes where it is no word of Rust.
fn word(name: &str) -> String {
    if is_ident(name) && !KEYWORDS.contains(&name) { name.to_owned() } else { quoted(name) }
}

/// `#[schema(…)]`, in one line where it fits, else an attribute for each.
fn attributes(indent: &str, parts: &[String]) -> String {
    let whole = format!("{indent}#[schema({})]\n", parts.join(", "));
    match parts {
        [] => String::new(),
        _ if whole.chars().count() <= 101 => whole,
        _ => parts.iter().map(|part| format!("{indent}#[schema({part})]\n")).collect(),
    }
}

/// Whether Clippy would take words of two indexes, keys or constraints for one that is said twice.
fn says_twice(parts: &[String]) -> bool {
    fn walk(tokens: TokenStream, place: &str, seen: &mut BTreeSet<String>) -> bool {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let is_comma = |token: &TokenTree| matches!(token, TokenTree::Punct(mark) if mark.as_char() == ',');
        tokens.split(is_comma).any(|item| match item {
            [TokenTree::Ident(word), TokenTree::Group(inner)] => walk(inner.stream(), &format!("{place} {word}"), seen),
            [] => false,
            said => !seen.insert(said.iter().fold(place.to_owned(), |text, token| format!("{text} {token}"))),
        })
    }
    parts.join(", ").parse().is_ok_and(|tokens| walk(tokens, "", &mut BTreeSet::new()))
}

/// A comment as documentation.
fn docs(indent: &str, comment: Option<&str>) -> String {
    let lines = comment.into_iter().flat_map(str::lines);
    let shown = |line: &str| match line.chars().any(char::is_control) {
        true => format!("{indent}#[doc = {}]\n", Literal::string(line)),
        false => format!("{}\n", format!("{indent}/// {line}").trim_end()),
    };
    lines.map(shown).collect()
}

/// A type's name: `order_line` is `OrderLine`.
fn type_name(name: &str) -> String {
    let words = name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let capital = |word: &str| word.chars().take(1).flat_map(char::to_uppercase).chain(word.chars().skip(1)).collect::<String>();
    let ident: String = words.map(capital).collect();
    if ident.is_empty() || ident.starts_with(|c: char| c.is_ascii_digit()) { format!("N{ident}") } else { ident }
}

/// The variants for labels, each name once.
pub(crate) fn variants(labels: &[String]) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for label in labels {
        let mut variant = type_name(label);
        while variant == "Self" || found.contains(&variant) {
            variant.push('_');
        }
        found.push(variant);
    }
    found
}

/// A field's name, and whether it is the column's.
fn field_name(column: &str) -> (String, bool) {
    if is_ident(column) && !["self", "super", "crate", "Self", "_"].contains(&column) {
        return (if KEYWORDS.contains(&column) { format!("r#{column}") } else { column.to_owned() }, true);
    }
    let mut ident: String = column.chars().map(|c| if c.is_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect();
    if ident.starts_with(|c: char| c.is_ascii_digit())
        || ident.chars().all(|c| c == '_')
        || KEYWORDS.contains(&ident.as_str())
        || ["self", "super", "crate"].contains(&ident.as_str())
    {
        ident = format!("field_{ident}");
    }
    (ident, false)
}

fn is_ident(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    name.chars().all(plain) && !name.starts_with(|c: char| c.is_ascii_digit()) && !name.is_empty()
}

/// The words of Rust that are no names.
const KEYWORDS: &[&str] = &[
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "do", "dyn", "else", "enum", "extern",
    "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop", "macro", "match", "mod", "move", "mut", "override",
    "priv", "pub", "ref", "return", "static", "struct", "trait", "true", "try", "type", "typeof", "unsafe", "unsized", "use",
    "virtual", "where", "while", "yield",
];
