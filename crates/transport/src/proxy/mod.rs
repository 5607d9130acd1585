//! Through an HTTP proxy, where a network lets nothing else out.
//!
//! ```text
//!   --proxy, kept, CONCLAVE_PROXY   named: everything goes through it, and nothing past it
//!   HTTPS_PROXY, ALL_PROXY          of the environment: TCP goes through it, QUIC is tried past it
//! ```
//!
//! The proxy is asked for a tunnel to the server, and TLS begins inside the tunnel. So it learns the
//! server's name, and when how much goes; certificates are judged as without it.

mod address;
mod environment;
mod error;
mod tunnel;

use crate::Endpoint;

pub use address::{Proxy, ProxyUrl, ProxyUrlError};
pub use environment::Environment;
pub use error::ProxyError;
pub(crate) use tunnel::open;

/// The flag of our programs.
const FLAG: &str = "--proxy";
/// What a person has written into a program's own settings.
const KEPT: &str = "the field on the start page";
/// The same as a variable of the environment: flags, and a password among them, stand in the list of
/// processes for everybody to see.
const VARIABLE: &str = "CONCLAVE_PROXY";

/// Which proxy leads to a server, if any.
#[derive(Clone, Debug, Default)]
pub enum Proxies {
    /// None leads to any.
    #[default]
    None,
    /// Somebody named this one. Everything goes through it: a packet past it would show where this
    /// device is to those from whom the proxy was to hide it.
    Only(Proxy),
    /// What the environment says, for each server. It says how to get out, and not that there is
    /// something to hide, so QUIC is tried past it.
    Environment(Environment),
}

impl Proxies {
    /// The one that is named, by the flag, in the program's settings (`kept`) or by `CONCLAVE_PROXY`,
    /// or else what the environment says.
    ///
    /// # Errors
    /// [`ProxyError::Setting`] when the named one cannot be used. A fault of the environment is told
    /// when a server is to be reached for which it counts.
    pub fn choose(flag: Option<ProxyUrl>, kept: Option<ProxyUrl>) -> Result<Self, ProxyError> {
        let variable = || Some((VARIABLE, environment::variable(VARIABLE)?));
        let named = flag.map(|url| (FLAG, url));
        let named = named.or_else(|| Some((KEPT, kept?))).or_else(variable);
        match named {
            Some((by, url)) => Ok(Self::Only(Proxy::named_by(by, &url)?)),
            None => {
                let environment = Environment::read(environment::variable);
                Ok(environment.map_or(Self::None, Self::Environment))
            }
        }
    }

    /// The proxy that leads to `server`; `None` when it is reached without one.
    ///
    /// # Errors
    /// [`ProxyError::Setting`] when the environment names one that cannot be used: to go without
    /// would be against what somebody has set.
    pub fn proxy_for(&self, server: &Endpoint) -> Result<Option<&Proxy>, ProxyError> {
        match self {
            Self::None => Ok(None),
            Self::Only(proxy) => Ok(Some(proxy)),
            Self::Environment(environment) => environment.proxy_for(server),
        }
    }

    /// Whether packets may go to a server past the proxy.
    pub(crate) fn allow_direct(&self) -> bool {
        !matches!(self, Self::Only(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(host: &str) -> Option<ProxyUrl> {
        Some(ProxyUrl::new(format!("http://{host}:1")))
    }

    #[test]
    fn a_flag_goes_before_what_was_kept() {
        let way = |flag, kept| {
            let proxies = Proxies::choose(flag, kept).unwrap();
            let server = Endpoint::new("a.example", 1);
            proxies.proxy_for(&server).unwrap().map(ToString::to_string)
        };
        assert_eq!(way(url("flag"), url("kept")).unwrap(), "http://flag:1");
        assert_eq!(way(None, url("kept")).unwrap(), "http://kept:1");
    }

    #[test]
    fn what_was_kept_and_is_none_is_named_and_not_gone_past() {
        let kept = Some(ProxyUrl::new("socks5://p:1".into()));
        let error = Proxies::choose(None, kept).unwrap_err().to_string();
        assert!(
            error.starts_with("The proxy that the field on the start page names cannot be used.")
        );
    }
}
