use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use countersign_core::{
    Claims, Confirmation, Groups, Kind, Lease, RequestId, Target,
    life::{Fingerprint, Intended, Screened, Stamps},
    principal::{Method, PrincipalKind},
};
use proptest::prelude::*;

use super::*;
use crate::{
    mentions::Mentions,
    policy::tests::{call, principal},
    standing::{Risk, Standing},
};

/// Everything a test needs to walk a request through its life.
struct Walk {
    stage: Stage,
    stamps: Stamps,
}

fn settings(policy: &str) -> Settings {
    Settings {
        policy: Policy::parse(&[("test.cedar", policy)]).unwrap().into(),
        rules: Rules::standard(),
        rates: Rates::default(),
    }
}

impl Walk {
    fn new(policy: &str) -> Self {
        let stamps = Stamps::issue();
        let Stamps { permit, reserve, .. } = Stamps::issue();
        Self { stage: Stage::new(permit, reserve, settings(policy)), stamps }
    }

    fn permit(&self, who: &Arc<Principal>, peer: Peer, call: Call, now: Timestamp) -> Result<Permitted, Refusal> {
        let id = RequestId::new(now, [0; 10]);
        self.stage.permit(Identified::new(&self.stamps.identify, id, now, peer, Arc::clone(who)), call)
    }

    fn dispatch(&self, permitted: Permitted, findings: Vec<Finding>, target: &str) -> Result<Dispatched, Refusal> {
        let share = self.stage.share(&permitted)?;
        let reserved = at_once(self.stage.reserve(permitted, share, WEIGHT))?;
        let screened = Screened::new(&self.stamps.screen, reserved, Bytes::new(), findings, Fingerprint::default());
        Ok(Dispatched::new(&self.stamps.dispatch, Intended::new(&self.stamps.intend, screened, 0), target.into()))
    }

    fn whole(&self, who: &Arc<Principal>, findings: Vec<Finding>, target: &str) -> Result<Readmitted, Refusal> {
        let permitted = self.permit(who, Peer::default(), call("m"), Timestamp(0))?;
        self.stage.readmit(self.dispatch(permitted, findings, target)?, Timestamp(0))
    }
}

/// What is kept in this process is never waited for.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    match std::pin::pin!(future).poll(&mut std::task::Context::from_waker(std::task::Waker::noop())) {
        std::task::Poll::Ready(value) => value,
        std::task::Poll::Pending => panic!("it waits"),
    }
}

const WEIGHT: Weight = Weight { bytes: 100, answers: 1 };

fn staff() -> Arc<Principal> {
    principal("bank", "alice", &["staff"])
}

fn code<T>(result: Result<T, Refusal>) -> Code {
    result.err().unwrap().code
}

fn found(kind: Kind) -> Finding {
    Finding { kind, confidence: 1.0, ..Finding::ATTACHMENT }
}

const STAFF: &str = r#"@id("staff") permit(principal in Countersign::Role::"staff", action, resource);"#;

#[test]
fn asked_twice_with_names_for_the_record() {
    let walk = Walk::new(STAFF);
    let readmitted = walk.whole(&staff(), Vec::new(), "t").unwrap();
    assert_eq!((&*readmitted.permit().reason, &*readmitted.second_permit().reason), ("staff", "staff"));
    let refused = walk.permit(&principal("bank", "bob", &[]), Peer::default(), call("m"), Timestamp(0)).unwrap_err();
    assert_eq!((refused.code, &*refused.reason), (Code::NotPermitted, "no policy permits it"));
}

