//! Settings from where libpq has them: the same files and variables lead `psql` and us to the same session, or both to none.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use diptych_tests::ask;

use super::{PASSWORD, Secure};
use crate::cli::{Folder, GOOD, binary, refused, text};

const WHERE: &str = "SELECT current_user, current_database(), current_setting('application_name'), current_setting('work_mem'), inet_server_port(), (SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid())";

/// Run by the others in a process of its own: it says where a text leads.
#[tokio::test]
#[ignore = "a part of the others"]
async fn child() {
    let text = std::env::var("TEXT").expect("a text");
    match diptych::internal::hook_session(&text).await {
        Ok(client) => println!("found: {}", ask(&client, WHERE).await),
        Err(error) => println!("refused: {error}"),
    }
}

/// What surrounds a process.
struct Place<'a> {
    home: &'a Path,
    variables: Vec<(&'a str, String)>,
}

impl Place<'_> {
    fn around<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        let path = std::env::var("PATH").unwrap_or_default();
        command.env_clear().env("PATH", path).env("HOME", self.home).envs(self.variables.iter().cloned())
    }

    /// Where we come to, or what we say.
    fn ours(&self, text: &str) -> Result<String, String> {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command.args(["--exact", "secure::libpq::child", "--ignored", "--nocapture"]);
        let output = self.around(&mut command).env("TEXT", text).output().expect("it runs");
        let said = self::text(&output.stdout);
        if let Some((_, found)) = said.split_once("found: ") {
            return Ok(found.lines().next().unwrap_or_default().to_owned());
        }
        let (_, why) = said.split_once("refused: ").unwrap_or_else(|| panic!("{said}{}", self::text(&output.stderr)));
        Err(why.to_owned())
    }

    /// Where psql comes to, where it is installed.
    fn psql(&self, text: &str, program: &Path) -> Result<String, String> {
        let mut command = Command::new(program);
        let output = self.around(&mut command).args(["-XAtwc", WHERE, text]).output().expect("psql runs");
        if output.status.success() { Ok(self::text(&output.stdout).trim().to_owned()) } else { Err(self::text(&output.stderr)) }
    }
}

fn write(path: &Path, text: &str, mode: u32) {
    fs::write(path, text).expect("a file");
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("permissions");
}

/// Whether a case leads somewhere, with a text, variables, a password file and a service file.
type Case<'a> = (bool, &'a str, &'a str, &'a str, &'a str);

