//! The external sender: the server's signing identity inside an MLS group it is no member of.

use openmls::prelude::{
    BasicCredential, Ciphersuite, ExternalProposal, ExternalSender as MlsExternalSender,
    GroupEpoch, GroupId, KeyPackage, KeyPackageIn, LeafNodeIndex, MlsMessageOut, OpenMlsProvider,
    ProtocolVersion, SenderExtensionIndex,
    tls_codec::{DeserializeBytes, Serialize},
};
use openmls_basic_credential::SignatureKeyPair;
use openmls_rust_crypto::OpenMlsRustCrypto;

use super::{
    error::DaveError,
    wire::{key_package_reference, proposal_reference},
};

/// DAVE's only cipher suite.
const SUITE: Ciphersuite = Ciphersuite::MLS_128_DHKEMP256_AES128GCM_SHA256_P256;

/// `MLSMessage` header of a key package: mls10, wire format 5. Discord's clients leave it out.
const KEY_PACKAGE_WRAPPER: [u8; 4] = [0, 1, 0, 5];

/// The key pair that signs a call's proposals.
pub struct ExternalSender {
    signer: SignatureKeyPair,
    package: Vec<u8>,
    provider: OpenMlsRustCrypto,
}

impl std::fmt::Debug for ExternalSender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ExternalSender").finish_non_exhaustive()
    }
}

/// A checked key package and its reference.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) package: KeyPackage,
    pub(super) reference: [u8; 32],
}

/// A signed proposal as it goes onto the wire, and its reference.
#[derive(Clone, Debug)]
pub(super) struct Signed {
    pub(super) message: Vec<u8>,
    pub(super) reference: [u8; 32],
}

fn mls(error: impl std::fmt::Display) -> DaveError {
    DaveError::Mls(error.to_string())
}

impl ExternalSender {
    /// Makes a new key pair. Its credential is one zero byte, as Discord's is.
    ///
    /// # Errors
    /// When the MLS library cannot make one.
    pub fn generate() -> Result<Self, DaveError> {
        let signer = SignatureKeyPair::new(SUITE.signature_algorithm()).map_err(mls)?;
        let package =
            MlsExternalSender::new(signer.public().into(), BasicCredential::new(vec![0]).into())
                .tls_serialize_detached()
                .map_err(mls)?;
        Ok(Self { signer, package, provider: OpenMlsRustCrypto::default() })
    }

    /// The body of op 25: the `ExternalSender` structure of RFC 9420 section 12.1.8.1.
    #[must_use]
    pub fn package(&self) -> &[u8] {
        &self.package
    }

    /// Reads op 26 of `user`: a bare key package, or one in an `MLSMessage`.
    pub(super) fn read_key_package(&self, user: u64, bytes: &[u8]) -> Result<Candidate, DaveError> {
        let bare = bytes.strip_prefix(&KEY_PACKAGE_WRAPPER).unwrap_or(bytes);
        let package = KeyPackageIn::tls_deserialize_exact_bytes(bare)
            .map_err(|_| DaveError::KeyPackage)?
            .validate(self.provider.crypto(), ProtocolVersion::Mls10)
            .map_err(|_| DaveError::KeyPackage)?;
        if package.ciphersuite() != SUITE {
            return Err(DaveError::KeyPackage);
        }
        let identity = package.leaf_node().credential().serialized_content();
        let found = identity.try_into().ok().map(u64::from_be_bytes);
        if found != Some(user) {
            return Err(DaveError::ForeignCredential { expected: user, found });
        }
        Ok(Candidate { package, reference: key_package_reference(bare) })
    }

    pub(super) fn propose_add(
        &self,
        channel: u64,
        epoch: u64,
        candidate: &Candidate,
    ) -> Result<Signed, DaveError> {
        let message = ExternalProposal::new_add::<OpenMlsRustCrypto>(
            candidate.package.clone(),
            group_id(channel),
            GroupEpoch::from(epoch),
            &self.signer,
            SenderExtensionIndex::new(0),
        )
        .map_err(mls)?;
        signed(&message)
    }

    pub(super) fn propose_remove(
        &self,
        channel: u64,
        epoch: u64,
        leaf: u32,
    ) -> Result<Signed, DaveError> {
        let message = ExternalProposal::new_remove::<OpenMlsRustCrypto>(
            LeafNodeIndex::new(leaf),
            group_id(channel),
            GroupEpoch::from(epoch),
            &self.signer,
            SenderExtensionIndex::new(0),
        )
        .map_err(mls)?;
        signed(&message)
    }
}

/// A call's group id is its channel id, 8 bytes big-endian.
fn group_id(channel: u64) -> GroupId {
    GroupId::from_slice(&channel.to_be_bytes())
}

fn signed(message: &MlsMessageOut) -> Result<Signed, DaveError> {
    let message = message.tls_serialize_detached().map_err(mls)?;
    Ok(Signed { reference: proposal_reference(&message), message })
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU16;

    use super::*;

    #[test]
    fn the_package_has_the_shape_of_discords() {
        let sender = ExternalSender::generate().unwrap();
        let package = sender.package();
        assert_eq!(package.len(), 71);
        assert_eq!(&package[..3], &[0x40, 65, 4]); // VL 65, uncompressed point
        assert_eq!(&package[67..], &[0, 1, 1, 0]); // basic, one byte, zero
    }

    #[test]
    fn key_packages_bare_wrapped_foreign_and_broken() {
        let sender = ExternalSender::generate().unwrap();
        let mut member = davey::DaveSession::new(NonZeroU16::MIN, 7, 1, None).unwrap();
        let bare = member.create_key_package().unwrap();
        let plain = sender.read_key_package(7, &bare).unwrap();
        let wrapped = [&KEY_PACKAGE_WRAPPER[..], &bare].concat();
        assert_eq!(sender.read_key_package(7, &wrapped).unwrap().reference, plain.reference);
        assert_eq!(
            sender.read_key_package(8, &bare).unwrap_err(),
            DaveError::ForeignCredential { expected: 8, found: Some(7) }
        );
        let mut damaged = bare;
        *damaged.last_mut().unwrap() ^= 1;
        assert_eq!(sender.read_key_package(7, &damaged).unwrap_err(), DaveError::KeyPackage);
        assert_eq!(sender.read_key_package(7, &[]).unwrap_err(), DaveError::KeyPackage);
    }
}
