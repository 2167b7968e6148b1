use super::*;
use countersign_core::Reproduced;

fn finding(kind: Kind, rule: &'static str, channel: Channel, confidence: f32) -> Finding {
    Finding { kind, rule, channel, leaf: 0, span: 0..1, confidence, digest: [0; 8], reproduced: None }
}

fn roles(names: &[&str]) -> Vec<Arc<str>> {
    names.iter().map(|name| Arc::from(*name)).collect()
}

fn standard(side: Side, kind: Kind, rule: &'static str, channel: Channel, confidence: f32) -> Action {
    Judges::new(Rules::standard()).of(&[]).judge(side, &finding(kind, rule, channel, confidence))
}

#[test]
fn the_standard_table_does_what_its_own_table_says() {
    use Action::{Allow, Cut, Mask, Refuse};
    use Channel::{Assistant, Reasoning, System, ToolArguments, ToolResult, User};
    use Side::{Answer, Prompt};

    for (side, kind, rule, channel, confidence, action) in [
        (Prompt, Kind::Injection, "injection/x", User, 0.5, Refuse),
        (Prompt, Kind::Injection, "injection/x", User, 0.49, Allow),
        (Prompt, Kind::Injection, "injection/x", ToolResult, 0.9, Refuse),
        (Prompt, Kind::Injection, "injection/x", Channel::Other, 0.9, Refuse),
        (Prompt, Kind::Injection, "injection/x", Assistant, 0.79, Allow),
        (Prompt, Kind::Injection, "injection/x", Assistant, 0.8, Refuse),
        (Prompt, Kind::Injection, "injection/x", System, 1.0, Allow),
        (Answer, Kind::Injection, "injection/x", Assistant, 1.0, Allow),
        (Prompt, Kind::Extraction, "extraction/x", User, 0.7, Refuse),
        (Answer, Kind::Extraction, "extraction/x", Assistant, 1.0, Allow),
        (Prompt, Kind::Exfiltration, "exfiltration/x", ToolResult, 0.6, Refuse),
        (Answer, Kind::Exfiltration, "exfiltration/x", Assistant, 0.6, Mask),
        (Answer, Kind::Exfiltration, "exfiltration/x", ToolArguments, 0.4, Allow),
        (Answer, Kind::PromptLeak, "prompt-leak/x", Reasoning, 0.6, Refuse),
        (Prompt, Kind::PromptLeak, "prompt-leak/x", System, 1.0, Allow),
        (Answer, Kind::DocumentLeak, "document-leak/x", Assistant, 0.6, Refuse),
        (Prompt, Kind::DocumentLeak, "document-leak/x", ToolResult, 1.0, Allow),
        (Answer, Kind::Canary, "canary/x", Assistant, 0.1, Cut),
        (Prompt, Kind::Canary, "canary/x", User, 0.1, Refuse),
        (Prompt, Kind::Secret, "secret/x", User, 0.6, Mask),
        (Answer, Kind::Secret, "secret/x", ToolArguments, 0.6, Mask),
        (Answer, Kind::Secret, "secret/x", Assistant, 0.2, Allow),
        (Prompt, Kind::PersonalData, "personal/card", User, 1.0, Allow),
        (Answer, Kind::PersonalData, "personal/card", Assistant, 0.9, Mask),
        (Answer, Kind::PersonalData, "personal/of-a-new-sort", Assistant, 0.9, Mask),
        (Answer, Kind::PersonalData, "personal/email", Assistant, 1.0, Allow),
        (Answer, Kind::PersonalData, "personal/email-book", Assistant, 1.0, Mask),
        (Answer, Kind::PersonalData, "personal/date", Assistant, 1.0, Allow),
        (Answer, Kind::PersonalData, "personal/url", Assistant, 1.0, Allow),
        (Answer, Kind::PersonalData, "personal/address", Assistant, 1.0, Allow),
        (Answer, Kind::PersonalData, "personal/pesel", Assistant, 0.8, Mask),
        (Answer, Kind::Hidden, "hidden/x", Assistant, 1.0, Allow),
        (Prompt, Kind::Limit, "limit/x", User, 0.0, Refuse),
        (Prompt, Kind::Attachment, "attachment/x", User, 0.0, Refuse),
        (Answer, Kind::Copied, "copied/argument", User, 1.0, Allow),
    ] {
        assert_eq!(standard(side, kind, rule, channel, confidence), action, "{side:?} {rule} {channel:?} {confidence}");
    }
}

