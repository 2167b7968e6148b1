//! What the audit log proves: that it is whole, and that a copy which somebody altered is not.

use std::{fs, path::Path};

use anyhow::Context;

use crate::{cmd::audit::verify_own, state::State};

/// What verification says of the log, and of a copy with one bit turned.
pub(super) struct Proof {
    /// How many records hold, or what is wrong.
    pub(super) log: Result<u64, String>,
    /// In which record of the copy the bit was found; none where it was not.
    pub(super) altered: Option<u64>,
}

impl Proof {
    /// Verifies the log of `state`, and a copy of it in `folder`, in which a bit is turned.
    pub(super) fn of(state: &State, folder: &Path) -> anyhow::Result<Self> {
        copy(&state.audit_dir(), folder)?;
        turn_a_bit(folder)?;
        let report = verify_own(state, None, None)?;
        let log = report.damage.first().map_or(Ok(report.held), |damage| Err(damage.what.clone()));
        Ok(Self { log, altered: verify_own(state, Some(folder.to_owned()), None)?.first() })
    }
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let place = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &place)?;
        } else {
            fs::copy(entry.path(), place)?;
        }
    }
    Ok(())
}

/// Turns one bit in the middle of what the first segment of the journal holds.
fn turn_a_bit(log: &Path) -> anyhow::Result<()> {
    let mut segments: Vec<_> =
        fs::read_dir(log.join("journal"))?.map(|e| Ok(e?.path())).collect::<std::io::Result<_>>()?;
    segments.sort();
    let first = segments.first().context("the audit log has no journal")?;
    let mut bytes = fs::read(first)?;
    // Past its last record a segment may be zeros.
    let written = bytes.iter().rposition(|byte| *byte != 0).unwrap_or_default();
    if let Some(byte) = bytes.get_mut(written / 2) {
        *byte ^= 1;
    }
    Ok(fs::write(first, bytes)?)
}
