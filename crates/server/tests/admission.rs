//! From a link to membership: create, look, knock, admit, refuse, withdraw.

mod support;

use std::time::Duration;

use conclave_server::delivery::DeliveryService;
use conclave_server::limits::Limits;
use conclave_wire::{ClientMessage, EntryBody, ErrorCode, Knock, MeetingId, ServerMessage, Token};
use support::*;

#[tokio::test]
async fn a_holder_of_the_link_reads_the_descriptor_and_nobody_else_does() {
    let service = DeliveryService::in_memory(Limits::default());
    let _host = host(&service).await;
    let mut guest = Client::new(&service);
    let look = |knock_token| ClientMessage::Look {
        meeting: MEETING,
        knock_token,
    };

    guest.send(look(Token([1; 32]))).await;
    guest.expect_error(ErrorCode::WrongKnockToken).await;
    guest.send(look(knock_token())).await;
    assert_eq!(
        guest.expect().await,
        ServerMessage::Descriptor {
            descriptor: blob(b"sealed descriptor")
        }
    );
    guest
        .send(ClientMessage::Look {
            meeting: MeetingId([9; 16]),
            knock_token: knock_token(),
        })
        .await;
    guest.expect_error(ErrorCode::NoSuchMeeting).await;
}

#[tokio::test]
async fn a_knock_reaches_the_host_and_a_commit_lets_the_guest_in() {
    let service = DeliveryService::in_memory(Limits::default());
    let (mut host, first) = host(&service).await;
    let (mut guest, next_seq) = let_in(&service, &mut host, 2, 0).await;
    assert_eq!(next_seq, first + 1);

    guest.send(publish(b"hello")).await;
    for client in [&mut host, &mut guest] {
        let entry = client.expect_entry().await;
        assert_eq!((entry.seq, entry.from), (next_seq, device(2)));
        assert_eq!(
            entry.body,
            EntryBody::Application {
                message: blob(b"hello")
            }
        );
    }
    host.expect_silence().await;
    assert_eq!(host.presence, [(device(2), true)]);
    guest.expect_silence().await;
    assert_eq!(guest.presence, [(device(1), true)]);
}

#[tokio::test]
async fn a_wrong_token_does_not_even_knock() {
    let service = DeliveryService::in_memory(Limits::default());
    let (mut host, _) = host(&service).await;
    let mut thief = Client::new(&service);
    thief
        .send(ClientMessage::Knock(Knock {
            knock_token: Token([3; 32]),
            ..knock_message(2)
        }))
        .await;
    thief.expect_error(ErrorCode::WrongKnockToken).await;
    host.expect_silence().await;
}

#[tokio::test]
async fn a_refused_guest_is_told_and_may_knock_again() {
    let service = DeliveryService::in_memory(Limits::default());
    let (mut host, _) = host(&service).await;
    let mut guest = Client::new(&service);
    for _ in 0..2 {
        guest.send(ClientMessage::Knock(knock_message(2))).await;
        assert_eq!(guest.expect().await, ServerMessage::Waiting);
        assert!(matches!(host.expect().await, ServerMessage::Knock { .. }));
        host.send(ClientMessage::Refuse { device: device(2) }).await;
        assert_eq!(guest.expect().await, ServerMessage::Refused);
    }
    host.send(ClientMessage::Commit(admitting(0, &[device(2)])))
        .await;
    host.expect_entry().await;
    guest.expect_silence().await;
}

#[tokio::test]
async fn a_guest_who_hangs_up_is_no_longer_at_the_door() {
    let service = DeliveryService::in_memory(Limits::default());
    let (mut host, _) = host(&service).await;
    let mut guest = Client::new(&service);
    guest.send(ClientMessage::Knock(knock_message(2))).await;
    assert!(matches!(host.expect().await, ServerMessage::Knock { .. }));
    guest.close().await;
    assert_eq!(
        host.expect().await,
        ServerMessage::KnockWithdrawn { device: device(2) }
    );
}

