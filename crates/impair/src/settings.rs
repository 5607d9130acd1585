//! What a network does to packets of one direction, and how it is written.

use std::str::FromStr;
use std::time::Duration;

use thiserror::Error;

use crate::units;

/// What stands before a rate when nothing else is said: 64 KB.
pub const DEFAULT_QUEUE: Queue = Queue::Bytes(64_000);

/// One direction of a network. The default lets everything through at once.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Random loss: the share of packets, 0 to 1.
    pub loss: f64,
    /// Bursts of loss at random times (Gilbert and Elliott: in a burst everything is lost).
    pub burst: Option<Burst>,
    /// Bursts of loss at fixed times.
    pub burst_every: Option<BurstEvery>,
    /// One way.
    pub delay: Duration,
    /// The delay is up to this much less or more, evenly distributed; never more than the delay.
    pub jitter: Duration,
    /// Whether jitter may let a datagram overtake another. Without, a packet that is early waits
    /// for the one before it, so that many packets a jitter apart come late on average.
    pub reorder: bool,
    /// The share of datagrams that arrive twice, 0 to 1.
    pub duplicate: f64,
    /// Bits a second, with the headers of IP and UDP or TCP.
    pub rate_bps: Option<u64>,
    /// How much may wait for the rate; a datagram that finds no room is dropped.
    pub queue: Queue,
    /// Nothing passes: datagrams are lost, streams stand still.
    pub outage: bool,
    /// Datagrams pass; without, as behind a firewall that lets through TCP alone.
    pub udp: bool,
}

/// Loss in bursts at random times.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Burst {
    /// The share of packets (or of the time) that is lost in bursts, 0 to just under 1.
    pub share: f64,
    /// The mean length of a burst.
    pub length: BurstLength,
}

/// The mean length of a burst.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum BurstLength {
    /// Of one flow's packets, at least 1. The same packets are lost in each run.
    Packets(f64),
    /// A time; all flows are hit together, at the same times in each run.
    Time(Duration),
}

/// Loss of everything for `length`, at the end of each `every`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BurstEvery {
    /// From the beginning of a burst to the beginning of the next.
    pub every: Duration,
    /// Of one burst.
    pub length: Duration,
}

/// A bound on what waits. What is just being sent counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Queue {
    /// With the headers of IP and UDP or TCP.
    Bytes(u64),
    /// Packets of any size.
    Packets(u64),
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            loss: 0.0,
            burst: None,
            burst_every: None,
            delay: Duration::ZERO,
            jitter: Duration::ZERO,
            reorder: false,
            duplicate: 0.0,
            rate_bps: None,
            queue: DEFAULT_QUEUE,
            outage: false,
            udp: true,
        }
    }
}

