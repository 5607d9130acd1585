//! What a network is to do, from its beginning to its end.

use std::time::Duration;

use serde::Deserialize;
use thiserror::Error;

use crate::direction::Direction;
use crate::settings::{Settings, SettingsError};
use crate::units;

/// A client that has said nothing for this long is forgotten.
pub const DEFAULT_IDLE: Duration = Duration::from_secs(60);

/// Everything that a proxy needs to know. The default is a perfect network.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Of all chance.
    pub seed: u64,
    /// When the times of this plan begin.
    pub start: Start,
    /// From clients to the server.
    pub up: Schedule,
    /// From the server to clients.
    pub down: Schedule,
    /// When all clients get a new address.
    pub rebind_at: Vec<Duration>,
    /// When all TCP connections are cut.
    pub cut_at: Vec<Duration>,
    /// How long a client of datagrams may be silent before it is forgotten.
    pub idle: Duration,
}

/// When the times of a plan begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Start {
    /// With the first datagram or connection of a client.
    #[default]
    FirstPacket,
    /// With the proxy.
    Process,
}

/// Settings of one direction, in the order in which they come into force.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Schedule {
    /// From the first moment on.
    pub first: Settings,
    /// From each time on, counted from the plan's start.
    pub then: Vec<(Duration, Settings)>,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            seed: 0,
            start: Start::default(),
            up: Schedule::default(),
            down: Schedule::default(),
            rebind_at: Vec::new(),
            cut_at: Vec::new(),
            idle: DEFAULT_IDLE,
        }
    }
}

impl Plan {
    pub(crate) fn schedule(&self, direction: Direction) -> &Schedule {
        match direction {
            Direction::Up => &self.up,
            Direction::Down => &self.down,
        }
    }

    /// Whether every settings in it make sense, for those who filled them in by hand.
    ///
    /// # Errors
    /// The first that do not.
    pub fn check(&self) -> Result<(), SettingsError> {
        for direction in Direction::BOTH {
            let schedule = self.schedule(direction);
            schedule.first.check()?;
            for (_, settings) in &schedule.then {
                settings.check()?;
            }
        }
        Ok(())
    }
}

/// A plan as people write it: the flags of `impair`, and its JSON file with the same names.
#[derive(Debug, Clone, Default, Deserialize, clap::Args)]
#[serde(default, deny_unknown_fields)]
pub struct PlanText {
    /// Seed of all chance: the same seed and packets meet the same fate
    #[arg(long, value_name = "NUMBER")]
    pub seed: Option<u64>,
    /// When the times of the plan begin: first-packet (the default) or process
    #[arg(long, value_enum, value_name = "WHEN")]
    pub start: Option<Start>,
    /// Both directions from the start, such as delay=25ms,loss=5%
    #[arg(long, value_name = "SETTINGS")]
    pub both: Vec<String>,
    /// From clients to the server
    #[arg(long, value_name = "SETTINGS")]
    pub up: Vec<String>,
    /// From the server to clients
    #[arg(long, value_name = "SETTINGS")]
    pub down: Vec<String>,
    /// A change of both directions at a time, such as '10s rate=300kbit/s,queue=32KB'
    #[arg(long, value_name = "'TIME SETTINGS'")]
    pub both_at: Vec<String>,
    /// A change from clients to the server
    #[arg(long, value_name = "'TIME SETTINGS'")]
    pub up_at: Vec<String>,
    /// A change from the server to clients
    #[arg(long, value_name = "'TIME SETTINGS'")]
    pub down_at: Vec<String>,
    /// When all clients get a new address, such as 20s
    #[arg(long, value_name = "TIME")]
    pub rebind_at: Vec<String>,
    /// When all TCP connections are cut
    #[arg(long, value_name = "TIME")]
    pub cut_at: Vec<String>,
    /// How long a client of datagrams may be silent before it is forgotten (60s)
    #[arg(long, value_name = "TIME")]
    pub idle: Option<String>,
}

