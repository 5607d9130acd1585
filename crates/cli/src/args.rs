//! What can be written on the command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use conclave_client::{
    CameraSource, Cleaning, CleaningPart, Devices, DisplayName, InviteLink, MicrophoneSource,
    ProxyUrl, ScreenSource, Secrecy, ServerAddress, ShareMode, ShareRequest, SharedSound,
    SpeakerSink, Title,
};

use crate::who::{ContactsTask, IdentityTask, Who};

/// Encrypted meetings that no server can open.
#[derive(Parser)]
#[command(name = "conclave", version)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) task: Task,
}

#[derive(Subcommand)]
pub(crate) enum Task {
    /// Open a meeting and print its invite link.
    Host(Host),
    /// Join a meeting by its link.
    Join(Join),
    /// The identity by which others know this device.
    #[command(subcommand)]
    Identity(IdentityTask),
    /// Whom an identity has met.
    #[command(subcommand)]
    Contacts(ContactsTask),
    /// List cameras, microphones, loudspeakers, screens and windows with their ids.
    Devices(Listing),
    /// Let two people meet on this computer for a while and tell what came of it.
    Demo(Demo),
}

#[derive(Args)]
pub(crate) struct Listing {
    /// Print one JSON object a line.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct Host {
    /// A running server, https://HOST:PORT#FINGERPRINT; without it one is started here.
    #[arg(long, value_name = "URL")]
    pub(crate) server: Option<ServerAddress>,
    /// What the meeting is about.
    #[arg(long, default_value = "Meeting")]
    pub(crate) title: Title,
    /// Whether newcomers are let in by themselves or each is asked for: by a line on standard input
    /// (y or n) or, with --commands, by orders.
    #[arg(long, value_enum, default_value_t = Admit::Ask)]
    pub(crate) admit: Admit,
    /// What the traffic may tell to somebody who counts bytes: high sends sound at one rate and
    /// size, muted or not, and pictures in a few sizes only.
    #[arg(long, value_enum, default_value_t = Level::Standard)]
    pub(crate) secrecy: Level,
    /// Mute what is not verified as its sender's own, and do not only mark it.
    #[arg(long)]
    pub(crate) strict: bool,
    #[command(flatten)]
    pub(crate) seat: Seat,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Admit {
    All,
    Ask,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Level {
    Standard,
    High,
}

impl From<Level> for Secrecy {
    fn from(level: Level) -> Self {
        match level {
            Level::Standard => Self::Standard,
            Level::High => Self::High,
        }
    }
}

#[derive(Args)]
pub(crate) struct Join {
    /// The invite link, in quotes: it has a # in it.
    pub(crate) link: InviteLink,
    #[command(flatten)]
    pub(crate) seat: Seat,
}

#[derive(Args)]
pub(crate) struct Seat {
    /// The name that the others see.
    #[arg(long)]
    pub(crate) name: DisplayName,
    /// default, test, off, file:PATH, or a device's id.
    #[arg(long, default_value = "default")]
    pub(crate) camera: CameraSource,
    /// default, test, off, file:PATH, or a device's id. A file begins once somebody hears it.
    #[arg(long, default_value = "default")]
    pub(crate) microphone: MicrophoneSource,
    /// default, null, or a device's id.
    #[arg(long, default_value = "default")]
    pub(crate) speaker: SpeakerSink,
    /// Share this once in the meeting: screen, screen:NAME, window:ID, portal, test or file:PATH.
    #[arg(long, value_name = "SOURCE")]
    pub(crate) screen: Option<ScreenSource>,
    /// What matters in a shared screen: text is sharp at a low rate, motion fluent at a lower size.
    #[arg(long, value_name = "MODE", default_value = "text", value_parser = mode)]
    pub(crate) screen_mode: ShareMode,
    /// Let this sound go along with --screen, and with what an order shares with sound: computer (what
    /// other programs play), test or file:PATH.
    #[arg(long, value_name = "SOURCE")]
    pub(crate) screen_sound: Option<SharedSound>,
    /// What is done to a microphone's sound, separated by commas: echo, noise, gain; or none. Sound
    /// of a file or a test signal stays as it is.
    #[arg(long, value_name = "WHAT", default_value = "echo,noise,gain", value_parser = cleaning)]
    pub(crate) clean: Cleaning,
    /// Leave after so many seconds in the meeting.
    #[arg(long, value_name = "S")]
    pub(crate) seconds: Option<u64>,
    /// For each other person write NAME.wav, NAME.mkv and NAME.png into this folder, and of shared
    /// screens NAME.screen.wav, NAME.screen.mkv and NAME.screen.png.
    #[arg(long, value_name = "DIR")]
    pub(crate) save: Option<PathBuf>,
    /// Reach the server through this HTTP proxy alone, http://[NAME:PASSWORD@]HOST:PORT. Without it
    /// that of HTTPS_PROXY or ALL_PROXY is used, but for hosts of NO_PROXY.
    #[arg(long, value_name = "URL")]
    pub(crate) proxy: Option<ProxyUrl>,
    /// Print one JSON object a line.
    #[arg(long)]
    pub(crate) json: bool,
    /// Obey orders on standard input, one a line: admit, refuse, remove, lock, waiting-room, role,
    /// successor, strict, secrecy, open-microphones, hand, let-speak, lower, ask-to-mute, sharing,
    /// share, new-link, safety-number, accept, verify, stop-scan, mute, camera, watch, microphone,
    /// speaker, clean, tone, end, leave.
    #[arg(long)]
    pub(crate) commands: bool,
    #[command(flatten)]
    pub(crate) who: Who,
}

impl Seat {
    pub(crate) fn devices(&self) -> Devices {
        Devices {
            camera: self.camera.clone(),
            microphone: self.microphone.clone(),
            speaker: self.speaker.clone(),
            screen_sound: self.screen_sound.clone().unwrap_or_default(),
            cleaning: self.clean,
            ..Devices::default()
        }
    }

    /// What to share once in.
    pub(crate) fn share(&self) -> Option<ShareRequest> {
        Some(ShareRequest {
            source: self.screen.clone()?,
            mode: self.screen_mode,
            sound: self.screen_sound.is_some(),
        })
    }
}

/// Reads what matters in a shared screen.
fn mode(text: &str) -> Result<ShareMode, &'static str> {
    ShareMode::named(text).ok_or("write text or motion")
}

/// Reads what cleaning shall do.
fn cleaning(text: &str) -> Result<Cleaning, String> {
    let mut cleaning = Cleaning {
        echo: false,
        noise: false,
        gain: false,
    };
    for word in text.split(',').filter(|_| text != "none") {
        let part = CleaningPart::named(word)
            .ok_or("write echo, noise and gain, separated by commas, or none")?;
        cleaning.set(part, true);
    }
    Ok(cleaning)
}

#[derive(Args)]
pub(crate) struct Demo {
    /// How long the two are together, in seconds.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(3..=3600))]
    pub(crate) seconds: u64,
    /// Where what arrived is kept.
    #[arg(long, value_name = "DIR")]
    pub(crate) save: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cleaning_is_read_as_written() {
        let all = Cleaning::default();
        assert_eq!(cleaning("gain,echo,noise"), Ok(all));
        let noise = cleaning("noise").unwrap();
        assert!(noise.noise && !noise.echo && !noise.gain);
        assert!(!cleaning("none").unwrap().noise);
        for wrong in ["", "none,echo", "reverb"] {
            assert!(cleaning(wrong).is_err(), "{wrong}");
        }
    }
}
