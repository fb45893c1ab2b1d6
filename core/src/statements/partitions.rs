//! Partitioned tables: what PostgreSQL does to a whole tree only under a lock, one partition after another instead.
//!
//! A version has the partitioned table alone; which partitions there are is asked when a step runs. Columns, checks, NOT NULL and
//! triggers follow the table by themselves. Indexes are built on each partition beside writers and then attached; keys become
//! those of the table at complete, out of the indexes of its partitions; foreign keys are added and validated likewise where the
//! server takes no `NOT VALID` for the whole (before 18). See PostgreSQL's "Partitioning", 5.12.2.2.

use crate::layout::chain::Chain;
use crate::layout::tables::{Names, Physical};
use crate::model::schema::Constraint;
use crate::names;
use crate::sql;
use crate::sql::{Sql, dollar_quoted, ident, join, literal, operation};
use crate::statements::ddl::{self, key_deferral, key_kind};

/// Stands for a partition in a statement that is run on each of them.
pub const PARTITION: &str = "diptych partition";
/// Stands for the index on it.
pub const PARTITION_INDEX: &str = "diptych partition index";

/// The statement for one partition. Both names stand before any text of the user's own.
pub fn statement_for(template: &Sql, place: &Sql, index: Option<&str>) -> Sql {
    let text = template.as_str().replacen(ident(PARTITION).as_str(), place.as_str(), 1);
    Sql::trusted(match index {
        Some(index) => text.replacen(ident(PARTITION_INDEX).as_str(), ident(index).as_str(), 1),
        None => text,
    })
}

/// The same for a table that is itself partitioned: the index of it alone, to which those of its partitions are attached.
pub fn statement_for_branch(template: &Sql, place: &Sql, index: &str) -> Sql {
    let only = format!(" ON ONLY {}", ident(PARTITION));
    let text = template.as_str().replacen("INDEX CONCURRENTLY ", "INDEX ", 1);
    statement_for(&Sql::trusted(text.replacen(&format!(" ON {}", ident(PARTITION)), &only, 1)), place, Some(index))
}

/// How the names of the indexes on the partitions begin until complete; the partition's OID follows.
pub fn stem(chain: &Chain, table: &Physical<'_>, index: &str) -> String {
    names::stem("part", &[&chain.base, &table.name, index, &chain.newer.name])
}

/// The name of an index on one partition until complete.
pub fn index_name(stem: &str, partition: u32) -> String {
    format!("{stem}_{partition}")
}

/// A key of the table, out of the indexes of its partitions: instant for those that have one.
pub fn add_key(place: &Sql, stem: &str, name: &str, constraint: &Constraint, definition: &Sql) -> Vec<Sql> {
    let body = sql!(
        "\n    own := {} || '_' || partition_.relid::pg_catalog.oid;
    IF EXISTS (SELECT FROM pg_catalog.pg_index AS index JOIN pg_catalog.pg_class AS class ON class.oid = index.indexrelid
      WHERE index.indrelid = partition_.relid AND class.relname = own) THEN
      EXECUTE pg_catalog.format({}, partition_.relid::pg_catalog.regclass, own, own);
    END IF;",
        literal(stem),
        literal(&format!("ALTER TABLE %s ADD CONSTRAINT %I {} USING INDEX %I{}", key_kind(constraint), key_deferral(constraint)))
    );
    vec![each(place, &body), sql!("ALTER TABLE {} ADD CONSTRAINT {} {}", place, ident(name), definition)]
}

/// A foreign key of each partition, not valid yet.
pub fn add_foreign_keys(place: &Sql, name: &str, definition: &Sql) -> Sql {
    let body = sql!(
        "\n    EXECUTE pg_catalog.format('ALTER TABLE %s ADD CONSTRAINT %I %s NOT VALID', partition_.relid::pg_catalog.regclass, {}, {});",
        literal(name),
        literal(definition.as_str())
    );
    each(place, &body)
}

