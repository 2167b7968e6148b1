use bytes::Bytes;
use countersign_core::{Channel, Finding, Kind as Found, RequestId, Timestamp};

use super::*;
use crate::{
    Limits,
    inspect::{Inspect, Shape},
};

const TEXT: &str = "zoë: zoe@example.org, 4111 1111 1111 1111";

fn read(body: &Json) -> Result<Inspect, WireError> {
    Inspect::read(Shape::Analyze, &Bytes::from(body.to_string()), &Limits::default())
}

fn told(body: Json) -> Vec<Json> {
    let asked = read(&body).unwrap();
    let mut verdict = Verdict::default();
    for (kind, rule, needle, confidence) in [
        (Found::PersonalData, "personal/card", "4111 1111 1111 1111", 0.95),
        (Found::PersonalData, "personal/email", "zoe@example.org", 0.8),
        (Found::PersonalData, "personal/email", "zoe@example.org", 0.6),
        (Found::Injection, "injection/override", "zoë", 0.9),
    ] {
        let start = TEXT.find(needle).unwrap();
        let span = start..start + needle.len();
        let finding = Finding { kind, rule, channel: Channel::User, leaf: 0, span, confidence, ..Finding::ATTACHMENT };
        verdict.note(0, &finding, true);
    }
    let said = asked.answer(&[verdict], RequestId::new(Timestamp(1), [1; 10]));
    serde_json::from_slice::<Json>(&said).unwrap().as_array().unwrap().clone()
}

fn names(told: &[Json]) -> Vec<&str> {
    told.iter().map(|value| value["entity_type"].as_str().unwrap()).collect()
}

#[test]
fn values_are_told_once_in_order_by_characters_and_nothing_that_is_no_value() {
    let all = told(json!({ "text": TEXT, "language": "en", "correlation_id": "c", "context": ["x"] }));
    assert_eq!(names(&all), ["EMAIL_ADDRESS", "CREDIT_CARD"]);
    assert_eq!((&all[0]["start"], &all[0]["end"], &all[0]["score"]), (&5.into(), &20.into(), &0.8.into()));
    assert!(all[0]["analysis_explanation"].is_null());
    let explained = told(json!({ "text": TEXT, "return_decision_process": true }));
    assert_eq!(explained[1]["analysis_explanation"]["recognizer"], "personal/card");
}

#[test]
fn a_caller_has_told_what_it_asked_for() {
    assert_eq!(names(&told(json!({ "text": TEXT, "entities": ["CREDIT_CARD", "PERSON"] }))), ["CREDIT_CARD"]);
    assert_eq!(names(&told(json!({ "text": TEXT, "entities": [] }))).len(), 2);
    assert_eq!(names(&told(json!({ "text": TEXT, "score_threshold": 0.9 }))), ["CREDIT_CARD"]);
    assert_eq!(names(&told(json!({ "text": TEXT, "allow_list": ["zoe@example.org"] }))), ["CREDIT_CARD"]);
}

#[test]
fn what_would_be_misunderstood_is_refused() {
    for (name, value) in [
        ("ad_hoc_recognizers", json!([{"name": "zebra"}])),
        ("allow_list_match", json!("regex")),
        ("score_threshold", json!(2)),
        ("score_threshold", json!("0.5")),
        ("allow_list", json!("zebra")),
        ("return_decision_process", json!("zebra")),
    ] {
        let mut body = json!({ "text": TEXT });
        body[name] = value;
        let said = read(&body).unwrap_err().to_string();
        assert!(said.contains(&format!("`{name}`")) && !said.contains("zebra"), "{said}");
    }
    let said = read(&json!({ "text": TEXT, "entities": ["PERSON", "ZEBRA"] })).unwrap_err().to_string();
    assert!(said.contains("`entities[1]`"), "{said}");
    assert!(read(&json!({ "text": ["a"] })).is_err());
}

#[test]
fn the_names_are_sorted_and_each_can_be_asked_for() {
    let names = supported();
    let names: Vec<&str> = names.as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    assert!(names.is_sorted() && names.iter().all(|name| known(name)) && names.contains(&"US_ITIN"));
}
