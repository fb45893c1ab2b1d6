//! A folder of files in pgroll's dialect, through the command line one after another, none of them edited.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use diptych_core::{Migration, yaml};
use diptych_tests::{Database, ask, difference, major, migration, schema, server};
use serde_json::Value;

use crate::cli::{Folder, text};
use Side::{New, Old};

/// Every field of the dialect, by where it stands.
const DIALECT: [(&str, &str); 42] = [
    ("", "version_schema operations"),
    ("create_table", "name columns constraints comment"),
    ("create_table.columns", "name type nullable unique pk default check references comment generated"),
    ("create_table.columns.check", CHECK),
    ("create_table.columns.references", REFERENCE),
    ("create_table.columns.generated", "expression identity"),
    ("create_table.columns.generated.identity", IDENTITY),
    (
        "create_table.constraints",
        "name type columns check deferrable initially_deferred no_inherit nulls_not_distinct references index_parameters exclude",
    ),
    ("create_table.constraints.references", REFERENCES),
    ("create_table.constraints.index_parameters", PARAMETERS),
    ("create_table.constraints.exclude", "index_method elements predicate"),
    ("rename_table", "from to"),
    ("drop_table", "name"),
    ("add_column", "table column up"),
    // neither a key nor an expression, which would rewrite the table
    ("add_column.column", "name type nullable unique default check references comment generated"),
    ("add_column.column.check", CHECK),
    ("add_column.column.references", REFERENCE),
    ("add_column.column.generated", "identity"),
    ("add_column.column.generated.identity", IDENTITY),
    ("rename_column", "table from to"),
    ("drop_column", "table column down"),
    ("alter_column", "table column up down type nullable unique check references default comment"),
    ("alter_column.unique", "name"),
    ("alter_column.check", CHECK),
    ("alter_column.references", REFERENCE),
    ("create_index", "name table columns unique method predicate storage_parameters"),
    ("create_index.columns", "column collate sort nulls opclass"),
    ("create_index.columns as a map", "sort nulls"),
    ("create_index.columns.opclass", "name params"),
    ("drop_index", "name"),
    ("create_constraint", "name table type columns check no_inherit references index_parameters up down"),
    ("create_constraint.references", REFERENCES),
    ("create_constraint.index_parameters", PARAMETERS),
    ("create_constraint.up", "of each column"),
    ("create_constraint.down", "of each column"),
    ("drop_constraint", "table name up down"),
    ("drop_multicolumn_constraint", "table name up down"),
    ("drop_multicolumn_constraint.up", "of each column"),
    ("drop_multicolumn_constraint.down", "of each column"),
    ("rename_constraint", "table from to"),
    ("set_replica_identity", "table identity identity.type identity.index"),
    ("sql", "up down onComplete"),
];
const CHECK: &str = "name constraint no_inherit";
const REFERENCE: &str = "name table column on_delete on_update match_type deferrable initially_deferred";
const REFERENCES: &str = "table columns on_delete on_delete_set_columns on_update match_type";
const PARAMETERS: &str = "include_columns storage_parameters tablespace";
const IDENTITY: &str = "user_specified_values sequence_options";

/// Maps whose keys are columns.
const BY_COLUMN: [&str; 4] =
    ["create_constraint.up", "create_constraint.down", "drop_multicolumn_constraint.up", "drop_multicolumn_constraint.down"];

/// The words of the fields that have no others; a field is named by the end of its place.
const WORDS: [(&str, &[&str]); 11] = [
    ("create_table.constraints.type", &["unique", "check", "primary_key", "foreign_key", "exclude"]),
    ("create_constraint.type", &["unique", "check", "primary_key", "foreign_key"]),
    ("on_delete", &["NO ACTION", "RESTRICT", "CASCADE", "SET NULL", "SET DEFAULT"]),
    ("on_update", &["NO ACTION", "CASCADE"]),
    ("match_type", &["SIMPLE", "FULL"]),
    ("user_specified_values", &["ALWAYS", "BY DEFAULT"]),
    ("create_index.method", &["btree", "hash", "gist", "spgist", "gin", "brin"]),
    ("sort", &["ASC", "DESC"]),
    ("nulls", &["FIRST", "LAST"]),
    ("identity.type", &["NOTHING", "DEFAULT", "INDEX", "FULL"]),
    // what pgroll itself writes where nothing was said
    ("alter_column.up", &[""]),
];

