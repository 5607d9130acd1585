//! Which devices there are, and how one is named on the command line.

use std::io::Write;

use anyhow::Result;
use conclave_client::{
    ClientError, DeviceInfo, ScreenInfo, cameras, list_microphones, list_speakers, screens,
};
use serde_json::json;

/// Lists everything that can be chosen.
pub(crate) fn list(as_json: bool) -> Result<()> {
    let found = [
        ("camera", cameras()),
        ("microphone", list_microphones().map_err(ClientError::from)?),
        ("speaker", list_speakers().map_err(ClientError::from)?),
        // A computer without a screen has nothing to share, which is no fault.
        ("screen", as_devices(screens().unwrap_or_default())),
    ];
    let mut out = std::io::stdout().lock();
    for (kind, devices) in found {
        for device in devices {
            writeln!(out, "{}", line(kind, &device, as_json))?;
        }
    }
    Ok(())
}

fn as_devices(screens: Vec<ScreenInfo>) -> Vec<DeviceInfo> {
    let named = screens.into_iter().map(|screen| DeviceInfo {
        id: screen.id,
        name: screen.name,
        is_default: false,
    });
    named.collect()
}

fn line(kind: &str, device: &DeviceInfo, as_json: bool) -> String {
    let DeviceInfo {
        id,
        name,
        is_default,
    } = device;
    if as_json {
        return json!({"kind": kind, "id": id, "name": name, "default": is_default}).to_string();
    }
    let mark = if *is_default { " (default)" } else { "" };
    format!("{kind}: {name}{mark}\n    --{kind} \"{id}\"")
}

/// The error as a sentence, and which flags choose another device if it is about one.
pub(crate) fn with_flags(error: &anyhow::Error) -> String {
    let flags = match error.downcast_ref::<ClientError>() {
        Some(ClientError::Audio(_)) => {
            " Choose by --microphone default, test, off, file:PATH or an id, and by --speaker \
             default, null or an id; `conclave devices` lists the ids."
        }
        Some(ClientError::Video(_)) => {
            " Choose by --camera default, test, off, file:PATH or an id; `conclave devices` lists \
             the ids."
        }
        _ => "",
    };
    format!("{error}{flags}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_listed_so_that_its_flag_can_be_copied() {
        let device = DeviceInfo {
            id: "pipewire:usb".into(),
            name: "Headset".into(),
            is_default: true,
        };
        let text = line("microphone", &device, false);
        assert!(
            text.contains("Headset (default)") && text.contains("--microphone \"pipewire:usb\"")
        );
        let value: serde_json::Value =
            serde_json::from_str(&line("speaker", &device, true)).unwrap();
        assert_eq!(
            (&value["id"], &value["default"]),
            (&json!("pipewire:usb"), &json!(true))
        );
    }
}
