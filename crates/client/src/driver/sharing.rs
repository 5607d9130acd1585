//! Shared screens: who may, who does, and this device's own.

use std::collections::BTreeSet;

use conclave_e2ee::Pseudonym;
use conclave_media::video::ShareMode;
use conclave_meeting::{Command, Input, Phase, Policy, Snapshot};
use conclave_wire::DeviceId;

use super::Driver;
use crate::error::ClientError;
use crate::event::ClientEvent;
use crate::media::{Answer, Kind};
use crate::options::ShareRequest;
use crate::view::{self, ScreenView, SharingView};

impl Driver {
    /// Begins to share, if the rules allow it.
    pub(super) async fn share(&mut self, wish: ShareRequest, answer: Answer) {
        match self.may_share() {
            Ok(()) => self.media.share(wish, answer).await,
            // Who asked may have gone.
            Err(error) => drop(answer.send(Err(error))),
        }
    }

    fn may_share(&self) -> Result<(), ClientError> {
        let snapshot = self.snapshot();
        if !matches!(snapshot.phase, Phase::Active | Phase::Recovering) {
            return Err(ClientError::NotIn);
        }
        match &snapshot.policy {
            Some(policy) if !policy.may_share(Pseudonym(snapshot.device.0)) => {
                Err(ClientError::MayNotShare)
            }
            _ => Ok(()),
        }
    }

    /// The own share began, ended, or shows nothing.
    pub(super) fn share_changed(&mut self) {
        let share = self.own_share.borrow_and_update().clone();
        if let Some(why) = share.ended {
            self.warn(why);
        }
        if let Some(trouble) = share.trouble {
            self.warn(trouble);
        }
        if let Some(why) = share.soundless {
            self.warn(why);
        }
        let state = self.media_state();
        let mut members = self.snapshot().members.into_iter();
        let is_said = members.any(|member| member.is_me && member.media.screen);
        if state.screen != is_said {
            self.input(Input::Command(Command::SetMedia(state)));
        }
    }

    /// Rules that no longer let this device share end what it shares.
    pub(super) async fn stop_forbidden_share(&mut self, policy: &Policy, me: DeviceId) {
        let shares = self.own_share.borrow().shown.is_some();
        if shares && !policy.may_share(Pseudonym(me.0)) {
            self.media.stop_sharing().await;
            self.warn(
                "Your screen is not shared any more: a host decided that only hosts and co-hosts \
                 may share."
                    .into(),
            );
        }
    }

    /// Reads the screens of those who share and may, and tells who began and ceased.
    pub(super) async fn tell_sharers(&mut self, snapshot: &Snapshot) {
        if snapshot.phase != Phase::Active {
            return;
        }
        let sharing = snapshot.members.iter().filter(|member| member.media.screen);
        let now: BTreeSet<_> = sharing.clone().map(|member| member.device).collect();
        let others = sharing.filter(|member| !member.is_me);
        self.media
            .set_sharing(others.map(|member| member.device).collect());
        let before = std::mem::replace(&mut self.sharers, now.clone());
        for member in &snapshot.members {
            let on = now.contains(&member.device);
            if on != before.contains(&member.device) {
                self.send(ClientEvent::Share {
                    device: member.device,
                    name: view::name(member),
                    is_me: member.is_me,
                    on,
                })
                .await;
            }
        }
    }

    /// The own share, to be drawn.
    pub(super) fn sharing_view(&self) -> Option<SharingView> {
        let share = self.own_share.borrow();
        let (name, mode) = share.shown.clone()?;
        Some(SharingView {
            name,
            motion: mode == ShareMode::Motion,
            sound: share.sound,
            problem: share.trouble.clone(),
        })
    }

    /// A member's shared screen, to be drawn.
    pub(super) fn screen(
        &self,
        member: &conclave_meeting::MemberView,
        name: &str,
    ) -> Option<ScreenView> {
        if !member.media.screen {
            return None;
        }
        Some(match member.is_me {
            true => ScreenView {
                tile: 0,
                problem: None,
            },
            false => ScreenView {
                tile: self.media.screen_tile(member.device),
                problem: self.media.problem(member.device, name, Kind::Screen),
            },
        })
    }
}
