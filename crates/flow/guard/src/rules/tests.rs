use super::*;

/// Rules found in a prompt's text, with the text they were found in.
pub(super) fn found(text: &str) -> Vec<(&'static str, &str)> {
    let mut out = Vec::new();
    prompt(text, &Planted::default(), &mut out);
    out.into_iter().map(|f| (f.rule, text.get(f.span).unwrap())).collect()
}

#[test]
fn what_is_personal_is_found() {
    for (text, want) in [
        ("card 4111 1111 1111 1111.", ("personal/card", "4111 1111 1111 1111")),
        ("card=4111111111111111&x", ("personal/card", "4111111111111111")),
        ("amex 3782-822463-10005", ("personal/card", "3782-822463-10005")),
        ("ssn 536-22-8145,", ("personal/us-ssn", "536-22-8145")),
        ("My SSN is 536228145.", ("personal/us-ssn", "536228145")),
        ("NHS number 943 476 5919", ("personal/nhs", "943 476 5919")),
        ("aadhaar 4771 8666 1198", ("personal/aadhaar", "4771 8666 1198")),
        ("CPF 529.982.247-25", ("personal/cpf", "529.982.247-25")),
        ("PESEL: 44051401359", ("personal/pesel", "44051401359")),
        ("BSN 111222333", ("personal/bsn", "111222333")),
        ("DNI 12345678Z", ("personal/dni", "12345678Z")),
        ("NIE X1234567L", ("personal/dni", "X1234567L")),
        ("to GB82WEST12345698765432 now", ("personal/iban", "GB82WEST12345698765432")),
        ("<jo.doe@mail.example.com>", ("personal/email", "jo.doe@mail.example.com")),
        ("mailto:jo@example.org.", ("personal/email", "jo@example.org")),
        ("ring (555) 234-5678 today", ("personal/phone", "(555) 234-5678")),
        ("ring 555-234-5678", ("personal/phone", "555-234-5678")),
        ("ring +1 555 234 5678", ("personal/phone", "+1 555 234 5678")),
        ("phone: 030 901820", ("personal/phone", "030 901820")),
    ] {
        assert!(found(text).contains(&want), "{text}: {:?}", found(text));
    }
}