/// Names as a file has them, which YAML 1.1 readers take for booleans.
const UNQUOTED: [&str; 8] = ["name: n", "name: y", "name: on", "name: no", "name: off", "column: on", "from: y", "to: yes"];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Side {
    Old,
    New,
}

/// A statement of a client, and what it is answered: rows as `a|b;c|d`, or `!SQLSTATE`.
type Look = (Side, &'static str, &'static str);

/// What clients of the two versions do once a file is started, and what they are answered.
const LOOKS: &[(&str, &[Look])] = &[
    (
        "01_ports",
        &[
            (
                New,
                "INSERT INTO ports (name, depth, n, y, no) VALUES ('Bergen', 12.5, 60.4, 5.3, 47), ('Oslo', 9, 59.9, 10.7, 48)",
                "",
            ),
            (New, "SELECT id, name, country, \"on\", no, tags FROM ports ORDER BY id", "1|Bergen|NO|t|47|{};2|Oslo|NO|t|48|{}"),
            (New, "INSERT INTO ports (name, country) VALUES ('x', 'no')", "!23514"),
            (New, "INSERT INTO ports (name) VALUES ('Oslo')", "!23505"),
        ],
    ),
    (
        "02_ships",
        &[
            (New, "INSERT INTO ships (name, home_port) VALUES ('Fram', 1), ('Gjoa', 2), ('Fram', NULL)", ""),
            (New, "SELECT id, area FROM ships ORDER BY id", "100|100;110|100;120|100"),
            (New, "INSERT INTO ships (id, name) VALUES (1, 'x')", "!428C9"),
            (New, "INSERT INTO ships (name, home_port) VALUES ('x', 99)", "!23503"),
        ],
    ),
    (
        "03_voyages",
        &[
            (New, "INSERT INTO routes (line, leg, from_port, to_port, miles) VALUES ('A', 1, 1, 2, 300)", ""),
            (New, "INSERT INTO routes (line, leg, from_port, to_port, miles) VALUES ('A', 2, 1, 1, 300)", "!23514"),
            (New, "INSERT INTO voyages (ship, line, leg, pier, during) VALUES (100, 'A', 1, 4, '[2026-01-01, 2026-01-09)')", ""),
            (New, "INSERT INTO voyages (ship, pier, during) VALUES (110, 4, '[2026-01-02, 2026-01-03)')", "!23P01"),
            (New, "INSERT INTO voyages (ship, pier, during, state) VALUES (110, 4, '[2026-01-02, 2026-01-03)', 'cancelled')", ""),
            (New, "INSERT INTO voyages (ship, line, during) VALUES (110, 'A', 'empty')", "!23503"),
        ],
    ),
    (
        "04_manifest",
        &[
            (New, "INSERT INTO manifests (line, seal) VALUES ('A', NULL)", ""),
            (New, "INSERT INTO manifests (line, seal) VALUES ('A', NULL)", "!23505"),
            (New, "INSERT INTO routes (line, leg, from_port, to_port, miles) VALUES ('A', 9, 2, 1, 300)", ""),
            (New, "INSERT INTO manifests (line, leg, seal) VALUES ('A', 9, 's')", ""),
            (New, "DELETE FROM routes WHERE leg = 9", ""),
            (New, "SELECT line, leg FROM manifests WHERE seal = 's'", "A|NULL"),
        ],
    ),
    (
        "05_manifest_without_route",
        &[
            (New, "UPDATE manifests SET leg = 99 WHERE seal = 's'", ""),
            (Old, "SELECT line, leg FROM manifests WHERE seal = 's'", "A|NULL"),
            (Old, "UPDATE manifests SET leg = 99 WHERE seal = 's'", "!23503"),
            (New, "UPDATE manifests SET leg = NULL WHERE seal = 's'", ""),
        ],
    ),
    (
        "08_rename_table",
        &[
            (Old, "INSERT INTO ships (name, home_port) VALUES ('Maud', 1)", ""),
            (New, "SELECT count(*) FROM vessels", "4"),
            (New, "SELECT count(*) FROM ships", "!42P01"),
        ],
    ),
    (
        "09_rename_columns",
        &[(Old, "SELECT n, y FROM ports WHERE id = 1", "60.4|5.3"), (New, "SELECT n, y FROM ports WHERE id = 1", "5.3|60.4")],
    ),
    (
        "10_add_columns",
        &[
            (New, "SELECT call_sign, flag, winter_port FROM vessels WHERE name = 'Gjoa'", "GJOA110|NO|2"),
            (Old, "INSERT INTO vessels (name) VALUES ('Tor')", ""),
            (New, "SELECT call_sign LIKE 'TOR%', flag, winter_port FROM vessels WHERE name = 'Tor'", "t|NO|NULL"),
            (New, "INSERT INTO vessels (name, call_sign) VALUES ('x', 'Q')", "!23514"),
        ],
    ),
    (
        "11_add_numbers",
        &[
            (New, "SELECT number FROM routes", "5"),
            (Old, "INSERT INTO routes (line, leg, from_port, to_port, miles) VALUES ('A', 2, 2, 1, 300)", ""),
            (New, "SELECT count(DISTINCT number) FROM routes", "2"),
            (New, "SELECT count(DISTINCT sort) FROM ports", "2"),
        ],
    ),
    ("12_add_volatile", &[(New, "SELECT count(DISTINCT token), bool_and(seen_at > '2020-01-01') FROM ports", "2|t")]),
    (
        "13_drop_columns",
        &[
            (New, "INSERT INTO ports (name) VALUES ('Ystad')", ""),
            (Old, "SELECT country, depth FROM ports WHERE name IN ('Oslo', 'Ystad') ORDER BY name", "NO|9.0;SE|NULL"),
            (New, "SELECT country FROM ports", "!42703"),
        ],
    ),
    (
        "14_reserved_words",
        &[
            (Old, "INSERT INTO ports (name, \"on\", no) VALUES ('Kiel', false, 49)", ""),
            (New, "SELECT off, yes FROM ports WHERE name = 'Kiel'", "t|49"),
            (New, "INSERT INTO ports (name, off) VALUES ('Turku', true)", ""),
            (Old, "SELECT \"on\" FROM ports WHERE name = 'Turku'", "f"),
        ],
    ),
    (
        "15_wider_key",
        &[
            (Old, "SELECT count(*) FROM vessels JOIN ports ON ports.id = home_port", "3"),
            (New, "SELECT count(*) FROM vessels JOIN ports ON ports.id = home_port", "3"),
            (New, "INSERT INTO vessels (name, call_sign, home_port) VALUES ('Svea', 'SVEA', 99)", "!23503"),
        ],
    ),
    (
        "16_type",
        &[
            (New, "SELECT flag FROM vessels WHERE name = 'Gjoa'", "Norway"),
            (Old, "UPDATE vessels SET flag = 'DK' WHERE name = 'Tor'", ""),
            (New, "UPDATE vessels SET flag = 'Sweden' WHERE name = 'Maud'", ""),
            (New, "SELECT flag FROM vessels WHERE name = 'Tor'", "DK"),
            (Old, "SELECT flag FROM vessels WHERE name = 'Maud'", "Sw"),
        ],
    ),
    (
        "17_not_null",
        &[
            (Old, "INSERT INTO vessels (name, call_sign) VALUES ('Ran', 'RAN')", ""),
            (New, "SELECT home_port FROM vessels WHERE name = 'Ran'", "1"),
            (New, "UPDATE vessels SET home_port = NULL WHERE name = 'Ran'", "!23502"),
        ],
    ),
    (
        "18_null",
        &[
            (New, "UPDATE vessels SET flag = NULL WHERE name = 'Tor'", ""),
            (Old, "SELECT flag FROM vessels WHERE name = 'Tor'", "none"),
            (Old, "UPDATE vessels SET flag = 'FI' WHERE name = 'Ran'", ""),
            (New, "SELECT flag FROM vessels WHERE name = 'Ran'", "FI"),
        ],
    ),
    (
        "19_unique",
        &[
            (New, "SELECT name FROM vessels WHERE name LIKE 'Fram%' ORDER BY id", "Fram;Fram 120"),
            (New, "INSERT INTO vessels (name, call_sign, home_port) VALUES ('Gjoa', 'GG', 1)", "!23505"),
        ],
    ),
    (
        "20_check",
        &[
            (Old, "UPDATE routes SET miles = 9000 WHERE leg = 1", ""),
            (New, "SELECT miles FROM routes WHERE leg = 1", "5000"),
            (New, "UPDATE routes SET miles = 9000 WHERE leg = 1", "!23514"),
        ],
    ),
    (
        "21_references",
        &[
            (New, "INSERT INTO voyages (ship, during) VALUES (5, 'empty')", "!23503"),
            (Old, "INSERT INTO voyages (ship, during) VALUES (100, 'empty')", ""),
            (New, "SELECT count(*) FROM voyages WHERE ship = 100", "2"),
        ],
    ),
    (
        "22_default_and_comment",
        &[
            (New, "INSERT INTO vessels (name, call_sign, home_port) VALUES ('Una', 'UN', 1)", "!23502"),
            (Old, "INSERT INTO vessels (name, call_sign, home_port) VALUES ('Una', 'UN', 1)", ""),
            (New, "INSERT INTO vessels (name, call_sign, home_port, length) VALUES ('Eir', 'EI', 1, 30)", ""),
            (New, "SELECT beam, area FROM vessels WHERE name IN ('Una', 'Eir') ORDER BY name", "6|180;5|100"),
        ],
    ),
    (
        "23_no_comment",
        &[
            (New, "INSERT INTO vessels (name, call_sign, home_port) VALUES ('Nor', 'NO', 1)", ""),
            (Old, "SELECT length FROM vessels WHERE name = 'Nor'", "25"),
        ],
    ),
    (
        "24_several_at_once",
        &[
            (New, "SELECT yes FROM ports WHERE id = 1", "Bergen"),
            (New, "UPDATE ports SET yes = 'nowhere' WHERE id = 1", "!23503"),
            (New, "UPDATE ports SET yes = NULL WHERE id = 1", "!23502"),
            (New, "UPDATE ports SET yes = '4' WHERE id = 1", "!23514"),
            (New, "UPDATE ports SET yes = 'Oslo' WHERE id = 1", "!23505"),
            (Old, "SELECT yes FROM ports WHERE id = 1", "47"),
        ],
    ),
    (
        "25_twice",
        &[
            (New, "UPDATE routes SET miles = NULL WHERE leg = 1; UPDATE routes SET miles = 3.7 WHERE leg = 2", ""),
            (Old, "SELECT miles FROM routes ORDER BY leg", "1;4"),
        ],
    ),
    ("26_indexes", &[(New, "UPDATE ports SET token = (SELECT token FROM ports WHERE id = 1) WHERE id = 2", "!23505")]),
    (
        "30_constraint_unique",
        &[
            (New, "SELECT flag FROM vessels WHERE name = 'Tor'", "none"),
            (Old, "SELECT flag FROM vessels WHERE name = 'Tor'", "NULL"),
            (New, "INSERT INTO vessels (name, call_sign, home_port, flag) VALUES ('Gna', 'GJOA110', 1, 'Norway')", "!23505"),
        ],
    ),
    (
        "31_constraint_check",
        &[
            (New, "UPDATE vessels SET flag = '' WHERE name = 'Gjoa'", "!23514"),
            (Old, "UPDATE vessels SET flag = '' WHERE name = 'Gjoa'", ""),
            (New, "SELECT flag FROM vessels WHERE name = 'Gjoa'", "none"),
        ],
    ),
    (
        "32_constraint_primary_key",
        &[(New, "INSERT INTO crew VALUES (1, 'Amundsen', NULL)", ""), (New, "INSERT INTO crew VALUES (1, 'x', NULL)", "!23505")],
    ),
    (
        "33_constraint_foreign_key",
        &[
            (Old, "INSERT INTO crew VALUES (2, 'Hansen', 9), (3, 'Wisting', 1)", ""),
            (New, "SELECT captain FROM crew ORDER BY id", "NULL;NULL;1"),
            (New, "UPDATE crew SET captain = 9 WHERE id = 2", "!23503"),
        ],
    ),
    (
        "34_drop_constraints",
        &[
            (New, "UPDATE routes SET miles = 7000 WHERE leg = 2", ""),
            (Old, "SELECT miles FROM routes ORDER BY leg", "NULL;5000"),
            (New, "UPDATE crew SET captain = NULL WHERE id = 3", ""),
            (Old, "SELECT captain FROM crew WHERE id = 3", "NULL"),
        ],
    ),
    (
        "35_drop_multicolumn_constraints",
        &[
            (New, "UPDATE vessels SET flag = '' WHERE name = 'Gjoa'", ""),
            (Old, "SELECT flag FROM vessels WHERE name = 'Gjoa'", "none"),
            (Old, "UPDATE vessels SET flag = '' WHERE name = 'Gjoa'", "!23514"),
        ],
    ),
    (
        "39_version_schema",
        &[
            (New, "SELECT (current_schemas(false))[1]", "public_summer"),
            (New, "INSERT INTO berths VALUES (1, 1), (1, 2)", ""),
            (New, "INSERT INTO berths VALUES (1, 2)", "!23505"),
        ],
    ),
    (
        "40_chain",
        &[
            (Old, "INSERT INTO berths VALUES (2, 7)", ""),
            (New, "SELECT port, metres FROM quays ORDER BY metres", "1|10;1|20;2|70"),
            (Old, "SELECT name FROM crew WHERE id = 1", "Amundsen"),
            (New, "INSERT INTO crew VALUES ('cook')", ""),
        ],
    ),
    ("41_sql", &[(New, "INSERT INTO tides VALUES (1, 4.5)", "")]),
    (
        "42_on_what_sql_made",
        &[(Old, "INSERT INTO tides VALUES (2, 1.5)", ""), (New, "SELECT is_high FROM tides ORDER BY id", "t;f")],
    ),
    ("43_sql_on_complete", &[(New, "SELECT metres FROM quays ORDER BY metres", "10;20;70")]),
    (
        "44_drop_table",
        &[
            (New, "SELECT metres FROM quays ORDER BY metres", "12;20;70"),
            (Old, "SELECT count(*) FROM tides", "2"),
            (New, "SELECT count(*) FROM tides", "!42P01"),
        ],
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_of_pgroll_files_runs_unedited() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/pgroll");
    let all = files(&source);
    let (operations, fields) = coverage(&all);
    let needs_15 = |text: &str| text.contains("nulls_not_distinct") || text.contains("manifests");
    let (left_out, taken): (Vec<_>, Vec<_>) = all.iter().partition(|(_, text)| major() < 15 && needs_15(text));
    for (path, _) in left_out {
        println!("  left out on PostgreSQL {}, which does not know what it says: {}", major(), stem(path));
    }
    let folder =
        Folder::new(&taken.iter().map(|(path, text)| (path.to_str().expect("a name"), text.as_str())).collect::<Vec<_>>());
    let known: Vec<&str> = taken.iter().map(|(path, _)| stem(path)).collect();
    assert!(LOOKS.iter().all(|(name, _)| major() < 15 || known.contains(name)), "every look has its file");

    let database = Database::new().await;
    let mut migrations: Vec<Migration> = Vec::new();
    for (path, text) in &taken {
        let name = stem(path);
        let older = migrations.last().cloned();
        migrations.push(migration(name, text));
        run_one(&database, &folder, older.as_ref(), &migrations).await;
    }

    let after = files(folder.path());
    let edited = differing(&taken, &after);
    println!("pgroll: {} files, {operations} operations, {fields} fields, {} edited", taken.len(), edited.len());
    assert!(edited.is_empty(), "edited: {edited:?}");
}

/// The last migration's way: start, rollback, start, complete.
async fn run_one(database: &Database, folder: &Folder, older: Option<&Migration>, all: &[Migration]) {
    let (newer, name) = all.last().map(|newer| (newer, newer.name.as_str())).expect("a migration");
    let url = server().url(&database.name);
    let run = |arguments: &[&str], says: &str| {
        let output = folder.run(Some(&url), arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?} of {name}: {}", text(&output.stderr));
        let said = text(&output.stdout);
        assert!(said.contains(&format!("{says} `{name}`")), "{arguments:?} of {name}: {said}");
    };
    let at_rest = |version: Option<&str>| {
        let status = folder.run(Some(&url), &["status", "--json"]);
        let status: Value = serde_json::from_slice(&status.stdout).expect("JSON");
        assert_eq!((status["live"].as_str(), &status["pending"]), (version, &Value::Null), "{name}: {status}");
    };
    let admin = database.client().await;
    let views = format!("SELECT count(*) FROM pg_views WHERE schemaname = '{}'", views(newer));
    let catalog = database.catalog().await;
    run(&["start", "--to", name], "started");
    assert_ne!(ask(&admin, &views).await, "0", "{name}: the views of the version");
    run(&["rollback"], "rolled back");
    at_rest(older.map(|older| older.name.as_str()));
    let rolled_back = database.catalog().await;
    assert_eq!(catalog, rolled_back, "{name}: rollback\n{}", difference(&catalog, &rolled_back));
    run(&["start", "--to", name], "started");
    look(database, older, newer).await;
    run(&["complete"], "completed");

    // what `sql` makes is not in the files, so that they alone do not lead to what is there then
    if all.iter().flat_map(|migration| &migration.operations).all(|operation| operation.name() != "sql") {
        let (completed, fresh) = (database.catalog().await, database.fresh_catalog(&schema(all)).await);
        assert_eq!(completed, fresh, "{name}: complete\n{}", difference(&fresh, &completed));
    }
    at_rest(Some(name));
}

async fn look(database: &Database, older: Option<&Migration>, newer: &Migration) {
    let Some((name, looks)) = LOOKS.iter().find(|(name, _)| *name == newer.name) else { return };
    let suffix = |migration: &Migration| migration.version_schema.clone().unwrap_or_else(|| migration.name.clone());
    let new = database.on(&suffix(newer)).await;
    let old = match older {
        Some(older) => Some(database.on(&suffix(older)).await),
        None => None,
    };
    for (side, statement, answer) in *looks {
        let client = if *side == Old { old.as_ref().expect("an older version") } else { &new };
        assert_eq!(ask(client, statement).await, *answer, "{name}, {side:?}: {statement}");
    }
}

fn views(migration: &Migration) -> String {
    diptych_core::names::view_schema("public", migration.version_schema.as_deref().unwrap_or(&migration.name))
}

/// The files of a folder by name, as they are.
fn files(folder: &Path) -> Vec<(PathBuf, String)> {
    let entries = std::fs::read_dir(folder).expect("a folder").flatten();
    let mut files: Vec<_> =
        entries.map(|entry| (PathBuf::from(entry.file_name()), std::fs::read_to_string(entry.path()).expect("a file"))).collect();
    files.sort();
    files
}

fn stem(path: &Path) -> &str {
    path.file_stem().and_then(|stem| stem.to_str()).expect("a name")
}

/// Files that are there in one of the folders only, or otherwise.
fn differing<'a>(before: &[&'a (PathBuf, String)], after: &'a [(PathBuf, String)]) -> BTreeSet<&'a PathBuf> {
    let come = after.iter().filter(|file| !before.contains(file));
    let gone = before.iter().copied().filter(|file| !after.contains(file));
    come.chain(gone).map(|(path, _)| path).collect()
}

