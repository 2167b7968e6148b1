//! Broken configurations: `check` ends with 64 and says where, what and what to write instead.

use countersign_testkit::{Home, Plan, Upstream};

/// A configuration that is broken in one way.
struct Broken {
    what: &'static str,
    /// Text of the good configuration, and what stands there instead.
    from: &'static str,
    to: &'static str,
    /// What stands in the line that has to be named; none when the problem is one of the file.
    line: &'static str,
    /// Words of the message and of the fix.
    says: &'static str,
    fix: &'static str,
}

const GOOD: &str = r#"state = "state"

[[listener]]
name = "main"
address = "127.0.0.1:0"
certificate = "tls/chain.pem"
key = "tls/key.pem"

[[target]]
name = "local"
speaks = "openai"
url = "http://127.0.0.1:11434"
models = ["m"]

[policy]
files = ["policy.cedar"]

[[rule]]
find = "secret"
in = "answer"
do = "mask"

[[certificate]]
uri = "spiffe://example.org/*"
roles = ["staff"]
"#;

const BROKEN: &[Broken] = &[
    Broken {
        what: "not TOML",
        from: "state = \"state\"",
        to: "state = \"state",
        line: "state =",
        says: "string",
        fix: "countersign schema",
    },
    Broken {
        what: "an unknown field",
        from: "name = \"main\"",
        to: "name = \"main\"\nfail_open = true",
        line: "fail_open",
        says: "unknown field `fail_open`",
        fix: "countersign schema",
    },
    Broken {
        what: "a missing field",
        from: "state = \"state\"",
        to: "",
        line: "",
        says: "missing field `state`",
        fix: "countersign schema",
    },
    Broken {
        what: "no listener",
        from: "[[listener]]",
        to: "[[no-listener]]",
        line: "[[no-listener]]",
        says: "unknown field",
        fix: "countersign schema",
    },
    Broken {
        what: "an address that is none",
        from: "127.0.0.1:0",
        to: "localhost",
        line: "[[listener]]",
        says: "`localhost` is not an address",
        fix: "127.0.0.1:8443",
    },
    Broken {
        what: "two doors in one",
        from: "address =",
        to: "unix = \"s\"\naddress =",
        line: "[[listener]]",
        says: "exactly one of `address` and `unix`",
        fix: "keep one",
    },
    Broken {
        what: "no certificate",
        from: "certificate = \"tls/chain.pem\"\n",
        to: "",
        line: "[[listener]]",
        says: "without `certificate` and `key`",
        fix: "name both PEM files",
    },
    Broken {
        what: "in the clear without the words",
        from: "certificate = \"tls/chain.pem\"",
        to: "cleartext = \"yes\"",
        line: "[[listener]]",
        says: "`cleartext` has another value",
        fix: "i-accept-cleartext-on-loopback",
    },
    Broken {
        what: "in the clear to the world",
        from: "address = \"127.0.0.1:0\"",
        to: "address = \"0.0.0.0:0\"\ncleartext = \"i-accept-cleartext-on-loopback\"",
        line: "[[listener]]",
        says: "not loopback",
        fix: "serve TLS",
    },
    Broken {
        what: "a certificate that is not there",
        from: "tls/chain.pem",
        to: "tls/chain.pen",
        line: "[[listener]]",
        says: "`tls/chain.pen` cannot be read",
        fix: "relative to the configuration file",
    },
    Broken {
        what: "a key for a certificate",
        from: "certificate = \"tls/chain.pem\"",
        to: "certificate = \"tls/key.pem\"",
        line: "[[listener]]",
        says: "TLS cannot be set up",
        fix: "PEM files",
    },
    Broken {
        what: "client certificates without authority",
        from: "key = \"tls/key.pem\"",
        to: "key = \"tls/key.pem\"\nrequire_client_certificate = true",
        line: "[[listener]]",
        says: "without `client_ca`",
        fix: "authorities",
    },
    Broken {
        what: "an unknown dialect",
        from: "speaks = \"openai\"",
        to: "speaks = \"gemini\"",
        line: "speaks",
        says: "expected one of `openai`, `azure`, `anthropic`",
        fix: "countersign schema",
    },
    Broken {
        what: "a provider in no URL",
        from: "http://127.0.0.1:11434",
        to: "ftp://127.0.0.1",
        line: "[[target]]",
        says: "`url` is",
        fix: "https://api.openai.com",
    },
    Broken {
        what: "a provider far away in the clear",
        from: "http://127.0.0.1:11434",
        to: "http://provider.example",
        line: "[[target]]",
        says: "clear",
        fix: "https",
    },
    Broken {
        what: "no models",
        from: "models = [\"m\"]",
        to: "models = []",
        line: "[[target]]",
        says: "serves no model",
        fix: "list the models",
    },
    Broken {
        what: "azure without a deployment",
        from: "speaks = \"openai\"",
        to: "speaks = \"azure\"",
        line: "[[target]]",
        says: "`deployment` and `api_version`",
        fix: "write both",
    },
    Broken {
        what: "a key that is not set",
        from: "models = [\"m\"]",
        to: "models = [\"m\"]\nkey = { env = \"COUNTERSIGN_TEST_NO_SUCH_KEY\" }",
        line: "[[target]]",
        says: "`COUNTERSIGN_TEST_NO_SUCH_KEY` is not set",
        fix: "set it",
    },
    Broken {
        what: "a key in the configuration",
        from: "models = [\"m\"]",
        to: "models = [\"m\"]\nkey = \"sk-0123456789abcdef\"",
        line: "key = \"sk-",
        says: "expected one of `file`, `env`, `sealed`",
        fix: "countersign schema",
    },
    Broken {
        what: "two targets of one name",
        from: "[policy]",
        to: "[[target]] # again\nname = \"local\"\nspeaks = \"openai\"\nurl = \"http://127.0.0.1:1\"\nmodels = [\"n\"]\n\n[policy]",
        line: "# again",
        says: "two targets are named `local`",
        fix: "its own name",
    },
    Broken {
        what: "a policy that is not there",
        from: "policy.cedar",
        to: "polizy.cedar",
        line: "files =",
        says: "`polizy.cedar` cannot be read",
        fix: "relative to the configuration file",
    },
    Broken {
        what: "an unknown kind of finding",
        from: "find = \"secret\"",
        to: "find = \"sekret\"",
        line: "[[rule]]",
        says: "`sekret`",
        fix: "secret, personal-data",
    },
    Broken {
        what: "a rule that no detector has",
        from: "find = \"secret\"",
        to: "find = \"personal/emial\"",
        line: "[[rule]]",
        says: "`personal/emial`, which no detector's rule is called",
        fix: "`personal/email`",
    },
    Broken {
        what: "an unknown side",
        from: "in = \"answer\"",
        to: "in = \"anser\"",
        line: "[[rule]]",
        says: "`in` is `anser`",
        fix: "prompt, answer",
    },
    Broken {
        what: "an unknown action",
        from: "do = \"mask\"",
        to: "do = \"pass\"",
        line: "[[rule]]",
        says: "`do` is `pass`",
        fix: "allow, generalize, tokenize, mask, refuse, cut",
    },
    Broken {
        what: "surer than sure",
        from: "do = \"mask\"",
        to: "do = \"mask\"\nat_least = 7",
        line: "[[rule]]",
        says: "`at_least` is `7`",
        fix: "a number from 0 to 1",
    },
    Broken {
        what: "a certificate rule for nobody",
        from: "uri = \"spiffe://example.org/*\"\n",
        to: "",
        line: "[[certificate]]",
        says: "exactly one of `uri`, `dns` and `common_name`",
        fix: "keep one",
    },
    Broken {
        what: "no worker",
        from: "state = \"state\"",
        to: "state = \"state\"\nworkers = 0",
        line: "workers",
        says: "`workers` is 0",
        fix: "at least 1",
    },
    Broken {
        what: "a name that names no log",
        from: "state = \"state\"",
        to: "state = \"state\"\nnode = \"my node\"",
        line: "node =",
        says: "`node` cannot name an audit log",
        fix: "without spaces",
    },
];

