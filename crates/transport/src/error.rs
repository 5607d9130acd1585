//! Why a connection could not be made.

use crate::{Fingerprint, ProxyError};

/// Why a connection could not be made, grouped by who is to blame.
///
/// The texts carry no address, path or token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// The network, or a server that is not running: nothing answered.
    #[error("The server cannot be reached ({reason}). Check the network connection and try again.")]
    Unreachable {
        /// What the last attempt ran into.
        reason: String,
    },
    /// The server: another certificate than the pinned one. Somebody may be between us and the
    /// server, or it was set up anew. Trying again does not help.
    #[error(
        "The server shows another certificate ({presented}) than the one expected. Do not continue unless its operator confirms the new certificate; ask for a new link."
    )]
    CertificateMismatch {
        /// The certificate that was shown.
        presented: Fingerprint,
    },
    /// The server: its certificate or its handshake does not hold.
    #[error(
        "The server's certificate is not valid ({reason}). Ask its operator to renew the certificate."
    )]
    CertificateInvalid {
        /// What is wrong with it.
        reason: String,
    },
    /// The server: it answered and said no. Trying again with the same grant does not help.
    #[error(
        "The server refused the connection ({reason}). Leave the meeting and join again with a valid link."
    )]
    Refused {
        /// The server's answer.
        reason: String,
    },
    /// The server: it speaks, but not our protocol.
    #[error(
        "The server answered in an unexpected way ({reason}). Check that the address belongs to a Conclave server of the same version."
    )]
    Protocol {
        /// What was unexpected.
        reason: String,
    },
    /// The network or the server: no answer in time.
    #[error("The server did not answer in time. Check the network connection and try again.")]
    Timeout,
    /// The caller: no server can be called that.
    #[error("This is not a valid server address. Check the link.")]
    InvalidEndpoint,
    /// The proxy between this device and the server, or what names it.
    #[error(transparent)]
    Proxy(#[from] ProxyError),
    /// This device: no socket, or no list of trusted certificates.
    #[error("This device cannot open a network connection ({reason}). Check its network settings.")]
    Local {
        /// What the system said.
        reason: String,
    },
}

impl ConnectError {
    /// Whether the server's own answer settles the matter, so that another transport or another
    /// attempt with the same inputs would meet the same end.
    pub(crate) fn is_final(&self) -> bool {
        matches!(
            self,
            Self::CertificateMismatch { .. }
                | Self::CertificateInvalid { .. }
                | Self::Refused { .. }
                | Self::InvalidEndpoint
        )
    }

    /// An I/O error as "nothing answered", by its kind: the system's own text may name addresses.
    pub(crate) fn unreachable(error: &std::io::Error) -> Self {
        Self::Unreachable {
            reason: error.kind().to_string(),
        }
    }
}
