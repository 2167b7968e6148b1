//! Where the audit log is copied to.

use std::time::Duration;

use countersign_bucket::Mode;

use super::{
    super::{
        ServiceAt,
        raw::{RawArchive, RawLock, RawLocks},
    },
    Check, Place,
};
use crate::archive::{Archive, Lock};

impl Check<'_> {
    pub(super) fn archive(&mut self, at: &Place, raw: RawArchive, node: &str) -> Option<Archive> {
        let usual = format!("https://s3.{}.amazonaws.com", raw.region);
        let url = raw.endpoint.unwrap_or(usual);
        let place = self.service(at, "endpoint", &url)?;
        let ca = self.authorities(at, raw.ca.as_deref())?;
        let plain = |name: &str, more: &[u8]| name.bytes().all(|b| b.is_ascii_alphanumeric() || more.contains(&b));
        if raw.bucket.is_empty() || !plain(&raw.bucket, b"-.") || raw.region.is_empty() || !plain(&raw.region, b"-") {
            let fix = "write them as the storage's own console shows them";
            return self.wrong(at, "`bucket` or `region` is not a name", fix);
        }
        let root = format!("{}{}{node}", raw.prefix, if raw.prefix.is_empty() { "" } else { "/" });
        let folders = |path: &str| path.split('/').all(|folder| !folder.is_empty() && folder != "." && folder != "..");
        if !plain(&root, b"-_./") || !folders(&root) {
            let fix = "write letters, digits, `-`, `_`, `.`, and single `/` within `prefix`; the `node` has to be such a name, too";
            return self.wrong(at, "`prefix` and `node` cannot stand in the names of objects", fix);
        }
        if !(1..=DAY).contains(&raw.seconds) {
            return self.wrong(at, "`seconds` of the archive is out of range", "write 1 to 86400");
        }
        let lock = match raw.lock {
            Some(lock) => Some(self.lock(at, &lock)?),
            None => None,
        };
        let endpoint = url.trim_end_matches('/').to_owned();
        let (at, every) = (ServiceAt { place, ca }, Duration::from_secs(raw.seconds));
        Some(Archive { at, endpoint, bucket: raw.bucket, region: raw.region, root, every, lock })
    }

    fn lock(&mut self, at: &Place, raw: &RawLock) -> Option<Lock> {
        if !(1..=36_500).contains(&raw.days) || !(1..=1_440).contains(&raw.minutes) {
            let fix = "write 1 to 36500 days and 1 to 1440 minutes";
            return self.wrong(at, "`days` or `minutes` of the archive's lock is out of range", fix);
        }
        let mode = match raw.mode {
            RawLocks::Compliance => Mode::Compliance,
            RawLocks::Governance => Mode::Governance,
        };
        let (days, minutes) = (Duration::from_secs(raw.days * DAY), Duration::from_secs(raw.minutes * 60));
        Some(Lock { mode, days, every: minutes })
    }
}

const DAY: u64 = 86_400;
