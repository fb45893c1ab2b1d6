//! A struct as a table: its fields, and the constraints and indexes that fields and struct declare.

use diptych_core::model::facts::Facts;
use diptych_core::model::rules;
use diptych_core::model::schema::{Exclusion, IndexColumn, IndexParameters, References, ReplicaIdentity};
use diptych_core::model::table_constraint::TableConstraint;
use diptych_core::{Constraint, Expression, Index, Statistics, Storage, Table, model::lexer, names};
use proc_macro2::{Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Error, Fields, Generics, Ident, Path, Type};

use crate::attr::{self, Deferral, Dropped, Group, OldWrites, OnField};
use crate::errors::{self, Mistakes};
use crate::symbol;

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
    pub(crate) statistics: Vec<Declared<Statistics>>,
    pub(crate) storage: Storage,
    pub(crate) replica_identity: Option<ReplicaIdentity>,
    pub(crate) partition_by: Option<String>,
}

/// A field.
pub(crate) struct Field {
    pub(crate) span: Span,
    pub(crate) ty: Type,
    pub(crate) column: String,
    pub(crate) comment: Option<String>,
    pub(crate) attributes: OnField,
}

/// A constraint, an index or statistics, and where they are declared.
pub(crate) struct Declared<T> {
    pub(crate) name: Option<String>,
    pub(crate) definition: T,
    pub(crate) columns: Vec<String>,
    pub(crate) span: Span,
    pub(crate) place: Place,
}

/// Where a constraint or an index is declared, which says whose `allow` counts.
pub(crate) enum Place {
    /// On the field of this column.
    Field(String),
    /// On the key's fields: each one's own counts.
    Key,
    /// On the struct, with an `allow` of its own.
    Group(OldWrites),
}

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
        statistics: Vec::new(),
        storage: on_struct.storage.clone(),
        replica_identity: on_struct.replica_identity.clone(),
        partition_by: on_struct.partition_by.clone(),
    };
    match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => {
                result.fields = fields.named.iter().map(|field| read_field(field, &input.ident, &mut mistakes)).collect()
            }
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
    check_storage(&result, &mut mistakes);
    if mistakes.is_empty() {
        declare_on_fields(&mut result, &mut mistakes);
        declare_on_struct(&mut result, &on_struct, &mut mistakes);
        for declared in &result.constraints {
            check_given("constraint", declared, &result.table, &mut mistakes);
        }
        for declared in &result.indexes {
            check_given("index", declared, &result.table, &mut mistakes);
        }
        for declared in &result.statistics {
            check_given("statistics", declared, &result.table, &mut mistakes);
        }
    }
    result.dropped = on_struct.dropped;
    (result, mistakes)
}

fn check_storage(table: &Struct, mistakes: &mut Mistakes) {
    let (partition_by, storage) = (table.partition_by.clone().map(Expression::from), table.storage.clone());
    if let Err(error) = (Table { partition_by, storage, ..Table::default() }).check_storage(&table.table) {
        mistakes.note(Error::new(table.ident.span(), errors::not_taken(&error)));
    }
}

fn check_given<T>(kind: &str, declared: &Declared<T>, table: &str, mistakes: &mut Mistakes) {
    if let Some(name) = &declared.name {
        check_name(kind, name, Some(table), declared.span, mistakes);
    }
}

fn check_name(kind: &str, name: &str, table: Option<&str>, span: Span, mistakes: &mut Mistakes) {
    if let Err(error) = rules::check_name(kind, name, table) {
        mistakes.note(Error::new(span, errors::not_taken(&error)));
    }
}

fn read_field(field: &syn::Field, table: &Ident, mistakes: &mut Mistakes) -> Field {
    let span = field.ident.as_ref().map_or_else(|| field.span(), Ident::span);
    let mut own = Mistakes::default();
    let attributes = attr::on_field(&field.attrs, span, &mut own);
    mistakes.extend(own);
    let ident = field.ident.as_ref().map(|ident| ident.unraw().to_string()).unwrap_or_default();
    Field {
        span,
        ty: named_self(&field.ty, table),
        column: attributes.column.clone().unwrap_or(ident),
        comment: attr::doc(&field.attrs),
        attributes,
    }
}

/// A type that says `Self`, in the words of what stands beside the struct.
fn named_self(ty: &Type, table: &Ident) -> Type {
    fn each(stream: TokenStream, table: &Ident) -> TokenStream {
        let renamed = |token| match token {
            TokenTree::Ident(ident) if ident == "Self" => {
                let mut own = table.clone();
                own.set_span(ident.span());
                TokenTree::Ident(own)
            }
            TokenTree::Group(group) => {
                let mut inner = proc_macro2::Group::new(group.delimiter(), each(group.stream(), table));
                inner.set_span(group.span());
                TokenTree::Group(inner)
            }
            other => other,
        };
        stream.into_iter().map(renamed).collect()
    }
    // invisible groups around what a macro gave are not to be read anew
    let tokens = ty.to_token_stream();
    if !tokens.to_string().contains("Self") {
        ty.clone()
    } else {
        syn::parse2(each(tokens, table)).unwrap_or_else(|_| ty.clone())
    }
}

