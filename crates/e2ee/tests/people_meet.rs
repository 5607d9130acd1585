//! Two and three people meet: same epoch, same code, and frames that open.

mod people;

use std::time::Instant;

use conclave_e2ee::{
    Candidate, JoinError, KeyPackageError, Opener, ProcessError, Track, VerifiedKeyPackage,
};
use people::{AUDIO, POLICY, admit, host, join, link, meeting, open, pseudonym, seal, stage};

#[test]
fn two_people_agree_on_everything() {
    let link = link();
    let members = meeting(&link, 1);
    let [host, guest] = members.as_slice() else {
        unreachable!()
    };

    assert_eq!(host.epoch(), 1);
    assert_eq!(host.epoch(), guest.epoch());
    assert_eq!(host.group_id(), guest.group_id());
    assert_eq!(host.members(), guest.members());
    assert_eq!(host.members()[1].pseudonym, pseudonym(2));
    assert_eq!(guest.own_leaf(), host.members()[1].leaf);
    assert_eq!(guest.policy().as_deref(), Some(POLICY));
    assert_eq!(host.security_code(), guest.security_code());
    assert_eq!(host.authenticator_hash(), guest.authenticator_hash());
    assert_eq!(
        host.delivery_token().unwrap(),
        guest.delivery_token().unwrap()
    );
}

#[test]
fn three_people_agree_and_the_code_changes_with_the_roster() {
    let link = link();
    let mut members = meeting(&link, 1);
    let code_of_two = members[0].security_code();
    admit(&mut members, 3, &link);
    assert!(
        members
            .iter()
            .all(|member| member.epoch() == 2 && member.members().len() == 3)
    );
    let code_of_three = members[0].security_code();
    assert_ne!(code_of_two, code_of_three);
    assert!(
        members
            .iter()
            .all(|member| member.security_code() == code_of_three)
    );
}

#[test]
fn each_persons_frames_open_for_every_other() {
    let link = link();
    let mut members = meeting(&link, 2);
    let now = Instant::now();
    let mut media: Vec<_> = members
        .iter_mut()
        .map(|m| m.media_epoch().unwrap())
        .collect();
    for speaker in 0..members.len() {
        let mut sealer = conclave_e2ee::Sealer::new(Track::AUDIO);
        sealer
            .install(media[speaker].sealing.take(Track::AUDIO).unwrap())
            .unwrap();
        let speech = format!("this is {speaker}");
        let frame = seal(&mut sealer, &AUDIO, speech.as_bytes());
        assert!(
            !frame
                .windows(speech.len())
                .any(|window| window == speech.as_bytes())
        );
        for listener in (0..members.len()).filter(|listener| *listener != speaker) {
            let mut opener = Opener::new(Track::AUDIO, members[speaker].own_leaf());
            opener.install(&media[listener].opening, now).unwrap();
            assert_eq!(
                open(&mut opener, now, &AUDIO, &frame).unwrap(),
                speech.as_bytes()
            );
        }
    }
}

#[test]
fn several_people_are_admitted_by_one_commit() {
    let link = link();
    let mut host = host(&link);
    let candidates: Vec<_> = (2..6)
        .map(|number| Candidate::new(pseudonym(number), &link).unwrap())
        .collect();
    let packages: Vec<_> = candidates
        .iter()
        .map(|candidate| VerifiedKeyPackage::parse(candidate.key_package()).unwrap())
        .collect();
    let bundle = host.add(&packages).unwrap();
    host.merge_pending().unwrap();
    for candidate in candidates {
        let guest = join(candidate, &bundle);
        assert_eq!(guest.security_code(), host.security_code());
    }
}

#[test]
fn a_commit_that_adds_carries_the_link_once_and_nothing_foreign() {
    let link = link();
    let mut members = meeting(&link, 1);
    let candidate = Candidate::new(pseudonym(3), &link).unwrap();
    let package = VerifiedKeyPackage::parse(candidate.key_package()).unwrap();
    let bundle = members[0].add(&[package]).unwrap();
    let staged = stage(&mut members[1], &bundle.commit);
    let summary = staged.summary();
    assert_eq!(summary.committer, Some(members[0].own_leaf()));
    assert_eq!(summary.adds, [(pseudonym(3), candidate.leaf_key())]);
    assert_eq!(
        (
            summary.link_psks,
            summary.foreign_psks,
            summary.other_proposals
        ),
        (1, 0, 0)
    );
    assert!(summary.removes.is_empty() && summary.enters.is_none());
    assert!(!summary.has_path && !summary.removes_me);
}

