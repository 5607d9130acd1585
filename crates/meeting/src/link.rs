//! The invite link.
//!
//! ```text
//! conclave://HOST[:PORT]/j/MEETING#v1.SECRET.HOSTKEY[.CERTIFICATE]
//! ```
//!
//! MEETING is 16 bytes, SECRET 32, HOSTKEY 16 (a fingerprint of the host's device key) and
//! CERTIFICATE 32 (SHA-256 of the server's certificate, where no public authority vouches for
//! it), each in base64url without padding. What stands after `#` never goes to a server.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use conclave_e2ee::LinkSecret;
use conclave_wire::MeetingId;

/// The port when the link names none.
const DEFAULT_PORT: u16 = 443;
/// A link longer than this is none of ours.
const MAX_LINK: usize = 1024;

/// Why a text is no invite link. Each message says what to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// Another scheme, or none.
    #[error(
        "this is not a Conclave link: it must begin with conclave://; copy the whole link from the invitation"
    )]
    NotALink,
    /// Host, port or path missing or wrong.
    #[error("the link's address is damaged; copy the whole link from the invitation")]
    Address,
    /// No `#…` part, or a part of it missing or cut short.
    #[error(
        "the link is cut short: the part after # is missing or damaged; copy the whole link from the invitation"
    )]
    Secret,
    /// A format from the future.
    #[error("the link is of a newer kind than this version of Conclave knows; update Conclave")]
    Version,
}

/// A parsed invite link. It lets its holder knock, no more.
#[derive(Clone)]
pub struct InviteLink {
    /// The server's host name or address; IPv6 without brackets.
    pub host: String,
    /// The server's port, the same for TCP and UDP.
    pub port: u16,
    /// Which meeting.
    pub meeting: MeetingId,
    /// The secret that everyone invited shares.
    pub secret: LinkSecret,
    /// Fingerprint of the host's device key: nobody else can pose as the host.
    pub host_key: [u8; 16],
    /// The server's certificate, if it is pinned.
    pub certificate: Option<[u8; 32]>,
}

impl InviteLink {
    /// The whole link with its secret, to be shown to the person who invites and nowhere else.
    pub fn expose(&self) -> String {
        let mut link = format!(
            "conclave://{}/j/{}#v1.{}.{}",
            self.authority(),
            BASE64URL.encode(self.meeting.0),
            BASE64URL.encode(self.secret.expose()),
            BASE64URL.encode(self.host_key),
        );
        if let Some(certificate) = &self.certificate {
            link.push('.');
            link.push_str(&BASE64URL.encode(certificate));
        }
        link
    }

    fn authority(&self) -> String {
        let host = match self.host.contains(':') {
            true => format!("[{}]", self.host),
            false => self.host.clone(),
        };
        match self.port {
            DEFAULT_PORT => host,
            port => format!("{host}:{port}"),
        }
    }
}

impl fmt::Debug for InviteLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InviteLink(redacted)")
    }
}

impl FromStr for InviteLink {
    type Err = LinkError;

    fn from_str(text: &str) -> Result<Self, LinkError> {
        let text = text.trim();
        if text.len() > MAX_LINK {
            return Err(LinkError::NotALink);
        }
        let rest = strip_scheme(text).ok_or(LinkError::NotALink)?;
        let (address, fragment) = rest.split_once('#').ok_or(LinkError::Secret)?;
        let (authority, meeting) = address.split_once("/j/").ok_or(LinkError::Address)?;
        let (host, port) = parse_authority(authority).ok_or(LinkError::Address)?;
        let meeting = decode(meeting.trim_end_matches('/')).ok_or(LinkError::Address)?;
        let mut parts = fragment.split('.');
        match parts.next() {
            Some("v1") => {}
            Some(version) if version.starts_with('v') => return Err(LinkError::Version),
            _ => return Err(LinkError::Secret),
        }
        let secret = parts.next().and_then(decode).ok_or(LinkError::Secret)?;
        let host_key = parts.next().and_then(decode).ok_or(LinkError::Secret)?;
        let certificate = match parts.next() {
            Some(part) => Some(decode(part).ok_or(LinkError::Secret)?),
            None => None,
        };
        if parts.next().is_some() {
            return Err(LinkError::Secret);
        }
        Ok(Self {
            host,
            port,
            meeting: MeetingId(meeting),
            secret: LinkSecret::from_bytes(secret),
            host_key,
            certificate,
        })
    }
}

/// Schemes are case-insensitive (RFC 3986 §3.1), and chat programs do change their case.
fn strip_scheme(text: &str) -> Option<&str> {
    const SCHEME: &str = "conclave://";
    let head = text.get(..SCHEME.len())?;
    head.eq_ignore_ascii_case(SCHEME)
        .then(|| &text[SCHEME.len()..])
}

