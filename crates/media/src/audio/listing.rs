//! Which microphones and loudspeakers there are, and which of them is the default.
//!
//! What the system lists holds much that is no device: PipeWire also gives every program's stream,
//! and a "default" without a name; ALSA gives each card a dozen times under names of its plug-ins.
//! Of these only what a person can point at is shown.

use cpal::Device;
use cpal::Host;
use cpal::traits::{DeviceTrait, HostTrait};

use super::devices::{bounded, device_name};
use super::error::AudioError;
use crate::{DeviceInfo, DeviceKind};

const PIPEWIRE: &str = "PipeWire";
const PULSE: &str = "PulseAudio";
const ALSA: &str = "ALSA";

/// Microphones that can be chosen now.
///
/// # Errors
/// [`AudioError::SoundSystemSilent`] if the sound system does not answer.
pub fn list_microphones() -> Result<Vec<DeviceInfo>, AudioError> {
    list(DeviceKind::Microphone)
}

/// Loudspeakers that can be chosen now.
///
/// # Errors
/// [`AudioError::SoundSystemSilent`] if the sound system does not answer.
pub fn list_speakers() -> Result<Vec<DeviceInfo>, AudioError> {
    list(DeviceKind::Speaker)
}

pub(super) fn list(kind: DeviceKind) -> Result<Vec<DeviceInfo>, AudioError> {
    bounded(kind, move || {
        host().map_or_else(Vec::new, |host| listed(kind, &host))
    })
}

/// The device that is the default now; none if that cannot be told.
pub(super) fn find_default(kind: DeviceKind) -> Option<DeviceInfo> {
    let asked = bounded(kind, move || {
        let host = host()?;
        named_default(kind, &host)
    });
    asked.ok().flatten()
}

/// The sound system to use. While a sound server that was there is away, none: to take the cards
/// from under it would keep it from coming back.
pub(super) fn host() -> Option<Host> {
    let names: Vec<_> = cpal::available_hosts();
    let has_server = names
        .iter()
        .any(|id| [PIPEWIRE, PULSE].contains(&id.name()));
    let host = cpal::default_host();
    (!has_server || host.id().name() != ALSA).then_some(host)
}

pub(super) fn default_of(kind: DeviceKind, host: &Host) -> Option<Device> {
    match kind {
        DeviceKind::Microphone => host.default_input_device(),
        DeviceKind::Speaker => host.default_output_device(),
    }
}

/// The name to show for a device that was opened as the default one.
pub(super) fn default_name(kind: DeviceKind, opened: &Device) -> String {
    if !is_moved_by_the_system(opened) {
        return device_name(opened);
    }
    match pulse().and_then(|pulse| default_of(kind, &pulse)) {
        Some(device) => device_name(&device),
        None => "System default".to_owned(),
    }
}

/// The id of what a stream is bound to; none if the system moves it with its default.
pub(super) fn fixed_id(device: &Device) -> Option<String> {
    match is_moved_by_the_system(device) {
        true => None,
        false => device.id().ok().map(|id| id.to_string()),
    }
}

/// PipeWire's stand-ins for "the default" have no node of their own.
fn is_moved_by_the_system(device: &Device) -> bool {
    device.id().is_ok_and(|id| {
        let name = id.id();
        id.host().name() == PIPEWIRE
            && ["sink_default", "input_default", "output_default"].contains(&name)
    })
}

/// PulseAudio's side of the sound server: it knows names that PipeWire's side does not tell.
fn pulse() -> Option<Host> {
    let mut known = cpal::available_hosts().into_iter();
    let id = known.find(|id| id.name() == PULSE)?;
    cpal::host_from_id(id).ok()
}

fn named_default(kind: DeviceKind, host: &Host) -> Option<DeviceInfo> {
    let device = match host.id().name() {
        PIPEWIRE => default_of(kind, &pulse()?)?,
        _ => default_of(kind, host)?,
    };
    Some(DeviceInfo {
        id: device.id().ok()?.to_string(),
        name: device_name(&device),
        is_default: true,
    })
}

fn listed(kind: DeviceKind, host: &Host) -> Vec<DeviceInfo> {
    let all = found(kind, host);
    match host.id().name() {
        PIPEWIRE => {
            let known = pulse().map(|pulse| {
                let default = default_of(kind, &pulse).and_then(|device| device.id().ok());
                (found(kind, &pulse), default.map(|id| id.to_string()))
            });
            match known {
                Some((known, default)) => pipewire_devices(all, &known, default.as_deref()),
                None => nodes(all),
            }
        }
        PULSE => marked(without_monitors(all), default_of(kind, host)),
        ALSA => marked(cards(all), None),
        _ => marked(all, default_of(kind, host)),
    }
}

fn found(kind: DeviceKind, host: &Host) -> Vec<DeviceInfo> {
    // PipeWire calls every sink an input too, for whoever records what is played.
    let is_wanted = |device: &Device| match (kind, host.id().name()) {
        (DeviceKind::Microphone, PIPEWIRE) => device.supports_input() && !device.supports_output(),
        (DeviceKind::Microphone, _) => device.supports_input(),
        (DeviceKind::Speaker, _) => device.supports_output(),
    };
    let Ok(devices) = host.devices() else {
        return Vec::new();
    };
    devices
        .filter(is_wanted)
        .filter(|device| !is_moved_by_the_system(device))
        .filter_map(|device| {
            Some(DeviceInfo {
                id: device.id().ok()?.to_string(),
                name: device_name(&device),
                is_default: false,
            })
        })
        .collect()
}

