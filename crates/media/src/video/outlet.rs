//! The bounded way out of one encoder.
//!
//! A consumer that is too slow first gets half the frame rate: frames on which no other builds are left out.
//! If that is not enough it loses whole runs: once any other frame had to be dropped, nothing of that size
//! leaves until a key frame does, because the frames between could not be decoded.

use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use super::packet::VideoPacket;
use super::size::Size;

/// Packets that wait for the consumer, all sizes together: a third of a second of three sizes.
pub(super) const QUEUED_PACKETS: usize = 30;
/// How often the encoder is asked again for a key frame that does not come.
const ASK_INTERVAL_US: u64 = 250_000;

/// One frame as the encoder gave it.
pub(super) struct EncodedFrame {
    pub payload: Bytes,
    pub key: bool,
    pub droppable: bool,
    pub capture_us: u64,
    pub width: u16,
    pub height: u16,
}

/// What the encoder has to do next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    Continue,
    MakeKeyFrame,
}

pub(super) struct Outlet {
    size: Size,
    packets: mpsc::Sender<VideoPacket>,
    key_interval_us: u64,
    seq: u32,
    /// False from a dropped frame to the next key frame.
    flowing: bool,
    last_key_us: u64,
    asked_us: u64,
}

impl Outlet {
    /// A viewer who comes late, or who lost a frame, sees a picture after `key_interval` at the
    /// latest.
    pub(super) fn new(
        size: Size,
        key_interval: Duration,
        packets: mpsc::Sender<VideoPacket>,
    ) -> Self {
        Outlet {
            size,
            packets,
            key_interval_us: key_interval.as_micros() as u64,
            seq: 0,
            flowing: false,
            last_key_us: 0,
            asked_us: 0,
        }
    }

    /// Lets nothing through until a key frame.
    pub(super) fn interrupt(&mut self) {
        self.flowing = false;
    }

    /// Sends a frame if it can be decoded and there is room for it.
    pub(super) fn offer(&mut self, frame: EncodedFrame) -> Next {
        let at = frame.capture_us;
        if frame.droppable && self.packets.capacity() < self.packets.max_capacity() / 2 {
            return self.next(at);
        }
        let packet = self.number(frame);
        if packet.key {
            self.flowing = true;
            self.last_key_us = at;
        }
        if self.flowing {
            // A closed channel is not an error: the capture is about to be dropped.
            if let Err(TrySendError::Full(_)) = self.packets.try_send(packet) {
                self.flowing = false;
            }
        }
        self.next(at)
    }

    /// Every frame that others may build on has a number, sent or not, so that a receiver sees the gap.
    fn number(&mut self, frame: EncodedFrame) -> VideoPacket {
        let seq = self.seq;
        self.seq = self.seq.wrapping_add(1);
        let EncodedFrame {
            payload,
            key,
            capture_us,
            width,
            height,
            droppable: _,
        } = frame;
        VideoPacket {
            seq,
            capture_us,
            key,
            size: self.size,
            width,
            height,
            payload,
        }
    }

    fn next(&mut self, at: u64) -> Next {
        let due = at.saturating_sub(self.last_key_us) >= self.key_interval_us;
        // While the queue is full a key frame would be dropped as well.
        let wanted = due || (!self.flowing && self.packets.capacity() > 0);
        if wanted && at.saturating_sub(self.asked_us) >= ASK_INTERVAL_US {
            self.asked_us = at;
            return Next::MakeKeyFrame;
        }
        Next::Continue
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY_INTERVAL: Duration = Duration::from_secs(4);

    fn frame(number: u64, key: bool) -> EncodedFrame {
        let capture_us = 1_000_000_000 + number * 33_333;
        let payload = Bytes::from_static(b"frame");
        EncodedFrame {
            payload,
            key,
            droppable: false,
            capture_us,
            width: 320,
            height: 180,
        }
    }

    #[test]
    fn a_half_full_queue_halves_the_frame_rate() {
        let (sender, mut packets) = mpsc::channel(8);
        let mut outlet = Outlet::new(Size::Low, KEY_INTERVAL, sender);
        for number in 0..10 {
            outlet.offer(EncodedFrame {
                droppable: number % 2 == 1,
                ..frame(number, number == 0)
            });
        }
        let mut sent = Vec::new();
        while let Ok(packet) = packets.try_recv() {
            sent.push((packet.seq, (packet.capture_us - 1_000_000_000) / 33_333));
        }
        assert_eq!(
            sent,
            [(0, 0), (1, 1), (2, 2), (3, 3), (4, 4), (5, 6), (6, 8)]
        );
    }

    #[test]
    fn after_a_dropped_frame_the_next_that_leaves_is_a_key_frame() {
        let (sender, mut packets) = mpsc::channel(2);
        let mut outlet = Outlet::new(Size::Low, KEY_INTERVAL, sender);
        assert_eq!(outlet.offer(frame(0, true)), Next::Continue);
        assert_eq!(outlet.offer(frame(1, false)), Next::Continue);
        assert_eq!(
            outlet.offer(frame(2, false)),
            Next::Continue,
            "full: a key frame now would be lost too"
        );
        assert_eq!(packets.try_recv().unwrap().seq, 0);
        assert_eq!(packets.try_recv().unwrap().seq, 1);
        assert_eq!(outlet.offer(frame(3, false)), Next::MakeKeyFrame);
        assert_eq!(outlet.offer(frame(4, false)), Next::Continue, "asked once");
        assert!(
            packets.try_recv().is_err(),
            "what cannot be decoded does not leave"
        );
        outlet.offer(frame(5, true));
        let packet = packets.try_recv().unwrap();
        assert!(packet.key);
        assert_eq!(packet.seq, 5, "the gap shows");
    }

    #[test]
    fn a_key_frame_is_due_after_the_interval() {
        let (sender, mut packets) = mpsc::channel(8);
        let mut outlet = Outlet::new(Size::Low, KEY_INTERVAL, sender);
        outlet.offer(frame(0, true));
        assert_eq!(outlet.offer(frame(119, false)), Next::Continue);
        assert_eq!(outlet.offer(frame(121, false)), Next::MakeKeyFrame);
        outlet.offer(frame(122, true));
        assert_eq!(outlet.offer(frame(130, false)), Next::Continue);
        while packets.try_recv().is_ok() {}
    }

    #[test]
    fn after_an_interruption_only_a_key_frame_starts_again() {
        let (sender, mut packets) = mpsc::channel(8);
        let mut outlet = Outlet::new(Size::Low, KEY_INTERVAL, sender);
        outlet.offer(frame(0, true));
        packets.try_recv().unwrap();
        outlet.interrupt();
        outlet.offer(frame(1, false));
        assert!(packets.try_recv().is_err());
        outlet.offer(frame(2, true));
        assert!(packets.try_recv().unwrap().key);
    }
}
