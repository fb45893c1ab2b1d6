//! What the structs declare, as the derive hands it over, and the snapshot that it leads to.

use std::collections::BTreeMap;

use crate::error::{Error, Result};
use crate::migration::ops::alter_enum::Allowed;
use crate::model::composite::Composite;
use crate::model::domain::Domain;
use crate::model::expression::Expression;
use crate::model::schema::{Column, Constraint, Enum, Index, ReplicaIdentity, Schema, Table};
use crate::model::sequence::Sequence;
use crate::model::snapshot::{Snapshot, Used};
use crate::model::statistics::Statistics;
use crate::model::storage::Storage;
use crate::model::texts::{Place, Purpose};
use crate::model::types;

/// Every extension, domain, composite type, sequence, enum and table of a `database!`, and those that are declared gone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeclaredSchema {
    /// `extensions: ["citext"]`.
    pub extensions: Vec<String>,
    /// `domains: [percent(type = "numeric(5,2)")]`, by name.
    pub domains: BTreeMap<String, Domain>,
    /// `composites: [address(street: "text", zip: "text")]`, by name.
    pub composites: BTreeMap<String, Composite>,
    /// `sequences: [invoice_number(start = 1000)]`, by name.
    pub sequences: BTreeMap<String, Sequence>,
    /// The enums.
    pub enums: Vec<DeclaredEnum>,
    /// The structs.
    pub tables: Vec<DeclaredTable>,
    /// The files of the folder that `code: "…"` names, by their names without `.sql`.
    pub code: BTreeMap<String, String>,
    /// `dropped: ["orders"]`.
    pub dropped: Vec<String>,
}

/// An enum with `#[derive(SchemaEnum)]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeclaredEnum {
    /// The type's name.
    pub name: String,
    /// The enum's doc comment.
    pub comment: Option<String>,
    /// The variants in order.
    pub labels: Vec<DeclaredLabel>,
    /// `dropped(label, up = "…")`: labels that go, and those that take their places.
    pub dropped: BTreeMap<String, String>,
}

/// A variant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeclaredLabel {
    /// The label.
    pub label: String,
    /// `renamed_from = "…"`.
    pub renamed_from: Option<String>,
    /// `down = "…"`.
    pub down: Option<String>,
    /// `allow(old_reads_new_labels)`.
    pub allow: Option<Allowed>,
}

/// A struct with `#[derive(Schema)]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeclaredTable {
    /// The table's name.
    pub name: String,
    /// `renamed_from = "…"` on the struct.
    pub renamed_from: Option<String>,
    /// The struct's doc comment.
    pub comment: Option<String>,
    /// The fields in order.
    pub columns: Vec<DeclaredColumn>,
    /// Constraints; those without a name get PostgreSQL's, or keep the one that the snapshot has for the same definition.
    pub constraints: Vec<(Option<String>, Constraint)>,
    /// Indexes, named likewise (`table_column_idx`).
    pub indexes: Vec<(Option<String>, Index)>,
    /// Extended statistics, named likewise (`table_column_stat`).
    pub statistics: Vec<(Option<String>, Statistics)>,
    /// `dropped(name, down = "…")`.
    pub dropped: Vec<DroppedColumn>,
    /// `storage(fillfactor = 70)`.
    pub storage: Storage,
    /// `replica_identity = "…"`.
    pub replica_identity: Option<ReplicaIdentity>,
    /// `partition_by = "…"`.
    pub partition_by: Option<Expression>,
}

/// A field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeclaredColumn {
    /// The column.
    pub column: Column,
    /// `renamed_from = "…"`.
    pub renamed_from: Option<String>,
    /// `up = "…"`.
    pub up: Option<String>,
    /// `down = "…"`.
    pub down: Option<String>,
    /// `allow(old_writes_may_fail)`.
    pub allow: bool,
}

impl DeclaredColumn {
    /// A field of which nothing more is said.
    pub fn of(column: Column) -> Self {
        DeclaredColumn { column, renamed_from: None, up: None, down: None, allow: false }
    }
}

