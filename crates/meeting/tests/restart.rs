//! No key is used twice under one counter: not when a device crashes and comes back, not when the
//! service forgets or remembers too little, not when what is on the disk is old.
//!
//! Everything that is sealed here is the same words for the same place. Two frames are equal, byte
//! for byte, exactly when key and counter were.

mod sim;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use conclave_e2ee::sframe::{Key, Suite};
use conclave_e2ee::{DeviceKey, FrameMeta, SealError, Sealer, Track};
use conclave_meeting::{Command, Identity, InviteLink, Phase, Secrecy};
use sim::people::World;
use sim::rng::Rng;
use sim::service::Service;

const SEEDS: u64 = 12;
const STEPS: usize = 30;
const TRACKS: [Track; 3] = [Track::AUDIO, Track::VIDEO_LOW, Track::AUTH];
const PLACE: FrameMeta<'static> = FrameMeta {
    track: "everywhere",
    group: 0,
    frame: 0,
};

/// One run of one person's program, from its start to its crash.
struct Run {
    who: usize,
    /// By the number of the track.
    sealers: BTreeMap<u8, Sealer>,
}

impl Run {
    fn of(who: usize) -> Self {
        let sealers = TRACKS.map(|track| (track.number(), Sealer::new(track)));
        Self {
            who,
            sealers: sealers.into(),
        }
    }
}

/// A meeting in which devices crash, and a clock of faults.
struct Story {
    world: World,
    link: InviteLink,
    rng: Rng,
    /// What each person has on the disk: the device key, and nothing of any meeting.
    disk: Vec<Identity>,
    /// Who has a running program. The host's never crashes: there would be nobody to let him in.
    runs: Vec<Run>,
    /// An older state of the service.
    backup: Option<Service>,
    sealed: HashSet<Vec<u8>>,
    came_back: usize,
}

impl Story {
    fn begin(seed: u64) -> Self {
        let mut world = World::new();
        let (host, link) = world.host("Ana", false);
        let disk = ["Ben", "Cy"].map(|name| Identity {
            name: name.parse().unwrap(),
            key: Arc::new(DeviceKey::generate().unwrap()),
        });
        let mut story = Self {
            world,
            link,
            rng: Rng::new(seed, 9),
            disk: disk.into(),
            runs: vec![Run::of(host)],
            backup: None,
            sealed: HashSet::new(),
            came_back: 0,
        };
        (0..2).for_each(|person| story.starts(person));
        story
    }

    /// The program of a person starts, with what it finds on the disk.
    fn starts(&mut self, person: usize) {
        let identity = self.disk[person].clone();
        let who = self.world.join_as(identity, &self.link);
        self.runs.push(Run::of(who));
        self.world.pass(Duration::from_millis(400));
    }

    /// One program crashes in the middle of what it does, and starts again some time after.
    fn crashes(&mut self, person: usize) {
        let place = 1 + person;
        let run = self.runs.remove(place);
        self.world.hang_up(run.who);
        let wait = self.rng.below(3);
        self.world.pass(Duration::from_secs(wait * 40));
        self.starts(person);
        let run = self.runs.pop().unwrap();
        let phase = self.world.people[run.who].snapshot().phase;
        self.came_back += usize::from(phase == Phase::Active);
        self.runs.insert(place, run);
    }

    fn all_dial_again(&mut self) {
        let who: Vec<_> = self.runs.iter().map(|run| run.who).collect();
        who.iter().for_each(|who| self.world.hang_up(*who));
        for who in who {
            self.world.back(who);
        }
    }

    fn step(&mut self) {
        match self.rng.below(10) {
            0 | 1 => self.crashes(0),
            2 => self.crashes(1),
            3 => {
                let secrecy = match self.rng.chance(500) {
                    true => Secrecy::High,
                    false => Secrecy::Standard,
                };
                self.world.command(0, Command::SetSecrecy(secrecy));
            }
            4 => {
                self.world.service.restart();
                self.all_dial_again();
            }
            5 => self.backup = Some(self.world.service.clone()),
            6 => {
                if let Some(backup) = self.backup.take() {
                    self.world.service = backup;
                    self.all_dial_again();
                }
            }
            _ => {
                let seconds = self.rng.between(1, 70);
                self.world.pass(Duration::from_secs(seconds));
            }
        }
    }

    /// Everybody takes the keys that he was given, in order, and says something under each.
    fn all_speak(&mut self) {
        for run in &mut self.runs {
            for mut keys in std::mem::take(&mut self.world.people[run.who].keys) {
                for track in TRACKS {
                    let key = keys.sealing.take(track).unwrap();
                    let sealer = run.sealers.get_mut(&track.number()).unwrap();
                    match sealer.install(key) {
                        // In another group than before the epochs may be lower.
                        Ok(()) | Err(SealError::OldEpoch) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
                assert!(keys.sealing.take(Track::AUDIO).is_none(), "no second key");
                speak(&mut run.sealers, 1, &mut self.sealed);
            }
            let frames = self.rng.below(3);
            speak(&mut run.sealers, frames, &mut self.sealed);
        }
    }
}

fn speak(sealers: &mut BTreeMap<u8, Sealer>, frames: u64, sealed: &mut HashSet<Vec<u8>>) {
    for sealer in sealers.values_mut().filter(|sealer| sealer.is_ready()) {
        for _ in 0..frames {
            let mut frame = Vec::new();
            sealer.seal(&PLACE, b"the same words", &mut frame).unwrap();
            assert!(
                sealed.insert(frame),
                "a key and a counter came together twice"
            );
        }
    }
}

#[test]
fn no_key_meets_a_counter_twice_however_often_devices_and_the_service_start_again() {
    let (mut frames, mut came_back) = (0, 0);
    for seed in 0..SEEDS {
        let mut story = Story::begin(seed);
        for _ in 0..STEPS {
            story.step();
            story.all_speak();
        }
        frames += story.sealed.len();
        came_back += story.came_back;
    }
    assert!(frames > 1_000, "{frames} frames are little to go by");
    assert!(came_back > 20, "only {came_back} came back after a crash");
}

/// The measure itself: what it would find, it finds.
#[test]
fn two_frames_under_one_key_and_counter_are_equal() {
    let seal = |kid, ctr| {
        let key = Key::derive(Suite::Aes256GcmSha512, kid, &[1; 32]).unwrap();
        let mut frame = Vec::new();
        key.dangerous_seal(ctr, b"place", b"the same words", &mut frame)
            .unwrap();
        frame
    };
    assert_eq!(seal(1, 7), seal(1, 7));
    assert_ne!(seal(1, 7), seal(1, 8));
    assert_ne!(seal(1, 7), seal(2, 7));
}
