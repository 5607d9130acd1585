//! Links, cards, blobs and devices: what opens them, and what shows of them.

mod people;

use std::fmt::Debug;

use conclave_e2ee::{
    BlobError, CARD_SEALED_LEN, Candidate, CardError, DeviceError, DeviceKey, KnockKey, LinkSecret,
    MAX_BLOB_LEN, MAX_CARD_LEN, MAX_HOSTS, Opener, Pseudonym, Sealer, Track, card_sealed_len,
    fingerprint16, seal_card, seal_card_for, sframe, verify_device,
};
use people::{host, link, pseudonym};

#[test]
fn the_debug_of_every_secret_is_redacted() {
    let link = LinkSecret::from_bytes([0xAB; 32]);
    let mut group = host(&link);
    let mut media = group.media_epoch().unwrap();
    let key = media.sealing.take(Track::AUDIO).unwrap();
    let mut sealer = Sealer::new(Track::VIDEO_LOW);
    sealer
        .install(media.sealing.take(Track::VIDEO_LOW).unwrap())
        .unwrap();
    let mut opener = Opener::new(Track::AUDIO, group.own_leaf());
    opener
        .install(&media.opening, std::time::Instant::now())
        .unwrap();
    let device = DeviceKey::from_seed([0xAB; 32]).unwrap();
    let sframe_key = sframe::Key::derive(sframe::Suite::Aes256GcmSha512, 1, &[0xAB; 32]).unwrap();

    assert_redacted(&link, "LinkSecret(redacted)");
    assert_redacted(&link.knock_token(), "Token32(redacted)");
    assert_redacted(&link.handshake_key(), "BlobKey(redacted)");
    assert_redacted(&KnockKey::generate().unwrap(), "KnockKey(redacted)");
    assert_redacted(&device, "DeviceKey(redacted)");
    assert_redacted(&group, "Group(epoch 0, leaf 0, redacted)");
    assert_redacted(&group.security_code(), "SecurityCode(redacted)");
    assert_redacted(&group.delivery_token().unwrap(), "Token32(redacted)");
    assert_redacted(&media.sealing, "SealingEpoch(epoch 0, redacted)");
    assert_redacted(&media.opening, "OpeningEpoch(epoch 0, redacted)");
    assert_redacted(&key, "SealKey(epoch 0, track 0, redacted)");
    assert_redacted(
        &opener,
        "Opener(track 0, leaf 0, newest epoch Some(0), redacted)",
    );
    assert_redacted(&sframe_key, "Key(kid 0x1, redacted)");
    let shown = format!("{sealer:?}");
    assert_eq!(
        shown,
        "Sealer { track: Track(1), current: Some(SealKey(epoch 0, track 1, redacted) at counter 0) }"
    );
    let candidate = Candidate::new(pseudonym(2), &link).unwrap();
    let shown = format!("{candidate:?}");
    assert!(shown.contains("LeafSigner(redacted)") && shown.contains("SecretStorage(redacted)"));
}

fn assert_redacted(secret: &impl Debug, expected: &str) {
    assert_eq!(format!("{secret:?}"), expected);
}

#[test]
fn a_pseudonym_shows_as_hex() {
    let shown = format!("{:?}", Pseudonym([0x0f; 16]));
    assert_eq!(shown, "Pseudonym(0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f)");
}

#[test]
fn one_link_gives_one_set_of_keys() {
    let link = link();
    let again = LinkSecret::from_bytes(*link.expose());
    assert_eq!(link.knock_token(), again.knock_token());
    assert_ne!(link.knock_token(), people::link().knock_token());
    let sealed = link.descriptor_key().seal(b"aad", b"title").unwrap();
    assert_eq!(
        again.descriptor_key().open(b"aad", &sealed).unwrap(),
        b"title"
    );
    assert_eq!(
        link.handshake_key().open(b"aad", &sealed),
        Err(BlobError::Forged)
    );
}

