//! How much of a packet is copies of earlier frames.
//!
//! Where nothing is lost, nothing is repeated and packets are short; from the
//! first loss on they are whole, and copies are paid for with the bit rate of the
//! frames. Where much is lost they are large. Packets that are to have one size
//! are whole whatever is lost. What each plan is worth at which loss was measured with
//! `./dev bench media-loss`.

use super::loss_meter::Loss;
use super::packet::PacketSize;

/// Frames after which less loss is believed, 10 s. More loss is at once: a
/// change is heard, and measured loss comes and goes.
const CALM_FRAMES: u32 = 500;

/// Which earlier frames each packet repeats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Plan {
    /// How many packets ago they were sent first, the dearest first.
    pub(super) back: &'static [u8],
    pub(super) size: PacketSize,
    /// The share of lost packets in percent from which on it pays.
    from_percent: u8,
}

const fn plan(size: PacketSize, back: &'static [u8], from_percent: u8) -> Plan {
    Plan {
        back,
        size,
        from_percent,
    }
}

/// From the least redundancy to the most: of those that pay and are allowed, the
/// last one is taken. Copies further apart outlive a longer burst, and are waited
/// for longer.
const PLANS: [Plan; 6] = [
    plan(PacketSize::Spare, &[], 0),
    plan(PacketSize::Whole, &[1], 1),
    plan(PacketSize::Whole, &[1, 2], 6),
    plan(PacketSize::Whole, &[1, 2, 3], 21),
    plan(PacketSize::Large, &[1, 2, 3], 12),
    BURSTS,
];
/// A sender begins with it: nothing is known of the link yet.
const FIRST: usize = 1;
const BURSTS: Plan = plan(PacketSize::Whole, &[1, 3, 5], u8::MAX);

impl Plan {
    /// Bytes of one frame, so that it and its copies fill the room.
    pub(super) fn frame_bytes(self) -> usize {
        self.size.frames_room() / (self.back.len() + 1)
    }
}

/// Chooses the plan: up at once, down after a calm time.
#[derive(Debug)]
pub(super) struct Redundancy {
    expected: Loss,
    one_size: bool,
    plan: usize,
    calm: u32,
}

impl Default for Redundancy {
    fn default() -> Self {
        Self {
            expected: Loss::default(),
            one_size: true,
            plan: FIRST,
            calm: 0,
        }
    }
}

impl Redundancy {
    /// Whether packets have one size whatever the link loses. At first they have.
    pub(super) fn keep_one_size(&mut self, one_size: bool) {
        self.one_size = one_size;
    }

    /// Takes in what gets lost.
    pub(super) fn expect_loss(&mut self, loss: Loss) {
        self.expected = loss;
    }

    /// The plan for the next frame.
    pub(super) fn next(&mut self) -> Plan {
        let Loss { percent, bursts } = self.expected;
        let pays = |plan: &Plan| match *plan {
            BURSTS => bursts,
            plan => plan.from_percent <= percent,
        };
        let may = |plan: &Plan| !self.one_size || plan.size == PacketSize::Whole;
        let wanted = PLANS.iter().rposition(|plan| may(plan) && pays(plan));
        let wanted = wanted.unwrap_or(FIRST);
        let must = wanted > self.plan || !may(&PLANS[self.plan]);
        self.calm = match wanted < self.plan {
            true => self.calm + 1,
            false => 0,
        };
        if must || self.calm >= CALM_FRAMES {
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
        assert_eq!(redundancy.next(), PLANS[FIRST]);
        redundancy.expect_loss(Loss {
            percent: 1,
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
    fn packets_are_short_or_large_as_the_link_wants_unless_they_have_one_size() {
        let mut redundancy = Redundancy::default();
        let mut size_after = |frames, one_size, percent| {
            redundancy.keep_one_size(one_size);
            redundancy.expect_loss(random(percent));
            (0..frames).map(|_| redundancy.next().size).last().unwrap()
        };
        let (spare, whole, large) = (PacketSize::Spare, PacketSize::Whole, PacketSize::Large);
        assert_eq!(size_after(2 * CALM_FRAMES, true, 0), whole);
        assert_eq!(size_after(CALM_FRAMES - 1, false, 0), whole);
        assert_eq!(size_after(1, false, 0), spare);
        assert_eq!(size_after(1, false, 1), whole, "the first loss counts");
        assert_eq!(size_after(CALM_FRAMES, false, 0), spare);
        assert_eq!(size_after(1, true, 0), whole, "secrecy does not wait");
        assert_eq!(size_after(1, true, 30), whole);
        assert_eq!(size_after(1, false, 30), large);
        assert_eq!(size_after(1, true, 30), whole, "nor for large ones");
        assert_eq!(size_after(1, false, 0), whole);
    }

    #[test]
    fn frames_and_copies_never_exceed_the_room() {
        for plan in PLANS {
            let frames = plan.back.len() + 1;
            let room = plan.size.frames_room();
            assert!(plan.frame_bytes() * frames <= room, "{plan:?}");
            assert!(plan.frame_bytes() <= usize::from(u8::MAX), "{plan:?}");
        }
    }
}