fn marked(mut devices: Vec<DeviceInfo>, default: Option<Device>) -> Vec<DeviceInfo> {
    let default = default.and_then(|device| Some(device.id().ok()?.to_string()));
    for device in &mut devices {
        device.is_default = Some(&device.id) == default.as_ref();
    }
    devices
}

/// What comes after the name of the host in an id.
fn own_part(id: &str) -> &str {
    id.split_once(':').map_or(id, |(_, own)| own)
}

/// Those nodes that PulseAudio's side knows as devices too; both give a device the same name.
fn pipewire_devices(
    nodes: Vec<DeviceInfo>,
    known: &[DeviceInfo],
    default: Option<&str>,
) -> Vec<DeviceInfo> {
    let is_known = |node: &DeviceInfo| {
        let mut others = known.iter();
        others.any(|device| own_part(&device.id) == own_part(&node.id))
    };
    let mut devices: Vec<DeviceInfo> = nodes.into_iter().filter(is_known).collect();
    for device in &mut devices {
        device.is_default = default.map(own_part) == Some(own_part(&device.id));
    }
    devices
}

/// Without PulseAudio's side: programs' streams carry no description.
fn nodes(mut all: Vec<DeviceInfo>) -> Vec<DeviceInfo> {
    all.retain(|node| node.name != "unknown");
    all
}

/// What a loudspeaker plays is no microphone.
fn without_monitors(mut all: Vec<DeviceInfo>) -> Vec<DeviceInfo> {
    all.retain(|source| !source.id.ends_with(".monitor"));
    all
}

/// Of ALSA's many names for a card the one that converts rates and formats, by the card's name
/// rather than its number, which another card may have tomorrow.
fn cards(all: Vec<DeviceInfo>) -> Vec<DeviceInfo> {
    let is_card = |device: &DeviceInfo| own_part(&device.id).starts_with("plughw:");
    let is_numbered = |device: &DeviceInfo| {
        let card = device.id.split("CARD=").nth(1).unwrap_or_default();
        card.starts_with(|first: char| first.is_ascii_digit())
    };
    let cards: Vec<DeviceInfo> = all.into_iter().filter(is_card).collect();
    let (numbered, named): (Vec<_>, Vec<_>) = cards.into_iter().partition(is_numbered);
    if named.is_empty() { numbered } else { named }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn devices(ids: &[(&str, &str)]) -> Vec<DeviceInfo> {
        let device = |(id, name): &(&str, &str)| DeviceInfo {
            id: (*id).to_owned(),
            name: (*name).to_owned(),
            is_default: false,
        };
        ids.iter().map(device).collect()
    }

    fn ids(devices: &[DeviceInfo]) -> Vec<&str> {
        devices.iter().map(|device| device.id.as_str()).collect()
    }

    #[test]
    fn streams_of_programs_are_no_devices_and_the_default_is_marked() {
        let all = devices(&[
            ("pipewire:alsa_output.usb", "Headset"),
            ("pipewire:hdmi", "Screen"),
            ("pipewire:Firefox", "Firefox"),
        ]);
        let known = devices(&[
            ("pulseaudio:alsa_output.usb", "Headset"),
            ("pulseaudio:hdmi", "Screen"),
        ]);
        let shown = pipewire_devices(all, &known, Some("pulseaudio:hdmi"));
        assert_eq!(ids(&shown), ["pipewire:alsa_output.usb", "pipewire:hdmi"]);
        assert!(!shown[0].is_default && shown[1].is_default);
    }

    #[test]
    fn of_alsas_names_each_card_keeps_one() {
        let all = devices(&[
            ("alsa:null", "Discard all samples"),
            ("alsa:default", "Default"),
            ("alsa:surround51:CARD=PCH,DEV=0", "HDA"),
            ("alsa:hw:CARD=PCH,DEV=0", "HDA"),
            ("alsa:plughw:CARD=PCH,DEV=0", "HDA"),
            ("alsa:plughw:CARD=0,DEV=0", "HDA"),
            ("alsa:pulse", "PulseAudio Sound Server"),
        ]);
        assert_eq!(ids(&cards(all)), ["alsa:plughw:CARD=PCH,DEV=0"]);
        let numbered = devices(&[("alsa:plughw:CARD=0,DEV=0", "HDA"), ("alsa:jack", "JACK")]);
        assert_eq!(ids(&cards(numbered)), ["alsa:plughw:CARD=0,DEV=0"]);
    }

    #[test]
    fn what_a_loudspeaker_plays_is_no_microphone() {
        let all = devices(&[
            ("pulseaudio:usb", "Mic"),
            ("pulseaudio:out.monitor", "Monitor"),
        ]);
        assert_eq!(ids(&without_monitors(all)), ["pulseaudio:usb"]);
    }
}
