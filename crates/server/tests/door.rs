//! The door: a new link and a new descriptor, alone or with a commit, and who sees who knocks.

mod support;

use conclave_server::delivery::{DeliveryService, MemoryLog};
use conclave_server::limits::Limits;
use conclave_wire::{ClientMessage, Commit, ErrorCode, Knock, ServerMessage, Token};
use support::*;

fn new_token() -> Token {
    Token([0xbb; 32])
}

fn describe(knock_token: &Token, descriptor: &[u8]) -> ClientMessage {
    ClientMessage::Describe(door(knock_token, descriptor))
}

/// What the door shows to the holder of a token.
async fn shown(client: &mut Client<MemoryLog>, knock_token: Token) -> Result<Vec<u8>, ErrorCode> {
    client
        .send(ClientMessage::Look {
            meeting: MEETING,
            knock_token,
        })
        .await;
    match client.expect().await {
        ServerMessage::Descriptor { descriptor } => Ok(descriptor.into_vec()),
        ServerMessage::Error { code } => Err(code),
        other => panic!("a descriptor was expected, not {other:?}"),
    }
}

fn withdrawn(n: u8) -> ServerMessage {
    ServerMessage::KnockWithdrawn { device: device(n) }
}

#[tokio::test]
async fn a_new_door_takes_the_place_of_the_old_as_a_whole() {
    let service = DeliveryService::in_memory(Limits::default());
    let (mut host, _) = host(&service).await;
    let mut guest = Client::new(&service);
    assert_eq!(
        shown(&mut guest, knock_token()).await,
        Ok(b"sealed descriptor".to_vec())
    );

    host.send(describe(&new_token(), b"another")).await;
    assert_eq!(
        shown(&mut guest, knock_token()).await,
        Err(ErrorCode::WrongKnockToken)
    );
    guest.send(ClientMessage::Knock(knock_message(2))).await;
    guest.expect_error(ErrorCode::WrongKnockToken).await;
    // Who has looked with the old link is still there, and may use the new one.
    assert_eq!(
        shown(&mut guest, new_token()).await,
        Ok(b"another".to_vec())
    );
    let knock = Knock {
        knock_token: new_token(),
        ..knock_message(2)
    };
    guest.send(ClientMessage::Knock(knock)).await;
    assert_eq!(guest.expect().await, ServerMessage::Waiting);
    host.expect_knock(2).await;
}

#[tokio::test]
async fn who_waits_with_a_revoked_link_is_refused_and_all_who_saw_it_are_told() {
    let service = DeliveryService::in_memory(Limits::default());
    let (mut host, _) = host(&service).await;
    let mut second = member(&service, 9, 0).await;
    let mut first = waiting(&service, &mut host, 2).await;
    let mut other = waiting(&service, &mut host, 3).await;

    // Any member may: the service knows no roles.
    second.send(describe(&new_token(), b"another")).await;
    for guest in [&mut first, &mut other] {
        assert_eq!(guest.expect().await, ServerMessage::Refused);
        // It is a stranger again, not gone.
        assert_eq!(shown(guest, new_token()).await, Ok(b"another".to_vec()));
    }
    let told = [host.expect().await, host.expect().await];
    assert!(told.contains(&withdrawn(2)) && told.contains(&withdrawn(3)));
    second.expect_silence().await;

    // And they are not let in by a commit that still names them.
    host.send(ClientMessage::Commit(admitting(0, &[device(2)])))
        .await;
    host.expect_entry().await;
    first.expect_silence().await;
}

#[tokio::test]
async fn a_new_descriptor_under_the_same_link_is_shown_to_those_who_wait() {
    let service = DeliveryService::in_memory(Limits::default());
    let (mut host, _) = host(&service).await;
    let mut guest = waiting(&service, &mut host, 2).await;
    host.send(describe(&knock_token(), b"a new title")).await;
    let ServerMessage::Descriptor { descriptor } = guest.expect().await else {
        panic!("whoever waits sees the new door");
    };
    assert_eq!(descriptor.as_slice(), b"a new title");
    guest.expect_silence().await;
    host.expect_silence().await;
    let mut other = Client::new(&service);
    assert_eq!(
        shown(&mut other, knock_token()).await,
        Ok(b"a new title".to_vec())
    );
    host.send(ClientMessage::Commit(admitting(0, &[device(2)])))
        .await;
    assert!(matches!(
        guest.expect().await,
        ServerMessage::Welcome { .. }
    ));
}

