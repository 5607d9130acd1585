//! Whom this computer knows: trust marks for those who knock and those who are in, and what the
//! person decides about them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use conclave_identity::{Contacts, ContactsError, Identity, Trust};
use conclave_wire::DeviceId;
use tokio::sync::oneshot;

use super::Driver;
use crate::error::ClientError;
use crate::view::{SafetyView, ViewTrust};

/// What is shown beside somebody's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) trust: ViewTrust,
    /// The name in the contact book, where it says something that the shown name does not.
    pub(crate) known_as: Option<String>,
}

impl Mark {
    fn of(trust: Trust, shown: &str) -> Self {
        let differs = |name: String| (name != shown).then_some(name);
        match trust {
            Trust::New => Self::plain(ViewTrust::New),
            Trust::Known { name, .. } => Self {
                trust: ViewTrust::Known,
                known_as: differs(name),
            },
            Trust::Verified { name, .. } => Self {
                trust: ViewTrust::Verified,
                known_as: differs(name),
            },
            Trust::Changed { name, .. } => Self {
                trust: ViewTrust::Changed,
                known_as: Some(name),
            },
        }
    }

    pub(crate) fn plain(trust: ViewTrust) -> Self {
        Self {
            trust,
            known_as: None,
        }
    }
}

/// The marks of one meeting. Who was new when he came stays new until he is gone: that he is in
/// the book a second later makes him no better known.
pub(super) struct Acquaintances {
    identity: Arc<Identity>,
    marks: HashMap<DeviceId, ([u8; 32], String, Mark)>,
}

impl Acquaintances {
    pub(super) fn new(identity: Arc<Identity>) -> Self {
        Self {
            identity,
            marks: HashMap::new(),
        }
    }

    pub(super) fn identity(&self) -> &Arc<Identity> {
        &self.identity
    }

    /// The mark of somebody who shows this key and name; looked up once.
    pub(super) fn notice(&mut self, device: DeviceId, key: [u8; 32], name: &str) {
        let known = self.marks.get(&device);
        if known.is_some_and(|(old_key, old_name, _)| *old_key == key && old_name == name) {
            return;
        }
        let mark = Mark::of(self.identity.contacts().trust(&key, name), name);
        self.marks.insert(device, (key, name.to_owned(), mark));
    }

    pub(super) fn mark(&self, device: DeviceId) -> Option<&Mark> {
        self.marks.get(&device).map(|(_, _, mark)| mark)
    }

    /// The key and the name that somebody shows.
    pub(super) fn shown(&self, device: DeviceId) -> Option<([u8; 32], String)> {
        self.marks
            .get(&device)
            .map(|(key, name, _)| (*key, name.clone()))
    }

    /// The book has changed: everybody with this key is looked up again.
    fn look_again(&mut self, changed: &[u8; 32]) {
        for (key, name, mark) in self.marks.values_mut() {
            if key == changed {
                *mark = Mark::of(self.identity.contacts().trust(key, name), name);
            }
        }
    }
}

impl Driver {
    /// Looks up who is shown in the meeting and at the door.
    pub(super) fn notice_people(&mut self) {
        let snapshot = self.snapshot();
        for member in snapshot.members.iter().filter(|member| !member.is_me) {
            if let (Some(key), Some(name)) = (member.device_key, &member.name) {
                self.people.notice(member.device, key, name.as_str());
            }
        }
        for knock in &snapshot.knocks {
            let name = knock.name.as_str();
            self.people.notice(knock.device, knock.device_key, name);
        }
    }

    /// Somebody is in: recorded on first use. A changed key is recorded beside the old one only
    /// when the person at this computer has verified it.
    pub(super) fn meet(&self, device: DeviceId) {
        let Some((key, name)) = self.people.shown(device) else {
            return;
        };
        let identity = self.people.identity().clone();
        tokio::task::spawn_blocking(move || {
            if let Err(error) = identity.contacts().meet(&key, &name, SystemTime::now()) {
                tracing::warn!(%error, "somebody could not be recorded in the contact book");
            }
        });
    }

    /// The number to compare with somebody; takes some milliseconds, so not on this task.
    pub(super) fn safety_number(
        &self,
        device: DeviceId,
        answer: oneshot::Sender<Result<SafetyView, ClientError>>,
    ) {
        let Some((key, name)) = self.people.shown(device) else {
            let _ = answer.send(Err(ClientError::Unknown));
            return;
        };
        let trust = self
            .people
            .mark(device)
            .map_or(ViewTrust::New, |mark| mark.trust);
        let identity = self.people.identity().clone();
        tokio::task::spawn_blocking(move || {
            let number = identity.safety_number(&key);
            let groups: Vec<_> = number.groups().collect();
            let view = SafetyView {
                name,
                digits: groups.join(" "),
                qr_svg: number.qr().to_svg(),
                qr_text: number.qr().to_text(),
                trust,
            };
            let _ = answer.send(Ok(view));
        });
    }

    /// The person has compared the safety number, or takes it back.
    ///
    /// # Errors
    /// [`ClientError::Unknown`]; [`ClientError::Contacts`] if it cannot be kept.
    pub(super) async fn set_verified(
        &mut self,
        device: DeviceId,
        verified: bool,
    ) -> Result<(), ClientError> {
        self.note(device, move |contacts, key, name, now| {
            contacts.accept(key, name, now)?;
            contacts.verify(key, verified, now)
        })
        .await?;
        if verified {
            self.tell_what_stays_changed(device);
        }
        Ok(())
    }

    /// The person says that somebody with another key than the known one is right so: recorded
    /// beside the one that is known, without having compared anything.
    pub(super) async fn accept(&mut self, device: DeviceId) {
        let noted = self.note(device, |contacts, key, name, now| {
            contacts.accept(key, name, now).map(drop)
        });
        if let Err(error) = noted.await {
            self.warn(error.to_string());
        }
        self.tell_what_stays_changed(device);
    }

    /// Accepting adds a key to the book and gives nobody a second name: whoever is known and shows
    /// another contact's name is warned of for as long as he does.
    fn tell_what_stays_changed(&mut self, device: DeviceId) {
        let changed = |mark: &Mark| mark.trust == ViewTrust::Changed;
        if !self.people.mark(device).is_some_and(changed) {
            return;
        }
        let Some((key, name)) = self.people.shown(device) else {
            return;
        };
        let contacts = self.people.identity().contacts().list();
        if let Some(own) = contacts.iter().find(|contact| contact.device_key == key) {
            let text = format!(
                "This key is in your contacts as {}. It keeps that name there, so the warning \
                 stays for as long as it calls itself {name}.",
                own.name
            );
            self.warn(text);
        }
    }

    async fn note(
        &mut self,
        device: DeviceId,
        change: impl FnOnce(&Contacts, &[u8; 32], &str, SystemTime) -> Result<(), ContactsError>
        + Send
        + 'static,
    ) -> Result<(), ClientError> {
        let (key, name) = self.people.shown(device).ok_or(ClientError::Unknown)?;
        let identity = self.people.identity().clone();
        let noted = tokio::task::spawn_blocking(move || {
            change(identity.contacts(), &key, &name, SystemTime::now())
        });
        // Without a result the runtime is ending.
        noted.await.map_err(|_| ClientError::Over)??;
        self.people.look_again(&key);
        self.roster().await;
        Ok(())
    }
}
