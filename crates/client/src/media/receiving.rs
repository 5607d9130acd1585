//! From the relay to the engine and the window: opened first, believed then.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use conclave_e2ee::{FrameMeta, OpenError, Track};
use conclave_media::audio::{AudioEngine, AudioPacket, SourceId};
use conclave_transport::{Delivery, ReceivedFrame, Relay, SubscribeOptions, TrackReader};
use tokio::sync::{mpsc, watch};

use super::figures::{Figures, TrackFigures};
use super::guard::{Guard, Voice};
use super::keys::{Released, SharedOpener};
use super::link;
use super::padding;
use super::plane::MediaEvent;
use super::tracks::{self, Kind, Sound};
use super::viewing::Screen;
use crate::frames::FrameHub;

/// Pause before a track that ended is asked for again.
const RETRY: Duration = Duration::from_millis(200);

/// A key frame that was asked for begins the newest group after so long: the wish takes as long to its sender as
/// sound takes from there, the next picture of the smallest size comes within 66 ms, and is encoded. Who asks
/// for the track before gets all of a group of up to 15 s, 1 Mbit of the smallest pictures.
const KEY_FRAME_COMES: Duration = Duration::from_millis(200);

/// How often the absence of signatures is looked for.
const LOOK: Duration = Duration::from_millis(200);

/// What the readers of one sender share.
#[derive(Clone)]
pub(super) struct Sender {
    pub(super) relay: Arc<Relay>,
    pub(super) broadcast: String,
    pub(super) device: conclave_wire::DeviceId,
    pub(super) tile: u32,
    pub(super) figures: Arc<Figures>,
    pub(super) guard: Arc<Guard>,
    pub(super) hub: Arc<FrameHub>,
    pub(super) installed: watch::Receiver<u64>,
    pub(super) events: mpsc::Sender<MediaEvent>,
}

/// Reads one of a sender's sounds until the session ends.
pub(super) async fn sound(
    sender: Sender,
    sound: Sound,
    opener: SharedOpener,
    engine: Arc<AudioEngine>,
) {
    let (name, delivery) = match sender.relay.carries_datagrams() {
        true => (sound.name(), Delivery::Datagrams),
        false => (sound.groups_name(), Delivery::Groups),
    };
    let count = sender.figures.sound(sound);
    let feed = Feed {
        name,
        options: SubscribeOptions {
            delivery,
            priority: sound.priority(),
            max_age: tracks::AUDIO_MAX_AGE,
            floor: None,
            bitrate_bps: 0,
        },
        place: sound.place(),
        begin: None,
        is_signed: true,
        count,
        opener,
    };
    let source = sender.source(sound);
    let play = |plaintext: &[u8]| match AudioPacket::decode(plaintext) {
        Ok(packet) => {
            // What programs play takes another time to be captured: two clocks would confuse it.
            if sound == Sound::Voice {
                sender.figures.link.sound(packet.capture_us);
            }
            engine.push(source, packet);
        }
        Err(_) => count.damaged(),
    };
    feed.follow(&sender, play).await;
}

/// Without a packet for so long there is no sound that a picture could wait for.
const SOUND_PATIENCE: Duration = Duration::from_secs(1);

/// How late sound is heard changes slowly: that is asked at every third look.
const LOOKS_PER_LISTENING: u32 = 3;

/// Judges what the way from a sender bears, and listens for how late its sound is heard, until the
/// session ends.
pub(super) async fn watch_link(sender: Sender, screen: Screen, engine: Arc<AudioEngine>) {
    let looked_at = || screen.looked_at(sender.device);
    for look in 0_u32.. {
        tokio::time::sleep(link::LOOK).await;
        if look.is_multiple_of(LOOKS_PER_LISTENING) {
            listen(&sender, &engine);
        }
        if sender.figures.link.look(looked_at) {
            sender.tell(MediaEvent::Warning(link::WEAK.into()));
        }
    }
}

fn listen(sender: &Sender, engine: &AudioEngine) {
    for sound in Sound::ALL {
        let sounds = sender.figures.sound(sound).opens(SOUND_PATIENCE);
        let stats = engine.source_stats(sender.source(sound));
        let delays_us = stats
            .filter(|_| sounds)
            .map(|stats| stats.latency_us_recent);
        let lips = sender.figures.lips(sound);
        lips.hear(delays_us.unwrap_or_default());
    }
}

/// Reads a sender's signatures, and looks for their absence, until the session ends.
pub(super) async fn signatures(sender: Sender, opener: SharedOpener) {
    let feed = Feed {
        name: tracks::AUTH,
        options: SubscribeOptions {
            delivery: Delivery::Groups,
            priority: tracks::AUTH_PRIORITY,
            max_age: tracks::AUTH_MAX_AGE,
            floor: None,
            bitrate_bps: 0,
        },
        place: own_place,
        begin: None,
        is_signed: false,
        count: &sender.figures.auth,
        opener,
    };
    let believe = |padded: &[u8]| {
        let judged = padding::strip(padded).map(|batch| sender.guard.batch(Instant::now(), batch));
        match judged {
            Some(Ok(())) => sender.react(sender.guard.voice(Instant::now())),
            Some(Err(error)) => tracing::debug!(%error, "a batch of signatures is of no use"),
            None => sender.figures.auth.damaged(),
        }
    };
    let look = async {
        loop {
            tokio::time::sleep(LOOK).await;
            sender.react(sender.guard.voice(Instant::now()));
        }
    };
    tokio::join!(feed.follow(&sender, believe), look);
}

