//! Shared screens: this device's own, begun, marked when it shows nothing, ended; and whose are read.

use std::collections::HashSet;

use conclave_media::audio::{AudioPacket, SharedSound};
use conclave_media::video::{PictureSource, ScreenSource, ShareMode, VideoError, VideoPacket};
use conclave_wire::DeviceId;
use tokio::sync::watch;

use super::Answer;
use super::camera::{Camera, Given};
use super::peers::Peer;
use super::plane::MediaPlane;
use super::publishing::Order;
use super::soundtrack::{Played, Soundtrack};
use super::tracks::Sound;
use crate::options::ShareRequest;

/// What is known of the own share.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Share {
    /// What is shared, in words, and how; nothing while nothing is.
    pub(crate) shown: Option<(String, ShareMode)>,
    /// Sound goes along.
    pub(crate) sound: bool,
    /// Why the sound that was asked for does not.
    pub(crate) soundless: Option<String>,
    /// Why the others see nothing of it now, or nothing new.
    pub(crate) trouble: Option<String>,
    /// Why the last one ended by itself.
    pub(crate) ended: Option<String>,
}

/// What is to be shared.
pub(super) struct Shareable {
    source: ScreenSource,
    mode: ShareMode,
    sound: Option<SharedSound>,
}

/// What goes out of it.
pub(super) enum Made {
    Picture(VideoPacket),
    Sound(AudioPacket),
}

/// The screen that is shared, if one is.
pub(super) struct Sharing {
    running: Option<Running>,
    soundtrack: Soundtrack,
    share: watch::Sender<Share>,
}

struct Running {
    camera: Camera,
    mode: ShareMode,
    /// The sound that shall go along, until it begins.
    sound: Option<SharedSound>,
    /// Who waits for it to open.
    answer: Option<Answer>,
}

impl Sharing {
    pub(super) fn new(share: watch::Sender<Share>) -> Self {
        Self {
            running: None,
            soundtrack: Soundtrack::default(),
            share,
        }
    }

    /// Begins to share, in the place of what is shared already.
    pub(super) fn begin(&mut self, what: Shareable, answer: Answer) {
        self.stop();
        let Shareable {
            source,
            mode,
            sound,
        } = what;
        let mut camera = Camera::new(PictureSource::Screen(source, mode), None);
        camera.turn(true);
        self.running = Some(Running {
            camera,
            mode,
            sound,
            answer: Some(answer),
        });
    }

