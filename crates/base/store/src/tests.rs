use std::sync::Arc;

use countersign_core::{Timestamp, principal::PrincipalKind};
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

mod migrations;
mod postgres;

fn key(n: u8) -> KeyRecord {
    KeyRecord {
        id: format!("key_{n}").into(),
        hash: [n; 32],
        tenant: "bank".into(),
        subject: "teller".into(),
        kind: PrincipalKind::Person,
        roles: vec!["a".into(), "b".into()],
        scopes: vec!["model:small".into()],
        created: Timestamp(u64::from(n)),
        expires: Some(Timestamp(u64::MAX >> 1)),
        revoked_at: None,
        note: "it's a note; -- not SQL".into(),
    }
}

pub(crate) async fn store() -> (Store, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (Store::open(&folder.path().join("store.db")).await.unwrap(), folder)
}

/// A new store in each of the databases: SQLite, and PostgreSQL where there is one.
pub(crate) async fn both() -> (Vec<Store>, TempDir) {
    let (sqlite, folder) = store().await;
    let mut stores = vec![sqlite];
    if let Some(server) = countersign_testkit::Postgres::shared() {
        let to = Postgres { url: server.database(), password: None, ca: None };
        stores.push(Store::connect(&to).await.unwrap());
    }
    (stores, folder)
}

#[tokio::test]
async fn keys_survive_closing() {
    let (store, folder) = store().await;
    store.insert_key(&key(1)).await.unwrap();
    let bare = KeyRecord { roles: vec![], scopes: vec![], expires: None, kind: PrincipalKind::Agent, ..key(2) };
    store.insert_key(&bare).await.unwrap();
    store.close().await;
    let store = Store::open(&folder.path().join("store.db")).await.unwrap();
    assert_eq!(store.keys().await.unwrap(), [key(1), bare]);
}

#[tokio::test]
async fn names_come_back_sorted_and_once() {
    let (store, _folder) = store().await;
    let names: Vec<Arc<str>> = vec!["b".into(), "a".into(), "b".into()];
    store.insert_key(&KeyRecord { roles: names, ..key(1) }).await.unwrap();
    assert_eq!(store.keys().await.unwrap(), [key(1)]);
}

#[tokio::test]
async fn neither_id_nor_hash_can_be_there_twice() {
    let (store, _folder) = store().await;
    store.insert_key(&key(1)).await.unwrap();
    let (same_id, same_hash) = (KeyRecord { hash: [9; 32], ..key(1) }, KeyRecord { id: "key_9".into(), ..key(1) });
    assert!(matches!(store.insert_key(&same_id).await, Err(StoreError::Exists)));
    assert!(matches!(store.insert_key(&same_hash).await, Err(StoreError::Exists)));
    assert_eq!(store.keys().await.unwrap(), [key(1)]);
}

#[tokio::test]
async fn a_key_is_revoked_once_and_for_good() {
    let (store, _folder) = store().await;
    store.insert_key(&key(1)).await.unwrap();
    store.insert_key(&key(2)).await.unwrap();
    assert!(store.revoke_key("key_1", Timestamp(50)).await.unwrap());
    assert!(!store.revoke_key("key_1", Timestamp(60)).await.unwrap());
    assert!(matches!(store.revoke_key("key_3", Timestamp(60)).await, Err(StoreError::NoSuchKey)));
    let revoked: Vec<_> = store.keys().await.unwrap().iter().map(|k| k.revoked_at).collect();
    assert_eq!(revoked, [Some(Timestamp(50)), None]);
}

#[tokio::test]
async fn one_process_sees_what_another_did() {
    let (gateway, folder) = store().await;
    let cli = Store::open(&folder.path().join("store.db")).await.unwrap();
    see_each_other(&gateway, &cli).await;
}

/// Of two who have one store open, each sees what the other changed, and nothing else.
async fn see_each_other(gateway: &Store, cli: &Store) {
    let mut seen = Revision::default();
    let mut changed = async || gateway.keys_if_changed(&mut seen).await.unwrap();
    assert!(changed().await.is_some(), "everything is new at first");
    assert!(changed().await.is_none());
    cli.insert_key(&key(1)).await.unwrap();
    assert_eq!(changed().await, Some(vec![key(1)]));
    assert!(changed().await.is_none());
    cli.revoke_key("key_1", Timestamp(5)).await.unwrap();
    assert_eq!(changed().await.map(|keys| keys[0].revoked_at), Some(Some(Timestamp(5))));
    // What changed nothing is no change.
    cli.revoke_key("key_1", Timestamp(6)).await.unwrap();
    assert!(cli.insert_key(&key(1)).await.is_err());
    assert!(changed().await.is_none());
}

