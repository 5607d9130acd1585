//! One size: scaler and VP9 encoder behind a valve.
//!
//! ```text
//! tee → valve → queue (1, leaky) → scaler → shape → colours → vp9enc → appsink → Outlet
//!                └── fewer ◀─────────────── smaller ◀───────────────── Strain ┘
//! ```
//! A shut valve stops the frames before any work is done on them, so a size nobody watches costs nothing.
//! The queue holds one frame and replaces it: an encoder that is too slow lowers the frame rate, not the
//! punctuality. One that is too slow for long gets fewer and smaller pictures to encode.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use gstreamer_video as gst_video;

use super::elements::{chain, exit, filter, latest, make, refused};
use super::error::VideoError;
use super::outlet::{EncodedFrame, Next, Outlet};
use super::pace::{limit_rate, thin_out};
use super::packet::MAX_PAYLOAD;
use super::recipe::{Recipe, Shape, encoded_caps};
use super::stamp::capture_us;
use super::strain::{Effort, Strain};
use super::vp9::FrameHeader;
use crate::clock::{difference, now_us};

/// A second guard beside the outlet's clock: so many times its interval.
const KEY_GUARD: u64 = 2;
/// Percent of a second's bitrate that a key frame may cost: on a link four times as wide, it holds up
/// the sound for 75 ms.
const KEY_FRAME_COSTS: u64 = 30;
/// Fullness of the encoder's buffer, in percent, below which frames are left out.
const SKIP_BELOW: i32 = 30;

pub(super) struct Branch {
    valve: gst::Element,
    encoder: gst::Element,
    outlet: Arc<Mutex<Outlet>>,
    active: Arc<AtomicBool>,
    /// Which pictures are made: each one (1), every second (2) and so on.
    stride: Arc<AtomicU32>,
}

impl Branch {
    /// Builds the chain for one size and hangs it on `tee`.
    pub(super) fn attach(
        pipeline: &gst::Pipeline,
        tee: &gst::Element,
        recipe: &Recipe,
        active: bool,
        outlet: Outlet,
    ) -> Result<Self, VideoError> {
        let valve = make("valve")?;
        valve.set_property("drop", !active);
        let queue = latest()?;
        // Colours cost by the pixel: they are changed when there are fewest.
        let scaler = make("videoscale")?;
        let colours = make("videoconvert")?;
        scaler.set_property_from_str("method", recipe.method);
        scaler.set_property("add-borders", true);
        let encoder = encoder(recipe)?;
        let sink = exit()?;

        let branch = Branch {
            valve: valve.clone(),
            encoder: encoder.clone(),
            outlet: Arc::new(Mutex::new(outlet)),
            active: Arc::new(AtomicBool::new(active)),
            stride: Arc::new(AtomicU32::new(1)),
        };
        if let Some(pad) = queue.static_pad("sink") {
            limit_rate(&pad, recipe.fps);
            thin_out(&pad, branch.stride());
        }
        let shape = filter(&recipe.shape.caps())?;
        branch.deliver(&sink, &shape, recipe);
        let encoded = filter(&encoded_caps())?;
        let small = [&valve, &queue, &scaler, &shape];
        let made = [&colours, &encoded, &encoder, sink.upcast_ref()];
        chain(pipeline, &[small, made].concat())?;
        tee.link(&valve).map_err(|error| refused(&error))?;
        Ok(branch)
    }

    /// Makes the next frame a key frame.
    pub(super) fn request_key_frame(&self) {
        force_key_frame(&self.encoder);
    }

    /// Takes effect with the next frame.
    pub(super) fn set_bitrate(&self, bitrate_bps: u32) {
        set_bitrate(&self.encoder, bitrate_bps);
    }

    /// Opens or shuts the valve. An opened branch begins with a key frame.
    pub(super) fn set_active(&self, active: bool) {
        if self.active.swap(active, Ordering::AcqRel) == active {
            return;
        }
        if active {
            lock(&self.outlet).interrupt();
            force_key_frame(&self.encoder);
        }
        self.valve.set_property("drop", !active);
    }

    /// Which pictures are made: each one (1), or fewer, because the computer is too slow.
    pub(super) fn stride(&self) -> Arc<AtomicU32> {
        Arc::clone(&self.stride)
    }

