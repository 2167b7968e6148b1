//! The same store in PostgreSQL: a server of the test's own, as Debian packages it.

use countersign_testkit as testkit;

use super::*;

async fn store(server: &testkit::Postgres) -> (Store, Postgres) {
    let to = Postgres { url: server.database(), password: None, ca: None };
    (Store::connect(&to).await.unwrap(), to)
}

#[tokio::test]
async fn keys_are_kept_and_nodes_see_each_other() {
    let Some(server) = testkit::Postgres::shared() else { return };
    let (store, to) = store(server).await;
    see_each_other(&store, &Store::connect(&to).await.unwrap()).await;
    let same_hash = KeyRecord { id: "key_9".into(), ..key(1) };
    assert!(matches!(store.insert_key(&same_hash).await, Err(StoreError::Exists)));
    assert!(matches!(store.revoke_key("key_3", Timestamp(60)).await, Err(StoreError::NoSuchKey)));
    let bare = KeyRecord { roles: vec![], scopes: vec![], expires: None, kind: PrincipalKind::Agent, ..key(2) };
    store.insert_key(&bare).await.unwrap();
    assert_eq!(Store::connect(&to).await.unwrap().keys().await.unwrap()[1], bare);
    // PostgreSQL cannot hold this character; SQLite can.
    assert!(store.insert_key(&KeyRecord { note: "\0".into(), ..key(3) }).await.is_err());
}

#[tokio::test]
async fn many_nodes_may_open_an_empty_database_and_write_at_once() {
    let Some(server) = testkit::Postgres::shared() else { return };
    let to = Arc::new(Postgres { url: server.database(), password: None, ca: None });
    let writers: Vec<_> = (0..8_u8)
        .map(|n| {
            let to = to.clone();
            tokio::spawn(async move { Store::connect(&to).await.unwrap().insert_key(&key(n)).await.unwrap() })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    let store = Store::connect(&to).await.unwrap();
    assert_eq!(store.keys().await.unwrap().len(), 8);
    // Each change was counted: none was made beside another.
    assert_eq!(store.revision(keys::PART).await.unwrap(), Revision(9));
}

#[tokio::test]
async fn a_database_of_a_newer_release_is_left_alone() {
    let Some(server) = testkit::Postgres::shared() else { return };
    let (store, to) = store(server).await;
    let later = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                 VALUES (9999, 'later', TRUE, '', 0)";
    sqlx::raw_sql(later).execute(&store.pool).await.unwrap();
    assert!(matches!(Store::connect(&to).await, Err(StoreError::Newer)));
}

#[tokio::test]
async fn a_database_that_sorts_by_a_language_is_refused() {
    let Some(server) = testkit::Postgres::shared() else { return };
    let by_language = "CREATE DATABASE sorted TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en-US'";
    server.psql("postgres", by_language).unwrap();
    let url = format!("postgres://countersign@127.0.0.1:{}/sorted", server.port());
    let refused = Store::connect(&Postgres { url, password: None, ca: None }).await;
    assert!(matches!(refused, Err(StoreError::Address(_))));
}

#[tokio::test]
async fn over_a_network_only_a_server_with_a_certificate_for_its_name_is_believed() {
    let pair = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let other = rcgen::generate_simple_self_signed(vec!["elsewhere".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let ca = |name: &str, pem: String| {
        let path = folder.path().join(name);
        std::fs::write(&path, pem).unwrap();
        Some(path)
    };
    let (own, elsewhere) = (ca("own.pem", pair.cert.pem()), ca("elsewhere.pem", other.cert.pem()));
    let server =
        testkit::Postgres::with(&["ssl=on", "ssl_cert_file=../cert.pem", "ssl_key_file=../key.pem"], |folder| {
            std::fs::write(folder.join("cert.pem"), pair.cert.pem()).unwrap();
            let key = folder.join("key.pem");
            std::fs::write(&key, pair.signing_key.serialize_pem()).unwrap();
            #[cfg(unix)]
            std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        });
    let (Some(server), Some(plain)) = (server, testkit::Postgres::shared()) else { return };
    // By name it is no longer this machine for certain.
    let by_name = |server: &testkit::Postgres, ca: &Option<std::path::PathBuf>| Postgres {
        url: server.database().replace("127.0.0.1", "localhost"),
        password: Some(countersign_core::Secret::new("never asked for".to_owned())),
        ca: ca.clone(),
    };
    Store::connect(&by_name(&server, &own)).await.unwrap();
    for refused in [by_name(&server, &None), by_name(&server, &elsewhere), by_name(plain, &own)] {
        assert!(matches!(Store::connect(&refused).await, Err(StoreError::Database(_))));
    }
}
