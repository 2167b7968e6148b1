//! The tables are brought up to date from nothing and from every schema that was ever released.

use countersign_testkit as testkit;
use data_encoding::HEXLOWER;

use super::*;

/// Tables as the first release left them, with a key in them.
async fn first_release(pool: &AnyPool) {
    Migrator::with_migrations(migrations().into_iter().take(1).collect()).run(pool).await.unwrap();
    let columns = "id, hash, tenant, subject, kind, created, expires, note";
    let values = format!("'key_1', '{}', 'bank', 'teller', 'person', 1, 9223372036854775807, 'old'", "01".repeat(32));
    let insert = format!("INSERT INTO api_key ({columns}) VALUES ({values})");
    sqlx::raw_sql(sqlx::AssertSqlSafe(insert)).execute(pool).await.unwrap();
    let grants = "INSERT INTO api_key_grant VALUES ('key_1', 'role', 'a'), ('key_1', 'role', 'b'), ('key_1', 'scope', 'model:small')";
    sqlx::raw_sql(grants).execute(pool).await.unwrap();
}

/// Nothing was lost, and every part that later releases added is there.
async fn up_to_date(store: &Store) {
    assert_eq!(store.keys().await.unwrap(), [KeyRecord { note: "old".into(), ..key(1) }]);
    let done: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM _sqlx_migrations").fetch_one(&store.pool).await.unwrap();
    assert_eq!(usize::try_from(done).unwrap(), migrations().len());
    store.insert_key(&key(2)).await.unwrap();
}

#[tokio::test]
async fn sqlite_from_the_first_release() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let options = sqlite::File::lock(&path).await.unwrap().options().unwrap();
    let pool = AnyPoolOptions::new().connect_with(options).await.unwrap();
    first_release(&pool).await;
    pool.close().await;
    up_to_date(&Store::open(&path).await.unwrap()).await;
}

#[tokio::test]
async fn postgres_from_the_first_release() {
    let Some(server) = testkit::Postgres::shared() else { return };
    let to = Postgres { url: server.database(), password: None, ca: None };
    let pool = AnyPoolOptions::new().connect_with(to.options().unwrap()).await.unwrap();
    first_release(&pool).await;
    up_to_date(&Store::connect(&to).await.unwrap()).await;
}

#[test]
fn what_was_released_stays_as_it_was() {
    let checksum = |n: usize| HEXLOWER.encode(&migrations()[n].checksum);
    assert_eq!(checksum(0).get(..16), Some("ff4bdb2140db4398"), "a released migration was edited");
}
