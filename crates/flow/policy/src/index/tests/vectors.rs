//! Cedar's own test cases, run against the engine as this workspace builds it (only the `ipaddr` extension), asked as a whole and
//! through the index.
//!
//! They are read in place beside the repository; where they are absent the tests say so and pass, except in CI.

use std::{
    collections::{BTreeSet, HashMap},
    fs,
    io::Read,
    path::PathBuf,
    str::FromStr,
};

use cedar_policy::{
    Authorizer, Context, Decision, Entities, EntityId, EntityTypeName, EntityUid, PolicySet, Request, Schema,
    ValidationMode, Validator,
};
use serde_json::Value;

use super::{Index, agree};

/// One file of cases with what it refers to.
struct Vector {
    cases: Value,
    policies: String,
    schema: String,
    entities: String,
}

#[test]
fn the_hand_written_cases() {
    let Some(folder) = folder() else { return };
    let mut ran = 0;
    for part in ["decimal", "example_use_cases", "ip", "multi"] {
        for entry in fs::read_dir(folder.join("tests").join(part)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|e| e != "json") {
                continue;
            }
            let cases: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
            let read = |name: &str| fs::read_to_string(folder.join(cases[name].as_str().unwrap())).unwrap();
            let (policies, schema, entities) = (read("policies"), read("schema"), read("entities"));
            ran += run(&path.display().to_string(), &Vector { cases, policies, schema, entities });
        }
    }
    assert!(ran >= 26, "only {ran} requests ran");
}

#[test]
fn a_sample_of_the_generated_cases() {
    let Some(folder) = folder() else { return };
    let archive = fs::read(folder.join("corpus-tests.tar.gz")).unwrap();
    let mut tar = Vec::new();
    flate2::read::GzDecoder::new(archive.as_slice()).read_to_end(&mut tar).unwrap();
    let files: HashMap<&str, &str> = entries(&tar).collect();
    let mut ran = 0;
    // Names are hashes, so a beginning is a fair sample.
    for (path, cases) in files.iter().filter(|(path, _)| path.starts_with("corpus-tests/0") && path.ends_with(".json"))
    {
        if path.ends_with(".entities.json") {
            continue;
        }
        let cases: Value = serde_json::from_str(cases).unwrap();
        let read = |name: &str| String::from(files[cases[name].as_str().unwrap()]);
        let (policies, schema, entities) = (read("policies"), read("schema"), read("entities"));
        ran += run(path, &Vector { cases, policies, schema, entities });
    }
    assert!(ran >= 1_000, "only {ran} requests ran");
}

/// The folder of vectors; `None` where it is absent and need not be there.
#[expect(clippy::print_stderr, reason = "a skipped test must be loud")]
fn folder() -> Option<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../../shared/vectors/cedar");
    if folder.is_dir() {
        return Some(folder);
    }
    let ci = std::env::var_os("CI").is_some_and(|ci| ci == "true");
    assert!(!ci, "the Cedar vectors are absent");
    eprintln!("SKIPPED: the Cedar vectors are absent");
    None
}

/// Runs one file's requests; says how many.
fn run(name: &str, vector: &Vector) -> usize {
    let foreign = ["decimal", "datetime", "duration"];
    let texts = [&vector.policies, &vector.schema, &vector.entities, &vector.cases.to_string()];
    if texts.iter().any(|text| foreign.iter().any(|word| text.contains(word))) {
        return 0;
    }
    let policies = PolicySet::from_str(&vector.policies).unwrap();
    let index = Index::of(policies.policies()).unwrap();
    let (schema, _) = Schema::from_cedarschema_str(&vector.schema).unwrap();
    let valid = Validator::new(schema.clone()).validate(&policies, ValidationMode::Strict).validation_passed();
    // The generated cases say `false` also where it was not looked at.
    assert!(valid || vector.cases["shouldValidate"] == false, "{name}");
    // The hand-written entities need the schema to be read; some generated ones do not fit theirs.
    let entities = match Entities::from_json_str(&vector.entities, Some(&schema)) {
        Ok(entities) => entities,
        Err(_) => Entities::from_json_str(&vector.entities, None).unwrap(),
    };
    let requests = vector.cases["requests"].as_array().unwrap();
    for request in requests {
        let uid = |of: &str| {
            let kind = EntityTypeName::from_str(request[of]["type"].as_str().unwrap()).unwrap();
            EntityUid::from_type_name_and_id(kind, EntityId::new(request[of]["id"].as_str().unwrap()))
        };
        let context = Context::from_json_value(request["context"].clone(), None).unwrap();
        let asked = Request::new(uid("principal"), uid("action"), uid("resource"), context, None).unwrap();
        let response = Authorizer::new().is_authorized(&asked, &policies, &entities);
        let expected = if request["decision"] == "allow" { Decision::Allow } else { Decision::Deny };
        assert_eq!(response.decision(), expected, "{name}: {}", request["description"]);
        let ids = |of: &str| -> BTreeSet<String> {
            request[of].as_array().unwrap().iter().map(|id| id.as_str().unwrap().into()).collect()
        };
        let reasons: BTreeSet<_> = response.diagnostics().reason().map(ToString::to_string).collect();
        assert_eq!(reasons, ids("reason"), "{name}");
        let failed: BTreeSet<_> = response
            .diagnostics()
            .errors()
            .map(|error| {
                let cedar_policy::AuthorizationError::PolicyEvaluationError(error) = error;
                error.policy_id().to_string()
            })
            .collect();
        assert_eq!(failed, ids("errors"), "{name}");
        agree(&policies, &index, &asked, &entities);
    }
    requests.len()
}

/// The files of a tar archive (POSIX ustar): a header of 512 bytes with the name at 0 and the size in octal at 124, then the bytes,
/// padded to 512.
fn entries(tar: &[u8]) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = tar;
    std::iter::from_fn(move || {
        while rest.len() >= 512 && rest[0] != 0 {
            let text = |at: std::ops::Range<usize>| std::str::from_utf8(&rest[at]).unwrap().trim_matches(['\0', ' ']);
            let size = usize::from_str_radix(text(124..135), 8).unwrap();
            let (name, file) = (text(0..100), rest[156] == b'0');
            let body = &rest[512..512 + size];
            rest = &rest[512 + size.next_multiple_of(512)..];
            if file {
                return Some((name, std::str::from_utf8(body).unwrap()));
            }
        }
        None
    })
}
