//! This device's shared screen: begun, marked when it shows nothing, ended.

use conclave_media::video::{ScreenSource, ShareMode, VideoError, VideoPacket};
use tokio::sync::{oneshot, watch};

use super::camera::{Camera, Given};
use crate::error::ClientError;

/// What is known of the own share.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Share {
    /// What is shared, in words, and how; nothing while nothing is.
    pub(crate) shown: Option<(String, ShareMode)>,
    /// Why the others see nothing of it now, or nothing new.
    pub(crate) trouble: Option<String>,
    /// Why the last one ended by itself.
    pub(crate) ended: Option<String>,
}

/// Hears whether a share began.
pub(crate) type Answer = oneshot::Sender<Result<(), ClientError>>;

/// The screen that is shared, if one is.
pub(super) struct Sharing {
    running: Option<Running>,
    share: watch::Sender<Share>,
}

struct Running {
    camera: Camera,
    mode: ShareMode,
    /// Who waits for it to open.
    answer: Option<Answer>,
}

impl Sharing {
    pub(super) fn new(share: watch::Sender<Share>) -> Self {
        let running = None;
        Self { running, share }
    }

    /// Begins to share, in the place of what is shared already.
    pub(super) fn begin(&mut self, source: ScreenSource, mode: ShareMode, answer: Answer) {
        self.stop();
        let source = conclave_media::video::PictureSource::Screen(source, mode);
        let mut camera = Camera::new(source, None);
        camera.turn(true);
        self.running = Some(Running {
            camera,
            mode,
            answer: Some(answer),
        });
    }

    /// Ends what is shared.
    pub(super) fn stop(&mut self) {
        let Some(mut running) = self.running.take() else {
            return;
        };
        running.camera.turn(false);
        if let Some(answer) = running.answer.take() {
            let _ = answer.send(Err(VideoError::ScreenRefused.into()));
        }
        self.share.send_if_modified(|share| {
            let was_shown = share.shown.is_some();
            *share = Share::default();
            was_shown
        });
    }

    /// The camera that reads the screen.
    pub(super) fn camera(&mut self) -> Option<&mut Camera> {
        self.running.as_mut().map(|running| &mut running.camera)
    }

    /// The next picture of the screen. Cancelling the future loses nothing.
    pub(super) async fn next(&mut self) -> VideoPacket {
        loop {
            let Some(running) = &mut self.running else {
                return std::future::pending().await;
            };
            match running.camera.next().await {
                Given::Picture(packet) => return packet,
                // Nobody looks for anything in a screen, none follows another; what is turned off is
                // dropped.
                Given::Own(_) | Given::Followed { .. } => {}
                Given::Opened(name) => {
                    let mode = running.mode;
                    let share = Share {
                        shown: Some((name, mode)),
                        ..Share::default()
                    };
                    self.share.send_replace(share);
                    if let Some(answer) = running.answer.take() {
                        let _ = answer.send(Ok(()));
                    }
                }
                Given::Trouble(error) => self.set_trouble(Some(error.to_string())),
                Given::Recovered => self.set_trouble(None),
                Given::Strained(error) => tracing::debug!(%error, "a shared screen"),
                Given::Ended(error) => self.ended(error),
            }
        }
    }

    fn set_trouble(&self, trouble: Option<String>) {
        self.share.send_modify(|share| share.trouble = trouble);
    }

    fn ended(&mut self, error: VideoError) {
        let answer = self.running.take().and_then(|running| running.answer);
        let share = match answer {
            // It never began; who asked for it is told.
            Some(answer) => {
                let _ = answer.send(Err(error.into()));
                Share::default()
            }
            None => Share {
                ended: Some(error.to_string()),
                ..Share::default()
            },
        };
        self.share.send_replace(share);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    async fn begun(sharing: &mut Sharing, source: ScreenSource) -> Result<(), ClientError> {
        let (answer, asked) = oneshot::channel();
        sharing.begin(source, ShareMode::Text, answer);
        tokio::select! {
            _ = sharing.next() => panic!("nobody reads, so nothing is encoded"),
            answer = asked => answer.expect("an answer"),
            () = tokio::time::sleep(Duration::from_secs(20)) => panic!("no answer"),
        }
    }

    #[tokio::test]
    async fn a_share_says_what_it_is_until_it_ends() {
        let (share, seen) = watch::channel(Share::default());
        let mut sharing = Sharing::new(share);
        begun(&mut sharing, ScreenSource::Test).await.unwrap();
        let shown = seen.borrow().shown.clone();
        assert_eq!(shown, Some(("Test picture".into(), ShareMode::Text)));
        sharing.stop();
        assert_eq!(*seen.borrow(), Share::default());
    }

    #[tokio::test]
    async fn what_does_not_open_is_told_to_who_asked_and_not_shared() {
        let (share, seen) = watch::channel(Share::default());
        let mut sharing = Sharing::new(share);
        let missing = ScreenSource::File("/nowhere/film.mkv".into());
        let refused = begun(&mut sharing, missing).await.unwrap_err();
        assert!(refused.to_string().contains("/nowhere/film.mkv"));
        assert_eq!(*seen.borrow(), Share::default());
        assert!(sharing.camera().is_none());
    }

    #[tokio::test]
    async fn who_stops_before_it_opens_shares_nothing() {
        let (share, seen) = watch::channel(Share::default());
        let mut sharing = Sharing::new(share);
        let (answer, asked) = oneshot::channel();
        sharing.begin(ScreenSource::Test, ShareMode::Text, answer);
        sharing.stop();
        assert!(asked.await.expect("an answer").is_err());
        let later = tokio::time::timeout(Duration::from_secs(2), sharing.next());
        assert!(later.await.is_err(), "nothing comes");
        assert_eq!(seen.borrow().shown, None);
    }
}
