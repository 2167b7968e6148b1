use std::time::Duration;

use countersign_core::{Code, StepUp, Timestamp, life::Stamps};

use super::*;

fn speaker() -> Speaker {
    Speaker::new(Stamps::issue().speak)
}

fn id() -> RequestId {
    RequestId::new(Timestamp(1_800_000_000_000_000), [7; 10])
}

#[test]
fn every_code_is_said_with_its_status_and_whether_to_try_again() {
    for code in Code::ALL.iter().copied().filter(|c| c.status() != 0) {
        for route in [None, Some(Route::Api(Format::Chat)), Some(Route::Api(Format::Messages)), Some(Route::Metrics)] {
            let said = speaker().refuse(route, &Refusal::new(code, "an internal reason"), id(), STRANGER, None, None);
            let headers = said.headers();
            let retry = headers.get(SHOULD_RETRY).map(|v| v.as_bytes());
            assert_eq!(retry, (!code.retryable()).then_some(&b"false"[..]), "{code:?}");
            assert_eq!(headers.contains_key(header::WWW_AUTHENTICATE), said.status() == 401, "{code:?}");
            assert!(!headers.contains_key(header::CONNECTION) && !headers.contains_key(header::RETRY_AFTER));
            let anthropic = route.is_some_and(|r| r.format().is_anthropic());
            let name = if anthropic { ANTHROPIC_ID } else { OPENAI_ID };
            assert_eq!(headers[name], id().to_string().as_str());
        }
    }
}

#[tokio::test]
async fn a_refusal_names_its_code_and_never_its_reason() {
    use http_body_util::BodyExt;

    for format in Format::ALL {
        let refusal = Refusal::new(Code::PromptRefused, "rule injection/override in leaf 3");
        let whole = speaker().refuse(Some(Route::Api(format)), &refusal, id(), STRANGER, None, None);
        let whole = whole.into_body().collect().await.ok().unwrap().to_bytes();
        let event = speaker().refuse_stream(format, &refusal, id()).into_bytes();
        for said in [whole, event] {
            let said = String::from_utf8_lossy(&said).into_owned();
            assert!(said.contains("CS0501") && said.contains(&id().to_string()), "{said}");
            assert!(!said.contains("injection"), "{said}");
        }
    }
}

#[test]
fn who_needs_another_token_is_told_so_and_nobody_else() {
    let resource = Resource::new("https://ai.example", &["https://id.example"]).unwrap();
    let read_on = "resource_metadata=\"https://ai.example/.well-known/oauth-protected-resource\"";
    for (code, known, error) in [
        (Code::NoCredential, false, Some("")),
        (Code::BadCredential, false, Some("error=\"invalid_token\", ")),
        (Code::ExpiredCredential, false, Some("error=\"invalid_token\", ")),
        (Code::RevokedCredential, true, Some("error=\"invalid_token\", ")),
        (Code::NotPermitted, true, Some("error=\"insufficient_scope\", ")),
        (Code::NotPermitted, false, None),
        (Code::UnconfirmedCredential, false, None),
        (Code::PromptRefused, true, None),
        (Code::AnswerRefused, true, None),
    ] {
        let said =
            speaker().refuse(None, &Refusal::new(code, ""), id(), Shown { known, ..STRANGER }, Some(&resource), None);
        let said: Vec<_> = said.headers().get_all(header::WWW_AUTHENTICATE).iter().collect();
        // Whoever shows nothing learns both ways.
        assert_eq!(said.len(), if code == Code::NoCredential { 2 } else { usize::from(error.is_some()) }, "{code:?}");
        let said = said.first().map(|v| v.to_str().unwrap().to_owned());
        let wanted = error.map(|error| format!("Bearer realm=\"countersign\", {error}{read_on}"));
        assert_eq!(said, wanted, "{code:?} {known}");
    }
}

#[test]
fn whoever_proves_a_key_is_told_in_those_words() {
    let shown = Shown { known: false, scheme: Scheme::Dpop };
    for (code, known, error) in [
        (Code::BadProof, false, "invalid_dpop_proof"),
        (Code::NonceNeeded, false, "use_dpop_nonce"),
        (Code::ExpiredCredential, false, "invalid_token"),
        (Code::NotPermitted, true, "insufficient_scope"),
    ] {
        let said = speaker().refuse(None, &Refusal::new(code, ""), id(), Shown { known, ..shown }, None, None);
        let said = said.headers()[header::WWW_AUTHENTICATE].to_str().unwrap();
        let algorithms = "algs=\"ES256 ES384 EdDSA PS256 RS256\"";
        assert_eq!(said, format!("DPoP realm=\"countersign\", {algorithms}, error=\"{error}\""));
    }
    // A bound token that came as a bearer token learns how it has to come.
    let said = speaker().refuse(None, &Refusal::new(Code::BadProof, ""), id(), STRANGER, None, None);
    assert!(said.headers()[header::WWW_AUTHENTICATE].to_str().unwrap().starts_with("DPoP "));
}

#[test]
fn who_has_to_sign_in_better_is_told_how() {
    let step_up = Some("acr=mfa, max_age=300".parse::<StepUp>().unwrap().into());
    let refusal = Refusal { step_up, ..Refusal::new(Code::StepUpNeeded, "forbidden by fresh") };
    for (scheme, begins) in [(Scheme::Bearer, "Bearer "), (Scheme::Dpop, "DPoP ")] {
        let said = speaker().refuse(None, &refusal, id(), Shown { known: true, scheme }, None, None);
        let challenge = said.headers()[header::WWW_AUTHENTICATE].to_str().unwrap();
        assert!(challenge.starts_with(begins), "{challenge}");
        let ends = "error=\"insufficient_user_authentication\", acr_values=\"mfa\", max_age=\"300\"";
        assert!(challenge.ends_with(ends) && !challenge.contains("fresh"), "{challenge}");
        assert_eq!((said.status().as_u16(), said.headers()[SHOULD_RETRY].as_bytes()), (401, &b"false"[..]));
    }
}

#[test]
fn a_wait_is_at_least_a_second_and_a_cut_closes() {
    let mut refusal = Refusal::new(Code::RateLimited, "");
    for (wait, said) in [(0, "1"), (300, "1"), (61_000, "61")] {
        refusal.retry_after = Some(Duration::from_millis(wait));
        assert_eq!(speaker().refuse(None, &refusal, id(), STRANGER, None, None).headers()[header::RETRY_AFTER], said);
    }
    refusal.cut = true;
    assert_eq!(speaker().refuse(None, &refusal, id(), STRANGER, None, None).headers()[header::CONNECTION], "close");
}

const STRANGER: Shown = Shown { known: false, scheme: Scheme::Bearer };
