//! How much of pictures may be under way at a time.
//!
//! When a link turns narrow from one moment to the next, what is under way stands before every later
//! packet of sound. QUIC's windows (RFC 9000 §4.1) bound streams, and so pictures, and leave
//! datagrams, and so sound, alone. [`follow`] keeps them, that of what comes and that of what goes, to
//! what the pictures need over a round trip. On a way that loses packets it leaves them wide: what waits
//! for a packet to be sent again takes room.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};
use web_transport_moq::noq::{Connection, PathId, VarInt};

use crate::least::Least;

/// How often the windows are set anew.
const LOOK: Duration = Duration::from_millis(250);
/// What the relay may send beyond what we have read, bytes, over all streams: at first, and at the
/// most. A window that was wider once would close only after so much has come.
pub(crate) const WIDEST_RECEIVE: u32 = 64 * 1024;
/// What we may have under way to the relay, bytes, at first and at the most: more would only be late.
pub(crate) const WIDEST_SEND: u64 = 128 * 1024;
/// Bytes that may always be under way: a picture of a few packets.
const LEAST: u64 = 5_000;
/// Times what the pictures need over a round trip, since they come in bursts. With a tenth more, those
/// of a good link come ever later.
const ROOM: f64 = 4.0 / 3.0;

/// Looks over which loss is counted: a second.
const COUNTED: u32 = 4;
/// Looks for which a way that has lost packets counts as one that does: 10 s.
const LOSSY: u32 = 40;
/// A gap in the numbers of a track that is longer is no loss: nobody spoke, or all was interrupted.
const LONGEST_GAP: u64 = 25;

/// What is read now, or written for readers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Demand(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    /// Bits a second of the pictures.
    bps: AtomicU64,
    /// Datagrams that were read, and that should have come by then.
    came: AtomicU64,
    due: AtomicU64,
}

/// One track's share of it, until this is dropped.
pub(crate) struct Share {
    demand: Demand,
    bitrate_bps: u64,
    latest: Option<u64>,
}

impl Demand {
    pub(crate) fn add(&self, bitrate_bps: u32) -> Share {
        let bitrate_bps = bitrate_bps.into();
        self.0.bps.fetch_add(bitrate_bps, Relaxed);
        Share {
            demand: self.clone(),
            bitrate_bps,
            latest: None,
        }
    }

    fn bps(&self) -> u64 {
        self.0.bps.load(Relaxed)
    }

    /// Datagrams that are due, and of those the lost, since the beginning.
    fn loss(&self) -> (u64, u64) {
        let due = self.0.due.load(Relaxed);
        (due, due.saturating_sub(self.0.came.load(Relaxed)))
    }
}

impl Share {
    /// The datagram of this number came.
    pub(crate) fn came(&mut self, number: u64) {
        let gap = self
            .latest
            .map_or(1, |latest| number.saturating_sub(latest));
        let due = if gap > LONGEST_GAP { 1 } else { gap };
        self.demand.0.due.fetch_add(due, Relaxed);
        self.demand.0.came.fetch_add(1, Relaxed);
        self.latest = self.latest.max(Some(number));
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.demand.0.bps.fetch_sub(self.bitrate_bps, Relaxed);
    }
}

/// Whether the way loses packets: two in a second and two in a hundred, within the last ten.
#[derive(Default)]
struct Lossy {
    looks: u32,
    counted: (u64, u64),
    left: u32,
}

impl Lossy {
    fn look(&mut self, (due, lost): (u64, u64)) -> bool {
        self.left = self.left.saturating_sub(1);
        self.looks += 1;
        if self.looks == COUNTED {
            // What was late has come by now, and makes the lost fewer.
            let lost_now = lost.saturating_sub(self.counted.1);
            if lost_now >= 2 && lost_now * 50 >= due.saturating_sub(self.counted.0) {
                self.left = LOSSY;
            }
            self.looks = 0;
            self.counted = (due, lost);
        }
        self.left > 0
    }
}

/// One of the two windows of a connection.
struct Window {
    demand: Demand,
    lossy: Lossy,
    /// Bytes on a way that loses packets, and at the most.
    widest: u64,
    size: u64,
}

impl Window {
    fn new(demand: Demand, widest: u64) -> Self {
        Self {
            demand,
            lossy: Lossy::default(),
            widest,
            size: widest,
        }
    }

    /// Its size from now on, bytes, where that is another than before. `loss`: packets that were due,
    /// and of those the lost, since the beginning.
    fn look(&mut self, rtt: Duration, loss: (u64, u64)) -> Option<u64> {
        let size = match self.lossy.look(loss) {
            true => self.widest,
            false => needed(self.demand.bps(), rtt).min(self.widest),
        };
        (std::mem::replace(&mut self.size, size) != size).then_some(size)
    }
}

