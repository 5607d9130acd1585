//! How a member is named inside the group: by a pseudonym and by a leaf.

use std::fmt;

use openmls::prelude::{BasicCredential, Credential, CredentialType, LeafNodeIndex};

/// The identity in a member's MLS BasicCredential (RFC 9420 §5.3).
///
/// It is random for each meeting and says nothing about the person; names
/// travel in cards that only members can open.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pseudonym(pub [u8; 16]);

impl Pseudonym {
    pub(crate) fn credential(self) -> Credential {
        BasicCredential::new(self.0.to_vec()).into()
    }

    /// Reads a credential; `None` when it is not one of ours.
    pub(crate) fn from_credential(credential: &Credential) -> Option<Self> {
        if credential.credential_type() != CredentialType::Basic {
            return None;
        }
        credential.serialized_content().try_into().ok().map(Self)
    }
}

impl fmt::Debug for Pseudonym {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pseudonym(")?;
        for byte in self.0 {
            write!(f, "{byte:02x}")?;
        }
        f.write_str(")")
    }
}

/// A member's place in the ratchet tree (RFC 9420 §4.1.2, leaf index).
///
/// A place becomes free when its member is removed and may be given to another
/// one in a later epoch: a leaf names a member only together with an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Leaf(pub u32);

impl From<LeafNodeIndex> for Leaf {
    fn from(index: LeafNodeIndex) -> Self {
        Self(index.u32())
    }
}

impl From<Leaf> for LeafNodeIndex {
    fn from(leaf: Leaf) -> Self {
        Self::new(leaf.0)
    }
}