#[test]
fn what_is_secret_is_found() {
    for (text, want) in [
        ("AKIAIOSFODNN7EXAMPLE", "secret/aws-key-id"),
        ("key=sk-ant-api03-nu4LEqCI9jsl6OUmbXzY3eXwYD9bG56ToaA2", "secret/anthropic-key"),
        ("xoxb-264901854221-044325117165-iqU6mCVXEAsWALfNA7ytqwAL", "secret/slack-token"),
        ("https://x:ghp_IDgJwPltIshu0v1DpMZqGb8NN9lZjQplG8sG@github.com", "secret/github-token"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P", "secret/web-token"),
        ("4839574813:AAFD39kkdpWt3ywyRZergyOLMaJhac61qc_", "secret/telegram-token"),
        ("postgres://app:hunter2@db.example/x", "secret/connection-string"),
        ("Password: \"Tr0ub4dor&3\"", "secret/password"),
        ("the password is Tr0ub4dor&3.", "secret/password"),
        ("{\"client_secret\": \"p8e-ibndcvsmAp9ZgPBZ606FSlYIZVlsZ-g5\"}", "secret/adobe-secret"),
        ("Authorization: Bearer ciotgp8BGZBlX192iExSQPm0SrUlBunG8zd", "secret/crates-token"),
        (
            "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk=\n-----END OPENSSH PRIVATE KEY-----",
            "secret/private-key",
        ),
    ] {
        assert!(found(text).iter().any(|f| f.0 == want), "{text}: {:?}", found(text));
    }
}

#[test]
fn look_alikes_are_not() {
    for text in [
        "Order 1234567890123456 shipped, tracking 9400111899223197428490.",
        "3fa85f64-5717-4562-b3fc-2c963f66afa6 and 9fceb02d0ae598e95dc970b74767f19372d61af8",
        "at 2024-11-03T10:20:30.555Z, 1700000000000 ms, 1730629230",
        "ISBN 978-3-16-148410-0, version 10.15.7.2024, 192.168.100.200",
        "What is 4111 divided by 17? And is 123456789012 a prime number?",
        "Password: must be at least 8 characters. Your password is required.",
        "token = os.environ['TOKEN']; api_key: ${API_KEY}; secret: <your secret here>",
        "import foo.bar@latest; user@host; a @ b; @decorator; x@1.2.3",
        "sk-learn and task-force-alpha-team-number-one; internationalization-of-documentation",
        "In 2024 we grew 12.5% to 1,234,567 units; see pages 100-200 and 300-400.",
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
        "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----",
    ] {
        assert_eq!(found(text), vec![], "{text}");
    }
}

/// Texts with identifiers of all forms, which begin with words, digits and signs, and go on over several.
const FORMS: [&str; 14] = [
    "Pt Ann Poe, 99 y/o, MRN A5574459, born 27.04.1985, admitted September 12, 2025 to 5 Elm Rd.",
    "Lives at 123 Maple Street, Springfield, IL 62701-1234. Or at 22355 Richmond Fords Suite 784, Martinville.",
    "Hauptstraße 12a, Mirja-Pechel-Ring 36/86, Calle de Alcalá 45, Via Giuseppe Verdi, 12, rue Auger, 13, rue de la Paix",
    "ul. Jana III Sobieskiego 77/40, Parkvägen 69, Flat 6, Elliott Stream, P.O. Box 1234, Kerkstraat 12",
    "user=banderson ip=142.190.4.93 mac=4a:bf:40:a8:db:eb at https://davis.net/x?y=1, www.example.org.",
    "{\"username\": \"jo.doe\", \"exp\": \"07/30\", \"cvv\": \"123\", \"passport_number\": \"X1234567\"}",
    "PESEL 44051401359, DNI 12345678Z, A123456(3), 85.07.30-033.28, AB 12 34 56 C, 131052-308T",
    "IBAN DE89 3704 0044 0532 0130 00, BIC DEUTDEFF, sort code 20-00-00, routing 021000021",
    "to 1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa and bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
    "L898902C36UTO7408122F1204159ZE184226B<<<<<10 and 1M8GDM9AXKP042788, vehicle OYG 663, claim 12",
    "born 12 de enero de 2020, 3. März 1980, 1er janvier 1999, Age: 45, the 45-year-old patient, May 2020",
    "call 0121 496 0367 or 438.268.2791x123, a@b.example,032197470,Rome; (555) 234-5678",
    "fe80::1ff:fe23:4567:890a, 2001:db8:85a3:0:0:8a2e:370:7334, 10.0.0.1:8080",
    "12 Main Points in 7 Steps; Spring 2024; May I; Calle; rue; Flat 6; user; username; 12 de; 5",
];

#[test]
fn a_cut_changes_nothing_of_what_is_found() {
    for text in FORMS {
        let view = text.as_bytes();
        let key = |hit: &Hit| (hit.span.start, hit.span.end, hit.rule);
        let mut whole = scan_with(view, 0, true, false, true).0;
        whole.sort_by_key(key);
        for cut in (0..=text.len()).filter(|at| text.is_char_boundary(*at)) {
            let (mut parts, hold) = scan_with(&view[..cut], 0, false, false, true);
            parts.extend(scan_with(view, hold, true, false, true).0);
            parts.sort_by_key(key);
            assert_eq!(parts, whole, "{:?}", &text[..cut]);
        }
    }
}

/// What is found in a view and from where on it is held, with and without stepping over what no rule takes.
pub(super) fn scan_with(view: &[u8], from: usize, last: bool, links: bool, skip: bool) -> (Vec<Hit>, usize) {
    let allowed = crate::links::Links::default();
    let links = links.then_some(&allowed);
    let text = Text { view, from, last, grows: !last, links, planted: None, depth: 0 };
    let mut hits = Vec::new();
    let hold = if skip { scan(&text, &mut hits) } else { sweep(&text, &mut hits, |at| at) };
    (hits, hold)
}

#[test]
fn sums_of_children_hold_nothing_personal() {
    let sums = include_str!("tests/sums.txt");
    assert_eq!(sums.lines().count(), 60);
    for sum in sums.lines() {
        // Names, places and dates do occur in them.
        let found: Vec<_> = found(sum).into_iter().filter(|f| f.0 != "personal/date").collect();
        assert_eq!(found, [], "{sum}");
    }
}

#[test]
fn what_only_looks_like_an_identifier_is_none() {
    for text in [
        "order number 4432187 and invoice 88213, tracking 1Z999AA10123456784",
        "version 10.15.7.2, build 2024.11.3, release 1.2.3.4, Chrome 120.0.6099.129",
        "commit 9fceb02d0ae598e95dc970b74767f19372d61af8 of 3fa85f64-5717-4562-b3fc-2c963f66afa6",
        "sha256 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "ISBN 978-3-16-148410-0, EAN 4006381333931, DOI 10.1000/182, RFC 2119, ISO 27001",
        "1700000000 and 1700000000000, at 2024-11-03T10:20:30.555Z, 10:20:30, 16:9",
        "$1,234,567.89 or 1.234.567,89 EUR, 12.5 %, 3/4, 1/2, 24/7, 9/11",
        "127.0.0.1:8080, 0.0.0.0/0, 255.255.255.0, ::1, std::fmt::Debug, a::b::c",
        "http://localhost:8080/x and xmlns=\"http://www.w3.org/2000/svg\"",
        "00:00:00:00:00:00 and FF:FF:FF:FF:FF:FF",
        "user = get_user(); username: str; user=None; \"user\": {\"id\": 48213}; User: Hello there",
        "chapter 12 Main Points; 20 Questions; 7 Wonders; 5 Steps; Top 10 Places; 3 Way Calls; Route 66; Area 51",
        "Spring 2024, Engineering 101, Monitoring 24, Windows 11, Boeing 747, Potsdamer Platz 2019",
        "May I ask 3 questions? March on, Mar 3000, June 45, 99 bottles, the age of 12, at age 12",
        "CUSTOMER CONTINUE INTERNET DOCUMENT ABSTRACT 12345678",
        "pages 100-200 and 300-400; 12-14; 1-2-3; 4x4; A4; B2B; 5G; H2O; 100k",
        "[123, 456, 789]; (1, 2); x[0] = 1; 0x1F; #123456; 1e10; 3.14159; -273.15",
    ] {
        assert_eq!(found(text), [], "{text}");
    }
}
