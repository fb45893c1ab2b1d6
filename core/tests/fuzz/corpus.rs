//! Good migrations to start from: every operation, in every form that files may have.

use diptych_core::{Migration, Schema};

/// What the changes start from.
pub(crate) const BEFORE: &str = "operations:
  - create_extension: {name: hstore}
  - create_domain: {name: years, type: integer, not_null: true, default: '18', checks: {grown: VALUE >= 0, mortal: VALUE < 150}}
  - create_composite_type: {name: address, attributes: [{name: street, type: text}, {name: zip, type: text}]}
  - create_composite_type: {name: pair, attributes: [{name: one, type: address}]}
  - create_sequence: {name: tickets, type: integer, start: 10, increment: 5, max: 1000, cycle: true}
  - create_sequence: {name: downward, increment: -1}
  - create_enum: {name: mood, labels: [sad, meh, happy]}
  - create_enum: {name: idle, labels: []}
  - create_table:
      name: users
      comment: who may log in
      columns:
        - {name: id, type: bigint, pk: true, generated: {identity: {user_specified_values: BY DEFAULT, sequence_options: START 10}}}
        - {name: email, type: text, unique: true}
        - {name: name, type: text, nullable: true, comment: the whole name}
        - {name: age, type: integer, nullable: true, default: '18', check: {name: users_age, constraint: age > 0}}
  - create_table:
      name: notes
      columns:
        id: {type: bigserial, pk: true}
        user_id: {type: bigint, references: {name: notes_user_fk, table: users, column: id, on_delete: SET NULL}}
        body: {type: text}
        mood: {type: mood, default: \"'meh'::mood\"}
        moods: {type: 'mood[]', nullable: true}
  - create_index: {name: users_name_idx, table: users, columns: [{column: name}]}
";

/// Changes of it.
pub(crate) const CHANGES: &[&str] = &[
    "operations:
  - create_table:
      name: orders
      comment: what was bought
      columns:
        - {name: id, type: bigint, pk: true, generated: {identity: {user_specified_values: ALWAYS, sequence: orders_seq}}}
        - {name: user_id, type: bigint, references: {name: orders_user_fk, table: users, column: id, on_delete: CASCADE, on_update: RESTRICT, match_type: FULL, deferrable: true, initially_deferred: true}}
        - {name: total, type: 'numeric(10,2)', default: '0', check: {name: orders_total_positive, constraint: total >= 0, no_inherit: true}}
        - {name: twice, type: 'numeric(10,2)', generated: {expression: total * 2}}
        - {name: n, type: text, nullable: true, unique: true}
      constraints:
        - {name: orders_user_n, type: unique, columns: [user_id, n], nulls_not_distinct: true}
        - {name: orders_n, type: check, check: n <> ''}
        - {name: orders_x, type: exclude, exclude: {index_method: GIST, elements: 'n WITH =, total WITH &&', predicate: total > 3}, deferrable: true, index_parameters: {include_columns: [n]}}
        - {name: orders_uq, type: unique, columns: [total], index_parameters: {include_columns: [n], storage_parameters: fillfactor=70, tablespace: fast}}
        - {name: orders_self, type: foreign_key, columns: [id], references: {table: orders, columns: [id], on_delete: SET NULL, on_delete_set_columns: [id]}}
",
    "version_schema: v2
operations:
  - drop_table: {name: notes}
  - rename_table:
      from: users
      to: people
",
    "operations:
  - add_column: {table: users, column: {name: active, type: boolean, default: 'true'}}
  - add_column: {table: users, column: {name: folded, type: text, collate: C, default: '0'}}
  - add_column: {table: users, column: {name: token, type: uuid, default: gen_random_uuid()}}
  - add_column: {table: users, column: {name: shout, type: text, check: {name: shout_is_loud, constraint: shout = upper(shout)}}, up: upper(email)}
  - add_column: {table: users, column: {name: note, type: text, nullable: true, comment: a note}}
",
    "operations:
  - add_column:
      table: users
      column: {name: boss, type: bigint, nullable: true, references: {name: users_boss, table: users, column: id}}
  - drop_column: {table: users, column: name, down: \"'made of ' || email\"}
  - drop_column: {table: users, column: age}
",
    "operations: [{rename_column: {table: users, from: email, to: mail}}, {rename_column: {table: users, from: name, to: email}}]",
    "operations:
  - alter_column: {table: users, column: age, type: text, up: \"age::text || ' years'\", down: \"nullif(split_part(age, ' ', 1), '')::integer\", default: \"'0 years'\"}
  - alter_column: {table: users, column: name, nullable: false, up: \"coalesce(name, 'nobody')\", unique: {name: users_name_key}}
  - alter_column: {table: users, column: email, nullable: true, down: \"coalesce(email, 'none' || id)\", check: {name: has_at, constraint: email LIKE '%@%'}}
  - alter_column: {table: notes, column: body, default: null, comment: in words}
  - alter_column: {table: notes, column: body, references: {name: notes_body, table: users, column: email}}
",
    "operations:
  - create_index: {name: users_age_idx, table: users, columns: [{column: age, sort: DESC, nulls: LAST}, {column: name, collate: C, opclass: {name: text_pattern_ops, params: [a=1]}}], predicate: age > 3}
  - create_index: {name: users_lower, table: users, columns: [{expression: lower(email), collate: C, sort: DESC}, {column: age}], unique: true}
  - create_index: {name: users_map, table: users, columns: {age: {sort: DESC}, name: }, tablespace: fast}
  - create_index: {name: Users_Hash, table: users, columns: [{column: email}], method: hash, storage_parameters: fillfactor = 70}
  - create_index: {name: users_name_age, table: users, columns: [{column: email}], unique: true, include: [name], nulls_not_distinct: true}
  - create_statistics: {name: users_both, table: users, columns: [name, age], kinds: [mcv, ndistinct]}
  - create_statistics: {name: users_word, table: users, expressions: [lower(email)]}
  - drop_statistics: {name: users_both}
  - drop_index: {name: users_name_idx}
",
    "operations:
  - sql: {up: CREATE FUNCTION twice(n integer) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT n * 2', down: DROP FUNCTION twice}
  - sql:
      up: |
        COMMENT ON FUNCTION twice
          IS 'times two';
      onComplete: true
",
    "operations:
  - add_column: {table: users, column: {name: first_name, type: text}, up: \"coalesce(split_part(name, ' ', 1), '')\"}
  - add_column: {table: users, column: {name: last_name, type: text}, up: \"coalesce(substr(users.name, 3), '')\"}
  - drop_column: {table: users, column: name, down: \"first_name || ' ' || last_name\"}
",
    "operations:
  - create_constraint: {name: users_age_check, table: users, type: check, columns: [age], check: age < 150, up: {age: 'least(age, 149)'}, down: {age: age}}
  - create_constraint: {name: users_email_age, table: users, type: unique, columns: [email, age], deferrable: true}
  - create_constraint: {name: notes_user, table: notes, type: foreign_key, columns: [user_id], references: {table: users, columns: [id], on_delete: CASCADE}, not_valid: true}
  - validate_constraint: {table: notes, name: notes_user}
  - drop_constraint: {table: users, name: users_email_key, up: email, down: email || 'x'}
  - drop_constraint: {table: notes, name: notes_user_fk}
",
    "operations:
  - drop_multicolumn_constraint: {table: users, name: users_age, up: {age: age}, down: {age: 'coalesce(age, 1)'}}
  - rename_constraint: {table: users, from: users_email_key, to: users_mail}
  - set_replica_identity: {table: users, identity: {type: INDEX, index: users_mail}}
  - rename_constraint: {table: users, from: users_mail, to: Users Mail}
  - rename_index: {from: users_name_idx, to: Users Name}
  - set_replica_identity: {table: notes, identity: {type: FULL}}
",
    "operations:
  - create_enum: {name: Pet Kind, labels: [cat, dog], comment: kinds}
  - add_column: {table: users, column: {name: kind, type: '\"Pet Kind\"'}, up: \"'cat'\"}
  - alter_enum: {name: mood, labels: [happy, ok, sad, glad, low], rename: {meh: ok}, down: {glad: happy}, allow: old_reads_new_labels}
  - alter_enum: {name: mood, labels: [happy, ok], up: {sad: ok, glad: happy, low: ok}, comment: felt}
  - alter_enum: {name: Pet Kind, comment: null}
  - drop_enum: {name: idle}
  - set_code: {name: adults, sql: CREATE VIEW adults AS SELECT * FROM users}
  - set_code: {name: adults, sql: \"CREATE VIEW adults AS SELECT id FROM users; COMMENT ON VIEW adults IS 'of age'\"}
  - drop_code: {name: adults}
",
    "operations:
  - create_domain: {name: share, type: 'numeric(5,2)', checks: {whole: VALUE <= 1}, comment: of the whole}
  - create_domain: {name: word, type: text, collate: C}
  - alter_domain: {name: years, not_null: false, default: null, checks: {grown: VALUE >= 0}, comment: an age}
  - add_column: {table: users, column: {name: part, type: share, nullable: true}}
  - drop_domain: {name: years}
",
    "operations:
  - create_composite_type: {name: place, attributes: [{name: at, type: 'address[]'}, {name: felt, type: mood}, {name: word, type: text, collate: C}], comment: where}
  - add_column: {table: users, column: {name: home, type: place, nullable: true}, up: \"ROW(NULL, 'sad', name)::place\"}
  - alter_composite_type: {name: address, comment: where mail goes}
",
    "operations:
  - drop_composite_type: {name: pair}
  - drop_composite_type: {name: address}
",
    "operations:
  - create_sequence: {name: invoice_number, start: 1000, increment: 5, min: 7, max: 9000000000, cache: 3, comment: of all}
  - create_sequence: {name: Short Ones, type: smallint, increment: -2, cycle: true, start: -9}
  - add_column: {table: users, column: {name: invoice, type: bigint, default: \"nextval('invoice_number')\"}}
  - alter_sequence: {name: tickets, type: bigint, start: null, increment: 10, min: 2, max: null, cache: 9, cycle: false, comment: drawn}
  - drop_sequence: {name: downward}
",
    "operations:
  - create_extension: {name: uuid-ossp}
  - create_extension: {name: citext}
  - alter_column: {table: users, column: name, type: citext, up: name, down: name}
  - drop_extension: {name: uuid-ossp}
  - drop_extension: {name: hstore}
",
    "operations:
  - insert: {table: users, rows: [{email: a, age: 7}, {email: {sql: upper('b')}, name: null}], on_conflict: nothing}
  - update: {table: users, set: {age: age + 1, name: lower(name)}, where: age > 0, down: {age: age - 1}}
  - delete: {table: notes, where: \"body = '' -- empty\"}
  - create_table: {name: kinds, columns: [{name: id, type: bigint, pk: true, generated: {identity: {}}}, {name: tags, type: 'text[]'}, {name: how, type: jsonb}, {name: price, type: numeric, default: '1'}]}
  - insert: {table: kinds, rows: [{id: 1, tags: [a, null, 'no'], how: {a: [1, 2.5, true], 'on': null}, price: 12.5}, {tags: [], how: x}]}
",
    "operations:
  - rename_column: {table: users, from: name, to: label}
  - alter_column: {table: users, column: label, type: varchar(9), up: label, down: label, default: null}
  - alter_column: {table: users, column: label, type: text, up: \"label || '!'\", down: \"rtrim(label, '!')\"}
  - add_column: {table: users, column: {name: temporary, type: text, nullable: true}}
  - drop_column: {table: users, column: temporary}
  - alter_table: {table: users, comment: who they are, storage: {fillfactor: 70, autovacuum_vacuum_scale_factor: 0.01, toast.autovacuum_enabled: off}}
  - alter_table: {table: users, storage: {fillfactor: null}}
  - create_table: {name: stored, columns: [{name: id, type: bigint}], storage: {fillfactor: '070', parallel_workers: 2}}
  - rename_table: {from: users, to: members}
  - drop_table: {name: notes}
  - create_table: {name: users, columns: [{name: id, type: bigint, pk: true, generated: {identity: {}}}, {name: nick, type: text, unique: true}]}
",
];

/// The schema that [`BEFORE`] leads to.
pub(crate) fn schema() -> Schema {
    let first = Migration::parse("0001_first", BEFORE).expect("the corpus is good");
    first.stage(&Schema::default()).expect("the corpus is good").to
}

#[test]
fn the_corpus_is_good_and_has_every_operation() {
    let mut used = std::collections::BTreeSet::new();
    for text in CHANGES {
        let change = Migration::parse("0002_change", text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        change.stage(&schema()).unwrap_or_else(|error| panic!("{error}\n{text}"));
        used.extend(change.operations.iter().map(diptych_core::Operation::name));
    }
    assert_eq!(used, diptych_core::Operation::NAMES.iter().copied().collect());
}
