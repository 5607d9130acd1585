//! What the lobby shows before anyone is let in: sealed under the link's secret, signed by the
//! device key whose fingerprint stands in the link, or by one whom that device gave a warrant.

use conclave_e2ee::{BlobKey, DeviceKey, verify_device};
use conclave_wire::{DeviceId, MeetingId};
use serde::{Deserialize, Serialize};

use crate::name::{DisplayName, Title};
use crate::policy::{MAX_ROLES, Policy};
use crate::seal::{Purpose, aad};
use crate::warrant::{Warrant, speaks_for};

const DOMAIN: &str = "Conclave meeting descriptor v1";

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Descriptor {
    pub(crate) version: u8,
    pub(crate) meeting: MeetingId,
    pub(crate) group_id: Vec<u8>,
    /// Which of the meeting's links this is the door of.
    pub(crate) generation: u32,
    pub(crate) title: Title,
    pub(crate) host_name: DisplayName,
    pub(crate) host_device: DeviceId,
    /// Whose signature this is.
    pub(crate) host_key: [u8; 32],
    /// How the signer's right follows from the link; empty for the host whom it names.
    pub(crate) warrants: Vec<Warrant>,
    /// X-Wing keys of those who may let people in, to seal knock cards to.
    pub(crate) knock_keys: Vec<Vec<u8>>,
    pub(crate) waiting_room: bool,
    pub(crate) locked: bool,
}

#[derive(Serialize, Deserialize)]
struct Signed {
    descriptor: Descriptor,
    signature: Vec<u8>,
}

/// Why a descriptor is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DescriptorError {
    /// Does not open under the link's secret: a wrong link, or a forgery.
    Sealed,
    /// Opened, but cannot be read.
    Malformed,
    /// Not signed by the host that the link names, nor by anyone who may speak for him.
    NotByHost,
}

impl Descriptor {
    /// The same door under other rules.
    pub(crate) fn under(self, policy: &Policy) -> Self {
        Self {
            generation: policy.link.generation,
            waiting_room: policy.waiting_room,
            locked: policy.locked,
            ..self
        }
    }

    pub(crate) fn seal(self, host: &DeviceKey, key: &BlobKey) -> Option<Vec<u8>> {
        let meeting = self.meeting;
        let bytes = postcard::to_allocvec(&self).ok()?;
        let signature = host.sign(DOMAIN, &bytes).to_vec();
        let signed = postcard::to_allocvec(&Signed {
            descriptor: self,
            signature,
        })
        .ok()?;
        key.seal(&aad(Purpose::Descriptor, meeting, 0), &signed)
            .ok()
    }

    pub(crate) fn open(
        sealed: &[u8],
        key: &BlobKey,
        meeting: MeetingId,
        host_fingerprint: &[u8; 16],
    ) -> Result<Self, DescriptorError> {
        let bytes = key
            .open(&aad(Purpose::Descriptor, meeting, 0), sealed)
            .map_err(|_| DescriptorError::Sealed)?;
        let Ok((
            Signed {
                descriptor,
                signature,
            },
            [],
        )) = postcard::take_from_bytes(&bytes)
        else {
            return Err(DescriptorError::Malformed);
        };
        let signature = signature
            .as_slice()
            .try_into()
            .map_err(|_| DescriptorError::Malformed)?;
        let body = postcard::to_allocvec(&descriptor).map_err(|_| DescriptorError::Malformed)?;
        let keys = descriptor.knock_keys.len();
        if descriptor.version != conclave_wire::VERSION || keys == 0 || keys > MAX_ROLES {
            return Err(DescriptorError::Malformed);
        }
        verify_device(&descriptor.host_key, DOMAIN, &body, signature)
            .map_err(|_| DescriptorError::NotByHost)?;
        let place = (
            meeting,
            descriptor.group_id.as_slice(),
            descriptor.generation,
        );
        let by_host = speaks_for(
            host_fingerprint,
            &descriptor.warrants,
            &descriptor.host_key,
            place,
        );
        match by_host && descriptor.meeting == meeting {
            true => Ok(descriptor),
            false => Err(DescriptorError::NotByHost),
        }
    }
}

#[cfg(test)]
mod tests {
    use conclave_e2ee::{LinkSecret, fingerprint16};

    use super::*;

    const MEETING: MeetingId = MeetingId([3; 16]);

    fn descriptor(key: &DeviceKey) -> Descriptor {
        Descriptor {
            version: conclave_wire::VERSION,
            meeting: MEETING,
            group_id: b"group".to_vec(),
            generation: 0,
            title: "Board".parse().unwrap(),
            host_name: "Ana".parse().unwrap(),
            host_device: DeviceId([4; 16]),
            host_key: key.public(),
            warrants: Vec::new(),
            knock_keys: vec![b"knock key".to_vec()],
            waiting_room: true,
            locked: false,
        }
    }

    /// What somebody with the link makes of it.
    fn opened(key: &DeviceKey, descriptor: Descriptor) -> Result<Descriptor, DescriptorError> {
        let link = LinkSecret::from_bytes([1; 32]).descriptor_key();
        let sealed = descriptor.seal(key, &link).unwrap();
        Descriptor::open(&sealed, &link, MEETING, &fingerprint16(&key.public()))
    }

    #[test]
    fn a_door_is_believed_only_in_this_version_and_with_somebody_who_opens() {
        let key = DeviceKey::generate().unwrap();
        let believed = |change: fn(&mut Descriptor)| {
            let mut descriptor = descriptor(&key);
            change(&mut descriptor);
            opened(&key, descriptor).map(|_| ())
        };
        assert_eq!(believed(|_| {}), Ok(()));
        let malformed = Err(DescriptorError::Malformed);
        assert_eq!(believed(|door| door.version += 1), malformed);
        assert_eq!(believed(|door| door.knock_keys.clear()), malformed);
        let fill = |door: &mut Descriptor| door.knock_keys = vec![Vec::new(); MAX_ROLES];
        assert_eq!(believed(fill), Ok(()));
        let too_many = |door: &mut Descriptor| door.knock_keys = vec![Vec::new(); MAX_ROLES + 1];
        assert_eq!(believed(too_many), malformed);
        let elsewhere = |door: &mut Descriptor| door.meeting = MeetingId([9; 16]);
        assert_eq!(believed(elsewhere), Err(DescriptorError::Sealed));
    }

    #[test]
    fn a_door_shows_the_rules_in_force() {
        let key = DeviceKey::generate().unwrap();
        let mut policy = Policy::founded_by([4; 16]);
        (policy.waiting_room, policy.locked) = (false, true);
        policy.link.generation = 2;
        let door = descriptor(&key).under(&policy);
        assert_eq!((door.waiting_room, door.locked), (false, true));
        assert_eq!(door.generation, 2);
    }
}
