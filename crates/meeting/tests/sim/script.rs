//! What the people of a seed set out to do.

use conclave_meeting::MediaState;
use conclave_wire::DeviceId;

use super::audit::Who;
use super::malice::Malice;
use super::network::{MS, Micros, SECOND};
use super::rng::Rng;

/// The founder of every meeting.
pub const FOUNDER: Who = 0;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Opens the link and presses Join.
    Begin(Who),
    Leave(Who),
    Media(Who, MediaState),
    /// The connection breaks.
    Cut(Who),
    /// The program dies; its memory is lost, the device's key is not.
    Crash(Who),
    /// It is started again, with the same key.
    Back(Who),
    /// The founder removes somebody.
    Remove(Who),
    /// The service dies and is started again with nothing in its memory.
    Restart,
    /// Half of the people see another log from now on.
    Fork,
    /// The faults stop.
    Honest,
    /// The founder makes up his mind about somebody at the door.
    Decide(DeviceId, bool),
    /// Once all is quiet: somebody new.
    Latecomer,
    End,
    // What programs do by themselves.
    Dial(Who),
    Wake(Who),
}

pub struct Script {
    pub people: usize,
    pub waiting_room: bool,
    /// Whether the service forgets everything when the faults stop, or only its connections break.
    pub forgets: bool,
    pub acts: Vec<(Micros, Act)>,
}

/// So long after the faults have stopped all agree or have left: a minute until absent people are
/// removed, a minute of trying to get back in, and what the last knock needs.
pub const CALM: Micros = 200 * SECOND;

impl Script {
    pub fn new(seed: u64, malice: &Malice) -> Self {
        let mut rng = Rng::new(seed, 1);
        let people = match rng.below(200) {
            0 => rng.between(16, 30),
            1..=9 => rng.between(8, 15),
            10..=49 => rng.between(5, 7),
            _ => rng.between(2, 4),
        } as usize;
        let end = rng.between(10, 60) * SECOND;
        let forks = malice.forks();
        let mut script = Self {
            people,
            waiting_room: rng.chance(700),
            forgets: forks || rng.chance(600),
            acts: Vec::new(),
        };
        for who in 1..people {
            let at = match rng.chance(600) {
                true => rng.below(3 * SECOND),
                false => rng.below(end),
            };
            script.acts.push((at, Act::Begin(who)));
        }
        let events = rng.between(0, 3 + people as u64);
        for _ in 0..events {
            script.event(&mut rng, end);
        }
        if forks {
            script.acts.push((rng.below(end), Act::Fork));
        }
        script.acts.push((end, Act::Honest));
        if rng.chance(500) {
            script.acts.push((end + 120 * SECOND, Act::Latecomer));
        }
        script.acts.push((end + CALM, Act::End));
        script
    }

    fn event(&mut self, rng: &mut Rng, end: Micros) {
        let at = rng.below(end);
        // The founder goes rarely: without him nobody comes in any more.
        let who = rng.below(self.people as u64) as Who;
        let who = match who {
            FOUNDER if rng.chance(800) => 1,
            who => who,
        };
        match rng.below(100) {
            0..20 => {
                let media = MediaState {
                    muted: rng.chance(500),
                    camera: rng.chance(500),
                };
                self.acts.push((at, Act::Media(who, media)));
            }
            20..50 => self.acts.push((at, Act::Cut(who))),
            50..70 => {
                self.acts.push((at, Act::Crash(who)));
                if who != FOUNDER && rng.chance(800) {
                    let later = rng.between(200 * MS, 30 * SECOND);
                    self.acts.push((at + later, Act::Back(who)));
                }
            }
            70..80 => self.acts.push((at, Act::Leave(who))),
            80..90 if who != FOUNDER => {
                self.acts.push((at, Act::Remove(who)));
                if rng.chance(500) {
                    let later = rng.between(SECOND, 20 * SECOND);
                    self.acts.push((at + later, Act::Back(who)));
                }
            }
            _ => self.acts.push((at, Act::Restart)),
        }
    }
}
