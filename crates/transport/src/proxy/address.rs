//! Where a proxy is, and what it wants to hear first.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use url::Url;
use zeroize::Zeroizing;

use super::ProxyError;
use crate::Endpoint;

/// Longer names and passwords are somebody's mistake, bytes as written.
const MAX_USERINFO: usize = 1024;

/// A proxy's address as somebody wrote it, wiped when dropped: a password may stand in it. It is
/// judged later, because readers of command lines repeat what they refuse.
#[derive(Clone)]
pub struct ProxyUrl(Zeroizing<String>);

impl ProxyUrl {
    /// What was written.
    pub fn new(written: String) -> Self {
        Self(Zeroizing::new(written))
    }

    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl FromStr for ProxyUrl {
    type Err = Infallible;

    fn from_str(written: &str) -> Result<Self, Infallible> {
        Ok(Self::new(written.to_owned()))
    }
}

impl fmt::Debug for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProxyUrl(redacted)")
    }
}

/// Misuse: why a text names no proxy that can be used. The texts do not repeat it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProxyUrlError {
    /// Another kind of proxy, such as SOCKS, or one that wants TLS for itself.
    #[error(
        "Conclave speaks to HTTP proxies only, without TLS to the proxy itself. Write http://HOST:PORT."
    )]
    Kind,
    /// No address.
    #[error(
        "This is no proxy address. Write http://HOST:PORT or http://NAME:PASSWORD@HOST:PORT; in name and password write %2F for /, %3F for ?, %23 for # and %3A for a colon in the name."
    )]
    Malformed,
    /// A name with a colon in it, or too much.
    #[error(
        "These are no credentials for a proxy. Take a name without a colon, and at most {MAX_USERINFO} characters for name and password together."
    )]
    Credentials,
}

/// An HTTP proxy. Shown without its credentials.
#[derive(Clone, Debug)]
pub struct Proxy {
    pub(super) endpoint: Endpoint,
    pub(super) credentials: Option<Credentials>,
}

impl Proxy {
    /// What a flag, a setting or a variable names.
    pub(super) fn named_by(by: &'static str, url: &ProxyUrl) -> Result<Self, ProxyError> {
        Self::parse(url).map_err(|fault| ProxyError::Setting { by, fault })
    }

    /// Reads `[http://][NAME[:PASSWORD]@]HOST[:PORT][/]`.
    ///
    /// # Errors
    /// See [`ProxyUrlError`].
    pub fn parse(url: &ProxyUrl) -> Result<Self, ProxyUrlError> {
        let written = url.expose().trim();
        let (scheme, rest) = written.split_once("://").unwrap_or(("http", written));
        if !scheme.eq_ignore_ascii_case("http") {
            return Err(ProxyUrlError::Kind);
        }
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        if authority.contains(['/', '?', '#', '\\']) {
            return Err(ProxyUrlError::Malformed);
        }
        let (userinfo, place) = match authority.rsplit_once('@') {
            Some((userinfo, place)) => (Some(userinfo), place),
            None => (None, authority),
        };
        // What is left holds no secret: the parser keeps its text.
        let place = Url::parse(&format!("http://{place}")).map_err(|_| ProxyUrlError::Malformed)?;
        let host = place.host_str().ok_or(ProxyUrlError::Malformed)?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let port = place.port_or_known_default();
        let endpoint = Endpoint::new(host, port.ok_or(ProxyUrlError::Malformed)?);
        let userinfo = userinfo.filter(|userinfo| !userinfo.is_empty());
        Ok(Self {
            endpoint,
            credentials: userinfo.map(Credentials::encode).transpose()?,
        })
    }

    /// Whether name and password stand in its address.
    pub fn has_credentials(&self) -> bool {
        self.credentials.is_some()
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}", self.endpoint)
    }
}

/// Name and password as the header has them (RFC 7617 §2), wiped when dropped.
#[derive(Clone)]
pub(super) struct Credentials(Zeroizing<Vec<u8>>);

