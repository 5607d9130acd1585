//! Commits: races, removal, rekey, policy, repeats and strangers.

mod people;

use std::time::Instant;

use conclave_e2ee::{
    Candidate, CommitError, Leaf, MediaError, MergeError, OpenError, Opener, ProcessError,
    Processed, ProtectError, Track, VerifiedKeyPackage,
};
use people::{
    AUDIO, admit, commit, follow, host, join, link, meeting, open, pseudonym, seal, sealer, stage,
};

#[test]
fn the_loser_of_a_race_processes_the_winner_and_rebuilds() {
    let link = link();
    let mut members = meeting(&link, 2);
    let candidate = Candidate::new(pseudonym(9), &link).unwrap();
    let package = VerifiedKeyPackage::parse(candidate.key_package()).unwrap();
    members[0].add(std::slice::from_ref(&package)).unwrap();
    let winner = members[1].rekey().unwrap();

    members[1].merge_pending().unwrap();
    assert!(members[0].has_pending());
    follow(&mut members[0], &winner.commit);
    follow(&mut members[2], &winner.commit);
    assert!(!members[0].has_pending());
    assert_eq!(members[0].security_code(), members[1].security_code());

    let rebuilt = members[0].add(&[package]).unwrap();
    members[0].merge_pending().unwrap();
    follow(&mut members[1], &rebuilt.commit);
    follow(&mut members[2], &rebuilt.commit);
    let guest = join(candidate, &rebuilt);
    assert_eq!(guest.members().len(), 4);
    assert!(
        members
            .iter()
            .all(|member| member.security_code() == guest.security_code())
    );
}

#[test]
fn a_pending_commit_changes_nothing_until_it_is_merged() {
    let link = link();
    let mut members = meeting(&link, 1);
    let code = members[0].security_code();
    let pending = members[0].rekey().unwrap();
    assert_eq!(members[0].rekey().unwrap_err(), CommitError::AlreadyPending);
    assert_eq!(
        (members[0].epoch(), members[0].security_code()),
        (1, code.clone())
    );

    members[0].clear_pending().unwrap();
    assert_eq!(members[0].clear_pending(), Err(MergeError::NothingPending));
    assert_eq!(members[0].merge_pending(), Err(MergeError::NothingPending));
    assert_eq!((members[0].epoch(), members[0].security_code()), (1, code));

    // While it was pending both could talk, and still can.
    let message = members[1].protect(b"hello").unwrap();
    assert!(matches!(
        members[0].process(&message),
        Ok(Processed::Application { bytes, .. }) if bytes == b"hello"
    ));
    drop(pending);
}

#[test]
fn the_delivery_token_of_the_coming_epoch_is_known_with_the_commit() {
    let link = link();
    let mut members = meeting(&link, 1);
    let bundle = members[0].rekey().unwrap();
    assert_ne!(bundle.delivery_token, members[0].delivery_token().unwrap());
    members[0].merge_pending().unwrap();
    follow(&mut members[1], &bundle.commit);
    assert_eq!(bundle.delivery_token, members[0].delivery_token().unwrap());
    assert_eq!(bundle.delivery_token, members[1].delivery_token().unwrap());
}

#[test]
fn a_removed_member_sees_it_and_follows_no_further() {
    let link = link();
    let mut members = meeting(&link, 2);
    let mut removed = members.remove(2);
    let leaf = removed.own_leaf();

    let removal = members[0].remove(&[leaf]).unwrap();
    members[0].merge_pending().unwrap();
    follow(&mut members[1], &removal.commit);
    let staged = stage(&mut removed, &removal.commit);
    assert!(staged.summary().removes_me && staged.summary().has_path);
    assert_eq!(staged.summary().removes, [leaf]);

    // Whether it merges its removal or stays where it was, the coming epoch is closed.
    let secret = members[0].protect(b"now we are alone").unwrap();
    let rekey = members[1].rekey().unwrap();
    assert_eq!(
        removed.process(&secret).unwrap_err(),
        ProcessError::ComingEpoch
    );
    assert_eq!(
        removed.process(&rekey.commit).unwrap_err(),
        ProcessError::ComingEpoch
    );

    removed.merge(staged).unwrap();
    assert!(!removed.is_active());
    assert_eq!(removed.process(&secret).unwrap_err(), ProcessError::Removed);
    assert_eq!(removed.protect(b"x").unwrap_err(), ProtectError::Removed);
    assert_eq!(removed.rekey().unwrap_err(), CommitError::Removed);
    assert_eq!(removed.media_epoch().unwrap_err(), MediaError::Removed);
    assert!(removed.delivery_token().is_err());
}

