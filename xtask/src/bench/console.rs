//! `cargo xtask bench console`: how long the console's lists and pages take with many requests at hand.
//!
//! The binary is the debug build, or what `COUNTERSIGN_BINARY` names.

use std::{
    io::Write,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use countersign_testkit::{Deployment, Plan, Reply, Upstream, chat_answer, request};
use serde_json::{Value, json};

use crate::shell;

pub(crate) fn console(requests: usize) -> anyhow::Result<()> {
    let upstream = Upstream::start(|_| Reply::json(200, &chat_answer("Yes.")));
    let home = Plan::new()
        .target("openai", &upstream, &["m"])
        .admin()
        .telemetry("level = \"info\"")
        .policy(POLICY)
        .rates("per_minute = 100000000\nburst = 100000000\nconcurrent = 1000")
        .write();
    let key = home.key("olga", "officer");
    let gateway = home.serve();
    fill(&gateway, &key, requests)?;
    let rates = "/admin/v1/traffic/rates?spans=60&seconds=60";
    let held = loop {
        let held = get(&gateway, &key, rates)?.get("held").and_then(Value::as_u64).unwrap_or_default();
        if held >= requests.min(100_000) as u64 {
            break held;
        }
        std::thread::sleep(Duration::from_millis(200));
    };
    shell::say(&format!("{held} requests at hand"));
    shell::say("what                                 | p50 ms | p99 ms | max ms");
    for (name, path) in [
        ("first page", "/admin/v1/traffic?limit=50"),
        ("by somebody who asked nothing", "/admin/v1/traffic?limit=50&who=nobody"),
        ("by a finding that nobody met", "/admin/v1/traffic?limit=50&found=canary"),
        ("by outcome", "/admin/v1/traffic?limit=50&outcome=answered"),
        ("rates of an hour", rates),
    ] {
        let mut took = Vec::new();
        for _ in 0..ROUNDS {
            let begun = Instant::now();
            get(&gateway, &key, path)?;
            took.push(begun.elapsed());
        }
        took.sort_unstable();
        let at = |share: usize| took.get((took.len() - 1) * share / 100).map_or(0.0, |t| t.as_secs_f64() * 1000.0);
        shell::say(&format!("{name:36} | {:6.1} | {:6.1} | {:6.1}", at(50), at(99), at(100)));
    }
    let stage = json!({
        "tls": format!("https://{}", gateway.tls),
        "clear": format!("http://{}", gateway.clear),
        "key": key,
        "chromium": "/usr/bin/chromium",
        "paint": true,
    });
    let mut node = Command::new("node")
        .arg(shell::root().join("e2e/clients/console.mjs"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("node cannot be started")?;
    node.stdin.take().context("a pipe")?.write_all(stage.to_string().as_bytes())?;
    let output = node.wait_with_output()?;
    ensure!(output.status.success(), "the browser failed: {}", String::from_utf8_lossy(&output.stdout));
    shell::say(&format!("in Chromium, milliseconds: {}", String::from_utf8_lossy(&output.stdout)));
    Ok(())
}

/// Asks as many questions as there are to be requests at hand.
fn fill(gateway: &Deployment, key: &str, requests: usize) -> anyhow::Result<()> {
    let bearer = format!("Bearer {key}");
    let body = json!({"model": "m", "messages": [{"role": "user", "content": "Is the shop open?"}]}).to_string();
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let ask = request("POST", "/v1/chat/completions", &headers, body.as_bytes());
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..WORKERS)
            .map(|_| {
                scope.spawn(|| -> anyhow::Result<()> {
                    let mut client = gateway.client();
                    for _ in 0..requests / WORKERS + 1 {
                        client.send(&ask)?;
                        let answer = client.answer()?.context("the gateway answers")?;
                        ensure!(answer.status == 200, "{}", answer.text());
                    }
                    Ok(())
                })
            })
            .collect();
        workers.into_iter().try_for_each(|worker| worker.join().unwrap_or_else(|_| anyhow::bail!("a caller panicked")))
    })
}

fn get(gateway: &Deployment, key: &str, path: &str) -> anyhow::Result<Value> {
    let answer = gateway.get(path, key);
    ensure!(answer.status == 200, "{}", answer.text());
    Ok(answer.json())
}

const POLICY: &str = r#"
permit (principal, action in [Countersign::Action::"ask", Countersign::Action::"receive"], resource);
permit (
    principal,
    action in [
        Countersign::Action::"openConsole", Countersign::Action::"readTraffic", Countersign::Action::"observe",
        Countersign::Action::"listKeys", Countersign::Action::"revokeKey"
    ],
    resource
);
"#;
const WORKERS: usize = 8;
const ROUNDS: usize = 100;
