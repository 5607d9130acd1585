//! The outer seal: everything in the service's log is closed under a key of the link, so that
//! the service cannot even see MLS framing. What a blob is for is authenticated with it.

use conclave_wire::MeetingId;

/// What a sealed blob is for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Purpose {
    Descriptor = 1,
    Commit = 2,
    Application = 3,
    Welcome = 4,
    Tree = 5,
    Knock = 6,
}

/// Additional data: purpose, meeting, and the epoch where there is one.
pub(crate) fn aad(purpose: Purpose, meeting: MeetingId, epoch: u64) -> Vec<u8> {
    let mut aad = vec![conclave_wire::VERSION, purpose as u8];
    aad.extend_from_slice(&meeting.0);
    aad.extend_from_slice(&epoch.to_be_bytes());
    aad
}