#[test]
fn check_names_file_and_line_and_fix() {
    let home = Plan::new().target("openai", &Upstream::start(|_| countersign_testkit::Reply::new()), &["m"]).write();
    home.put("countersign.toml", GOOD);
    assert!(home.must(&["check"]).contains("is valid: 1 listener(s), 1 target(s), 1 certificate rule(s)"));
    let mut wrong = Vec::new();
    for broken in BROKEN {
        assert!(GOOD.contains(broken.from), "{}", broken.what);
        let text = GOOD.replacen(broken.from, broken.to, 1);
        let line = text.lines().position(|l| l.contains(broken.line)).map(|i| i + 1);
        wrong.extend(problem(&home, broken.what, &text, "countersign.toml", line, broken.says, broken.fix));
    }
    home.put("countersign.toml", GOOD);
    for (what, from, to, line, says, fix) in [
        ("policy that does not parse", "permit (", "permitt (", "permitt", "", ""),
        ("policy for what the schema has not", "action,", "action == Countersign::Action::\"aks\",", "\"aks\"", "", ""),
        (
            "policy about a field there is not",
            "resource\n);",
            "resource\n) when { context.modell == \"m\" };",
            "modell",
            "modell",
            "",
        ),
    ] {
        let policy = home.read("policy.cedar");
        let text = policy.replacen(from, to, 1);
        assert_ne!(text, policy, "{what}");
        home.put("policy.cedar", &text);
        // A policy's problem is named where it is, or where its policy begins.
        let at = text.lines().position(|l| l.contains(line)).map_or(0, |i| i + 1);
        let output = home.run(&["check"]);
        let said = String::from_utf8_lossy(&output.stderr);
        let named = (1..=at).rev().take(8).any(|n| said.contains(&format!("policy.cedar:{n}: ")));
        if output.status.code() != Some(64)
            || !said.contains("CS1002")
            || !named
            || !said.contains(says)
            || !said.contains(&format!("fix: {fix}"))
        {
            wrong.push(format!("{what}: {:?} {said}", output.status.code()));
        }
        home.put("policy.cedar", policy);
    }
    home.put("countersign.toml", GOOD);
    assert!(wrong.is_empty(), "{} of {} are not said well:\n{}", wrong.len(), BROKEN.len() + 3, wrong.join("\n"));
    assert!(home.run(&["check"]).status.success(), "the good one still is");
}