#[tokio::test]
async fn only_members_change_the_door_or_see_who_knocks() {
    let service = DeliveryService::in_memory(Limits::default());
    let (mut host, _) = host(&service).await;
    let hostile = || {
        [
            describe(&new_token(), b"forged"),
            ClientMessage::WantKnocks(true),
        ]
    };
    for message in hostile() {
        let mut stranger = Client::new(&service);
        stranger.send(message.clone()).await;
        stranger.expect_end(ErrorCode::Malformed).await;

        let mut knocker = waiting(&service, &mut host, 2).await;
        knocker.send(message).await;
        knocker.expect_end(ErrorCode::Malformed).await;
        knocker.close().await;
        assert_eq!(host.expect().await, withdrawn(2));
    }

    let (mut removed, _) = let_in(&service, &mut host, 3, 0).await;
    host.send(ClientMessage::Commit(removing(1, &[device(3)])))
        .await;
    host.expect_entry().await;
    let _waits = waiting(&service, &mut host, 4).await;
    for message in hostile() {
        removed.send(message).await;
        removed.expect_error(ErrorCode::NotAMember).await;
    }
    let mut guest = Client::new(&service);
    assert_eq!(
        shown(&mut guest, knock_token()).await,
        Ok(b"sealed descriptor".to_vec())
    );
}

#[tokio::test]
async fn a_commit_changes_the_door_with_the_epoch() {
    let service = DeliveryService::in_memory(Limits::default());
    let (mut host, _) = host(&service).await;
    let mut admitted = waiting(&service, &mut host, 2).await;
    let mut refused = waiting(&service, &mut host, 3).await;
    let commit = Commit {
        door: Some(door(&new_token(), b"another")),
        ..admitting(0, &[device(2)])
    };
    host.send(ClientMessage::Commit(commit)).await;

    // Whom the commit lets in is in, although it came by the old link.
    assert!(matches!(
        admitted.expect().await,
        ServerMessage::Welcome { epoch: 1, .. }
    ));
    assert_eq!(refused.expect().await, ServerMessage::Refused);
    host.expect_entry().await;
    assert_eq!(host.expect().await, withdrawn(3));
    let mut guest = Client::new(&service);
    assert_eq!(
        shown(&mut guest, knock_token()).await,
        Err(ErrorCode::WrongKnockToken)
    );
    assert_eq!(
        shown(&mut guest, new_token()).await,
        Ok(b"another".to_vec())
    );
}

#[tokio::test]
async fn a_commit_that_is_not_taken_leaves_the_door() {
    let service = DeliveryService::in_memory(Limits {
        members: 2,
        ..Limits::default()
    });
    let (mut host, _) = host(&service).await;
    let mut second = member(&service, 9, 0).await;
    let mut guest = waiting(&service, &mut host, 2).await;
    second
        .send(ClientMessage::Commit(commit_message(0, b"first")))
        .await;
    second.expect_entry().await;
    host.expect_entry().await;

    let late = Commit {
        door: Some(door(&new_token(), b"another")),
        ..commit_message(0, b"second")
    };
    host.send(ClientMessage::Commit(late)).await;
    assert_eq!(
        host.expect().await,
        ServerMessage::CommitConflict { epoch: 1 }
    );
    let crowded = Commit {
        door: Some(door(&new_token(), b"another")),
        ..admitting(1, &[device(2)])
    };
    host.send(ClientMessage::Commit(crowded)).await;
    host.expect_error(ErrorCode::Full).await;

    guest.expect_silence().await;
    let mut other = Client::new(&service);
    assert_eq!(
        shown(&mut other, knock_token()).await,
        Ok(b"sealed descriptor".to_vec())
    );
}

#[tokio::test]
async fn who_begins_to_want_knocks_is_shown_those_who_wait() {
    let service = DeliveryService::in_memory(Limits::default());
    let (mut host, _) = host(&service).await;
    let mut second = member(&service, 9, 0).await;
    let guest = waiting(&service, &mut host, 2).await;
    second.expect_silence().await;

    second.send(ClientMessage::WantKnocks(true)).await;
    second.expect_knock(2).await;
    let _other = waiting(&service, &mut host, 3).await;
    second.expect_knock(3).await;

    host.send(ClientMessage::WantKnocks(false)).await;
    guest.close().await;
    assert_eq!(second.expect().await, withdrawn(2));
    host.expect_silence().await;
}

#[tokio::test]
async fn a_withdrawal_told_before_does_not_undo_who_waits_now() {
    let service = DeliveryService::in_memory(Limits::default());
    let (mut host, _) = host(&service).await;
    let guest = waiting(&service, &mut host, 2).await;
    // The host reads none of this before it is all done.
    guest.close().await;
    host.send(ClientMessage::WantKnocks(false)).await;
    let mut again = Client::new(&service);
    again.send(ClientMessage::Knock(knock_message(2))).await;
    host.send(ClientMessage::WantKnocks(true)).await;

    assert_eq!(host.expect().await, withdrawn(2));
    host.expect_knock(2).await;
}
