//! Writing: broadcasts and their tracks.
//!
//! # Positions
//! Every frame has a position (group, frame) that its writer knows before it writes and its reader
//! reports. Frames are sealed over their position, so it must be the same at both ends, and it is:
//! MoQ carries group sequence numbers end to end and relays keep them; a frame's index is its
//! place in its group, counted from the group's first frame also by a reader that joins late.
//! A datagram takes one number of the same sequence: its position is (sequence, 0).

use std::time::Duration;

use bytes::Bytes;
use moq_net::{Timescale, Timestamp, broadcast, group, origin, track};

use crate::Delivery;
use crate::reach::{Demand, Share};

/// Largest frame on a track with [`Delivery::Datagrams`], bytes: what fits a packet of the
/// smallest QUIC path (1200 bytes) behind the headers of QUIC, WebTransport and MoQ.
pub const MAX_DATAGRAM: usize = 1100;
/// Largest frame on a track with [`Delivery::Groups`], bytes.
pub const MAX_FRAME: usize = 8 * 1024 * 1024;
/// Most frames in a group. MoQ itself ends a group at twice as many.
pub const MAX_GROUP_FRAMES: u64 = 4096;
/// Most bytes in a group, its largest frame apart. MoQ itself ends a group at 32 MiB.
pub const MAX_GROUP_BYTES: usize = 16 * 1024 * 1024;

/// Why something cannot be published.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// The caller: the name is taken in this session, or no name at all.
    #[error("This name cannot be published ({reason}). Use a new one.")]
    Name {
        /// What is wrong with it.
        reason: String,
    },
    /// The network or the server: the session has ended.
    #[error("The media session has ended. Connect again.")]
    Disconnected,
}

/// Why a frame was not written. The position stays free.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// The caller: longer than [`MAX_DATAGRAM`] or [`MAX_FRAME`].
    #[error("The frame of {size} bytes is too long for its track. Encode smaller frames.")]
    TooLarge {
        /// The frame's size, bytes.
        size: usize,
    },
    /// The caller: the group is as long as a group may get.
    #[error("The group is full. Start a new one, with a key frame.")]
    GroupFull,
    /// The caller: a time that MoQ cannot express.
    #[error("The frame's time is out of range. Use microseconds since 1970.")]
    Time,
    /// The network or the server: the session has ended.
    #[error("The media session has ended. Connect again.")]
    Disconnected,
}

/// How a track is published.
#[derive(Clone, Debug)]
pub struct TrackOptions<'a> {
    /// Its name, unique in the broadcast.
    pub name: &'a str,
    /// How its frames travel.
    pub delivery: Delivery,
    /// Which track goes first when the link is full; higher is more urgent. It decides between
    /// readers of the same priority.
    pub priority: u8,
    /// How far behind the newest frame, in the frames' own time, a group may fall before the relay
    /// forgets it. The newest group is always kept.
    pub max_age: Duration,
    /// What a picture's track carries while somebody reads it, bits a second: so much of it may be
    /// under way as that takes. 0 for sound and for what is seldom.
    pub bitrate_bps: u32,
}

/// A broadcast we publish. Dropping it withdraws it; its writers then fail.
#[derive(Debug)]
pub struct Broadcast {
    producer: BroadcastProducer,
    written: Demand,
}

/// Hides the foreign type, which has no `Debug`.
struct BroadcastProducer(broadcast::Producer);

impl std::fmt::Debug for BroadcastProducer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BroadcastProducer")
    }
}

impl Broadcast {
    pub(crate) fn new(
        origin: &origin::Producer,
        name: &str,
        written: Demand,
    ) -> Result<Self, PublishError> {
        if name.is_empty() {
            return Err(PublishError::Name {
                reason: "it is empty".into(),
            });
        }
        let producer = origin.create_broadcast(name).map_err(publish_error)?;
        Ok(Self {
            producer: BroadcastProducer(producer),
            written,
        })
    }

