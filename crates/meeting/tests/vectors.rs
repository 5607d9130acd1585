//! The vectors of docs/vectors, made from docs/protocol.md by another program.

use std::sync::Arc;
use std::time::Instant;

use conclave_e2ee::{DeviceKey, fingerprint16};
use conclave_meeting::{Event, Identity, Input, InviteLink, Meeting, Output};
use conclave_wire::{Blob, MeetingId, ServerMessage};
use serde_json::Value;

fn read(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap()).unwrap()
}

fn array<const N: usize>(value: &Value) -> [u8; N] {
    bytes(value).try_into().unwrap()
}

#[test]
fn links_are_written_and_read_as_in_the_vectors() {
    let vectors = read(include_str!("../../../docs/vectors/link.json"));
    for (number, vector) in vectors["links"].as_array().unwrap().iter().enumerate() {
        let text = vector["text"].as_str().unwrap();
        let link: InviteLink = text.parse().unwrap();
        assert_eq!(link.expose(), text);
        assert_eq!(vector["host"], link.host);
        assert_eq!(vector["port"], link.port);
        assert_eq!(link.meeting, MeetingId(array(&vectors["meeting"])));
        assert_eq!(link.secret.expose(), &array(&vectors["secret"]));
        assert_eq!(link.host_key, fingerprint16(&bytes(&vectors["host_key"])));
        let pin = (number == 1).then(|| array(&vectors["certificate"]));
        assert_eq!(link.certificate, pin);
    }
}

#[test]
fn a_door_of_the_vectors_is_believed() {
    let vectors = read(include_str!("../../../docs/vectors/door.json"));
    let link: InviteLink = vectors["link"].as_str().unwrap().parse().unwrap();
    let identity = Identity {
        name: "Ben".parse().unwrap(),
        key: Arc::new(DeviceKey::generate().unwrap()),
    };
    let entropy = Box::new(|buffer: &mut [u8]| buffer.fill(5));
    let mut meeting = Meeting::join(link, identity, Default::default(), entropy);
    let now = Instant::now();
    meeting.handle(now, Input::LinkUp);
    let message = ServerMessage::Descriptor {
        descriptor: Blob::new(bytes(&vectors["sealed"])).unwrap(),
    };
    meeting.handle(now, Input::Message(Box::new(message)));
    let described = std::iter::from_fn(|| meeting.poll()).find_map(|output| match output {
        Output::Event(Event::Described { title, host_name }) => Some((title, host_name)),
        _ => None,
    });
    let (title, host_name) = described.unwrap();
    assert_eq!(vectors["title"], title.as_str());
    assert_eq!(vectors["host_name"], host_name.as_str());
}
