//! What a failed HTTP answer or WebSocket upgrade says about the connection.

use std::io;

use tokio_tungstenite::tungstenite;

use crate::ConnectError;

/// A server that answered a request for a session with something else.
pub(crate) fn status_error(status: u16) -> ConnectError {
    let reason = format!("HTTP status {status}");
    match status {
        401 | 403 => ConnectError::Refused { reason },
        _ => ConnectError::Protocol { reason },
    }
}

/// A WebSocket that did not come up. Certificates are judged before, by their verdict.
pub(crate) fn upgrade_error(error: &tungstenite::Error) -> ConnectError {
    match error {
        tungstenite::Error::Http(response) => status_error(response.status().as_u16()),
        tungstenite::Error::Io(error) => match tls_error(error) {
            Some(error) => ConnectError::Protocol {
                reason: format!("TLS: {error}"),
            },
            None => ConnectError::unreachable(error),
        },
        tungstenite::Error::Url(_) => ConnectError::InvalidEndpoint,
        error => ConnectError::Protocol {
            reason: error.to_string(),
        },
    }
}

/// The TLS failure that travels inside an I/O error.
fn tls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}
