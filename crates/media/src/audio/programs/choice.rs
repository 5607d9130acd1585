//! Which of the sound server's streams are the sound of other programs.

use pulseaudio::protocol::{ClientInfo, Prop, Props, SinkInputInfo};

/// What PipeWire marks both ends with of what leads sound from one device to another.
const PIPEWIRE_LINK_GROUP: &std::ffi::CStr = c"node.link-group";

/// The client that plays a stream, if the stream may be of use: to be asked who it is.
///
/// A stream without a client, or of a filter, only passes on what goes to a virtual loudspeaker,
/// our own voices among it, or a microphone. The programs that play there are heard themselves.
pub(super) fn player(stream: &SinkInputInfo, own_process: u32) -> Option<u32> {
    let is_filter = value(&stream.props, Prop::MediaRole) == Some("filter")
        || stream.props.get_bytes(PIPEWIRE_LINK_GROUP).is_some();
    let is_own = process(&stream.props) == Some(own_process);
    stream.client_index.filter(|_| !is_filter && !is_own)
}

/// Whether a client is another process than this one, which always says its number.
pub(super) fn is_other(client: &ClientInfo, own_process: u32) -> bool {
    process(&client.props) != Some(own_process)
}

fn process(props: &Props) -> Option<u32> {
    value(props, Prop::ApplicationProcessId)?.parse().ok()
}

fn value(props: &Props, prop: Prop) -> Option<&str> {
    let bytes = props.get(prop)?;
    let text = bytes.strip_suffix(&[0]).unwrap_or(bytes);
    std::str::from_utf8(text).ok()
}

#[cfg(test)]
mod tests {
    use std::ffi::CString;

    use super::*;

    const OWN: u32 = 4711;

    fn props(values: &[(Prop, &str)]) -> Props {
        let mut props = Props::new();
        for (prop, value) in values {
            props.set(*prop, CString::new(*value).unwrap());
        }
        props
    }

    fn stream(client_index: Option<u32>, props: Props) -> SinkInputInfo {
        SinkInputInfo {
            client_index,
            props,
            ..SinkInputInfo::default()
        }
    }

    fn client(process: Option<&str>) -> ClientInfo {
        let process = process.map(|number| (Prop::ApplicationProcessId, number));
        ClientInfo {
            props: props(process.as_slice()),
            ..ClientInfo::default()
        }
    }

    #[test]
    fn other_programs_are_heard() {
        assert_eq!(player(&stream(Some(3), props(&[])), OWN), Some(3));
        let named = props(&[
            (Prop::ApplicationProcessId, "4712"),
            (Prop::MediaRole, "music"),
        ]);
        assert_eq!(player(&stream(Some(3), named), OWN), Some(3));
        assert!(is_other(&client(Some("4712")), OWN));
        assert!(is_other(&client(Some("47")), OWN));
        assert!(is_other(&client(None), OWN));
    }

    #[test]
    fn the_own_process_is_not() {
        let own = props(&[(Prop::ApplicationProcessId, "4711")]);
        assert_eq!(player(&stream(Some(3), own), OWN), None);
        assert!(!is_other(&client(Some("4711")), OWN));
    }

    #[test]
    fn what_only_passes_sound_on_is_not() {
        assert_eq!(player(&stream(None, props(&[])), OWN), None);
        let filter = props(&[(Prop::MediaRole, "filter")]);
        assert_eq!(player(&stream(Some(3), filter), OWN), None);
        let mut linked = Props::new();
        linked.set_bytes(PIPEWIRE_LINK_GROUP, b"loopback-7\0");
        assert_eq!(player(&stream(Some(3), linked), OWN), None);
    }
}
