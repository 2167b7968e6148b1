//! Whom playbooks tell: real receivers of syslog and of mail.

use std::{
    io::Write as _,
    net::{Ipv4Addr, TcpListener},
    process::Stdio,
};

use countersign_testkit::{Home, until};
use serde_json::Value;

use super::{CLEAR, done, home, mail::Mail, notify, outcomes, restrain, rsyslog::Rsyslog, trips, upstream};

fn channel(name: &str, url: &str, more: &str) -> String {
    format!("[[channel]]\nname = {name:?}\nurl = {url:?}\n{more}\n")
}

/// A channel by mail, over TLS by these authorities, with this password.
fn by_mail(name: &str, url: &str, ca: &str, secret: &str) -> String {
    let who =
        "from = \"Countersign <gateway@bank.example>\"\nto = [\"security@bank.example\", \"Ann <ann@bank.example>\"]";
    channel(name, url, &format!("{who}\n{ca}\nuser = \"gateway\"\nsecret = {secret}"))
}

fn seal(home: &Home, name: &str, secret: &str) {
    let mut set = home.command(&["secret", "set", name]).stdin(Stdio::piped()).spawn().expect("it runs");
    set.stdin.take().expect("a pipe").write_all(secret.as_bytes()).expect("it reads");
    assert!(set.wait().expect("it ends").success());
}

#[test]
fn security_is_told_by_syslog_and_by_mail_over_tls_and_nobody_else_is() {
    let upstream = upstream();
    // Its certificate is what the receivers show.
    let receivers = home(&upstream, &[restrain("observe")], "");
    let file = |name: &str| receivers.path(name);
    let folder = tempfile::tempdir().expect("a folder");
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|l| l.local_addr()).expect("a port").port();
    let tls = Some((file("tls/chain.pem"), file("tls/key.pem")));
    let tls = tls.as_ref().map(|(chain, key)| (chain.as_path(), key.as_path()));
    let Some(siem) = Rsyslog::start(folder.path(), port, tls) else { return };
    let Some(wrapped) = Mail::start(&receivers, "tls", Some("right")) else { return };
    let Some(upgraded) = Mail::start(&receivers, "starttls", Some("right")) else { return };
    let Some(bare) = Mail::start(&receivers, "clear", None) else { return };
    let (sealed, ca) = ("{ sealed = \"mail\" }", format!("ca = {:?}", file("tls/chain.pem")));
    let url = |scheme: &str, host: &str, server: &Mail| format!("{scheme}://{host}:{}", server.port);
    let channels = [
        channel("siem", &format!("tls://localhost:{port}"), &ca),
        by_mail("wrapped", &url("smtps", "localhost", &wrapped), &ca, sealed),
        by_mail("upgraded", &url("smtp", "localhost", &upgraded), &ca, sealed),
        // Of these three, nobody may be told anything: no TLS to be had, the wrong password, another's certificate.
        by_mail("bare", &url("smtp", "localhost", &bare), &ca, sealed),
        by_mail("refused", &url("smtps", "localhost", &wrapped), &ca, "{ env = \"WRONG\" }"),
        by_mail("another", &url("smtps", "127.0.0.2", &wrapped), &ca, sealed),
    ];
    let names = ["siem", "wrapped", "upgraded", "bare", "refused", "another"];
    let steps: Vec<Value> = names.map(notify).into_iter().chain([restrain("quarantine")]).collect();
    let home = home(&upstream, &steps, &channels.join("\n"));
    seal(&home, "mail", "right");
    let (root, alice) = (home.key("root", "root"), home.key("alice", "staff"));
    let gateway = home.serve();
    until("the key to be known", || (gateway.get("/v1/models", &alice).status == 200).then_some(()));
    trips(&gateway, &alice);

    let run = done(&gateway, &root, 1).remove(0);
    let came = outcomes(&run);
    assert_eq!(came[..3], ["told"; 3], "{run}");
    assert_eq!(came[3], "not told: the mail server lacks what is needed: TLS, or a way to log in");
    assert_eq!(came[4], "not told: the mail server answers with code 535");
    assert_eq!(came[5], "not told: the mail server cannot be reached, or does not show who it is");
    assert!(came[6].ends_with(": quarantine"), "whoever cannot be told keeps nothing from being done: {run}");

    let lines = until("syslog", || Some(siem.messages()).filter(|lines| !lines.is_empty()));
    let said: Value = serde_json::from_str(&lines[0]).expect("JSON");
    assert_eq!((lines.len(), &said["data"]["alert"]["of"]), (1, &"principal:default/alice".into()), "{lines:?}");
    assert!(said["id"].as_str().is_some_and(|id| id.starts_with("msg_")), "{said}");
    assert!(bare.letters().is_empty());
    for (server, count) in [(&wrapped, 1), (&upgraded, 1)] {
        let letters = until("letters", || Some(server.letters()).filter(|letters| !letters.is_empty()));
        assert_eq!(letters.len(), count, "{letters:?}");
        let letter = &letters[0];
        assert_eq!(
            (&letter["tls"], &letter["by"], &letter["from"]),
            (&true.into(), &"gateway".into(), &"gateway@bank.example".into())
        );
        assert_eq!(letter["to"], serde_json::json!(["security@bank.example", "ann@bank.example"]));
        let text = letter["text"].as_str().expect("a text");
        assert!(
            text.contains("Message-ID: <msg_") && text.contains("canary-tripped about principal:default/alice"),
            "{text}"
        );
    }
    let log = gateway.log();
    assert!(!log.contains("right\"") && !log.contains("osprey"), "{log}");
}