/// Bytes for so many bits a second.
fn needed(bps: u64, rtt: Duration) -> u64 {
    let bytes = bps as f64 / 8.0 * rtt.as_secs_f64();
    ((bytes * ROOM) as u64).max(LEAST)
}

/// The shortest round trip of the last ten seconds: a queue makes it longer, and must not make room for
/// itself.
const SHORTEST: Least<Duration> = Least::new(Duration::from_secs(5), 2);

/// Keeps the windows of a connection to what `read` and `written` need, while it lives.
pub(crate) async fn follow(connection: Connection, read: Demand, written: Demand) {
    let (began, mut shortest) = (Instant::now(), SHORTEST);
    let mut receive = Window::new(read, WIDEST_RECEIVE.into());
    let mut send = Window::new(written, WIDEST_SEND);
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        look.tick().await;
        let Some(path) = connection.path_stats(PathId::ZERO) else {
            return;
        };
        shortest.take(began.elapsed(), path.rtt);
        let rtt = shortest.get().unwrap_or(path.rtt);
        let come = receive.look(rtt, receive.demand.loss());
        if let Some(size) = come.and_then(|size| VarInt::from_u64(size).ok()) {
            connection.set_receive_window(size);
        }
        if let Some(size) = send.look(rtt, (path.udp_tx.datagrams, path.lost_packets)) {
            connection.set_send_window(size);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_share_counts_until_its_track_is_read_no_more() {
        let demand = Demand::default();
        let small = demand.add(80_000);
        let middle = demand.clone().add(600_000);
        assert_eq!(demand.bps(), 680_000);
        drop(middle);
        assert_eq!(demand.bps(), 80_000);
        drop(small);
        assert_eq!(demand.bps(), 0);
    }

    #[test]
    fn the_window_holds_what_the_pictures_need_over_a_round_trip_and_never_less_than_a_picture() {
        assert_eq!(needed(600_000, 50 * MS), LEAST);
        assert_eq!(needed(1_800_000, 50 * MS), 15_000);
        assert_eq!(needed(1_800_000, 200 * MS), 60_000);
        assert_eq!(needed(0, 50 * MS), LEAST);
    }

    #[test]
    fn a_window_follows_what_it_is_for_and_is_wide_where_packets_are_lost() {
        let demand = Demand::default();
        let mut window = Window::new(demand.clone(), 20_000);
        assert_eq!(window.look(50 * MS, (0, 0)), Some(LEAST));
        let large = demand.add(1_800_000);
        assert_eq!(window.look(50 * MS, (10, 0)), Some(15_000));
        assert_eq!(window.look(50 * MS, (20, 0)), None, "it stays");
        assert_eq!(window.look(50 * MS, (100, 10)), Some(20_000), "lossy");
        drop(large);
        assert_eq!(window.look(50 * MS, (110, 10)), None, "still");
        let mut after = (0..LOSSY).map(|_| window.look(50 * MS, (110, 10)));
        assert_eq!(after.find_map(|size| size), Some(LEAST));
    }

    #[test]
    fn a_way_that_loses_packets_is_lossy_for_ten_seconds() {
        let demand = Demand::default();
        let mut voice = demand.add(0);
        let mut lossy = Lossy::default();
        let mut look = |numbers: std::ops::Range<u64>, every: u64| {
            for number in numbers.filter(|number| number % every != 1) {
                voice.came(number);
            }
            (0..COUNTED).fold(false, |_, _| lossy.look(demand.loss()))
        };
        assert!(!look(0..50, 60), "one of fifty may be chance");
        assert!(look(50..100, 10));
        for second in 2..11 {
            assert!(look(second * 50..second * 50 + 50, u64::MAX), "{second}");
        }
        assert!(!look(550..600, u64::MAX));
        assert!(!look(9000..9050, u64::MAX), "somebody spoke again");
    }

    #[test]
    fn what_comes_late_was_not_lost() {
        let demand = Demand::default();
        let mut voice = demand.add(0);
        [0, 3, 1, 2]
            .into_iter()
            .for_each(|number| voice.came(number));
        assert_eq!(demand.loss(), (4, 0));
        voice.came(6);
        assert_eq!(demand.loss(), (7, 2));
    }

    #[test]
    fn a_queue_makes_no_room_for_itself_until_the_way_is_longer_for_good() {
        const HALF: u32 = 20;
        let (mut shortest, mut looks) = (SHORTEST, 0);
        let mut note = |rtt| {
            shortest.take(LOOK * looks, rtt);
            looks += 1;
            shortest.get().unwrap()
        };
        assert_eq!(note(50 * MS), 50 * MS);
        for _ in 1..HALF {
            assert_eq!(note(400 * MS), 50 * MS);
        }
        let later: Vec<_> = (0..2 * HALF).map(|_| note(80 * MS)).collect();
        assert_eq!(later.first(), Some(&(50 * MS)));
        assert_eq!(later.last(), Some(&(80 * MS)));
        assert_eq!(note(40 * MS), 40 * MS);
    }
}
