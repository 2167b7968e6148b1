//! What is on record is proved to others, witnessed by others and handed on to others.

mod archive;
mod export;
mod rsyslog;

use std::{fs, path::PathBuf};

use countersign_testkit::{Deployment, Home, Plan, Reply, Upstream, chat_answer, chat_ask, request, until};

fn upstream() -> Upstream {
    Upstream::start(|_| Reply::json(200, &chat_answer("as you say")))
}

/// The id of a request that was answered.
fn asked(gateway: &Deployment, key: &str) -> String {
    let answer = gateway.post("/v1/chat/completions", key, &chat_ask("hello"));
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.header("x-request-id").expect("an id").to_owned()
}

/// What `doctor` says of a key: the one that stands behind `about`.
fn public_key(home: &Home, about: &str) -> String {
    let said = String::from_utf8(home.run(&["doctor", "--offline"]).stdout).expect("text");
    let line = said
        .lines()
        .find(|line| line.contains(about) && line.contains("public key "))
        .unwrap_or_else(|| panic!("{said}"));
    line.split("public key ").nth(1).expect("a key").trim().to_owned()
}

fn proofs(folder: &std::path::Path) -> Vec<PathBuf> {
    let mut files: Vec<_> =
        fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("a file").path()).collect();
    files.sort();
    files
}

#[test]
fn what_became_of_a_request_is_proved_offline_and_no_changed_file_is_believed() {
    let upstream = upstream();
    let gateway = Plan::new().target("openai", &upstream, &["m"]).serve();
    let key = gateway.home.key("alice", "staff");
    let id = until("a first answer", || (gateway.get("/v1/models", &key).status == 200).then(|| asked(&gateway, &key)));
    let home = gateway.stop().1;
    let kept = home.scratch().join("older");
    fs::copy(home.path("state/audit/checkpoint"), &kept).expect("a checkpoint");
    let folder = home.scratch().join("proofs");
    fs::create_dir(&folder).expect("a folder");
    let to = folder.to_str().expect("a path");
    let _ = home.must(&["audit", "prove", &id, "--to", to]);
    let files = proofs(&folder);
    assert_eq!(files.len(), 2, "the intent and the outcome: {files:?}");

    // Whoever checks has the public key and the files, and nothing else.
    let log = public_key(&home, "audit");
    for file in &files {
        let file = file.to_str().expect("a path");
        let said = home.must(&["audit", "verify-proof", file, "--key", &log]);
        assert!(said.contains(&id) && said.contains("proved"), "{said}");
        let text = fs::read_to_string(file).expect("text");
        let changed = text.replacen("index ", "index 1", 1);
        fs::write(file, changed).expect("written");
        let refused = home.run(&["audit", "verify-proof", file, "--key", &log]);
        assert_eq!(refused.status.code(), Some(74));
        assert!(String::from_utf8_lossy(&refused.stderr).contains("CS0602"));
    }

    // The log goes on, and shows that it only grew.
    let gateway = home.serve();
    until("a further answer", || (gateway.get("/v1/models", &key).status == 200).then(|| asked(&gateway, &key)));
    let home = gateway.stop().1;
    let (kept, grown) = (kept.to_str().expect("a path"), home.scratch().join("grown"));
    fs::create_dir(&grown).expect("a folder");
    let _ = home.must(&["audit", "prove", "--since", kept, "--to", grown.to_str().expect("a path")]);
    let file = proofs(&grown).remove(0);
    let said = home.must(&["audit", "verify-proof", file.to_str().expect("a path"), "--since", kept, "--key", &log]);
    assert!(said.contains("only grew"), "{said}");
}

