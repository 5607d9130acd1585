//! Encoded pictures on their way to the window, which pulls them.
//!
//! A batch is, little endian: u32 count; for each picture seven u32 (tile, number, width, height,
//! flags, length, reserved); then the payloads in the same order. Flag 1 marks a key frame. The
//! number counts over all tiles; the largest one seen is what to ask after.
//!
//! Of each tile everything since its last key frame is kept, so that a window that fell behind
//! goes on at a frame it can decode, and never piles up work. For a window that cannot decode at
//! all, `raw` does it and flag 2 marks the pictures.

mod raw;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use conclave_media::video::VideoPacket;
use tokio::sync::Notify;

use self::raw::RawTiles;

/// The tile of the own picture.
pub(crate) const OWN_TILE: u32 = 0;
/// Frames kept of a tile; past it everything waits for the next key frame.
const MAX_FRAMES: usize = 600;
/// Payload bytes in one batch.
const MAX_BATCH: usize = 4 * 1024 * 1024;
const FLAG_KEY: u32 = 1;
const FLAG_RAW: u32 = 2;

/// What a window can draw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// VP9 frames, which it decodes itself.
    Encoded,
    /// Decoded pictures, I420 without padding between rows.
    Raw,
}

struct Frame {
    number: u32,
    width: u32,
    height: u32,
    flags: u32,
    payload: Bytes,
}

#[derive(Default)]
struct Tiles {
    last: u32,
    tiles: BTreeMap<u32, VecDeque<Frame>>,
}

/// Pictures that wait to be drawn.
#[derive(Default)]
pub struct FrameHub {
    tiles: Mutex<Tiles>,
    raw: RawTiles,
    arrived: Arc<Notify>,
}

impl FrameHub {
    /// Takes in a picture. Gives whether it can be drawn: before the first key frame none can.
    pub(crate) fn push(&self, tile: u32, packet: &VideoPacket) -> bool {
        let mut all = self.lock();
        all.last = all.last.wrapping_add(1);
        let number = all.last;
        let frames = all.tiles.entry(tile).or_default();
        if packet.key || frames.len() >= MAX_FRAMES {
            frames.clear();
        }
        let can_be_drawn = packet.key || !frames.is_empty();
        if can_be_drawn {
            frames.push_back(Frame {
                number,
                width: packet.width.into(),
                height: packet.height.into(),
                flags: if packet.key { FLAG_KEY } else { 0 },
                payload: packet.payload.clone(),
            });
        }
        drop(all);
        self.raw.push(tile, packet, &self.arrived);
        self.arrived.notify_waiters();
        can_be_drawn
    }

    /// Whether the last picture of a tile could not be decoded here. Windows that decode
    /// themselves do not tell.
    pub(crate) fn is_stuck(&self, tile: u32) -> bool {
        self.raw.is_stuck(tile)
    }

    pub(crate) fn remove(&self, tile: u32) {
        self.lock().tiles.remove(&tile);
        self.raw.remove(tile);
    }

    /// The pictures after number `after`, waiting up to `limit` for the first one; an empty batch
    /// when there is none. Each form counts for itself.
    pub async fn next(&self, after: u32, form: Form, limit: Duration) -> Vec<u8> {
        let arrived = self.arrived.notified();
        tokio::pin!(arrived);
        // Registered before looking, so that a picture in between is not missed.
        arrived.as_mut().enable();
        let batch = self.batch(after, form);
        if batch.len() > 4 || tokio::time::timeout(limit, arrived).await.is_err() {
            return batch;
        }
        self.batch(after, form)
    }

    fn batch(&self, after: u32, form: Form) -> Vec<u8> {
        match form {
            Form::Encoded => self.encoded(after),
            Form::Raw => self.raw.batch(after),
        }
    }

