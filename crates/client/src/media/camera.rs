//! A camera's life, and a shared screen's: it opens, which takes seconds, gives pictures, and closes.
//!
//! A camera is open while its person wants to be seen, and while somebody at this computer looks for
//! something in its pictures: many a camera cannot be opened twice. Only in the first case are
//! they for others; the two are told apart by [`Given`]. `opening` opens and closes, `choosing` puts
//! another camera in the place of the one in use.

mod choosing;
mod opening;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use conclave_media::DeviceInUse;
use conclave_media::video::{
    CameraSource, CaptureEvent, Glance, PictureSource, Size, VideoError, VideoPacket,
};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use self::choosing::{Choice, Gone};
use self::opening::{Capture, Opening};
use crate::error::ClientError;

/// A size that nobody reads is made for so long; a whole picture to begin with costs more than that.
const UNREAD_PATIENCE: Duration = Duration::from_secs(3);

/// Where the pictures go that somebody looks for something in.
pub(super) type Look = oneshot::Sender<Result<mpsc::Receiver<Glance>, ClientError>>;

/// A camera or shared screen, open or not.
pub(super) struct Camera {
    /// What is open, or is opened next.
    source: PictureSource,
    capture: Option<Capture>,
    /// Sound must not wait for a camera that opens.
    opening: Option<Opening>,
    /// What is being closed: it holds its camera still.
    closing: Option<JoinHandle<()>>,
    /// Another one that was chosen, until it is in use.
    choice: Option<Choice>,
    /// Whether the one in use was closed because it could not be open beside the chosen one.
    gave_way: bool,
    /// The default camera that went, until it is known whether there is another one.
    gone: Option<Gone>,
    /// Whether the person wants to be seen; a camera that opens too late is closed again.
    on: bool,
    /// Whether somebody looks for something in the pictures.
    looking: bool,
    /// Who waits for the camera to look through it.
    asked: Option<Look>,
    /// Who looks, while there is no capture to look through.
    looker: Option<mpsc::Sender<Glance>>,
    /// The size of the own picture, if that is shown here.
    own: Option<Size>,
    /// Sizes that others read or ask for, and when they last did.
    read_at: BTreeMap<Size, Instant>,
    /// The moment of the last picture of each size that was given, in UNIX microseconds.
    given_us: BTreeMap<Size, u64>,
    /// Why no pictures come that show anything: a sentence.
    problem: Option<String>,
}

/// What the camera gives.
pub(super) enum Given {
    /// For everybody.
    Picture(VideoPacket),
    /// For the person at this computer alone.
    Own(VideoPacket),
    /// It is open, and has this name for people.
    Opened(String),
    /// The system's default camera went, and its next one is open.
    Followed {
        /// The one that went.
        gone: String,
        /// The one in its place.
        name: String,
    },
    /// No pictures come, or none that show anything, and others may come.
    Trouble(VideoError),
    /// They come again.
    Recovered,
    /// Fewer of them come.
    Strained(VideoError),
    /// It did not open, or has ended. No more pictures come.
    Ended(VideoError),
}

enum Happened {
    Opened(Result<Option<Capture>, VideoError>),
    Picture(VideoPacket),
    Event(CaptureEvent),
}

impl Camera {
    /// A closed camera that makes the size of the own picture, if any, once it is open.
    pub(super) fn new(source: impl Into<PictureSource>, own: Option<Size>) -> Self {
        let source = source.into();
        Self {
            // Without a camera nobody is seen, whatever may be opened later to look through.
            on: source != PictureSource::Camera(CameraSource::Off),
            source,
            capture: None,
            opening: None,
            closing: None,
            choice: None,
            gave_way: false,
            gone: None,
            looking: false,
            asked: None,
            looker: None,
            own,
            read_at: BTreeMap::new(),
            given_us: BTreeMap::new(),
            problem: None,
        }
    }

    /// Opens the camera, so that a missing one is known before the meeting begins.
    pub(super) async fn open(&mut self) -> Result<(), VideoError> {
        let mut opening = Opening::begin(self.source.clone(), self.made(), None, None);
        self.capture = opening.done().await?;
        Ok(())
    }

    /// What is truly in use, or why nothing is.
    pub(super) fn in_use(&self) -> DeviceInUse {
        let capture = self.capture.as_ref();
        DeviceInUse {
            name: capture.map_or_else(String::new, Capture::name),
            problem: self.problem.clone(),
        }
    }

    /// On or off, as the person wants it.
    pub(super) fn turn(&mut self, on: bool) {
        let was_on = std::mem::replace(&mut self.on, on);
        match (on, self.looking) {
            (true, _) => {
                self.be_open();
                if !was_on {
                    self.begin_to_be_seen();
                }
            }
            (false, true) => self.make_wanted(),
            (false, false) => self.rest(),
        }
    }

    /// The camera may be open already, because somebody looks through it.
    fn begin_to_be_seen(&mut self) {
        if let Some(capture) = &mut self.capture {
            // Taken before the person wanted it.
            while capture.packets.try_recv().is_ok() {}
        }
        self.refresh();
    }

    /// Nobody wants pictures any more.
    fn rest(&mut self) {
        self.settle_choice();
        self.gone = None;
        self.problem = None;
        self.close();
    }

    /// Gives the pictures to somebody who looks for something in them until [`Self::end_look`],
    /// and opens the camera for that alone if it is off. Where there was no camera from the start,
    /// `chosen` becomes the one.
    pub(super) fn look(&mut self, chosen: CameraSource, answer: Look) {
        let none = PictureSource::Camera(CameraSource::Off);
        if self.source == none && self.choice.is_none() {
            self.source = chosen.into();
            self.close();
            if self.source == none {
                let _ = answer.send(Err(ClientError::NoCamera));
                return;
            }
        }
        self.looking = true;
        self.asked = Some(answer);
        self.be_open();
        self.answer();
    }

