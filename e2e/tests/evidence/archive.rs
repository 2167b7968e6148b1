//! The log is copied to object storage (moto), checkpoints are locked there, and whatever was changed on either side is found.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use countersign_testkit::{Deployment, Home, Plan, Upstream, until};
use data_encoding::BASE64;
use serde_json::{Value, json};

use super::{asked, checkpoint_size, copy, public_key, upstream};

/// Object storage as moto imitates it, in a process of its own.
struct Storage {
    process: Child,
    into: ChildStdin,
    from: BufReader<ChildStdout>,
    told: Value,
}

impl Storage {
    fn start() -> Option<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let python = root.join(".tools/kms/bin/python");
        if !python.exists() {
            assert!(std::env::var("CI").as_deref() != Ok("true"), "moto is not installed: run `cargo xtask test`");
            #[expect(clippy::print_stderr, reason = "a test that was skipped says so")]
            {
                eprintln!("SKIPPED: moto is not installed; `cargo xtask test` installs it");
            }
            return None;
        }
        let mut process = Command::new(python)
            .arg(root.join("e2e/clients/bucket.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Python runs");
        let (into, from) = (process.stdin.take().expect("a pipe"), process.stdout.take().expect("a pipe"));
        let mut storage = Self { process, into, from: BufReader::new(from), told: Value::Null };
        storage.told = storage.line();
        Some(storage)
    }

    fn line(&mut self) -> Value {
        let mut line = String::new();
        self.from.read_line(&mut line).expect("a line");
        serde_json::from_str(&line).expect("moto is there")
    }

    /// A call by somebody who may do everything.
    fn call(&mut self, call: &str, args: Value) -> Value {
        writeln!(self.into, "{}", json!({"call": call, "args": args})).expect("it reads");
        self.line()
    }

    fn say(&self, name: &str) -> &str {
        self.told[name].as_str().expect("a text")
    }

    fn plan(&self, upstream: &Upstream, bucket: &str) -> Plan {
        let more = format!(
            "[audit.archive]\nbucket = {bucket:?}\nregion = \"eu-central-1\"\nendpoint = {:?}\nprefix = \"logs\"\nseconds = 1\n\
             [audit.archive.lock]\ndays = 7\nminutes = 1\n",
            self.say("url")
        );
        Plan::new()
            .target("openai", upstream, &["m"])
            .more(&more)
            .env("AWS_ACCESS_KEY_ID", self.say("id"))
            .env("AWS_SECRET_ACCESS_KEY", self.say("secret"))
    }

    /// All versions of the anchors.
    fn anchors(&mut self) -> Vec<(String, String)> {
        let prefix = format!("{ROOT}/anchor/");
        let told = self.call("list_object_versions", json!({"Bucket": "evidence", "Prefix": prefix}));
        let versions = told["Versions"].as_array().cloned().unwrap_or_default();
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        versions.iter().map(|version| (text(&version["Key"]), text(&version["VersionId"]))).collect()
    }

    fn body(&mut self, key: &str) -> Vec<u8> {
        let told = self.call("get_object", json!({"Bucket": "evidence", "Key": key}));
        BASE64.decode(told["Body"].as_str().unwrap_or_else(|| panic!("{told}")).as_bytes()).expect("base64")
    }

    fn put(&mut self, key: &str, body: &[u8]) {
        let body = BASE64.encode(body);
        let told = self.call("put_object", json!({"Bucket": "evidence", "Key": key, "Body": body}));
        assert_eq!(told["error"], Value::Null, "{told}");
    }
}

