//! The `diptych` command line, as a library for a project's own xtask and as a binary.
//!
//! A project's xtask is one line: `fn main() -> ExitCode { diptych_xtask::main::<app::Shop>() }`.

#![warn(clippy::print_stdout, clippy::print_stderr)]

mod agreement;
mod applied;
mod cargo;
#[cfg_attr(not(unix), path = "child/elsewhere.rs")]
mod child;
mod code;
mod commands;
mod config;
mod dump;
mod edges;
mod ending;
mod environment;
mod events;
mod findings;
mod folder;
mod history;
mod hooks;
mod leftover;
mod out;
mod page;
mod progress;
mod proof;
mod render;
mod report;
mod sarif;
mod scratch;
pub mod server;
mod source;
mod statements;
mod structs;
mod summary;
mod system;
mod table;
mod used;

use std::ffi::OsString;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use diptych::{Begin, Database, Guard, Missing, PublishedState};
use diptych_core::{DeclaredSchema, Snapshot};

use commands::check::Form;
use commands::status::Asks;
use config::{Context, Failure};
use environment::Settings;
use findings::{Rule, Subject};
use report::Telling;

/// What the process ends with; docs/scripting.md has the same.
const CODES: &str = "Exit codes:
  0         done, or nothing to do
  1         refused or failed
  2         wrong usage
  3         `status --exit-code`: a migration is pending or a version in transition
  4         `complete --when`: the query fails, or gives something else than one boolean
  130, 143  ended by Ctrl-C or SIGTERM; the same command goes on where it stopped";

/// Changes a PostgreSQL schema while the app keeps running.
#[derive(Parser, Debug)]
#[command(name = "diptych", version, about = "Changes a PostgreSQL schema while the app keeps running", after_help = CODES)]
struct Binary {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// The tasks of this project.
#[derive(Parser, Debug)]
#[command(name = "xtask", about = "The tasks of this project", after_help = CODES)]
struct Xtask {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand, Debug)]
enum Task {
    /// Record, start, complete or roll back changes of the database schema
    #[command(after_help = CODES)]
    Migrate {
        #[command(flatten)]
        global: Global,
        #[command(subcommand)]
        command: Command,
    },
}

#[derive(Args, Clone, Debug)]
struct Global {
    /// The environment of diptych.toml whose options stand for those that are not given
    #[arg(long, global = true, value_name = "NAME", env = "DIPTYCH_ENV")]
    env: Option<String>,
    /// The file with environments [default: diptych.toml, where it is there]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The database: postgresql://user:password@host:port/database; what it leaves open is as psql has it (PGHOST, PGSERVICE, ~/.pgpass)
    #[arg(long, global = true, env = "DATABASE_URL", hide_env_values = true)]
    url: Option<String>,
    /// The folder of migration files [default: migrations]
    #[arg(long, global = true)]
    dir: Option<PathBuf>,
    /// The schema that the tables live in [default: public]
    #[arg(long, global = true)]
    schema: Option<String>,
    /// The folder of hooks [default: hooks in the folder of migrations, where it is there]
    #[arg(long, global = true, value_name = "DIR")]
    hooks: Option<PathBuf>,
    /// How long one transaction of this tool may make an application wait
    #[arg(long, global = true, default_value = "500ms", value_parser = config::duration)]
    lock_timeout: Duration,
    /// How long a step is retried; after that the command gives up, and the step has changed nothing
    #[arg(long, global = true, default_value = "10m", value_parser = config::duration)]
    timeout: Duration,
    /// How long one transaction of a backfill holds its row locks, approximately
    #[arg(long, global = true, default_value = "25ms", value_parser = config::duration)]
    batch: Duration,
    /// How many sessions fill a large table while no application's statement runs
    #[arg(long, global = true, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=32))]
    workers: u8,
}

/// What `init` makes ready.
#[derive(Args, Debug)]
struct Making {
    /// The package whose schema it is [default: that of this folder]
    #[arg(short, long, value_name = "NAME")]
    package: Option<String>,
    /// Depend on a checkout of Diptych in place of crates.io
    #[arg(long, value_name = "DIR", conflicts_with = "git")]
    path: Option<PathBuf>,
    /// Depend on a Git repository of Diptych in place of crates.io
    #[arg(long, value_name = "URL")]
    git: Option<String>,
}

