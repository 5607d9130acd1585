//! Where the picture comes from, as a person writes it.

use std::convert::Infallible;
use std::path::PathBuf;
use std::str::FromStr;

use super::screen::{ScreenSource, ShareMode};

/// Where a capture gets its pictures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PictureSource {
    /// A camera, or what stands in for one.
    Camera(CameraSource),
    /// A screen or window, or what stands in for one.
    Screen(ScreenSource, ShareMode),
}

impl From<CameraSource> for PictureSource {
    fn from(camera: CameraSource) -> Self {
        Self::Camera(camera)
    }
}

/// The source of a camera's capture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CameraSource {
    /// The camera the system names first.
    Default,
    /// A camera by the id that [`cameras`](super::cameras) gives.
    Device(String),
    /// A moving test pattern, for machines without a camera.
    Test,
    /// A film or a still picture, repeated for ever.
    File(PathBuf),
    /// No picture at all.
    Off,
}

/// `default`, `test`, `off`, `file:PATH`; everything else is a device id.
impl FromStr for CameraSource {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text {
            "default" => CameraSource::Default,
            "test" => CameraSource::Test,
            "off" => CameraSource::Off,
            _ => match text.strip_prefix("file:") {
                Some(path) => CameraSource::File(PathBuf::from(path)),
                None => CameraSource::Device(text.to_owned()),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_a_person_writes_them() {
        let read = |text: &str| text.parse::<CameraSource>().unwrap();
        assert_eq!(read("default"), CameraSource::Default);
        assert_eq!(read("test"), CameraSource::Test);
        assert_eq!(read("off"), CameraSource::Off);
        assert_eq!(
            read("file:/a b/c.mkv"),
            CameraSource::File("/a b/c.mkv".into())
        );
        assert_eq!(
            read("/dev/video0"),
            CameraSource::Device("/dev/video0".into())
        );
    }
}
