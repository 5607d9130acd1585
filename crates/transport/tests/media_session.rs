//! Media sessions through a relay in this process: positions, lateness, endings, both transports.

mod local;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use bytes::Bytes;
use conclave_impair::{Direction, Plan, Proxy, Settings};
use conclave_transport::relay::{IDLE_TIMEOUT, Successor};
use conclave_transport::{
    Broadcast, BroadcastUpdate, ConnectError, Delivery, Endpoint, Proxies, ReadError,
    ReceivedFrame, Relay, SubscribeError, SubscribeOptions, TrackOptions, TrackReader, TrackWriter,
};
use local::link::FreezingLink;
use local::relay::{Offer, PATH, TOKEN, TestRelay};
use local::{Certificate, soon, unused_endpoint};

/// The frames' time: one frame each 100 ms from here on.
const START_US: u64 = 1_700_000_000_000_000;
const STEP_US: u64 = 100_000;

fn track(name: &str, delivery: Delivery) -> TrackOptions<'_> {
    TrackOptions {
        name,
        delivery,
        priority: 100,
        max_age: Duration::from_secs(5),
        bitrate_bps: 0,
    }
}

fn read(delivery: Delivery, max_age: Duration) -> SubscribeOptions {
    SubscribeOptions {
        delivery,
        priority: 100,
        max_age,
        floor: None,
        bitrate_bps: 0,
    }
}

/// A broadcast with one track, announced.
fn publish(relay: &Relay, name: &str, delivery: Delivery) -> (Broadcast, TrackWriter) {
    let mut broadcast = relay.publish(name).unwrap();
    let writer = broadcast.track(track("t", delivery)).unwrap();
    broadcast.announce().unwrap();
    (broadcast, writer)
}

/// Writes frame `number`, whose payload says so, and returns what the reader should get.
fn write(writer: &mut TrackWriter, number: u64, starts_group: bool) -> ReceivedFrame {
    let payload = Bytes::copy_from_slice(&number.to_be_bytes());
    let (group, frame) = writer.next_position(starts_group);
    let at_us = START_US + number * STEP_US;
    writer.write(payload.clone(), at_us, starts_group).unwrap();
    ReceivedFrame {
        group,
        frame,
        payload,
    }
}

async fn next(reader: &mut TrackReader) -> ReceivedFrame {
    soon(reader.recv()).await.unwrap().expect("the track ended")
}

async fn update(name: &str, active: bool, updates: &mut conclave_transport::BroadcastUpdates) {
    let expected = BroadcastUpdate {
        name: name.into(),
        active,
    };
    assert_eq!(soon(updates.next()).await, Some(expected));
}

async fn refusal(
    endpoint: &Endpoint,
    pin: &conclave_transport::Trust,
    token: &str,
) -> ConnectError {
    let connected = soon(Relay::connect(endpoint, pin, &Proxies::None, PATH, token)).await;
    match connected {
        Ok(_) => panic!("the connection was accepted"),
        Err(error) => error,
    }
}

