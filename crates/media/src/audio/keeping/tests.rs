//! Devices that come and go, on a clock of our own.

use std::cell::RefCell;
use std::rc::Rc;

use super::*;

#[derive(Debug, Clone, Default, PartialEq)]
struct Wish(Option<&'static str>);

impl Choice for Wish {
    fn device(&self) -> Option<&str> {
        self.0
    }

    fn is_real(&self) -> bool {
        true
    }
}

/// A sound system in memory: the first device is the default.
#[derive(Default)]
struct Room {
    devices: Vec<&'static str>,
    /// Whether the system moves a stream with its default.
    moves: bool,
    opened: Vec<&'static str>,
}

struct FakeDesk(Rc<RefCell<Room>>);

impl Desk for FakeDesk {
    type Choice = Wish;

    fn open(&mut self, choice: &Wish) -> Result<Opened, AudioError> {
        let mut room = self.0.borrow_mut();
        let wanted = choice.0.or(room.devices.first().copied());
        let found = room.devices.iter().find(|name| Some(**name) == wanted);
        let name = *found.ok_or(AudioError::NoMicrophone)?;
        room.opened.push(name);
        Ok(Opened {
            name: name.to_owned(),
            id: (!room.moves || choice.0.is_some()).then(|| name.to_owned()),
            generation: room.opened.len() as u64,
        })
    }

    fn devices(&mut self) -> Vec<DeviceInfo> {
        let room = self.0.borrow();
        let info = |name: &&str| DeviceInfo {
            id: (*name).to_owned(),
            name: (*name).to_owned(),
            is_default: false,
        };
        room.devices.iter().map(info).collect()
    }

    fn default_device(&mut self) -> Option<DeviceInfo> {
        self.devices().into_iter().next()
    }
}

struct Case {
    keeping: Keeping<FakeDesk>,
    room: Rc<RefCell<Room>>,
    now: Instant,
}

impl Case {
    fn new(wish: Option<&'static str>, devices: &[&'static str]) -> Self {
        let room = Rc::new(RefCell::new(Room {
            devices: devices.to_vec(),
            ..Room::default()
        }));
        let now = Instant::now();
        let desk = FakeDesk(room.clone());
        let started = Keeping::start(DeviceKind::Microphone, desk, Wish(wish), true, now);
        let keeping = started.expect("patient").0;
        let mut case = Self { keeping, room, now };
        case.works();
        case
    }

    fn set(&self, devices: &[&'static str]) {
        self.room.borrow_mut().devices = devices.to_vec();
    }

    fn works(&mut self) -> Option<AudioEvent> {
        let generation = self.keeping.current.generation;
        self.keeping.works(generation)
    }

    fn lost(&mut self) -> Option<AudioEvent> {
        let generation = self.keeping.current.generation;
        self.keeping.lost(generation, self.now)
    }

    /// Lets time pass to the next thing that is due.
    fn wait(&mut self) -> Option<AudioEvent> {
        self.now = self.keeping.deadline().expect("something is due");
        self.keeping.tick(self.now)
    }

    fn name(&self) -> String {
        self.keeping.in_use().name
    }

    fn problem(&self) -> String {
        self.keeping.in_use().problem.unwrap_or_default()
    }
}

#[test]
fn the_default_stands_in_for_an_unplugged_headset_until_it_is_back() {
    let mut case = Case::new(Some("headset"), &["built-in", "headset"]);
    assert_eq!(case.name(), "headset");
    case.set(&["built-in"]);
    assert_eq!(case.lost(), None, "nothing is told before it is heard");
    assert_eq!(case.name(), "built-in");
    let told = case.works().expect("told once it works").to_string();
    assert!(
        told.contains("\"headset\"") && told.contains("\"built-in\""),
        "{told}"
    );
    assert_eq!(case.problem(), told);
    assert_eq!(case.wait(), None);
    assert_eq!(case.name(), "built-in");
    case.set(&["built-in", "headset"]);
    case.wait();
    assert_eq!(case.name(), "headset");
    let back = case.works();
    assert!(matches!(back, Some(AudioEvent::Back { .. })), "{back:?}");
    assert_eq!(case.problem(), "");
}

#[test]
fn a_sound_server_that_restarts_quickly_is_not_worth_a_word() {
    let mut case = Case::new(None, &["built-in"]);
    case.set(&[]);
    assert_eq!(case.lost(), None);
    assert_eq!(case.problem(), "");
    case.set(&["built-in"]);
    assert_eq!(case.wait(), None);
    assert_eq!(case.works(), None);
    assert_eq!(case.name(), "built-in");
}

#[test]
fn a_sound_server_that_stays_away_is_named_once_and_tried_ever_less_often() {
    let mut case = Case::new(None, &["built-in"]);
    case.set(&[]);
    let mut told: Vec<_> = case.lost().into_iter().collect();
    let begun = case.now;
    let mut waits = Vec::new();
    for _ in 0..12 {
        let before = case.now;
        told.extend(case.wait());
        waits.push(case.now - before);
    }
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        case.problem().contains("No microphone"),
        "{}",
        case.problem()
    );
    assert!(waits.is_sorted() && waits[0] == FIRST_WAIT && waits[11] == LONGEST_WAIT);
    assert!(case.now - begun > Duration::from_secs(20));
    case.set(&["built-in"]);
    assert_eq!(case.wait(), None);
    assert!(matches!(case.works(), Some(AudioEvent::Back { .. })));
    assert_eq!(case.problem(), "");
}

