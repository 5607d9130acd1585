//! Signals: to those who are there, kept by nobody, and never at the cost of anything else.

mod support;

use std::time::Duration;

use conclave_server::delivery::DeliveryService;
use conclave_server::limits::Limits;
use conclave_wire::{ClientMessage, ErrorCode, MAX_DIRECT, MAX_SIGNAL, ServerMessage, VERSION};
use support::*;

#[tokio::test]
async fn a_signal_reaches_the_others_who_are_connected_and_no_log() {
    let service = DeliveryService::in_memory(Limits::default());
    let (mut host, _) = host(&service).await;
    let mut second = member(&service, 2, 0).await;
    let mut third = member(&service, 3, 0).await;
    let away = member(&service, 4, 0).await;
    away.close().await;

    second.send(signal(b"heartbeat")).await;
    for other in [&mut host, &mut third] {
        assert_eq!(other.expect().await, signal_of(2, b"heartbeat"));
    }
    second.expect_silence().await;

    // Who comes back has missed it for good.
    let mut back = member(&service, 4, 0).await;
    back.expect_silence().await;
    host.send(publish(b"an entry")).await;
    assert!(matches!(back.expect().await, ServerMessage::Entry(_)));
}

#[tokio::test]
async fn a_direct_signal_reaches_one_device() {
    let service = DeliveryService::in_memory(Limits::default());
    let (mut host, _) = host(&service).await;
    let mut second = member(&service, 2, 0).await;
    let mut third = member(&service, 3, 0).await;

    second.send(direct(3, b"for you alone")).await;
    assert_eq!(third.expect().await, signal_of(2, b"for you alone"));
    let large = vec![7; MAX_DIRECT];
    second.send(direct(1, &large)).await;
    assert_eq!(host.expect().await, signal_of(2, &large));
    third.expect_silence().await;
}

#[tokio::test]
async fn a_direct_signal_for_nobody_is_lost_without_a_word() {
    let service = DeliveryService::in_memory(Limits::default());
    let (mut host, _) = host(&service).await;
    let away = member(&service, 2, 0).await;
    away.close().await;
    let mut knocker = waiting(&service, &mut host, 3).await;

    // Away, at the door, unknown, itself.
    for n in [2, 3, 99, 1] {
        host.send(direct(n, b"lost")).await;
    }
    host.expect_silence().await;
    knocker.expect_silence().await;
    let mut back = member(&service, 2, 0).await;
    back.expect_silence().await;
}

#[tokio::test]
async fn only_members_signal() {
    let service = DeliveryService::in_memory(Limits::default());
    let (mut host, _) = host(&service).await;
    for message in [signal(b"hello"), direct(1, b"hello")] {
        let mut stranger = Client::new(&service);
        stranger.send(message.clone()).await;
        stranger.expect_end(ErrorCode::Malformed).await;

        let mut knocker = waiting(&service, &mut host, 2).await;
        knocker.send(message).await;
        knocker.expect_end(ErrorCode::Malformed).await;
        knocker.close().await;
        let withdrawn = ServerMessage::KnockWithdrawn { device: device(2) };
        assert_eq!(host.expect().await, withdrawn);
    }

    let (mut removed, _) = let_in(&service, &mut host, 3, 0).await;
    host.send(ClientMessage::Commit(removing(1, &[device(3)])))
        .await;
    host.expect_entry().await;
    // It speaks before it has read that it is out.
    removed.send(signal(b"from outside")).await;
    removed.send(direct(1, b"from outside")).await;
    removed.expect_error(ErrorCode::NotAMember).await;
    removed.expect_error(ErrorCode::NotAMember).await;
    host.expect_silence().await;
}

#[tokio::test]
async fn a_removed_device_hears_no_signal_after_its_removal() {
    let service = DeliveryService::in_memory(Limits::default());
    let (mut host, _) = host(&service).await;
    let (mut guest, _) = let_in(&service, &mut host, 2, 0).await;
    // One waits for the guest, who does not read yet.
    host.send(signal(b"among us")).await;
    host.send(ClientMessage::Commit(removing(1, &[device(2)])))
        .await;
    host.send(signal(b"without you")).await;
    assert!(matches!(guest.expect().await, ServerMessage::Entry(_)));
    assert_eq!(guest.expect().await, ServerMessage::Removed);
    assert_eq!(guest.next().await, None);
}

#[tokio::test]
async fn a_newcomer_is_welcomed_before_it_hears_a_signal() {
    let service = DeliveryService::in_memory(Limits::default());
    let (mut host, _) = host(&service).await;
    let mut guest = waiting(&service, &mut host, 2).await;
    host.send(signal(b"before")).await;
    host.send(ClientMessage::Commit(admitting(0, &[device(2)])))
        .await;
    host.send(signal(b"after")).await;
    assert!(matches!(
        guest.expect().await,
        ServerMessage::Welcome { .. }
    ));
    assert_eq!(guest.expect().await, signal_of(1, b"after"));
}

#[tokio::test]
async fn a_signal_does_not_overtake_what_its_sender_published_before() {
    let service = DeliveryService::in_memory(Limits::default());
    let (mut host, _) = host(&service).await;
    let mut second = member(&service, 2, 0).await;
    for n in 0..10u8 {
        host.send(publish(&[n])).await;
        host.send(signal(&[n])).await;
        // A reader that has nothing to do, and one that has been waiting for this.
        assert!(matches!(second.expect().await, ServerMessage::Entry(_)));
        assert_eq!(second.expect().await, signal_of(1, &[n]));
    }
}