/// Settings that cannot be.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum SettingsError {
    /// No such setting.
    #[error(
        "there is no setting '{0}': write loss, burst, burst-every, delay, jitter, reorder, \
         duplicate, rate, queue, outage or udp"
    )]
    Unknown(String),
    /// A setting without a value.
    #[error(
        "'{0}' has no value: write settings as KEY=VALUE with commas between, such as delay=25ms,loss=5%"
    )]
    NoValue(String),
    /// A value that is not of this setting's kind.
    #[error("{key}={value} is not understood: write {want}")]
    Value {
        /// The setting.
        key: String,
        /// What was written.
        value: String,
        /// What can be written.
        want: &'static str,
    },
    /// The same setting two times.
    #[error("{0} is set twice: leave one of the two")]
    Twice(String),
    /// A packet would arrive before it was sent.
    #[error(
        "a jitter of {jitter:?} is more than the delay of {delay:?}, and no packet arrives before \
         it was sent: write delay={jitter:?} or more"
    )]
    JitterOverDelay {
        /// What was asked for.
        jitter: Duration,
        /// The most that it can be.
        delay: Duration,
    },
    /// Nothing to reorder by.
    #[error("reorder=on changes nothing without jitter: write a jitter too, such as jitter=10ms")]
    ReorderWithoutJitter,
    /// Nothing would ever wait.
    #[error("a queue fills only before a rate: write a rate too, such as rate=1Mbit/s")]
    QueueWithoutRate,
    /// So many bursts that they would have to overlap.
    #[error(
        "bursts this short cannot make up {percent:.0} % of all packets: write a smaller share or \
         longer bursts"
    )]
    BurstsOverlap {
        /// What was asked for.
        percent: f64,
    },
    /// A share of 100 % and more.
    #[error("{0} loses everything: write outage=on if that is meant")]
    NothingLeft(&'static str),
    /// A burst that could not be told from single losses, or that costs too much to follow.
    #[error(
        "a burst of {0:?} is too short: write 1ms or more, or a number of packets such as 2pkt"
    )]
    BurstTooShort(Duration),
    /// A number out of its range, in settings that were not read from text.
    #[error("{0} is a share: give a number from 0 to 1")]
    NoShare(&'static str),
    /// A rate or a queue of nothing, in settings that were not read from text.
    #[error("{0} is 0: give 1 or more, or set outage")]
    Zero(&'static str),
}

impl Settings {
    /// These settings with the changes of `text`, such as `rate=300kbit/s,queue=32KB`. What the
    /// text does not name stays.
    ///
    /// # Errors
    /// When the text or the outcome makes no sense.
    pub fn with(&self, text: &str) -> Result<Self, SettingsError> {
        let mut changed = self.clone();
        let mut seen: Vec<&str> = Vec::new();
        for part in text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
        {
            let (key, value) = part
                .split_once('=')
                .ok_or_else(|| SettingsError::NoValue(part.to_owned()))?;
            let (key, value) = (key.trim(), value.trim());
            if seen.contains(&key) {
                return Err(SettingsError::Twice(key.to_owned()));
            }
            seen.push(key);
            changed.change(key, value)?;
        }
        if seen.contains(&"queue") && changed.rate_bps.is_none() {
            return Err(SettingsError::QueueWithoutRate);
        }
        changed.check()?;
        Ok(changed)
    }

    fn change(&mut self, key: &str, value: &str) -> Result<(), SettingsError> {
        let refuse = |want| SettingsError::Value {
            key: key.to_owned(),
            value: value.to_owned(),
            want,
        };
        const SHARE: &str = "a share from 0% to 100%, such as 5%";
        const TIME: &str = "a time, such as 25ms or 1.5s";
        const SWITCH: &str = "on or off";
        match key {
            "loss" => self.loss = units::share(value).ok_or_else(|| refuse(SHARE))?,
            "duplicate" => self.duplicate = units::share(value).ok_or_else(|| refuse(SHARE))?,
            "delay" => self.delay = units::time(value).ok_or_else(|| refuse(TIME))?,
            "jitter" => self.jitter = units::time(value).ok_or_else(|| refuse(TIME))?,
            "reorder" => self.reorder = switch(value).ok_or_else(|| refuse(SWITCH))?,
            "outage" => self.outage = switch(value).ok_or_else(|| refuse(SWITCH))?,
            "udp" => self.udp = switch(value).ok_or_else(|| refuse(SWITCH))?,
            "burst" => {
                self.burst = or_off(value, burst).ok_or_else(|| {
                    refuse("a share and a mean length, such as 5%/100ms or 5%/4pkt, or off")
                })?;
            }
            "burst-every" => {
                self.burst_every = or_off(value, burst_every)
                    .ok_or_else(|| refuse("a period and a length, such as 2s/100ms, or off"))?;
            }
            "rate" => {
                self.rate_bps = or_off(value, units::rate_bps)
                    .ok_or_else(|| refuse("a rate, such as 300kbit/s or 3Mbit/s, or off"))?;
            }
            "queue" => {
                self.queue = queue(value)
                    .ok_or_else(|| refuse("bytes or packets, such as 32KB, 64KiB or 50pkt"))?;
            }
            _ => return Err(SettingsError::Unknown(key.to_owned())),
        }
        Ok(())
    }

    /// Whether these settings make sense, for those who filled them in by hand.
    ///
    /// # Errors
    /// What does not, and what to write instead.
    pub fn check(&self) -> Result<(), SettingsError> {
        for (name, share) in [("loss", self.loss), ("duplicate", self.duplicate)] {
            if !(0.0..=1.0).contains(&share) {
                return Err(SettingsError::NoShare(name));
            }
        }
        if self.jitter > self.delay {
            return Err(SettingsError::JitterOverDelay {
                jitter: self.jitter,
                delay: self.delay,
            });
        }
        if self.reorder && self.jitter.is_zero() {
            return Err(SettingsError::ReorderWithoutJitter);
        }
        if self.rate_bps == Some(0) {
            return Err(SettingsError::Zero("rate"));
        }
        if matches!(self.queue, Queue::Bytes(0) | Queue::Packets(0)) {
            return Err(SettingsError::Zero("queue"));
        }
        self.burst.map_or(Ok(()), Burst::check)?;
        self.burst_every.map_or(Ok(()), BurstEvery::check)
    }
}

impl FromStr for Settings {
    type Err = SettingsError;

    fn from_str(text: &str) -> Result<Self, SettingsError> {
        Self::default().with(text)
    }
}

/// No burst that lasts for a time is shorter.
const SHORTEST_BURST: Duration = Duration::from_millis(1);

impl Burst {
    fn check(self) -> Result<(), SettingsError> {
        if !(0.0..=1.0).contains(&self.share) {
            return Err(SettingsError::NoShare("burst"));
        }
        if self.share >= 1.0 {
            return Err(SettingsError::NothingLeft("a share of 100% in bursts"));
        }
        match self.length {
            BurstLength::Time(mean) if mean < SHORTEST_BURST => {
                Err(SettingsError::BurstTooShort(mean))
            }
            BurstLength::Packets(mean) if mean.is_nan() || mean < 1.0 => {
                Err(SettingsError::Zero("burst"))
            }
            BurstLength::Packets(mean) if self.entering(mean) > 1.0 => {
                Err(SettingsError::BurstsOverlap {
                    percent: 100.0 * self.share,
                })
            }
            _ => Ok(()),
        }
    }

    /// How probable it is that a burst begins at a packet outside of one, so that in the long run
    /// `share` of all are in bursts of `mean` packets.
    pub(crate) fn entering(self, mean: f64) -> f64 {
        self.share / (1.0 - self.share) / mean
    }
}

impl BurstEvery {
    fn check(self) -> Result<(), SettingsError> {
        if self.length.is_zero() {
            return Err(SettingsError::BurstTooShort(self.length));
        }
        if self.length >= self.every {
            return Err(SettingsError::NothingLeft(
                "a burst as long as its period in burst-every",
            ));
        }
        Ok(())
    }
}

fn switch(value: &str) -> Option<bool> {
    match value {
        "on" => Some(true),
        "off" => Some(false),
        _ => None,
    }
}

fn or_off<T>(value: &str, read: impl FnOnce(&str) -> Option<T>) -> Option<Option<T>> {
    if value == "off" {
        Some(None)
    } else {
        read(value).map(Some)
    }
}

fn burst(value: &str) -> Option<Burst> {
    let (share, length) = value.split_once('/')?;
    let length = units::packets(length)
        .map(|packets| BurstLength::Packets(packets as f64))
        .or_else(|| units::time(length).map(BurstLength::Time))?;
    Some(Burst {
        share: units::share(share)?,
        length,
    })
}

fn burst_every(value: &str) -> Option<BurstEvery> {
    let (every, length) = value.split_once('/')?;
    Some(BurstEvery {
        every: units::time(every)?,
        length: units::time(length)?,
    })
}

fn queue(value: &str) -> Option<Queue> {
    units::packets(value)
        .map(Queue::Packets)
        .or_else(|| units::size_bytes(value).map(Queue::Bytes))
}
