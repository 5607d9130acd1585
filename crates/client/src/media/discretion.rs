//! What this device's traffic may tell to somebody who counts bytes.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use conclave_media::audio::AudioPacket;

use super::padding::Room;

/// Packets that go out after the microphone was muted, 160 ms: what was on its way, then enough
/// silence for listeners to fade out on.
const LAST_PACKETS: u32 = 8;

/// Set by the driver, read by the publisher.
#[derive(Debug, Default)]
pub(super) struct Discretion {
    high: AtomicBool,
    muted: AtomicBool,
    /// Nobody reads the sound of this device: there is no place for it.
    has_no_place: AtomicBool,
}

impl Discretion {
    /// High: sound goes out at one rate, muted or not, and pictures and signatures in few sizes.
    pub(super) fn set_high(&self, high: bool) {
        self.high.store(high, Relaxed);
    }

    pub(super) fn set_muted(&self, muted: bool) {
        self.muted.store(muted, Relaxed);
    }

    /// Whether anybody reads this device's sound: without a place not even silence goes out.
    pub(super) fn set_place(&self, has_place: bool) {
        self.has_no_place.store(!has_place, Relaxed);
    }

    pub(super) fn picture_room(&self) -> Room {
        self.room(Room::Picture)
    }

    pub(super) fn batch_room(&self) -> Room {
        self.room(Room::Batch)
    }

    fn room(&self, room: Room) -> Room {
        match self.high.load(Relaxed) {
            true => room,
            false => Room::Exact,
        }
    }

    fn wants_quiet(&self) -> bool {
        let muted = self.muted.load(Relaxed) && !self.high.load(Relaxed);
        muted || self.has_no_place.load(Relaxed)
    }
}

/// Holds back the packets of a muted microphone, and hides from listeners that there were any:
/// a gap in the count would be taken for loss.
#[derive(Debug, Default)]
pub(super) struct MuteGate {
    quiet_packets: u32,
    held_back: u32,
    /// Packets sent since the last pause.
    since_pause: u32,
}

impl MuteGate {
    /// The packet as it is to be sent, if it is.
    pub(super) fn pass(
        &mut self,
        discretion: &Discretion,
        packet: AudioPacket,
    ) -> Option<AudioPacket> {
        self.quiet_packets = match discretion.wants_quiet() {
            true => self.quiet_packets.saturating_add(1),
            false => 0,
        };
        if self.quiet_packets > LAST_PACKETS {
            self.held_back = self.held_back.wrapping_add(1);
            self.since_pause = 0;
            return None;
        }
        let AudioPacket { mut copies, .. } = packet;
        if self.held_back > 0 {
            // The frames before the first one after a pause were never sent.
            copies.retain(|copy| u32::from(copy.back) <= self.since_pause);
        }
        self.since_pause = self.since_pause.saturating_add(1);
        Some(AudioPacket {
            seq: packet.seq.wrapping_sub(self.held_back),
            copies,
            ..packet
        })
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use conclave_media::audio::{FrameCopy, PacketSize};

    use super::*;

    fn packet(seq: u32) -> AudioPacket {
        AudioPacket {
            seq,
            capture_us: u64::from(seq) * 20_000,
            payload: Bytes::from_static(b"sound"),
            size: PacketSize::Whole,
            copies: [1, 2, 4].map(copy).to_vec(),
        }
    }

    fn copy(back: u8) -> FrameCopy {
        FrameCopy {
            back,
            frame: Bytes::from_static(b"before"),
        }
    }

    fn sent(gate: &mut MuteGate, discretion: &Discretion, seqs: std::ops::Range<u32>) -> Vec<u32> {
        seqs.filter_map(|seq| gate.pass(discretion, packet(seq)))
            .map(|packet| packet.seq)
            .collect()
    }

    #[test]
    fn a_muted_microphone_falls_silent_and_its_count_has_no_gap() {
        let (discretion, mut gate) = (Discretion::default(), MuteGate::default());
        assert_eq!(sent(&mut gate, &discretion, 0..3), [0, 1, 2]);
        discretion.set_muted(true);
        let last = sent(&mut gate, &discretion, 3..100);
        assert_eq!(last, (3..3 + LAST_PACKETS).collect::<Vec<_>>());
        discretion.set_muted(false);
        let first = gate.pass(&discretion, packet(100)).unwrap();
        assert_eq!(first.seq, 3 + LAST_PACKETS);
        assert_eq!(first.capture_us, 2_000_000, "the time is the true one");
        assert_eq!(first.copies, []);
        let second = gate.pass(&discretion, packet(101)).unwrap();
        assert_eq!(second.copies, [copy(1)]);
        assert_eq!(sent(&mut gate, &discretion, 102..104), [13, 14]);
        let fifth = gate.pass(&discretion, packet(104)).unwrap();
        assert_eq!(fifth.copies, [1, 2, 4].map(copy));
    }

    #[test]
    fn without_a_place_nothing_goes_out_whatever_the_secrecy() {
        let (discretion, mut gate) = (Discretion::default(), MuteGate::default());
        discretion.set_high(true);
        discretion.set_muted(true);
        discretion.set_place(false);
        let last = sent(&mut gate, &discretion, 0..100);
        assert_eq!(last.len(), LAST_PACKETS as usize);
        discretion.set_place(true);
        assert_eq!(sent(&mut gate, &discretion, 100..150).len(), 50);
    }

    #[test]
    fn packets_that_were_lost_before_remain_a_gap() {
        let (discretion, mut gate) = (Discretion::default(), MuteGate::default());
        assert_eq!(sent(&mut gate, &discretion, 0..1), [0]);
        assert_eq!(sent(&mut gate, &discretion, 5..7), [5, 6]);
    }

    #[test]
    fn under_high_secrecy_a_muted_microphone_goes_on_and_everything_has_room() {
        let (discretion, mut gate) = (Discretion::default(), MuteGate::default());
        assert_eq!(discretion.picture_room(), Room::Exact);
        discretion.set_high(true);
        discretion.set_muted(true);
        assert_eq!(sent(&mut gate, &discretion, 0..50).len(), 50);
        assert_eq!(discretion.picture_room(), Room::Picture);
        assert_eq!(discretion.batch_room(), Room::Batch);
        discretion.set_high(false);
        // Whoever leaves high while muted fades out first.
        assert_eq!(
            sent(&mut gate, &discretion, 50..100).len(),
            LAST_PACKETS as usize
        );
    }
}
