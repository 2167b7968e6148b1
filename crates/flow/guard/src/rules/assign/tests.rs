use super::*;

#[test]
fn every_name_ends_as_the_cheap_look_expects() {
    for (name, what) in NAMES.iter().filter(|(name, _)| !matches!(*name, b"authorization" | b"pw")) {
        let text = [name, b" ".as_slice()].concat();
        assert!(may_name(name, ALPHA) && ends_like_name(&text, name.len()), "{}", name.escape_ascii());
        assert_eq!(promise(name), (*what != Promise::Nothing).then_some(*what), "{}", name.escape_ascii());
    }
}

/// Which credentials are found in a prompt: rule and text.
fn found(text: &str) -> Vec<(&'static str, &str)> {
    let mut out = Vec::new();
    crate::rules::prompt(text, &crate::leak::Planted::default(), &mut out);
    let secrets = out.into_iter().filter(|f| f.kind == Kind::Secret);
    secrets.map(|f| (f.rule, text.get(f.span).unwrap())).collect()
}

#[test]
fn what_a_name_announces_is_found() {
    let mut missed = Vec::new();
    let word = "Tr0ub4dor&3";
    for before in [
        "password = ",
        "password=",
        "Password: ",
        "DB_PASSWORD=",
        "\"password\": \"",
        "'db.password' => '",
        "$password = \"",
        "password        => '",
        "the password is ",
        "My password is now: ",
        "set the password to ",
        "the password for 'app' is '",
        "<password>",
        "<add key=\"Password\" value=\"",
        "setProperty(\"password\", \"",
        "--password ",
        "-Password ",
        "--pass=",
        "machine example.org login jo password ",
        "Server=db;User Id=jo;Password=",
        "contraseña: ",
        "mi contraseña es ",
        "Passwort: ",
        "das Kennwort lautet ",
        "mot de passe : ",
        "wachtwoord: ",
        "senha: ",
        "hasło: ",
        "şifre: ",
        "пароль: ",
        "密码：",
        "パスワードは ",
        "비밀번호: ",
        "lösenord: ",
        "clave: ",
        "heslo: ",
        "salasana: ",
        "password2: ",
        "curl -u jo:",
        "psexec \\\\host -u jo -p ",
        "- name: DB_PASSWORD\n  value: ",
        "variable \"db_password\" {\n  default = \"",
        "if password == '",
        "sshpass -p '",
        "mysql -u root -p",
        "ENV DB_PASSWORD ",
        "requirepass ",
        "CREATE USER jo WITH PASSWORD '",
        "CREATE USER jo IDENTIFIED BY '",
        "password - ",
        "pw: ",
        "la password è ",
        "Hasło to ",
        "Пароль: ",
        "пароль — ",
    ] {
        let text = format!("{before}{word}");
        missed.extend((!found(&text).contains(&("secret/password", word))).then_some(text));
    }
    let token = "p8Xibndc9vsmAp9ZgPBZ606FSlYIZVlsZ";
    for before in [
        "token: ",
        "API_KEY=",
        "\"client_secret\": \"",
        "X-Api-Key: ",
        "Authorization: Bearer ",
        "Authorization: SSWS ",
        "Authorization: ",
        "Authorization: Token ",
        "Authorization: ApiKey ",
        "secret_key_base: ",
        "AccountName=jo;AccountKey=",
        "env('JIRA_SECRET', '",
        "vault operator unseal ",
        "PHPSESSID=",
        "ado_pat = '",
        "kubectl --token ",
        "private_key: ",
        "consumer_key => '",
    ] {
        let text = format!("{before}{token}");
        missed.extend((!found(&text).contains(&("secret/assigned", token))).then_some(text));
    }
    assert_eq!(missed, Vec::<String>::new());
}

#[test]
fn two_values_in_one_address_are_both_found() {
    let text = "https://example.org/?api_key=p8Xibndc9vsmAp9Z&user=jo&password=Tr0ub4dor3&x=1";
    let found = found(text);
    assert!(found.contains(&("secret/assigned", "p8Xibndc9vsmAp9Z")), "{found:?}");
    assert!(found.contains(&("secret/password", "Tr0ub4dor3")), "{found:?}");
}

#[test]
fn a_user_and_a_password_in_base64_are_found() {
    let pair = data_encoding::BASE64.encode(b"Aladdin:open sesame");
    for before in ["Authorization: Basic ", "{\"auths\": {\"registry.example\": {\"auth\": \""] {
        let text = format!("{before}{pair}\"}}}}");
        assert!(found(&text).contains(&("secret/basic-auth", &pair)), "{text}: {:?}", found(&text));
    }
    assert_eq!(found("Authorization: Basic realm"), []);
    assert_eq!(found("auth: YWJjZGVmZ2hpamts"), [], "nothing in it is a name and a password");
}

