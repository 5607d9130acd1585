//! What a server may do to the messages of a meeting that it cannot read, by a seed: leave out,
//! repeat, damage, play again later, and speak of people who are not there.

use crate::hostile::{Malice, Way};

/// Where the variant of a message stands: after the version.
const VARIANT: usize = 1;
/// Where its fields begin.
const FIELDS: usize = 2;
/// Bytes of a device id.
const DEVICE: usize = 16;

/// From the server (docs/protocol.md, section 7).
const KNOCK: u8 = 3;
const ENTRY: u8 = 7;
const SIGNAL: u8 = 8;
const PRESENCE: u8 = 11;
/// To the server.
const PUBLISH: u8 = 5;
const SIGNAL_TO_ALL: u8 = 6;

/// Sealed to nobody: as long as a real card, and noise.
const CARD: usize = 9405;
/// Messages kept to be played again, the newest ones.
const KEPT: usize = 32;
/// Every so many messages a ghost is spoken of.
const GHOST_EVERY: u64 = 4;

/// One kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    Drop,
    Duplicate,
    Damage,
    Replay,
}

const FAULTS: [Fault; 8] = [
    Fault::None,
    Fault::None,
    Fault::None,
    Fault::None,
    Fault::Drop,
    Fault::Duplicate,
    Fault::Damage,
    Fault::Replay,
];

/// How often each was done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Done {
    /// Messages left out.
    pub dropped: u32,
    /// Messages said twice.
    pub duplicated: u32,
    /// Messages with one byte changed.
    pub damaged: u32,
    /// Old messages said again.
    pub replayed: u32,
    /// Knocks and presences of a ghost.
    pub ghosts: u32,
}

impl Done {
    /// How often the rarest was done.
    pub fn least(&self) -> u32 {
        [
            self.dropped,
            self.duplicated,
            self.damaged,
            self.replayed,
            self.ghosts,
        ]
        .into_iter()
        .min()
        .unwrap_or(0)
    }
}

/// The faults of one proxy.
pub struct Faults {
    dice: Dice,
    active: bool,
    passed: u64,
    up: Vec<Vec<u8>>,
    down: Vec<Vec<u8>>,
    /// A real card that was shown, for the ghost to show.
    card: Option<Vec<u8>>,
    done: Done,
}

impl Faults {
    /// Well-behaved until [`Faults::begin`].
    pub fn by(seed: u64) -> Self {
        Self {
            dice: Dice(seed),
            active: false,
            passed: 0,
            up: Vec::new(),
            down: Vec::new(),
            card: None,
            done: Done::default(),
        }
    }

    /// From now on it lies.
    pub fn begin(&mut self) {
        self.active = true;
    }

    /// From now on it is honest.
    pub fn stop(&mut self) {
        self.active = false;
    }

    /// What it did.
    pub fn done(&self) -> Done {
        self.done
    }

    fn keep(&mut self, way: Way, frame: &[u8]) {
        let kept = match way {
            Way::Up => &mut self.up,
            Way::Down => &mut self.down,
        };
        if kept.len() == KEPT {
            kept.remove(0);
        }
        kept.push(frame.to_vec());
        if (way, frame[VARIANT]) == (Way::Down, KNOCK) {
            self.card = Some(frame[FIELDS + DEVICE..].to_vec());
        }
    }

    fn suffer(&mut self, way: Way, mut frame: Vec<u8>) -> Vec<Vec<u8>> {
        match FAULTS[self.dice.below(FAULTS.len())] {
            Fault::None => vec![frame],
            Fault::Drop => {
                self.done.dropped += 1;
                Vec::new()
            }
            Fault::Duplicate => {
                self.done.duplicated += 1;
                vec![frame.clone(), frame]
            }
            Fault::Damage => {
                self.done.damaged += 1;
                let place = FIELDS + self.dice.below(frame.len() - FIELDS);
                frame[place] ^= 1 << self.dice.below(8);
                vec![frame]
            }
            Fault::Replay => {
                self.done.replayed += 1;
                let kept = match way {
                    Way::Up => &self.up,
                    Way::Down => &self.down,
                };
                let old = kept[self.dice.below(kept.len())].clone();
                vec![frame, old]
            }
        }
    }

    /// Somebody who is not there knocks, under a card that another showed, and is said to be in.
    fn ghost(&mut self) -> [Vec<u8>; 2] {
        self.done.ghosts += 1;
        let device: Vec<u8> = (0..DEVICE).map(|_| self.dice.below(256) as u8).collect();
        let card = self.card.clone().unwrap_or_else(|| {
            let noise = (0..CARD).map(|_| self.dice.below(256) as u8);
            // LEB128, two bytes.
            [(CARD & 0x7f) as u8 | 0x80, (CARD >> 7) as u8]
                .into_iter()
                .chain(noise)
                .collect()
        });
        let says = |variant, rest: &[u8]| [&[1, variant], &device[..], rest].concat();
        [says(KNOCK, &card), says(PRESENCE, &[1])]
    }
}

impl Malice for Faults {
    fn pass(&mut self, way: Way, frame: Vec<u8>) -> Vec<Vec<u8>> {
        let is_the_meetings = frame.len() > FIELDS
            && match way {
                Way::Up => [PUBLISH, SIGNAL_TO_ALL].contains(&frame[VARIANT]),
                Way::Down => [KNOCK, ENTRY, SIGNAL, PRESENCE].contains(&frame[VARIANT]),
            };
        if !is_the_meetings {
            return vec![frame];
        }
        self.keep(way, &frame);
        if !self.active {
            return vec![frame];
        }
        let mut said = self.suffer(way, frame);
        self.passed += u64::from(way == Way::Down);
        if way == Way::Down && self.passed.is_multiple_of(GHOST_EVERY) {
            said.extend(self.ghost());
        }
        said
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014): nothing here needs more.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % bound as u64) as usize
    }
}