/// Checks a broken configuration; what is wrong with how its problem is said.
fn problem(
    home: &Home,
    what: &str,
    text: &str,
    file: &str,
    line: Option<usize>,
    says: &str,
    fix: &str,
) -> Option<String> {
    home.put("countersign.toml", text);
    let output = home.run(&["check"]);
    let said = String::from_utf8_lossy(&output.stderr);
    let place = format!("CS1001: {}:{}: ", home.path(file).display(), line.unwrap_or(1));
    let (message, advice) = said.split_once("fix: ").unwrap_or((&said, ""));
    let well = output.status.code() == Some(64)
        && output.stdout.is_empty()
        && message.contains(&place)
        && message.contains(says)
        && advice.contains(fix);
    (!well).then(|| format!("{what}: expected {place}{says} / {fix}; got {:?}: {said}", output.status.code()))
}

#[test]
fn serve_refuses_a_broken_configuration_before_it_binds() {
    let home = Plan::new().write();
    let output = home.run(&["serve"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(64), "{said}");
    assert!(said.contains("missing field `target`") || said.contains("there is no [[target]]"), "{said}");
    let output = home.run(&["check", "--config", "no-such.toml"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(64), "{said}");
    assert!(said.contains("no-such.toml") && said.contains("countersign init"), "{said}");
}
