//! Pictures: read for whom somebody looks at, at the size that is shown.
//!
//! Another size is another track. The old one is read and shown until the new one gives a key
//! frame, so that a picture that grows or shrinks never stands still.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use conclave_e2ee::Leaf;
use conclave_media::clock::now_us;
use conclave_media::video::{Size, VideoPacket};
use conclave_transport::{Delivery, SubscribeOptions};
use conclave_wire::DeviceId;
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};

use super::keys::{Keyring, SharedOpener};
use super::padding;
use super::plane::MediaEvent;
use super::receiving::{Feed, Sender, own_place};
use super::tracks;
use crate::frames::FrameHub;
use crate::saving::Recorder;

/// Pictures that may wait to be shown.
const MOST_WAITING: usize = 64;

/// How long a wish for a key frame may take before it is said again.
const KEY_FRAME_PATIENCE: Duration = Duration::from_millis(500);

/// At which size whose picture is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sizes {
    /// Of everybody, as long as no window says what it shows.
    usual: Size,
    /// What a window shows.
    shown: Option<HashMap<DeviceId, Size>>,
}

impl Sizes {
    pub(super) fn all(usual: Size) -> Self {
        Self { usual, shown: None }
    }

    pub(super) fn show(&mut self, shown: HashMap<DeviceId, Size>) {
        self.shown = Some(shown);
    }

    /// `None` if nobody looks.
    pub(super) fn of(&self, device: DeviceId) -> Option<Size> {
        match &self.shown {
            Some(shown) => shown.get(&device).copied(),
            None => Some(self.usual),
        }
    }
}

/// Where pictures go.
#[derive(Clone)]
pub(super) struct Screen {
    pub(super) sizes: watch::Receiver<Sizes>,
    pub(super) hub: Arc<FrameHub>,
    pub(super) recorder: Option<Arc<Recorder>>,
    pub(super) events: mpsc::Sender<MediaEvent>,
}

impl Screen {
    /// The size to read of somebody. A recording goes on while nobody looks.
    pub(super) fn size(&self, device: DeviceId) -> Option<Size> {
        let sizes = self.sizes.borrow();
        let recorded = self.recorder.as_ref().map(|_| sizes.usual);
        sizes.of(device).or(recorded)
    }
}

/// Reads a sender's picture until the session ends.
pub(super) async fn picture(sender: Sender, keyring: Arc<Keyring>, leaf: Leaf, screen: Screen) {
    let drawn = watch::Sender::new(None);
    let mut drawn_now = drawn.subscribe();
    let mut sizes = screen.sizes.clone();
    let mut burden = sender.figures.link.watch();
    let mut tasks = JoinSet::new();
    let (stage, waiting) = mpsc::channel(MOST_WAITING);
    tasks.spawn(present(sender.clone(), screen.clone(), waiting));
    let mut reading: HashMap<Size, AbortHandle> = HashMap::new();
    loop {
        sizes.mark_unchanged();
        burden.mark_unchanged();
        let wanted = wanted(&sender, &screen);
        if wanted.is_none() {
            drawn.send_replace(None);
        }
        let still_drawn = *drawn_now.borrow_and_update();
        reading.retain(|size, task| {
            let is_read = Some(*size) == wanted || Some(*size) == still_drawn;
            if !is_read {
                task.abort();
            }
            is_read
        });
        if let Some(size) = wanted
            && !reading.contains_key(&size)
        {
            let view = View {
                sender: sender.clone(),
                screen: screen.clone(),
                size,
                stage: stage.clone(),
                drawn: drawn.clone(),
                film: Film::default(),
            };
            let opener = keyring.opener(leaf, tracks::video_track(size));
            let task = tasks.spawn(async move {
                view.feed(opener)
                    .follow(&view.sender, |padded| view.show(padded))
                    .await;
            });
            reading.insert(size, task);
        }
        tokio::select! {
            changed = sizes.changed() => if changed.is_err() { return },
            changed = burden.changed() => if changed.is_err() { return },
            changed = drawn_now.changed() => if changed.is_err() { return },
        }
    }
}

