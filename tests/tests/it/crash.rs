//! The tool is killed before every single statement of start, complete and rollback (R3): the same command run again
//! finishes, or rollback restores.

use diptych::core::Migration;
use diptych::core::plan::Command;
use diptych::migrator::VersionState;
use diptych::{Outcome, Progress, Quiet};
use diptych_tests::{Database, ask, difference, migration, schema};

use crate::lifecycle::{Case, cases};

/// Ends the run, session and all, before its n-th statement.
struct Killer {
    left: usize,
}

impl Progress for Killer {
    fn statement(&mut self, _: &str) {
        if self.left == 0 {
            // unwinds the task: the connection closes in the middle of whatever was under way
            std::panic::resume_unwind(Box::new("killed"));
        }
        self.left -= 1;
    }
}

/// Whether the run came to its end before it was killed.
#[derive(Debug, PartialEq)]
enum Run {
    Finished,
    Killed,
}

async fn run(database: &Database, command: Command, all: &[Migration], left: usize) -> Run {
    let (database, all) = (database.clone(), all.to_vec());
    let task = tokio::spawn(async move {
        let mut migrator = database.migrator().await;
        let mut killer = Killer { left };
        let outcome = match command {
            Command::Start => migrator.start(&all, None, &mut killer).await,
            Command::Complete => migrator.complete(&mut killer).await,
            Command::Rollback => migrator.rollback(&mut killer).await,
        };
        outcome.unwrap_or_else(|error| panic!("{command}: {error}"));
    });
    match task.await {
        Ok(()) => Run::Finished,
        Err(error) => match error.into_panic().downcast::<&str>() {
            Ok(word) if *word == "killed" => Run::Killed,
            Ok(other) => panic!("{other}"),
            Err(other) => std::panic::resume_unwind(other),
        },
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_before_every_statement() {
    let cases: &'static [Case] = cases().leak();
    let only = std::env::var("CASE").ok();
    let (mut points, mut failed) = (0, Vec::new());
    for case in cases.iter().filter(|case| only.as_deref().is_none_or(|only| case.name.contains(only))) {
        match tokio::spawn(every_point(case)).await {
            Ok(count) => points += count,
            Err(_) => failed.push(case.name),
        }
    }
    println!("crash: {points} points tried, {} failures", failed.len());
    assert!(failed.is_empty(), "{failed:?}");
}

async fn every_point(case: &'static Case) -> usize {
    let all = [migration("0001_before", case.before), migration("0002_change", case.change)];
    let ready = Database::new().await;
    ready.migrate(&all[..1]).await;
    let client = ready.on("0001_before").await;
    for statement in case.seed.split("; ") {
        assert_eq!(ask(&client, statement).await, "", "{}: {statement}", case.name);
    }
    drop(client);
    let (before, fresh) = (ready.catalog().await, ready.fresh_catalog(&schema(&all)).await);
    let mut points = 0;

    // start: killed, then run again or rolled back, in turn; one database serves all points, since each leads back
    for at in 0.. {
        let killed = run(&ready, Command::Start, &all, at).await;
        let place = format!("{}: start killed before statement {at}", case.name);
        if killed == Run::Killed {
            points += 1;
            let status = ready.migrator().await.status(&all).await.unwrap();
            let state = status.pending.map(|pending| pending.state);
            assert!(matches!(state, None | Some(VersionState::Starting)), "{place}: {state:?}");
            if state.is_some() {
                let refused = ready.migrator().await.complete(&mut Quiet).await;
                assert!(refused.is_err_and(|error| error.is_refused()), "{place}: complete went on");
            }
            if at % 2 == 0 {
                assert_eq!(run(&ready, Command::Start, &all, usize::MAX).await, Run::Finished, "{place}");
            }
        }
        assert_eq!(run(&ready, Command::Rollback, &all, usize::MAX).await, Run::Finished, "{place}");
        let after = ready.catalog().await;
        assert_eq!(before, after, "{place}, rolled back\n{}", difference(&before, &after));
        if killed == Run::Finished {
            break;
        }
    }

    // rollback: killed, then run again
    for at in 0.. {
        assert_eq!(run(&ready, Command::Start, &all, usize::MAX).await, Run::Finished);
        let killed = run(&ready, Command::Rollback, &all, at).await;
        let place = format!("{}: rollback killed before statement {at}", case.name);
        assert_eq!(run(&ready, Command::Rollback, &all, usize::MAX).await, Run::Finished, "{place}");
        let after = ready.catalog().await;
        assert_eq!(before, after, "{place}, run again\n{}", difference(&before, &after));
        if killed == Run::Finished {
            break;
        }
        points += 1;
    }

    // complete: killed, then run again, each on a copy
    assert_eq!(run(&ready, Command::Start, &all, usize::MAX).await, Run::Finished);
    for at in 0.. {
        let copy = ready.copy().await;
        let killed = run(&copy, Command::Complete, &all, at).await;
        let place = format!("{}: complete killed before statement {at}", case.name);
        if killed == Run::Killed {
            points += 1;
            let refused = copy.migrator().await.rollback(&mut Quiet).await;
            assert!(refused.is_err_and(|error| error.is_refused()), "{place}: rollback went on");
            let done = copy.migrator().await.complete(&mut Quiet).await.unwrap_or_else(|error| panic!("{place}: {error}"));
            assert!(matches!(done, Outcome::Done(_)), "{place}");
        }
        let after: Vec<String> = copy.catalog().await.into_iter().filter(|line| !line.starts_with("function ")).collect();
        assert_eq!(fresh, after, "{place}, run again\n{}", difference(&fresh, &after));
        copy.remove().await;
        if killed == Run::Finished {
            break;
        }
    }
    points
}
