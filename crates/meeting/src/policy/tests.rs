//! Every rule, by a commit that breaks it and nothing else.

use conclave_e2ee::{CommitSummary, Leaf, Member};

use super::*;

fn member(leaf: u32) -> Member {
    Member {
        leaf: Leaf(leaf),
        pseudonym: Pseudonym([leaf as u8; 16]),
        leaf_key: [leaf as u8; 32],
    }
}

/// Leaf 0 is the host, leaves 1 and 2 take part, leaf 3 is a co-host, leaf 4 a named successor.
fn members() -> Vec<Member> {
    (0..5).map(member).collect()
}

fn policy() -> Policy {
    Policy {
        co_hosts: vec![[3; 16]],
        successors: vec![[4; 16]],
        ..Policy::founded_by([0; 16])
    }
}

fn rules_by(leaf: u32, change: impl FnOnce(&mut Policy)) -> CommitSummary {
    let mut rules = policy();
    change(&mut rules);
    CommitSummary {
        changes_policy: rules.encode(),
        ..rekey_by(leaf)
    }
}

fn verdict_under(
    change: impl FnOnce(&mut Policy),
    commit: &CommitSummary,
) -> Result<(), Violation> {
    let mut rules = policy();
    change(&mut rules);
    judge(commit, &members(), &rules)
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
        authenticated: Vec::new(),
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
    let nobody = Policy::founded_by([77; 16]);
    for bytes in [nobody.encode().unwrap(), vec![0xff; 3], Vec::new()] {
        let commit = CommitSummary {
            changes_policy: Some(bytes),
            ..rekey_by(0)
        };
        assert_eq!(verdict(&commit), Err(Violation::Policy));
    }
}

#[test]
fn a_co_host_keeps_the_door_and_nothing_else() {
    for commit in [add_by(3), remove_by(3)] {
        assert_eq!(verdict(&commit), Ok(()), "{commit:?}");
    }
    let door = rules_by(3, |rules| {
        rules.locked = true;
        rules.waiting_room = false;
        rules.link.generation = 1;
        rules.link.single_use = true;
    });
    assert_eq!(verdict(&door), Ok(()));
    let changes: [fn(&mut Policy); 6] = [
        |rules| rules.strict = true,
        |rules| rules.co_hosts.push([2; 16]),
        |rules| {
            rules.co_hosts.clear();
            rules.hosts = vec![[0; 16], [3; 16]];
        },
        |rules| rules.successors.clear(),
        |rules| rules.permissions.record = Who::Everyone,
        |rules| rules.open_microphones = 1,
    ];
    for change in changes {
        let commit = rules_by(3, change);
        assert_eq!(verdict(&commit), Err(Violation::PolicyByNonHost));
    }
    let host = CommitSummary {
        removes: vec![Leaf(0)],
        ..rekey_by(3)
    };
    assert_eq!(verdict(&host), Err(Violation::RemoveByNonHost));
}

#[test]
fn a_co_host_who_removes_somebody_may_strike_out_his_name_and_no_other() {
    let removal = |change: fn(&mut Policy)| CommitSummary {
        removes: vec![Leaf(4)],
        ..rules_by(3, change)
    };
    let struck_out = removal(|rules| rules.successors.clear());
    assert_eq!(verdict(&struck_out), Ok(()));
    assert_eq!(verdict(&removal(|rules| rules.locked = true)), Ok(()));
    let named_5 = |rules: &mut Policy| rules.successors.push([5; 16]);
    let both = CommitSummary {
        removes: vec![Leaf(4)],
        ..rules_by(3, |rules| rules.successors.clear())
    };
    let refused = Err(Violation::PolicyByNonHost);
    assert_eq!(verdict_under(named_5, &both), refused);
}

#[test]
fn a_named_successor_makes_himself_host_and_nothing_more() {
    let promotion = |rules: &mut Policy| *rules = rules.succeeded_by([4; 16]).unwrap();
    assert_eq!(verdict(&rules_by(4, promotion)), Ok(()));
    let co_host = |rules: &mut Policy| rules.co_hosts.push([4; 16]);
    let both = |rules: &mut Policy| {
        co_host(rules);
        promotion(rules);
    };
    assert_eq!(verdict_under(co_host, &rules_by(4, both)), Ok(()));
    let more = rules_by(4, |rules| {
        promotion(rules);
        rules.locked = true;
    });
    assert_eq!(verdict(&more), Err(Violation::PolicyByNonHost));
    let more = rules_by(4, |rules| {
        both(rules);
        rules.locked = true;
    });
    let refused = Err(Violation::PolicyByNonHost);
    assert_eq!(verdict_under(co_host, &more), refused);
    let ousting = CommitSummary {
        removes: vec![Leaf(2)],
        ..rules_by(4, both)
    };
    assert_eq!(verdict_under(co_host, &ousting), refused);
    let unnamed = rules_by(2, |rules| rules.hosts.push([2; 16]));
    assert_eq!(verdict(&unnamed), Err(Violation::PolicyByNonHost));
    let ousting = CommitSummary {
        removes: vec![Leaf(0)],
        ..rules_by(4, promotion)
    };
    assert_eq!(verdict(&ousting), Err(Violation::RemoveByNonHost));
}

