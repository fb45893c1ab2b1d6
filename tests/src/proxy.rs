//! A proxy before the server that makes one chosen request of a run fail, as a server, a network or a full disk would; or a network
//! that is slow.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio_postgres::Config;
use tokio_postgres::config::Host;

/// What becomes of the chosen request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The server raises this SQLSTATE instead of running it, within the transaction that is open.
    Error(&'static str),
    /// The server ends the session instead (an administrator's command, a shutdown).
    Terminated,
    /// The connection is lost, and the server never sees it.
    LostBefore,
    /// The connection is lost after the server has run it, and the answer never arrives.
    LostAfter,
}

impl Fault {
    /// Lock timeout, deadlock, cancelled or statement timeout, disk full, out of shared memory, too many connections for the
    /// role, and the ways to lose the session.
    pub const ALL: [Fault; 8] = [
        Fault::Error("55P03"),
        Fault::LostAfter,
        Fault::Error("40P01"),
        Fault::Error("53100"),
        Fault::LostBefore,
        Fault::Error("57014"),
        Fault::Terminated,
        Fault::Error("53200"),
    ];
}

/// The proxy; gone when it is dropped.
#[derive(Debug)]
pub struct Proxy {
    folder: tempfile::TempDir,
    state: Arc<State>,
    task: tokio::task::JoinHandle<()>,
}

#[derive(Debug)]
struct State {
    /// The number, from 0, of the request that fails, and how.
    blow: Option<(usize, Fault)>,
    requests: Mutex<Vec<String>>,
    struck: AtomicBool,
    /// How long a request is on its way, and as long its answer.
    way: Duration,
}

impl Proxy {
    /// Listens before the server that `config` leads to.
    pub fn new(config: &Config, blow: Option<(usize, Fault)>) -> Self {
        Proxy::listen(config, blow, Duration::ZERO)
    }

    /// The same with a network between, on which a request and its answer take so long together.
    pub fn distant(config: &Config, round_trip: Duration) -> Self {
        Proxy::listen(config, None, round_trip / 2)
    }

    fn listen(config: &Config, blow: Option<(usize, Fault)>, way: Duration) -> Self {
        let folder = tempfile::Builder::new().prefix("dp-").tempdir_in("/tmp").expect("a folder");
        let listener = UnixListener::bind(folder.path().join(".s.PGSQL.5432")).expect("a socket");
        let Some(Host::Unix(server)) = config.get_hosts().first() else { panic!("a local server") };
        let server = server.join(".s.PGSQL.5432");
        let state = Arc::new(State { blow, requests: Mutex::new(Vec::new()), struck: AtomicBool::new(false), way });
        let shared = Arc::clone(&state);
        let task = tokio::spawn(async move {
            while let Ok((app, _)) = listener.accept().await {
                let (server, state) = (server.clone(), Arc::clone(&shared));
                tokio::spawn(async move {
                    if let Ok(server) = UnixStream::connect(server).await {
                        relay(app, server, state).await;
                    }
                });
            }
        });
        Proxy { folder, state, task }
    }

    /// The way through the proxy.
    pub fn config(&self, config: &Config) -> Config {
        let mut through = Config::new();
        through.host_path(self.folder.path()).user(config.get_user().unwrap_or("postgres"));
        through.dbname(config.get_dbname().unwrap_or("postgres"));
        through
    }

    /// The SQL of every request so far.
    pub fn requests(&self) -> Vec<String> {
        self.state.requests.lock().expect("no panic while held").clone()
    }

    /// Whether the request came and failed.
    pub fn struck(&self) -> bool {
        self.state.struck.load(Ordering::SeqCst)
    }
}

