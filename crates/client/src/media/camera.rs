//! A camera's life, and a shared screen's: it opens, which takes seconds, gives pictures, and closes.
//!
//! A camera is open while its person wants to be seen, and while somebody at this computer looks for
//! something in its pictures: many a camera cannot be opened twice. Only in the first case are
//! they for others; the two are told apart by [`Given`].

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use conclave_media::video::{
    CameraSource, CaptureEvent, Glance, PictureSource, Size, VideoCapture, VideoError, VideoPacket,
};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinError, JoinHandle};

use crate::error::ClientError;

/// A size that nobody reads is made for so long; a whole picture to begin with costs more than that.
const UNREAD_PATIENCE: Duration = Duration::from_secs(3);

/// Where the pictures go that somebody looks for something in.
pub(super) type Look = oneshot::Sender<Result<mpsc::Receiver<Glance>, ClientError>>;

/// A camera or shared screen, open or not.
pub(super) struct Camera {
    source: PictureSource,
    capture: Option<Capture>,
    /// Sound must not wait for a camera that opens.
    opening: Option<JoinHandle<Result<Capture, VideoError>>>,
    /// Whether the person wants to be seen; a camera that opens too late is closed again.
    on: bool,
    /// Whether somebody looks for something in the pictures.
    looking: bool,
    /// Who waits for the camera to look through it.
    asked: Option<Look>,
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
    /// For everybody.
    Picture(VideoPacket),
    /// For the person at this computer alone.
    Own(VideoPacket),
    /// It is open, and has this name for people.
    Opened(String),
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
    Opened(Result<Result<Capture, VideoError>, JoinError>),
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
            looking: false,
            asked: None,
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
        let was_on = std::mem::replace(&mut self.on, on);
        match (on, self.looking) {
            (true, _) => {
                self.be_open();
                if !was_on {
                    self.begin_to_be_seen();
                }
            }
            (false, true) => self.make_for_me_alone(),
            (false, false) => self.close(),
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

    /// Gives the pictures to somebody who looks for something in them until [`Self::end_look`],
    /// and opens the camera for that alone if it is off. Where there was no camera from the start,
    /// `chosen` becomes the one.
    pub(super) fn look(&mut self, chosen: CameraSource, answer: Look) {
        let none = PictureSource::Camera(CameraSource::Off);
        if self.source == none {
            self.source = chosen.into();
            self.close();
        }
        if self.source == none {
            let _ = answer.send(Err(ClientError::NoCamera));
            return;
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
        if !self.on {
            self.close();
        }
        !self.on
    }

    /// Lets whoever waits for the camera look through it, if it is open.
    fn answer(&mut self) {
        if let Some(capture) = &self.capture
            && let Some(asked) = self.asked.take()
        {
            let pictures = capture.video.look().ok_or(ClientError::NoCamera);
            let _ = asked.send(pictures);
        }
    }

    fn be_open(&mut self) {
        if self.capture.is_none() && self.opening.is_none() {
            self.opening = Some(self.begin_opening());
        }
    }

    fn make_for_me_alone(&self) {
        let others = Size::ALL.into_iter().filter(|size| self.own != Some(*size));
        if let Some(capture) = &self.capture {
            others.for_each(|size| capture.video.set_active(size, false));
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
            let happened = match (&mut self.opening, &mut self.capture) {
                (Some(opening), _) => Happened::Opened(opening.await),
                (None, Some(capture)) => capture.next().await,
                (None, None) => std::future::pending().await,
            };
            let given = match happened {
                Happened::Picture(packet) if self.on => Some(Given::Picture(packet)),
                Happened::Picture(packet) => Some(Given::Own(packet)),
                Happened::Opened(opened) => self.opened(opened),
                Happened::Event(event) => Some(self.event(event)),
            };
            if let Some(given) = given {
                return given;
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

    /// `None` if it was turned off meanwhile.
    fn opened(&mut self, opened: Result<Result<Capture, VideoError>, JoinError>) -> Option<Given> {
        self.opening = None;
        match opened {
            Ok(Ok(capture)) => {
                let name = capture.video.source_name().to_owned();
                self.capture = Some(capture);
                match self.on || self.looking {
                    true => self.refresh(),
                    false => self.close(),
                }
                self.answer();
                self.on.then_some(Given::Opened(name))
            }
            Ok(Err(error)) => self.failed(error),
            Err(_) => self.failed(VideoError::NoCamera),
        }
    }

    /// Whoever waits for it hears why it does not open; who wants to be seen does too.
    fn failed(&mut self, error: VideoError) -> Option<Given> {
        if let Some(asked) = self.asked.take() {
            let _ = asked.send(Err(error.clone().into()));
            return self.on.then_some(Given::Ended(error));
        }
        Some(Given::Ended(error))
    }

    fn event(&mut self, event: CaptureEvent) -> Given {
        match event {
            CaptureEvent::Failed(error) => {
                self.close();
                Given::Ended(error)
            }
            CaptureEvent::Silent(error) => Given::Trouble(error),
            CaptureEvent::Strained(error) => Given::Strained(error),
            CaptureEvent::Resumed => Given::Recovered,
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

#[cfg(test)]
mod tests {
    use std::future::Future;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(20);

    async fn soon<T>(future: impl Future<Output = T>) -> T {
        tokio::time::timeout(LIMIT, future).await.expect("in time")
    }

    /// A camera that shows its own picture and is switched off.
    fn switched_off() -> Camera {
        let mut camera = Camera::new(CameraSource::Test, Some(Size::Low));
        camera.turn(false);
        camera
    }

    fn look(camera: &mut Camera, chosen: CameraSource) -> Looking {
        let (answer, pictures) = oneshot::channel();
        camera.look(chosen, answer);
        pictures
    }

    type Looking = oneshot::Receiver<Result<mpsc::Receiver<Glance>, ClientError>>;

    async fn given(camera: &mut Camera) -> (bool, VideoPacket) {
        loop {
            match soon(camera.next()).await {
                Given::Picture(packet) => return (true, packet),
                Given::Own(packet) => return (false, packet),
                Given::Opened(_) | Given::Recovered | Given::Strained(_) => {}
                Given::Trouble(error) | Given::Ended(error) => panic!("{error}"),
            }
        }
    }

    #[tokio::test]
    async fn who_only_looks_through_the_camera_is_seen_by_nobody() {
        let mut camera = switched_off();
        // Others ask for pictures all the while.
        camera.show(Size::High);
        let looking = look(&mut camera, CameraSource::Off);
        for _ in 0..10 {
            let (for_all, packet) = given(&mut camera).await;
            assert!(!for_all);
            assert_eq!(packet.size, Size::Low, "the own picture and no other");
            camera.show(Size::Medium);
        }
        let mut pictures = soon(looking).await.unwrap().unwrap();
        assert!(soon(pictures.recv()).await.is_some());
        assert!(camera.end_look(), "it was opened for that alone");
        assert!(camera.capture.is_none());
        while soon(pictures.recv()).await.is_some() {}
    }

    #[tokio::test]
    async fn being_seen_and_looking_share_one_camera() {
        let mut camera = switched_off();
        let looking = look(&mut camera, CameraSource::Off);
        given(&mut camera).await;
        let mut pictures = soon(looking).await.unwrap().unwrap();
        camera.show(Size::High);
        camera.turn(true);
        let mut first = None;
        while first.is_none() {
            let (for_all, packet) = given(&mut camera).await;
            assert!(for_all);
            first = (packet.size == Size::High).then_some(packet.key);
        }
        assert_eq!(first, Some(true), "which decodes alone");
        camera.turn(false);
        for _ in 0..5 {
            assert!(!given(&mut camera).await.0);
        }
        camera.turn(true);
        assert!(!camera.end_look(), "it is still wanted");
        assert!(given(&mut camera).await.0);
        assert!(soon(pictures.recv()).await.is_some());
    }

    #[tokio::test]
    async fn without_a_camera_there_is_nothing_to_look_through_but_a_chosen_one() {
        let mut camera = Camera::new(CameraSource::Off, Some(Size::Low));
        camera.open().await.unwrap();
        let looking = look(&mut camera, CameraSource::Off);
        let refused = soon(looking).await.unwrap().unwrap_err();
        assert!(matches!(refused, ClientError::NoCamera), "{refused}");
        let looking = look(&mut camera, CameraSource::Test);
        assert!(!given(&mut camera).await.0, "nobody asked to be seen");
        assert!(soon(looking).await.unwrap().is_ok());
    }

    #[tokio::test]
    async fn who_waits_for_a_camera_that_does_not_open_is_told_why() {
        let missing = CameraSource::File("/nowhere/code.png".into());
        let mut camera = Camera::new(missing, None);
        camera.turn(false);
        let looking = look(&mut camera, CameraSource::Off);
        let refused = tokio::select! {
            answer = soon(looking) => answer.unwrap().unwrap_err().to_string(),
            _ = camera.next() => panic!("it was to be told to who asked, and to nobody else"),
        };
        assert!(refused.contains("/nowhere/code.png"), "{refused}");
    }
}
