//! Every message of the macros in one list: what is wrong, what the running release would lose, the way out.

use diptych_core::model::schema::Column;
use syn::Error;

use crate::symbol;

/// The mistakes of one item: all of them are reported.
#[derive(Default)]
pub(crate) struct Mistakes(Option<Error>);

impl Mistakes {
    pub(crate) fn note(&mut self, error: Error) {
        match &mut self.0 {
            Some(all) => all.combine(error),
            none => *none = Some(error),
        }
    }

    pub(crate) fn extend(&mut self, other: Mistakes) {
        if let Some(error) = other.0 {
            self.note(error);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    pub(crate) fn to_tokens(&self) -> proc_macro2::TokenStream {
        self.0.as_ref().map(Error::to_compile_error).unwrap_or_default()
    }
}

pub(crate) const GENERIC: &str = "DIP101: a table cannot have type parameters\nhint: declare one struct per table";
pub(crate) const UNNAMED_FIELDS: &str = "DIP102: a table needs named fields\nhint: give every column a field name";
pub(crate) const NOT_A_STRUCT: &str = "DIP103: only a struct can be a table\nhint: derive Schema on a struct with named fields";
pub(crate) const CHECK_PARTS: &str =
    "DIP111: a check needs a name and an expression\nhint: write `check(name = \"…\", expr = \"…\")`";
pub(crate) const FOREIGN_KEY_PARTS: &str =
    "DIP112: a foreign key names as many columns as it references\nhint: write `foreign_key(a, b, references = \"table(x, y)\")`";
pub(crate) const REFERENCE_FORM: &str =
    "DIP113: a reference names a table and a column\nhint: write `references = \"table(column)\"`";
pub(crate) const ACTION_WITHOUT_REFERENCE: &str = "DIP114: `on_delete`, `on_update`, `match_type`, `deferrable` and `initially_deferred` belong to a reference\nhint: add `references = \"table(column)\"` to the field";
pub(crate) const OPTIONS_WITHOUT_IDENTITY: &str =
    "DIP115: `sequence_options` belong to an identity\nhint: add `identity` to the field";
pub(crate) const GENERATED_TWICE: &str =
    "DIP116: a generated column has no default and no identity\nhint: keep `generated = \"…\"` or the other";
pub(crate) const EXCLUDE_PARTS: &str = "DIP117: an exclusion constraint needs a name and elements\nhint: write `exclude(name = \"…\", index_method = \"gist\", elements = \"room WITH =, during WITH &&\")`";
pub(crate) const KEY_PARTS: &str = "DIP118: a key is one column or one expression, and `params` belong to an `opclass`\nhint: write `key(column, sort = \"desc\")` or `key(expression = \"lower(column)\")`";
pub(crate) const REPLICA_IDENTITY_KIND: &str =
    "DIP119: a replica identity is `default`, `full`, `nothing` or `index NAME`\nhint: write `replica_identity = \"full\"`";
pub(crate) const SETTING_FORM: &str =
    "DIP125: a storage parameter is a number, `true`, `false` or a text\nhint: write `storage(fillfactor = 70)`";
pub(crate) const IDENTITY_KIND: &str =
    "DIP120: an identity is `always` or by default\nhint: write `identity = \"always\"`, or `identity` for by default";
pub(crate) const NO_COLUMNS: &str = "DIP121: no column is named here\nhint: name the columns in the parentheses";
pub(crate) const TWO_KEYS: &str =
    "DIP122: the primary key is declared twice\nhint: keep `primary_key(…)` on the struct or `primary_key` on the fields";

/// A word that is not one of those there are.
pub(crate) fn unknown(kind: &str, word: &str, place: &str, there: &[&str]) -> String {
    let list = match there {
        [] => return format!("DIP104: unknown {kind} `{word}` {place}\nhint: only columns can stand here"),
        [one] => format!("only {one}"),
        [all @ .., last] => format!("{} and {last}", all.join(", ")),
    };
    match near(word, there) {
        Some(near) => format!("DIP104: unknown {kind} `{word}` {place}\nhint: write `{near}`; the {kind}s are {list}"),
        None => format!("DIP104: unknown {kind} `{word}` {place}\nhint: the {kind}s are {list}"),
    }
}

/// The word that was meant: one of another letter or two, or with two exchanged.
pub(crate) fn near<'a>(word: &str, there: &[&'a str]) -> Option<&'a str> {
    let distance = |other: &str| {
        let (word, other): (Vec<char>, Vec<char>) = (word.chars().collect(), other.chars().collect());
        let mut row: Vec<usize> = (0..=other.len()).collect();
        for (at, letter) in word.iter().enumerate() {
            let mut diagonal = std::mem::replace(&mut row[0], at + 1);
            for (column, that) in other.iter().enumerate() {
                let change = diagonal + usize::from(letter != that);
                diagonal = row[column + 1];
                row[column + 1] = change.min(diagonal + 1).min(row[column] + 1);
            }
        }
        row[other.len()]
    };
    let found = there.iter().map(|other| (distance(other), *other)).min()?;
    (found.0 <= 2 && found.0 < word.len().div_ceil(2)).then_some(found.1)
}

