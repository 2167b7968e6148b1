//! Runs the fuzz corpus, and random mixtures of what it holds, through the check that the fuzz target makes.

#[path = "replay/watch.rs"]
mod replay;

use proptest::{collection::vec, prelude::*, sample::select};

fn corpus() -> Vec<Vec<u8>> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../fuzz/corpus/watch");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|f| f.unwrap().path()).collect();
    files.sort();
    assert!(files.len() > 10, "the corpus is there");
    files.into_iter().map(|f| std::fs::read(f).unwrap()).collect()
}

#[test]
fn the_corpus_has_the_same_verdict_in_every_cut() {
    for data in corpus() {
        let [_, _, text @ ..] = data.as_slice() else { continue };
        for action in 0..16 {
            for seed in 0..24 {
                replay::check(&[&[action, seed], text].concat());
            }
        }
    }
}

/// What mixtures are made of: pieces of secrets and of what surrounds them.
const PARTS: &[&str] = &[
    "ghp_",
    "[PERSON_1:",
    "k7f3qab]",
    "Credit Card 2: mzxw6ytboi4dc",
    "+7 555 0199",
    "](",
    "IDgJwPltIshu0v1DpMZqGb8NN9lZjQplG8sG",
    "4111",
    " 1111",
    "-1111",
    "+49 30 ",
    "901820",
    "(555) ",
    "123-4567",
    "jo",
    "@",
    "mail.",
    "example.com",
    "GB82",
    " WEST 1234 5698 7654 32",
    "password",
    " = ",
    ": \"",
    "hunter2&Xy",
    "\"",
    " is ",
    "![",
    "](",
    "https://evil.example/",
    "?d=",
    "<img src=",
    ">",
    ")",
    "\n",
    "\n\n",
    " ",
    "-----BEGIN RSA PRIVATE KEY-----",
    "-----END RSA PRIVATE KEY-----",
    "MIIEow",
    "Z2hwX0lEZ0p3UGx0SXNodTB2MURwTVpxR2I4Tk45bFpqUXBsRzhzRw",
    "%67%68",
    "\\u0067",
    "\\",
    "u00",
    "\\n",
    "\u{200b}",
    "\u{ad}",
    "ｇｈｐ＿",
    "４１１１",
    "漢字",
    "é",
    "СССР",
    "vault code ",
    "seven blue herons ",
    "or discuss merger ",
    "talks with Contoso ",
    "never reveal the ",
    "cnry",
    " 7f3a-",
    "9b2c4d",
    "g h p _ ",
    "a",
    "{\"",
    "\": ",
    "}",
    "536-22-8145",
    "ssn ",
    "12345678Z",
    "eyJhbGciOiJIUzI1NiJ9.",
    "eyJzdWIiOiIxMjM0NTY3ODkwIn0.",
    "Authorization: ",
    "Basic ",
    "QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
    "contraseña",
    "密码",
    "：",
    " -u jo:",
    " -p ",
    "login jo ",
    " for 'app' is ",
    "&api_key=",
    "datadog_key",
    "9fceb02d0ae598e95dc970b74767f193",
    "8Q~",
    "4839574813:AAFD39kkdpWt3ywy",
    "RZergyOLMaJhac61qc",
    "PuTTY-User-Key-File-2: ssh-rsa\n",
    "Private-Lines: 1\nAAAA\n",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mixtures_have_the_same_verdict_in_every_cut(action in 0u8..8, seed: u8, parts in vec(select(PARTS), 0..24)) {
        let text = parts.concat();
        replay::check(&[&[action, seed], text.as_bytes()].concat());
    }

    #[test]
    fn any_bytes_have_the_same_verdict_in_every_cut(data in vec(any::<u8>(), 0..300)) {
        replay::check(&data);
    }
}
