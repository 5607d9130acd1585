//! What the person wants, carried out.

use std::time::Instant;

use conclave_meeting::{Command as Wish, HostParams, Identity, Input, MediaState, Meeting, Role};

use super::Driver;
use crate::command::Command;
use crate::control::ControlLink;
use crate::error::ClientError;
use crate::options::{Entry, Introduction, Server};
use crate::randomness::fill_random;
use crate::sidecar::Sidecar;

impl Driver {
    pub(super) async fn obey(&mut self, command: Command) {
        match command {
            Command::Enter(introduction) => {
                if let Err(error) = self.enter(introduction).await {
                    self.over = Some((error.to_string(), true));
                }
            }
            Command::Admit(device) => self.wish(Wish::Admit(device)),
            Command::Refuse(device) => self.wish(Wish::Refuse(device)),
            Command::Remove(device) => self.wish(Wish::Remove(device)),
            Command::SetLocked(locked) => self.wish(Wish::SetLocked(locked)),
            Command::SetWaitingRoom(on) => self.wish(Wish::SetWaitingRoom(on)),
            Command::SetRole(device, role) => {
                self.appoint(device, role > Role::Participant);
                self.wish(Wish::SetRole(device, role));
            }
            Command::SetSuccessor(device, named) => {
                self.appoint(device, named);
                self.wish(Wish::SetSuccessor(device, named));
            }
            Command::SetStrict(strict) => self.wish(Wish::SetStrict(strict)),
            Command::SetSecrecy(secrecy) => self.wish(Wish::SetSecrecy(secrecy)),
            Command::SetSharing(who) => self.wish(Wish::SetSharing(who)),
            Command::RenewLink {
                single_use,
                valid_s,
            } => self.wish(Wish::RenewLink {
                single_use,
                valid_s,
            }),
            Command::SafetyNumber(device, answer) => self.safety_number(device, answer),
            Command::Scan(device, chosen, answer) => self.scan(device, chosen, answer).await,
            Command::StopScan => self.stop_scan().await,
            Command::Accept(device) => self.accept(device).await,
            Command::SetVerified(device, verified) => {
                if let Err(error) = self.set_verified(device, verified).await {
                    self.warn(error.to_string());
                }
            }
            Command::SetMuted(muted) => self.mute_or_open(muted),
            Command::SetOpenMicrophones(bound) => self.wish(Wish::SetOpenMicrophones(bound)),
            Command::RaiseHand(up) => self.wish(Wish::RaiseHand(up)),
            Command::LetSpeak(device) => self.wish(Wish::LetSpeak(device)),
            Command::LowerHand(device) => self.wish(Wish::LowerHand(device)),
            Command::AskToMute(device) => self.wish(Wish::AskToMute(device)),
            Command::SetCamera(on) => {
                self.camera = on;
                self.media.set_camera(on).await;
                self.wish(Wish::SetMedia(self.media_state()));
            }
            Command::Share(wish, answer) => self.share(wish, answer).await,
            Command::StopSharing => self.media.stop_sharing().await,
            Command::Watch(shown) => self.media.watch(shown),
            Command::UseCamera(camera, answer) => self.media.use_camera(camera, answer).await,
            Command::UseMicrophone(microphone, answer) => {
                self.media.use_microphone(microphone, answer);
            }
            Command::UseSpeaker(speaker, answer) => self.media.use_speaker(speaker, answer),
            Command::Clean(part, on) => {
                self.cleaning.set(part, on);
                self.media.set_cleaning(self.cleaning);
            }
            Command::PlayTone => self.media.play_tone(),
            Command::DismissWarning(id) => self.warnings.retain(|warning| warning.id != id),
            Command::Leave => self.leave(),
            Command::End => self.wish(Wish::End),
        }
    }

    /// Mutes at once; opens when the machine has found that there is a place.
    fn mute_or_open(&mut self, muted: bool) {
        if muted {
            self.set_muted(true);
        }
        let media = MediaState {
            muted,
            ..self.media_state()
        };
        self.wish(Wish::SetMedia(media));
        let meeting = self.meeting.as_ref();
        let refused = meeting.is_some_and(|meeting| meeting.media().muted);
        self.set_muted(muted || refused);
    }

    pub(super) fn set_muted(&mut self, muted: bool) {
        self.muted = muted;
        self.media.set_muted(muted);
    }

    /// Hands a wish to the machine.
    fn wish(&mut self, wish: Wish) {
        self.input(Input::Command(wish));
    }

    async fn enter(&mut self, introduction: Introduction) -> Result<(), ClientError> {
        self.name = introduction.name.as_str().to_owned();
        if let Some(meeting) = &mut self.meeting {
            meeting.set_name(introduction.name);
            meeting.handle(Instant::now(), Input::Command(Wish::Join));
            return Ok(());
        }
        let Entry::Host(server) = &self.options.entry else {
            return Ok(());
        };
        let address = match server {
            Server::At(address) => address.clone(),
            Server::Own => {
                let sidecar = Sidecar::start(([127, 0, 0, 1], 0).into()).await?;
                self.sidecar.insert(sidecar).address().clone()
            }
        };
        let params = HostParams {
            host: address.endpoint.host.clone(),
            port: address.endpoint.port,
            certificate: address
                .certificate
                .as_ref()
                .map(|fingerprint| fingerprint.0),
            title: introduction.title,
            waiting_room: self.options.waiting_room,
            secrecy: self.options.secrecy,
            strict: self.options.strict,
            lifetime: self.options.lifetime,
        };
        let identity = Identity {
            name: introduction.name,
            key: self.people.identity().key(),
        };
        let meeting = Meeting::host(params, identity, self.media_state(), Box::new(fill_random))
            .map_err(|_| ClientError::Crypto)?;
        self.meeting = Some(meeting);
        self.control = Some(ControlLink::open(address, self.proxies()));
        Ok(())
    }
}
