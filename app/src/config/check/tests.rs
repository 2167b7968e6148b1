use std::{
    fs::Permissions,
    os::unix::fs::{PermissionsExt, symlink},
};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use tempfile::TempDir;

use super::*;
use crate::{
    cmd::Problems,
    config::{Door, Key},
};
use countersign_guard::FalseAlarms;

mod archive;
mod evidence;
mod shared;

/// A deployment's folder in which everything that a configuration may name is in order.
struct Home {
    folder: TempDir,
}

const TOP_OF_IT: &str = "state = \"state\"\n";
const DOOR: &str =
    "[[listener]]\nname = \"main\"\naddress = \"127.0.0.1:8443\"\ncertificate = \"chain.pem\"\nkey = \"key.pem\"\n";
const TARGET: &str = "[[target]]\nname = \"t\"\nspeaks = \"openai\"\nurl = \"https://api.example\"\nmodels = [\"m\"]\n";
const RESOURCE: &str = "resource = \"https://ai.example\"\n";
const ISSUER: &str = "url = \"https://id.example\"\nkind = \"rfc9068\"\naudiences = [\"https://ai.example\"]\n";
const POLICY: &str = "[policy]\nfiles = [\"policy.cedar\"]\n";

impl Home {
    fn new() -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap() };
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(vec!["localhost".into()]).unwrap();
        place.put("chain.pem", cert.pem(), 0o644);
        place.put("key.pem", signing_key.serialize_pem(), 0o600);
        place.put("policy.cedar", "permit (principal, action, resource);", 0o644);
        place.put("provider.key", "sk-1234\nand more\n", 0o640);
        place.put("empty", "\n", 0o600);
        place.put("binary", [0xff, 0xfe], 0o600);
        place.put("wrong.cedar", "permit (principal, action, resource);\n\npermit (who);", 0o644);
        place.put("open.key", "sk-1234", 0o644);
        place.put("odd.key", "sk-12 34", 0o600);
        place.put("open.cedar", "permit (principal, action, resource);", 0o666);
        place
    }

    fn put(&self, name: &str, text: impl AsRef<[u8]>, mode: u32) {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    fn load(&self, text: &str) -> Result<Config, Vec<Problem>> {
        self.put("countersign.toml", text, 0o644);
        load(&self.folder.path().join("countersign.toml"))
    }

    /// Everything that is wrong with a configuration.
    fn problems(&self, text: &str) -> Vec<Problem> {
        self.load(text).err().unwrap_or_default()
    }
}

fn whole() -> String {
    [TOP_OF_IT, DOOR, TARGET, POLICY].concat()
}

