//! What the tests share: one private server per process, a database per test, clients on a version, a writer at work.

pub mod dump;
pub mod printers;
pub mod proxy;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::{Duration, Instant};

use diptych::internal::{introspect, search_path};
use diptych::migrator::Outcome;
use diptych::{Blocker, Migrator, Options, Progress, Quiet};
use diptych_core::names::view_schema;
use diptych_core::{Migration, Schema, migration::diff, sql};
use diptych_xtask::server::{self, Server};
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage};

/// The process's server; gone with the process.
pub fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        let settings = [("log_statement", "all"), ("max_connections", "300"), ("log_line_prefix", "%d|>")];
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        Server::start(&server::Options { settings, ..server::Options::default() }).expect("a private server")
    })
}

/// The server's major version.
pub fn major() -> u32 {
    static MAJOR: OnceLock<u32> = OnceLock::new();
    *MAJOR.get_or_init(|| {
        let version = std::fs::read_to_string(server().data_dir().join("PG_VERSION")).unwrap_or_else(|_| {
            // another user's folder: ask the program
            let output = std::process::Command::new(server().bin_dir().join("postgres")).arg("--version").output();
            let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
            text.split(|c: char| !c.is_ascii_digit()).find(|part| !part.is_empty()).unwrap_or_default().to_owned()
        });
        version.trim().parse().expect("a version")
    })
}

/// Whether the server can create an extension: those of PostgreSQL's own are not installed beside every server.
pub fn has_extension(name: &'static str) -> bool {
    static KNOWN: OnceLock<Vec<String>> = OnceLock::new();
    let ask = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let client = client(&server().config("postgres")).await;
            let rows = client.query("SELECT name::text FROM pg_available_extensions", &[]).await.expect("the extensions");
            rows.iter().map(|row| row.get(0)).collect()
        })
    };
    // not on the thread of a test's own runtime
    let known = KNOWN.get_or_init(|| std::thread::spawn(ask).join().expect("the extensions"));
    known.iter().any(|there| there == name)
}

/// The database that all others are copies of.
const TEMPLATE: &str = "hostile";

/// What it has in `public`.
pub const HOSTILE: &str = include_str!("hostile.sql");