fn cases() -> Vec<Case<'static>> {
    let usual = "PGHOST=127.0.0.1 PGPORT=$PORT PGUSER=keeper PGDATABASE=postgres";
    let service = "[other]\nhost=nowhere.invalid\n[shop]\n# ours\nhost=127.0.0.1\nport=$PORT\nuser=keeper\ndbname=template1\noptions=-c work_mem=5MB\n[broken]\nno setting\n[unknown]\nhorst=a\n[nested]\nservice=shop\n";
    vec![
        (
            true,
            "postgresql://",
            "$USUAL PGPASSWORD=$SECRET PGOPTIONS=-c\u{a0}work_mem=7MB PGAPPNAME=mine PGCONNECT_TIMEOUT=9",
            "",
            "",
        ),
        (true, "", "$USUAL PGPASSWORD=$SECRET", "", ""),
        (false, "postgresql://", "$USUAL", "", ""),
        (false, "postgresql://", "$USUAL PGPASSWORD=wrong", "*:*:*:*:$SECRET", ""),
        // the text wins, part by part
        (
            true,
            "postgresql://keeper:$SECRET@127.0.0.1:$PORT/template1",
            "PGUSER=nobody PGPASSWORD=wrong PGDATABASE=none PGHOST=nowhere.invalid PGPORT=1 PGAPPNAME=a",
            "",
            "",
        ),
        (true, "postgresql://127.0.0.1/template1?application_name=b", "$USUAL PGPASSWORD=$SECRET PGAPPNAME=a", "", ""),
        (true, "host=127.0.0.1 dbname='template1' application_name='a b'", "$USUAL PGPASSWORD=$SECRET PGAPPNAME=a", "", ""),
        (true, "postgresql:///?options=-c%20work_mem%3D8MB", "$USUAL PGPASSWORD=$SECRET PGOPTIONS=-c\u{a0}work_mem=7MB", "", ""),
        // hosts and ports in lists
        (
            true,
            "postgresql://",
            "PGHOST=127.0.0.1,127.0.0.1 PGPORT=1,$PORT PGUSER=keeper PGDATABASE=postgres PGPASSWORD=$SECRET",
            "",
            "",
        ),
        (false, "postgresql://127.0.0.1,127.0.0.1/postgres", "PGPORT=1,$PORT PGUSER=keeper PGPASSWORD=$SECRET", "", ""),
        // the service file comes before the environment
        (
            true,
            "postgresql://",
            "PGSERVICE=shop PGHOST=nowhere.invalid PGPORT=1 PGDATABASE=none PGPASSWORD=$SECRET PGOPTIONS=-c\u{a0}work_mem=7MB",
            "",
            service,
        ),
        (true, "service=shop dbname=postgres", "PGPASSWORD=$SECRET", "", service),
        (true, "postgresql:///postgres?service=shop", "PGSERVICE=other PGPASSWORD=$SECRET", "", service),
        (false, "postgresql://", "PGSERVICE=none PGPASSWORD=$SECRET $USUAL", "", service),
        (false, "postgresql://", "PGSERVICE=broken PGPASSWORD=$SECRET $USUAL", "", service),
        (false, "postgresql://", "PGSERVICE=unknown PGPASSWORD=$SECRET $USUAL", "", service),
        (false, "postgresql://", "PGSERVICE=nested PGPASSWORD=$SECRET $USUAL", "", service),
        (false, "postgresql://", "PGSERVICE=shop PGSERVICEFILE=/nowhere PGPASSWORD=$SECRET $USUAL", "", service),
        // the password file: the first line that fits
        (
            true,
            "postgresql://",
            usual,
            "# *:*:*:*:wrong\nlocalhost:*:*:*:wrong\n127.0.0.1:$PORT:postgres:keeper:$SECRET\n*:*:*:*:wrong",
            "",
        ),
        (false, "postgresql://", usual, "*:*:*:keeper:wrong\n*:*:*:*:$SECRET", ""),
        (true, "postgresql://", usual, "*:*:post\\gres:*:$SECRET:behind\r\n", ""),
        (true, "postgresql://keeper:@127.0.0.1:$PORT/postgres", "", "*:*:*:*:$SECRET", ""),
        (true, "postgresql://", "PGSERVICE=shop", "*:*:template1:keeper:$SECRET", service),
        (false, "postgresql://", usual, "closed\n*:*:*:*:$SECRET", ""),
        // TLS
        (false, "postgresql://", "$USUAL PGPASSWORD=$SECRET PGSSLMODE=disable", "", ""),
        (
            true,
            "postgresql://localhost?sslmode=verify-full",
            "$USUAL PGPASSWORD=$SECRET PGSSLMODE=disable PGSSLROOTCERT=$FOLDER/root.crt",
            "",
            "",
        ),
        (
            false,
            "postgresql://localhost",
            "$USUAL PGPASSWORD=$SECRET PGSSLMODE=verify-full PGSSLROOTCERT=$FOLDER/other.crt",
            "",
            "",
        ),
        (
            true,
            "postgresql://certified@127.0.0.1/postgres",
            "$USUAL PGSSLCERT=$FOLDER/client.crt PGSSLKEY=$FOLDER/client.key",
            "",
            "",
        ),
        (true, "postgresql://certified@127.0.0.1/postgres?sslcert=$FOLDER/client.crt&sslkey=$FOLDER/client.key", usual, "", ""),
        (
            false,
            "postgresql://certified@127.0.0.1/postgres",
            "$USUAL PGSSLCERT=$FOLDER/client.crt PGSSLKEY=$FOLDER/open.key",
            "",
            "",
        ),
        (false, "postgresql://certified@127.0.0.1/postgres", usual, "", ""),
        (
            false,
            "postgresql://keeper@127.0.0.1/postgres",
            "$USUAL PGSSLCERT=$FOLDER/client.crt PGSSLKEY=$FOLDER/client.key",
            "",
            "",
        ),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_files_and_variables_lead_psql_to_the_same_session() {
    let secure = Secure::server().await;
    let path = std::env::var_os("PATH").unwrap_or_default();
    let psql = std::env::split_paths(&path)
        .chain([secure.server.bin_dir().to_owned()])
        .map(|folder| folder.join("psql"))
        .find(|file| file.is_file());
    let (mut led, mut compared) = (0, 0);
    for (number, (leads, conninfo, variables, passwords, services)) in cases().into_iter().enumerate() {
        let home = tempfile::tempdir().expect("a folder");
        let usual = "PGHOST=127.0.0.1 PGPORT=$PORT PGUSER=keeper PGDATABASE=postgres";
        let filled = |text: &str| {
            let folder = secure.folder.path().display().to_string();
            let text = text.replace("$USUAL", usual).replace("$PORT", &secure.port.to_string());
            text.replace("$SECRET", PASSWORD).replace("$FOLDER", &folder)
        };
        if !passwords.is_empty() {
            let mode = if passwords.starts_with("closed") { 0o640 } else { 0o600 };
            write(&home.path().join(".pgpass"), &filled(passwords), mode);
        }
        if !services.is_empty() {
            write(&home.path().join(".pg_service.conf"), &filled(services), 0o644);
        }
        let variables = filled(variables);
        let pairs = variables.split(' ').filter_map(|pair| pair.split_once('='));
        let mut variables: Vec<_> = pairs.map(|(name, value)| (name, value.replace('\u{a0}', " "))).collect();
        if !variables.iter().any(|(name, _)| *name == "PGAPPNAME") {
            variables.push(("PGAPPNAME", "named".to_owned()));
        }
        let (place, conninfo) = (Place { home: home.path(), variables }, filled(conninfo));
        let ours = place.ours(&conninfo);
        assert_eq!(ours.is_ok(), leads, "{number}: {conninfo} {:?}: {ours:?}", place.variables);
        assert!(leads || !format!("{ours:?}").contains(PASSWORD), "{ours:?}");
        led += usize::from(leads);
        if let Some(psql) = &psql {
            let theirs = place.psql(&conninfo, psql);
            assert_eq!(
                (&ours.clone().ok(), leads),
                (&theirs.clone().ok(), theirs.is_ok()),
                "{number}: {conninfo} {:?}: {ours:?} {theirs:?}",
                place.variables
            );
            compared += 1;
        }
    }
    println!("libpq: {led} of {} cases lead to a session; {compared} were held against psql", cases().len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_needs_no_url_and_says_what_is_not_read() {
    let secure = Secure::server().await;
    drop(secure.database("without_url").await);
    let folder = Folder::new(&[("0001_users.yaml", GOOD)]);
    let run = |variables: &[(&'static str, &str)], arguments: &[&str]| -> Output {
        let variables = variables.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        let mut command = Command::new(binary());
        command.arg("--dir").arg(folder.path()).args(arguments);
        Place { home: folder.path(), variables }.around(&mut command).output().expect("the binary runs")
    };
    let port = secure.port.to_string();
    let usual = [("PGHOST", "127.0.0.1"), ("PGPORT", port.as_str()), ("PGUSER", "keeper"), ("PGDATABASE", "without_url")];
    write(&folder.path().join(".pgpass"), &format!("*:*:*:*:{PASSWORD}"), 0o644);
    refused(
        &run(&usual, &["start"]),
        &["the server asks for a password", ".pgpass` is open to its group", "hint: close it to others: chmod 600 '"],
    );
    write(&folder.path().join(".pgpass"), &format!("*:*:*:*:{PASSWORD}"), 0o600);
    for (arguments, said) in [
        (&["start"][..], "started `0001_users`\n"),
        (&["complete"], "completed `0001_users`\n"),
        (&["run", "--", "sh", "-c", "psql -XAtc 'SELECT current_schema()' \"$DATABASE_URL\""], "public_0001_users\n"),
    ] {
        let output = run(&usual, arguments);
        assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(0), said), "{}", text(&output.stderr));
    }
    refused(&run(&usual[1..3], &["status"]), &["no database is given", "PGHOST"]);

    // the usual socket
    let socket = format!("/tmp/.s.PGSQL.{port}");
    let real = secure.server.log_path().with_file_name(format!(".s.PGSQL.{port}"));
    std::os::unix::fs::symlink(real, &socket).expect("a link");
    let output = run(&[("PGPORT", &port), ("PGUSER", "postgres"), ("PGDATABASE", "without_url")], &["status", "--exit-code"]);
    fs::remove_file(&socket).expect("the link");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
}
