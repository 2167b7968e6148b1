//! Security events: nothing is taken in that nobody asked for.

use super::{
    super::{Signals, raw::RawSignals},
    Check, Place,
};

impl Check<'_> {
    pub(super) fn signals(&mut self, at: &Place, issuer: &str, raw: Option<RawSignals>) -> Option<Signals> {
        let raw = raw?;
        let signals =
            Signals { issuer: issuer.into(), audiences: raw.audiences, logout: raw.logout.into_iter().collect() };
        if signals.audiences.is_empty() && signals.logout.is_empty() {
            let what = "`signals` names neither `audiences` nor `logout`, so that nothing is taken in";
            return self.wrong(at, what, "write the audience that the issuer's events have, or leave `signals` out");
        }
        if signals.audiences.iter().chain(&signals.logout).any(String::is_empty) {
            return self.wrong(at, "`signals` names an audience that is empty", "write what `aud` of its tokens holds");
        }
        Some(signals)
    }
}
