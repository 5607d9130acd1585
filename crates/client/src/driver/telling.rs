//! Telling what the machine said: to the program that drives the client, and to media.

use std::time::{Instant, SystemTime};

use conclave_media::audio::Loss;
use conclave_meeting::{Command, Event, Input, Phase, Role, Snapshot, Warning};
use conclave_wire::DeviceId;

use super::trust::Mark;
use super::{Driver, FILE_DELAY};
use crate::event::{ClientEvent, MemberReport};
use crate::options::{Entry, Server, ServerAddress};
use crate::view::{self, ViewTrust, WarningLevel, WarningView};

/// Warnings shown at the same time; older ones give way.
const MAX_WARNINGS: usize = 5;

impl Driver {
    pub(super) async fn tell(&mut self, event: Event) {
        let is_of_media = matches!(event, Event::SoundSent { .. } | Event::LossReported { .. });
        self.is_stale |= !is_of_media;
        match event {
            Event::Described { .. } => {}
            Event::Waiting => {
                let snapshot = self.snapshot();
                let title = snapshot.title.map(String::from).unwrap_or_default();
                let host = snapshot.host_name.map(String::from).unwrap_or_default();
                self.send(ClientEvent::Waiting { title, host }).await;
            }
            Event::Knock {
                device,
                name,
                device_key,
            } => self.knock(device, name.into(), device_key).await,
            Event::KnockWithdrawn { device } => self.send(ClientEvent::KnockGone { device }).await,
            Event::Admitted => self.admitted().await,
            Event::Roster => self.roster().await,
            Event::Code => self.code().await,
            Event::Rules => self.rules().await,
            Event::Link => self.link().await,
            Event::Recovering => self.warn("You were thrown out of step; getting back in.".into()),
            Event::KeyFrameWanted { track } => self.media.key_frame_wanted(track).await,
            Event::SoundSent { device, packets } => self.media.sound_sent(device, packets),
            Event::LossReported {
                device,
                percent,
                bursts,
            } => self.media.loss_reported(device, Loss { percent, bursts }),
            Event::Speaking(speaking) => self.tell_speaking(speaking).await,
            Event::Warning(warning) => {
                let text = warning.to_string();
                if matches!(
                    warning,
                    Warning::NotAllowed
                        | Warning::NotPossible
                        | Warning::OpenMicrophones
                        | Warning::NotSaid
                ) {
                    // Each order is answered, though the window shows the sentence once.
                    self.warnings.retain(|shown| shown.text != text);
                }
                self.warn_at(view::level(&warning), text);
            }
            Event::Left(reason) => {
                let sentence = view::farewell(reason, &self.host_name);
                self.over.get_or_insert((sentence, !view::is_wish(reason)));
            }
        }
    }

    /// Tells those whose sound gets lost on the way here, and heeds what others have told.
    pub(super) fn report_losses(&mut self) {
        self.media.heed_losses();
        for (device, Loss { percent, bursts }) in self.media.losses() {
            self.input(Input::Command(Command::ReportLoss {
                device,
                percent,
                bursts,
            }));
        }
    }

    /// We are in: the host because the meeting is open, everybody else because he let us in.
    async fn admitted(&mut self) {
        self.is_open = true;
        let snapshot = self.snapshot();
        if self.is_founder() {
            self.link().await;
        }
        self.rules().await;
        let address = match (&self.options.entry, &self.sidecar) {
            (Entry::Join(link), _) => ServerAddress::of_link(link),
            (Entry::Host(_), Some(sidecar)) => sidecar.address().clone(),
            (Entry::Host(Server::At(address)), None) => address.clone(),
            (Entry::Host(Server::Own), None) => return,
        };
        self.media.connect(address, self.proxies());
        if !self.is_founder() {
            let device = snapshot.device;
            self.admitted.insert(device);
            self.send(ClientEvent::Admitted {
                device,
                name: self.name.clone(),
            })
            .await;
        }
    }

    /// Somebody is at the door.
    async fn knock(&mut self, device: DeviceId, name: String, device_key: [u8; 32]) {
        self.people.notice(device, device_key, &name);
        let mark = self.people.mark(device).cloned();
        let mark = mark.unwrap_or_else(|| Mark::plain(ViewTrust::New));
        self.send(ClientEvent::Knock {
            device,
            name,
            trust: mark.trust,
            known_as: mark.known_as,
        })
        .await;
    }

    /// There is a link to hand on, and another one than before.
    async fn link(&mut self) {
        let snapshot = self.snapshot();
        self.link_ends_ms = snapshot.link_ends_at.map(|at| {
            let left = at.saturating_duration_since(Instant::now());
            let ends = SystemTime::now() + left;
            let since = ends.duration_since(SystemTime::UNIX_EPOCH);
            since.map_or(0, |since| since.as_millis() as u64)
        });
        if self.role(&snapshot) >= Role::CoHost
            && let Some(meeting) = &self.meeting
        {
            let link = meeting.link().expose();
            self.send(ClientEvent::Link(link)).await;
        }
    }