#[test]
fn each_problem_has_its_line_and_a_fix() {
    let place = Home::new();
    // A whole configuration but for what is put in place of one of its parts; then the line and words of the problem.
    let top = |text: &str| [text, DOOR, TARGET, POLICY].concat();
    let door = |text: &str| [TOP_OF_IT, "[[listener]]\nname = \"d\"\n", text, TARGET, POLICY].concat();
    let target = |text: &str| [TOP_OF_IT, DOOR, "[[target]]\nname = \"t\"\n", text, POLICY].concat();
    let more = |text: &str| [&whole(), text].concat();
    let openai = |text: &str| target(&format!("speaks = \"openai\"\nurl = \"https://api.example\"\n{text}"));
    let with_model = |text: &str| openai(&format!("models = [\"m\"]\n{text}"));
    let issuer =
        |text: &str| [TOP_OF_IT, RESOURCE, DOOR, TARGET, POLICY, "[[issuer]]\nname = \"bank\"\n", text].concat();
    let asked = |field: &str, after: &str| {
        format!("introspect = {{ client_id = \"gateway\", secret = {{ sealed = \"id\" }}, {field} }}\n{after}")
    };
    let more_issuer = |text: &str| issuer(&format!("{ISSUER}{text}"));
    let table: Vec<(String, usize, &str)> = vec![
        // The file as a whole.
        (top("state = \"state\"\nnode = \"a b\"\n"), 2, "`node` cannot name an audit log"),
        (top("state = \"state\"\nworkers = 0\n"), 2, "`workers` is 0"),
        (top("state = \"state\"\nsomething = 1\n"), 2, "unknown field `something`"),
        (top("state = \n"), 1, "string values must be quoted"),
        ([TOP_OF_IT, "listener = []\n", TARGET, POLICY].concat(), 1, "there is no [[listener]]"),
        ([TOP_OF_IT, "target = []\n", DOOR, POLICY].concat(), 1, "there is no [[target]]"),
        ([TOP_OF_IT, DOOR, TARGET].concat(), 1, "missing field `policy`"),
        // Listeners.
        (door(""), 2, "exactly one of `address` and `unix`"),
        (door("address = \"127.0.0.1:1\"\nunix = \"s\"\n"), 2, "exactly one of `address` and `unix`"),
        (door("address = \"localhost\"\n"), 2, "`localhost` is not an address"),
        (door("address = \"127.0.0.1:1\"\n"), 2, "without `certificate` and `key`"),
        (door("address = \"127.0.0.1:1\"\ncleartext = \"yes\"\n"), 2, "`cleartext` has another value"),
        (
            door("address = \"0.0.0.0:1\"\ncleartext = \"i-accept-cleartext-on-loopback\"\n"),
            2,
            "cleartext on an address that is not loopback",
        ),
        (
            door(
                "address = \"127.0.0.1:1\"\ncleartext = \"i-accept-cleartext-on-loopback\"\nclient_ca = \"chain.pem\"\n",
            ),
            2,
            "both in the clear and with a certificate",
        ),
        (door("unix = \"s\"\nrequire_client_certificate = true\n"), 2, "a Unix socket takes no"),
        (door("unix = \"s\"\ncleartext = \"i-accept-cleartext-on-loopback\"\n"), 2, "a Unix socket takes no"),
        (
            door(
                "address = \"127.0.0.1:1\"\ncertificate = \"chain.pem\"\nkey = \"key.pem\"\nrequire_client_certificate = true\n",
            ),
            2,
            "`require_client_certificate` without `client_ca`",
        ),
        (
            door("address = \"127.0.0.1:1\"\ncertificate = \"nothing.pem\"\nkey = \"key.pem\"\n"),
            2,
            "`nothing.pem` cannot be read",
        ),
        (
            door("address = \"127.0.0.1:1\"\ncertificate = \"policy.cedar\"\nkey = \"key.pem\"\n"),
            2,
            "the certificate chain is not usable PEM",
        ),
        (
            door("address = \"127.0.0.1:1\"\ncertificate = \"chain.pem\"\nkey = \"provider.key\"\n"),
            2,
            "the private key is not usable PEM",
        ),
        (
            door("address = \"127.0.0.1:1\"\ncertificate = \"chain.pem\"\nkey = \"open.key\"\n"),
            2,
            "`open.key` holds a secret and is open to everyone (mode 644)",
        ),
        (
            door(
                "address = \"127.0.0.1:1\"\ncertificate = \"chain.pem\"\nkey = \"key.pem\"\ntrust_domains = { \"spiffe://bank\" = \"chain.pem\" }\n",
            ),
            2,
            "is not the name of a SPIFFE trust domain",
        ),
        (
            door("address = \"127.0.0.1:1\"\ncertificate = \"chain.pem\"\nkey = \"key.pem\"\nclient_ca = \"empty\"\n"),
            2,
            "the client authority is not usable PEM",
        ),
        (more("[[listener]]\nname = \"main\"\nunix = \"s\"\n"), 14, "two listeners are named `main`"),
        (more("[[listener]]\nname = \" \"\nunix = \"s\"\n"), 14, "a listener has an empty name"),
        (
            more(
                "[[listener]]\nname = \"b\"\naddress = \"127.0.0.1:8443\"\ncertificate = \"chain.pem\"\nkey = \"key.pem\"\n",
            ),
            14,
            "two listeners listen on `127.0.0.1:8443`",
        ),
        // Targets.
        (
            target("speaks = \"openai\"\nurl = \"api.example\"\nmodels = [\"m\"]\n"),
            7,
            "`url` is not a provider's address",
        ),
        (target("speaks = \"openai\"\nurl = \"http://api.example\"\nmodels = [\"m\"]\n"), 7, "in the clear"),
        (
            target("speaks = \"openai\"\nurl = \"http://api.example\"\ncleartext = \"yes\"\nmodels = [\"m\"]\n"),
            7,
            "`cleartext` is `yes`, which is not known",
        ),
        (target("speaks = \"azure\"\nurl = \"https://api.example\"\nmodels = [\"m\"]\n"), 7, "an azure target needs"),
        (with_model("deployment = \"d\"\n"), 7, "for azure targets alone"),
        (
            target("speaks = \"klingon\"\nurl = \"https://api.example\"\nmodels = [\"m\"]\n"),
            9,
            "unknown variant, expected",
        ),
        (openai("models = []\n"), 7, "a target that serves no model"),
        (openai("models = [\"\"]\n"), 7, "a model whose name is empty"),
        (openai("models = [\"a\\\"b\"]\n"), 7, "has quotes, backslashes or control characters"),
        (openai("models = [{ name = \"a\", upstream = \"a\\nb\" }]\n"), 7, "has quotes, backslashes or control"),
        (openai("models = [\"m\", { name = \"m\", upstream = \"n\" }]\n"), 7, "the model `m` stands twice"),
        (with_model("connect_seconds = 0\n"), 7, "`connect_seconds` is not a time to wait"),
        (with_model("first_byte_seconds = 0\n"), 7, "`first_byte_seconds` is not a time to wait"),
        (with_model("idle_seconds = 0\n"), 7, "`idle_seconds` is not a time to wait"),
        (with_model("total_seconds = 86401\n"), 7, "`total_seconds` is not a time to wait"),
        (with_model("ca = \"nothing.pem\"\n"), 7, "`nothing.pem` cannot be read"),
        (with_model("ca = \"policy.cedar\"\n"), 7, "its `ca` is not a list of certificates in PEM"),
        (with_model("key = { env = \"NO_SUCH_VARIABLE_HERE\" }\n"), 7, "`NO_SUCH_VARIABLE_HERE` is not set"),
        (with_model("key = { file = \"nothing.key\" }\n"), 7, "the file that `key` names cannot be read"),
        (with_model("key = { file = \"empty\" }\n"), 7, "the file that `key` names holds no key"),
        (with_model("key = { file = \"binary\" }\n"), 7, "the file that `key` names holds no key"),
        (with_model("key = { file = \"odd.key\" }\n"), 7, "characters that cannot be sent"),
        (with_model("key = { file = \"open.key\" }\n"), 7, "holds a secret and is open to everyone (mode 644)"),
        (more(&TARGET.replace("https://api", "https://b")), 14, "two targets are named `t`"),
        // Policy.
        ([TOP_OF_IT, DOOR, TARGET, "[policy]\nfiles = []\n"].concat(), 12, "there is no policy file"),
        ([TOP_OF_IT, DOOR, TARGET, "[policy]\nfiles = [\"no.cedar\"]\n"].concat(), 13, "`no.cedar` cannot be read"),
        ([TOP_OF_IT, DOOR, TARGET, "[policy]\nfiles = [\"binary\"]\n"].concat(), 13, "`binary` is not UTF-8 text"),
        (
            [TOP_OF_IT, DOOR, TARGET, "[policy]\nfiles = [\"open.cedar\"]\n"].concat(),
            13,
            "`open.cedar` can be changed by everyone (mode 666)",
        ),
        // Rules, guards, certificates, telemetry.
        (more("[[rule]]\nfind = \"nonsense\"\ndo = \"mask\"\n"), 14, "`find` is `nonsense`"),
        (more("[[rule]]\nfind = \"nonsense/rule\"\ndo = \"mask\"\n"), 14, "`find` is `nonsense/rule`"),
        (more("[[rule]]\nin = \"both\"\ndo = \"mask\"\n"), 14, "`in` is `both`"),
        (more("[[rule]]\nchannel = \"tv\"\ndo = \"mask\"\n"), 14, "`channel` is `tv`"),
        (more("[[rule]]\ndo = \"nothing\"\n"), 14, "`do` is `nothing`"),
        (more("[[rule]]\nat_least = 1.5\ndo = \"mask\"\n"), 14, "`at_least` is `1.5`"),
        (more("[[rule]]\nat_least = nan\ndo = \"mask\"\n"), 14, "`at_least` is `NaN`"),
        (more("[guard]\nprotected = [\"nothing.txt\"]\n"), 15, "`nothing.txt` cannot be read"),
        (more("[guard]\nprotected = [\"binary\"]\n"), 15, "`binary` is not UTF-8 text"),
        (more("[guard]\ncanaries = \"binary\"\n"), 15, "`binary` is not UTF-8 text"),
        (more("[guard]\ncanaries = \"empty\"\n"), 15, "holds no token"),
        (
            more("[guard]\nlink_hosts = [\n\"good.example\",\n\"https://bad.example\"]\n"),
            17,
            "`https://bad.example` in `link_hosts`",
        ),
        (more("[guard]\nspotlight = \"bright\"\n"), 15, "`bright` is no way to mark text"),
        (more("[guard]\nfalse_alarms = \"2%\"\n"), 15, "`2%` is no operating point"),
        (more("[guard.judge]\nmodel = \"m\"\nfrom = \"0.1%\"\n"), 14, "would be asked about nothing"),
        (more("[guard.judge]\nmodel = \"other\"\n"), 14, "is served by no target"),
        (more("[guard.judge]\nmodel = \"m\"\nfrom = \"2%\"\n"), 14, "`2%` is no operating point"),
        (
            more("[guard]\nfalse_alarms = \"1%\"\n[guard.judge]\nmodel = \"m\"\nfrom = \"1%\"\n"),
            16,
            "would be asked about nothing",
        ),
        (more("[guard.judge]\nmodel = \"m\"\nseconds = 0\n"), 14, "no time that a caller would wait"),
        (more("[guard.judge]\nmodel = \"m\"\nconcurrent = 0\n"), 14, "could not be asked"),
        (more("[guard.thresholds]\nweights = \"0\"\ntyped = 0.5\n"), 14, "found with other weights"),
        (more(&format!("[guard.thresholds]\nweights = \"{}\"\n", crate::config::weights())), 14, "holds no threshold"),
        (more(&format!("[guard.thresholds]\nweights = \"{}\"\ntyped = 1.5\n", crate::config::weights())), 14, "`1.5`"),
        (more("[[certificate]]\nroles = [\"r\"]\n"), 14, "exactly one of `uri`, `dns` and `common_name`"),
        (more("[[certificate]]\nuri = \"u\"\ndns = \"d\"\nroles = [\"r\"]\n"), 14, "exactly one of `uri`"),
        (more("[[certificate]]\nuri = \"\"\nroles = [\"r\"]\n"), 14, "whose name is empty"),
        (more("[[certificate]]\nuri = \"u\"\nkind = \"cat\"\nroles = [\"r\"]\n"), 14, "`kind` is `cat`"),
        // Issuers.
        (
            more(&format!("[[issuer]]\nname = \"bank\"\n{ISSUER}")),
            14,
            "there is an [[issuer]], [[access]] or [[receiver]] and no `resource`",
        ),
        (
            [TOP_OF_IT, RESOURCE, DOOR, TARGET, POLICY].concat(),
            2,
            "`resource` without an [[issuer]], [[access]] or [[receiver]]",
        ),
        (
            issuer(ISSUER).replace("https://ai.example", "https://ai.example/v1"),
            2,
            "`resource` is not an https URL without path",
        ),
        (issuer(&ISSUER.replace("rfc9068", "saml")), 18, "unknown variant, expected"),
        (issuer(&ISSUER.replace("https://id.example", "id.example")), 15, "`url` is not an address"),
        (issuer(&ISSUER.replace("https://id.example", "https://id.example/?x")), 15, "`url` is not an address"),
        (issuer(&ISSUER.replace("https", "http")), 15, "would have keys fetched in the clear"),
        (
            issuer(&(ISSUER.replace("https", "http") + "cleartext = \"i-accept-cleartext-on-loopback\"\n")),
            15,
            "would have keys fetched in the clear",
        ),
        (more_issuer("cleartext = \"yes\"\n"), 15, "`cleartext` has another value"),
        (more_issuer("jwks = \"http://id.example/keys\"\n"), 15, "`jwks` would have keys fetched in the clear"),
        (more_issuer("jwks = \"keys.json\"\n"), 15, "`jwks` is not an address"),
        (more_issuer("ca = \"policy.cedar\"\n"), 15, "`ca`: the authorities are not a list of certificates"),
        (more_issuer("algorithms = [\"HS256\"]\n"), 15, "`HS256`, which is not accepted"),
        (more_issuer("algorithms = [\"none\"]\n"), 15, "`none`, which is not accepted"),
        (more_issuer("algorithms = []\n"), 15, "an algorithm is needed"),
        (more_issuer("directory = true\n"), 15, "`directory = true`, and no listener serves SCIM"),
        (more_issuer("roles = { \"a\" = \"\" }\n"), 15, "is empty"),
        (more_issuer("groups = { \"\" = \"staff\" }\n"), 15, "is empty"),
        (more_issuer("leeway_seconds = 61\n"), 15, "`leeway_seconds` is out of bounds"),
        (more_issuer("refresh_seconds = 0\n"), 15, "`refresh_seconds` is out of bounds"),
        (
            more_issuer("jwks = \"https://id.example/keys\"\njwks_file = \"policy.cedar\"\n"),
            15,
            "`jwks` and `jwks_file` contradict each other",
        ),
        (more_issuer("jwks_file = \"no-such-file\"\n"), 15, "`no-such-file` cannot be read"),
        (issuer(&ISSUER.replace("rfc9068", "spiffe")), 15, "a trust domain has no metadata"),
        (
            issuer(&(ISSUER.replace("rfc9068", "spiffe") + "jwks = \"https://id.example/bundle\"\n")),
            15,
            "the URL is not spiffe:// and a trust domain",
        ),
        (more_issuer("tenants = { \"a\" = \"x\" }\n"), 15, "`tenants` without `tenant_claim`"),
        (more_issuer("tenant_claim = \"tid\"\n"), 15, "`tenant_claim` without `tenants` refuses everybody"),
        (
            more_issuer("tenant = \"x\"\ntenant_claim = \"tid\"\ntenants = { \"a\" = \"x\" }\n"),
            15,
            "`tenant` and `tenant_claim` contradict each other",
        ),
        (more_issuer("tenant_claim = \"tid\"\ntenants = { \"a\" = \"\" }\n"), 15, "is empty"),
        (more_issuer(&asked("seconds = 31", "")), 15, "`seconds` of `introspect` is out of bounds"),
        (more_issuer(&asked("seconds = 0", "")), 15, "`seconds` of `introspect` is out of bounds"),
        (more_issuer(&asked("endpoint = \"http://id.example/ask\"", "")), 15, "`endpoint` would have"),
        (
            more_issuer(&asked("prefix = \"\"", "")).replace("client_id = \"gateway\"", "client_id = \"\""),
            15,
            "`client_id` of `introspect` is empty",
        ),
        (
            more_issuer("introspect = { client_id = \"gateway\", secret = { env = \"COUNTERSIGN_TEST_NO_SUCH\" } }\n"),
            15,
            "the environment variable `COUNTERSIGN_TEST_NO_SUCH` is not set",
        ),
        (
            more_issuer(&asked(
                "prefix = \"ab\"",
                &format!(
                    "[[issuer]]\nname = \"other\"\n{}{}",
                    ISSUER.replace("id.example", "ib.example"),
                    asked("prefix = \"abc\"", "")
                ),
            )),
            21,
            "cannot be told from another issuer's by how they begin",
        ),
        (more_issuer("stale_seconds = 600\n"), 15, "`stale_seconds` is not more than `refresh_seconds`"),
        (issuer(&ISSUER.replace("\"https://ai.example\"", "")), 15, "an audience is needed"),
        (issuer(&ISSUER.replace("rfc9068", "entra")), 15, "names no tenant of Entra ID"),
        (issuer(ISSUER).replace("\"bank\"", "\"Big Bank\""), 15, "the name is not"),
        (
            issuer(&format!("{ISSUER}[[issuer]]\nname = \"other\"\n{ISSUER}")),
            20,
            "two issuers have the url `https://id.example`",
        ),
        (
            issuer(&format!("{ISSUER}[[issuer]]\nname = \"bank\"\n{}", ISSUER.replace("id.example", "ib.example"))),
            20,
            "two issuers are named `bank`",
        ),
        (more("[telemetry]\nlevel = \"loud\"\n"), 14, "`telemetry.level` is `loud`"),
        (more("[telemetry]\notlp = \"nowhere\"\n"), 14, "`telemetry.otlp` is not a provider's address"),
    ];
    for (text, line, what) in table {
        let problems = place.problems(&text);
        let [problem] = &problems[..] else { panic!("{what}: {problems:#?}\n{text}") };
        assert!(problem.what.contains(what), "{what}: {problem}");
        assert_eq!((problem.line, problem.code), (Some(line), Code::ConfigInvalid), "{problem}\n{text}");
        assert!(!problem.fix.is_empty());
        assert_eq!(problem.file, place.folder.path().join("countersign.toml"));
    }
}

