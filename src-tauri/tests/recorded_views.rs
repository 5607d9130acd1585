//! The window's TypeScript types against the real ones: the snapshots that the UI's own tests draw
//! are written here, and this test fails when they are no longer what Rust writes.

use std::fs;
use std::path::Path;

use conclave_client::{
    CleaningView, DeviceView, InviteView, KnockView, LeftView, MeView, MeetingView, MemberView,
    PolicyView, ScreenView, SharingView, ViewPhase, ViewRole, ViewTrust, ViewVoice, WarningLevel,
    WarningView,
};
use serde_json::Value;

const CODE: &str = "40718 92655 03381 77120 59846 21074";
const LINK: &str = "conclave://127.0.0.1:4443/j/AQEBAQEBAQEBAQEBAQEBAQ#v1.AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI.AwMDAwMDAwMDAwMDAwMDAw";

fn base(phase: ViewPhase) -> MeetingView {
    MeetingView {
        phase,
        title: "Chen v. Harbour Trust".into(),
        host_name: "Ana Costa".into(),
        invite: None,
        policy: PolicyView::default(),
        is_host: false,
        own_server: false,
        epoch: 0,
        code: None,
        code_reason: None,
        me: MeView {
            device: "a1".into(),
            name: "Ravi Shah".into(),
            role: ViewRole::Participant,
            muted: false,
            camera: true,
            audience: false,
            called: false,
            level: 0.5,
            talks_while_muted: false,
            camera_in_use: device("Integrated camera"),
            microphone: device("Headset"),
            speaker: device("Built-in speakers"),
            cleaning: CleaningView {
                echo: true,
                noise: true,
                gain: true,
            },
            sharing: None,
        },
        members: Vec::new(),
        knocks: Vec::new(),
        link_up: true,
        warnings: Vec::new(),
        left: None,
    }
}

fn device(name: &str) -> DeviceView {
    DeviceView {
        name: name.into(),
        problem: None,
    }
}

fn member(device: &str, name: &str, role: ViewRole, tile: u32) -> MemberView {
    MemberView {
        device: device.into(),
        name: name.into(),
        role,
        successor: false,
        is_me: tile == 0,
        trust: match tile {
            0 => ViewTrust::Me,
            _ => ViewTrust::Known,
        },
        known_as: None,
        silent: false,
        voice: ViewVoice::Verified,
        missing_key: false,
        muted: false,
        camera: true,
        hand: None,
        screen: None,
        speaking: false,
        tile,
        problem: None,
    }
}

fn active() -> MeetingView {
    let ana = MemberView {
        speaking: true,
        ..member("h1", "Ana Costa", ViewRole::Host, 1)
    };
    MeetingView {
        epoch: 2,
        code: Some(CODE.into()),
        code_reason: Some("New because Ravi Shah joined.".into()),
        members: vec![ana, member("a1", "Ravi Shah", ViewRole::Participant, 0)],
        ..base(ViewPhase::Active)
    }
}

fn host() -> MeetingView {
    let knock = |device: &str, name: &str| KnockView {
        device: device.into(),
        name: name.into(),
        trust: ViewTrust::New,
        known_as: None,
    };
    let invite = InviteView {
        link: LINK.into(),
        single_use: false,
        expires_at_ms: None,
    };
    let mut view = MeetingView {
        host_name: "Ravi Shah".into(),
        is_host: true,
        invite: Some(invite),
        epoch: 3,
        code_reason: Some("New because Ana Costa joined.".into()),
        members: vec![
            member("a1", "Ravi Shah", ViewRole::Host, 0),
            member("h1", "Ana Costa", ViewRole::Participant, 1),
        ],
        knocks: vec![knock("k1", "Dora Varga"), knock("k2", "Ben Okafor")],
        ..active()
    };
    view.me.role = ViewRole::Host;
    view.me.sharing = Some(SharingView {
        name: "Slides".into(),
        motion: false,
        sound: true,
        problem: None,
    });
    view
}

fn recovering() -> MeetingView {
    let mut view = MeetingView {
        phase: ViewPhase::Recovering,
        link_up: false,
        ..active()
    };
    view.members[0].speaking = false;
    view.members[0].screen = Some(ScreenView {
        tile: 2,
        problem: Some("Ana Costa's screen has stopped. Waiting for more.".into()),
    });
    view.me.microphone = DeviceView {
        name: "Built-in microphone".into(),
        problem: Some(
            "The microphone \"Headset\" is not there. \"Built-in microphone\" is used until it comes back."
                .into(),
        ),
    };
    view.members[0].problem = Some("Ana's key has not arrived. Asking again.".into());
    let text = "The microphone was unplugged. Now using the built-in one.".into();
    let level = WarningLevel::Notice;
    view.warnings = vec![WarningView { id: 7, text, level }];
    view
}

fn left() -> MeetingView {
    let reason = "A host removed you from the meeting.".into();
    MeetingView {
        left: Some(LeftView { reason }),
        ..base(ViewPhase::Left)
    }
}

fn check(name: &str, view: MeetingView) {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../ui/tests/snapshots/{name}.json"));
    let now = serde_json::to_value(view).expect("serialises");
    if std::env::var_os("CONCLAVE_RECORD").is_some() {
        let text = serde_json::to_string_pretty(&now).expect("text");
        fs::write(&path, text + "\n").expect("written");
    }
    let recorded: Value =
        serde_json::from_slice(&fs::read(&path).expect("recorded")).expect("JSON");
    assert_eq!(
        recorded, now,
        "{name}.json is old: run this test with CONCLAVE_RECORD=1, then adapt view.ts"
    );
}

#[test]
fn recorded_snapshots_are_what_the_client_writes() {
    check("lobby", base(ViewPhase::Lobby));
    check("waiting", base(ViewPhase::Waiting));
    check("active", active());
    check("host", host());
    check("recovering", recovering());
    check("left", left());
}
