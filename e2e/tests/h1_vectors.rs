//! The HTTP requests that llhttp's own tests call invalid: none gets further here than it does there.

use std::{fs, path::Path};

use countersign_testkit::{Plan, Reply, Siege, Upstream};

/// One block of the vectors.
struct Vector {
    name: String,
    bytes: Vec<u8>,
    /// How many heads are whole before something is wrong.
    heads: usize,
    invalid: bool,
}

/// What llhttp refuses though it is framed in one way only: `PRI` with HTTP/1.1 is a method like any other we do not have.
const TASTE: &[&str] = &["PRI request HTTP2"];

#[test]
fn what_another_parser_refuses_is_not_routed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors/llhttp/test/request");
    let Ok(files) = fs::read_dir(&folder) else {
        assert!(std::env::var_os("CI").is_none_or(|v| v != "true"), "the vectors are missing");
        #[expect(clippy::print_stderr, reason = "a skipped test says so")]
        {
            eprintln!("SKIPPED: the vectors of llhttp are not there");
        }
        return;
    };
    let upstream = Upstream::start(|_asked| Reply::json(200, &Siege::peace()));
    let mut siege = Siege::begin(Plan::new().target("openai", &upstream, &["m"]), upstream);
    let mut paths: Vec<_> = files.flatten().map(|f| f.path()).collect();
    paths.sort();
    let (mut invalid, mut odd) = (0, Vec::new());
    for path in paths {
        let file = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).expect("a vector file");
        for vector in vectors(&text) {
            let name = format!("{file}: {}", vector.name);
            let mut routed = usize::MAX;
            siege.case(&name, |siege| {
                let mut client = siege.gateway.client();
                let _ = client.send(&vector.bytes);
                client.finish();
                // What is routed is answered with a code of the gateway's own: nobody here has a key.
                routed = String::from_utf8_lossy(&client.rest()).matches("(CS0").count();
                Ok(())
            });
            invalid += usize::from(vector.invalid);
            if vector.invalid && routed > vector.heads && !TASTE.contains(&vector.name.as_str()) {
                odd.push(format!("{name}: {routed} routed, {} whole heads", vector.heads));
            }
        }
    }
    assert!(odd.is_empty(), "routed in spite of what is wrong:\n{}", odd.join("\n"));
    assert!(invalid >= 60, "only {invalid} invalid vectors were found");
    siege.finish(100);
}

/// The blocks that are read without leniency.
fn vectors(text: &str) -> Vec<Vector> {
    let mut found = Vec::new();
    let mut name = "";
    let mut rest = text;
    while let Some(at) = rest.find("<!-- meta=") {
        let (before, after) = rest.split_at(at);
        name = before.lines().rfind(|l| l.starts_with('#')).map_or(name, |l| l.trim_start_matches(['#', ' ']));
        rest = &after[1..];
        let meta = after.lines().next().unwrap_or_default();
        let strict = meta.replace(' ', "").contains("\"type\":\"request\"");
        let Some((http, log)) = block(after, "http").zip(block(after, "log")) else { continue };
        if strict && !meta.contains("pause") {
            found.push(Vector {
                name: name.into(),
                bytes: with_host(unescaped(http)),
                heads: log.matches("headers complete").count(),
                invalid: log.contains("error code"),
            });
        }
    }
    found
}

fn block<'t>(text: &'t str, kind: &str) -> Option<&'t str> {
    let (_, from) = text.split_once(&format!("```{kind}\n"))?;
    Some(from.split_once("```")?.0)
}

/// Lines end in CR LF except where a backslash takes the end away; escapes stand for bytes.
fn unescaped(text: &str) -> Vec<u8> {
    let text = text.strip_suffix('\n').unwrap_or(text).replace("\\\n", "").replace('\n', "\r\n");
    let mut out = Vec::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.extend(c.to_string().bytes());
            continue;
        }
        match chars.next() {
            Some('r') => out.push(b'\r'),
            Some('n') => out.push(b'\n'),
            Some('t') => out.push(b'\t'),
            Some('f') => out.push(0x0c),
            Some('x') => {
                let digits: String = chars.by_ref().take(2).collect();
                out.push(u8::from_str_radix(&digits, 16).unwrap_or(b'?'));
            }
            other => out.extend(other.map(String::from).unwrap_or_default().bytes()),
        }
    }
    out
}

/// The vectors mostly leave the host out, for which alone they would be refused.
fn with_host(bytes: Vec<u8>) -> Vec<u8> {
    let lower = bytes.to_ascii_lowercase();
    let has = lower.windows(5).any(|w| w == b"host:");
    match bytes.windows(2).position(|w| w == b"\r\n") {
        Some(at) if !has && at > 0 => [&bytes[..at + 2], b"host: localhost\r\n", &bytes[at + 2..]].concat(),
        _ => bytes,
    }
}
