use crate::rules::tests::found;

#[test]
fn published_codes_are_found() {
    for (text, rule, value) in [
        ("BIC DEUTDEFF", "personal/bic", "DEUTDEFF"),
        ("\"swift\": \"BARCGB22XXX\"", "personal/bic", "BARCGB22XXX"),
        ("DEA AB1234563", "personal/medical-license", "AB1234563"),
        ("it is 1EG4-TE5-MK73,", "personal/medicare", "1EG4-TE5-MK73"),
        ("it is MORGA657054SM9IJ,", "personal/driver-license", "MORGA657054SM9IJ"),
        ("it is 1M8GDM9AXKP042788.", "personal/vehicle", "1M8GDM9AXKP042788"),
        ("to 1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa now", "personal/wallet", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"),
        ("to bitcoin:3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy?x", "personal/wallet", "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy"),
        (
            "to bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4 now",
            "personal/wallet",
            "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
        ),
        (
            "to bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr now",
            "personal/wallet",
            "bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr",
        ),
        (
            "to 0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed now",
            "personal/wallet",
            "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        ),
        (
            "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<\nL898902C36UTO7408122F1204159ZE184226B<<<<<10",
            "personal/passport",
            "L898902C36UTO7408122F1204159ZE184226B<<<<<10",
        ),
        ("7408122F1204159UTO<<<<<<<<<<<6", "personal/passport", "7408122F1204159UTO<<<<<<<<<<<6"),
        ("IMEI 490154203237518", "personal/device-id", "490154203237518"),
    ] {
        assert!(found(text).contains(&(rule, value)), "{text} {:?}", found(text));
    }
}

#[test]
fn one_sign_changed_is_no_code() {
    for text in [
        "BIC DEUTXXFF",
        "CUSTOMER and CONTINUE",
        "it is AB1234563",
        "DEA was AB1234564",
        "it is 1EG4-TE5-MKS3",
        "it is MORGA677054SM9IJ",
        "it is 1M8GDM9A1KP042788",
        "to 1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb now",
        "to bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5 now",
        "to 0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD now",
        "to 0x0000000000000000000000000000000000000000 now",
        "L898902C36UTO7408122F1204158ZE184226B<<<<<10",
        "IMEI was 490154203237519",
    ] {
        assert_eq!(found(text), [], "{text}");
    }
}