#[test]
fn a_default_that_moves_is_followed_where_the_system_does_not_do_it() {
    let mut case = Case::new(None, &["built-in", "screen"]);
    case.set(&["screen", "built-in"]);
    assert_eq!(case.wait(), None);
    assert_eq!(case.name(), "screen");
    assert_eq!(case.room.borrow().opened, ["built-in", "screen"]);
}

#[test]
fn a_default_that_the_system_moves_is_only_named_anew() {
    let mut case = Case::new(None, &[]);
    case.room.borrow_mut().moves = true;
    case.set(&["built-in"]);
    case.wait();
    case.works();
    case.set(&["screen", "built-in"]);
    case.keeping.moved(case.now);
    case.wait();
    assert_eq!(case.name(), "screen");
    assert_eq!(case.room.borrow().opened, ["built-in"]);
}

#[test]
fn a_chosen_device_is_kept_although_the_default_moves() {
    let mut case = Case::new(Some("headset"), &["built-in", "headset"]);
    case.set(&["screen", "headset"]);
    assert_eq!(case.keeping.deadline(), None);
    assert_eq!(case.keeping.tick(case.now + Duration::from_secs(60)), None);
    assert_eq!(case.name(), "headset");
}

#[test]
fn a_device_that_opens_but_stays_silent_is_not_opened_at_once_again() {
    let mut case = Case::new(None, &["broken"]);
    let mut told: Vec<_> = case.lost().into_iter().collect();
    for _ in 0..5 {
        // Before it gives anything it is gone again.
        told.extend(case.lost());
        told.extend(case.wait());
    }
    assert_eq!(told.len(), 1, "{told:?}");
    let opened = case.room.borrow().opened.len();
    assert!(opened <= 7, "{opened}");
}

#[test]
fn a_late_report_about_the_one_before_changes_nothing() {
    let mut case = Case::new(Some("headset"), &["built-in", "headset"]);
    let old = case.keeping.current.generation;
    case.keeping
        .choose(Wish(Some("built-in")), case.now)
        .expect("there");
    assert_eq!(case.keeping.lost(old, case.now), None);
    assert_eq!(case.name(), "built-in");
    assert_eq!(case.room.borrow().opened.len(), 2);
}

#[test]
fn a_failed_choice_changes_nothing_and_without_patience_is_an_error_at_the_start() {
    let mut case = Case::new(Some("headset"), &["built-in", "headset"]);
    assert!(case.keeping.choose(Wish(Some("none")), case.now).is_err());
    assert_eq!(case.name(), "headset");
    let desk = FakeDesk(case.room.clone());
    let strict = Keeping::start(
        DeviceKind::Microphone,
        desk,
        Wish(Some("none")),
        false,
        case.now,
    );
    assert!(strict.is_err());
}

#[test]
fn a_headset_that_is_missing_at_the_start_is_taken_when_it_comes() {
    let mut case = Case::new(Some("headset"), &["built-in"]);
    assert_eq!(case.name(), "built-in");
    assert!(
        case.problem().contains("that you chose"),
        "{}",
        case.problem()
    );
    case.set(&["built-in", "headset"]);
    case.wait();
    assert_eq!(case.name(), "headset");
}
