//! How much a link bears beside sound, found out by who receives.
//!
//! A full link shows by a standing queue: for a while every packet comes later than the quickest
//! ones did (the least delay of a short time against the least of a long one, as in CoDel,
//! RFC 8289 §3.1). Jitter makes single packets late and seldom all of them: the more a link has of it, the
//! later they must come. Loss alone says nothing, since copies heal what chance takes, and a queue that
//! overflows stood before. One that fills fast is seen sooner: the packets of sound come ever later. Clocks
//! need not agree: only differences count.
//!
//! At the first sign the heavy tracks are given up, so that the queue drains and sound is heard in
//! time. A smaller one is tried as soon as the queue is gone, the whole one when the smaller one's frames
//! say that it fits ([`Width`]), or some time later; a try that fails makes the next one wait longer.
//! Ways that end at one computer try one after the other ([`Turns`]); those that share a link further
//! off, of which nobody knows, are kept apart by chance.
//!
//! A pure machine: times come in as arguments, counted from any moment.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

mod delay;
#[cfg(test)]
mod tests;
mod turns;

use self::delay::{Delay, micros};
use crate::width::Width;

pub use turns::Turns;

/// What a link bears.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Burden {
    /// Sound alone.
    Light,
    /// Sound, and heavy tracks at their smallest.
    Reduced,
    /// Everything.
    Full,
}

/// Who pauses for this long and sees no change is not the cause: the way has become longer.
const NEW_WAY: Duration = Duration::from_secs(5);
/// A raise to the smaller tracks, and one to everything, has succeeded when it lasts so long. The first
/// is proven before anybody tries more, whose failure would be taken for its own.
const REDUCED_PROVEN: Duration = Duration::from_secs(2);
const FULL_PROVEN: Duration = Duration::from_secs(5);
/// How long the smaller tracks stay away, at first and at most; the link must be clear for as long as at first.
const REDUCED_AFTER: [Duration; 2] = [Duration::from_millis(400), Duration::from_secs(16)];
/// What a failed try of the smaller tracks costs at the least.
const REDUCED_AGAIN: Duration = Duration::from_secs(4);
/// The same for everything, of which nothing is known.
const FULL_AFTER: [Duration; 2] = [Duration::from_secs(6), Duration::from_secs(60)];
/// At first, when the smaller tracks say that it fits, and that it does not.
const FITS_AFTER: Duration = Duration::from_secs(2);
const FITS_NOT_AFTER: Duration = Duration::from_secs(20);
/// What chance may add to each of these waits, of its own length.
const BY_CHANCE: f64 = 0.5;
/// How long nobody else tries more: until a queue would show. A film comes 200 ms after it is wanted, since its
/// key frame is asked for before.
const REDUCED_TURN: Duration = Duration::from_millis(300);
const FULL_TURN: Duration = Duration::from_millis(740);
/// Bytes a second of a voice, with all headers.
const VOICE: f64 = 16_000.0;
/// Bytes a second of everything else, as long as nobody has counted.
const EVERYTHING: f64 = 80_000.0;
/// So long they are counted at the least.
const COUNTED: Duration = Duration::from_secs(2);

/// Judges one sender's way to here.
#[derive(Debug)]
pub struct BurdenSense {
    way: u64,
    sound: Delay,
    heavy: Delay,
    burden: Burden,
    changed: Duration,
    changes: u64,
    /// When a queue was last seen.
    queued: Duration,
    reduced_after: Duration,
    full_after: Duration,
    fits_after: Duration,
    width: Width,
    /// Since when bytes of heavy tracks were counted, and how many.
    counted: Option<(Duration, usize)>,
    /// Bytes a second of all of them.
    everything: f64,
}

impl BurdenSense {
    /// Of the way with this number, which no other way in the world should have: chance follows
    /// from it.
    pub fn new(way: u64) -> Self {
        Self {
            way,
            sound: Delay::of_sound(),
            heavy: Delay::of_heavy(),
            burden: Burden::Full,
            changed: Duration::ZERO,
            changes: 0,
            queued: Duration::ZERO,
            reduced_after: REDUCED_AFTER[0],
            full_after: FULL_AFTER[0],
            fits_after: FITS_AFTER,
            width: Width::default(),
            counted: None,
            everything: EVERYTHING,
        }
    }

    /// A packet of sound came that was `sent` by its sender's clock.
    pub fn sound(&mut self, now: Duration, sent: Duration) {
        self.sound.take(now, sent);
    }

    /// A frame of a heavy track came, of so many bytes.
    pub fn heavy(&mut self, now: Duration, sent: Duration, bytes: usize) {
        self.heavy.take(now, sent);
        let delay_us = micros(now).saturating_sub(micros(sent));
        self.width.take(now, delay_us, bytes);
        let (_, counted) = self.counted.get_or_insert((now, 0));
        *counted = counted.saturating_add(bytes);
    }

