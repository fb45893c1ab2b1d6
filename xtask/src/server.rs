//! A private PostgreSQL server, for demo, `record` and tests: found, started on a socket in a temporary folder, gone afterwards.

use std::fmt;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use crate::system;

/// A running server. Dropping it stops the server and removes its folder; so does the end of the process, whatever ends it.
#[derive(Debug)]
pub struct Server {
    folder: PathBuf,
    data: PathBuf,
    log: PathBuf,
    bin: PathBuf,
    owner: Option<(u32, u32)>,
    pid: u32,
    watchdog: Child,
    lifeline: Option<ChildStdin>,
}

/// How to start a server.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The folder of `initdb` and `postgres`; searched for where absent.
    pub bin_dir: Option<PathBuf>,
    /// Where the server's folder is made. Where absent: in `/dev/shm` where that has room for 4 GB and `TMPDIR` names no other folder,
    /// among the temporary files otherwise.
    pub folder: Option<PathBuf>,
    /// Further settings for `postgresql.conf`.
    pub settings: Vec<(String, String)>,
    /// What makes the data folder in the place of `initdb`, such as a copy of another server: a script for `sh`, which is run as the
    /// server's user with the folder of programs in `$1`, the data folder that it makes in `$2`.
    pub made_by: Option<String>,
}

/// What makes a data folder where nothing else is given.
pub const INITDB: &str = r#""$1/initdb" --auth=trust --username=postgres --encoding=UTF8 --locale=C --no-sync -D "$2""#;

/// The room in bytes that a folder in memory must have to be taken: one server of a command needs 200 MB, and all of the suite together
/// were seen to take 2.2 GB.
const ROOM: u64 = 4 << 30;

/// Why there is no server.
#[derive(Debug)]
pub struct ServerError {
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
    source: Option<std::io::Error>,
}

impl ServerError {
    fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        ServerError { message: message.into(), hint: Some(hint.into()), source: None }
    }

    fn io(doing: impl fmt::Display, error: std::io::Error) -> Self {
        let hint = "the folder for temporary files must be writable and have room (200 MB); set TMPDIR to another one";
        ServerError { message: format!("cannot {doing}: {error}"), hint: Some(hint.into()), source: Some(error) }
    }
}

impl fmt::Display for ServerError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.message)?;
        self.hint.as_ref().map_or(Ok(()), |hint| write!(out, "\nhint: {hint}"))
    }
}

impl std::error::Error for ServerError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|error| error as _)
    }
}

/// Makes the data folder, runs the server and outlives us: when our end of its input closes, however we end, it stops the server
/// and removes everything. `$1` is the folder of programs, `$2` the data folder, `$3` the log, `$4` what to remove, `$5` settings,
/// `$6` what makes the data folder.
const WATCHDOG: &str = r#"
trap '' INT HUP TERM
cd "$4" || exit 1
server=
if [ -f "$2/PG_VERSION" ] || { sh -c "$6" diptych-data "$1" "$2" </dev/null >>"$3" 2>&1 \
  && printf '%s' "$5" >>"$2/postgresql.conf"; }; then
  (trap - INT HUP TERM; exec "$1/postgres" -D "$2") </dev/null >>"$3" 2>&1 &
  server=$!
else
  : >"$4/failed" 2>/dev/null || { rm -rf "$2"; : >"$4/failed"; }
fi
while read -r line; do :; done
if [ -n "$server" ]; then
  kill -INT "$server" 2>/dev/null
  waited=0
  while kill -0 "$server" 2>/dev/null && [ "$waited" -lt 50 ]; do sleep 0.1; waited=$((waited + 1)); done
  kill -QUIT "$server" 2>/dev/null
  wait "$server" 2>/dev/null
fi
cd /
rm -rf "$4"
"#;

