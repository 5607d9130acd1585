//! One commit for a whole change, the renewal of the invite link, and what
//! members sign and compare.

mod people;

use conclave_e2ee::{
    Candidate, Change, CommitBundle, CommitError, JoinError, LeafError, ProcessError,
    VerifiedKeyPackage, verify_leaf,
};
use people::{admit, commit, follow, join, link, meeting, pseudonym, stage};

fn candidate(number: u8, link: &conclave_e2ee::LinkSecret) -> (Candidate, VerifiedKeyPackage) {
    let candidate = Candidate::new(pseudonym(number), link).unwrap();
    let package = VerifiedKeyPackage::parse(candidate.key_package()).unwrap();
    (candidate, package)
}

#[test]
fn one_commit_adds_removes_sets_the_policy_and_renews_the_link() {
    let link = link();
    let mut members = meeting(&link, 2);
    let gone = members.remove(1).own_leaf();
    let (candidate, package) = candidate(9, &link);
    let bundle = members[0]
        .change(Change {
            adds: &[package],
            removes: &[gone],
            policy: Some(b"generation 1"),
            renews_link: Some(1),
        })
        .unwrap();
    members[0].merge_pending().unwrap();

    let staged = stage(&mut members[1], &bundle.commit);
    let summary = staged.summary();
    assert_eq!(summary.adds.len(), 1);
    assert_eq!(summary.removes, [gone]);
    assert_eq!(
        summary.changes_policy.as_deref(),
        Some(&b"generation 1"[..])
    );
    assert_eq!((summary.link_psks, summary.foreign_psks), (1, 0));
    assert!(summary.has_path && summary.authenticated.is_empty());
    assert_eq!(summary.other_proposals, 0);
    members[1].merge(staged).unwrap();

    // The newcomer came by the old link and learns the new one like all others.
    members.push(join(candidate, &bundle));
    let next = bundle.next_link.unwrap();
    for member in &members {
        assert_eq!(member.next_link(1).unwrap().expose(), next.expose());
        assert_ne!(member.next_link(2).unwrap().expose(), next.expose());
    }
    assert_ne!(next.expose(), link.expose());
}

#[test]
fn a_change_of_nothing_is_misuse_and_a_renewal_alone_has_a_path() {
    let mut members = meeting(&link(), 1);
    assert_eq!(
        members[0].change(Change::default()).unwrap_err(),
        CommitError::Nothing
    );
    let bundle = renew(&mut members[0], 7);
    assert!(bundle.next_link.is_some());
    let staged = stage(&mut members[1], &bundle.commit);
    assert!(staged.summary().has_path);
    assert_eq!(staged.summary().link_psks, 0);
    members[0].clear_pending().unwrap();
    assert!(members[0].rekey().unwrap().next_link.is_none());
}

fn renew(group: &mut conclave_e2ee::Group, generation: u32) -> CommitBundle {
    group
        .change(Change {
            renews_link: Some(generation),
            ..Change::default()
        })
        .unwrap()
}

#[test]
fn only_the_link_in_force_admits() {
    let old = link();
    let mut members = meeting(&old, 1);
    let bundle = renew(&mut members[0], 1);
    members[0].merge_pending().unwrap();
    follow(&mut members[1], &bundle.commit);
    let new = bundle.next_link.unwrap();
    members[0].set_link(&new).unwrap();

    // The guest has not changed its link yet: the new one is unknown to it.
    let (_, package) = candidate(8, &new);
    let early = members[0].add(&[package]).unwrap();
    assert_eq!(
        members[1].process(&early.commit).unwrap_err(),
        ProcessError::UnknownPsk
    );
    members[0].clear_pending().unwrap();

    let next = members[1].next_link(1).unwrap();
    members[1].set_link(&next).unwrap();
    admit(&mut members, 3, &new);
    assert_eq!(members[2].members().len(), 3);

    // Whoever comes by the old link cannot use the Welcome of the new one.
    let (late, package) = candidate(4, &old);
    let bundle = members[0].add(&[package]).unwrap();
    let joined = late.join(&bundle.welcome.unwrap(), &bundle.tree.unwrap());
    assert_eq!(joined.unwrap_err(), JoinError::WrongLink);
}

