//! The brightness of one picture, and the QR codes that stand in it.
//!
//! What a code says is for others to judge: here it is bytes.

use std::panic::{AssertUnwindSafe, catch_unwind};

use gstreamer as gst;
use gstreamer_video as gst_video;
use gstreamer_video::prelude::*;
use rqrr::PreparedImage;

/// The brightness of one picture, a byte a pixel, row by row.
#[derive(Clone, PartialEq, Eq)]
pub struct Glance {
    width: usize,
    height: usize,
    samples: Vec<u8>,
}

impl Glance {
    /// A picture of `width` by `height` pixels; `None` if there are not as many samples, or no
    /// pixels at all.
    pub fn new(width: usize, height: usize, samples: Vec<u8>) -> Option<Self> {
        let fits = width.checked_mul(height) == Some(samples.len()) && !samples.is_empty();
        fits.then_some(Self {
            width,
            height,
            samples,
        })
    }

    /// Copies the brightness out of a raw picture whose first plane is that, such as I420.
    pub(super) fn of_sample(sample: &gst::Sample) -> Option<Self> {
        let info = gst_video::VideoInfo::from_caps(sample.caps()?).ok()?;
        let frame =
            gst_video::VideoFrameRef::from_buffer_ref_readable(sample.buffer()?, &info).ok()?;
        let (width, height) = (frame.width() as usize, frame.height() as usize);
        let stride = usize::try_from(*frame.plane_stride().first()?).ok()?;
        let mut samples = Vec::with_capacity(width * height);
        for line in frame.plane_data(0).ok()?.chunks(stride).take(height) {
            samples.extend_from_slice(line.get(..width)?);
        }
        Self::new(width, height, samples)
    }

    /// What every QR code says that is found and whole: dark on light or, where there is none,
    /// light on dark, as a terminal may draw it. Takes some tens of milliseconds of one core.
    pub fn codes(&self) -> Vec<Vec<u8>> {
        let found = self.codes_as(|sample| sample);
        match found.is_empty() {
            true => self.codes_as(|sample| 255 - sample),
            false => found,
        }
    }

    fn codes_as(&self, shade: impl Fn(u8) -> u8) -> Vec<Vec<u8>> {
        // The reader asserts in places what a strange picture might break. A picture in which it
        // fails is one in which nothing was found; there is another one in a moment.
        let read = AssertUnwindSafe(|| {
            let sample = |x: usize, y: usize| self.samples.get(y * self.width + x).copied();
            let mut picture =
                PreparedImage::prepare_from_greyscale(self.width, self.height, |x, y| {
                    shade(sample(x, y).unwrap_or_default())
                });
            let codes = picture.detect_grids().into_iter().filter_map(|code| {
                let mut bytes = Vec::new();
                code.decode_to(&mut bytes).ok().map(|_| bytes)
            });
            codes.collect()
        });
        catch_unwind(read).unwrap_or_default()
    }
}

impl std::fmt::Debug for Glance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Glance({}×{})", self.width, self.height)
    }
}

#[cfg(test)]
mod tests {
    use qrcodegen::{QrCode, QrCodeEcc, QrSegment};

    use super::*;

    /// As long as a safety number, and no text.
    fn content(seed: u8) -> Vec<u8> {
        (0..69)
            .map(|at: u8| at.wrapping_mul(151).wrapping_add(seed))
            .collect()
    }

    /// A code on a screen that somebody holds before a camera.
    struct Scene {
        /// Pixels on a side of a module.
        scale: f64,
        /// How far the screen is turned, in degrees.
        turned: f64,
        /// How much smaller its far side looks, as a share.
        tilted: f64,
        /// Greatest deviation of a sample.
        noise: i32,
        /// Brightness of dark and light modules.
        shades: (f64, f64),
    }

    const STILL: Scene = Scene {
        scale: 6.0,
        turned: 0.0,
        tilted: 0.0,
        noise: 0,
        shades: (30.0, 220.0),
    };

    const WIDTH: usize = 640;
    const HEIGHT: usize = 480;

