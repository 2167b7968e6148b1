//! What a failure means: what the caller is told, whether it may be tried again, whether the target is to blame.
//!
//! Nothing a provider wrote goes into a reason: an error body is content like any other, and often repeats the prompt.

use std::time::Duration;

use countersign_core::{Code, Refusal};
use countersign_http1::{Error, ResponseHead};

/// One attempt's failure.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) refusal: Refusal,
    /// Whether any of the request may have reached the provider.
    pub(crate) called: bool,
    pub(crate) again: Again,
    /// Whether it counts against the target.
    pub(crate) blame: bool,
}

/// Where the same request may be sent again without being answered twice.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Again {
    No,
    /// At another target: this one did not work on it, and would not the next time.
    Elsewhere,
    /// Anywhere: it was not worked on, and another moment may be better.
    Anywhere,
}

impl Fault {
    fn new(code: Code, reason: impl Into<std::borrow::Cow<'static, str>>) -> Self {
        Self { refusal: Refusal::new(code, reason), called: true, again: Again::No, blame: true }
    }

    /// The connection could not be made.
    pub(crate) fn dial(error: &std::io::Error) -> Self {
        // The error's text may hold names from the provider's certificate; its kind says enough.
        let reason = if error.get_ref().is_some_and(|e| e.is::<rustls::Error>()) {
            "the provider's tls handshake failed".into()
        } else {
            format!("the provider could not be connected to: {}", error.kind())
        };
        Self { called: false, again: Again::Anywhere, ..Self::new(Code::ProviderUnreachable, reason) }
    }

    /// The connection was not made in time.
    pub(crate) fn dial_timeout() -> Self {
        let fault = Self::new(Code::ProviderTimeout, "the provider could not be connected to in time");
        Self { called: false, again: Again::Anywhere, ..fault }
    }

    /// No request for this target could be made of what the caller asked.
    pub(crate) fn unsent(refusal: Refusal) -> Self {
        Self { refusal, called: false, again: Again::Elsewhere, blame: false }
    }

    pub(crate) fn timeout(what: &'static str) -> Self {
        Self::new(Code::ProviderTimeout, what)
    }

    pub(crate) fn malformed(what: &'static str) -> Self {
        Self::new(Code::ProviderMalformed, what)
    }

    /// An answer that has no translation. `what` is a codec's error, which holds nothing of the answer.
    pub(crate) fn untranslatable(what: String) -> Self {
        Self::new(Code::ProviderMalformed, what)
    }

    /// The exchange broke.
    pub(crate) fn exchange(error: &Error) -> Self {
        match error {
            Error::Io(e) => {
                Self::new(Code::ProviderUnreachable, format!("the provider's connection failed: {}", e.kind()))
            }
            Error::Closed | Error::Truncated => Self::new(Code::ProviderUnreachable, error.to_string()),
            _ => Self::new(Code::ProviderMalformed, error.to_string()),
        }
    }

    /// The provider answered with an error status. Its body is not looked at.
    pub(crate) fn status(head: &ResponseHead) -> Self {
        let status = head.status();
        let reason = format!("the provider answered with status {status}");
        let fault = match status {
            // Of the caller's making: the target is well, and no other would say otherwise.
            400 | 404..=407 | 409..=428 | 431..=499 => {
                Self { blame: false, ..Self::new(Code::ProviderRefused, reason) }
            }
            // Our key is wrong or may not use the model. That is between the operator and the provider.
            401..=403 => {
                let reason = format!("the provider refused the gateway's own credential with status {status}");
                Self { blame: false, again: Again::Elsewhere, ..Self::new(Code::ProviderUnreachable, reason) }
            }
            408 => Self { again: Again::Anywhere, ..Self::new(Code::ProviderTimeout, reason) },
            429 => Self { blame: false, again: Again::Anywhere, ..Self::new(Code::ProviderLimited, reason) },
            // No answer was made. Should the model have run behind a failing proxy, asking again costs tokens and no more.
            // 529 is Anthropic's for overload.
            502..=504 | 529 => Self { again: Again::Anywhere, ..Self::new(Code::ProviderUnreachable, reason) },
            500..=599 => Self::new(Code::ProviderUnreachable, reason),
            _ => Self::new(Code::ProviderMalformed, reason),
        };
        let retry_after = match fault.refusal.code {
            Code::ProviderLimited | Code::ProviderUnreachable => retry_after(head),
            _ => None,
        };
        Self { refusal: Refusal { retry_after, ..fault.refusal }, ..fault }
    }
}

/// The `retry-after` header in seconds. Its other form, a date, is not used by these APIs and not read.
fn retry_after(head: &ResponseHead) -> Option<Duration> {
    let seconds = std::str::from_utf8(head.get("retry-after")?).ok()?.parse::<u64>().ok()?;
    Some(Duration::from_secs(seconds).min(LONGEST_WAIT))
}

/// What a provider may tell a caller to wait.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);
