//! Sessions over TLS and SCRAM, on a server that admits nothing else: who is let in, who is refused, and that no password is told.

mod libpq;

use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use diptych::{Migrator, Options, Quiet};
use diptych_tests::{ask, client, migration, must};
use diptych_xtask::server::{self, Server};
use graviola::hashing::Sha256;
use graviola::signing::ecdsa::{P256, SigningKey};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyIdMethod, PKCS_ECDSA_P256_SHA256, SerialNumber};
use tokio::sync::OnceCell;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config, NoTls};

use crate::cli::{Folder, GOOD, binary, refused, text};

/// The password of the role `keeper`.
const PASSWORD: &str = "right-7c1d4e";

/// A server on 127.0.0.1 with a certificate for `localhost`, and the files of authorities to verify it with.
struct Secure {
    server: Server,
    port: u16,
    folder: tempfile::TempDir,
}

impl Secure {
    /// The process's.
    async fn server() -> &'static Secure {
        static SECURE: OnceCell<Secure> = OnceCell::const_new();
        SECURE.get_or_init(Secure::start).await
    }

    async fn start() -> Secure {
        let authority = Authority::new("authority");
        let (certificate, key) = authority.sign("localhost");
        Secure::with(&authority, &certificate, &key).await
    }

    /// One whose certificate is the authority's own, and has the host as common name alone: what `openssl req -x509` makes.
    async fn signed_by_itself() -> Secure {
        let itself = Authority::new("localhost");
        Secure::with(&itself, &itself.certificate, &itself.issuer.key().pem()).await
    }

    async fn with(authority: &Authority, certificate: &String, key: &String) -> Secure {
        let secure = Secure::plain(&[("password_encryption", "scram-sha-256")]);
        let data = secure.server.data_dir();
        for (path, text) in [
            (secure.path("root.crt"), &authority.certificate),
            (secure.path("other.crt"), &Authority::new("authority").certificate),
            (secure.path("server.crt"), certificate),
            (data.join("root.crt"), &authority.certificate),
            (data.join("server.crt"), certificate),
            (data.join("server.key"), key),
            (
                data.join("pg_hba.conf"),
                &"local all postgres trust\n\
                  hostnossl all plain 127.0.0.1/32 scram-sha-256\n\
                  hostssl all certified 127.0.0.1/32 cert\n\
                  hostssl all keeper 127.0.0.1/32 scram-sha-256\n"
                    .to_owned(),
            ),
        ] {
            write_for(&path, text, data);
        }
        let admin = client(&secure.config("postgres")).await;
        // the passwords of the roles are not to stand in the log because of us
        must(&admin, "SET log_statement = none").await;
        for role in ["keeper", "plain"] {
            must(&admin, &format!("CREATE ROLE {role} LOGIN SUPERUSER PASSWORD '{PASSWORD}'")).await;
        }
        // another is let in by its certificate
        let (certificate, key) = authority.sign("certified");
        for (name, text, mode) in [("client.crt", &certificate, 0o644), ("client.key", &key, 0o600), ("open.key", &key, 0o644)] {
            std::fs::write(secure.path(name), text).expect("a file");
            std::fs::set_permissions(secure.path(name), PermissionsExt::from_mode(mode)).expect("permissions");
        }
        must(&admin, "CREATE ROLE certified LOGIN").await;
        must(&admin, "ALTER SYSTEM SET ssl_ca_file = 'root.crt'").await;
        must(&admin, "ALTER SYSTEM SET ssl = on").await;
        must(&admin, "SELECT pg_reload_conf()").await;
        for _ in 0..500 {
            let (log, _) = server::log_since(&secure.server, 0).expect("the log");
            if log.contains("parameter \"ssl\" changed to \"on\"") {
                tokio::time::sleep(Duration::from_millis(100)).await;
                return secure;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("TLS did not come on: {}", std::fs::read_to_string(secure.server.log_path()).unwrap_or_default());
    }

    /// A server on 127.0.0.1 that does not offer TLS and admits everybody.
    fn plain(further: &[(&str, &str)]) -> Secure {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a free port").port();
        let number = port.to_string();
        let settings =
            [("listen_addresses", "127.0.0.1"), ("port", &number), ("log_statement", "all"), ("log_connections", "on")];
        let settings = settings.iter().chain(further).map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        let server = Server::start(&server::Options { settings, ..server::Options::default() }).expect("a private server");
        Secure { server, port, folder: tempfile::tempdir().expect("a folder") }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// How the test itself gets in: over the socket.
    fn config(&self, database: &str) -> Config {
        let mut config = self.server.config(database);
        config.port(self.port);
        config
    }

    async fn database(&self, name: &str) -> Client {
        let admin = client(&self.config("postgres")).await;
        must(&admin, &format!("CREATE DATABASE {name}")).await;
        client(&self.config(name)).await
    }

    /// A URL over TCP, with the right password.
    fn url(&self, host: &str, database: &str, parameters: &str) -> String {
        format!("postgresql://keeper:{PASSWORD}@{host}:{}/{database}?{parameters}", self.port)
    }

    /// The parameters that name a file of authorities.
    fn verified(&self, mode: &str, file: &str) -> String {
        format!("sslmode={mode}&sslrootcert={}", self.path(file).display())
    }

    fn log(&self) -> String {
        server::log_since(&self.server, 0).expect("the log").0
    }
}

/// Writes a file that only the owner of another path may read, and gives it to that owner.
fn write_for(path: &Path, text: &str, owned: &Path) {
    std::fs::write(path, text).expect("a file");
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o600)).expect("permissions");
    let owner = std::fs::metadata(owned).expect("an owner");
    chown(path, Some(owner.uid()), Some(owner.gid())).expect("the owner");
}

