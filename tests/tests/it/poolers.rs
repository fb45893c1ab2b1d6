//! PgBouncer, a real one, between the apps and the server: roles put both versions on their path, and nothing else is let through.
//!
//! `POOLED=n` runs n statements. `DIPTYCH_PGBOUNCER` names another program than the one on PATH.

use std::collections::BTreeSet;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use diptych::connect::{connect, lease, verify, verify_sql};
use diptych::{Migrator, Options, Outcome, Quiet, RoleChange};
use diptych_core::Migration;
use diptych_tests::{Database, Told, ask, client, migration, must, release, server};
use diptych_xtask::server::log_since;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage, Statement};

use crate::cli::{Folder, refused, text};

release!(One, "0001_units");
release!(Two, "0002_cents");

/// The values alone change: what reads another form than its own reads another number.
fn both() -> [Migration; 2] {
    [
        migration(
            "0001_units",
            "operations: [{create_table: {name: prices, columns: [{name: id, type: bigint, pk: true}, {name: amount, type: bigint}]}}]",
        ),
        migration(
            "0002_cents",
            "operations: [{alter_column: {table: prices, column: amount, up: amount * 100, down: amount / 100}}]",
        ),
    ]
}

/// PgBouncer before the suite's server; it ends with this, and with the process.
struct Pooler {
    folder: tempfile::TempDir,
    process: Child,
}

/// The program and its version; none where it is not installed.
fn program() -> Option<(PathBuf, [u32; 2])> {
    let given = std::env::var_os("DIPTYCH_PGBOUNCER").map(PathBuf::from);
    let usual = ["pgbouncer", "/usr/sbin/pgbouncer"].map(PathBuf::from);
    for program in given.map_or_else(|| usual.to_vec(), |given| vec![given]) {
        let Ok(output) = Command::new(&program).arg("--version").output() else { continue };
        let told = text(&output.stdout);
        let mut numbers = told.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse().ok());
        return Some((program, [numbers.next()?, numbers.next()?]));
    }
    None
}

/// Whether there is a PgBouncer to try.
fn tried(what: &str) -> bool {
    if program().is_none() {
        println!("{what}: not tried, there is no PgBouncer here (apt-get install pgbouncer)");
    }
    program().is_some()
}

