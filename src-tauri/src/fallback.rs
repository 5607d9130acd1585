//! Meeting without a camera, a microphone or a loudspeaker, when the ones wanted cannot be used.
//!
//! Somebody whose headset is broken still wants to listen, so the lobby opens with less and the
//! window says what is missing.

use conclave_client::{CameraSource, ClientError, Devices, MicrophoneSource, SpeakerSink};

/// Whether microphone and loudspeaker are used, from all to nothing: an error of the sound system
/// does not always tell whose fault it is.
const SOUND: [(bool, bool); 4] = [(true, true), (false, true), (true, false), (false, false)];

/// Which kind of device an attempt lacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lack {
    /// Camera.
    Picture,
    /// Microphone or loudspeaker.
    Sound,
}

impl Lack {
    /// `None` for errors that fewer devices do not cure.
    pub fn behind(error: &ClientError) -> Option<Self> {
        match error {
            ClientError::Video(_) => Some(Self::Picture),
            ClientError::Audio(_) => Some(Self::Sound),
            _ => None,
        }
    }
}

/// Attempts with less and less.
#[derive(Debug)]
pub struct Fallback {
    wanted: Devices,
    picture: bool,
    sound: usize,
}

impl Fallback {
    /// Begins with everything that is wanted.
    pub fn new(wanted: Devices) -> Self {
        Self {
            wanted,
            picture: true,
            sound: 0,
        }
    }

    /// What to open now.
    pub fn devices(&self) -> Devices {
        let mut devices = self.wanted.clone();
        let (microphone, speaker) = SOUND[self.sound];
        if !self.picture {
            devices.camera = CameraSource::Off;
        }
        if !microphone {
            devices.microphone = MicrophoneSource::Off;
        }
        if !speaker {
            devices.speaker = SpeakerSink::Null;
        }
        devices
    }

    /// Goes on to the next attempt; false if there is nothing left to do without.
    pub fn do_without(&mut self, lack: Lack) -> bool {
        match lack {
            Lack::Picture => std::mem::take(&mut self.picture),
            Lack::Sound => {
                let more = self.sound + 1 < SOUND.len();
                self.sound += usize::from(more);
                more
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used(fallback: &Fallback) -> (bool, bool, bool) {
        let devices = fallback.devices();
        (
            !matches!(devices.camera, CameraSource::Off),
            !matches!(devices.microphone, MicrophoneSource::Off),
            !matches!(devices.speaker, SpeakerSink::Null),
        )
    }

    #[test]
    fn a_missing_camera_takes_nothing_else_away() {
        let mut fallback = Fallback::new(Devices::default());
        assert_eq!(used(&fallback), (true, true, true));
        assert!(fallback.do_without(Lack::Picture));
        assert_eq!(used(&fallback), (false, true, true));
        assert!(
            !fallback.do_without(Lack::Picture),
            "it cannot be the camera again"
        );
    }

    #[test]
    fn missing_sound_is_narrowed_down_and_ends() {
        let mut fallback = Fallback::new(Devices::default());
        let mut seen = vec![used(&fallback)];
        while fallback.do_without(Lack::Sound) {
            seen.push(used(&fallback));
        }
        let wanted = [(true, true), (false, true), (true, false), (false, false)];
        assert_eq!(
            seen,
            wanted.map(|(microphone, speaker)| (true, microphone, speaker))
        );
    }

    #[test]
    fn other_faults_are_not_cured_by_fewer_devices() {
        assert_eq!(Lack::behind(&ClientError::Crypto), None);
        assert_eq!(Lack::behind(&ClientError::Over), None);
    }
}
