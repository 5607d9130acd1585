//! The log: one winner for each epoch, resuming, bounds, and what a restart means.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use conclave_server::delivery::{AppendError, DeliveryService, Log, MemoryLog, ReadError};
use conclave_server::limits::Limits;
use conclave_wire::{
    Attach, ClientMessage, Entry, EntryBody, ErrorCode, MeetingId, ServerMessage, Token,
};
use support::*;

const RACERS: u8 = 16;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_commits_that_end_an_epoch_one_wins_and_all_learn_which() {
    const ROUNDS: u64 = 10;
    let service = DeliveryService::in_memory(Limits::default());
    let (mut host, _) = host(&service).await;
    let mut racers = Vec::new();
    for n in 2..2 + RACERS {
        let mut racer = Client::new(&service);
        racer
            .send(ClientMessage::Attach(attach_message(n, 0, 0)))
            .await;
        racer.attached().await;
        racers.push(racer);
    }

    let races = racers.into_iter().enumerate().map(|(n, mut racer)| {
        tokio::spawn(async move {
            let mut won = Vec::new();
            let mut seen = Vec::new();
            for epoch in 0..ROUNDS {
                racer
                    .send(ClientMessage::Commit(commit_message(epoch, &[n as u8])))
                    .await;
                let mut lost = None;
                // The winner's entry may come before or after the news of having lost.
                while seen.len() as u64 <= epoch || lost.is_none() {
                    match racer.expect().await {
                        ServerMessage::CommitConflict { epoch: at } => {
                            assert!(at > epoch);
                            lost = Some(true);
                        }
                        ServerMessage::Entry(Entry {
                            from,
                            body: EntryBody::Commit { epoch: begun, .. },
                            ..
                        }) => {
                            assert_eq!(begun, seen.len() as u64 + 1);
                            seen.push(from);
                            if begun == epoch + 1 && from == device(n as u8 + 2) {
                                won.push(epoch);
                                lost = Some(false);
                            }
                        }
                        other => panic!("{other:?}"),
                    }
                }
            }
            (won, seen)
        })
    });
    let mut winners = Vec::new();
    let mut histories = Vec::new();
    for race in races.collect::<Vec<_>>() {
        let (won, seen) = race.await.unwrap();
        winners.extend(won);
        histories.push(seen);
    }
    winners.sort_unstable();
    assert_eq!(
        winners,
        (0..ROUNDS).collect::<Vec<_>>(),
        "one winner for each epoch"
    );
    assert!(
        histories.windows(2).all(|pair| pair[0] == pair[1]),
        "all saw the same history"
    );
    let mut last = 0;
    while last < ROUNDS {
        if let EntryBody::Commit { epoch, .. } = host.expect_entry().await.body {
            last = epoch;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn appending_is_a_compare_and_set() {
    let log = Arc::new(MemoryLog::new(&Limits::default()));
    log.begin(MEETING, 40).await;
    let tasks = (0..32u8).map(|n| {
        let log = log.clone();
        tokio::spawn(async move { log.append(MEETING, 40, Bytes::from(vec![n])).await })
    });
    let mut outcomes = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        outcomes.push(task.await.unwrap());
    }
    assert_eq!(
        outcomes
            .iter()
            .filter(|outcome| **outcome == Ok(40))
            .count(),
        1
    );
    let conflict = Err(AppendError::Conflict { next: 41 });
    assert_eq!(
        outcomes
            .iter()
            .filter(|outcome| **outcome == conflict)
            .count(),
        31
    );
    assert_eq!(log.read(MEETING, 40, 9).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_device_resumes_where_it_stopped() {
    let service = DeliveryService::in_memory(Limits::default());
    let (mut host, first) = host(&service).await;
    let (guest, next_seq) = let_in(&service, &mut host, 2, 0).await;
    guest.close().await;
    for n in 0..100u8 {
        host.send(publish(&[n])).await;
    }

    let mut guest = Client::new(&service);
    guest
        .send(ClientMessage::Attach(attach_message(2, 1, next_seq + 10)))
        .await;
    assert_eq!(
        guest.attached().await,
        (true, 1, next_seq + 10, next_seq + 100)
    );
    for n in 10..100u8 {
        let entry = guest.expect_entry().await;
        assert_eq!(
            (entry.seq, entry.from),
            (next_seq + u64::from(n), device(1))
        );
        assert_eq!(
            entry.body,
            EntryBody::Application {
                message: blob(&[n])
            }
        );
    }
    guest.expect_silence().await;
    assert_eq!(next_seq, first + 1);
}

#[tokio::test]
async fn a_newer_connection_takes_the_place_of_the_older() {
    let service = DeliveryService::in_memory(Limits::default());
    let (mut older, first) = host(&service).await;
    let mut newer = Client::new(&service);
    newer
        .send(ClientMessage::Attach(attach_message(1, 0, first)))
        .await;
    newer.attached().await;
    assert_eq!(older.next().await, None);
    older.close().await;
    newer.send(publish(b"still here")).await;
    newer.expect_entry().await;
}

#[tokio::test]
async fn a_stolen_device_id_opens_nothing() {
    let service = DeliveryService::in_memory(Limits::default());
    let (_host, first) = host(&service).await;
    let mut thief = Client::new(&service);
    // Even a member of the current epoch cannot take another's place.
    let stolen = Attach {
        device_token: Token([9; 32]),
        ..attach_message(1, 0, first)
    };
    thief.send(ClientMessage::Attach(stolen)).await;
    thief.expect_error(ErrorCode::NotAMember).await;
}

#[tokio::test]
async fn the_log_keeps_so_much_and_no_more() {
    let service = DeliveryService::in_memory(Limits {
        log_entries: 10,
        ..Limits::default()
    });
    let (mut host, first) = host(&service).await;
    for n in 0..25u8 {
        host.send(publish(&[n])).await;
        host.expect_entry().await;
    }
    host.close().await;

    let mut late = Client::new(&service);
    late.send(ClientMessage::Attach(attach_message(1, 0, first + 14)))
        .await;
    late.expect_error(ErrorCode::TooFarBehind).await;
    late.send(ClientMessage::Attach(attach_message(1, 0, first + 15)))
        .await;
    assert_eq!(late.attached().await, (true, 0, first + 15, first + 25));
    assert_eq!(late.expect_entry().await.seq, first + 15);
}

#[tokio::test(start_paused = true)]
async fn logs_are_bounded_by_bytes_and_by_age() {
    let log = MemoryLog::new(&Limits {
        log_bytes: 100,
        all_log_bytes: 150,
        log_age: Duration::from_secs(60),
        ..Limits::default()
    });
    let other = MeetingId([1; 16]);
    let record = Bytes::from(vec![0; 40]);
    log.begin(MEETING, 0).await;
    log.begin(other, 0).await;
    for n in 0..3 {
        log.append(MEETING, n, record.clone()).await.unwrap();
    }
    assert_eq!(
        log.read(MEETING, 0, 9).await,
        Err(ReadError::Gone { first: 1 })
    );
    log.append(other, 0, record.clone()).await.unwrap();
    // All together are full now: a meeting makes room out of its own past.
    log.append(other, 1, record.clone()).await.unwrap();
    assert_eq!(
        log.read(other, 0, 9).await,
        Err(ReadError::Gone { first: 1 })
    );
    assert_eq!(log.read(MEETING, 1, 9).await.unwrap().len(), 2);
    assert_eq!(
        log.append(MEETING, 3, Bytes::from(vec![0; 101])).await,
        Err(AppendError::Full)
    );

    tokio::time::advance(Duration::from_secs(61)).await;
    log.expire().await;
    assert_eq!(log.read(MEETING, 3, 9).await, Ok(vec![]));
    log.forget(MEETING).await;
    assert_eq!(log.read(MEETING, 3, 9).await, Err(ReadError::NoLog));
}

#[tokio::test]
async fn after_a_restart_one_restores_the_meeting_and_the_others_attach_by_proof() {
    let service = DeliveryService::in_memory(Limits::default());
    let (mut host, first) = host(&service).await;
    let (_guest, _) = let_in(&service, &mut host, 2, 0).await;
    let (_third, _) = let_in(&service, &mut host, 3, 1).await;

    let restarted = DeliveryService::in_memory(Limits::default());
    let mut guest = Client::new(&restarted);
    guest
        .send(ClientMessage::Attach(attach_message(2, 2, first + 2)))
        .await;
    guest.expect_error(ErrorCode::NoSuchMeeting).await;
    guest.send(ClientMessage::Open(open_message(2, 2))).await;
    let (_, epoch, new_first, _) = guest.attached().await;
    assert_eq!(epoch, 2);
    guest.send(publish(b"restored")).await;
    guest.expect_entry().await;

    let mut host = Client::new(&restarted);
    host.send(ClientMessage::Open(open_message(1, 2))).await;
    host.expect_error(ErrorCode::MeetingExists).await;
    host.send(ClientMessage::Attach(attach_message(1, 1, first + 2)))
        .await;
    host.expect_error(ErrorCode::NotAMember).await;
    host.send(ClientMessage::Attach(attach_message(1, 2, first + 2)))
        .await;
    assert_eq!(host.attached().await, (false, 2, new_first, new_first + 1));
    assert_eq!(host.expect_entry().await.seq, new_first);

    // Who comes after a commit may still show the epoch in which the meeting was restored, reads
    // that commit, and is bound to its token from then on.
    guest
        .send(ClientMessage::Commit(commit_message(2, b"rekey")))
        .await;
    guest.expect_entry().await;
    let mut third = Client::new(&restarted);
    third
        .send(ClientMessage::Attach(attach_message(3, 2, first + 3)))
        .await;
    assert_eq!(third.attached().await, (false, 3, new_first, new_first + 2));
    let mut thief = Client::new(&restarted);
    let stolen = Attach {
        device_token: Token([9; 32]),
        ..attach_message(3, 2, new_first)
    };
    thief.send(ClientMessage::Attach(stolen)).await;
    thief.expect_error(ErrorCode::NotAMember).await;
}

#[tokio::test]
async fn a_removed_device_reads_the_commit_is_told_and_stays_out() {
    let service = DeliveryService::in_memory(Limits::default());
    let (mut host, _) = host(&service).await;
    let (mut guest, next_seq) = let_in(&service, &mut host, 2, 0).await;
    host.send(ClientMessage::Commit(removing(1, &[device(2)])))
        .await;

    let entry = guest.expect_entry().await;
    assert!(matches!(entry.body, EntryBody::Commit { epoch: 2, .. }));
    assert_eq!(guest.expect().await, ServerMessage::Removed);
    assert_eq!(guest.next().await, None);

    let mut back = Client::new(&service);
    back.send(ClientMessage::Attach(attach_message(2, 1, next_seq)))
        .await;
    back.expect_error(ErrorCode::NotAMember).await;
    host.expect_entry().await;
    host.send(publish(b"among us")).await;
    host.expect_entry().await;
}

/// A log that another server writes to as well.
struct Shared {
    log: MemoryLog,
    foreign: Arc<AtomicBool>,
}

impl Log for Shared {
    async fn begin(&self, meeting: MeetingId, first: u64) {
        self.log.begin(meeting, first).await;
    }

    async fn append(
        &self,
        meeting: MeetingId,
        expected: u64,
        record: Bytes,
    ) -> Result<u64, AppendError> {
        if self.foreign.swap(false, Ordering::SeqCst) {
            let body = EntryBody::Commit {
                epoch: 1,
                commit: blob(b"foreign"),
            };
            let entry = ServerMessage::Entry(Entry {
                seq: expected,
                from: device(9),
                body,
            });
            self.log
                .append(meeting, expected, entry.encode().unwrap().into())
                .await
                .unwrap();
        }
        self.log.append(meeting, expected, record).await
    }

    async fn read(
        &self,
        meeting: MeetingId,
        from: u64,
        limit: usize,
    ) -> Result<Vec<Bytes>, ReadError> {
        self.log.read(meeting, from, limit).await
    }

    async fn forget(&self, meeting: MeetingId) {
        self.log.forget(meeting).await;
    }

    async fn expire(&self) {
        self.log.expire().await;
    }
}

#[tokio::test]
async fn a_commit_loses_to_one_that_another_server_appended() {
    let foreign = Arc::new(AtomicBool::new(false));
    let log = Shared {
        log: MemoryLog::new(&Limits::default()),
        foreign: foreign.clone(),
    };
    let service = DeliveryService::new(log, Limits::default());
    let (mut host, first) = host(&service).await;

    foreign.store(true, Ordering::SeqCst);
    host.send(ClientMessage::Commit(commit_message(0, b"mine")))
        .await;
    assert_eq!(
        host.expect().await,
        ServerMessage::CommitConflict { epoch: 1 }
    );
    let winner = host.expect_entry().await;
    assert_eq!((winner.seq, winner.from), (first, device(9)));

    foreign.store(true, Ordering::SeqCst);
    host.send(publish(b"after all")).await;
    host.expect_entry().await;
    let entry = host.expect_entry().await;
    assert_eq!((entry.seq, entry.from), (first + 2, device(1)));
}
