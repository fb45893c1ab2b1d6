//! The PostgreSQL type of a Rust type, and the assertions that compare it with the snapshot at compile time.

mod fields;
mod lists;

pub use lists::{comes_again, contains, in_order, is_among, total};

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
    message = "DIP306: `{Self}` has no PostgreSQL type",
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
    /// The enum that it is, or has for elements; `#[derive(SchemaEnum)]` says it.
    #[doc(hidden)]
    const ENUM: Option<&'static str> = None;
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
    message = "DIP307: there is no PostgreSQL array of `{Self}`",
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
    const ENUM: Option<&'static str> = T::ENUM;
}

impl<T: SqlType> SqlType for Option<T> {
    const NAME: &'static str = T::NAME;
    const NULLABLE: bool = true;
    const ENUM: Option<&'static str> = T::ENUM;
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
pub const fn assert_unchanged(columns: &[ShapeColumn], at: usize, known: Known) {
    let (name, nullable) = (columns[at].sql_type, columns[at].nullable);
    let converted = known.up && known.down;
    if !is_type(name, known.id) && !converted {
        panic!("{}", another_type(printed(name), known).as_str());
    }
    if known.nullable && !nullable && !known.up {
        panic!("{}", becomes_not_null(known).as_str());
    }
    if !known.nullable && nullable && !known.down {
        panic!("{}", becomes_nullable(known).as_str());
    }
}

/// The message for a column of another type.
const fn another_type(name: &str, known: Known) -> Text {
    let text = Text::new()
        .add("DIP301: column `")
        .add(known.table)
        .add(".")
        .add(known.column)
        .add("` is ")
        .add(known.sql_type)
        .add(" in version `")
        .add(known.version)
        .add("`, but ")
        .add(name)
        .add(" in this release: the two versions need conversions between them\n");
    if !is_castable(known.sql_type, name) {
        return text.add(
            "hint: PostgreSQL has no cast between them: add `up = \"…\"` and `down = \"…\"` to the field, or drop the column and add another",
        );
    }
    let text = text
        .add("hint: add `up = \"CAST(")
        .add(known.column)
        .add(" AS ")
        .add(name)
        .add(")\", down = \"CAST(")
        .add(known.column)
        .add(" AS ")
        .add(known.sql_type)
        .add(")\"` to the field");
    if is_narrower(name, known.sql_type) {
        text.add("; `up` fails, or cuts, for values that ").add(name).add(" cannot hold")
    } else if is_narrower(known.sql_type, name) {
        text.add("; `down` fails, or cuts, for values that ").add(known.sql_type).add(" cannot hold")
    } else {
        text
    }
}

/// Whether there is a cast between two types, as far as it is known here: a number or a truth value is no UUID.
const fn is_castable(from: &str, to: &str) -> bool {
    let (from, to) = (Class::of(from), Class::of(to));
    let is_number = matches!(from, Class::Integer | Class::Boolean) || matches!(to, Class::Integer | Class::Boolean);
    !(is_number && (matches!(from, Class::Uuid) || matches!(to, Class::Uuid)))
}

/// The message for a column that the older version may leave empty.
const fn becomes_not_null(known: Known) -> Text {
    Text::new()
        .add("DIP302: column `")
        .add(known.table)
        .add(".")
        .add(known.column)
        .add("` may be NULL in version `")
        .add(known.version)
        .add("`, but not in this release: rows that hold NULL need a value\n")
        .add("hint: add `up = \"coalesce(")
        .add(known.column)
        .add(", …)\"` to the field, or make it an Option")
}

/// The message for a column that the newer version may leave empty.
const fn becomes_nullable(known: Known) -> Text {
    Text::new()
        .add("DIP303: column `")
        .add(known.table)
        .add(".")
        .add(known.column)
        .add("` may be NULL in this release, but version `")
        .add(known.version)
        .add("` cannot take NULL\n")
        .add("hint: add `down = \"coalesce(")
        .add(known.column)
        .add(", …)\"` to the field with what that version is to read")
}

/// Where drift is denied: a conversion lets a difference pass, but it is not recorded. Its panic is the compile error, on the field.
#[track_caller]
pub const fn assert_recorded(columns: &[ShapeColumn], at: usize, known: Known) {
    let (name, nullable) = (columns[at].sql_type, columns[at].nullable);
    if !is_type(name, known.id) || nullable != known.nullable {
        let text = Text::new()
            .add("DIP706: the conversion of column `")
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
pub const fn assert_addable(columns: &[ShapeColumn], at: usize, has_value: bool, table: &str, column: &str, version: &str) {
    if !columns[at].nullable && !has_value {
        let text = Text::new()
            .add("DIP211: column `")
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
        "DIP507: this struct belongs to another folder of migrations\nhint: name the same folder in `#[schema(migrations = \"…\")]` and in `database!`"
    );
}

/// An identity counts, so its column is an integer. Its panic is the compile error, on the field.
#[track_caller]
pub const fn assert_numbered(columns: &[ShapeColumn], at: usize, table: &str, column: &str) {
    let name = columns[at].sql_type;
    if !matches!(Class::of(name), Class::Integer) {
        let text = Text::new()
            .add("DIP304: column `")
            .add(table)
            .add(".")
            .add(column)
            .add("` is an identity, but ")
            .add(name)
            .add(" is no integer\nhint: remove `identity` from the field, or give it the type i16, i32 or i64");
        panic!("{}", text.as_str());
    }
}

/// What is never NULL is no Option: it could be recorded, and would not be the same as the snapshot from then on. Its panic is the compile
/// error, on the field.
#[track_caller]
pub const fn assert_required(columns: &[ShapeColumn], at: usize, what: &str, table: &str, column: &str) {
    if columns[at].nullable {
        let text = Text::new().add("DIP305: column `").add(table).add(".").add(column).add("` ").add(what);
        panic!("{}", text.add(", which is never NULL\nhint: remove Option from the type of the field").as_str());
    }
}

/// Whether a name is that of the type with this hash, also where an implementation by hand has another one.
const fn is_type(name: &str, id: u64) -> bool {
    hash(name) == id || hash(printed(name)) == id
}

/// The name that PostgreSQL prints for a type that an implementation by hand calls by another one.
const fn printed(name: &str) -> &str {
    const OTHERS: [(&str, &str); 11] = [
        ("int8", "bigint"),
        ("int4", "integer"),
        ("int", "integer"),
        ("int2", "smallint"),
        ("bool", "boolean"),
        ("float8", "double precision"),
        ("float4", "real"),
        ("varchar", "character varying"),
        ("decimal", "numeric"),
        ("timestamptz", "timestamp with time zone"),
        ("timestamp", "timestamp without time zone"),
    ];
    let mut at = 0;
    while at < OTHERS.len() {
        if hash(OTHERS[at].0) == hash(name) {
            return OTHERS[at].1;
        }
        at += 1;
    }
    name
}

/// The tables that a struct stands for, by the hashes of their names, and its side of what several structs have to agree on.
pub trait Named {
    /// Its own.
    const TABLE: u64;
    /// Its own, and the one that it was renamed from while that is not recorded.
    const ANSWERS_FOR: &'static [u64];
    /// Its columns, in the struct's order.
    const COLUMNS: &'static [ShapeColumn];
    /// What else the others may ask of it.
    const SHAPE: Shape;
}

/// A table as other structs see it.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// The table.
    pub table: &'static str,
    /// Its hash.
    pub id: u64,
    /// As [`Named::ANSWERS_FOR`].
    pub answers_for: &'static [u64],
    /// Its columns.
    pub columns: &'static [ShapeColumn],
    /// The columns of each key that a foreign key can point at.
    pub keys: &'static [&'static [u64]],
    /// Its foreign keys.
    pub points: &'static [Points],
}

/// A column as other structs see it.
#[derive(Clone, Copy, Debug)]
pub struct ShapeColumn {
    /// Its name.
    pub name: &'static str,
    /// The name's hash.
    pub id: u64,
    /// The hash of its name in the snapshot.
    pub was: u64,
    /// Its type.
    pub sql_type: &'static str,
    /// Whether it may be NULL.
    pub nullable: bool,
    /// The enum that its type is, where the type says so.
    pub is_enum: Option<&'static str>,
}

impl ShapeColumn {
    /// What a Rust type says of its column.
    pub const fn of<T: SqlType>(name: &'static str, id: u64, was: u64) -> Self {
        ShapeColumn { name, id, was, sql_type: T::NAME, nullable: T::NULLABLE, is_enum: T::ENUM }
    }
}

/// A table whose struct says nothing but names and types, some of which are never NULL.
#[cfg(feature = "migrator")]
pub fn declared(name: &str, columns: &[ShapeColumn], never_null: &[usize]) -> diptych_core::DeclaredTable {
    let columns = columns.iter().enumerate().map(|(at, own)| {
        let nullable = own.nullable && !never_null.contains(&at);
        diptych_core::DeclaredColumn::of(diptych_core::Column::new(own.name, own.sql_type, nullable))
    });
    diptych_core::DeclaredTable { name: name.to_owned(), columns: columns.collect(), ..Default::default() }
}

/// A foreign key.
#[derive(Clone, Copy, Debug)]
pub struct Points {
    /// Its columns, for messages.
    pub from: &'static str,
    /// What it points at, for messages.
    pub to: &'static str,
    /// Its columns.
    pub columns: &'static [u64],
    /// The table that it points at.
    pub table: u64,
    /// The columns there.
    pub targets: &'static [u64],
    /// The foreign key on these columns in the snapshot, if it has another target: the same one, where that target was renamed.
    pub follows: Option<Follows>,
}

/// A foreign key of the snapshot.
#[derive(Clone, Copy, Debug)]
pub struct Follows {
    /// The table that it points at.
    pub table: u64,
    /// The columns there.
    pub targets: &'static [u64],
    /// What to say where this release points at something else.
    pub otherwise: &'static str,
}

/// What all structs of a database have to agree on. Its panic is the compile error, in the list of tables.
#[track_caller]
pub const fn assert_agrees(shape: &Shape, tables: &[Shape], enums: &[&str], told: &[&str]) {
    let mut at = 0;
    while at < shape.columns.len() {
        let column = &shape.columns[at];
        if let Some(name) = column.is_enum
            && !is_listed(enums, name)
            && !is_listed(told, name)
        {
            let text =
                Text::new().add("DIP612: field `").add(shape.table).add(".").add(column.name).add("` has the enum `").add(name);
            panic!("{}", text.add("`, which is not in `enums`\nhint: add it to `enums: […]` of database!").as_str());
        }
        at += 1;
    }
    at = 0;
    while at < enums.len() {
        if hash(enums[at]) == shape.id {
            let text = Text::new().add("DIP613: an enum and a table have the name `").add(shape.table);
            let hint = "`, which PostgreSQL gives only one of them\nhint: give the enum another name: `#[schema(name = \"…\")]`";
            panic!("{}", text.add(hint).as_str());
        }
        at += 1;
    }
    at = 0;
    while at < shape.points.len() {
        assert_points(shape, &shape.points[at], tables);
        at += 1;
    }
}

#[track_caller]
const fn assert_points(shape: &Shape, points: &Points, tables: &[Shape]) {
    let text = Text::new().add("DIP404: the foreign key of ").add(points.from).add(" references ");
    let mut at = 0;
    while at < tables.len() && tables[at].id != points.table {
        at += 1;
    }
    if at == tables.len() {
        let hint = ", whose table is not in `tables`\nhint: add its struct to `tables: […]`, or correct `references`";
        panic!("{}", text.add(points.to).add(hint).as_str());
    }
    let target = &tables[at];
    // its struct has mistakes, which are told there
    if target.columns.is_empty() {
        return;
    }
    at = 0;
    while at < points.targets.len() {
        let Some(there) = column_of(target, points.targets[at]) else {
            let hint = ", which its struct has no field for\nhint: correct `references`, or add the field";
            panic!("{}", text.add(points.to).add(hint).as_str());
        };
        if let Some(own) = column_of(shape, points.columns[at])
            && Class::of(own.sql_type).differs(Class::of(there.sql_type))
        {
            let text = text.add(points.to).add(" of another type: ").add(own.sql_type).add(" here, ").add(there.sql_type);
            panic!("{}", text.add(" there\nhint: give both fields the same type").as_str());
        }
        at += 1;
    }
    at = 0;
    while at < target.keys.len() && !is_same_set(target.keys[at], points.targets) {
        at += 1;
    }
    if at == target.keys.len() {
        let hint = ", which is no key\nhint: reference the primary key, or make it one: `unique` on the field, `unique(…)` on the struct";
        panic!("{}", text.add(points.to).add(hint).as_str());
    }
    let Some(known) = points.follows else { return };
    let mut follows = contains(target.answers_for, known.table) && known.targets.len() == points.targets.len();
    at = 0;
    while follows && at < points.targets.len() {
        let Some(there) = column_of(target, points.targets[at]) else { return };
        follows = there.was == known.targets[at];
        at += 1;
    }
    if !follows {
        panic!("{}", Text::new().add(known.otherwise).as_str());
    }
}

const fn column_of(shape: &Shape, column: u64) -> Option<&ShapeColumn> {
    let mut at = 0;
    while at < shape.columns.len() {
        if shape.columns[at].id == column {
            return Some(&shape.columns[at]);
        }
        at += 1;
    }
    None
}

const fn is_same_set(these: &[u64], those: &[u64]) -> bool {
    let mut at = 0;
    while at < these.len() && contains(those, these[at]) {
        at += 1;
    }
    at == these.len() && these.len() == those.len()
}

const fn is_listed(names: &[&str], name: &str) -> bool {
    let mut at = 0;
    while at < names.len() && hash(names[at]) != hash(name) {
        at += 1;
    }
    at < names.len()
}

/// Types whose values an index of a key can compare with each other.
#[derive(Clone, Copy, PartialEq)]
enum Class {
    Integer,
    Text,
    Boolean,
    Uuid,
    /// Any other, of which nothing is said.
    Other,
}

impl Class {
    const fn of(name: &str) -> Class {
        let id = hash(name);
        if id == hash("bigint") || id == hash("integer") || id == hash("smallint") {
            Class::Integer
        } else if id == hash("text") || starts_with(name, "character varying") {
            Class::Text
        } else if id == hash("boolean") {
            Class::Boolean
        } else if id == hash("uuid") {
            Class::Uuid
        } else {
            Class::Other
        }
    }

