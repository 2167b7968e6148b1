//! What is sent to whom: paths, headers, model names, translation; and what cannot be built.

use countersign_core::Secret;

use super::{script::*, *};
use crate::{Dialect, ModelRoute, provider::BuildError};

fn azure() -> Dialect {
    Dialect::AzureOpenAi { deployment: "dep".to_owned(), api_version: "2026-01-01".to_owned() }
}

#[tokio::test(start_paused = true)]
async fn requests_are_what_each_api_wants() {
    let body = r#"{"model":"m","input":"x"}"#;
    for (dialect, format, line, key) in [
        (
            Dialect::OpenAi,
            Format::Embeddings,
            "POST /base/v1/embeddings HTTP/1.1",
            "authorization: Bearer canary-key-7f3a",
        ),
        (
            Dialect::OpenAi,
            Format::Responses,
            "POST /base/v1/responses HTTP/1.1",
            "authorization: Bearer canary-key-7f3a",
        ),
        (
            azure(),
            Format::Completions,
            "POST /base/openai/deployments/dep/completions?api-version=2026-01-01 HTTP/1.1",
            "api-key: canary-key-7f3a",
        ),
        (
            azure(),
            Format::Responses,
            "POST /base/openai/responses?api-version=2026-01-01 HTTP/1.1",
            "api-key: canary-key-7f3a",
        ),
        (Dialect::Anthropic, Format::Messages, "POST /base/v1/messages HTTP/1.1", "x-api-key: canary-key-7f3a"),
        (
            Dialect::Anthropic,
            Format::CountTokens,
            "POST /base/v1/messages/count_tokens HTTP/1.1",
            "anthropic-version: 2023-06-01",
        ),
    ] {
        let world = World::one(json("{}"));
        let provider = provider(&world, vec![target("a", dialect)]);
        provider.dispatch(intended(format, false, body)).await.ok().unwrap();
        let request = world.requests().remove(0);
        let (head, sent) = request.split_once("\r\n\r\n").unwrap();
        let lines: Vec<_> = head.lines().collect();
        assert_eq!((lines[0], lines[1], sent), (line, "host: model.example", body));
        for expected in [
            key,
            "content-type: application/json",
            "accept: application/json",
            "accept-encoding: identity",
            "content-length: 25",
        ] {
            assert!(lines.contains(&expected), "{expected}: {lines:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_model_is_called_what_the_provider_calls_it() {
    let mut renamed = target("a", Dialect::OpenAi);
    renamed.models = vec![ModelRoute { name: "m".into(), upstream: "vendor/large-2".into() }];
    renamed.key = None;
    let world = World::one(json("{}"));
    let provider = provider(&world, vec![renamed]);
    ask(&provider, false).await.unwrap();
    let request = &world.requests()[0];
    assert!(request.ends_with(&ASK.replace("\"m\"", "\"vendor/large-2\"")) && !request.contains("authorization"));
    // A request whose model cannot be found for renaming is not sent under the caller's name.
    let (refusal, called) =
        provider.dispatch(intended(Format::Chat, false, r#"{"m\u006fdel":"m"}"#)).await.err().unwrap();
    assert_eq!((refusal.code, called), (Code::Malformed, None));
}

#[tokio::test(start_paused = true)]
async fn models_and_formats_that_nobody_serves_are_refused() {
    let provider = provider(&World::new([]), vec![target("a", Dialect::OpenAi)]);
    assert_eq!(provider.models(), ["m".into()]);
    for (format, served) in Format::ALL.into_iter().zip([true, true, true, true, false, true, false]) {
        assert_eq!(provider.serves("m", format), served, "{format:?}");
        assert!(!provider.serves("other", format));
    }
    for format in [Format::Models, Format::CountTokens] {
        let (refusal, called) = provider.dispatch(intended(format, false, ASK)).await.err().unwrap();
        assert_eq!((refusal.code, called), (Code::NoSuchModel, None));
    }
}

#[tokio::test(start_paused = true)]
async fn an_openai_caller_is_answered_by_anthropic() {
    let whole = r#"{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"hello"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":1,"output_tokens":1}}"#;
    let events = [
        r#"event: message_start
data: {"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":1,"output_tokens":1}}}

"#,
        "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"hel\"}}\n\n",
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"lo\"}}\n\n",
        "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n",
        "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":2}}\n\n",
        "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
    ]
    .concat();
    // Cut where it hurts: in the middle of events.
    let mut acts = vec![say(STREAM)];
    for piece in events.as_bytes().chunks(37) {
        acts.push(say(chunk(std::str::from_utf8(piece).unwrap())));
        acts.push(Act::Wait(Duration::from_millis(1)));
    }
    acts.push(say("0\r\n\r\n"));
    let world = World::new([("a", Dialled::Serves(vec![json(whole), acts]))]);
    let provider = provider(&world, vec![target("a", Dialect::Anthropic)]);

    let answer: serde_json::Value = serde_json::from_slice(&ask(&provider, false).await.unwrap()).unwrap();
    assert_eq!(answer["choices"][0]["message"]["content"], "hello");

    let text = String::from_utf8(ask(&provider, true).await.unwrap().to_vec()).unwrap();
    let said: String = text
        .lines()
        .filter_map(|l| serde_json::from_str::<serde_json::Value>(l.strip_prefix("data: ")?).ok())
        .filter_map(|e| Some(e["choices"][0]["delta"]["content"].as_str()?.to_owned()))
        .collect();
    assert!(said == "hello" && text.ends_with("data: [DONE]\n\n"), "{text}");

    for request in world.requests() {
        assert!(request.starts_with("POST /base/v1/messages HTTP/1.1\r\n"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_one_target_cannot_be_asked_is_asked_of_the_next() {
    let body = r#"{"model":"m","messages":1}"#;
    let targets = || vec![target("a", Dialect::Anthropic), target("b", Dialect::OpenAi)];
    let world = World::new([("b", Dialled::Serves(vec![json("{}")]))]);
    assert!(provider(&world, targets()).dispatch(intended(Format::Chat, false, body)).await.is_ok());
    let alone = provider(&World::new([]), targets().into_iter().take(1).collect());
    let (refusal, called) = alone.dispatch(intended(Format::Chat, false, body)).await.err().unwrap();
    assert_eq!((refusal.code, called), (Code::Malformed, None));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_has_no_translation_is_malformed() {
    for (stream, acts) in [
        (false, json(r#"["canary"]"#)),
        (false, json("canary")),
        (true, vec![say(STREAM.to_owned() + &chunk("event: message_start\ndata: canary\n\n") + "0\r\n\r\n")]),
    ] {
        let world = World::one(acts);
        assert_eq!(
            code(ask(&provider(&world, vec![target("a", Dialect::Anthropic)]), stream).await),
            Code::ProviderMalformed
        );
    }
}

#[tokio::test]
async fn targets_that_do_not_hold_together_are_not_built() {
    let build = |targets| {
        let dial = Arc::new(Scripted(World::new([])));
        Provider::new(
            countersign_core::life::Stamps::issue().dispatch,
            targets,
            dial,
            Arc::new(|| countersign_core::Timestamp(0)),
        )
    };
    let a = || target("a", Dialect::OpenAi);
    assert!(matches!(build(vec![a(), a()]), Err(BuildError::Twice(_))));
    let mut twice = a();
    twice.models.push(twice.models[0].clone());
    assert!(matches!(build(vec![twice]), Err(BuildError::ModelTwice(..))));
    let mut quoted = a();
    quoted.models[0].upstream = "x\",\"y".into();
    assert!(matches!(build(vec![quoted]), Err(BuildError::UpstreamName(..))));
    let mut key = a();
    key.key = Some(Secret::new("canary\r\nx: y".to_owned()));
    let error = build(vec![key]).err().unwrap();
    assert!(matches!(error, BuildError::Head(..)) && !format!("{error} {error:?}").contains("canary"));
}