impl Drop for Storage {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Asks something, and waits until the archive has all that the log has.
fn archived(gateway: &Deployment, key: &str, more: usize) -> u64 {
    until("a first answer", || (gateway.get("/v1/models", key).status == 200).then_some(()));
    for _ in 0..more {
        asked(gateway, key);
    }
    until("the archive to have it", || {
        let size = checkpoint_size(&gateway.home.path("state/audit/checkpoint"))?;
        let said = said(&gateway.home, &["audit", "verify", "--archive"]);
        let all = format!("verified: {size} records in the archive hold; the log has {size}");
        said.contains(&all).then_some(size)
    })
}

fn said(home: &Home, arguments: &[&str]) -> String {
    let output = home.run(arguments);
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn the_log_is_archived_through_kills_and_nobody_takes_a_locked_checkpoint_back() {
    let Some(mut storage) = Storage::start() else { return };
    let upstream = upstream();
    let mut gateway = storage.plan(&upstream, "evidence").serve();
    let key = gateway.home.key("alice", "staff");
    let mut size = archived(&gateway, &key, 3);
    // Killed in whatever it does just now, it goes on where the copy ends.
    for _ in 0..3 {
        asked(&gateway, &key);
        gateway = gateway.kill().serve();
        let now = archived(&gateway, &key, 1);
        assert!(now > size);
        size = now;
    }
    let anchors = until("a locked checkpoint", || Some(storage.anchors()).filter(|anchors| !anchors.is_empty()));
    let (name, version) = anchors[0].clone();
    let head = storage.call("head_object", json!({"Bucket": "evidence", "Key": name}));
    assert_eq!(head["ObjectLockMode"], "COMPLIANCE", "{head}");
    let args = json!({"Bucket": "evidence", "Key": name, "VersionId": version});
    assert_eq!(storage.call("delete_object", args)["error"], "AccessDenied");
    let args = json!({"Bucket": "evidence", "Key": name, "Body": "", "IfNoneMatch": "*"});
    assert_eq!(storage.call("put_object", args)["error"], "PreconditionFailed");
    let doctor = said(&gateway.home, &["doctor"]);
    assert!(doctor.contains("records") && doctor.contains("for 7 days (COMPLIANCE)"), "{doctor}");
    let observer = gateway.home.key("olga", "observer");
    let metrics = until("metrics", || {
        let metrics = gateway.get("/metrics", &observer);
        (metrics.status == 200).then(|| String::from_utf8_lossy(&metrics.body).into_owned())
    });
    for name in ["copied_records", "behind_records", "anchored_records", "anchored_time_seconds"] {
        assert!(metrics.contains(&format!("\ncountersign_archive_{name}{{}} ")), "{metrics}");
    }

    // An auditor with the public key and the right to read there needs nothing else.
    let log = public_key(&gateway.home, "audit");
    let verified = said(&gateway.home, &["audit", "verify", "--archive", "--key", &log]);
    assert!(
        verified.contains("not held against the log") && verified.contains("locked checkpoints hold"),
        "{verified}"
    );

    // Somebody who may write there hides the anchor, then writes another over it. Both are found, and what is locked is still read.
    let told = storage.call("delete_object", json!({"Bucket": "evidence", "Key": name}));
    assert_eq!(told["error"], Value::Null, "{told}");
    let hidden = said(&gateway.home, &["audit", "verify", "--archive"]);
    assert!(hidden.contains("overwritten or hidden") && hidden.contains("CS1004"), "{hidden}");
    storage.put(&name, b"another");
    let over = said(&gateway.home, &["audit", "verify", "--archive"]);
    assert!(over.contains("not a signed note") && over.contains("overwritten or hidden"), "{over}");
    assert!(said(&gateway.home, &["doctor"]).contains("WRONG archive"));
    gateway.stop();
}

#[test]
fn what_was_changed_in_the_archive_or_in_the_log_is_found() {
    let Some(mut storage) = Storage::start() else { return };
    let upstream = upstream();
    let gateway = storage.plan(&upstream, "evidence").serve();
    let key = gateway.home.key("alice", "staff");
    archived(&gateway, &key, 2);
    let older = gateway.home.scratch().join("older");
    let (_, home) = gateway.stop();
    copy(&home.path("state/audit"), &older);
    let before = checkpoint_size(&older.join("checkpoint")).expect("a size");
    let gateway = home.serve();
    let size = archived(&gateway, &key, 2);
    let (_, home) = gateway.stop();

    // One record in the archive: found, and named.
    let bundle = format!("{ROOT}/tile/entries/000.p/{size}");
    let bytes = storage.body(&bundle);
    let mut changed = bytes.clone();
    *changed.last_mut().expect("bytes") ^= 1;
    storage.put(&bundle, &changed);
    let found = said(&home, &["audit", "verify", "--archive"]);
    assert!(found.contains(&format!("record {}: ", size - 1)) && found.contains("CS1004"), "{found}");
    storage.put(&bundle, &bytes);
    // An older state of the archive.
    let checkpoint = storage.body(&format!("{ROOT}/checkpoint"));
    let note = fs::read(older.join("checkpoint")).expect("a note");
    storage.put(&format!("{ROOT}/checkpoint"), b"nobody's");
    assert!(said(&home, &["audit", "verify", "--archive"]).contains("not a signed note"));
    storage.put(&format!("{ROOT}/checkpoint"), &checkpoint);

    // The log is put back to what it was: verify says so, and a gateway does not copy it over what was copied.
    fs::remove_dir_all(home.path("state/audit")).expect("removed");
    copy(&older, &home.path("state/audit"));
    let found = said(&home, &["audit", "verify", "--archive"]);
    assert!(found.contains("the log was cut") && found.contains(&format!("record {before}: ")), "{found}");
    let gateway = home.serve();
    until("the alarm", || {
        let log = gateway.log();
        (log.contains("not copied to the archive") && (log.contains("it was cut") || log.contains("are not those")))
            .then_some(())
    });
    assert_eq!(storage.body(&format!("{ROOT}/checkpoint")), checkpoint);
    assert_ne!(checkpoint, note);
    gateway.stop();
}

#[test]
fn a_bucket_without_locks_is_found_wanting() {
    let Some(storage) = Storage::start() else { return };
    let upstream = upstream();
    let gateway = storage.plan(&upstream, "plain").serve();
    let key = gateway.home.key("alice", "staff");
    until("the alarm", || {
        let _ = gateway.get("/v1/models", &key);
        gateway.log().contains("cannot be locked there").then_some(())
    });
    let doctor = said(&gateway.home, &["doctor"]);
    assert!(doctor.contains("knows no retention locks"), "{doctor}");
    assert!(!(doctor + &gateway.log()).contains(storage.say("secret")), "the access key is said by nobody");
    // Who nobody knows there is refused, and requests are served all the same.
    assert_eq!(gateway.post("/v1/chat/completions", &key, &countersign_testkit::chat_ask("hello")).status, 200);
    gateway.stop();
}

/// Where the copy stands in the bucket.
const ROOT: &str = "logs/countersign";
