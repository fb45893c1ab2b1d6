//! Whose certificates are accepted: the authorities, how a server's certificate is verified, and what a refusal means.

use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{self, CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio_postgres_rustls::MakeRustlsConnect;
use x509_cert::Certificate;
use x509_cert::der::oid::db::rfc4519::COMMON_NAME;
use x509_cert::der::{Decode, Encode};

use crate::error::{Error, Result};
use crate::target::identity::Identity;

/// Whose certificate is good enough.
#[derive(Debug)]
pub(crate) enum Trust {
    /// Everybody's: the session is encrypted, but not known to end at the right server.
    Anyone,
    /// One that an authority signed.
    Authorities(Authorities),
    /// One that an authority signed, for the host that was asked for.
    AuthoritiesAndName(Authorities),
}

/// Certificates that need nobody's signature.
#[derive(Debug)]
pub(crate) struct Authorities {
    anchors: RootCertStore,
    /// The same as they were given: a server's own certificate may be among them.
    certificates: Vec<CertificateDer<'static>>,
}

/// Those of a PEM file.
pub(crate) fn of_file(path: &Path) -> Result<Authorities> {
    let refused = |why: String| {
        Error::refused(format!("the file of trusted certificates `{}` {why}", path.display()))
            .hint("give a readable file with certificates in PEM form: sslrootcert=PATH")
    };
    let text = std::fs::read(path).map_err(|error| refused(format!("cannot be read: {error}")))?;
    let certificates: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&text)
        .collect::<Result<_, _>>()
        .map_err(|error| refused(format!("is not valid: {error}")))?;
    if certificates.is_empty() {
        return Err(refused("holds no certificate".to_owned()));
    }
    let mut anchors = RootCertStore::empty();
    for certificate in &certificates {
        anchors.add(certificate.clone()).map_err(|error| refused(format!("is not valid: {error}")))?;
    }
    Ok(Authorities { anchors, certificates })
}

/// Those that the system trusts.
pub(crate) fn of_system() -> Result<Authorities> {
    let mut anchors = RootCertStore::empty();
    anchors.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if anchors.is_empty() {
        return Err(Error::refused("this system has no trusted certificates")
            .hint("install them (the package is often called ca-certificates), or name a file with sslrootcert=PATH"));
    }
    Ok(Authorities { anchors, certificates: Vec::new() })
}

/// What opens sessions with whoever is trusted.
pub(crate) fn connector(trust: Trust, own: Option<Identity>) -> Result<MakeRustlsConnect> {
    let Some(provider) = provider().map(Arc::new) else {
        return Err(Error::refused("TLS cannot run on this processor: it lacks instructions that the cryptography needs")
            .hint("connect over a local socket, or through a tunnel with sslmode=disable"));
    };
    let algorithms = provider.signature_verification_algorithms;
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::refused(format!("TLS cannot be set up: {error}")))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Verifier { trust, algorithms }));
    let mut config = match own {
        Some(identity) => identity.used_by(config)?,
        None => config.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"postgresql".to_vec()];
    Ok(MakeRustlsConnect::new(config))
}

/// The cryptography, where the processor can do it; it would panic elsewhere.
fn provider() -> Option<CryptoProvider> {
    #[cfg(target_arch = "x86_64")]
    let able = std::arch::is_x86_feature_detected!("aes")
        && std::arch::is_x86_feature_detected!("pclmulqdq")
        && std::arch::is_x86_feature_detected!("bmi1")
        && std::arch::is_x86_feature_detected!("bmi2")
        && std::arch::is_x86_feature_detected!("adx")
        && std::arch::is_x86_feature_detected!("avx")
        && std::arch::is_x86_feature_detected!("avx2");
    #[cfg(target_arch = "aarch64")]
    let able = std::arch::is_aarch64_feature_detected!("neon")
        && std::arch::is_aarch64_feature_detected!("aes")
        && std::arch::is_aarch64_feature_detected!("pmull")
        && std::arch::is_aarch64_feature_detected!("sha2");
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    return able.then(rustls_graviola::default_provider);
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    None
}