fn parse_authority(authority: &str) -> Option<(String, u16)> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']')?;
            host.parse::<std::net::Ipv6Addr>().ok()?;
            match port {
                "" => (host, None),
                port => (host, Some(port.strip_prefix(':')?)),
            }
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | ':' | '_');
    if host.is_empty() || host.len() > 253 || !host.chars().all(fine) {
        return None;
    }
    let port = match port {
        Some(port) => port.parse().ok().filter(|port| *port != 0)?,
        None => DEFAULT_PORT,
    };
    Some((host.to_owned(), port))
}

fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    BASE64URL.decode(text).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(host: &str, port: u16, pinned: bool) -> InviteLink {
        InviteLink {
            host: host.into(),
            port,
            meeting: MeetingId([1; 16]),
            secret: LinkSecret::from_bytes([2; 32]),
            host_key: [3; 16],
            certificate: pinned.then_some([4; 32]),
        }
    }

    #[test]
    fn a_link_reads_what_it_writes() {
        for (host, port, pinned) in [
            ("meet.example.org", 443, false),
            ("127.0.0.1", 4443, true),
            ("::1", 4443, true),
        ] {
            let text = link(host, port, pinned).expose();
            let parsed: InviteLink = text.parse().expect("parses");
            assert_eq!(parsed.expose(), text);
            assert_eq!((parsed.host.as_str(), parsed.port), (host, port));
        }
        assert!(
            link("h", 443, false)
                .expose()
                .starts_with("conclave://h/j/")
        );
        assert!(
            link("::1", 9, false)
                .expose()
                .starts_with("conclave://[::1]:9/j/")
        );
    }

    #[test]
    fn every_cut_is_an_error_and_none_panics() {
        let text = link("meet.example.org", 443, true).expose();
        // A cut at the last dot leaves a whole link without its pin; every other one is damaged.
        let whole_without_pin = text.rfind('.').expect("has a pin");
        for len in (0..text.len()).filter(|len| *len != whole_without_pin) {
            assert!(text[..len].parse::<InviteLink>().is_err(), "{len}");
        }
    }

    #[test]
    fn faults_are_told_apart() {
        let fault = |text: &str| text.parse::<InviteLink>().err();
        assert_eq!(fault("https://example.org"), Some(LinkError::NotALink));
        assert_eq!(fault("conclave://h/x/y#v1.a.b"), Some(LinkError::Address));
        assert_eq!(
            fault("conclave://h:0/j/AQEBAQEBAQEBAQEBAQEBAQ#v1.a.b"),
            Some(LinkError::Address)
        );
        assert_eq!(
            fault("conclave://h/j/AQEBAQEBAQEBAQEBAQEBAQ"),
            Some(LinkError::Secret)
        );
        assert_eq!(
            fault("conclave://h/j/AQEBAQEBAQEBAQEBAQEBAQ#v2.a.b"),
            Some(LinkError::Version)
        );
        assert_eq!(
            fault("conclave://h/j/AQEBAQEBAQEBAQEBAQEBAQ#x1.a.b"),
            Some(LinkError::Secret)
        );
    }

    #[test]
    fn a_link_is_no_longer_than_any_that_is_written() {
        let text = link("meet.example.org", 443, true).expose();
        let long = |host: usize| {
            let link = link(&"h".repeat(host), 443, true);
            link.expose().parse::<InviteLink>().map(|_| ())
        };
        assert_eq!(long(253), Ok(()));
        assert_eq!(long(254), Err(LinkError::Address));
        let tail = "/".repeat(MAX_LINK);
        let slashes = |len: usize| {
            let (address, secret) = text.split_once('#').expect("has a secret");
            let slashes = &tail[..len - text.len()];
            format!("{address}{slashes}#{secret}")
                .parse::<InviteLink>()
                .map(|_| ())
        };
        assert_eq!(slashes(MAX_LINK), Ok(()));
        assert_eq!(slashes(MAX_LINK + 1), Err(LinkError::NotALink));
    }

    #[test]
    fn an_address_is_whole_or_none() {
        for (authority, expected) in [
            ("h", Some(("h", 443))),
            ("h:9", Some(("h", 9))),
            ("[::1]", Some(("::1", 443))),
            ("[::1]:9", Some(("::1", 9))),
            ("", None),
            (":9", None),
            ("h:", None),
            ("h:0", None),
            ("h:65536", None),
            ("a b", None),
            ("user@h", None),
            ("[h]", None),
            ("[::1", None),
            ("[::1]9", None),
            ("[::1]:", None),
        ] {
            let expected = expected.map(|(host, port): (&str, u16)| (host.to_owned(), port));
            assert_eq!(parse_authority(authority), expected, "{authority}");
        }
    }

    #[test]
    fn a_link_hides_in_logs() {
        assert_eq!(format!("{:?}", link("h", 1, true)), "InviteLink(redacted)");
    }
}
