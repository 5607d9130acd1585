//! Attacks of a member who holds all keys that the room shares.

use aws_lc_rs::cipher::{AES_256, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::hkdf;
use aws_lc_rs::iv::FixedLength;

use super::*;
use crate::sframe::{Header, TAG_LEN};

#[test]
fn a_forged_frame_on_a_used_counter_is_caught() {
    let (room, mut sender, mut listener) = talk();
    let real = sender.say(b"I say yes");
    let forged = forger(&room, 0).say(b"I say no!");
    // The forgery comes first and is played; the real frame is a replay then.
    assert_eq!(listener.hear(&forged).unwrap(), b"I say no!");
    assert_eq!(listener.hear(&real), Err(OpenError::Replay));
    listener.batch(&sender.batch()).unwrap();
    assert_eq!(listener.verdict(), Verdict::Forged);
    // It stays.
    let frames = sender.says(5);
    listener.hear_all(&frames[1..]);
    listener.batch(&sender.batch()).unwrap();
    assert_eq!(listener.wait(UNVERIFIED_HOLD * 10), Verdict::Forged);
}

#[test]
fn a_forged_frame_that_comes_after_its_batch_is_caught_at_once() {
    let (room, mut sender, mut listener) = talk();
    sender.says(3);
    listener.batch(&sender.batch()).unwrap();
    let forged = forger(&room, 1).say(b"forged");
    listener.hear(&forged).unwrap();
    assert_eq!(listener.verdict(), Verdict::Forged);
}

#[test]
fn a_forged_frame_on_a_fresh_counter_is_caught_when_the_sender_reaches_it() {
    let (room, mut sender, mut listener) = talk();
    let frames = sender.says(5);
    listener.hear_all(&frames);
    listener.hear(&forger(&room, 20).say(b"forged")).unwrap();
    listener.batch(&sender.batch()).unwrap();
    // Until then nobody can tell it from a frame whose batch is withheld.
    assert_eq!(listener.wait(BATCH_DEADLINE), Verdict::Unverified);
    let frames = sender.says(16);
    listener.hear_all(&frames[..15]);
    listener.batch(&sender.batch()).unwrap();
    assert_eq!(listener.verdict(), Verdict::Forged);
}

#[test]
fn a_forged_stream_far_ahead_never_passes_for_verified() {
    let (room, mut sender, mut listener) = talk();
    let mut forger = forger(&room, 900);
    let mut worst = Vec::new();
    for _ in 0..20 {
        let frames = sender.says(5);
        listener.hear_all(&frames);
        let forged = forger.says(5);
        listener.hear_all(&forged);
        listener.now += PERIOD;
        listener.batch(&sender.batch()).unwrap();
        worst.push(listener.verdict());
    }
    assert!(
        worst[3..]
            .iter()
            .all(|verdict| *verdict == Verdict::Unverified)
    );
}

#[test]
fn a_counter_that_the_sender_never_used_is_caught() {
    let (room, mut sender, mut listener) = talk();
    let frames = sender.says(2);
    listener.hear_all(&frames);
    // Sealed and not sent: nobody may send it in the sender's place.
    let mut unsent = Vec::new();
    sender.sealer.seal(&AUDIO, b"unsent", &mut unsent).unwrap();
    let frames = sender.says(2);
    listener.hear_all(&frames);
    listener.hear(&forger(&room, 2).say(b"forged")).unwrap();
    listener.batch(&sender.batch()).unwrap();
    assert_eq!(listener.verdict(), Verdict::Forged);
}

#[test]
fn a_second_plaintext_under_the_same_tag_is_caught() {
    let (_, mut sender, mut listener) = talk();
    let real = sender.say(&[b'y'; 48]);
    let forged = same_tag(&real);
    assert_eq!(
        forged[forged.len() - TAG_LEN..],
        real[real.len() - TAG_LEN..]
    );
    let heard = listener.hear(&forged).unwrap();
    assert_ne!(heard, [b'y'; 48], "another plaintext opens");
    listener.batch(&sender.batch()).unwrap();
    assert_eq!(listener.verdict(), Verdict::Forged);
}

/// Another ciphertext with the same GCM tag, as anyone with the key can make it
/// (NIST SP 800-38D §6.4): GHASH is linear, so what is added to one block is
/// taken back in the next one after a multiplication by H.
fn same_tag(frame: &[u8]) -> Vec<u8> {
    let (header, len) = Header::read(frame).unwrap();
    let hash_key = hash_key(&sframe_key(header.kid));
    let change = 0x2a_u128 << 64;
    let mut forged = frame.to_vec();
    for (block, delta) in [(0, change), (1, multiply(change, hash_key))] {
        let place = len + 16 * block;
        for (byte, delta) in forged[place..place + 16]
            .iter_mut()
            .zip(delta.to_be_bytes())
        {
            *byte ^= delta;
        }
    }
    forged
}

/// The AEAD key of a key id, by RFC 9605 §4.4.2.
fn sframe_key(kid: u64) -> [u8; 32] {
    struct Len;
    impl hkdf::KeyType for Len {
        fn len(&self) -> usize {
            32
        }
    }
    let mut key = [0; 32];
    hkdf::Salt::new(hkdf::HKDF_SHA512, &[])
        .extract(&base_key(1))
        .expand(
            &[
                b"SFrame 1.0 Secret key ",
                &kid.to_be_bytes(),
                &5_u16.to_be_bytes(),
            ],
            Len,
        )
        .unwrap()
        .fill(&mut key)
        .unwrap();
    key
}

/// H: the encryption of a block of zeros, here as the first block of a CTR stream.
fn hash_key(key: &[u8; 32]) -> u128 {
    let key = EncryptingKey::ctr(UnboundCipherKey::new(&AES_256, key).unwrap()).unwrap();
    let mut block = [0; 16];
    key.less_safe_encrypt(
        &mut block,
        EncryptionContext::Iv128(FixedLength::from([0; 16])),
    )
    .unwrap();
    u128::from_be_bytes(block)
}

/// Multiplication in GHASH's field (NIST SP 800-38D §6.3).
fn multiply(x: u128, y: u128) -> u128 {
    let (mut product, mut shifted) = (0, y);
    for bit in 0..128 {
        if x >> (127 - bit) & 1 == 1 {
            product ^= shifted;
        }
        let carry = shifted & 1;
        shifted = (shifted >> 1) ^ (carry * (0xe1 << 120));
    }
    product
}

#[test]
fn an_insider_cannot_sign_for_another() {
    let (room, mut sender, mut listener) = talk();
    let mut forger = forger(&room, 0);
    forger.says(3);
    assert_eq!(listener.batch(&forger.batch()), Err(BatchError::Forged));
    let frames = sender.says(3);
    listener.hear_all(&frames);
    listener.batch(&sender.batch()).unwrap();
    assert_eq!(listener.verdict(), Verdict::Verified);
}

#[test]
fn a_batch_counts_once_for_its_own_sender_in_its_own_epoch() {
    let (room, mut sender, mut listener) = talk();
    let frames = sender.says(3);
    let batch = sender.batch();
    listener.hear_all(&frames);
    listener.batch(&batch).unwrap();
    assert_eq!(listener.batch(&batch), Err(BatchError::Repeated));

    let mut insider = Sender::new();
    insider.install(room.media(1, INSIDER, &room.insider));
    insider.says(3);
    assert_eq!(listener.batch(&insider.batch()), Err(BatchError::OtherLeaf));

    let mut elsewhere = Sender::new();
    elsewhere.install(room.media(2, VICTIM, &room.victim));
    elsewhere.says(3);
    let coming = elsewhere.batch();
    assert_eq!(listener.batch(&coming), Err(BatchError::OtherEpoch));

    for broken in [&b""[..], &batch[1..], &batch[..batch.len() - 1]] {
        assert_eq!(listener.batch(broken), Err(BatchError::Malformed));
    }
    assert_eq!(listener.verdict(), Verdict::Verified);
}

#[test]
fn a_batch_of_another_state_with_the_same_number_is_refused() {
    let room = Room::new();
    let (mut sender, mut listener) = (Sender::new(), Listener::new());
    let mut other_state = room.media(1, VICTIM, &room.victim);
    let mut key = other_state.sealing.attest_key().unwrap();
    key.context = [9; 32];
    sender
        .sealer
        .install(other_state.sealing.take(Track::AUDIO).unwrap())
        .unwrap();
    sender.attestor.install(key);
    listener.install(&room.media(1, INSIDER, &room.insider));
    sender.says(3);
    assert_eq!(listener.batch(&sender.batch()), Err(BatchError::Forged));
}

#[test]
fn a_frame_at_the_end_of_an_epoch_does_not_slip_through() {
    let (room, mut sender, mut listener) = talk();
    let frames = sender.says(1);
    listener.hear_all(&frames);
    listener.batch(&sender.batch()).unwrap();
    listener.install(&room.media(2, INSIDER, &room.insider));
    assert_eq!(listener.verdict(), Verdict::Verified);
    listener.now += EPOCH_GRACE - Duration::from_millis(1);
    listener.hear(&forger(&room, 9).say(b"forged")).unwrap();
    assert_eq!(listener.verdict(), Verdict::Verified);
    // The epoch is gone before the frame is overdue.
    assert_eq!(listener.wait(Duration::from_millis(2)), Verdict::Unverified);
}
