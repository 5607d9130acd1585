//! Keeps one kind of device running: the chosen one, else the system's default, else nothing, until
//! something works again.
//!
//! No thread and no clock: what happened and the time come in, what to tell people comes out. Whatever
//! touches the sound system lies behind [`Desk`].

use std::time::{Duration, Instant};

use super::error::{AudioError, AudioEvent};
use crate::{DeviceInUse, DeviceInfo, DeviceKind};

/// While another device stands in, how often is looked for the chosen one.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How often is looked what the system's default is now.
const WATCH_EVERY: Duration = Duration::from_secs(5);
/// The sound server needs a moment until what it moved is known by its name.
const SETTLE: Duration = Duration::from_millis(300);
/// The first wait before a device is tried again; each later one is twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(100);
/// The longest wait before a device is tried again.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// Attempts that fail before people hear of it: a sound server that restarts is back by then.
const QUIET_ATTEMPTS: u32 = 2;

/// What was chosen, as far as keeping it needs to know.
pub(super) trait Choice: Clone + Default {
    /// The id, if a certain device was chosen.
    fn device(&self) -> Option<&str>;
    /// Whether it is a device of the room, which can go away.
    fn is_real(&self) -> bool;
}

/// What opens devices and puts them into use: the sound system and the engine, or a test.
pub(super) trait Desk {
    type Choice: Choice;
    /// Opens it and puts it into use in the place of the one before.
    fn open(&mut self, choice: &Self::Choice) -> Result<Opened, AudioError>;
    /// Devices that can be chosen now.
    fn devices(&mut self) -> Vec<DeviceInfo>;
    /// What "default" means now, if that can be told.
    fn default_device(&mut self) -> Option<DeviceInfo>;
}

/// A device that was put into use.
#[derive(Debug, Clone, Default)]
pub(super) struct Opened {
    pub(super) name: String,
    /// None where the system itself moves the stream when its default moves.
    pub(super) id: Option<String>,
    /// Tells reports about this one from late ones about another.
    pub(super) generation: u64,
}

#[derive(Debug)]
enum State {
    /// The chosen one is in use.
    Chosen,
    /// The default stands in for the chosen one.
    StandIn,
    /// Nothing is in use, for this reason.
    Nothing(String),
}

/// What people were told last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Fine,
    StandIn,
    Lost,
}

pub(super) struct Keeping<D: Desk> {
    kind: DeviceKind,
    desk: D,
    choice: D::Choice,
    /// Name of the chosen device, once it was seen.
    chosen_name: String,
    state: State,
    current: Opened,
    /// Sound has come or gone through the current one.
    proven: bool,
    told: Told,
    failures: u32,
    next: Option<Instant>,
}

impl<D: Desk> Keeping<D> {
    /// Opens what is chosen. `patient`: a device that does not open is tried again and again
    /// instead of being an error.
    pub(super) fn start(
        kind: DeviceKind,
        desk: D,
        choice: D::Choice,
        patient: bool,
        now: Instant,
    ) -> Result<(Self, Option<AudioEvent>), AudioError> {
        let mut keeping = Self {
            kind,
            desk,
            choice: choice.clone(),
            chosen_name: String::new(),
            state: State::Chosen,
            current: Opened::default(),
            proven: false,
            told: Told::Fine,
            failures: 0,
            next: None,
        };
        match keeping.choose(choice.clone(), now) {
            Ok(()) => Ok((keeping, None)),
            Err(_) if patient && choice.is_real() => {
                let event = keeping.reopen(now);
                Ok((keeping, event))
            }
            Err(error) => Err(error),
        }
    }

    /// Uses another one from now on. On failure the old one stays.
    pub(super) fn choose(&mut self, choice: D::Choice, now: Instant) -> Result<(), AudioError> {
        let opened = self.desk.open(&choice)?;
        self.choice = choice;
        self.chosen_name = opened.name.clone();
        self.told = Told::Fine;
        self.failures = 0;
        self.put(opened, State::Chosen, now);
        Ok(())
    }

    /// The one in use is gone.
    pub(super) fn lost(&mut self, generation: u64, now: Instant) -> Option<AudioEvent> {
        if generation != self.current.generation {
            return None;
        }
        if self.proven {
            self.failures = 0;
            return self.reopen(now);
        }
        // It opens but gives nothing: not at once again.
        let reason = format!("The {} gives no sound.", self.kind.noun());
        self.nothing(reason, now)
    }

