//! Who a device is, and which proof of membership holds.

mod support;

use conclave_server::delivery::DeliveryService;
use conclave_server::limits::Limits;
use conclave_wire::{
    Attach, ClientMessage, Commit, ErrorCode, Knock, OpenMeeting, ServerMessage, Token,
};
use support::*;

#[tokio::test]
async fn after_a_restart_a_member_cannot_attach_under_anothers_id() {
    // The meeting was restored by one, and the service knows nobody else yet.
    let restarted = DeliveryService::in_memory(Limits::default());
    let (_host, _) = host(&restarted).await;
    let mut insider = Client::new(&restarted);
    let stolen = Attach {
        device: device(2),
        ..attach_message(3, 0, 0)
    };
    insider.send(ClientMessage::Attach(stolen)).await;
    insider.expect_error(ErrorCode::NotAMember).await;

    let mut owner = Client::new(&restarted);
    owner
        .send(ClientMessage::Attach(attach_message(2, 0, 0)))
        .await;
    assert!(!owner.attached().await.0);
    // Under its own id the insider is welcome.
    insider
        .send(ClientMessage::Attach(attach_message(3, 0, 0)))
        .await;
    assert!(!insider.attached().await.0);
}

#[tokio::test]
async fn nobody_opens_a_meeting_under_anothers_id() {
    let service = DeliveryService::in_memory(Limits::default());
    let mut insider = Client::new(&service);
    let stolen = OpenMeeting {
        device: device(2),
        ..open_message(3, 0)
    };
    insider.send(ClientMessage::Open(stolen)).await;
    insider.expect_error(ErrorCode::NotAMember).await;
    assert_eq!(service.open_meetings(), 0);
    insider.send(ClientMessage::Open(open_message(3, 0))).await;
    insider.attached().await;
}

#[tokio::test]
async fn nobody_knocks_under_anothers_id() {
    let service = DeliveryService::in_memory(Limits::default());
    let (mut host, _) = host(&service).await;
    // Neither under one that is free, nor under one of somebody who waits.
    let _waits = waiting(&service, &mut host, 4).await;
    for n in [2, 4] {
        let mut thief = Client::new(&service);
        let stolen = Knock {
            device_hash: device_token(3).hash(),
            ..knock_message(n)
        };
        thief.send(ClientMessage::Knock(stolen)).await;
        thief.expect_end(ErrorCode::Malformed).await;
    }
    host.expect_silence().await;
}

/// The log takes whatever comes first for an epoch. Members who find that commit unlawful stay in
/// the epoch before it, and that epoch's token must go on to prove that they are members.
#[tokio::test]
async fn who_refuses_a_commit_that_the_log_took_still_proves_its_own_epoch() {
    let service = DeliveryService::in_memory(Limits::default());
    let (mut host, _) = host(&service).await;
    let mut insider = member(&service, 9, 0).await;
    // Nobody but the insider knows the tokens of these epochs.
    for epoch in 0..50 {
        let unlawful = Commit {
            member_hash: Token([0x66; 32]).hash(),
            ..commit_message(epoch, b"unlawful")
        };
        insider.send(ClientMessage::Commit(unlawful)).await;
        insider.expect_entry().await;
        host.expect_entry().await;
    }
    for n in [2, 3] {
        let mut lawful = member(&service, n, 0).await;
        lawful.send(publish(b"still here")).await;
        assert_eq!(host.expect_entry().await.from, device(n));
    }

    // A device that the service knows needs no proof at all.
    host.close().await;
    let mut back = Client::new(&service);
    back.send(ClientMessage::Attach(attach_message(1, 7777, 0)))
        .await;
    assert_eq!(back.attached().await.1, 50);

    // What nobody was ever in proves nothing.
    let mut stranger = Client::new(&service);
    let wrong = attach_message(5, 1, 0);
    stranger.send(ClientMessage::Attach(wrong)).await;
    stranger.expect_error(ErrorCode::NotAMember).await;
}

#[tokio::test]
async fn a_proof_of_an_epoch_before_its_removal_lets_nobody_back() {
    let service = DeliveryService::in_memory(Limits::default());
    let (mut host, _) = host(&service).await;
    host.send(ClientMessage::Commit(removing(0, &[device(2)])))
        .await;
    host.expect_entry().await;
    let mut removed = Client::new(&service);
    removed
        .send(ClientMessage::Attach(attach_message(2, 0, 0)))
        .await;
    removed.expect_error(ErrorCode::NotAMember).await;
    let mut other = Client::new(&service);
    other
        .send(ClientMessage::Attach(attach_message(3, 0, 0)))
        .await;
    other.attached().await;
    assert!(matches!(other.expect().await, ServerMessage::Entry(_)));
}