#[test]
fn a_removed_member_opens_no_later_frame() {
    let link = link();
    let mut members = meeting(&link, 2);
    let mut removed = members.remove(2);
    let now = Instant::now();
    let mut opener = Opener::new(Track::AUDIO, members[0].own_leaf());
    opener
        .install(&removed.media_epoch().unwrap().opening, now)
        .unwrap();

    let mut before = sealer(&mut members[0], Track::AUDIO);
    let heard = seal(&mut before, &AUDIO, b"before");
    assert_eq!(open(&mut opener, now, &AUDIO, &heard).unwrap(), b"before");

    let leaf = removed.own_leaf();
    commit(&mut members, 0, |host| host.remove(&[leaf]).unwrap());
    let mut after = sealer(&mut members[0], Track::AUDIO);
    let unheard = seal(&mut after, &AUDIO, b"after");
    assert_eq!(
        open(&mut opener, now, &AUDIO, &unheard),
        Err(OpenError::NotYet)
    );
    // Its newest keys do not open the frame even when its key id is forged to
    // name their epoch.
    let mut forged = unheard.clone();
    // The key id is small enough to sit in the config byte, above the counter.
    assert_eq!(u64::from(forged[0] >> 4), members[0].epoch());
    forged[0] -= 1 << 4;
    assert_eq!(
        open(&mut opener, now, &AUDIO, &forged),
        Err(OpenError::Replay)
    );
    let later = seal(&mut after, &AUDIO, b"later");
    let mut forged = later.clone();
    forged[0] -= 1 << 4;
    assert_eq!(
        open(&mut opener, now, &AUDIO, &forged),
        Err(OpenError::Forged)
    );
}

#[test]
fn a_free_leaf_is_given_to_the_next_one_and_a_device_can_be_replaced() {
    let link = link();
    let mut members = meeting(&link, 2);
    let gone = members.remove(1);
    let candidate = Candidate::new(pseudonym(2), &link).unwrap();
    let package = VerifiedKeyPackage::parse(candidate.key_package()).unwrap();
    assert_eq!(
        members[0].add(std::slice::from_ref(&package)).unwrap_err(),
        CommitError::AlreadyMember
    );
    let bundle = members[0].replace(&[gone.own_leaf()], &[package]).unwrap();
    members[0].merge_pending().unwrap();
    let staged = stage(&mut members[1], &bundle.commit);
    assert_eq!(staged.summary().removes, [gone.own_leaf()]);
    assert_eq!(staged.summary().adds.len(), 1);
    assert_eq!(staged.summary().link_psks, 1);
    assert!(staged.summary().has_path);
    members[1].merge(staged).unwrap();
    let back = join(candidate, &bundle);
    assert_eq!(back.own_leaf(), gone.own_leaf());
    assert_eq!(back.security_code(), members[1].security_code());
}

#[test]
fn rekey_and_policy_reach_everyone() {
    let link = link();
    let mut members = meeting(&link, 1);
    commit(&mut members, 1, |guest| guest.rekey().unwrap());
    assert_eq!(members[0].epoch(), 2);
    assert_eq!(members[0].security_code(), members[1].security_code());

    let bundle = members[0].set_policy(b"locked").unwrap();
    let staged = stage(&mut members[1], &bundle.commit);
    assert_eq!(
        staged.summary().changes_policy.as_deref(),
        Some(&b"locked"[..])
    );
    assert_eq!(
        (staged.summary().other_proposals, staged.summary().link_psks),
        (0, 0)
    );
    assert!(staged.summary().has_path);
    members[0].merge_pending().unwrap();
    members[1].merge(staged).unwrap();
    assert_eq!(members[1].policy().as_deref(), Some(&b"locked"[..]));
    assert_eq!(members[0].security_code(), members[1].security_code());

    admit(&mut members, 3, &link);
    assert_eq!(members[2].policy().as_deref(), Some(&b"locked"[..]));
}