#[test]
fn a_blob_opens_only_as_it_was_sealed() {
    let key = link().handshake_key();
    let sealed = key.seal(b"epoch 3", b"commit").unwrap();
    assert_ne!(
        sealed,
        key.seal(b"epoch 3", b"commit").unwrap(),
        "nonces are random"
    );
    assert_eq!(key.open(b"epoch 3", &sealed).unwrap(), b"commit");
    assert_eq!(key.open(b"epoch 4", &sealed), Err(BlobError::Forged));
    for position in 0..sealed.len() {
        let mut forged = sealed.clone();
        forged[position] ^= 1;
        assert_eq!(
            key.open(b"epoch 3", &forged),
            Err(BlobError::Forged),
            "byte {position}"
        );
    }
    assert_eq!(
        key.open(b"epoch 3", &sealed[..27]),
        Err(BlobError::Malformed)
    );
    assert_eq!(
        key.seal(b"", &vec![0; MAX_BLOB_LEN + 1]),
        Err(BlobError::TooLong)
    );
    let empty = key.seal(b"", b"").unwrap();
    assert_eq!(key.open(b"", &empty).unwrap(), b"");
}

#[test]
fn every_card_has_one_size_and_opens_for_its_host_only() {
    let (link, host, aad) = (link(), KnockKey::generate().unwrap(), b"meeting");
    for card in [&b""[..], b"Ada", &[7; MAX_CARD_LEN]] {
        let sealed = seal_card(&host.public(), &link, aad, card).unwrap();
        assert_eq!(sealed.len(), CARD_SEALED_LEN);
        assert_eq!(host.open_card(&link, aad, &sealed).unwrap(), card);
    }
    let sealed = seal_card(&host.public(), &link, aad, b"Ada").unwrap();
    let other_host = KnockKey::generate().unwrap();
    assert_eq!(
        other_host.open_card(&link, aad, &sealed),
        Err(CardError::Forged)
    );
    assert_eq!(
        host.open_card(&people::link(), aad, &sealed),
        Err(CardError::Forged)
    );
    assert_eq!(
        host.open_card(&link, b"another meeting", &sealed),
        Err(CardError::Forged)
    );
    assert_eq!(
        host.open_card(&link, aad, &sealed[1..]),
        Err(CardError::Malformed)
    );
    for position in [1, 16, 17, 1136, 1137, 1184, 1185, CARD_SEALED_LEN - 1] {
        let mut forged = sealed.clone();
        forged[position] ^= 1;
        assert_eq!(host.open_card(&link, aad, &forged), Err(CardError::Forged));
    }
    for count in [0, 2, 9, 255] {
        let mut forged = sealed.clone();
        forged[0] = count;
        assert_eq!(
            host.open_card(&link, aad, &forged),
            Err(CardError::Malformed)
        );
    }
    assert_eq!(host.open_card(&link, aad, b""), Err(CardError::Malformed));
}

#[test]
fn a_card_for_several_hosts_opens_for_each_and_for_no_other() {
    let (link, aad) = (link(), b"meeting");
    let hosts: Vec<_> = (0..MAX_HOSTS)
        .map(|_| KnockKey::generate().unwrap())
        .collect();
    let publics: Vec<_> = hosts.iter().map(KnockKey::public).collect();
    let publics: Vec<_> = publics.iter().map(Vec::as_slice).collect();
    for count in [1, 2, MAX_HOSTS] {
        let short = seal_card_for(&publics[..count], &link, aad, b"Ada").unwrap();
        let long = seal_card_for(&publics[..count], &link, aad, &[7; MAX_CARD_LEN]).unwrap();
        assert_eq!(short.len(), card_sealed_len(count));
        assert_eq!(long.len(), short.len());
        for (position, host) in hosts.iter().enumerate() {
            let opened = host.open_card(&link, aad, &short);
            if position < count {
                assert_eq!(opened.unwrap(), b"Ada");
            } else {
                assert_eq!(opened, Err(CardError::Forged));
            }
        }
    }
    assert!(card_sealed_len(MAX_HOSTS) <= 24 * 1024);
}