impl Server {
    /// Finds the programs, makes a data folder and starts the server on a socket of its own.
    pub fn start(options: &Options) -> Result<Server, ServerError> {
        if cfg!(not(unix)) {
            return Err(ServerError::new(
                "there is no private server on this system",
                "run the command on Linux or macOS, or in WSL",
            ));
        }
        let bin = find_binaries(options.bin_dir.as_deref())?;
        let owner = owner()?;
        let folder = short_folder(options.folder.clone().unwrap_or_else(|| usual_folder(system::in_memory(ROOM))))?;
        match Server::start_in(&folder, &bin, owner, options) {
            Ok(server) => Ok(server),
            Err(error) => {
                let _ = fs::remove_dir_all(&folder);
                Err(error)
            }
        }
    }

    fn start_in(folder: &Path, bin: &Path, owner: Option<(u32, u32)>, options: &Options) -> Result<Server, ServerError> {
        if let Some(owner) = owner {
            system::give(folder, owner)
                .map_err(|error| ServerError::io("give the temporary folder to the server's user", error))?;
        }
        let mut settings = format!(
            "\nlisten_addresses = ''\nunix_socket_directories = '{}'\nunix_socket_permissions = 0777\nfsync = off\nsynchronous_commit = off\n\
             full_page_writes = off\nmax_connections = 200\nlog_destination = 'stderr'\nlogging_collector = off\n",
            folder.display().to_string().replace('\'', "''")
        );
        for (name, value) in &options.settings {
            settings.push_str(&format!("{name} = '{}'\n", value.replace('\'', "''")));
        }
        let mut watchdog = watch(folder, bin, owner, &settings, options.made_by.as_deref().unwrap_or(INITDB))?;
        let lifeline = watchdog.stdin.take();
        let mut server = Server {
            folder: folder.to_owned(),
            data: folder.join("data"),
            log: folder.join("log"),
            bin: bin.to_owned(),
            owner,
            pid: 0,
            watchdog,
            lifeline,
        };
        server.pid = server.wait_until_ready()?;
        Ok(server)
    }

    /// Kills the server without a chance to clean up and starts it again over the same data, for tests of crash safety.
    pub fn crash(&mut self) -> Result<(), ServerError> {
        // first the watchdog, which would remove everything
        let failed = |error| ServerError::io("end the server", error);
        self.watchdog.kill().and_then(|()| self.watchdog.wait()).map_err(failed)?;
        Command::new("kill").args(["-9", &self.pid.to_string()]).status().map_err(failed)?;
        let since = Instant::now();
        // its processes see that it is gone, and go
        while processes_in(&self.data) > 0 && since.elapsed() < Duration::from_secs(30) {
            std::thread::sleep(Duration::from_millis(10));
        }
        fs::remove_file(self.data.join("postmaster.pid")).map_err(failed)?;
        let _ = fs::remove_file(self.folder.join(".s.PGSQL.5432.lock"));
        let _ = fs::remove_file(&self.log);
        self.watchdog = watch(&self.folder, &self.bin, self.owner, "", INITDB)?;
        self.lifeline = self.watchdog.stdin.take();
        self.pid = self.wait_until_ready()?;
        Ok(())
    }

