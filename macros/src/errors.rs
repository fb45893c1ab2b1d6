//! Every message of the macros in one list: what is wrong, what the running release would lose, the way out.

use diptych_core::schema::Column;

/// A column of the snapshot that the struct has no field for.
pub(crate) fn field_gone(table: &str, column: &Column, version: &str) -> String {
    let name = &column.name;
    let (loss, down) = if column.nullable || column.default.is_some() {
        ("NULL or its default", format!("dropped({name})"))
    } else {
        ("no value at all", format!("dropped({name}, down = \"…\")"))
    };
    format!(
        "column `{table}.{name}` is in version `{version}`, but this release has no field for it: version `{version}` would read {loss} in rows that this release writes\n\
         hint: add `{down}` to `#[schema(…)]` of the struct, or `#[schema(renamed_from = \"{name}\")]` to the field that it became; a field behind `#[cfg]` counts as gone while its feature is off"
    )
}

/// A dropped NOT NULL column without a value for the running release.
pub(crate) fn dropped_without_down(table: &str, column: &str, version: &str) -> String {
    format!(
        "column `{table}.{column}` is NOT NULL without a default in version `{version}`, which needs a value for rows that this release writes\n\
         hint: write `dropped({column}, down = \"…\")` with that value, over the columns that remain"
    )
}

/// `dropped` of a column that the snapshot does not have.
pub(crate) fn dropped_unknown(table: &str, column: &str, version: &str) -> String {
    format!(
        "there is no column `{table}.{column}` in version `{version}`, so this release cannot drop it\nhint: remove `dropped({column})`, or correct the name"
    )
}

/// `dropped` of a column that still has its field.
pub(crate) fn dropped_but_there(table: &str, column: &str, version: &str) -> String {
    format!(
        "column `{table}.{column}` of version `{version}` is dropped, yet this release has a field for it\nhint: remove `dropped({column})` or the field"
    )
}

/// `renamed_from` of a column that the snapshot does not have.
pub(crate) fn renamed_unknown(table: &str, column: &str, from: &str, version: &str) -> String {
    format!(
        "column `{table}.{column}` of this release is renamed from `{from}`, which version `{version}` does not have\nhint: correct the name, or remove `renamed_from`"
    )
}

/// A constraint on columns that the running release writes.
pub(crate) fn new_constraint(what: &str, table: &str, column: &str, version: &str) -> String {
    format!(
        "{what} on column `{table}.{column}` is new in this release: writes of version `{version}` that break it would fail\n\
         hint: add `allow(old_writes_may_fail)` to the field's `#[schema(…)]` if they cannot occur"
    )
}

/// Something that is not recorded, where that is denied.
pub(crate) fn unrecorded(what: &str, version: &str) -> String {
    format!("{what} is not in version `{version}`: record it with `cargo xtask migrate record NAME`")
}

/// A table that no struct declares.
pub(crate) fn table_gone(table: &str, version: &str) -> String {
    format!(
        "table `{table}` is in version `{version}`, but this release has no struct for it in `tables`\n\
         hint: add `dropped: [\"{table}\"]` to database!, or `renamed_from = \"{table}\"` to the struct that it became"
    )
}

/// No snapshot.
pub(crate) fn no_snapshot(path: &str) -> String {
    format!(
        "there is no snapshot at `{path}`\nhint: run `diptych init`, or create an empty file there: it stands for a database without tables"
    )
}

/// A snapshot that is not readable.
pub(crate) fn broken_snapshot(path: &str, error: &diptych_core::Error) -> String {
    format!(
        "snapshot `{path}`: {}\nhint: put it back as it was committed (a merge conflict?), then record again",
        error.message()
    )
}
