//! Lips and voice: a picture that would be seen before its sound is heard is held back a little.
//! Sound never waits for a picture.
//!
//! Sound is slower on its way through one device than a picture is: the jitter buffer and the
//! loudspeaker take their time. Both carry their capture time by one clock of their sender, so that
//! the delay of what is heard says when a picture of the same moment is due.

use std::sync::Mutex;
use std::time::Duration;

use conclave_media::clock::difference;

use super::figures::lock;

/// A picture may come so long before its sound. Nobody sees it up to 45 ms (ITU-R BT.1359-1), and
/// who watches without listening sees sooner.
const LEAD_US: i64 = 25_000;
/// No picture is held back for longer than this, whatever the sound does.
const MOST: Duration = Duration::from_millis(250);

/// What is known of when one sender's sound is heard.
#[derive(Default)]
pub(super) struct Lips {
    /// From capture by the sender's clock to play by this one's, microseconds.
    sound_us: Mutex<Option<i64>>,
}

impl Lips {
    /// Takes in the delays of the sound that was played lately; none while there is no sound.
    pub(super) fn hear(&self, mut delays_us: Vec<i64>) {
        delays_us.sort_unstable();
        *lock(&self.sound_us) = delays_us.get(delays_us.len() / 2).copied();
    }

    /// Whether there is sound.
    pub(super) fn is_heard(&self) -> bool {
        lock(&self.sound_us).is_some()
    }

    /// How long to hold back a picture of this moment, which came now.
    pub(super) fn hold(&self, now_us: u64, capture_us: u64) -> Duration {
        let Some(sound_us) = *lock(&self.sound_us) else {
            return Duration::ZERO;
        };
        let under_way_us = difference(now_us, capture_us);
        let early_us = sound_us
            .saturating_sub(LEAD_US)
            .saturating_sub(under_way_us);
        Duration::from_micros(early_us.max(0).unsigned_abs()).min(MOST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_000_000_000_000;
    const MS: u64 = 1000;

    #[test]
    fn a_picture_waits_for_its_sound_whatever_the_clocks_say() {
        for clock_us in [-3_600_000_000_i64, 0, 3_600_000_000] {
            let lips = Lips::default();
            lips.hear([90, 110, 100].map(|ms| ms * 1000 + clock_us).into());
            let captured = |ago_ms: u64| (NOW - ago_ms * MS).saturating_add_signed(-clock_us);
            assert_eq!(lips.hold(NOW, captured(30)), Duration::from_millis(45));
            assert_eq!(lips.hold(NOW, captured(80)), Duration::ZERO);
            assert_eq!(lips.hold(NOW, captured(300)), Duration::ZERO);
        }
    }

    #[test]
    fn no_sound_holds_nothing_and_absurd_stamps_hold_little() {
        let lips = Lips::default();
        assert_eq!(lips.hold(NOW, NOW - 30 * MS), Duration::ZERO);
        lips.hear(vec![100_000]);
        assert_eq!(lips.hold(NOW, u64::MAX), MOST);
        assert_eq!(lips.hold(NOW, 0), Duration::ZERO);
        lips.hear(Vec::new());
        assert_eq!(lips.hold(NOW, NOW - 30 * MS), Duration::ZERO);
    }
}