/// Makes it on a server that has none yet.
async fn prepare_template(server: &Config, admin: &Client) {
    static READY: tokio::sync::Mutex<Vec<String>> = tokio::sync::Mutex::const_new(Vec::new());
    let place = format!("{:?} {:?}", server.get_hosts(), server.get_ports());
    let mut ready = READY.lock().await;
    if ready.contains(&place) {
        return;
    }
    // a copy of another server has it
    if ask(admin, &format!("SELECT count(*) FROM pg_database WHERE datname = '{TEMPLATE}'")).await == "1" {
        ready.push(place);
        return;
    }
    admin.batch_execute(&format!("CREATE DATABASE {TEMPLATE}")).await.expect("the template");
    let mut config = server.clone();
    let inside = client(config.dbname(TEMPLATE)).await;
    inside.batch_execute(HOSTILE).await.expect("what is hostile");
    drop(inside);
    // its session may take a moment to end
    while ask(admin, &format!("SELECT count(*) FROM pg_stat_activity WHERE datname = '{TEMPLATE}'")).await != "0" {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    ready.push(place);
}

/// Whether a line of the catalog is one of the template's own.
pub fn is_hostile(line: &str) -> bool {
    line.starts_with("function op ") || line.starts_with("function hostile(")
}

/// A database of one test's own, and the base schema that the test works in.
#[derive(Clone, Debug)]
pub struct Database {
    /// Its name.
    pub name: String,
    /// The base schema.
    pub base: String,
    /// How to reach its server.
    pub server: Config,
    /// Shared by its clones: when the last is gone, so is the database.
    _in_use: Arc<()>,
}

/// Every database that was made and not removed, with how to reach its server as a superuser.
static MADE: Mutex<Vec<(String, Config, Weak<()>)>> = Mutex::new(Vec::new());

/// Removes what tests have left behind when they ended.
async fn sweep() {
    let ended: Vec<(String, Config, Weak<()>)> =
        MADE.lock().expect("no panic while held").extract_if(.., |(_, _, in_use)| in_use.strong_count() == 0).collect();
    for (name, server, _) in ended {
        // some have a server of their own, which is gone as well
        if let Ok((admin, connection)) = server.connect(NoTls).await {
            tokio::spawn(connection);
            let _ = admin.batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
        }
    }
}

impl Database {
    /// A new database with `public` as base schema.
    pub async fn new() -> Self {
        Database::with_base("public").await
    }

    /// A new database with the given base schema.
    pub async fn with_base(base: &str) -> Self {
        Database::at(&server().config("postgres"), base).await
    }

    /// A new database on another server than the process's.
    pub async fn at(server: &Config, base: &str) -> Self {
        sweep().await;
        let database = Database::named(server, base);
        let admin = client(server).await;
        prepare_template(server, &admin).await;
        let create = format!("CREATE DATABASE {} TEMPLATE {TEMPLATE}", database.name);
        admin.batch_execute(&create).await.expect("a database");
        if base != "public" {
            // nobody but its owner creates there, as in `public`
            let create = format!("CREATE SCHEMA {0}; REVOKE CREATE ON SCHEMA {0} FROM pg_monitor", sql::ident(base));
            database.client().await.batch_execute(&create).await.expect("the base schema");
        }
        database
    }

    /// A new database whose base schema `shop` belongs to a role that is no superuser, and that everything is done as from now on.
    pub async fn of_owner(name: &str) -> Self {
        let mut database = Database::new().await;
        let owner = format!("{name}_{}", database.name);
        let create = format!(
            "CREATE ROLE {owner} LOGIN; GRANT CREATE ON DATABASE {} TO {owner}; CREATE SCHEMA shop AUTHORIZATION {owner}",
            database.name
        );
        must(&database.client().await, &create).await;
        database.server.user(&owner);
        database.base = "shop".to_owned();
        database
    }

    /// The same database as another server has it.
    pub fn on_server(&self, server: Config) -> Self {
        Database { server, ..self.clone() }
    }

    /// A session as a superuser.
    pub async fn superuser(&self) -> Client {
        let mut config = self.config();
        config.user("postgres");
        client(&config).await
    }

    /// One that is yet to be made.
    fn named(server: &Config, base: &str) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let in_use = Arc::new(());
        MADE.lock().expect("no panic while held").push((name.clone(), server.clone(), Arc::downgrade(&in_use)));
        Database { name, base: base.to_owned(), server: server.clone(), _in_use: in_use }
    }

    /// A copy of it, as it is now; nobody may be connected.
    pub async fn copy(&self) -> Self {
        sweep().await;
        let copy = Database::named(&self.server, &self.base);
        let admin = client(&self.server).await;
        for _ in 0..100 {
            // sessions of the original may take a moment to end
            if admin.batch_execute(&format!("CREATE DATABASE {} TEMPLATE {}", copy.name, self.name)).await.is_ok() {
                return copy;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("`{}` could not be copied", self.name);
    }

    /// How to reach it.
    pub fn config(&self) -> Config {
        let mut config = self.server.clone();
        config.dbname(&self.name);
        config
    }

    /// A session without a version, on the base schema.
    pub async fn client(&self) -> Client {
        let client = client(&self.config()).await;
        client.batch_execute(&format!("SET search_path = {}", sql::ident(&self.base))).await.expect("a search path");
        client
    }

    /// A session of an app that was built for a version.
    pub async fn on(&self, version: &str) -> Client {
        let mut config = self.config();
        diptych::connect::put_on(&mut config, &search_path(&self.base, &view_schema(&self.base, version)));
        config.application_name("app");
        client(&config).await
    }

    /// The engine.
    pub async fn migrator(&self) -> Migrator {
        self.migrator_over(&self.config()).await
    }

    /// The engine, over another way to the database.
    pub async fn migrator_over(&self, config: &Config) -> Migrator {
        let options = Options { base: self.base.clone(), timeout: Duration::from_secs(60), ..Options::default() };
        Migrator::connect(config, options).await.expect("a migrator")
    }

    /// Starts and completes every migration.
    pub async fn migrate(&self, migrations: &[Migration]) {
        for count in 1..=migrations.len() {
            let mut migrator = self.migrator().await;
            let started =
                migrator.start(&migrations[..count], None, &mut Quiet).await.unwrap_or_else(|error| panic!("start: {error}"));
            assert!(matches!(started, Outcome::Done(_)), "{started:?}");
            migrator.complete(&mut Quiet).await.unwrap_or_else(|error| panic!("complete: {error}"));
        }
    }

    /// Starts and completes the last of these migrations: those before it are live.
    pub async fn migrate_on(&self, migrations: &[Migration]) {
        let mut migrator = self.migrator().await;
        migrator.start(migrations, None, &mut Quiet).await.unwrap_or_else(|error| panic!("start: {error}"));
        migrator.complete(&mut Quiet).await.unwrap_or_else(|error| panic!("complete: {error}"));
    }

    /// The base schema's objects, without what the template has.
    pub async fn catalog(&self) -> Vec<String> {
        let mut lines = introspect::catalog(&self.client().await, &self.base).await.expect("the catalog");
        lines.retain(|line| !is_hostile(line));
        lines.extend(self.code().await);
        lines
    }

    /// The code of the versions that are there, without their names.
    async fn code(&self) -> Vec<String> {
        let sql = "SELECT format('code %s %s: %s %s %s', noted.kind, noted.name, replace(coalesce(CASE WHEN proc.prokind <> 'a' THEN pg_get_functiondef(proc.oid) END, pg_get_viewdef(class.oid), ''), quote_ident(space.nspname), 'version'), \
            (SELECT string_agg(acl::text, ' ' ORDER BY acl::text) FROM aclexplode(coalesce(proc.proacl, class.relacl)) AS acl), coalesce(obj_description(proc.oid, 'pg_proc'), obj_description(class.oid, 'pg_class'))) \
            FROM diptych.versions AS own CROSS JOIN LATERAL jsonb_to_recordset(own.code) AS noted (kind text, name text) JOIN pg_namespace AS space ON space.nspname = own.views \
            LEFT JOIN LATERAL (SELECT proc.* FROM diptych.objects(space.nspname::text) AS there JOIN pg_proc AS proc ON proc.oid = there.oid WHERE there.kind = noted.kind AND there.own_name = noted.name) AS proc ON noted.kind = 'ROUTINE' \
            LEFT JOIN pg_class AS class ON noted.kind <> 'ROUTINE' AND class.relnamespace = space.oid AND class.relname = noted.name WHERE own.base = $1 ORDER BY 1";
        let client = self.client().await;
        if ask(&client, "SELECT to_regclass('diptych.versions')").await == "NULL" {
            return Vec::new();
        }
        let rows = client.query(sql, &[&self.base]).await.expect("the code of the versions");
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// The objects of a base schema that is created afresh from a model. The same model is created once in a process.
    pub async fn fresh_catalog(&self, schema: &Schema) -> Vec<String> {
        static MADE: Mutex<BTreeMap<String, Vec<String>>> = Mutex::new(BTreeMap::new());
        let operations = diff::create_all(schema);
        let key = format!("{:?} {} {operations:?}", self.server.get_hosts(), self.base);
        if let Some(catalog) = MADE.lock().expect("no panic while held").get(&key) {
            return catalog.clone();
        }
        let fresh = Database::at(&self.server, &self.base).await;
        fresh.migrate(&[Migration { name: "fresh".to_owned(), version_schema: None, operations }]).await;
        let catalog = fresh.catalog().await;
        MADE.lock().expect("no panic while held").insert(key, catalog.clone());
        catalog
    }
}

/// A session.
pub async fn client(config: &Config) -> Client {
    let (client, connection) = config.connect(NoTls).await.unwrap_or_else(|error| panic!("connect: {error:?}"));
    tokio::spawn(connection);
    client
}

/// A migration from its text.
pub fn migration(name: &str, text: &str) -> Migration {
    Migration::parse(name, text).unwrap_or_else(|error| panic!("{error}"))
}

/// The schema that migrations lead to.
pub fn schema(migrations: &[Migration]) -> Schema {
    migrations
        .iter()
        .fold(Schema::default(), |schema, migration| migration.stage(&schema).unwrap_or_else(|error| panic!("{error}")).to)
}

/// What a start is refused with, and that it has changed nothing.
pub async fn refused(database: &Database, migrator: &mut Migrator, all: &[Migration]) -> String {
    let before = database.catalog().await;
    let error = migrator.start(all, None, &mut Quiet).await.expect_err("a refusal");
    let now = database.catalog().await;
    assert_eq!(before, now, "{}", difference(&before, &now));
    assert!(migrator.status(all).await.expect("a status").pending.is_none(), "{error}");
    error.to_string()
}

/// What stands in the way of a start: the statement that puts it there, the one that takes it away, and what the refusal says of it. Refused with a
/// hint and nothing changed, and carried out to its end without it.
pub async fn stands_in_the_way(database: &Database, all: &[Migration], (before, after, said): (&str, &str, &str)) {
    let (client, mut migrator) = (database.client().await, database.migrator().await);
    must(&client, before).await;
    let text = refused(database, &mut migrator, all).await;
    assert!(text.contains(said) && text.contains("hint: "), "{before}: {text}");
    must(&client, after).await;
    migrator.start(all, None, &mut Quiet).await.unwrap_or_else(|error| panic!("{after}: {error}"));
    migrator.complete(&mut Quiet).await.unwrap_or_else(|error| panic!("{after}: {error}"));
}

/// The rows of a statement as text, columns by `|`, rows by `;`; the SQLSTATE of one that fails, as `!23505`.
pub async fn ask(client: &Client, sql: &str) -> String {
    match client.simple_query(sql).await {
        Ok(messages) => {
            let rows: Vec<String> = messages
                .iter()
                .filter_map(|message| match message {
                    SimpleQueryMessage::Row(row) => {
                        Some((0..row.len()).map(|at| row.get(at).unwrap_or("NULL").to_owned()).collect::<Vec<_>>().join("|"))
                    }
                    _ => None,
                })
                .collect();
            rows.join(";")
        }
        Err(error) => match error.code() {
            Some(code) => format!("!{}", code.code()),
            None => format!("!{error}"),
        },
    }
}

/// The same, and it must not fail.
pub async fn must(client: &Client, sql: &str) -> String {
    match client.simple_query(sql).await {
        Ok(_) => ask_again(client, sql).await,
        Err(error) => panic!(
            "{sql}: {}",
            error.as_db_error().map_or_else(
                || error.to_string(),
                |error| format!("{} {:?} {:?}", error.message(), error.where_(), error.detail())
            )
        ),
    }
}

async fn ask_again(client: &Client, sql: &str) -> String {
    if sql.trim_start().to_lowercase().starts_with("select") { ask(client, sql).await } else { String::new() }
}

/// Clients of a version that run statements without pause until they are stopped.
#[derive(Debug)]
pub struct Work {
    stop: Arc<AtomicBool>,
    tasks: Vec<tokio::task::JoinHandle<Report>>,
}

/// What a client's work came to.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Statements run.
    pub statements: u64,
    /// Those that failed, as text.
    pub failed: Vec<String>,
    /// The longest that one took.
    pub longest: Duration,
}

impl Work {
    /// Starts one task per client, each running its statements in turn; `{n}` is a number of its own for every round.
    pub async fn start(database: &Database, version: &str, clients: usize, statements: &[&str]) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1_000_000);
        let stop = Arc::new(AtomicBool::new(false));
        let mut tasks = Vec::new();
        for _ in 0..clients {
            let client = database.on(version).await;
            let statements: Vec<String> = statements.iter().map(|&text| text.to_owned()).collect();
            let stop = Arc::clone(&stop);
            tasks.push(tokio::spawn(async move {
                let mut report = Report::default();
                while !stop.load(Ordering::Relaxed) {
                    let number = NEXT.fetch_add(1, Ordering::Relaxed).to_string();
                    for statement in &statements {
                        let began = Instant::now();
                        if let Err(error) = client.simple_query(&statement.replace("{n}", &number)).await {
                            report.failed.push(format!("{statement}: {:?}", error.as_db_error()));
                        }
                        report.statements += 1;
                        report.longest = report.longest.max(began.elapsed());
                    }
                    // a load that leaves the machine to the tool; `load` does not
                    tokio::time::sleep(Duration::from_millis(4)).await;
                }
                report
            }));
        }
        Work { stop, tasks }
    }

    /// Stops and adds up.
    pub async fn stop(self) -> Report {
        self.stop.store(true, Ordering::Relaxed);
        let mut sum = Report::default();
        for task in self.tasks {
            let report = task.await.expect("a client");
            sum.statements += report.statements;
            sum.failed.extend(report.failed);
            sum.longest = sum.longest.max(report.longest);
        }
        sum
    }
}