    /// What the link was found to bear at the last look.
    pub fn burden(&self) -> Burden {
        self.burden
    }

    /// What the link bears now. Ask fifty times a second.
    ///
    /// `rank`: how much it matters that more of it comes, the more the higher; `None` if nobody would
    /// read more.
    pub fn look(&mut self, now: Duration, rank: Option<u8>, turns: &mut Turns) -> Burden {
        // There is less to give up, and a key frame of it alone is a short queue on a narrow link.
        let patience = if self.burden == Burden::Reduced { 2 } else { 1 };
        let stands = self.sound.stands(now, patience) | self.heavy.stands(now, 1);
        let fills = self.burden > Burden::Light && self.sound.fills(patience);
        if stands || fills {
            self.queued = now;
            if self.burden > Burden::Light {
                self.give_up(now, turns);
            } else if now.saturating_sub(self.changed) >= NEW_WAY {
                self.sound.forget();
                self.heavy.forget();
            }
        } else {
            self.try_more(now, rank, turns);
        }
        self.burden
    }

    fn give_up(&mut self, now: Duration, turns: &mut Turns) {
        let is_proven = self.is_proven(now);
        // Who tried last is the cause, and not who was still being tried.
        let fails = !is_proven && turns.was_last(self.way);
        match self.burden {
            Burden::Full if fails => {
                turns.fits_not(now);
                self.full_after = (self.full_after * 2).min(FULL_AFTER[1]);
                self.fits_after = (self.fits_after * 2).min(FULL_AFTER[1]);
            }
            Burden::Full if is_proven => {
                (self.full_after, self.fits_after) = (FULL_AFTER[0], FITS_AFTER);
            }
            _ => {}
        }
        // What stood for a while, or bore a try of more, was not the cause: somebody else on the same
        // link may be.
        self.reduced_after = if self.burden == Burden::Reduced && fails {
            let longer = (self.reduced_after * 2).max(REDUCED_AGAIN);
            longer.min(REDUCED_AFTER[1])
        } else {
            REDUCED_AFTER[0]
        };
        self.set(now, Burden::Light);
        // What is still under way of a track that was given up says nothing of the next one.
        self.heavy.forget();
    }

    fn try_more(&mut self, now: Duration, rank: Option<u8>, turns: &mut Turns) {
        let (more, after, lasts) = match self.burden {
            Burden::Light => (Burden::Reduced, self.reduced_after, REDUCED_TURN),
            Burden::Reduced => (Burden::Full, self.full_patience(), FULL_TURN),
            Burden::Full if self.is_proven(now) => return turns.fits(self.way),
            Burden::Full => return,
        };
        let by_chance = 1.0 + BY_CHANCE * self.chance();
        // A queue that came since is the work of others, and gone is gone: who waited for so long without any
        // would never have his turn among those who try more.
        let clear = now.saturating_sub(self.queued);
        let waited = now.saturating_sub(self.changed);
        if waited < after.mul_f64(by_chance) || clear < REDUCED_AFTER[0].mul_f64(by_chance) {
            return;
        }
        // What nobody reads is no try.
        let may = rank.is_none_or(|rank| {
            let pauses = more == Burden::Full && turns.is_paused(now);
            !pauses && turns.take(now, self.way, rank, lasts)
        });
        if may {
            self.set(now, more);
        }
    }

    fn is_proven(&self, now: Duration) -> bool {
        let proven = match self.burden {
            Burden::Full => FULL_PROVEN,
            _ => REDUCED_PROVEN,
        };
        now.saturating_sub(self.changed) >= proven
    }

    /// From 0 to 1, another one for each way and after each change.
    fn chance(&self) -> f64 {
        let mut hasher = DefaultHasher::new();
        (self.way, self.changes).hash(&mut hasher);
        hasher.finish() as f64 / u64::MAX as f64
    }

    fn full_patience(&self) -> Duration {
        match self.width.bears(self.everything + VOICE) {
            Some(true) => self.fits_after,
            None => self.full_after,
            Some(false) => self.full_after.max(FITS_NOT_AFTER),
        }
    }

    fn set(&mut self, now: Duration, burden: Burden) {
        if let (Burden::Full, Some((since, bytes))) = (self.burden, self.counted.take()) {
            let lasted = now.saturating_sub(since);
            if lasted >= COUNTED {
                self.everything = bytes as f64 / lasted.as_secs_f64();
            }
        }
        self.width.forget();
        self.burden = burden;
        self.changed = now;
        self.changes += 1;
    }
}
