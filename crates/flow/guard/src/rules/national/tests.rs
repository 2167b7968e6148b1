use super::*;
use crate::rules::tests::found;

/// Published examples, with a word that speaks of each, and the rule that takes them.
const EXAMPLES: &[(&str, &str, &str)] = &[
    ("personal/nir", "NIR", "255081416802538"),
    ("personal/ahv", "AHV", "7569217076985"),
    ("personal/resident-id", "resident identity", "110105194912310021"),
    ("personal/cnpj", "CNPJ", "11222333000181"),
    ("personal/abn", "ABN", "51824753556"),
    ("personal/acn", "ACN", "004085616"),
    ("personal/rijksregister", "national id", "85073003328"),
    ("personal/cnp", "CNP", "1630615123457"),
    ("personal/za-id", "identity", "8001015009087"),
    ("personal/thai-id", "citizen id", "1234545678781"),
    ("personal/cpf", "CPF", "52998224725"),
    ("personal/fodselsnummer", "fødselsnummer", "15108695088"),
    ("personal/tckn", "T.C. kimlik no", "17291716060"),
    ("personal/pesel", "PESEL", "44051401359"),
    ("personal/amka", "AMKA", "01013099997"),
    ("personal/steuer-id", "Steuer-ID", "36574261809"),
    ("personal/oib", "OIB", "33392005961"),
    ("personal/cuit", "tax id", "20267565393"),
    ("personal/aadhaar", "Aadhaar", "477186661198"),
    ("personal/my-number", "my number", "123456789018"),
    ("personal/personnummer", "personnummer", "8112189876"),
    ("personal/egn", "EGN", "7523169263"),
    ("personal/rodne-cislo", "rodné číslo", "7103192745"),
    ("personal/nip", "NIP", "8567346215"),
    ("personal/nhs", "NHS", "9434765919"),
    ("personal/medicare", "Medicare", "2123456701"),
    ("personal/at-sv", "Sozialversicherungsnummer", "1237010180"),
    ("personal/bsn", "BSN", "111222333"),
    ("personal/sin", "SIN", "193456787"),
    ("personal/tfn", "TFN", "123456782"),
    ("personal/afm", "AFM", "094259216"),
    ("personal/nif", "tax id", "501964843"),
    ("personal/ird", "IRD", "136410132"),
    ("personal/ird", "IRD", "49091850"),
    ("personal/siren", "SIREN", "732829320"),
    ("personal/siret", "SIRET", "73282932000074"),
    ("personal/regon", "REGON", "192598184"),
    ("personal/rut", "RUT", "125319092"),
];

fn values(text: &str) -> Vec<u8> {
    text.bytes().filter(u8::is_ascii_digit).map(|c| c - b'0').collect()
}

#[test]
fn published_numbers_are_what_they_are() {
    for (rule, _, text) in EXAMPLES.iter().filter(|e| e.0 != "personal/resident-id") {
        let digits = values(text);
        let number = NUMBERS.iter().find(|n| n.rule == *rule && n.digits == digits.len()).unwrap();
        assert!((number.check)(&digits), "{rule} {text}");
        // The check is the last digit, but for a card's number that follows it.
        let at = if *rule == "personal/medicare" { 8 } else { digits.len() - 1 };
        let mut wrong = digits.clone();
        wrong[at] = (wrong[at] + 1) % 10;
        assert!(!(number.check)(&wrong), "{rule} {text} changed");
    }
    assert!(
        check::resident_with(&values("11010519491231002"), 10)
            && !check::resident_with(&values("11010519491231003"), 10)
    );
}

#[test]
fn a_number_needs_a_word_that_speaks_of_it() {
    for (rule, word, text) in EXAMPLES.iter().filter(|e| e.0 != "personal/resident-id") {
        let sentence = format!("The {word} of this person is {text}.");
        let rules = found(&sentence);
        assert!(rules.iter().any(|f| f == &(*rule, *text)), "{sentence} {rules:?}");
    }
    for (_, _, text) in
        EXAMPLES.iter().filter(|e| !matches!(e.0, "personal/nir" | "personal/ahv" | "personal/resident-id"))
    {
        assert_eq!(found(&format!("There were {text} of them.")), [], "{text}");
    }
}

#[test]
fn what_is_named_counts_although_its_checksum_is_wrong() {
    for (text, rule) in [
        ("PESEL number is 12345678901", "personal/pesel"),
        ("NIP: 1234567890", "personal/nip"),
        ("NIP: 123-456-78-90", "personal/nip"),
        ("Social Security Number: 123-45-6789", "personal/us-ssn"),
        ("\"tax_id\": \"123456787\"", "personal/tax-id"),
        ("Personalausweis-Nr. und Ausweisnummer: 123456789", "personal/national-id"),
    ] {
        assert!(found(text).iter().any(|f| f.0 == rule), "{text} {:?}", found(text));
    }
}

#[test]
fn forms_that_prove_themselves_need_no_word() {
    for (rule, text) in [
        ("personal/nir", "2 55 08 14 168 025 38"),
        ("personal/ahv", "756.9217.0769.85"),
        ("personal/rijksregister", "85.07.30-033.28"),
        ("personal/thai-id", "1-2345-45678-78-1"),
        ("personal/cpf", "529.982.247-25"),
        ("personal/cuit", "20-26756539-3"),
        ("personal/rrn", "900101-1234567"),
        ("personal/cnic", "35202-1234567-1"),
        ("personal/personnummer", "811218-9876"),
        ("personal/rut", "12.531.909-2"),
        ("personal/resident-id", "11010519491231002X"),
        ("personal/hetu", "131052-308T"),
        ("personal/nric", "S1234567D"),
        ("personal/nino", "AB123456C"),
        ("personal/codice-fiscale", "RCCMNL83S18D969H"),
        ("personal/curp", "BOXW310820HNERXN09"),
        ("personal/rfc", "GODE561231GR8"),
        ("personal/pan", "ABCPE1234F"),
        ("personal/hkid", "A123456(3)"),
        ("personal/hkid", "AB987654(3)"),
    ] {
        let sentence = format!("It was {text}, they said");
        assert!(found(&sentence).contains(&(rule, text)), "{sentence} {:?}", found(&sentence));
    }
    for (word, rule, text) in
        [("PPS", "personal/pps", "6433435F"), ("Rentenversicherungsnummer", "personal/rvnr", "65170839J003")]
    {
        let sentence = format!("national id, {word} {text}");
        assert!(found(&sentence).contains(&(rule, text)), "{sentence} {:?}", found(&sentence));
    }
}

#[test]
fn one_sign_changed_proves_nothing() {
    for text in [
        "2 55 08 14 168 025 39",
        "756.9217.0769.86",
        "85.07.30-033.29",
        "1-2345-45678-78-2",
        "529.982.247-26",
        "20-26756539-4",
        "901301-1234567",
        "811218-9877",
        "12.531.909-3",
        "11010519491231003X",
        "131052-308U",
        "S1234567E",
        "GB123456C",
        "AB123456E",
        "RCCMNL83S18D969I",
        "BOXW310820HNERXN08",
        "GODE561331GR8",
        "ABCXE1234F",
        "A123456(4)",
        "A123456(#)",
    ] {
        let rules = found(&format!("It was {text}, they said")).into_iter().filter(|f| f.0 != "personal/phone").count();
        assert_eq!(rules, 0, "{text}");
    }
}
