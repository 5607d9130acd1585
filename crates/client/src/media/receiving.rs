//! From the relay to the engine and the window: opened first, believed then.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use conclave_e2ee::{FrameMeta, OpenError, Track};
use conclave_media::audio::{AudioEngine, AudioPacket, SourceId};
use conclave_media::video::{Size, VideoPacket};
use conclave_transport::{Delivery, ReceivedFrame, Relay, SubscribeOptions, TrackReader};
use tokio::sync::{mpsc, watch};

use super::figures::{Figures, TrackFigures};
use super::keys::SharedOpener;
use super::plane::MediaEvent;
use super::tracks;
use crate::frames::FrameHub;
use crate::saving::Recorder;

/// Pause before a track that ended is asked for again.
const RETRY: Duration = Duration::from_millis(200);

/// How long a wish for a key frame may take before it is said again.
const KEY_FRAME_PATIENCE: Duration = Duration::from_millis(500);

/// What the readers of one sender share.
#[derive(Clone)]
pub(super) struct Sender {
    pub(super) relay: Arc<Relay>,
    pub(super) broadcast: String,
    pub(super) device: conclave_wire::DeviceId,
    pub(super) source: SourceId,
    pub(super) tile: u32,
    pub(super) figures: Arc<Figures>,
    pub(super) installed: watch::Receiver<u64>,
    pub(super) events: mpsc::Sender<MediaEvent>,
}

/// Reads a sender's sound until the session ends.
pub(super) async fn sound(sender: Sender, opener: SharedOpener, engine: Arc<AudioEngine>) {
    let (name, delivery) = match sender.relay.carries_datagrams() {
        true => (tracks::AUDIO, Delivery::Datagrams),
        false => (tracks::AUDIO_GROUPS, Delivery::Groups),
    };
    let feed = Feed {
        name,
        options: SubscribeOptions {
            delivery,
            priority: tracks::AUDIO_PRIORITY,
            max_age: tracks::AUDIO_MAX_AGE,
        },
        // One sealed packet goes out on both sound tracks, so its place is not authenticated.
        place: |_, _| FrameMeta {
            track: tracks::AUDIO,
            group: 0,
            frame: 0,
        },
        begin: None,
        count: &sender.figures.audio,
        opener,
    };
    let play = |plaintext: &[u8]| match AudioPacket::decode(plaintext) {
        Ok(packet) => engine.push(sender.source, packet),
        Err(_) => sender.figures.audio.damaged(),
    };
    feed.follow(&sender, play).await;
}

/// Where a sender's pictures go.
#[derive(Clone)]
pub(super) struct Screen {
    pub(super) size: Size,
    pub(super) hub: Arc<FrameHub>,
    pub(super) recorder: Option<Arc<Recorder>>,
    pub(super) events: mpsc::Sender<MediaEvent>,
}

/// Reads a sender's picture until the session ends.
pub(super) async fn picture(sender: Sender, opener: SharedOpener, screen: Screen) {
    let track = tracks::video_track(screen.size);
    let feed = Feed {
        name: tracks::video_name(screen.size),
        options: SubscribeOptions {
            delivery: Delivery::Groups,
            priority: tracks::video_priority(screen.size),
            max_age: tracks::VIDEO_MAX_AGE,
        },
        place: own_place,
        // A sender encodes what somebody asks for, and a decoder starts at a key frame.
        begin: Some(track),
        count: &sender.figures.video,
        opener,
    };
    let film = Film::default();
    let show = |plaintext: &[u8]| match VideoPacket::decode(plaintext) {
        Ok(packet) => {
            if film.breaks_at(&packet) {
                let wish = MediaEvent::WantKeyFrame(sender.device, track);
                let _ = sender.events.try_send(wish);
            }
            if let Some(recorder) = &screen.recorder {
                recorder.picture(sender.device, packet.clone());
            }
            screen.hub.push(sender.tile, &packet);
        }
        Err(_) => sender.figures.video.damaged(),
    };
    feed.follow(&sender, show).await;
}

/// Finds the places where a film cannot be followed without a key frame.
#[derive(Default)]
struct Film(Mutex<Course>);

#[derive(Default)]
struct Course {
    /// The only frame other than a key frame that can be followed.
    next: Option<u32>,
    wished_at: Option<Instant>,
}

impl Film {
    /// Whether a key frame is to be asked for: frames are missing before this one, and the last
    /// wish is old enough to have been lost.
    fn breaks_at(&self, packet: &VideoPacket) -> bool {
        let mut course = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if packet.key || course.next == Some(packet.seq) {
            course.next = Some(packet.seq.wrapping_add(1));
            return false;
        }
        course.next = None;
        let recent = |at: Instant| at.elapsed() < KEY_FRAME_PATIENCE;
        if course.wished_at.is_some_and(recent) {
            return false;
        }
        course.wished_at = Some(Instant::now());
        true
    }
}

/// One track of a sender: how it is asked for, opened and counted.
struct Feed<'a> {
    name: &'static str,
    options: SubscribeOptions,
    /// Where a frame of the track of this name was sealed to be.
    place: fn(&'static str, &ReceivedFrame) -> FrameMeta<'static>,
    /// A track that begins with a key frame, which is asked for.
    begin: Option<Track>,
    count: &'a TrackFigures,
    opener: SharedOpener,
}

/// The place at which the relay delivered a frame.
fn own_place(track: &'static str, frame: &ReceivedFrame) -> FrameMeta<'static> {
    FrameMeta {
        track,
        group: frame.group,
        frame: frame.frame,
    }
}

impl Feed<'_> {
    /// Asks for the track and reads it, again and again.
    async fn follow(&self, sender: &Sender, take: impl Fn(&[u8])) {
        loop {
            let asked = sender
                .relay
                .subscribe(&sender.broadcast, self.name, self.options);
            if let Ok(reader) = asked.await {
                if let Some(track) = self.begin {
                    let wish = MediaEvent::WantKeyFrame(sender.device, track);
                    let _ = sender.events.send(wish).await;
                }
                self.read(reader, sender.installed.clone(), &take).await;
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    /// Reads one subscription to its end.
    async fn read(
        &self,
        mut reader: TrackReader,
        mut installed: watch::Receiver<u64>,
        take: &impl Fn(&[u8]),
    ) {
        let mut plaintext = Vec::new();
        loop {
            tokio::select! {
                frame = reader.recv() => match frame {
                    Ok(Some(frame)) => {
                        self.count.arrived(frame.payload.len());
                        plaintext.clear();
                        let place = (self.place)(self.name, &frame);
                        let outcome = self.opener.open(&place, &frame.payload, &mut plaintext);
                        self.settle(outcome.map(|()| &plaintext[..]), take);
                    }
                    Ok(None) => return,
                    Err(error) => {
                        tracing::debug!(%error, "a track ended");
                        return;
                    }
                },
                changed = installed.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    for outcome in self.opener.take_ready() {
                        self.settle(outcome.as_deref().map_err(|error| *error), take);
                    }
                }
            }
        }
    }

    fn settle(&self, outcome: Result<&[u8], OpenError>, take: &impl Fn(&[u8])) {
        match outcome {
            Ok(plaintext) => {
                self.count.opened();
                take(plaintext);
            }
            Err(error) => self.count.shut(&error),
        }
    }
}
