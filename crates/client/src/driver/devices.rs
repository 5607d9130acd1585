//! Telling what becomes of the microphone and the loudspeaker, and which devices are in use.

use conclave_media::DeviceKind;
use conclave_media::audio::AudioEvent;

use super::Driver;
use crate::event::ClientEvent;
use crate::view::{self, WarningLevel};

impl Driver {
    /// Warns of a device that went; when it is back the warning goes too.
    pub(super) fn tell_sound(&mut self, event: &AudioEvent) {
        let text = event.to_string();
        let [microphone, speaker] = &mut self.device_warnings;
        let before = match event.device() {
            Some(DeviceKind::Microphone) => microphone,
            Some(DeviceKind::Speaker) => speaker,
            None => return self.warn(text),
        };
        let is_back = matches!(event, AudioEvent::Back { .. });
        let now = (!is_back).then(|| text.clone());
        if let Some(before) = std::mem::replace(before, now) {
            self.warnings.retain(|warning| warning.text != before);
        }
        if is_back {
            // A program hears of it; in the view the warning is gone.
            let level = WarningLevel::Notice;
            let _ = self.events.try_send(ClientEvent::Warning { text, level });
        } else {
            self.warn(text);
        }
    }

    /// Tells which devices are in use, if they are others than before.
    pub(super) fn tell_devices(&mut self) {
        let of = |kind| view::device(self.media.in_use(kind));
        let camera = view::device(self.media.camera_in_use());
        let now = [camera, of(DeviceKind::Microphone), of(DeviceKind::Speaker)];
        if self.last_devices.as_ref() == Some(&now) {
            return;
        }
        self.last_devices = Some(now.clone());
        let [camera, microphone, speaker] = now;
        // A slow reader hears of the next change.
        let _ = self.events.try_send(ClientEvent::Devices {
            camera,
            microphone,
            speaker,
        });
    }
}