    fn wait_until_ready(&mut self) -> Result<u32, ServerError> {
        let since = Instant::now();
        let log = |server: &Server| last_lines(&fs::read_to_string(&server.log).unwrap_or_default());
        let room =
            "the message says what is missing; the folder for temporary files needs room (200 MB): set TMPDIR to another one";
        while since.elapsed() < Duration::from_secs(60) {
            let text = fs::read_to_string(self.data.join("postmaster.pid")).unwrap_or_default();
            let lines: Vec<&str> = text.lines().collect();
            if let (Some(pid), Some(status)) = (lines.first(), lines.get(7))
                && status.trim() == "ready"
                && let Ok(pid) = pid.trim().parse()
            {
                return Ok(pid);
            }
            // the watchdog says so; where even that found no room, it has removed the data folder first
            let failed = self.folder.join("failed").exists();
            if failed || (lines.is_empty() && log(self).contains("FATAL:  ")) {
                return Err(ServerError::new(format!("the private server did not start: {}", log(self)), room));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Err(ServerError::new(format!("the private server did not start within 60 s: {}", log(self)), room))
    }

    /// How to reach a database of it.
    pub fn config(&self, database: &str) -> tokio_postgres::Config {
        let mut config = tokio_postgres::Config::new();
        config.user("postgres").dbname(database);
        system::with_socket(&mut config, &self.folder);
        config
    }

    /// The same as a URL, in the form that every driver reads: many take none with a user and no host.
    pub fn url(&self, database: &str) -> String {
        let host: String = self
            .folder
            .display()
            .to_string()
            .bytes()
            .map(|byte| {
                if byte.is_ascii_alphanumeric() || b"-_.".contains(&byte) {
                    char::from(byte).to_string()
                } else {
                    format!("%{byte:02X}")
                }
            })
            .collect();
        format!("postgresql:///{database}?user=postgres&host={host}")
    }

    /// The server's log.
    pub fn log_path(&self) -> &Path {
        &self.log
    }

    /// The data folder.
    pub fn data_dir(&self) -> &Path {
        &self.data
    }

    /// The folder of the programs.
    pub fn bin_dir(&self) -> &Path {
        &self.bin
    }

    /// The postmaster's process id.
    pub fn pid(&self) -> u32 {
        self.pid
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.lifeline.take());
        let _ = self.watchdog.wait();
        // as another user the watchdog cannot remove a folder that stands in one of ours
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Spawns the watchdog, as the server's user.
fn watch(folder: &Path, bin: &Path, owner: Option<(u32, u32)>, settings: &str, made_by: &str) -> Result<Child, ServerError> {
    let mut command = Command::new("/bin/sh");
    command.current_dir(folder).env("LC_ALL", "C").env_remove("PGDATA");
    system::as_user(&mut command, owner);
    command
        .args(["-c", WATCHDOG, "diptych-watchdog"])
        .args([bin, &folder.join("data"), &folder.join("log"), folder])
        .args([settings, made_by])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| ServerError::io("start the server", error))
}

/// How many processes work in a data folder, where the system can tell.
fn processes_in(data: &Path) -> usize {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes.filter(|process| fs::read_link(process.path().join("cwd")).is_ok_and(|folder| folder == data)).count()
}

/// The folder that holds `initdb` and `postgres`: the given one, `DIPTYCH_PG_BIN`, PATH, `pg_config`, the usual places.
pub fn find_binaries(given: Option<&Path>) -> Result<PathBuf, ServerError> {
    let complete = |folder: &Path| folder.join("initdb").is_file() && folder.join("postgres").is_file();
    if let Some(given) = given {
        if complete(given) {
            return Ok(given.to_owned());
        }
        return Err(ServerError::new(
            format!("`{}` does not hold initdb and postgres", given.display()),
            "name the folder of a server's programs, such as /usr/lib/postgresql/15/bin",
        ));
    }
    places().into_iter().find(|folder| complete(folder)).ok_or_else(|| {
        ServerError::new(
            "no PostgreSQL server programs (initdb, postgres) are installed here",
            format!("install them: {}; or name their folder in DIPTYCH_PG_BIN", install_command()),
        )
    })
}

/// The folders where PostgreSQL's programs may be: `DIPTYCH_PG_BIN`, PATH, `pg_config`, the usual places, the newest version first.
pub(crate) fn places() -> Vec<PathBuf> {
    let mut candidates: Vec<PathBuf> = std::env::var_os("DIPTYCH_PG_BIN").map(PathBuf::from).into_iter().collect();
    for folder in std::env::var_os("PATH").iter().flat_map(std::env::split_paths) {
        let real = fs::canonicalize(folder.join("postgres")).ok().and_then(|program| program.parent().map(Path::to_owned));
        candidates.push(folder);
        candidates.extend(real);
    }
    if let Ok(output) = Command::new("pg_config").arg("--bindir").output() {
        candidates.push(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
    }
    for (parent, rest) in [
        ("/usr/lib/postgresql", "bin"),
        ("/usr", "bin"),
        ("/opt/homebrew/opt", "bin"),
        ("/usr/local/opt", "bin"),
        ("/home/linuxbrew/.linuxbrew/opt", "bin"),
        ("/Applications/Postgres.app/Contents/Versions", "bin"),
        ("/usr/local", "bin"),
    ] {
        let mut found: Vec<PathBuf> =
            fs::read_dir(parent).into_iter().flatten().flatten().map(|entry| entry.path().join(rest)).collect();
        found.sort_by_key(|path| std::cmp::Reverse(major(path)));
        candidates.extend(found);
    }
    candidates
}

/// The largest number in a path: its major version.
fn major(path: &Path) -> u32 {
    let text = path.display().to_string();
    text.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse().ok()).max().unwrap_or(0)
}

/// What installs programs: its name, the systems whose own it is, and how it installs a server.
const INSTALLERS: [(&str, &[&str], &str); 7] = [
    ("apt-get", &["debian", "ubuntu"], "apt-get install postgresql"),
    ("dnf", &["fedora", "rhel"], "dnf install postgresql-server"),
    ("yum", &["rhel", "centos"], "yum install postgresql-server"),
    ("zypper", &["suse"], "zypper install postgresql-server"),
    ("pacman", &["arch"], "pacman -S postgresql"),
    ("apk", &["alpine"], "apk add postgresql"),
    ("brew", &[], "brew install postgresql@17"),
];

/// The one command that installs a server, for whoever we are; where nobody knows one, the page that says how.
pub(crate) fn install_command() -> String {
    let folders: Vec<PathBuf> = std::env::var_os("PATH").iter().flat_map(std::env::split_paths).collect();
    let is_there = |program: &str| folders.iter().any(|folder| folder.join(program).is_file());
    installing(&fs::read_to_string("/etc/os-release").unwrap_or_default(), user(), is_there)
}

/// The same for a system with this description, this user, and these programs.
fn installing(release: &str, user: Option<u32>, is_there: impl Fn(&str) -> bool) -> String {
    let told: Vec<&str> = release.lines().filter(|line| line.starts_with("ID=") || line.starts_with("ID_LIKE=")).collect();
    let is_own = |names: &[&str]| names.iter().any(|name| told.iter().any(|line| line.contains(name)));
    let there: Vec<_> = INSTALLERS.iter().filter(|(program, ..)| is_there(program)).collect();
    let Some((program, _, command)) = there.iter().find(|(_, of, _)| is_own(of)).or(there.first()) else {
        return "see https://www.postgresql.org/download/".to_owned();
    };
    match ["sudo", "doas"].into_iter().find(|asking| is_there(asking)) {
        _ if user == Some(0) || *program == "brew" => (*command).to_owned(),
        Some(asking) => format!("{asking} {command}"),
        None => format!("su -c '{command}'"),
    }
}

/// The id of the user whom we run as.
fn user() -> Option<u32> {
    system::owner_of("/proc/self").or_else(|| {
        let output = Command::new("id").arg("-u").output().ok()?;
        String::from_utf8_lossy(&output.stdout).trim().parse().ok()
    })
}

/// The user under whom the server runs, where it cannot be ours: PostgreSQL refuses root.
fn owner() -> Result<Option<(u32, u32)>, ServerError> {
    if user() != Some(0) {
        return Ok(None);
    }
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let find = |name: &str| {
        let fields: Vec<&str> = users.lines().find(|line| line.split(':').next() == Some(name))?.split(':').collect();
        Some((fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?))
    };
    find("postgres").or_else(|| find("nobody")).map(Some).ok_or_else(|| {
        ServerError::new(
            "PostgreSQL does not run as root, and there is no user `postgres` or `nobody`",
            "run as an ordinary user",
        )
    })
}

/// Where the folder of a server is made that has no place of its own. Most of what a private server does is to make the files of databases
/// and to remove them, which a disk's file system takes twice as long for as one in memory.
fn usual_folder(memory: Option<&'static Path>) -> PathBuf {
    match memory {
        Some(memory) if std::env::var_os("TMPDIR").is_none() => memory.to_owned(),
        _ => std::env::temp_dir(),
    }
}

/// A folder whose path is short enough for a socket (107 bytes) and that the server's user can reach.
fn short_folder(wanted: PathBuf) -> Result<PathBuf, ServerError> {
    let parent = if wanted.as_os_str().len() > 60 { PathBuf::from("/tmp") } else { wanted };
    let folder = tempfile::Builder::new()
        .prefix("diptych-")
        .tempdir_in(&parent)
        .map_err(|error| ServerError::io(format!("make a folder in `{}`", parent.display()), error))?
        .keep();
    // the server may run as another user than we do, and both have to get at the socket and the log
    system::open(&folder).map_err(|error| ServerError::io("open the temporary folder", error))?;
    Ok(folder)
}

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(3)..].join("; ")
}