    fn encoded(&self, after: u32) -> Vec<u8> {
        let all = self.lock();
        let mut picked: Vec<(u32, &Frame)> = all
            .tiles
            .iter()
            .flat_map(|(tile, frames)| frames.iter().map(move |frame| (*tile, frame)))
            .filter(|(_, frame)| frame.number > after)
            .collect();
        picked.sort_by_key(|(_, frame)| frame.number);
        let mut bytes = 0;
        let within = picked.iter().take_while(|(_, frame)| {
            bytes += frame.payload.len();
            bytes <= MAX_BATCH
        });
        let count = within.count().max(usize::from(!picked.is_empty()));
        encode(&picked[..count])
    }

    fn lock(&self) -> MutexGuard<'_, Tiles> {
        // Frames are replaced whole; a panic elsewhere leaves nothing half done.
        self.tiles.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn encode(frames: &[(u32, &Frame)]) -> Vec<u8> {
    let mut batch = Vec::new();
    let mut word = |value: u32| batch.extend_from_slice(&value.to_le_bytes());
    word(frames.len() as u32);
    for (tile, frame) in frames {
        let len = frame.payload.len() as u32;
        for value in [
            *tile,
            frame.number,
            frame.width,
            frame.height,
            frame.flags,
            len,
            0,
        ] {
            word(value);
        }
    }
    for (_, frame) in frames {
        batch.extend_from_slice(&frame.payload);
    }
    batch
}

#[cfg(test)]
mod tests {
    use conclave_media::video::Size;

    use super::*;

    fn packet(seq: u32, key: bool) -> VideoPacket {
        VideoPacket {
            seq,
            capture_us: 0,
            key,
            size: Size::Low,
            width: 320,
            height: 180,
            payload: Bytes::from(vec![seq as u8; 3]),
        }
    }

    fn numbers(batch: &[u8]) -> Vec<u32> {
        let word = |at: usize| u32::from_le_bytes(batch[at..at + 4].try_into().unwrap());
        (0..word(0) as usize)
            .map(|index| word(4 + index * 28 + 4))
            .collect()
    }

    #[tokio::test]
    async fn a_window_that_fell_behind_goes_on_at_a_key_frame() {
        let hub = FrameHub::default();
        hub.push(1, &packet(0, false)); // cannot be decoded without a key frame
        for (seq, key) in [(1, true), (2, false), (3, false), (4, true), (5, false)] {
            hub.push(1, &packet(seq, key));
        }
        assert_eq!(
            numbers(&hub.next(2, Form::Encoded, Duration::ZERO).await),
            [5, 6]
        );
        assert_eq!(
            numbers(&hub.next(5, Form::Encoded, Duration::ZERO).await),
            [6]
        );
    }

    #[tokio::test]
    async fn who_is_up_to_date_waits_and_then_gets_nothing() {
        let hub = FrameHub::default();
        assert_eq!(
            hub.next(0, Form::Encoded, Duration::from_millis(5)).await,
            [0, 0, 0, 0]
        );
    }

    #[tokio::test]
    async fn a_window_that_cannot_decode_gets_moving_pictures() {
        use conclave_media::video::{CameraSource, VideoCapture};

        let started =
            tokio::task::spawn_blocking(|| VideoCapture::start(CameraSource::Test, &[Size::Low]));
        let (capture, mut packets) = started
            .await
            .unwrap()
            .expect("the test picture needs no camera");
        let hub = FrameHub::default();
        assert_eq!(hub.next(0, Form::Raw, Duration::ZERO).await, [0, 0, 0, 0]);
        let mut batch = Vec::new();
        while batch.len() <= 4 {
            hub.push(1, &packets.recv().await.expect("the test picture goes on"));
            batch = hub.next(0, Form::Raw, Duration::from_millis(20)).await;
        }
        let word = |at: usize| u32::from_le_bytes(batch[at..at + 4].try_into().unwrap());
        let (width, height, flags, len) = (word(12), word(16), word(20), word(24));
        assert_eq!((width, height, flags), (320, 180, FLAG_KEY | FLAG_RAW));
        assert_eq!(len, 320 * 180 * 3 / 2);
        let luma = &batch[32..32 + 320 * 180];
        assert!(luma.iter().max() > luma.iter().min(), "one colour only");
        tokio::task::spawn_blocking(move || drop(capture))
            .await
            .unwrap();
    }
}