#[test]
fn a_commit_under_the_old_link_counts_as_foreign_after_the_renewal() {
    let old = link();
    let mut members = meeting(&old, 1);
    let bundle = renew(&mut members[0], 1);
    members[0].merge_pending().unwrap();
    follow(&mut members[1], &bundle.commit);
    members[1].set_link(&bundle.next_link.unwrap()).unwrap();

    let (_, package) = candidate(9, &old);
    let stale = members[0].add(&[package]).unwrap();
    let staged = stage(&mut members[1], &stale.commit);
    assert_eq!(staged.summary().link_psks, 0);
    assert_eq!(staged.summary().foreign_psks, 1);
}

#[test]
fn a_commit_under_the_old_link_is_merged_before_the_renewal() {
    let old = link();
    let mut members = meeting(&old, 2);
    // The host wants to renew, but a commit that adds under the old link wins.
    let lost = renew(&mut members[0], 1);
    let (candidate, package) = candidate(9, &old);
    let winner = members[1].add(&[package]).unwrap();
    members[1].merge_pending().unwrap();
    for position in [0, 2] {
        follow(&mut members[position], &winner.commit);
    }
    members.push(join(candidate, &winner));

    let won = renew(&mut members[0], 1);
    members[0].merge_pending().unwrap();
    for member in &mut members[1..] {
        follow(member, &won.commit);
    }
    let next = won.next_link.unwrap();
    assert_ne!(next.expose(), lost.next_link.unwrap().expose());
    for member in &mut members {
        let derived = member.next_link(1).unwrap();
        assert_eq!(derived.expose(), next.expose());
        member.set_link(&derived).unwrap();
    }
    admit(&mut members, 10, &next);
    assert_eq!(members[4].members().len(), 5);
}

#[test]
fn a_removed_member_does_not_learn_the_next_link() {
    let link = link();
    let mut members = meeting(&link, 2);
    let mut removed = members.remove(2);
    let bundle = members[0]
        .change(Change {
            removes: &[removed.own_leaf()],
            renews_link: Some(1),
            ..Change::default()
        })
        .unwrap();
    let next = bundle.next_link.unwrap();
    assert_ne!(removed.next_link(1).unwrap().expose(), next.expose());
    follow(&mut removed, &bundle.commit);
    assert!(removed.next_link(1).is_err());
}

#[test]
fn a_member_signs_for_one_purpose_with_the_key_of_its_leaf() {
    let members = meeting(&link(), 1);
    let roster = members[0].members();
    let signature = members[1].sign("heartbeat", b"message").unwrap();
    let verify = |member: usize, domain, message: &[u8]| {
        verify_leaf(&roster[member].leaf_key, domain, message, &signature)
    };
    assert_eq!(verify(1, "heartbeat", b"message"), Ok(()));
    let forged = [
        verify(0, "heartbeat", b"message"),
        verify(1, "another", b"message"),
        verify(1, "heartbea", b"tmessage"),
        verify(1, "heartbeat", b"massage"),
    ];
    assert_eq!(forged, [Err(LeafError::BadSignature); 4]);
}

#[test]
fn a_leafs_signature_is_no_devices_signature() {
    let device = conclave_e2ee::DeviceKey::from_seed([7; 32]).unwrap();
    let signature = device.sign("heartbeat", b"message");
    let as_leaf = verify_leaf(&device.public(), "heartbeat", b"message", &signature);
    assert_eq!(as_leaf, Err(LeafError::BadSignature));
}

#[test]
fn the_transcript_is_one_for_all_and_new_with_each_commit() {
    let mut members = meeting(&link(), 2);
    let before = members[0].transcript_hash();
    assert!(
        members
            .iter()
            .all(|member| member.transcript_hash() == before)
    );
    commit(&mut members, 1, |guest| guest.rekey().unwrap());
    let after = members[0].transcript_hash();
    assert_ne!(after, before);
    assert!(
        members
            .iter()
            .all(|member| member.transcript_hash() == after)
    );
}