#[test]
fn a_wrong_link_secret_does_not_join() {
    let mut host = host(&link());
    let other_link = link();
    let candidate = Candidate::new(pseudonym(2), &other_link).unwrap();
    let package = VerifiedKeyPackage::parse(candidate.key_package()).unwrap();
    let bundle = host.add(&[package]).unwrap();
    let joined = candidate.join(&bundle.welcome.unwrap(), &bundle.tree.unwrap());
    assert_eq!(joined.unwrap_err(), JoinError::WrongLink);
}

#[test]
fn a_welcome_for_someone_else_does_not_join() {
    let link = link();
    let mut host = host(&link);
    let invited = Candidate::new(pseudonym(2), &link).unwrap();
    let package = VerifiedKeyPackage::parse(invited.key_package()).unwrap();
    let bundle = host.add(&[package]).unwrap();
    let uninvited = Candidate::new(pseudonym(2), &link).unwrap();
    let joined = uninvited.join(&bundle.welcome.unwrap(), &bundle.tree.unwrap());
    assert_eq!(joined.unwrap_err(), JoinError::NotForUs);
}

#[test]
fn an_altered_welcome_or_tree_does_not_join() {
    let link = link();
    let mut host = host(&link);
    for part in 0..3 {
        let candidate = Candidate::new(pseudonym(2), &link).unwrap();
        let package = VerifiedKeyPackage::parse(candidate.key_package()).unwrap();
        let bundle = host.add(&[package]).unwrap();
        host.clear_pending().unwrap();
        let (mut welcome, mut tree) = (bundle.welcome.unwrap(), bundle.tree.unwrap());
        match part {
            0 => *welcome.last_mut().unwrap() ^= 1,
            1 => *tree.last_mut().unwrap() ^= 1,
            _ => welcome.push(0),
        }
        let error = candidate.join(&welcome, &tree).unwrap_err();
        assert!(
            matches!(error, JoinError::Malformed | JoinError::Forged),
            "{part}: {error:?}"
        );
    }
}

#[test]
fn a_key_package_tells_who_it_is_and_altered_ones_are_refused() {
    let link = link();
    let candidate = Candidate::new(pseudonym(2), &link).unwrap();
    let bytes = candidate.key_package().to_vec();
    let package = VerifiedKeyPackage::parse(&bytes).unwrap();
    assert_eq!(package.pseudonym(), pseudonym(2));
    assert_eq!(package.leaf_key(), candidate.leaf_key());
    assert_eq!(package.hash(), candidate.key_package_hash());

    let mut forged = bytes.clone();
    *forged.last_mut().unwrap() ^= 1;
    assert_eq!(
        VerifiedKeyPackage::parse(&forged).unwrap_err(),
        KeyPackageError::Invalid
    );
    assert_eq!(
        VerifiedKeyPackage::parse(&bytes[1..]).unwrap_err(),
        KeyPackageError::Malformed
    );
    assert_eq!(
        VerifiedKeyPackage::parse(&[]).unwrap_err(),
        KeyPackageError::Malformed
    );
}

#[test]
fn a_group_may_move_to_another_thread() {
    fn is_send<T: Send>(_: &T) {}
    let link = link();
    is_send(&host(&link));
    is_send(&Candidate::new(pseudonym(2), &link).unwrap());
}

#[test]
fn nothing_that_is_cut_short_is_read_or_breaks_us() {
    let link = link();
    let mut members = meeting(&link, 1);
    let candidate = Candidate::new(pseudonym(3), &link).unwrap();
    let package = candidate.key_package();
    for len in 0..package.len() {
        let error = VerifiedKeyPackage::parse(&package[..len]).unwrap_err();
        assert_eq!(error, KeyPackageError::Malformed, "{len}");
    }
    let bundle = members[0]
        .add(&[VerifiedKeyPackage::parse(package).unwrap()])
        .unwrap();
    for len in 0..bundle.commit.len() {
        let error = members[1].process(&bundle.commit[..len]).unwrap_err();
        assert_eq!(error, ProcessError::Malformed, "{len}");
    }
    let (welcome, tree) = (bundle.welcome.unwrap(), bundle.tree.unwrap());
    // A join uses its candidate up, and candidates are slow to make.
    for cut in (1..tree.len()).step_by(tree.len() / 40) {
        let candidate = Candidate::new(pseudonym(3), &link).unwrap();
        let joined = candidate.join(&welcome, &tree[..tree.len() - cut]);
        assert_eq!(joined.unwrap_err(), JoinError::Malformed, "{cut}");
        let candidate = Candidate::new(pseudonym(3), &link).unwrap();
        let joined = candidate.join(&welcome[..welcome.len().saturating_sub(cut)], &tree);
        assert_eq!(joined.unwrap_err(), JoinError::Malformed, "{cut}");
    }
}
