//! Every rule, by a commit that breaks it and nothing else.

use super::*;

fn member(leaf: u32) -> Member {
    Member {
        leaf: Leaf(leaf),
        pseudonym: Pseudonym([leaf as u8; 16]),
        leaf_key: [leaf as u8; 32],
    }
}

/// Leaf 0 is the host, leaves 1 and 2 take part.
fn members() -> Vec<Member> {
    (0..3).map(member).collect()
}

fn policy() -> Policy {
    Policy {
        hosts: vec![[0; 16]],
        waiting_room: true,
    }
}

fn rekey_by(leaf: u32) -> CommitSummary {
    CommitSummary {
        committer: Some(Leaf(leaf)),
        enters: None,
        adds: Vec::new(),
        removes: Vec::new(),
        link_psks: 0,
        foreign_psks: 0,
        changes_policy: None,
        other_proposals: 0,
        has_path: true,
        removes_me: false,
    }
}

fn add_by(leaf: u32) -> CommitSummary {
    CommitSummary {
        adds: vec![(Pseudonym([9; 16]), [9; 32])],
        link_psks: 1,
        has_path: false,
        ..rekey_by(leaf)
    }
}

fn remove_by(leaf: u32) -> CommitSummary {
    CommitSummary {
        removes: vec![Leaf(2)],
        ..rekey_by(leaf)
    }
}

fn verdict(commit: &CommitSummary) -> Result<(), Violation> {
    judge(commit, &members(), &policy())
}

#[test]
fn what_may_be_done_is_done() {
    for commit in [rekey_by(0), rekey_by(1), add_by(0), remove_by(0)] {
        assert_eq!(verdict(&commit), Ok(()), "{commit:?}");
    }
}

#[test]
fn a_ghost_does_not_enter_by_itself() {
    let ghost = CommitSummary {
        committer: None,
        enters: Some((Pseudonym([7; 16]), [7; 32])),
        link_psks: 1,
        ..rekey_by(0)
    };
    assert_eq!(verdict(&ghost), Err(Violation::External));
}

#[test]
fn only_a_host_adds_removes_and_changes_the_rules() {
    assert_eq!(verdict(&add_by(1)), Err(Violation::AddByNonHost));
    assert_eq!(verdict(&remove_by(1)), Err(Violation::RemoveByNonHost));
    let rules = CommitSummary {
        changes_policy: policy().encode(),
        ..rekey_by(1)
    };
    assert_eq!(verdict(&rules), Err(Violation::PolicyByNonHost));
    let stranger = CommitSummary {
        committer: Some(Leaf(42)),
        ..add_by(0)
    };
    assert_eq!(verdict(&stranger), Err(Violation::AddByNonHost));
}

#[test]
fn an_add_is_bound_to_the_link_exactly_once() {
    for (link_psks, foreign_psks) in [(0, 0), (2, 0), (1, 1), (0, 1)] {
        let commit = CommitSummary {
            link_psks,
            foreign_psks,
            ..add_by(0)
        };
        assert_eq!(
            verdict(&commit),
            Err(Violation::Psk),
            "{link_psks} {foreign_psks}"
        );
    }
    let rekey = CommitSummary {
        link_psks: 1,
        ..rekey_by(0)
    };
    assert_eq!(verdict(&rekey), Err(Violation::Psk));
}

#[test]
fn nobody_is_doubled() {
    for added in [(Pseudonym([1; 16]), [9; 32]), (Pseudonym([9; 16]), [1; 32])] {
        let commit = CommitSummary {
            adds: vec![added],
            ..add_by(0)
        };
        assert_eq!(verdict(&commit), Err(Violation::Duplicate));
    }
    let twice = (Pseudonym([9; 16]), [9; 32]);
    let commit = CommitSummary {
        adds: vec![twice, twice],
        ..add_by(0)
    };
    assert_eq!(verdict(&commit), Err(Violation::Duplicate));
}

#[test]
fn who_is_removed_may_come_back_in_the_same_commit() {
    let commit = CommitSummary {
        removes: vec![Leaf(2)],
        adds: vec![(Pseudonym([2; 16]), [8; 32])],
        has_path: true,
        ..add_by(0)
    };
    assert_eq!(verdict(&commit), Ok(()));
}

#[test]
fn a_removal_renews_the_keys() {
    let commit = CommitSummary {
        has_path: false,
        ..remove_by(0)
    };
    assert_eq!(verdict(&commit), Err(Violation::RemovalWithoutPath));
}

#[test]
fn unknown_proposals_and_rules_without_a_host_are_refused() {
    let unknown = CommitSummary {
        other_proposals: 1,
        ..rekey_by(0)
    };
    assert_eq!(verdict(&unknown), Err(Violation::UnknownProposal));
    let nobody = Policy {
        hosts: vec![[77; 16]],
        waiting_room: false,
    };
    for bytes in [nobody.encode().unwrap(), vec![0xff; 3], Vec::new()] {
        let commit = CommitSummary {
            changes_policy: Some(bytes),
            ..rekey_by(0)
        };
        assert_eq!(verdict(&commit), Err(Violation::Policy));
    }
}
