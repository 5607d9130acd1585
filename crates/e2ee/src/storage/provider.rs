//! The storage trait of openmls over [`SecretStorage`].

use openmls_traits::storage::traits as t;
use openmls_traits::storage::{CURRENT_VERSION as V, StorageProvider};

use super::{Cell, SecretStorage, StorageError};

/// The values of which each group has one: write, read, delete.
macro_rules! one_per_group {
    ($($write:ident, $read:ident, $delete:ident: $value:ident in $cell:ident;)*) => {$(
        fn $write<G: t::GroupId<V>, T: t::$value<V>>(
            &self,
            group: &G,
            value: &T,
        ) -> Result<(), StorageError> {
            self.put(Cell::$cell, group, value)
        }

        fn $read<G: t::GroupId<V>, T: t::$value<V>>(
            &self,
            group: &G,
        ) -> Result<Option<T>, StorageError> {
            self.get(Cell::$cell, group)
        }

        fn $delete<G: t::GroupId<V>>(&self, group: &G) -> Result<(), StorageError> {
            self.delete(Cell::$cell, group)
        }
    )*};
}

impl StorageProvider<V> for SecretStorage {
    type Error = StorageError;

    one_per_group! {
        write_confirmation_tag, confirmation_tag, delete_confirmation_tag:
            ConfirmationTag in ConfirmationTag;
        write_context, group_context, delete_context: GroupContext in Context;
        write_group_epoch_secrets, group_epoch_secrets, delete_group_epoch_secrets:
            GroupEpochSecrets in EpochSecrets;
        write_interim_transcript_hash, interim_transcript_hash, delete_interim_transcript_hash:
            InterimTranscriptHash in InterimTranscriptHash;
        write_message_secrets, message_secrets, delete_message_secrets:
            MessageSecrets in MessageSecrets;
        write_mls_join_config, mls_group_join_config, delete_group_config:
            MlsGroupJoinConfig in JoinConfig;
        write_own_leaf_index, own_leaf_index, delete_own_leaf_index: LeafNodeIndex in OwnLeafIndex;
        write_resumption_psk_store, resumption_psk_store, delete_all_resumption_psk_secrets:
            ResumptionPskStore in ResumptionPsks;
        write_tree, tree, delete_tree: TreeSync in Tree;
    }

    fn write_application_export_tree<G: t::GroupId<V>, T: t::ApplicationExportTree<V>>(
        &self,
        group: &G,
        tree: &T,
    ) -> Result<(), StorageError> {
        self.put(Cell::ApplicationExportTree, group, tree)
    }

    fn application_export_tree<G: t::GroupId<V>, T: t::ApplicationExportTree<V>>(
        &self,
        group: &G,
    ) -> Result<Option<T>, StorageError> {
        self.get(Cell::ApplicationExportTree, group)
    }

    fn delete_application_export_tree<G: t::GroupId<V>, T: t::ApplicationExportTree<V>>(
        &self,
        group: &G,
    ) -> Result<(), StorageError> {
        self.delete(Cell::ApplicationExportTree, group)
    }

    fn write_group_state<T: t::GroupState<V>, G: t::GroupId<V>>(
        &self,
        group: &G,
        state: &T,
    ) -> Result<(), StorageError> {
        self.put(Cell::GroupState, group, state)
    }

    fn group_state<T: t::GroupState<V>, G: t::GroupId<V>>(
        &self,
        group: &G,
    ) -> Result<Option<T>, StorageError> {
        self.get(Cell::GroupState, group)
    }

    fn delete_group_state<G: t::GroupId<V>>(&self, group: &G) -> Result<(), StorageError> {
        self.delete(Cell::GroupState, group)
    }

    fn append_own_leaf_node<G: t::GroupId<V>, T: t::LeafNode<V>>(
        &self,
        group: &G,
        node: &T,
    ) -> Result<(), StorageError> {
        self.push(Cell::OwnLeafNodes, group, node)
    }

    fn own_leaf_nodes<G: t::GroupId<V>, T: t::LeafNode<V>>(
        &self,
        group: &G,
    ) -> Result<Vec<T>, StorageError> {
        self.list(Cell::OwnLeafNodes, group)
    }

    fn delete_own_leaf_nodes<G: t::GroupId<V>>(&self, group: &G) -> Result<(), StorageError> {
        self.delete(Cell::OwnLeafNodes, group)
    }

    fn queue_proposal<G: t::GroupId<V>, R: t::ProposalRef<V>, T: t::QueuedProposal<V>>(
        &self,
        group: &G,
        reference: &R,
        proposal: &T,
    ) -> Result<(), StorageError> {
        self.put(Cell::Proposal, &(group, reference), proposal)?;
        self.push(Cell::ProposalRefs, group, reference)
    }

    fn queued_proposal_refs<G: t::GroupId<V>, R: t::ProposalRef<V>>(
        &self,
        group: &G,
    ) -> Result<Vec<R>, StorageError> {
        self.list(Cell::ProposalRefs, group)
    }