const REVOCATION: &str =
    "signals = { revocation = { endpoint = \"https://ai.example/global-token-revocation\", client = \"gateway\" } }\n";
/// An organisation that speaks for the people of the issuer `bank`.
const ORG: &str = "[[issuer]]\nname = \"org\"\nurl = \"https://org.example\"\nkind = \"okta\"\nspeaks_for = \"bank\"\nsignals = \
                   { revocation = { endpoint = \"https://ai.example/global-token-revocation\", client = \"gateway\" } }\n";

#[test]
fn who_sends_signals_and_who_is_told_is_said_without_doubt() {
    let place = Home::new();
    let door = format!("{DOOR}admin = true\n");
    let issuer = |more: &str| {
        [RESOURCE, TOP_OF_IT, &door, TARGET, POLICY, "[[issuer]]\nname = \"bank\"\n", ISSUER, more].concat()
    };
    let receiver =
        |more: &str| [RESOURCE, TOP_OF_IT, &door, TARGET, POLICY, "[[receiver]]\nname = \"siem\"\n", more].concat();
    let (audience, push) = ("audience = \"a\"\n", "push = \"https://siem.example/events\"\n");
    place.load(&issuer("signals = { audiences = [\"a\"], logout = \"gateway\" }\n")).map_err(Problems).unwrap();
    let config = place.load(&issuer(ORG)).map_err(Problems).unwrap();
    let revocation = config.issuers[1].signals.as_ref().unwrap().revocation.as_ref().unwrap();
    assert_eq!(revocation.client, "gateway");
    assert_eq!(config.issuers[1].issuer.speaks_for.as_deref(), Some("bank"));
    let config = place.load(&receiver(&[audience, push, "token = { file = \"provider.key\" }\n"].concat()));
    assert_eq!(config.map_err(Problems).unwrap().receivers[0].name, "siem");
    place.load(&receiver(&format!("{audience}polled_by = \"default/siem\"\n"))).map_err(Problems).unwrap();
    for (text, what) in [
        (issuer("signals = {}\n"), "nothing is taken in"),
        (
            issuer("signals = { revocation = { endpoint = \"https://ai.example/\", client = \"c\" } }\n"),
            "an `endpoint`",
        ),
        (issuer(&REVOCATION.replace("\"gateway\"", "\"\"")), "and a `client`"),
        (issuer(REVOCATION).replace("admin = true", ""), "no listener that serves them"),
        (issuer(&format!("{REVOCATION}speaks_for = \"okta\"\n")), "gives no access of its own"),
        (issuer(&[REVOCATION, ORG].concat()).replace("\"bank\"\nsignals", "\"other\"\nsignals"), "is no other issuer"),
        (issuer(&ORG.replace("signals", "#")), "`speaks_for` without `signals`"),
        (issuer("signals = { audiences = [\"\"] }\n"), "an audience that is empty"),
        (issuer("signals = { logout = \"g\", poll = \"https://id.example/poll\" }\n"), "`poll` without `audiences`"),
        (issuer("signals = { audiences = [\"a\"], poll = \"http://id.example/poll\" }\n"), "can be fetched from"),
        (issuer("signals = { audiences = [\"a\"], token = { file = \"provider.key\" } }\n"), "is for `poll`"),
        (issuer("signals = { logout = \"g\" }\n").replace("admin = true", ""), "no listener that serves them"),
        (receiver(push), "missing field `audience`"),
        (receiver(&format!("{audience}{push}algorithm = \"none\"\n")), "expected `EdDSA` or `RS256`"),
        (receiver(audience), "exactly one of `push` and `polled_by`"),
        (receiver(&format!("{audience}{push}polled_by = \"a/b\"\n")), "exactly one of"),
        (receiver(&format!("{audience}polled_by = \"siem\"\n")), "names no principal"),
        (receiver(&format!("{audience}polled_by = \"a/b\"\ntoken = {{ file = \"provider.key\" }}\n")), "pushed to"),
        (
            receiver(&format!("{audience}{}", push.replace("https", "http"))),
            "not an address that events can be pushed to",
        ),
        (receiver(&format!("{audience}{push}")).replace("siem\"", "si em\""), "a receiver needs a `name`"),
        (receiver(&format!("{audience}{push}")).replace(RESOURCE, ""), "no `resource`"),
        (receiver(&format!("{audience}{push}")).replace("admin = true", ""), "no listener that serves them"),
    ] {
        let problems = place.problems(&text);
        let [problem] = &problems[..] else { panic!("{what}: {problems:#?}\n{text}") };
        assert!(problem.what.contains(what), "{what}: {problem}");
    }
}

