//! The judge: a model that somebody serves, doubts that begin below what is refused, and bounds that can hold.

use std::time::Duration;

use countersign_gateway::OnFailure;
use toml::Spanned;

use super::{
    super::{
        Judge, Target, fields,
        raw::{RawJudge, RawOnFailure},
    },
    Check,
};

impl Check<'_> {
    /// Sets as well from where on the guard doubts, for without a judge it doubts nothing.
    pub(super) fn judge(
        &mut self,
        raw: Option<&Spanned<RawJudge>>,
        targets: &[Target],
        guard: &mut countersign_guard::Config,
    ) -> Option<Judge> {
        let (at, raw) = (raw?.span(), raw?.get_ref());
        let from = self.take(&at, fields::false_alarms(&raw.from))?;
        if guard.false_alarms.is_some_and(|refused| refused as usize >= from as usize) {
            let what = "the judge would be asked about nothing: what is as likely as `from` says is refused already";
            return self.wrong(&at, what, "write a `from` with more false alarms than `false_alarms`, as in \"5%\"");
        }
        let serves = |t: &Target| t.target.models.iter().any(|m| *m.name == *raw.model);
        if !targets.iter().any(serves) {
            let what = "the judge's `model` is served by no target";
            return self.wrong(&at, what, "list it at the target that serves it, or name one that is listed");
        }
        if !(1..=LONGEST).contains(&raw.seconds) {
            let what = "`seconds` is no time that a caller would wait for a verdict";
            return self.wrong(&at, what, format!("write 1 to {LONGEST}"));
        }
        if raw.concurrent == 0 {
            return self.wrong(&at, "`concurrent` is 0, so that the judge could not be asked", "write at least 1");
        }
        guard.doubts = Some(from);
        Some(Judge {
            model: raw.model.as_str().into(),
            within: Duration::from_secs(raw.seconds),
            concurrent: raw.concurrent,
            on_failure: match raw.on_failure {
                RawOnFailure::Pass => OnFailure::Pass,
                RawOnFailure::Refuse => OnFailure::Refuse,
            },
        })
    }
}

/// Seconds of patience.
const LONGEST: u64 = 60;
