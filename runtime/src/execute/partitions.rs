//! Indexes of partitioned tables: built on one partition after another, beside writers.

use tokio_postgres::types::Oid;

use crate::error::{Error, Kind, Result};
use crate::execute::executor::Executor;
use crate::execute::progress::Progress;
use diptych_core::plan::Step;
use diptych_core::statements::partitions::{index_name, statement_for, statement_for_branch};
use diptych_core::{Sql, sql};

/// A partitioned table or one of its partitions.
pub(crate) struct Node {
    pub oid: Oid,
    /// As SQL.
    pub place: Sql,
    pub schema: String,
    pub name: String,
    /// The table that it is a partition of.
    pub parent: Option<Oid>,
    pub is_leaf: bool,
    /// 0 for the table that is asked about.
    pub level: i32,
}

/// A partitioned table and all below it, from the top.
pub(crate) async fn tree(executor: &Executor<'_>, whole: &Sql) -> Result<Vec<Node>> {
    let rows = executor
        .client
        .query(
            "SELECT tree.relid::pg_catalog.oid, space.nspname::pg_catalog.text, class.relname::pg_catalog.text, tree.parentrelid::pg_catalog.oid, tree.isleaf, tree.level \
             FROM pg_catalog.pg_partition_tree($1::pg_catalog.text::pg_catalog.regclass) AS tree \
             JOIN pg_catalog.pg_class AS class ON class.oid = tree.relid JOIN pg_catalog.pg_namespace AS space ON space.oid = class.relnamespace \
             ORDER BY tree.level, tree.relid",
            &[&whole.as_str()],
        )
        .await?;
    let node = |row: &tokio_postgres::Row| {
        let (schema, name): (String, String) = (row.get(1), row.get(2));
        let place = sql::qualified(&schema, &name);
        Node { oid: row.get(0), place, schema, name, parent: row.get(3), is_leaf: row.get(4), level: row.get(5) }
    };
    Ok(rows.iter().map(node).collect())
}

/// The index to be built.
pub(crate) struct Index<'a> {
    pub schema: &'a str,
    pub table: &'a str,
    /// Of the table itself; none where only its partitions have one.
    pub name: Option<&'a str>,
    pub stem: &'a str,
    pub sql: &'a Sql,
}

/// An index that is there.
struct Found {
    place: Sql,
    is_valid: bool,
    is_attached: bool,
}

/// Every partition has the index, and the table has it as a whole. What an interrupted build left is removed first; partitions
/// that come meanwhile have it from the table, or in the next round.
pub(crate) async fn create_index(
    executor: &Executor<'_>,
    step: &Step,
    index: &Index<'_>,
    progress: &mut dyn Progress,
) -> Result<()> {
    let whole = sql::qualified(index.schema, index.table);
    for _ in 0..8 {
        let nodes = tree(executor, &whole).await?;
        let built = build(executor, step, index, &nodes, progress).await;
        let (Some(name), Ok(_)) = (index.name, &built) else {
            if built.is_ok() || is_still_so(&nodes, &tree(executor, &whole).await?) {
                return built.map(drop);
            }
            continue;
        };
        let place = sql::qualified(index.schema, name);
        let valid = "SELECT indisvalid FROM pg_catalog.pg_index WHERE indexrelid = $1::pg_catalog.text::pg_catalog.regclass";
        if executor.client.query_one(valid, &[&place.as_str()]).await?.get(0) {
            return Ok(());
        }
        // PostgreSQL looks whether an index is whole when a part of it is attached, and never when a partition goes: without a
        // part to attach it stays invalid for good
        if matches!(built, Ok(0)) && is_still_so(&nodes, &tree(executor, &whole).await?) {
            executor.briefly(step, &sql!("DROP INDEX IF EXISTS {place}"), progress).await?;
        }
    }
    Err(Error::new(Kind::Failed, format!("{}: partitions come and go faster than they can be indexed", step.title))
        .hint("run the same command again"))
}

