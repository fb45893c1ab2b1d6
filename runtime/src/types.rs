//! The PostgreSQL type of a Rust type, and the assertions that compare it with the snapshot at compile time.

mod fields;

use std::marker::PhantomData;

/// A Rust type that a column can have.
///
/// `docs/types.md` lists the types that have it, and the features that give it to those of other crates. A newtype derives it, and an
/// implementation by hand has two lines:
///
/// ```
/// use diptych::SqlType;
///
/// #[derive(SqlType)]
/// struct UserId(i64);
///
/// struct Amount(i64);
/// impl SqlType for Amount {
///     const NAME: &'static str = "money";
/// }
///
/// assert_eq!((UserId::NAME, <Option<Amount> as SqlType>::NAME), ("bigint", "money"));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no PostgreSQL type",
    label = "no column can have this type",
    note = "a type of another crate has one with diptych's feature for it: `with-uuid-1`, `with-chrono-0_4`, `with-time-0_3`, `with-jiff-0_2`, `with-rust_decimal-1` and others (docs/types.md)",
    note = "`#[schema(type = \"…\")]` on the field gives one to any Rust type, `#[derive(diptych::SqlType)]` to a newtype, `#[derive(diptych::SchemaEnum)]` to an enum"
)]
pub trait SqlType {
    /// The type in PostgreSQL's own spelling, as `format_type` prints it: `bigint`, `timestamp with time zone`.
    const NAME: &'static str;
    /// Whether a column of this type may be NULL.
    const NULLABLE: bool = false;
    /// The name's hash, by which types are compared at compile time.
    const ID: u64 = hash(Self::NAME);
}

/// FNV-1a. The macros have the same: ids of types, tables and folders are compared across the two.
pub const fn hash(text: &str) -> u64 {
    let text = text.as_bytes();
    let (mut hash, mut at) = (0xcbf2_9ce4_8422_2325, 0);
    while at < text.len() {
        hash = (hash ^ text[at] as u64).wrapping_mul(0x0100_0000_01b3);
        at += 1;
    }
    hash
}

/// A type of which a column can have an array: `Vec` of it.
#[diagnostic::on_unimplemented(
    message = "there is no PostgreSQL array of `{Self}`",
    label = "no column can have an array of this type",
    note = "the array of a type of another crate comes with diptych's feature for it: `with-uuid-1`, `with-chrono-0_4`, `with-rust_decimal-1` and others (docs/types.md)",
    note = "`#[schema(type = \"…[]\")]` on the field gives a type to any `Vec`, `#[derive(diptych::SqlType)]` on a newtype gives it its array"
)]
pub trait Element: SqlType {
    /// The array's type in PostgreSQL's own spelling: `bigint[]`.
    const ARRAY: &'static str;
}

impl<T: Element> SqlType for Vec<T> {
    const NAME: &'static str = T::ARRAY;
}

impl<T: SqlType> SqlType for Option<T> {
    const NAME: &'static str = T::NAME;
    const NULLABLE: bool = true;
}

/// An array that may have NULL among its elements.
impl<T: Element> Element for Option<T> {
    const ARRAY: &'static str = T::ARRAY;
}

/// Whether a field may be NULL whose type need not be a [`SqlType`], since `type = "…"` names the column's: a constant of its own counts
/// where its bounds hold, else the one of [`Unknown`]. Only types without parameters may be asked.
pub struct Probe<T>(PhantomData<T>);

impl<T> Probe<Option<T>> {
    /// It is an Option, be it under another name.
    pub const IS_OPTION: bool = true;
}

impl<T: SqlType> Probe<T> {
    /// It says itself whether it may be NULL.
    pub const NULLABLE: bool = T::NULLABLE;
}

/// What counts of all other types.
pub trait Unknown {
    /// It is no Option.
    const IS_OPTION: bool = false;
    /// It says nothing.
    const NULLABLE: bool = false;
}

impl<T> Unknown for Probe<T> {}

/// What the snapshot has of a column, and what the field brings along; made by the derive.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// The table.
    pub table: &'static str,
    /// The column.
    pub column: &'static str,
    /// The snapshot's version.
    pub version: &'static str,
    /// The type in the snapshot.
    pub sql_type: &'static str,
    /// That type's hash.
    pub id: u64,
    /// Whether the snapshot's column may be NULL.
    pub nullable: bool,
    /// The field has an `up` that no recorded migration has used.
    pub up: bool,
    /// The field has a `down` that no recorded migration has used.
    pub down: bool,
}