#[test]
fn a_channel_that_could_tell_a_secret_in_the_clear_is_refused_before_anything_is_bound() {
    let upstream = upstream();
    let mail = "from = \"a@bank.example\"\nto = [\"b@bank.example\"]";
    let password = "user = \"gateway\"\nsecret = { env = \"PASSWORD\" }";
    for (url, more, says) in [
        ("smtp://localhost:25", format!("{mail}\n{password}\n{CLEAR}"), "in the clear"),
        ("smtp://mail.example:25", format!("{mail}\n{CLEAR}"), "no mail server"),
        ("smtps://localhost", mail.to_owned(), "no mail server"),
        ("smtps://localhost:465", "to = [\"b@bank.example\"]".to_owned(), "nobody"),
        ("smtps://localhost:465", "from = \"a@bank.example\"".to_owned(), "nobody"),
        ("smtps://localhost:465", mail.replace("b@bank.example", "b"), "nobody"),
        ("smtps://localhost:465", format!("{mail}\nuser = \"gateway\""), "`secret`"),
        ("smtps://localhost:465", format!("{mail}\nsecret = {{ env = \"PASSWORD\" }}"), "`user`"),
        ("smtps://localhost:465", format!("{mail}\nform = \"chat\""), "`form`"),
        ("tls://localhost:6514", "form = \"chat\"".to_owned(), "`form`"),
        ("tls://localhost:6514", "secret = { env = \"PASSWORD\" }".to_owned(), "`secret`"),
        ("tls://localhost:6514", mail.to_owned(), "are for mail"),
        ("tls://localhost:6514/path", String::new(), "no address"),
        ("tcp://localhost:6514", String::new(), "no address"),
        ("tcp://siem.example:6514", CLEAR.to_owned(), "no address"),
        ("https://chat.example/", mail.to_owned(), "are for mail"),
    ] {
        let home = home(&upstream, &[notify("security")], "");
        let text = home.read("countersign.toml") + &channel("security", url, &more);
        home.put("countersign.toml", text);
        let refused = home.command(&["check"]).env("PASSWORD", "x").output().expect("it runs");
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(refused.status.code() == Some(64) && said.contains(says), "{url} {more}: {said}");
    }
}
