//! kill -9 at 200 random moments under load: whatever a caller was answered is on record, the log verifies, and the gateway
//! starts again every time.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::OpenOptions,
    io::Write,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use countersign_testkit::{Client, Deployment, Home, Plan, Reply, Upstream, chat_answer, chat_ask, request, until};
use serde_json::{Value, json};

/// Deployments that are killed side by side, how often each, and by how many callers each is kept busy.
const DEPLOYMENTS: u64 = 4;
const KILLS: u64 = 50;
const CALLERS: usize = 4;
const SEED: u64 = 0x5eed_0c4a_54ed;

/// What callers were told, by request: the status.
type Told = Arc<Mutex<BTreeMap<String, u16>>>;

#[test]
fn no_answered_request_is_lost_when_the_gateway_is_killed() {
    let ends: Vec<(usize, Log)> = thread::scope(|scope| {
        let runs: Vec<_> = (0..DEPLOYMENTS).map(|n| scope.spawn(move || deployment(SEED + n))).collect();
        runs.into_iter().map(|run| run.join().expect("no deployment lost anything")).collect()
    });
    let told: usize = ends.iter().map(|(told, _)| told).sum();
    let records: usize = ends.iter().map(|(_, log)| log.records).sum();
    let torn: u64 = ends.iter().map(|(_, log)| log.torn).sum();
    let kills = DEPLOYMENTS * KILLS;
    print(&format!(
        "{kills} kills, {told} answers, {records} records, {torn} bytes torn; no answer without its record"
    ));
    assert!(told as u64 > kills, "the gateways were hardly busy: {told} answers");
}

/// The lives of one deployment: how many answers its callers had, and what its log says.
fn deployment(seed: u64) -> (usize, Log) {
    let mut dice = Dice(seed);
    let upstream = Upstream::start(|asked| {
        if asked.json()["stream"] == true {
            let event = |delta: Value, end: Value| {
                let choices = json!([{"index": 0, "delta": delta, "finish_reason": end}]);
                format!(
                    "data: {}\n\n",
                    json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices})
                )
            };
            let end = event(json!({}), "stop".into());
            let words = (0..8).map(|n| event(json!({"content": format!("word {n} ")}), Value::Null));
            return Reply::events(words.chain([end, "data: [DONE]\n\n".to_owned()]));
        }
        Reply::json(200, &chat_answer("as you say"))
    });
    let plan = Plan::new().target("openai", &upstream, &["m"]).telemetry("level = \"info\"");
    let mut home = plan.write();
    let key = home.key("alice", "staff");
    let told = Told::default();
    for kill in 0..KILLS {
        home = life(home, &key, &told, &mut dice);
        if kill % 10 == 0 {
            let verified = home.run(&["audit", "verify"]);
            let said = String::from_utf8_lossy(&verified.stderr);
            assert!(verified.status.success(), "seed {seed:#x}, after kill {kill}: {said}");
        }
    }
    // One last life that ends well.
    let (status, home) = home.serve().stop();
    assert!(status.success());
    verified(&home);

    let log = Log::of(&home);
    let told = told.lock().unwrap_or_else(PoisonError::into_inner);
    for (id, status) in told.iter() {
        let held = if *status == 200 { &log.intents } else { &log.refused };
        assert!(held.contains(id), "seed {seed:#x}: {id} was answered with {status} and is not on record");
    }
    // More often where a port was lost to somebody else and another was tried.
    assert!(log.opened as u64 > KILLS, "{} starts on record", log.opened);
    (told.len(), log)
}

