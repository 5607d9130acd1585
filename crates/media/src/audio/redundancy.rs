//! How much of a packet is copies of earlier frames.
//!
//! A packet has one size whatever it holds, so copies are paid for with the
//! bit rate of the frames. What each plan is worth at which loss was measured
//! with `./dev bench media-loss`.

use super::loss_meter::Loss;
use super::packet::FRAMES_ROOM;

/// Frames after which less loss is believed, 10 s. More loss is at once: a
/// change is heard, and measured loss comes and goes.
const CALM_FRAMES: u32 = 500;
/// Bursts are answered from this share of lost packets in percent on.
const BURSTS_PERCENT: u8 = 2;

/// Which earlier frames each packet repeats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Plan {
    /// How many packets ago they were sent first, the dearest first.
    pub(super) back: &'static [u8],
    /// The share of lost packets in percent from which on it pays.
    from_percent: u8,
}

/// From the least redundancy to the most. Copies further apart outlive a
/// longer burst, and are waited for longer.
const PLANS: [Plan; 4] = [
    Plan {
        back: &[1],
        from_percent: 0,
    },
    Plan {
        back: &[1, 2],
        from_percent: 8,
    },
    Plan {
        back: &[1, 2, 3],
        from_percent: 28,
    },
    BURSTS,
];

const BURSTS: Plan = Plan {
    back: &[1, 3, 5],
    from_percent: u8::MAX,
};

impl Plan {
    /// Bytes of one frame, so that it and its copies fill the room.
    pub(super) fn frame_bytes(self) -> usize {
        FRAMES_ROOM / (self.back.len() + 1)
    }
}

/// Chooses the plan: up at once, down after a calm time.
#[derive(Debug, Default)]
pub(super) struct Redundancy {
    expected: Loss,
    plan: usize,
    calm: u32,
}

impl Redundancy {
    /// Takes in what gets lost.
    pub(super) fn expect_loss(&mut self, loss: Loss) {
        self.expected = loss;
    }

    /// The plan for the next frame.
    pub(super) fn next(&mut self) -> Plan {
        let Loss { percent, bursts } = self.expected;
        let pays = |plan: &Plan| match *plan {
            BURSTS => bursts && percent >= BURSTS_PERCENT,
            plan => plan.from_percent <= percent,
        };
        let wanted = PLANS.iter().rposition(pays).unwrap_or(0);
        self.calm = match wanted < self.plan {
            true => self.calm + 1,
            false => 0,
        };
        if wanted > self.plan || self.calm >= CALM_FRAMES {
            self.plan = wanted;
            self.calm = 0;
        }
        PLANS[self.plan]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copies_after(redundancy: &mut Redundancy, frames: u32) -> usize {
        (0..frames)
            .map(|_| redundancy.next().back.len())
            .last()
            .unwrap()
    }

    fn random(percent: u8) -> Loss {
        Loss {
            percent,
            bursts: false,
        }
    }

    #[test]
    fn bursts_are_answered_with_copies_far_apart() {
        let mut redundancy = Redundancy::default();
        redundancy.expect_loss(Loss {
            percent: 1,
            bursts: true,
        });
        assert_eq!(redundancy.next(), PLANS[0]);
        redundancy.expect_loss(Loss {
            percent: 5,
            bursts: true,
        });
        assert_eq!(redundancy.next(), BURSTS);
    }

    #[test]
    fn more_loss_is_answered_at_once_and_less_after_a_calm_time() {
        let mut redundancy = Redundancy::default();
        assert_eq!(copies_after(&mut redundancy, 1), 1);
        redundancy.expect_loss(random(30));
        assert_eq!(copies_after(&mut redundancy, 1), 3);
        redundancy.expect_loss(random(0));
        assert_eq!(copies_after(&mut redundancy, CALM_FRAMES - 1), 3);
        redundancy.expect_loss(random(30));
        assert_eq!(copies_after(&mut redundancy, 1), 3);
        redundancy.expect_loss(random(0));
        assert_eq!(copies_after(&mut redundancy, CALM_FRAMES - 1), 3);
        assert_eq!(copies_after(&mut redundancy, 1), 1);
    }

    #[test]
    fn frames_and_copies_never_exceed_the_room() {
        for plan in PLANS {
            let frames = plan.back.len() + 1;
            assert!(plan.frame_bytes() * frames <= FRAMES_ROOM, "{plan:?}");
            assert!(plan.frame_bytes() <= usize::from(u8::MAX), "{plan:?}");
        }
    }
}
