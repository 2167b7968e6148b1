//! A refusal: a code for the caller, a reason for the record. The two are never the same string.

use std::{borrow::Cow, sync::Arc, time::Duration};

use crate::{Code, Quota, StepUp};

/// Why a request or an answer goes no further.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}: {reason}", code.id())]
pub struct Refusal {
    /// What the caller is told.
    pub code: Code,
    /// What the audit record and the log are told. Holds no secret and no prompt text.
    pub reason: Cow<'static, str>,
    /// How long the caller should wait before trying again.
    pub retry_after: Option<Duration>,
    /// Whether the connection is closed as well.
    pub cut: bool,
    /// What the caller has left of what was asked too much of.
    pub quotas: Vec<Quota>,
    /// The authentication that would do, where that at hand does not.
    pub step_up: Option<Arc<StepUp>>,
    /// The case that the caller can name to whoever decides on it.
    pub case: Option<Arc<str>>,
}

impl Refusal {
    /// Refuses with `code`, for `reason`.
    pub fn new(code: Code, reason: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            reason: reason.into(),
            retry_after: None,
            cut: false,
            quotas: Vec::new(),
            step_up: None,
            case: None,
        }
    }
}