/// The size that is looked at, if the way from the sender bears it.
fn wanted(sender: &Sender, screen: &Screen) -> Option<Size> {
    sender.figures.link.size(screen.size(sender.device))
}

/// Shows a sender's pictures one after the other, each not long before its sound is heard.
async fn present(sender: Sender, screen: Screen, mut waiting: mpsc::Receiver<VideoPacket>) {
    while let Some(packet) = waiting.recv().await {
        let lips = &sender.figures.lips;
        tokio::time::sleep(lips.hold(now_us(), packet.capture_us)).await;
        if !sender.guard.is_heard(sender.guard.voice(Instant::now())) {
            continue;
        }
        if let Some(recorder) = &screen.recorder {
            recorder.picture(sender.device, packet.clone());
        }
        if screen.hub.push(sender.tile, &packet) {
            sender.figures.shown(packet.size);
        }
    }
}

/// One size of a sender's picture.
struct View {
    sender: Sender,
    screen: Screen,
    size: Size,
    stage: mpsc::Sender<VideoPacket>,
    /// The size that is drawn at present.
    drawn: watch::Sender<Option<Size>>,
    film: Film,
}

impl View {
    fn feed(&self, opener: SharedOpener) -> Feed<'_> {
        Feed {
            name: tracks::video_name(self.size),
            options: SubscribeOptions {
                delivery: Delivery::Groups,
                priority: tracks::video_priority(self.size),
                max_age: tracks::VIDEO_MAX_AGE,
            },
            place: own_place,
            // A sender encodes what somebody asks for, and a decoder starts at a key frame.
            begin: Some(tracks::video_track(self.size)),
            is_signed: true,
            count: &self.sender.figures.video,
            opener,
        }
    }

    fn show(&self, padded: &[u8]) {
        let packet = padding::strip(padded).and_then(|plain| VideoPacket::decode(plain).ok());
        let Some(packet) = packet else {
            return self.sender.figures.video.damaged();
        };
        self.sender.figures.link.picture(packet.capture_us);
        if !self.takes_the_stage(packet.key) {
            return;
        }
        let (device, tile) = (self.sender.device, self.sender.tile);
        if self.film.breaks_at(&packet, self.screen.hub.is_stuck(tile)) {
            let track = tracks::video_track(self.size);
            self.sender.tell(MediaEvent::WantKeyFrame(device, track));
        }
        if self.stage.try_send(packet).is_err() {
            self.film.lose();
        }
    }

    /// Whether a frame of this size is to be drawn. The size that is wanted begins at a key frame.
    fn takes_the_stage(&self, key: bool) -> bool {
        if *self.drawn.borrow() == Some(self.size) {
            return true;
        }
        let begins = key && wanted(&self.sender, &self.screen) == Some(self.size);
        if begins {
            self.drawn.send_replace(Some(self.size));
        }
        begins
    }
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
    /// The frame that was taken in last will not be shown.
    fn lose(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).next = None;
    }

    /// Whether a key frame is to be asked for: frames are missing before this one or the decoder is
    /// stuck, and the last wish is old enough to have been lost.
    fn breaks_at(&self, packet: &VideoPacket, stuck: bool) -> bool {
        let mut course = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if packet.key || (!stuck && course.next == Some(packet.seq)) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_shown_alike_until_a_window_says_what_it_shows() {
        let (ana, ben) = (DeviceId([1; 16]), DeviceId([2; 16]));
        let mut sizes = Sizes::all(Size::Medium);
        assert_eq!(sizes.of(ana), Some(Size::Medium));
        sizes.show(HashMap::from([(ana, Size::High)]));
        assert_eq!((sizes.of(ana), sizes.of(ben)), (Some(Size::High), None));
        sizes.show(HashMap::new());
        assert_eq!(sizes.of(ana), None);
    }
}
