//! Whether what comes under a member's name is that member's own, and what follows from it.
//!
//! Frames are played at once and verified behind. A forgery mutes its sender's name until none has
//! been seen for [`FORGED_HOLD`]: those who listen must not hear more of it, and the true sender is
//! heard again once the forger has stopped.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use conclave_e2ee::{BatchError, Leaf, OpeningEpoch, Verdict, Verifier};

use super::keys::RECENT;

/// How long a sender stays muted after the last forgery under its name.
pub(crate) const FORGED_HOLD: Duration = Duration::from_secs(10);

/// What is known about who speaks under a member's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Voice {
    /// Nothing was verified yet, and nothing is overdue.
    Pending,
    /// It is the member.
    Verified,
    /// The member's signatures are missing or late.
    Unverified,
    /// Somebody else's sound or picture came under this name. Both are muted.
    Forged,
}

/// Watches over one member's name.
pub(super) struct Guard {
    leaf: Leaf,
    /// Whether the unverified is muted too, for all members alike.
    strict: Arc<AtomicBool>,
    inner: Mutex<Inner>,
}

struct Inner {
    verifier: Verifier,
    recent: VecDeque<OpeningEpoch>,
    forged_until: Option<Instant>,
    /// A period of forgery has begun that nobody has been told of.
    alarm: bool,
}

impl Guard {
    pub(super) fn new(leaf: Leaf, strict: Arc<AtomicBool>) -> Self {
        let inner = Inner {
            verifier: Verifier::new(leaf),
            recent: VecDeque::new(),
            forged_until: None,
            alarm: false,
        };
        Self {
            leaf,
            strict,
            inner: Mutex::new(inner),
        }
    }

    /// Moves to an epoch; before its frames are opened.
    pub(super) fn install(&self, epoch: &OpeningEpoch) {
        let mut inner = self.lock();
        inner.verifier.install(epoch);
        inner.recent.push_back(epoch.clone());
        if inner.recent.len() > RECENT {
            inner.recent.pop_front();
        }
    }

    /// Takes in a sealed frame that opened, and says who speaks now.
    pub(super) fn note(&self, now: Instant, sealed: &[u8]) -> Voice {
        let mut inner = self.lock();
        inner.verifier.note(now, sealed);
        inner.voice(self.leaf, now)
    }

    /// Takes in a batch of the sender's signatures, opened.
    pub(super) fn batch(&self, now: Instant, batch: &[u8]) -> Result<(), BatchError> {
        self.lock().verifier.batch(now, batch)
    }

    pub(super) fn voice(&self, now: Instant) -> Voice {
        self.lock().voice(self.leaf, now)
    }

    /// Whether the sender is heard and seen under the rules in force.
    pub(super) fn is_heard(&self, voice: Voice) -> bool {
        match voice {
            Voice::Pending | Voice::Verified => true,
            Voice::Unverified => !self.strict.load(Relaxed),
            Voice::Forged => false,
        }
    }

