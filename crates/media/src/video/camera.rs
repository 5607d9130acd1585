//! Cameras of this machine: listing them, choosing one and the mode it is opened in.

use gstreamer as gst;
use gstreamer::prelude::*;

use super::elements::{filter, init, make};
use super::error::VideoError;
use super::pace::{MAX_FPS, limit_rate};
use super::source::CameraSource;
use crate::DeviceInfo;

/// Wide enough for the largest size; more would only be scaled away.
const WANTED_WIDTH: i32 = 1280;
const WANTED_HEIGHT: i32 = 720;
const WANTED_FPS: i32 = MAX_FPS as i32;
/// Below this a mode counts as slow, however sharp it is.
const FLUENT_FPS: f64 = 24.0;
/// The pixels of the wanted mode, which more do not improve.
const WANTED_PIXELS: i64 = WANTED_WIDTH as i64 * WANTED_HEIGHT as i64;

/// The cameras of this machine; empty when there is none or GStreamer cannot look.
pub fn cameras() -> Vec<DeviceInfo> {
    if init().is_err() {
        return Vec::new();
    }
    found().into_iter().map(|camera| camera.info).collect()
}

/// The camera that `source` would open now; `None` if it is not there, or the source no camera.
pub fn find_camera(source: &CameraSource) -> Option<DeviceInfo> {
    let id = match source {
        CameraSource::Default => None,
        CameraSource::Device(id) => Some(id.as_str()),
        CameraSource::Test | CameraSource::File(_) | CameraSource::Off => return None,
    };
    init().ok()?;
    find(id).ok().map(|camera| camera.info)
}

struct Camera {
    info: DeviceInfo,
    device: gst::Device,
}

/// The camera of this id or name, or the default one for `None`.
fn find(id: Option<&str>) -> Result<Camera, VideoError> {
    let mut cameras = found().into_iter();
    match id {
        Some(id) => cameras
            .find(|camera| camera.info.id == id || camera.info.name == id)
            .ok_or_else(|| VideoError::UnknownCamera { id: id.to_owned() }),
        None => cameras
            .find(|camera| camera.info.is_default)
            .ok_or(VideoError::NoCamera),
    }
}

/// A camera opened by id, or the default one for `None`: its elements in order, and which it is.
pub(super) fn open(id: Option<&str>) -> Result<(Vec<gst::Element>, DeviceInfo), VideoError> {
    let camera = find(id)?;
    let failed = |reason: String| VideoError::CameraFailed {
        name: camera.info.name.clone(),
        reason,
    };
    let source = camera
        .device
        .create_element(None)
        .map_err(|error| failed(error.to_string()))?;
    let mode = camera
        .device
        .caps()
        .as_deref()
        .and_then(best_mode)
        .ok_or_else(|| failed("it offers no picture that this program can read".to_owned()))?;
    let mut elements = vec![source, filter(&mode)?];
    if mode
        .structure(0)
        .is_some_and(|mode| mode.name() == "image/jpeg")
    {
        elements.push(make("jpegdec")?);
    }
    let scaler = make("videoconvertscale")?;
    if let Some(pad) = scaler.static_pad("sink") {
        limit_rate(&pad, MAX_FPS);
    }
    elements.push(scaler);
    Ok((elements, camera.info))
}

/// PipeWire's provider corrupts memory when it is stopped on a busy machine (seen with 0.3.65 of
/// Debian 12: the process aborts in one of a hundred listings). The cameras it shows are V4L2's.
const AVOIDED: &str = "pipewiredeviceprovider";

/// What every provider of cameras shows, without [`gst::DeviceMonitor`], which takes them all.
fn devices() -> Vec<gst::Device> {
    let factories = gst::DeviceProviderFactory::factories(gst::Rank::MARGINAL);
    let cameras = factories
        .into_iter()
        .filter(|factory| factory.name() != AVOIDED && factory.has_classes(Some("Video/Source")));
    let mut devices = Vec::new();
    for provider in cameras.filter_map(|factory| factory.get()) {
        if let Err(error) = provider.start() {
            tracing::debug!(%error, "a provider of cameras does not start");
            continue;
        }
        let shown = provider.devices().into_iter();
        devices.extend(shown.filter(|device| device.has_classes("Video/Source")));
        provider.stop();
    }
    devices
}

