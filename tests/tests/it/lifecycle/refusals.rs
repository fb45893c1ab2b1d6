//! What is refused at once, with nothing changed: each with what it says and what to do instead.

use diptych::Quiet;
use diptych_core::Migration;
use diptych_tests::{Database, difference, migration};

use super::{SEED, USERS};

/// A migration that cannot be, the message and the hint.
type Refusal = (&'static str, &'static str, &'static str);

const LONG: &str = "a_name_of_sixty_four_bytes_is_one_byte_more_than_postgresql_keep";

/// `{long}` stands for a name that the server would cut off; `…` at the end for more of the same.
const REFUSALS: &[Refusal] = &[
    // rows
    (
        "insert: {table: nobody, rows: [{id: 1}]}",
        "operation 1 (`insert`): there is no table `nobody`",
        "the tables are `notes`, `users`",
    ),
    (
        "insert: {table: users, rows: []}",
        "operation 1 (`insert`): no values are given for table `users`",
        "add `rows`, a list of maps: {column: value}",
    ),
    (
        "insert: {table: users, rows: [{nothing: 1}]}",
        "operation 1 (`insert`): table `users` has no column `nothing`",
        "its columns are `id`, `email`, `name`, `age`",
    ),
    (
        "insert: {table: users, rows: [{email: a}, {email: 1.10}]}",
        "operation 1 (`insert`): row 2: `users.email` has type text and takes no value without quotes",
        "write the text in quotes",
    ),
    (
        "insert: {table: users, rows: [{email: a, age: [1]}]}",
        "operation 1 (`insert`): row 1: `users.age` has type integer and takes no list",
        "write the value as a text that PostgreSQL reads, or as an expression: {sql: …}",
    ),
    (
        "update: {table: users, set: {}}",
        "operation 1 (`update`): no values are given for table `users`",
        "add `set`: {column: expression}",
    ),
    (
        "update: {table: users, set: {age: ' age '}}",
        "operation 1 (`update`): `set` gives column `users.age` no other value",
        "write an expression over the columns of the table, or remove the column from `set`",
    ),
    (
        "update: {table: users, set: {age: age + 1}, down: {name: name}}",
        "operation 1 (`update`): `down` of table `users` is for column `name`, which is not set",
        "add `name` to `set`, or remove its `down`",
    ),
    // a foreign key to nothing
    (
        "create_table: {name: t, columns: [{name: id, type: int, references: {name: f, table: nobody, column: id}}]}",
        "operation 1 (`create_table`): there is no table `nobody`",
        "the tables are `notes`, `users`",
    ),
    (
        "create_table: {name: t, columns: [{name: id, type: int, references: {name: f, table: users, column: nothing}}]}",
        "operation 1 (`create_table`): foreign key `f`: table `users` has no column `nothing`",
        "its columns are `id`, `email`, `name`, `age`",
    ),
    (
        "create_table: {name: t, columns: [{name: id, type: int}], constraints: [{name: f, type: foreign_key, columns: [id], references: {table: nobody, columns: [id]}}]}",
        "operation 1 (`create_table`): there is no table `nobody`",
        "the tables are `notes`, `users`",
    ),
    (
        "add_column: {table: users, column: {name: c, type: bigint, nullable: true, references: {name: f, table: nobody, column: id}}}",
        "operation 1 (`add_column`): there is no table `nobody`",
        "the tables are `notes`, `users`",
    ),
    (
        "add_column: {table: users, column: {name: c, type: bigint, nullable: true, references: {name: f, table: users, column: nothing}}}",
        "operation 1 (`add_column`): table `users` has no column `nothing`",
        "its columns are `id`, `email`, `name`, `age`",
    ),
    (
        "add_column: {table: users, column: {name: c, type: bigint, nullable: true, references: {name: f, table: users, column: age}}}",
        "foreign key `f` of table `users` references `users` (age), but no unique key has exactly these columns",
        "add a unique constraint on exactly these columns to `users`; it must not be deferrable",
    ),
    (
        "alter_column: {table: users, column: age, references: {name: f, table: nobody, column: id}, up: age, down: age}",
        "operation 1 (`alter_column`): there is no table `nobody`",
        "the tables are `notes`, `users`",
    ),
    (
        "create_constraint: {name: f, table: users, type: foreign_key, columns: [age], references: {table: nobody, columns: [id]}}",
        "operation 1 (`create_constraint`): there is no table `nobody`",
        "the tables are `notes`, `users`",
    ),
    (
        "create_constraint: {name: f, table: users, type: foreign_key, columns: [age], references: {table: users, columns: [nothing]}}",
        "operation 1 (`create_constraint`): table `users` has no column `nothing`",
        "its columns are `id`, `email`, `name`, `age`",
    ),
    (
        "create_constraint: {name: f, table: users, type: foreign_key, columns: [age]}",
        "operation 1 (`create_constraint`): constraint `f` of table `users` has no `references`",
        "add `references: …`",
    ),
    // names over 63 bytes
    (
        "create_table: {name: {long}, columns: [{name: id, type: int}]}",
        "operation 1 (`create_table`): table name `{long}` is longer than 63 bytes",
        "choose a shorter name",
    ),
    (
        "create_table: {name: t, columns: [{name: {long}, type: int}]}",
        "operation 1 (`create_table`): column name `{long}` of table `t` is longer than 63 bytes",
        "choose a shorter name",
    ),
    (
        "create_table: {name: t, columns: [{name: id, type: int, check: {name: {long}, constraint: id > 0}}]}",
        "operation 1 (`create_table`): constraint name `{long}` of table `t` is longer than 63 bytes",
        "choose a shorter name",
    ),
    (
        "rename_table: {from: users, to: {long}}",
        "operation 1 (`rename_table`): table name `{long}` is longer than 63 bytes",
        "choose a shorter name",
    ),
    (
        "add_column: {table: users, column: {name: {long}, type: int, nullable: true}}",
        "operation 1 (`add_column`): column name `{long}` of table `users` is longer than 63 bytes",
        "choose a shorter name",
    ),
    (
        "rename_column: {table: users, from: age, to: {long}}",
        "operation 1 (`rename_column`): column name `{long}` of table `users` is longer than 63 bytes",
        "choose a shorter name",
    ),
    (
        "alter_column: {table: users, column: age, unique: {name: {long}}, up: age, down: age}",
        "operation 1 (`alter_column`): constraint name `{long}` of table `users` is longer than 63 bytes",
        "choose a shorter name",
    ),
    (
        "create_index: {name: {long}, table: users, columns: [{column: age}]}",
        "operation 1 (`create_index`): index name `{long}` of table `users` is longer than 63 bytes",
        "choose a shorter name",
    ),
    (
        "create_constraint: {name: {long}, table: users, type: check, columns: [age], check: age > 0}",
        "operation 1 (`create_constraint`): constraint name `{long}` of table `users` is longer than 63 bytes",
        "choose a shorter name",
    ),
    (
        "rename_constraint: {table: users, from: users_email_key, to: {long}}",
        "operation 1 (`rename_constraint`): constraint name `{long}` of table `users` is longer than 63 bytes",
        "choose a shorter name",
    ),
    // columns without a name or a type
    (
        "create_table: {name: t, columns: [{type: int}]}",
        "not readable: operations[0].create_table.columns[0]: missing field `name` at line 2 column 39",
        "correct the place named above; indentation counts in YAML",
    ),
    (
        "create_table: {name: t, columns: [{name: '', type: int}]}",
        "operation 1 (`create_table`): a column of table `t` has no name",
        "add `name: …`",
    ),
    (
        "create_table: {name: t, columns: [{name: id}]}",
        "not readable: operations[0].create_table.columns[0]: missing field `type` at line 2 column 39",
        "correct the place named above; indentation counts in YAML",
    ),
    (
        "create_table: {name: t, columns: [{name: id, type: ''}]}",
        "operation 1 (`create_table`): column `t.id` has no type",
        "add `type: …`",
    ),
    (
        "create_table: {name: t, columns: [{name: id, type: no_such_type}]}",
        "a new column has a type or collation that this database does not have: type \"no_such_type\" does not exist",
        "correct the name; or list the type's extension (`extensions` of database!, or a `create_extension` in the migration); or create the type or collation first",
    ),
    (
        "add_column: {table: users, column: {name: '', type: int, nullable: true}}",
        "operation 1 (`add_column`): a column of table `users` has no name",
        "add `name: …`",
    ),
    (
        "add_column: {table: users, column: {name: c, nullable: true}}",
        "not readable: operations[0].add_column.column: missing field `type` at line 2 column 40",
        "correct the place named above; indentation counts in YAML",
    ),
    (
        "create_table: {name: '', columns: [{name: id, type: int}]}",
        "operation 1 (`create_table`): a table has no name",
        "add `name: …`",
    ),
    (
        "create_index: {name: '', table: users, columns: [{column: age}]}",
        "operation 1 (`create_index`): an index of table `users` has no name",
        "add `name: …`",
    ),
    (
        "create_index: {name: i, table: users, columns: []}",
        "operation 1 (`create_index`): index `i` of table `users` has no columns",
        "add `columns: [{column: …}]`",
    ),
    // constraints without a name
    (
        "create_table: {name: t, columns: [{name: id, type: int}], constraints: [{name: '', type: unique, columns: [id]}]}",
        "operation 1 (`create_table`): a constraint of table `t` has no name",
        "add `name: …`",
    ),
    (
        "create_table: {name: t, columns: [{name: id, type: int}], constraints: [{type: unique, columns: [id]}]}",
        "not readable: operations[0].create_table.constraints[0]: missing field `name` at line 2 column 77",
        "correct the place named above; indentation counts in YAML",
    ),
    (
        "create_table: {name: t, columns: [{name: id, type: int, check: {name: '', constraint: id > 0}}]}",
        "operation 1 (`create_table`): a constraint of table `t` has no name",
        "add `name: …`",
    ),
    (
        "add_column: {table: users, column: {name: c, type: int, nullable: true, check: {constraint: c > 0}}}",
        "not readable: operations[0].add_column.column.check: missing field `name` at line 2 column 84",
        "correct the place named above; indentation counts in YAML",
    ),
    (
        "alter_column: {table: users, column: age, unique: {name: ''}, up: age, down: age}",
        "operation 1 (`alter_column`): a constraint of table `users` has no name",
        "add `name: …`",
    ),
    (
        "create_constraint: {name: '', table: users, type: unique, columns: [age]}",
        "operation 1 (`create_constraint`): a constraint of table `users` has no name",
        "add `name: …`",
    ),
    (
        "create_constraint: {table: users, type: unique, columns: [age]}",
        "not readable: operations[0].create_constraint: missing field `name` at line 2 column 24",
        "correct the place named above; indentation counts in YAML",
    ),
    // two primary keys
    (
        "create_table: {name: t, columns: [{name: id, type: int, pk: true}], constraints: [{name: k, type: primary_key, columns: [id]}]}",
        "operation 1 (`create_table`): table `t` would have two primary keys",
        "keep one of them",
    ),
    (
        "create_table: {name: t, columns: [{name: id, type: int}], constraints: [{name: k, type: primary_key, columns: [id]}, {name: l, type: primary_key, columns: [id]}]}",
        "operation 1 (`create_table`): table `t` would have two primary keys",
        "keep one of them",
    ),
    (
        "create_constraint: {name: k, table: users, type: primary_key, columns: [email]}",
        "operation 1 (`create_constraint`): table `users` would have two primary keys",
        "keep one of them",
    ),
    (
        "add_column: {table: users, column: {name: c, type: int, pk: true, default: '1'}}",
        "operation 1 (`add_column`): column `users.c` cannot join the primary key when it is added",
        "add the column first, then the key with create_constraint",
    ),
    // created twice
    (
        "create_table: {name: users, columns: [{name: id, type: int}]}",
        "operation 1 (`create_table`): table `users` already exists",
        "drop or rename it first, or choose another name",
    ),
    (
        "create_table: {name: t, columns: [{name: id, type: int}]}; create_table: {name: t, columns: [{name: id, type: int}]}",
        "operation 2 (`create_table`): table `t` already exists",
        "drop or rename it first, or choose another name",
    ),
    (
        "create_table: {name: t, columns: [{name: id, type: int}, {name: id, type: int}]}",
        "operation 1 (`create_table`): table `t` has two columns `id`",
        "keep one of them",
    ),
    (
        "rename_table: {from: notes, to: users}",
        "operation 1 (`rename_table`): cannot rename table `notes`: table `users` already exists",
        "choose another name",
    ),
    (
        "add_column: {table: users, column: {name: age, type: int, nullable: true}}",
        "operation 1 (`add_column`): table `users` already has a column `age`",
        "drop or rename it first",
    ),
    (
        "add_column: {table: users, column: {name: c, type: int, nullable: true}}; add_column: {table: users, column: {name: c, type: int, nullable: true}}",
        "operation 2 (`add_column`): table `users` already has a column `c`",
        "drop or rename it first",
    ),
    (
        "rename_column: {table: users, from: age, to: name}",
        "operation 1 (`rename_column`): cannot rename `users.age`: column `name` already exists",
        "choose another name",
    ),
    (
        "create_index: {name: users_name_idx, table: users, columns: [{column: age}]}",
        "operation 1 (`create_index`): table `users` already has an index or constraint `users_name_idx`",
        "choose another name",
    ),
    (
        "create_index: {name: i, table: users, columns: [{column: age}]}; create_index: {name: i, table: notes, columns: [{column: body}]}",
        "operation 2 (`create_index`): table `users` already has an index or constraint `i`",
        "choose another name",
    ),
    (
        "create_constraint: {name: users_email_key, table: users, type: unique, columns: [age]}",
        "operation 1 (`create_constraint`): table `users` already has a constraint `users_email_key`",
        "choose another name",
    ),
    (
        "create_constraint: {name: c, table: users, type: check, check: age > 0}; create_constraint: {name: c, table: users, type: check, check: age > 1}",
        "operation 2 (`create_constraint`): table `users` already has a constraint `c`",
        "choose another name",
    ),
    (
        "rename_constraint: {table: users, from: users_email_key, to: users_pkey}",
        "operation 1 (`rename_constraint`): table `users` already has a constraint `users_pkey`",
        "choose another name",
    ),
    (
        "create_constraint: {name: u, table: users, type: unique, columns: [age], not_valid: true}",
        "operation 1 (`create_constraint`): constraint `u` of table `users` cannot be `not_valid`: its index holds every row",
        "remove `not_valid`",
    ),
    (
        "create_constraint: {name: c, table: users, type: check, columns: [age], check: age > 0, up: {age: '1'}, not_valid: true}",
        "operation 1 (`create_constraint`): constraint `c` of table `users` cannot be `not_valid`: `up` gives every row a value that satisfies it",
        "remove `not_valid`",
    ),
    (
        "validate_constraint: {table: notes, name: notes_user_fk}",
        "operation 1 (`validate_constraint`): every row of table `notes` is held to constraint `notes_user_fk` already",
        "remove this `validate_constraint`",
    ),
    // dropped twice, or not there
    (
        "drop_table: {name: notes}; drop_table: {name: notes}",
        "operation 2 (`drop_table`): there is no table `notes`",
        "the tables are `users`",
    ),
    ("drop_table: {name: nobody}", "operation 1 (`drop_table`): there is no table `nobody`", "the tables are `notes`, `users`"),
    (
        "drop_table: {name: users}",
        "operation 1 (`drop_table`): table `users` is referenced by foreign key `notes_user_fk` of table `notes`",
        "drop constraint `notes_user_fk` of `notes` first, in the same migration",
    ),
    (
        "rename_table: {from: notes, to: a}; rename_table: {from: notes, to: b}",
        "operation 2 (`rename_table`): there is no table `notes`",
        "the tables are `a`, `users`",
    ),
    (
        "drop_column: {table: users, column: age}; drop_column: {table: users, column: age}",
        "operation 2 (`drop_column`): table `users` has no column `age`",
        "its columns are `id`, `email`, `name`",
    ),
    (
        "drop_column: {table: users, column: id, down: '1'}",
        "operation 1 (`drop_column`): column `users.id` is referenced by foreign key `notes_user_fk` of table `notes`",
        "drop constraint `notes_user_fk` of `notes` first, in the same migration",
    ),
    (
        "drop_column: {table: users, column: email}",
        "operation 1 (`drop_column`): column `users.email` is NOT NULL, so the older version needs a value for rows that the newer one writes",
        "add `down: …` with that value, over the columns that remain",
    ),
    (
        "rename_column: {table: users, from: age, to: a}; rename_column: {table: users, from: age, to: b}",
        "operation 2 (`rename_column`): table `users` has no column `age`",
        "its columns are `id`, `email`, `name`, `a`",
    ),
    (
        "alter_column: {table: users, column: nothing, nullable: true}",
        "operation 1 (`alter_column`): table `users` has no column `nothing`",
        "its columns are `id`, `email`, `name`, `age`",
    ),
    (
        "alter_column: {table: users, column: age}",
        "operation 1 (`alter_column`): no change is given for column `users.age`",
        "add what changes: type, nullable, collate, default, comment, unique, check, references, or the values (`up` and `down`)",
    ),
    (
        "alter_column: {table: users, column: age, type: text}",
        "operation 1 (`alter_column`): `users.age` changes its type from integer to text without `up`",
        "add `up: 'CAST(\"age\" AS text)'`, or another expression over the older version's columns",
    ),
    (
        "alter_column: {table: users, column: age, nullable: false}",
        "operation 1 (`alter_column`): `users.age` becomes NOT NULL without `up`",
        "add `up: 'coalesce(\"age\", …)'` with the value for rows that hold NULL, or `up: '\"age\"'` where none does",
    ),
    (
        "alter_column: {table: users, column: email, nullable: true}",
        "operation 1 (`alter_column`): `users.email` becomes nullable without `down`, and the older version cannot take NULL",
        "add `down: 'coalesce(\"email\", …)'` with the value that the older version reads in place of NULL, or `down: '\"email\"'`: the column then accepts NULL only after complete",
    ),
    (
        "add_column: {table: users, column: {name: c, type: int}}",
        "operation 1 (`add_column`): column `users.c` is NOT NULL, but existing rows have no value for it",
        "add `up: …` with their value, or a `default`, or make it nullable",
    ),
    (
        "add_column: {table: nobody, column: {name: c, type: int, nullable: true}}",
        "operation 1 (`add_column`): there is no table `nobody`",
        "the tables are `notes`, `users`",
    ),
    (
        "drop_index: {name: users_name_idx}; drop_index: {name: users_name_idx}",
        "operation 2 (`drop_index`): there is no index `users_name_idx`",
        "name an index that an earlier migration created",
    ),
    (
        "drop_constraint: {table: users, name: users_email_key}; drop_constraint: {table: users, name: users_email_key}",
        "operation 2 (`drop_constraint`): table `users` has no constraint `users_email_key`",
        "its constraints are `users_pkey`",
    ),
    (
        "drop_constraint: {table: users, name: users_pkey}",
        "operation 1 (`drop_constraint`): key `users_pkey` of table `users` cannot be dropped: foreign key `notes_user_fk` of table `notes` references it",
        "drop constraint `notes_user_fk` of `notes` first, in the same migration",
    ),
    (
        "drop_multicolumn_constraint: {table: users, name: nothing, down: {age: age}}",
        "operation 1 (`drop_multicolumn_constraint`): table `users` has no constraint `nothing`",
        "its constraints are `users_email_key`, `users_pkey`",
    ),
    ("sql: {up: ''}", "operation 1 (`sql`): `up` is empty", "write the statements to run"),
    (
        "drop_tabel: {name: users}",
        "not readable: operations[0]: unknown variant `drop_tabel`, expected one of …",
        "correct the place named above; indentation counts in YAML",
    ),
    (
        "drop_table: {name: notes, cascade: true}",
        "not readable: operations[0].drop_table: unknown field `cascade`, expected `name` at line 2 column 31",
        "correct the place named above; indentation counts in YAML",
    ),
    // a key that may have to stay
    (
        "create_table: {name: t, columns: [{name: id, type: int, pk: true}, {name: c, type: int, nullable: true}, {name: r, type: int, references: {name: f, table: t, column: id}}], constraints: [{name: k, type: unique, columns: [id], index_parameters: {include_columns: [c]}}]}; alter_column: {table: t, column: c, type: bigint, up: c, down: c}",
        "operation 2 (`alter_column`): column `t.c` cannot be converted: it is included in key `k`, which foreign key `f` of table `t` may depend on",
        "drop constraint `f` of `t` first, in the same migration",
    ),
    (
        "create_table: {name: t, columns: [{name: id, type: int, pk: true}, {name: c, type: int, nullable: true}, {name: r, type: int, references: {name: f, table: t, column: id}}], constraints: [{name: k, type: unique, columns: [id], index_parameters: {include_columns: [c]}}]}; drop_column: {table: t, column: c}",
        "operation 2 (`drop_column`): column `t.c` is included in key `k`, which foreign key `f` of table `t` may depend on",
        "drop constraint `f` of `t` first, in the same migration",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_is_refused_with_nothing_changed() {
    let database = Database::new().await;
    let before = migration("0001_before", USERS);
    database.migrate(std::slice::from_ref(&before)).await;
    database.on("0001_before").await.batch_execute(SEED).await.expect("rows");
    let catalog = database.catalog().await;
    let mut wrong = Vec::new();
    for (operations, message, hint) in REFUSALS {
        let (said, advised) = refused(&database, &before, operations).await;
        let now = database.catalog().await;
        assert_eq!(catalog, now, "{operations}\n{}", difference(&catalog, &now));
        let wanted = message.replace("{long}", LONG);
        let begins = wanted.strip_suffix('…').is_some_and(|begin| said.starts_with(begin));
        if !(begins || said == wanted) || advised != *hint {
            wrong.push(format!("{operations}\n  {said:?}\n  {advised:?}"));
        }
    }
    let pending = database.migrator().await.status(&[before]).await.expect("a status").pending;
    assert!(pending.is_none(), "nothing is pending");
    println!("docs/peers.md 2: {} refusals, nothing changed by any", REFUSALS.len());
    assert!(wrong.is_empty(), "{} say something else:\n{}", wrong.len(), wrong.join("\n"));
}

/// Message and hint of a migration that is refused when it is read, or when it is started.
async fn refused(database: &Database, before: &Migration, operations: &str) -> (String, String) {
    let list: String = operations.replace("{long}", LONG).split("; ").map(|operation| format!("  - {operation}\n")).collect();
    let change = match Migration::parse("0002_change", &format!("operations:\n{list}")) {
        Ok(change) => change,
        Err(error) => return (place_of(error.message()), error.hint_text().unwrap_or_default().to_owned()),
    };
    let started = database.migrator().await.start(&[before.clone(), change], None, &mut Quiet).await;
    let error = started.expect_err(operations);
    assert!(error.is_refused(), "{operations}: {error}");
    (place_of(error.message()), error.hint_text().unwrap_or_default().to_owned())
}

/// A message without the migration's name, which all of them begin with that come of its text.
fn place_of(message: &str) -> String {
    let rest = message.strip_prefix("migration `0002_change`");
    rest.map_or(message, |rest| rest.trim_start_matches([',', ':', ' '])).to_owned()
}
