//! A database that exists becomes a first version, and is made anew from the files: what tests of a kind of object share.

use std::fs;

use diptych_tests::{Database, dump, migration, must, server};
use tokio_postgres::Client;

use crate::cli::{Folder, text};

/// Such a database, and the folder of its migrations.
pub(crate) struct Existing {
    pub(crate) client: Client,
    pub(crate) folder: Folder,
    pub(crate) url: String,
    database: Database,
}

impl Existing {
    /// A database made by statements; none where the server's `pg_dump` is not there.
    pub(crate) async fn new(made_by: &str) -> Option<Self> {
        let database = dump::empty(&Database::new().await).await;
        if dump::definitions(&database).is_none() {
            println!("not tried: there is no pg_dump for this server");
            return None;
        }
        let client = database.client().await;
        must(&client, made_by).await;
        let url = server().url(&database.name);
        Some(Existing { client, folder: Folder::new(&[]), url, database })
    }

    /// What a command prints that goes well on it.
    pub(crate) fn run(&self, arguments: &[&str]) -> String {
        self.run_on(&self.url, arguments)
    }

    fn run_on(&self, url: &str, arguments: &[&str]) -> String {
        let output = self.folder.run(Some(url), arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    /// What `status` prints, whatever its exit code.
    pub(crate) fn status(&self) -> String {
        text(&self.folder.run(Some(&self.url), &["status"]).stdout)
    }

    /// Completes the first version, and makes a fresh database from the files.
    pub(crate) async fn completed(&self) -> Database {
        self.run(&["check"]);
        self.run(&["complete"]);
        let fresh = dump::empty(&self.database).await;
        self.carry_out(&fresh);
        assert!(self.run(&["diff", "files", "database"]).contains("no difference"));
        fresh
    }

    /// Takes over what was done by hand, under a name, and carries it out on the fresh one: the operations.
    pub(crate) fn take_over(&self, name: &str, fresh: &Database) -> Vec<&'static str> {
        self.run(&["record", "--from-database", name]);
        let name = format!("0002_{name}");
        let file = fs::read_to_string(self.folder.path().join(format!("{name}.yaml"))).expect("a file");
        let operations = migration(&name, &file).operations;
        self.run(&["baseline"]);
        self.run(&["complete"]);
        self.carry_out(fresh);
        operations.iter().map(|operation| operation.name()).collect()
    }

    fn carry_out(&self, fresh: &Database) {
        let url = server().url(&fresh.name);
        self.run_on(&url, &["start"]);
        self.run_on(&url, &["complete"]);
    }

    /// `pg_dump` does not tell the two from each other.
    pub(crate) fn is_as(&self, fresh: &Database) {
        assert_eq!(dump::definitions(fresh), dump::definitions(&self.database));
    }
}