    /// Adds a track. Add those that readers look for first before [`Self::announce`].
    ///
    /// # Errors
    /// [`PublishError::Name`] when the broadcast has a track of this name.
    pub fn track(&mut self, options: TrackOptions<'_>) -> Result<TrackWriter, PublishError> {
        let info = track::Info::default()
            .with_timescale(Timescale::MICRO)
            .with_max_age(options.max_age)
            .with_priority(options.priority);
        let track = self.producer.0.create_track(options.name, info);
        Ok(TrackWriter {
            track: track.map_err(publish_error)?,
            delivery: options.delivery,
            bitrate_bps: options.bitrate_bps,
            written: self.written.clone(),
            share: None,
            next: 0,
            group: None,
        })
    }

    /// Shows the broadcast to everybody. A second call changes nothing.
    ///
    /// # Errors
    /// [`PublishError::Disconnected`].
    pub fn announce(&self) -> Result<(), PublishError> {
        let announced = self.producer.0.announce(origin::Route::default());
        announced.map_err(publish_error)
    }
}

fn publish_error(error: moq_net::Error) -> PublishError {
    match error {
        moq_net::Error::Duplicate => PublishError::Name {
            reason: "it is taken".into(),
        },
        moq_net::Error::InvalidPath(_)
        | moq_net::Error::BoundsExceeded(_)
        | moq_net::Error::Unauthorized => PublishError::Name {
            reason: "it is not a valid name".into(),
        },
        _ => PublishError::Disconnected,
    }
}

/// Writes the frames of one track. Dropping it ends the track in order.
pub struct TrackWriter {
    track: track::Producer,
    delivery: Delivery,
    bitrate_bps: u32,
    written: Demand,
    /// Its share of what is written, while it is read.
    share: Option<Share>,
    /// The next unused number of the track's sequence.
    next: u64,
    group: Option<OpenGroup>,
}

struct OpenGroup {
    group: group::Producer,
    sequence: u64,
    frames: u64,
    bytes: usize,
}

impl TrackWriter {
    /// The position (group, frame) that the next [`Self::write`] with the same `starts_group`
    /// takes, if it succeeds.
    pub fn next_position(&self, starts_group: bool) -> (u64, u64) {
        match &self.group {
            Some(open) if !starts_group => (open.sequence, open.frames),
            _ => (self.next, 0),
        }
    }

    /// Whether somebody reads the track, as far as the relay has told.
    pub fn is_read(&self) -> bool {
        self.track.is_used()
    }

    /// Writes one frame. It waits for nobody: what the link cannot carry is dropped by age.
    ///
    /// `at_us` is the frame's time, microseconds since 1970; ages are measured in it. The first
    /// frame starts a group whatever `starts_group` says; on a track with
    /// [`Delivery::Datagrams`] every frame stands alone.
    ///
    /// # Errors
    /// See [`WriteError`]; nothing was written then.
    pub fn write(
        &mut self,
        payload: Bytes,
        at_us: u64,
        starts_group: bool,
    ) -> Result<(), WriteError> {
        let at = Timestamp::from_micros(at_us).map_err(|_| WriteError::Time)?;
        match self.delivery {
            Delivery::Datagrams => self.write_datagram(payload, at),
            Delivery::Groups => self.write_frame(payload, at, starts_group),
        }
    }

    fn write_datagram(&mut self, payload: Bytes, at: Timestamp) -> Result<(), WriteError> {
        let size = payload.len();
        if size > MAX_DATAGRAM {
            return Err(WriteError::TooLarge { size });
        }
        let sequence = self.track.append_datagram(at, payload);
        self.next = sequence.map_err(write_error)? + 1;
        Ok(())
    }

    fn write_frame(
        &mut self,
        payload: Bytes,
        at: Timestamp,
        starts_group: bool,
    ) -> Result<(), WriteError> {
        if self.is_read() != self.share.is_some() {
            self.share = self.is_read().then(|| self.written.add(self.bitrate_bps));
        }
        let size = payload.len();
        if size > MAX_FRAME {
            return Err(WriteError::TooLarge { size });
        }
        if starts_group || self.group.is_none() {
            self.finish_group();
            self.group = Some(self.start_group()?);
        }
        let Some(open) = self.group.as_mut() else {
            return Err(WriteError::Disconnected);
        };
        if open.frames >= MAX_GROUP_FRAMES || open.bytes >= MAX_GROUP_BYTES {
            return Err(WriteError::GroupFull);
        }
        open.group.write_frame(at, payload).map_err(write_error)?;
        open.frames += 1;
        open.bytes += size;
        Ok(())
    }

