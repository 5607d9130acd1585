//! What the lobby shows before anyone is let in: sealed under the link's secret, signed by the
//! host's device key, whose fingerprint stands in the link.

use conclave_e2ee::{BlobKey, DeviceKey, fingerprint16, verify_device};
use conclave_wire::{DeviceId, MeetingId};
use serde::{Deserialize, Serialize};

use crate::name::{DisplayName, Title};
use crate::seal::{Purpose, aad};

const DOMAIN: &str = "Conclave meeting descriptor v1";

#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Descriptor {
    pub(crate) meeting: MeetingId,
    pub(crate) group_id: Vec<u8>,
    pub(crate) title: Title,
    pub(crate) host_name: DisplayName,
    pub(crate) host_device: DeviceId,
    pub(crate) host_key: [u8; 32],
    /// The host's X-Wing key, to seal knock cards to.
    pub(crate) knock_key: Vec<u8>,
    pub(crate) waiting_room: bool,
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
    /// Not signed by the host that the link names.
    NotByHost,
}

impl Descriptor {
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
        verify_device(&descriptor.host_key, DOMAIN, &body, signature)
            .map_err(|_| DescriptorError::NotByHost)?;
        let by_host = fingerprint16(&descriptor.host_key) == *host_fingerprint;
        match by_host && descriptor.meeting == meeting {
            true => Ok(descriptor),
            false => Err(DescriptorError::NotByHost),
        }
    }
}
