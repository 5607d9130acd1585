//! Which camera, microphone and loudspeaker: the command line's word, else the person's choice,
//! else the system's.

use std::convert::Infallible;
use std::str::FromStr;

use conclave_client::{CameraSource, ClientError, DeviceInfo, MicrophoneSource, ScreenSource};
use conclave_client::{ScreenInfo, ScreenSourceError, SpeakerSink, screens};
use conclave_client::{cameras, list_microphones, list_speakers};
use serde::Serialize;

use crate::arguments::Arguments;
use crate::settings::Settings;

/// A device to choose from.
#[derive(Debug, Serialize)]
pub struct Choice {
    id: String,
    name: String,
}

/// Everything there is to choose from.
#[derive(Debug, Default, Serialize)]
pub struct Choices {
    cameras: Vec<Choice>,
    microphones: Vec<Choice>,
    speakers: Vec<Choice>,
}

impl Choices {
    /// Asks the system, off the async threads because it may take its time. A sound system that
    /// does not answer offers nothing; opening a device then says why.
    pub async fn list() -> Self {
        let cameras = tauri::async_runtime::spawn_blocking(cameras);
        let microphones = tauri::async_runtime::spawn_blocking(list_microphones);
        let speakers = tauri::async_runtime::spawn_blocking(list_speakers);
        let sound = |found: Result<Result<Vec<DeviceInfo>, _>, _>| match found {
            Ok(Ok(devices)) => named(devices),
            _ => Vec::new(),
        };
        Self {
            cameras: named(cameras.await.unwrap_or_default()),
            microphones: sound(microphones.await),
            speakers: sound(speakers.await),
        }
    }
}

fn named(devices: Vec<DeviceInfo>) -> Vec<Choice> {
    devices
        .into_iter()
        .map(|device| Choice {
            id: device.id,
            name: device.name,
        })
        .collect()
}

/// The devices to open.
pub fn devices(arguments: &Arguments, settings: &Settings) -> conclave_client::Devices {
    conclave_client::Devices {
        camera: camera(arguments, settings),
        microphone: microphone(arguments, settings),
        speaker: speaker(arguments, settings),
        screen_sound: arguments.screen_sound.clone().unwrap_or_default(),
        cleaning: settings.cleaning(),
        // Somebody whose headset is broken still wants to see and be seen.
        patient: true,
        ..conclave_client::Devices::default()
    }
}

/// The camera to use.
pub fn camera(arguments: &Arguments, settings: &Settings) -> CameraSource {
    let (flag, chosen) = (&arguments.camera, &settings.camera);
    pick(flag, chosen, CameraSource::Device)
}

/// A screen or window to choose from.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ScreenChoice {
    id: String,
    name: String,
    is_window: bool,
}

/// Every screen and window that can be shared now, or what the command line offers instead.
pub async fn shareable(arguments: &Arguments) -> Result<Vec<ScreenChoice>, ClientError> {
    if let Some(screen) = &arguments.screen {
        return Ok(vec![ScreenChoice {
            id: screen.clone(),
            name: screen.clone(),
            is_window: false,
        }]);
    }
    let found = tauri::async_runtime::spawn_blocking(screens).await;
    let found = found.unwrap_or_else(|_| Ok(Vec::new()))?;
    let choice = |ScreenInfo {
                      id,
                      name,
                      is_window,
                  }| ScreenChoice {
        id,
        name,
        is_window,
    };
    Ok(found.into_iter().map(choice).collect())
}

/// The screen to share of this id. Only the command line can name a file.
pub fn screen(arguments: &Arguments, id: &str) -> Result<ScreenSource, ScreenSourceError> {
    match &arguments.screen {
        Some(screen) if screen == id => screen.parse(),
        _ => ScreenSource::of_id(id),
    }
}

/// The microphone to use.
pub fn microphone(arguments: &Arguments, settings: &Settings) -> MicrophoneSource {
    let (flag, chosen) = (&arguments.microphone, &settings.microphone);
    pick(flag, chosen, MicrophoneSource::Device)
}

/// The loudspeaker to use.
pub fn speaker(arguments: &Arguments, settings: &Settings) -> SpeakerSink {
    pick(&arguments.speaker, &settings.speaker, SpeakerSink::Device)
}

/// A remembered choice is always a device. Only the command line can name a file or a test
/// signal: the window's scripts must not be able to send somebody's files as a picture.
fn pick<T>(flag: &Option<String>, chosen: &Option<String>, device: fn(String) -> T) -> T
where
    T: FromStr<Err = Infallible>,
{
    if let (None, Some(id)) = (flag, chosen) {
        return device(id.clone());
    }
    match flag.as_deref().unwrap_or("default").parse() {
        Ok(source) => source,
        Err(impossible) => match impossible {},
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    fn with(flags: &[&str], camera: Option<&str>) -> conclave_client::Devices {
        let line = std::iter::once("app").chain(flags.iter().copied());
        let arguments = Arguments::try_parse_from(line).expect("parses");
        let settings = Settings {
            camera: camera.map(str::to_owned),
            ..Settings::default()
        };
        devices(&arguments, &settings)
    }

    #[test]
    fn the_command_line_comes_first() {
        let devices = with(&["--camera", "test", "--speaker", "null"], Some("cam-1"));
        assert!(matches!(devices.camera, CameraSource::Test));
        assert!(matches!(devices.speaker, SpeakerSink::Null));
        assert!(matches!(devices.microphone, MicrophoneSource::Default));
    }

    #[test]
    fn the_window_shares_no_file_that_the_command_line_does_not_name() {
        let arguments = |flags: &[&str]| {
            let line = std::iter::once("app").chain(flags.iter().copied());
            Arguments::try_parse_from(line).expect("parses")
        };
        let plain = arguments(&[]);
        assert!(screen(&plain, "file:/etc/passwd").is_err());
        let window = ScreenSource::Screen("window:0x20".into());
        assert_eq!(screen(&plain, "window:0x20"), Ok(window));
        let given = arguments(&["--screen", "file:/slides.png"]);
        let slides = ScreenSource::File("/slides.png".into());
        assert_eq!(screen(&given, "file:/slides.png"), Ok(slides));
        assert!(screen(&given, "file:/etc/passwd").is_err());
    }

    #[test]
    fn a_choice_from_the_window_is_never_a_file() {
        let devices = with(&[], Some("file:/etc/passwd"));
        assert!(matches!(devices.camera, CameraSource::Device(id) if id == "file:/etc/passwd"));
    }
}
