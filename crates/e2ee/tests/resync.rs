//! A stuck member comes back by an external commit.

mod people;

use conclave_e2ee::{Change, CommitError, Group, Leaf, MergeError, Processed, ResyncError};
use people::{admit, commit, follow, link, meeting, stage};

/// Three members, of whom the last is stuck in the epoch before.
fn with_a_stuck_member(link: &conclave_e2ee::LinkSecret) -> (Vec<Group>, Group) {
    let mut members = meeting(link, 2);
    let stuck = members.remove(2);
    commit(&mut members, 0, |host| host.rekey().unwrap());
    (members, stuck)
}

#[test]
fn a_stuck_member_comes_back_and_everyone_agrees() {
    let link = link();
    let (mut members, stuck) = with_a_stuck_member(&link);
    let old_leaf = stuck.own_leaf();
    let roster = members[0].members();
    let leaf_key = roster[2].leaf_key;
    let info = members[0].group_info().unwrap();
    let place = stuck.place_of(&info).unwrap();
    assert_eq!(place, (members[0].epoch(), members[0].transcript_hash()));
    let (mut back, bundle) = stuck
        .resync(&link, &info, |key| {
            assert_eq!(key, leaf_key);
            Some(b"it is me".to_vec())
        })
        .unwrap();
    assert!(bundle.welcome.is_none() && bundle.tree.is_none());

    // It waits for the server's word like any own commit.
    assert!(back.has_pending());
    assert_eq!(back.rekey().unwrap_err(), CommitError::AlreadyPending);
    for member in &mut members {
        let staged = stage(member, &bundle.commit);
        let summary = staged.summary();
        assert_eq!(summary.committer, None);
        assert_eq!(summary.enters, Some((people::pseudonym(3), leaf_key)));
        assert_eq!(summary.removes, [old_leaf]);
        assert_eq!((summary.link_psks, summary.foreign_psks), (1, 0));
        assert_eq!(summary.other_proposals, 0);
        assert_eq!(summary.authenticated, b"it is me");
        assert!(summary.has_path && !summary.removes_me);
        assert_eq!(summary.resyncs(&roster), Some(old_leaf));
        member.merge(staged).unwrap();
    }
    back.merge_pending().unwrap();
    assert!(!back.has_pending());
    assert_eq!(back.merge_pending(), Err(MergeError::NothingPending));
    assert_eq!(back.security_code(), members[1].security_code());
    assert_eq!(back.transcript_hash(), members[1].transcript_hash());
    assert_eq!(bundle.delivery_token, members[0].delivery_token().unwrap());
    assert_eq!(back.members(), members[0].members());

    // And takes part: it reads, writes, commits, and admits with the link.
    let hello = back.protect(b"hello").unwrap();
    assert!(matches!(
        members[1].process(&hello),
        Ok(Processed::Application { bytes, .. }) if bytes == b"hello"
    ));
    members.push(back);
    commit(&mut members, 2, |back| back.rekey().unwrap());
    admit(&mut members, 7, &link);
    assert_eq!(members[3].members().len(), 4);
}

#[test]
fn a_member_comes_back_to_a_free_leaf_on_its_left() {
    let link = link();
    let mut members = meeting(&link, 3);
    let stuck = members.remove(3);
    let gone = members.remove(1).own_leaf();
    commit(&mut members, 0, |host| host.remove(&[gone]).unwrap());
    let info = members[1].group_info().unwrap();
    let (mut back, bundle) = stuck.resync(&link, &info, |_| Some(Vec::new())).unwrap();
    for member in &mut members {
        follow(member, &bundle.commit);
    }
    back.merge_pending().unwrap();
    assert_eq!(back.own_leaf(), gone);
    assert_eq!(back.security_code(), members[0].security_code());
    assert_eq!(back.members(), members[1].members());
}

#[test]
fn the_loser_of_a_race_comes_back_from_its_old_group() {
    let link = link();
    let (mut members, stuck) = with_a_stuck_member(&link);
    let info = members[0].group_info().unwrap();
    let (mut lost, _) = stuck.resync(&link, &info, |_| Some(Vec::new())).unwrap();
    commit(&mut members, 1, |guest| guest.rekey().unwrap());
    assert_eq!(lost.clear_pending(), Err(MergeError::Failed));
    drop(lost);

    let info = members[1].group_info().unwrap();
    let (mut back, bundle) = stuck.resync(&link, &info, |_| Some(Vec::new())).unwrap();
    for member in &mut members {
        follow(member, &bundle.commit);
    }
    back.merge_pending().unwrap();
    assert_eq!(back.security_code(), members[0].security_code());
}