/// Reads what the server has logged since a position, and the new position.
pub fn log_since(server: &Server, position: u64) -> std::io::Result<(String, u64)> {
    use std::io::Seek;
    let mut file = fs::File::open(server.log_path())?;
    file.seek(std::io::SeekFrom::Start(position))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let end = position + bytes.len() as u64;
    Ok((String::from_utf8_lossy(&bytes).into_owned(), end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_is_that_of_the_machine() {
        let said = |release: &str, user: u32, programs: &[&str]| installing(release, Some(user), |name| programs.contains(&name));
        let (debian, fedora) = ("ID=debian\n", "NAME=\"Fedora Linux\"\nID=fedora\n");
        for (release, user, programs, wanted) in [
            (debian, 0, &["apt-get", "sudo"][..], "apt-get install postgresql"),
            (debian, 1000, &["apt-get", "sudo"], "sudo apt-get install postgresql"),
            (debian, 1000, &["apt-get"], "su -c 'apt-get install postgresql'"),
            ("ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n", 0, &["apt-get", "brew"], "apt-get install postgresql"),
            // one that somebody has put there beside the system's own
            (fedora, 1000, &["apt-get", "dnf", "sudo"], "sudo dnf install postgresql-server"),
            ("ID=alpine\n", 1000, &["apk", "doas"], "doas apk add postgresql"),
            ("", 501, &["brew", "sudo"], "brew install postgresql@17"),
            ("ID=unheard-of\n", 1000, &["pacman", "sudo"], "sudo pacman -S postgresql"),
            (debian, 1000, &["sudo"], "see https://www.postgresql.org/download/"),
        ] {
            assert_eq!(said(release, user, programs), wanted, "{release:?} {programs:?}");
        }
    }

    #[test]
    fn may_take_its_time_and_says_why_it_does_not_start() {
        let with = |made_by: String| Server::start(&Options { made_by: Some(made_by), ..Options::default() });
        // a machine that is busy
        drop(with(format!("sleep 2; {INITDB}")).expect("a private server"));
        let error = with("echo out of order; exit 1".to_owned()).map(drop).expect_err("it cannot start").to_string();
        assert!(error.contains("the private server did not start: out of order"), "{error}");
    }

    #[test]
    fn starts_and_leaves_nothing_behind() {
        let server = Server::start(&Options::default()).unwrap();
        let (folder, pid) = (server.folder.clone(), server.pid());
        assert!(folder.exists() && Path::new(&format!("/proc/{pid}")).exists());
        drop(server);
        assert!(!folder.exists() && !Path::new(&format!("/proc/{pid}")).exists());
    }

    #[test]
    fn a_folder_without_programs_is_refused_with_a_hint() {
        let error = find_binaries(Some(Path::new("/nowhere"))).unwrap_err().to_string();
        assert!(error.contains("`/nowhere`") && error.contains("\nhint: "), "{error}");
    }
}
