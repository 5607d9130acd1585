//! The camera's life: it opens, which takes seconds, gives pictures, and closes.

use conclave_media::video::{
    CameraSource, CaptureEvent, Size, VideoCapture, VideoError, VideoPacket,
};
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinHandle};

/// The camera, open or not.
pub(super) struct Camera {
    source: CameraSource,
    capture: Option<Capture>,
    /// Sound must not wait for a camera that opens.
    opening: Option<JoinHandle<Result<Capture, VideoError>>>,
    /// What the person wants; a camera that opens too late is closed again.
    on: bool,
    /// Sizes that somebody has asked for.
    wanted: Vec<Size>,
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
    /// A closed camera that makes these sizes once it is open.
    pub(super) fn new(source: CameraSource, wanted: Vec<Size>) -> Self {
        Self {
            source,
            capture: None,
            opening: None,
            on: true,
            wanted,
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

    /// Makes a size from now on, beginning with a key frame.
    pub(super) fn show(&mut self, size: Size) {
        if !self.wanted.contains(&size) {
            self.wanted.push(size);
        }
        if let Some(capture) = &self.capture {
            capture.video.set_active(size, true);
            capture.video.request_key_frame(size);
        }
    }

    /// Makes a size no longer.
    pub(super) fn hide(&mut self, size: Size) {
        self.wanted.retain(|wanted| *wanted != size);
        if let Some(capture) = &self.capture {
            capture.video.set_active(size, false);
        }
    }

    /// The sizes that are made while the camera is on.
    pub(super) fn wanted(&self) -> &[Size] {
        &self.wanted
    }

    /// Begins every wanted size anew, for readers who saw nothing before.
    pub(super) fn refresh(&self) {
        for size in &self.wanted {
            self.request_key_frame(*size);
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
        let (source, sizes) = (self.source.clone(), self.wanted.clone());
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
                    true => self
                        .wanted
                        .clone()
                        .into_iter()
                        .for_each(|size| self.show(size)),
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
            CaptureEvent::Silent(error) => Some(error),
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