/// Whether no partition has gone; one that has needs no index.
fn is_still_so(before: &[Node], now: &[Node]) -> bool {
    before.iter().all(|node| now.iter().any(|there| there.oid == node.oid && there.place == node.place))
}

/// Returns how many parts of the index it attached.
async fn build(
    executor: &Executor<'_>,
    step: &Step,
    index: &Index<'_>,
    tree: &[Node],
    progress: &mut dyn Progress,
) -> Result<usize> {
    // from the top, so that a partition that comes meanwhile is born with it
    for node in tree.iter().filter(|node| !node.is_leaf || node.level == 0) {
        let Some(own) = own_name(index, node) else { break };
        if find(executor, index, node, &own).await?.is_none() {
            executor.briefly(step, &statement_for_branch(index.sql, &node.place, &own), progress).await?;
        }
    }
    for node in tree.iter().filter(|node| node.is_leaf && node.level > 0) {
        let own = index_name(index.stem, node.oid);
        let drop = sql!("DROP INDEX CONCURRENTLY IF EXISTS {}", sql::qualified(&node.schema, &own));
        let is_valid = find(executor, index, node, &own).await?.map(|found| found.is_valid);
        let sql = statement_for(index.sql, &node.place, Some(&own));
        executor.build_index(step, is_valid, &sql, &drop, progress).await?;
    }
    if index.name.is_none() {
        return Ok(0);
    }
    // from the bottom, so that what is attached is whole; the newest partition last, since the oldest are those that go
    let mut nodes: Vec<&Node> = tree.iter().filter(|node| node.level > 0).collect();
    nodes.sort_by_key(|node| (-node.level, node.oid));
    let mut attached = 0;
    for node in nodes {
        let above = tree.iter().find(|above| Some(above.oid) == node.parent);
        let (Some(above), Some(own)) = (above, own_name(index, node)) else { continue };
        let Some(own) = find(executor, index, node, &own).await?.filter(|own| !own.is_attached) else { continue };
        let Some(name) = own_name(index, above) else { continue };
        if let Some(above) = find(executor, index, above, &name).await? {
            executor.briefly(step, &sql!("ALTER INDEX {} ATTACH PARTITION {}", above.place, own.place), progress).await?;
            attached += 1;
        }
    }
    Ok(attached)
}

/// The name that a node's index has until complete; none of the table itself where only its partitions have one.
fn own_name(index: &Index<'_>, node: &Node) -> Option<String> {
    match (index.name, node.level) {
        (Some(name), 0) => Some(name.to_owned()),
        (Some(_), _) => Some(index_name(index.stem, node.oid)),
        (None, _) => None,
    }
}

/// A node's index: of its own name, or one that PostgreSQL made for a partition that came since.
async fn find(executor: &Executor<'_>, index: &Index<'_>, node: &Node, own: &str) -> Result<Option<Found>> {
    let top = index.name.map(|name| sql::qualified(index.schema, name).to_string());
    let row = executor
        .client
        .query_opt(
            "SELECT space.nspname::pg_catalog.text, class.relname::pg_catalog.text, index.indisvalid, class.relispartition \
             FROM pg_catalog.pg_index AS index JOIN pg_catalog.pg_class AS class ON class.oid = index.indexrelid \
             JOIN pg_catalog.pg_namespace AS space ON space.oid = class.relnamespace \
             WHERE index.indrelid = $1 AND (class.relname = $2 OR ($3::pg_catalog.text IS NOT NULL AND class.relispartition AND EXISTS ( \
               SELECT FROM pg_catalog.pg_partition_ancestors(class.oid) AS above WHERE above.relid = pg_catalog.to_regclass($3)))) \
             ORDER BY class.relispartition DESC LIMIT 1",
            &[&node.oid, &own, &top],
        )
        .await?;
    Ok(row.map(|row| Found {
        place: sql::qualified(&row.get::<_, String>(0), &row.get::<_, String>(1)),
        is_valid: row.get(2),
        is_attached: row.get(3),
    }))
}