/// What `record` writes.
#[derive(Args, Debug)]
struct Recording {
    /// A name in a few words, such as "split name"; without it the snapshot is made anew from the folder's files
    name: Option<String>,
    /// Write what somebody has changed in the database's tables outside Diptych, in place of what differs between the structs and the snapshot
    #[arg(long, requires = "name")]
    from_database: bool,
    /// Replace the newest migration, which is not deployed yet, by one that leads to the structs as they are now
    #[arg(long, conflicts_with_all = ["name", "rebase"])]
    amend: bool,
    /// Give these migrations, which are not deployed yet, the numbers after all others: yours, after a merge or a rebase of the branch
    #[arg(long, value_name = "MIGRATION", num_args = 1.., conflicts_with = "name")]
    rebase: Vec<String>,
}

/// What `baseline` makes a version of.
#[derive(Args, Debug)]
struct Baselining {
    /// The version's name in a few words, where the folder has no migration yet [default: baseline]
    name: Option<String>,
    /// The last migration whose tables the database has, where the folder has migrations [default: the first that it has not applied]
    #[arg(long, value_name = "MIGRATION", conflicts_with = "name")]
    to: Option<String>,
    /// Show what would be in the version and what would stay beside it, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Print JSON: what it came to, or with --dry-run what would be in the version and what beside it
    #[arg(long)]
    json: bool,
}

/// What `diff` compares.
#[derive(Args, Debug)]
struct Comparing {
    /// files, snapshot, structs, database (that of --url), or the URL of another database
    #[arg(default_value = "files")]
    first: String,
    /// The same
    #[arg(default_value = "database")]
    second: String,
    /// Print the operations that lead from the first to the second, as a migration file has them
    #[arg(long, conflicts_with = "json")]
    operations: bool,
    /// Print what `start` and `complete` would run to lead from the first to the second
    #[arg(long, conflicts_with_all = ["json", "operations"])]
    sql: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// How `plan` is printed.
#[derive(Args, Debug)]
struct Shown {
    /// One screen of the start and its complete: what changes, who waits, what is lost, the way back
    #[arg(long)]
    summary: bool,
    /// The same as Markdown, for a comment on a pull request, with the statements folded away
    #[arg(long, conflicts_with = "json")]
    markdown: bool,
    /// Write it into this file as one page of HTML: the phases, both versions side by side, what to know, every statement
    #[arg(long, value_name = "FILE", conflicts_with_all = ["json", "markdown", "summary"])]
    html: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What `rehearse` tries.
#[derive(Args, Debug)]
struct Rehearsing {
    /// Files or folders of .sql, a folder `.sqlx`, or pg_stat_statements (of the database that is given)
    #[arg(required = true, value_name = "SOURCE")]
    sources: Vec<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What `import` takes over.
#[derive(Args, Debug)]
struct Importing {
    /// The folder of the other tool's migrations, to name those that it has not applied yet [default: where that tool looks for them]
    #[arg(long, value_name = "DIR")]
    files: Option<PathBuf>,
    /// Show what was found, and change nothing
    #[arg(long)]
    dry_run: bool,
}

/// How a version is started.
#[derive(Args, Debug)]
struct Starting {
    /// Stop at this version
    #[arg(long)]
    to: Option<String>,
    /// How many rows a second a backfill fills at most, all of its sessions together
    #[arg(long, value_name = "ROWS")]
    max_rate: Option<NonZeroU32>,
    /// Let a backfill wait while a standby or a replication slot has been behind for longer, such as 10s
    #[arg(long, value_name = "DURATION", value_parser = config::duration)]
    max_lag: Option<Duration>,
    /// How much is free where tables, indexes and WAL lie, such as 200GB: refused, before anything is changed, if it may not do
    #[arg(long, value_name = "SIZE", value_parser = config::size)]
    free_space: Option<u64>,
    /// Begin paused: make the tables ready, and fill no row until `resume`
    #[arg(long)]
    pause: bool,
    /// Continue although a publication of all tables includes schema `diptych`: its subscribers have these tables
    #[arg(long)]
    allow_published_state: bool,
    #[command(flatten)]
    telling: Telling,
    #[command(flatten)]
    lacking: Lacking,
}

impl Starting {
    fn begin(&self) -> Begin {
        if self.pause { Begin::Paused } else { Begin::AtOnce }
    }

