//! The host's first step: a group of one.

use aws_lc_rs::rand;
use openmls::prelude::{GroupId, Lifetime, MlsGroup};

use super::Group;
use crate::key_package::{credential, store_link};
use crate::provider::Provider;
use crate::signer::LeafSigner;
use crate::suite::{
    CIPHERSUITE, KEY_PACKAGE_LIFETIME_S, PADDING_LEN, PAST_EPOCHS, WIRE_FORMAT, capabilities,
    context_extensions,
};
use crate::{CryptoFailure, LinkSecret, Pseudonym};

const GROUP_ID_LEN: usize = 32;

/// Why a group could not be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CreateError {
    /// Local: the library failed.
    #[error(transparent)]
    Crypto(#[from] CryptoFailure),
}

impl Group {
    /// Makes a group whose only member is this device, with a random name and
    /// the meeting's `policy` in its GroupContext. There are no external
    /// senders, ever.
    ///
    /// # Errors
    /// [`CreateError::Crypto`] when the library fails.
    pub fn create(
        pseudonym: Pseudonym,
        link: &LinkSecret,
        policy: &[u8],
    ) -> Result<Self, CreateError> {
        let provider = Provider::default();
        let signer = LeafSigner::generate()?;
        let psk = store_link(&provider, link)?;
        let mut group_id = [0; GROUP_ID_LEN];
        rand::fill(&mut group_id).map_err(CryptoFailure::from)?;
        let extensions = context_extensions(policy).map_err(|_| CryptoFailure)?;
        let mls = MlsGroup::builder()
            .ciphersuite(CIPHERSUITE)
            .with_group_id(GroupId::from_slice(&group_id))
            .with_capabilities(capabilities())
            .with_group_context_extensions(extensions)
            .with_wire_format_policy(WIRE_FORMAT)
            .padding_size(PADDING_LEN)
            .max_past_epochs(PAST_EPOCHS)
            .use_ratchet_tree_extension(false)
            .lifetime(Lifetime::new(KEY_PACKAGE_LIFETIME_S))
            .build(&provider, &signer, credential(pseudonym, &signer))
            .map_err(|_| CryptoFailure)?;
        Ok(Self::new(mls, provider, signer, psk.id))
    }
}
