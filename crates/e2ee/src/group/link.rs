//! Renewal of the invite link: the next secret comes out of the group.
//!
//! Nobody has to send it. Whoever is a member of the epoch in which the link is
//! renewed derives it; whoever was removed before, and the server, cannot.

use super::{Group, LINK_LABEL, link_secret};
use crate::key_package::store_link;
use crate::{CryptoFailure, LinkSecret};

impl Group {
    /// The secret of the invite link that the current epoch brings, by its
    /// `generation`: MLS-Exporter("Conclave invite link", generation, 32).
    ///
    /// Which epoch renews the link, and by which generation, is for the policy
    /// to say: ask in that epoch, since no later one gives the same answer.
    ///
    /// # Errors
    /// [`CryptoFailure`] when this device was removed, or the library fails.
    pub fn next_link(&self, generation: u32) -> Result<LinkSecret, CryptoFailure> {
        link_secret(self.export(LINK_LABEL, &generation.to_be_bytes())?)
    }

    /// Puts a link in force: from now on commits that add carry its PSK, and
    /// only that is counted as [`crate::CommitSummary::link_psks`].
    ///
    /// The PSK of an older link stays known, so that a commit that still
    /// carries it is told apart from a forged one. It counts as foreign.
    ///
    /// # Errors
    /// [`CryptoFailure`] when the library fails; the old link stays in force.
    pub fn set_link(&mut self, link: &LinkSecret) -> Result<(), CryptoFailure> {
        self.psk_id = store_link(&self.provider, link)?.id;
        Ok(())
    }
}