impl State {
    /// Notes a request; how it fails, where it is the one.
    fn is_next(&self, text: String) -> Option<Fault> {
        let mut requests = self.requests.lock().expect("no panic while held");
        requests.push(text);
        self.blow.filter(|(at, _)| *at + 1 == requests.len()).map(|(_, fault)| fault)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn relay(app: UnixStream, server: UnixStream, state: Arc<State>) {
    let (from_app, to_app) = app.into_split();
    let (from_server, to_server) = server.into_split();
    let cut = Arc::new(AtomicUsize::new(usize::MAX));
    let way = state.way;
    // whichever side ends, both connections are closed
    tokio::select! {
        _ = requests(from_app, to_server, state, Arc::clone(&cut)) => {}
        _ = answers(from_server, to_app, cut, way) => {}
    }
}

async fn message(from: &mut OwnedReadHalf) -> std::io::Result<Vec<u8>> {
    let mut head = [0; 5];
    from.read_exact(&mut head).await?;
    let length = usize::try_from(u32::from_be_bytes([head[1], head[2], head[3], head[4]])).unwrap_or_default();
    let mut whole = head.to_vec();
    whole.resize(length + 1, 0);
    from.read_exact(&mut whole[5..]).await?;
    Ok(whole)
}

/// A message's text, up to its zero byte.
fn word(bytes: &[u8]) -> &str {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    std::str::from_utf8(&bytes[..end]).unwrap_or_default()
}

fn query(text: &str) -> Vec<u8> {
    let mut whole = vec![b'Q'];
    whole.extend(u32::try_from(text.len() + 5).unwrap_or_default().to_be_bytes());
    whole.extend(text.bytes());
    whole.push(0);
    whole
}

/// Forwards requests: what ends with a Query or a Sync message.
async fn requests(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    state: Arc<State>,
    cut: Arc<AtomicUsize>,
) -> std::io::Result<()> {
    let mut length = [0; 4];
    from.read_exact(&mut length).await?;
    let mut startup = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap_or_default() - 4];
    from.read_exact(&mut startup).await?;
    to.write_all(&length).await?;
    to.write_all(&startup).await?;
    // the answer to the startup is the first that ends with ReadyForQuery
    let mut sent = 1;
    let mut request = Vec::new();
    let (mut prepared, mut text) = (BTreeMap::new(), String::new());
    loop {
        let part = message(&mut from).await?;
        let kind = part[0];
        match kind {
            b'Q' => text = word(&part[5..]).to_owned(),
            b'P' => {
                let name = word(&part[5..]);
                let sql = word(&part[6 + name.len()..]);
                prepared.insert(name.to_owned(), sql.to_owned());
                text = format!("prepare {sql}");
            }
            b'B' => {
                let portal = word(&part[5..]);
                text = prepared.get(word(&part[6 + portal.len()..])).cloned().unwrap_or_default();
            }
            _ => {}
        }
        request.extend(part);
        if !matches!(kind, b'Q' | b'S' | b'X') {
            continue;
        }
        // the driver's own tidying up (Close) and Terminate are not the tool's requests
        let counted = !matches!(request[0], b'C' | b'X');
        if counted && let Some(fault) = state.is_next(std::mem::take(&mut text)) {
            state.struck.store(true, Ordering::SeqCst);
            match fault {
                Fault::Error(code) => {
                    request = query(&format!("DO 'BEGIN RAISE EXCEPTION ''injected'' USING ERRCODE = ''{code}''; END'"));
                }
                Fault::Terminated => request = query("SELECT pg_catalog.pg_terminate_backend(pg_catalog.pg_backend_pid())"),
                Fault::LostBefore => return Ok(()),
                Fault::LostAfter => cut.store(sent + 1, Ordering::SeqCst),
            }
        }
        sent += 1;
        tokio::time::sleep(state.way).await;
        to.write_all(&request).await?;
        request.clear();
    }
}

/// Forwards answers, each as a whole, until the one that is cut off.
async fn answers(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, cut: Arc<AtomicUsize>, way: Duration) -> std::io::Result<()> {
    let (mut answer, mut complete) = (Vec::new(), 0);
    loop {
        let part = match message(&mut from).await {
            Ok(part) => part,
            Err(_) => return to.write_all(&answer).await,
        };
        let kind = part[0];
        answer.extend(part);
        if kind == b'Z' {
            complete += 1;
            if complete == cut.load(Ordering::SeqCst) {
                return Ok(());
            }
            tokio::time::sleep(way).await;
            to.write_all(&answer).await?;
            answer.clear();
        }
    }
}
