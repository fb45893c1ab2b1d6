//! A schema as source code: structs with `#[derive(Schema)]`, enums with `#[derive(SchemaEnum)]`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use diptych_core::model::schema::{Exclusion, IndexColumn, IndexParameters, References, ReplicaIdentity};
use diptych_core::{Column, Constraint, Enum, Index, Schema, Table, model::types, names};
use proc_macro2::Literal;

use crate::source::snake_case;

/// A Rust type: the type of its columns, the feature that it needs and the crate that it is of.
struct Known {
    sql: &'static str,
    rust: &'static str,
    feature: Option<&'static str>,
    of: Option<Crate>,
}

/// A crate that values are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Crate {
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
    /// The feature by which its values go to tokio-postgres, where the crate itself has the support.
    pub(crate) feature: Option<&'static str>,
}

impl Crate {
    const fn named(name: &'static str, version: &'static str) -> Self {
        Crate { name, version, feature: None }
    }
}

const BIT_VEC: Crate = Crate::named("bit-vec", "0.8");
const CHRONO: Crate = Crate::named("chrono", "0.4");
const CIDR: Crate = Crate::named("cidr", "0.3");
const EUI48: Crate = Crate::named("eui48", "1");
const GEO_TYPES: Crate = Crate::named("geo-types", "0.7");
const JIFF: Crate = Crate::named("jiff", "0.2");
const PGVECTOR: Crate = Crate { name: "pgvector", version: "0.4", feature: Some("postgres") };
const RUST_DECIMAL: Crate = Crate { name: "rust_decimal", version: "1", feature: Some("db-tokio-postgres") };
const SERDE_JSON: Crate = Crate::named("serde_json", "1");
const TIME: Crate = Crate::named("time", "0.3");
const UUID: Crate = Crate::named("uuid", "1");

const fn known(sql: &'static str, rust: &'static str) -> Known {
    Known { sql, rust, feature: None, of: None }
}

const fn from(sql: &'static str, rust: &'static str, feature: &'static str, of: Crate) -> Known {
    Known { sql, rust, feature: Some(feature), of: Some(of) }
}

/// What a column of a type becomes: the first whose feature is on, else the first at all (docs/types.md has all that are possible).
const KNOWN: &[Known] = &[
    known("boolean", "bool"),
    known("smallint", "i16"),
    known("integer", "i32"),
    known("bigint", "i64"),
    known("real", "f32"),
    known("double precision", "f64"),
    known("text", "String"),
    known("character varying", "String"),
    known("character", "String"),
    known("citext", "String"),
    known("name", "String"),
    known("bytea", "Vec<u8>"),
    known("hstore", "std::collections::HashMap<String, Option<String>>"),
    from("jsonb", "serde_json::Value", "with-serde_json-1", SERDE_JSON),
    from("json", "serde_json::Value", "with-serde_json-1", SERDE_JSON),
    from("uuid", "uuid::Uuid", "with-uuid-1", UUID),
    from("numeric", "rust_decimal::Decimal", "with-rust_decimal-1", RUST_DECIMAL),
    from("timestamp with time zone", "chrono::DateTime<chrono::Utc>", "with-chrono-0_4", CHRONO),
    from("timestamp with time zone", "jiff::Timestamp", "with-jiff-0_2", JIFF),
    from("timestamp with time zone", "time::OffsetDateTime", "with-time-0_3", TIME),
    from("timestamp without time zone", "chrono::NaiveDateTime", "with-chrono-0_4", CHRONO),
    from("timestamp without time zone", "jiff::civil::DateTime", "with-jiff-0_2", JIFF),
    from("timestamp without time zone", "time::PrimitiveDateTime", "with-time-0_3", TIME),
    from("date", "chrono::NaiveDate", "with-chrono-0_4", CHRONO),
    from("date", "jiff::civil::Date", "with-jiff-0_2", JIFF),
    from("date", "time::Date", "with-time-0_3", TIME),
    from("time without time zone", "chrono::NaiveTime", "with-chrono-0_4", CHRONO),
    from("time without time zone", "jiff::civil::Time", "with-jiff-0_2", JIFF),
    from("time without time zone", "time::Time", "with-time-0_3", TIME),
    from("inet", "cidr::IpInet", "with-cidr-0_3", CIDR),
    from("cidr", "cidr::IpCidr", "with-cidr-0_3", CIDR),
    from("macaddr", "eui48::MacAddress", "with-eui48-1", EUI48),
    from("bit", "bit_vec::BitVec", "with-bit-vec-0_8", BIT_VEC),
    from("bit varying", "bit_vec::BitVec", "with-bit-vec-0_8", BIT_VEC),
    from("point", "geo_types::Point<f64>", "with-geo-types-0_7", GEO_TYPES),
    from("box", "geo_types::Rect<f64>", "with-geo-types-0_7", GEO_TYPES),
    from("path", "geo_types::LineString<f64>", "with-geo-types-0_7", GEO_TYPES),
    from("vector", "pgvector::Vector", "with-pgvector-0_4", PGVECTOR),
    from("sparsevec", "pgvector::SparseVector", "with-pgvector-0_4", PGVECTOR),
];