impl Pooler {
    /// In a mode, for these roles, with so many sessions for each and further settings.
    fn start(mode: &str, roles: &[String], size: usize, settings: &str) -> Self {
        let (program, version) = program().expect("PgBouncer");
        let folder = tempfile::Builder::new().prefix("diptych-").tempdir_in("/tmp").expect("a folder");
        let prepared = if version >= [1, 21] { "max_prepared_statements = 100" } else { "" };
        let to = server().data_dir().parent().expect("the server's folder").display().to_string();
        let place = folder.path().display();
        let ini = format!(
            "[databases]\n* = host={to} port=5432\n[pgbouncer]\nlisten_port = 6432\nunix_socket_dir = {place}\nauth_type = trust\n\
             auth_file = {place}/users\npool_mode = {mode}\ndefault_pool_size = {size}\nmax_client_conn = 200\n{prepared}\n{settings}\n"
        );
        let users: String = roles.iter().map(|role| format!("\"{role}\" \"\"\n")).collect();
        std::fs::write(folder.path().join("ini"), ini).expect("the settings");
        std::fs::write(folder.path().join("users"), users).expect("the users");
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).expect("rights");
        // as the server's user: PgBouncer refuses root as well
        let owner = std::fs::metadata(server().data_dir()).expect("the data folder");
        let mut command = Command::new("/bin/sh");
        if owner.uid() != std::fs::metadata("/proc/self").expect("ourselves").uid() {
            chown(folder.path(), Some(owner.uid()), Some(owner.gid())).expect("the folder's owner");
            command.uid(owner.uid()).gid(owner.gid());
        }
        let process = command
            .args(["-c", "\"$0\" -q \"$1/ini\" >\"$1/log\" 2>&1 & while read -r line; do :; done; kill -KILL $!"])
            .args([&program, folder.path()])
            .stdin(Stdio::piped())
            .process_group(0)
            .spawn()
            .expect("PgBouncer");
        let since = Instant::now();
        while UnixStream::connect(folder.path().join(".s.PGSQL.6432")).is_err() {
            let log = std::fs::read_to_string(folder.path().join("log")).unwrap_or_default();
            assert!(since.elapsed() < Duration::from_secs(10), "PgBouncer did not start: {log}");
            std::thread::sleep(Duration::from_millis(10));
        }
        Pooler { folder, process }
    }

    fn url(&self, role: &str, database: &Database) -> String {
        format!("postgresql://{role}@/{}?host={}&port=6432&application_name=shop", database.name, self.folder.path().display())
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

/// A database with both versions, one row, and a role for each version.
struct Shop {
    database: Database,
    app: String,
    one: String,
    two: String,
}

impl Shop {
    async fn open() -> Self {
        let database = Database::new().await;
        let admin = database.client().await;
        database.migrate(&both()[..1]).await;
        let app = format!("app_{}", database.name);
        must(&admin, &format!("CREATE ROLE {app} LOGIN; GRANT USAGE ON SCHEMA public_0001_units TO {app}")).await;
        must(&admin, &format!("GRANT SELECT, INSERT, UPDATE ON prices, public_0001_units.prices TO {app}")).await;
        must(&database.on("0001_units").await, "INSERT INTO prices VALUES (0, 3)").await;
        let mut migrator = database.migrator().await;
        migrator.start(&both(), None, &mut Quiet).await.unwrap();
        let roles = migrator.roles(&app, &mut Quiet).await.unwrap();
        assert!(roles.iter().all(|role| role.change == RoleChange::Made) && roles.len() == 2, "{roles:?}");
        let [one, two] = ["0001_units", "0002_cents"].map(|version| format!("{app}_public_{version}"));
        Shop { database, app, one, two }
    }

    fn roles(&self) -> Vec<String> {
        [&self.app, &self.one, &self.two, "postgres"].map(ToString::to_string).to_vec()
    }
}

/// One client's statements: each reads what its version makes of what it wrote.
struct App {
    client: Client,
    /// Prepared once, and used in every transaction; none where the pooler knows no prepared statements.
    prepared: Option<(Statement, Statement)>,
    id: i64,
    factor: i64,
}

const WRITE: &str = "UPDATE prices SET amount = $1 WHERE id = $2 RETURNING amount";
const READ: &str = "SELECT amount FROM prices WHERE id = $1";

/// What came of them.
#[derive(Default)]
struct Sum {
    statements: usize,
    failed: Vec<String>,
    wrong: Vec<String>,
}

impl App {
    async fn open(client: Client, prepares: bool, id: i64, factor: i64) -> Self {
        let insert = format!("INSERT INTO prices VALUES ({id}, 0)");
        client.simple_query(&insert).await.unwrap();
        let prepared =
            if prepares { Some((client.prepare(WRITE).await.unwrap(), client.prepare(READ).await.unwrap())) } else { None };
        App { client, prepared, id, factor }
    }

    async fn number(&self, step: usize, amount: i64) -> Result<i64, tokio_postgres::Error> {
        let App { client, id, .. } = self;
        let row = match (step, &self.prepared) {
            (0, Some((write, _))) => client.query_one(write, &[&amount, id]).await?,
            (0, None) => client.query_typed_one(WRITE, &[(&amount, Type::INT8), (id, Type::INT8)]).await?,
            (1, Some((_, read))) => client.query_one(read, &[id]).await?,
            (1, None) => client.query_typed_one(READ, &[(id, Type::INT8)]).await?,
            _ => {
                let simple = if step == 2 {
                    "SELECT amount FROM prices WHERE id = 0"
                } else {
                    "BEGIN; SELECT amount FROM prices WHERE id = 0; COMMIT"
                };
                let rows = client.simple_query(simple).await?;
                let found = rows.iter().find_map(|row| match row {
                    SimpleQueryMessage::Row(row) => row.get(0)?.parse().ok(),
                    _ => None,
                });
                return Ok(found.unwrap_or(-1));
            }
        };
        Ok(row.get(0))
    }

    async fn work(self, statements: usize) -> Sum {
        let mut sum = Sum::default();
        while sum.statements < statements {
            let (step, round) = (sum.statements % 4, sum.statements / 4);
            let amount = i64::try_from(round).unwrap() * self.factor;
            let expected = if step < 2 { amount } else { 3 * self.factor };
            match self.number(step, amount).await {
                Ok(found) if found == expected => {}
                Ok(found) => sum.wrong.push(format!("{found} in the place of {expected}")),
                Err(error) => sum.failed.push(format!("{error:?}")),
            }
            sum.statements += 1;
        }
        sum
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_versions_work_through_pgbouncer() {
    if !tried("poolers") {
        return;
    }
    const CLIENTS: usize = 4;
    let wanted: usize = std::env::var("POOLED").ok().and_then(|text| text.parse().ok()).unwrap_or(100_000);
    let shop = Arc::new(Shop::open().await);
    let knows_prepared = program().is_some_and(|(_, version)| version >= [1, 21]);
    let (mut sum, since) = (Sum::default(), Instant::now());
    for (mode, size) in [("session", 20), ("transaction", 2)] {
        let pooler = Pooler::start(mode, &shop.roles(), size, "");
        let prepares = knows_prepared || mode == "session";
        let mut apps = Vec::new();
        for number in 0..2 * CLIENTS {
            let id = i64::try_from(number + 1).unwrap() + if mode == "session" { 0 } else { 100 };
            let (role, factor) = if number % 2 == 0 { (&shop.one, 1) } else { (&shop.two, 100) };
            let url = pooler.url(role, &shop.database) + "&pooler=true";
            let client = if factor == 1 { connect::<One>(&url).await } else { connect::<Two>(&url).await };
            apps.push(App::open(client.unwrap(), prepares, id, factor).await);
        }
        let leases = shop.database.migrator().await.status(&both()).await.unwrap().leases;
        // the other mode's pooler may have gone before the farewell
        let held: BTreeSet<(&str, &str)> = leases.iter().map(|lease| (lease.version.as_str(), lease.role.as_str())).collect();
        assert_eq!(held, BTreeSet::from([("0001_units", shop.one.as_str()), ("0002_cents", shop.two.as_str())]));
        let tasks: Vec<_> = apps.into_iter().map(|app| tokio::spawn(app.work(wanted.div_ceil(4 * CLIENTS)))).collect();
        for task in tasks {
            let part = task.await.unwrap();
            sum.statements += part.statements;
            sum.failed.extend(part.failed);
            sum.wrong.extend(part.wrong);
        }
    }
    let Sum { statements, failed, wrong } = sum;
    println!(
        "poolers: {statements} statements over 2 modes, {} failed, {} on the wrong version (PgBouncer {:?}, prepared in transaction mode: {knows_prepared}, {:?})",
        failed.len(),
        wrong.len(),
        program().unwrap().1,
        since.elapsed()
    );
    assert!(failed.is_empty() && wrong.is_empty(), "{:?} {:?}", failed.first(), wrong.first());
    assert!(statements >= wanted);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_is_not_on_its_version_is_refused() {
    if !tried("poolers") {
        return;
    }
    let shop = Shop::open().await;
    let admin = shop.database.client().await;
    for (mode, settings) in [
        ("session", ""),
        ("transaction", ""),
        ("session", "ignore_startup_parameters = options"),
        ("transaction", "ignore_startup_parameters = options"),
    ] {
        let ignores = !settings.is_empty();
        let pooler = Pooler::start(mode, &shop.roles(), 5, settings);
        let (_, position) = log_since(server(), 0).unwrap();
        // with options, as the application's role, which has no setting
        let error = connect::<Two>(&pooler.url(&shop.app, &shop.database)).await.unwrap_err();
        let told = error.to_string();
        assert!(error.is_connection() != ignores && error.is_refused() == ignores && !error.is_not_published(), "{mode}: {told}");
        assert!(told.contains("pooler=true") && told.contains("`migrate roles`"), "{mode}: {told}");
        // without, as a role that has none, or the other version's
        for role in [&shop.app, &shop.one] {
            let url = pooler.url(role, &shop.database) + "&pooler=true";
            let error = connect::<Two>(&url).await.unwrap_err();
            assert!(error.is_refused() && error.message().contains(&format!("`{role}`")), "{mode}: {error}");
            assert!(lease::<Two>(&url).await.unwrap_err().is_refused());
        }
        // a setting that somebody has reset
        must(&admin, &format!("ALTER ROLE {} IN DATABASE {} RESET search_path", shop.two, shop.database.name)).await;
        let url = pooler.url(&shop.two, &shop.database) + "&pooler=true";
        assert!(connect::<Two>(&url).await.unwrap_err().is_refused(), "{mode}");
        let mut told = Told::default();
        let roles = shop.database.migrator().await.roles(&shop.app, &mut told).await.unwrap();
        let changes: Vec<RoleChange> = roles.iter().map(|role| role.change).collect();
        assert_eq!(changes, [RoleChange::Kept, RoleChange::Set]);
        // the session that the pooler keeps has what it had
        assert!(told.of("began without").contains("RECONNECT"), "{told:?}");
        drop(pooler);
        // nothing of it has read a table
        let (log, _) = log_since(server(), position).unwrap();
        let own: Vec<&str> = log.lines().filter(|line| line.starts_with(&format!("{}|>", shop.database.name))).collect();
        assert!(own.iter().any(|line| line.contains("current_schemas")), "the log has nothing of this database");
        let read: Vec<&&str> = own.iter().filter(|line| line.contains("prices")).collect();
        assert!(read.is_empty(), "{read:?}");
    }
    // a pool of the app's own asks for itself; without a pooler, too
    let pooler = Pooler::start("transaction", &shop.roles(), 5, "");
    for (role, is_on) in [(&shop.two, true), (&shop.one, false)] {
        let config = diptych::connect::config::<Two>(&(pooler.url(role, &shop.database) + "&pooler=true")).unwrap();
        assert_eq!(config.get_options(), None);
        let (client, connection) = config.connect(NoTls).await.unwrap();
        tokio::spawn(connection);
        assert_eq!(verify::<Two>(&client).await.is_ok(), is_on, "{role}");
        assert_eq!(client.batch_execute(&verify_sql::<Two>()).await.is_ok(), is_on, "{role}");
    }
    // a version that is not there is told as such
    release!(Three, "0003_other");
    let error = connect::<Three>(&(pooler.url(&shop.two, &shop.database) + "&pooler=true")).await.unwrap_err();
    assert!(error.is_not_published(), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_tool_refuses_a_transaction_pooler_before_it_sets_anything() {
    if !tried("poolers") {
        return;
    }
    let shop = Shop::open().await;
    let folder = Folder::new(&[]);
    let round_robin = "server_round_robin = 1\nmin_pool_size = 4";
    for (mode, size, settings) in
        [("transaction", 1, ""), ("transaction", 5, ""), ("transaction", 5, round_robin), ("statement", 5, "")]
    {
        let pooler = Pooler::start(mode, &shop.roles(), size, settings);
        // sessions that the pooler has to choose from
        let apps = [client(&pooler_config(&pooler, &shop)).await, client(&pooler_config(&pooler, &shop)).await];
        if size > 1 {
            let slow = apps.iter().map(|app| app.simple_query("SELECT pg_sleep(0.3)"));
            let mut waiting: Vec<_> = slow.map(Box::pin).collect();
            let (first, second) = waiting.split_at_mut(1);
            let (first, second) = tokio::join!(&mut first[0], &mut second[0]);
            first.and(second).unwrap();
        }
        let (_, position) = log_since(server(), 0).unwrap();
        let target = diptych::connect::parse(&pooler.url("postgres", &shop.database)).unwrap();
        let error = Migrator::connect(target, Options::default()).await.unwrap_err();
        assert!(error.is_refused() && error.to_string().contains("pool_mode = session"), "{mode}: {error}");
        let (log, _) = log_since(server(), position).unwrap();
        let set: Vec<&str> = log
            .lines()
            .filter(|line| {
                line.starts_with(&format!("{}|>", shop.database.name))
                    && line.contains("SET ")
                    && !line.contains("application_name")
            })
            .collect();
        assert!(set.is_empty(), "{mode}: {set:?}");
        if size == 1 {
            refused(&folder.run(Some(&pooler.url("postgres", &shop.database)), &["status"]), &["pooler", "server's own address"]);
        }
    }
    // in session mode a whole command goes through
    let pooler = Pooler::start("session", &shop.roles(), 5, "");
    let target = diptych::connect::parse(&pooler.url("postgres", &shop.database)).unwrap();
    let mut migrator = Migrator::connect(target, Options::default()).await.unwrap();
    assert!(matches!(migrator.complete(&mut Quiet).await.unwrap(), Outcome::Done(_)));
}

fn pooler_config(pooler: &Pooler, shop: &Shop) -> tokio_postgres::Config {
    pooler.url("postgres", &shop.database).parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn roles_follow_the_versions() {
    let shop = Shop::open().await;
    let (database, app) = (&shop.database, shop.app.as_str());
    let admin = database.client().await;
    let path = format!("SELECT setconfig FROM pg_db_role_setting WHERE setrole = '{}'::regrole", shop.two);
    assert_eq!(must(&admin, &path).await, "{\"search_path=public_0002_cents, public_diptych_guard, public\"}");
    // what the application's role has and no role inherits is told
    must(&admin, &format!("ALTER ROLE {app} SET statement_timeout = '5s'")).await;
    let mut told = Told::default();
    let roles = database.migrator().await.roles(app, &mut told).await.unwrap();
    assert!(roles.iter().all(|role| role.change == RoleChange::Kept), "{roles:?}");
    assert_eq!(told.warnings.len(), 2, "{told:?}");
    assert!(told.warnings[0].contains("statement_timeout=5s"), "{told:?}");
    must(&admin, &format!("ALTER ROLE {app} RESET ALL")).await;
    // each is on its version, without a word of the client's
    for (role, amount) in [(&shop.one, "3"), (&shop.two, "300")] {
        let mut config = database.config();
        config.user(role);
        assert_eq!(ask(&client(&config).await, "SELECT amount FROM prices").await, amount);
    }
    // a role without CREATEROLE is told what it lacks
    let plain = Database::of_owner("plain").await;
    plain
        .migrate(&[migration(
            "0001_units",
            "operations: [{create_table: {name: prices, columns: [{name: id, type: bigint, pk: true}]}}]",
        )])
        .await;
    let error = plain.migrator().await.roles(app, &mut Quiet).await.unwrap_err();
    assert!(error.is_refused() && error.to_string().contains("CREATEROLE"), "{error}");
    // and nothing more than that is needed
    let owner = plain.server.get_user().unwrap();
    must(&admin, &format!("ALTER ROLE {owner} CREATEROLE; GRANT {app} TO {owner} WITH ADMIN OPTION")).await;
    let roles = plain.migrator().await.roles(app, &mut Quiet).await.unwrap();
    assert_eq!(
        roles[0].to_string().split(',').next(),
        Some(format!("role `{app}_shop_0001_units`: version `0001_units`").as_str())
    );
    // a role of that name which is somebody else's is left alone
    must(&plain.client().await, &format!("REVOKE {app} FROM {app}_shop_0001_units")).await;
    let error = plain.migrator().await.roles(app, &mut Quiet).await.unwrap_err();
    assert!(error.is_refused() && error.to_string().contains("GRANT"), "{error}");
    let error = plain.migrator().await.roles("nobody there", &mut Quiet).await.unwrap_err();
    assert!(error.is_refused() && error.message().contains("`nobody there`"), "{error}");
    // the same role in another database of the server stays
    let other = Shop::open_beside(&shop).await;
    database.migrator().await.complete(&mut Quiet).await.unwrap();
    let folder = Folder::new(&[]);
    let output = folder.run(Some(&server().url(&database.name)), &["roles", app]);
    let lines = text(&output.stdout);
    assert!(
        output.status.success() && lines.contains(&format!("role `{}`: version `0001_units` has gone, dropped", shop.one)),
        "{lines}"
    );
    assert!(lines.contains(&format!("role `{}`: version `0002_cents`, as it was", shop.two)), "{lines}");
    let there = format!("SELECT count(*) FROM pg_roles WHERE rolname = '{}'", shop.one);
    assert_eq!(ask(&admin, &there).await, "1");
    other.migrator().await.complete(&mut Quiet).await.unwrap();
    // what it owns is not lost
    let mine = format!("CREATE TABLE public.mine (); ALTER TABLE public.mine OWNER TO {}", shop.one);
    must(&other.client().await, &mine).await;
    let error = other.migrator().await.roles(app, &mut Quiet).await.unwrap_err();
    assert!(error.to_string().contains("REASSIGN OWNED"), "{error}");
    must(&other.client().await, "DROP TABLE public.mine").await;
    other.migrator().await.roles(app, &mut Quiet).await.unwrap();
    assert_eq!(ask(&admin, &there).await, "0");
    assert_eq!(database.migrator().await.roles(app, &mut Quiet).await.unwrap().len(), 1);
}

impl Shop {
    /// Another database with both versions, for the same roles.
    async fn open_beside(shop: &Shop) -> Database {
        let database = Database::new().await;
        database.migrate(&both()[..1]).await;
        let mut migrator = database.migrator().await;
        migrator.start(&both(), None, &mut Quiet).await.unwrap();
        let roles = migrator.roles(&shop.app, &mut Quiet).await.unwrap();
        assert!(roles.iter().all(|role| role.change == RoleChange::Set), "{roles:?}");
        database
    }
}
