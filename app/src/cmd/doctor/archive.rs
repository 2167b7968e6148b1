//! How far the archive has come, and whether its checkpoints are locked.

use countersign_audit::{DiskDir, Reader};

use super::Findings;
use crate::{
    archive::{self, Anchor, Archive, Store},
    state::State,
};

/// Asks the bucket.
pub(super) async fn look(archive: &Archive, state: &State, findings: &mut Findings) {
    let bucket = &archive.bucket;
    let advice = "is its address right, may the access key read and write there, and list versions? nothing is archived until then";
    let store = match Store::open(archive).await {
        Ok(store) => store,
        Err(e) => return findings.look("archive", format!("`{bucket}`: {e:#}"), advice),
    };
    match copied(archive, state).await {
        Ok((copied, size)) if size.saturating_sub(copied) <= BEHIND && copied <= size => {
            findings.good("archive", format!("`{bucket}` has {copied} of {size} records"));
        }
        Ok((copied, size)) if copied > size => findings.wrong(
            "archive",
            format!("`{bucket}` has {copied} records and the log {size}: the log was cut"),
            "run `countersign audit verify --archive`",
        ),
        Ok((copied, size)) => {
            let advice = "does the gateway run? its log says why nothing is copied";
            findings.look("archive", format!("`{bucket}` has {copied} of {size} records"), advice);
        }
        Err(e) => findings.look("archive", format!("`{bucket}`: {e:#}"), advice),
    }
    locks(archive, &store, size(state), findings).await;
}

/// How many records the copy has, and the log.
async fn copied(archive: &Archive, state: &State) -> anyhow::Result<(u64, u64)> {
    Ok((archive::copied(archive, state).await?, size(state)))
}

/// How many records the log has under its checkpoint.
fn size(state: &State) -> u64 {
    let dir = DiskDir::read_only(state.audit_dir());
    dir.ok().and_then(|dir| Some(Reader::new(&dir).ok()?.checkpoint().size)).unwrap_or_default()
}

async fn locks(archive: &Archive, store: &Store, records: u64, findings: &mut Findings) {
    let bucket = &archive.bucket;
    let locking = match store.locking().await {
        Ok(locking) => locking,
        Err(e) => {
            let advice = "permit the access key s3:GetBucketObjectLockConfiguration, or look at the bucket yourself";
            return findings.look("archive", format!("`{bucket}`: {e:#}"), advice);
        }
    };
    match (&archive.lock, locking.is_on) {
        (None, _) => {
            let advice = "write `[audit.archive.lock]`: what nobody can take back finds a log that was rewritten with its own key";
            findings.look("archive", format!("no checkpoint is locked in `{bucket}`"), advice);
        }
        (Some(_), false) => {
            let advice =
                "make a bucket with object lock, which brings versions along; no checkpoint is locked until then";
            findings.wrong("archive", format!("`{bucket}` knows no retention locks"), advice);
        }
        (Some(lock), true) => {
            let default = locking.default.map(|rule| format!("; the bucket itself locks everything ({rule})"));
            let (days, mode) = (lock.days.as_secs() / 86_400, lock.mode.as_str());
            let what =
                format!("checkpoints are locked in `{bucket}` for {days} days ({mode}){}", default.unwrap_or_default());
            findings.good("archive", what);
        }
    }
    if archive.lock.is_none() {
        return;
    }
    match store.anchors().await {
        Ok(anchors) => {
            let hidden = anchors.iter().any(|anchor| !anchor.is_newest || anchor.is_removal);
            // By their names, of which anybody who may write there could make one.
            let newest = anchors.iter().filter_map(Anchor::size).filter(|size| *size <= records).max();
            match newest {
                _ if hidden => findings.wrong(
                    "archive",
                    format!("somebody has overwritten or hidden locked checkpoints in `{bucket}`"),
                    "run `countersign audit verify --archive`, and find out who may write there",
                ),
                Some(size) => findings.good("archive", format!("the newest locked checkpoint is of {size} records")),
                None => findings.look(
                    "archive",
                    "no checkpoint is locked yet",
                    "does the gateway run? its log says why not",
                ),
            }
        }
        Err(e) => findings.look("archive", format!("{e:#}"), "permit the access key s3:ListBucketVersions"),
    }
}

/// So many records the archive may be behind before it is worth a look.
const BEHIND: u64 = 10_000;