/// Verifies as much as is asked for. That the server holds the certificate's key is always verified: SCRAM binds to it.
#[derive(Debug)]
struct Verifier {
    trust: Trust,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Verifier {
    fn verify_signer(
        &self,
        authorities: &Authorities,
        certificate: &CertificateDer<'_>,
        parsed: &ParsedCertificate<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), rustls::Error> {
        use CertificateError::{Expired, ExpiredContext, NotValidYet, NotValidYetContext};
        match verify_server_cert_signed_by_trust_anchor(parsed, &authorities.anchors, intermediates, now, self.algorithms.all) {
            Err(rustls::Error::InvalidCertificate(
                error @ (Expired | ExpiredContext { .. } | NotValidYet | NotValidYetContext { .. }),
            )) => Err(error.into()),
            // one that a server signed itself says that it is an authority, which is no server's certificate to rustls
            Err(_) if authorities.certificates.iter().any(|trusted| trusted == certificate) => Ok(()),
            outcome => outcome,
        }
    }

    fn verify_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
        verified: Result<HandshakeSignatureValid, rustls::Error>,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        match (verified, &self.trust) {
            // of X.509's version 1, as PostgreSQL's manual has them made: rustls does not read it, but the key is there
            (Err(rustls::Error::InvalidCertificate(CertificateError::Other(_))), Trust::Anyone) => {
                let key = public_key(certificate).ok_or(CertificateError::BadEncoding)?;
                crypto::verify_tls13_signature_with_raw_key(message, &key, signature, &self.algorithms)
            }
            (verified, _) => verified,
        }
    }
}

/// The names are the subjectAltNames; where there are none, the common name, as libpq has it, of an authority that was named for it.
fn verify_name(
    authorities: &Authorities,
    certificate: &CertificateDer<'_>,
    parsed: &ParsedCertificate<'_>,
    name: &ServerName<'_>,
) -> Result<(), rustls::Error> {
    match verify_server_name(parsed, name) {
        Err(rustls::Error::InvalidCertificate(CertificateError::NotValidForNameContext { expected, presented }))
            if presented.is_empty() && !authorities.certificates.is_empty() =>
        {
            match common_name(certificate) {
                Some(common) if is_for(&common, &name.to_str()) => Ok(()),
                common => {
                    let presented = common.map(|common| format!("CommonName({common})")).into_iter().collect();
                    Err(CertificateError::NotValidForNameContext { expected, presented }.into())
                }
            }
        }
        verified => verified,
    }
}

/// Whether a common name, whose first label may be `*`, is a host's.
fn is_for(common: &str, host: &str) -> bool {
    match (common.strip_prefix("*."), host.split_once('.')) {
        (Some(domain), Some((label, rest))) => !label.is_empty() && rest.eq_ignore_ascii_case(domain),
        _ => common.eq_ignore_ascii_case(host),
    }
}

fn common_name(certificate: &CertificateDer<'_>) -> Option<String> {
    let certificate = Certificate::from_der(certificate).ok()?;
    let mut names = certificate.tbs_certificate.subject.0.iter().flat_map(|name| name.0.iter());
    let name = names.find(|name| name.oid == COMMON_NAME)?;
    String::from_utf8(name.value.value().to_vec()).ok()
}