/// A column that the struct says is gone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DroppedColumn {
    /// Its name in the snapshot.
    pub name: String,
    /// The older version's value, over the remaining columns.
    pub down: Option<String>,
}

impl DeclaredEnum {
    fn of(name: &str, model: &Enum, before: Option<&Enum>) -> Self {
        let before: &[String] = before.map_or(&[], |before| &before.labels);
        let label = |(at, label): (usize, &String)| {
            let is_new = !before.is_empty() && !before.contains(label);
            let there =
                before.get(at).filter(|there| is_new && before.len() == model.labels.len() && !model.labels.contains(there));
            let allow = (is_new && there.is_none()).then_some(Allowed::OldReadsNewLabels);
            DeclaredLabel { label: label.clone(), renamed_from: there.cloned(), down: None, allow }
        };
        let labels = model.labels.iter().enumerate().map(label).collect();
        DeclaredEnum { name: name.to_owned(), comment: model.comment.clone(), labels, dropped: BTreeMap::new() }
    }
}

impl DeclaredSchema {
    /// A schema of nothing but its domains and composite types.
    pub(crate) fn own_types(&self) -> Schema {
        Schema { domains: self.domains.clone(), composites: self.composites.clone(), ..Schema::default() }
    }

    /// What structs of a schema would declare that come after those of another: what the other alone has is dropped, a column of
    /// another type or nullability is itself in both directions, and a label in the place of another one is that one under another name.
    pub fn of(schema: &Schema, before: &Schema) -> Self {
        let enums = schema.enums.iter().map(|(name, model)| DeclaredEnum::of(name, model, before.enums.get(name)));
        let tables = schema.tables.iter().map(|(name, table)| DeclaredTable::of(name, table, before.tables.get(name)));
        let gone_tables = before.tables.keys().filter(|name| !schema.tables.contains_key(*name));
        let gone_enums = before.enums.keys().filter(|name| !schema.enums.contains_key(*name));
        let gone_domains = before.domains.keys().filter(|name| !schema.domains.contains_key(*name));
        let gone_composites = before.composites.keys().filter(|name| !schema.composites.contains_key(*name));
        let gone_types = gone_enums.chain(gone_domains).chain(gone_composites);
        let gone_sequences = before.sequences.keys().filter(|name| !schema.sequences.contains_key(*name));
        let gone_code = before.code.keys().filter(|name| !schema.code.contains_key(*name));
        let gone_extensions = before.extensions.difference(&schema.extensions);
        let gone = gone_tables.chain(gone_types).chain(gone_sequences);
        let gone = gone.chain(gone_code).chain(gone_extensions);
        DeclaredSchema {
            extensions: schema.extensions.iter().cloned().collect(),
            domains: schema.domains.clone(),
            composites: schema.composites.clone(),
            sequences: schema.sequences.clone(),
            enums: enums.collect(),
            tables: tables.collect(),
            code: schema.code.clone(),
            dropped: gone.cloned().collect(),
        }
    }