impl Credentials {
    fn encode(userinfo: &str) -> Result<Self, ProxyUrlError> {
        if userinfo.len() > MAX_USERINFO {
            return Err(ProxyUrlError::Credentials);
        }
        let (name, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
        // With this room no copy is left behind by growing.
        let mut plain = Zeroizing::new(Vec::with_capacity(userinfo.len() + 1));
        plain.extend(percent_decode_str(name));
        if plain.contains(&b':') {
            return Err(ProxyUrlError::Credentials);
        }
        plain.push(b':');
        plain.extend(percent_decode_str(password));
        let mut encoded = Zeroizing::new(vec![0; plain.len().div_ceil(3) * 4]);
        let fits = STANDARD.encode_slice(&*plain, &mut encoded);
        fits.map_err(|_| ProxyUrlError::Credentials)?;
        Ok(Self(encoded))
    }

    /// Base64, for the header alone.
    pub(super) fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(written: &str) -> Result<Proxy, ProxyUrlError> {
        Proxy::parse(&ProxyUrl::new(written.to_owned()))
    }

    fn header(written: &str) -> Option<String> {
        let credentials = parse(written).unwrap().credentials?;
        Some(String::from_utf8(credentials.expose().to_vec()).unwrap())
    }

    #[test]
    fn addresses_are_read_as_people_write_them() {
        for (written, shown) in [
            ("http://proxy.example:3128", "http://proxy.example:3128"),
            ("HTTP://proxy.example:3128/", "http://proxy.example:3128"),
            ("proxy.example:3128", "http://proxy.example:3128"),
            ("http://proxy.example", "http://proxy.example:80"),
            (" http://[::1]:3128 ", "http://[::1]:3128"),
            ("http://a:b@10.0.0.1:3128", "http://10.0.0.1:3128"),
        ] {
            assert_eq!(parse(written).unwrap().to_string(), shown, "{written}");
        }
    }

    #[test]
    fn credentials_are_decoded_and_encoded_for_the_header() {
        // RFC 7617 §2, the example.
        let aladdin = Some("QWxhZGRpbjpvcGVuIHNlc2FtZQ==".to_owned());
        assert_eq!(header("http://Aladdin:open%20sesame@p:1"), aladdin);
        assert_eq!(header("http://a:b@c@p:1"), Some("YTpiQGM=".into()));
        assert_eq!(header("http://a:b:c@p:1"), Some("YTpiOmM=".into()));
        assert_eq!(header("a@p:1"), Some("YTo=".into()));
        assert!(parse("http://a@p:1").unwrap().has_credentials());
        assert!(!parse("http://p:1").unwrap().has_credentials());
        assert_eq!(header("http://@p:1"), None);
        assert_eq!(header("http://p:1"), None);
    }

    #[test]
    fn other_texts_are_refused_and_not_repeated() {
        let long = format!("http://{}:x@p:1", "n".repeat(MAX_USERINFO));
        for (written, fault) in [
            ("", ProxyUrlError::Malformed),
            ("http://", ProxyUrlError::Malformed),
            ("http://s3cret:pw@", ProxyUrlError::Malformed),
            ("http://p:port", ProxyUrlError::Malformed),
            ("http://s3cret:p/w@p:1", ProxyUrlError::Malformed),
            ("http://p:1/path", ProxyUrlError::Malformed),
            ("http://p p:1", ProxyUrlError::Malformed),
            ("https://s3cret:pw@p:1", ProxyUrlError::Kind),
            ("socks5://p:1", ProxyUrlError::Kind),
            ("http://s3cret%3a:pw@p:1", ProxyUrlError::Credentials),
            (&long, ProxyUrlError::Credentials),
        ] {
            let error = parse(written).unwrap_err();
            assert_eq!(error, fault, "{written}");
            assert!(!error.to_string().contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn nothing_that_is_printed_shows_the_credentials() {
        let url = ProxyUrl::new("http://ana:s3cret@p:1".into());
        let proxy = Proxy::parse(&url).unwrap();
        let encoded = header("http://ana:s3cret@p:1").unwrap();
        for printed in [format!("{url:?}"), format!("{proxy:?}"), proxy.to_string()] {
            for secret in ["ana", "s3cret", &encoded] {
                assert!(!printed.contains(secret), "{printed}");
            }
        }
        assert!(format!("{proxy:?}").contains("redacted"));
    }
}
