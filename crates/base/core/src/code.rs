//! Stable codes: one for each thing that can go wrong, each with a page in `docs/errors`.

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $id:literal, $status:literal, $slug:literal, $message:literal;)*) => {
        /// What went wrong, as callers and operators see it.
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub enum Code { $($(#[$doc])* $name,)* }

        impl Code {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The stable id, as in `CS0201`.
            #[must_use]
            pub const fn id(self) -> &'static str { match self { $(Self::$name => $id,)* } }

            /// The HTTP status a caller gets; 0 for codes that only the command line shows.
            #[must_use]
            pub const fn status(self) -> u16 { match self { $(Self::$name => $status,)* } }

            /// The name in metrics and audit records.
            #[must_use]
            pub const fn slug(self) -> &'static str { match self { $(Self::$name => $slug,)* } }

            /// What the caller is told. It never names a rule's internals.
            #[must_use]
            pub const fn message(self) -> &'static str { match self { $(Self::$name => $message,)* } }
        }
    };
}

codes! {
    /// The request is not valid HTTP or JSON, or lacks what its format needs.
    Malformed = "CS0101", 400, "malformed", "the request is malformed";
    /// The body is larger than the limit.
    TooLarge = "CS0102", 413, "too-large", "the request body is larger than the gateway accepts";
    /// No such endpoint.
    NoSuchRoute = "CS0103", 404, "no-such-route", "the gateway has no such endpoint";
    /// The endpoint does not take this method.
    MethodNotAllowed = "CS0104", 405, "method-not-allowed", "the endpoint does not take this method";
    /// The body is not `application/json`, or is compressed.
    UnsupportedMedia = "CS0105", 415, "unsupported-media", "the request body must be uncompressed application/json";
    /// The request did not arrive in time.
    RequestTimeout = "CS0106", 408, "request-timeout", "the request did not arrive in time";
    /// Too deep, too many members, or too repetitive.
    TooComplex = "CS0107", 400, "too-complex", "the request is nested or repeated beyond what the gateway accepts";
    /// No credential was presented.
    NoCredential = "CS0201", 401, "no-credential", "present an API key, an access token or a client certificate";
    /// The credential is not one of ours.
    BadCredential = "CS0202", 401, "bad-credential", "the credential is not valid";
    /// The credential was ours and its time is over.
    ExpiredCredential = "CS0203", 401, "expired-credential", "the credential has expired";
    /// The credential was ours and has been revoked.
    RevokedCredential = "CS0204", 401, "revoked-credential", "the credential has been revoked";
    /// The keys that would confirm the credential are not at hand, or too old.
    UnconfirmedCredential = "CS0205", 503, "unconfirmed-credential", "the credential cannot be confirmed at the moment; try again shortly";
    /// The proof that the caller holds the key their token is bound to is missing or does not hold.
    BadProof = "CS0206", 401, "bad-proof", "the proof of possession is not valid";
    /// The proof holds no nonce of ours that is fresh; the answer brings one.
    NonceNeeded = "CS0207", 401, "nonce-needed", "repeat the request with a proof of possession that holds the nonce in the dpop-nonce header";
    /// No session can be opened on what is presented.
    GrantUnusable = "CS0208", 400, "grant-unusable", "no session can be opened on this";
    /// Policy does not permit the request.
    NotPermitted = "CS0301", 403, "not-permitted", "policy does not permit this request";
    /// Policy could not be evaluated, which refuses.
    PolicyFailed = "CS0302", 503, "policy-failed", "the request could not be checked against policy";
    /// Policy does not permit the answer to return.
    AnswerNotPermitted = "CS0303", 403, "answer-not-permitted", "policy does not permit this answer";
    /// Policy asks for stronger or more recent authentication.
    StepUpNeeded = "CS0304", 401, "step-up-needed", "this needs stronger or more recent authentication; sign in as the www-authenticate header asks";
    /// The caller is in quarantine.
    Quarantined = "CS0305", 403, "quarantined", "your access is set aside until somebody has looked at it; ask your administrator and give them the number of this request";
    /// More requests than the caller's rate allows.
    RateLimited = "CS0401", 429, "rate-limited", "too many requests; slow down";
    /// More work than the gateway can hold.
    Overloaded = "CS0402", 503, "overloaded", "the gateway is at capacity; try again shortly";
    /// A budget of the caller's is spent until its window ends.
    BudgetSpent = "CS0403", 429, "budget-spent", "the budget for this is spent; it is full again when its window ends";
    /// What nodes share cannot be reached, so this one may not know what was spent or revoked.
    OutOfTouch = "CS0404", 503, "out-of-touch", "the gateway is out of touch with its cluster; try again shortly";
    /// The prompt's content is refused.
    PromptRefused = "CS0501", 400, "prompt-refused", "the request was refused by the content policy";
    /// The answer's content is refused, wholly or from here on.
    AnswerRefused = "CS0502", 403, "answer-refused", "the answer was withheld by the content policy";
    /// A guard failed, which refuses.
    GuardFailed = "CS0503", 503, "guard-failed", "the content could not be checked";
    /// Policy does not let a tool be called from a tainted context.
    ToolRefused = "CS0504", 403, "tool-refused", "a tool call was withheld: the context holds text that nobody vouches for, and policy wants a grant for such calls";
    /// No durable audit record could be made, so nothing was sent.
    AuditFailed = "CS0601", 503, "audit-failed", "the request could not be recorded";
    /// A proof does not show what it should.
    ProofFailed = "CS0602", 0, "proof-failed", "the proof does not hold";
    /// No provider serves the model.
    NoSuchModel = "CS0701", 404, "no-such-model", "no such model";
    /// The provider could not be reached or broke off.
    ProviderUnreachable = "CS0702", 502, "provider-unreachable", "the model provider could not be reached";
    /// The provider did not answer in time.
    ProviderTimeout = "CS0703", 504, "provider-timeout", "the model provider did not answer in time";
    /// The provider's answer is not what its format promises.
    ProviderMalformed = "CS0704", 502, "provider-malformed", "the model provider's answer was malformed";
    /// The provider refused the request as the caller wrote it.
    ProviderRefused = "CS0705", 400, "provider-refused", "the model provider refused the request";
    /// The provider is limiting us.
    ProviderLimited = "CS0706", 429, "provider-limited", "the model provider is limiting requests; try again later";
    /// Every target of the model has failed lately and is being left alone.
    ProviderDown = "CS0707", 503, "provider-down", "the model provider is not available";
    /// The gateway keeps nothing of that id.
    NoSuchThing = "CS0801", 404, "no-such-thing", "the gateway keeps nothing of that name";
    /// The request contradicts another one, or what is there.
    Conflict = "CS0802", 409, "conflict", "the request conflicts with another one or with what is there";
    /// An idempotency key came with another request than the first time.
    KeyReused = "CS0803", 422, "idempotency-key-reused", "the idempotency key was used for another request";
    /// The store could not be read or written.
    StoreFailed = "CS0804", 503, "store-failed", "the store could not be used; try again";
    /// A security event is not one that can be believed or acted on.
    SignalRefused = "CS0805", 400, "signal-refused", "the security event is not accepted";
    /// A web page asked, on behalf of whoever looks at it.
    FromAPage = "CS0806", 403, "from-a-page", "requests that a web page makes are not served here";
    /// The rules by which access is granted do not allow it.
    AccessRule = "CS0807", 403, "access-rule", "the rules for granting access do not allow this";
    /// What is to be forgotten is under a legal hold.
    OnHold = "CS0808", 409, "on-hold", "a legal hold covers what is to be forgotten";
    /// A defect in the gateway.
    Internal = "CS0901", 500, "internal", "the gateway failed; nothing was let through";
    /// The gateway is shutting down.
    ShuttingDown = "CS0902", 503, "shutting-down", "the gateway is shutting down; try again";
    /// The root keys cannot be unwrapped.
    KekUnusable = "CS0903", 0, "kek-unusable", "the key-encryption key cannot be used";
    /// The caller may read and nothing else.
    ReadOnly = "CS1101", 403, "read-only", "your access is limited to requests without tools and attachments for now; ask your administrator and give them the number of this request";
    /// A playbook cannot be used as it is written.
    PlaybookInvalid = "CS1102", 0, "playbook-invalid", "the playbook is not valid";
    /// The configuration does not hold.
    ConfigInvalid = "CS1001", 0, "config-invalid", "the configuration is not valid";
    /// The policy does not parse or validate.
    PolicyInvalid = "CS1002", 0, "policy-invalid", "the policy is not valid";
    /// A route lets a canary through that it should stop.
    SelfTestFailed = "CS1003", 0, "self-test-failed", "the self-test found content that is not enforced";
    /// The audit log does not verify.
    AuditDamaged = "CS1004", 0, "audit-damaged", "the audit log does not verify";
    /// State or key material cannot be opened.
    StateUnusable = "CS1005", 0, "state-unusable", "the state directory cannot be used";
    /// A port or socket cannot be bound.
    CannotBind = "CS1006", 0, "cannot-bind", "the listener cannot be bound";
    /// What is to be scanned cannot be read.
    InputUnusable = "CS1007", 0, "input-unusable", "what is to be scanned cannot be read";
    /// Too few texts to choose a threshold by.
    TooFewTexts = "CS1008", 0, "too-few-texts", "there are too few texts to choose a threshold by";
}

impl Code {
    /// Whether the same request may succeed later without being changed.
    #[must_use]
    pub const fn retryable(self) -> bool {
        // A spent budget is not full again within any time that a client library waits.
        matches!(self.status(), 408 | 429 | 502 | 503 | 504) && !matches!(self, Self::BudgetSpent)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ids_and_slugs_are_unique() {
        let ids: BTreeSet<_> = Code::ALL.iter().map(|c| c.id()).collect();
        let slugs: BTreeSet<_> = Code::ALL.iter().map(|c| c.slug()).collect();
        assert_eq!((ids.len(), slugs.len()), (Code::ALL.len(), Code::ALL.len()));
    }
}
