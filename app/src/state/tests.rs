use std::{
    fs::Permissions,
    os::unix::fs::{PermissionsExt, symlink},
};

use tempfile::TempDir;

use super::*;
use crate::config::Home;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

async fn opened() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("a/state");
    State::open(&Home::local(&dir, "node")).await.unwrap();
    (folder, dir)
}

/// What is said when the directory cannot be used.
async fn complaint(dir: &Path) -> String {
    let error = State::open(&Home::local(dir, "node")).await.err().expect("a refusal");
    assert_eq!(error.downcast_ref::<Failure>().unwrap().code, Code::StateUnusable);
    error.to_string()
}

#[tokio::test]
async fn what_is_made_is_private_and_stays_what_it_is() {
    let (_folder, dir) = opened().await;
    assert_eq!(mode(&dir), 0o700);
    assert_eq!(mode(&dir.join(root::CLEAR)), 0o600);
    let root = fs::read(dir.join(root::CLEAR)).unwrap();
    State::open(&Home::local(&dir, "node")).await.unwrap();
    assert_eq!(fs::read(dir.join(root::CLEAR)).unwrap(), root);
}

#[tokio::test]
async fn a_directory_or_root_key_that_is_open_to_others_is_refused() {
    let (_folder, dir) = opened().await;
    for open in [0o710, 0o750, 0o705, 0o777] {
        chmod(&dir, open);
        assert!(complaint(&dir).await.contains("is open to others"), "{open:o}");
    }
    chmod(&dir, 0o700);
    for open in [0o640, 0o604, 0o620] {
        chmod(&dir.join(root::CLEAR), open);
        assert!(complaint(&dir).await.contains("can be read by others"), "{open:o}");
    }
}

#[tokio::test]
async fn a_root_key_that_is_lost_or_damaged_is_not_made_anew() {
    let (_folder, dir) = opened().await;
    fs::write(dir.join(root::CLEAR), "short").unwrap();
    assert!(complaint(&dir).await.contains("the root keys in"));
    fs::remove_file(dir.join(root::CLEAR)).unwrap();
    assert!(complaint(&dir).await.contains("is gone"));
    assert!(!dir.join(root::CLEAR).exists());
}

#[tokio::test]
async fn looking_makes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("countersign.toml");
    fs::write(&config, include_str!("../cmd/init/countersign.toml")).unwrap();
    let args = WithConfig { config };
    let error = State::existing(&args).await.err().expect("no state");
    assert!(error.to_string().contains("there is no state"));
    assert!(!folder.path().join("state").exists());
    State::of(&args).await.unwrap();
    State::existing(&args).await.unwrap();
}

#[tokio::test]
async fn secrets_are_changed_whole_or_not_at_all() {
    let (_folder, dir) = opened().await;
    let state = State::open(&Home::local(&dir, "node")).await.unwrap();
    let put = |name: &'static str| {
        let secret = Secret::new(format!("value of {name}"));
        let ring = state.ring().clone();
        move |book: &mut SecretBook| Ok(book.put(&ring, name, &secret)?)
    };
    state.change_secrets(put("one")).unwrap();
    assert_eq!(mode(&dir.join(SECRETS)), 0o600);
    let before = fs::read(dir.join(SECRETS)).unwrap();
    state
        .change_secrets(|book| {
            book.remove("one");
            anyhow::bail!("no")
        })
        .unwrap_err();
    assert_eq!(fs::read(dir.join(SECRETS)).unwrap(), before);
    // From many threads at once, none is lost.
    const NAMES: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];
    std::thread::scope(|scope| {
        for name in NAMES {
            let change = put(name);
            let state = &state;
            scope.spawn(move || state.change_secrets(change).unwrap());
        }
    });
    assert_eq!(state.secrets().unwrap().names().count(), NAMES.len() + 1);
    assert_eq!(state.secrets().unwrap().get(state.ring(), "one").unwrap().expose(), "value of one");
}

#[tokio::test]
async fn secrets_that_are_a_link_are_replaced_not_followed() {
    let (folder, dir) = opened().await;
    let state = State::open(&Home::local(&dir, "node")).await.unwrap();
    let aim = folder.path().join("aim");
    fs::write(&aim, SecretBook::default().to_bytes()).unwrap();
    symlink(&aim, dir.join(SECRETS)).unwrap();
    state.change_secrets(|book| Ok(book.put(state.ring(), "n", &Secret::new("s".into()))?)).unwrap();
    assert_eq!(fs::read(&aim).unwrap(), SecretBook::default().to_bytes());
}

#[tokio::test]
async fn a_damaged_book_is_said_to_be() {
    let (_folder, dir) = opened().await;
    let state = State::open(&Home::local(&dir, "node")).await.unwrap();
    fs::write(dir.join(SECRETS), "{").unwrap();
    assert!(state.secrets().unwrap_err().to_string().contains("is damaged"));
}
