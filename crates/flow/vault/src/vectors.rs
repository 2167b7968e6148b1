//! Every vector of project Wycheproof for what is put together here.

use std::{fs, path::Path};

use data_encoding::HEXLOWER;
use serde_json::Value;

use crate::{
    ff1::{Ff1, Way},
    siv::Siv,
};

/// The tests of a file, each with its group; none where the vectors are not at hand.
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn vectors(name: &str) -> Option<Vec<(Value, Value)>> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../../shared/vectors/wycheproof").join(name);
    let Ok(text) = fs::read_to_string(&file) else {
        assert!(std::env::var("CI").is_err(), "{} is missing", file.display());
        eprintln!("SKIPPED: {} is missing", file.display());
        return None;
    };
    let all: Value = serde_json::from_str(&text).unwrap();
    let groups = all["testGroups"].as_array().unwrap();
    let tests = groups
        .iter()
        .flat_map(|group| group["tests"].as_array().unwrap().iter().map(|test| (group.clone(), test.clone())));
    Some(tests.collect())
}

fn bytes(test: &Value, field: &str) -> Vec<u8> {
    HEXLOWER.decode(test[field].as_str().unwrap().as_bytes()).unwrap()
}

#[test]
fn siv_agrees_with_wycheproof() {
    let Some(tests) = vectors("aes_siv_cmac_test.json") else { return };
    for (_, test) in &tests {
        let (siv, aad) = (Siv::new(&bytes(test, "key")).unwrap(), bytes(test, "aad"));
        let opened = siv.open(&[&aad], &bytes(test, "ct"));
        if test["result"] == "valid" {
            assert_eq!(siv.seal(&[&aad], &bytes(test, "msg")).unwrap(), bytes(test, "ct"), "{test}");
            assert_eq!(opened.unwrap(), bytes(test, "msg"), "{test}");
        } else {
            assert!(opened.is_err(), "{test}");
        }
    }
    assert_eq!(tests.len(), 442);
}

#[test]
fn siv_agrees_with_the_example_of_its_rfc_with_several_data() {
    let hex = |text: &str| HEXLOWER.decode(text.as_bytes()).unwrap();
    let key = hex("7f7e7d7c7b7a79787776757473727170404142434445464748494a4b4c4d4e4f");
    let data = [
        hex("00112233445566778899aabbccddeeffdeaddadadeaddadaffeeddccbbaa99887766554433221100"),
        hex("102030405060708090a0"),
        hex("09f911029d74e35bd84156c5635688c0"),
    ];
    let data: Vec<&[u8]> = data.iter().map(Vec::as_slice).collect();
    let text = b"this is some plaintext to encrypt using SIV-AES";
    let sealed = hex(
        "7bdb6e3b432667eb06f4d14bff2fbd0fcb900f2fddbe404326601965c889bf17dba77ceb094fa663b7a3f748ba8af829ea64ad544a272e9c485b62a3fd5c0d",
    );
    let siv = Siv::new(&key).unwrap();
    assert_eq!(siv.seal(&data, text).unwrap(), sealed);
    assert_eq!(siv.open(&data, &sealed).unwrap(), text);
}

#[test]
fn ff1_agrees_with_wycheproof() {
    let Some(tests) = vectors("aes_ff1_base10_test.json") else { return };
    let digits = |text: &Value| text.as_str().unwrap().bytes().map(|b| b.wrapping_sub(b'0')).collect::<Vec<u8>>();
    let (mut agreed, mut refused) = (0, 0);
    for (_, test) in &tests {
        let (key, tweak, text) = (bytes(test, "key"), bytes(test, "tweak"), digits(&test["msg"]));
        let sealed = Ff1::new(&key).and_then(|ff1| ff1.run(&tweak, &text, Way::There));
        if test["result"] != "valid" {
            assert!(sealed.is_err(), "{test}");
            refused += 1;
        } else if (6..=56).contains(&text.len()) && tweak.len() <= 56 {
            assert_eq!(sealed.unwrap(), digits(&test["ct"]), "{test}");
            assert_eq!(Ff1::new(&key).unwrap().run(&tweak, &digits(&test["ct"]), Way::Back).unwrap(), text, "{test}");
            agreed += 1;
        } else {
            // Too few values to be safe, or more digits than any number of this kind has.
            assert!(sealed.is_err(), "{test}");
            refused += 1;
        }
    }
    assert_eq!(agreed + refused, 3845);
    assert!(agreed > 2000, "{agreed} agreed, {refused} were refused");
}