/// An attribute that can stand only once.
pub(crate) fn twice(word: &str) -> String {
    format!("DIP105: `{word}` is given twice\nhint: keep one of them")
}

/// An attribute with more than it takes.
pub(crate) fn too_much(word: &str) -> String {
    format!("DIP106: `{word}` takes nothing more here\nhint: remove what follows, or put a comma between the two")
}

/// A name, a constraint or an index that PostgreSQL or Diptych does not take, in the words of the model.
pub(crate) fn not_taken(error: &diptych_core::Error) -> String {
    format!("DIP110: {error}")
}

/// A text without anything in it.
pub(crate) fn empty(word: &str) -> String {
    format!("DIP107: `{word}` is empty\nhint: write something between the quotes, or remove `{word}`")
}

/// An entry of `extensions` without a name.
pub(crate) const UNNAMED_EXTENSION: &str =
    "DIP107: an extension in `extensions` has no name\nhint: write its name between the quotes, or remove the entry";

/// A literal that is no text.
pub(crate) fn not_quoted(word: &str, literal: &str) -> String {
    format!("DIP108: `{word}` takes a text of SQL\nhint: write `{word} = \"{literal}\"`")
}

/// `allow` of something else.
pub(crate) fn not_allowed(what: &str, word: &str) -> String {
    format!("DIP109: nothing called `{what}` can be allowed\nhint: write `allow({word})`")
}

/// Two fields for one column.
pub(crate) fn same_column(table: &str, column: &str) -> String {
    format!("DIP123: two fields stand for column `{table}.{column}`\nhint: rename one of them, or correct its `column = \"…\"`")
}

/// A key, constraint or index over a column that no field has.
pub(crate) fn no_such_field(table: &str, column: &str) -> String {
    format!("DIP124: table `{table}` of this release has no column `{column}`\nhint: correct the name, or add the field")
}

/// `renamed_from` of a table that the snapshot does not have.
pub(crate) fn table_renamed_unknown(table: &str, from: &str, version: &str) -> String {
    format!(
        "DIP503: table `{table}` of this release is renamed from `{from}`, which version `{version}` does not have\nhint: correct the name, or remove `renamed_from`"
    )
}

/// A table that is both declared and dropped.
pub(crate) fn table_dropped_but_there(table: &str, version: &str) -> String {
    format!(
        "DIP502: table `{table}` of version `{version}` is dropped, yet this release has a struct for it in `tables`\nhint: remove \"{table}\" from `dropped`, or the struct from `tables`"
    )
}

/// An extension that the list leaves out.
pub(crate) fn extension_gone(name: &str, version: &str) -> String {
    format!(
        "DIP508: extension `{name}` is in version `{version}`, and this release does not list it in `extensions`\n\
         hint: add it to `extensions: […]`, or `dropped: [\"{name}\"]` to database!, which drops it at complete"
    )
}

