//! Runs of playbooks: what set each off, which steps it took, who approved it.
//!
//! A step is here before it does anything, and its outcome once it has; so whoever goes on after a crash knows which step to repeat, and
//! repeats it under the same name.

use std::sync::Arc;

use countersign_core::Timestamp;
use sqlx::{Any, Transaction};

use crate::{Store, StoreError, exists, keys::to_sql};

/// A run as it is kept.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RunRecord {
    /// `run_...`; ids sort by time.
    pub id: Arc<str>,
    /// No two runs have the same.
    pub slot: String,
    /// The playbook's name.
    pub playbook: String,
    /// Whom it is about.
    pub target: String,
    /// The alert that set it off, as JSON.
    pub alert: String,
    /// When.
    pub began: Timestamp,
    /// The step that is next, or in the middle of which it is.
    pub step: String,
    /// `running`, `waiting`, `done`, `declined` or `undone`.
    pub standing: String,
    /// How many people have to approve it before it goes on.
    pub wants: i64,
    /// Whether it only says what it would do.
    pub dry: bool,
}

/// A step as it is kept.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StepRecord {
    /// The step's id in its playbook.
    pub step: String,
    /// Whom it is done to.
    pub target: String,
    /// What it does, as in `restrain quarantine`.
    pub what: String,
    /// Whether it takes something away from somebody.
    pub harms: bool,
    /// When it began.
    pub at: Timestamp,
    /// What came of it; empty until it is done.
    pub outcome: String,
}

/// Somebody's word on a run.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Vote {
    /// Who, as `TENANT/SUBJECT`.
    pub by: String,
    /// For it.
    pub approve: bool,
    /// When.
    pub at: Timestamp,
    /// What they said.
    pub note: String,
}

/// Whether a step may begin.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Begun {
    /// It may, or it had begun before.
    Go,
    /// As many have been harmed as may be without a person.
    Over,
    /// The run goes on no more: somebody declined or undid it.
    Stopped,
}

