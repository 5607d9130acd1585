//! One source, encoded in up to three sizes.
//!
//! ```text
//! test | camera | screen | file → I420, at most its largest size → capture stamp → tee ┬ Branch for each size
//!                                                                                      └ Lookout, while somebody looks
//! ```
//! A thread watches the pipeline for errors and silence and reports them as [`CaptureEvent`]s. Dropping the
//! [`VideoCapture`] stops everything.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use gstreamer as gst;
use gstreamer::prelude::*;
use tokio::sync::mpsc;

use super::branch::Branch;
use super::elements::{bus_of, chain, filter, make, reason, refused};
use super::error::VideoError;
use super::feed::Feed;
use super::glance::Glance;
use super::lookout::Lookout;
use super::outlet::{Outlet, QUEUED_PACKETS};
use super::packet::VideoPacket;
use super::recipe::Source;
use super::screen::Blackness;
use super::size::Size;
use super::source::PictureSource;
use super::stamp::{Pulse, stamp_frames};
use super::strain::Telling;

/// How long a source may take to give its first picture.
const START_LIMIT: Duration = Duration::from_secs(10);
/// A running source that gives nothing for so long is reported.
const SILENCE_LIMIT: Duration = Duration::from_secs(3);
/// A screen that is black for so long is reported.
const BLACK_LIMIT: Duration = Duration::from_secs(4);
/// How often the watcher looks around, which is also how long a drop may take.
const WATCH_INTERVAL: gst::ClockTime = gst::ClockTime::from_mseconds(100);
/// How often somebody who waits for the first picture looks for it.
const START_INTERVAL: gst::ClockTime = gst::ClockTime::from_mseconds(10);
/// Events that wait for a reader; later ones are lost.
const QUEUED_EVENTS: usize = 8;

/// What happens to a running capture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CaptureEvent {
    /// No more pictures will come; start another capture.
    Failed(VideoError),
    /// No picture comes at present, or none that shows anything ([`VideoError::Silent`],
    /// [`VideoError::ScreenHidden`], [`VideoError::ScreenBlack`]).
    Silent(VideoError),
    /// Pictures come again after [`CaptureEvent::Silent`].
    Resumed,
    /// The computer is too slow for all pictures of a size, for longer than a moment
    /// ([`VideoError::Strained`]).
    Strained(VideoError),
}

/// A running camera or shared screen with its encoders.
pub struct VideoCapture {
    running: Option<Running>,
    events: Option<mpsc::Receiver<CaptureEvent>>,
    /// Keeps the channel of a capture that is off open.
    _packets: mpsc::Sender<VideoPacket>,
}

impl VideoCapture {
    /// Opens `source` and encodes it in `sizes`; others can be activated later.
    ///
    /// Blocks until the first picture has come or the source has failed, at most ten seconds after the
    /// person has answered what the system asks, if it does; dropping the capture blocks until its threads have ended, a fraction of a second.
    /// [`CameraSource::Off`] gives a capture that never sends.
    pub fn start(
        source: impl Into<PictureSource>,
        sizes: &[Size],
    ) -> Result<(VideoCapture, mpsc::Receiver<VideoPacket>), VideoError> {
        let (packets, received) = mpsc::channel(QUEUED_PACKETS);
        let (events, happened) = mpsc::channel(QUEUED_EVENTS);
        let source = source.into();
        let shape = Source::of(&source);
        let running = match Feed::open(&source, &shape)? {
            Some(feed) => Some(Running::start(feed, &shape, sizes, &packets, events)?),
            None => None,
        };
        Ok((
            VideoCapture {
                running,
                events: Some(happened),
                _packets: packets,
            },
            received,
        ))
    }

    /// Makes the next frame of `size` a key frame.
    pub fn request_key_frame(&self, size: Size) {
        if let Some(branch) = self.branch(size) {
            branch.request_key_frame();
        }
    }

    /// Changes the bitrate of `size`, in bits per second, from the next frame on.
    pub fn set_bitrate(&self, size: Size, bitrate_bps: u32) {
        if let Some(branch) = self.branch(size) {
            branch.set_bitrate(bitrate_bps);
        }
    }