/// An extension that is both listed and dropped.
pub(crate) fn extension_dropped_but_there(name: &str) -> String {
    format!(
        "DIP509: extension `{name}` is dropped, yet `extensions` lists it\nhint: remove \"{name}\" from `dropped`, or from `extensions`"
    )
}

/// How messages speak of what `database!` lists by name.
pub(crate) struct Words {
    /// What people call it.
    pub kind: &'static str,
    /// The key of its list.
    key: &'static str,
    /// The codes: its list leaves it out, it is both listed and dropped, it cannot become what the list says.
    gone: &'static str,
    dropped: &'static str,
    changed: &'static str,
}

/// Of domains.
pub(crate) const DOMAIN: Words =
    Words { kind: "domain", key: symbol::DOMAINS, gone: "DIP512", dropped: "DIP513", changed: "DIP514" };

/// Of composite types.
pub(crate) const COMPOSITE: Words =
    Words { kind: "composite type", key: symbol::COMPOSITES, gone: "DIP516", dropped: "DIP517", changed: "DIP518" };

/// Of sequences that no column owns.
pub(crate) const SEQUENCE: Words =
    Words { kind: "sequence", key: symbol::SEQUENCES, gone: "DIP520", dropped: "DIP521", changed: "DIP522" };

/// What its list leaves out.
pub(crate) fn not_listed(Words { kind, key, gone, .. }: &Words, name: &str, version: &str) -> String {
    format!(
        "{gone}: {kind} `{name}` is in version `{version}`, and this release does not list it in `{key}`\n\
         hint: add it to `{key}: […]` as the snapshot has it, or `dropped: [\"{name}\"]` to database!, which drops it at complete"
    )
}

/// What is both listed and dropped.
pub(crate) fn listed_and_dropped(Words { kind, key, dropped, .. }: &Words, name: &str) -> String {
    format!(
        "{dropped}: {kind} `{name}` is dropped, yet `{key}` lists it\nhint: remove \"{name}\" from `dropped`, or from `{key}`"
    )
}

/// What cannot become what its list says.
pub(crate) fn listed_otherwise(Words { changed, .. }: &Words, error: &diptych_core::Error) -> String {
    format!("{changed}: {error}")
}

/// An attribute of which nothing is said.
pub(crate) fn attribute_without_type(name: &str) -> String {
    format!(
        "DIP519: attribute `{name}` has no type\nhint: write `{name}: \"text\"`, or `{name}(type = \"text\", collate = \"C\")`"
    )
}

/// A number that no sequence has.
pub(crate) const NO_BIGINT: &str =
    "DIP110: a number of a sequence is not within bigint\nhint: write one from -9223372036854775808 to 9223372036854775807";

/// A sequence that comes where another one goes, and would give the same numbers.
pub(crate) fn sequence_in_place(error: &diptych_core::Error) -> String {
    format!("DIP523: {error}")
}

/// Two structs for one table.
pub(crate) const SAME_TABLE: &str = "DIP504: two structs in `tables` stand for the same table\nhint: remove one of them, or correct its `#[schema(table = \"…\")]`";

/// A column of the snapshot that the struct has no field for.
pub(crate) fn field_gone(table: &str, column: &Column, new: &[&str], version: &str) -> String {
    let name = &column.name;
    let (loss, down) = if column.nullable || column.default.is_some() {
        ("NULL or its default", format!("dropped({name})"))
    } else {
        ("no value at all", format!("dropped({name}, down = \"…\")"))
    };
    let renamed = format!("`#[schema(renamed_from = \"{name}\")]` to the field that it became");
    let dropped = format!("`{down}` to `#[schema(…)]` of the struct");
    // a rename is what one forgets, where there is a field that nobody knows
    let ways = match new {
        [] => format!("{dropped}, or {renamed}"),
        new => {
            let list = new.iter().map(|field| format!("`{field}`")).collect::<Vec<_>>().join(" or ");
            format!("{renamed}, if that is {list}, or {dropped}")
        }
    };
    format!(
        "DIP201: column `{table}.{name}` is in version `{version}`, but this release has no field for it: version `{version}` would read {loss} in rows that this release writes\n\
         hint: add {ways}; a field behind `#[cfg]` counts as gone while its feature is off"
    )
}

