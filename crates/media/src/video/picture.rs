//! One decoded picture.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use gstreamer as gst;
use gstreamer_video as gst_video;
use gstreamer_video::prelude::*;

/// A picture in 8 bit 4:2:0, BT.601, limited range: planes Y, U, V without padding.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Y (width × height), then U and V (each half the width and height, rounded up).
    pub i420: Vec<u8>,
    /// When it was captured, in microseconds since the UNIX epoch, by the sender's clock.
    pub capture_us: u64,
}

/// Why a picture could not be saved.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// The disk refused.
    #[error(
        "The picture could not be saved to {path}: {reason}. Free some space or choose another folder."
    )]
    Unwritable {
        /// The file that was to be written.
        path: std::path::PathBuf,
        /// What the system said.
        reason: String,
    },
}

impl Picture {
    /// Copies a raw I420 frame out of GStreamer's memory.
    pub(super) fn from_sample(sample: &gst::Sample, capture_us: u64) -> Option<Self> {
        let info = gst_video::VideoInfo::from_caps(sample.caps()?).ok()?;
        let frame =
            gst_video::VideoFrameRef::from_buffer_ref_readable(sample.buffer()?, &info).ok()?;
        let (width, height) = (frame.width() as usize, frame.height() as usize);
        let (half_width, half_height) = (width.div_ceil(2), height.div_ceil(2));
        let mut i420 = Vec::with_capacity(width * height + 2 * half_width * half_height);
        let planes = [
            (width, height),
            (half_width, half_height),
            (half_width, half_height),
        ];
        for (plane, (row, rows)) in planes.into_iter().enumerate() {
            let stride = usize::try_from(*frame.plane_stride().get(plane)?).ok()?;
            let data = frame.plane_data(plane as u32).ok()?;
            for line in data.chunks(stride).take(rows) {
                i420.extend_from_slice(line.get(..row)?);
            }
        }
        Some(Picture {
            width: frame.width(),
            height: frame.height(),
            i420,
            capture_us,
        })
    }

    /// The picture as RGB, three bytes a pixel, row by row.
    pub fn to_rgb(&self) -> Vec<u8> {
        let (width, height) = (self.width as usize, self.height as usize);
        let half_width = width.div_ceil(2);
        let (luma, chroma) = self.i420.split_at(width * height);
        let (blue, red) = chroma.split_at(half_width * height.div_ceil(2));
        let mut rgb = Vec::with_capacity(width * height * 3);
        for y in 0..height {
            for x in 0..width {
                let at = (y / 2) * half_width + x / 2;
                rgb.extend_from_slice(&bt601(luma[y * width + x], blue[at], red[at]));
            }
        }
        rgb
    }

    /// Writes the picture as a PNG file.
    pub fn save_png(&self, path: &Path) -> Result<(), PictureError> {
        self.write_png(path)
            .map_err(|error| PictureError::Unwritable {
                path: path.to_owned(),
                reason: error.to_string(),
            })
    }

    fn write_png(&self, path: &Path) -> Result<(), png::EncodingError> {
        let mut file = BufWriter::new(File::create(path)?);
        let mut encoder = png::Encoder::new(&mut file, self.width, self.height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&self.to_rgb())?;
        writer.finish()?;
        // The buffer's own drop would swallow a full disk.
        file.into_inner()
            .map_err(|error| error.into_error())?
            .sync_all()?;
        Ok(())
    }
}

impl std::fmt::Debug for Picture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Picture({}×{}, captured {})",
            self.width, self.height, self.capture_us
        )
    }
}

/// ITU-R BT.601, limited range, in 8.8 fixed point.
fn bt601(y: u8, u: u8, v: u8) -> [u8; 3] {
    let luma = 298 * (i32::from(y) - 16) + 128;
    let (u, v) = (i32::from(u) - 128, i32::from(v) - 128);
    let channel = |value: i32| (value >> 8).clamp(0, 255) as u8;
    [
        channel(luma + 409 * v),
        channel(luma - 100 * u - 208 * v),
        channel(luma + 516 * u),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn primary_colours_come_out_as_themselves() {
        for (yuv, rgb) in [
            ((235, 128, 128), [255, 255, 255]),
            ((16, 128, 128), [0, 0, 0]),
            ((82, 90, 240), [255, 0, 0]),
            ((145, 54, 34), [0, 255, 0]),
            ((41, 240, 110), [0, 0, 255]),
        ] {
            let found = bt601(yuv.0, yuv.1, yuv.2);
            assert!(
                found.iter().zip(rgb).all(|(a, b)| a.abs_diff(b) <= 2),
                "{found:?} is not {rgb:?}"
            );
        }
    }

    #[test]
    fn odd_sizes_have_rounded_up_chroma() {
        let picture = Picture {
            width: 3,
            height: 3,
            i420: vec![128; 9 + 4 + 4],
            capture_us: 0,
        };
        assert_eq!(picture.to_rgb().len(), 27);
    }
}
