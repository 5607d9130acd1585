//! What leaves the publisher has lengths and a rate that tell no more than they may.

use std::collections::BTreeSet;

use conclave_e2ee::{Group, LinkSecret, Pseudonym};
use conclave_media::audio::{FrameCopy, PacketSize};

use super::*;

/// Sounds until the frame counter takes two bytes, as it does for the next 22 minutes: it is
/// the one part of a sealed packet whose length changes, and it says how long somebody has
/// been here.
const WARM_UP: u32 = 256;

fn publisher() -> (Publisher, Arc<Discretion>) {
    let discretion = Arc::<Discretion>::default();
    let (sound, orders) = (mpsc::channel(1).1, mpsc::channel(1).1);
    let mut publisher = Publisher::new(
        orders,
        sound,
        mpsc::channel(1).0,
        None,
        CameraSource::Off,
        watch::channel(Share::default()).0,
        discretion.clone(),
    );
    let link = LinkSecret::generate().unwrap();
    let mut group = Group::create(Pseudonym([1; 16]), &link, b"policy").unwrap();
    let keys = group.media_epoch().unwrap().sealing;
    publisher.obey(Order::Keys(keys, Instant::now()));
    (publisher, discretion)
}

fn copy(back: u8) -> FrameCopy {
    let frame = vec![0xCD; 60].into();
    FrameCopy { back, frame }
}

/// So many packets with sound of so many bytes.
fn packets_of(packets: u32, sound: usize) -> impl Iterator<Item = AudioPacket> {
    (0..packets).map(move |seq| AudioPacket {
        seq,
        capture_us: 0,
        payload: vec![0xAB; sound].into(),
        size: PacketSize::Whole,
        copies: (1..sound as u8 / 20).map(copy).collect(),
    })
}

/// Lengths on the wire of packets of the microphone; none for one that is not sent.
fn lengths(publisher: &mut Publisher, packets: u32, sound: usize) -> Vec<Option<usize>> {
    packets_of(packets, sound)
        .map(|packet| publisher.seal_voice(packet).map(|sealed| sealed.len()))
        .collect()
}

#[test]
fn under_high_secrecy_speech_silence_and_mute_have_one_length_and_one_rate() {
    let (mut publisher, discretion) = publisher();
    discretion.set_high(true);
    lengths(&mut publisher, WARM_UP, 80);
    let mut seen = lengths(&mut publisher, 100, 80);
    seen.extend(lengths(&mut publisher, 100, 3));
    discretion.set_muted(true);
    seen.extend(lengths(&mut publisher, 100, 3));
    discretion.set_muted(false);
    seen.extend(lengths(&mut publisher, 100, 60));
    assert_eq!(seen.len(), 400);
    let different: BTreeSet<_> = seen.into_iter().collect();
    assert_eq!(different.len(), 1, "{different:?}");
    assert!(different.iter().all(Option::is_some));
}

#[test]
fn under_standard_secrecy_a_muted_microphone_sends_nothing() {
    let (mut publisher, discretion) = publisher();
    lengths(&mut publisher, WARM_UP, 80);
    let speech = lengths(&mut publisher, 50, 80);
    discretion.set_muted(true);
    let fading = lengths(&mut publisher, 20, 3);
    assert!(fading.iter().flatten().all(|len| speech[0] == Some(*len)));
    assert_eq!(lengths(&mut publisher, 100, 3), [None; 100]);
    discretion.set_muted(false);
    assert_eq!(lengths(&mut publisher, 50, 80), speech);
}

#[test]
fn signatures_under_high_secrecy_do_not_tell_how_much_was_sent() {
    let (mut publisher, discretion) = publisher();
    let mut signed = |high: bool| -> BTreeSet<usize> {
        discretion.set_high(high);
        [1, 5, 11, 40]
            .map(|packets| {
                lengths(&mut publisher, packets, 80);
                let batch = publisher.attestor.batch().expect("frames to sign");
                assert_eq!(publisher.attestor.batch(), None);
                let sealed = publisher.seal_signatures(&batch, 0, 0);
                // The group stands outside, and the counter's length was explained above.
                sealed.expect("keys").len() / 16
            })
            .into()
    };
    assert_eq!(signed(true).len(), 1);
    assert_eq!(signed(false).len(), 4);
}

#[test]
fn the_sound_of_a_shared_screen_has_one_length_and_heeds_no_mute() {
    let (mut publisher, discretion) = publisher();
    discretion.set_muted(true);
    discretion.set_place(false);
    let mut shared = |packets: u32, sound: usize| -> BTreeSet<Option<usize>> {
        packets_of(packets, sound)
            .map(|packet| publisher.seal_sound(Sound::Shared, &packet))
            .map(|sealed| sealed.map(|sealed| sealed.len()))
            .collect()
    };
    shared(WARM_UP, 140);
    let mut seen = shared(100, 140);
    seen.extend(shared(100, 3));
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert!(seen.iter().all(Option::is_some));
}