/// A dropped NOT NULL column without a value for the running release.
pub(crate) fn dropped_without_down(table: &str, column: &str, version: &str) -> String {
    format!(
        "DIP202: column `{table}.{column}` is NOT NULL without a default in version `{version}`, which needs a value for rows that this release writes\n\
         hint: write `dropped({column}, down = \"…\")` with that value, over the columns that remain"
    )
}

/// `dropped` of a column that the snapshot does not have.
pub(crate) fn dropped_unknown(table: &str, column: &str, version: &str) -> String {
    format!(
        "DIP203: there is no column `{table}.{column}` in version `{version}`, so this release cannot drop it\nhint: remove `dropped({column})`, or correct the name"
    )
}

/// `dropped` of a column that still has its field.
pub(crate) fn dropped_but_there(table: &str, column: &str, version: &str) -> String {
    format!(
        "DIP204: column `{table}.{column}` of version `{version}` is dropped, yet this release has a field for it\nhint: remove `dropped({column})` or the field"
    )
}

/// `renamed_from` of a column that the snapshot does not have.
pub(crate) fn renamed_unknown(table: &str, column: &str, from: &str, version: &str) -> String {
    format!(
        "DIP205: column `{table}.{column}` of this release is renamed from `{from}`, which version `{version}` does not have\nhint: correct the name, or remove `renamed_from`"
    )
}

/// A field under another collation.
pub(crate) fn other_collation(table: &str, column: &str, version: &str) -> String {
    format!(
        "DIP210: column `{table}.{column}` has another collation than in version `{version}`\n\
         hint: add `up = \"{column}\"` and `down = \"{column}\"` to `#[schema(…)]` of the field, or put the collation back"
    )
}

/// A field that is generated by another rule.
pub(crate) fn other_rule(table: &str, column: &str, version: &str) -> String {
    format!(
        "DIP209: column `{table}.{column}` has another `identity` or `generated` than in version `{version}`, and no migration can change that\nhint: put `identity` or `generated` back as it was, or declare a new column with `up` and drop this one"
    )
}

/// Two fields for one column of the snapshot.
pub(crate) fn claimed_twice(table: &str, column: &str, version: &str) -> String {
    format!(
        "DIP206: two fields of this release stand for column `{table}.{column}` of version `{version}`\nhint: remove the `renamed_from` of one of them"
    )
}

/// A constraint on columns that the running release writes.
pub(crate) fn new_constraint(what: &str, version: &str, place: &str) -> String {
    format!(
        "DIP401: {what} is new in this release: writes of version `{version}` that break it would fail\n\
         hint: add `allow(old_writes_may_fail)` {place} if they cannot occur"
    )
}

/// A constraint that is there, on columns that get other values.
pub(crate) fn converted_rule(what: &str, version: &str, place: &str) -> String {
    format!(
        "DIP402: {what} also holds for what `up` makes of the writes of version `{version}`: those that it turns into a row which breaks the rule would fail\n\
         hint: add `allow(old_writes_may_fail)` {place} if they cannot occur, or let `up` give a value that the rule allows"
    )
}

/// A new column whose rows must be apart, and would all have one value.
pub(crate) fn one_value_for_all(what: &str, version: &str) -> String {
    format!(
        "DIP403: {what} is new in this release, and every row of version `{version}` would have its default, which only one may have\n\
         hint: add `up = \"…\"` to the field with a value of each row's own, made of a key; or remove the default and make it an Option"
    )
}

/// A generated column for a table that is there.
pub(crate) fn generated_later(table: &str, column: &str) -> String {
    format!(
        "DIP208: PostgreSQL cannot add a generated column, `{table}.{column}`, to a table that is there without writing all of it anew under a lock\n\
         hint: write `up = \"…\"` in place of `generated = \"…\"`, with the same expression, and let the app keep the value"
    )
}

/// Where `allow` goes for a rule on a field that has one already.
pub(crate) const ON_STRUCT_INSTEAD: &str = "of its own to the rule (the one on the field was for a rule that is recorded): write the rule on the struct, as `check(…)`, `unique(…)` or `foreign_key(…)`, with it within the parentheses,";