#[test]
fn a_policy_problem_names_the_policy_file_and_line() {
    let place = Home::new();
    let problems = place.problems(&whole().replace("policy.cedar", "wrong.cedar"));
    assert!(!problems.is_empty());
    for problem in problems {
        assert_eq!((problem.code, problem.line), (Code::PolicyInvalid, Some(3)));
        assert_eq!(problem.file, place.folder.path().join("wrong.cedar"));
    }
}

#[test]
fn all_problems_are_told_at_once() {
    let place = Home::new();
    let text = whole().replace("8443", "none").replace("https", "ftp").replace("policy.cedar", "no.cedar");
    assert_eq!(place.problems(&text).len(), 3);
}

#[test]
fn a_key_in_the_wrong_place_is_not_repeated() {
    let place = Home::new();
    const KEY: &str = "sk-live-0123456789abcdef";
    for key in [format!("{{ env = \"{KEY}\" }}"), format!("{{ file = \"{KEY}\" }}"), format!("\"{KEY}\"")] {
        let text = whole().replace("models", &format!("key = {key}\nmodels"));
        let problems = place.problems(&text);
        assert!(!problems.is_empty(), "{key}");
        assert!(problems.iter().all(|p| !p.to_string().contains(KEY)), "{problems:?}");
    }
}

