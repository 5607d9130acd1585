//! What the environment says about proxies, as other programs read it.

use std::net::IpAddr;
use std::sync::Arc;

use hyper_util::client::proxy::matcher::Matcher;
use tokio_tungstenite::tungstenite::http::Uri;

use super::{Proxy, ProxyError, ProxyUrl};
use crate::Endpoint;

/// Where a proxy is named, the first that is set. What is for unencrypted traffic alone
/// (`HTTP_PROXY`) is not for us.
const NAMES: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
/// Where hosts stand that are reached without it.
const EXEMPT: [&str; 2] = ["NO_PROXY", "no_proxy"];
/// What the matcher has for a proxy: it is asked about servers only, and keeps no credentials.
const STAND_IN: &str = "http://proxy.invalid";

/// The environment's proxy, and which servers are reached without it.
#[derive(Clone, Debug)]
pub struct Environment {
    proxy: Result<Proxy, ProxyError>,
    rules: Arc<Matcher>,
}

/// A variable of the environment; an empty one counts as none.
pub(super) fn variable(name: &str) -> Option<ProxyUrl> {
    let value = std::env::var_os(name).filter(|value| !value.is_empty())?;
    // What is no text is no address either, and shall not look like nothing set.
    Some(ProxyUrl::new(value.to_string_lossy().into_owned()))
}

impl Environment {
    /// What `variable` says; `None` when it names no proxy.
    pub(super) fn read(variable: impl Fn(&str) -> Option<ProxyUrl>) -> Option<Self> {
        let named = NAMES.iter().find_map(|name| Some((*name, variable(name)?)));
        let (name, url) = named?;
        let exempt = EXEMPT.iter().find_map(|name| variable(name));
        let rules = Matcher::builder().https(STAND_IN);
        let rules = match &exempt {
            Some(exempt) => rules.no(exempt.expose()),
            None => rules,
        };
        Some(Self {
            proxy: Proxy::named_by(name, &url),
            rules: Arc::new(rules.build()),
        })
    }

    /// The proxy that leads to `server`, if one does.
    pub(super) fn proxy_for(&self, server: &Endpoint) -> Result<Option<&Proxy>, ProxyError> {
        match is_loopback(server) || !self.counts_for(server) {
            true => Ok(None),
            false => self.proxy.as_ref().map(Some).map_err(Clone::clone),
        }
    }

    /// Whether `NO_PROXY` does not list the server. What is no host is refused elsewhere.
    fn counts_for(&self, server: &Endpoint) -> bool {
        let url = server.url("https", "/");
        let uri = url.and_then(|url| url.as_str().parse::<Uri>().ok());
        uri.is_some_and(|uri| self.rules.intercept(&uri).is_some())
    }
}

/// A proxy would look for it on its own computer. RFC 6761 §6.3
fn is_loopback(server: &Endpoint) -> bool {
    let host = server.bare_host();
    match host.parse::<IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback(),
        Err(_) => {
            let last = host.trim_end_matches('.').rsplit('.').next();
            last.is_some_and(|label| label.eq_ignore_ascii_case("localhost"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Proxies;
    use crate::proxy::ProxyUrlError;

    fn read(set: &[(&str, &str)]) -> Option<Environment> {
        Environment::read(|name| {
            let value = set.iter().find(|(known, _)| *known == name)?.1;
            Some(ProxyUrl::new(value.to_owned()))
        })
    }

    /// The proxy on the way to `host`.
    fn way(environment: &Environment, host: &str) -> Option<String> {
        let proxy = environment.proxy_for(&Endpoint::new(host, 4433)).unwrap();
        proxy.map(ToString::to_string)
    }

    #[test]
    fn the_variable_for_https_goes_before_the_one_for_all() {
        let all = ("ALL_PROXY", "http://all:1");
        let https = ("https_proxy", "http://https:2");
        let both = read(&[all, https]).unwrap();
        assert_eq!(way(&both, "a.example"), Some("http://https:2".into()));
        let one = read(&[all]).unwrap();
        assert_eq!(way(&one, "a.example"), Some("http://all:1".into()));
        assert!(read(&[("HTTP_PROXY", "http://plain:3")]).is_none());
        assert!(read(&[("NO_PROXY", "a.example")]).is_none());
    }

    #[test]
    fn hosts_on_the_list_are_reached_without_it() {
        let no = ("NO_PROXY", "inside.example, 10.0.0.0/8, 2001:db8::1");
        let environment = read(&[("HTTPS_PROXY", "http://p:1"), no]).unwrap();
        for host in [
            "inside.example",
            "meet.inside.example",
            "10.1.2.3",
            "2001:db8::1",
            "[2001:db8::1]",
        ] {
            assert_eq!(way(&environment, host), None, "{host}");
        }
        for host in ["notinside.example", "11.1.2.3", "2001:db8::2"] {
            assert!(way(&environment, host).is_some(), "{host}");
        }
        let all = read(&[("HTTPS_PROXY", "http://p:1"), ("no_proxy", "*")]).unwrap();
        assert_eq!(way(&all, "a.example"), None);
    }

    #[test]
    fn this_computer_is_reached_without_it_unless_the_proxy_is_named() {
        let environment = read(&[("HTTPS_PROXY", "http://p:1")]).unwrap();
        let here = [
            "127.0.0.1",
            "127.9.9.9",
            "::1",
            "[::1]",
            "::ffff:127.0.0.1",
            "localhost",
            "LOCALHOST.",
            "a.localhost",
        ];
        let named = ProxyUrl::new("http://p:1".into());
        let named = Proxies::choose(Some(named), None).unwrap();
        for host in here {
            assert_eq!(way(&environment, host), None, "{host}");
            let through = named.proxy_for(&Endpoint::new(host, 1)).unwrap();
            assert!(through.is_some(), "{host}");
        }
        for host in ["localhost.example", "128.0.0.1", "::2"] {
            assert!(way(&environment, host).is_some(), "{host}");
        }
    }

    #[test]
    fn a_proxy_that_cannot_be_used_is_not_gone_past() {
        let environment = read(&[("ALL_PROXY", "socks5://p:1"), ("NO_PROXY", "b.example")]);
        let environment = environment.unwrap();
        let error = environment.proxy_for(&Endpoint::new("a.example", 1));
        let expected = ProxyError::Setting {
            by: "ALL_PROXY",
            fault: ProxyUrlError::Kind,
        };
        assert_eq!(error.unwrap_err(), expected);
        for host in ["b.example", "localhost"] {
            assert_eq!(way(&environment, host), None, "{host}");
        }
    }
}
