//! Registered documents and records: a model that repeats them is masked or cut, the record says of which text and how much, and the
//! caller is told nothing of it.

use std::{fs, process::Output};

use countersign_testkit::{Answer, Asked, Deployment, Home, Plan, Reply, Upstream, chat_answer, chat_ask};
use serde_json::json;

const LENDING: &str = "Loans above four million need two signatures from the committee, one of them from outside the branch that proposed \
    it. Where turnover falls in two quarters running, the officer in charge lowers the ceiling by a third and writes to the owner within \
    nine working days. Nobody outside the committee may be told which ceiling applies, nor that one exists at all, before the letter is sent.";

const LATER: &str = "Couriers leave the northern depot at half past four on weekdays and an hour later on Saturdays, by the gate beside the old \
    weighbridge, and never use the ring road while the bridge is closed.";

const CUSTOMERS: &str = "number;name;depot\nKX-4711001;Bartholomew Featherstone;Harbour warehouse\nKX-4711002;Chiara Lombardini;Quarry warehouse\n";

/// Says what it was asked to say, in a stream a few characters to an event.
fn parrot(asked: &Asked) -> Reply {
    let body = asked.json();
    let text = body["messages"][0]["content"].as_str().unwrap_or_default().to_owned();
    if body["stream"] != json!(true) {
        return Reply::json(200, &chat_answer(&text));
    }
    let event = |piece: String| {
        let chunk = json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m",
                           "choices": [{"index": 0, "delta": {"content": piece}, "finish_reason": null}]});
        format!("data: {chunk}\n\n")
    };
    let letters: Vec<char> = text.chars().collect();
    let pieces = letters.chunks(7).map(|piece| event(piece.iter().collect()));
    Reply::events(pieces.chain(["data: [DONE]\n\n".to_owned()]).collect::<Vec<_>>())
}

fn within(home: &Home, arguments: &[&str]) -> Output {
    home.command(arguments).current_dir(home.path("")).output().expect("the binary runs")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
}

fn index(home: &Home, from: &str, name: &str, shape: &str) -> String {
    let out = format!("{name}.idx");
    let output = within(home, &["documents", "index", from, "--name", name, "--as", shape, "--out", &out]);
    assert!(output.status.success(), "{}", said(&output));
    said(&output)
}

fn ask(gateway: &Deployment, key: &str, text: &str, stream: bool) -> Answer {
    let mut ask = chat_ask(text);
    ask["stream"] = stream.into();
    gateway.post("/v1/chat/completions", key, &ask)
}

/// The words that reached the caller.
fn told(answer: &Answer) -> String {
    let text = answer.text();
    let events = text.lines().filter_map(|line| line.strip_prefix("data: ")).filter(|data| data.starts_with('{'));
    let pieces = events.filter_map(|data| serde_json::from_str::<serde_json::Value>(data).ok());
    pieces.filter_map(|event| event["choices"][0]["delta"]["content"].as_str().map(str::to_owned)).collect()
}

fn words(text: &str, from: usize, count: usize) -> String {
    text.split_whitespace().skip(from).take(count).collect::<Vec<_>>().join(" ")
}

