//! Seeds that data keys follow from, sealed. What is taken out is gone: SQLite overwrites it, PostgreSQL writes the table anew.

use std::time::Duration;

use data_encoding::BASE64;
use sqlx::{Any, Row, Transaction};

use crate::{Revision, Store, StoreError};

/// A seed's place, and the seed, sealed.
pub type SealedSeed = (String, Vec<u8>);

impl Store {
    /// The seeds, if they changed since `seen`; until they have been read, `seen` stays as it was.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Database`].
    pub async fn data_keys_if_changed(&self, seen: &mut Revision) -> Result<Option<Vec<SealedSeed>>, StoreError> {
        let now = self.revision(PART).await?;
        if now == *seen {
            return Ok(None);
        }
        let seeds = self.data_keys().await?;
        *seen = now;
        Ok(Some(seeds))
    }

    /// The seeds.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Database`].
    pub async fn data_keys(&self) -> Result<Vec<SealedSeed>, StoreError> {
        let rows: Vec<(String, String)> =
            sqlx::query_as("SELECT place, sealed FROM data_key ORDER BY place").fetch_all(&self.pool).await?;
        let read = |(place, sealed): (String, String)| match BASE64.decode(sealed.as_bytes()) {
            Ok(sealed) => Ok((place, sealed)),
            Err(_) => Err(StoreError::Damaged(place)),
        };
        rows.into_iter().map(read).collect()
    }

    /// Keeps the seeds that a deployment begins with, unless it has begun.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn begin_data_keys(&self, seeds: &[SealedSeed]) -> Result<(), StoreError> {
        let mut transaction = self.change(PART).await?;
        let begun: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM data_key").fetch_one(&mut *transaction).await?;
        if begun > 0 {
            return Ok(transaction.rollback().await?);
        }
        insert(&mut transaction, seeds).await?;
        Ok(transaction.commit().await?)
    }

    /// Takes out the seeds at the places `gone` and puts `come` in, all or nothing; false, and nothing is changed, where they are
    /// not as they were when `seen` was read.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn replace_data_keys(
        &self,
        seen: Revision,
        gone: &[String],
        come: &[SealedSeed],
    ) -> Result<bool, StoreError> {
        let mut transaction = self.change(PART).await?;
        let number: i64 = sqlx::query_scalar("SELECT number FROM revision WHERE part = $1")
            .bind(PART)
            .fetch_one(&mut *transaction)
            .await?;
        if number != seen.0 + 1 {
            transaction.rollback().await?;
            return Ok(false);
        }
        for place in gone {
            // Overwritten first: a row that is only taken out may stand in its page until something else is put there.
            sqlx::query("UPDATE data_key SET sealed = '' WHERE place = $1")
                .bind(place)
                .execute(&mut *transaction)
                .await?;
            sqlx::query("DELETE FROM data_key WHERE place = $1").bind(place).execute(&mut *transaction).await?;
        }
        insert(&mut transaction, come).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Has nothing of what was taken out stay in the database's files: it is still in the log of what was written until then.
    /// Nothing depends on it; after a failure, or a crash, it may be done again at any time.
    ///
    /// # Errors
    /// [`StoreError::Busy`] when others kept using it, [`StoreError::Database`].
    pub async fn scrub_data_keys(&self) -> Result<(), StoreError> {
        // One after another: of several statements in one, the first is all that is waited for.
        for statement in self.scrub {
            self.scrub_by(statement).await?;
        }
        Ok(())
    }

    async fn scrub_by(&self, statement: &'static str) -> Result<(), StoreError> {
        for _ in 0..TRIES {
            // SQLite says in a row whether somebody was reading what had to go.
            match sqlx::raw_sql(statement).fetch_optional(&self.pool).await? {
                Some(row) if row.try_get::<i64, _>(0)? != 0 => tokio::time::sleep(PAUSE).await,
                _ => return Ok(()),
            }
        }
        Err(StoreError::Busy)
    }

    /// Puts a seed that was sealed again in place of what it was; false where it is not so any more.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn reseal_data_key(&self, place: &str, was: &[u8], becomes: &[u8]) -> Result<bool, StoreError> {
        let resealed = sqlx::query("UPDATE data_key SET sealed = $1 WHERE place = $2 AND sealed = $3")
            .bind(BASE64.encode(becomes))
            .bind(place)
            .bind(BASE64.encode(was))
            .execute(&self.pool)
            .await?;
        Ok(resealed.rows_affected() == 1)
    }
}

async fn insert(transaction: &mut Transaction<'static, Any>, seeds: &[SealedSeed]) -> Result<(), StoreError> {
    for (place, sealed) in seeds {
        sqlx::query("INSERT INTO data_key (place, sealed) VALUES ($1, $2)")
            .bind(place)
            .bind(BASE64.encode(sealed))
            .execute(&mut **transaction)
            .await?;
    }
    Ok(())
}