/// Waits until a track's writer knows that somebody reads it, or that nobody does.
async fn until_read(writer: &TrackWriter, read: bool) {
    soon(async {
        while writer.is_read() != read {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_knows_whether_anybody_reads() {
    let relay = TestRelay::start(Offer::QuicOnly).await;
    let (alice, bob) = (relay.connect().await, relay.connect().await);
    let (_broadcast, mut writer) = publish(&alice, "a/1", Delivery::Groups);
    assert!(!writer.is_read());
    let options = read(Delivery::Groups, Duration::from_secs(5));
    for number in 0..2 {
        let mut reader = soon(bob.subscribe("a/1", "t", options)).await.unwrap();
        write(&mut writer, number, true);
        next(&mut reader).await;
        until_read(&writer, true).await;
        drop(reader);
        until_read(&writer, false).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_arrive_complete_in_order_and_at_the_position_the_writer_foretold() {
    for offer in [Offer::QuicOnly, Offer::WebSocketOnly] {
        let relay = TestRelay::start(offer).await;
        let (alice, bob) = (relay.connect().await, relay.connect().await);
        assert_eq!(alice.carries_datagrams(), offer == Offer::QuicOnly);
        let (_broadcast, mut writer) = publish(&alice, "a/1", Delivery::Groups);
        let first = write(&mut writer, 0, true);
        let patient = read(Delivery::Groups, Duration::from_secs(4));
        let mut reader = soon(bob.subscribe("a/1", "t", patient)).await.unwrap();
        assert_eq!(next(&mut reader).await, first);
        for number in 1..40 {
            let written = write(&mut writer, number, number % 10 == 0);
            assert_eq!(next(&mut reader).await, written);
        }
        drop(writer);
        assert_eq!(soon(reader.recv()).await, Ok(None));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_joins_in_the_middle_of_a_group_counts_from_its_beginning() {
    let relay = TestRelay::start(Offer::QuicOnly).await;
    let (alice, bob) = (relay.connect().await, relay.connect().await);
    let (_broadcast, mut writer) = publish(&alice, "a/1", Delivery::Groups);
    let written: Vec<_> = (0..15)
        .map(|number| write(&mut writer, number, number % 10 == 0))
        .collect();
    let newest_only = read(Delivery::Groups, Duration::ZERO);
    let mut reader = soon(bob.subscribe("a/1", "t", newest_only)).await.unwrap();
    for frame in &written[10..] {
        assert_eq!(&next(&mut reader).await, frame);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_read_before_is_not_sent_again() {
    for offer in [Offer::QuicOnly, Offer::WebSocketOnly] {
        let relay = TestRelay::start(offer).await;
        let (alice, bob) = (relay.connect().await, relay.connect().await);
        let (_broadcast, mut writer) = publish(&alice, "a/1", Delivery::Groups);
        let patient = read(Delivery::Groups, Duration::from_secs(4));
        let mut reader = soon(bob.subscribe("a/1", "t", patient)).await.unwrap();
        let mut newest = write(&mut writer, 0, true);
        assert_eq!(next(&mut reader).await, newest);
        drop(reader);
        for number in 1..10 {
            newest = write(&mut writer, number, false);
        }
        let again = SubscribeOptions {
            floor: Some(newest.group + 1),
            ..patient
        };
        let mut reader = soon(bob.subscribe("a/1", "t", again)).await.unwrap();
        let waits = tokio::time::timeout(Duration::from_millis(300), reader.recv());
        assert!(waits.await.is_err(), "there is no newer group");
        let newer = write(&mut writer, 10, true);
        assert_eq!(next(&mut reader).await, newer);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_reader_goes_on_at_a_newer_group() {
    let relay = TestRelay::start(Offer::QuicOnly).await;
    let (alice, bob) = (relay.connect().await, relay.connect().await);
    let (_broadcast, mut writer) = publish(&alice, "a/1", Delivery::Groups);
    // Groups of a second, of which the reader tolerates half a second.
    let first = write(&mut writer, 0, true);
    let patient = read(Delivery::Groups, Duration::from_secs(5));
    let mut witness = soon(bob.subscribe("a/1", "t", patient)).await.unwrap();
    assert_eq!(next(&mut witness).await, first);
    let hasty = read(Delivery::Groups, Duration::from_millis(500));
    let mut reader = soon(bob.subscribe("a/1", "t", hasty)).await.unwrap();
    assert_eq!(next(&mut reader).await, first);

    // Only a reader who finds all of it there is late: one who is quick enough to meet each frame as
    // it comes rightly skips none, nor one to whom the newest group came before those between. Both
    // readers of a session share one subscription, so what the witness has, the reader has.
    let mut newest = first;
    for number in 1..=40 {
        newest = write(&mut writer, number, number % 10 == 0);
        assert_eq!(next(&mut witness).await, newest);
    }
    let mut last = next(&mut reader).await;
    let mut skipped = false;
    while last != newest {
        let frame = next(&mut reader).await;
        assert!(
            (frame.group, frame.frame) > (last.group, last.frame),
            "{frame:?} after {last:?}"
        );
        if frame.group != last.group {
            // A group is never entered in its middle.
            assert_eq!(frame.frame, 0);
            skipped |= frame.group > last.group + 1;
        }
        last = frame;
    }
    assert!(skipped, "three seconds of backlog were read whole");
}

#[tokio::test(flavor = "multi_thread")]
async fn datagrams_arrive_at_their_number_and_not_over_websocket() {
    let relay = TestRelay::start(Offer::Both).await;
    let (alice, bob) = (relay.connect().await, relay.connect().await);
    assert!(alice.carries_datagrams() && bob.carries_datagrams());
    let (_broadcast, mut writer) = publish(&alice, "a/1", Delivery::Datagrams);
    let options = read(Delivery::Datagrams, Duration::ZERO);
    let mut reader = soon(bob.subscribe("a/1", "t", options)).await.unwrap();
    let mut received = 0;
    for number in 0..50 {
        let written = write(&mut writer, number, true);
        // On loopback nothing is lost, but nothing promises that either.
        let arrived = tokio::time::timeout(Duration::from_secs(1), reader.recv()).await;
        if let Ok(frame) = arrived {
            assert_eq!(frame.unwrap().unwrap(), written);
            received += 1;
        }
    }
    assert!(received > 45, "{received} of 50");

    let tcp = TestRelay::start(Offer::WebSocketOnly).await;
    let carol = tcp.connect().await;
    assert!(!carol.carries_datagrams());
    let refused = soon(carol.subscribe("a/1", "t", options)).await;
    assert_eq!(refused.err(), Some(SubscribeError::NoDatagrams));
}

#[tokio::test(flavor = "multi_thread")]
async fn broadcasts_come_with_the_announcement_and_go_with_their_handle() {
    let relay = TestRelay::start(Offer::QuicOnly).await;
    let (alice, bob) = (relay.connect().await, relay.connect().await);
    let mut updates = bob.broadcasts();
    let quiet = alice.publish("a/quiet").unwrap();
    let (one, _) = publish(&alice, "a/1", Delivery::Groups);
    update("a/1", true, &mut updates).await;
    drop(one);
    update("a/1", false, &mut updates).await;
    drop(quiet);

    let (_two, _) = publish(&alice, "a/2", Delivery::Groups);
    update("a/2", true, &mut updates).await;
    // Who comes later sees what there is.
    update("a/2", true, &mut bob.broadcasts()).await;
    alice.close().await;
    update("a/2", false, &mut updates).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_track_that_is_not_offered_is_unavailable() {
    let relay = TestRelay::start(Offer::QuicOnly).await;
    let (alice, bob) = (relay.connect().await, relay.connect().await);
    let (_broadcast, _writer) = publish(&alice, "a/1", Delivery::Groups);
    let options = read(Delivery::Groups, Duration::ZERO);
    let missing = soon(bob.subscribe("a/1", "other", options)).await;
    assert_eq!(missing.err(), Some(SubscribeError::Unavailable));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_relays_goodbye_ends_everything_that_hangs_on_the_session() {
    let mut relay = TestRelay::start(Offer::QuicOnly).await;
    let alice = relay.connect().await;
    let bob = relay.connect().await;
    let (_alices_end, server_end) = (relay.session().await, relay.session().await);
    let (_broadcast, mut writer) = publish(&alice, "a/1", Delivery::Groups);
    let mut updates = bob.broadcasts();
    update("a/1", true, &mut updates).await;
    let options = read(Delivery::Groups, Duration::ZERO);
    let mut reader = soon(bob.subscribe("a/1", "t", options)).await.unwrap();
    let written = write(&mut writer, 0, true);
    assert_eq!(next(&mut reader).await, written);

    server_end.abort(moq_net::Error::Unauthorized);
    let reason = soon(bob.closed()).await;
    assert!(reason.contains("may not take part"), "{reason}");
    assert_eq!(soon(updates.next()).await, None);
    let ended = soon(reader.recv()).await;
    assert!(
        matches!(
            ended,
            Err(ReadError::Disconnected | ReadError::Stopped { .. })
        ),
        "{ended:?}"
    );
    let again = soon(bob.subscribe("a/1", "t", options)).await;
    assert_eq!(again.err(), Some(SubscribeError::Disconnected));
}

/// How long it took a session to notice that nothing comes any more.
async fn time_to_notice(session: &Relay) -> Duration {
    let started = Instant::now();
    soon(session.closed()).await;
    started.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_ends_a_session_within_seconds() {
    let relay = TestRelay::start(Offer::QuicOnly).await;
    let alice = relay.connect().await;
    relay.fall_silent().await;
    let noticed = time_to_notice(&alice).await;
    assert!(
        noticed > IDLE_TIMEOUT / 2 && noticed < IDLE_TIMEOUT * 2,
        "QUIC: {noticed:?}"
    );

    let relay = TestRelay::start(Offer::WebSocketOnly).await;
    let link = FreezingLink::to(relay.port).await;
    let pin = relay.certificate.pin();
    let alice = Relay::connect(&link.endpoint, &pin, &Proxies::None, PATH, TOKEN);
    let alice = soon(alice).await;
    link.freeze();
    let noticed = time_to_notice(&alice.unwrap()).await;
    assert!(
        noticed > IDLE_TIMEOUT / 2 && noticed < IDLE_TIMEOUT * 2,
        "WebSocket: {noticed:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quiet_session_lives_on() {
    for offer in [Offer::QuicOnly, Offer::WebSocketOnly] {
        let relay = TestRelay::start(offer).await;
        let alice = relay.connect().await;
        let quiet = tokio::time::timeout(IDLE_TIMEOUT * 2, alice.closed()).await;
        assert!(quiet.is_err(), "{offer:?}: {quiet:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_certificate_than_the_pinned_one_is_named_in_the_error() {
    for offer in [Offer::Both, Offer::QuicOnly, Offer::WebSocketOnly] {
        let relay = TestRelay::start(offer).await;
        let other = Certificate::generate().pin();
        assert_eq!(
            refusal(&relay.endpoint(), &other, TOKEN).await,
            ConnectError::CertificateMismatch {
                presented: relay.certificate.fingerprint()
            },
            "{offer:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_token_is_refused_and_never_shown() {
    let relay = TestRelay::start(Offer::WebSocketOnly).await;
    let pin = relay.certificate.pin();
    let error = refusal(&relay.endpoint(), &pin, "forged").await;
    assert!(matches!(error, ConnectError::Refused { .. }), "{error:?}");
    assert!(!format!("{error:?} {error}").contains("forged"), "{error}");

    let relay = TestRelay::start(Offer::Both).await;
    let pin = relay.certificate.pin();
    let endpoint = relay.endpoint();
    let alice = Relay::connect(&endpoint, &pin, &Proxies::None, PATH, "forged");
    let alice = soon(alice).await;
    let reason = soon(alice.unwrap().closed()).await;
    assert!(reason.contains("may not take part"), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_where_nobody_listens_is_unreachable() {
    let pin = Certificate::generate().pin();
    let error = refusal(&unused_endpoint().await, &pin, TOKEN).await;
    assert!(
        matches!(error, ConnectError::Unreachable { .. }),
        "{error:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_name_leads_to_quic_although_its_first_address_does_not_answer() {
    // "localhost" is ::1 and 127.0.0.1 on most systems; the relay is at the second.
    let relay = TestRelay::start(Offer::Both).await;
    let endpoint = Endpoint::new("localhost", relay.port);
    let pin = relay.certificate.pin();
    let alice = Relay::connect(&endpoint, &pin, &Proxies::None, PATH, TOKEN);
    let alice = soon(alice).await;
    assert!(alice.unwrap().carries_datagrams());
}

#[tokio::test(flavor = "multi_thread")]
async fn where_only_websocket_is_there_in_time_quic_takes_its_place_later() {
    let relay = TestRelay::start(Offer::Both).await;
    let loopback = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let plan = Plan::default();
    let network = Proxy::start(loopback(0), loopback(relay.port), &plan).unwrap();
    let let_datagrams_pass = |udp| {
        let settings = Settings {
            udp,
            ..Settings::default()
        };
        network.set(Direction::Up, settings).unwrap();
    };
    let_datagrams_pass(false);
    let endpoint = Endpoint::new("127.0.0.1", network.local_addr().port());
    let pin = relay.certificate.pin();
    let connecting = Relay::connect(&endpoint, &pin, &Proxies::None, PATH, TOKEN);
    let mut alice = soon(connecting).await.unwrap();
    assert!(!alice.carries_datagrams());

    let mut successor = alice.successor();
    let_datagrams_pass(true);
    let mut better = soon(successor.come()).await;
    assert!(better.carries_datagrams());
    // It is a session of its own, and the last one.
    drop(alice);
    let bob = relay.connect().await;
    let (_broadcast, mut writer) = publish(&better, "a/1", Delivery::Groups);
    let written = write(&mut writer, 0, true);
    let options = read(Delivery::Groups, Duration::from_secs(5));
    let mut reader = soon(bob.subscribe("a/1", "t", options)).await.unwrap();
    assert_eq!(next(&mut reader).await, written);
    assert_never(better.successor()).await;
    assert_never(successor).await;
}

/// What never comes does not come in a moment either.
async fn assert_never(mut successor: Successor) {
    let came = tokio::time::timeout(Duration::from_millis(50), successor.come()).await;
    assert!(came.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn dropping_the_session_is_noticed_at_once_by_the_relay() {
    for offer in [Offer::QuicOnly, Offer::WebSocketOnly] {
        let mut relay = TestRelay::start(offer).await;
        let alice = relay.connect().await;
        let server_end = relay.session().await;
        drop(alice);
        let noticed = tokio::time::timeout(Duration::from_secs(2), server_end.closed()).await;
        assert!(noticed.is_ok(), "{offer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_link_is_measured() {
    let relay = TestRelay::start(Offer::QuicOnly).await;
    let alice = relay.connect().await;
    alice.stats();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let stats = alice.stats();
    assert!(stats.rtt.is_some_and(|rtt| rtt < Duration::from_secs(1)));
    assert!(stats.bytes_sent.is_some_and(|sent| sent > 0));
    assert!(stats.bytes_received.is_some_and(|received| received > 0));
}
