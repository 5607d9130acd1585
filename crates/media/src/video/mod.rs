//! Picture: cameras and shared screens, VP9 in up to three sizes, decoding, recording.
//!
//! One [`VideoCapture`] reads one source and encodes it once for each [`Size`] that somebody watches.
//! What leaves it is a [`VideoPacket`]: exactly one VP9 frame (profile 0, 8 bit, 4:2:0) with the moment
//! it was captured. [`VideoDecoder`] and [`MkvWriter`] take such packets again; the webview takes the
//! payload as it is, under the name [`WEBCODECS_CODEC`].

mod branch;
mod camera;
mod capture;
mod decoder;
mod elements;
mod error;
mod feed;
mod glance;
mod lookout;
mod looping;
mod outlet;
mod pace;
mod packet;
mod picture;
mod recipe;
mod recording;
mod screen;
mod size;
mod source;
mod stamp;
mod strain;
mod vp9;

pub use camera::{cameras, find_camera};
pub use capture::{CaptureEvent, VideoCapture};
pub use decoder::{DecodeError, VideoDecoder};
pub use error::VideoError;
pub use glance::Glance;
pub use packet::{MAX_PAYLOAD, PacketError, VideoPacket};
pub use picture::{Picture, PictureError};
pub use recipe::screen_bitrate_bps;
pub use recording::{MkvWriter, RecordingError};
pub use screen::{ScreenInfo, ScreenSource, ScreenSourceError, ShareMode, screens};
pub use size::Size;
pub use source::{CameraSource, PictureSource};
pub use vp9::HeaderError;

/// What WebCodecs calls the streams made here: VP9, profile 0, 8 bit.
pub const WEBCODECS_CODEC: &str = "vp09.00.10.08";
