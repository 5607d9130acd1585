//! Where a server is.

use std::fmt;

use url::{Host, Url};

/// A server's host name or IP address and its port, the same number for UDP and TCP.
///
/// `Debug` shows it, errors do not: an address belongs on the screen, not in a log.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// A host name or an IP address (IPv6 without brackets).
    pub host: String,
    /// The port.
    pub port: u16,
}

impl Endpoint {
    /// A server at this host and port.
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self {
            host: host.into(),
            port,
        }
    }

    /// The host without the brackets of a literal IPv6 address: what TLS and DNS want.
    pub(crate) fn bare_host(&self) -> &str {
        self.host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .unwrap_or(&self.host)
    }

    /// `scheme://host:port/path`, or `None` when the host is no host.
    pub(crate) fn url(&self, scheme: &str, path: &str) -> Option<Url> {
        let host = match self.bare_host().parse() {
            Ok(address) => Host::<&str>::Ipv6(address).to_string(),
            Err(_) => Host::parse(self.bare_host()).ok()?.to_string(),
        };
        let mut url = Url::parse(&format!("{scheme}://{host}:{}", self.port)).ok()?;
        url.set_path(path);
        Some(url)
    }

    /// `host:port` as it stands in a URL, always with the port, or `None` when the host is no host.
    pub(crate) fn authority(&self) -> Option<String> {
        let url = self.url("https", "/")?;
        Some(format!("{}:{}", url.host_str()?, self.port))
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.bare_host().contains(':') {
            true => write!(f, "[{}]:{}", self.bare_host(), self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_host_is_bracketed_in_urls_and_bare_for_tls() {
        for host in ["::1", "[::1]"] {
            let endpoint = Endpoint::new(host, 4443);
            assert_eq!(endpoint.bare_host(), "::1");
            assert_eq!(endpoint.to_string(), "[::1]:4443");
            let url = endpoint.url("wss", "/v1/control").expect("a URL");
            assert_eq!(url.as_str(), "wss://[::1]:4443/v1/control");
            assert_eq!(endpoint.authority().as_deref(), Some("[::1]:4443"));
        }
        let usual = Endpoint::new("MEET.example.org", 443).authority();
        assert_eq!(usual.as_deref(), Some("meet.example.org:443"));
    }

    #[test]
    fn a_host_cannot_smuggle_a_path_or_another_host_into_the_url() {
        for host in ["", "a/b", "a@b", "a:1", "a?b", "a#b", "a b"] {
            assert_eq!(Endpoint::new(host, 1).url("wss", "/"), None, "{host:?}");
            assert_eq!(Endpoint::new(host, 1).authority(), None, "{host:?}");
        }
    }
}
