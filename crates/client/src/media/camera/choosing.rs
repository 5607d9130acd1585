//! Another camera in the place of the one in use: the one that the person chose, or the one that the
//! system names next.
//!
//! The one in use gives pictures until the other one has its first. Where both cannot be open at the same
//! time it gives way, and is opened again if the other one does not open.

use conclave_media::video::{CameraSource, PictureSource, VideoError};

use super::opening::Capture;
use super::{Camera, Given};
use crate::error::ClientError;
use crate::media::Answer;

/// A camera that was chosen.
pub(super) struct Choice {
    source: PictureSource,
    answer: Answer,
}

/// A camera that went by itself.
pub(super) struct Gone {
    name: String,
    error: VideoError,
}

impl Camera {
    /// Uses another camera from its first picture on; the one before stays if it does not open.
    /// While no pictures are wanted it is only the one that is opened next.
    pub(in crate::media) fn choose(&mut self, camera: CameraSource, answer: Answer) {
        if let Some(before) = self.choice.take() {
            let _ = before.answer.send(Err(ClientError::OtherCamera));
        }
        let source = PictureSource::Camera(camera);
        let is_used = self.capture.is_some() && self.source == source;
        if self.is_wanted() && !is_used {
            self.choice = Some(Choice { source, answer });
            return self.open_choice();
        }
        if !is_used {
            // What stands for no camera is open although nobody wants pictures.
            self.close();
        }
        self.source = source;
        let _ = answer.send(Ok(()));
    }

    /// What was chosen is opened next, and waits for nothing.
    pub(super) fn settle_choice(&mut self) {
        self.gave_way = false;
        if let Some(choice) = self.choice.take() {
            self.source = choice.source;
            let _ = choice.answer.send(Ok(()));
        }
    }

    /// One camera is opened at a time: what is under way is waited for, whatever becomes of it.
    fn open_choice(&mut self) {
        if let (Some(choice), None) = (&self.choice, &self.opening) {
            let source = choice.source.clone();
            let held = self.capture.as_ref().and_then(Capture::camera_id);
            // It makes no size before it takes over: not every computer has room for two.
            self.begin_opening(source, Vec::new(), held);
        }
    }

    /// What was to be opened is open or not. `None` if there is nothing to tell.
    pub(super) fn opened(&mut self, opened: Result<Option<Capture>, VideoError>) -> Option<Given> {
        let opening = self.opening.take()?;
        let is_chosen = |choice: &mut Choice| choice.source == opening.source;
        let given = match self.choice.take_if(is_chosen) {
            Some(choice) => self.choice_opened(choice, opened),
            None if self.source == opening.source => self.source_opened(opened),
            None => {
                self.overtaken(opened);
                None
            }
        };
        self.open_choice();
        given
    }

    fn choice_opened(
        &mut self,
        choice: Choice,
        opened: Result<Option<Capture>, VideoError>,
    ) -> Option<Given> {
        match opened {
            Ok(None) if self.capture.is_none() => {
                // It was in use until a moment ago.
                self.choice = Some(choice);
                None
            }
            Ok(capture) => {
                self.source = choice.source;
                let _ = choice.answer.send(Ok(()));
                capture.and_then(|capture| self.take_over(capture))
            }
            Err(VideoError::CameraFailed { .. }) if self.holds_camera() => {
                // Two at one socket may be too much for it, and two may be one in truth.
                self.part();
                self.gave_way = true;
                self.choice = Some(choice);
                None
            }
            Err(error) => {
                let _ = choice.answer.send(Err(error.clone().into()));
                if self.gave_way {
                    self.be_open();
                } else if self.capture.is_none() {
                    // Who chose it is told already; who looks is not.
                    let _ = self.failed(error);
                }
                self.answer();
                None
            }
        }
    }

    fn source_opened(&mut self, opened: Result<Option<Capture>, VideoError>) -> Option<Given> {
        match (opened, self.gone.take()) {
            (Ok(Some(capture)), gone) => {
                self.gone = gone;
                self.take_over(capture)
            }
            // There is no other one, or it does not open either.
            (_, Some(gone)) => self.failed(gone.error),
            (Err(error), None) => self.failed(error),
            (Ok(None), None) => {
                // It was turned off and on meanwhile.
                self.open_if_wanted();
                None
            }
        }
    }

    /// Something else is wanted by now.
    fn overtaken(&mut self, opened: Result<Option<Capture>, VideoError>) {
        if let Ok(Some(capture)) = opened {
            self.release(capture);
        }
        self.open_if_wanted();
    }

    fn open_if_wanted(&mut self) {
        if self.is_wanted() && self.choice.is_none() {
            self.be_open();
        }
    }

    fn holds_camera(&self) -> bool {
        let held = self.capture.as_ref().and_then(Capture::camera_id);
        held.is_some()
    }

    /// Closes what is open. Whoever looks through it waits for the next one.
    fn part(&mut self) {
        if let Some(capture) = self.capture.take() {
            self.looker = capture.video.take_looker().or_else(|| self.looker.take());
            self.release(capture);
        }
    }

    /// From now on this one gives the pictures.
    fn take_over(&mut self, capture: Capture) -> Option<Given> {
        self.part();
        self.gave_way = false;
        self.problem = None;
        let gone = self.gone.take();
        if !self.is_wanted() {
            self.release(capture);
            return None;
        }
        let name = capture.name();
        if let Some(looker) = self.looker.take() {
            capture.video.show_to(looker);
        }
        self.capture = Some(capture);
        self.make_wanted();
        self.answer();
        let given = match gone {
            Some(Gone { name: gone, .. }) => Given::Followed { gone, name },
            None => Given::Opened(name),
        };
        self.on.then_some(given)
    }

    /// The one in use has ended by itself. The system's default may be another one now.
    pub(super) fn ended(&mut self, error: VideoError) -> Option<Given> {
        let capture = self.capture.as_ref()?;
        let (id, name) = (capture.camera_id(), capture.name());
        self.part();
        let follows = self.source == PictureSource::Camera(CameraSource::Default);
        if follows && id.is_some() && self.opening.is_none() {
            self.gone = Some(Gone { name, error });
            self.begin_opening(self.source.clone(), self.made(), id);
            return None;
        }
        self.failed(error)
    }

    /// No pictures come. Whoever waits for them hears why, and who wants to be seen does too.
    fn failed(&mut self, error: VideoError) -> Option<Given> {
        self.problem = self.on.then(|| error.to_string());
        // Another one may be on its way.
        if self.choice.is_none() {
            self.looker = None;
            if let Some(asked) = self.asked.take() {
                let _ = asked.send(Err(error.clone().into()));
            }
        }
        self.on.then_some(Given::Ended(error))
    }
}