#[test]
fn messages_name_their_sender_and_are_read_once() {
    let link = link();
    let mut members = meeting(&link, 1);
    let message = members[1].protect(b"a card").unwrap();
    assert!(!message.windows(6).any(|window| window == b"a card"));
    match members[0].process(&message).unwrap() {
        Processed::Application {
            sender,
            pseudonym: who,
            bytes,
        } => {
            assert_eq!(sender, members[1].own_leaf());
            assert_eq!(who, pseudonym(2));
            assert_eq!(bytes, b"a card");
        }
        Processed::Commit(_) => panic!("not a commit"),
    }
    assert_eq!(
        members[0].process(&message).unwrap_err(),
        ProcessError::Forged
    );
    assert_eq!(members[1].process(&message).unwrap_err(), ProcessError::Own);
}

#[test]
fn a_message_of_the_epoch_before_is_still_read() {
    // By who made the group as by who was let in.
    for (reader, writer) in [(0, 1), (1, 0)] {
        let mut members = meeting(&link(), 1);
        let late = members[writer].protect(b"late").unwrap();
        commit(&mut members, 0, |host| host.rekey().unwrap());
        assert!(matches!(
            members[reader].process(&late),
            Ok(Processed::Application { .. })
        ));
        let too_late = members[writer].protect(b"too late").unwrap();
        for _ in 0..3 {
            commit(&mut members, 0, |host| host.rekey().unwrap());
        }
        assert_eq!(
            members[reader].process(&too_late).unwrap_err(),
            ProcessError::OldEpoch
        );
    }
}

#[test]
fn what_is_short_is_padded_to_one_length() {
    // By who made the group as by who was let in.
    for member in &mut meeting(&link(), 1) {
        let [one, many] = [1, 100].map(|length| member.protect(&vec![7; length]).unwrap().len());
        assert_eq!(one, many);
        assert!(one > 256, "{one}");
    }
}

#[test]
fn what_does_not_belong_here_is_refused_by_its_blame() {
    let link = link();
    let mut members = meeting(&link, 2);
    let own = members[0].rekey().unwrap();
    assert_eq!(
        members[0].process(&own.commit).unwrap_err(),
        ProcessError::Own
    );

    let mut forged = own.commit.clone();
    *forged.last_mut().unwrap() ^= 1;
    assert_eq!(
        members[1].process(&forged).unwrap_err(),
        ProcessError::Forged
    );
    let mut longer = own.commit.clone();
    longer.push(0);
    assert_eq!(
        members[1].process(&longer).unwrap_err(),
        ProcessError::Malformed
    );
    assert_eq!(
        members[1].process(b"").unwrap_err(),
        ProcessError::Malformed
    );

    members[0].merge_pending().unwrap();
    follow(&mut members[1], &own.commit);
    assert_eq!(
        members[1].process(&own.commit).unwrap_err(),
        ProcessError::OldEpoch
    );
    let next = members[1].rekey().unwrap();
    assert_eq!(
        members[2].process(&next.commit).unwrap_err(),
        ProcessError::ComingEpoch
    );

    let mut elsewhere = meeting(&link, 1);
    let foreign = elsewhere[0].rekey().unwrap();
    assert_eq!(
        members[1].process(&foreign.commit).unwrap_err(),
        ProcessError::OtherGroup
    );
}

#[test]
fn a_staged_commit_is_merged_in_its_own_epoch_only() {
    let link = link();
    let mut members = meeting(&link, 1);
    let first = members[0].rekey().unwrap();
    let stale = stage(&mut members[1], &first.commit);
    members[0].clear_pending().unwrap();
    commit(&mut members, 0, |host| host.rekey().unwrap());
    assert_eq!(members[1].merge(stale), Err(MergeError::OtherEpoch));
    assert_eq!(members[0].security_code(), members[1].security_code());
}

#[test]
fn changes_of_nobody_and_of_strangers_are_misuse() {
    let link = link();
    let mut host = host(&link);
    assert_eq!(host.add(&[]).unwrap_err(), CommitError::Nothing);
    assert_eq!(host.remove(&[]).unwrap_err(), CommitError::Nothing);
    assert_eq!(
        host.remove(&[Leaf(7)]).unwrap_err(),
        CommitError::UnknownLeaf
    );
    assert_eq!(
        host.remove(&[host.own_leaf()]).unwrap_err(),
        CommitError::UnknownLeaf
    );
    let candidate = Candidate::new(pseudonym(2), &link).unwrap();
    let package = VerifiedKeyPackage::parse(candidate.key_package()).unwrap();
    assert_eq!(
        host.add(&[package.clone(), package]).unwrap_err(),
        CommitError::AlreadyMember
    );
    assert!(!host.has_pending());
}