#[tokio::test]
async fn a_host_who_comes_later_sees_who_waits() {
    let service = DeliveryService::in_memory(Limits::default());
    let (host, first) = host(&service).await;
    host.close().await;
    let mut guest = Client::new(&service);
    guest.send(ClientMessage::Knock(knock_message(2))).await;
    assert_eq!(guest.expect().await, ServerMessage::Waiting);

    let mut host = Client::new(&service);
    let mut attach = attach_message(1, 0, first);
    attach.wants_knocks = true;
    host.send(ClientMessage::Attach(attach)).await;
    host.attached().await;
    assert_eq!(
        host.expect().await,
        ServerMessage::Knock {
            device: device(2),
            card: blob(&[2; 40])
        }
    );
}

#[tokio::test]
async fn nobody_knocks_under_a_device_id_that_is_taken() {
    let service = DeliveryService::in_memory(Limits::default());
    let (mut host, _) = host(&service).await;
    let (_guest, _) = let_in(&service, &mut host, 2, 0).await;
    let mut thief = Client::new(&service);
    thief
        .send(ClientMessage::Knock(Knock {
            device_hash: Token([8; 32]).hash(),
            ..knock_message(2)
        }))
        .await;
    thief.expect_error(ErrorCode::Malformed).await;
    assert_eq!(thief.next().await, None);
    host.expect_silence().await;
}

#[tokio::test]
async fn tables_have_bounds() {
    let limits = Limits {
        meetings: 1,
        knocks: 1,
        members: 2,
        ..Limits::default()
    };
    let service = DeliveryService::in_memory(limits);
    let (mut host, _) = host(&service).await;

    let mut other = open_message(9, 0);
    other.meeting = MeetingId([7; 16]);
    let mut opener = Client::new(&service);
    opener.send(ClientMessage::Open(other)).await;
    opener.expect_error(ErrorCode::Full).await;

    let (_guest, _) = let_in(&service, &mut host, 2, 0).await;
    let mut first = Client::new(&service);
    first.send(ClientMessage::Knock(knock_message(3))).await;
    assert_eq!(first.expect().await, ServerMessage::Waiting);
    let mut second = Client::new(&service);
    second.send(ClientMessage::Knock(knock_message(4))).await;
    second.expect_error(ErrorCode::Full).await;

    assert!(matches!(host.expect().await, ServerMessage::Knock { .. }));
    host.send(ClientMessage::Commit(admitting(1, &[device(3)])))
        .await;
    host.expect_error(ErrorCode::Full).await;
}

#[tokio::test(start_paused = true)]
async fn a_meeting_ends_with_its_lifetime_and_late_guests_are_told() {
    let service = DeliveryService::in_memory(Limits::default());
    let (mut host, _) = host(&service).await;
    tokio::time::advance(Duration::from_secs(3599)).await;
    service.sweep().await;
    host.expect_silence().await;

    tokio::time::advance(Duration::from_secs(2)).await;
    service.sweep().await;
    host.expect_error(ErrorCode::MeetingOver).await;
    assert_eq!(host.next().await, None);
    let mut guest = Client::new(&service);
    guest.send(ClientMessage::Knock(knock_message(2))).await;
    guest.expect_error(ErrorCode::MeetingOver).await;
    assert_eq!(service.open_meetings(), 0);
}

#[tokio::test]
async fn a_meeting_that_all_have_left_is_forgotten() {
    let service = DeliveryService::in_memory(Limits::default());
    let (mut host, _) = host(&service).await;
    let mut guest = Client::new(&service);
    guest.send(ClientMessage::Knock(knock_message(2))).await;
    assert_eq!(guest.expect().await, ServerMessage::Waiting);
    host.send(ClientMessage::Leave).await;
    guest.expect_error(ErrorCode::NoSuchMeeting).await;
    assert_eq!(service.open_meetings(), 0);
}
