//! The server's certificate: one for UDP and TCP, from files or made on the spot.
//!
//! A certificate made here lives in memory only. Its clients pin its fingerprint, which the invite
//! link carries, so it needs no authority and a restart makes a new one; who wants links that
//! outlive a restart gives files.

use std::path::PathBuf;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use moq_tokio::tls::{Identity, Listen, ReloadingServerConfig};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use sha2::{Digest as _, Sha256};

/// Names that a certificate made here is always valid for: the embedded server of a meeting on
/// this machine is called by one of them.
const LOCAL_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// See the module.
pub struct Certificate {
    listen: Listen,
    fingerprint: [u8; 32],
}

impl Certificate {
    /// A fresh self-signed certificate (ECDSA P-256) for these names and this machine.
    pub fn generate(names: &[String]) -> anyhow::Result<Self> {
        let names = names.iter().map(String::as_str).chain(LOCAL_NAMES);
        let identity = Identity::generate(names).context(
            "No certificate could be made for these names. Give host names or addresses as --name.",
        )?;
        let fingerprint = hex::decode(identity.fingerprint())
            .ok()
            .and_then(|bytes| bytes.try_into().ok());
        let fingerprint = fingerprint.context("The certificate has no SHA-256 fingerprint.")?;
        let mut listen = Listen::default();
        listen.identity = Some(identity);
        Ok(Self {
            listen,
            fingerprint,
        })
    }

    /// A certificate chain and its key from PEM files, leaf first.
    pub fn from_files(cert: PathBuf, key: PathBuf) -> anyhow::Result<Self> {
        let leaf = CertificateDer::from_pem_file(&cert).with_context(|| {
            format!(
                "{} holds no certificate that can be read (PEM is expected).",
                cert.display()
            )
        })?;
        let fingerprint = Sha256::digest(&leaf).into();
        let mut listen = Listen::default();
        listen.cert = vec![cert];
        listen.key = vec![key];
        Ok(Self {
            listen,
            fingerprint,
        })
    }

    /// SHA-256 of the leaf's DER, base64url without padding, as clients pin it.
    pub fn fingerprint(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.fingerprint)
    }

    /// For both doors; files that change are read again. As it is for the HTTPS listener: only
    /// HTTP/1.1, because a WebSocket over HTTP/2 gains nothing here.
    ///
    /// Must be called within the runtime.
    pub fn tls(&self) -> anyhow::Result<ReloadingServerConfig> {
        self.listen
            .server_config_reloading(vec![b"http/1.1".to_vec()])
            .context("The certificate and the key cannot be used. Check that they belong together.")
    }
}
