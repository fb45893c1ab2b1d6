//! A struct as a table: its fields, and the constraints and indexes that fields and struct declare.

use diptych_core::ops::column_spec::{self, normal_action};
use diptych_core::schema::{IndexColumn, References};
use diptych_core::{Constraint, Index, names, sql};
use proc_macro2::Span;
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Error, Fields, Generics, Ident, Path, Type};

use crate::attr::{self, Dropped, OldWrites, OnField, Target};
use crate::errors::{self, Mistakes};

/// A struct.
pub(crate) struct Struct {
    pub(crate) ident: Ident,
    pub(crate) generics: Generics,
    pub(crate) path: Path,
    pub(crate) table: String,
    pub(crate) comment: Option<String>,
    pub(crate) migrations: String,
    pub(crate) renamed_from: Option<String>,
    pub(crate) dropped: Vec<Dropped>,
    pub(crate) fields: Vec<Field>,
    /// The columns of the primary key.
    pub(crate) key: Vec<String>,
    pub(crate) constraints: Vec<Declared<Constraint>>,
    pub(crate) indexes: Vec<Declared<Index>>,
}

/// A field.
pub(crate) struct Field {
    pub(crate) span: Span,
    pub(crate) ty: Type,
    pub(crate) column: String,
    pub(crate) comment: Option<String>,
    pub(crate) attributes: OnField,
}

/// A constraint or an index, and where it is declared.
pub(crate) struct Declared<T> {
    pub(crate) name: Option<String>,
    pub(crate) definition: T,
    pub(crate) columns: Vec<String>,
    pub(crate) span: Span,
    pub(crate) old_writes: OldWrites,
    /// Where `allow` goes, for messages.
    pub(crate) place: &'static str,
}

const ON_FIELD: &str = "to the field's `#[schema(…)]`";
const ON_KEY_FIELDS: &str = "to the `#[schema(…)]` of the key's fields";
const IN_GROUP: &str = "within the parentheses";

/// Reads a struct. What could be read comes with the mistakes, so that one mistake gives one error.
pub(crate) fn read(input: &DeriveInput) -> (Struct, Mistakes) {
    let mut mistakes = Mistakes::default();
    if let Some(parameter) = input.generics.params.first() {
        mistakes.note(Error::new(parameter.span(), errors::GENERIC));
    }
    let on_struct = attr::on_struct(&input.attrs, &mut mistakes);
    let mut result = Struct {
        ident: input.ident.clone(),
        generics: input.generics.clone(),
        path: on_struct.path.clone(),
        table: on_struct.table.clone().unwrap_or_else(|| snake_case(&input.ident.unraw().to_string())),
        comment: attr::doc(&input.attrs),
        migrations: on_struct.migrations.clone(),
        renamed_from: on_struct.renamed_from.clone(),
        dropped: Vec::new(),
        fields: Vec::new(),
        key: Vec::new(),
        constraints: Vec::new(),
        indexes: Vec::new(),
    };
    match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => result.fields = fields.named.iter().map(|field| read_field(field, &mut mistakes)).collect(),
            _ => mistakes.note(Error::new(input.ident.span(), errors::UNNAMED_FIELDS)),
        },
        _ => mistakes.note(Error::new(input.ident.span(), errors::NOT_A_STRUCT)),
    }
    check_name("table", &result.table, None, input.ident.span(), &mut mistakes);
    for (at, field) in result.fields.iter().enumerate() {
        check_name("column", &field.column, Some(&result.table), field.span, &mut mistakes);
        if result.fields[..at].iter().any(|other| other.column == field.column) {
            mistakes.note(Error::new(field.span, errors::same_column(&result.table, &field.column)));
        }
    }
    if mistakes.is_empty() {
        declare_on_fields(&mut result);
        declare_on_struct(&mut result, &on_struct, &mut mistakes);
        for declared in &result.constraints {
            check_given("constraint", declared, &result.table, &mut mistakes);
        }
        for declared in &result.indexes {
            check_given("index", declared, &result.table, &mut mistakes);
        }
    }
    result.dropped = on_struct.dropped;
    (result, mistakes)
}

fn check_given<T>(kind: &str, declared: &Declared<T>, table: &str, mistakes: &mut Mistakes) {
    if let Some(name) = &declared.name {
        check_name(kind, name, Some(table), declared.span, mistakes);
    }
}

fn check_name(kind: &str, name: &str, table: Option<&str>, span: Span, mistakes: &mut Mistakes) {
    if let Err(error) = column_spec::check_name(kind, name, table) {
        mistakes.note(Error::new(span, error.to_string()));
    }
}

fn read_field(field: &syn::Field, mistakes: &mut Mistakes) -> Field {
    let span = field.ident.as_ref().map_or_else(|| field.span(), Ident::span);
    let mut own = Mistakes::default();
    let attributes = attr::on_field(&field.attrs, span, &mut own);
    mistakes.extend(own);
    let ident = field.ident.as_ref().map(|ident| ident.unraw().to_string()).unwrap_or_default();
    Field {
        span,
        ty: field.ty.clone(),
        column: attributes.column.clone().unwrap_or(ident),
        comment: attr::doc(&field.attrs),
        attributes,
    }
}

