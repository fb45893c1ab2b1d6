//! `pg_upgrade` while two versions are live.

use std::path::{Path, PathBuf};

use diptych::Quiet;
use diptych_core::Migration;
use diptych_tests::{Database, ask, difference, must, schema};
use diptych_xtask::server::{INITDB, Options, Server};

use super::{SHOP, SHOP_CHANGE, both, folders, major_of};

#[tokio::test(flavor = "multi_thread")]
async fn b43_a_server_is_upgraded_in_transition() {
    let Some([older, newer]) = programs() else {
        println!("b43: no two servers with the programs of pg_upgrade here, and nothing was tried");
        return;
    };
    let old = Server::start(&Options { bin_dir: Some(older.clone()), ..Options::default() }).expect("a private server");
    let all = both(SHOP, SHOP_CHANGE);
    let (done, undone) = (started(&old, &all).await, started(&old, &all).await);
    let new = Server::start(&Options { bin_dir: Some(newer.clone()), made_by: Some(upgrade(&old)), ..Options::default() })
        .expect("the upgraded server");
    let mut rows = 0;
    for (mut database, completes) in [(done, true), (undone, false)] {
        database.server = new.config("postgres");
        // both versions go on, and so do the commands
        rows += write(&database, 1000).await;
        let status = database.migrator().await.status(&all).await.unwrap();
        assert_eq!(status.damage, Vec::<String>::new());
        let mut migrator = database.migrator().await;
        let wanted = if completes {
            migrator.complete(&mut Quiet).await.unwrap_or_else(|error| panic!("{error}"));
            schema(&all)
        } else {
            migrator.rollback(&mut Quiet).await.unwrap_or_else(|error| panic!("{error}"));
            schema(&all[..1])
        };
        let (now, fresh) = (database.catalog().await, database.fresh_catalog(&wanted).await);
        assert_eq!(fresh, now, "{}", difference(&fresh, &now));
        let sum = "SELECT count(*), sum(price) FROM public.users";
        assert_eq!(ask(&database.client().await, sum).await, if completes { "236|2046000" } else { "236|20460" });
        // the next transition is one like any other
        if completes {
            let third = diptych_tests::migration(
                "0003_third",
                "operations: [{drop_column: {table: users, column: kind, down: \"'plain'\"}}]",
            );
            database.migrate_on(&[&all[..], &[third]].concat()).await;
        } else {
            database.migrate_on(&all).await;
        }
    }
    println!(
        "b43: {} to {} in transition, then complete and rollback: {rows} rows compared, 0 different",
        major_of(&older),
        major_of(&newer)
    );
}

/// Two folders of programs, the second of which can upgrade a server of the first.
fn programs() -> Option<[PathBuf; 2]> {
    let has = |folder: &Path, names: &[&str]| names.iter().all(|name| folder.join(name).is_file());
    let older = folders()
        .into_iter()
        .find(|folder| has(folder, &["pg_controldata", "pg_resetwal", "pg_ctl"]) && major_of(folder) < 18)?;
    let is_newer =
        |folder: &PathBuf| has(folder, &["pg_upgrade", "pg_dump", "psql", "vacuumdb"]) && major_of(folder) > major_of(&older);
    let newer = folders().into_iter().find(is_newer)?;
    Some([older, newer])
}

/// What makes the data folder of a newer server out of that of a running one, which it stops. It gets its place at the end: meanwhile
/// servers of `pg_upgrade` run there.
fn upgrade(old: &Server) -> String {
    let (bin, data) = (old.bin_dir().display(), old.data_dir().display());
    format!(
        "set -- \"$1\" \"$2.made\" \"$2\" && mkdir -m 700 \"$3\" && {INITDB} $(\"$1/initdb\" --help | grep -o -e --no-data-checksums | head -n 1) \
         && {bin}/pg_ctl -D {data} -w -m fast stop && cd \"$(dirname \"$2\")\" \
         && \"$1/pg_upgrade\" -U postgres -b {bin} -B \"$1\" -d {data} -D \"$2\" -s \"$PWD\" && mv \"$2\"/* \"$3\""
    )
}

async fn started(server: &Server, all: &[Migration]) -> Database {
    let database = Database::at(&server.config("postgres"), "public").await;
    database.migrate(&all[..1]).await;
    must(&database.client().await, "INSERT INTO users SELECT n, 'a', n FROM generate_series(1, 200) AS n").await;
    database.migrator().await.start(all, None, &mut Quiet).await.unwrap_or_else(|error| panic!("{error}"));
    write(&database, 500).await;
    database
}

/// Writes through both versions, ten rows each, and compares what they see: how many rows.
async fn write(database: &Database, at: u32) -> usize {
    let (old, new) = (database.on("0001_before").await, database.on("0002_change").await);
    must(
        &old,
        &format!(
            "INSERT INTO users SELECT {at} + n, 'b', 10 FROM generate_series(1, 10) AS n; DELETE FROM users WHERE id = {at} + 1"
        ),
    )
    .await;
    must(&new, &format!("INSERT INTO users (id, title, price) SELECT {at} + 20 + n, 'c', 1000 FROM generate_series(1, 10) AS n; DELETE FROM users WHERE id = {at} + 21")).await;
    let [seen, wanted] = [
        ask(&new, "SELECT id, title, price FROM users ORDER BY id").await,
        ask(&old, "SELECT id, name, price * 100 FROM users ORDER BY id").await,
    ];
    assert_eq!(seen, wanted);
    seen.split(';').count()
}
