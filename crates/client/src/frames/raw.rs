//! Pictures for a window that cannot decode: one decoder for each tile, begun when the window
//! first asks for raw pictures. Only the newest picture of a tile is kept.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use conclave_media::video::{Picture, VideoDecoder, VideoPacket};
use tokio::sync::Notify;

use super::{FLAG_KEY, FLAG_RAW, Frame, encode};

/// Frames that wait for a decoder; past it they are left out up to the next key frame.
const QUEUE: usize = 32;
/// How often decoded pictures are looked for.
const POLL: Duration = Duration::from_millis(4);

#[derive(Default)]
pub(super) struct RawTiles {
    wanted: AtomicBool,
    decoders: Mutex<BTreeMap<u32, SyncSender<VideoPacket>>>,
    pictures: Arc<Mutex<Pictures>>,
}

#[derive(Default)]
struct Pictures {
    last: u32,
    /// Tiles whose decoder failed and has given no picture since.
    stuck: BTreeSet<u32>,
    newest: BTreeMap<u32, Frame>,
}

impl RawTiles {
    pub(super) fn push(&self, tile: u32, packet: &VideoPacket, arrived: &Arc<Notify>) {
        if !self.wanted.load(Ordering::Relaxed) {
            return;
        }
        let mut decoders = lock(&self.decoders);
        let decoder = decoders
            .entry(tile)
            .or_insert_with(|| self.open(tile, arrived.clone()));
        // A decoder that fell behind finds the gap and waits for a key frame by itself.
        let _ = decoder.try_send(packet.clone());
    }

    pub(super) fn remove(&self, tile: u32) {
        lock(&self.decoders).remove(&tile);
        let mut pictures = lock(&self.pictures);
        pictures.newest.remove(&tile);
        pictures.stuck.remove(&tile);
    }

    pub(super) fn is_stuck(&self, tile: u32) -> bool {
        lock(&self.pictures).stuck.contains(&tile)
    }

    /// The pictures after number `after`. To ask is to want them from now on.
    pub(super) fn batch(&self, after: u32) -> Vec<u8> {
        self.wanted.store(true, Ordering::Relaxed);
        let pictures = lock(&self.pictures);
        let newer: Vec<_> = pictures
            .newest
            .iter()
            .filter(|(_, frame)| frame.number > after)
            .map(|(tile, frame)| (*tile, frame))
            .collect();
        encode(&newer)
    }

    fn open(&self, tile: u32, arrived: Arc<Notify>) -> SyncSender<VideoPacket> {
        let (packets, queue) = sync_channel(QUEUE);
        let pictures = self.pictures.clone();
        std::thread::spawn(move || match VideoDecoder::new() {
            Ok(decoder) => decode(decoder, &queue, |picture| {
                match picture {
                    Some(picture) => lock(&pictures).put(tile, picture),
                    None => drop(lock(&pictures).stuck.insert(tile)),
                }
                arrived.notify_waiters();
            }),
            Err(error) => {
                tracing::error!(%error, "pictures cannot be decoded");
                lock(&pictures).stuck.insert(tile);
            }
        });
        packets
    }
}

impl Pictures {
    fn put(&mut self, tile: u32, picture: Picture) {
        self.last = self.last.wrapping_add(1);
        let frame = Frame {
            number: self.last,
            width: picture.width,
            height: picture.height,
            flags: FLAG_KEY | FLAG_RAW,
            payload: picture.i420.into(),
        };
        self.stuck.remove(&tile);
        self.newest.insert(tile, frame);
    }
}

/// Runs until the tile is removed. Shows every picture, and nothing for one that was not to be
/// decoded.
fn decode(
    mut decoder: VideoDecoder,
    queue: &Receiver<VideoPacket>,
    mut show: impl FnMut(Option<Picture>),
) {
    loop {
        match queue.recv_timeout(POLL) {
            Ok(packet) => {
                if let Err(error) = decoder.push(&packet) {
                    tracing::debug!(%error, "a picture could not be decoded");
                    show(None);
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        while let Some(picture) = decoder.try_picture() {
            show(Some(picture));
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Pictures are replaced whole; a panic elsewhere leaves nothing half done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