impl Sender {
    /// Acts on who speaks under this name: at once, and once for each period of forgery.
    fn react(&self, voice: Voice) {
        if !self.guard.is_heard(voice) {
            // Also what was shown before: it may be the forgery.
            for kind in Kind::ALL {
                self.hub.remove(self.tile(kind));
            }
        }
        self.guard
            .raise_alarm(|| self.tell(MediaEvent::Forged(self.device)));
    }

    /// Under which number it is played.
    fn source(&self, sound: Sound) -> SourceId {
        sound.source(self.tile)
    }

    /// Under which number its pictures go to the window.
    pub(super) fn tile(&self, kind: Kind) -> u32 {
        kind.tile(self.tile)
    }

    /// Never waits: whoever would make room may be waiting for what this task delivers.
    pub(super) fn tell(&self, event: MediaEvent) -> bool {
        self.events.try_send(event).is_ok()
    }

    fn lacks_key(&self, error: &OpenError) {
        let (now, missing) = (Instant::now(), &self.figures.missing_key);
        if missing.shut(now, error) && self.tell(MediaEvent::KeyMissing(self.device)) {
            missing.asked(now);
        }
    }
}

/// One track of a sender: how it is asked for, opened and counted.
pub(super) struct Feed<'a> {
    pub(super) name: &'static str,
    pub(super) options: SubscribeOptions,
    /// Where a frame of the track of this name was sealed to be.
    pub(super) place: fn(&'static str, &ReceivedFrame) -> FrameMeta<'static>,
    /// Of a film only.
    pub(super) begin: Option<Beginning>,
    /// Whether its sender signs for each frame.
    pub(super) is_signed: bool,
    pub(super) count: &'a TrackFigures,
    pub(super) opener: SharedOpener,
}

/// Where somebody begins to read a film: at a key frame, which is asked for.
///
/// The relay sends the newest group from its first frame on, as fast as it can: seconds of pictures
/// that nobody sees, and that fill a narrow link before the sound. So the key frame that begins the
/// next group is asked for before the track, and what was read once is not sent again.
#[derive(Clone)]
pub(super) struct Beginning {
    pub(super) track: Track,
    /// One more than the newest group that was ever read; 0 before the first.
    pub(super) floor: Arc<AtomicU64>,
}

impl Beginning {
    async fn ask(&self, sender: &Sender) {
        let wish = MediaEvent::WantKeyFrame(sender.device, self.track);
        let _ = sender.events.send(wish).await;
        tokio::time::sleep(KEY_FRAME_COMES).await;
    }

    fn floor(&self) -> Option<u64> {
        Some(self.floor.load(Ordering::Relaxed)).filter(|group| *group > 0)
    }

    fn has_read(&self, group: u64) {
        let next = group.saturating_add(1);
        self.floor.fetch_max(next, Ordering::Relaxed);
    }
}

/// The place at which the relay delivered a frame.
pub(super) fn own_place(track: &'static str, frame: &ReceivedFrame) -> FrameMeta<'static> {
    FrameMeta {
        track,
        group: frame.group,
        frame: frame.frame,
    }
}

impl Feed<'_> {
    /// Asks for the track and reads it, again and again.
    pub(super) async fn follow(&self, sender: &Sender, take: impl Fn(&[u8])) {
        loop {
            let mut options = self.options;
            if let Some(begin) = &self.begin {
                begin.ask(sender).await;
                options.floor = begin.floor();
            }
            let asked = sender
                .relay
                .subscribe(&sender.broadcast, self.name, options);
            if let Ok(reader) = asked.await {
                self.read(sender, reader, &take).await;
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    /// Reads one subscription to its end.
    async fn read(&self, sender: &Sender, mut reader: TrackReader, take: &impl Fn(&[u8])) {
        let mut installed = sender.installed.clone();
        let mut plaintext = Vec::new();
        loop {
            tokio::select! {
                frame = reader.recv() => match frame {
                    Ok(Some(frame)) => {
                        self.count.arrived(frame.payload.len());
                        if let Some(begin) = &self.begin {
                            begin.has_read(frame.group);
                        }
                        let place = (self.place)(self.name, &frame);
                        let outcome = self.opener.open(place, &frame.payload, &mut plaintext);
                        let outcome = outcome.map(|()| &plaintext[..]);
                        self.settle(sender, &frame.payload, outcome, take);
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
                    for Released { sealed, outcome } in self.opener.take_ready() {
                        let outcome = outcome.as_deref().map_err(|error| *error);
                        self.settle(sender, &sealed, outcome, take);
                    }
                }
            }
        }
    }

    fn settle(
        &self,
        sender: &Sender,
        sealed: &[u8],
        outcome: Result<&[u8], OpenError>,
        take: &impl Fn(&[u8]),
    ) {
        let plaintext = match outcome {
            Ok(plaintext) => plaintext,
            Err(error) => {
                self.count.shut(&error);
                return sender.lacks_key(&error);
            }
        };
        self.count.opened();
        sender.figures.missing_key.opened();
        if self.is_signed {
            let voice = sender.guard.note(Instant::now(), sealed);
            self.count.judged(voice);
            if !sender.guard.is_heard(voice) {
                return sender.react(voice);
            }
        }
        take(plaintext);
    }
}