    fn published_state(&self) -> PublishedState {
        if self.allow_published_state { PublishedState::Allow } else { PublishedState::Refuse }
    }
}

/// What to do while processes use the version that is dropped.
#[derive(Args, Clone, Copy, Debug)]
struct Leaving {
    /// Wait this long for processes that use the version that is dropped, such as 5m
    #[arg(long, value_parser = config::duration, value_name = "DURATION", conflicts_with = "force")]
    wait: Option<Duration>,
    /// Drop the version even if processes use it: their statements will fail
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    telling: Telling,
    #[command(flatten)]
    lacking: Lacking,
}

/// When a version is completed.
#[derive(Args, Debug)]
struct Completing {
    /// Wait until this query, asked every two seconds, gives true: a file that ends with .sql, or SQL; for as long as --wait, where that is given
    #[arg(long, value_name = "QUERY|FILE.sql")]
    when: Option<String>,
    /// Wait until the version has been published for so long, such as 2h; for as long as --wait, where that is given
    #[arg(long, value_parser = config::duration, value_name = "DURATION")]
    after: Option<Duration>,
    #[command(flatten)]
    leaving: Leaving,
}

/// What to do if the folder lacks migrations that the database has applied.
#[derive(Args, Clone, Copy, Debug)]
struct Lacking {
    /// Continue although the folder lacks migrations that the database has applied
    #[arg(long)]
    allow_missing: bool,
}

impl Lacking {
    fn missing(self) -> Missing {
        if self.allow_missing { Missing::Allow } else { Missing::Refuse }
    }
}

impl Leaving {
    /// The same when some of the time has passed.
    fn since(self, began: Instant) -> Self {
        Leaving { wait: self.wait.map(|wait| wait.saturating_sub(began.elapsed())), ..self }
    }

