//! A key-encryption key in a hardware module, by PKCS#11: an AES key that never leaves it. Nothing is held open between two uses.

use std::path::{Path, PathBuf};

use anyhow::Context;
use countersign_core::Secret;
use countersign_seal::{kek::WrappingKey, random};
use cryptoki::{
    context::{CInitializeArgs, CInitializeFlags, Pkcs11},
    mechanism::{Mechanism, aead::GcmParams},
    object::{Attribute, KeyType, ObjectClass, ObjectHandle},
    session::{Session, UserType},
    types::AuthPin,
};

/// An AES key in a module.
pub(crate) struct Module {
    library: PathBuf,
    token: String,
    key: String,
    pin: Secret<String>,
}

impl Module {
    pub(crate) fn new(library: &Path, token: &str, key: &str, pin: &Secret<String>) -> Self {
        Self { library: library.to_owned(), token: token.to_owned(), key: key.to_owned(), pin: pin.clone() }
    }

    pub(crate) fn name(&self) -> String {
        format!("pkcs11:{}/{}", self.token, self.key)
    }

    /// `nonce | ciphertext | tag`, as AES-GCM of the module makes them.
    pub(crate) fn wrap(&self, key: &WrappingKey) -> anyhow::Result<Vec<u8>> {
        self.with(|session, kek| {
            let mut nonce: [u8; NONCE] = random::bytes()?;
            let sealed = {
                let mechanism = Mechanism::AesGcm(GcmParams::new(&mut nonce, BOUND_TO, TAG_BITS.into())?);
                session.encrypt(&mechanism, kek, key.expose())?
            };
            // A module may have drawn another nonce, and written it in its place.
            Ok([&nonce[..], &sealed].concat())
        })
    }

    pub(crate) fn unwrap(&self, wrapped: &[u8]) -> anyhow::Result<WrappingKey> {
        let (nonce, sealed) = wrapped.split_first_chunk::<NONCE>().context("what is wrapped is too short")?;
        self.with(|session, kek| {
            let mut nonce = *nonce;
            let mechanism = Mechanism::AesGcm(GcmParams::new(&mut nonce, BOUND_TO, TAG_BITS.into())?);
            let plain = Secret::new(session.decrypt(&mechanism, kek, sealed)?);
            let key = plain.expose().as_slice().try_into().context("what was wrapped is no key")?;
            Ok(Secret::new(key))
        })
    }

    /// Does something with the key, in a session of its own.
    fn with<T>(&self, work: impl FnOnce(&Session, ObjectHandle) -> anyhow::Result<T>) -> anyhow::Result<T> {
        let module =
            Pkcs11::new(&self.library).with_context(|| format!("`{}` is no module", self.library.display()))?;
        module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK))?;
        let done = self.work(&module, work);
        // What the work said counts.
        let _ = module.finalize();
        done
    }

    fn work<T>(
        &self,
        module: &Pkcs11,
        work: impl FnOnce(&Session, ObjectHandle) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let named = |slot: &_| module.get_token_info(*slot).is_ok_and(|info| info.label().trim_end() == self.token);
        let slot = module.get_slots_with_token()?.into_iter().find(named);
        let slot = slot.with_context(|| format!("the module has no token labelled `{}`", self.token))?;
        let session = module.open_ro_session(slot)?;
        session.login(UserType::User, Some(&AuthPin::new(self.pin.expose().clone().into())))?;
        let wanted = [
            Attribute::Class(ObjectClass::SECRET_KEY),
            Attribute::KeyType(KeyType::AES),
            Attribute::Label(self.key.clone().into_bytes()),
        ];
        match *session.find_objects(&wanted)? {
            [kek] => work(&session, kek),
            [] => anyhow::bail!("token `{}` has no AES key labelled `{}`", self.token, self.key),
            _ => anyhow::bail!("token `{}` has several AES keys labelled `{}`", self.token, self.key),
        }
    }
}

const BOUND_TO: &[u8] = b"countersign root keys";
const NONCE: usize = 12;
const TAG_BITS: u64 = 128;