    /// Starts or stops encoding `size`. A size that starts begins with a key frame.
    pub fn set_active(&self, size: Size, active: bool) {
        if let Some(branch) = self.branch(size) {
            branch.set_active(active);
        }
    }

    /// Pictures as they come from the source, for whoever looks for something in them: the newest
    /// one whenever the one before was taken, until the receiver is dropped. Who looks next takes
    /// them over. `None` if the capture is off.
    pub fn look(&self) -> Option<mpsc::Receiver<Glance>> {
        self.running.as_ref().map(|running| running.lookout.look())
    }

    /// Takes whoever looks away from this capture, to be handed to another one by
    /// [`Self::show_to`]. Until then he waits.
    pub fn take_looker(&self) -> Option<mpsc::Sender<Glance>> {
        self.running.as_ref()?.lookout.take()
    }

    /// Gives the pictures to somebody who looked through another capture before. A capture that is
    /// off ends his look.
    pub fn show_to(&self, looker: mpsc::Sender<Glance>) {
        if let Some(running) = &self.running {
            running.lookout.show_to(looker);
        }
    }

    /// The events of this capture; `None` after the first call.
    pub fn take_events(&mut self) -> Option<mpsc::Receiver<CaptureEvent>> {
        self.events.take()
    }

    /// What is captured, in words for a person: a camera's name, a window's title.
    pub fn source_name(&self) -> &str {
        self.running.as_ref().map_or("", |running| &running.name)
    }

    /// The id of the camera that this holds, as [`cameras`](super::cameras) gives it; `None` if it
    /// holds none.
    pub fn camera_id(&self) -> Option<&str> {
        self.running.as_ref()?.camera_id.as_deref()
    }

    fn branch(&self, size: Size) -> Option<&Branch> {
        let mut branches = self.running.as_ref()?.branches.iter();
        branches
            .find(|(of, _)| *of == size)
            .map(|(_, branch)| branch)
    }
}

struct Running {
    pipeline: gst::Pipeline,
    name: String,
    camera_id: Option<String>,
    branches: Vec<(Size, Branch)>,
    lookout: Lookout,
    stop: Arc<AtomicBool>,
    watcher: Option<JoinHandle<()>>,
}

impl Running {
    fn start(
        mut feed: Feed,
        source: &Source,
        sizes: &[Size],
        packets: &mpsc::Sender<VideoPacket>,
        events: mpsc::Sender<CaptureEvent>,
    ) -> Result<Self, VideoError> {
        let pipeline = gst::Pipeline::new();
        let tee = make("tee")?;
        let raw = filter(&source.raw_caps())?;
        chain(&pipeline, &[feed.bin.upcast_ref(), &raw, &tee])?;
        let (pulse, blackness) = (Pulse::new(), Blackness::default());
        if let Some(pad) = raw.static_pad("src") {
            take_every_size(&pad, source.raw_caps());
            stamp_frames(&pad, &pipeline, pulse.clone());
            if feed.black().is_some() {
                blackness.watch(&pad);
            }
        }
        let mut branches = Vec::new();
        for recipe in &source.recipes {
            let size = recipe.size;
            let outlet = Outlet::new(size, recipe.key_interval, packets.clone());
            let is_active = sizes.contains(&size);
            let branch = Branch::attach(&pipeline, &tee, recipe, is_active, outlet)?;
            branches.push((size, branch));
        }
        let strides = branches.iter().map(|(_, branch)| branch.stride()).collect();
        let lookout = Lookout::attach(&pipeline, &tee)?;
        let bus = bus_of(&pipeline)?;
        let stop = Arc::new(AtomicBool::new(false));
        let mut running = Running {
            pipeline,
            name: feed.name(),
            camera_id: feed.camera_id(),
            branches,
            lookout,
            stop: Arc::clone(&stop),
            watcher: None,
        };
        let played = running.pipeline.set_state(gst::State::Playing);
        feed.begin()?;
        let watch = Watch {
            bus,
            feed,
            pulse,
            strides,
            blackness,
            events,
            stop,
        };
        if let Err(error) = played {
            return Err(watch
                .failure(gst::ClockTime::ZERO)
                .unwrap_or_else(|| refused(&error)));
        }
        watch.wait_for_first_frame()?;
        let thread = std::thread::Builder::new()
            .name("capture-watch".to_owned())
            .spawn(move || watch.run());
        running.watcher = Some(thread.map_err(|error| refused(&error))?);
        Ok(running)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        // Only an element that hangs in a driver refuses; there is nothing left to do about it here.
        if let Err(error) = self.pipeline.set_state(gst::State::Null) {
            tracing::warn!(%error, "a capture did not stop cleanly");
        }
        if self
            .watcher
            .take()
            .is_some_and(|thread| thread.join().is_err())
        {
            tracing::error!("a capture's watcher panicked");
        }
    }
}