/// Serves busy callers until a random moment.
fn life(home: Home, key: &str, told: &Told, dice: &mut Dice) -> Home {
    let gateway = home.serve();
    let address = gateway.clear;
    let over = AtomicBool::new(false);
    let answers = AtomicUsize::new(0);
    let enough = 1 + dice.below(25);
    let moment = Duration::from_micros(dice.below(3_000) as u64);
    // All are connected before the first can end this life.
    let clients: Vec<_> = (0..CALLERS).map(|_| Client::clear(address)).collect();
    thread::scope(|scope| {
        for (n, mut client) in clients.into_iter().enumerate() {
            let (over, answers, told) = (&over, &answers, told.clone());
            scope.spawn(move || {
                // A connection that breaks is the end of this life.
                for turn in n.. {
                    if over.load(Ordering::Relaxed) || !ask(&mut client, key, turn, &told) {
                        return;
                    }
                    answers.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        until("enough answers", || (answers.load(Ordering::Relaxed) >= enough).then_some(()));
        // Not to wait for something: to be killed somewhere in between.
        thread::sleep(moment);
        let home = gateway.kill();
        over.store(true, Ordering::Relaxed);
        home
    })
}

/// One request; whether the connection serves on.
fn ask(client: &mut Client, key: &str, turn: usize, told: &Told) -> bool {
    let mut body = chat_ask("a word, please");
    match turn % 3 {
        0 => {}
        1 => body["stream"] = true.into(),
        // Refused, which is a record as well.
        _ => body["model"] = Value::Null,
    }
    let bearer = format!("Bearer {key}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let bytes = request("POST", "/v1/chat/completions", &headers, body.to_string().as_bytes());
    if client.send(bytes).is_err() {
        return false;
    }
    let Ok(Some(answer)) = client.answer() else { return false };
    // A head that reached the caller is an answer, whether or not its body came to its end.
    let id = answer.header("x-request-id").expect("every answer names its request").to_owned();
    told.lock().unwrap_or_else(PoisonError::into_inner).insert(id, answer.status);
    assert!(matches!(answer.status, 200 | 400), "{answer:?}");
    answer.complete
}

/// A tail that was torn is cut off at the next start, and that is on record.
#[test]
fn a_torn_tail_is_found_and_recorded() {
    let upstream = Upstream::start(|_| Reply::json(200, &chat_answer("as you say")));
    let home = Plan::new().target("openai", &upstream, &["m"]).write();
    let key = home.key("alice", "staff");
    let gateway = home.serve();
    good(&gateway, &key);
    let (_, home) = gateway.stop();
    assert_eq!(Log::of(&home).torn, 0);

    // A crash in the middle of a write leaves the beginning of a record.
    let journal = newest(&home);
    let bytes = std::fs::read(&journal).expect("a journal");
    let mut file = OpenOptions::new().append(true).open(&journal).expect("a journal");
    file.write_all(&bytes[..90]).expect("a disk");
    drop(file);
    verified(&home);

    let gateway = home.serve();
    good(&gateway, &key);
    let (_, home) = gateway.stop();
    verified(&home);
    let log = Log::of(&home);
    assert_eq!((log.torn, log.opened, log.intents.len()), (90, 2, 2));
}

fn good(gateway: &Deployment, key: &str) {
    let answer = gateway.post("/v1/chat/completions", key, &chat_ask("a word, please"));
    assert_eq!(answer.status, 200, "{}", answer.text());
}

/// The log verifies.
fn verified(home: &Home) {
    let said = home.must(&["audit", "verify"]);
    assert!(!said.is_empty());
}

fn newest(home: &Home) -> std::path::PathBuf {
    let journal = std::fs::read_dir(home.path("state/audit/journal")).expect("a journal");
    journal.map(|entry| entry.expect("a file").path()).max().expect("a segment")
}

/// What the log says.
#[derive(Debug, Default)]
struct Log {
    records: usize,
    opened: usize,
    intents: BTreeSet<String>,
    refused: BTreeSet<String>,
    /// Bytes of torn tails.
    torn: u64,
}

impl Log {
    fn of(home: &Home) -> Self {
        let mut log = Self::default();
        for line in home.must(&["audit", "export"]).lines() {
            let line: Value = serde_json::from_str(line).expect("JSON");
            let record = &line["record"];
            let id = |kind: &str| record[kind]["request"].as_str().map(str::to_owned);
            log.records += 1;
            log.opened += usize::from(record["opened"].is_object());
            log.torn += record["opened"]["torn"]["bytes"].as_u64().unwrap_or_default();
            log.intents.extend(id("intent"));
            log.refused.extend(id("refused"));
        }
        log
    }
}

/// A repeatable source of numbers (splitmix64).
struct Dice(u64);

impl Dice {
    const fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 33) as usize % bound
    }
}

#[expect(clippy::print_stdout, reason = "shown with --nocapture")]
fn print(text: &str) {
    println!("{text}");
}