    /// Tells of a period of forgery once: again if `tell` says that it could not.
    pub(super) fn raise_alarm(&self, tell: impl FnOnce() -> bool) {
        let mut inner = self.lock();
        if inner.alarm && tell() {
            inner.alarm = false;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A verifier is consistent after every call; a panic between calls changes nothing.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn voice(&mut self, leaf: Leaf, now: Instant) -> Voice {
        let verdict = self.verifier.verdict(now);
        if verdict == Verdict::Forged {
            self.alarm |= self.forged_until.is_none_or(|until| now >= until);
            self.forged_until = Some(now + FORGED_HOLD);
            // A verifier that saw a forgery says nothing else any more; a new one sees the next.
            self.verifier = Verifier::new(leaf);
            for epoch in &self.recent {
                self.verifier.install(epoch);
            }
        }
        self.forged_until = self.forged_until.filter(|until| now < *until);
        match (self.forged_until, verdict) {
            (Some(_), _) | (None, Verdict::Forged) => Voice::Forged,
            (None, Verdict::Pending) => Voice::Pending,
            (None, Verdict::Verified) => Voice::Verified,
            (None, Verdict::Unverified) => Voice::Unverified,
        }
    }
}

#[cfg(test)]
mod tests {
    use conclave_e2ee::{
        Attestor, BATCH_DEADLINE, FrameMeta, Group, LinkSecret, Pseudonym, Sealer, Track,
        UNVERIFIED_HOLD,
    };

    use super::*;

    /// A member who sends, seen by a guard of its own group.
    struct Speaker {
        sealer: Sealer,
        attestor: Attestor,
        guard: Guard,
        strict: Arc<AtomicBool>,
        now: Instant,
    }

    impl Speaker {
        fn new() -> Self {
            let link = LinkSecret::generate().unwrap();
            let mut group = Group::create(Pseudonym([1; 16]), &link, b"policy").unwrap();
            let mut keys = group.media_epoch().unwrap();
            let mut sealer = Sealer::new(Track::AUDIO);
            let mut attestor = Attestor::new();
            attestor.install(keys.sealing.attest_key().unwrap());
            let key = keys.sealing.take(Track::AUDIO).unwrap();
            sealer.install(key).unwrap();
            let strict = Arc::<AtomicBool>::default();
            let guard = Guard::new(group.own_leaf(), strict.clone());
            guard.install(&keys.opening);
            Self {
                sealer,
                attestor,
                guard,
                strict,
                now: Instant::now(),
            }
        }

        /// Sends frames; those that are not `own` are as if another member had sealed them.
        fn send(&mut self, frames: u32, own: bool) -> Voice {
            let meta = FrameMeta {
                track: "audio",
                group: 0,
                frame: 0,
            };
            let mut sealed = Vec::new();
            for _ in 0..frames {
                self.sealer.seal(&meta, b"words", &mut sealed).unwrap();
                if own {
                    self.attestor.note(&sealed);
                }
                self.guard.note(self.now, &sealed);
            }
            self.guard.voice(self.now)
        }

        fn sign(&mut self) -> Voice {
            while let Some(batch) = self.attestor.batch() {
                self.guard.batch(self.now, &batch).unwrap();
            }
            self.guard.voice(self.now)
        }

        /// A frame of somebody else's among the speaker's own.
        fn is_forged(&mut self) -> Voice {
            self.send(3, true);
            self.send(1, false);
            self.send(3, true);
            self.sign()
        }

        fn alarms(&self) -> u32 {
            let mut told = 0;
            self.guard.raise_alarm(|| {
                told += 1;
                true
            });
            told
        }
    }

    #[test]
    fn who_signs_is_pending_first_and_verified_then() {
        let mut speaker = Speaker::new();
        assert_eq!(speaker.send(5, true), Voice::Pending);
        assert!(speaker.guard.is_heard(Voice::Pending));
        assert_eq!(speaker.sign(), Voice::Verified);
        speaker.now += BATCH_DEADLINE * 10;
        assert_eq!(
            speaker.guard.voice(speaker.now),
            Voice::Verified,
            "silence says nothing against anybody"
        );
    }

    #[test]
    fn who_never_signs_is_unverified_and_heard_unless_rules_are_strict() {
        let mut speaker = Speaker::new();
        speaker.strict.store(true, Relaxed);
        let voice = speaker.send(5, true);
        assert!(speaker.guard.is_heard(voice));
        speaker.now += BATCH_DEADLINE;
        let voice = speaker.guard.voice(speaker.now);
        assert_eq!(voice, Voice::Unverified);
        assert!(!speaker.guard.is_heard(voice));
        speaker.strict.store(false, Relaxed);
        assert!(speaker.guard.is_heard(voice));
        assert_eq!(speaker.alarms(), 0);
    }

    #[test]
    fn a_forgery_mutes_and_is_told_once_until_ten_seconds_are_quiet() {
        let mut speaker = Speaker::new();
        assert_eq!(speaker.is_forged(), Voice::Forged);
        assert!(!speaker.guard.is_heard(Voice::Forged));
        assert_eq!((speaker.alarms(), speaker.alarms()), (1, 0));

        speaker.now += FORGED_HOLD / 2;
        assert_eq!(speaker.is_forged(), Voice::Forged);
        assert_eq!(speaker.alarms(), 0, "the same period goes on");
        speaker.now += FORGED_HOLD - Duration::from_millis(1);
        assert_eq!(speaker.send(5, true), Voice::Forged);
        assert_eq!(speaker.sign(), Voice::Forged);

        speaker.now += Duration::from_millis(1);
        assert_eq!(speaker.guard.voice(speaker.now), Voice::Verified);
        assert_eq!(speaker.is_forged(), Voice::Forged);
        assert_eq!(speaker.alarms(), 1, "another period");
    }

    #[test]
    fn an_alarm_that_could_not_be_told_is_told_later() {
        let mut speaker = Speaker::new();
        speaker.is_forged();
        speaker.guard.raise_alarm(|| false);
        assert_eq!(speaker.alarms(), 1);
    }

    #[test]
    fn the_unverified_mark_goes_when_signatures_come() {
        let mut speaker = Speaker::new();
        speaker.send(5, true);
        speaker.now += BATCH_DEADLINE;
        assert_eq!(speaker.guard.voice(speaker.now), Voice::Unverified);
        speaker.sign();
        speaker.now += UNVERIFIED_HOLD;
        assert_eq!(speaker.guard.voice(speaker.now), Voice::Verified);
    }
}
