//! Pictures and shared screens: read for whom somebody looks at, at the size that is shown.
//!
//! Another size is another track. The old one is read and shown until the new one gives a key
//! frame, so that a picture that grows or shrinks never stands still.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use conclave_e2ee::Leaf;
use conclave_media::clock::now_us;
use conclave_media::video::{Size, VideoPacket};
use conclave_transport::{Delivery, SubscribeOptions};
use conclave_wire::DeviceId;
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};

use super::figures::TrackFigures;
use super::keys::{Keyring, SharedOpener};
use super::link::LookedAt;
use super::padding;
use super::plane::MediaEvent;
use super::receiving::{Beginning, Feed, Sender, own_place};
use super::tracks::{Kind, Reel};
use crate::frames::FrameHub;
use crate::saving::Recorder;

/// Pictures that may wait to be shown.
const MOST_WAITING: usize = 64;

/// The first pictures of a film were waiting for their reader: they say nothing of the link.
const CATCHING_UP: Duration = Duration::from_millis(600);

/// How long a wish for a key frame may take before it is said again.
const KEY_FRAME_PATIENCE: Duration = Duration::from_millis(500);

/// At which size whose picture is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sizes {
    /// Of everybody, as long as no window says what it shows.
    usual: Size,
    /// What a window shows.
    shown: Option<Shown>,
    /// Who shares a screen, and may.
    sharing: HashSet<DeviceId>,
}

/// Whose pictures and screens a window shows, and how large.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) pictures: HashMap<DeviceId, Size>,
    pub(crate) screens: HashMap<DeviceId, Size>,
}

impl Sizes {
    pub(super) fn all(usual: Size) -> Self {
        Self {
            usual,
            shown: None,
            sharing: HashSet::new(),
        }
    }

    pub(super) fn show(&mut self, shown: Shown) {
        self.shown = Some(shown);
    }

    /// Screens of nobody else are read, whatever is sent.
    pub(super) fn set_sharing(&mut self, sharing: HashSet<DeviceId>) {
        self.sharing = sharing;
    }

    pub(super) fn shares(&self, device: DeviceId) -> bool {
        self.sharing.contains(&device)
    }

