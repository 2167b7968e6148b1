//! The same through the official SDKs, over TLS: what a program that uses them sees.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use countersign_testkit::Reply;
use serde_json::{Value, json};

use crate::{
    Action, Stage,
    script::{self, Api, Channel},
    secret::{Dice, Secret, pieces},
};

/// One exchange and what must come of it.
struct Case {
    scenario: Value,
    channel: Channel,
    expected: Expected,
}

enum Expected {
    Said(String),
    Raised(Secret),
}

pub(crate) fn drive(stage: &Stage) {
    let Some(programs) = programs() else { return };
    for (name, program) in programs {
        for action in Action::ALL {
            let cases = cases(stage, action, name);
            let results = run(stage, &program, &stage.keys[action.role()], &cases);
            assert_eq!(results.len(), cases.len());
            for (case, result) in cases.iter().zip(&results) {
                check(&format!("{name} {action:?} {}", case.scenario), case, result);
            }
        }
    }
}

/// For every API, channel and way of answering: a clean answer and secrets of both kinds, in a few cuts.
fn cases(stage: &Stage, action: Action, program: &str) -> Vec<Case> {
    let mut dice = Dice::new(7);
    let mut cases = Vec::new();
    for api in Api::ALL {
        for channel in Channel::ALL {
            for stream in [false, true] {
                let mut add = |reply: Reply, expected| {
                    let prompt = format!("{program} {} {}", action.role(), cases.len());
                    stage.script(&prompt, reply);
                    let scenario = json!({"api": api.name(), "model": api.model(), "prompt": prompt, "stream": stream});
                    cases.push(Case { scenario, channel, expected });
                };
                let reply = |words: &str, secret: &str, cuts: &[usize]| match stream {
                    false => script::whole(api, channel, words),
                    true => {
                        Reply::events(script::events(api, channel, &pieces(&channel.dress(words), secret, cuts, false)))
                    }
                };
                let clean = "Nothing here that anybody would mind.";
                add(reply(clean, "that anybody", &[1, 3, 5, 7, 9]), Expected::Said(channel.dress(clean)));
                for _ in 0..if stream { 3 } else { 1 } {
                    for secret in [dice.aws_key(), dice.card()] {
                        let words = secret.words();
                        let reply = reply(&words, &secret.text, &dice.cuts(secret.text.len()));
                        let expected = match action {
                            Action::Mask => Expected::Said(channel.dress(&secret.masked())),
                            _ => Expected::Raised(secret),
                        };
                        add(reply, expected);
                    }
                }
            }
        }
    }
    cases
}

fn check(what: &str, case: &Case, result: &Value) {
    let channel = match case.channel {
        Channel::Text => "text",
        Channel::Arguments => "arguments",
    };
    match &case.expected {
        Expected::Said(words) => {
            assert_eq!(result["ended"], "normally", "{what}: {result}");
            let said = result[channel].as_str().unwrap_or_default();
            // Some SDKs hand arguments on as values, so that spelling is theirs.
            match case.channel {
                Channel::Text => assert_eq!(said, words, "{what}"),
                Channel::Arguments => assert_eq!(parse(said), parse(words), "{what}: {result}"),
            }
            assert!(result["finish"].is_string(), "{what}: {result}");
        }
        Expected::Raised(secret) => {
            let bases = result["bases"].as_array().cloned().unwrap_or_default();
            assert!(bases.iter().any(|b| b == "APIError"), "{what}: {result}");
            assert!(!result.to_string().contains(&secret.text), "{what}: {result}");
            assert!(secret.most_of(&result.to_string()) <= super::ALONE, "{what}: {result}");
            let class = result["ended"].as_str().unwrap_or_default();
            if case.scenario["stream"] == false {
                assert_eq!((class, &result["status"]), ("PermissionDeniedError", &json!(403)), "{what}: {result}");
            }
            assert!(result["message"].as_str().unwrap_or_default().contains("CS0502"), "{what}: {result}");
        }
    }
}

fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

fn run(stage: &Stage, program: &[PathBuf], key: &str, cases: &[Case]) -> Vec<Value> {
    let ca = stage.gateway.home.path("tls/chain.pem");
    let mut command = Command::new(&program[0]);
    command
        .args(&program[1..])
        .arg(format!("https://localhost:{}", stage.gateway.tls.port()))
        .arg(key)
        .arg(&ca)
        .env("NODE_EXTRA_CA_CERTS", &ca)
        .env("NO_PROXY", "localhost")
        .env("no_proxy", "localhost")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut process = command.spawn().expect("the driver starts");
    let scenarios: Value = cases.iter().map(|c| c.scenario.clone()).collect();
    let mut stdin = process.stdin.take().expect("a pipe");
    stdin.write_all(scenarios.to_string().as_bytes()).expect("the driver reads");
    drop(stdin);
    let output = process.wait_with_output().expect("the driver ends");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("results in JSON")
}

/// The drivers; none where the SDKs are not installed, which is allowed outside CI alone.
fn programs() -> Option<[(&'static str, Vec<PathBuf>); 2]> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let clients = root.join("e2e/clients");
    let python = root.join(".tools/venv/bin/python");
    if !python.exists() || !clients.join("node_modules/openai").exists() {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "the SDKs are not installed: run `cargo xtask test`");
        #[expect(clippy::print_stderr, reason = "a test that was skipped says so")]
        {
            eprintln!("SKIPPED: the official SDKs are not installed; `cargo xtask test` installs them");
        }
        return None;
    }
    Some([("python", vec![python, clients.join("drive.py")]), ("node", vec!["node".into(), clients.join("drive.mjs")])])
}
