//! The root keys under key-encryption keys of every kind, rotated and sealed again beside a gateway that serves; people who are
//! forgotten.

mod forget;
mod hold;
mod killed;

use std::{
    fs,
    io::Read,
    path::Path,
    process::{Child, Command, Output, Stdio},
};

use countersign_testkit::{Deployment, Home, Plan, Reply, Upstream, chat_answer, chat_ask, until};

/// A plan with this key-encryption key.
fn plan(upstream: &Upstream, kek: &str) -> Plan {
    Plan::new().target("openai", upstream, &["m"]).admin().more(&format!("[keys]\nkek = {kek}\n"))
}

fn upstream() -> Upstream {
    Upstream::start(|_| Reply::json(200, &chat_answer("an answer that is kept")))
}

/// Asks until the key is known.
fn ask(gateway: &Deployment, key: &str, text: &str) {
    until("the key to be known", || {
        let answer = gateway.post("/v1/chat/completions", key, &chat_ask(text));
        (answer.status == 200).then_some(())
    });
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The file of a state directory.
fn state(home: &Home, name: &str) -> std::path::PathBuf {
    home.path("state").join(name)
}

/// Whether any file below a folder holds these bytes.
fn holds(folder: &Path, bytes: &[u8]) -> bool {
    fs::read_dir(folder).expect("a folder").any(|entry| {
        let path = entry.expect("an entry").path();
        if path.is_dir() { holds(&path, bytes) } else { memmem(&fs::read(path).unwrap_or_default(), bytes) }
    })
}

fn memmem(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|w| w == word)
}

/// A deployment whose state has not begun.
fn bare(plan: Plan) -> Home {
    let home = plan.write();
    fs::remove_dir_all(home.path("state")).expect("a state");
    home
}

/// What every key-encryption key must do: begin, serve, be rotated and sealed again beside a gateway, and start once more.
fn whole_life(home: Home) -> Home {
    let key = home.key("ann", "staff");
    assert!(!state(&home, "root.key").exists() && state(&home, "root.wrapped").exists());
    let gateway = home.serve();
    ask(&gateway, &key, "first");
    let told = gateway.home.must(&["keys", "status"]);
    assert!(told.contains("root keys: wrapped by ") && told.contains("root version 1: seals 2 data keys"), "{told}");
    assert!(gateway.home.must(&["keys", "rotate"]).contains("root version 2"));
    let _ = gateway.logged("another root version seals from now on");
    // A key that is made by the new version opens the door of the gateway that runs.
    let newer = gateway.home.key("bob", "staff");
    ask(&gateway, &newer, "second");
    ask(&gateway, &key, "third");
    let told = gateway.home.must(&["keys", "rewrap"]);
    assert!(told.contains("sealed 2 data keys") && told.contains("under root version 2"), "{told}");
    let told = gateway.home.must(&["keys", "status"]);
    assert!(told.contains("root version 1: seals 0 data keys") && told.contains("root version 2: seals 2"), "{told}");
    ask(&gateway, &key, "fourth");
    let gateway = gateway.restart();
    ask(&gateway, &key, "fifth");
    let (_, home) = gateway.stop();
    let log = home.must(&["audit", "show", "--last", "1000", "--bodies"]);
    for word in ["first", "second", "third", "fourth", "fifth"] {
        assert!(log.contains(word), "{word}");
    }
    assert!(home.must(&["audit", "verify"]).contains("verified: "));
    home
}

/// A start must be refused, before anything is bound, with this in its words.
fn refuses(home: &Home, why: &str) {
    let said = refused(&mut home.command(&["serve"]));
    assert!(said.contains("CS0903") && said.contains(why), "{said}");
}

/// The same with another variable in the environment, which may be a secret.
fn refuses_with(home: &Home, (name, value): (&str, &str), why: &str) {
    let said = refused(home.command(&["serve"]).env(name, value));
    assert!(said.contains("CS0903") && said.contains(why) && !said.contains(value), "{said}");
}

/// What is said by a start that is refused.
fn refused(serve: &mut Command) -> String {
    struct Running(Child);
    impl Drop for Running {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
    let child = serve.stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
    let mut running = Running(child.expect("the binary runs; `cargo build -p countersign` makes it"));
    let status = until("the start to be refused", || running.0.try_wait().expect("it can be waited for"));
    let mut said = String::new();
    running.0.stderr.take().expect("a pipe").read_to_string(&mut said).expect("text");
    assert_eq!(status.code(), Some(74), "{said}");
    assert!(!said.contains("listening"), "{said}");
    said
}
