//! Rights to the media relay: scoped, short-lived, and gone with the membership.

mod support;

use std::time::Duration;

use conclave_server::delivery::{DeliveryService, Grants, MemoryLog, NotGranted};
use conclave_server::limits::Limits;
use conclave_wire::{ClientMessage, ErrorCode, MeetingId, ServerMessage};
use support::*;
use tokio::time::Instant;

async fn grant(client: &mut Client<MemoryLog>) -> (String, String) {
    client.send(ClientMessage::RequestGrant).await;
    match client.expect().await {
        ServerMessage::Grant {
            path,
            token,
            lifetime_s: 60,
        } => (path, token),
        other => panic!("a grant was expected, not {other:?}"),
    }
}

#[tokio::test]
async fn a_grant_binds_a_device_to_its_own_name_in_its_own_meeting() {
    let service = DeliveryService::in_memory(Limits::default());
    let (mut host, _) = host(&service).await;
    let (path, token) = grant(&mut host).await;
    assert_eq!(path, "/m/4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d");
    let grants = service.grants();
    let redeem = |path: &str, token: &str| {
        grants
            .redeem(path, token, Instant::now())
            .map(|right| right.device)
    };

    let right = grants.redeem(&path, &token, Instant::now()).unwrap();
    assert_eq!((right.meeting, right.device), (MEETING, device(1)));
    assert_eq!(right.publish_pattern(), format!("{}/**", device(1)));
    assert_eq!(right.subscribe_pattern(), "**");

    let elsewhere = Grants::path(MeetingId([1; 16]));
    assert_eq!(redeem(&elsewhere, &token), Err(NotGranted::Unknown));
    assert_eq!(redeem("/", &token), Err(NotGranted::Malformed));
    assert_eq!(
        redeem(&path.to_uppercase(), &token),
        Err(NotGranted::Malformed)
    );
    assert_eq!(
        redeem(&path.replace("4d", "4D"), &token),
        Err(NotGranted::Malformed)
    );
    assert_eq!(
        redeem(&format!("{path}/"), &token),
        Err(NotGranted::Malformed)
    );
    assert_eq!(redeem(&path, ""), Err(NotGranted::Malformed));
    assert_eq!(redeem(&path, &token[1..]), Err(NotGranted::Malformed));
    let mut other = token.into_bytes();
    other[0] = if other[0] == b'A' { b'B' } else { b'A' };
    assert_eq!(
        redeem(&path, str::from_utf8(&other).unwrap()),
        Err(NotGranted::Unknown)
    );
}

#[tokio::test(start_paused = true)]
async fn a_grant_lives_for_a_minute_and_the_session_made_of_it_for_longer() {
    let service = DeliveryService::in_memory(Limits::default());
    let (mut host, _) = host(&service).await;
    let (path, token) = grant(&mut host).await;
    let grants = service.grants();
    let mut right = grants.redeem(&path, &token, Instant::now()).unwrap();
    tokio::time::advance(Duration::from_secs(61)).await;
    service.sweep().await;
    assert_eq!(
        grants.redeem(&path, &token, Instant::now()).unwrap_err(),
        NotGranted::Unknown
    );
    assert!(right.withdrawn.try_recv().is_err(), "the session goes on");
}

#[tokio::test]
async fn removal_and_leaving_end_media_at_once() {
    let service = DeliveryService::in_memory(Limits::default());
    let grants = service.grants();
    let (mut host, _) = host(&service).await;
    let (mut guest, _) = let_in(&service, &mut host, 2, 0).await;

    let (path, token) = grant(&mut guest).await;
    let right = grants.redeem(&path, &token, Instant::now()).unwrap();
    host.send(ClientMessage::Commit(removing(1, &[device(2)])))
        .await;
    assert_eq!(right.withdrawn.await, Ok(()));
    assert_eq!(
        grants.redeem(&path, &token, Instant::now()).unwrap_err(),
        NotGranted::Unknown
    );
    guest.send(ClientMessage::RequestGrant).await;
    guest.expect_error(ErrorCode::NotAMember).await;

    let (path, token) = grant_after_entries(&mut host).await;
    let right = grants.redeem(&path, &token, Instant::now()).unwrap();
    host.send(ClientMessage::Leave).await;
    assert_eq!(right.withdrawn.await, Ok(()));
    assert_eq!(
        grants.redeem(&path, &token, Instant::now()).unwrap_err(),
        NotGranted::Unknown
    );
}

async fn grant_after_entries(client: &mut Client<MemoryLog>) -> (String, String) {
    client.send(ClientMessage::RequestGrant).await;
    loop {
        match client.expect().await {
            ServerMessage::Grant { path, token, .. } => return (path, token),
            ServerMessage::Entry(_) => {}
            other => panic!("a grant was expected, not {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_device_holds_few_grants_and_few_sessions() {
    let service = DeliveryService::in_memory(Limits {
        relay_sessions_per_device: 2,
        ..Limits::default()
    });
    let grants = service.grants();
    let (mut host, _) = host(&service).await;
    let (path, oldest) = grant(&mut host).await;
    let mut newest = String::new();
    for _ in 0..4 {
        newest = grant(&mut host).await.1;
    }
    let redeem = |token: &str| grants.redeem(&path, token, Instant::now());
    assert_eq!(redeem(&oldest).unwrap_err(), NotGranted::Unknown);
    let first = redeem(&newest).unwrap();
    let _second = redeem(&newest).unwrap();
    assert_eq!(redeem(&newest).unwrap_err(), NotGranted::TooMany);
    drop(first);
    assert!(redeem(&newest).is_ok(), "an ended session makes room");
}

#[tokio::test]
async fn strangers_and_guests_at_the_door_get_no_grant() {
    let service = DeliveryService::in_memory(Limits::default());
    let (_host, _) = host(&service).await;
    let mut stranger = Client::new(&service);
    stranger.send(ClientMessage::RequestGrant).await;
    stranger.expect_error(ErrorCode::Malformed).await;
    assert_eq!(stranger.next().await, None);

    let mut guest = Client::new(&service);
    guest.send(ClientMessage::Knock(knock_message(2))).await;
    assert_eq!(guest.expect().await, ServerMessage::Waiting);
    guest.send(ClientMessage::RequestGrant).await;
    guest.expect_error(ErrorCode::Malformed).await;
    assert_eq!(guest.next().await, None);
}