/// The type that fields of other types have until somebody names a better one.
const PLACEHOLDER: &str = "String";

/// The folder of migrations where the code names none.
const FOLDER: &str = "migrations";

/// Words of attributes that stand for themselves among columns.
const FLAGS: [&str; 5] = ["unique", "nulls_not_distinct", "deferrable", "initially_deferred", "no_inherit"];

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
        // without the modifier, which may stand in the middle: `timestamp(3) with time zone`
        let bare = match (sql.find('('), sql.find(')')) {
            (Some(open), Some(close)) if open < close => format!("{}{}", &sql[..open], &sql[close + 1..]),
            _ => sql.to_owned(),
        };
        let fitting = || KNOWN.iter().filter(|known| known.sql == bare);
        let is_on = |known: &&Known| known.feature.is_none_or(|feature| self.home.features.iter().any(|on| on == feature));
        let found = fitting().find(is_on).or_else(|| fitting().next());
        let Some(found) = found else { return (None, "text".to_owned()) };
        if !is_on(&found) {
            self.lacking_features.extend(found.feature);
        }
        let is_there = |of: &Crate| self.home.crates.iter().any(|name| name == of.name);
        self.lacking_crates.extend(found.of.filter(|of| !is_there(of)));
        let declared = match found.rust {
            PLACEHOLDER => "text",
            "serde_json::Value" => "jsonb",
            "bit_vec::BitVec" => "bit varying",
            _ => found.sql,
        };
        (Some(found.rust.to_owned()), declared.to_owned())
    }
}

/// Where each constraint and index of a table is said.
struct Places {
    on_struct: Vec<String>,
    on_field: BTreeMap<String, Vec<String>>,
}

impl Places {
    fn of(name: &str, table: &Table) -> Self {
        let mut places = Places { on_struct: Vec::new(), on_field: BTreeMap::new() };
        for (constraint, model) in &table.constraints {
            match on_field(name, table, constraint, model) {
                Some((column, key, part)) if places.is_free(column, key) => places.put(column, part),
                _ => places.on_struct.push(self::constraint(name, constraint, model)),
            }
        }
        for (index, model) in &table.indexes {
            let plain = |key: &IndexColumn| {
                let key = IndexColumn { column: key.column.clone(), ..IndexColumn::default() };
                Index { columns: vec![key], ..Index::default() }
            };
            match model.columns.first() {
                Some(key) if key.expression.is_none() && *model == plain(key) && places.is_free(&key.column, "index") => {
                    places.put(&key.column, "index".to_owned());
                }
                _ => places.on_struct.push(self::index(name, index, model)),
            }
        }
        // the key first, the rest by kind and name
        places.on_struct.sort_by_key(|part| !part.starts_with("primary_key"));
        let identity = table.replica_identity.as_ref().map(|identity| match identity {
            ReplicaIdentity::Nothing => "nothing".to_owned(),
            ReplicaIdentity::Full => "full".to_owned(),
            ReplicaIdentity::Index { index } => format!("index {index}"),
        });
        places.on_struct.extend(identity.map(|text| format!("replica_identity = {}", quoted(&text))));
        places.on_struct.extend(table.partition_by.as_ref().map(|text| format!("partition_by = {}", quoted(text))));
        places
    }