#[tokio::test]
async fn a_change_that_could_not_be_read_is_not_lost() {
    let (store, _folder) = store().await;
    let mut seen = Revision::default();
    assert_eq!(store.keys_if_changed(&mut seen).await.unwrap(), Some(vec![]));
    store.insert_key(&key(1)).await.unwrap();
    sqlx::query("UPDATE api_key SET created = -1").execute(&store.pool).await.unwrap();
    assert!(store.keys_if_changed(&mut seen).await.is_err());
    sqlx::query("UPDATE api_key SET created = 1").execute(&store.pool).await.unwrap();
    assert_eq!(store.keys_if_changed(&mut seen).await.unwrap(), Some(vec![key(1)]));
    assert_eq!(store.keys_if_changed(&mut seen).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_may_open_a_new_store_and_write_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path: Arc<Path> = folder.path().join("store.db").into();
    let writers: Vec<_> = (0..8_u8)
        .map(|n| {
            let path = path.clone();
            tokio::spawn(async move { Store::open(&path).await.unwrap().insert_key(&key(n)).await.unwrap() })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(Store::open(&path).await.unwrap().keys().await.unwrap().len(), 8);
}

#[tokio::test]
async fn settings_are_those_that_survive_a_power_cut() {
    let (store, _folder) = store().await;
    let journal: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&store.pool).await.unwrap();
    let synchronous: i64 = sqlx::query_scalar("PRAGMA synchronous").fetch_one(&store.pool).await.unwrap();
    let foreign: i64 = sqlx::query_scalar("PRAGMA foreign_keys").fetch_one(&store.pool).await.unwrap();
    assert_eq!((journal.as_str(), synchronous, foreign), ("wal", 2, 1));
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_can_read_the_files() {
    use std::os::unix::fs::PermissionsExt;
    let (store, folder) = store().await;
    store.insert_key(&key(1)).await.unwrap();
    let mut files = 0;
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let file = file.unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", file.path());
        files += 1;
    }
    assert!(files >= 2);
}

#[tokio::test]
async fn a_store_of_a_newer_release_is_left_alone() {
    let (store, folder) = store().await;
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (9999, 'later', TRUE, x'00', 0)",
    )
    .execute(&store.pool)
    .await
    .unwrap();
    store.close().await;
    assert!(matches!(Store::open(&folder.path().join("store.db")).await, Err(StoreError::Newer)));
}

#[tokio::test]
async fn what_is_no_store_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    std::fs::write(&path, vec![b'x'; 4096]).unwrap();
    assert!(Store::open(&path).await.is_err());
    assert!(matches!(Store::open(&folder.path().join("no/such/folder")).await, Err(StoreError::Create(_))));
}

#[tokio::test]
async fn a_damaged_record_is_named() {
    for damage in
        ["UPDATE api_key SET hash = 'short'", "UPDATE api_key SET created = -1", "UPDATE api_key SET expires = -1"]
    {
        let (store, _folder) = store().await;
        store.insert_key(&key(1)).await.unwrap();
        sqlx::query(damage).execute(&store.pool).await.unwrap();
        let result = store.keys().await;
        assert!(matches!(result, Err(StoreError::Damaged(id)) if id == "key_1"), "{damage}");
    }
    let (store, _folder) = store().await;
    store.insert_key(&key(1)).await.unwrap();
    assert!(sqlx::query("UPDATE api_key SET kind = 'root'").execute(&store.pool).await.is_err());
    assert!(sqlx::query("DELETE FROM api_key").execute(&store.pool).await.is_err(), "grants would be orphans");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever a record holds comes back, quotes, line ends and NUL included.
    #[test]
    fn any_record_round_trips(
        hash: [u8; 32],
        texts in proptest::array::uniform4(any::<String>()),
        roles in proptest::collection::btree_set(any::<String>(), 0..4),
        times in proptest::array::uniform3(0..=u64::MAX >> 1),
        ends: bool,
    ) {
        let [id, tenant, subject, note] = texts;
        let record = KeyRecord {
            id: id.into(),
            hash,
            tenant: tenant.into(),
            subject: subject.into(),
            kind: PrincipalKind::Agent,
            roles: roles.iter().map(|r| r.as_str().into()).collect(),
            scopes: roles.iter().map(|r| format!("model:{r}").into()).collect(),
            created: Timestamp(times[0]),
            expires: ends.then_some(Timestamp(times[1])),
            revoked_at: ends.then_some(Timestamp(times[2])),
            note,
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let read = runtime.block_on(async {
            let (store, _folder) = store().await;
            store.insert_key(&record).await.unwrap();
            store.keys().await.unwrap()
        });
        prop_assert_eq!(read, [record]);
    }
}
