//! The events that an alert or a risk rests on, in the same words and units wherever they are told.

use std::borrow::Cow;

use countersign_core::{Timestamp, alert::Reason};
use schemars::JsonSchema;
use serde::Serialize;

use crate::clock;

/// What one request says against somebody.
#[derive(JsonSchema, Serialize)]
pub(crate) struct Because {
    /// The request.
    request: String,
    /// When it came, RFC 3339.
    at: String,
    /// What was unusual about it.
    what: Cow<'static, str>,
    /// How much that weighs, in nats of evidence.
    weight: f64,
}

impl From<&Reason> for Because {
    fn from(reason: &Reason) -> Self {
        Self {
            request: reason.request.to_string(),
            at: clock::rfc3339(reason.at),
            what: reason.what.into(),
            weight: nats(reason.weight),
        }
    }
}

/// As it was kept with a run of a playbook.
impl From<&countersign_playbook::Because> for Because {
    fn from(kept: &countersign_playbook::Because) -> Self {
        Self {
            request: kept.request.clone(),
            at: clock::rfc3339(Timestamp(kept.at)),
            what: kept.what.clone().into(),
            weight: nats(kept.weight),
        }
    }
}

fn nats(thousandths: i32) -> f64 {
    f64::from(thousandths) / 1000.0
}
