use std::sync::Arc;

use countersign_core::{Channel, Finding, Judge};

use super::*;
use crate::Rules;

/// The judge of a deployment that has this profile and no line of its own.
fn judge(profile: Profile) -> Arc<dyn Judge> {
    let mut actions = profile.lines();
    actions.extend(Rules::standard().actions);
    Rules { actions }.judge(&[])
}

fn action(profile: Profile, side: Side, rule: &'static str) -> Action {
    let kind = if rule.starts_with("secret/") { Kind::Secret } else { Kind::PersonalData };
    let channel = Channel::User;
    let finding =
        Finding { kind, rule, channel, leaf: 0, span: 0..1, confidence: 0.75, digest: [0; 8], reproduced: None };
    judge(profile).judge(side, &finding)
}

#[test]
fn names_are_read_back() {
    for profile in Profile::ALL {
        assert_eq!(Profile::parse(profile.as_str()), Some(profile));
    }
    assert_eq!(Profile::parse("HIPAA"), None);
}

#[test]
fn hipaa_masks_every_identifier_that_is_text() {
    for rule in [
        "personal/name",
        "personal/place",
        "personal/address",
        "personal/date",
        "personal/age",
        "personal/phone",
        "personal/email",
        "personal/us-ssn",
        "personal/medical-record",
        "personal/health-plan",
        "personal/bank-account",
        "personal/driver-license",
        "personal/vehicle",
        "personal/device-id",
        "personal/url",
        "personal/ip-address",
        "personal/pesel",
        "personal/reference",
    ] {
        assert_eq!(action(Profile::Hipaa, Side::Prompt, rule), Action::Mask, "{rule}");
    }
    assert_eq!(action(Profile::Hipaa, Side::Answer, "personal/date"), Action::Allow);
    assert_eq!(action(Profile::Hipaa, Side::Prompt, "personal/organization"), Action::Allow);
}

#[test]
fn pci_masks_the_number_and_refuses_the_code_both_ways() {
    for side in [Side::Prompt, Side::Answer] {
        assert_eq!(action(Profile::Pci, side, "personal/card"), Action::Mask);
        assert_eq!(action(Profile::Pci, side, "personal/card-expiry"), Action::Mask);
        assert_eq!(action(Profile::Pci, side, "personal/card-code"), Action::Refuse);
    }
    assert_eq!(action(Profile::Pci, Side::Prompt, "personal/email"), Action::Allow);
}

#[test]
fn gdpr_masks_people_and_leaves_places_and_days() {
    for rule in ["personal/name", "personal/birth-date", "personal/dni", "personal/codice-fiscale", "personal/phone"] {
        assert_eq!(action(Profile::Gdpr, Side::Prompt, rule), Action::Mask, "{rule}");
    }
    for rule in ["personal/place", "personal/date", "personal/organization", "personal/url"] {
        assert_eq!(action(Profile::Gdpr, Side::Prompt, rule), Action::Allow, "{rule}");
    }
}

#[test]
fn secrets_are_refused_in_prompts_and_masked_in_answers() {
    assert_eq!(action(Profile::Secrets, Side::Prompt, "secret/github-token"), Action::Refuse);
    assert_eq!(action(Profile::Secrets, Side::Prompt, "secret/password"), Action::Refuse);
    assert_eq!(action(Profile::Secrets, Side::Answer, "secret/github-token"), Action::Mask);
    assert_eq!(action(Profile::Secrets, Side::Prompt, "personal/card"), Action::Allow);
}