/// Each partition's rows are held against its foreign key.
pub fn validate_foreign_keys(place: &Sql, name: &str) -> Sql {
    let body = sql!(
        "\n    EXECUTE pg_catalog.format('ALTER TABLE %s VALIDATE CONSTRAINT %I', partition_.relid::pg_catalog.regclass, {});",
        literal(name)
    );
    each(place, &body)
}

/// The foreign keys of partitions go that the table's own never adopted.
pub fn drop_foreign_keys(place: &Sql, name: &str) -> Sql {
    let body = sql!(
        "\n    EXECUTE pg_catalog.format('ALTER TABLE %s DROP CONSTRAINT IF EXISTS %I', partition_.relid::pg_catalog.regclass, {});",
        literal(name)
    );
    each(place, &body)
}

/// Partitions' constraints that bear the table's name for it follow a rename, which PostgreSQL does for checks alone.
pub fn rename_constraints(place: &Sql, so_far: &str, to_be: &str) -> Sql {
    let body = sql!(
        "\n    IF EXISTS (SELECT FROM pg_catalog.pg_constraint WHERE conrelid = partition_.relid AND conname = {} AND contype = 'f') THEN
      EXECUTE pg_catalog.format('ALTER TABLE %s RENAME CONSTRAINT %I TO %I', partition_.relid::pg_catalog.regclass, {}, {});
    END IF;",
        literal(so_far),
        literal(so_far),
        literal(to_be)
    );
    each_below(place, &body)
}

/// Former partitions, and tables that were made like one, give back the columns that were added, which no trigger fills any more, and the indexes
/// that have no names of their own yet; where the change is undone, its constraints too.
pub fn clean_former(chain: &Chain, table: &Physical<'_>, is_undone: bool) -> Option<Sql> {
    let added = || table.added_constraints.iter().map(|added| &added.physical);
    let of_indexes = table.added_indexes.iter().map(|(_, physical, _)| physical);
    let list = |names: Vec<Sql>| sql!("ARRAY[{}]::pg_catalog.text[]", join(names, ", "));
    let columns: Vec<Sql> = table.added.iter().map(|added| literal(&added.physical)).collect();
    let constraints: Vec<Sql> = added().filter(|_| is_undone).map(|name| literal(name)).collect();
    let stems: Vec<Sql> = added().chain(of_indexes).map(|name| literal(&stem(chain, table, name))).collect();
    let is_there = table.is_partitioned() && table.is_kept() && !(columns.is_empty() && stems.is_empty());
    is_there.then(|| {
        sql!(
            "SELECT diptych.clean_former({}, {}, {}, {}, {}, {})",
            literal(&chain.base),
            literal(&chain.newer.name),
            literal(&table.name),
            list(columns),
            list(constraints),
            list(stems)
        )
    })
}

/// Indexes on partitions get names as PostgreSQL gives them: the partition's in place of the table's.
pub fn name_indexes(base: &str, table: &str, index: &str) -> Sql {
    let text = sql!(
        "
DECLARE
  index_ record;
  wanted pg_catalog.text;
BEGIN
  FOR index_ IN
    SELECT class.relname AS name, space.oid, space.nspname AS home, partition_.relname AS partition_
    FROM pg_catalog.pg_partition_tree({}) AS tree JOIN pg_catalog.pg_class AS class ON class.oid = tree.relid
    JOIN pg_catalog.pg_namespace AS space ON space.oid = class.relnamespace
    JOIN pg_catalog.pg_index AS index ON index.indexrelid = class.oid
    JOIN pg_catalog.pg_class AS partition_ ON partition_.oid = index.indrelid
    WHERE tree.level > 0 AND pg_catalog.strpos(class.relname, '_diptych_') > 0
    ORDER BY class.oid
  LOOP
    wanted := index_.partition_ || {};
    CONTINUE WHEN pg_catalog.octet_length(wanted) > 63 OR EXISTS (SELECT FROM pg_catalog.pg_class AS taken
      WHERE taken.relname = wanted AND taken.relnamespace = index_.oid);
    EXECUTE pg_catalog.format('ALTER INDEX %I.%I RENAME TO %I', index_.home, index_.name, wanted);
  END LOOP;
END
",
        literal(sql::qualified(base, index).as_str()),
        literal(&index.strip_prefix(table).map_or_else(|| format!("_{index}"), str::to_owned))
    );
    sql!("DO {}", dollar_quoted(&text))
}

