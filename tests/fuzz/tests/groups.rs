//! What a group takes in: commits, messages, invitations, and the state of a group to come back to.

use bolero::check;
use conclave_e2ee::{
    Candidate, Change, Group, LinkSecret, Processed, Pseudonym, VerifiedKeyPackage,
};
use fuzz::{Feed, Shared};

const POLICY: &[u8] = b"policy of the tests";

fn link() -> LinkSecret {
    LinkSecret::from_bytes([1; 32])
}

fn package(number: u8) -> VerifiedKeyPackage {
    let candidate = Candidate::new(Pseudonym([number; 16]), &link()).unwrap();
    VerifiedKeyPackage::parse(candidate.key_package()).unwrap()
}

/// A host and a guest in one epoch.
fn two() -> (Group, Group) {
    let mut host = Group::create(Pseudonym([1; 16]), &link(), POLICY).unwrap();
    let candidate = Candidate::new(Pseudonym([2; 16]), &link()).unwrap();
    let package = VerifiedKeyPackage::parse(candidate.key_package()).unwrap();
    let bundle = host.add(&[package]).unwrap();
    host.merge_pending().unwrap();
    let (welcome, tree) = (bundle.welcome.unwrap(), bundle.tree.unwrap());
    let guest = candidate.join(&welcome, &tree).unwrap();
    (host, guest)
}

/// One commit of each kind, all for the present epoch.
fn commits(host: &mut Group, guest: &Group) -> Vec<Vec<u8>> {
    let (adds, removes) = ([package(3)], [guest.own_leaf()]);
    let changes = [
        Change {
            adds: &adds,
            ..Change::default()
        },
        Change {
            removes: &removes,
            ..Change::default()
        },
        Change {
            policy: Some(b"another"),
            renews_link: Some(1),
            ..Change::default()
        },
    ];
    let mut commits: Vec<_> = changes
        .into_iter()
        .map(|change| {
            let commit = host.change(change).unwrap().commit;
            host.clear_pending().unwrap();
            commit
        })
        .collect();
    commits.push(host.rekey().unwrap().commit);
    host.clear_pending().unwrap();
    commits
}

/// A commit is staged as it was made or not at all, and nothing that is staged changes anything.
#[test]
fn commits_taken_in() {
    let (mut host, guest) = two();
    let real = commits(&mut host, &guest);
    let group_info = host.group_info().unwrap();
    let samples = [real.clone(), vec![group_info]].concat();
    let code = guest.security_code();
    let guest = Shared::new(guest);
    check!(name = "commits_taken_in")
        .with_iterations(3_000)
        .with_max_len(4096)
        .for_each(|input: &[u8]| {
            let bytes = Feed::new(input).forge(&samples);
            guest.with(|guest| {
                // The key of a PrivateMessage is used up by the first try.
                if let Ok(processed) = guest.process(&bytes) {
                    assert!(real.contains(&bytes));
                    assert!(matches!(processed, Processed::Commit(_)));
                }
                assert_eq!((guest.epoch(), guest.members().len()), (1, 2));
            });
        });
    assert_eq!(guest.into_inner().security_code(), code);
}

/// A message is read once, as it was written, or not at all.
#[test]
fn messages_taken_in() {
    let (mut host, guest) = two();
    let real: Vec<_> = (0..8_u8)
        .map(|word| host.protect(&[word; 40]).unwrap())
        .collect();
    let state = Shared::new((guest, Vec::new()));
    check!(name = "messages_taken_in")
        .with_iterations(8_000)
        .with_max_len(1024)
        .for_each(|input: &[u8]| {
            let bytes = Feed::new(input).forge(&real);
            state.with(|(guest, read)| {
                if let Ok(processed) = guest.process(&bytes) {
                    assert!(real.contains(&bytes) && !read.contains(&bytes));
                    assert!(matches!(processed, Processed::Application { .. }));
                    read.push(bytes);
                }
            });
        });
}

/// An invitation makes a member as it was made or not at all.
#[test]
fn welcomes() {
    let host = Shared::new(Group::create(Pseudonym([1; 16]), &link(), POLICY).unwrap());
    let invite = || {
        let candidate = Candidate::new(Pseudonym([2; 16]), &link()).unwrap();
        let package = VerifiedKeyPackage::parse(candidate.key_package()).unwrap();
        let bundle = host.with(|host| {
            let bundle = host.add(&[package]).unwrap();
            host.clear_pending().unwrap();
            bundle
        });
        (candidate, bundle.welcome.unwrap(), bundle.tree.unwrap())
    };
    check!(name = "welcomes")
        .with_iterations(100)
        .with_max_len(4096)
        .for_each(|input: &[u8]| {
            let mut feed = Feed::new(input);
            let (candidate, welcome, tree) = invite();
            let (mut forged_welcome, mut forged_tree) = (welcome.clone(), tree.clone());
            match feed.flag() {
                true => forged_welcome = feed.forge(&[welcome.clone(), tree.clone()]),
                false => forged_tree = feed.forge(&[tree.clone(), welcome.clone()]),
            }
            let is_real = forged_welcome == welcome && forged_tree == tree;
            let joined = candidate.join(&forged_welcome, &forged_tree);
            assert_eq!(joined.is_ok(), is_real, "{:?}", joined.err());
        });
}

/// The state of a group that a member who is lost asks for: taken as it was signed or not at all.
#[test]
fn group_states() {
    let (host, guest) = two();
    let real = [host.group_info().unwrap(), guest.group_info().unwrap()];
    let guest = Shared::new(guest);
    check!(name = "group_states")
        .with_iterations(400)
        .with_max_len(4096)
        .for_each(|input: &[u8]| {
            let state = Feed::new(input).forge(&real);
            let certify = |_| Some(b"certificate".to_vec());
            let back = guest.with(|guest| guest.resync(&link(), &state, certify));
            assert_eq!(back.is_ok(), real.contains(&state), "{:?}", back.err());
        });
}
