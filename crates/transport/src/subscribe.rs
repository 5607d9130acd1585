//! Reading: which broadcasts there are, and the frames of their tracks.

use std::time::Duration;

use bytes::Bytes;
use moq_net::{announce, origin};
use moq_net::{broadcast, group, track};

use crate::Delivery;
use crate::reach::Share;
use crate::relay::{Ended, wait_ended};

/// A broadcast came or went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BroadcastUpdate {
    /// The broadcast's name.
    pub name: String,
    /// Whether it is there now.
    pub active: bool,
}

/// The broadcasts a relay announces.
pub struct BroadcastUpdates {
    announced: announce::Consumer,
    ended: Ended,
}

impl BroadcastUpdates {
    pub(crate) fn new(announced: announce::Consumer, ended: Ended) -> Self {
        Self { announced, ended }
    }

    /// The next change; `None` when the session has ended, and every broadcast with it.
    ///
    /// Cancelling the future loses nothing. A slow caller sees the latest state of a name, not
    /// every change.
    pub async fn next(&mut self) -> Option<BroadcastUpdate> {
        loop {
            let update = tokio::select! {
                biased;
                _ = wait_ended(&mut self.ended) => return None,
                update = self.announced.next() => update?,
            };
            // An update of the route changes nothing for whoever reads.
            if update.kind == announce::Kind::Updated {
                continue;
            }
            return Some(BroadcastUpdate {
                name: update.prefix.as_str().to_owned(),
                active: update.kind.is_active(),
            });
        }
    }
}

/// How a track is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubscribeOptions {
    /// How the publisher writes it.
    pub delivery: Delivery,
    /// Which of our tracks goes first when the link is full; higher is more urgent.
    pub priority: u8,
    /// How far behind the newest frame, in the frames' own time, a group may fall before it is
    /// given up. Zero reads only the newest group. Without meaning for datagrams.
    pub max_age: Duration,
    /// No group with a lower number is sent: who reads a track again has seen those before it.
    /// Without one the newest group comes from its beginning, however old it is.
    pub floor: Option<u64>,
    /// Bits a second that the track carries; 0 for what is not worth counting. Without meaning for
    /// datagrams.
    pub bitrate_bps: u32,
}

/// Why a track cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubscribeError {
    /// The publisher: the broadcast or the track does not exist, or not any more.
    #[error("The sender does not offer this track. Try again when it is announced.")]
    Unavailable,
    /// The server: this device may not read it.
    #[error("The server does not let this device read the track. Join the meeting again.")]
    Refused,
    /// The caller: the session is not QUIC ([`crate::Relay::carries_datagrams`]).
    #[error("This connection carries no datagrams. Read the track's twin with groups.")]
    NoDatagrams,
    /// The network or the server: the session has ended.
    #[error("The media session has ended. Connect again.")]
    Disconnected,
}

/// Why a track ended before its time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The publisher: it withdrew the track or its broadcast.
    #[error("The sender stopped this track ({reason}). Subscribe again when it is announced.")]
    Stopped {
        /// What MoQ said.
        reason: String,
    },
    /// The network or the server: the session has ended.
    #[error("The media session has ended. Connect again.")]
    Disconnected,
}

/// One frame and its position, see [`crate::publish`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedFrame {
    /// The number of its group, or its own on a track of datagrams.
    pub group: u64,
    /// Its index in the group; 0 for a datagram.
    pub frame: u64,
    /// Its bytes.
    pub payload: Bytes,
}

/// Reads the frames of one track.
///
/// *Groups*: in order of their numbers, each from its first frame to its end. A group that has
/// fallen more than `max_age` behind the newest frame is skipped, also when it is half read, so
/// that a late reader goes on at a newer group; a lost group leaves a gap in the numbers.
/// *Datagrams*: as they come, possibly out of order. At most 64 wait for a slow reader; the
/// oldest are dropped.
pub struct TrackReader {
    source: Source,
    ended: Ended,
    /// Keeps the relay's side of the subscription.
    _broadcast: broadcast::Consumer,
    /// Counts what it carries.
    share: Share,
}

enum Source {
    Datagrams(track::Subscriber),
    Groups {
        track: track::Ordered,
        // Boxed: the other variant is a third of its size.
        group: Option<Box<group::Consumer>>,
    },
}

