//! Meeting without a camera when the one wanted cannot be used.
//!
//! Whoever has none still wants to talk, so the lobby opens without and the window says what is
//! missing. Microphones and loudspeakers need no such care: the client goes on without them and
//! tries them again and again.

use conclave_client::{CameraSource, ClientError, Devices};

/// What to open after an attempt with `devices` that failed like this; none if opening less does
/// not help.
pub fn without_camera(devices: &Devices, error: &ClientError) -> Option<Devices> {
    let has_camera = devices.camera != CameraSource::Off;
    let helps = matches!(error, ClientError::Video(_)) && has_camera;
    helps.then(|| Devices {
        camera: CameraSource::Off,
        ..devices.clone()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_faults_are_not_cured_by_fewer_devices() {
        assert!(without_camera(&Devices::default(), &ClientError::Crypto).is_none());
        assert!(without_camera(&Devices::default(), &ClientError::Over).is_none());
    }
}