    /// The snapshot after recording `version`: the schema that its operations lead to in the structs' column order, and the
    /// attributes that are used up by it. Attributes of untouched columns stay used. Texts have the structs' words where those say the
    /// same.
    pub fn snapshot(&self, version: &str, recorded: Schema) -> Snapshot {
        let mut used: BTreeMap<String, BTreeMap<String, Used>> = BTreeMap::new();
        let mut schema = recorded;
        for declared in &self.enums {
            let gone = declared.dropped.iter();
            let gone = gone.map(|(label, up)| (format!("-{label}"), Used { up: Some(up.clone()), ..Used::default() }));
            if !declared.dropped.is_empty() {
                used.insert(declared.name.clone(), gone.collect());
            }
        }
        for table in &self.tables {
            let mut of_table = BTreeMap::new();
            if table.renamed_from.is_some() {
                of_table.insert(String::new(), Used { renamed_from: table.renamed_from.clone(), ..Used::default() });
            }
            for field in &table.columns {
                let attributes = Used {
                    up: field.up.clone(),
                    down: field.down.clone(),
                    renamed_from: field.renamed_from.clone(),
                    allow: field.allow,
                };
                if attributes != Used::default() {
                    of_table.insert(field.column.name.clone(), attributes);
                }
            }
            for dropped in &table.dropped {
                of_table.insert(format!("-{}", dropped.name), Used { down: dropped.down.clone(), ..Used::default() });
            }
            if !of_table.is_empty() {
                used.insert(table.name.clone(), of_table);
            }
            if let Some(model) = schema.tables.get_mut(&table.name) {
                // those that no field has yet come last
                let place = |name: &str| table.columns.iter().position(|field| field.column.name == name).unwrap_or(usize::MAX);
                model.columns.sort_by_key(|column| place(&column.name));
                // names for what the struct leaves without one; a struct that cannot be was refused before
                let words = table.table(Some(model)).unwrap_or_default();
                let words: BTreeMap<Place, &Expression> = words.texts().into_iter().collect();
                for (place, text) in model.texts_mut() {
                    if let Some(own) = words.get(&place).filter(|own| own.says_the_same(text)) {
                        *text = std::mem::take(text).in_words_of(own);
                    }
                }
            }
        }
        Snapshot { version: Some(version.to_owned()), base: None, schema, used }
    }
}

impl DeclaredTable {
    fn of(name: &str, table: &Table, before: Option<&Table>) -> Self {
        let before_columns = before.map(|table| table.columns.as_slice()).unwrap_or_default();
        let field = |column: &Column| {
            let was = before_columns.iter().find(|there| there.name == column.name);
            let is_other = was.is_some_and(|was| {
                was.sql_type != column.sql_type || was.nullable != column.nullable || was.collation != column.collation
            });
            let itself = is_other.then(|| crate::sql::ident(&column.name).as_str().to_owned());
            DeclaredColumn { column: column.clone(), renamed_from: None, up: itself.clone(), down: itself, allow: true }
        };
        let gone = before_columns.iter().filter(|column| !table.has_column(&column.name));
        DeclaredTable {
            name: name.to_owned(),
            renamed_from: None,
            comment: table.comment.clone(),
            columns: table.columns.iter().map(field).collect(),
            constraints: table.constraints.iter().map(|(name, model)| (Some(name.clone()), model.clone())).collect(),
            indexes: table.indexes.iter().map(|(name, model)| (Some(name.clone()), model.clone())).collect(),
            statistics: table.statistics.iter().map(|(name, model)| (Some(name.clone()), model.clone())).collect(),
            dropped: gone.map(|column| DroppedColumn { name: column.name.clone(), down: None }).collect(),
            storage: table.storage.clone(),
            replica_identity: table.replica_identity.clone(),
            partition_by: table.partition_by.clone(),
        }
    }

    /// Every text of the user's own that is no conversion, with what it stands for.
    pub(crate) fn texts_mut(&mut self) -> Vec<(Purpose, &mut Expression)> {
        let mut found = Vec::new();
        for field in &mut self.columns {
            let Column { sql_type, default, generated, .. } = &mut field.column;
            found.extend(default.iter_mut().map(|text| (Purpose::Default(sql_type.clone()), text)));
            found.extend(generated.iter_mut().map(|text| (Purpose::Generated(sql_type.clone()), text)));
        }
        for (_, constraint) in &mut self.constraints {
            match constraint {
                Constraint::Check { check, .. } => found.push((Purpose::Check, check)),
                Constraint::Exclude { exclude, .. } => {
                    let method = exclude.index_method.clone().unwrap_or_else(|| "btree".to_owned());
                    found.push((Purpose::Exclusion(method), &mut exclude.elements));
                    found.extend(exclude.predicate.iter_mut().map(|text| (Purpose::Predicate, text)));
                }
                _ => {}
            }
        }
        for (_, index) in &mut self.indexes {
            found.extend(index.columns.iter_mut().filter_map(|key| Some((Purpose::Key, key.expression.as_mut()?))));
            found.extend(index.predicate.iter_mut().map(|text| (Purpose::Predicate, text)));
        }
        let statistics = self.statistics.iter_mut().flat_map(|(_, statistics)| statistics.texts_mut());
        found.extend(statistics.map(|text| (Purpose::Statistics, text)));
        found.extend(self.partition_by.iter_mut().map(|text| (Purpose::Partition, text)));
        found
    }