#[test]
fn nobody_enters_a_locked_meeting_but_who_comes_back() {
    let lock = |rules: &mut Policy| rules.locked = true;
    assert_eq!(verdict_under(lock, &add_by(0)), Err(Violation::Locked));
    let back = CommitSummary {
        removes: vec![Leaf(2)],
        has_path: true,
        ..add_by(0)
    };
    assert_eq!(verdict_under(lock, &back), Ok(()));
}

#[test]
fn a_link_for_one_lets_in_one_and_ends() {
    let single = |rules: &mut Policy| rules.link.single_use = true;
    assert_eq!(verdict_under(single, &add_by(0)), Err(Violation::SingleUse));
    let mut rules = policy();
    rules.link.single_use = true;
    let with_rules = |rules: &Policy| CommitSummary {
        changes_policy: rules.encode(),
        ..add_by(0)
    };
    let kept = with_rules(&rules);
    assert_eq!(verdict_under(single, &kept), Err(Violation::SingleUse));
    rules.link.generation = 1;
    let renewing = with_rules(&rules);
    assert_eq!(verdict_under(single, &renewing), Ok(()));
    let two = CommitSummary {
        adds: vec![(Pseudonym([8; 16]), [8; 32]), (Pseudonym([9; 16]), [9; 32])],
        ..renewing
    };
    assert_eq!(verdict_under(single, &two), Err(Violation::SingleUse));
}

#[test]
fn only_a_host_says_how_many_microphones_may_be_open() {
    let fewer = |rules: &mut Policy| rules.open_microphones = 2;
    assert_eq!(verdict(&rules_by(0, fewer)), Ok(()));
    for leaf in [1, 3, 4] {
        let forged = verdict(&rules_by(leaf, fewer));
        assert_eq!(forged, Err(Violation::PolicyByNonHost), "leaf {leaf}");
    }
    let unsound = rules_by(0, |rules| rules.open_microphones = 0);
    assert_eq!(verdict(&unsound), Err(Violation::Policy));
}

#[test]
fn links_are_renewed_one_by_one() {
    for generation in [2, u32::MAX] {
        let leap = rules_by(0, |rules| rules.link.generation = generation);
        assert_eq!(verdict(&leap), Err(Violation::LinkGeneration));
    }
    let later = |rules: &mut Policy| rules.link.generation = 5;
    assert_eq!(
        verdict_under(later, &rules_by(0, |_| {})),
        Err(Violation::LinkGeneration)
    );
}

#[test]
fn nobody_is_added_under_a_pseudonym_with_a_role() {
    let gone = |rules: &mut Policy| rules.hosts.push([9; 16]);
    assert_eq!(verdict_under(gone, &add_by(0)), Err(Violation::OldRole));
    let named = |rules: &mut Policy| rules.successors.push([9; 16]);
    assert_eq!(verdict_under(named, &add_by(0)), Err(Violation::OldRole));
}

fn people(count: usize) -> Vec<[u8; 16]> {
    (0..count).map(|n| [10 + n as u8; 16]).collect()
}

