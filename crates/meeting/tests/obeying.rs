//! What the person asks for, and who may ask for what.

mod sim;

use std::time::Duration;

use conclave_meeting::{Command, LeftReason, MediaState, Phase, Role, Warning, Who};
use sim::people::three;

const ANA: usize = 0;
const BEN: usize = 1;
const CY: usize = 2;

const SHARING: MediaState = MediaState {
    muted: false,
    camera: false,
    screen: true,
};

#[test]
fn only_a_host_ends_the_meeting_for_all() {
    let mut world = three();
    let ben = world.device(BEN);
    world.command(ANA, Command::SetRole(ben, Role::CoHost));
    for who in [BEN, CY] {
        world.command(who, Command::End);
        assert_eq!(world.people[who].warnings(), [Warning::NotAllowed]);
    }
    world.assert_agreement(&[ANA, BEN, CY]);
    assert_eq!(world.people[ANA].warnings(), [], "nothing of it went out");

    world.command(ANA, Command::End);
    assert_eq!(world.people[ANA].left(), Some(LeftReason::ByChoice));
    for who in [BEN, CY] {
        assert_eq!(world.people[who].left(), Some(LeftReason::Ended));
    }
}

#[test]
fn a_guest_leaves_without_troubling_anybody() {
    let mut world = three();
    world.command(BEN, Command::Leave);
    assert_eq!(world.people[BEN].left(), Some(LeftReason::ByChoice));
    world.pass(Duration::from_secs(20));
    world.assert_agreement(&[ANA, CY]);
    world.assert_nobody_is_warned();
}

#[test]
fn a_guest_leaves_at_once_though_the_host_is_silent() {
    let mut world = three();
    let ben = world.device(BEN);
    world.command(ANA, Command::SetSuccessor(ben, true));
    world.hang_up(ANA);
    world.pass(Duration::from_secs(20));
    world.command(CY, Command::Leave);
    assert_eq!(world.people[CY].left(), Some(LeftReason::ByChoice));
    world.assert_nobody_is_warned();
}

#[test]
fn a_host_beside_another_leaves_at_once() {
    let mut world = three();
    let ben = world.device(BEN);
    world.command(ANA, Command::SetRole(ben, Role::Host));
    world.command(ANA, Command::Leave);
    assert_eq!(world.people[ANA].left(), Some(LeftReason::ByChoice));
    world.assert_agreement(&[BEN, CY]);
    world.assert_nobody_is_warned();
}

#[test]
fn nobody_removes_himself() {
    let mut world = three();
    for who in [ANA, BEN] {
        let own = world.device(who);
        world.command(who, Command::Remove(own));
        world.pass(Duration::from_secs(2));
    }
    world.assert_agreement(&[ANA, BEN, CY]);
    world.assert_nobody_is_warned();
}

#[test]
fn where_hosts_alone_may_share_guests_still_mute_themselves() {
    let mut world = three();
    world.command(ANA, Command::SetSharing(Who::Hosts));
    let muted = MediaState {
        muted: true,
        ..MediaState::default()
    };
    world.command(BEN, Command::SetMedia(muted));
    world.command(ANA, Command::SetMedia(SHARING));
    world.assert_nobody_is_warned();
    assert_eq!(world.seen(CY, world.device(BEN)).media, muted);
}

#[test]
fn a_grant_is_asked_for_as_soon_as_the_service_hears_it() {
    let mut world = three();
    assert_eq!(world.service.grants_asked, 0);
    world.command(BEN, Command::RequestGrant);
    assert_eq!(world.service.grants_asked, 1);
    // Nobody hears it over a broken connection, nor over one where nobody is known yet.
    world.hang_up(BEN);
    world.command(BEN, Command::RequestGrant);
    world.deaf(BEN);
    world.dial(BEN);
    world.command(BEN, Command::RequestGrant);
    assert_eq!(world.service.grants_asked, 1);
    assert_eq!(world.people[BEN].snapshot().phase, Phase::Active);
    world.hang_up(BEN);
    world.hears_again(BEN);
    world.back(BEN);
    assert_eq!(world.service.grants_asked, 2, "once, and at once");
    world.hang_up(BEN);
    world.back(BEN);
    assert_eq!(world.service.grants_asked, 2, "nobody wants another");
}
