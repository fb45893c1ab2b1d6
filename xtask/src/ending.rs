//! Signals to a command that changes a database: the first one ends it at the next safe point, a second one at once.

use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use crate::config::Failure;
use crate::events::Event;
use crate::{out, system};

/// How long the next safe point may take to come.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whether the command is to end, and with which code.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ending(Arc<AtomicU8>);

/// Whose signals they are, and whether it tells events.
#[derive(Clone, Copy, Debug)]
struct Of {
    command: &'static str,
    json: bool,
}

impl Ending {
    /// Listens to Ctrl-C and SIGTERM from here on.
    pub(crate) fn listen(command: &'static str, json: bool) -> Result<Self, Failure> {
        let (ending, of) = (Ending::default(), Of { command, json });
        let mut heard = system::endings().map_err(|error| Failure::new(format!("cannot listen to signals: {error}")))?;
        let told = ending.clone();
        tokio::spawn(async move {
            while let Some(code) = heard.recv().await {
                told.hear(code, of);
            }
        });
        Ok(ending)
    }

    /// As a shell tells a signal: 130 for Ctrl-C, 143 for SIGTERM.
    pub(crate) fn code(&self) -> Option<u8> {
        Some(self.0.load(Ordering::SeqCst)).filter(|code| *code > 0)
    }

    /// Waits for the first signal.
    pub(crate) async fn heard(&self) {
        while self.code().is_none() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn hear(&self, code: u8, of: Of) {
        if self.0.compare_exchange(0, code, Ordering::SeqCst, Ordering::SeqCst).is_err() {
            at_once(of, code);
        }
        let command = of.command;
        out::tell(format!(
            "`{command}` ends at the next safe point, within {} s; another signal ends it at once",
            PATIENCE.as_secs()
        ));
        tokio::spawn(async move {
            tokio::time::sleep(PATIENCE).await;
            at_once(of, code);
        });
    }
}

/// The server notices within two seconds, and undoes what was under way.
fn at_once(Of { command, json }: Of, code: u8) -> ! {
    let failure = Failure {
        code,
        ..Failure::hinted(
            format!("`{command}` was ended at once: the server undoes what was under way"),
            format!("run `{command}` again, which goes on where it stopped; `status` shows the ways back"),
        )
    };
    if json {
        let _ = Event::failed(&failure).tell(command);
    }
    out::tell(format!("error: {failure}"));
    process::exit(code.into())
}
