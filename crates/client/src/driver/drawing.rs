//! Drawing the view: everything that a window shows, from the machine and from media.

use conclave_media::DeviceKind;
use conclave_media::audio::Cleaning;
use conclave_meeting::{Role, Snapshot};
use conclave_wire::DeviceId;

use super::Driver;
use super::trust::Mark;
use crate::frames::OWN_TILE;
use crate::media::Kind;
use crate::view::{
    self, DeviceView, InviteView, KnockView, LeftView, MeView, MeetingView, MemberView, PolicyView,
    ViewPhase, ViewRole, ViewTrust,
};

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
            invite: self.invite(&snapshot),
            policy: snapshot
                .policy
                .as_ref()
                .map(view::policy)
                .unwrap_or_default(),
            is_host: self.is_founder(),
            own_server: self.sidecar.is_some(),
            epoch: snapshot.epoch,
            code: snapshot.code.as_ref().map(ToString::to_string),
            code_reason: snapshot
                .code
                .as_ref()
                .map(|_| view::reason(&snapshot.change)),
            me: MeView {
                device: snapshot.device.to_string(),
                name: self.name.clone(),
                role: view::role(self.role(&snapshot)),
                muted: self.muted,
                camera: self.camera,
                audience: snapshot.floor.audience,
                called: snapshot.floor.called,
                level: self.media.microphone_level(),
                talks_while_muted: self.media.talks_while_muted(),
                camera_in_use: view::device(self.media.camera_in_use()),
                microphone: view::device(self.media.in_use(DeviceKind::Microphone)),
                speaker: view::device(self.media.in_use(DeviceKind::Speaker)),
                cleaning: view::cleaning(self.cleaning),
                sharing: self.sharing_view(),
            },
            members: snapshot
                .members
                .iter()
                .map(|member| self.member(member))
                .collect(),
            knocks: snapshot
                .knocks
                .iter()
                .map(|knock| {
                    let mark = self.mark(knock.device);
                    KnockView {
                        device: knock.device.to_string(),
                        name: knock.name.as_str().to_owned(),
                        trust: mark.trust,
                        known_as: mark.known_as,
                    }
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

    /// The link, for who may hand it on, once the service knows the meeting.
    fn invite(&self, snapshot: &Snapshot) -> Option<InviteView> {
        let rules = snapshot.policy.as_ref()?.link;
        let may = self.role(snapshot) >= Role::CoHost && self.is_open;
        let meeting = self.meeting.as_ref().filter(|_| may)?;
        Some(InviteView {
            link: meeting.link().expose(),
            single_use: rules.single_use,
            expires_at_ms: self.link_ends_ms,
        })
    }

    fn mark(&self, device: DeviceId) -> Mark {
        let mark = self.people.mark(device).cloned();
        mark.unwrap_or_else(|| Mark::plain(ViewTrust::New))
    }

    fn member(&self, member: &conclave_meeting::MemberView) -> MemberView {
        let name = member.name.as_ref().map_or("", |name| name.as_str());
        let shown = if name.is_empty() { "This person" } else { name };
        let problem = match (member.is_me, member.online, member.media.camera) {
            (true, ..) => None,
            (false, false, _) => Some(format!(
                "{shown}'s connection is broken. Waiting for the return."
            )),
            (false, true, true) => self.media.problem(member.device, shown, Kind::Camera),
            (false, true, false) => self.media.sound_problem(member.device, shown),
        };
        let mark = match member.is_me {
            true => Mark::plain(ViewTrust::Me),
            false => self.mark(member.device),
        };
        MemberView {
            device: member.device.to_string(),
            name: name.to_owned(),
            role: view::role(member.role),
            successor: member.successor,
            is_me: member.is_me,
            trust: mark.trust,
            known_as: mark.known_as,
            silent: member.silent,
            voice: view::voice(self.media.voice(member.device)),
            missing_key: !member.is_me && self.media.lacks_key(member.device),
            // Who has no place is heard by nobody, whatever he says.
            muted: member.media.muted || !member.place,
            camera: member.media.camera,
            hand: member.hand,
            screen: self.screen(member, shown),
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
        invite: None,
        policy: PolicyView::default(),
        is_host: false,
        own_server: false,
        epoch: 0,
        code: None,
        code_reason: None,
        me: MeView {
            device: String::new(),
            name: String::new(),
            role: ViewRole::Participant,
            muted: false,
            camera: false,
            audience: false,
            called: false,
            level: 0.0,
            talks_while_muted: false,
            camera_in_use: DeviceView::default(),
            microphone: DeviceView::default(),
            speaker: DeviceView::default(),
            cleaning: view::cleaning(Cleaning::default()),
            sharing: None,
        },
        members: Vec::new(),
        knocks: Vec::new(),
        link_up: false,
        warnings: Vec::new(),
        left: None,
    }
}
