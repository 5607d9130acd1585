//! What a hostile client can send: it gets an error and is shown out, and nothing panics.

mod support;

use std::time::Duration;

use conclave_server::delivery::DeliveryService;
use conclave_server::limits::{Limits, MAX_FRAME};
use conclave_wire::{ClientMessage, Commit, ErrorCode, ServerMessage, VERSION};
use rand::{Rng as _, SeedableRng as _};
use support::*;

#[tokio::test]
async fn what_is_no_message_closes_the_connection() {
    let service = DeliveryService::in_memory(Limits::default());
    let cases: [(Vec<u8>, ErrorCode); 5] = [
        (vec![], ErrorCode::Malformed),
        (vec![VERSION], ErrorCode::Malformed),
        (vec![VERSION, 0xff, 0xff], ErrorCode::Malformed),
        (vec![VERSION + 1, 0], ErrorCode::UnsupportedVersion),
        (vec![VERSION; MAX_FRAME + 1], ErrorCode::TooLarge),
    ];
    for (frame, code) in cases {
        let mut client = Client::new(&service);
        client.send_raw(&frame).await;
        client.expect_error(code).await;
        assert_eq!(client.next().await, None);
    }
}

#[tokio::test]
async fn a_message_at_the_wrong_time_closes_the_connection() {
    let service = DeliveryService::in_memory(Limits::default());
    let (mut host, first) = host(&service).await;
    let mut stranger = Client::new(&service);
    stranger.send(publish(b"not a member")).await;
    stranger.expect_error(ErrorCode::Malformed).await;
    assert_eq!(stranger.next().await, None);

    host.send(ClientMessage::Attach(attach_message(1, 0, first)))
        .await;
    host.expect_error(ErrorCode::Malformed).await;
    assert_eq!(host.next().await, None);
}

#[tokio::test]
async fn broken_and_random_frames_break_nothing() {
    let service = DeliveryService::in_memory(Limits {
        too_fast_in_a_row: 0,
        ..Limits::default()
    });
    let (mut host, _) = host(&service).await;
    let mut random = rand::rngs::StdRng::seed_from_u64(0x5eed);
    let whole = [
        ClientMessage::Open(open_message(3, 0)),
        ClientMessage::Knock(knock_message(3)),
        ClientMessage::Attach(attach_message(3, 0, 0)),
        ClientMessage::Commit(admitting(0, &[device(3)])),
    ];
    for round in 0..2000 {
        let frame = broken(&whole[round % whole.len()], &mut random);
        let mut client = Client::new(&service);
        client.send_raw(&frame).await;
        client.close().await;
    }
    // Whatever knocked or came meanwhile has gone; the host is still served.
    host.send(publish(b"after the storm")).await;
    while !matches!(host.expect().await, ServerMessage::Entry(_)) {}
}

#[tokio::test]
async fn broken_frames_of_a_member_break_nothing() {
    let service = DeliveryService::in_memory(Limits::default());
    let (mut host, _) = host(&service).await;
    let mut random = rand::rngs::StdRng::seed_from_u64(0x5eed);
    let renewed = Commit {
        door: Some(door(&knock_token(), b"another")),
        ..admitting(0, &[device(3)])
    };
    let whole = [
        signal(b"signal"),
        direct(1, b"direct"),
        ClientMessage::Describe(door(&knock_token(), b"another")),
        ClientMessage::WantKnocks(true),
        ClientMessage::Commit(renewed),
        publish(b"entry"),
    ];
    for round in 0..1000 {
        let frame = broken(&whole[round % whole.len()], &mut random);
        let mut member = Client::new(&service);
        member
            .send(ClientMessage::Attach(attach_message(2, 0, 0)))
            .await;
        member.send_raw(&frame).await;
    }
    host.send(publish(b"after the storm")).await;
    loop {
        if let ServerMessage::Entry(entry) = host.expect().await
            && entry.from == device(1)
        {
            break;
        }
    }
}

/// The message with some bytes changed, and perhaps cut short.
fn broken(message: &ClientMessage, random: &mut rand::rngs::StdRng) -> Vec<u8> {
    let mut frame = message.encode().unwrap();
    for _ in 0..random.random_range(1..4) {
        let at = random.random_range(1..frame.len());
        frame[at] = random.random();
    }
    frame.truncate(random.random_range(1..=frame.len()));
    frame
}

#[tokio::test(start_paused = true)]
async fn a_flood_is_slowed_down_and_then_cut_off() {
    let limits = Limits {
        message_burst: 5,
        messages_per_s: 1,
        too_fast_in_a_row: 2,
        ..Limits::default()
    };
    let service = DeliveryService::in_memory(limits);
    let (mut host, _) = host(&service).await;
    for n in 0..4 {
        host.send(publish(&[n])).await;
        host.expect_entry().await;
    }
    host.send(publish(b"too fast")).await;
    host.expect_error(ErrorCode::TooFast).await;
    tokio::time::advance(Duration::from_millis(1100)).await;
    host.send(publish(b"slower")).await;
    host.expect_entry().await;

    for _ in 0..3 {
        host.send(publish(b"flood")).await;
        host.expect_error(ErrorCode::TooFast).await;
    }
    assert_eq!(host.next().await, None);
}

#[tokio::test]
async fn who_does_not_read_is_let_go_and_the_others_are_told() {
    let service = DeliveryService::in_memory(Limits {
        outbox: 4,
        ..Limits::default()
    });
    let (mut deaf, _) = host(&service).await;
    let mut other = Client::new(&service);
    other
        .send(ClientMessage::Attach(attach_message(2, 0, 0)))
        .await;
    other.attached().await;
    for n in 3..10 {
        let mut guest = Client::new(&service);
        guest.send(ClientMessage::Knock(knock_message(n))).await;
        guest.close().await;
    }
    other.expect_silence().await;
    other.expect_silence().await;
    assert!(other.presence.contains(&(device(1), false)));
    while deaf.next().await.is_some() {}
}
