//! One case on a server from its beginning to its end.

use diptych::internal::introspect;
use diptych::{Migrator, Quiet};
use diptych_core::names::shortened;
use diptych_core::sql::{ident, qualified};
use diptych_core::{Migration, Schema};
use diptych_tests::dump;
use diptych_tests::printers::{self, Compared};
use diptych_tests::{Database, HOSTILE, client, difference, is_hostile};
use fastrand::Rng;
use tokio_postgres::Client;

use super::account::derived;
use super::code;
use super::partitions::{self, Which};
use super::rows::{self, Side, data, read, rows_of};
use super::{BEFORE, CHANGE, Case, anew};

/// Two databases that are used again and again: one for the change, one for what it should come to.
pub(super) struct Pair {
    work: Database,
    fresh: Database,
}

impl Pair {
    pub(super) async fn new(worker: usize) -> Self {
        let base = ["public", "app data"][worker % 2];
        Pair { work: Database::with_base(base).await, fresh: Database::with_base(base).await }
    }
}

/// Removes everything from a database.
async fn clear(client: &Client, base: &str) -> Result<(), String> {
    let all = "SELECT nspname FROM pg_catalog.pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'";
    let schemas = read(client, all).await?;
    let mut text: String = schemas.iter().map(|name| format!("DROP SCHEMA {} CASCADE;", ident(name))).collect();
    text.push_str(&format!("CREATE SCHEMA {0}; SET search_path = {0}; SET client_min_messages = warning;", ident(base)));
    if base == "public" {
        text.push_str(HOSTILE);
    }
    client.batch_execute(&text).await.map_err(|error| format!("clearing: {error:?}"))
}

/// What a case came to.
#[derive(Default)]
pub(super) struct Done {
    pub(super) rows: usize,
    /// Those in tables with enum columns.
    pub(super) of_enums: usize,
    /// Those in partitioned tables.
    pub(super) in_parts: usize,
    /// Conversions whose two printers were compared, and their rows.
    pub(super) compared: Compared,
    pub(super) refused: Option<String>,
    /// Pieces of code of the newer version.
    pub(super) code: usize,
    /// Whether a dump was taken and restored while both versions were live.
    pub(super) restored: usize,
}

/// A dump that is taken now is whole.
async fn restored(work: &Database) -> Result<bool, String> {
    let Some(copy) = dump::restored(work).await else { return Ok(false) };
    let status = copy.migrator().await.status(&[]).await.map_err(|error| format!("restored: {error}"))?;
    if !status.damage.is_empty() {
        return Err(format!("what is restored from a dump is not what was dumped: {:?}", status.damage));
    }
    copy.migrator().await.complete(&mut Quiet).await.map_err(|error| format!("restored: complete: {error}"))?;
    Ok(true)
}

/// A case from its beginning to its end, in its own task: a panic is its failure.
pub(super) async fn attempt(case: &Case, pair: &mut Pair) -> Result<Done, String> {
    let (case, work, fresh) = (case.clone(), pair.work.clone(), pair.fresh.clone());
    match tokio::spawn(async move { run(&case, &work, &fresh).await }).await {
        Ok(result) => result,
        Err(panic) => Err(format!("{panic}")),
    }
}