#[test]
fn rules_over_their_bounds_are_not_read() {
    let reads = |change: fn(&mut Policy)| {
        let mut rules = policy();
        change(&mut rules);
        Policy::decode(&rules.encode().unwrap()).is_some()
    };
    let fits: [fn(&mut Policy); 5] = [
        |rules| rules.co_hosts = people(MAX_ROLES - 1),
        |rules| rules.successors = people(MAX_SUCCESSORS),
        |rules| rules.relays = vec!["r".repeat(MAX_RELAY); MAX_RELAYS],
        |rules| rules.open_microphones = *OPEN_MICROPHONES.start(),
        |rules| rules.open_microphones = *OPEN_MICROPHONES.end(),
    ];
    for (case, change) in fits.into_iter().enumerate() {
        assert!(reads(change), "{case}");
    }
    let broken: [fn(&mut Policy); 9] = [
        |rules| rules.hosts.clear(),
        |rules| rules.co_hosts.push([0; 16]),
        |rules| rules.co_hosts = people(MAX_ROLES),
        |rules| rules.successors = people(MAX_SUCCESSORS + 1),
        |rules| rules.successors = vec![[4; 16]; 2],
        |rules| rules.relays = vec!["r".into(); MAX_RELAYS + 1],
        |rules| rules.relays = vec!["r".repeat(MAX_RELAY + 1)],
        |rules| rules.open_microphones = 0,
        |rules| rules.open_microphones = OPEN_MICROPHONES.end() + 1,
    ];
    for (case, change) in broken.into_iter().enumerate() {
        assert!(!reads(change), "{case}");
    }
    let mut more = policy().encode().unwrap();
    more.push(0);
    assert_eq!(Policy::decode(&more), None, "bytes left over");
}

#[test]
fn successors_are_named_and_struck_out_one_by_one() {
    let two = policy().with_successor([5; 16], true).unwrap();
    assert_eq!(two.successors, [[4; 16], [5; 16]]);
    let again = two.with_successor([4; 16], true).unwrap();
    assert_eq!(
        again.successors,
        [[5; 16], [4; 16]],
        "the last one named is the last"
    );
    let one = two.with_successor([4; 16], false).unwrap();
    assert_eq!(one.successors, [[5; 16]]);
    assert_eq!(policy().succeeded_by([5; 16]), None);
    let followed = two.succeeded_by([5; 16]).unwrap();
    assert_eq!(followed.hosts, [[0; 16], [5; 16]]);
    assert_eq!(followed.successors, [[4; 16]]);
}

#[test]
fn who_is_gone_has_no_role_but_for_the_last_host() {
    let gone = |who: &[u8]| policy().without(&who.iter().map(|n| [*n; 16]).collect());
    let left = gone(&[3, 4]);
    assert_eq!(
        (left.hosts.len(), left.co_hosts.len(), left.successors.len()),
        (1, 0, 0)
    );
    assert_eq!(gone(&[0]).hosts, [[0; 16]]);
    assert_eq!(gone(&[7]), policy());
    let two = policy().with_role([3; 16], Role::Host).unwrap();
    let left = two.without(&[[0; 16]].into());
    assert_eq!(left.hosts, [[3; 16]]);
}

/// Leaf 2 stood apart and comes back under its own name and key.
fn return_of_2() -> CommitSummary {
    CommitSummary {
        committer: None,
        enters: Some((Pseudonym([2; 16]), [2; 32])),
        removes: vec![Leaf(2)],
        link_psks: 1,
        ..rekey_by(2)
    }
}

#[test]
fn a_member_comes_back_also_through_a_locked_door() {
    assert_eq!(verdict(&return_of_2()), Ok(()));
    let locked = verdict_under(|rules| rules.locked = true, &return_of_2());
    assert_eq!(locked, Ok(()));
}

#[test]
fn who_comes_back_does_nothing_else_and_is_nobody_else() {
    let own = return_of_2();
    let broken = [
        CommitSummary {
            link_psks: 0,
            ..own.clone()
        },
        CommitSummary {
            link_psks: 2,
            ..own.clone()
        },
        CommitSummary {
            foreign_psks: 1,
            ..own.clone()
        },
        CommitSummary {
            other_proposals: 1,
            ..own.clone()
        },
        CommitSummary {
            removes: Vec::new(),
            ..own.clone()
        },
        CommitSummary {
            removes: vec![Leaf(1)],
            ..own.clone()
        },
        CommitSummary {
            removes: vec![Leaf(2), Leaf(1)],
            ..own.clone()
        },
        CommitSummary {
            changes_policy: policy().encode(),
            ..own.clone()
        },
        CommitSummary {
            adds: vec![(Pseudonym([9; 16]), [9; 32])],
            ..own.clone()
        },
        CommitSummary {
            enters: Some((Pseudonym([2; 16]), [7; 32])),
            ..own.clone()
        },
        CommitSummary {
            enters: Some((Pseudonym([7; 16]), [2; 32])),
            ..own.clone()
        },
        CommitSummary {
            enters: None,
            ..own.clone()
        },
    ];
    for commit in broken {
        assert_eq!(verdict(&commit), Err(Violation::External), "{commit:?}");
    }
}