    /// The model of the table with every name filled in: given, else the snapshot's for the same definition, else PostgreSQL's.
    pub fn table(&self, recorded: Option<&Table>) -> Result<Table> {
        let mut table = Table {
            comment: self.comment.clone(),
            columns: self.columns.iter().map(|field| field.column.clone()).collect(),
            storage: self.storage.clone(),
            replica_identity: self.replica_identity.clone(),
            partition_by: self.partition_by.clone(),
            ..Table::default()
        };
        for column in &table.columns {
            if let Some(sql_type) = types::serial(&column.sql_type) {
                return Err(Error::new(format!(
                    "column `{}.{}` cannot be declared as {}",
                    self.name, column.name, column.sql_type
                ))
                .hint(format!("declare it as {sql_type} with `identity`")));
            }
        }
        // a name that one is given is not that of another, which has the same definition without a name
        let given: Vec<&String> = self.constraints.iter().filter_map(|(name, _)| name.as_ref()).collect();
        for (name, constraint) in &self.constraints {
            let usual = constraint.default_name(&self.name);
            let known = recorded.iter().flat_map(|there| &there.constraints);
            let known =
                known.filter(|(name, known)| known.says_the_same(constraint) && !given.contains(name)).map(|(name, _)| name);
            let name = name.clone().unwrap_or_else(|| nearest(known, usual));
            crate::model::rules::add_constraint(&self.name, &mut table, &name, constraint.clone())?;
        }
        let given: Vec<&String> = self.indexes.iter().filter_map(|(name, _)| name.as_ref()).collect();
        for (name, index) in &self.indexes {
            let usual = crate::names::object_name(&self.name, Some(&index.default_stem()), "idx");
            let known = recorded.iter().flat_map(|there| &there.indexes);
            let known = known.filter(|(name, known)| known.says_the_same(index) && !given.contains(name)).map(|(name, _)| name);
            let name = name.clone().unwrap_or_else(|| nearest(known, usual));
            if table.indexes.insert(name.clone(), index.clone()).is_some_and(|other| other != *index) {
                return Err(Error::new(format!("table `{}` has two indexes called `{name}`", self.name))
                    .hint("give one of them another name"));
            }
        }
        let given: Vec<&String> = self.statistics.iter().filter_map(|(name, _)| name.as_ref()).collect();
        for (name, statistics) in &self.statistics {
            let usual = crate::names::object_name(&self.name, Some(&statistics.default_stem()), "stat");
            let known = recorded.iter().flat_map(|there| &there.statistics);
            let known =
                known.filter(|(name, known)| known.says_the_same(statistics) && !given.contains(name)).map(|(name, _)| name);
            let name = name.clone().unwrap_or_else(|| nearest(known, usual));
            if table.statistics.insert(name.clone(), statistics.clone()).is_some_and(|other| other != *statistics) {
                return Err(Error::new(format!("table `{}` has statistics `{name}` twice", self.name))
                    .hint("give those of one of them another name"));
            }
        }
        Ok(table)
    }
}

/// Of several of one definition the one of PostgreSQL's own naming, else the first, else that name.
fn nearest<'a>(known: impl Iterator<Item = &'a String>, usual: String) -> String {
    let known: Vec<&String> = known.collect();
    if known.contains(&&usual) { usual } else { known.first().map_or(usual, |first| (*first).clone()) }
}