async fn run(case: &Case, work: &Database, fresh: &Database) -> Result<Done, String> {
    let mut rng = Rng::with_seed(case.seed);
    let base = work.base.as_str();
    let session = client(&work.config()).await;
    clear(&session, base).await?;
    let to = case.migration.stage(&case.from).map(|stage| stage.to).unwrap_or_default();
    code::alone(&session, base, &[&case.from, &to]).await?;
    let mut migrator = work.migrator().await;
    let all = [anew(&case.from), case.migration.clone()];
    create(&mut migrator, &all[..1]).await.map_err(|error| format!("the schema before cannot be created: {error}"))?;

    let to = migrator.settle(|book| Ok(case.migration.stage_with(&case.from, book)?.to)).await;
    let to = match to {
        Ok(to) => to,
        // what the server knows of its texts the generator did not
        Err(error) if error.hint_text().is_some() => {
            return Ok(Done { refused: Some(error.message().to_owned()), ..Done::default() });
        }
        Err(error) => return Err(format!("a refusal without a hint: {error}")),
    };
    let old = Side { schema: &case.from, views: shortened(&format!("{base}_{BEFORE}")), base };
    let new = Side { schema: &to, views: shortened(&format!("{base}_{CHANGE}")), base };
    partitions::create(&session, base, case, &case.from, Which::Older).await?;
    let rows = rows::fill(&session, &mut rng, &old).await?;
    take_a_row(&session, &mut rng.clone(), &old).await?;
    let (of_enums, in_parts) = partitions::counted(&session, base, &case.from).await?;
    let mut done = Done { rows, of_enums, in_parts, ..Done::default() };
    let writes = rows::writes(&mut rng, &old);
    let answers = in_vain(&session, async |session| rows::run_all(session, &old, &writes).await).await?;

    let catalog = objects(&session, base).await?;
    let then = data(&session, &old).await?;
    let unchanged = async |what: &str| -> Result<(), String> {
        let now = objects(&session, base).await?;
        if now != catalog {
            return Err(format!("{what} does not leave the catalog as it was:\n{}", difference(&catalog, &now)));
        }
        let now = data(&session, &old).await?;
        if now == then {
            Ok(())
        } else {
            Err(format!("{what} does not leave the rows as they were:\n{}", difference(&then, &now)))
        }
    };

    if let Err(error) = migrator.start(&all, None, &mut Quiet).await {
        if error.hint_text().is_none() {
            return Err(format!("start fails without a hint: {error}"));
        }
        if !error.is_refused() {
            // nobody else writes: rows that break a new rule are there before the start
            return Err(format!("start fails on the way: {error}"));
        }
        unchanged("a start that is refused").await?;
        return Ok(Done { refused: Some(error.message().to_owned()), ..done });
    }
    partitions::create(&session, base, case, &to, Which::New).await?;
    in_vain(&session, async |session| both_sides(session, case, &mut rng.clone(), &old, &new, &writes, &answers).await).await?;
    done.compared = printers::compare(work, &session).await?;
    if rng.clone().u8(..) < 8 {
        done.restored = usize::from(restored(work).await?);
    }
    migrator.rollback(&mut Quiet).await.map_err(|error| format!("rollback: {error}"))?;
    unchanged("rollback").await?;
    code::holds(&session, &old).await?;

    migrator.start(&all, None, &mut Quiet).await.map_err(|error| format!("second start: {error}"))?;
    partitions::create(&session, base, case, &to, Which::New).await?;
    session.batch_execute("BEGIN").await.map_err(|error| error.to_string())?;
    both_sides(&session, case, &mut rng, &old, &new, &writes, &answers).await?;
    session.batch_execute("COMMIT").await.map_err(|error| error.to_string())?;
    partitions::create(&session, base, case, &case.from, Which::Later).await?;
    let then = data(&session, &new).await?;
    migrator.complete(&mut Quiet).await.map_err(|error| format!("complete: {error}"))?;
    let now = data(&session, &new).await?;
    if now != then {
        return Err(format!("complete changes the newer version's rows:\n{}", difference(&then, &now)));
    }
    done.code = code::holds(&session, &new).await?;
    let completed = partitions::known(objects(&session, base).await?);
    let pieces = partitions::pieces_of(&session, base).await?;
    let (anew, pieces_anew) = create_fresh(fresh, case, &to).await?;
    if completed != anew {
        return Err(format!("complete does not lead to what is created anew:\n{}", difference(&anew, &completed)));
    }
    if pieces != pieces_anew {
        let lines = difference(&pieces_anew, &pieces);
        return Err(format!("complete does not leave partitions as they are where all is created anew:\n{lines}"));
    }
    Ok(done)
}

/// A function of the application's own that takes a table's row as a whole, in some cases.
async fn take_a_row(session: &Client, rng: &mut Rng, old: &Side<'_>) -> Result<(), String> {
    let Some(table) = rng.choice(old.schema.tables.keys()).filter(|_| rng.u8(..5) == 0) else { return Ok(()) };
    let create = format!(
        "CREATE FUNCTION {}.told(one {}) RETURNS text LANGUAGE sql AS 'SELECT one::text'",
        ident(old.base),
        qualified(old.base, table)
    );
    session.batch_execute(&create).await.map_err(|error| format!("{create}: {error:?}"))
}

async fn create(migrator: &mut Migrator, migrations: &[Migration]) -> diptych::Result<()> {
    migrator.start(migrations, None, &mut Quiet).await?;
    migrator.complete(&mut Quiet).await?;
    Ok(())
}

/// The catalog of a database that is created anew, and its partitions.
async fn create_fresh(fresh: &Database, case: &Case, schema: &Schema) -> Result<(Vec<String>, Vec<String>), String> {
    let session = client(&fresh.config()).await;
    clear(&session, &fresh.base).await?;
    code::alone(&session, &fresh.base, &[schema]).await?;
    let migrations = [anew(schema)];
    if !migrations[0].operations.is_empty() {
        create(&mut fresh.migrator().await, &migrations)
            .await
            .map_err(|error| format!("the schema after cannot be created anew: {error}"))?;
    }
    partitions::create(&session, &fresh.base, case, schema, Which::Newer).await?;
    let pieces = partitions::pieces_of(&session, &fresh.base).await?;
    Ok((partitions::known(objects(&session, &fresh.base).await?), pieces))
}

async fn objects(session: &Client, base: &str) -> Result<Vec<String>, String> {
    session.batch_execute(&format!("SET search_path = {}", ident(base))).await.map_err(|error| error.to_string())?;
    let mut lines = introspect::catalog(session, base).await.map_err(|error| error.to_string())?;
    lines.retain(|line| !is_hostile(line));
    Ok(lines)
}