    fn start_group(&mut self) -> Result<OpenGroup, WriteError> {
        let sequence = self.next;
        let group = self.track.create_group(group::Info { sequence });
        let group = group.map_err(write_error)?;
        self.next += 1;
        Ok(OpenGroup {
            group,
            sequence,
            frames: 0,
            bytes: 0,
        })
    }

    fn finish_group(&mut self) {
        if let Some(open) = self.group.take() {
            // It fails only when the session has ended, and then nobody waits for the end.
            let _ = open.group.finish();
        }
    }
}

impl Drop for TrackWriter {
    fn drop(&mut self) {
        self.finish_group();
        // As above.
        let _ = self.track.finish();
    }
}

fn write_error(error: moq_net::Error) -> WriteError {
    match error {
        moq_net::Error::TimestampMismatch => WriteError::Time,
        moq_net::Error::GroupTooLarge => WriteError::GroupFull,
        _ => WriteError::Disconnected,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn writer(delivery: Delivery) -> (TrackWriter, Broadcast) {
        let (origin, driver) = origin::Producer::new(origin::Config::default());
        tokio::spawn(moq_net::time::run(driver));
        let mut broadcast = Broadcast::new(&origin, "a", Demand::default()).unwrap();
        let writer = broadcast.track(TrackOptions {
            name: "t",
            delivery,
            priority: 0,
            max_age: Duration::from_secs(1),
            bitrate_bps: 0,
        });
        (writer.unwrap(), broadcast)
    }

    #[tokio::test]
    async fn groups_count_from_zero_and_frames_within_their_group() {
        let (mut writer, _broadcast) = writer(Delivery::Groups);
        let mut positions = Vec::new();
        for starts_group in [false, false, true, true, false] {
            positions.push(writer.next_position(starts_group));
            writer
                .write(Bytes::from_static(b"x"), 1, starts_group)
                .unwrap();
        }
        assert_eq!(positions, [(0, 0), (0, 1), (1, 0), (2, 0), (2, 1)]);
    }

    #[tokio::test]
    async fn a_refused_frame_leaves_its_position_free() {
        let (mut writer, _broadcast) = writer(Delivery::Datagrams);
        writer.write(Bytes::from_static(b"x"), 1, false).unwrap();
        assert_eq!(writer.next_position(true), (1, 0));
        let long = Bytes::from(vec![0; MAX_DATAGRAM + 1]);
        assert_eq!(
            writer.write(long, 1, false),
            Err(WriteError::TooLarge {
                size: MAX_DATAGRAM + 1
            })
        );
        assert_eq!(
            writer.write(Bytes::new(), u64::MAX, false),
            Err(WriteError::Time)
        );
        assert_eq!(writer.next_position(true), (1, 0));
    }

    #[tokio::test]
    async fn a_full_group_asks_for_a_new_one() {
        let (mut writer, _broadcast) = writer(Delivery::Groups);
        for _ in 0..MAX_GROUP_FRAMES {
            writer.write(Bytes::from_static(b"x"), 1, false).unwrap();
        }
        let refused = writer.write(Bytes::from_static(b"x"), 1, false);
        assert_eq!(refused, Err(WriteError::GroupFull));
        writer.write(Bytes::from_static(b"x"), 1, true).unwrap();
        assert_eq!(writer.next_position(false), (1, 1));
    }

    #[tokio::test]
    async fn two_tracks_of_one_broadcast_have_two_names() {
        let (writer, mut broadcast) = writer(Delivery::Groups);
        let again = broadcast.track(TrackOptions {
            name: "t",
            delivery: Delivery::Groups,
            priority: 0,
            max_age: Duration::ZERO,
            bitrate_bps: 0,
        });
        assert!(matches!(again, Err(PublishError::Name { .. })));
        drop(writer);
    }
}