impl Store {
    /// Adds the runs that one alert sets off, all of them or none, held by whoever adds them until `held`. The ids of those that are new:
    /// one of a slot that there is already is not, and nothing is where as many wait as may.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn begin_runs(
        &self,
        runs: &[RunRecord],
        held: Timestamp,
        most_waiting: i64,
    ) -> Result<Vec<Arc<str>>, StoreError> {
        let mut transaction = self.change(PART).await?;
        let waiting: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM playbook_run WHERE standing = 'waiting'")
            .fetch_one(&mut *transaction)
            .await?;
        if waiting >= most_waiting {
            return Ok(Vec::new());
        }
        let mut begun = Vec::new();
        for run in runs {
            let added = sqlx::query(
                "INSERT INTO playbook_run (id, slot, playbook, target, alert, began, step, standing, wants, dry, held) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (slot) DO NOTHING",
            )
            .bind(&*run.id)
            .bind(&run.slot)
            .bind(&run.playbook)
            .bind(&run.target)
            .bind(&run.alert)
            .bind(to_sql(run.began))
            .bind(&run.step)
            .bind(&run.standing)
            .bind(run.wants)
            .bind(i64::from(run.dry))
            .bind(to_sql(held))
            .execute(&mut *transaction)
            .await?;
            if added.rows_affected() == 1 {
                begun.push(run.id.clone());
            }
        }
        transaction.commit().await?;
        Ok(begun)
    }

    /// Takes up to `limit` runs that go on and that nobody holds at `now`, and holds them until `until`.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Database`].
    pub async fn take_runs(&self, now: Timestamp, until: Timestamp, limit: u32) -> Result<Vec<RunRecord>, StoreError> {
        // What is looked at four times a second is not worth a transaction while there is nothing.
        let some: i64 =
            sqlx::query_scalar("SELECT COUNT(*) FROM playbook_run WHERE standing = 'running' AND held <= $1")
                .bind(to_sql(now))
                .fetch_one(&self.pool)
                .await?;
        if some == 0 {
            return Ok(Vec::new());
        }
        let mut transaction = self.change(PART).await?;
        let rows: Vec<Row> =
            sqlx::query_as(FREE).bind(to_sql(now)).bind(i64::from(limit)).fetch_all(&mut *transaction).await?;
        for row in &rows {
            sqlx::query("UPDATE playbook_run SET held = $1 WHERE id = $2")
                .bind(to_sql(until))
                .bind(&row.0)
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await?;
        rows.into_iter().map(record).collect()
    }

    /// Says that a step is about to be taken. One that harms is counted by whom it is done to: where `most` have been harmed by playbooks
    /// since `since`, and they are not among them, it does not begin, unless `most` is none.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn begin_step(
        &self,
        run: &str,
        step: &StepRecord,
        since: Timestamp,
        most: Option<i64>,
    ) -> Result<Begun, StoreError> {
        let mut transaction = self.change(PART).await?;
        if standing(&mut transaction, run).await?.as_deref() != Some("running") {
            return Ok(Begun::Stopped);
        }
        let begun: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM playbook_step WHERE run = $1 AND step = $2")
            .bind(run)
            .bind(&step.step)
            .fetch_one(&mut *transaction)
            .await?;
        if begun > 0 {
            return Ok(Begun::Go);
        }
        if let Some(most) = most.filter(|_| step.harms) {
            let (all, mine): (i64, i64) =
                sqlx::query_as(HARMED).bind(to_sql(since)).bind(&step.target).fetch_one(&mut *transaction).await?;
            if mine == 0 && all >= most {
                return Ok(Begun::Over);
            }
        }
        sqlx::query(
            "INSERT INTO playbook_step (run, step, target, what, harms, at, outcome) VALUES ($1, $2, $3, $4, $5, $6, '')",
        )
        .bind(run)
        .bind(&step.step)
        .bind(&step.target)
        .bind(&step.what)
        .bind(i64::from(step.harms))
        .bind(to_sql(step.at))
        .execute(&mut *transaction)
        .await
        .map_err(exists)?;
        transaction.commit().await?;
        Ok(Begun::Go)
    }

    /// Says what came of a step, where that has not been said.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn end_step(&self, run: &str, step: &str, outcome: &str) -> Result<(), StoreError> {
        sqlx::query("UPDATE playbook_step SET outcome = $1 WHERE run = $2 AND step = $3 AND outcome = ''")
            .bind(outcome)
            .bind(run)
            .bind(step)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Says which step is next, and how a run that was `running` stands; false when it was not running any more.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn move_run(
        &self,
        id: &str,
        step: &str,
        standing: &str,
        wants: i64,
        held: Timestamp,
    ) -> Result<bool, StoreError> {
        let moved = sqlx::query(
            "UPDATE playbook_run SET step = $1, standing = $2, wants = $3, held = $4 WHERE id = $5 AND standing = 'running'",
        )
        .bind(step)
        .bind(standing)
        .bind(wants)
        .bind(to_sql(held))
        .bind(id)
        .execute(&self.pool)
        .await?;
        Ok(moved.rows_affected() == 1)
    }

    /// Holds a run until `until`; false when it is not running any more.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn hold_run(&self, id: &str, until: Timestamp) -> Result<bool, StoreError> {
        let held = sqlx::query("UPDATE playbook_run SET held = $1 WHERE id = $2 AND standing = 'running'")
            .bind(to_sql(until))
            .bind(id)
            .execute(&self.pool)
            .await?;
        Ok(held.rows_affected() == 1)
    }

    /// Ends a run that has not ended, as `standing`; false when it has.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn stop_run(&self, id: &str, standing: &str) -> Result<bool, StoreError> {
        // Raises the number that steps wait for: none begins beside this.
        let mut transaction = self.change(PART).await?;
        let stopped = sqlx::query(
            "UPDATE playbook_run SET standing = $1 WHERE id = $2 AND standing <> $1 AND standing <> 'declined'",
        )
        .bind(standing)
        .bind(id)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(stopped.rows_affected() == 1)
    }

    /// Keeps somebody's word on a run that waits, once for each; a run that enough approve goes on, one that anybody declines is over.
    /// None when it does not wait, or they have said theirs.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Database`].
    pub async fn vote(&self, run: &str, vote: &Vote) -> Result<Option<RunRecord>, StoreError> {
        let mut transaction = self.change(PART).await?;
        if standing(&mut transaction, run).await?.as_deref() != Some("waiting") {
            return Ok(None);
        }
        let kept = sqlx::query(
            "INSERT INTO playbook_vote (run, voter, approve, at, note) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (run, voter) DO NOTHING",
        )
        .bind(run)
        .bind(&vote.by)
        .bind(i64::from(vote.approve))
        .bind(to_sql(vote.at))
        .bind(&vote.note)
        .execute(&mut *transaction)
        .await?;
        if kept.rows_affected() == 0 {
            return Ok(None);
        }
        let after = if vote.approve {
            "UPDATE playbook_run SET standing = 'running', held = 0 WHERE id = $1 AND wants <= \
             (SELECT COUNT(*) FROM playbook_vote WHERE run = $1 AND approve = 1)"
        } else {
            "UPDATE playbook_run SET standing = 'declined' WHERE id = $1"
        };
        sqlx::query(after).bind(run).execute(&mut *transaction).await?;
        transaction.commit().await?;
        self.run(run).await
    }

    /// The run of that id.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Database`].
    pub async fn run(&self, id: &str) -> Result<Option<RunRecord>, StoreError> {
        let row: Option<Row> = sqlx::query_as(ONE).bind(id).fetch_optional(&self.pool).await?;
        row.map(record).transpose()
    }

    /// Up to `limit` runs, newest first, beginning below the id `below`.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Database`].
    pub async fn runs(&self, below: Option<&str>, limit: u32) -> Result<Vec<RunRecord>, StoreError> {
        let below = below.unwrap_or("run_~");
        let rows: Vec<Row> = sqlx::query_as(PAGE).bind(below).bind(i64::from(limit)).fetch_all(&self.pool).await?;
        rows.into_iter().map(record).collect()
    }

    /// The steps that a run has begun, in their order.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Database`].
    pub async fn steps(&self, run: &str) -> Result<Vec<StepRecord>, StoreError> {
        let rows: Vec<(String, String, String, i64, i64, String)> = sqlx::query_as(
            "SELECT step, target, what, harms, at, outcome FROM playbook_step WHERE run = $1 ORDER BY at, step",
        )
        .bind(run)
        .fetch_all(&self.pool)
        .await?;
        let step = |(step, target, what, harms, at, outcome): (String, String, String, i64, i64, String)| {
            let at = u64::try_from(at).map(Timestamp).map_err(|_| StoreError::Damaged(run.to_owned()))?;
            Ok(StepRecord { step, target, what, harms: harms == 1, at, outcome })
        };
        rows.into_iter().map(step).collect()
    }

    /// What people said of a run, in the order in which they did.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Database`].
    pub async fn votes(&self, run: &str) -> Result<Vec<Vote>, StoreError> {
        let rows: Vec<(String, i64, i64, String)> =
            sqlx::query_as("SELECT voter, approve, at, note FROM playbook_vote WHERE run = $1 ORDER BY at, voter")
                .bind(run)
                .fetch_all(&self.pool)
                .await?;
        let vote = |(by, approve, at, note): (String, i64, i64, String)| {
            let at = u64::try_from(at).map(Timestamp).map_err(|_| StoreError::Damaged(run.to_owned()))?;
            Ok(Vote { by, approve: approve == 1, at, note })
        };
        rows.into_iter().map(vote).collect()
    }
}