fn declare_on_fields(table: &mut Struct) {
    table.key = table.fields.iter().filter(|field| field.attributes.primary_key).map(|field| field.column.clone()).collect();
    if !table.key.is_empty() {
        let span =
            table.fields.iter().find(|field| field.attributes.primary_key).map_or_else(Span::call_site, |field| field.span);
        // each key column's own `allow` counts
        table.constraints.push(primary_key(table.key.clone(), span, OldWrites::MustWork, ON_KEY_FIELDS));
    }
    for field in &table.fields {
        let (span, old_writes, columns) = (field.span, field.attributes.old_writes, vec![field.column.clone()]);
        if field.attributes.unique {
            table.constraints.push(Declared {
                name: None,
                definition: unique(&columns),
                columns: columns.clone(),
                span,
                old_writes,
                place: ON_FIELD,
            });
        }
        if let Some(expression) = &field.attributes.check {
            let name = names::object_name(&table.table, Some(&field.column), "check");
            let columns = mentioned(&table.fields, expression);
            table.constraints.push(Declared {
                name: Some(name),
                definition: check(expression),
                columns,
                span,
                old_writes,
                place: ON_FIELD,
            });
        }
        if let Some(target) = &field.attributes.references {
            let definition = foreign_key(&columns, target, &field.attributes.on_delete, &field.attributes.on_update);
            table.constraints.push(Declared {
                name: None,
                definition,
                columns: columns.clone(),
                span,
                old_writes,
                place: ON_FIELD,
            });
        }
        if field.attributes.index {
            table.indexes.push(Declared {
                name: None,
                definition: index(&columns, false),
                columns,
                span,
                old_writes,
                place: ON_FIELD,
            });
        }
    }
}

fn declare_on_struct(table: &mut Struct, attributes: &attr::OnStruct, mistakes: &mut Mistakes) {
    let groups =
        attributes.primary_key.iter().chain(&attributes.uniques).chain(&attributes.indexes).chain(&attributes.foreign_keys);
    for (name, span) in groups.flat_map(|group| &group.columns) {
        if !table.fields.iter().any(|field| field.column == *name) {
            mistakes.note(Error::new(*span, errors::no_such_field(&table.table, name)));
        }
    }
    if let Some(group) = &attributes.primary_key {
        if !table.key.is_empty() {
            mistakes.note(Error::new(group.span, errors::TWO_KEYS));
        }
        table.key = group.names();
        table.constraints.insert(0, primary_key(group.names(), group.span, group.old_writes, IN_GROUP));
    }
    let declared = |group: &attr::Group, definition: Constraint, columns: Vec<String>| Declared {
        name: group.name.clone(),
        definition,
        columns,
        span: group.span,
        old_writes: group.old_writes,
        place: IN_GROUP,
    };
    table.constraints.extend(attributes.uniques.iter().map(|group| declared(group, unique(&group.names()), group.names())));
    for group in &attributes.checks {
        let expression = group.expr.clone().unwrap_or_default();
        table.constraints.push(declared(group, check(&expression), mentioned(&table.fields, &expression)));
    }
    for group in &attributes.foreign_keys {
        if let Some(target) = &group.references {
            let definition = foreign_key(&group.names(), target, &group.on_delete, &group.on_update);
            table.constraints.push(declared(group, definition, group.names()));
        }
    }
    table.indexes.extend(attributes.indexes.iter().map(|group| Declared {
        name: group.name.clone(),
        definition: index(&group.names(), group.unique),
        columns: group.names(),
        span: group.span,
        old_writes: group.old_writes,
        place: IN_GROUP,
    }));
}

fn primary_key(columns: Vec<String>, span: Span, old_writes: OldWrites, place: &'static str) -> Declared<Constraint> {
    Declared { name: None, definition: Constraint::primary_key(columns.clone()), columns, span, old_writes, place }
}

fn unique(columns: &[String]) -> Constraint {
    Constraint::unique(columns.to_vec())
}

fn check(expression: &str) -> Constraint {
    Constraint::Check { check: expression.to_owned(), no_inherit: false }
}

fn foreign_key(columns: &[String], target: &Target, on_delete: &Option<String>, on_update: &Option<String>) -> Constraint {
    Constraint::ForeignKey {
        columns: columns.to_vec(),
        references: References {
            table: target.table.clone(),
            columns: target.columns.clone(),
            on_delete: normal_action(on_delete.as_deref()),
            on_update: normal_action(on_update.as_deref()),
            ..References::default()
        },
        deferrable: false,
        initially_deferred: false,
    }
}

fn index(columns: &[String], unique: bool) -> Index {
    let columns = columns.iter().map(|column| IndexColumn { column: column.clone(), ..IndexColumn::default() }).collect();
    Index { columns, unique, ..Index::default() }
}

fn mentioned(fields: &[Field], expression: &str) -> Vec<String> {
    fields.iter().map(|field| field.column.clone()).filter(|column| sql::mentions(expression, column)).collect()
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
