//! External commits that are no resync, each forged with one thing wrong.

use super::*;
use crate::Leaf;

/// Everything right or wrong about a forged resync.
struct Forged<'a> {
    pseudonym: Pseudonym,
    signer: &'a LeafSigner,
    psks: &'a [&'a Psk],
}

impl Forged<'_> {
    fn commit(&self, group: &Group) -> Vec<u8> {
        let provider = Provider::default();
        let leaf = LeafNodeParameters::builder()
            .with_capabilities(capabilities())
            .build();
        let mut builder = MlsGroup::external_commit_builder()
            .with_config(suite::join_config())
            .with_ratchet_tree(tree(group))
            .build_group(
                &provider,
                group_info(group),
                credential(self.pseudonym, self.signer),
            )
            .unwrap()
            .leaf_node_parameters(leaf);
        for psk in self.psks {
            provider.store_psk(psk).unwrap();
            let id = provider.fresh_psk_id(&psk.id).unwrap();
            builder = builder.add_psk_proposal(PreSharedKeyProposal::new(id));
        }
        let (_, bundle) = builder
            .load_psks(provider.storage())
            .unwrap()
            .build(provider.rand(), provider.crypto(), self.signer, |_| true)
            .unwrap()
            .finalize(&provider)
            .unwrap();
        bundle.into_messages().0.tls_serialize_detached().unwrap()
    }
}

fn judge(group: &mut Group, commit: &[u8]) -> (CommitSummary, Option<Leaf>) {
    let members = group.members();
    let summary = summary(group, commit);
    let resyncs = summary.resyncs(&members);
    (summary, resyncs)
}

#[test]
fn the_forger_makes_a_resync_when_nothing_is_wrong() {
    let link = LinkSecret::generate().unwrap();
    let (mut host, guest) = meet(&link);
    let commit = Forged {
        pseudonym: GUEST,
        signer: &guest.signer,
        psks: &[&link.group_psk()],
    }
    .commit(&host);
    assert_eq!(judge(&mut host, &commit).1, Some(guest.own_leaf()));
}

#[test]
fn a_resync_under_another_name_is_none() {
    let link = LinkSecret::generate().unwrap();
    let (mut host, guest) = meet(&link);
    let commit = Forged {
        pseudonym: GHOST,
        signer: &guest.signer,
        psks: &[&link.group_psk()],
    }
    .commit(&host);
    let (summary, resyncs) = judge(&mut host, &commit);
    assert_eq!(summary.removes, [guest.own_leaf()]);
    assert_eq!(summary.enters.map(|(name, _)| name), Some(GHOST));
    assert_eq!(resyncs, None);
}

#[test]
fn a_resync_that_leaves_the_old_leaf_is_refused_unstaged() {
    let link = LinkSecret::generate().unwrap();
    let (mut host, _) = meet(&link);
    let commit = Forged {
        pseudonym: GUEST,
        signer: &LeafSigner::generate().unwrap(),
        psks: &[&link.group_psk()],
    }
    .commit(&host);
    assert_eq!(
        host.process(&commit).unwrap_err(),
        ProcessError::DuplicatePseudonym
    );
}

#[test]
fn a_resync_without_the_link_is_none() {
    let link = LinkSecret::generate().unwrap();
    let (mut host, guest) = meet(&link);
    let commit = Forged {
        pseudonym: GUEST,
        signer: &guest.signer,
        psks: &[],
    }
    .commit(&host);
    let (summary, resyncs) = judge(&mut host, &commit);
    assert_eq!((summary.link_psks, resyncs), (0, None));
}

#[test]
fn a_resync_with_a_foreign_psk_beside_the_link_is_refused() {
    let link = LinkSecret::generate().unwrap();
    let foreign = LinkSecret::generate().unwrap().group_psk();
    let (mut host, guest) = meet(&link);
    let commit = Forged {
        pseudonym: GUEST,
        signer: &guest.signer,
        psks: &[&link.group_psk(), &foreign],
    }
    .commit(&host);
    assert_eq!(host.process(&commit).unwrap_err(), ProcessError::UnknownPsk);
    // Even when the host happens to know it.
    host.provider.store_psk(&foreign).unwrap();
    let (summary, resyncs) = judge(&mut host, &commit);
    assert_eq!((summary.link_psks, summary.foreign_psks), (1, 1));
    assert_eq!(resyncs, None);
}

#[test]
fn a_stranger_is_no_member_that_comes_back() {
    let link = LinkSecret::generate().unwrap();
    let (mut host, _) = meet(&link);
    let commit = external_commit(&host, GHOST, Some(&link.group_psk()));
    assert_eq!(judge(&mut host, &commit).1, None);
}

#[test]
fn an_altered_certificate_breaks_the_commit() {
    let link = LinkSecret::generate().unwrap();
    let (mut host, guest) = meet(&link);
    let info = host.group_info().unwrap();
    let certificate = b"a certificate of this leaf";
    let (_, bundle) = guest
        .resync(&link, &info, |_| Some(certificate.to_vec()))
        .unwrap();
    let place = bundle
        .commit
        .windows(certificate.len())
        .position(|window| window == certificate)
        .unwrap();
    let mut forged = bundle.commit.clone();
    forged[place] ^= 1;
    assert_eq!(host.process(&forged).unwrap_err(), ProcessError::Forged);
    assert!(host.process(&bundle.commit).is_ok());
}