    fn deliver(&self, sink: &gst_app::AppSink, shape: &gst::Element, recipe: &Recipe) {
        let outlet = Arc::clone(&self.outlet);
        let active = Arc::clone(&self.active);
        let encoder = self.encoder.downgrade();
        let mut sparing = Sparing::of(recipe, shape, self.stride());
        let callbacks = gst_app::AppSinkCallbacks::builder().new_sample(move |sink| {
            let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
            // A frame that was in the encoder when the valve was shut.
            if !active.load(Ordering::Acquire) {
                return Ok(gst::FlowSuccess::Ok);
            }
            let frame = encoded_frame(&sample);
            if let (Some(frame), Some(sparing)) = (&frame, &mut sparing) {
                sparing.encoded(frame);
            }
            let next = match frame {
                Some(frame) if frame.payload.len() > MAX_PAYLOAD => {
                    tracing::warn!("own frame larger than any that is read");
                    lock(&outlet).interrupt();
                    None
                }
                frame => frame.map(|frame| lock(&outlet).offer(frame)),
            };
            if let (Some(Next::MakeKeyFrame), Some(encoder)) = (next, encoder.upgrade()) {
                force_key_frame(&encoder);
            }
            Ok(gst::FlowSuccess::Ok)
        });
        sink.set_callbacks(callbacks.build());
    }
}

/// Spares a slow computer some of the pictures of one size, and half of their lines.
struct Sparing {
    strain: Strain,
    stride: Arc<AtomicU32>,
    filter: gst::glib::WeakRef<gst::Element>,
    shape: Shape,
    halved: bool,
}

impl Sparing {
    /// `None` for pictures that stand still: they may take their time.
    fn of(recipe: &Recipe, filter: &gst::Element, stride: Arc<AtomicU32>) -> Option<Self> {
        recipe.two_layers.then(|| Self {
            strain: Strain::new(recipe.may_halve),
            stride,
            filter: filter.downgrade(),
            shape: recipe.shape,
            halved: false,
        })
    }

    fn encoded(&mut self, frame: &EncodedFrame) {
        let took_us = difference(now_us(), frame.capture_us).max(0);
        let took = Duration::from_micros(took_us.unsigned_abs());
        let Some(Effort { stride, halved }) = self.strain.encoded(took) else {
            return;
        };
        tracing::info!(stride, halved, "another share of the pictures is made");
        self.stride.store(stride, Ordering::Relaxed);
        if std::mem::replace(&mut self.halved, halved) == halved {
            return;
        }
        let shape = match halved {
            true => self.shape.halved(),
            false => self.shape,
        };
        // The encoder begins anew with the next picture, by a key frame.
        if let Some(filter) = self.filter.upgrade() {
            filter.set_property("caps", shape.caps());
        }
    }
}

/// What leaves the encoder, held to the same rules as what comes from others.
fn encoded_frame(sample: &gst::Sample) -> Option<EncodedFrame> {
    let buffer = sample.buffer()?;
    let map = buffer.map_readable().ok()?;
    let header = FrameHeader::parse(&map)
        .inspect_err(|error| tracing::warn!(%error, "own frame refused"))
        .ok()?;
    let shape = sample.caps()?.structure(0)?;
    let side = |name| shape.get::<i32>(name).ok()?.try_into().ok();
    let payload = Bytes::copy_from_slice(&map);
    let (key, droppable) = (header.key, header.droppable);
    Some(EncodedFrame {
        key,
        droppable,
        capture_us: capture_us(buffer)?,
        width: side("width")?,
        height: side("height")?,
        payload,
    })
}