#[test]
fn a_resync_with_another_link_is_refused_by_everyone() {
    let link = link();
    let (mut members, stuck) = with_a_stuck_member(&link);
    let info = members[0].group_info().unwrap();
    let (_, bundle) = stuck
        .resync(&people::link(), &info, |_| Some(Vec::new()))
        .unwrap();
    assert_eq!(
        members[0].process(&bundle.commit).unwrap_err(),
        conclave_e2ee::ProcessError::UnknownPsk
    );
}

#[test]
fn a_resync_with_a_revoked_link_is_no_resync() {
    let link = link();
    let (mut members, stuck) = with_a_stuck_member(&link);
    let mut next = None;
    commit(&mut members, 0, |host| {
        let bundle = host
            .change(Change {
                renews_link: Some(1),
                ..Change::default()
            })
            .unwrap();
        next.clone_from(&bundle.next_link);
        bundle
    });
    for member in &mut members {
        member.set_link(next.as_ref().unwrap()).unwrap();
    }
    let info = members[0].group_info().unwrap();
    let (_, bundle) = stuck.resync(&link, &info, |_| Some(Vec::new())).unwrap();
    let roster = members[0].members();
    let staged = stage(&mut members[0], &bundle.commit);
    let summary = staged.summary();
    assert_eq!((summary.link_psks, summary.foreign_psks), (0, 1));
    assert_eq!(summary.resyncs(&roster), None);
}

#[test]
fn a_state_that_does_not_belong_here_is_refused_by_its_blame() {
    let link = link();
    let (mut members, stuck) = with_a_stuck_member(&link);
    let certify = |_| Some(Vec::new());
    let resync = |info: &[u8]| stuck.resync(&link, info, certify).map(|_| ()).unwrap_err();
    let info = members[0].group_info().unwrap();

    assert_eq!(resync(b""), ResyncError::Malformed);
    assert_eq!(resync(&info[..info.len() - 1]), ResyncError::Malformed);
    let mut forged = info.clone();
    *forged.last_mut().unwrap() ^= 1;
    assert_eq!(resync(&forged), ResyncError::Forged);
    let elsewhere = meeting(&link, 1);
    assert_eq!(
        resync(&elsewhere[0].group_info().unwrap()),
        ResyncError::OtherGroup
    );
    assert_eq!(
        stuck.resync(&link, &info, |_| None).map(|_| ()),
        Err(ResyncError::NotCertified)
    );

    // Behind us.
    let old = stuck.group_info().unwrap();
    commit(&mut members, 0, |host| host.rekey().unwrap());
    assert_eq!(
        members[1].resync(&link, &old, certify).map(|_| ()),
        Err(ResyncError::OldEpoch)
    );

    // We were removed in between.
    let leaf = stuck.own_leaf();
    commit(&mut members, 0, |host| host.remove(&[leaf]).unwrap());
    assert_eq!(
        resync(&members[0].group_info().unwrap()),
        ResyncError::NotMember
    );
}

#[test]
fn a_state_signed_by_a_stranger_is_refused() {
    let link = link();
    let (mut members, stuck) = with_a_stuck_member(&link);
    admit(&mut members, 9, &link);
    let newcomer = members[2].group_info().unwrap();
    assert_eq!(
        stuck
            .resync(&link, &newcomer, |_| Some(Vec::new()))
            .map(|_| ()),
        Err(ResyncError::UnknownSigner)
    );
    let known = members[1].group_info().unwrap();
    assert!(stuck.resync(&link, &known, |_| Some(Vec::new())).is_ok());
}

#[test]
fn a_state_signed_under_a_known_name_with_another_key_is_refused() {
    let link = link();
    let (mut members, stuck) = with_a_stuck_member(&link);
    let leaf = members[1].own_leaf();
    members.remove(1);
    commit(&mut members, 0, |host| host.remove(&[leaf]).unwrap());
    admit(&mut members, 2, &link);
    let info = members[1].group_info().unwrap();
    assert_eq!(
        stuck.resync(&link, &info, |_| Some(Vec::new())).map(|_| ()),
        Err(ResyncError::UnknownSigner)
    );
}

#[test]
fn a_member_comes_back_from_its_own_state() {
    let link = link();
    let mut members = meeting(&link, 1);
    let info = members[1].group_info().unwrap();
    let (mut back, bundle) = members[1]
        .resync(&link, &info, |_| Some(Vec::new()))
        .unwrap();
    follow(&mut members[0], &bundle.commit);
    back.merge_pending().unwrap();
    assert_eq!(back.own_leaf(), Leaf(1));
    assert_eq!(back.security_code(), members[0].security_code());
}
