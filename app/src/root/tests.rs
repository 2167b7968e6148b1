use tempfile::TempDir;

use super::*;
use crate::{
    config::{KekAt, Keks},
    state::State,
};

fn kek(folder: &TempDir, name: &str, byte: u8) -> KekAt {
    let path = folder.path().join(name);
    files::replace(&path, &[byte; 32], 0o600).unwrap();
    KekAt::File(path)
}

/// A state whose root keys are in the clear, and the same with a key-encryption key.
async fn begun() -> (TempDir, Home, Home) {
    let folder = tempfile::tempdir().unwrap();
    let clear = Home::local(folder.path().join("state"), "node");
    State::open(&clear).await.unwrap();
    let wrapped = Home { keks: Some(Keks { now: kek(&folder, "kek", 1), previous: None }), ..clear.clone() };
    (folder, clear, wrapped)
}

async fn complaint(home: &Home) -> (Code, String) {
    let error = State::open(home).await.err().expect("a refusal");
    (error.downcast_ref::<Failure>().unwrap().code, error.to_string())
}

fn has(home: &Home, name: &str) -> bool {
    home.dir.join(name).exists()
}

#[tokio::test]
async fn a_new_state_never_has_its_root_keys_in_the_clear() {
    let folder = tempfile::tempdir().unwrap();
    let keks = Some(Keks { now: kek(&folder, "kek", 1), previous: None });
    let home = Home { keks, ..Home::local(folder.path().join("state"), "node") };
    State::open(&home).await.unwrap();
    assert!(has(&home, WRAPPED) && !has(&home, CLEAR));
    let root = read(&home).await.unwrap();
    let file = fs::read(home.dir.join(WRAPPED)).unwrap();
    assert!(!file.windows(8).any(|w| root.bytes.expose().starts_with(w)));
    State::open(&home).await.unwrap();
}

#[tokio::test]
async fn a_state_that_is_open_is_told_of_another_key_that_protects_the_root_keys() {
    let (folder, clear, home) = begun().await;
    let open = State::open(&clear).await.unwrap();
    let mut seen = open.stamp();
    let mut by = home;
    for version in 2..=3 {
        // Wrapped, then wrapped by another one, and a further root version each time.
        assert!(matches!(wrap(&by).await.unwrap(), Wrapped::Now(_) | Wrapped::Before(_)));
        write(&by, &KeyRing::rotate(&read(&by).await.unwrap().bytes).unwrap()).await.unwrap();
        assert!(open.refresh_ring(&mut seen).await.is_err());
        assert_eq!(open.ring().versions(), version - 1, "what it has stays in force");
        open.unwrap_by(by.keks.clone());
        open.refresh_ring(&mut seen).await.unwrap();
        assert_eq!(open.ring().versions(), version);
        let (now, previous) = (kek(&folder, "other", 2), by.keks.take().map(|keks| keks.now));
        by.keks = Some(Keks { now, previous });
    }
}

#[tokio::test]
async fn root_keys_are_wrapped_once_and_only_then_removed() {
    let (_folder, clear, home) = begun().await;
    let bytes = read(&clear).await.unwrap().bytes;
    // As long as they are in the clear nothing pretends that they are not.
    assert!(complaint(&home).await.1.contains("countersign keys wrap"));
    assert!(matches!(wrap(&home).await.unwrap(), Wrapped::Now(_)));
    assert!(has(&home, WRAPPED) && !has(&home, CLEAR));
    let root = read(&home).await.unwrap();
    assert_eq!((root.bytes.expose(), root.beside), (bytes.expose(), false));
    assert!(root.kek.unwrap().starts_with("file:"));
    assert!(matches!(wrap(&home).await.unwrap(), Wrapped::Before(_)));
    // Without the key, or with another one, nothing starts.
    assert!(complaint(&clear).await.1.contains("names no key-encryption key"));
    State::open(&home).await.unwrap();
}

#[tokio::test]
async fn a_crash_at_any_step_of_wrapping_leaves_a_state_that_starts() {
    let (_folder, _, home) = begun().await;
    let clear = fs::read(home.dir.join(CLEAR)).unwrap();
    // Before anything was written: as it was. A file half written has another name, and is in nobody's way.
    files::replace(&home.dir.join(".new-half"), b"half", 0o600).unwrap();
    wrap(&home).await.unwrap();
    // Written, and not yet removed in the clear.
    files::write_new(&home.dir.join(CLEAR), &clear, 0o600).unwrap();
    assert!(read(&home).await.unwrap().beside);
    let before = State::open(&home).await.unwrap();
    // Another root version came meanwhile: it is not lost.
    let longer = KeyRing::rotate(&read(&home).await.unwrap().bytes).unwrap();
    write(&home, &longer).await.unwrap();
    assert!(matches!(wrap(&home).await.unwrap(), Wrapped::Now(_)));
    assert!(!has(&home, CLEAR));
    assert_eq!(read(&home).await.unwrap().bytes.expose(), longer.expose());
    // A gateway that runs takes it in.
    let mut seen = before.stamp();
    before.refresh_ring(&mut seen).await.unwrap();
    assert_eq!(before.ring().versions(), 2);
}

#[tokio::test]
async fn others_in_the_clear_are_not_removed() {
    let (_folder, _, home) = begun().await;
    wrap(&home).await.unwrap();
    files::write_new(&home.dir.join(CLEAR), &[9; 32], 0o600).unwrap();
    assert!(wrap(&home).await.err().unwrap().to_string().contains("different root keys"));
    assert!(has(&home, CLEAR) && has(&home, WRAPPED));
}

#[tokio::test]
async fn another_key_encryption_key_needs_the_one_before() {
    let (folder, _, home) = begun().await;
    wrap(&home).await.unwrap();
    let other = Home { keks: Some(Keks { now: kek(&folder, "other", 2), previous: None }), ..home.clone() };
    let (code, what) = complaint(&other).await;
    assert!(code == Code::KekUnusable && what.contains("`previous`"), "{what}");
    let keks = Keks { now: kek(&folder, "other", 2), previous: home.keks.as_ref().map(|keks| keks.now.clone()) };
    let moving = Home { keks: Some(keks), ..home.clone() };
    State::open(&moving).await.unwrap();
    let bytes = read(&moving).await.unwrap().bytes;
    write(&moving, &bytes).await.unwrap();
    State::open(&other).await.unwrap();
    assert_eq!(complaint(&home).await.0, Code::KekUnusable);
}

#[tokio::test]
async fn wrapped_root_keys_that_are_damaged_or_open_to_others_are_refused() {
    let (_folder, _, home) = begun().await;
    wrap(&home).await.unwrap();
    let path = home.dir.join(WRAPPED);
    let whole = fs::read(&path).unwrap();
    files::replace(&path, &whole, 0o640).unwrap();
    assert!(complaint(&home).await.1.contains("can be read by others"));
    files::replace(&path, &whole[..whole.len() / 2], 0o600).unwrap();
    assert!(complaint(&home).await.1.contains("not a file of wrapped root keys"));
    let mut bad = String::from_utf8(whole).unwrap();
    let at = bad.find("sealed").unwrap() + 12;
    bad.replace_range(at..=at, if bad.as_bytes()[at] == b'A' { "B" } else { "A" });
    files::replace(&path, bad.as_bytes(), 0o600).unwrap();
    assert_eq!(complaint(&home).await.0, Code::KekUnusable);
    fs::remove_file(&path).unwrap();
    assert!(complaint(&home).await.1.contains("is gone"), "they are not made anew");
}