#[test]
fn the_second_question_knows_what_was_found_and_who_answers() {
    let walk = Walk::new(&format!(
        "{STAFF}
        @id(\"no-secrets-out\") forbid(principal, action == Countersign::Action::\"receive\", resource)
          when {{ context.findings.contains(\"secret\") && context.target like \"far-*\" }};
        @id(\"no-mask\") forbid(principal, action == Countersign::Action::\"receive\", resource)
          when {{ context.masked && context.target == \"strict\" }};"
    ));
    let who = staff();
    walk.whole(&who, vec![found(Kind::Secret)], "near").unwrap();
    walk.whole(&who, vec![found(Kind::Hidden)], "far-1").unwrap();
    let refused = walk.whole(&who, vec![found(Kind::Hidden), found(Kind::Secret)], "far-1").err().unwrap();
    assert_eq!((refused.code, &*refused.reason), (Code::AnswerNotPermitted, "forbidden by no-secrets-out"));
    // A secret is masked by the standard table, personal data in a prompt is not.
    assert_eq!(code(walk.whole(&who, vec![found(Kind::Secret)], "strict")), Code::AnswerNotPermitted);
    walk.whole(&who, vec![found(Kind::PersonalData)], "strict").unwrap();
}

#[test]
fn an_ended_credential_gets_no_answer() {
    let walk = Walk::new(STAFF);
    let permit = |who: &Arc<Principal>| {
        let permitted = walk.permit(who, Peer::default(), call("m"), Timestamp(0)).unwrap();
        walk.dispatch(permitted, Vec::new(), "t").unwrap()
    };
    let revoked = staff();
    let dispatched = permit(&revoked);
    revoked.lease.end();
    assert_eq!(code(walk.stage.readmit(dispatched, Timestamp(1))), Code::RevokedCredential);

    let ending = Arc::new(Principal { lease: Arc::new(Lease::new(Some(Timestamp(10)))), ..(*staff()).clone() });
    walk.stage.readmit(permit(&ending), Timestamp(9)).map(drop).unwrap();
    assert_eq!(code(walk.stage.readmit(permit(&ending), Timestamp(10))), Code::ExpiredCredential);
}

/// A token of a person who signed in `age` seconds before the moment that tests ask at, by `acr`.
fn token(acr: &str, age: u64) -> Arc<Principal> {
    let at = Timestamp((1_000 - age) * 1_000_000);
    let claims = Claims { acr: Some(acr.into()), auth_time: Some(at), issued: at, ..claims(0) };
    Arc::new(Principal { method: Method::AccessToken, claims: Some(Arc::new(claims)), ..(*staff()).clone() })
}

#[test]
fn who_could_sign_in_better_is_told_how_and_nobody_else() {
    const FRESH: &str = r#"@id("fresh") @step_up("max_age=300") forbid(principal, action, resource)
        unless { context has token && context.token has login_age && context.token.login_age <= 300 };"#;
    const STRONG: &str = r#"@id("strong") @step_up("acr=mfa hwk, max_age=600") forbid(principal, action, resource)
        unless { context has token && context.token has acr && context.token.acr == "mfa" };"#;
    const NEVER: &str = r#"@id("never") forbid(principal, action, resource == Countersign::Model::"secret");"#;
    const FAILS: &str = r#"@id("fails") forbid(principal, action, resource == Countersign::Model::"odd")
        when { context.attachments + 9223372036854775807 + 1 > 0 };"#;
    let now = Timestamp(1_000 * 1_000_000);
    let walk = Walk::new(&[STAFF, FRESH, STRONG, NEVER, FAILS].concat());
    let ask = |who: &Arc<Principal>, model: &str| {
        let refused = walk.permit(who, Peer::default(), call(model), now).err();
        refused.map(|r| (r.code, r.step_up.map(|step_up| step_up.to_string()).unwrap_or_default()))
    };
    let said = |code, step_up: &str| Some((code, String::from(step_up)));
    assert_eq!(ask(&token("mfa", 300), "m"), None);
    assert_eq!(ask(&token("mfa", 301), "m"), said(Code::StepUpNeeded, "max_age=300"));
    assert_eq!(ask(&token("pwd", 10), "m"), said(Code::StepUpNeeded, "acr=mfa hwk, max_age=600"));
    assert_eq!(ask(&token("pwd", 900), "m"), said(Code::StepUpNeeded, "acr=mfa hwk, max_age=300"));
    // Where signing in again would not help, nobody is sent to do it: another policy forbids, none permits, one cannot be evaluated.
    assert_eq!(ask(&token("pwd", 900), "secret"), said(Code::NotPermitted, ""));
    assert_eq!(ask(&token("pwd", 900), "odd"), said(Code::NotPermitted, ""));
    let stranger = Arc::new(Principal { roles: Arc::new([]), ..(*token("pwd", 900)).clone() });
    assert_eq!(ask(&stranger, "m"), said(Code::NotPermitted, ""));
    // Nor who has shown a key, which stays what it is.
    assert_eq!(ask(&staff(), "m"), said(Code::NotPermitted, ""));
    // The record names the policies either way.
    let refused = walk.permit(&token("pwd", 900), Peer::default(), call("m"), now).unwrap_err();
    assert_eq!(refused.reason, "forbidden by fresh, strong");
}

#[test]
fn a_sign_in_that_grows_old_before_the_answer_is_asked_for_again() {
    let walk = Walk::new(&format!(
        r#"{STAFF} @step_up("max_age=300") forbid(principal, action, resource)
            when {{ context has token && context.token has login_age && context.token.login_age > 300 }};"#
    ));
    let at = |seconds: u64| Timestamp(seconds * 1_000_000);
    let permit = || walk.permit(&token("pwd", 290), Peer::default(), call("m"), at(1_000)).unwrap();
    walk.stage.readmit(walk.dispatch(permit(), Vec::new(), "t").unwrap(), at(1_010)).map(drop).unwrap();
    let refused = walk.stage.readmit(walk.dispatch(permit(), Vec::new(), "t").unwrap(), at(1_011)).err().unwrap();
    assert_eq!((refused.code, refused.step_up.is_some()), (Code::StepUpNeeded, true));
}

#[test]
fn the_risk_of_a_caller_counts_from_the_next_question_on_and_is_never_remembered_away() {
    let walk = Walk::new(&format!("{STAFF} forbid(principal, action, resource) when {{ context.risk >= 50 }};"));
    let (who, other) = (staff(), principal("shop", "alice", &["staff"]));
    let may = |who: &Arc<Principal>| walk.permit(who, Peer::default(), call("m"), Timestamp(0)).is_ok();
    let risk = |score| walk.stage.standings().set_risk(Target::Principal("bank".into(), "alice".into()), score);
    assert!(may(&who));
    let dispatched = walk.permit(&who, Peer::default(), call("m"), Timestamp(0)).unwrap();
    let dispatched = walk.dispatch(dispatched, Vec::new(), "t").unwrap();
    risk(50);
    assert!(!may(&who) && may(&other));
    // The answer that was on its way is asked about again.
    assert_eq!(code(walk.stage.readmit(dispatched, Timestamp(0))), Code::AnswerNotPermitted);
    risk(49);
    assert!(may(&who));
    // That of a session is that of whoever is in it, and the higher of the two counts.
    let session = Arc::new(Principal { method: Method::Session, credential: "session-1".into(), ..(*who).clone() });
    assert!(may(&session));
    walk.stage.standings().set_risk(Target::Credential("session-1".into()), 200);
    assert!(!may(&session) && may(&who));
    assert_eq!(walk.stage.standings().risk(&session), 100);
    risk(0);
    assert_eq!(walk.stage.standings().risk(&who), 0);
}

#[test]
fn what_others_say_of_a_principal_counts_from_the_next_question_on() {
    let walk = Walk::new(&format!(
        "{STAFF} forbid(principal, action, resource) when {{ context.standing has risk && context.standing.risk == \"high\" }};
        forbid(principal, action, resource == Countersign::Model::\"dear\")
          unless {{ context.standing has compliant && context.standing.compliant }};
        forbid(principal, action, resource == Countersign::Model::\"dearer\")
          unless {{ context.standing has assurance && context.standing.assurance == \"aal3\" }};"
    ));
    let (who, other) = (staff(), principal("shop", "alice", &["staff"]));
    let may = |who: &Arc<Principal>, model| walk.permit(who, Peer::default(), call(model), Timestamp(0)).is_ok();
    let hear = |change: fn(&mut Standing)| walk.stage.standings().change("bank", "alice", change);
    assert!(may(&who, "m") && !may(&who, "dear") && !may(&who, "dearer"));
    hear(|standing| standing.compliant = Some(true));
    hear(|standing| standing.assurance = Some("aal3".into()));
    assert!(may(&who, "m") && may(&who, "dear") && may(&who, "dearer"));
    // Of one tenant's alice nothing is learnt about another's.
    assert!(may(&other, "m") && !may(&other, "dear"));
    let dispatched = || {
        let permitted = walk.permit(&who, Peer::default(), call("m"), Timestamp(0)).unwrap();
        walk.dispatch(permitted, Vec::new(), "t").unwrap()
    };
    let (one, two) = (dispatched(), dispatched());
    hear(|standing| standing.risk = Some(Risk::High));
    assert!(!may(&who, "m") && may(&other, "m"));
    assert_eq!(code(walk.stage.readmit(one, Timestamp(0))), Code::AnswerNotPermitted);
    // A reload forgets nothing of it.
    walk.stage.replace(settings(STAFF));
    assert!(walk.stage.standings().of(&who).risk == Some(Risk::High) && may(&who, "m"));
    hear(|standing| standing.risk = Some(Risk::Low));
    walk.stage.readmit(two, Timestamp(0)).map(drop).unwrap();
    hear(|standing| *standing = Standing::default());
    assert_eq!(walk.stage.standings().of(&who), Standing::default());
}

#[test]
fn possession_can_be_demanded() {
    let walk = Walk::new(&format!(
        "{STAFF} forbid(principal, action, resource == Countersign::Model::\"dear\") unless {{ context.possession == \"dpop\" }};"
    ));
    let bound = |confirmation| {
        let claims = Arc::new(Claims { confirmation, ..claims(0) });
        Arc::new(Principal { method: Method::AccessToken, claims: Some(claims), ..(*staff()).clone() })
    };
    let may = |who: &Arc<Principal>, model| walk.permit(who, Peer::default(), call(model), Timestamp(0)).is_ok();
    // One after the other, so that a decision remembered for one is not another's.
    for _ in 0..2 {
        assert!(!may(&bound(None), "dear") && may(&bound(None), "m") && !may(&staff(), "dear"));
        assert!(!may(&bound(Some(Confirmation::Certificate([1; 32]))), "dear"));
        assert!(may(&bound(Some(Confirmation::Key([1; 32]))), "dear"));
    }
}

#[test]
fn a_reload_is_seen_by_the_next_question_and_by_answers_in_flight() {
    let walk = Walk::new(STAFF);
    let who = staff();
    let permitted = walk.permit(&who, Peer::default(), call("m"), Timestamp(0)).unwrap();
    let dispatched = walk.dispatch(permitted, Vec::new(), "t").unwrap();
    walk.stage.replace(settings(r#"permit(principal, action, resource == Countersign::Model::"other");"#));
    assert_eq!(code(walk.stage.readmit(dispatched, Timestamp(0))), Code::AnswerNotPermitted);
    assert_eq!(code(walk.permit(&who, Peer::default(), call("m"), Timestamp(0))), Code::NotPermitted);
    walk.permit(&who, Peer::default(), call("other"), Timestamp(0)).unwrap();
}

#[test]
fn a_policy_that_cannot_be_evaluated_refuses_even_beside_one_that_permits() {
    let walk = Walk::new(&format!(
        "{STAFF} @id(\"sum\") forbid(principal, action, resource) when {{ context has max_tokens && context.max_tokens * 3 > 9 }};"
    ));
    let huge = Call { max_tokens: Some(u64::MAX), ..call("m") };
    let refused = walk.permit(&staff(), Peer::default(), huge, Timestamp(0)).unwrap_err();
    assert_eq!((refused.code, &*refused.reason), (Code::PolicyFailed, "policies that could not be evaluated: sum"));
    walk.permit(&staff(), Peer::default(), call("m"), Timestamp(0)).unwrap();
}

#[test]
fn scopes_narrow_and_unknown_ones_shut() {
    let walk = Walk::new(STAFF);
    let may = |scopes: &[&str], model: &str, format| {
        let scopes = scopes.iter().map(|s| Arc::from(*s)).collect();
        let who = Arc::new(Principal { scopes, ..(*staff()).clone() });
        let call = Call { format, ..call(model) };
        walk.permit(&who, Peer::default(), call, Timestamp(0)).is_ok()
    };
    assert!(may(&[], "m", Format::Chat));
    assert!(may(&["model:m", "model:n"], "n", Format::Chat) && !may(&["model:m", "model:n"], "o", Format::Chat));
    assert!(may(&["format:chat"], "m", Format::Chat) && !may(&["format:chat"], "m", Format::Messages));
    assert!(may(&["model:a:b", "format:chat"], "a:b", Format::Chat));
    assert!(!may(&["model:m", "format:messages"], "m", Format::Chat));
    for shut in ["", "*", "model", "Model:m", "models:m", "model:", "model:M", "model: m", "model:*"] {
        assert!(!may(&[shut], "m", Format::Chat), "{shut:?}");
    }
    // A scope gives nothing that the policy does not.
    let other = Arc::new(Principal { scopes: Arc::new(["model:m".into()]), ..(*principal("b", "x", &[])).clone() });
    assert_eq!(code(walk.permit(&other, Peer::default(), call("m"), Timestamp(0))), Code::NotPermitted);
}

#[test]
fn attachments_pass_only_where_a_rule_lets_them() {
    let walk = Walk::new(STAFF);
    let picture = || Call { attachments: 1, ..call("m") };
    let refused = walk.permit(&staff(), Peer::default(), picture(), Timestamp(0)).unwrap_err();
    assert_eq!((refused.code, &*refused.reason), (Code::NotPermitted, "no rule lets attachments pass"));
    let mut settings = settings(STAFF);
    let line = crate::ActionRule {
        side: None,
        kind: Some(Kind::Attachment),
        rule: None,
        channel: None,
        roles: vec!["staff".into()],
        at_least: 0.0,
        at_least_words: 0,
        action: Action::Allow,
    };
    settings.rules.actions.insert(0, line);
    walk.stage.replace(settings);
    walk.permit(&staff(), Peer::default(), picture(), Timestamp(0)).unwrap();
}

#[test]
fn refusals_hold_nothing_the_caller_wrote() {
    let canary = "canary-5309-\"::\\";
    let walk = Walk::new(
        "permit(principal, action, resource) when { resource.name == \"none\" };
         forbid(principal, action, resource) when { context.tools.contains(\"x\") };",
    );
    let model = format!("model:{canary}");
    for scopes in [&[][..], &[model.as_str()], &[canary]] {
        let scopes = scopes.iter().map(|scope| Arc::from(*scope)).collect();
        let who = Arc::new(Principal { scopes, ..(*principal(canary, canary, &[canary])).clone() });
        for tool in ["x", canary] {
            let call = Call { tools: vec![tool.into(), canary.into()], ..call(canary) };
            let refusal =
                walk.permit(&who, Peer { ip: None, listener: canary.into() }, call, Timestamp(0)).unwrap_err();
            assert!(!format!("{refusal} {refusal:?}").contains("canary"), "{refusal}");
        }
    }
}

#[test]
fn listing_models_asks_the_same_policy() {
    let walk = Walk::new(
        r#"permit(principal in Countersign::Role::"staff", action, resource == Countersign::Model::"m") when { context.format == "messages" };"#,
    );
    let may = |who: &Arc<Principal>, model: &str, format| {
        walk.stage.may_use(who, &Peer::default(), Timestamp(0), model, format)
    };
    assert!(may(&staff(), "m", Format::Messages) && may(&staff(), "m", Format::Models));
    assert!(!may(&staff(), "m", Format::Chat) && !may(&staff(), "n", Format::Models));
    assert!(!may(&principal("b", "x", &[]), "m", Format::Models));
}

#[test]
fn a_hold_lasts_as_long_as_the_request() {
    let walk = Walk::new(STAFF);
    let mut one = settings(STAFF);
    one.rates.default.concurrent = Some(1);
    walk.stage.replace(one);
    let permit = || walk.permit(&staff(), Peer::default(), call("m"), Timestamp(0)).unwrap();
    let dispatched = walk.dispatch(permit(), Vec::new(), "t").unwrap();
    assert_eq!(code(walk.stage.share(&permit())), Code::RateLimited);
    let readmitted = walk.stage.readmit(dispatched, Timestamp(0)).unwrap();
    assert_eq!(walk.stage.in_flight(), 1);
    drop(readmitted);
    assert_eq!(walk.stage.in_flight(), 0);
    walk.stage.share(&permit()).map(drop).unwrap();
    assert_eq!(walk.stage.in_flight(), 0);
}

#[test]
fn a_share_is_of_one_request() {
    let walk = Walk::new(STAFF);
    let at = |n| walk.permit(&staff(), Peer::default(), call("m"), Timestamp(n)).unwrap();
    let (one, other) = (at(1_000), at(2_000));
    let share = walk.stage.share(&one).unwrap();
    assert_eq!(code(at_once(walk.stage.reserve(other, share, WEIGHT))), Code::Internal);
    let share = walk.stage.share(&one).unwrap();
    at_once(walk.stage.reserve(one, share, WEIGHT)).map(drop).unwrap();
}

#[test]
fn observing_has_to_be_permitted_by_name() {
    const WATCH: &str =
        "permit(principal in Countersign::Role::\"watch\", action == Countersign::Action::\"observe\", resource);";
    let may = |policy: &str, who: &Arc<Principal>| {
        let walk = Walk::new(policy);
        let id = RequestId::new(Timestamp(0), [0; 10]);
        let who = Identified::new(&walk.stamps.identify, id, Timestamp(0), Peer::default(), Arc::clone(who));
        walk.stage.administer(&who, Administer::Observe).map_err(|r| r.code)
    };
    let no = Err(Code::NotPermitted);
    let (watch, staff) = (principal("bank", "olga", &["watch"]), staff());
    assert_eq!((may(WATCH, &watch), may(WATCH, &staff)), (Ok(()), no));
    // What was written before there was such a thing as observing speaks of models alone.
    assert_eq!(may("permit(principal, action, resource);", &watch), no);
    let before = "permit(principal, action, resource) when { context.format == \"metrics\" || context.stream ||
        resource.name == \"gateway\" || resource == Countersign::Model::\"m\" || context.attachments == 0 };";
    assert_eq!(may(before, &watch), no);
    assert_eq!(may(&format!("{before} {WATCH}"), &staff), no);
    // A forbid that names nothing speaks of everything.
    let shut = |when: &str| format!("{WATCH} forbid(principal, action, resource) when {{ {when} }};");
    assert_eq!(may(&shut("principal.subject == \"olga\""), &watch), no);
    assert_eq!(may(&shut("context.stream"), &watch), Ok(()));
    // One that cannot be evaluated refuses.
    let most = i64::MAX;
    let broken = shut(&format!("context.attachments + {most} + 1 > 0"));
    assert_eq!(may(&broken, &watch), Err(Code::PolicyFailed));
    // A restricted key observes only where a scope says so.
    let scoped = |scope: &str| {
        let scopes = [Arc::from(scope)].into();
        may(WATCH, &Arc::new(Principal { scopes, ..(*watch).clone() }))
    };
    assert_eq!((scoped("model:m"), scoped("format:chat"), scoped("format:metrics")), (no, no, Ok(())));
    assert_eq!((scoped("model:gateway"), scoped("format:admin")), (no, no));
    // It opens no model, and a decision about a model is not taken for one about observing.
    let walk = Walk::new(&format!("{WATCH} {STAFF}"));
    assert_eq!(code(walk.permit(&watch, Peer::default(), call("gateway"), Timestamp(0))), Code::NotPermitted);
    walk.permit(&staff, Peer::default(), call("gateway"), Timestamp(0)).unwrap();
}

#[test]
fn each_action_on_the_gateway_is_permitted_by_its_own_name_alone() {
    let who = staff();
    let identified = |walk: &Walk| {
        let id = RequestId::new(Timestamp(0), [0; 10]);
        Identified::new(&walk.stamps.identify, id, Timestamp(0), Peer::default(), Arc::clone(&who))
    };
    for permitted in Administer::ALL {
        let named = format!("action in [Countersign::Action::\"{}\"]", permitted.as_str());
        let walk = Walk::new(&format!("{STAFF} permit(principal, {named}, resource);"));
        let may = |what: &Administer| walk.stage.administer(&identified(&walk), *what);
        let open: Vec<_> = Administer::ALL.iter().filter(|what| may(what).is_ok()).collect();
        assert_eq!(open, [permitted]);
        // A model of the gateway's name is still a model.
        assert!(walk.permit(&principal("b", "x", &[]), Peer::default(), call("gateway"), Timestamp(0)).is_err());
    }
}

#[test]
fn the_cache_is_bounded_and_keeps_nothing_large() {
    let cache: Cache<u32> = Cache::new();
    let (who, peer, made) = (staff(), Peer::default(), AtomicUsize::new(0));
    let ask = |call: &Call| {
        let facts = Facts::ask(&who, &peer, call, Timestamp(0));
        cache.get_or(&facts, || made.fetch_add(1, Ordering::Relaxed) as u32)
    };
    let huge = call(&"m".repeat(100_000));
    let many = Call { tools: vec!["t".into(); 1_000], ..call("m") };
    for call in [&huge, &huge, &many, &many] {
        ask(call);
    }
    assert_eq!(made.load(Ordering::Relaxed), 4);
    for i in 0..10_000 {
        ask(&call(&i.to_string()));
    }
    let before = made.load(Ordering::Relaxed);
    for i in 0..10_000 {
        ask(&call(&i.to_string()));
    }
    // At most 512 x 4 are remembered.
    assert!(made.load(Ordering::Relaxed) - before >= 10_000 - 2_048);
    let last = ask(&call("again"));
    assert_eq!(ask(&call("again")), last);
}

/// Policies that read every attribute, alone and together.
const READERS: [&str; 19] = [
    r#"@id("sum") forbid(principal, action, resource) when { context has max_tokens && context.max_tokens * 2 == 3 };"#,
    r#"permit(principal in Countersign::Role::"a", action, resource);"#,
    r#"permit(principal is Countersign::Service, action, resource == Countersign::Model::"m");"#,
    r#"permit(principal, action == Countersign::Action::"receive", resource);"#,
    r#"permit(principal, action, resource) when { context.format == "chat" && !context.stream };"#,
    r#"forbid(principal, action, resource) when { context.stream && context.listener == "l" };"#,
    r#"forbid(principal, action, resource) when { context has max_tokens && context.max_tokens > 100 };"#,
    r#"forbid(principal, action, resource) when { context.tools.contains("x") };"#,
    r#"forbid(principal, action, resource) when { context.attachments > 1 };"#,
    r#"permit(principal, action, resource) when { context.method == "api-key" };"#,
    r#"forbid(principal, action, resource) when { context has ip && context.ip.isInRange(ip("10.0.0.0/8")) };"#,
    r#"permit(principal, action, resource) when { context.time.hour >= 12 && context.time.weekday != "sunday" };"#,
    r#"forbid(principal, action, resource) when { context.time.minute < 30 || context.time.epoch > 500000 };"#,
    r#"forbid(principal, action == Countersign::Action::"receive", resource) when { context.findings.contains("secret") || context.masked };"#,
    r#"forbid(principal in Countersign::Tenant::"t", action == Countersign::Action::"receive", resource) when { context.target == "far" || context.scopes.contains("model:m") };"#,
    r#"forbid(principal, action, resource) when { context has token && context.token.age > 500000 };"#,
    r#"permit(principal, action, resource) when { context has token && context.token has acr && context.token.acr == "high" };"#,
    r#"forbid(principal, action, resource) when { context.standing has risk && context.standing.risk == "high" };"#,
    r#"permit(principal, action, resource) when { context.possession == "dpop" };"#,
];

/// What one of a few tokens says.
fn claims(of: u32) -> Claims {
    Claims {
        issuer: "i".into(),
        subject: "s".into(),
        client: None,
        scopes: Vec::new(),
        roles: Vec::new(),
        groups: Groups::Listed(Vec::new()),
        acr: (of & 1 != 0).then(|| ["high", "low"][of as usize >> 1 & 1].into()),
        amr: Vec::new(),
        auth_time: None,
        id: None,
        session: None,
        confirmation: (of & 16 != 0).then_some(Confirmation::Key([0; 32])),
        issued: Timestamp(u64::from(of & 12) * 10_000_000),
        expires: Timestamp(u64::MAX),
        acts: Vec::new(),
        extra: Vec::new(),
    }
}

type Draw = (u8, u8, u8, u16, u8, u32);

/// A question that owns its parts.
struct Drawn {
    who: Arc<Principal>,
    peer: Peer,
    call: Call,
    now: Timestamp,
    kinds: Kinds,
    masked: bool,
    target: &'static str,
    receive: bool,
}

/// One of a small world of questions, so that the cache is hit often and wrongly shared keys would show.
fn question((who, model, format, rest, time, more): Draw) -> Drawn {
    let roles: &[&str] = [&[][..], &["a"], &["a", "b"], &["b", "a"]][usize::from(who % 4)];
    let scopes: Arc<[Arc<str>]> = if who & 4 == 0 { Arc::new([]) } else { Arc::new(["model:m".into()]) };
    let base = principal(["t", "u"][usize::from(who >> 3 & 1)], ["s", "r"][usize::from(who >> 4 & 1)], roles);
    let kind = if who & 32 == 0 { PrincipalKind::Person } else { PrincipalKind::Service };
    let method = if who & 64 == 0 { Method::ApiKey } else { Method::ClientCertificate };
    let claims = (who & 128 != 0).then(|| Arc::new(claims(more)));
    let principal = Arc::new(Principal { scopes, kind, method, claims, ..(*base).clone() });
    let ip = [None, Some([10, 0, 0, 1].into()), Some([192, 168, 0, 1].into())][usize::from(rest) % 3];
    let peer = Peer { ip, listener: ["l", ""][usize::from(rest >> 2 & 1)].into() };
    let call = Call {
        format: Format::ALL[usize::from(format) % Format::ALL.len()],
        model: ["m", "n"][usize::from(model & 1)].into(),
        stream: rest & 8 == 0,
        max_tokens: [None, Some(5), Some(101), Some(u64::MAX)][usize::from(rest >> 4 & 3)],
        tools: [vec![], vec!["x".into()], vec!["y".into(), "x".into()], vec!["y".into()]][usize::from(rest >> 6 & 3)]
            .clone(),
        attachments: u32::from(rest >> 8 & 3),
    };
    let now = Timestamp(u64::from(time) * 5_000 * 1_000_000 + u64::from(more % 2) * 40 * 60 * 1_000_000);
    let kinds = [vec![], vec![Kind::Secret], vec![Kind::Hidden]][(more >> 1) as usize % 3].iter().copied().collect();
    let (masked, target, receive) = (more & 64 == 0, ["near", "far"][(more >> 7 & 1) as usize], more & 256 == 0);
    Drawn { who: principal, peer, call, now, kinds, masked, target, receive }
}

proptest! {
    /// What is remembered is what would be answered with every attribute shown and nothing remembered: 256 sets of policies,
    /// 400 questions each out of a pool of 40, 102,400 in all.
    #[test]
    fn remembered_and_fresh_answers_agree(
        chosen in 0_u32..1 << READERS.len(),
        pool in proptest::collection::vec(any::<Draw>(), 40..=40),
        picks in proptest::collection::vec(0_usize..40, 400..=400),
    ) {
        let text: String = READERS.iter().enumerate().filter(|(i, _)| chosen >> i & 1 == 1).map(|(_, p)| *p).collect();
        let loaded = Loaded::new(settings(&text), Arc::default());
        let risky = Standing { risk: (chosen & 1 == 1).then_some(Risk::High), ..Standing::default() };
        for tenant in ["t", "u"] {
            loaded.standings.change(tenant, "s", |standing| *standing = risky.clone());
        }
        let pool: Vec<_> = pool.into_iter().map(question).collect();
        let facts = |i: usize| {
            let Drawn { who, peer, call, now, kinds, masked, target, receive } = &pool[i];
            let facts = Facts::ask(who, peer, call, *now);
            let facts = Facts { standing: if who.subject.as_ref() == "s" { &risky } else { facts.standing }, ..facts };
            if *receive { facts.receive(*kinds, *masked, target) } else { facts }
        };
        let fresh: Vec<_> = (0..pool.len()).map(|i| loaded.policy.ask(&facts(i), Mentions::ALL)).collect();
        for i in picks {
            let (Drawn { call, .. }, fresh) = (&pool[i], &fresh[i]);
            let scoped = facts(i).in_scope().is_ok();
            let verdict = match loaded.verdict(facts(i)) {
                Verdict::Permitted(permit) => Ok(String::from(&*permit.reason)),
                Verdict::Refused(code, reason, _) => Err((code, String::from(&*reason))),
            };
            let no = facts(i).deed.refused();
            let expected = if !scoped {
                Err((no, "the credential's scopes do not name the model".into()))
            } else if let Some(refusal) = fresh.refusal(&facts(i)) {
                Err(refusal)
            } else if call.attachments > 0 {
                Err((no, "no rule lets attachments pass".into()))
            } else {
                Ok(names(&fresh.because))
            };
            prop_assert_eq!(verdict, expected);
        }
    }
}