/// A plan that cannot be.
#[derive(Debug, Error)]
pub enum PlanError {
    /// Settings that cannot be.
    #[error("{place}: {error}")]
    Settings {
        /// Which of the plan's texts.
        place: String,
        /// What is wrong with it.
        error: SettingsError,
    },
    /// A time that cannot be read.
    #[error("{place}: '{text}' is no time: write one such as 20s or 500ms")]
    Time {
        /// Which of the plan's texts.
        place: String,
        /// What was written.
        text: String,
    },
    /// A change without a time, or without settings.
    #[error(
        "{place}: '{text}' is no change: write a time, a space and settings, such as '10s loss=5%'"
    )]
    Change {
        /// Which of the plan's texts.
        place: String,
        /// What was written.
        text: String,
    },
    /// A file that is no plan.
    #[error(
        "the plan is not understood: {0}; write an object with the names of the flags, such as {{\"seed\": 7, \"down\": [\"delay=25ms\"], \"down_at\": [\"10s loss=5%\"]}}"
    )]
    Json(#[from] serde_json::Error),
}

impl PlanText {
    /// Reads the file's text.
    ///
    /// # Errors
    /// When it is no JSON of this kind.
    pub fn from_json(text: &str) -> Result<Self, PlanError> {
        Ok(serde_json::from_str(text)?)
    }

    /// This plan with `other` upon it: its single values replace, its settings come after.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.seed = other.seed.or(self.seed);
        self.start = other.start.or(self.start);
        self.idle = other.idle.or(self.idle);
        self.both.extend(other.both);
        self.up.extend(other.up);
        self.down.extend(other.down);
        self.both_at.extend(other.both_at);
        self.up_at.extend(other.up_at);
        self.down_at.extend(other.down_at);
        self.rebind_at.extend(other.rebind_at);
        self.cut_at.extend(other.cut_at);
        self
    }

    /// Makes sense of it.
    ///
    /// # Errors
    /// Which text makes none, and what to write instead.
    pub fn read(&self) -> Result<Plan, PlanError> {
        let idle = self.idle.as_ref();
        Ok(Plan {
            seed: self.seed.unwrap_or_default(),
            start: self.start.unwrap_or_default(),
            up: self.schedule(("up", &self.up), ("up-at", &self.up_at))?,
            down: self.schedule(("down", &self.down), ("down-at", &self.down_at))?,
            rebind_at: times("rebind-at", &self.rebind_at)?,
            cut_at: times("cut-at", &self.cut_at)?,
            idle: idle.map_or(Ok(DEFAULT_IDLE), |text| time("idle", text))?,
        })
    }

    fn schedule(
        &self,
        own: (&str, &[String]),
        own_at: (&str, &[String]),
    ) -> Result<Schedule, PlanError> {
        let mut first = Settings::default();
        // What is said of one direction counts more than what is said of both.
        for (place, texts) in [("both", self.both.as_slice()), own] {
            for text in texts {
                first = changed(&first, place, text)?;
            }
        }
        let mut changes = Vec::new();
        for (place, texts) in [("both-at", self.both_at.as_slice()), own_at] {
            for text in texts {
                changes.push(change(place, text)?);
            }
        }
        changes.sort_by_key(|(at, ..)| *at);
        let mut then = Vec::new();
        let mut settings = first.clone();
        for (at, place, text) in changes {
            settings = changed(&settings, place, text)?;
            then.push((at, settings.clone()));
        }
        Ok(Schedule { first, then })
    }
}

fn changed(settings: &Settings, place: &str, text: &str) -> Result<Settings, PlanError> {
    settings.with(text).map_err(|error| PlanError::Settings {
        place: place.to_owned(),
        error,
    })
}

fn change<'a>(place: &'a str, text: &'a str) -> Result<(Duration, &'a str, &'a str), PlanError> {
    let (at, settings) =
        text.trim()
            .split_once(char::is_whitespace)
            .ok_or_else(|| PlanError::Change {
                place: place.to_owned(),
                text: text.to_owned(),
            })?;
    Ok((time(place, at)?, place, settings.trim()))
}

fn time(place: &str, text: &str) -> Result<Duration, PlanError> {
    units::time(text).ok_or_else(|| PlanError::Time {
        place: place.to_owned(),
        text: text.to_owned(),
    })
}

fn times(place: &str, texts: &[String]) -> Result<Vec<Duration>, PlanError> {
    let mut times = texts
        .iter()
        .map(|text| time(place, text))
        .collect::<Result<Vec<_>, _>>()?;
    times.sort_unstable();
    Ok(times)
}