/// Every branch scales for itself. Asked what they like best, the smallest would have the source scaled
/// down for all.
fn take_every_size(pad: &gst::Pad, caps: gst::Caps) {
    pad.add_probe(gst::PadProbeType::QUERY_DOWNSTREAM, move |_, info| {
        let Some(query) = info.query_mut() else {
            return gst::PadProbeReturn::Ok;
        };
        let gst::QueryViewMut::Caps(asked) = query.view_mut() else {
            return gst::PadProbeReturn::Ok;
        };
        let taken = match asked.filter_owned() {
            Some(filter) => filter.intersect_with_mode(&caps, gst::CapsIntersectMode::First),
            None => caps.clone(),
        };
        asked.set_result(&taken);
        gst::PadProbeReturn::Handled
    });
}

/// Looks after a pipeline from outside its streaming threads.
struct Watch {
    bus: gst::Bus,
    feed: Feed,
    pulse: Pulse,
    strides: Vec<Arc<AtomicU32>>,
    blackness: Blackness,
    events: mpsc::Sender<CaptureEvent>,
    stop: Arc<AtomicBool>,
}

impl Watch {
    fn wait_for_first_frame(&self) -> Result<(), VideoError> {
        while !self.pulse.has_beaten() {
            if let Some(error) = self.failure(START_INTERVAL) {
                return Err(error);
            }
            if self.pulse.silence() > START_LIMIT {
                return Err(self.feed.absent(START_LIMIT));
            }
        }
        Ok(())
    }

    fn run(self) {
        let mut telling = Telling::default();
        let mut told: Option<VideoError> = None;
        while !self.stop.load(Ordering::Acquire) {
            if let Some(error) = self.failure(WATCH_INTERVAL) {
                self.report(CaptureEvent::Failed(error));
                return;
            }
            let trouble = self.trouble();
            if trouble != told {
                told.clone_from(&trouble);
                self.report(trouble.map_or(CaptureEvent::Resumed, CaptureEvent::Silent));
            }
            let thins_out = |stride: &Arc<AtomicU32>| stride.load(Ordering::Relaxed) > 1;
            let is_strained = self.strides.iter().any(thins_out);
            if telling.is_due(is_strained, Instant::now()) {
                self.report(CaptureEvent::Strained(VideoError::Strained));
            }
        }
    }

    /// Why nothing is seen at present.
    fn trouble(&self) -> Option<VideoError> {
        if self.pulse.silence() > SILENCE_LIMIT {
            return Some(self.feed.silent(SILENCE_LIMIT));
        }
        let is_black = self.blackness.lasts() > BLACK_LIMIT;
        self.feed.black().filter(|_| is_black)
    }

    /// The next failure, waiting for it at most `limit`.
    fn failure(&self, limit: gst::ClockTime) -> Option<VideoError> {
        if let Some(message) = self
            .bus
            .timed_pop_filtered(limit, &[gst::MessageType::Error])
        {
            return self.blame(&message);
        }
        self.pulse
            .has_ended()
            .then(|| self.feed.failed("it has ended".to_owned()))
    }

    /// Tells the source's faults from the encoders' by where the message came from.
    fn blame(&self, message: &gst::Message) -> Option<VideoError> {
        let gst::MessageView::Error(error) = message.view() else {
            return None;
        };
        let reason = reason(&error.error());
        let from_source = message
            .src()
            .is_some_and(|src| src.has_as_ancestor(&self.feed.bin));
        Some(if from_source {
            self.feed.failed(reason)
        } else {
            VideoError::Pipeline { reason }
        })
    }

    fn report(&self, event: CaptureEvent) {
        if self.events.try_send(event).is_err() {
            tracing::debug!("nobody reads a capture's events");
        }
    }
}
