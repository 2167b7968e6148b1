//! Who holds the key-encryption key: a file, AWS KMS (moto), Vault's transit engine (as its API is published), a hardware module
//! (SoftHSM).

use std::{
    collections::HashMap,
    fs,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use countersign_testkit::{Asked, Plan, Reply, Upstream};
use data_encoding::BASE64;
use serde_json::{Value, json};

use super::{bare, plan, refused, refuses, refuses_with, said, state, upstream, whole_life};

#[test]
fn a_file_that_is_brought_in() {
    let upstream = upstream();
    let home = bare(plan(&upstream, "{ file = \"kek\" }"));
    home.put("kek", [7; 32]);
    let home = whole_life(home);
    home.put("kek", [8; 32]);
    refuses(&home, "the root keys are wrapped by `file:");
    fs::remove_file(home.path("kek")).expect("a file");
    refuses(&home, "cannot be read");
}

#[test]
fn root_keys_in_the_clear_are_wrapped_by_a_command() {
    let upstream = upstream();
    let home = plan(&upstream, "{ file = \"kek\" }").write();
    home.put("kek", [7; 32]);
    let with = home.read("countersign.toml");
    let without = with.replace("[keys]\nkek = { file = \"kek\" }", "");
    assert_ne!(with, without);
    home.put("countersign.toml", without);
    let key = home.key("ann", "staff");
    let clear = fs::read(state(&home, "root.key")).expect("in the clear");
    home.put("countersign.toml", &with);
    let output = refused(&mut home.command(&["serve"]));
    assert!(output.contains("countersign keys wrap"), "{output}");
    assert!(home.must(&["keys", "wrap"]).contains("wrapped by file:"));
    assert!(!state(&home, "root.key").exists());
    assert!(!super::holds(&home.path("state"), &clear), "no file holds the root key");
    let gateway = home.serve();
    super::ask(&gateway, &key, "hello");
}

#[test]
fn a_kill_at_any_moment_of_sealing_again_loses_nothing() {
    let upstream = upstream();
    let home = bare(plan(&upstream, "{ file = \"kek\" }"));
    home.put("kek", [7; 32]);
    let key = home.key("ann", "staff");
    let mut secret = home.command(&["secret", "set", "provider"]).stdin(Stdio::piped()).spawn().expect("it runs");
    secret.stdin.take().expect("a pipe").write_all(b"sk-provider").expect("it reads");
    assert!(secret.wait().expect("it ends").success());
    let gateway = home.serve();
    super::ask(&gateway, &key, "before");
    // Rows for many who were forgotten, so that there is something to be killed in the middle of.
    for n in 0..3 {
        let _ = gateway.home.must(&["vault", "forget", "--tenant", "default", "--person", &format!("nobody-{n}")]);
    }
    let home = gateway.kill();
    for round in 0..12_u64 {
        let command = if round % 4 == 0 { "rotate" } else { "rewrap" };
        let mut child =
            home.command(&["keys", command]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it runs");
        // Another moment each time; whichever it is, nothing may be lost.
        std::thread::sleep(std::time::Duration::from_millis(round * 4));
        let _ = child.kill();
        let _ = child.wait();
        assert!(home.must(&["keys", "status"]).contains("wrapped by file:"), "round {round}");
        assert!(home.must(&["audit", "show", "--last", "1000", "--bodies"]).contains("before"), "round {round}");
    }
    let told = home.must(&["keys", "rewrap"]);
    assert!(told.contains("sealed "), "{told}");
    assert!(home.must(&["secret", "list"]).contains("provider"));
    let gateway = home.serve();
    super::ask(&gateway, &key, "after");
    let (_, home) = gateway.stop();
    assert!(home.must(&["audit", "verify"]).contains("verified: "));
}

/// AWS KMS as moto imitates it, in a process of its own.
struct Kms {
    process: Child,
    into: ChildStdin,
    from: BufReader<ChildStdout>,
    told: Value,
}

impl Kms {
    fn start() -> Option<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let python = root.join(".tools/kms/bin/python");
        if !installed(python.exists(), "moto") {
            return None;
        }
        let mut process = Command::new(python)
            .arg(root.join("e2e/clients/kms.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Python runs");
        let (into, from) = (process.stdin.take().expect("a pipe"), process.stdout.take().expect("a pipe"));
        let mut from = BufReader::new(from);
        let mut line = String::new();
        from.read_line(&mut line).expect("a line");
        let told = serde_json::from_str(&line).expect("moto is there");
        Some(Self { process, into, from, told })
    }

    fn has(&mut self, what: &str) {
        writeln!(self.into, "{what}").expect("it reads");
        let mut line = String::new();
        self.from.read_line(&mut line).expect("a line");
        assert_eq!(line.trim(), "done");
    }

    fn say(&self, name: &str) -> &str {
        self.told[name].as_str().expect("a text")
    }

    fn plan(&self, upstream: &Upstream, key: &str) -> Plan {
        let kek = format!(
            "{{ aws_kms = {{ key_id = {key:?}, region = \"eu-central-1\", endpoint = {:?} }} }}",
            self.say("url")
        );
        plan(upstream, &kek).env("AWS_ACCESS_KEY_ID", self.say("id"))
    }
}

impl Drop for Kms {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn a_key_of_aws_kms() {
    let Some(mut kms) = Kms::start() else { return };
    let upstream = upstream();
    let plan = kms.plan(&upstream, kms.say("key")).env("AWS_SECRET_ACCESS_KEY", kms.say("secret"));
    let home = whole_life(bare(plan));
    // Who is not permitted it any more unwraps nothing.
    kms.has("forbid");
    refuses(&home, "with status 40");
    kms.has("permit");
    assert!(home.must(&["keys", "status"]).contains("wrapped by aws-kms:eu-central-1:"));
    // The wrong secret: the signature is looked at.
    refuses_with(&home, ("AWS_SECRET_ACCESS_KEY", "another"), "CS0903");
    // Another key than the one that wrapped.
    let config = home.read("countersign.toml");
    home.put("countersign.toml", config.replace(kms.say("key"), kms.say("other")));
    refuses(&home, "wrapped by `aws-kms:");
    home.put("countersign.toml", config);
    drop(kms);
    refuses(&home, "refuses, or is not there");
}

#[test]
fn a_key_of_a_transit_engine() {
    let sealed = Arc::new(AtomicBool::new(false));
    let vault = transit(sealed.clone());
    let upstream = upstream();
    let url = vault.url();
    let kek =
        format!("{{ vault_transit = {{ address = {url:?}, key = \"root\", token = {{ env = \"VAULT_TOKEN\" }} }} }}");
    let home = whole_life(bare(plan(&upstream, &kek).env("VAULT_TOKEN", "hvs.gateway")));
    refuses_with(&home, ("VAULT_TOKEN", "hvs.another"), "status 403");
    sealed.store(true, Ordering::Release);
    refuses(&home, "status 503");
}

/// The part of the transit engine's API that is used, to the letter of its documentation.
fn transit(sealed: Arc<AtomicBool>) -> Upstream {
    let kept: Mutex<HashMap<String, String>> = Mutex::default();
    Upstream::start(move |asked: &Asked| {
        let header = |name: &str| {
            let mut lines = asked.head.lines().filter_map(|line| line.split_once(": "));
            lines.find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned())
        };
        let refuse = |status| Reply::json(status, &json!({"errors": ["permission denied"]}));
        if sealed.load(Ordering::Acquire) {
            return refuse(503);
        }
        if header("x-vault-token").as_deref() != Some("hvs.gateway")
            || header("x-vault-request").as_deref() != Some("true")
        {
            return refuse(403);
        }
        let body = asked.json();
        let members = body.as_object().expect("an object");
        let answer = |data: Value| {
            let rest = json!({"request_id": "r", "lease_id": "", "renewable": false, "lease_duration": 0, "wrap_info": null, "warnings": null, "auth": null});
            let mut all = rest;
            all["data"] = data;
            Reply::json(200, &all)
        };
        let mut kept = kept.lock().expect("a lock");
        match asked.path.as_str() {
            "/v1/transit/encrypt/root" => {
                let plain = members["plaintext"].as_str().expect("a text").to_owned();
                assert!(members.len() == 1 && BASE64.decode(plain.as_bytes()).is_ok_and(|p| p.len() == 32));
                let ciphertext = format!("vault:v1:{}", BASE64.encode(format!("sealed {}", kept.len()).as_bytes()));
                kept.insert(ciphertext.clone(), plain);
                answer(json!({"ciphertext": ciphertext, "key_version": 1}))
            }
            "/v1/transit/decrypt/root" => {
                let ciphertext = members["ciphertext"].as_str().expect("a text");
                match kept.get(ciphertext) {
                    Some(plain) if members.len() == 1 => answer(json!({"plaintext": plain})),
                    _ => refuse(400),
                }
            }
            _ => refuse(404),
        }
    })
}

#[test]
fn a_key_in_a_hardware_module() {
    let library = ["/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so"]
        .into_iter()
        .find(|p| Path::new(p).exists());
    if !installed(library.is_some(), "softhsm2") {
        return;
    }
    let library = library.unwrap_or_default();
    let folder = tempfile::tempdir().expect("a folder");
    let (conf, tokens) = (folder.path().join("softhsm2.conf"), folder.path().join("tokens"));
    fs::create_dir(&tokens).expect("a folder");
    fs::write(
        &conf,
        format!("directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n", tokens.display()),
    )
    .expect("a file");
    let tool = |arguments: &[&str], program: &str| {
        let run = Command::new(program).args(arguments).env("SOFTHSM2_CONF", &conf).output().expect("the tool runs");
        assert!(run.status.success(), "{program} {arguments:?}: {}", said(&run));
    };
    tool(
        &["--init-token", "--free", "--label", "gateway", "--so-pin", "12345678", "--pin", "87654321"],
        "softhsm2-util",
    );
    let key = folder.path().join("aes");
    fs::write(&key, [5; 32]).expect("a file");
    let make = [
        "--import",
        key.to_str().expect("a path"),
        "--aes",
        "--token",
        "gateway",
        "--label",
        "root",
        "--id",
        "01",
        "--pin",
        "87654321",
    ];
    tool(&make, "softhsm2-util");
    let upstream = upstream();
    let kek = |key: &str| {
        format!(
            "{{ pkcs11 = {{ module = {library:?}, token = \"gateway\", key = {key:?}, pin = {{ env = \"HSM_PIN\" }} }} }}"
        )
    };
    let conf = conf.to_str().expect("a path").to_owned();
    let plan = plan(&upstream, &kek("root")).env("HSM_PIN", "87654321").env("SOFTHSM2_CONF", &conf);
    let home = whole_life(bare(plan));
    refuses_with(&home, ("HSM_PIN", "11111111"), "CS0903");
    let config = home.read("countersign.toml");
    home.put("countersign.toml", config.replace("key = \"root\"", "key = \"another\""));
    refuses(&home, "the root keys are wrapped by `pkcs11:gateway/root`");
}

/// Whether something is there; where it is not, that is allowed outside CI alone.
fn installed(there: bool, what: &str) -> bool {
    if !there {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{what} is not installed: run `cargo xtask test`");
        #[expect(clippy::print_stderr, reason = "a test that was skipped says so")]
        {
            eprintln!("SKIPPED: {what} is not installed; `cargo xtask test` installs it");
        }
    }
    there
}
