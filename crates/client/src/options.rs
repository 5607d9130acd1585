//! What a client is started with.

use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use conclave_identity::Identity;
use conclave_media::audio::{Cleaning, MicrophoneSource, Processing, SharedSound, SpeakerSink};
use conclave_media::video::{CameraSource, ScreenSource, ShareMode, Size};
use conclave_meeting::{DisplayName, InviteLink, Secrecy, Title};
use conclave_transport::{Endpoint, Fingerprint, Proxies, Trust};
use url::Url;

/// How long a server keeps a meeting that nobody ends, unless something else is chosen.
pub const MEETING_LIFETIME: Duration = Duration::from_secs(12 * 3600);

/// Everything that is settled before the lobby opens.
pub struct Options {
    /// New meeting or a link.
    pub entry: Entry,
    /// Which proxy leads to the server. None is asked for a server of our own.
    pub proxies: Proxies,
    /// Who this device is, and whom it knows.
    pub identity: Arc<Identity>,
    /// What is captured and where it is played.
    pub devices: Devices,
    /// Whether newcomers wait to be admitted (host).
    pub waiting_room: bool,
    /// What the traffic may tell (host).
    pub secrecy: Secrecy,
    /// Whether what is not verified as its sender's own is muted (host).
    pub strict: bool,
    /// How long the server keeps a meeting (host).
    pub lifetime: Duration,
    /// Show the own picture through the frame hub.
    pub preview: bool,
    /// Which size of the others' pictures is wanted.
    pub watch: Size,
    /// Record what is played and seen, one set of files for each person.
    pub save: Option<PathBuf>,
}

/// How somebody comes in.
pub enum Entry {
    /// As the host of a new meeting.
    Host(Server),
    /// By an invite link.
    Join(Box<InviteLink>),
}

/// Where a new meeting lives.
#[derive(Debug, Clone)]
pub enum Server {
    /// On a server of our own, started as a process beside us and ended with the client.
    Own,
    /// On a running server.
    At(ServerAddress),
}

/// Capture and playback.
#[derive(Debug, Clone)]
pub struct Devices {
    /// Picture source.
    pub camera: CameraSource,
    /// Sound source. A file begins to play once somebody is there to hear it.
    pub microphone: MicrophoneSource,
    /// Sound sink.
    pub speaker: SpeakerSink,
    /// What is heard with a shared screen, if sound goes along with it.
    pub screen_sound: SharedSound,
    /// In which cases the microphone's sound is cleaned.
    pub processing: Processing,
    /// What cleaning does: echo cancellation, noise suppression and gain.
    pub cleaning: Cleaning,
    /// Go on without a microphone or loudspeaker that does not open, and try it again and again.
    pub patient: bool,
}

impl Default for Devices {
    fn default() -> Self {
        Self {
            camera: CameraSource::Default,
            microphone: MicrophoneSource::default(),
            speaker: SpeakerSink::default(),
            screen_sound: SharedSound::default(),
            processing: Processing::default(),
            cleaning: Cleaning::default(),
            patient: false,
        }
    }
}

/// What a person wants to share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShareRequest {
    /// A screen or window.
    pub source: ScreenSource,
    /// What matters in it.
    pub mode: ShareMode,
    /// Whether the sound of this computer goes along, or what [`Devices::screen_sound`] names.
    pub sound: bool,
}

/// How a person wants to be seen, said when leaving the lobby.
#[derive(Debug, Clone)]
pub struct Introduction {
    /// The name that the others see.
    pub name: DisplayName,
    /// What the meeting is about (host; ignored for those who join).
    pub title: Title,
}

/// A server and how it is recognised.
#[derive(Debug, Clone)]
pub struct ServerAddress {
    /// Where.
    pub endpoint: Endpoint,
    /// Which certificate.
    pub certificate: Option<Fingerprint>,
}

/// Why a text names no server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{0}\" is no server address; write https://HOST:PORT, followed by #FINGERPRINT if the server's certificate is self-signed"
)]
pub struct ServerAddressError(String);

impl ServerAddress {
    pub(crate) fn of_link(link: &InviteLink) -> Self {
        Self {
            endpoint: Endpoint::new(link.host.clone(), link.port),
            certificate: link.certificate.map(Fingerprint),
        }
    }

    pub(crate) fn trust(&self) -> Trust {
        match &self.certificate {
            Some(certificate) => Trust::Pinned(*certificate),
            None => Trust::System,
        }
    }
}

impl FromStr for ServerAddress {
    type Err = ServerAddressError;

    /// Reads `https://HOST[:PORT][#FINGERPRINT]`.
    fn from_str(text: &str) -> Result<Self, ServerAddressError> {
        let fault = || ServerAddressError(text.to_owned());
        let url = Url::parse(text).map_err(|_| fault())?;
        let plain = url.scheme() == "https"
            && matches!(url.path(), "" | "/")
            && url.query().is_none()
            && url.username().is_empty();
        let host = url.host_str().filter(|_| plain).ok_or_else(fault)?;
        // The parser keeps the brackets of an IPv6 address; an endpoint has none.
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let is_address = host.parse::<IpAddr>().is_ok();
        if host.contains(':') && !is_address {
            return Err(fault());
        }
        let certificate = match url.fragment() {
            Some(fragment) => Some(fragment.parse().map_err(|_| fault())?),
            None => None,
        };
        let port = url.port_or_known_default().ok_or_else(fault)?;
        Ok(Self {
            endpoint: Endpoint::new(host, port),
            certificate,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_with_and_without_a_fingerprint() {
        let pinned = format!("https://127.0.0.1:4443#{}", Fingerprint([7; 32]));
        let address: ServerAddress = pinned.parse().unwrap();
        assert_eq!(
            (address.endpoint.host.as_str(), address.endpoint.port),
            ("127.0.0.1", 4443)
        );
        assert!(address.certificate.is_some());
        let address: ServerAddress = "https://meet.example.org".parse().unwrap();
        assert_eq!(address.endpoint.port, 443);
        assert_eq!(
            "https://[::1]:9"
                .parse::<ServerAddress>()
                .unwrap()
                .endpoint
                .host,
            "::1"
        );
    }

    #[test]
    fn other_texts_are_refused_with_advice() {
        for text in [
            "",
            "example.org",
            "http://example.org",
            "https://h/path",
            "https://h#short",
        ] {
            let error = text.parse::<ServerAddress>().unwrap_err().to_string();
            assert!(error.contains("write https://HOST:PORT"), "{text}");
        }
    }
}