#[test]
fn what_is_whole_holds_and_paths_are_relative_to_the_file() {
    let place = Home::new();
    let text = whole().replace("models", "key = { file = \"provider.key\" }\nmodels");
    let config = place.load(&text).map_err(|p| format!("{p:?}")).unwrap();
    assert_eq!(config.home.dir, place.folder.path().join("state"));
    assert_eq!((config.home.node.as_str(), config.workers), ("countersign", None));
    assert!(matches!(&config.listeners[..], [l] if matches!(l.door, Door::Tls { .. })));
    assert!(matches!(&config.targets[0].key, Some(Key::Known(key)) if key.expose() == "sk-1234"));
}

#[test]
fn where_nothing_is_said_the_learned_detector_is_strict_and_it_can_be_off() {
    let place = Home::new();
    let point = |text: &str| place.load(&(whole() + text)).map_err(|p| format!("{p:?}")).unwrap().guard.false_alarms;
    assert_eq!(point(""), Some(FalseAlarms::OnePerMille));
    assert_eq!(point("[guard]\nfalse_alarms = \"1%\"\n"), Some(FalseAlarms::OnePercent));
    assert_eq!(point("[guard]\nfalse_alarms = \"off\"\n"), None);
}

#[test]
fn names_are_looked_for_where_a_line_does_something_about_them() {
    let place = Home::new();
    let names = |text: &str| {
        let names = place.load(&(whole() + text)).map_err(|p| format!("{p:?}")).unwrap().guard.names;
        (names.prompts, names.answers)
    };
    assert_eq!(names(""), (false, false));
    assert_eq!(names("[[rule]]\nfind = \"personal/name\"\nin = \"answer\"\ndo = \"mask\"\n"), (false, true));
    assert_eq!(
        names("[[rule]]\nfind = \"PERSON\"\nin = \"prompt\"\nroles = [\"guest\"]\ndo = \"mask\"\n"),
        (true, false)
    );
    assert_eq!(names("[[rule]]\nfind = \"personal-data\"\ndo = \"mask\"\n"), (true, true));
}