#[tokio::test]
async fn a_signal_over_its_bound_closes_the_connection() {
    let service = DeliveryService::in_memory(Limits::default());
    let (mut host, _) = host(&service).await;
    let cases = [(signal(&[]), MAX_SIGNAL), (direct(1, &[]), MAX_DIRECT)];
    for (n, (empty, bound)) in (2..).zip(cases) {
        let mut other = member(&service, n, 0).await;
        // The last byte is the length of no bytes.
        let mut frame = empty.encode().unwrap();
        assert_eq!((frame[0], frame.pop()), (VERSION, Some(0)));
        let mut length = bound + 1;
        while length >= 0x80 {
            frame.push((length as u8 & 0x7f) | 0x80);
            length >>= 7;
        }
        frame.push(length as u8);
        frame.resize(frame.len() + bound + 1, 0);
        other.send_raw(&frame).await;
        other.expect_end(ErrorCode::Malformed).await;
    }
    host.expect_silence().await;
}

#[tokio::test]
async fn a_slow_reader_loses_signals_and_nothing_else() {
    let service = DeliveryService::in_memory(Limits {
        outbox: 4,
        signals: 3,
        ..Limits::default()
    });
    let (mut slow, _) = host(&service).await;
    let mut sender = member(&service, 2, 0).await;
    let mut other = member(&service, 3, 0).await;
    for n in 0..30u8 {
        sender.send(signal(&[n])).await;
        assert_eq!(other.expect().await, signal_of(2, &[n]));
    }
    // A knock is told to a device that cannot take another signal.
    let mut guest = Client::new(&service);
    guest.send(ClientMessage::Knock(knock_message(4))).await;
    for n in 0..10u8 {
        sender.send(publish(&[n])).await;
    }

    for _ in 0..10 {
        slow.expect_entry().await;
    }
    slow.expect_knock(4).await;
    for n in 0..3u8 {
        assert_eq!(slow.expect().await, signal_of(2, &[n]));
    }
    slow.expect_silence().await;
    sender.send(signal(b"again")).await;
    assert_eq!(slow.expect().await, signal_of(2, b"again"));
    assert!(!other.presence.contains(&(device(1), false)));
}

#[tokio::test]
async fn signals_that_wait_are_bounded_by_bytes_for_each_and_for_all() {
    for limits in [
        Limits {
            signal_bytes: 1000,
            ..Limits::default()
        },
        Limits {
            all_signal_bytes: 1000,
            ..Limits::default()
        },
    ] {
        let service = DeliveryService::in_memory(limits);
        let (mut slow, _) = host(&service).await;
        let mut sender = member(&service, 2, 0).await;
        sender.send(direct(1, &[1; 600])).await;
        sender.send(direct(1, &[2; 600])).await;
        sender.send(direct(1, &[3; 300])).await;
        assert_eq!(slow.expect().await, signal_of(2, &[1; 600]));
        assert_eq!(slow.expect().await, signal_of(2, &[3; 300]));
        // What was read makes room.
        sender.send(direct(1, &[4; 900])).await;
        assert_eq!(slow.expect().await, signal_of(2, &[4; 900]));
        slow.expect_silence().await;
    }
}

#[tokio::test]
async fn a_signal_to_many_costs_the_memory_of_one() {
    let service = DeliveryService::in_memory(Limits {
        all_signal_bytes: 1000,
        ..Limits::default()
    });
    let (mut host, _) = host(&service).await;
    let mut others = Vec::new();
    for n in 2..12 {
        others.push(member(&service, n, 0).await);
    }
    host.send(signal(&[1; 800])).await;
    for other in &mut others {
        assert_eq!(other.expect().await, signal_of(1, &[1; 800]));
    }
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_signals_is_cut_down_and_other_messages_still_pass() {
    let limits = Limits::default();
    let burst = limits.signal_burst;
    let pause = Duration::from_secs(1) / limits.signals_per_s + Duration::from_millis(1);
    let service = DeliveryService::in_memory(limits);
    let (mut flooder, _) = host(&service).await;
    let mut other = member(&service, 2, 0).await;
    for n in 0..burst {
        // To all and to one count alike.
        let message = [signal(b"flood"), direct(2, b"flood")];
        flooder.send(message[n as usize % 2].clone()).await;
        assert_eq!(other.expect().await, signal_of(1, b"flood"));
    }
    for message in [signal(b"too much"), direct(2, b"too much")] {
        flooder.send(message).await;
        flooder.expect_error(ErrorCode::TooFast).await;
    }
    flooder.send(publish(b"not a signal")).await;
    flooder.expect_entry().await;
    other.expect_entry().await;
    // Another's signals are another's.
    other.send(signal(b"calm")).await;
    assert_eq!(flooder.expect().await, signal_of(2, b"calm"));

    tokio::time::advance(pause).await;
    flooder.send(signal(b"slower")).await;
    assert_eq!(other.expect().await, signal_of(1, b"slower"));
    other.expect_silence().await;
}

#[tokio::test(start_paused = true)]
async fn who_will_not_stop_signalling_is_shown_out() {
    let service = DeliveryService::in_memory(Limits {
        signal_burst: 1,
        signals_per_s: 1,
        too_fast_in_a_row: 2,
        ..Limits::default()
    });
    let (mut flooder, _) = host(&service).await;
    flooder.send(signal(b"one")).await;
    for _ in 0..3 {
        flooder.send(signal(b"too much")).await;
        flooder.expect_error(ErrorCode::TooFast).await;
    }
    assert_eq!(flooder.next().await, None);
}