async fn standing(transaction: &mut Transaction<'static, Any>, run: &str) -> Result<Option<String>, StoreError> {
    Ok(sqlx::query_scalar("SELECT standing FROM playbook_run WHERE id = $1")
        .bind(run)
        .fetch_optional(&mut **transaction)
        .await?)
}

type Row = (String, String, String, String, String, i64, String, String, i64, i64);

fn record(row: Row) -> Result<RunRecord, StoreError> {
    let (id, slot, playbook, target, alert, began, step, standing, wants, dry) = row;
    let began = u64::try_from(began).map(Timestamp).map_err(|_| StoreError::Damaged(id.clone()))?;
    Ok(RunRecord { id: id.into(), slot, playbook, target, alert, began, step, standing, wants, dry: dry == 1 })
}

const PART: &str = "playbooks";
const HARMED: &str = "SELECT COUNT(DISTINCT target), COUNT(DISTINCT CASE WHEN target = $2 THEN target END) \
                      FROM playbook_step WHERE harms = 1 AND at > $1";
const ONE: &str =
    "SELECT id, slot, playbook, target, alert, began, step, standing, wants, dry FROM playbook_run WHERE id = $1";
const PAGE: &str = "SELECT id, slot, playbook, target, alert, began, step, standing, wants, dry FROM playbook_run \
                    WHERE id < $1 ORDER BY id DESC LIMIT $2";