/// Compares a field with the snapshot. Its panic is the compile error, on the field.
#[track_caller]
pub const fn assert_unchanged(name: &str, nullable: bool, known: Known) {
    let converted = known.up && known.down;
    if hash(name) != known.id && !converted {
        let text = Text::new()
            .add("column `")
            .add(known.table)
            .add(".")
            .add(known.column)
            .add("` is ")
            .add(known.sql_type)
            .add(" in version `")
            .add(known.version)
            .add("`, but ")
            .add(name)
            .add(" in this release: the two versions need conversions between them\n")
            .add("hint: add `up = \"CAST(")
            .add(known.column)
            .add(" AS ")
            .add(name)
            .add(")\", down = \"CAST(")
            .add(known.column)
            .add(" AS ")
            .add(known.sql_type)
            .add(")\"` to the field");
        panic!("{}", text.as_str());
    }
    if known.nullable && !nullable && !known.up {
        let text = Text::new()
            .add("column `")
            .add(known.table)
            .add(".")
            .add(known.column)
            .add("` may be NULL in version `")
            .add(known.version)
            .add("`, but not in this release: rows that hold NULL need a value\n")
            .add("hint: add `up = \"coalesce(")
            .add(known.column)
            .add(", …)\"` to the field, or make it an Option");
        panic!("{}", text.as_str());
    }
    if !known.nullable && nullable && !known.down {
        let text = Text::new()
            .add("column `")
            .add(known.table)
            .add(".")
            .add(known.column)
            .add("` may be NULL in this release, but version `")
            .add(known.version)
            .add("` cannot take NULL\n")
            .add("hint: add `down = \"coalesce(")
            .add(known.column)
            .add(", …)\"` to the field with what that version is to read");
        panic!("{}", text.as_str());
    }
}

/// Where drift is denied: a conversion lets a difference pass, but it is not recorded. Its panic is the compile error, on the field.
#[track_caller]
pub const fn assert_recorded(name: &str, nullable: bool, known: Known) {
    if hash(name) != known.id || nullable != known.nullable {
        let text = Text::new()
            .add("the conversion of column `")
            .add(known.table)
            .add(".")
            .add(known.column)
            .add("` is not in version `")
            .add(known.version)
            .add("`: record it with `cargo xtask migrate record NAME`");
        panic!("{}", text.as_str());
    }
}

/// A new column: NOT NULL needs a value for the rows there are. Its panic is the compile error, on the field.
#[track_caller]
pub const fn assert_addable(nullable: bool, has_value: bool, table: &str, column: &str, version: &str) {
    if !nullable && !has_value {
        let text = Text::new()
            .add("column `")
            .add(table)
            .add(".")
            .add(column)
            .add("` is new in this release and NOT NULL: rows of version `")
            .add(version)
            .add("` have no value for it\n")
            .add("hint: add `up = \"…\"` to the field with their value, or `default = \"…\"`, or make it an Option");
        panic!("{}", text.as_str());
    }
}

/// A struct of the list in `database!` reads the same folder of migrations as `database!` does.
#[track_caller]
pub const fn assert_folder(table: u64, database: u64) {
    assert!(
        table == database,
        "this struct belongs to another folder of migrations\nhint: name the same folder in `#[schema(migrations = \"…\")]` and in `database!`"
    );
}

/// The tables that a struct stands for, by the hashes of their names.
pub trait Named {
    /// Its own.
    const TABLE: u64;
    /// Its own, and the one that it was renamed from while that is not recorded.
    const ANSWERS_FOR: &'static [u64];
}

/// Whether one of the structs answers for a table of the snapshot.
pub const fn answered_for(tables: &[&[u64]], table: u64) -> bool {
    let mut at = 0;
    while at < tables.len() {
        if contains(tables[at], table) {
            return true;
        }
        at += 1;
    }
    false
}

/// Whether a table is among these.
pub const fn contains(tables: &[u64], table: u64) -> bool {
    let mut at = 0;
    while at < tables.len() {
        if tables[at] == table {
            return true;
        }
        at += 1;
    }
    false
}

/// A message put together at compile time, in a buffer of fixed length.
struct Text {
    bytes: [u8; 1024],
    length: usize,
}

impl Text {
    const fn new() -> Self {
        Text { bytes: [0; 1024], length: 0 }
    }

    const fn add(mut self, part: &str) -> Self {
        let part = part.as_bytes();
        // a part that does not fit is left out whole, so that the text stays valid UTF-8
        if self.length + part.len() <= self.bytes.len() {
            let mut at = 0;
            while at < part.len() {
                self.bytes[self.length] = part[at];
                self.length += 1;
                at += 1;
            }
        }
        self
    }

    const fn as_str(&self) -> &str {
        match std::str::from_utf8(self.bytes.split_at(self.length).0) {
            Ok(text) => text,
            Err(_) => "the message is not valid UTF-8",
        }
    }
}
