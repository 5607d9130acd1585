//! A tunnel through a proxy: `CONNECT` and its answer. RFC 9110 §9.3.6

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::address::Credentials;
use super::{Proxy, ProxyError};
use crate::tcp::{self, Socket};
use crate::{ConnectError, Endpoint};

/// Time for reaching the proxy, and for the proxy to reach the server. Less than a connection may
/// take, so that the proxy's silence is not taken for the server's.
const TUNNEL_TIMEOUT: Duration = Duration::from_secs(8);
/// The longest head of an answer, bytes.
const MAX_HEAD: usize = 8 * 1024;
/// Header fields of an answer.
const MAX_FIELDS: usize = 64;

/// A stream to `server` through `proxy`; nothing has been said to the server.
pub(crate) async fn open(
    proxy: &Proxy,
    server: &Endpoint,
    socket: Socket,
) -> Result<TcpStream, ConnectError> {
    let server = server.authority().ok_or(ConnectError::InvalidEndpoint)?;
    let request = request(&server, proxy.credentials.as_ref());
    let asked = timeout(TUNNEL_TIMEOUT, ask(proxy, &request, socket)).await;
    Ok(asked.map_err(|_| ProxyError::Timeout)??)
}

async fn ask(proxy: &Proxy, request: &[u8], socket: Socket) -> Result<TcpStream, ProxyError> {
    let mut stream = tcp::dial(&proxy.endpoint, socket).await?;
    let sent = stream.write_all(request).await;
    sent.map_err(|error| broken(&error))?;
    let status = read_status(&mut stream).await?;
    judge(status, proxy.credentials.is_some())?;
    Ok(stream)
}

/// The request, wiped when dropped. `server` is host and port as a URL has them.
fn request(server: &str, credentials: Option<&Credentials>) -> Zeroizing<Vec<u8>> {
    let encoded = credentials.map_or(&[][..], Credentials::expose);
    // With this room no copy is left behind by growing.
    let mut request = Zeroizing::new(Vec::with_capacity(2 * server.len() + encoded.len() + 80));
    for part in ["CONNECT ", server, " HTTP/1.1\r\nHost: ", server, "\r\n"] {
        request.extend_from_slice(part.as_bytes());
    }
    if credentials.is_some() {
        request.extend_from_slice(b"Proxy-Authorization: Basic ");
        request.extend_from_slice(encoded);
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    request
}

/// The status of the answer, of which nothing is read but its head.
async fn read_status(from: &mut (impl AsyncRead + Unpin)) -> Result<u16, ProxyError> {
    let mut head = [0; MAX_HEAD];
    let mut length = 0;
    loop {
        let read = from.read(&mut head[length..]).await;
        length += match read {
            Ok(0) if length == MAX_HEAD => return Err(unexpected("its answer does not end")),
            Ok(0) => return Err(unexpected("it hung up without an answer")),
            Ok(read) => read,
            Err(error) => return Err(broken(&error)),
        };
        let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
        let mut answer = httparse::Response::new(&mut fields);
        let parsed = answer.parse(&head[..length]);
        let parsed = parsed.map_err(|_| unexpected("it is not HTTP"))?;
        if let (httparse::Status::Complete(end), Some(status)) = (parsed, answer.code) {
            // TLS has the client speak first: this is not the server's.
            if (200..300).contains(&status) && end < length {
                return Err(unexpected("it spoke in the server's place"));
            }
            return Ok(status);
        }
    }
}

fn judge(status: u16, with_credentials: bool) -> Result<(), ProxyError> {
    match status {
        200..=299 => Ok(()),
        403 => Err(ProxyError::Forbidden),
        407 if with_credentials => Err(ProxyError::CredentialsRefused),
        407 => Err(ProxyError::CredentialsNeeded),
        502..=504 => Err(ProxyError::ServerUnreachable { status }),
        status => Err(ProxyError::Refused { status }),
    }
}

fn unexpected(reason: &str) -> ProxyError {
    ProxyError::Protocol {
        reason: reason.to_owned(),
    }
}

fn broken(error: &std::io::Error) -> ProxyError {
    unexpected(&error.kind().to_string())
}
