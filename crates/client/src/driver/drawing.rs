//! Drawing the view: everything that a window shows, from the machine and from media.

use super::Driver;
use crate::frames::OWN_TILE;
use crate::view::{self, KnockView, LeftView, MeView, MeetingView, MemberView, ViewPhase};

impl Driver {
    /// Draws the view anew, and wakes whoever watches if it is another one.
    pub(super) fn draw(&mut self) {
        let snapshot = self.snapshot();
        if let Some(name) = &snapshot.host_name {
            self.host_name = name.as_str().to_owned();
        }
        let entering = !self.name.is_empty() && view::phase(&snapshot) == ViewPhase::Lobby;
        let new = MeetingView {
            phase: match (&self.over, entering) {
                (Some(_), _) => ViewPhase::Left,
                (None, true) => ViewPhase::Waiting,
                (None, false) => view::phase(&snapshot),
            },
            title: snapshot.title.clone().map(String::from).unwrap_or_default(),
            host_name: self.host_name.clone(),
            link: self.link.clone(),
            is_host: self.is_host(),
            epoch: snapshot.epoch,
            code: snapshot.code.as_deref().map(view::grouped),
            code_reason: snapshot
                .code
                .as_ref()
                .map(|_| view::reason(&snapshot.change)),
            me: MeView {
                device: snapshot.device.to_string(),
                name: self.name.clone(),
                muted: self.muted,
                camera: self.camera,
                level: self.media.microphone_level(),
            },
            members: snapshot
                .members
                .iter()
                .map(|member| self.member(member))
                .collect(),
            knocks: snapshot
                .knocks
                .iter()
                .map(|knock| KnockView {
                    device: knock.device.to_string(),
                    name: knock.name.as_str().to_owned(),
                })
                .collect(),
            link_up: snapshot.link_up,
            warnings: self.warnings.clone(),
            left: self.over.as_ref().map(|(reason, _)| LeftView {
                reason: reason.clone(),
            }),
        };
        self.view.send_if_modified(|view| {
            let changed = *view != new;
            *view = new;
            changed
        });
    }

    fn member(&self, member: &conclave_meeting::MemberView) -> MemberView {
        let name = member.name.as_ref().map_or("", |name| name.as_str());
        let shown = if name.is_empty() { "This person" } else { name };
        let problem = match (member.is_me, member.online, member.media.camera) {
            (true, ..) => None,
            (false, false, _) => Some(format!(
                "{shown}'s connection is broken. Waiting for the return."
            )),
            (false, true, true) => self.media.problem(member.device, shown),
            (false, true, false) => None,
        };
        MemberView {
            device: member.device.to_string(),
            name: name.to_owned(),
            role: view::role(member.role),
            is_me: member.is_me,
            muted: member.media.muted,
            camera: member.media.camera,
            speaking: !member.is_me && self.media.is_speaking(member.device),
            tile: if member.is_me {
                OWN_TILE
            } else {
                self.media.tile(member.device)
            },
            problem,
        }
    }
}

pub(super) fn empty_view() -> MeetingView {
    MeetingView {
        phase: ViewPhase::Lobby,
        title: String::new(),
        host_name: String::new(),
        link: None,
        is_host: false,
        epoch: 0,
        code: None,
        code_reason: None,
        me: MeView {
            device: String::new(),
            name: String::new(),
            muted: false,
            camera: false,
            level: 0.0,
        },
        members: Vec::new(),
        knocks: Vec::new(),
        link_up: false,
        warnings: Vec::new(),
        left: None,
    }
}
