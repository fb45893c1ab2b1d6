//! Signals to a command that changes a database: the first one ends it at the next safe point, a second one at once.

use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use crate::config::Failure;
use crate::out;

/// How long the next safe point may take to come.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whether the command is to end, and with which code.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ending(Arc<AtomicU8>);

impl Ending {
    /// Listens to Ctrl-C and SIGTERM from here on.
    pub(crate) fn listen(command: &'static str) -> Result<Self, Failure> {
        let ending = Ending::default();
        for kind in [SignalKind::interrupt(), SignalKind::terminate()] {
            let mut stream = signal(kind).map_err(|error| Failure::new(format!("cannot listen to signals: {error}")))?;
            let ending = ending.clone();
            tokio::spawn(async move {
                while stream.recv().await.is_some() {
                    ending.hear(kind, command);
                }
            });
        }
        Ok(ending)
    }

    /// As a shell tells a signal: 130 for Ctrl-C, 143 for SIGTERM.
    pub(crate) fn code(&self) -> Option<u8> {
        Some(self.0.load(Ordering::SeqCst)).filter(|code| *code > 0)
    }

    fn hear(&self, kind: SignalKind, command: &'static str) {
        let code = u8::try_from(128 + kind.as_raw_value()).unwrap_or(1);
        if self.0.compare_exchange(0, code, Ordering::SeqCst, Ordering::SeqCst).is_err() {
            at_once(command, code);
        }
        out::tell(format!(
            "`{command}` ends at the next safe point, within {} s; another signal ends it at once",
            PATIENCE.as_secs()
        ));
        tokio::spawn(async move {
            tokio::time::sleep(PATIENCE).await;
            at_once(command, code);
        });
    }
}

/// The server notices within two seconds, and undoes what was under way.
fn at_once(command: &str, code: u8) -> ! {
    let failure = Failure::hinted(
        format!("`{command}` was ended at once: the server undoes what was under way"),
        format!("run `{command}` again, which goes on where it stopped; `status` shows the ways back"),
    );
    out::tell(format!("error: {failure}"));
    process::exit(code.into())
}