/// Does something in a transaction that is rolled back.
async fn in_vain<T>(session: &Client, work: impl AsyncFnOnce(&Client) -> Result<T, String>) -> Result<T, String> {
    session.batch_execute("BEGIN").await.map_err(|error| error.to_string())?;
    let result = work(session).await?;
    session.batch_execute("ROLLBACK").await.map_err(|error| error.to_string())?;
    Ok(result)
}

/// Both versions write, and either reads what it should.
async fn both_sides(
    session: &Client,
    case: &Case,
    rng: &mut Rng,
    old: &Side<'_>,
    new: &Side<'_>,
    writes: &[rows::Write],
    answers: &[String],
) -> Result<(), String> {
    agree(session, case, old, new).await.map_err(|text| format!("after start, {text}"))?;
    let now = rows::run_all(session, old, writes).await?;
    let mut drifted = false;
    for ((write, then), now) in writes.iter().zip(answers).zip(&now) {
        let refused_by_new_rules = then.starts_with('+') && now.starts_with("!23");
        // sequences have moved on, and a foreign key may point at what they gave
        let pointed_elsewhere = then.starts_with("!23503") && (now.starts_with('+') || now.starts_with("!23"));
        // of two rules, another may be looked at first; which of several keys is met first is a matter of where the rows lie
        let code = |answer: &str| answer.split(' ').next().unwrap_or_default().replace("!23P01", "!23505");
        let alike = code(then) == code(now);
        // what stands in the way of a row may itself have been refused
        let nothing_in_the_way = drifted && then.starts_with("!23");
        drifted |= !alike;
        if !alike && !refused_by_new_rules && !pointed_elsewhere && !nothing_in_the_way {
            return Err(format!("the older version's `{}` answered {then} before the start, and {now} after it", write.sql));
        }
    }
    agree(session, case, old, new).await.map_err(|text| format!("after the older version's writes, {text}"))?;
    for write in rows::writes(rng, new) {
        let before = seen_from_below(session, case, old, new, &write.table).await?;
        let answer = rows::run_all(session, new, std::slice::from_ref(&write)).await?.remove(0);
        if !answer.starts_with('+') && !answer.starts_with("!23") {
            return Err(format!("the newer version's `{}` answers {answer}", write.sql));
        }
        let Some((below, above)) = before.filter(|_| write.sql.starts_with("INSERT") && answer.starts_with('+')) else {
            continue;
        };
        let (below_now, above_now) = seen_from_below(session, case, old, new, &write.table).await?.expect("as before");
        let (read, wanted) = (more(below, below_now), more(above, above_now));
        if read != wanted {
            return Err(format!("after the newer version's `{}` the older one reads {read:?}, not {wanted:?}", write.sql));
        }
    }
    Ok(())
}

/// Every row that the older version wrote reads in the newer one as `up` has it.
async fn agree(session: &Client, case: &Case, old: &Side<'_>, new: &Side<'_>) -> Result<(), String> {
    for way in &case.ways {
        let (Some(from), Some(to)) = (&way.old, &way.new) else { continue };
        let (query, unknown) = derived(way, true, qualified(&old.views, from).as_str());
        let columns: Vec<&String> =
            new.schema.tables[to].columns.iter().map(|column| &column.name).filter(|name| !unknown.contains(*name)).collect();
        let wanted = read(session, &rows_of(&query, &columns)).await?;
        let seen = read(session, &rows_of(qualified(&new.views, to).as_str(), &columns)).await?;
        if seen != wanted {
            return Err(format!("the newer version's `{to}` does not read what `up` says:\n{}", difference(&wanted, &seen)));
        }
    }
    code::holds(session, old).await?;
    code::holds(session, new).await?;
    Ok(())
}

/// A table's rows as the older version reads them, and as `down` has them; none for a table of one version.
async fn seen_from_below(
    session: &Client,
    case: &Case,
    old: &Side<'_>,
    new: &Side<'_>,
    table: &str,
) -> Result<Option<(Vec<String>, Vec<String>)>, String> {
    let Some(way) = case.ways.iter().find(|way| way.new.as_deref() == Some(table)) else { return Ok(None) };
    let Some(from) = &way.old else { return Ok(None) };
    let (query, unknown) = derived(way, false, qualified(&new.views, table).as_str());
    let columns: Vec<&String> =
        old.schema.tables[from].columns.iter().map(|column| &column.name).filter(|name| !unknown.contains(*name)).collect();
    let below = read(session, &rows_of(qualified(&old.views, from).as_str(), &columns)).await?;
    Ok(Some((below, read(session, &rows_of(&query, &columns)).await?)))
}

/// What the second list has more than the first.
fn more(then: Vec<String>, mut now: Vec<String>) -> Vec<String> {
    for row in then {
        if let Some(at) = now.iter().position(|there| *there == row) {
            now.remove(at);
        }
    }
    now
}
