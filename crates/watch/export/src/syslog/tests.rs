use proptest::prelude::*;

use super::*;
use crate::{
    What, cef, ocsf,
    support::{bare, full},
};

/// The messages of a stream that is framed by octet counting.
fn messages(mut bytes: &[u8]) -> Vec<String> {
    let mut messages = Vec::new();
    while !bytes.is_empty() {
        let space = bytes.iter().position(|b| *b == b' ').unwrap();
        let length: usize = std::str::from_utf8(&bytes[..space]).unwrap().parse().unwrap();
        let (message, rest) = bytes[space + 1..].split_at(length);
        messages.push(String::from_utf8(message.to_vec()).unwrap());
        bytes = rest;
    }
    messages
}

#[test]
fn a_message_has_the_header_of_rfc_5424() {
    let mut to = Vec::new();
    frame(&full(What::Refused, "node 1"), "text", &mut to);
    let at = "2023-11-14T22:13:20.123456Z";
    assert_eq!(messages(&to), [format!("<108>1 {at} node_1 countersign - refused - text")]);
    let mut to = Vec::new();
    frame(&Line { at: u64::MAX, log: String::new(), ..bare(What::Gap) }, "", &mut to);
    assert_eq!(messages(&to), ["<106>1 - - countersign - gap - "]);
    let mut to = Vec::new();
    alert(Gravity::High, 1_700_000_000_123_456, "node 1", "playbook", "{}", &mut to);
    assert_eq!(messages(&to), [format!("<114>1 {at} node_1 countersign - playbook - {{}}")]);
}

proptest! {
    #[test]
    fn no_value_ends_a_message_early(text in any::<String>()) {
        let (mut to, line) = (Vec::new(), full(What::Refused, &text));
        frame(&line, &ocsf::event(&line).to_string(), &mut to);
        frame(&line, &cef::line(&line), &mut to);
        frame(&bare(What::Opened), "the last", &mut to);
        let messages = messages(&to);
        prop_assert_eq!(messages.len(), 3);
        // Receivers that read line by line are not fooled either.
        prop_assert!(messages.iter().all(|message| !message.contains('\n')));
    }
}
