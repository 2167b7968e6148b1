use serde_json::Value as Json;

use super::*;

const TEXT: &str = "hello zoë, my name is Jane Doe. My number is: 034453334";

fn read(body: &Json) -> Result<Anonymize, WireError> {
    Anonymize::read(&Bytes::from(body.to_string()), &Limits::default())
}

fn ask(operators: Json, results: &[(usize, usize, &str)]) -> Json {
    let results: Vec<Json> = results
        .iter()
        .map(|(start, end, name)| json!({"start": start, "end": end, "entity_type": name, "score": 0.8}))
        .collect();
    json!({ "text": TEXT, "anonymizers": operators, "analyzer_results": results })
}

fn answer(body: &Json) -> Json {
    let hash = |by, parts: &[&str]| format!("{by:?}({})", parts.join("+"));
    serde_json::from_slice(&read(body).unwrap().answer("random", hash).unwrap()).unwrap()
}

const FOUND: [(usize, usize, &str); 2] = [(22, 30, "PERSON"), (46, 55, "PHONE_NUMBER")];

#[test]
fn values_are_replaced_where_they_stand_and_told_last_first() {
    let operators = json!({"DEFAULT": {"type": "replace", "new_value": "ANONYMISED"},
        "PHONE_NUMBER": {"type": "mask", "masking_char": "*", "chars_to_mask": 4, "from_end": true}});
    let said = answer(&ask(operators, &FOUND));
    assert_eq!(said["text"], "hello zoë, my name is ANONYMISED. My number is: 03445****");
    assert_eq!(
        said["items"],
        json!([
            {"start": 48, "end": 57, "entity_type": "PHONE_NUMBER", "text": "03445****", "operator": "mask"},
            {"start": 22, "end": 32, "entity_type": "PERSON", "text": "ANONYMISED", "operator": "replace"},
        ])
    );
}

#[test]
fn each_operator_does_what_its_name_says() {
    let with = |operator: Json| {
        let said = answer(&ask(json!({ "PERSON": operator, "PHONE_NUMBER": {"type": "keep"} }), &FOUND));
        let text = said["text"].as_str().unwrap().to_owned();
        let text =
            text.strip_prefix("hello zoë, my name is ").and_then(|t| t.strip_suffix(". My number is: 034453334"));
        text.unwrap().to_owned()
    };
    assert_eq!(with(json!({"type": "replace"})), "<PERSON>");
    assert_eq!(with(json!({"type": "replace", "new_value": ""})), "<PERSON>");
    assert_eq!(with(json!({"type": "redact"})), "");
    assert_eq!(with(json!({"type": "keep"})), "Jane Doe");
    assert_eq!(with(json!({"type": "mask", "masking_char": "é", "chars_to_mask": 99})), "éééééééé");
    assert_eq!(with(json!({"type": "mask", "masking_char": "#", "chars_to_mask": 4})), "#### Doe");
    assert_eq!(with(json!({"type": "hash"})), "Sha256(random+Jane Doe)");
    assert_eq!(with(json!({"type": "hash", "hash_type": "sha512", "salt": "s"})), "Sha512(s+Jane Doe)");
    let none = json!({ "text": TEXT, "analyzer_results": [{"start": 22, "end": 30, "entity_type": "PERSON"}] });
    assert_eq!(answer(&none)["items"][0]["text"], "<PERSON>");
}

#[test]
fn what_overlaps_is_replaced_once_and_nothing_of_it_stays() {
    let said = answer(&ask(json!({}), &[(22, 26, "A"), (24, 30, "B"), (22, 26, "A"), (23, 25, "C"), (55, 55, "D")]));
    assert_eq!(said["text"], "hello zoë, my name is <A><B>. My number is: 034453334");
}

#[test]
fn what_cannot_be_done_as_asked_is_refused_and_not_repeated() {
    let operators = |operator: Json| ask(json!({ "PERSON": operator }), &FOUND);
    let results = |results: Json| json!({ "text": TEXT, "analyzer_results": results });
    for (body, path) in [
        (json!({"analyzer_results": []}), "`text`"),
        (json!({"text": TEXT}), "`analyzer_results`"),
        (results(json!([{"start": 0, "end": 99, "entity_type": "zebra"}])), "`analyzer_results`"),
        (results(json!([{"start": 3, "end": 2, "entity_type": "zebra"}])), "`analyzer_results[0]`"),
        (results(json!([{"start": -1, "end": 2, "entity_type": "zebra"}])), "`analyzer_results[0].start`"),
        (results(json!([{"start": 1, "end": 2}])), "`analyzer_results[0].entity_type`"),
        (json!({"text": TEXT, "anonymizers": ["zebra"], "analyzer_results": []}), "`anonymizers`"),
        (operators(json!({"type": "zebra"})), "`anonymizers.*.type`"),
        (operators(json!({"type": "encrypt", "key": "zebra"})), "`anonymizers.*.type`"),
        (operators(json!({"type": "hash", "hash_type": "md5"})), "`anonymizers.*.hash_type`"),
        (
            operators(json!({"type": "mask", "masking_char": "zebra", "chars_to_mask": 1})),
            "`anonymizers.*.masking_char`",
        ),
        (operators(json!({"type": "mask", "masking_char": "*"})), "`anonymizers.*.chars_to_mask`"),
    ] {
        let said = read(&body).unwrap_err().to_string();
        assert!(said.contains(path) && !said.contains("zebra"), "{body}: {said}");
    }
}

#[test]
fn an_answer_grows_no_larger_than_a_body_may_be() {
    let many: Vec<_> = (0..40).map(|at| (at, at + 1, "PERSON")).collect();
    let body = ask(json!({"DEFAULT": {"type": "replace", "new_value": "x".repeat(200)}}), &many);
    let limits = Limits { body: 6000, ..Limits::default() };
    let asked = Anonymize::read(&Bytes::from(body.to_string()), &limits).unwrap();
    assert!(matches!(asked.answer("", |_, _| String::new()), Err(WireError::TooLarge { .. })));
}