/// A field that is renamed from one column, and stands for another that is there.
pub(crate) fn renamed_but_there(table: &str, column: &str, from: &str, version: &str) -> String {
    format!(
        "DIP207: column `{column}` of table `{table}` is there in version `{version}`, so that no field can be renamed from `{from}` to it\n\
         hint: remove `renamed_from`; to exchange two columns, rename one to a new name in this release and the other in the next"
    )
}

/// A word of DIPTYCH_DRIFT that there is not.
pub(crate) fn unknown_drift(word: &str) -> String {
    format!("DIP707: there is no `DIPTYCH_DRIFT={word}`\nhint: use warn, deny or allow")
}

/// A snapshot without a version beside migrations.
pub(crate) fn emptied_snapshot(path: &str, newest: &str) -> String {
    format!(
        "DIP703: snapshot `{path}` has no version, and there are migrations up to `{newest}`: nothing can be compared\n\
         hint: run `cargo xtask migrate record` without a name: it makes the snapshot anew from the files"
    )
}

/// A table that is partitioned otherwise than it was.
pub(crate) fn other_partitions(table: &str, so_far: Option<&str>, version: &str) -> String {
    let hint = so_far.map_or_else(|| "leave `partition_by` out".to_owned(), |text| format!("write `partition_by = \"{text}\"`"));
    format!(
        "DIP505: table `{table}` has another `partition_by` in version `{version}`, and PostgreSQL cannot change how a table is partitioned\nhint: {hint}, and let a new table take its place"
    )
}

/// A snapshot that is not of the newest migration.
pub(crate) fn other_newest(newest: &str, version: &str) -> String {
    format!(
        "DIP704: the newest migration is `{newest}`, but the snapshot is of version `{version}`: the structs would be compared with another schema than the database gets\n\
         hint: `cargo xtask migrate check` says which of the two is to be mended"
    )
}

/// Another base schema than the tables are in.
pub(crate) fn other_schema(schema: &str, recorded: &str, version: &str) -> String {
    format!(
        "DIP506: version `{version}` has its tables in schema `{recorded}`, and this release looks for them in `{schema}`\n\
         hint: write `schema: \"{recorded}\"`, or leave it out where that is `public`; a database's tables stay in their schema"
    )
}

/// Something that is not recorded, where that is denied.
pub(crate) fn unrecorded(what: &str, version: &str) -> String {
    format!("DIP706: {what} is not in version `{version}`: record it with `cargo xtask migrate record NAME`")
}

/// A folder of code that is not there.
pub(crate) fn no_code_folder(path: &str) -> String {
    format!(
        "DIP510: there is no folder `{path}`\nhint: create it, for a `.sql` file for each function and view, or correct `code: \"…\"`"
    )
}

/// Code whose file is gone.
pub(crate) fn code_gone(name: &str, version: &str) -> String {
    format!(
        "DIP511: code `{name}` is in version `{version}`, but the folder of `code` has no file `{name}.sql`\n\
         hint: add `dropped: [\"{name}\"]` to database!, or put the file back"
    )
}

/// A table that no struct declares.
pub(crate) fn table_gone(table: &str, version: &str) -> String {
    format!(
        "DIP501: table `{table}` is in version `{version}`, but this release has no struct for it in `tables`\n\
         hint: add `dropped: [\"{table}\"]` to database!, or `renamed_from = \"{table}\"` to the struct that it became"
    )
}

pub(crate) const NOT_A_NEWTYPE: &str = "DIP621: only a struct with one field has that field's PostgreSQL type\nhint: name the type with `#[schema(type = \"…\")]` on the type, or derive SchemaEnum on an enum of plain names";
pub(crate) const NEWTYPE_FIELD: &str =
    "DIP622: the field of a newtype takes no attributes\nhint: write `#[schema(type = \"…\")]` on the struct";
