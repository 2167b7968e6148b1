use std::fs;

use countersign_seal::KeyRing;

use super::*;
use crate::config::Home;

#[tokio::test]
async fn one_key_for_each_version_of_the_root_key_is_made_kept_and_sealed() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("state");
    let open = async || State::open(&Home::local(dir.clone(), "n")).await.unwrap();
    let public = |keys: &[RsaKey]| keys.iter().map(RsaKey::public).collect::<Vec<_>>();
    let state = open().await;
    let first = keys(&state).await.unwrap();
    assert_eq!(first.len(), 1);
    assert_eq!(first[0].modulus.len(), 256);
    assert_eq!(public(&keys(&state).await.unwrap()), public(&first), "it is kept");
    // What is kept opens with the root key alone, and for nothing else.
    let name = "security events RS256 1";
    let sealed = BASE64.decode(state.store().signing_key(name).await.unwrap().unwrap().as_bytes()).unwrap();
    let der = state.ring().open("", PURPOSE, name.as_bytes(), &sealed).unwrap();
    assert!(!sealed.windows(32).any(|piece| der.windows(32).any(|secret| secret == piece)));
    assert!(state.ring().open("", PURPOSE, b"another", &sealed).is_err());
    drop(state);

    // A new root key has a key of its own; the old one is published for what was signed with it.
    let root = dir.join("root.key");
    let longer = KeyRing::rotate(&Secret::new(fs::read(&root).unwrap())).unwrap();
    fs::write(&root, longer.expose()).unwrap();
    let both = public(&keys(&open().await).await.unwrap());
    assert_eq!(both.len(), 2);
    assert_eq!(both[1], public(&first)[0]);
    assert_ne!(both[0], both[1]);
}
