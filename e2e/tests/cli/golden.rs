//! What a command prints, compared with a file that people read. `UPDATE_GOLDEN=1` writes the files anew.

use std::{fs, path::Path};

/// Fails unless `text` is what `golden/NAME.txt` holds, apart from what differs every time.
pub(crate) fn same(name: &str, text: &str) {
    let text = still(text);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/golden").join(format!("{name}.txt"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, &text).expect("a golden file");
    }
    let golden = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, golden, "{name} differs; UPDATE_GOLDEN=1 accepts it");
}

/// The text with ids, times, places and measured figures replaced by their names.
fn still(text: &str) -> String {
    let lines = text.lines().map(|line| {
        let mut words: Vec<String> = line.split(' ').map(word).collect();
        for i in 1..words.len() {
            if words[i].starts_with("us") && words[i - 1].parse::<u64>().is_ok() {
                words[i - 1] = "N".into();
            }
        }
        words.join(" ") + "\n"
    });
    lines.collect()
}

fn word(word: &str) -> String {
    let bare = word.trim_matches(|c: char| !c.is_ascii_alphanumeric() && c != '/');
    let name = if bare.starts_with("req_") {
        "REQUEST"
    } else if bare.starts_with("key_") {
        "KEY"
    } else if bare.len() > 19 && bare.ends_with('Z') && bare.as_bytes()[10] == b'T' {
        "TIME"
    } else if bare.len() == 16 && bare.bytes().all(|c| c.is_ascii_hexdigit()) {
        // Of evidence, under a key that each process makes anew.
        "DIGEST"
    } else if bare.starts_with('/') && bare.contains("/deployment") {
        return word.replace(bare, &format!("DEPLOYMENT{}", bare.split("/deployment").nth(1).unwrap_or_default()));
    } else {
        return word.to_owned();
    };
    word.replace(bare, name)
}
