//! Who we are to a server that asks for a certificate: its file and that of its key, as libpq finds and checks them.

use std::fs::Metadata;
use std::path::{Path, PathBuf};

use rustls::client::WantsClientCert;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ConfigBuilder};

use crate::error::{Error, Result};

/// A certificate with those of the authorities between, and its key.
#[derive(Debug)]
pub(crate) struct Identity {
    certificates: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    name: String,
}

impl Identity {
    /// The settings by which it is shown.
    pub(crate) fn used_by(self, config: ConfigBuilder<ClientConfig, WantsClientCert>) -> Result<ClientConfig> {
        let Identity { certificates, key, name } = self;
        config.with_client_auth_cert(certificates, key).map_err(|error| {
            refused(&name, &format!("cannot be used: {error}"), "give the key that belongs to the certificate: sslkey=PATH")
        })
    }
}

/// That of these files; none where none is named and none is there.
pub(crate) fn of(certificate: Option<PathBuf>, key: Option<PathBuf>) -> Result<Option<Identity>> {
    let usual = |name: &str| std::env::home_dir().map(|home| home.join(".postgresql").join(name));
    let Some(certificate) = certificate.or_else(|| usual("postgresql.crt").filter(|path| path.is_file())) else {
        return Ok(None);
    };
    let key = key.or_else(|| usual("postgresql.key")).unwrap_or_default();
    let pem = "give a readable file in PEM form: sslcert=PATH";
    let text = read(&certificate, pem)?;
    let certificates: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&text)
        .collect::<Result<_, _>>()
        .map_err(|error| refused(&certificate.display().to_string(), &format!("is not valid: {error}"), pem))?;
    if certificates.is_empty() {
        return Err(refused(&certificate.display().to_string(), "holds no certificate", pem));
    }
    Ok(Some(Identity { certificates, key: private_key(&key)?, name: key.display().to_string() }))
}

/// The key, which nobody else may read.
fn private_key(path: &PathBuf) -> Result<PrivateKeyDer<'static>> {
    let (name, pem) = (path.display().to_string(), "give a key in PEM form without a passphrase: sslkey=PATH");
    let text = read(path, "give the key of the certificate: sslkey=PATH")?;
    if std::fs::metadata(path).is_ok_and(|facts| is_open(&facts)) {
        return Err(refused(&name, "is open to its group or to everybody", &format!("close it to others: chmod 600 '{name}'")));
    }
    PrivateKeyDer::from_pem_slice(&text).map_err(|error| refused(&name, &format!("is not valid: {error}"), pem))
}

/// Whether others may read it; a group may read one that belongs to root.
#[cfg(unix)]
fn is_open(facts: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    facts.mode() & if facts.uid() == 0 { 0o037 } else { 0o077 } != 0
}

#[cfg(not(unix))]
fn is_open(_facts: &Metadata) -> bool {
    false
}

fn read(path: &Path, hint: &str) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|error| refused(&path.display().to_string(), &format!("cannot be read: {error}"), hint))
}

fn refused(name: &str, why: &str, hint: &str) -> Error {
    Error::refused(format!("the file `{name}` for the certificate that we show {why}")).hint(hint)
}
