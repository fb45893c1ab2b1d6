//! What the macros implement: a struct is a table, `database!` makes a database of them.

use diptych_core::{DeclaredEnum, DeclaredSchema, DeclaredTable, Migration, Operation, Result, Snapshot, migration::diff};

/// A struct with `#[derive(Schema)]`.
pub trait Table {
    /// A hash of the folder of migrations that the struct was compared with.
    const FOLDER: u64;

    /// What the struct declares.
    fn declared() -> DeclaredTable;
}

/// An enum with `#[derive(SchemaEnum)]`.
pub trait EnumType: Sized + 'static {
    /// The type's name.
    const TYPE: &'static str;
    /// Every variant, in the labels' order.
    const ALL: &'static [Self];
    /// A hash of the folder of migrations that the enum was compared with.
    const FOLDER: u64;

    /// The variant's label.
    fn label(&self) -> &'static str;

    /// What the enum declares.
    fn declared() -> DeclaredEnum;
}

/// A database of `database!`: its tables, and the migrations that are recorded for it.
pub trait Database: Send + Sync + 'static {
    /// The base schema.
    const BASE: &'static str;
    /// The version that the binary was built for: the snapshot's; none before the first migration.
    const VERSION: Option<&'static str>;
    /// Every recorded migration, embedded: the file's stem and text, in order.
    const MIGRATIONS: &'static [(&'static str, &'static str)];
    /// The snapshot's text.
    const SNAPSHOT: &'static str;
    /// The folder of migrations on the machine that built the binary.
    const FOLDER: &'static str;

    /// What the structs declare.
    fn declared() -> DeclaredSchema;

    /// The recorded migrations, parsed.
    fn migrations() -> Result<Vec<Migration>> {
        Self::MIGRATIONS.iter().map(|(name, text)| Migration::parse(name, text)).collect()
    }

    /// What differs between the snapshot and the structs: what `record` would write.
    fn pending() -> Result<Vec<Operation>> {
        diff::diff(&Snapshot::parse(Self::SNAPSHOT)?, &Self::declared())
    }
}

/// What differs between a database's snapshot and its structs, as a constant handle.
#[derive(Debug)]
pub struct Pending<D: Database>(std::marker::PhantomData<fn() -> D>);

impl<D: Database> Pending<D> {
    /// The handle; `database!` makes it.
    pub const fn new() -> Self {
        Pending(std::marker::PhantomData)
    }

    /// The operations that `record` would write.
    pub fn operations(&self) -> Result<Vec<Operation>> {
        D::pending()
    }
}

impl<D: Database> Default for Pending<D> {
    fn default() -> Self {
        Pending::new()
    }
}