/// Three nodes, of which each has the others for witnesses.
#[test]
fn three_nodes_witness_each_other_and_a_log_that_was_cut_is_found_out() {
    let upstream = upstream();
    // A key makes the state, and with it the keys that the others need.
    let states: Vec<Home> = (1..=3).map(|n| node(n, &upstream, "").write()).collect();
    states.iter().for_each(|home| drop(home.key("nobody", "staff")));
    let logs: Vec<String> = states.iter().map(|home| public_key(home, "audit")).collect();
    let witnesses: Vec<String> = states.iter().map(|home| public_key(home, "witness")).collect();
    let ports: Vec<u16> = (0..3).map(|_| free_port()).collect();
    let homes: Vec<Home> = (0..3)
        .map(|n| {
            let others = || (0..3).filter(move |other| *other != n);
            let cosigns: Vec<_> = others().map(|other| &logs[other]).collect();
            let mut more = format!(
                "[[listener]]\nname = \"peers\"\naddress = \"127.0.0.1:{}\"\n{CLEAR}admin = true\n[audit]\ncosigns = {cosigns:?}\n",
                ports[n]
            );
            for other in others() {
                let (key, port) = (&witnesses[other], ports[other]);
                more += &format!("[[audit.witness]]\nkey = {key:?}\nurl = \"http://127.0.0.1:{port}/witness\"\n{CLEAR}");
            }
            let home = node(n + 1, &upstream, &more).write();
            let _ = fs::remove_dir_all(home.path("state"));
            fs::rename(states[n].path("state"), home.path("state")).expect("the state is moved");
            home
        })
        .collect();
    let keys: Vec<String> = homes.iter().map(|home| home.key("alice", "staff")).collect();
    let mut nodes: Vec<Deployment> = homes.into_iter().map(Home::serve).collect();
    let id =
        until("an answer", || (nodes[0].get("/v1/models", &keys[0]).status == 200).then(|| asked(&nodes[0], &keys[0])));
    // A proof that both others have cosigned.
    let home = nodes[0].home.clone();
    let folder = home.scratch().join("proofs");
    fs::create_dir(&folder).expect("a folder");
    until("cosignatures", || {
        let proved = home.run(&["audit", "prove", &id, "--to", folder.to_str()?]);
        let file = proofs(&folder).pop().filter(|_| proved.status.success())?;
        let arguments = [
            "audit",
            "verify-proof",
            file.to_str()?,
            "--key",
            &logs[0],
            "--witness",
            &witnesses[1],
            "--witness",
            &witnesses[2],
        ];
        home.run(&arguments).status.success().then_some(())
    });
    assert!(home.must(&["audit", "verify"]).contains("verified"));
    let observer = home.key("olga", "observer");
    until("metrics of both witnesses", || {
        let metrics = nodes[0].get("/metrics", &observer);
        let metrics = String::from_utf8_lossy(&metrics.body).into_owned();
        let told = |n| {
            metrics.contains(&format!("\ncountersign_witness_cosigned_time_seconds{{witness=\"node-{n}/witness\"}} "))
        };
        (told(2) && told(3)).then_some(())
    });

    // Somebody puts an older state of the log in place of what it became. The gateway itself cannot tell; its witnesses do.
    let older = home.scratch().join("older-audit");
    let first = nodes.remove(0).stop().1;
    copy(&first.path("state/audit"), &older);
    let again = first.serve();
    until("an answer", || (again.get("/v1/models", &keys[0]).status == 200).then(|| asked(&again, &keys[0])));
    let size = |home: &Home| checkpoint_size(&home.path("state/audit/checkpoint.witnessed"));
    let before = checkpoint_size(&older.join("checkpoint"));
    until("what came since to be cosigned", || (size(&again.home)? > before?).then_some(()));
    let first = again.kill();
    fs::remove_dir_all(first.path("state/audit")).expect("removed");
    copy(&older, &first.path("state/audit"));
    let rolled_back = first.serve();
    until("the alarm", || {
        let log = rolled_back.log();
        (log.contains("the log was cut") || log.contains("the log was rewritten")).then_some(())
    });
    // And the others go on with each other.
    assert_eq!(nodes[0].post("/v1/chat/completions", &keys[1], &chat_ask("hello")).status, 200);
}

fn node(n: usize, upstream: &Upstream, more: &str) -> Plan {
    Plan::new().target("openai", upstream, &["m"]).top(&format!("node = \"node-{n}\"")).more(more)
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port()
}

fn checkpoint_size(file: &std::path::Path) -> Option<u64> {
    fs::read_to_string(file).ok()?.lines().nth(1)?.parse().ok()
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("copied");
        }
    }
}

/// Asks the admin API.
fn admin(gateway: &Deployment, key: &str, path: &str) -> String {
    let bearer = format!("Bearer {key}");
    let answer = gateway.exchange(&request("GET", path, &[("authorization", &bearer)], b""));
    String::from_utf8_lossy(&answer.body).into_owned()
}

const CLEAR: &str = "cleartext = \"i-accept-cleartext-on-loopback\"\n";