    /// Ends what is shared.
    pub(super) fn stop(&mut self) {
        self.soundtrack.stop();
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

    /// What goes out next. Cancelling the future loses nothing.
    pub(super) async fn next(&mut self) -> Made {
        loop {
            let Some(running) = &mut self.running else {
                return std::future::pending().await;
            };
            tokio::select! {
                given = running.camera.next() => {
                    if let Some(picture) = self.take_given(given) {
                        return Made::Picture(picture);
                    }
                }
                played = self.soundtrack.next() => {
                    if let Some(sound) = self.take_played(played) {
                        return Made::Sound(sound);
                    }
                }
            }
        }
    }

    fn take_given(&mut self, given: Given) -> Option<VideoPacket> {
        match given {
            Given::Picture(packet) => return Some(packet),
            // Nobody looks for anything in a screen, none follows another; what is turned off is
            // dropped.
            Given::Own(_) | Given::Followed { .. } => {}
            Given::Opened(name) => self.opened(name),
            Given::Trouble(error) => self.set_trouble(Some(error.to_string())),
            Given::Recovered => self.set_trouble(None),
            Given::Strained(error) => tracing::debug!(%error, "a shared screen"),
            Given::Ended(error) => self.ended(error),
        }
        None
    }

    fn take_played(&mut self, played: Played) -> Option<AudioPacket> {
        match played {
            Played::Packet(packet) => return Some(packet),
            Played::Begun => self.share.send_modify(|share| share.sound = true),
            Played::Failed(error) => self.share.send_modify(|share| {
                share.sound = false;
                share.soundless = Some(format!("Your screen is shared without sound. {error}"));
            }),
        }
        None
    }

    fn opened(&mut self, name: String) {
        let Some(running) = &mut self.running else {
            return;
        };
        let mode = running.mode;
        self.share.send_modify(|share| {
            share.shown = Some((name, mode));
            share.trouble = None;
            share.ended = None;
        });
        if let Some(answer) = running.answer.take() {
            let _ = answer.send(Ok(()));
        }
        // Nothing is heard of what is not seen.
        if let Some(sound) = running.sound.take() {
            self.soundtrack.begin(sound);
        }
    }

    fn set_trouble(&self, trouble: Option<String>) {
        self.share.send_modify(|share| share.trouble = trouble);
    }

    fn ended(&mut self, error: VideoError) {
        self.soundtrack.stop();
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

impl MediaPlane {
    /// Opens a screen and shares it; `answer` hears whether that began.
    pub(crate) async fn share(&self, wish: ShareRequest, answer: Answer) {
        let ShareRequest {
            source,
            mode,
            sound,
        } = wish;
        let what = Shareable {
            source,
            mode,
            sound: sound.then(|| self.screen_sound.clone()),
        };
        let _ = self.orders.send(Order::Share(what, answer)).await;
    }

    pub(crate) async fn stop_sharing(&self) {
        let _ = self.orders.send(Order::StopSharing).await;
    }

    /// What is known of the own share, and its changes.
    pub(crate) fn own_share(&self) -> watch::Receiver<Share> {
        self.share.clone()
    }

    /// These members share a screen, and may. What anybody else sends as one is neither read nor
    /// heard.
    pub(crate) fn set_sharing(&self, sharing: HashSet<DeviceId>) {
        let peers = self.peers.borrow();
        for peer in &peers.others {
            match sharing.contains(&peer.device) {
                true => self.prepare_shared_sound(peer),
                false => self.screen.hub.remove(peer.screen_tile()),
            }
        }
        self.sizes.send_if_modified(|sizes| {
            let before = sizes.clone();
            sizes.set_sharing(sharing);
            *sizes != before
        });
    }

    /// From the first share on somebody's shared sound has its place in the mix and in a recording,
    /// for as long as somebody is here: a second share follows on from the first.
    fn prepare_shared_sound(&self, peer: &Peer) {
        let source = peer.source(Sound::Shared);
        if self.engine.source_stats(source).is_none() {
            self.engine.add_source(source);
        }
        if let Some(recorder) = &self.screen.recorder {
            recorder.begin_shared_sound(peer.device, || self.engine.tap(source));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::error::ClientError;
    use tokio::sync::oneshot;

    fn silent(source: ScreenSource) -> Shareable {
        let (mode, sound) = (ShareMode::Text, None);
        Shareable {
            source,
            mode,
            sound,
        }
    }

    async fn begun(sharing: &mut Sharing, what: Shareable) -> Result<(), ClientError> {
        let (answer, asked) = oneshot::channel();
        sharing.begin(what, answer);
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
        begun(&mut sharing, silent(ScreenSource::Test))
            .await
            .unwrap();
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
        let refused = begun(&mut sharing, silent(missing)).await.unwrap_err();
        assert!(refused.to_string().contains("/nowhere/film.mkv"));
        assert_eq!(*seen.borrow(), Share::default());
        assert!(sharing.camera().is_none());
    }

    #[tokio::test]
    async fn who_stops_before_it_opens_shares_nothing() {
        let (share, seen) = watch::channel(Share::default());
        let mut sharing = Sharing::new(share);
        let (answer, asked) = oneshot::channel();
        sharing.begin(silent(ScreenSource::Test), answer);
        sharing.stop();
        assert!(asked.await.expect("an answer").is_err());
        let later = tokio::time::timeout(Duration::from_secs(2), sharing.next());
        assert!(later.await.is_err(), "nothing comes");
        assert_eq!(seen.borrow().shown, None);
    }

    #[tokio::test]
    async fn sound_goes_along_from_when_the_screen_is_shown_until_the_share_ends() {
        let (share, seen) = watch::channel(Share::default());
        let mut sharing = Sharing::new(share);
        let mut what = silent(ScreenSource::Test);
        what.sound = Some(SharedSound::Test);
        begun(&mut sharing, what).await.unwrap();
        let Made::Sound(first) = sharing.next().await else {
            panic!("nobody reads, so no picture is encoded");
        };
        assert!(seen.borrow().shown.is_some() && seen.borrow().sound);
        assert_eq!(first.seq, 0);
        sharing.stop();
        let later = tokio::time::timeout(Duration::from_millis(200), sharing.next());
        assert!(later.await.is_err(), "nothing is heard");
        assert_eq!(*seen.borrow(), Share::default());
        // The next one has no sound of the last one.
        let silent = begun(&mut sharing, silent(ScreenSource::Test)).await;
        silent.expect("nothing is heard while it opens");
        let later = tokio::time::timeout(Duration::from_millis(200), sharing.next());
        assert!(later.await.is_err(), "nothing is heard");
        assert!(!seen.borrow().sound);
    }

    #[tokio::test]
    async fn a_share_goes_on_without_the_sound_that_cannot_be_had_and_says_so() {
        let (share, seen) = watch::channel(Share::default());
        let mut sharing = Sharing::new(share);
        let mut what = silent(ScreenSource::Test);
        what.sound = Some(SharedSound::File("/nowhere/song.flac".into()));
        begun(&mut sharing, what).await.unwrap();
        let nothing = tokio::time::timeout(Duration::from_secs(2), sharing.next());
        assert!(nothing.await.is_err());
        let share = seen.borrow().clone();
        assert!(share.shown.is_some() && !share.sound);
        let why = share.soundless.unwrap_or_default();
        assert!(why.contains("shared without sound"), "{why}");
        assert!(why.contains("/nowhere/song.flac"), "{why}");
    }
}