/// An authority that signs certificates.
struct Authority {
    certificate: String,
    issuer: Issuer<'static, Key>,
}

impl Authority {
    fn new(name: &str) -> Self {
        let (mut params, key) = (params(name, Vec::new()), Key::new());
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).expect("a certificate").pem();
        Authority { certificate, issuer: Issuer::new(params, key) }
    }

    /// A server's certificate and key, as PEM.
    fn sign(&self, host: &str) -> (String, String) {
        let key = Key::new();
        let certificate = params(host, vec![host.to_owned()]).signed_by(&key, &self.issuer).expect("a certificate");
        (certificate.pem(), key.pem())
    }
}

fn params(name: &str, hosts: Vec<String>) -> CertificateParams {
    let mut params = CertificateParams::new(hosts).expect("names");
    params.distinguished_name.push(DnType::CommonName, name);
    params.serial_number = Some(SerialNumber::from(1_u64));
    params.key_identifier_method = KeyIdMethod::PreSpecified(name.as_bytes().to_vec());
    params
}

/// A key without the C that rcgen would bring for one.
struct Key {
    key: SigningKey<P256>,
    public: Vec<u8>,
}

impl Key {
    fn new() -> Self {
        let key = SigningKey::generate().expect("a key");
        let mut buffer = [0; 256];
        let info = key.to_spki_der(&mut buffer).expect("a public key");
        // what stands last in it is the point, uncompressed
        let public = info[info.len() - 65..].to_vec();
        Key { key, public }
    }

    fn pem(&self) -> String {
        let mut buffer = [0; 512];
        pem::encode(&pem::Pem::new("PRIVATE KEY", self.key.to_pkcs8_der(&mut buffer).expect("a key")))
    }
}

impl rcgen::PublicKeyData for Key {
    fn der_bytes(&self) -> &[u8] {
        &self.public
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        &PKCS_ECDSA_P256_SHA256
    }
}

impl rcgen::SigningKey for Key {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        let mut buffer = [0; 128];
        Ok(self.key.sign_asn1::<Sha256>(&[message], &mut buffer).expect("a signature").to_vec())
    }
}

/// What became of a session of the engine: its error's text, where it was refused.
async fn open(url: &str) -> Result<Migrator, String> {
    let told = |error: diptych::Error| {
        assert!(error.hint_text().is_some(), "{error}");
        for text in [error.to_string(), format!("{error:?}")] {
            assert!(!text.contains(PASSWORD) && !text.contains("PRIVATE"), "{text}");
        }
        error.to_string()
    };
    Migrator::connect(diptych::connect::parse(url).map_err(told)?, Options::default()).await.map_err(told)
}

async fn admitted(url: &str) {
    let migrator = open(url).await.unwrap_or_else(|error| panic!("{url}: {error}"));
    migrator.status(&[]).await.unwrap_or_else(|error| panic!("{url}: {error}"));
}

async fn kept_out(url: &str, parts: &[&str]) {
    let error = open(url).await.expect_err(url);
    for part in parts {
        assert!(error.contains(part), "no `{part}` in: {error}");
    }
}

struct App;

impl diptych::Database for App {
    const BASE: &'static str = "public";
    const VERSION: Option<&'static str> = Some("0001_good");
    const SCHEMA: Option<&'static str> = Some("public_0001_good");
    const GUARD: &'static str = "public_diptych_guard";
    const MIGRATIONS: &'static [(&'static str, &'static str)] = &[("0001_good", GOOD)];
    const SNAPSHOT: &'static str = "";
    const FOLDER: &'static str = "";