    /// Whether a field has none of this kind yet: it can have one of each.
    fn is_free(&self, column: &str, key: &str) -> bool {
        self.on_field.get(column).is_none_or(|parts| !parts.iter().any(|part| part.starts_with(key)))
    }

    fn put(&mut self, column: &str, part: String) {
        self.on_field.entry(column.to_owned()).or_default().push(part);
    }
}

/// A constraint that a field can say by itself: the column, the word that it begins with, and the whole.
fn on_field<'a>(table: &str, of: &'a Table, name: &str, model: &'a Constraint) -> Option<(&'a str, &'static str, String)> {
    match model {
        Constraint::PrimaryKey { columns, .. } if columns.len() == 1 && *model == Constraint::primary_key(columns.clone()) => {
            Some((&columns[0], "primary_key", "primary_key".to_owned()))
        }
        Constraint::Unique { columns, .. } if columns.len() == 1 && *model == Constraint::unique(columns.clone()) => {
            Some((&columns[0], "unique", "unique".to_owned()))
        }
        Constraint::Check { check, no_inherit: false } => {
            let column = of.columns.iter().find(|column| names::object_name(table, Some(&column.name), "check") == name)?;
            Some((&column.name, "check", format!("check = {}", quoted(check))))
        }
        Constraint::ForeignKey { columns, references, deferrable, initially_deferred }
            if columns.len() == 1 && references.on_delete_set_columns.is_empty() && is_plain(references) =>
        {
            let mut parts = reference(references);
            parts.extend(deferrals(*deferrable, *initially_deferred));
            Some((&columns[0], "references", parts.join(", ")))
        }
        _ => None,
    }
}

/// Whether a target's names can be told from the signs between them.
fn is_plain(references: &References) -> bool {
    let is_plain = |name: &String| !name.contains(['(', ')', ',']) && name.trim() == name;
    is_plain(&references.table) && references.columns.iter().all(is_plain)
}

fn reference(references: &References) -> Vec<String> {
    let mut parts = vec![format!("references = {}", quoted(&format!("{}({})", references.table, references.columns.join(", "))))];
    let texts =
        [("on_delete", &references.on_delete), ("on_update", &references.on_update), ("match_type", &references.match_type)];
    parts.extend(texts.into_iter().filter_map(|(key, text)| Some(format!("{key} = {}", quoted(text.as_ref()?)))));
    if !references.on_delete_set_columns.is_empty() {
        parts.push(format!("on_delete_set_columns({})", columns(&references.on_delete_set_columns)));
    }
    parts
}

fn deferrals(deferrable: bool, initially_deferred: bool) -> Option<String> {
    match (deferrable, initially_deferred) {
        (_, true) => Some("initially_deferred".to_owned()),
        (true, false) => Some("deferrable".to_owned()),
        (false, false) => None,
    }
}

/// A constraint as a struct says it.
fn constraint(table: &str, name: &str, model: &Constraint) -> String {
    let mut parts = Vec::new();
    let word = match model {
        Constraint::PrimaryKey { columns, deferrable, initially_deferred, index_parameters } => {
            parts.push(self::columns(columns));
            parts.extend(deferrals(*deferrable, *initially_deferred));
            parts.extend(self::parameters(index_parameters));
            "primary_key"
        }
        Constraint::Unique { columns, nulls_not_distinct, deferrable, initially_deferred, index_parameters } => {
            parts.push(self::columns(columns));
            parts.extend(nulls_not_distinct.then(|| "nulls_not_distinct".to_owned()));
            parts.extend(deferrals(*deferrable, *initially_deferred));
            parts.extend(self::parameters(index_parameters));
            "unique"
        }
        Constraint::Check { check, no_inherit } => {
            parts.extend([format!("name = {}", quoted(name)), format!("expr = {}", quoted(check))]);
            parts.extend(no_inherit.then(|| "no_inherit".to_owned()));
            return format!("check({})", parts.join(", "));
        }
        Constraint::ForeignKey { columns, references, deferrable, initially_deferred } => {
            parts.push(self::columns(columns));
            parts.extend(reference(references));
            parts.extend(deferrals(*deferrable, *initially_deferred));
            "foreign_key"
        }
        Constraint::Exclude { exclude, deferrable, initially_deferred, index_parameters } => {
            let Exclusion { index_method, elements, predicate } = exclude;
            parts.push(format!("name = {}", quoted(name)));
            parts.extend(index_method.as_ref().map(|method| format!("index_method = {}", quoted(method))));
            parts.push(format!("elements = {}", quoted(elements)));
            parts.extend(predicate.as_ref().map(|text| format!("predicate = {}", quoted(text))));
            parts.extend(deferrals(*deferrable, *initially_deferred));
            parts.extend(self::parameters(index_parameters));
            return format!("exclude({})", parts.join(", "));
        }
    };
    if model.default_name(table) != name {
        parts.push(format!("name = {}", quoted(name)));
    }
    format!("{word}({})", parts.join(", "))
}

