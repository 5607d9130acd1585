//! The simulator's auditor is worth what it notices: each thing that must never happen is shown
//! to it once.

mod sim;

use conclave_e2ee::{
    Candidate, Group, Leaf, LinkSecret, MediaEpoch, Pseudonym, SecurityCode, VerifiedKeyPackage,
};
use conclave_meeting::{Change, MediaState, MemberView, Phase, Role, Snapshot};
use conclave_wire::DeviceId;
use sim::audit::Auditor;

const ANA: DeviceId = DeviceId([1; 16]);
const BEN: DeviceId = DeviceId([2; 16]);

/// The media keys of two people in one epoch.
fn two() -> (MediaEpoch, MediaEpoch) {
    let link = LinkSecret::generate().unwrap();
    let mut ana = Group::create(Pseudonym(ANA.0), &link, b"policy").unwrap();
    let candidate = Candidate::new(Pseudonym(BEN.0), &link).unwrap();
    let package = VerifiedKeyPackage::parse(candidate.key_package()).unwrap();
    let bundle = ana.add(&[package]).unwrap();
    ana.merge_pending().unwrap();
    let mut ben = candidate
        .join(&bundle.welcome.unwrap(), &bundle.tree.unwrap())
        .unwrap();
    (ana.media_epoch().unwrap(), ben.media_epoch().unwrap())
}

/// What somebody says he sees in epoch 1.
fn sees(me: DeviceId, code: &str, devices: &[DeviceId]) -> Snapshot {
    let members = devices.iter().enumerate().map(|(leaf, device)| MemberView {
        device: *device,
        leaf: Leaf(leaf as u32),
        name: None,
        device_key: None,
        successor: false,
        silent: false,
        role: Role::Participant,
        is_me: *device == me,
        media: MediaState::default(),
        online: true,
        place: true,
        hand: None,
    });
    Snapshot {
        phase: Phase::Active,
        device: me,
        title: None,
        host_name: None,
        epoch: 1,
        code: Some(SecurityCode::from_authenticator(code.as_bytes())),
        change: Change::Begun,
        policy: None,
        link_ends_at: None,
        members: members.collect(),
        floor: Default::default(),
        knocks: Vec::new(),
        link_up: true,
    }
}

/// An auditor that knows both, and has heard that both were let in.
fn auditor() -> Auditor {
    let mut auditor = Auditor::default();
    for (who, device) in [(0, ANA), (1, BEN)] {
        auditor.owns(who, device);
        auditor.admit(who);
    }
    auditor
}

#[test]
fn an_honest_epoch_passes() {
    let (ana, ben) = two();
    let mut auditor = auditor();
    let both = [ANA, BEN];
    auditor.begins(0, ana, &sees(ANA, "1", &both)).unwrap();
    auditor.begins(1, ben, &sees(BEN, "1", &both)).unwrap();
    assert_eq!((auditor.frames_tried, auditor.frames_opened), (1, 1));
}

#[test]
fn a_reader_who_is_not_in_the_roster_is_noticed() {
    let (ana, ben) = two();
    let mut auditor = auditor();
    let both = [ANA, BEN];
    auditor.begins(1, ben, &sees(BEN, "1", &both)).unwrap();
    let fault = auditor.begins(0, ana, &sees(ANA, "1", &[ANA])).unwrap_err();
    assert!(fault.contains("without being in it"), "{fault}");
}

#[test]
fn a_ghost_and_one_whom_nobody_admitted_are_noticed() {
    let (ana, _) = two();
    let mut auditor = Auditor::default();
    auditor.owns(0, ANA);
    auditor.admit(0);
    let both = [ANA, BEN];
    let fault = auditor.begins(0, ana, &sees(ANA, "1", &both)).unwrap_err();
    assert!(fault.contains("ghost"), "{fault}");
    auditor.owns(1, BEN);
    let (ana, _) = two();
    let fault = auditor.begins(0, ana, &sees(ANA, "1", &both)).unwrap_err();
    assert!(fault.contains("nobody admitted"), "{fault}");
}

#[test]
fn other_codes_and_other_people_in_one_epoch_are_noticed() {
    let (ana, ben) = two();
    let mut by_code = auditor();
    let both = [ANA, BEN];
    by_code.begins(0, ana, &sees(ANA, "1", &both)).unwrap();
    let fault = by_code.begins(1, ben, &sees(BEN, "2", &both)).unwrap_err();
    assert!(fault.contains("other codes"), "{fault}");

    let cy = DeviceId([3; 16]);
    let (ana, ben) = two();
    let mut by_roster = auditor();
    by_roster.owns(2, cy);
    by_roster.admit(2);
    by_roster.begins(0, ana, &sees(ANA, "1", &both)).unwrap();
    let fault = by_roster
        .begins(1, ben, &sees(BEN, "1", &[ANA, BEN, cy]))
        .unwrap_err();
    assert!(fault.contains("other people"), "{fault}");
}

#[test]
fn two_groups_that_read_one_code_are_noticed() {
    let (ana, _) = two();
    let (_, ben) = two();
    let mut auditor = auditor();
    let both = [ANA, BEN];
    auditor.begins(0, ana, &sees(ANA, "1", &both)).unwrap();
    let fault = auditor.begins(1, ben, &sees(BEN, "1", &both)).unwrap_err();
    assert!(fault.contains("one code"), "{fault}");
}

#[test]
fn names_and_the_links_secret_are_noticed_on_the_wire() {
    let mut auditor = Auditor::default();
    auditor.keep_secret([7; 32]);
    assert!(auditor.bytes(b"nothing to see").is_ok());
    assert!(auditor.bytes(b"\x01\x0bXylograph 2\x00").is_err());
    assert!(auditor.bytes(&[0, 7, 7, 7]).is_ok());
    assert!(auditor.bytes(&[&[0][..], &[7; 32]].concat()).is_err());
}
