//! Opening and closing a camera. Both take their time, so that both are done off the runtime; and one
//! that is being closed is waited for, because many a camera cannot be opened twice.

use conclave_media::video::{
    CaptureEvent, PictureSource, Size, VideoCapture, VideoError, VideoPacket, find_camera,
};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// A camera, open.
pub(super) struct Capture {
    pub(super) video: VideoCapture,
    pub(super) packets: mpsc::Receiver<VideoPacket>,
    pub(super) events: mpsc::Receiver<CaptureEvent>,
}

impl Capture {
    fn open(source: PictureSource, sizes: &[Size]) -> Result<Self, VideoError> {
        let (mut video, packets) = VideoCapture::start(source, sizes)?;
        let events = video.take_events().unwrap_or_else(|| mpsc::channel(1).1);
        Ok(Self {
            video,
            packets,
            events,
        })
    }

    /// What it is, for a person.
    pub(super) fn name(&self) -> String {
        self.video.source_name().to_owned()
    }

    /// The id of the camera that it holds, if it holds one.
    pub(super) fn camera_id(&self) -> Option<String> {
        self.video.camera_id().map(str::to_owned)
    }

    /// Closes it, and waits for what is being closed already.
    pub(super) fn close(self, before: Option<JoinHandle<()>>) -> JoinHandle<()> {
        tokio::task::spawn_blocking(move || {
            drop(self);
            wait_for(before);
        })
    }
}

/// A camera that is being opened.
pub(super) struct Opening {
    pub(super) source: PictureSource,
    task: JoinHandle<Result<Option<Capture>, VideoError>>,
}

impl Opening {
    /// Begins to open `source` in these sizes once `closing` is done. The camera of the id `not` is
    /// not opened: somebody here holds it, or it has just gone.
    pub(super) fn begin(
        source: PictureSource,
        sizes: Vec<Size>,
        not: Option<String>,
        closing: Option<JoinHandle<()>>,
    ) -> Self {
        let wanted = source.clone();
        let task = tokio::task::spawn_blocking(move || {
            wait_for(closing);
            if not.is_some() && id_of(&wanted) == not {
                return Ok(None);
            }
            Capture::open(wanted, &sizes).map(Some)
        });
        Self { source, task }
    }

    /// What came of it: the camera, or none because it is the one that was not to be opened. To be
    /// asked no more after that.
    pub(super) async fn done(&mut self) -> Result<Option<Capture>, VideoError> {
        // Without a result the runtime is ending, and nobody looks for the camera any more.
        let done = (&mut self.task).await;
        done.unwrap_or(Err(VideoError::NoCamera))
    }
}

/// What came of the opening that is under way; never, while there is none.
pub(super) async fn done(opening: &mut Option<Opening>) -> Result<Option<Capture>, VideoError> {
    match opening {
        Some(opening) => opening.done().await,
        None => std::future::pending().await,
    }
}

/// The camera that this source would open now.
fn id_of(source: &PictureSource) -> Option<String> {
    match source {
        PictureSource::Camera(camera) => find_camera(camera).map(|found| found.id),
        PictureSource::Screen(..) => None,
    }
}

/// Only for threads that may block.
fn wait_for(closing: Option<JoinHandle<()>>) {
    if let Some(closing) = closing {
        let _ = Handle::current().block_on(closing);
    }
}
