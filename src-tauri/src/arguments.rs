//! What the command line may say.

use clap::Parser;
use conclave_client::{ProxyUrl, ServerAddress, SharedSound};

use crate::settings::ProfileName;

/// Conclave: meetings that no server can open.
#[derive(Debug, Clone, Parser)]
#[command(name = "conclave-app", version)]
pub struct Arguments {
    /// Keep settings apart under this name, so that two windows can be two people.
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub profile: ProfileName,

    /// Camera instead of the chosen one: test, file:PATH, an ID, or off.
    #[arg(long, value_name = "SOURCE")]
    pub camera: Option<String>,

    /// Microphone instead of the chosen one: test, file:PATH, an ID, or off.
    #[arg(long, value_name = "SOURCE")]
    pub microphone: Option<String>,

    /// Loudspeaker instead of the chosen one: an ID, or null.
    #[arg(long, value_name = "SINK")]
    pub speaker: Option<String>,

    /// What “Share screen” offers instead of screens and windows: test or file:PATH.
    #[arg(long, value_name = "SOURCE")]
    pub screen: Option<String>,

    /// What “Share sound too” shares instead of the sound of this computer: test or file:PATH.
    #[arg(long, value_name = "SOURCE")]
    pub screen_sound: Option<SharedSound>,

    /// Host meetings on this server instead of one started for the meeting:
    /// https://HOST:PORT, followed by #FINGERPRINT if its certificate is self-signed.
    #[arg(long, value_name = "URL")]
    pub server: Option<ServerAddress>,

    /// Reach servers through this HTTP proxy alone, http://[NAME:PASSWORD@]HOST:PORT. Without it
    /// that of HTTPS_PROXY or ALL_PROXY is used, but for hosts of NO_PROXY.
    #[arg(long, value_name = "URL")]
    pub proxy: Option<ProxyUrl>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_those_of_the_command_line_client() {
        let line = [
            "app",
            "--profile",
            "ana",
            "--camera",
            "file:/x.webm",
            "--server",
            "https://h:1",
            "--proxy",
            "http://ana:s3cret@p:2",
        ];
        let arguments = Arguments::try_parse_from(line).expect("parses");
        assert_eq!(arguments.profile.as_str(), "ana");
        assert_eq!(arguments.camera.as_deref(), Some("file:/x.webm"));
        let server = arguments.server.as_ref();
        assert_eq!(server.map(|server| server.endpoint.port), Some(1));
        assert!(Arguments::try_parse_from(["app", "--server", "http://h"]).is_err());
        assert!(arguments.proxy.is_some());
        assert!(!format!("{arguments:?}").contains("s3cret"));
    }

    #[test]
    fn a_profile_is_a_plain_name() {
        for wrong in ["", "../x", "a/b", "a b", "ä", &"x".repeat(33)] {
            assert!(
                Arguments::try_parse_from(["app", "--profile", wrong]).is_err(),
                "{wrong}"
            );
        }
    }
}