pub(crate) const NOT_AN_ENUM: &str = "DIP601: only an enum whose variants have no fields can be an enum type\nhint: derive SchemaEnum on an enum of plain names, without type parameters";
pub(crate) const DROPPED_LABEL_PARTS: &str =
    "DIP602: a label that goes needs the one that takes its place\nhint: write `dropped(label, up = \"other\")`";
/// Two enums for one type.
pub(crate) const SAME_ENUM: &str =
    "DIP603: two enums in `enums` stand for the same type\nhint: remove one of them, or correct its `#[schema(name = \"…\")]`";

/// Two variants for one label.
pub(crate) fn same_label(name: &str, label: &str) -> String {
    format!(
        "DIP604: two variants stand for label `{label}` of enum `{name}`\nhint: rename one of them, or correct its `label = \"…\"`"
    )
}

/// A label that the running release cannot read.
pub(crate) fn new_label(name: &str, label: &str, version: &str) -> String {
    format!(
        "DIP605: label `{label}` of enum `{name}` is new in this release, and version `{version}` cannot read it\n\
         hint: add `#[schema(down = \"…\")]` to the variant with the label that it reads in its place, or `#[schema(renamed_from = \"…\")]`, or `#[schema(allow(old_reads_new_labels))]`: it then reads the column's default, or NULL"
    )
}

/// A label that rows may have.
pub(crate) fn label_gone(name: &str, label: &str, version: &str) -> String {
    format!(
        "DIP606: label `{label}` of enum `{name}` is in version `{version}`, but this release has no variant for it: rows may have it\n\
         hint: add `dropped({label}, up = \"…\")` to `#[schema(…)]` of the enum with the label that takes its place, or `#[schema(renamed_from = \"{label}\")]` to the variant that it became"
    )
}

/// A label named in vain.
pub(crate) fn no_such_label(name: &str, what: &str, label: &str, place: &str) -> String {
    format!(
        "DIP607: `{what}` names label `{label}` of enum `{name}`, which {place} does not have\nhint: correct the label, or remove it"
    )
}

/// `dropped` of a label that still has its variant.
pub(crate) fn label_dropped_but_there(name: &str, label: &str) -> String {
    format!(
        "DIP608: label `{label}` of enum `{name}` is dropped, yet this release has a variant for it\nhint: remove `dropped({label})` or the variant"
    )
}

/// `renamed_from` of a label that still has its variant.
pub(crate) fn label_renamed_but_there(name: &str, from: &str) -> String {
    format!(
        "DIP609: label `{from}` of enum `{name}` is renamed, yet this release has a variant for it\nhint: remove `renamed_from` or the variant"
    )
}

/// A label for which the running release has neither a default nor NULL.
pub(crate) fn unreadable_label(name: &str, label: &str, table: &str, column: &str, version: &str) -> String {
    format!(
        "DIP610: label `{label}` of enum `{name}` is new in this release, and column `{table}.{column}` of version `{version}` has neither a default nor NULL to read in its place\n\
         hint: write `down = \"…\"` on the variant instead of `allow(old_reads_new_labels)`, with the label that it reads"
    )
}

/// An enum that no Rust enum declares.
pub(crate) fn enum_gone(name: &str, version: &str) -> String {
    format!(
        "DIP611: enum `{name}` is in version `{version}`, but this release has none for it in `enums`\n\
         hint: add it to `enums: […]`, or `dropped: [\"{name}\"]` to database!"
    )
}

/// No snapshot.
pub(crate) fn no_snapshot(path: &str) -> String {
    format!(
        "DIP701: there is no snapshot at `{path}`\nhint: run `diptych init`, or create an empty file there: it stands for a database without tables"
    )
}

/// A migration that cannot be read.
pub(crate) fn no_file(path: &str) -> String {
    format!("DIP705: migration `{path}` is not a regular file\nhint: put the file itself there")
}

/// A snapshot that is not readable.
pub(crate) fn broken_snapshot(path: &str, error: &diptych_core::Error) -> String {
    format!(
        "DIP702: snapshot `{path}`: {}\nhint: put it back as it was committed; or, after a merge, run `cargo xtask migrate record` without a name: it makes the snapshot anew from the files",
        error.message()
    )
}
