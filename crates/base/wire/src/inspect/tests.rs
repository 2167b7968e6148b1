use countersign_core::{Finding, Timestamp};

use super::*;

fn read(shape: Shape, body: &str) -> Result<Inspect, WireError> {
    Inspect::read(shape, &Bytes::from(body.to_owned()), &Limits::default())
}

fn finding(kind: Found, rule: &'static str, leaf: usize, span: Range<usize>) -> Finding {
    Finding { kind, rule, channel: Channel::User, leaf, span, confidence: 0.75, digest: [0; 8], reproduced: None }
}

fn request() -> RequestId {
    RequestId::new(Timestamp(1), [1; 10])
}

#[test]
fn an_input_is_a_text_several_or_the_parts_of_one() {
    let texts = |body: &str| -> Vec<Vec<String>> {
        let read = read(Shape::Moderations, body).unwrap();
        let leaves = |t: &Text| {
            t.parts.iter().flat_map(|p| p.document.leaves().map(|l| l.text.to_owned()).collect::<Vec<_>>()).collect()
        };
        read.texts.iter().map(leaves).collect()
    };
    assert_eq!(texts(r#"{"input":"a\nb","model":"omni-moderation-latest","safety_identifier":"x"}"#), [["a\nb"]]);
    assert_eq!(texts(r#"{"input":["a","b"]}"#), [["a"], ["b"]]);
    let parts = r#"{"input":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"data:,x"}},{"type":"text","text":"b"}]}"#;
    assert_eq!(texts(parts), [["a", "b"]]);
    assert_eq!(read(Shape::Moderations, parts).unwrap().texts[0].attachments, 1);
}

#[test]
fn junk_is_refused_by_its_place_and_never_by_its_text() {
    let many = format!("{{\"input\":[{}\"x\"]}}", "\"x\",".repeat(INPUTS));
    for (shape, body, path) in [
        (Shape::Moderations, "{}", "`input`"),
        (Shape::Moderations, "[]", "`$`"),
        (Shape::Moderations, r#"{"input":7}"#, "`input`"),
        (Shape::Moderations, r#"{"input":[]}"#, "`input`"),
        (Shape::Moderations, r#"{"input":[1,2]}"#, "`input`"),
        (Shape::Moderations, r#"{"input":["a",{"type":"text","text":"zebra"}]}"#, "`input`"),
        (Shape::Moderations, r#"{"input":[{"type":"text","text":"a"},"zebra"]}"#, "`input[1].type`"),
        (Shape::Moderations, r#"{"input":[{"type":"zebra"}]}"#, "`input[0].type`"),
        (Shape::Moderations, r#"{"input":[{"type":"text","text":["zebra"]}]}"#, "`input[0].text`"),
        (Shape::Moderations, &many, "inputs"),
        (Shape::Moderations, r#"{"input":"a","input":"zebra"}"#, "byte"),
        (Shape::Guard, "{}", "`messages`"),
        (Shape::Guard, r#"{"messages":[]}"#, "`messages`"),
        (Shape::Guard, r#"{"messages":["zebra"]}"#, "`messages[0]`"),
        (Shape::Guard, r#"{"messages":[{"role":"user","content":"a"}],"breakdown":"zebra"}"#, "`breakdown`"),
    ] {
        let said = read(shape, body).unwrap_err().to_string();
        assert!(said.contains(path) && !said.contains("zebra"), "{body}: {said}");
    }
}

#[test]
fn what_a_model_said_last_is_its_answer_and_what_is_no_message_is_not_looked_at() {
    let body = r#"{"metadata":{"session":"zebra"},"messages":[{"role":"system","content":"s"},
        {"role":"assistant","content":"earlier"},{"role":"user","content":[{"type":"text","text":"u"}]},
        {"role":"assistant","content":"answer"}],"project_id":"zebra","user":"zebra"}"#;
    let read = read(Shape::Guard, body).unwrap();
    let [text] = &read.texts[..] else { panic!("one conversation") };
    let [prompt, answer] = &text.parts[..] else { panic!("both ways") };
    let leaves = |part: &Part| part.document.leaves().map(|l| l.text.to_owned()).collect::<Vec<_>>();
    assert_eq!((prompt.side, answer.side), (Side::Prompt, Side::Answer));
    for word in ["s", "earlier", "u"] {
        assert!(leaves(prompt).iter().any(|leaf| leaf == word), "{word}");
    }
    assert!(leaves(answer).iter().any(|leaf| leaf == "answer") && !leaves(answer).iter().any(|leaf| leaf == "u"));
    assert!(text.parts.iter().all(|part| !leaves(part).iter().any(|leaf| leaf == "zebra")));
    assert_eq!((prompt.messages.first(), answer.messages.last()), (Some(&0), Some(&3)));
}

#[test]
fn the_answers_tell_what_was_found_and_where_and_repeat_no_text() {
    let body = r#"{"messages":[{"role":"user","content":"é zebra"}],"breakdown":true,"payload":true}"#;
    let read = read(Shape::Guard, body).unwrap();
    let (text, mut verdict) = (&read.texts[0], Verdict::default());
    let leaf = text.parts[0].document.leaves().position(|l| l.text == "é zebra").unwrap();
    verdict.note(0, &finding(Found::Hidden, "hidden/comment", leaf, 0..2), true);
    assert!(!verdict.flagged());
    verdict.note(0, &finding(Found::PersonalData, "personal/card-code", leaf, 3..8), false);
    let said = read.answer(&[verdict.clone()], request());
    assert!(!String::from_utf8_lossy(&said).contains("zebra"));
    let said: Json = serde_json::from_slice(&said).unwrap();
    assert_eq!(said["flagged"], true);
    let place =
        json!({"start": 2, "end": 7, "detector_type": "pii/card_code", "labels": ["pii/card_code"], "message_id": 0});
    assert_eq!(said["payload"], json!([place]));
    let detected: Vec<_> = said["breakdown"].as_array().unwrap().iter().filter(|l| l["detected"] == true).collect();
    assert_eq!(detected.len(), 1);
    assert_eq!(detected[0]["detector_type"], "pii/card_code");

    let quiet = self::read(Shape::Guard, r#"{"messages":[{"role":"user","content":"a"}]}"#).unwrap();
    let said: Json = serde_json::from_slice(&quiet.answer(&[Verdict::default()], request())).unwrap();
    assert_eq!(said.as_object().unwrap().keys().collect::<Vec<_>>(), ["flagged", "metadata"]);

    let inputs = self::read(Shape::Moderations, r#"{"input":["a","b"]}"#).unwrap();
    let said: Json = serde_json::from_slice(&inputs.answer(&[Verdict::default(), verdict], request())).unwrap();
    let results = said["results"].as_array().unwrap();
    assert_eq!((results.len(), &results[0]["flagged"], &results[1]["flagged"]), (2, &false.into(), &true.into()));
    let of = |field: &str| (results[1][field]["personal_data"].clone(), results[1][field]["hidden"].clone());
    assert_eq!(of("categories"), (true.into(), false.into()));
    assert_eq!(of("category_scores"), (0.75.into(), 0.75.into()));
    assert_eq!(results[1]["categories"]["violence/graphic"], false);
}