#[test]
fn what_is_registered_is_cut_with_its_name_on_record_and_nowhere_else() {
    let upstream = Upstream::start(parrot);
    let home = Plan::new()
        .target("openai", &upstream, &["m"])
        .guard("registered = [\"terms.idx\", \"crm.idx\"]")
        .rule("find = \"leak/registered\"\nin = \"answer\"\nroles = [\"committee\"]\ndo = \"allow\"")
        .rule("find = \"leak/registered\"\nin = \"answer\"\nat_least_words = 30\ndo = \"cut\"")
        .rule("find = \"leak/registered\"\nin = \"answer\"\ndo = \"allow\"")
        .rule("find = \"leak/record\"\nin = \"answer\"\ndo = \"mask\"")
        .write();
    fs::create_dir(home.path("docs")).expect("a folder");
    home.put("docs/lending.txt", LENDING);
    home.put("docs/short.txt", "Too short to tell.");
    home.put("customers.csv", CUSTOMERS);
    let missing = within(&home, &["check"]);
    assert_eq!(missing.status.code(), Some(64), "{}", said(&missing));
    assert!(said(&missing).contains("countersign documents index"), "{}", said(&missing));
    assert!(index(&home, "docs", "terms", "documents").contains("left out: 1 texts that are too short"));
    index(&home, "customers.csv", "crm", "records");
    for command in [&["check"][..], &["doctor", "--offline"]] {
        let output = within(&home, command);
        assert!(
            said(&output).contains("`terms` registers 1 texts") && said(&output).contains("`crm` registers"),
            "{}",
            said(&output)
        );
    }
    let (staff, committee) = (home.key("alice", "staff"), home.key_of("person", "carol", &["staff", "committee"]));
    let gateway = home.serve();

    let quote = format!("As the rules say: {}.", words(LENDING, 10, 22));
    let copy =
        format!("Here it is in full: {} And more besides.", words(LENDING, 5, 48).to_uppercase().replace(' ', "\n"));
    for stream in [false, true] {
        let answer = ask(&gateway, &staff, &quote, stream);
        assert!(answer.status == 200 && answer.complete, "a short quote may be made: {}", answer.text());
        let answer = ask(&gateway, &staff, &copy, stream);
        assert_eq!(answer.code().as_deref(), Some("CS0502"), "{}", answer.text());
        let reached = told(&answer).to_lowercase();
        assert!(reached.matches(char::is_whitespace).count() < 40 && !reached.contains("nine working"), "{reached}");
        assert!(!answer.text().contains("terms") && !answer.text().contains("lending"), "{}", answer.text());
        let answer = ask(&gateway, &committee, &copy, stream);
        assert!(answer.status == 200 && answer.complete, "the committee may read it: {}", answer.text());
        let record = "The file says: Chiara Lombardini (customer KX-4711002), as you asked.";
        let answer = ask(&gateway, &staff, record, stream);
        let reached = if stream { told(&answer) } else { answer.text() };
        assert!(reached.contains("[masked:document-leak]") && !reached.contains("Lombardini"), "{reached}");
        assert!(reached.contains("as you asked"), "{reached}");
    }

    // Another index takes its place without a restart.
    let answer = ask(&gateway, &staff, LATER, false);
    assert_eq!(answer.status, 200, "{}", answer.text());
    fs::write(gateway.home.path("docs/later.txt"), LATER).expect("a document");
    index(&gateway.home, "docs", "terms", "documents");
    gateway.hangup();
    let _ = gateway.logged("reloaded");
    assert_eq!(ask(&gateway, &staff, LATER, false).code().as_deref(), Some("CS0502"));

    let (_, home) = gateway.stop();
    let records = home.must(&["audit", "export"]);
    for (source, count) in [("terms: docs/lending.txt", 6), ("crm: customers.csv:3", 2), ("terms: docs/later.txt", 1)] {
        assert_eq!(records.matches(&format!("\"source\":\"{source}\"")).count(), count, "{source}: {records}");
    }
    let outcome = records.lines().find(|line| line.contains("CS0502")).expect("an outcome");
    assert!(outcome.contains("\"words\":30"), "cut at the thirtieth word: {outcome}");
    let id = outcome.split("\"request\":\"").nth(1).and_then(|rest| rest.split('"').next()).expect("an id");
    let explained = home.must(&["explain", id]);
    assert!(explained.contains("30 words of `terms: docs/lending.txt`"), "{explained}");

    let checked = within(&home, &["documents", "check", &copy]);
    assert_eq!(checked.status.code(), Some(1), "{}", said(&checked));
    assert!(said(&checked).contains("48 words of `terms: docs/lending.txt`"), "{}", said(&checked));
    assert!(within(&home, &["documents", "check", "nothing of the kind"]).status.success());
    // An index that was changed serves nobody.
    let mut bytes = fs::read(home.path("terms.idx")).expect("an index");
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    fs::write(home.path("terms.idx"), bytes).expect("a damaged index");
    for command in ["check", "serve"] {
        let refused = within(&home, &[command]);
        assert_eq!(refused.status.code(), Some(64), "{}", said(&refused));
        assert!(said(&refused).contains("terms.idx") && said(&refused).contains("damaged"), "{}", said(&refused));
    }
}
