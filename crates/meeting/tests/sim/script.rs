//! What the people of a seed set out to do.

use conclave_meeting::{MediaState, Role, Secrecy};
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
    /// A host removes somebody.
    Remove(Who),
    /// A host gives somebody a role.
    Appoint(Who, Role),
    /// A host names somebody who may follow him.
    Name(Who),
    /// A host changes another rule.
    Rule(Rule),
    /// Somebody raises a hand, or lowers it.
    Hand(Who, bool),
    /// A host lets somebody speak.
    LetSpeak(Who),
    /// A host asks somebody to mute.
    AskToMute(Who),
    /// A host ends the meeting for all.
    EndMeeting,
    /// The service dies and is started again with nothing in its memory.
    Restart,
    /// Half of the people see another log from now on.
    Fork,
    /// The faults stop.
    Honest,
    /// Somebody who keeps the door makes up his mind about somebody before it.
    Decide(Who, DeviceId, bool),
    /// Once all is quiet: somebody new.
    Latecomer,
    End,
    // What programs do by themselves.
    Dial(Who),
    Wake(Who),
}

/// Rules that are not about people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    Locked(bool),
    WaitingRoom(bool),
    Secrecy(Secrecy),
    Strict(bool),
    OpenMicrophones(u16),
    Link {
        single_use: bool,
        valid_s: Option<u32>,
    },
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
        let mut rules = Rng::new(seed, 6);
        if Malice::new(seed).is_honest() || rules.chance(400) {
            for _ in 0..rules.between(1, 5) {
                script.government(&mut rules, end);
            }
        }
        let mut speaking = Rng::new(seed, 7);
        if speaking.chance(400) {
            let bounded = Malice::new(seed).is_honest();
            for _ in 0..speaking.between(1, 8) {
                script.speaking(&mut speaking, end, bounded);
            }
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
                    ..MediaState::default()
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

    /// Who speaks, who wants to, and for how many there is room.
    fn speaking(&mut self, rng: &mut Rng, end: Micros, bounded: bool) {
        let at = rng.below(end);
        let who = rng.below(self.people as u64) as Who;
        let act = match rng.below(100) {
            0..30 => Act::Hand(who, rng.chance(700)),
            30..45 => Act::LetSpeak(who),
            45..55 => Act::AskToMute(who),
            55..75 if bounded => Act::Rule(Rule::OpenMicrophones(rng.between(1, 4) as u16)),
            _ => Act::Media(
                who,
                MediaState {
                    muted: rng.chance(500),
                    camera: true,
                    ..MediaState::default()
                },
            ),
        };
        self.acts.push((at, act));
    }

    /// Roles, followers and rules; and with followers, hosts who go.
    fn government(&mut self, rng: &mut Rng, end: Micros) {
        let at = rng.between(2 * SECOND, end);
        let who = rng.below(self.people as u64) as Who;
        let act = match rng.below(100) {
            0..20 => Act::Appoint(who, Role::CoHost),
            20..35 => Act::Appoint(who, Role::Host),
            35..40 => Act::Appoint(who, Role::Participant),
            40..55 => Act::Name(who),
            55..65 => Act::Rule(Rule::Locked(rng.chance(400))),
            65..70 => Act::Rule(Rule::WaitingRoom(rng.chance(500))),
            70..73 => Act::Rule(Rule::Secrecy(Secrecy::High)),
            73..76 => Act::Rule(Rule::Strict(rng.chance(500))),
            76..88 => Act::Rule(Rule::Link {
                single_use: rng.chance(400),
                valid_s: rng.chance(300).then_some(rng.between(5, 60) as u32),
            }),
            88..97 => {
                let heir = rng.between(1, self.people.max(2) as u64 - 1) as Who;
                let named = Act::Appoint(heir, Role::CoHost);
                self.acts.push((
                    at / 2,
                    if rng.chance(500) {
                        Act::Name(heir)
                    } else {
                        named
                    },
                ));
                if rng.chance(500) {
                    self.acts
                        .push((at + rng.between(SECOND, 90 * SECOND), Act::Back(FOUNDER)));
                }
                if rng.chance(500) {
                    Act::Leave(FOUNDER)
                } else {
                    Act::Crash(FOUNDER)
                }
            }
            _ => Act::EndMeeting,
        };
        self.acts.push((at, act));
    }
}