    fn queued_proposals<G: t::GroupId<V>, R: t::ProposalRef<V>, T: t::QueuedProposal<V>>(
        &self,
        group: &G,
    ) -> Result<Vec<(R, T)>, StorageError> {
        let references: Vec<R> = self.list(Cell::ProposalRefs, group)?;
        references
            .into_iter()
            .map(|reference| {
                let proposal = self.get(Cell::Proposal, &(group, &reference))?;
                Ok((reference, proposal.ok_or(StorageError::Decode)?))
            })
            .collect()
    }

    fn remove_proposal<G: t::GroupId<V>, R: t::ProposalRef<V>>(
        &self,
        group: &G,
        reference: &R,
    ) -> Result<(), StorageError> {
        self.pull(Cell::ProposalRefs, group, reference)?;
        self.delete(Cell::Proposal, &(group, reference))
    }

    fn clear_proposal_queue<G: t::GroupId<V>, R: t::ProposalRef<V>>(
        &self,
        group: &G,
    ) -> Result<(), StorageError> {
        for reference in self.list::<R>(Cell::ProposalRefs, group)? {
            self.delete(Cell::Proposal, &(group, &reference))?;
        }
        self.delete(Cell::ProposalRefs, group)
    }

    fn write_signature_key_pair<K: t::SignaturePublicKey<V>, T: t::SignatureKeyPair<V>>(
        &self,
        public: &K,
        pair: &T,
    ) -> Result<(), StorageError> {
        self.put(Cell::SignatureKeyPair, public, pair)
    }

    fn signature_key_pair<K: t::SignaturePublicKey<V>, T: t::SignatureKeyPair<V>>(
        &self,
        public: &K,
    ) -> Result<Option<T>, StorageError> {
        self.get(Cell::SignatureKeyPair, public)
    }

    fn delete_signature_key_pair<K: t::SignaturePublicKey<V>>(
        &self,
        public: &K,
    ) -> Result<(), StorageError> {
        self.delete(Cell::SignatureKeyPair, public)
    }

    fn write_encryption_key_pair<K: t::EncryptionKey<V>, T: t::HpkeKeyPair<V>>(
        &self,
        public: &K,
        pair: &T,
    ) -> Result<(), StorageError> {
        self.put(Cell::EncryptionKeyPair, public, pair)
    }

    fn encryption_key_pair<T: t::HpkeKeyPair<V>, K: t::EncryptionKey<V>>(
        &self,
        public: &K,
    ) -> Result<Option<T>, StorageError> {
        self.get(Cell::EncryptionKeyPair, public)
    }

    fn delete_encryption_key_pair<K: t::EncryptionKey<V>>(
        &self,
        public: &K,
    ) -> Result<(), StorageError> {
        self.delete(Cell::EncryptionKeyPair, public)
    }

    fn write_encryption_epoch_key_pairs<
        G: t::GroupId<V>,
        E: t::EpochKey<V>,
        T: t::HpkeKeyPair<V>,
    >(
        &self,
        group: &G,
        epoch: &E,
        leaf: u32,
        pairs: &[T],
    ) -> Result<(), StorageError> {
        self.put(Cell::EpochKeyPairs, &(group, epoch, leaf), pairs)
    }

    fn encryption_epoch_key_pairs<G: t::GroupId<V>, E: t::EpochKey<V>, T: t::HpkeKeyPair<V>>(
        &self,
        group: &G,
        epoch: &E,
        leaf: u32,
    ) -> Result<Vec<T>, StorageError> {
        Ok(self
            .get(Cell::EpochKeyPairs, &(group, epoch, leaf))?
            .unwrap_or_default())
    }

    fn delete_encryption_epoch_key_pairs<G: t::GroupId<V>, E: t::EpochKey<V>>(
        &self,
        group: &G,
        epoch: &E,
        leaf: u32,
    ) -> Result<(), StorageError> {
        self.delete(Cell::EpochKeyPairs, &(group, epoch, leaf))
    }

    fn write_key_package<K: t::HashReference<V>, T: t::KeyPackage<V>>(
        &self,
        reference: &K,
        package: &T,
    ) -> Result<(), StorageError> {
        self.put(Cell::KeyPackage, reference, package)
    }

    fn key_package<K: t::HashReference<V>, T: t::KeyPackage<V>>(
        &self,
        reference: &K,
    ) -> Result<Option<T>, StorageError> {
        self.get(Cell::KeyPackage, reference)
    }

    fn delete_key_package<K: t::HashReference<V>>(
        &self,
        reference: &K,
    ) -> Result<(), StorageError> {
        self.delete(Cell::KeyPackage, reference)
    }

    fn write_psk<K: t::PskId<V>, T: t::PskBundle<V>>(
        &self,
        id: &K,
        psk: &T,
    ) -> Result<(), StorageError> {
        self.put(Cell::Psk, id, psk)
    }

    fn psk<T: t::PskBundle<V>, K: t::PskId<V>>(&self, id: &K) -> Result<Option<T>, StorageError> {
        self.get(Cell::Psk, id)
    }

    fn delete_psk<K: t::PskId<V>>(&self, id: &K) -> Result<(), StorageError> {
        self.delete(Cell::Psk, id)
    }
}