    fn guard(self) -> Guard {
        if self.force { Guard::Force } else { Guard::Wait(self.wait.unwrap_or_default()) }
    }
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Make a crate ready: the folder of migrations, a module for the structs, the xtask and its alias; what is there is left alone
    Init(Making),
    /// Make a database that exists the first version, as it is: nothing of it is changed
    ///
    /// In an empty folder it writes the database's definitions as the first migration, which builds the same tables elsewhere, with its
    /// snapshot. Where the folder has migrations, the database is held against what they make, and they are entered as applied.
    /// `rollback` takes it back.
    Baseline(Baselining),
    /// Say in what two schemas differ: files, snapshot, structs, databases; ends with 1 where they do
    ///
    /// Files, snapshot and structs are made on a scratch server, so that both sides are what PostgreSQL prints.
    Diff(Comparing),
    /// Try an app's statements on both versions of the folder's last migration; ends with 1 where one fails on the older version
    ///
    /// A private server has both versions, as after `start`. A statement that works on the tables and fails on a version's views is named, with
    /// what to write in its place. Nothing of it stays.
    Rehearse(Rehearsing),
    /// Take over from another migration tool: what it has applied is the first version, its files and its own table stay as they are
    ///
    /// It reads the history of sqlx, refinery, diesel, Flyway, golang-migrate and pgroll, names what that tool had not applied yet, and does
    /// what `baseline` does.
    Import(Importing),
    /// Write structs for the tables and enums of the snapshot; run again, it adds what is missing and leaves everything else as it is
    Pull {
        /// The package whose schema it is [default: that of this folder]
        #[arg(short, long, value_name = "NAME")]
        package: Option<String>,
        /// Print the code in place of writing it
        #[arg(long)]
        stdout: bool,
    },
    /// Write what differs between the structs and the snapshot as a migration, after trying it on a scratch server
    ///
    /// Without a name it writes no migration: it tries the folder's files and makes the snapshot anew from them. That is the way on after a
    /// merge, and for a file that was written by hand.
    Record(Recording),
    /// Check that every change is recorded and that the files give the snapshot (for CI)
    ///
    /// It also names the attributes of the structs that a recorded migration has used up, such as `renamed_from`.
    Check {
        /// Remove used-up attributes from the source files; everything else in them stays as it is
        #[arg(long)]
        fix: bool,
        /// Print what was found as SARIF 2.1.0, for code scanning
        #[arg(long, conflicts_with = "fix")]
        sarif: bool,
    },
    /// Say what a code of a compile error (DIP201) or of a finding of `check` (DIP803) means, and the ways out; without a code, list them
    Explain {
        /// The code
        code: Option<String>,
    },
    /// Show what a command would run: steps, SQL, locks, hazards
    Plan {
        /// start, complete or rollback
        #[arg(default_value = "start", value_parser = ["start", "complete", "rollback"])]
        command: String,
        /// Stop at this version
        #[arg(long)]
        to: Option<String>,
        #[command(flatten)]
        shown: Shown,
        #[command(flatten)]
        lacking: Lacking,
    },
    /// Expand: add the new version beside the old one
    Start(Starting),
    /// Let the start that is under way wait, until `resume`: within a second it locks no row and reads none
    ///
    /// It stays paused if its process ends and `start` is run again. A `rollback` ends its process.
    Pause {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Let a paused start go on
    Resume {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Contract: remove what only the old version needed
    Complete(Completing),
    /// Undo a start
    Rollback(Leaving),
    /// Put back triggers, functions and views of a started version that somebody has dropped or changed
    Repair {
        /// Show what would be put back, and change nothing
        #[arg(long)]
        dry_run: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Make a role for each version that there is, and drop those of versions that have gone: for apps behind a pooler
    Roles {
        /// The role that has the application's rights on the tables
        #[arg(value_name = "APP_ROLE")]
        application: String,
        /// A file whose first line is the password of the roles that are made; without it, DIPTYCH_ROLE_PASSWORD is, where it is set
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show the state of the database and whether the files fit it
    Status {
        /// Print JSON
        #[arg(long)]
        json: bool,
        /// End with 3 where a migration is pending or a version in transition
        #[arg(long)]
        exit_code: bool,
    },
    /// List the commands that were carried out, the newest first: when, by whom, how long, and what they came to
    History {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print how the database stands in the text format of Prometheus: versions, leases, what is under way, what does not fit
    ///
    /// It changes nothing, and ends with 0 also where something does not fit.
    Metrics,
    /// Say what the latest published version is, and how a session is put on it
    Latest {
        /// Print JSON
        #[arg(long)]
        json: bool,
        /// Print the URL with the password that was given
        #[arg(long)]
        with_password: bool,
    },
    /// Run a command on a version, which is held for as long as the command runs
    ///
    /// The command finds the version's path in PGOPTIONS and in DATABASE_URL. Its exit code is passed on, and signals are passed to it.
    Run {
        /// The version that the command was made for [default: the last migration of the folder, or without a folder the latest published version]
        #[arg(long, value_name = "VERSION")]
        version: Option<String>,
        /// Wait this long until the version is published, such as 5m: for what is deployed before `start`, or beside it
        #[arg(long, value_parser = config::duration, value_name = "DURATION")]
        wait: Option<Duration>,
        /// The command and its arguments
        #[arg(last = true, required = true)]
        command: Vec<OsString>,
    },
    /// Run a command, such as a generator of code, on a private database that has the folder's tables and goes with the command
    ///
    /// The command finds the database in DATABASE_URL and in PGHOST, PGPORT, PGUSER and PGDATABASE. Its exit code is passed on, and signals
    /// are passed to it.
    Scratch {
        /// The command and its arguments
        #[arg(last = true, required = true)]
        command: Vec<OsString>,
    },
    /// Print the script by which a shell completes what is typed after `diptych`
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write a manual page for `diptych` and for each of its commands
    Man {
        /// The folder that they are written to; it is made where it is missing
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
}

/// What a project declares in its structs; the binary has none.
struct Project {
    declared: DeclaredSchema,
    folder: PathBuf,
    base: &'static str,
}

/// The whole of a project's xtask: `cargo xtask migrate …`.
pub fn main<D: Database>() -> ExitCode {
    run::<D>(std::env::args_os())
}

/// The same over given arguments, the program's name first: for an xtask with tasks of its own.
pub fn run<D: Database>(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let settings = match Settings::of(&arguments) {
        Ok(settings) => settings,
        Err(failure) => return finish(Err(failure)),
    };
    let task = Xtask::command().mut_subcommand("migrate", |migrate| migrate.mut_args(|option| settings.apply(option)));
    let Task::Migrate { global, command } = parsed::<Xtask>(task, arguments).task;
    let mut declared = D::declared();
    // as it is now, not as it was when this was built: a new file rebuilds nothing
    if let Some(code) = D::CODE.and_then(|folder| code::read(Path::new(folder))) {
        declared.code = code;
    }
    let project = Project { declared, folder: PathBuf::from(D::FOLDER), base: D::BASE };
    finish(dispatch(global, command, Some(project)))
}

/// The commands and options of the binary, as clap has them.
#[must_use]
pub fn command() -> clap::Command {
    Binary::command()
}

/// The binary `diptych`: the same commands over a folder of files.
pub fn binary() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let settings = match Settings::of(&arguments) {
        Ok(settings) => settings,
        Err(failure) => return finish(Err(failure)),
    };
    let Binary { global, command } = parsed(command().mut_args(|option| settings.apply(option)), arguments);
    finish(dispatch(global, command, None))
}

/// What a call says. Ends the process where it cannot be read, or asks for help.
fn parsed<P: FromArgMatches>(command: clap::Command, arguments: Vec<OsString>) -> P {
    P::from_arg_matches(&command.get_matches_from(arguments)).unwrap_or_else(|error| error.exit())
}

fn finish(outcome: Result<ExitCode, Failure>) -> ExitCode {
    match outcome {
        Ok(code) => code,
        Err(failure) => {
            out::tell(format!("error: {failure}"));
            ExitCode::from(failure.code)
        }
    }
}

fn dispatch(global: Global, command: Command, project: Option<Project>) -> Result<ExitCode, Failure> {
    let dir = global.dir.clone().or_else(|| project.as_ref().map(|project| project.folder.clone()));
    let context = Context::new(global, project.as_ref());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::new(format!("cannot start: {error}")))?;
    runtime.block_on(async {
        match command {
            Command::Init(making) => commands::init::run(&context, dir.as_deref(), &making),
            Command::Completions { shell } => commands::completions::run(shell),
            Command::Man { folder } => commands::man::run(&folder),
            Command::Explain { code } => commands::explain::run(code.as_deref()),
            Command::Baseline(baselining) => commands::baseline::run(&context, project.as_ref(), &baselining).await,
            Command::Diff(comparing) => return commands::diff::run(&context, project.as_ref(), &comparing).await,
            Command::Rehearse(rehearsing) => return commands::rehearse::run(&context, project.as_ref(), &rehearsing).await,
            Command::Import(importing) => commands::import::run(&context, project.as_ref(), &importing).await,
            Command::Pull { package, stdout } => commands::pull::run(&context, dir.as_deref(), package.as_deref(), stdout),
            Command::Record(recording) => commands::record::run(&context, project.as_ref(), &recording).await,
            Command::Check { fix: true, .. } => commands::check::fix(&context, project.as_ref()).await,
            Command::Check { sarif, .. } => {
                let form = if sarif { Form::Sarif } else { Form::Text };
                commands::check::run(&context, project.as_ref(), form).await
            }
            Command::Plan { command, to, shown, lacking } => {
                commands::plan::run(&context, &command, to.as_deref(), &shown, lacking).await
            }
            Command::Start(starting) => commands::start::run(&context, &starting).await,
            Command::Pause { json } => commands::pause::run(&context, json).await,
            Command::Resume { json } => commands::resume::run(&context, json).await,
            Command::Complete(completing) => commands::complete::run(&context, &completing).await,
            Command::Rollback(leaving) => commands::rollback::run(&context, leaving).await,
            Command::Repair { dry_run: true, json } => commands::repair::show(&context, json).await,
            Command::Repair { dry_run: false, json } => commands::repair::run(&context, json).await,
            Command::Metrics => commands::metrics::run(&context).await,
            Command::Latest { json, with_password } => commands::latest::run(&context, json, with_password).await,
            Command::Run { version, wait, command } => {
                return commands::run::run(&context, version.as_deref(), wait.unwrap_or_default(), &command).await;
            }
            Command::Scratch { command } => return commands::scratch::run(&context, &command).await,
            Command::Roles { application, password_file, json } => {
                commands::roles::run(&context, &application, password_file.as_deref(), json).await
            }
            Command::History { json } => commands::history::run(&context, json).await,
            Command::Status { json, exit_code } => {
                let asks = if exit_code { Asks::Rest } else { Asks::Fit };
                return commands::status::run(&context, json, asks).await;
            }
        }
        .map(|()| ExitCode::SUCCESS)
    })
}

/// The snapshot that a project's structs are compared with.
fn project_snapshot(context: &Context) -> Result<Snapshot, Failure> {
    let snapshot = folder::snapshot(&context.dir)?;
    let base = snapshot.base.as_deref().unwrap_or("public");
    if snapshot.version.is_some() && base != context.base {
        return Err(Failure::hinted(
            format!("the snapshot was recorded for schema `{base}`, and this is schema `{}`", context.base),
            format!("write `schema: \"{base}\"` in database!, or give --schema {base}; a database's tables stay in their schema"),
        )
        .found(Rule::OtherSchema, Subject::Snapshot));
    }
    Ok(snapshot)
}