    /// Nobody looks any more. Gives whether the camera is closed by that.
    pub(super) fn end_look(&mut self) -> bool {
        self.looking = false;
        self.asked = None;
        self.looker = None;
        if !self.on {
            self.rest();
        }
        !self.on
    }

    /// Lets whoever waits for the camera look through it, if it is open.
    fn answer(&mut self) {
        let Some(capture) = self.capture.as_ref().filter(|_| self.asked.is_some()) else {
            return;
        };
        let pictures = capture.video.look().ok_or(ClientError::NoCamera);
        // A camera that was chosen in the place of none will have some.
        if pictures.is_err() && self.choice.is_some() {
            return;
        }
        if let Some(asked) = self.asked.take() {
            let _ = asked.send(pictures);
        }
    }

    /// Whether anybody wants pictures.
    fn is_wanted(&self) -> bool {
        self.on || self.looking
    }

    fn be_open(&mut self) {
        if self.capture.is_none() && self.opening.is_none() {
            self.gave_way = false;
            self.begin_opening(self.source.clone(), self.made(), None);
        }
    }

    /// Somebody asks for a size: makes it from now on, beginning with a key frame.
    pub(super) fn show(&mut self, size: Size) {
        self.read_at.insert(size, Instant::now());
        self.make(size);
    }

    fn make(&self, size: Size) {
        let is_wanted = self.on || self.own == Some(size);
        if let (true, Some(capture)) = (is_wanted, &self.capture) {
            capture.video.set_active(size, true);
            capture.video.request_key_frame(size);
        }
    }

    /// Makes the sizes that somebody reads, and for a while those that somebody has read: readers
    /// come back after a broken connection.
    pub(super) fn follow(&mut self, readers: impl Iterator<Item = (Size, bool)>, now: Instant) {
        for (size, is_read) in readers {
            let is_own = self.own == Some(size);
            if is_read {
                let was_made = self.read_at.insert(size, now).is_some() || is_own;
                if !was_made {
                    self.make(size);
                }
                continue;
            }
            let recently = |at: &Instant| now < *at + UNREAD_PATIENCE;
            if self.read_at.get(&size).is_some_and(recently) {
                continue;
            }
            if self.read_at.remove(&size).is_some()
                && !is_own
                && let Some(capture) = &self.capture
            {
                capture.video.set_active(size, false);
            }
        }
    }

    /// The sizes that are made while the camera is open.
    fn made(&self) -> Vec<Size> {
        let read = self.read_at.keys().copied();
        let others = read.filter(|size| self.on && self.own != Some(*size));
        self.own.into_iter().chain(others).collect()
    }

    /// Makes those sizes and no others. One that was not made begins with a key frame.
    fn make_wanted(&self) {
        let made = self.made();
        if let Some(capture) = &self.capture {
            for size in Size::ALL {
                capture.video.set_active(size, made.contains(&size));
            }
        }
    }

    /// Begins every size anew, for readers who saw nothing before.
    pub(super) fn refresh(&self) {
        for size in self.made() {
            self.make(size);
        }
    }

    pub(super) fn request_key_frame(&self, size: Size) {
        if let Some(capture) = &self.capture {
            capture.video.request_key_frame(size);
        }
    }

    /// What the camera gives next; never, while it is off. Cancelling the future loses nothing.
    pub(super) async fn next(&mut self) -> Given {
        loop {
            let happened = tokio::select! {
                opened = opening::done(&mut self.opening) => Happened::Opened(opened),
                happened = next_of(&mut self.capture) => happened,
            };
            let given = match happened {
                Happened::Picture(packet) => Some(self.picture(packet)),
                Happened::Opened(opened) => self.opened(opened),
                Happened::Event(event) => self.event(event),
            };
            if let Some(given) = given {
                return given;
            }
        }
    }

    /// Two cameras need not be equally quick to show a moment, but in what is given time only goes
    /// forward.
    fn picture(&mut self, mut packet: VideoPacket) -> Given {
        let last_us = self.given_us.entry(packet.size).or_default();
        packet.capture_us = packet.capture_us.max(*last_us + 1);
        *last_us = packet.capture_us;
        match self.on {
            true => Given::Picture(packet),
            false => Given::Own(packet),
        }
    }

    fn event(&mut self, event: CaptureEvent) -> Option<Given> {
        Some(match event {
            CaptureEvent::Failed(error) => return self.ended(error),
            CaptureEvent::Silent(error) => {
                self.problem = Some(error.to_string());
                Given::Trouble(error)
            }
            CaptureEvent::Strained(error) => Given::Strained(error),
            CaptureEvent::Resumed => {
                self.problem = None;
                Given::Recovered
            }
        })
    }

    fn close(&mut self) {
        if let Some(capture) = self.capture.take() {
            self.release(capture);
        }
    }

    /// Stopping a camera takes a moment too.
    fn release(&mut self, capture: Capture) {
        self.closing = Some(capture.close(self.closing.take()));
    }

    /// Begins to open this one, unless it turns out to be the camera `not`.
    fn begin_opening(&mut self, source: PictureSource, sizes: Vec<Size>, not: Option<String>) {
        let closing = self.closing.take();
        self.opening = Some(Opening::begin(source, sizes, not, closing));
    }
}

/// What an open camera gives next; never, without one.
async fn next_of(capture: &mut Option<Capture>) -> Happened {
    let Some(capture) = capture else {
        return std::future::pending().await;
    };
    tokio::select! {
        Some(packet) = capture.packets.recv() => Happened::Picture(packet),
        Some(event) = capture.events.recv() => Happened::Event(event),
        else => std::future::pending().await,
    }
}
