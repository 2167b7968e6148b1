//! Any bytes as an index of registered texts: as they are, and closed with a key as if it had made them. None that opens leads astray.
#![no_main]
use std::sync::LazyLock;

use countersign_core::Secret;
use countersign_prints::{Index, Key, Trail, view, words::Words};
use libfuzzer_sys::fuzz_target;

static KEY: LazyLock<Key> = LazyLock::new(|| Key::new(&Secret::new([7; 32])));

/// What the corpus registers.
const TEXT: &str = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen";

fuzz_target!(|bytes: &[u8]| {
    assert!(Index::open(Box::new(bytes.to_vec()), std::slice::from_ref(&KEY)).is_err());
    let Ok(index) = Index::open(Box::new(KEY.close(bytes)), std::slice::from_ref(&KEY)) else { return };
    let mut trail = Trail::new(&index);
    // Words that some index of the corpus holds, and whatever else is in there.
    let text = format!("{TEXT} {}", String::from_utf8_lossy(bytes));
    let (view, _) = view::view(&text);
    Words::default().read(&view, true, |word| {
        let _ = trail.push(word, &index);
    });
});
