//! Measures what a link loses, so that the sender can be told.

use std::collections::VecDeque;

/// Over how long the share is taken, about.
const WINDOW_US: u64 = 4_000_000;
/// A new figure is told no sooner than this after the last one.
const PAUSE_US: u64 = 1_000_000;
/// Loss is told again after so long, since a sender forgets it.
const RENEWAL_US: u64 = 4_000_000;
/// Frames without which no share is worth telling, 500 ms.
const LEAST_FRAMES: u64 = 25;
/// A change by so many percent is worth telling.
const MATERIAL_PERCENT: u8 = 3;

/// How many standard deviations of a count chance is believed to make.
const DEVIATIONS: f64 = 1.5;

/// What a link loses of the packets of one voice, before anything is healed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Loss {
    /// The share of packets that the link loses, in percent, as far as chance does not explain it:
    /// one and a half standard deviations of the count less than were lost. 0 only if none was.
    pub percent: u8,
    /// Whether most were lost in bursts of 80 ms or more.
    pub bursts: bool,
}

/// Frames counted over the life of a voice.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LossCounts {
    /// Frames that became due.
    pub due: u64,
    /// Of these, frames whose own packet was missing.
    pub lost: u64,
    /// Of these, frames lost in bursts of four or more.
    pub in_bursts: u64,
}

/// Decides what to tell a sender, and when.
#[derive(Debug, Default)]
pub struct LossMeter {
    readings: VecDeque<(u64, LossCounts)>,
    told: Option<(u64, Loss)>,
}

impl LossMeter {
    /// Takes a reading, once a second or so. Yields what is to be told now: a
    /// first loss, one that has changed much, and that which lasts, every 4 s.
    pub fn read(&mut self, now_us: u64, counts: LossCounts) -> Option<Loss> {
        let loss = self.measure(now_us, counts)?;
        let (told_us, told) = self.told.unwrap_or((0, Loss::default()));
        let since_us = now_us.saturating_sub(told_us);
        let changed = (told.percent == 0) != (loss.percent == 0)
            || told.percent.abs_diff(loss.percent) >= MATERIAL_PERCENT
            || told.bursts != loss.bursts;
        let renewed = loss.percent > 0 && since_us >= RENEWAL_US;
        if since_us < PAUSE_US || !(changed || renewed) {
            return None;
        }
        self.told = Some((now_us, loss));
        Some(loss)
    }

    /// Leaves out what was lost until now: a link that overflows is not helped by more of the same,
    /// so no sender is told of it.
    pub fn leave_out(&mut self) {
        self.readings.clear();
    }

    fn measure(&mut self, now_us: u64, counts: LossCounts) -> Option<Loss> {
        self.readings.push_back((now_us, counts));
        while let Some((at_us, _)) = self.readings.get(1)
            && now_us.saturating_sub(*at_us) >= WINDOW_US
        {
            self.readings.pop_front();
        }
        let (_, before) = *self.readings.front()?;
        let due = counts.due.saturating_sub(before.due);
        let lost = counts.lost.saturating_sub(before.lost);
        let in_bursts = counts.in_bursts.saturating_sub(before.in_bursts);
        (due >= LEAST_FRAMES).then(|| Loss {
            percent: percent(lost, due),
            bursts: in_bursts * 2 > lost,
        })
    }
}

/// More loss is answered at once and less of it late, so that the highest of many figures counts: one that
/// chance makes too high would be answered with copies that cost more than they heal.
fn percent(lost: u64, due: u64) -> u8 {
    if lost == 0 {
        return 0;
    }
    let (lost, due) = (lost as f64, due as f64);
    let deviation = (lost * (1.0 - lost / due).max(0.0)).sqrt();
    (100.0 * (lost - DEVIATIONS * deviation) / due)
        .clamp(1.0, 100.0)
        .round() as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads once a second while so many of 50 frames are lost in each.
    fn tell(meter: &mut LossMeter, from_s: u64, lost: &[u64], total: &mut LossCounts) -> Vec<u8> {
        let each = lost.iter().enumerate().filter_map(|(n, lost)| {
            total.due += 50;
            total.lost += lost;
            let now_us = (from_s + n as u64) * 1_000_000;
            Some(meter.read(now_us, *total)?.percent)
        });
        each.collect()
    }

    #[test]
    fn a_clean_link_is_not_worth_a_word() {
        let (mut meter, mut total) = (LossMeter::default(), LossCounts::default());
        assert_eq!(tell(&mut meter, 10, &[0; 20], &mut total), [0u8; 0]);
    }

    #[test]
    fn loss_is_told_soon_renewed_and_taken_back_once() {
        let (mut meter, mut total) = (LossMeter::default(), LossCounts::default());
        assert_eq!(tell(&mut meter, 10, &[0, 20], &mut total), [30]);
        assert_eq!(tell(&mut meter, 12, &[20; 8], &mut total), [33, 35]);
        let after = tell(&mut meter, 20, &[0; 20], &mut total);
        assert_eq!(after.last(), Some(&0), "{after:?}");
        assert!(after.len() <= 4, "{after:?}");
    }

    /// A tenth is lost: 2 of 20 may be chance, 2000 of 20,000 are not.
    #[test]
    fn what_chance_may_explain_is_not_told() {
        assert_eq!(percent(0, 200), 0);
        assert_eq!(percent(2, 20), 1);
        assert_eq!(percent(20, 200), 7);
        assert_eq!(percent(2_000, 20_000), 10);
        assert_eq!(percent(200, 200), 100);
    }

    #[test]
    fn what_an_overflowing_link_lost_is_left_out() {
        let (mut meter, mut total) = (LossMeter::default(), LossCounts::default());
        assert_eq!(tell(&mut meter, 10, &[0, 0], &mut total), [0u8; 0]);
        total.due += 50;
        total.lost += 40;
        meter.leave_out();
        assert_eq!(tell(&mut meter, 13, &[0; 5], &mut total), [0u8; 0]);
        assert_eq!(tell(&mut meter, 18, &[5], &mut total), [1]);
    }

    #[test]
    fn bursts_are_told_apart_from_single_losses() {
        let mut meter = LossMeter::default();
        meter.read(10_000_000, LossCounts::default());
        let counts = LossCounts {
            due: 100,
            lost: 6,
            in_bursts: 5,
        };
        let loss = meter.read(12_000_000, counts);
        let wanted = Loss {
            percent: 2,
            bursts: true,
        };
        assert_eq!(loss, Some(wanted));
    }

    #[test]
    fn a_voice_that_is_silent_says_nothing_of_its_link() {
        let mut meter = LossMeter::default();
        let counts = LossCounts {
            due: 24,
            lost: 20,
            in_bursts: 20,
        };
        meter.read(10_000_000, LossCounts::default());
        assert_eq!(meter.read(12_000_000, counts), None);
    }
}