#[test]
fn profiles_stand_behind_rules_and_before_the_standard_ones() {
    use countersign_core::Action;

    let place = Home::new();
    let with = |profiles: &str| whole().replace("[policy]\n", &format!("[policy]\nprofiles = {profiles}\n"));
    let own = "[[rule]]\nfind = \"EMAIL\"\nin = \"prompt\"\ndo = \"allow\"\n";
    let config = place.load(&(with("[\"pci\", \"hipaa\"]") + own)).map_err(|p| format!("{p:?}")).unwrap();
    let lines: Vec<_> =
        config.policy.rules.actions.iter().take(4).map(|line| (line.rule.clone().unwrap(), line.action)).collect();
    let want = [
        ("EMAIL", Action::Allow),
        ("CARD_CVV", Action::Refuse),
        ("CREDIT_CARD", Action::Mask),
        ("CARD_EXPIRY", Action::Mask),
    ];
    assert_eq!(lines, want.map(|(name, action)| (name.to_owned(), action)));
    let standard = countersign_policy::Rules::standard().actions;
    assert!(config.policy.rules.actions.ends_with(&standard));
    assert_eq!(place.load(&whole()).map_err(|p| format!("{p:?}")).unwrap().policy.rules.actions, standard);
    let problems = place.problems(&with("[\"HIPAA\"]"));
    assert!(problems[0].fix.contains("hipaa, pci, gdpr, secrets"), "{problems:?}");
    let problems = place.problems(&(whole() + &own.replace("EMAIL", "E_MAIL")));
    assert!(problems[0].fix.contains("PERSON"), "{problems:?}");
}

