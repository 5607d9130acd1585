//! The one way in which Conclave uses MLS: suite, capabilities and limits.

use openmls::prelude::{
    Capabilities, Ciphersuite, CredentialType, Extension, ExtensionType, Extensions, GroupContext,
    MIXED_CIPHERTEXT_WIRE_FORMAT_POLICY, ProtocolVersion, RequiredCapabilitiesExtension,
    UnknownExtension, WireFormatPolicy,
};
use openmls::prelude::{InvalidExtensionError, MlsGroupJoinConfig};

/// MLS_128_MLKEM768X25519_AES256GCM_SHA384_Ed25519, code point 0x004E: hybrid
/// post-quantum key agreement. There is no second suite to fall back to.
pub(crate) const CIPHERSUITE: Ciphersuite =
    Ciphersuite::MLS_128_MLKEM768X25519_AES256GCM_SHA384_Ed25519;

/// GroupContext extension (private use range, RFC 9420 §17.3) with the
/// meeting's policy.
pub(crate) const POLICY_EXTENSION: u16 = 0xF101;

/// A KeyPackage that nobody used after this many seconds is dead.
pub(crate) const KEY_PACKAGE_LIFETIME_S: u64 = 15 * 60;

/// How far back openmls dates a KeyPackage, in seconds, so that clocks may differ.
pub(crate) const KEY_PACKAGE_MARGIN_S: u64 = 60 * 60;

/// Application messages may arrive this many epochs late.
pub(crate) const PAST_EPOCHS: usize = 2;

/// Private messages are padded to multiples of this many bytes.
pub(crate) const PADDING_LEN: usize = 256;

/// What we send is PrivateMessage always. PublicMessage is accepted because an
/// external commit, by which a stuck member comes back, has no other form
/// (RFC 9420 §12.4.3.2).
pub(crate) const WIRE_FORMAT: WireFormatPolicy = MIXED_CIPHERTEXT_WIRE_FORMAT_POLICY;

/// What every leaf advertises: exactly what it supports and nothing else.
pub(crate) fn capabilities() -> Capabilities {
    Capabilities::builder()
        .versions(vec![ProtocolVersion::Mls10])
        .ciphersuites(vec![CIPHERSUITE])
        .extensions(vec![ExtensionType::Unknown(POLICY_EXTENSION)])
        .proposals(vec![])
        .credentials(vec![CredentialType::Basic])
        .build()
}

/// The GroupContext extensions of a meeting: these two, and never any other.
pub(crate) fn context_extensions(
    policy: &[u8],
) -> Result<Extensions<GroupContext>, InvalidExtensionError> {
    Extensions::from_vec(vec![
        Extension::RequiredCapabilities(RequiredCapabilitiesExtension::new(
            &[ExtensionType::Unknown(POLICY_EXTENSION)],
            &[],
            &[CredentialType::Basic],
        )),
        Extension::Unknown(POLICY_EXTENSION, UnknownExtension(policy.to_vec())),
    ])
}

/// The policy in these extensions if they are of the form that
/// [`context_extensions`] makes. Anything more, such as external senders
/// (RFC 9420 §12.1.8.1), makes them foreign.
pub(crate) fn policy_in(extensions: &Extensions<GroupContext>) -> Option<&[u8]> {
    let policy = &extensions.unknown(POLICY_EXTENSION)?.0;
    let ours = context_extensions(policy).ok()?;
    let same = extensions.iter().count() == ours.iter().count()
        && ours
            .iter()
            .all(|extension| extensions.iter().any(|other| other == extension));
    same.then_some(policy.as_slice())
}

/// How a joiner sets up its group.
pub(crate) fn join_config() -> MlsGroupJoinConfig {
    MlsGroupJoinConfig::builder()
        .wire_format_policy(WIRE_FORMAT)
        .padding_size(PADDING_LEN)
        .max_past_epochs(PAST_EPOCHS)
        .use_ratchet_tree_extension(false)
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a policy is read from when it comes with these others.
    fn read_beside(others: Vec<Extension>) -> Option<Vec<u8>> {
        let policy = Extension::Unknown(POLICY_EXTENSION, UnknownExtension(b"rules".to_vec()));
        let all = others.into_iter().chain([policy]).collect();
        policy_in(&Extensions::from_vec(all).unwrap()).map(<[u8]>::to_vec)
    }

    fn required(extensions: &[ExtensionType]) -> Extension {
        let credentials = [CredentialType::Basic];
        Extension::RequiredCapabilities(RequiredCapabilitiesExtension::new(
            extensions,
            &[],
            &credentials,
        ))
    }

    #[test]
    fn a_policy_counts_beside_what_we_require_and_nothing_else() {
        let ours = required(&[ExtensionType::Unknown(POLICY_EXTENSION)]);
        let lax = required(&[]);
        let foreign = Extension::Unknown(POLICY_EXTENSION + 1, UnknownExtension(Vec::new()));
        assert_eq!(
            read_beside(vec![ours.clone()]).as_deref(),
            Some(&b"rules"[..])
        );
        assert_eq!(read_beside(vec![]), None);
        assert_eq!(read_beside(vec![lax]), None, "it requires less");
        assert_eq!(
            read_beside(vec![foreign.clone()]),
            None,
            "it requires nothing"
        );
        assert_eq!(
            read_beside(vec![ours, foreign]),
            None,
            "it brings something more"
        );
    }
}
