//! What goes wrong at a proxy.

use super::ProxyUrlError;

/// Why no tunnel came up, grouped by who is to blame.
///
/// The texts carry no address and no credentials; [`super::Proxy`] shows where the proxy is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProxyError {
    /// This device: what it is told to use cannot be used.
    #[error("The proxy that {by} names cannot be used. {fault}")]
    Setting {
        /// The flag, the setting, or the variable of the environment.
        by: &'static str,
        /// What is wrong with it.
        fault: ProxyUrlError,
    },
    /// The network, or a proxy that is not running.
    #[error(
        "The proxy cannot be reached ({reason}). Check its address and the network connection, and try again."
    )]
    Unreachable {
        /// What the last attempt ran into.
        reason: String,
    },
    /// The proxy, or the server behind it: no answer in time.
    #[error(
        "The proxy did not answer in time. Check its address and that of the server, and try again."
    )]
    Timeout,
    /// This device: the proxy wants credentials and none were given.
    #[error(
        "The proxy asks for a name and a password. Write them into its address: http://NAME:PASSWORD@HOST:PORT."
    )]
    CredentialsNeeded,
    /// This device: the proxy does not take the credentials.
    #[error(
        "The proxy does not accept the name and password in its address. Correct them, or ask whoever runs the proxy whether it takes Basic authentication."
    )]
    CredentialsRefused,
    /// The proxy: it does not let this server be reached.
    #[error(
        "The proxy does not allow connections to this server (HTTP status 403). Ask whoever runs the proxy to allow the server's address and port."
    )]
    Forbidden,
    /// The server, or its name: the proxy could not reach it.
    #[error(
        "The proxy cannot reach the server (HTTP status {status}). Check the server's address, or ask whoever runs the proxy."
    )]
    ServerUnreachable {
        /// The proxy's answer.
        status: u16,
    },
    /// The proxy: it said no.
    #[error(
        "The proxy refused to connect to the server (HTTP status {status}). Ask whoever runs the proxy to allow CONNECT to the server's address and port."
    )]
    Refused {
        /// The proxy's answer.
        status: u16,
    },
    /// The proxy, or something else at its address: it does not speak as a proxy does.
    #[error(
        "The proxy answered in an unexpected way ({reason}). Check that the address is that of an HTTP proxy."
    )]
    Protocol {
        /// What was unexpected.
        reason: String,
    },
}

impl ProxyError {
    /// Whether another try meets the same end until somebody changes a setting. Trying on with
    /// credentials that are refused can lock an account.
    pub fn is_final(&self) -> bool {
        matches!(
            self,
            Self::Setting { .. }
                | Self::CredentialsNeeded
                | Self::CredentialsRefused
                | Self::Forbidden
        )
    }
}
