//! What systems do differently: whose a file is, as whom a program runs, what ends it, where a server listens.

pub(crate) use here::{as_user, endings, give, in_memory, is_program, open, owner_of, socket, with_socket, writing};

#[cfg(unix)]
mod here {
    use std::fs::{Permissions, metadata, set_permissions};
    use std::io;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
    use std::os::unix::process::CommandExt;
    use std::path::Path;
    use std::process::Command;

    use rustix::fs::Access;
    use tokio::signal::unix::{SignalKind, signal};
    use tokio::sync::mpsc;
    use tokio_postgres::Config;
    use tokio_postgres::config::Host;

    /// Ctrl-C and SIGTERM, each by the exit code with which a shell tells it.
    pub(crate) fn endings() -> io::Result<mpsc::Receiver<u8>> {
        let (sender, heard) = mpsc::channel(8);
        for (kind, code) in [(SignalKind::interrupt(), 130), (SignalKind::terminate(), 143)] {
            let (mut stream, sender) = (signal(kind)?, sender.clone());
            tokio::spawn(async move { while stream.recv().await.is_some() && sender.send(code).await.is_ok() {} });
        }
        Ok(heard)
    }

    /// Whether a file may be run.
    pub(crate) fn is_program(path: &Path) -> bool {
        metadata(path).is_ok_and(|file| file.permissions().mode() & 0o111 != 0)
    }

    /// Gives a folder to a user and a group.
    pub(crate) fn give(folder: &Path, (uid, gid): (u32, u32)) -> io::Result<()> {
        chown(folder, Some(uid), Some(gid))
    }

    /// Whose a file is.
    pub(crate) fn owner_of(path: &str) -> Option<u32> {
        metadata(path).ok().map(|there| there.uid())
    }

    /// Lets everybody into a folder.
    pub(crate) fn open(folder: &Path) -> io::Result<()> {
        set_permissions(folder, Permissions::from_mode(0o755))
    }

    /// The folder that Linux keeps in memory, where it may be written and has that much room in bytes.
    pub(crate) fn in_memory(room: u64) -> Option<&'static Path> {
        let folder = Path::new("/dev/shm");
        rustix::fs::access(folder, Access::WRITE_OK | Access::EXEC_OK).ok()?;
        let there = rustix::fs::statvfs(folder).ok()?;
        (there.f_bavail.saturating_mul(there.f_frsize) >= room).then_some(folder)
    }

    /// Has a program run as that user, and apart from what is typed at our terminal.
    pub(crate) fn as_user(command: &mut Command, owner: Option<(u32, u32)>) {
        if let Some((uid, gid)) = owner {
            command.uid(uid).gid(gid);
        }
        command.process_group(0);
    }

    /// Leads to the server that listens in a folder.
    pub(crate) fn with_socket(config: &mut Config, folder: &Path) {
        config.host_path(folder);
    }

    /// The folder in which the server listens.
    pub(crate) fn socket(config: &Config) -> Option<&Path> {
        match config.get_hosts().first() {
            Some(Host::Unix(folder)) => Some(folder),
            _ => None,
        }
    }

    /// How a file is written in the place of one with these permissions; readable for whom any new file is, where there is none.
    pub(crate) fn writing(there: Option<Permissions>) -> tempfile::Builder<'static, 'static> {
        let mut builder = tempfile::Builder::new();
        // a temporary file is its owner's alone otherwise
        builder.permissions(there.unwrap_or_else(|| Permissions::from_mode(0o666)));
        builder
    }
}

/// There is no private server here, and a file has the permissions of its folder.
#[cfg(not(unix))]
mod here {
    use std::fs::Permissions;
    use std::io;
    use std::path::Path;
    use std::process::Command;

    use tokio::sync::mpsc;
    use tokio_postgres::Config;

    pub(crate) fn endings() -> io::Result<mpsc::Receiver<u8>> {
        let (sender, heard) = mpsc::channel(8);
        tokio::spawn(async move { while tokio::signal::ctrl_c().await.is_ok() && sender.send(130).await.is_ok() {} });
        Ok(heard)
    }

    pub(crate) fn is_program(_: &Path) -> bool {
        true
    }

    pub(crate) fn give(_: &Path, _: (u32, u32)) -> io::Result<()> {
        Ok(())
    }

    pub(crate) fn owner_of(_: &str) -> Option<u32> {
        None
    }

    pub(crate) fn open(_: &Path) -> io::Result<()> {
        Ok(())
    }

    pub(crate) fn in_memory(_: u64) -> Option<&'static Path> {
        None
    }

    pub(crate) fn as_user(_: &mut Command, _: Option<(u32, u32)>) {}

    pub(crate) fn with_socket(_: &mut Config, _: &Path) {}

    pub(crate) fn socket(_: &Config) -> Option<&Path> {
        None
    }

    pub(crate) fn writing(_: Option<Permissions>) -> tempfile::Builder<'static, 'static> {
        tempfile::Builder::new()
    }
}