/// Real-time VP9 in WebRTC's manner: constant bitrate, no look-ahead, no hidden frames.
fn encoder(recipe: &Recipe) -> Result<gst::Element, VideoError> {
    let encoder = make("vp9enc")?;
    encoder.set_property("deadline", 1i64);
    encoder.set_property("cpu-used", 9i32);
    encoder.set_property("lag-in-frames", 0i32);
    encoder.set_property("auto-alt-ref", false);
    if recipe.two_layers {
        two_temporal_layers(&encoder);
    }
    set_bitrate(&encoder, recipe.bitrate_bps);
    encoder.set_property_from_str("end-usage", "cbr");
    // Milliseconds of bitrate: how far a frame may overdraw before quality gives way.
    encoder.set_property("buffer-initial-size", 500i32);
    encoder.set_property("buffer-optimal-size", 600i32);
    encoder.set_property("buffer-size", 1000i32);
    encoder.set_property("undershoot", 50i32);
    encoder.set_property("overshoot", 50i32);
    encoder.set_property("min-quantizer", 2i32);
    encoder.set_property("max-quantizer", recipe.worst);
    if recipe.may_skip {
        encoder.set_property("dropframe-threshold", SKIP_BELOW);
    }
    // In percent of a mean frame.
    encoder.set_property("max-intra-bitrate", int(KEY_FRAME_COSTS * recipe.fps));
    encoder.set_property_from_str("aq-mode", "cyclic-refresh");
    let frames = recipe.key_interval.as_secs() * recipe.fps;
    encoder.set_property("keyframe-max-dist", int(KEY_GUARD * frames));
    // Without it a frame would use the motion vectors of the one before, droppable or not.
    encoder.set_property_from_str("error-resilient", "default");
    // Frames come when the source has them; 90 kHz keeps two close ones apart.
    encoder.set_property("timebase", gst::Fraction::new(1, 90_000));
    // Three encoders already share the cores; only the largest is late on one.
    let (threads, tile_columns) = if recipe.is_heavy {
        (2i32, 1i32)
    } else {
        (1, 0)
    };
    encoder.set_property("threads", threads);
    encoder.set_property("tile-columns", tile_columns);
    encoder.set_property("row-mt", recipe.is_heavy);
    Ok(encoder)
}

/// L1T2: every second frame replaces no reference, so it may be left out and nothing later notices.
fn two_temporal_layers(encoder: &gst::Element) {
    encoder.set_property("temporal-scalability-number-layers", 2i32);
    encoder.set_property("temporal-scalability-periodicity", 2i32);
    encoder.set_property("temporal-scalability-layer-id", integers([0, 1]));
    encoder.set_property("temporal-scalability-rate-decimator", integers([2, 1]));
    encoder.set_property(
        "temporal-scalability-layer-sync-flags",
        gst::Array::new([false, false]),
    );
    // Both layers predict from the last base frame alone; only the base layer replaces it.
    encoder.set_property_from_str(
        "temporal-scalability-layer-flags",
        "<(GstVPXEncTsLayerFlags)no-ref-golden+no-ref-alt+no-upd-golden+no-upd-alt, \
          (GstVPXEncTsLayerFlags)no-ref-golden+no-ref-alt+no-upd-last+no-upd-golden+no-upd-alt+no-upd-entropy>",
    );
}

fn set_bitrate(encoder: &gst::Element, bitrate_bps: u32) {
    const LEAST_BPS: u32 = 20_000;
    const MOST_BPS: u32 = 20_000_000;
    let total = int(bitrate_bps.clamp(LEAST_BPS, MOST_BPS).into());
    encoder.set_property("target-bitrate", total);
    // Each layer's share counts those below it: 60 % for the base, as WebRTC splits two layers.
    encoder.set_property(
        "temporal-scalability-target-bitrate",
        integers([total / 5 * 3, total]),
    );
}

fn int(value: u64) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}

/// GStreamer 1.22 takes these lists as GValueArray only.
fn integers(values: [i32; 2]) -> gst::glib::ValueArray {
    gst::glib::ValueArray::new(values.map(|value| value.to_send_value()))
}

fn force_key_frame(encoder: &gst::Element) {
    let event = gst_video::UpstreamForceKeyUnitEvent::builder()
        .all_headers(true)
        .build();
    if let Some(pad) = encoder.static_pad("src") {
        pad.send_event(event);
    }
}