/// Indexes on partitions of a table that are attached to nothing go; those of tables that are partitions no more go with what else is ours there.
pub fn drop_indexes(place: &Sql, stem: &str) -> Sql {
    let text = sql!(
        "
DECLARE
  index_ record;
BEGIN
  FOR index_ IN
    SELECT class.oid FROM pg_catalog.pg_partition_tree({}) AS tree JOIN pg_catalog.pg_index AS index ON index.indrelid = tree.relid
    JOIN pg_catalog.pg_class AS class ON class.oid = index.indexrelid AND pg_catalog.starts_with(class.relname, {})
    ORDER BY class.relkind, class.oid
  LOOP
    IF EXISTS (SELECT FROM pg_catalog.pg_class WHERE oid = index_.oid) THEN
      EXECUTE pg_catalog.format('DROP INDEX %s', index_.oid::pg_catalog.regclass);
    END IF;
  END LOOP;
END
",
        literal(place.as_str()),
        literal(&format!("{stem}_"))
    );
    sql!("DO {}", dollar_quoted(&text))
}

/// A block that does something for each partition that has rows of its own: `partition_.relid`.
fn each(place: &Sql, body: &Sql) -> Sql {
    each_of(place, "isleaf AND level > 0", body)
}

/// The same for every partition, those with partitions of their own too.
fn each_below(place: &Sql, body: &Sql) -> Sql {
    each_of(place, "level > 0", body)
}

fn each_of(place: &Sql, which: &str, body: &Sql) -> Sql {
    let text = sql!(
        "
DECLARE
  partition_ record;
  own pg_catalog.text;
BEGIN
  FOR partition_ IN SELECT relid FROM pg_catalog.pg_partition_tree({}) WHERE {} ORDER BY relid LOOP{}
  END LOOP;
END
",
        literal(place.as_str()),
        Sql::trusted(which),
        body
    );
    sql!("DO {}", dollar_quoted(&text))
}

/// The body of the trigger that hands over a row which an UPDATE may move to another partition, to be told from an INSERT there (docs/traps.md
/// F12): where the table's own key changes, and in a partition of a partition, which may come at any time and has keys of its own above it.
pub(crate) fn hand_over(head: &Sql, is_changed: &Sql) -> Sql {
    let depth = Sql::trusted("(SELECT pg_catalog.count(*) FROM pg_catalog.pg_partition_ancestors(TG_RELID))");
    sql!(
        "\nBEGIN\n{}\nIF {} OR {} THEN\nPERFORM pg_catalog.set_config('diptych.moved', pg_catalog.to_jsonb(NEW)::pg_catalog.text, true);\nEND IF;\nRETURN NEW;\nEND\n",
        head,
        is_changed,
        operation(&depth, ">", &Sql::trusted("2"))
    )
}

/// The head of a sync function: with a row that was moved, which has all its values already, it is done.
pub(crate) fn unless_moved(done: &Sql) -> Sql {
    let moved = Sql::trusted("pg_catalog.current_setting('diptych.moved', true)");
    sql!(
        "IF {} AND {} AND {} THEN {} END IF;",
        operation(&Sql::trusted("TG_OP"), "=", &literal("INSERT")),
        operation(&moved, "<>", &literal("")),
        operation(&moved, "=", &Sql::trusted("pg_catalog.to_jsonb(NEW)::pg_catalog.text")),
        done
    )
}

/// The template of `CREATE INDEX CONCURRENTLY` for each partition.
pub(crate) fn index_template(index: &crate::model::schema::Index, names: &Names) -> Sql {
    ddl::create_index("", PARTITION, PARTITION_INDEX, index, names, ddl::Build::OnPartition)
}