#[test]
fn issuers_are_taken_as_they_are_written() {
    use crate::issuers::Keys;

    let place = Home::new();
    let issuer = format!(
        "[[issuer]]\nname = \"bank\"\n{ISSUER}groups = {{ \"g\" = \"staff\" }}\nscopes = {{ \"s\" = \"asks\" }}\n"
    );
    let text = [TOP_OF_IT, RESOURCE, DOOR, TARGET, POLICY, &issuer].concat();
    let config = place.load(&text).map_err(|p| format!("{p:?}")).unwrap();
    let [crate::config::Issuer { issuer, source, .. }] = &config.issuers[..] else { panic!("one issuer") };
    assert_eq!((&*issuer.url, &*issuer.tenant, issuer.roles.len()), ("https://id.example", "default", 2));
    let names: Vec<_> = issuer.algorithms.iter().map(|a| a.as_str()).collect();
    assert_eq!(names, ["RS256", "PS256", "ES256", "EdDSA"]);
    let Keys::Discovered([oidc, oauth]) = &source.keys else { panic!("nothing says where its keys are") };
    assert_eq!(oidc.to_string(), "https://id.example/.well-known/openid-configuration");
    assert_eq!(oauth.to_string(), "https://id.example/.well-known/oauth-authorization-server");
    let text = text.replace("https://id.example", "http://127.0.0.1:9/x/");
    let config =
        place.load(&format!("{text}cleartext = \"i-accept-cleartext-on-loopback\"\n")).map_err(|p| format!("{p:?}"));
    assert!(config.unwrap().issuers[0].source.clear);
}

