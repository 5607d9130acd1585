//! TCP to the server, itself or through a proxy.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpSocket, TcpStream};

use crate::proxy::{self, Proxies, ProxyError};
use crate::{ConnectError, Endpoint};

/// Time for each of a host's addresses to accept the connection.
const ADDRESS_TIMEOUT: Duration = Duration::from_secs(3);

/// Bytes that a WebSocket reads at a time. Room for them is cleared whenever the socket is looked at,
/// which is for every message in either direction.
pub(crate) const READ_BUFFER: usize = 16 * 1024;

/// How a socket is set up.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Socket {
    /// The kernel's send buffer, bytes; `None` for the system's choice.
    pub(crate) send_buffer: Option<u32>,
}

/// Why no address of a host answered.
#[derive(Debug)]
pub(crate) enum Unanswered {
    /// For this reason, in the end.
    Unreachable(String),
    /// Not in time.
    Timeout,
}

impl From<Unanswered> for ConnectError {
    fn from(fault: Unanswered) -> Self {
        match fault {
            Unanswered::Unreachable(reason) => Self::Unreachable { reason },
            Unanswered::Timeout => Self::Timeout,
        }
    }
}

impl From<Unanswered> for ProxyError {
    fn from(fault: Unanswered) -> Self {
        match fault {
            Unanswered::Unreachable(reason) => Self::Unreachable { reason },
            Unanswered::Timeout => Self::Timeout,
        }
    }
}

/// A stream to the server, through the proxy that leads there if one does.
pub(crate) async fn reach(
    server: &Endpoint,
    proxies: &Proxies,
    socket: Socket,
) -> Result<TcpStream, ConnectError> {
    match proxies.proxy_for(server)? {
        Some(proxy) => proxy::open(proxy, server, socket).await,
        None => Ok(dial(server, socket).await?),
    }
}

/// Tries the host's addresses in the resolver's order.
pub(crate) async fn dial(to: &Endpoint, socket: Socket) -> Result<TcpStream, Unanswered> {
    let addresses = tokio::net::lookup_host((to.bare_host(), to.port));
    let addresses = addresses
        .await
        .map_err(|_| Unanswered::Unreachable("its name is not known".into()))?;
    let mut last = Unanswered::Unreachable("its name has no address".into());
    for address in addresses {
        match tokio::time::timeout(ADDRESS_TIMEOUT, connect(address, socket)).await {
            Ok(Ok(stream)) => return Ok(stream),
            // By its kind: the system's own text may name addresses.
            Ok(Err(error)) => last = Unanswered::Unreachable(error.kind().to_string()),
            Err(_) => last = Unanswered::Timeout,
        }
    }
    Err(last)
}

async fn connect(address: SocketAddr, socket: Socket) -> io::Result<TcpStream> {
    let made = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    if let Some(bytes) = socket.send_buffer {
        made.set_send_buffer_size(bytes)?;
    }
    let stream = made.connect(address).await?;
    // Messages wait for answers, and sound must not wait for company.
    stream.set_nodelay(true)?;
    Ok(stream)
}