fn found() -> Vec<Camera> {
    let mut cameras: Vec<Camera> = Vec::new();
    for device in devices() {
        let id = device_id(&device);
        // Two providers may show one camera; the first is kept.
        if cameras.iter().any(|camera| camera.info.id == id) {
            continue;
        }
        let info = DeviceInfo {
            id,
            name: device.display_name().to_string(),
            is_default: cameras.is_empty(),
        };
        cameras.push(Camera { info, device });
    }
    cameras
}

/// The device node where there is one: it is what people know, and both providers name it.
fn device_id(device: &gst::Device) -> String {
    let properties = device.properties();
    ["device.path", "api.v4l2.path", "node.name"]
        .iter()
        .find_map(|key| properties.as_ref()?.get::<String>(*key).ok())
        .unwrap_or_else(|| device.display_name().to_string())
}

/// The mode nearest to 720p at 30 frames, as fixed caps. At equal size raw pictures come before JPEG,
/// which has to be decoded first.
fn best_mode(offered: &gst::CapsRef) -> Option<gst::Caps> {
    offered
        .iter()
        .filter_map(fixed_mode)
        .max_by(|a, b| a.merit.total_cmp(&b.merit))
        .map(|mode| mode.caps)
}

struct Mode {
    caps: gst::Caps,
    merit: f64,
}

fn fixed_mode(offered: &gst::StructureRef) -> Option<Mode> {
    let raw = offered.name() == "video/x-raw";
    if !raw && offered.name() != "image/jpeg" {
        return None;
    }
    let mut mode = offered.to_owned();
    mode.fixate_field_nearest_int("width", WANTED_WIDTH);
    mode.fixate_field_nearest_int("height", WANTED_HEIGHT);
    mode.fixate_field_nearest_fraction("framerate", gst::Fraction::new(WANTED_FPS, 1));
    let width = mode.get::<i32>("width").ok()?;
    let height = mode.get::<i32>("height").ok()?;
    let fps = mode.get::<gst::Fraction>("framerate").map_or(0.0, |rate| {
        f64::from(rate.numer()) / f64::from(rate.denom().max(1))
    });
    let pixels = i64::from(width) * i64::from(height);
    // Sharpness up to the wanted size counts fully; pixels beyond it are a burden.
    let sharp = pixels.min(WANTED_PIXELS) as f64 / WANTED_PIXELS as f64;
    let burden = (pixels - WANTED_PIXELS).max(0) as f64 / WANTED_PIXELS as f64;
    let fluent = (fps / FLUENT_FPS).min(1.0);
    let merit = 2.0 * fluent + sharp - 0.05 * burden + if raw { 0.02 } else { 0.0 };
    Some(Mode {
        caps: gst::Caps::from_iter([mode]),
        merit,
    })
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use super::*;

    fn chosen(offered: &str) -> String {
        init().unwrap();
        best_mode(&gst::Caps::from_str(offered).unwrap())
            .map(|caps| caps.to_string())
            .unwrap_or_default()
    }

    #[test]
    fn a_webcam_is_opened_in_720p_jpeg_when_raw_is_slow() {
        let mode = chosen(
            "video/x-raw, format=YUY2, width=1280, height=720, framerate=10/1; \
             video/x-raw, format=YUY2, width=640, height=480, framerate=30/1; \
             image/jpeg, width=1920, height=1080, framerate=30/1; \
             image/jpeg, width=1280, height=720, framerate={ 30/1, 15/1 }",
        );
        assert!(
            mode.starts_with("image/jpeg") && mode.contains("width=(int)1280"),
            "{mode}"
        );
        assert!(mode.contains("framerate=(fraction)30/1"), "{mode}");
    }

    #[test]
    fn raw_comes_before_jpeg_at_the_same_size() {
        let mode = chosen(
            "image/jpeg, width=1280, height=720, framerate=30/1; \
             video/x-raw, format=NV12, width=1280, height=720, framerate=30/1",
        );
        assert!(mode.starts_with("video/x-raw"), "{mode}");
    }

    #[test]
    fn ranges_are_narrowed_to_720p() {
        let mode = chosen(
            "video/x-raw, format=YUY2, width=[ 160, 4096 ], height=[ 120, 2160 ], framerate=[ 1/1, 60/1 ]",
        );
        assert!(
            mode.contains("width=(int)1280") && mode.contains("height=(int)720"),
            "{mode}"
        );
    }

    #[test]
    fn what_cannot_be_read_is_not_chosen() {
        assert_eq!(
            chosen("video/x-h264, width=1920, height=1080, framerate=30/1"),
            ""
        );
    }
}
