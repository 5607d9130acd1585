//! Rights to connect to the media relay.
//!
//! A grant is a random token, good for a minute and for one device in one meeting. The sessions
//! that were opened with it are kept here too, under the same lock, so that between "the token is
//! good" and "the session is known" no removal can slip through.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use conclave_wire::{DeviceId, MeetingId, Token};
use rand::TryRngCore as _;
use rand::rngs::OsRng;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::limits::Limits;

/// Why the relay turns somebody away. The relay tells the peer only that it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotGranted {
    /// The path is not a meeting's, or the token is not a token (peer's blame).
    #[error("the relay was asked for something that is not a meeting")]
    Malformed,
    /// No such token, or it is too old, or it is for another meeting (peer's blame).
    #[error("the relay was shown a token that opens nothing")]
    Unknown,
    /// The device has as many sessions as it may have (peer's blame).
    #[error("a device holds too many relay sessions")]
    TooMany,
    /// The system gives no random numbers (local blame).
    #[error("the system gives no random numbers")]
    NoRandomness,
}

/// What a device may do on the relay. Patterns are relative to the meeting's path.
#[derive(Debug)]
pub struct RelayRight {
    /// The meeting that the relay session is confined to.
    pub meeting: MeetingId,
    /// The device, under whose id alone it may publish.
    pub device: DeviceId,
    /// Resolves when the right is withdrawn; dropped by the holder when the session has ended.
    pub withdrawn: oneshot::Receiver<()>,
}

impl RelayRight {
    /// The pattern of the broadcasts that the device may publish.
    pub fn publish_pattern(&self) -> String {
        format!("{}/**", self.device)
    }

    /// The pattern of the broadcasts that it may subscribe to.
    pub fn subscribe_pattern(&self) -> String {
        "**".to_owned()
    }
}

/// All grants and the relay sessions made of them.
#[derive(Debug)]
pub struct Grants {
    lifetime: Duration,
    per_device: usize,
    sessions_per_device: usize,
    state: Mutex<State>,
}

type Holder = (MeetingId, DeviceId);

#[derive(Debug, Default)]
struct State {
    /// By the SHA-256 of the token: how long a look-up takes says nothing about a token.
    by_hash: HashMap<[u8; 32], (Holder, Instant)>,
    /// Hashes of a holder's unused grants, oldest first.
    unused: HashMap<Holder, Vec<[u8; 32]>>,
    sessions: HashMap<Holder, Vec<oneshot::Sender<()>>>,
}

impl Grants {
    /// No grants yet.
    pub fn new(limits: &Limits) -> Self {
        Self {
            lifetime: limits.grant_lifetime,
            per_device: limits.grants_per_device,
            sessions_per_device: limits.relay_sessions_per_device,
            state: Mutex::default(),
        }
    }

    /// The relay path of a meeting.
    pub fn path(meeting: MeetingId) -> String {
        format!("/m/{meeting}")
    }

    /// How long a grant lives.
    pub fn lifetime(&self) -> Duration {
        self.lifetime
    }

    /// Makes a grant and returns its token, base64url without padding.
    ///
    /// # Errors
    /// [`NotGranted::NoRandomness`].
    pub fn issue(
        &self,
        meeting: MeetingId,
        device: DeviceId,
        now: Instant,
    ) -> Result<String, NotGranted> {
        let mut token = Token([0; 32]);
        OsRng
            .try_fill_bytes(&mut token.0)
            .map_err(|_| NotGranted::NoRandomness)?;
        let hash = token.hash().0;
        let holder = (meeting, device);
        let mut state = self.state();
        let State {
            by_hash, unused, ..
        } = &mut *state;
        let mine = unused.entry(holder).or_default();
        while mine.len() >= self.per_device {
            by_hash.remove(&mine.remove(0));
        }
        mine.push(hash);
        by_hash.insert(hash, (holder, now + self.lifetime));
        Ok(URL_SAFE_NO_PAD.encode(token.0))
    }

    /// Exchanges a path and a token for a right. A grant may be used more than once while it
    /// lives: a client races two transports, and only one of them wins.
    ///
    /// # Errors
    /// [`NotGranted`], which says nothing that helps in guessing.
    pub fn redeem(&self, path: &str, token: &str, now: Instant) -> Result<RelayRight, NotGranted> {
        let meeting = path
            .strip_prefix("/m/")
            .and_then(|id| id.parse::<MeetingId>().ok());
        let meeting = meeting.ok_or(NotGranted::Malformed)?;
        if path != Self::path(meeting) {
            // One spelling only: another would be another root on the relay.
            return Err(NotGranted::Malformed);
        }
        let token = URL_SAFE_NO_PAD
            .decode(token)
            .ok()
            .and_then(|bytes| bytes.try_into().ok());
        let hash = token
            .map(|bytes| Token(bytes).hash().0)
            .ok_or(NotGranted::Malformed)?;

        let mut state = self.state();
        let (holder, expires) = *state.by_hash.get(&hash).ok_or(NotGranted::Unknown)?;
        if holder.0 != meeting || now > expires {
            return Err(NotGranted::Unknown);
        }
        let sessions = state.sessions.entry(holder).or_default();
        sessions.retain(|session| !session.is_closed());
        if sessions.len() >= self.sessions_per_device {
            return Err(NotGranted::TooMany);
        }
        let (withdraw, withdrawn) = oneshot::channel();
        sessions.push(withdraw);
        Ok(RelayRight {
            meeting,
            device: holder.1,
            withdrawn,
        })
    }

    /// Withdraws everything that a device holds: its grants, and its sessions at once.
    pub fn revoke(&self, meeting: MeetingId, device: DeviceId) {
        self.state().revoke(&(meeting, device));
    }

    /// Withdraws everything in a meeting.
    pub fn revoke_meeting(&self, meeting: MeetingId) {
        let mut state = self.state();
        let holders: Vec<Holder> = state
            .unused
            .keys()
            .chain(state.sessions.keys())
            .filter(|holder| holder.0 == meeting)
            .copied()
            .collect();
        for holder in holders {
            state.revoke(&holder);
        }
    }

    /// Drops what is too old or has ended.
    pub fn expire(&self, now: Instant) {
        let mut state = self.state();
        let State {
            by_hash,
            unused,
            sessions,
        } = &mut *state;
        by_hash.retain(|_, (_, expires)| now <= *expires);
        unused.retain(|_, hashes| {
            hashes.retain(|hash| by_hash.contains_key(hash));
            !hashes.is_empty()
        });
        sessions.retain(|_, open| {
            open.retain(|session| !session.is_closed());
            !open.is_empty()
        });
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every change is complete before anything can unwind.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn revoke(&mut self, holder: &Holder) {
        for hash in self.unused.remove(holder).unwrap_or_default() {
            self.by_hash.remove(&hash);
        }
        for session in self.sessions.remove(holder).unwrap_or_default() {
            // A session that has ended by itself no longer listens.
            let _ = session.send(());
        }
    }
}