    async fn rules(&mut self) {
        let snapshot = self.snapshot();
        if let Some(policy) = &snapshot.policy {
            self.settle_appointments(policy);
            let rules = view::policy(policy);
            self.media.set_secrecy(rules.high_secrecy);
            self.media.set_strict(rules.strict);
            self.send(ClientEvent::Rules(rules)).await;
            self.tell_sharers(&snapshot).await;
            self.stop_forbidden_share(policy, snapshot.device).await;
        }
    }

    /// Tells who is here, if that or what is known of them is news.
    pub(super) async fn roster(&mut self) {
        let snapshot = self.snapshot();
        if snapshot.phase != Phase::Active {
            return;
        }
        self.notice_people();
        self.tell_recovery(&snapshot).await;
        self.media.set_members(snapshot.device, &snapshot.members);
        self.tell_newcomers(&snapshot).await;
        self.tell_hands(&snapshot).await;
        self.tell_sharers(&snapshot).await;
        if snapshot.members.len() > 1 && self.media.has_held_back() && self.release_at.is_none() {
            self.release_at = Some(Instant::now() + FILE_DELAY);
        }
        let reports: Vec<_> = snapshot
            .members
            .iter()
            .map(|member| MemberReport {
                device: member.device,
                name: view::name(member),
                role: view::role(member.role),
                is_me: member.is_me,
                trust: match (member.is_me, self.people.mark(member.device)) {
                    (true, _) => ViewTrust::Me,
                    (false, mark) => mark.map_or(ViewTrust::New, |mark| mark.trust),
                },
                silent: member.silent,
            })
            .collect();
        if reports != self.last_roster {
            self.last_roster = reports.clone();
            self.send(ClientEvent::Roster {
                epoch: snapshot.epoch,
                members: reports,
            })
            .await;
        }
    }

    async fn tell_newcomers(&mut self, snapshot: &Snapshot) {
        for member in snapshot.members.iter().filter(|member| !member.is_me) {
            let Some(name) = member.name.clone() else {
                continue;
            };
            if !self.admitted.insert(member.device) {
                continue;
            }
            self.meet(member.device);
            self.tell_changed_key(member.device, name.as_str());
            if self.role(snapshot) >= Role::CoHost {
                self.send(ClientEvent::Admitted {
                    device: member.device,
                    name: name.into(),
                })
                .await;
            }
        }
    }

    /// For programs: a window shows it beside the mark for as long as it is so.
    fn tell_changed_key(&self, device: DeviceId, name: &str) {
        let Some(mark) = self.people.mark(device) else {
            return;
        };
        if mark.trust != ViewTrust::Changed {
            return;
        }
        let known_as = mark.known_as.as_deref().unwrap_or(name);
        let text = format!(
            "{name} is here with another key than the one you know as {known_as}. Compare safety \
             numbers before you say anything secret."
        );
        let level = WarningLevel::Danger;
        let _ = self.events.try_send(ClientEvent::Warning { text, level });
    }

    async fn tell_recovery(&mut self, snapshot: &Snapshot) {
        if snapshot.link_up
            && let Some(broken_at) = self.broken_at.take()
        {
            let ms = broken_at.elapsed().as_millis() as u64;
            self.send(ClientEvent::Recovered { ms }).await;
        }
    }

    async fn code(&mut self) {
        let snapshot = self.snapshot();
        if let Some(code) = &snapshot.code {
            let digits = code.to_string();
            let reason = view::reason(&snapshot.change);
            self.send(ClientEvent::Code {
                epoch: snapshot.epoch,
                digits,
                reason,
            })
            .await;
        }
    }

    /// What media found out: not the meeting's state, but as grave as any warning.
    pub(super) fn warn_of_forgery(&mut self, device: DeviceId) {
        let snapshot = self.snapshot();
        let member = snapshot
            .members
            .iter()
            .find(|member| member.device == device);
        let name = member.and_then(|member| member.name.as_ref());
        let name = name.map_or("somebody here", |name| name.as_str());
        let text = format!(
            "Somebody else's picture and sound were sent under {name}'s name. They are muted."
        );
        self.warn_at(WarningLevel::Danger, text);
    }

    pub(super) fn warn(&mut self, text: String) {
        self.warn_at(WarningLevel::Notice, text);
    }

    pub(super) fn warn_at(&mut self, level: WarningLevel, text: String) {
        if self.show(level, text.clone()) {
            let _ = self.events.try_send(ClientEvent::Warning { text, level });
        }
    }

    /// Puts a sentence on the view; whether it was not there yet.
    pub(super) fn show(&mut self, level: WarningLevel, text: String) -> bool {
        if self.warnings.iter().any(|warning| warning.text == text) {
            return false;
        }
        self.last_warning += 1;
        self.warnings.push(WarningView {
            id: self.last_warning,
            text,
            level,
        });
        if self.warnings.len() > MAX_WARNINGS {
            self.warnings.remove(0);
        }
        true
    }

    pub(super) async fn send(&self, event: ClientEvent) {
        // A reader that is gone will end the client by dropping it.
        let _ = self.events.send(event).await;
    }
}
