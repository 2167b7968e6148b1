use super::*;

const POLICY: &str = r#"
@id("staff")
permit (principal in Countersign::Role::"staff", action, resource);

@id("night")
forbid (principal is Countersign::Service, action, resource)
  when { context.time.hour < 6 || context.time.weekday == "sunday" };

forbid (principal, action == Countersign::Action::"receive", resource)
  when { context.findings.contains("secret") };
"#;

const CASES: &str = r#"
[[case]]
name = "staff may ask"
ask = { roles = ["staff"], model = "m" }
expect = "allow"

[[case]]
name = "others may not"
ask = { model = "m" }
expect = "deny"

[[case]]
name = "services sleep at night"
ask = { roles = ["staff"], kind = "service", model = "m", time = { hour = 5, minute = 59 } }
expect = "deny"

[[case]]
name = "no answer after a secret"
ask = { roles = ["staff"], model = "m", action = "receive", findings = ["hidden", "secret"], target = "t", masked = true }
expect = "deny"

[[case]]
name = "scopes count"
ask = { roles = ["staff"], model = "m", scopes = ["model:n"] }
expect = "deny"

[[case]]
name = "wrong on purpose"
ask = { roles = ["staff"], model = "m", ip = "10.0.0.1", time = { weekday = "sunday" } }
expect = "deny"
"#;

fn policy() -> Policy {
    Policy::parse(&[("p.cedar", POLICY)]).unwrap()
}

fn ask(text: &str) -> Result<Explanation, BadQuestion> {
    policy().explain(&toml::from_str(text).unwrap())
}

#[test]
fn cases_pass_and_fail() {
    let cases: Cases = toml::from_str(CASES).unwrap();
    let outcomes = policy().test(&cases.case);
    assert_eq!(outcomes.iter().map(|o| o.passed).collect::<Vec<_>>(), [true, true, true, true, true, false]);
    assert_eq!(outcomes[5].name, "wrong on purpose");
}

#[test]
fn an_explanation_names_the_policies_and_where_they_stand() {
    let night = ask("roles = [\"staff\"]\nkind = \"service\"\nmodel = \"m\"\ntime = { hour = 3 }").unwrap();
    assert_eq!((night.decision, night.code), (Decision::Deny, Some(Code::NotPermitted)));
    let Named { id, file, line, forbids, step_up: None } = &night.because[0] else { panic!() };
    assert_eq!((id.as_deref(), file.as_str(), *line, *forbids), (Some("night"), "p.cedar", 5, true));

    let secret = ask("roles = [\"staff\"]\naction = \"receive\"\nmodel = \"m\"\nfindings = [\"secret\"]").unwrap();
    assert_eq!(secret.code, Some(Code::AnswerNotPermitted));
    assert_eq!(secret.because[0].to_string(), "p.cedar:9");

    let nobody = ask("model = \"m\"").unwrap();
    assert_eq!((nobody.because.len(), nobody.notes.as_slice()), (0, &["no policy permits it".to_owned()][..]));

    let watcher = ask("roles = [\"staff\"]\naction = \"observe\"").unwrap();
    assert_eq!((watcher.decision, watcher.code), (Decision::Deny, Some(Code::NotPermitted)));

    let staff = ask("roles = [\"staff\"]\nmodel = \"m\"").unwrap();
    assert_eq!((staff.decision, staff.code, staff.because[0].forbids), (Decision::Allow, None, false));
}

#[test]
fn words_that_are_not_ours_are_named() {
    for (text, what) in [
        ("kind = \"robot\"", "`robot` is no kind of principal; expected person, service, agent"),
        ("action = \"write\"", "`write` is no action; expected ask, receive, callTool, observe"),
        ("format = \"soap\"", "`soap` is no format; expected chat"),
        ("method = \"password\"", "`password` is no method"),
        ("findings = [\"x\"]", "`x` is no finding"),
        ("time = { weekday = \"Monday\" }", "`Monday` is no weekday"),
        ("time = { hour = 24 }", "`24` is no hour; expected 0 to 23"),
    ] {
        let error = ask(&format!("model = \"m\"\n{text}")).unwrap_err().to_string();
        assert!(error.starts_with(what), "{error}");
    }
    assert!(ask("roles = []").unwrap_err().to_string().contains("no model"));
    assert!(toml::from_str::<Question>("model = \"m\"\nmodle = \"n\"").is_err());
}

#[test]
fn a_policy_may_want_a_fresh_token_of_a_strong_login() {
    let policy = Policy::parse(&[(
        "p.cedar",
        r#"permit (principal, action, resource) when {
            context has token && context.token.issuer == "bank" && context.token.amr.contains("mfa") &&
            context.token.age < 300 && context.token has login_age && context.token.login_age < 3600
        };"#,
    )])
    .unwrap();
    let ask = |token: &str| {
        let question = format!("model = \"m\"\nmethod = \"access-token\"\n{token}");
        policy.explain(&toml::from_str(&question).unwrap()).unwrap().decision
    };
    let token = |more: &str| ask(&format!("token = {{ issuer = \"bank\", {more} }}"));
    assert_eq!(token("amr = [\"pwd\", \"mfa\"], age = 299, login_age = 3599"), Decision::Allow);
    for less in [
        "amr = [\"pwd\"], age = 1, login_age = 1",
        "amr = [\"mfa\"], age = 300, login_age = 1",
        "amr = [\"mfa\"], age = 1, login_age = 3600",
        "amr = [\"mfa\"], age = 1",
        "age = 1, login_age = 1",
    ] {
        assert_eq!(token(less), Decision::Deny, "{less}");
    }
    assert_eq!(ask(""), Decision::Deny, "without a token there is nothing to ask about");
    let unguarded = "permit (principal, action, resource) when { context.token.age < 300 };";
    assert!(Policy::parse(&[("p.cedar", unguarded)]).is_err(), "what may be absent has to be looked for");
}

#[test]
fn times_are_what_they_say() {
    let at = |time: Time| crate::facts::Moment::at(time.timestamp().unwrap());
    let moment = at(Time { weekday: Some("sunday".into()), hour: Some(23), minute: Some(59), epoch: None });
    assert_eq!((moment.weekday_name(), moment.hour, moment.minute), ("sunday", 23, 59));
    let usual = at(Time::default());
    assert_eq!((usual.weekday_name(), usual.hour, usual.minute), ("monday", 10, 0));
    assert_eq!(at(Time { epoch: Some(u64::MAX), ..Time::default() }).epoch, u64::MAX / 1_000_000);
}
