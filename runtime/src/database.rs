//! What the macros implement: a struct is a table, `database!` makes a database of them.

use postgres_protocol::escape::escape_identifier;

#[cfg(feature = "migrator")]
use diptych_core::{DeclaredEnum, DeclaredSchema, DeclaredTable, Migration, Operation, Result, Snapshot, migration::diff};

/// A struct with `#[derive(Schema)]`.
pub trait Table {
    /// A hash of the folder of migrations that the struct was compared with.
    const FOLDER: u64;

    /// What the struct declares.
    #[cfg(feature = "migrator")]
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
    #[cfg(feature = "migrator")]
    fn declared() -> DeclaredEnum;
}

/// A database of `database!`: its tables, and the migrations that are recorded for it.
pub trait Database: Send + Sync + 'static {
    /// The base schema.
    const BASE: &'static str;
    /// The version that the binary was built for: the snapshot's; none before the first migration.
    const VERSION: Option<&'static str>;
    /// The schema of that version's views.
    const SCHEMA: Option<&'static str>;
    /// The schema of the guard, which stands between it and the base schema on every path.
    const GUARD: &'static str;
    /// Every recorded migration, embedded: the file's stem and text, in order.
    const MIGRATIONS: &'static [(&'static str, &'static str)];
    /// The snapshot's text.
    const SNAPSHOT: &'static str;
    /// The folder of migrations on the machine that built the binary.
    const FOLDER: &'static str;
    /// The folder of code there, if `database!` names one.
    const CODE: Option<&'static str> = None;

    /// The `search_path` of the version that the binary was built for, as `SET search_path TO` takes it.
    fn search_path() -> Option<String> {
        Self::SCHEMA.map(|views| search_path(views, Self::GUARD, Self::BASE))
    }

    /// What the structs declare.
    #[cfg(feature = "migrator")]
    fn declared() -> DeclaredSchema;

    /// The recorded migrations, parsed.
    #[cfg(feature = "migrator")]
    fn migrations() -> Result<Vec<Migration>> {
        Self::MIGRATIONS.iter().map(|(name, text)| Migration::parse(name, text)).collect()
    }

    /// What differs between the snapshot and the structs: what `record` would write.
    #[cfg(feature = "migrator")]
    fn pending() -> Result<Vec<Operation>> {
        diff::diff(&Snapshot::parse(Self::SNAPSHOT)?, &Self::declared())
    }
}

/// What differs between a database's snapshot and its structs, as a constant handle.
#[cfg(feature = "migrator")]
#[derive(Debug)]
pub struct Pending<D: Database>(std::marker::PhantomData<fn() -> D>);

#[cfg(feature = "migrator")]
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

#[cfg(feature = "migrator")]
impl<D: Database> Default for Pending<D> {
    fn default() -> Self {
        Pending::new()
    }
}

/// The `search_path` of a version: its views; the guard, which stands before the tables where the version is not to be had; the base schema,
/// for types and functions.
pub(crate) fn search_path(views: &str, guard: &str, base: &str) -> String {
    // people read it and copy it: quoted where it has to be
    let plain = |c: char| c.is_ascii_lowercase() || c == '_';
    let is_plain = |name: &str| name.starts_with(plain) && name.chars().all(|c| plain(c) || c.is_ascii_digit());
    [views, guard, base].map(|name| if is_plain(name) { name.to_owned() } else { escape_identifier(name) }).join(", ")
}