    fn declared() -> diptych_core::DeclaredSchema {
        diptych_core::DeclaredSchema::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn migrations_and_apps_work_over_tls() {
    let secure = Secure::server().await;
    let admin = secure.database("over_tls").await;
    // the certificate's hash takes part in the login: nobody in between could pass it on
    let url =
        secure.url("localhost", "over_tls", &format!("{}&channel_binding=require", secure.verified("verify-full", "root.crt")));
    let migrations = [
        migration("0001_good", GOOD),
        migration("0002_mail", "operations: [{add_column: {table: users, column: {name: mail, type: text, nullable: true}}}]"),
    ];
    for count in 1..=migrations.len() {
        let mut migrator = open(&url).await.expect("a migrator");
        migrator.start(&migrations[..count], None, &mut Quiet).await.expect("started");
        if count == 1 {
            let app = diptych::connect::connect::<App>(&url).await.expect("an app");
            must(&app, "INSERT INTO users (id) VALUES (1)").await;
            let of_tls = "SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND ssl";
            assert_eq!(ask(&app, of_tls).await, "TLSv1.3");
            // and as a pool does it
            let connector = diptych::connect::parse(&url).and_then(|target| target.tls().connector()).expect("a connector");
            let config = diptych::connect::config::<App>(&url).expect("a configuration");
            let (pooled, connection) = config.connect(connector).await.expect("a session");
            tokio::spawn(connection);
            assert_eq!(ask(&pooled, "SELECT count(*) FROM users").await, "1");
        }
        migrator.complete(&mut Quiet).await.expect("completed");
    }
    assert_eq!(ask(&admin, "SELECT name FROM diptych.versions WHERE state = 'live'").await, "0002_mail");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_binary_works_over_tls() {
    let secure = Secure::server().await;
    let admin = secure.database("by_binary").await;
    let folder = Folder::new(&[("0001_good.yaml", GOOD)]);
    let file = secure.path("root.crt");
    let pairs = format!(
        "host=localhost port={} user=keeper password='{PASSWORD}' dbname=by_binary sslmode=verify-full sslrootcert = '{}'",
        secure.port,
        file.display()
    );
    for (url, command, part) in [
        (secure.url("localhost", "by_binary", &secure.verified("verify-full", "root.crt")), "start", "started `0001_good`"),
        (pairs, "complete", "completed `0001_good`"),
    ] {
        let output = folder.run(Some(&url), &[command]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        assert!(text(&output.stdout).contains(part), "{}", text(&output.stdout));
    }
    must(&admin, "SELECT id FROM public_0001_good.users").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_are_verified_as_far_as_is_asked_for() {
    let secure = Secure::server().await;
    let url = |host: &str, mode: &str, file: &str| secure.url(host, "postgres", &secure.verified(mode, file));
    // the right authority, or the server's own certificate
    for file in ["root.crt", "server.crt"] {
        admitted(&url("localhost", "verify-full", file)).await;
        kept_out(&url("127.0.0.1", "verify-full", file), &["not for `127.0.0.1`, but for `localhost`", "hint: ", "verify-ca"])
            .await;
        admitted(&url("127.0.0.1", "verify-ca", file)).await;
        admitted(&url("127.0.0.1", "require", file)).await;
    }
    // another one of the same name
    for mode in ["require", "verify-ca", "verify-full"] {
        kept_out(&url("localhost", mode, "other.crt"), &["certificate", "hint: ", "sslrootcert=PATH"]).await;
    }
    // an address without a name
    admitted(&format!("hostaddr=127.0.0.1 port={} user=keeper password={PASSWORD} dbname=postgres", secure.port)).await;
    for (file, part) in [("nowhere.crt", "cannot be read"), ("empty.crt", "no certificate"), ("bad.crt", "not valid")] {
        std::fs::write(secure.path("empty.crt"), "").expect("a file");
        std::fs::write(secure.path("bad.crt"), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").expect("a file");
        kept_out(&url("localhost", "verify-full", file), &[file, part, "hint: "]).await;
    }
    let folder = Folder::new(&[("0001_good.yaml", GOOD)]);
    refused(&folder.run(Some(&url("127.0.0.1", "verify-full", "root.crt")), &["status"]), &["not for `127.0.0.1`", "verify-ca"]);
    refused(&folder.run(Some(&url("localhost", "verify-full", "other.crt")), &["status"]), &["sslrootcert=PATH"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_file_it_is_the_usual_authorities_that_count() {
    let secure = Secure::server().await;
    let folder = Folder::new(&[("0001_good.yaml", GOOD)]);
    let run = |parameters: &str| folder.run(Some(&secure.url("localhost", "postgres", parameters)), &["status"]);
    let passes = |parameters: &str| {
        let output = run(parameters);
        assert_eq!(output.status.code(), Some(0), "{parameters}: {}", text(&output.stderr));
    };
    for parameters in ["sslmode=require", "sslmode=prefer", "sslmode=allow", "connect_timeout=9"] {
        passes(parameters);
    }
    for parameters in ["sslmode=verify-full", "sslrootcert=system", "sslmode=verify-ca"] {
        refused(&run(parameters), &["certificate"]);
    }
    refused(&run("sslmode=verify"), &["`sslmode=verify`", "verify-full"]);
    refused(&run("sslmode=require&sslrootcert=system"), &["too weak"]);
    // as with libpq
    let usual = folder.0.path().join(".postgresql");
    std::fs::create_dir(&usual).expect("a folder");
    std::fs::copy(secure.path("root.crt"), usual.join("root.crt")).expect("a copy");
    for mode in ["require", "verify-ca", "verify-full"] {
        passes(&format!("sslmode={mode}"));
    }
    std::fs::copy(secure.path("other.crt"), usual.join("root.crt")).expect("a copy");
    for mode in ["require", "verify-ca", "verify-full"] {
        refused(&run(&format!("sslmode={mode}")), &["not signed by a trusted authority"]);
    }
    passes("sslmode=prefer");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_signed_its_certificate_itself_is_trusted_by_that_alone() {
    let secure = Secure::signed_by_itself().await;
    let url = |host: &str, mode: &str, file: &str| secure.url(host, "postgres", &secure.verified(mode, file));
    admitted(&url("localhost", "verify-full", "root.crt")).await;
    admitted(&url("127.0.0.1", "verify-ca", "root.crt")).await;
    kept_out(&url("127.0.0.1", "verify-full", "root.crt"), &["not for `127.0.0.1`, but for `localhost`", "hint: "]).await;
    kept_out(&url("localhost", "verify-ca", "other.crt"), &["signed its certificate itself", "hint: "]).await;
    admitted(&secure.url("localhost", "postgres", "sslmode=prefer")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_sessions_are_had_where_they_are_wanted() {
    let secure = Secure::server().await;
    let folder = Folder::new(&[("0001_good.yaml", GOOD)]);
    let output = folder.run(Some(&secure.url("127.0.0.1", "postgres", "sslmode=disable")), &["status"]);
    refused(&output, &["pg_hba.conf", "no encryption", "sslmode=require"]);
    // a role that is admitted without TLS alone
    let plain = |mode: &str| secure.url("127.0.0.1", "postgres", &format!("sslmode={mode}")).replace("keeper:", "plain:");
    admitted(&plain("disable")).await;
    admitted(&plain("prefer")).await;
    kept_out(&plain("require"), &["pg_hba.conf"]).await;
    // the socket never has TLS
    let socket = secure.server.url("postgres");
    for mode in ["disable", "prefer", "require", "verify-full"] {
        admitted(&format!("{socket}&port={}&sslmode={mode}", secure.port)).await;
    }
    let without = Secure::plain(&[]);
    let url = |mode: &str| format!("postgresql://postgres@127.0.0.1:{}/postgres?sslmode={mode}", without.port);
    admitted(&url("prefer")).await;
    admitted(&url("disable")).await;
    for mode in ["require", "verify-full"] {
        kept_out(&url(mode), &["does not offer TLS", mode, "hint: "]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_refused_and_none_is_told() {
    const WRONG: &str = "wrong-5b8a02";
    let secure = Secure::server().await;
    let admin = secure.database("passwords").await;
    let folder = Folder::new(&[("0001_good.yaml", GOOD)]);
    let url = secure.url("localhost", "passwords", &secure.verified("verify-full", "root.crt"));
    let mut told = Vec::new();
    let output = folder.run(Some(&url.replace(PASSWORD, WRONG)), &["start"]);
    refused(&output, &["password authentication failed for user \"keeper\"", "hint: ", "password"]);
    told.extend([text(&output.stderr), text(&output.stdout)]);
    let output = folder.run(Some(&url.replace(&format!(":{PASSWORD}"), "")), &["start"]);
    refused(&output, &["asks for a password", "hint: "]);
    let output = folder.run(Some(&url.replace(PASSWORD, &format!("x@{WRONG}"))), &["start"]);
    refused(&output, &["%40"]);
    told.extend([text(&output.stderr), text(&output.stdout)]);
    // a session that is there while we look, and everything that it left behind
    let output = folder.run(Some(&url), &["start"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    told.extend([text(&output.stderr), text(&output.stdout)]);
    let _session = open(&url).await.expect("a session");
    let sessions = ask(&admin, "SELECT string_agg(a::text, ' ') FROM pg_stat_activity a").await;
    assert!(sessions.contains("keeper"), "{sessions}");
    let state = "SELECT string_agg(query_to_xml(format('TABLE diptych.%I', tablename), true, true, '')::text, '') \
                 FROM pg_tables WHERE schemaname = 'diptych'";
    let state = ask(&admin, state).await;
    assert!(state.contains("0001_good"), "{state}");
    told.extend([sessions, state, secure.log()]);
    for text in told {
        assert!(!text.contains(WRONG) && !text.contains(PASSWORD), "a password stands in: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_password_of_a_versions_role_reaches_the_server_as_a_verifier() {
    let secure = Secure::plain(&[("password_encryption", "scram-sha-256")]);
    let admin = secure.database("of_roles").await;
    let admitted = "local all all trust\nhost all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n";
    write_for(&secure.server.data_dir().join("pg_hba.conf"), admitted, secure.server.data_dir());
    must(&admin, "SELECT pg_reload_conf()").await;
    let url = format!("postgresql://postgres@127.0.0.1:{}/of_roles", secure.port);
    let folder = Folder::new(&[("0001_good.yaml", GOOD)]);
    let run = |arguments: &[&str], variable: Option<&str>| {
        let mut command = Command::new(binary());
        command.env("HOME", folder.path()).arg("--dir").arg(folder.path()).args(["--url", &url]).args(arguments);
        command.env_remove("DIPTYCH_ROLE_PASSWORD").envs(variable.map(|value| ("DIPTYCH_ROLE_PASSWORD", value)));
        command.output().expect("the binary runs")
    };
    let done = |arguments: &[&str], variable: Option<&str>| {
        let output = run(arguments, variable);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", text(&output.stderr));
        text(&output.stdout)
    };
    done(&["start"], None);
    must(&admin, "CREATE ROLE one; CREATE ROLE two; CREATE ROLE three; GRANT USAGE ON SCHEMA public_0001_good TO one, two").await;
    must(&admin, "GRANT SELECT ON users, public_0001_good.users TO one, two").await;
    let file = secure.path("password");
    std::fs::write(&file, format!("{PASSWORD}\n")).expect("a file");
    let file = file.display().to_string();
    let said = done(&["roles", "one", "--password-file", &file], Some("another one"));
    assert!(said.contains("made with the password") && !said.contains(PASSWORD), "{said}");
    assert!(done(&["roles", "two"], Some(PASSWORD)).contains("made with the password"));
    // one that is there keeps its own
    assert!(done(&["roles", "two"], Some("another one")).contains("as it was"));
    assert!(done(&["roles", "three"], None).contains("give it a password"));
    let enter = async |role: &str, password: &str| {
        let mut config = Config::new();
        config.host("127.0.0.1").port(secure.port).dbname("of_roles").user(format!("{role}_public_0001_good")).password(password);
        let (client, connection) = config.connect(NoTls).await.map_err(|error| error.code().cloned())?;
        tokio::spawn(connection);
        Ok::<_, Option<SqlState>>(ask(&client, "SELECT count(*) FROM users").await)
    };
    for role in ["one", "two"] {
        assert_eq!(enter(role, PASSWORD).await, Ok("0".to_owned()), "{role}");
        assert_eq!(enter(role, "another one").await, Err(Some(SqlState::INVALID_PASSWORD)), "{role}");
    }
    assert_eq!(enter("three", PASSWORD).await, Err(Some(SqlState::INVALID_PASSWORD)));
    let log = secure.log();
    assert!(log.contains("PASSWORD 'SCRAM-SHA-256$") && !log.contains(PASSWORD), "the log tells a password, or no statement");
    // what is none is refused, and nothing is made
    std::fs::write(&file, "\nsecond line").expect("a file");
    refused(&run(&["roles", "three", "--password-file", &file], None), &["is empty", "`\\password` in psql"]);
    refused(&run(&["roles", "three"], Some("")), &["DIPTYCH_ROLE_PASSWORD", "is empty"]);
    refused(
        &run(&["roles", "three", "--password-file", "/nowhere/at all"], None),
        &["cannot read the password", "--password-file"],
    );
}
