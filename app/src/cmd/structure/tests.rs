use countersign_playbook::shipped;

use super::*;
use crate::{
    config::raw::RawMessage,
    playbooks::{Book, Channel, Way},
};

#[test]
fn whoever_an_acting_playbook_tells_in_vain_is_named() {
    let chosen = |acts: bool, channel: &str| {
        let channel = Channel {
            name: channel.into(),
            way: Way::Post("https://chat.example/hook".parse().unwrap(), RawMessage::default()),
            secret: None,
            ca: None,
        };
        let books = shipped().into_iter().map(|playbook| Book { playbook: playbook.into(), acts });
        Chosen { books: books.collect(), most_percent: 1, at_least: 1, channels: vec![channel] }
    };
    let warned = |chosen| watch(&chosen).into_iter().filter(|choice| choice.advice.is_some()).map(|choice| choice.what);
    let all: Vec<_> = warned(chosen(true, "other")).collect();
    assert!(all.iter().any(|what| what.starts_with("`canary-tripped` tells the channel `security`")), "{all:?}");
    assert_eq!(warned(chosen(true, "security")).count(), 0);
    // One that only says what it would do tells nobody anyway.
    assert_eq!(warned(chosen(false, "other")).count(), 0);
    assert!(watch(&chosen(false, "other"))[0].what.ends_with("no playbook acts"));
}
