//! A database whose names need quotes, with two schemas that need each other, extensions, partitions of partitions, and rights.

#[rustfmt::skip]
#[allow(dead_code, unreachable_pub)]
pub(super) mod structs;

use super::Adopted;

pub(super) const DEPOT: Adopted = Adopted {
    base: "app data",
    extensions: &["citext", "pg_trgm", "btree_gist", "hstore", "ltree"],
    sql: include_str!("depot.sql"),
    rows: "INSERT INTO \"Billing\".\"Customers\" (name) VALUES ('Ada'), ('Grace'); \
        INSERT INTO depots (mark, name, stands, branch, more, owner) VALUES ('MAIN1', 'Main', ROW('Elm', ROW(1, 2)::spot, '{a}'), 'top.main', 'open=>yes', 1), \
        ('NORTH', 'North', NULL, 'top.north', '', NULL); \
        INSERT INTO goods (name, price, box, room) SELECT 'good ' || n, n * 5, CASE WHEN n % 3 > 0 THEN ROW(n, NULL)::measure END, \
        (ARRAY['small', 'it''s large', 'huge'])[1 + n % 3]::size FROM generate_series(1, 40) AS n; \
        INSERT INTO shelves (depot, number) VALUES (1, 1), (1, 2), (2, 1); \
        INSERT INTO stock (good, depot, shelf, amount, seller) VALUES (1, 1, 1, 5, 1), (2, 1, 2, 6, 1), (2, NULL, NULL, 7, NULL); \
        INSERT INTO \"Parcels\" (kind, depot, weight) SELECT (ARRAY['letter', 'packet', 'crate'])[1 + n % 3], 1, CASE WHEN n % 4 > 0 THEN n END \
        FROM generate_series(1, 60) AS n; \
        INSERT INTO people (login, \"Full Name\", secret) VALUES ('root', 'Root', 'x'), ('amy', 'Amy', NULL); REFRESH MATERIALIZED VIEW \"Top Goods\"",
    rights: "REVOKE CREATE ON SCHEMA public FROM PUBLIC; GRANT USAGE ON SCHEMA \"app data\", \"Billing\" TO clerk; \
        GRANT SELECT, INSERT (login), UPDATE (\"Full Name\", works) ON people TO clerk; \
        GRANT SELECT ON depots, shelves TO clerk; GRANT INSERT, SELECT ON stock TO clerk WITH GRANT OPTION; \
        REVOKE EXECUTE ON PROCEDURE restock(integer, integer) FROM PUBLIC; GRANT EXECUTE ON PROCEDURE restock(integer, integer) TO clerk; \
        ALTER DEFAULT PRIVILEGES IN SCHEMA \"app data\" GRANT SELECT ON TABLES TO clerk",
    folder: "tests/it/baseline/depot",
    seen: &[
        "7 tables, 44 columns, 20 constraints, 6 indexes, 1 enum, 2 domains, 3 composite types, 2 sequences, 5 extensions, 1 statistics\n",
        "1 cast: \"app data\".depots to text\n",
        "11 functions: ",
    ],
    counts: (7, 11, 0),
    asked: &[
        ("INSERT INTO goods (name) VALUES ('new') RETURNING kind, room, sizes, price_with", "Any|it's large|{small}|1.20"),
        ("INSERT INTO depots (name, branch) VALUES ('South', 'top.south') RETURNING mark, id > 2", "NONE|t"),
        ("INSERT INTO \"Parcels\" (kind, depot) VALUES ('packet', 2) RETURNING marked, id % 1000", "PACKET|60"),
        ("SELECT sum(many) FROM \"Billing\".counted", "61"),
        ("INSERT INTO \"Front Desk\" (login) VALUES ('New'); SELECT \"Full Name\" FROM people WHERE login = 'NEW'", "Somebody"),
        ("UPDATE stock SET amount = amount + 3 WHERE good = 1 RETURNING changes", "2"),
        ("SELECT in_stock(1), longest(name) FROM goods WHERE id < 4; SELECT by FROM \"Billing\".movements", "8|good 1;3"),
        ("SELECT count(*) FROM \"app data\".depots AS a, \"app data\".depots AS b WHERE a ># b", "3"),
        ("SELECT a::text, name FROM \"app data\".depots AS a JOIN owing USING (id, name)", "1 Main|Main"),
        ("INSERT INTO shelves (depot, number) VALUES (9, 9)", "!P0001"),
        ("SET ROLE clerk", ""),
        ("UPDATE people SET \"Full Name\" = 'Amy B' WHERE login = 'amy'", ""),
        ("UPDATE people SET secret = NULL", "!42501"),
        ("DELETE FROM people", "!42501"),
    ],
    secured: &[
        ("SELECT string_agg(login::text, ' ' ORDER BY id) FROM people", "amy New"),
        ("UPDATE people SET \"Full Name\" = '' WHERE login = 'amy'", "!42501"),
    ],
    later: &[
        (
            "0002_box",
            "create_composite_type: {name: measure_2, attributes: [{name: width, type: integer}, {name: height, type: integer}, {name: depth, type: integer}]}}, \
             {alter_column: {table: goods, column: box, type: measure_2, \
             up: \"CASE WHEN box IS DISTINCT FROM NULL THEN ROW((box).width, (box).height, 0)::measure_2 END\", \
             down: \"CASE WHEN box IS DISTINCT FROM NULL THEN ROW((box).width, (box).height)::measure END\"}}, \
             {drop_composite_type: {name: measure}",
        ),
        (
            "0003_tickets",
            "alter_sequence: {name: ticket, increment: 20}}, \
             {create_constraint: {name: one_ticket, table: goods, type: unique, columns: [ticket], up: {ticket: ticket}, down: {ticket: ticket}}",
        ),
        (
            "0004_sizes",
            "alter_enum: {name: size, labels: [small, \"it's large\", tiny], up: {huge: \"it's large\"}, down: {tiny: small}}",
        ),
        ("0005_marks", "alter_domain: {name: mark, checks: {}}"),
        (
            "0006_weight",
            "alter_column: {table: Parcels, column: weight, nullable: false, up: \"coalesce(weight, 0)\", down: weight}}, \
             {create_index: {name: parcels_by_weight, table: Parcels, columns: [{column: weight}, {column: kind}]}",
        ),
        ("0007_kind", "alter_column: {table: goods, column: kind, type: text, default: \"'Any'\", up: kind, down: kind}"),
        (
            "0008_works",
            "create_constraint: {name: people_works, table: people, type: foreign_key, columns: [works], references: {table: depots, columns: [id]}, \
             up: {works: works}, down: {works: works}}",
        ),
        ("0009_holidays", "drop_table: {name: holidays}"),
        ("0010_full_name", "rename_column: {table: people, from: Full Name, to: Whole Name}"),
        (
            "0011_changes",
            "set_code: {name: stock_changed, sql: \"CREATE FUNCTION changed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             NEW.changes := coalesce(NEW.changes, 0) + 2; RETURN NEW; END $$; \
             CREATE TRIGGER stock_changed BEFORE INSERT OR UPDATE ON stock FOR EACH ROW EXECUTE FUNCTION changed()\"}}, \
             {set_code: {name: volume, sql: \"CREATE FUNCTION volume(of integer) RETURNS integer LANGUAGE sql STABLE \
             AS 'SELECT (box).width * (box).height * (box).depth FROM goods WHERE id = of'\"}",
        ),
    ],
    work: &[
        "INSERT INTO goods (name, room, sizes) VALUES ('g{n}', 'it''s large', ARRAY['small', 'it''s large']::size[])",
        "INSERT INTO stock (good, depot, shelf, spare_depot, spare_shelf, amount, seller, note) SELECT id, 1, 1, 1, 2, 5, 1, 'n{n}' FROM goods WHERE name = 'g{n}'",
        "UPDATE stock SET amount = amount + 1 WHERE note = 'n{n}'",
        "CALL restock(1, 1)",
        "INSERT INTO \"Parcels\" (kind, depot, weight) VALUES ('letter', 1, 1.5), ('crate', 2, {n} % 100), ('packet', 1, 2)",
        "INSERT INTO \"Billing\".invoices (parcel, kind, customer) SELECT id, kind, 1 FROM last_parcels(1, 'packet')",
        "INSERT INTO \"Front Desk\" (login) VALUES ('p{n}')",
        "SET LOCAL ROLE clerk; UPDATE people SET works = 1 WHERE login = 'p{n}'",
        "INSERT INTO shelves (depot, number) VALUES (2, {n})",
        "DELETE FROM shelves WHERE depot = 2 AND number = {n}",
        "UPDATE depots SET more = more || hstore('n', '{n}'), stands.street = 'Elm {n}' WHERE id = 2",
        "UPDATE goods AS one SET box = other.box FROM goods AS other WHERE one.id = 1 + {n} % 40 AND other.id = 2",
        "SELECT in_stock(1), nextval('ticket'), (SELECT longest(name) FROM cheap), (SELECT sum(pieces) FROM owing), \
         (SELECT count(*) FROM \"Top Goods\" WHERE name % 'good 1'), (SELECT count(*) FROM \"app data\".depots AS a, \"app data\".depots AS b WHERE a ># b)",
    ],
    holds: &[
        "SELECT (SELECT sum(many) FROM \"Billing\".counted WHERE what LIKE 'parcels%') = count(*) FROM \"Parcels\"",
        "SELECT sum(amount) - (SELECT sum(by) FROM \"Billing\".movements) = 18 + 5 * count(note) FROM stock",
        "SELECT bool_and(changes > 0) FROM stock",
        "SELECT count(*) FILTER (WHERE works IS NULL) = 2 AND count(*) FILTER (WHERE works = 1) > 100 FROM people",
        "SELECT bool_and(volume(id) IS NOT DISTINCT FROM (box).width * (box).height * (box).depth) FROM goods",
        "SELECT min(weight) = 0 AND bool_and(marked <> 'NEW') FROM \"Parcels\"",
    ],
};