/// How many operations and fields the files use: all of the dialect, and nothing else.
fn coverage(files: &[(PathBuf, String)]) -> (usize, usize) {
    let mut seen = Seen::new();
    for (path, text) in files {
        let file: Value = yaml::read(text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        walk("", &file, &mut seen);
    }
    let dialect: BTreeSet<String> = DIALECT
        .iter()
        .flat_map(|(place, fields)| {
            let fields: Vec<&str> = if BY_COLUMN.contains(place) { vec![fields] } else { fields.split(' ').collect() };
            fields.into_iter().map(|field| join(place, field))
        })
        .collect();
    let used: BTreeSet<String> = seen.keys().cloned().collect();
    let unused: Vec<_> = dialect.difference(&used).collect();
    assert!(unused.is_empty(), "no file uses {unused:?}");
    let unknown: Vec<_> = used.difference(&dialect).collect();
    assert!(unknown.is_empty(), "not of pgroll's dialect: {unknown:?}");
    for (end, words) in WORDS {
        let given: BTreeSet<&String> = seen.iter().filter(|(place, _)| ends(place, end)).flat_map(|(_, words)| words).collect();
        for word in words {
            assert!(given.contains(&(*word).to_owned()), "no file has `{word}` for `{end}`");
        }
    }
    for place in ["alter_column.default", "alter_column.comment"] {
        assert!(seen[place].contains("null"), "no file has null for `{place}`");
    }
    for line in UNQUOTED {
        let is_there = |text: &String| text.lines().any(|there| there.trim_start_matches(['-', ' ']) == line);
        assert!(files.iter().any(|(_, text)| is_there(text)), "no file has `{line}`");
    }
    let ends: BTreeSet<_> = files.iter().filter_map(|(path, _)| path.extension()).collect();
    assert_eq!(ends.len(), 3, "of yaml, yml and json there are {ends:?}");
    let operations = DIALECT.iter().filter(|(place, _)| !place.is_empty() && !place.contains('.')).count();
    (operations, dialect.len())
}

type Seen = BTreeMap<String, BTreeSet<String>>;

/// Notes every field below a value, with its words.
fn walk(place: &str, value: &Value, seen: &mut Seen) {
    match value {
        Value::Array(items) if place == "operations" => items.iter().for_each(|operation| walk_fields("", operation, seen)),
        Value::Array(items) => items.iter().for_each(|item| walk_fields(place, item, seen)),
        Value::Object(map) if place == "create_index.columns" => {
            map.values().for_each(|key| walk_fields("create_index.columns as a map", key, seen));
        }
        Value::Object(_) if BY_COLUMN.contains(&place) => {
            seen.entry(join(place, "of each column")).or_default();
        }
        _ => walk_fields(place, value, seen),
    }
}

fn walk_fields(place: &str, value: &Value, seen: &mut Seen) {
    for (field, value) in value.as_object().into_iter().flatten() {
        let place = join(place, field);
        if !diptych_core::Operation::NAMES.contains(&place.as_str()) {
            let word = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            seen.entry(place.clone()).or_default().insert(word);
        }
        walk(&place, value, seen);
    }
}

fn join(place: &str, field: &str) -> String {
    if place.is_empty() { field.to_owned() } else { format!("{place}.{field}") }
}

fn ends(place: &str, end: &str) -> bool {
    place == end || place.ends_with(&format!(".{end}"))
}