    /// Sound comes or goes through the one in use.
    pub(super) fn works(&mut self, generation: u64) -> Option<AudioEvent> {
        if generation != self.current.generation || std::mem::replace(&mut self.proven, true) {
            return None;
        }
        self.failures = 0;
        let (device, name) = (self.kind, self.current.name.clone());
        match (&self.state, self.told) {
            (State::Chosen, Told::StandIn | Told::Lost) => {
                self.told = Told::Fine;
                Some(AudioEvent::Back { device, name })
            }
            (State::StandIn, Told::Fine | Told::Lost) => {
                self.told = Told::StandIn;
                Some(self.replaced())
            }
            _ => None,
        }
    }

    /// The system moved the stream to another device.
    pub(super) fn moved(&mut self, now: Instant) {
        self.next = Some(now + SETTLE);
    }

    /// When to [`tick`](Self::tick) next.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.next
    }

    /// Looks after whatever is due.
    pub(super) fn tick(&mut self, now: Instant) -> Option<AudioEvent> {
        if self.next.is_none_or(|at| at > now) {
            return None;
        }
        match self.state {
            State::Nothing(_) => return self.reopen(now),
            State::StandIn => {
                self.next = Some(now + LOOK_EVERY);
                let devices = self.desk.devices();
                let mut devices = devices.iter();
                if devices.any(|device| Some(device.id.as_str()) == self.choice.device())
                    && let Ok(opened) = self.desk.open(&self.choice)
                {
                    self.chosen_name = opened.name.clone();
                    self.put(opened, State::Chosen, now);
                    return None;
                }
            }
            State::Chosen => self.next = Some(now + WATCH_EVERY),
        }
        self.follow_default(now)
    }

    /// What is in use, for people.
    pub(super) fn in_use(&self) -> DeviceInUse {
        DeviceInUse {
            name: self.current.name.clone(),
            problem: match &self.state {
                State::Chosen => None,
                State::StandIn => Some(self.replaced().to_string()),
                State::Nothing(_) if self.told != Told::Lost => None,
                State::Nothing(reason) => Some(reason.clone()),
            },
        }
    }

    fn follows_default(&self) -> bool {
        self.choice.is_real()
            && (self.choice.device().is_none() || matches!(self.state, State::StandIn))
    }

    fn follow_default(&mut self, now: Instant) -> Option<AudioEvent> {
        if !self.follows_default() {
            return None;
        }
        let default = self.desk.default_device()?;
        match &self.current.id {
            Some(id) if *id != default.id => self.reopen(now),
            _ => {
                self.current.name = default.name;
                None
            }
        }
    }

    /// Opens the chosen one, or the default in its place.
    fn reopen(&mut self, now: Instant) -> Option<AudioEvent> {
        let error = match self.desk.open(&self.choice) {
            Ok(opened) => {
                self.put(opened, State::Chosen, now);
                return None;
            }
            Err(error) => error,
        };
        if self.choice.device().is_some()
            && let Ok(opened) = self.desk.open(&D::Choice::default())
        {
            self.put(opened, State::StandIn, now);
            return None;
        }
        self.nothing(error.to_string(), now)
    }

    fn put(&mut self, opened: Opened, state: State, now: Instant) {
        self.current = opened;
        self.state = state;
        self.proven = false;
        self.next = match (&self.state, self.follows_default()) {
            (State::StandIn, _) => Some(now + LOOK_EVERY),
            (_, true) => Some(now + WATCH_EVERY),
            (_, false) => None,
        };
    }

    fn nothing(&mut self, reason: String, now: Instant) -> Option<AudioEvent> {
        self.state = State::Nothing(reason);
        let wait = FIRST_WAIT.saturating_mul(2_u32.saturating_pow(self.failures));
        self.next = Some(now + wait.min(LONGEST_WAIT));
        self.failures = self.failures.saturating_add(1);
        if self.failures < QUIET_ATTEMPTS || self.told == Told::Lost {
            return None;
        }
        self.told = Told::Lost;
        let (device, name) = (self.kind, self.current.name.clone());
        // One that never was there is a problem, not a loss.
        (!name.is_empty()).then_some(AudioEvent::Lost { device, name })
    }

    fn replaced(&self) -> AudioEvent {
        AudioEvent::Replaced {
            device: self.kind,
            lost: self.chosen_name.clone(),
            by: self.current.name.clone(),
        }
    }
}

#[cfg(test)]
mod tests;