fn declare_on_fields(table: &mut Struct, mistakes: &mut Mistakes) {
    table.key = table.fields.iter().filter(|field| field.attributes.primary_key).map(|field| field.column.clone()).collect();
    if !table.key.is_empty() {
        let span =
            table.fields.iter().find(|field| field.attributes.primary_key).map_or_else(Span::call_site, |field| field.span);
        let (definition, columns) = (Constraint::primary_key(table.key.clone()), table.key.clone());
        table.constraints.push(Declared { name: None, definition, columns, span, place: Place::Key });
    }
    for field in &table.fields {
        let (span, attributes, columns) = (field.span, &field.attributes, vec![field.column.clone()]);
        let place = || Place::Field(field.column.clone());
        if attributes.unique {
            let (definition, columns) = (Constraint::unique(columns.clone()), columns.clone());
            table.constraints.push(Declared { name: None, definition, columns, span, place: place() });
        }
        if let Some(expression) = &attributes.check {
            let name = Some(names::object_name(&table.table, Some(&field.column), "check"));
            let definition = Constraint::Check { check: expression.clone().into(), no_inherit: false };
            let columns = mentioned(table, &definition.texts());
            table.constraints.push(Declared { name, definition, columns, span, place: place() });
        }
        if let Some(target) = &attributes.references {
            let spec = TableConstraint {
                kind: "foreign_key".to_owned(),
                columns: columns.clone(),
                deferrable: attributes.deferral != Deferral::Immediate,
                initially_deferred: attributes.deferral == Deferral::Deferred,
                references: Some(References {
                    table: target.table.clone(),
                    columns: target.columns.clone(),
                    on_delete: attributes.on_delete.clone(),
                    on_update: attributes.on_update.clone(),
                    match_type: attributes.match_type.clone(),
                    ..References::default()
                }),
                ..TableConstraint::default()
            };
            if let Some(definition) = constraint(&table.table, &spec, span, mistakes) {
                let columns = columns.clone();
                table.constraints.push(Declared { name: None, definition, columns, span, place: place() });
            }
        }
        if attributes.index {
            let keys = vec![IndexColumn { column: field.column.clone(), ..IndexColumn::default() }];
            let definition = Index { columns: keys, ..Index::default() };
            table.indexes.push(Declared { name: None, definition, columns, span, place: place() });
        }
    }
}

fn declare_on_struct(table: &mut Struct, attributes: &attr::OnStruct, mistakes: &mut Mistakes) {
    let (keys, uniques, indexes) = (&attributes.primary_key, &attributes.uniques, &attributes.indexes);
    let groups = keys.iter().chain(uniques).chain(indexes).chain(&attributes.foreign_keys).chain(&attributes.exclusions);
    let groups = groups.chain(&attributes.statistics);
    for (name, span) in groups.flat_map(Group::named) {
        if !table.fields.iter().any(|field| field.column == *name) {
            mistakes.note(Error::new(*span, errors::no_such_field(&table.table, name)));
        }
    }
    if let Some(group) = &attributes.primary_key
        && !table.key.is_empty()
    {
        mistakes.note(Error::new(group.span, errors::TWO_KEYS));
    }
    let declare = |kind: &str, group: &Group, mistakes: &mut Mistakes| {
        let definition = constraint(&table.table, &spec(kind, group), group.span, mistakes)?;
        let columns = match &definition {
            Constraint::Check { .. } | Constraint::Exclude { .. } => mentioned(table, &definition.texts()),
            _ => group.names(),
        };
        let (name, span, place) = (group.text(symbol::NAME), group.span, Place::Group(group.old_writes));
        Some(Declared { name, definition, columns, span, place })
    };
    let mut declared = Vec::new();
    for (kind, groups) in [
        ("unique", &attributes.uniques),
        ("check", &attributes.checks),
        ("foreign_key", &attributes.foreign_keys),
        ("exclude", &attributes.exclusions),
    ] {
        declared.extend(groups.iter().filter_map(|group| declare(kind, group, mistakes)));
    }
    let key = attributes.primary_key.as_ref().and_then(|group| declare("primary_key", group, mistakes));
    if let Some(key) = key {
        table.key.clone_from(&key.columns);
        table.constraints.insert(0, key);
    }
    table.constraints.extend(declared);
    for group in &attributes.indexes {
        declare_index(table, group, mistakes);
    }
    for group in &attributes.statistics {
        declare_statistics(table, group, mistakes);
    }
}

fn declare_index(table: &mut Struct, group: &Group, mistakes: &mut Mistakes) {
    let name = group.text(symbol::NAME);
    let definition = Index {
        columns: group.keys.clone(),
        unique: group.has(symbol::UNIQUE),
        method: group.text(symbol::METHOD),
        predicate: group.text(symbol::PREDICATE).map(Expression::from),
        storage_parameters: group.text(symbol::STORAGE_PARAMETERS),
        tablespace: group.text(symbol::TABLESPACE),
        include: group.list(symbol::INCLUDE),
        nulls_not_distinct: group.has(symbol::NULLS_NOT_DISTINCT),
    }
    .normal();
    let shown = name.clone().unwrap_or_else(|| names::object_name(&table.table, Some(&definition.default_stem()), "idx"));
    if let Err(error) = rules::check_index(&shown, &definition) {
        mistakes.note(Error::new(group.span, errors::not_taken(&error)));
        return;
    }
    let mut columns = group.names();
    columns.extend(mentioned(table, &definition.texts()));
    let (span, place) = (group.span, Place::Group(group.old_writes));
    table.indexes.push(Declared { name, definition, columns, span, place });
}