const FREE: &str = "SELECT id, slot, playbook, target, alert, began, step, standing, wants, dry FROM playbook_run \
                    WHERE standing = 'running' AND held <= $1 ORDER BY id LIMIT $2";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::both;

    fn run(number: usize) -> RunRecord {
        RunRecord {
            id: format!("run_{number}").into(),
            slot: format!("canary-tripped principal:bank/u{number} 0"),
            playbook: "canary-tripped".into(),
            target: format!("principal:bank/u{number}"),
            alert: "{}".into(),
            began: Timestamp(5),
            step: "one".into(),
            standing: "running".into(),
            wants: 0,
            dry: false,
        }
    }

    fn step(of: &RunRecord) -> StepRecord {
        StepRecord {
            step: of.step.clone(),
            target: of.target.clone(),
            what: "restrain quarantine".into(),
            harms: true,
            at: Timestamp(6),
            outcome: String::new(),
        }
    }

    async fn begin(store: &Store, runs: &[RunRecord], held: u64, most_waiting: i64) -> Vec<String> {
        let begun = store.begin_runs(runs, Timestamp(held), most_waiting).await.unwrap();
        begun.iter().map(ToString::to_string).collect()
    }

    #[tokio::test]
    async fn a_run_begins_once_is_held_by_one_and_goes_on_with_another() {
        let (stores, _folder) = both().await;
        for store in stores {
            let one = run(1);
            assert_eq!(begin(&store, std::slice::from_ref(&one), 10, 9).await, ["run_1"]);
            let again = RunRecord { id: "run_9".into(), ..one.clone() };
            let other = RunRecord { standing: "done".into(), ..run(2) };
            assert_eq!(begin(&store, &[again, other], 10, 9).await, ["run_2"], "what is there already is not begun");
            assert!(store.take_runs(Timestamp(9), Timestamp(20), 5).await.unwrap().is_empty(), "held");
            assert_eq!(store.take_runs(Timestamp(10), Timestamp(20), 5).await.unwrap(), std::slice::from_ref(&one));
            assert_eq!(store.begin_step("run_1", &step(&one), Timestamp(0), Some(1)).await.unwrap(), Begun::Go);
            assert_eq!(
                store.begin_step("run_1", &step(&one), Timestamp(0), Some(0)).await.unwrap(),
                Begun::Go,
                "again"
            );
            store.end_step("run_1", "one", "laid").await.unwrap();
            store.end_step("run_1", "one", "laid twice").await.unwrap();
            assert_eq!(store.steps("run_1").await.unwrap(), [StepRecord { outcome: "laid".into(), ..step(&one) }]);
            assert!(store.hold_run("run_1", Timestamp(30)).await.unwrap());
            assert!(store.take_runs(Timestamp(29), Timestamp(40), 5).await.unwrap().is_empty(), "held for longer");
            assert!(store.move_run("run_1", "two", "done", 0, Timestamp(0)).await.unwrap());
            assert!(!store.hold_run("run_1", Timestamp(30)).await.unwrap());
            assert!(!store.move_run("run_1", "three", "running", 0, Timestamp(0)).await.unwrap());
            assert_eq!(store.runs(None, 5).await.unwrap().len(), 2);
        }
    }

    #[tokio::test]
    async fn no_more_are_harmed_than_may_be_and_people_let_more_be() {
        let (stores, _folder) = both().await;
        for store in stores {
            let (one, two) = (run(1), run(2));
            assert_eq!(begin(&store, &[one.clone(), two.clone()], 0, 1).await, ["run_1", "run_2"]);
            let begin_step = async |run: &RunRecord, since, most| {
                store.begin_step(&run.id, &step(run), Timestamp(since), most).await.unwrap()
            };
            assert_eq!(begin_step(&one, 0, Some(1)).await, Begun::Go);
            assert_eq!(begin_step(&two, 0, Some(1)).await, Begun::Over);
            assert!(store.move_run("run_2", "one", "waiting", 2, Timestamp(0)).await.unwrap());
            assert!(begin(&store, &[run(3)], 0, 1).await.is_empty(), "as many wait as may");
            assert_eq!(begin_step(&two, 0, None).await, Begun::Stopped, "it waits");
            let vote = |by: &str, approve| Vote { by: by.into(), approve, at: Timestamp(7), note: "yes".into() };
            assert_eq!(store.vote("run_2", &vote("bank/ann", true)).await.unwrap().unwrap().standing, "waiting");
            assert_eq!(store.vote("run_2", &vote("bank/ann", true)).await.unwrap(), None, "one person is one person");
            assert_eq!(store.vote("run_2", &vote("bank/ben", true)).await.unwrap().unwrap().standing, "running");
            assert_eq!(store.votes("run_2").await.unwrap().len(), 2);
            assert_eq!(begin_step(&two, 0, None).await, Begun::Go);

            assert!(
                store.stop_run("run_1", "undone").await.unwrap() && !store.stop_run("run_1", "undone").await.unwrap()
            );
            assert_eq!(begin_step(&one, 0, None).await, Begun::Stopped, "undone in the middle of it");
            assert_eq!(begin(&store, &[run(4)], 0, 9).await.len(), 1);
            assert!(store.move_run("run_4", "one", "waiting", 1, Timestamp(0)).await.unwrap());
            assert_eq!(store.vote("run_4", &vote("bank/ann", false)).await.unwrap().unwrap().standing, "declined");
            assert_eq!(store.vote("run_4", &vote("bank/ben", true)).await.unwrap(), None);
            assert_eq!(begin_step(&run(4), 0, None).await, Begun::Stopped);
        }
    }
}