    impl Scene {
        /// What the camera sees: the code and its quiet zone amid a room that is neither dark nor
        /// light, each pixel the mean of sixteen points.
        fn seen(&self, content: &[u8]) -> Glance {
            let segments = [QrSegment::make_bytes(content)];
            let code = QrCode::encode_segments(&segments, QrCodeEcc::Medium).unwrap();
            let mut state = 1_u32;
            let mut noise = || {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 16) as i32 % (2 * self.noise + 1) - self.noise
            };
            let mut samples = Vec::with_capacity(WIDTH * HEIGHT);
            for y in 0..HEIGHT {
                for x in 0..WIDTH {
                    let points = (0..16).map(|part| {
                        let (right, down) = (f64::from(part % 4), f64::from(part / 4));
                        self.point(&code, x as f64 + right / 4.0, y as f64 + down / 4.0)
                    });
                    let mean = points.sum::<f64>() / 16.0;
                    samples.push((mean as i32 + noise()).clamp(0, 255) as u8);
                }
            }
            Glance::new(WIDTH, HEIGHT, samples).unwrap()
        }

        fn point(&self, code: &QrCode, x: f64, y: f64) -> f64 {
            const QUIET: i32 = 4;
            let (x, y) = (x - WIDTH as f64 / 2.0, y - HEIGHT as f64 / 2.0);
            let (sin, cos) = self.turned.to_radians().sin_cos();
            let (x, y) = (x * cos + y * sin, y * cos - x * sin);
            let nearness = 1.0 + self.tilted * x / WIDTH as f64;
            let middle = f64::from(code.size()) / 2.0;
            let module = |at: f64| (at / nearness / self.scale + middle).floor() as i32;
            let (column, row) = (module(x), module(y));
            let card = -QUIET..code.size() + QUIET;
            let (dark, light) = self.shades;
            match card.contains(&column) && card.contains(&row) {
                true if code.get_module(column, row) => dark,
                true => light,
                false => 90.0 + 40.0 * (x / 50.0).sin(),
            }
        }
    }

    #[test]
    fn a_code_is_read_however_it_is_held() {
        let scenes = [
            STILL,
            Scene {
                scale: 3.0,
                ..STILL
            },
            Scene {
                turned: 8.0,
                noise: 25,
                ..STILL
            },
            Scene {
                turned: 200.0,
                scale: 5.0,
                noise: 10,
                ..STILL
            },
            Scene {
                tilted: 0.25,
                turned: -12.0,
                scale: 6.5,
                noise: 15,
                ..STILL
            },
            Scene {
                shades: (70.0, 130.0),
                noise: 8,
                ..STILL
            },
        ];
        for (number, scene) in scenes.iter().enumerate() {
            let content = content(number as u8);
            assert_eq!(scene.seen(&content).codes(), [content], "scene {number}");
        }
    }

    #[test]
    fn a_code_of_light_on_dark_is_read_too() {
        let scene = Scene {
            shades: (220.0, 30.0),
            turned: 5.0,
            noise: 10,
            ..STILL
        };
        assert_eq!(scene.seen(&content(7)).codes(), [content(7)]);
    }

    #[test]
    fn what_is_too_small_to_be_read_is_not_read_wrongly() {
        let scene = Scene {
            scale: 1.2,
            noise: 60,
            ..STILL
        };
        assert_eq!(scene.seen(&content(1)).codes(), Vec::<Vec<u8>>::new());
    }

    #[test]
    fn a_picture_of_anything_has_no_code_and_does_no_harm() {
        let mut state = 7_u32;
        let mut random = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        for (width, height) in [(1, 1), (1, 400), (3, 5), (33, 700), (320, 240)] {
            let noise: Vec<u8> = (0..width * height).map(|_| random()).collect();
            let rough: Vec<u8> = noise.iter().map(|sample| sample & 0x80).collect();
            for samples in [
                noise,
                rough,
                vec![0; width * height],
                vec![255; width * height],
            ] {
                let picture = Glance::new(width, height, samples).unwrap();
                assert_eq!(picture.codes(), Vec::<Vec<u8>>::new(), "{picture:?}");
            }
        }
    }

    #[test]
    fn a_picture_has_as_many_samples_as_pixels() {
        assert_eq!(Glance::new(2, 2, vec![0; 3]), None);
        assert_eq!(Glance::new(0, 2, Vec::new()), None);
        assert_eq!(Glance::new(usize::MAX, 2, vec![0; 3]), None);
    }
}