#[test]
fn passwords_of_letters_alone_are_found_where_nothing_else_can_stand() {
    for text in [
        "REACT_APP_AUTH_PASS=whiteduke",
        "password: 'blooberry'",
        "the password for \"pyne\" is \"centipede\"",
        "Host=db;Password=secret;Port=1",
        "password=='logmein'",
        "<password>",
        "password is required",
    ] {
        let expected = !matches!(text, "<password>" | "password is required");
        assert_eq!(found(text).iter().any(|f| f.0 == "secret/password"), expected, "{text}");
    }
}

#[test]
fn what_stands_for_a_value_is_not_one() {
    let texts = [
        "password = os.environ['DB_PASSWORD1']",
        "password = getpass.getpass(prompt1)",
        "password: Optional[str1] = None",
        "password: typing.Optional[bytes2]",
        "password = ObjectIdentifier(\"1.2.840\")",
        "password: ::windows_sys::core::PCSTR",
        "def ask(prompt='Password: ', stream=None1): pass",
        "timeit(stmt=\"pass\", timer=default_timer2)",
        "\"password\": \"required|min:8\"",
        "'password' => 'hashed'",
        "password: \"${DB_PASSWORD}\"",
        "password: {{ vault_password_1 }}",
        "password: <your-password-1>",
        "password=$DB_PASSWORD",
        "password=%MY_PASSWORD1%",
        "password: ********",
        "password: changeme1!",
        "api_key = your-api-key-1234567",
        "token = xxxxxxxxxxxxxxxxxxxx1",
        "token = self.tokens.next_token_1",
        "token = request.headers.authorization1",
        "next_page_token: getNextPageToken1Value",
        "\"minipass\": \"^3.0.0\"",
        "secret: base64Decode(input1)",
        "key: 9fceb02d0ae598e95dc970b74767f19372d61af8",
        "cache_key = \"user:1234:profile\"",
        "integrity sha512-AbC123==, resolved key 1",
        "PASS: test_login_2 (0.01s)",
        "safe to pass to |EVP_AEAD_CTX_cleanup1|",
        "PublicKey = xTIBA5rboUvnH4htodjb6e697QjLERt1NAqmdZpS0Fw=",
        "\"next_page_token\": \"CiAKGjBpNDd2Nmp2Zml2cXRwYjBpOXA8Xq\"",
        "Idempotency-Key: aB3dE5gH7jK9mN1pQ3sT5vX7zA",
        "Press any key: F12345",
        "the secret is out: 2024-01-01",
    ];
    let found: Vec<_> = texts.iter().filter(|text| !found(text).is_empty()).collect();
    assert_eq!(found, Vec::<&&str>::new());
}

/// What texts are mixed from: names, what leads to values, values.
const PARTS: [&str; 34] = [
    "password",
    "Passwort",
    "passe",
    "API_KEY",
    "token",
    "Bearer",
    "Basic",
    "\"auth\"",
    "datadog_",
    "contraseña",
    "密码",
    "pass1",
    " ",
    " ",
    "=",
    ": ",
    "：",
    "\"",
    "'",
    " => ",
    " is ",
    " for 'app' is ",
    " to ",
    "&",
    ";",
    "\n",
    "login jo ",
    " -u jo:",
    " -p ",
    "name: ",
    "  value: ",
    "hunter2&Xy",
    "p8Xibndc9vsmAp9ZgPBZ606FSlYIZVlsZ",
    "QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
];

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config { cases: 3000, ..Default::default() })]

    #[test]
    fn what_is_stepped_over_names_nothing(parts in proptest::collection::vec(0usize..PARTS.len(), 0..40), last: bool) {
        let text: String = parts.iter().map(|p| PARTS[*p]).collect();
        let view = text.as_bytes();
        let with = crate::rules::tests::scan_with(view, 0, last, false, true);
        proptest::prop_assert_eq!(with, crate::rules::tests::scan_with(view, 0, last, false, false));
    }
}

#[test]
fn the_private_lines_of_a_key_file_are_found() {
    let text =
        "PuTTY-User-Key-File-2: ssh-rsa\nEncryption: none\nPrivate-Lines: 2\nAAAAgQDx\nBBBBgQDx\nPrivate-MAC: 77";
    let key = "Private-Lines: 2\nAAAAgQDx\nBBBBgQDx\nPrivate";
    assert!(found(text).contains(&("secret/private-key", key)), "{:?}", found(text));
}

#[test]
fn a_value_that_shows_whose_it_is_has_the_rule_of_that() {
    let token = ["gh", "p_IDgJwPltIshu0v1DpMZqGb8NN9lZjQplG8sG"].concat();
    for before in ["api_key = \"", "Authorization: Bearer ", "password: "] {
        let text = format!("{before}{token}");
        assert_eq!(found(&text), [("secret/github-token", token.as_str())], "{text}");
    }
}
