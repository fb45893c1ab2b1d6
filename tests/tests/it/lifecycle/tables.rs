//! Whole tables: created, dropped, renamed, commented, replicated.

use super::Side::{New, Old};
use super::{ALONE, Account, BEYOND, Case, SAME, SEED, USERS, WORK};

/// The storage parameters of a table of a base schema, those of its TOAST table among them.
macro_rules! stored {
    ($table:literal) => {
        concat!(
            "SELECT string_agg(parameter, ',' ORDER BY parameter COLLATE \"C\") FROM pg_class AS own LEFT JOIN pg_class AS toast ON toast.oid = own.reltoastrelid \
             CROSS JOIN LATERAL (SELECT unnest(own.reloptions) UNION ALL SELECT concat('toast.', unnest(toast.reloptions))) AS kept (parameter) \
             WHERE own.relkind = 'r' AND own.relname = '", $table, "'"
        )
    };
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case {
            name: "create_table",
            expectation: "create_table",
            before: USERS,
            seed: SEED,
            change: "operations:
  - create_table:
      name: orders
      comment: what was bought
      columns:
        - {name: id, type: bigint, pk: true, generated: {identity: {user_specified_values: ALWAYS}}}
        - {name: user_id, type: bigint, references: {name: orders_user_fk, table: users, column: id, on_delete: CASCADE}}
        - {name: total, type: 'numeric(10,2)', default: '0', check: {name: orders_total_positive, constraint: total >= 0}}
        - {name: n, type: text, nullable: true}
      constraints:
        - {name: orders_user_n, type: unique, columns: [user_id, n]}
",
            account: SAME,
            work: WORK,
            started: &[
                (New, "INSERT INTO orders (user_id, total, n) VALUES (1, 5, 'a')", ""),
                (New, "INSERT INTO orders (user_id, total, n) VALUES (1, -5, 'b')", "!23514"),
                (New, "INSERT INTO orders (user_id, total, n) VALUES (1, 5, 'a')", "!23505"),
                (New, "INSERT INTO orders (user_id, total, n) VALUES (0, 5, 'a')", "!23503"),
                (New, "SELECT user_id, total, n FROM orders", "1|5.00|a"),
            ],
            completed: &[("INSERT INTO orders (user_id, n) VALUES (1, 'c')", ""), ("SELECT total FROM orders WHERE n = 'c'", "0.00")],
        },
        Case {
            name: "create_table with everything",
            expectation: "create_table",
            before: USERS,
            seed: SEED,
            change: "operations:
  - create_table:
      name: bookings
      columns:
        - {name: number, type: bigint, generated: {identity: {user_specified_values: BY DEFAULT, sequence_options: START WITH 100 INCREMENT BY 5 MAXVALUE 900 CACHE 3 CYCLE}}}
        - {name: room, type: text, collate: C}
        - {name: during, type: int4range}
        - {name: nights, type: integer, generated: {expression: upper(during) - lower(during)}}
        - {name: guest, type: bigint, nullable: true}
        - {name: mail, type: text, nullable: true, check: {name: bookings_mail, constraint: mail LIKE '%@%', no_inherit: true}}
      constraints:
        - {name: bookings_pkey, type: primary_key, columns: [room, number], deferrable: true, index_parameters: {include_columns: [guest], storage_parameters: fillfactor=60, tablespace: pg_default}}
        - {name: bookings_mail_key, type: unique, columns: [mail, room], nulls_not_distinct: true, index_parameters: {storage_parameters: fillfactor=70}}
        - {name: bookings_apart, type: exclude, initially_deferred: true, index_parameters: {storage_parameters: fillfactor=80}, exclude: {index_method: gist, elements: during WITH &&, predicate: room = 'suite'}}
        - {name: bookings_guest, type: foreign_key, columns: [guest], deferrable: true, initially_deferred: true, references: {table: users, columns: [id], match_type: FULL, on_update: CASCADE, on_delete: SET NULL, on_delete_set_columns: [guest]}}
  - create_index: {name: bookings_lower, table: bookings, columns: [{expression: lower(mail), collate: C, sort: DESC}, {column: room, opclass: {name: text_pattern_ops}}], unique: true, predicate: nights > 1, include: [guest]}
",
            account: SAME,
            work: WORK,
            started: &[
                (New, "INSERT INTO bookings (room, during, guest, mail) VALUES ('suite', '[1,4)', 1, 'a@b') RETURNING number, nights", "100|3"),
                (New, "INSERT INTO bookings (room, during) VALUES ('suite', '[3,5)')", "!23P01"),
                (New, "INSERT INTO bookings (room, during, mail) VALUES ('x', '[3,5)', 'none')", "!23514"),
                (New, "INSERT INTO bookings (room, during, mail) VALUES ('suite', '[8,9)', 'a@b')", "!23505"),
                (New, "INSERT INTO bookings (room, during, guest) VALUES ('y', '[3,5)', 0)", "!23503"),
                (New, "INSERT INTO bookings (room, during, nights) VALUES ('y', '[3,5)', 2)", "!428C9"),
                (New, "DELETE FROM users WHERE id = 1", ""),
                (New, "SELECT guest FROM bookings", "NULL"),
            ],
            completed: &[
                ("INSERT INTO bookings (room, during, mail) VALUES ('suite', '[1,4)', 'a@b') RETURNING number, nights", "100|3"),
                ("INSERT INTO bookings (room, during) VALUES ('suite', '[3,5)')", "!23P01"),
                ("INSERT INTO bookings (room, during, mail) VALUES ('x', '[3,5)', 'A@B')", ""),
                ("INSERT INTO bookings (room, during, mail) VALUES ('x', '[3,5)', 'A@B')", "!23505"),
                ("INSERT INTO bookings (room, during, guest) VALUES ('y', '[3,5)', 0)", "!23503"),
            ],
        },
        Case {
            name: "drop_table",
            expectation: "drop_table",
            before: "operations:
  - create_table:
      name: users
      columns: [{name: id, type: bigint, pk: true}, {name: email, type: text}, {name: name, type: text, nullable: true}]
  - create_table:
      name: notes
      columns:
        - {name: id, type: bigint, pk: true}
        - {name: user_id, type: bigint, references: {name: notes_user_fk, table: users, column: id}}
",
            seed: "INSERT INTO users VALUES (1, 'a', 'b'); INSERT INTO notes VALUES (1, 1)",
            change: "operations: [{drop_table: {name: notes}}]",
            account: Account { notes: false, ..SAME },
            work: "INSERT INTO notes VALUES ({n}, 1); SELECT count(*) FROM notes",
            started: &[
                (Old, "INSERT INTO notes VALUES (2, 1)", ""),
                (New, "SELECT * FROM notes", "!42P01"),
                (New, "INSERT INTO notes VALUES (3, 1)", "!42P01"),
            ],
            completed: &[("SELECT * FROM notes", "!42P01"), ("SELECT id FROM users", "1")],
        },
        Case {
            name: "drop then create the same name",
            expectation: "drop_table",
            before: ALONE,
            seed: SEED,
            change: "operations:
  - drop_table: {name: users}
  - create_table:
      name: users
      columns: [{name: id, type: bigint, pk: true, generated: {identity: {}}}, {name: nick, type: text, unique: true}]
",
            account: Account { table: ("users", ""), notes: false, ..SAME },
            work: WORK,
            started: &[(New, "INSERT INTO users (nick) VALUES ('n')", ""), (New, "SELECT nick FROM users", "n"), (Old, "SELECT count(*) FROM users WHERE email LIKE 'u%'", "500")],
            completed: &[("INSERT INTO users (nick) VALUES ('m')", ""), ("SELECT email FROM users", "!42703")],
        },
        Case {
            name: "rename_table",
            expectation: "rename",
            before: USERS,
            seed: SEED,
            change: "operations: [{rename_table: {from: users, to: people}}]",
            account: Account { table: ("users", "people"), ..SAME },
            work: WORK,
            started: &[
                (Old, "INSERT INTO users (email) VALUES ('old')", ""),
                (New, "SELECT age FROM people WHERE email = 'old'", "18"),
                (New, "INSERT INTO people (email) VALUES ('new')", ""),
                (New, "SELECT * FROM users", "!42P01"),
                (New, "INSERT INTO users (email) VALUES ('unseen')", "!42P01"),
                (Old, "SELECT age FROM users WHERE email = 'new'", "18"),
            ],
            completed: &[("SELECT age FROM people WHERE email = 'u1'", "1")],
        },
        Case {
            name: "alter_table",
            expectation: "default, comment",
            before: USERS,
            seed: SEED,
            change: "operations: [{alter_table: {table: users, comment: 'who ''they'' are'}}]",
            account: SAME,
            work: WORK,
            started: &[
                (New, "SELECT obj_description('users'::regclass)", "who 'they' are"),
                (Old, "SELECT obj_description('users'::regclass)", "NULL"),
            ],
            completed: &[("SELECT obj_description('users'::regclass)", "who 'they' are")],
        },
        Case {
            name: "alter_table with storage",
            expectation: BEYOND,
            before: concat!(
                users!(),
                "  - alter_table: {table: users, storage: {fillfactor: 90, autovacuum_enabled: true, toast.vacuum_truncate: false, parallel_workers: 2}}\n"
            ),
            seed: SEED,
            change: "operations:
  - alter_table: {table: users, storage: {fillfactor: 70, autovacuum_enabled: null, autovacuum_vacuum_scale_factor: 0.01, toast.vacuum_truncate: null, toast.autovacuum_enabled: off}}
  - rename_table: {from: users, to: people}
  - create_table:
      name: more
      columns: [{name: id, type: bigint, pk: true}, {name: body, type: text}]
      storage: {user_catalog_table: true, toast.log_autovacuum_min_duration: -1}
",
            account: Account { table: ("users", "people"), notes: false, ..SAME },
            work: WORK,
            started: &[
                (Old, stored!("users"), "autovacuum_enabled=true,fillfactor=90,parallel_workers=2,toast.vacuum_truncate=false"),
                (New, stored!("more"), "toast.log_autovacuum_min_duration=-1,user_catalog_table=true"),
            ],
            completed: &[
                (stored!("people"), "autovacuum_vacuum_scale_factor=0.01,fillfactor=70,parallel_workers=2,toast.autovacuum_enabled=off"),
                (stored!("more"), "toast.log_autovacuum_min_duration=-1,user_catalog_table=true"),
            ],
        },
        Case {
            name: "set_replica_identity",
            expectation: BEYOND,
            before: "operations:
  - create_table:
      name: users
      columns:
        - {name: id, type: bigint, pk: true, generated: {identity: {user_specified_values: BY DEFAULT}}}
        - {name: email, type: text, unique: true}
        - {name: name, type: text, nullable: true}
        - {name: age, type: integer, nullable: true, default: '18'}
  - create_table: {name: tags, columns: [{name: id, type: bigint, pk: true}, {name: tag, type: text}]}
  - create_table: {name: words, columns: [{name: id, type: bigint, pk: true}, {name: word, type: text}]}
  - create_index: {name: tags_tag, table: tags, columns: [{column: tag}], unique: true}
  - create_index: {name: words_word, table: words, columns: [{column: word}], unique: true}
  - set_replica_identity: {table: users, identity: {type: INDEX, index: users_email_key}}
  - set_replica_identity: {table: words, identity: {type: INDEX, index: words_word}}
",
            seed: SEED,
            change: "operations:
  - set_replica_identity: {table: users, identity: {type: full}}
  - set_replica_identity: {table: tags, identity: {type: INDEX, index: tags_tag}}
  - alter_column: {table: words, column: word, type: 'varchar(80)', up: word, down: word}
  - create_table: {name: more, columns: [{name: id, type: bigint, pk: true}]}
  - set_replica_identity: {table: more, identity: {type: NOTHING}}
",
            account: Account { notes: false, ..SAME },
            work: WORK,
            started: &[
                (Old, "SELECT relname, relreplident FROM pg_class WHERE relkind = 'r' AND relname IN ('users', 'tags', 'words', 'more') ORDER BY 1", "more|n;tags|d;users|i;words|i"),
                (New, "UPDATE users SET age = 3 WHERE email = 'u3'", ""),
            ],
            completed: &[
                ("SELECT relname, relreplident FROM pg_class WHERE relkind = 'r' AND relname IN ('users', 'tags', 'words', 'more') ORDER BY 1", "more|n;tags|i;users|f;words|i"),
                ("SELECT indexrelid::regclass::text FROM pg_index WHERE indisreplident ORDER BY 1", "tags_tag;words_word"),
            ],
        },
        Case {
            name: "create_table with a composite key and every action",
            expectation: "create_table",
            before: USERS,
            seed: SEED,
            change: "operations:
  - create_table:
      name: teams
      columns: [{name: region, type: text}, {name: code, type: integer}, {name: title, type: text, nullable: true, unique: true}]
      constraints: [{name: teams_key, type: primary_key, columns: [region, code]}]
  - create_table:
      name: cascades
      columns: [{name: id, type: bigint, pk: true}, {name: region, type: text, nullable: true}, {name: code, type: integer, nullable: true}]
      constraints: [{name: cascades_fk, type: foreign_key, columns: [region, code], references: {table: teams, columns: [region, code], on_delete: CASCADE, on_update: CASCADE}}]
  - create_table:
      name: nulls
      columns: [{name: id, type: bigint, pk: true}, {name: region, type: text, nullable: true}, {name: code, type: integer, nullable: true}]
      constraints: [{name: nulls_fk, type: foreign_key, columns: [region, code], references: {table: teams, columns: [region, code], on_delete: SET NULL, on_update: SET NULL}}]
  - create_table:
      name: defaults
      columns: [{name: id, type: bigint, pk: true}, {name: region, type: text, nullable: true, default: \"'north'\"}, {name: code, type: integer, nullable: true, default: '1'}]
      constraints: [{name: defaults_fk, type: foreign_key, columns: [region, code], references: {table: teams, columns: [region, code], on_delete: SET DEFAULT, on_update: SET DEFAULT}}]
  - create_table:
      name: restricts
      columns: [{name: id, type: bigint, pk: true}, {name: region, type: text}, {name: code, type: integer}]
      constraints: [{name: restricts_fk, type: foreign_key, columns: [region, code], references: {table: teams, columns: [region, code], on_delete: RESTRICT, on_update: RESTRICT}}]
  - create_table:
      name: refuses
      columns: [{name: id, type: bigint, pk: true}, {name: region, type: text}, {name: code, type: integer}]
      constraints: [{name: refuses_fk, type: foreign_key, columns: [region, code], references: {table: teams, columns: [region, code], on_delete: NO ACTION, on_update: NO ACTION}}]
",
            account: SAME,
            work: WORK,
            started: &[
                (New, "INSERT INTO teams VALUES ('north', 1, 'a'), ('south', 2, 'b'), ('east', 5, 'c'), ('west', 6, 'd')", ""),
                (New, "INSERT INTO teams VALUES ('north', 1, 'e')", "!23505"),
                (New, "INSERT INTO teams VALUES ('north', 2, 'a')", "!23505"),
                (New, "INSERT INTO teams VALUES (NULL, 1, 'f')", "!23502"),
                (New, "INSERT INTO cascades VALUES (1, 'south', 7)", "!23503"),
                (New, "INSERT INTO cascades VALUES (1, 'south', 2)", ""),
                (New, "INSERT INTO nulls VALUES (1, 'south', 2)", ""),
                (New, "INSERT INTO defaults VALUES (1, 'south', 2)", ""),
                (New, "UPDATE teams SET code = 3 WHERE code = 2", ""),
                (New, "SELECT region, code FROM cascades UNION ALL SELECT region, code FROM nulls UNION ALL SELECT region, code FROM defaults", "south|3;NULL|NULL;north|1"),
                (New, "UPDATE nulls SET region = 'south', code = 3", ""),
                (New, "UPDATE defaults SET region = 'south', code = 3", ""),
                (New, "DELETE FROM teams WHERE code = 3", ""),
                (New, "SELECT region, code FROM cascades UNION ALL SELECT region, code FROM nulls UNION ALL SELECT region, code FROM defaults", "NULL|NULL;north|1"),
                (New, "INSERT INTO refuses VALUES (1, 'east', 5)", ""),
                (New, "DELETE FROM teams WHERE region = 'east'", "!23503"),
                (New, "UPDATE teams SET code = 8 WHERE region = 'east'", "!23503"),
                (New, "INSERT INTO restricts VALUES (1, 'west', 6)", ""),
                // 23503 before PostgreSQL 18, 23001 since
                (New, "DO $$ BEGIN DELETE FROM teams WHERE region = 'west'; EXCEPTION WHEN foreign_key_violation OR restrict_violation THEN NULL; END $$", ""),
                (New, "DO $$ BEGIN UPDATE teams SET code = 9 WHERE region = 'west'; EXCEPTION WHEN foreign_key_violation OR restrict_violation THEN NULL; END $$", ""),
                (New, "SELECT code FROM teams WHERE region = 'west'", "6"),
            ],
            completed: &[
                ("INSERT INTO teams VALUES ('north', 1, 'a')", ""),
                ("INSERT INTO teams VALUES ('north', 1, 'b')", "!23505"),
                ("INSERT INTO cascades VALUES (1, 'north', 1)", ""),
                ("INSERT INTO refuses VALUES (1, 'north', 2)", "!23503"),
                ("UPDATE teams SET code = 4", ""),
                ("SELECT code FROM cascades", "4"),
            ],
        },
        Case {
            name: "drop_table that others reference",
            expectation: "drop_table",
            before: USERS,
            seed: SEED,
            change: "operations: [{drop_constraint: {table: notes, name: notes_user_fk}}, {drop_table: {name: users}}]",
            account: Account { table: ("users", ""), ..SAME },
            work: WORK,
            started: &[
                (New, "SELECT * FROM users", "!42P01"),
                (Old, "SELECT count(*) FROM users WHERE email LIKE 'u%'", "500"),
                (Old, "INSERT INTO notes (user_id, body) VALUES (1, 'old')", ""),
                (New, "SELECT body FROM notes", "old"),
                (Old, "DELETE FROM users WHERE id = 1", ""),
                (New, "SELECT body FROM notes", ""),
            ],
            completed: &[("SELECT * FROM users", "!42P01"), ("INSERT INTO notes (user_id, body) VALUES (-1, 'new')", "")],
        },
    ]
}