fn parameters(of: &IndexParameters) -> Vec<String> {
    let IndexParameters { include_columns, storage_parameters, tablespace } = of;
    further(include_columns, storage_parameters.as_deref(), tablespace.as_deref())
}

fn further(include: &[String], storage_parameters: Option<&str>, tablespace: Option<&str>) -> Vec<String> {
    let mut parts = Vec::new();
    if !include.is_empty() {
        parts.push(format!("include({})", columns(include)));
    }
    parts.extend(storage_parameters.map(|text| format!("storage_parameters = {}", quoted(text))));
    parts.extend(tablespace.map(|text| format!("tablespace = {}", quoted(text))));
    parts
}

/// An index as a struct says it.
fn index(table: &str, name: &str, model: &Index) -> String {
    let mut parts: Vec<String> = model.columns.iter().map(key).collect();
    parts.extend(model.unique.then(|| "unique".to_owned()));
    parts.extend(model.nulls_not_distinct.then(|| "nulls_not_distinct".to_owned()));
    parts.extend(model.method.as_ref().map(|text| format!("method = {}", quoted(text))));
    parts.extend(model.predicate.as_ref().map(|text| format!("predicate = {}", quoted(text))));
    parts.extend(further(&model.include, model.storage_parameters.as_deref(), model.tablespace.as_deref()));
    if names::object_name(table, Some(&model.default_stem()), "idx") != name {
        parts.push(format!("name = {}", quoted(name)));
    }
    format!("index({})", parts.join(", "))
}

fn key(of: &IndexColumn) -> String {
    let IndexColumn { column, expression, collate, sort, nulls, opclass } = of;
    if *of == (IndexColumn { column: column.clone(), ..IndexColumn::default() }) {
        return columns(std::slice::from_ref(column));
    }
    let mut parts = match expression {
        Some(text) => vec![format!("expression = {}", quoted(text))],
        None => vec![columns(std::slice::from_ref(column))],
    };
    let texts = [("sort", sort), ("nulls", nulls), ("collate", collate)];
    parts.extend(texts.into_iter().filter_map(|(key, text)| Some(format!("{key} = {}", quoted(text.as_ref()?)))));
    if let Some(opclass) = opclass {
        parts.push(format!("opclass = {}", quoted(&opclass.name)));
        if !opclass.params.is_empty() {
            parts.push(format!("params = {}", quoted(&opclass.params.join(", "))));
        }
    }
    format!("key({})", parts.join(", "))
}

/// Columns as a list of an attribute has them.
fn columns(of: &[String]) -> String {
    let shown = |name: &String| match is_ident(name) && !FLAGS.contains(&name.as_str()) {
        true => name.clone(),
        false => quoted(name),
    };
    of.iter().map(shown).collect::<Vec<_>>().join(", ")
}

/// A text as a literal; one with quotes and backslashes as a raw one.
fn quoted(text: &str) -> String {
    let is_raw = text.contains(['"', '\\']) && !text.contains("\"#") && !text.chars().any(char::is_control);
    if is_raw { format!("r#\"{text}\"#") } else { Literal::string(text).to_string() }
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