/// How often, and after which pauses, what others are reading is tried again.
const TRIES: u32 = 100;
const PAUSE: Duration = Duration::from_millis(50);
/// The name under which changes to the seeds are counted.
pub(crate) const PART: &str = "data-keys";

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::tests::{both, store};

    fn seed(place: &str, byte: u8) -> SealedSeed {
        (place.to_owned(), vec![byte; 48])
    }

    #[tokio::test]
    async fn a_deployment_begins_once() {
        let (stores, _folder) = both().await;
        for store in stores {
            store.begin_data_keys(&[seed("a", 1)]).await.unwrap();
            store.begin_data_keys(&[seed("a", 2), seed("b", 2)]).await.unwrap();
            assert_eq!(store.data_keys().await.unwrap(), [seed("a", 1)]);
        }
    }

    #[tokio::test]
    async fn they_are_replaced_whole_or_not_at_all_and_only_as_they_were() {
        let (stores, _folder) = both().await;
        for store in stores {
            store.begin_data_keys(&[seed("a", 1), seed("b", 2)]).await.unwrap();
            let mut seen = Revision::default();
            assert_eq!(store.data_keys_if_changed(&mut seen).await.unwrap().map(|all| all.len()), Some(2));
            assert!(store.replace_data_keys(seen, &["a".into()], &[seed("c", 3)]).await.unwrap());
            // Whoever has not seen that changes nothing.
            assert!(!store.replace_data_keys(seen, &["b".into()], &[seed("d", 4)]).await.unwrap());
            assert_eq!(store.data_keys_if_changed(&mut seen).await.unwrap(), Some(vec![seed("b", 2), seed("c", 3)]));
            assert_eq!(store.data_keys_if_changed(&mut seen).await.unwrap(), None);
            // One that cannot be put in takes the rest of the change with it.
            assert!(store.replace_data_keys(seen, &["b".into()], &[seed("c", 9)]).await.is_err());
            assert_eq!(store.data_keys().await.unwrap(), [seed("b", 2), seed("c", 3)]);
            store.scrub_data_keys().await.unwrap();
        }
    }

    #[tokio::test]
    async fn what_is_sealed_again_does_not_bring_back_what_is_gone() {
        let (stores, _folder) = both().await;
        for store in stores {
            store.begin_data_keys(&[seed("a", 1), seed("b", 2)]).await.unwrap();
            let mut seen = Revision::default();
            store.data_keys_if_changed(&mut seen).await.unwrap();
            assert!(store.reseal_data_key("b", &[2; 48], &[22; 48]).await.unwrap());
            assert!(store.replace_data_keys(seen, &["a".into()], &[]).await.unwrap());
            assert!(!store.reseal_data_key("a", &[1; 48], &[11; 48]).await.unwrap());
            assert!(!store.reseal_data_key("b", &[2; 48], &[33; 48]).await.unwrap(), "not as it was");
            assert_eq!(store.data_keys().await.unwrap(), [seed("b", 22)]);
        }
    }

    #[tokio::test]
    async fn no_byte_of_what_is_gone_stays_in_a_file() {
        let (store, folder) = store().await;
        // Others have it open meanwhile, as a gateway does beside the command line.
        let other = Store::open(&folder.path().join("store.db")).await.unwrap();
        // No part of one is to be found in another, however base64 falls.
        let text = |n: u8| format!("{n:03} is what the seed says that stands in this place").into_bytes();
        let many: Vec<_> = (0..200).map(|n| (format!("place-{n:03}"), text(n))).collect();
        store.begin_data_keys(&many).await.unwrap();
        let mut seen = Revision::default();
        other.data_keys_if_changed(&mut seen).await.unwrap();
        let gone: Vec<_> = (50..60).map(|n| format!("place-{n:03}")).collect();
        assert!(store.replace_data_keys(seen, &gone, &[seed("new", 250)]).await.unwrap());
        store.scrub_data_keys().await.unwrap();
        // Done when it says so: whoever asked may end right now.
        assert_eq!(fs::metadata(folder.path().join("store.db-wal")).unwrap().len(), 0);
        let read = |entry: std::io::Result<fs::DirEntry>| fs::read(entry.unwrap().path()).unwrap();
        let files: Vec<_> = fs::read_dir(folder.path()).unwrap().map(read).collect();
        for n in 0..200_u8 {
            let sealed = BASE64.encode(&text(n));
            let there = files.iter().any(|file| file.windows(16).any(|w| w == &sealed.as_bytes()[..16]));
            assert_eq!(there, !(50..60).contains(&n), "{n}");
        }
        assert_eq!(other.data_keys().await.unwrap().len(), 191);
    }
}
