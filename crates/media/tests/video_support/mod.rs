//! What the video tests share: waiting with a limit, reference pictures made by GStreamer, PSNR.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::path::Path;
use std::time::{Duration, Instant};

use conclave_media::video::{Picture, Size, VideoDecoder, VideoPacket};
use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use tokio::sync::mpsc::Receiver;

/// Long enough for a machine that compiles beside the test.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// The next packet that `wanted` accepts.
pub fn next_packet(
    packets: &mut Receiver<VideoPacket>,
    limit: Duration,
    mut wanted: impl FnMut(&VideoPacket) -> bool,
) -> Option<VideoPacket> {
    let deadline = Instant::now() + limit;
    while Instant::now() < deadline {
        match packets.try_recv() {
            Ok(packet) if wanted(&packet) => return Some(packet),
            Ok(_) => {}
            Err(_) => std::thread::sleep(Duration::from_millis(2)),
        }
    }
    None
}

/// Takes everything that arrives in `time`.
pub fn collect(packets: &mut Receiver<VideoPacket>, time: Duration) -> Vec<VideoPacket> {
    let mut collected = Vec::new();
    next_packet(packets, time, |packet| {
        collected.push(packet.clone());
        false
    });
    collected
}

/// `count` packets of `size` in a row, from a key frame on.
pub fn run_of(packets: &mut Receiver<VideoPacket>, size: Size, count: usize) -> Vec<VideoPacket> {
    let mut run = Vec::new();
    next_packet(packets, PATIENCE, |packet| {
        if packet.size == size && (packet.key || !run.is_empty()) {
            run.push(packet.clone());
        }
        run.len() == count
    });
    assert_eq!(run.len(), count, "{size:?}");
    run
}

/// Decodes packets one by one; every one must give its picture.
pub fn decode_all(packets: &[VideoPacket]) -> Vec<Picture> {
    let mut decoder = VideoDecoder::new().unwrap();
    let decode = |packet: &VideoPacket| {
        let received = VideoPacket::decode(&packet.encode()).unwrap();
        decoder.push(&received).unwrap();
        decoder
            .wait_picture(PATIENCE)
            .unwrap_or_else(|| panic!("no picture for frame {}", packet.seq))
    };
    packets.iter().map(decode).collect()
}

/// Runs a pipeline until it ends.
pub fn run_pipeline(description: &str) {
    gst::init().unwrap();
    let pipeline = gst::parse::launch(description).unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let ends = [gst::MessageType::Eos, gst::MessageType::Error];
    let message = pipeline
        .bus()
        .unwrap()
        .timed_pop_filtered(gst::ClockTime::from_seconds(60), &ends);
    pipeline.set_state(gst::State::Null).unwrap();
    let message = message.expect("the pipeline ends");
    assert_eq!(
        message.type_(),
        gst::MessageType::Eos,
        "{description}: {message:?}"
    );
}

/// A film of `frames` pictures at 30 frames a second.
pub fn make_film(path: &Path, source: &str, frames: u32) {
    run_pipeline(&format!(
        "{source} num-buffers={frames} ! video/x-raw,format=I420,width=640,height=360,framerate=30/1 \
         ! jpegenc quality=95 ! matroskamux ! filesink location={}",
        path.display()
    ));
}

/// The raw I420 pictures that a pipeline ending in raw video gives.
pub fn raw_pictures(description: &str, size: Size) -> Vec<Vec<u8>> {
    gst::init().unwrap();
    let (width, height) = size.dimensions();
    let description = format!(
        "{description} ! videoconvertscale method=bilinear2 \
         ! video/x-raw,format=I420,width={width},height={height},colorimetry=bt601 \
         ! appsink name=exit sync=false"
    );
    let pipeline = gst::parse::launch(&description)
        .unwrap()
        .downcast::<gst::Pipeline>()
        .unwrap();
    let exit = pipeline
        .by_name("exit")
        .unwrap()
        .downcast::<gst_app::AppSink>()
        .unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let mut pictures = Vec::new();
    while let Ok(sample) = exit.pull_sample() {
        // The sizes used here have no padding between their lines.
        let map = sample.buffer().unwrap().map_readable().unwrap();
        assert_eq!(map.len(), usize::from(width) * usize::from(height) * 3 / 2);
        pictures.push(map.to_vec());
    }
    pipeline.set_state(gst::State::Null).unwrap();
    pictures
}

/// Peak signal to noise over all planes, in decibels.
pub fn psnr(a: &[u8], b: &[u8]) -> f64 {
    assert_eq!(a.len(), b.len());
    let error: u64 = a
        .iter()
        .zip(b)
        .map(|(a, b)| u64::from(a.abs_diff(*b)).pow(2))
        .sum();
    let mean = error as f64 / a.len() as f64;
    10.0 * (255.0f64.powi(2) / mean.max(1e-9)).log10()
}