    /// `None` if nobody looks, or there is nothing to see.
    pub(super) fn of(&self, device: DeviceId, kind: Kind) -> Option<Size> {
        match (kind, &self.shown) {
            (Kind::Screen, _) if !self.shares(device) => None,
            (Kind::Screen, Some(shown)) => shown.screens.get(&device).copied(),
            (Kind::Screen, None) => Some(Size::High),
            (Kind::Camera, Some(shown)) => shown.pictures.get(&device).copied(),
            (Kind::Camera, None) => Some(self.usual),
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
    /// Whether somebody shares a screen, and may.
    pub(super) fn shares(&self, device: DeviceId) -> bool {
        self.sizes.borrow().shares(device)
    }

    /// The size to read of somebody. A recording goes on while nobody looks.
    pub(super) fn size(&self, device: DeviceId, kind: Kind) -> Option<Size> {
        let sizes = self.sizes.borrow();
        let recorded = self.recorder.as_ref().and(match kind {
            Kind::Camera => Some(sizes.usual),
            Kind::Screen => sizes.shares(device).then_some(Size::High),
        });
        sizes.of(device, kind).or(recorded)
    }

    /// The sizes to read of all that somebody shows.
    pub(super) fn looked_at(&self, device: DeviceId) -> LookedAt {
        LookedAt {
            camera: self.size(device, Kind::Camera),
            screen: self.size(device, Kind::Screen),
        }
    }
}

/// Reads a sender's camera or shared screen until the session ends.
pub(super) async fn picture(
    sender: Sender,
    keyring: Arc<Keyring>,
    leaf: Leaf,
    screen: Screen,
    kind: Kind,
) {
    let drawn = watch::Sender::new(None);
    let mut drawn_now = drawn.subscribe();
    let mut sizes = screen.sizes.clone();
    let mut burden = sender.figures.link.watch();
    let mut tasks = JoinSet::new();
    let (stage, waiting) = mpsc::channel(MOST_WAITING);
    tasks.spawn(present(sender.clone(), screen.clone(), kind, waiting));
    let mut reading: HashMap<Reel, AbortHandle> = HashMap::new();
    let mut floors: HashMap<Reel, Arc<AtomicU64>> = HashMap::new();
    loop {
        sizes.mark_unchanged();
        burden.mark_unchanged();
        let wanted = wanted(&sender, &screen, kind);
        if wanted.is_none() {
            drawn.send_replace(None);
        }
        let still_drawn = *drawn_now.borrow_and_update();
        reading.retain(|reel, task| {
            let is_read = Some(*reel) == wanted || Some(*reel) == still_drawn;
            if !is_read {
                task.abort();
            }
            is_read
        });
        if let Some(reel) = wanted
            && !reading.contains_key(&reel)
        {
            let view = View {
                sender: sender.clone(),
                screen: screen.clone(),
                reel,
                stage: stage.clone(),
                drawn: drawn.clone(),
                film: Film::default(),
                begin: Beginning {
                    track: reel.track(),
                    floor: floors.entry(reel).or_default().clone(),
                },
                read_since: Instant::now(),
            };
            let opener = keyring.opener(leaf, reel.track());
            let task = tasks.spawn(async move {
                view.feed(opener)
                    .follow(&view.sender, |padded| view.show(padded))
                    .await;
            });
            reading.insert(reel, task);
        }
        tokio::select! {
            changed = sizes.changed() => if changed.is_err() { return },
            changed = burden.changed() => if changed.is_err() { return },
            changed = drawn_now.changed() => if changed.is_err() { return },
        }
    }
}

/// What is looked at, if the way from the sender bears it.
fn wanted(sender: &Sender, screen: &Screen, kind: Kind) -> Option<Reel> {
    let looked_at = screen.looked_at(sender.device);
    let size = sender.figures.link.size(kind, looked_at);
    size.map(|size| Reel::new(kind, size))
}

/// Shows a sender's pictures one after the other, each not long before its sound is heard.
async fn present(
    sender: Sender,
    screen: Screen,
    kind: Kind,
    mut waiting: mpsc::Receiver<VideoPacket>,
) {
    while let Some(packet) = waiting.recv().await {
        let lips = sender.figures.lips_of(kind);
        tokio::time::sleep(lips.hold(now_us(), packet.capture_us)).await;
        if !sender.guard.is_heard(sender.guard.voice(Instant::now())) {
            continue;
        }
        if let Some(recorder) = &screen.recorder {
            recorder.picture(sender.device, kind, packet.clone());
        }
        if screen.hub.push(sender.tile(kind), &packet) {
            sender.figures.shown(Reel::new(kind, packet.size), &packet);
        }
    }
}

/// One size of a sender's picture.
struct View {
    sender: Sender,
    screen: Screen,
    reel: Reel,
    stage: mpsc::Sender<VideoPacket>,
    /// The one that is drawn at present.
    drawn: watch::Sender<Option<Reel>>,
    film: Film,
    begin: Beginning,
    /// When it was first read, this time.
    read_since: Instant,
}

impl View {
    fn feed(&self, opener: SharedOpener) -> Feed<'_> {
        Feed {
            name: self.reel.name(),
            options: SubscribeOptions {
                delivery: Delivery::Groups,
                priority: self.reel.priority(),
                max_age: self.reel.max_age(),
                floor: None,
                bitrate_bps: self.reel.bitrate_bps(),
            },
            place: own_place,
            // A sender encodes what somebody asks for, and a decoder starts at a key frame.
            begin: Some(self.begin.clone()),
            is_signed: true,
            count: self.figures(),
            opener,
        }
    }

    fn show(&self, padded: &[u8]) {
        let packet = padding::strip(padded).and_then(|plain| VideoPacket::decode(plain).ok());
        let Some(packet) = packet else {
            return self.figures().damaged();
        };
        // A whole screen is large and comes late without a queue; of a link that is full sound tells.
        if self.reel.kind == Kind::Camera && self.read_since.elapsed() > CATCHING_UP {
            let bytes = padded.len();
            self.sender.figures.link.picture(packet.capture_us, bytes);
        }
        if !self.takes_the_stage(packet.key) {
            return;
        }
        let (device, tile) = (self.sender.device, self.sender.tile(self.reel.kind));
        if self.film.breaks_at(&packet, self.screen.hub.is_stuck(tile)) {
            let track = self.reel.track();
            self.sender.tell(MediaEvent::WantKeyFrame(device, track));
        }
        if self.stage.try_send(packet).is_err() {
            self.film.lose();
        }
    }

    fn figures(&self) -> &TrackFigures {
        self.sender.figures.pictures(self.reel.kind)
    }

    /// Whether a frame of this size is to be drawn. The size that is wanted begins at a key frame.
    fn takes_the_stage(&self, key: bool) -> bool {
        if *self.drawn.borrow() == Some(self.reel) {
            return true;
        }
        let wanted = wanted(&self.sender, &self.screen, self.reel.kind);
        let begins = key && wanted == Some(self.reel);
        if begins {
            self.drawn.send_replace(Some(self.reel));
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
        let of = |sizes: &Sizes, device| sizes.of(device, Kind::Camera);
        assert_eq!(of(&sizes, ana), Some(Size::Medium));
        sizes.show(Shown {
            pictures: HashMap::from([(ana, Size::High)]),
            ..Shown::default()
        });
        assert_eq!((of(&sizes, ana), of(&sizes, ben)), (Some(Size::High), None));
        sizes.show(Shown::default());
        assert_eq!(of(&sizes, ana), None);
    }

    #[test]
    fn screens_are_read_of_who_may_share_and_of_nobody_else() {
        let (ana, ben) = (DeviceId([1; 16]), DeviceId([2; 16]));
        let mut sizes = Sizes::all(Size::Low);
        let of = |sizes: &Sizes| [ana, ben].map(|device| sizes.of(device, Kind::Screen));
        assert_eq!(of(&sizes), [None, None]);
        sizes.set_sharing(HashSet::from([ana]));
        assert_eq!(of(&sizes), [Some(Size::High), None]);
        sizes.show(Shown {
            screens: HashMap::from([(ana, Size::Low), (ben, Size::High)]),
            ..Shown::default()
        });
        assert_eq!(of(&sizes), [Some(Size::Low), None]);
        sizes.set_sharing(HashSet::new());
        assert_eq!(of(&sizes), [None, None]);
    }
}