fn public_key(certificate: &CertificateDer<'_>) -> Option<SubjectPublicKeyInfoDer<'static>> {
    let certificate = Certificate::from_der(certificate).ok()?;
    Some(certificate.tbs_certificate.subject_public_key_info.to_der().ok()?.into())
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match &self.trust {
            Trust::Anyone => {}
            Trust::Authorities(authorities) => {
                let parsed = ParsedCertificate::try_from(certificate)?;
                self.verify_signer(authorities, certificate, &parsed, intermediates, now)?;
            }
            Trust::AuthoritiesAndName(authorities) => {
                let parsed = ParsedCertificate::try_from(certificate)?;
                self.verify_signer(authorities, certificate, &parsed, intermediates, now)?;
                verify_name(authorities, certificate, &parsed, name)?;
            }
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let verified = crypto::verify_tls12_signature(message, certificate, signature, &self.algorithms);
        self.verify_signature(message, certificate, signature, verified)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let verified = crypto::verify_tls13_signature(message, certificate, signature, &self.algorithms);
        self.verify_signature(message, certificate, signature, verified)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// What it means that a server's certificate was refused, and what to do; none where something else went wrong.
pub(crate) fn refusal(error: &tokio_postgres::Error) -> Option<(String, &'static str)> {
    use CertificateError as Refused;
    let cause = std::error::Error::source(error)?.downcast_ref::<std::io::Error>()?.get_ref()?;
    let rustls::Error::InvalidCertificate(certificate) = cause.downcast_ref::<rustls::Error>()? else { return None };
    Some(match certificate {
        Refused::UnknownIssuer | Refused::BadSignature => (
            "the server's certificate is not signed by a trusted authority".to_owned(),
            "give the certificate of the authority that signed it: sslrootcert=PATH",
        ),
        Refused::NotValidForNameContext { expected, presented } => {
            (format!("the server's certificate is not for `{}`, but for {}", expected.to_str(), names(presented)), ANOTHER_NAME)
        }
        Refused::NotValidForName => ("the server's certificate is for another host".to_owned(), ANOTHER_NAME),
        Refused::Expired | Refused::ExpiredContext { .. } | Refused::NotValidYet | Refused::NotValidYetContext { .. } => (
            "the server's certificate has expired, or is not valid yet".to_owned(),
            "renew the server's certificate, or set the clock of this machine",
        ),
        Refused::Other(other) => match other.0.to_string().as_str() {
            "CaUsedAsEndEntity" => (
                "the server signed its certificate itself, and it is not a trusted one".to_owned(),
                "give the server's certificate, from the server itself: sslrootcert=PATH",
            ),
            "UnsupportedCertVersion" => (
                "the server's certificate is of X.509 version 1, which cannot be verified".to_owned(),
                "make it anew with the host as subjectAltName, which makes it one of version 3",
            ),
            other => (format!("the server's certificate is not accepted: {other}"), ANOTHER_CERTIFICATE),
        },
        certificate => (format!("the server's certificate is not accepted: {certificate}"), ANOTHER_CERTIFICATE),
    })
}

const ANOTHER_CERTIFICATE: &str = "make a certificate for the server, of X.509 version 3, with the host as subjectAltName";

const ANOTHER_NAME: &str =
    "connect by a name that the certificate has; sslmode=verify-ca accepts every server of the same authority";

/// The names of a certificate, which rustls gives as `DnsName("localhost")`.
fn names(presented: &[String]) -> String {
    if presented.is_empty() {
        return "no host at all".to_owned();
    }
    let plain = |name: &String| {
        let inner = name.split_once('(').map_or(name.as_str(), |(_, rest)| rest.trim_end_matches(')'));
        format!("`{}`", inner.trim_matches('"'))
    };
    presented.iter().map(plain).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_names_match_as_in_libpq() {
        for (common, host, wanted) in [
            ("localhost", "LocalHost", true),
            ("db.example.org", "example.org", false),
            ("*.example.org", "db.example.org", true),
            ("*.example.org", "a.db.example.org", false),
            ("*.example.org", "example.org", false),
            ("*.example.org", ".example.org", false),
            ("*", "localhost", false),
            ("127.0.0.1", "127.0.0.1", true),
        ] {
            assert_eq!(is_for(common, host), wanted, "{common} {host}");
        }
        assert_eq!(names(&["DnsName(\"a\")".to_owned(), "IpAddress(::1)".to_owned()]), "`a`, `::1`");
    }
}