#[test]
fn no_part_of_a_card_for_several_hosts_can_be_exchanged() {
    let (link, aad) = (link(), b"meeting");
    let (one, two) = (KnockKey::generate().unwrap(), KnockKey::generate().unwrap());
    let hosts = [one.public(), two.public()];
    let hosts: Vec<_> = hosts.iter().map(Vec::as_slice).collect();
    let ada = seal_card_for(&hosts, &link, aad, b"Ada").unwrap();
    let bob = seal_card_for(&hosts, &link, aad, b"Bob").unwrap();
    let (first, second) = (1..1185, 1185..2369);
    // The other one's card, the other one's slots, or one host's slot of another card.
    for part in [2369..ada.len(), first.start..second.end, second.clone()] {
        let mut mixed = ada.clone();
        mixed[part.clone()].copy_from_slice(&bob[part]);
        assert_eq!(one.open_card(&link, aad, &mixed), Err(CardError::Forged));
    }
    // Both slots in the other order.
    let swapped = [&ada[..1], &ada[second], &ada[first], &ada[2369..]].concat();
    assert_eq!(one.open_card(&link, aad, &swapped), Err(CardError::Forged));
}

#[test]
fn a_card_holds_a_key_package_of_this_suite() {
    let candidate = Candidate::new(pseudonym(2), &link()).unwrap();
    let rest = MAX_CARD_LEN
        .checked_sub(candidate.key_package().len())
        .unwrap();
    assert!(
        rest > 2048,
        "room for name, device key and signature: {rest}"
    );
}

#[test]
fn cards_that_cannot_be_sealed_say_why() {
    let (link, host) = (link(), KnockKey::generate().unwrap());
    let too_long = vec![0; MAX_CARD_LEN + 1];
    assert_eq!(
        seal_card(&host.public(), &link, b"", &too_long),
        Err(CardError::TooLong)
    );
    assert_eq!(
        seal_card(&[1; 32], &link, b"", b"Ada"),
        Err(CardError::BadHostKey)
    );
    // Its coefficients are no numbers modulo q. FIPS 203 §7.2
    assert_eq!(
        seal_card(&[0xff; 1216], &link, b"", b"Ada"),
        Err(CardError::BadHostKey)
    );
    let public = host.public();
    for count in [0, MAX_HOSTS + 1] {
        assert_eq!(
            seal_card_for(&vec![public.as_slice(); count], &link, b"", b"Ada"),
            Err(CardError::HostCount)
        );
    }
}

#[test]
fn a_device_signs_for_one_purpose() {
    let device = DeviceKey::generate().unwrap();
    let signature = device.sign("card", b"message");
    let verify = |domain, message| verify_device(&device.public(), domain, message, &signature);
    assert_eq!(verify("card", b"message"), Ok(()));
    assert_eq!(
        verify("descriptor", b"message"),
        Err(DeviceError::BadSignature)
    );
    assert_eq!(verify("car", b"dmessage"), Err(DeviceError::BadSignature));
    assert_eq!(verify("card", b"massage"), Err(DeviceError::BadSignature));
    let other = DeviceKey::generate().unwrap();
    assert!(verify_device(&other.public(), "card", b"message", &signature).is_err());
}

#[test]
fn a_device_key_survives_in_its_seed() {
    let device = DeviceKey::generate().unwrap();
    let restored = DeviceKey::from_seed(*device.expose_seed()).unwrap();
    assert_eq!(restored.public(), device.public());
    assert_eq!(restored.sign("card", b"m"), device.sign("card", b"m"));
    assert_eq!(
        fingerprint16(&device.public()),
        fingerprint16(&restored.public())
    );
    assert_ne!(
        fingerprint16(&device.public()),
        fingerprint16(b"another key")
    );
}

#[test]
fn the_longest_blob_is_sealed_and_opened_and_a_longer_one_is_not() {
    let key = link().handshake_key();
    assert_eq!(MAX_BLOB_LEN, 4 << 20);
    let longest = vec![7; MAX_BLOB_LEN];
    let sealed = key.seal(b"aad", &longest).unwrap();
    assert!(key.open(b"aad", &sealed).unwrap() == longest);
    let longer = vec![7; MAX_BLOB_LEN + 1];
    assert_eq!(key.seal(b"aad", &longer), Err(BlobError::TooLong));
    let longer = vec![7; sealed.len() + 1];
    assert_eq!(key.open(b"aad", &longer), Err(BlobError::TooLong));
}
