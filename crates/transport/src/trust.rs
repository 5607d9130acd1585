//! Which server certificate is accepted.
//!
//! rustls asks a [`ServerVerifier`] about every certificate. A refusal passes through two TLS
//! stacks (TCP and QUIC) that turn it into text, so the verifier also writes its [`Verdict`] down
//! where the caller finds it typed.

use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, OnceLock};

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, SignatureScheme};

use crate::ConnectError;

/// SHA-256 of a certificate in DER. Displayed and parsed as base64url without padding.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub [u8; 32]);

impl Fingerprint {
    /// The fingerprint of a certificate in DER.
    pub fn of_certificate(der: &[u8]) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest::digest(&digest::SHA256, der).as_ref());
        Self(bytes)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

impl FromStr for Fingerprint {
    type Err = ParseFingerprintError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = URL_SAFE_NO_PAD
            .decode(text)
            .map_err(|_| ParseFingerprintError)?;
        Ok(Self(bytes.try_into().map_err(|_| ParseFingerprintError)?))
    }
}

/// The caller: this is no fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("A certificate fingerprint is 43 characters of base64url. Copy it again from the server.")]
pub struct ParseFingerprintError;

/// Which certificate to accept from the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Exactly the leaf certificate with this fingerprint, whoever signed it, whatever names and
    /// dates it carries: the pin came with the meeting's link and says more than they could. The
    /// server still has to prove that it holds the certificate's key.
    Pinned(Fingerprint),
    /// What the operating system trusts, for the server's host name.
    System,
}

/// What a [`ServerVerifier`] found wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Not the pinned certificate.
    Mismatch(Fingerprint),
    /// A certificate or a handshake signature that does not hold.
    Invalid(String),
}

/// The place where a refused certificate is written down; the first verdict stays.
#[derive(Clone, Debug, Default)]
pub(crate) struct Verdicts(Arc<OnceLock<Verdict>>);

impl Verdicts {
    fn record(&self, verdict: Verdict) {
        // A race of several addresses may refuse several times; one reason is enough.
        let _ = self.0.set(verdict);
    }

    /// The verdict as the connection's error, if there is one.
    pub(crate) fn error(&self) -> Option<ConnectError> {
        Some(match self.0.get()?.clone() {
            Verdict::Mismatch(presented) => ConnectError::CertificateMismatch { presented },
            Verdict::Invalid(reason) => ConnectError::CertificateInvalid { reason },
        })
    }
}

/// A TLS 1.3 client configuration that accepts what `trust` says, and where refusals are written.
///
/// A fresh one for each connection: no session is resumed, so each one verifies the certificate.
pub(crate) fn client_config(trust: &Trust) -> Result<(ClientConfig, Verdicts), ConnectError> {
    let local = |error: rustls::Error| ConnectError::Local {
        reason: error.to_string(),
    };
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verdicts = Verdicts::default();
    let policy = match trust {
        Trust::Pinned(fingerprint) => Policy::Pinned(*fingerprint),
        Trust::System => Policy::System(
            rustls_platform_verifier::Verifier::new(provider.clone()).map_err(local)?,
        ),
    };
    let verifier = ServerVerifier {
        policy,
        provider: provider.clone(),
        verdicts: verdicts.clone(),
    };
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(local)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok((config, verdicts))
}

#[derive(Debug)]
enum Policy {
    Pinned(Fingerprint),
    System(rustls_platform_verifier::Verifier),
}

/// Applies a [`Policy`] and remembers refusals.
#[derive(Debug)]
struct ServerVerifier {
    policy: Policy,
    provider: Arc<CryptoProvider>,
    verdicts: Verdicts,
}

impl ServerVerifier {
    fn note<T>(&self, result: Result<T, rustls::Error>) -> Result<T, rustls::Error> {
        if let Err(error) = &result {
            self.verdicts
                .record(Verdict::Invalid(describe(error).to_owned()));
        }
        result
    }
}

impl ServerCertVerifier for ServerVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match &self.policy {
            Policy::Pinned(expected) => {
                // Both sides of this comparison are public: it need not be constant-time.
                let presented = Fingerprint::of_certificate(end_entity);
                if presented == *expected {
                    return Ok(ServerCertVerified::assertion());
                }
                self.verdicts.record(Verdict::Mismatch(presented));
                Err(CertificateError::ApplicationVerificationFailure.into())
            }
            Policy::System(verifier) => self.note(verifier.verify_server_cert(
                end_entity,
                intermediates,
                server_name,
                ocsp_response,
                now,
            )),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        self.note(rustls::crypto::verify_tls12_signature(
            message, cert, dss, algorithms,
        ))
    }

    // RFC 8446 §4.4.3: the pin names the certificate, this proves that the server holds its key.
    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        self.note(rustls::crypto::verify_tls13_signature(
            message, cert, dss, algorithms,
        ))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// What is wrong, without the names that rustls' own text carries.
fn describe(error: &rustls::Error) -> &'static str {
    use CertificateError as E;
    let rustls::Error::InvalidCertificate(error) = error else {
        return "its handshake does not hold";
    };
    match error {
        E::Expired | E::ExpiredContext { .. } => "it has expired",
        E::NotValidYet | E::NotValidYetContext { .. } => "it is not valid yet",
        E::NotValidForName | E::NotValidForNameContext { .. } => "it belongs to another name",
        E::UnknownIssuer => "its issuer is not trusted",
        E::Revoked => "it was revoked",
        E::BadSignature => "its signature is wrong",
        _ => "it was refused",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_survives_display_and_parse() {
        let fingerprint = Fingerprint::of_certificate(b"certificate");
        let text = fingerprint.to_string();
        assert_eq!(text.len(), 43);
        assert_eq!(text.parse(), Ok(fingerprint));
    }

    #[test]
    fn the_fingerprint_is_the_sha256_of_the_bytes() {
        // FIPS 180-4, the example for "abc".
        assert_eq!(
            Fingerprint::of_certificate(b"abc").to_string(),
            "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0"
        );
    }

    #[test]
    fn what_is_no_fingerprint_is_refused() {
        let good = Fingerprint([7; 32]).to_string();
        let cases = [
            String::new(),
            good[1..].to_owned(),
            format!("{good}A"),
            format!("{good}="),
            good.replacen('B', "+", 1),
            // Non-zero bits after the last byte: a second spelling of one value.
            format!("{}d", &good[..42]),
        ];
        for text in cases {
            assert_eq!(
                text.parse::<Fingerprint>(),
                Err(ParseFingerprintError),
                "{text}"
            );
        }
    }
}