#[test]
fn a_secret_behind_a_link_is_judged_by_the_file_it_leads_to() {
    let place = Home::new();
    symlink(place.folder.path().join("open.key"), place.folder.path().join("link.key")).unwrap();
    let text = whole().replace("models", "key = { file = \"link.key\" }\nmodels");
    assert!(place.problems(&text)[0].what.contains("is open to everyone"));
}

#[test]
fn a_file_that_is_not_there_is_said_to_be() {
    let folder = tempfile::tempdir().unwrap();
    let problems = load(&folder.path().join("none.toml")).err().unwrap();
    assert!(problems[0].what.starts_with("cannot be read") && problems[0].line.is_none());
    assert!(problems[0].fix.contains("countersign init"));
}

#[test]
fn what_init_writes_is_valid() {
    let place = Home::new();
    let text = include_str!("../../cmd/init/countersign.toml");
    fs::create_dir(place.folder.path().join("tls")).unwrap();
    for name in ["chain.pem", "key.pem"] {
        fs::rename(place.folder.path().join(name), place.folder.path().join("tls").join(name)).unwrap();
    }
    place.put("policy.cedar", countersign_policy::STARTER, 0o644);
    assert!(place.problems(text).is_empty());
    assert!(text.lines().count() < 60);
}

#[test]
fn what_the_console_is_given_has_to_hold() {
    let place = Home::new();
    let issuer = [TOP_OF_IT, RESOURCE, DOOR, TARGET, POLICY, "[[issuer]]\nname = \"bank\"\n", ISSUER].concat();
    let sign_in = |issuer: &str, address: &str, more: &str| {
        format!("[console.sign_in]\nissuer = {issuer:?}\naddress = {address:?}\nclient_id = \"console\"\n{more}")
    };
    let told = |text: &str| {
        let problems = place.problems(&[&issuer, text].concat());
        problems.into_iter().map(|problem| problem.what).collect::<Vec<_>>().join("; ")
    };
    assert_eq!(told(&sign_in("bank", "https://gateway.example:8444", "")), "");
    assert_eq!(told(&sign_in("bank", "http://127.0.0.1:8444", "scopes = [\"openid\", \"x\"]")), "");
    let wrong = "`address` of `sign_in` is not where a browser finds the console";
    for address in ["http://gateway.example", "https://gateway.example/", "https://gateway.example/x", "gateway", ""] {
        assert_eq!(told(&sign_in("bank", address, "")), wrong, "{address}");
    }
    assert!(told(&sign_in("other", "https://gateway.example", "")).contains("`other`, which is no [[issuer]]"));
    let scopes = "`client_id` or `scopes` of `sign_in` will not do";
    assert_eq!(told(&sign_in("bank", "https://gateway.example", "scopes = [\"email\"]")), scopes);
    let several = "[console]\nedit_policies = true\n[cluster]\nredis = \"rediss://redis.example:6379\"\n";
    assert!(told(several).contains("`edit_policies` changes the files of one node, and there are several"));
}