impl TrackReader {
    /// Waits for the broadcast and the track; the caller sets the deadline.
    pub(crate) async fn open(
        announced: &origin::Consumer,
        broadcast: &str,
        track: &str,
        options: SubscribeOptions,
        mut ended: Ended,
        share: Share,
    ) -> Result<Self, SubscribeError> {
        let opening = open_track(announced, broadcast, track, options);
        let (broadcast, subscriber) = tokio::select! {
            biased;
            _ = wait_ended(&mut ended) => return Err(SubscribeError::Disconnected),
            opened = opening => opened?,
        };
        let source = match options.delivery {
            Delivery::Datagrams => Source::Datagrams(subscriber),
            Delivery::Groups => Source::Groups {
                track: subscriber.ordered(),
                group: None,
            },
        };
        Ok(Self {
            source,
            ended,
            _broadcast: broadcast,
            share,
        })
    }

    /// The next frame, or `None` when the publisher ended the track in order.
    ///
    /// Cancelling the future loses nothing.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub async fn recv(&mut self) -> Result<Option<ReceivedFrame>, ReadError> {
        tokio::select! {
            // What has arrived is read before the end of the session is told.
            biased;
            frame = self.source.recv() => {
                if let (Source::Datagrams(_), Ok(Some(frame))) = (&self.source, &frame) {
                    self.share.came(frame.group);
                }
                frame.map_err(|error| self.read_error(&error))
            }
            _ = wait_ended(&mut self.ended) => Err(ReadError::Disconnected),
        }
    }
}

impl TrackReader {
    /// The end of the session ends its tracks too, often a moment before it is told itself.
    fn read_error(&self, error: &moq_net::Error) -> ReadError {
        if self.ended.borrow().is_some() {
            return ReadError::Disconnected;
        }
        ReadError::Stopped {
            reason: error.to_string(),
        }
    }
}

async fn open_track(
    announced: &origin::Consumer,
    broadcast: &str,
    track: &str,
    options: SubscribeOptions,
) -> Result<(broadcast::Consumer, track::Subscriber), SubscribeError> {
    let broadcast = announced.routed_broadcast(broadcast).await;
    let broadcast = broadcast.map_err(subscribe_error)?;
    let subscription = track::Subscription::default()
        .with_priority(options.priority)
        .with_max_age(options.max_age)
        .with_start(options.floor.map(track::Position::group));
    let track = broadcast.track(track).map_err(subscribe_error)?;
    let subscriber = track.subscribe(subscription).await;
    Ok((broadcast, subscriber.map_err(subscribe_error)?))
}

fn subscribe_error(error: moq_net::Error) -> SubscribeError {
    match error {
        moq_net::Error::Unauthorized => SubscribeError::Refused,
        moq_net::Error::Closed | moq_net::Error::SessionClosed | moq_net::Error::Transport(_) => {
            SubscribeError::Disconnected
        }
        _ => SubscribeError::Unavailable,
    }
}

impl Source {
    async fn recv(&mut self) -> Result<Option<ReceivedFrame>, moq_net::Error> {
        match self {
            Self::Datagrams(track) => {
                let datagram = track.recv_datagram().await?;
                Ok(datagram.map(|datagram| ReceivedFrame {
                    group: datagram.sequence,
                    frame: 0,
                    payload: datagram.payload,
                }))
            }
            Self::Groups { track, group } => next_frame(track, group).await,
        }
    }
}

async fn next_frame(
    track: &mut track::Ordered,
    current: &mut Option<Box<group::Consumer>>,
) -> Result<Option<ReceivedFrame>, moq_net::Error> {
    loop {
        let Some(group) = current else {
            match track.next_group().await? {
                Some(group) => *current = Some(Box::new(group)),
                None => return Ok(None),
            }
            continue;
        };
        // The index before the read: a group whose beginning is gone does not start at 0.
        let frame = group.index();
        match group.read_frame().await {
            Ok(Some(read)) => {
                return Ok(Some(ReceivedFrame {
                    group: group.sequence,
                    frame,
                    payload: read.payload,
                }));
            }
            // Its end, or it fell too far behind, or its stream was cut off: on to the next one.
            // When the track itself is over, the track says so.
            Ok(None) | Err(_) => *current = None,
        }
    }
}