fn lock(outlet: &Mutex<Outlet>) -> std::sync::MutexGuard<'_, Outlet> {
    outlet.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::super::decoder::VideoDecoder;
    use super::super::packet::VideoPacket;
    use super::super::recipe::Source;
    use super::super::size::Size;
    use super::super::source::CameraSource;
    use super::super::stamp::{Pulse, stamp_frames};
    use super::*;

    /// How long each picture is late before the encoder has it.
    const LATE_US: u32 = 60_000;
    const LIMIT: Duration = Duration::from_secs(60);

    type Packets = tokio::sync::mpsc::Receiver<VideoPacket>;

    /// What the camera's middle size makes of pictures that GStreamer is told to make.
    fn medium_of(pictures: &str) -> (gst::Pipeline, Branch, Packets) {
        super::super::elements::init().unwrap();
        let launched = gst::parse::launch(&format!(
            "videotestsrc is-live=true {pictures} ! tee name=tee"
        ));
        let pipeline = launched.unwrap().downcast::<gst::Pipeline>().unwrap();
        let named = |name| pipeline.by_name(name).unwrap();
        let pad = named("stamp").static_pad("src").unwrap();
        stamp_frames(&pad, &pipeline, Pulse::new());
        let source = Source::of(&CameraSource::Test.into());
        let of_size = |recipe: &&Recipe| recipe.size == Size::Medium;
        let recipe = source.recipes.iter().find(of_size).unwrap();
        let (packets, received) = tokio::sync::mpsc::channel(1000);
        let outlet = Outlet::new(Size::Medium, recipe.key_interval, packets);
        let branch = Branch::attach(&pipeline, &named("tee"), recipe, true, outlet).unwrap();
        pipeline.set_state(gst::State::Playing).unwrap();
        (pipeline, branch, received)
    }

    fn next(received: &mut Packets) -> VideoPacket {
        let begun = std::time::Instant::now();
        loop {
            match received.try_recv() {
                Ok(packet) => return packet,
                Err(_) => assert!(begun.elapsed() < LIMIT, "no picture comes"),
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn colours_of_another_matrix_come_out_as_themselves() {
        const RED: [u8; 3] = [255, 0, 0];
        for colorimetry in ["bt601", "bt709", "1:4:0:0"] {
            let (pipeline, _branch, mut received) = medium_of(&format!(
                "pattern=red ! videoconvert \
                 ! video/x-raw,format=I420,width=1280,height=720,framerate=20/1,colorimetry={colorimetry} \
                 ! identity name=stamp"
            ));
            let mut decoder = VideoDecoder::new().unwrap();
            decoder.push(&next(&mut received)).unwrap();
            let picture = decoder.wait_picture(LIMIT).unwrap();
            pipeline.set_state(gst::State::Null).unwrap();
            let rgb = picture.to_rgb();
            let middle = &rgb[rgb.len() / 2..][..3];
            let differs = |(is, was): (&u8, u8)| is.abs_diff(was) > 6;
            assert!(
                !middle.iter().zip(RED).any(differs),
                "{colorimetry}: {middle:?}"
            );
        }
    }

    #[test]
    fn a_slow_computer_makes_smaller_pictures_that_go_on_with_a_key_frame() {
        let (pipeline, _branch, mut received) = medium_of(&format!(
            "pattern=ball \
             ! video/x-raw,format=I420,width=640,height=360,framerate=20/1,colorimetry=bt601 \
             ! identity name=stamp ! identity sleep-time={LATE_US}"
        ));
        let begun = std::time::Instant::now();
        let mut decoder = VideoDecoder::new().unwrap();
        let mut shapes = Vec::new();
        // Some pictures beyond the change.
        while shapes.iter().filter(|shape| **shape == (320, 180)).count() < 10 {
            assert!(begun.elapsed() < LIMIT, "{shapes:?}");
            let packet = next(&mut received);
            let shape = (packet.width, packet.height);
            if shapes.last() != Some(&shape) {
                assert!(packet.key, "{shape:?} begins");
            }
            shapes.push(shape);
            decoder.push(&packet).unwrap();
            let picture = decoder.wait_picture(LIMIT).unwrap();
            assert_eq!(
                (picture.width, picture.height),
                (shape.0.into(), shape.1.into())
            );
        }
        pipeline.set_state(gst::State::Null).unwrap();
        shapes.dedup();
        assert_eq!(shapes, [(640, 360), (320, 180)]);
    }
}