/// What a run has told.
#[derive(Debug, Default)]
pub struct Told {
    /// Who held it up.
    pub blockers: Vec<Blocker>,
    /// Its warnings, each with its hint.
    pub warnings: Vec<String>,
}

impl Told {
    /// The one warning that holds a text.
    pub fn of(&self, text: &str) -> &str {
        let found: Vec<_> = self.warnings.iter().filter(|told| told.contains(text)).collect();
        assert_eq!(found.len(), 1, "`{text}` in {:#?}", self.warnings);
        found[0]
    }
}

impl Progress for Told {
    fn waiting(&mut self, blockers: &[Blocker]) {
        self.blockers.extend_from_slice(blockers);
    }

    fn warning(&mut self, warning: &diptych::Error) {
        self.warnings.push(warning.to_string());
    }
}

/// A release of an application that was built for a version: `release!(One, "0001_before")`.
#[macro_export]
macro_rules! release {
    ($name:ident, $version:literal) => {
        #[doc = concat!("A release that was built for version `", $version, "`.")]
        struct $name;

        impl diptych::Database for $name {
            const BASE: &'static str = "public";
            const VERSION: Option<&'static str> = Some($version);
            const SCHEMA: Option<&'static str> = Some(concat!("public_", $version));
            const GUARD: &'static str = "public_diptych_guard";
            const MIGRATIONS: &'static [(&'static str, &'static str)] = &[];
            const SNAPSHOT: &'static str = "";
            const FOLDER: &'static str = "";

            fn declared() -> diptych_core::DeclaredSchema {
                diptych_core::DeclaredSchema::default()
            }
        }
    };
}

/// What two catalogs do not share, for messages.
pub fn difference(before: &[String], after: &[String]) -> String {
    let gone = before.iter().filter(|line| !after.contains(line)).map(|line| format!("- {line}"));
    let come = after.iter().filter(|line| !before.contains(line)).map(|line| format!("+ {line}"));
    gone.chain(come).collect::<Vec<_>>().join("\n")
}

/// Random numbers for a test; the seed is printed, and given again in `SEED`.
pub fn seed(name: &str) -> fastrand::Rng {
    let given = std::env::var("SEED").ok().and_then(|text| text.parse().ok());
    let seed = given.unwrap_or_else(|| fastrand::u64(..));
    println!("{name}: SEED={seed}");
    fastrand::Rng::with_seed(seed)
}
