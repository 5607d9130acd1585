//! The camera's life: it opens, which takes seconds, gives pictures, and closes.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use conclave_media::video::{
    CameraSource, CaptureEvent, Size, VideoCapture, VideoError, VideoPacket,
};
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinHandle};

/// A size that nobody reads is made for so long; a whole picture to begin with costs more than that.
const UNREAD_PATIENCE: Duration = Duration::from_secs(3);

/// The camera, open or not.
pub(super) struct Camera {
    source: CameraSource,
    capture: Option<Capture>,
    /// Sound must not wait for a camera that opens.
    opening: Option<JoinHandle<Result<Capture, VideoError>>>,
    /// What the person wants; a camera that opens too late is closed again.
    on: bool,
    /// The size of the own picture, if that is shown here.
    own: Option<Size>,
    /// Sizes that others read or ask for, and when they last did.
    read_at: BTreeMap<Size, Instant>,
}

struct Capture {
    video: VideoCapture,
    packets: mpsc::Receiver<VideoPacket>,
    events: mpsc::Receiver<CaptureEvent>,
}

/// What the camera gives.
pub(super) enum Given {
    Picture(VideoPacket),
    /// Something that the person must know.
    Trouble(VideoError),
}

enum Happened {
    Opened(Result<Result<Capture, VideoError>, JoinError>),
    Picture(VideoPacket),
    Event(CaptureEvent),
}

impl Camera {
    /// A closed camera that makes the size of the own picture, if any, once it is open.
    pub(super) fn new(source: CameraSource, own: Option<Size>) -> Self {
        Self {
            source,
            capture: None,
            opening: None,
            on: true,
            own,
            read_at: BTreeMap::new(),
        }
    }

    /// Opens the camera, so that a missing one is known before the meeting begins.
    pub(super) async fn open(&mut self) -> Result<(), VideoError> {
        let opened = self.begin_opening().await;
        // Without a result the runtime is ending, and nobody looks for the camera any more.
        self.capture = opened.ok().transpose()?;
        Ok(())
    }

    /// On or off, as the person wants it.
    pub(super) fn turn(&mut self, on: bool) {
        self.on = on;
        if !on {
            self.close();
        } else if self.capture.is_none() && self.opening.is_none() {
            self.opening = Some(self.begin_opening());
        }
    }

    /// Somebody asks for a size: makes it from now on, beginning with a key frame.
    pub(super) fn show(&mut self, size: Size) {
        self.read_at.insert(size, Instant::now());
        self.make(size);
    }

    fn make(&self, size: Size) {
        if let Some(capture) = &self.capture {
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

    /// The sizes that are made while the camera is on.
    fn made(&self) -> Vec<Size> {
        let read = self.read_at.keys().copied();
        let others = read.filter(|size| self.own != Some(*size));
        self.own.into_iter().chain(others).collect()
    }

    /// Begins every size anew, for readers who saw nothing before.
    pub(super) fn refresh(&self) {
        for size in self.made() {
            self.request_key_frame(size);
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
            let happened = match (&mut self.opening, &mut self.capture) {
                (Some(opening), _) => Happened::Opened(opening.await),
                (None, Some(capture)) => capture.next().await,
                (None, None) => std::future::pending().await,
            };
            let trouble = match happened {
                Happened::Picture(packet) => return Given::Picture(packet),
                Happened::Opened(opened) => self.opened(opened),
                Happened::Event(event) => self.event(event),
            };
            if let Some(error) = trouble {
                return Given::Trouble(error);
            }
        }
    }

    fn begin_opening(&self) -> JoinHandle<Result<Capture, VideoError>> {
        let (source, sizes) = (self.source.clone(), self.made());
        tokio::task::spawn_blocking(move || {
            let (mut video, packets) = VideoCapture::start(source, &sizes)?;
            let events = video.take_events().unwrap_or_else(|| mpsc::channel(1).1);
            Ok(Capture {
                video,
                packets,
                events,
            })
        })
    }

    fn opened(
        &mut self,
        opened: Result<Result<Capture, VideoError>, JoinError>,
    ) -> Option<VideoError> {
        self.opening = None;
        match opened {
            Ok(Ok(capture)) => {
                self.capture = Some(capture);
                match self.on {
                    true => self.made().into_iter().for_each(|size| self.make(size)),
                    false => self.close(),
                }
                None
            }
            Ok(Err(error)) => Some(error),
            Err(_) => Some(VideoError::NoCamera),
        }
    }

    fn event(&mut self, event: CaptureEvent) -> Option<VideoError> {
        match event {
            CaptureEvent::Failed(error) => {
                self.close();
                Some(error)
            }
            CaptureEvent::Silent(error) | CaptureEvent::Strained(error) => Some(error),
            CaptureEvent::Resumed => None,
        }
    }

    /// Stopping a camera takes a moment too.
    fn close(&mut self) {
        if let Some(capture) = self.capture.take() {
            tokio::task::spawn_blocking(move || drop(capture));
        }
    }
}

impl Capture {
    async fn next(&mut self) -> Happened {
        tokio::select! {
            Some(packet) = self.packets.recv() => Happened::Picture(packet),
            Some(event) = self.events.recv() => Happened::Event(event),
            else => std::future::pending().await,
        }
    }
}