fn declare_statistics(table: &mut Struct, group: &Group, mistakes: &mut Mistakes) {
    let name = group.text(symbol::NAME);
    let (expressions, plain): (Vec<IndexColumn>, Vec<IndexColumn>) =
        group.keys.iter().cloned().partition(|key| key.expression.is_some());
    let kinds = group.text(symbol::KINDS).unwrap_or_default();
    let definition = Statistics {
        kinds: kinds.split(',').map(|kind| kind.trim().to_owned()).filter(|kind| !kind.is_empty()).collect(),
        columns: plain.into_iter().map(|key| key.column).collect(),
        expressions: expressions.into_iter().filter_map(|key| key.expression).collect(),
    }
    .normal();
    let shown = name.clone().unwrap_or_else(|| names::object_name(&table.table, Some(&definition.default_stem()), "stat"));
    let fields: Vec<&str> = table.fields.iter().map(|field| field.column.as_str()).collect();
    let is_more = |key: &&IndexColumn| (&key.sort, &key.nulls, &key.collate, &key.opclass) != (&None, &None, &None, &None);
    let checked = match group.keys.iter().find(is_more) {
        Some(_) => Err(diptych_core::Error::new(format!("a key of statistics `{shown}` is more than a column or an expression"))
            .hint("write `key(expression = \"lower(column)\")`, or the column alone")),
        None => rules::check_statistics(&shown, &definition, &fields),
    };
    if let Err(error) = checked {
        mistakes.note(Error::new(group.span, errors::not_taken(&error)));
        return;
    }
    let mut columns = group.names();
    columns.extend(mentioned(table, &definition.texts()));
    let (span, place) = (group.span, Place::Group(group.old_writes));
    table.statistics.push(Declared { name, definition, columns, span, place });
}

/// What a group says of a constraint, as a file would.
fn spec(kind: &str, group: &Group) -> TableConstraint {
    let references = group.references.as_ref().map(|target| References {
        table: target.table.clone(),
        columns: target.columns.clone(),
        on_delete: group.text(symbol::ON_DELETE),
        on_delete_set_columns: group.list(symbol::ON_DELETE_SET_COLUMNS),
        on_update: group.text(symbol::ON_UPDATE),
        match_type: group.text(symbol::MATCH_TYPE),
    });
    let exclude = group.text(symbol::ELEMENTS).map(|elements| Exclusion {
        index_method: group.text(symbol::INDEX_METHOD),
        elements: elements.into(),
        predicate: group.text(symbol::PREDICATE).map(Expression::from),
    });
    TableConstraint {
        name: group.text(symbol::NAME).unwrap_or_default(),
        kind: kind.to_owned(),
        columns: group.names(),
        check: group.text(symbol::EXPR),
        deferrable: group.has(symbol::DEFERRABLE),
        initially_deferred: group.has(symbol::INITIALLY_DEFERRED),
        no_inherit: group.has(symbol::NO_INHERIT),
        nulls_not_distinct: group.has(symbol::NULLS_NOT_DISTINCT),
        references,
        index_parameters: IndexParameters {
            include_columns: group.list(symbol::INCLUDE),
            storage_parameters: group.text(symbol::STORAGE_PARAMETERS),
            tablespace: group.text(symbol::TABLESPACE),
        },
        exclude,
    }
}

/// The model of it, in its normal form.
fn constraint(table: &str, spec: &TableConstraint, span: Span, mistakes: &mut Mistakes) -> Option<Constraint> {
    let model = spec.constraint(table).and_then(|model| {
        if let Constraint::ForeignKey { columns, references, .. } = &model {
            let place = if spec.name.is_empty() { String::new() } else { format!(" `{}`", spec.name) };
            rules::check_references(&format!("foreign key{place} of table `{table}`"), columns, references)?;
        }
        Ok(model)
    });
    model.map_err(|error| mistakes.note(Error::new(span, errors::not_taken(&error)))).ok()
}

/// The columns that texts seem to read: nobody can be asked while a build runs.
fn mentioned(table: &Struct, texts: &[&Expression]) -> Vec<String> {
    let names = || table.fields.iter().map(|field| field.column.as_str());
    let read: Vec<Facts> = texts.iter().map(|text| lexer::assume(text, &table.table, names())).collect();
    names().filter(|column| read.iter().any(|facts| facts.reads(column))).map(str::to_owned).collect()
}

pub(crate) fn snake_case(name: &str) -> String {
    let mut result = String::new();
    for (at, character) in name.chars().enumerate() {
        if character.is_uppercase() && at > 0 {
            result.push('_');
        }
        result.extend(character.to_lowercase());
    }
    result
}