#[test]
fn the_standard_table_leaves_no_finding_without_a_line() {
    let rules = Rules::standard();
    for kind in Kind::ALL {
        for channel in Channel::ALL {
            for (side, confidence) in
                [(Side::Prompt, 0.0), (Side::Answer, 0.0), (Side::Prompt, 1.0), (Side::Answer, 1.0)]
            {
                let found = finding(kind, "x/y", channel, confidence);
                assert!(rules.actions.iter().any(|line| line.fits(side, &found)), "{kind:?} {channel:?} {side:?}");
            }
        }
    }
}

#[test]
fn what_no_line_fits_is_refused_and_no_number_counts_as_sure() {
    let judge = Judges::new(Rules { actions: Vec::new() }).of(&[]);
    assert_eq!(judge.judge(Side::Answer, &finding(Kind::Hidden, "x", Channel::User, 0.0)), Action::Refuse);
    assert_eq!(standard(Side::Prompt, Kind::Injection, "x", Channel::User, f32::NAN), Action::Refuse);
}

#[test]
fn the_first_line_that_fits_decides_and_roles_count() {
    let mut rules = Rules::standard();
    rules.actions.insert(
        0,
        ActionRule {
            side: Some(Side::Answer),
            kind: Some(Kind::PersonalData),
            rule: None,
            channel: None,
            roles: vec!["records".into()],
            at_least: 0.0,
            at_least_words: 0,
            action: Action::Allow,
        },
    );
    let judges = Judges::new(rules);
    let card = finding(Kind::PersonalData, "personal/card", Channel::Assistant, 1.0);
    assert_eq!(judges.of(&roles(&["records", "x"])).judge(Side::Answer, &card), Action::Allow);
    for not in [&[][..], &["record"], &["records "], &["Records"], &["personal-data"]] {
        assert_eq!(judges.of(&roles(not)).judge(Side::Answer, &card), Action::Mask);
    }
}

#[test]
fn a_line_may_ask_how_much_was_reproduced() {
    let line = |at_least_words, action| ActionRule {
        side: None,
        kind: None,
        rule: Some("leak/registered".into()),
        channel: None,
        roles: Vec::new(),
        at_least: 0.0,
        at_least_words,
        action,
    };
    let judge =
        Rules { actions: vec![line(50, Action::Cut), line(20, Action::Mask), line(0, Action::Allow)] }.judge(&[]);
    for (words, action) in
        [(None, Action::Allow), (Some(19), Action::Allow), (Some(20), Action::Mask), (Some(50), Action::Cut)]
    {
        let reproduced = words.map(|words| Reproduced { source: "a".into(), words });
        let it = Finding { reproduced, ..finding(Kind::DocumentLeak, "leak/registered", Channel::Assistant, 0.9) };
        assert_eq!(judge.judge(Side::Answer, &it), action, "{words:?}");
    }
}

#[test]
fn callers_no_line_tells_apart_share_a_judge() {
    let judges = Judges::new(Rules::standard());
    for i in 0..1_000 {
        judges.of(&roles(&[&i.to_string()]));
    }
    assert_eq!(judges.made.lock().unwrap().len(), 1);
}

#[test]
fn what_is_acted_on_is_told_from_what_always_passes() {
    let acts = |own: Vec<ActionRule>, side| {
        let mut rules = Rules::standard();
        rules.actions.splice(..0, own);
        rules.acts_on(side, Kind::PersonalData, "personal/name")
    };
    let line = |rule: Option<&str>, action| ActionRule {
        side: None,
        kind: None,
        rule: rule.map(str::to_owned),
        channel: None,
        roles: Vec::new(),
        at_least: 0.0,
        at_least_words: 0,
        action,
    };
    for side in [Side::Prompt, Side::Answer] {
        assert!(!acts(vec![], side));
        assert!(!acts(vec![line(Some("personal/email"), Action::Mask)], side));
        assert!(!acts(vec![line(None, Action::Allow), line(Some("personal/name"), Action::Mask)], side));
        for rule in [None, Some("personal"), Some("personal/name"), Some("PERSON")] {
            assert!(acts(vec![line(rule, Action::Mask)], side), "{rule:?}");
            let one = ActionRule { roles: vec!["teller".into()], at_least: 0.7, ..line(rule, Action::Refuse) };
            assert!(acts(vec![one.clone()], side), "{rule:?}");
            // It passes for some, and not for everybody.
            let pass = ActionRule { action: Action::Allow, ..one };
            assert!(acts(vec![pass, line(rule, Action::Mask)], side), "{rule:?}");
        }
    }
    let prompts = ActionRule { side: Some(Side::Prompt), ..line(Some("PERSON"), Action::Mask) };
    assert!(acts(vec![prompts.clone()], Side::Prompt) && !acts(vec![prompts], Side::Answer));
    assert!(
        Rules { actions: vec![] }.acts_on(Side::Prompt, Kind::PersonalData, "personal/name"),
        "no line: it is refused"
    );
}