    const fn differs(self, other: Class) -> bool {
        !matches!(self, Class::Other) && !matches!(other, Class::Other) && self as u8 != other as u8
    }
}

/// Whether a type has no room for values of another of its class.
const fn is_narrower(name: &str, other: &str) -> bool {
    match (Class::of(name), Class::of(other)) {
        (Class::Integer, Class::Integer) => width(name) < width(other),
        (Class::Text, Class::Text) => length(name) < length(other),
        (Class::Integer | Class::Boolean | Class::Uuid, Class::Text) => true,
        _ => false,
    }
}

/// The bytes of an integer type.
const fn width(name: &str) -> u32 {
    match name.len() {
        // bigint, integer, smallint
        6 => 8,
        7 => 4,
        _ => 2,
    }
}

/// The characters that a type of text has room for.
const fn length(name: &str) -> u64 {
    let text = name.as_bytes();
    let (mut length, mut at) = (0, 0);
    while at < text.len() {
        if text[at].is_ascii_digit() {
            length = length * 10 + (text[at] - b'0') as u64;
        }
        at += 1;
    }
    if length == 0 { u64::MAX } else { length }
}

const fn starts_with(text: &str, start: &str) -> bool {
    let (text, start) = (text.as_bytes(), start.as_bytes());
    let mut at = 0;
    while at < start.len() && at < text.len() && text[at] == start[at] {
        at += 1;
    }
    at == start.len() && (text.len() == start.len() || text[at] == b'(')
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
