use std::{collections::BTreeMap, fs, path::PathBuf};

use super::*;
use crate::support::{ALL, bare, full};

/// OCSF's own schema, as far as it says what an event must and may have.
struct Schema {
    root: PathBuf,
    dictionary: Value,
}

type Attributes = BTreeMap<String, Value>;

impl Schema {
    fn open() -> Option<Self> {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../../shared/vectors/ocsf");
        if !root.exists() {
            assert!(std::env::var_os("CI").is_none(), "the OCSF schema must be present where CI is set");
            #[expect(clippy::print_stderr, reason = "a skipped test says so loudly")]
            {
                eprintln!("SKIPPED: the OCSF schema is absent");
            }
            return None;
        }
        let dictionary = Self::read(&root, "dictionary.json");
        Some(Self { root, dictionary })
    }

    fn read(root: &std::path::Path, path: &str) -> Value {
        serde_json::from_slice(&fs::read(root.join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))).unwrap()
    }

    /// The attributes of a class or an object with those it inherits and includes, and of what at least one has to be there.
    fn attributes(&self, path: &str, profiles: &[&str]) -> (Attributes, Vec<String>) {
        let document = Self::read(&self.root, path);
        let folder = path.rsplit_once('/').unwrap().0;
        let (mut attributes, mut one_of) = match document["extends"].as_str() {
            Some("base_event") => self.attributes("events/base_event.json", profiles),
            Some(parent) => self.attributes(&format!("{folder}/{parent}.json"), profiles),
            None => Default::default(),
        };
        if let Some(mine) = document["constraints"]["at_least_one"].as_array() {
            one_of = mine.iter().map(|name| name.as_str().unwrap().to_owned()).collect();
        }
        for (name, attribute) in document["attributes"].as_object().unwrap() {
            if name == "$include" {
                for profile in attribute.as_array().unwrap() {
                    let profile = profile.as_str().unwrap();
                    if profiles.iter().any(|wanted| profile == format!("profiles/{wanted}.json")) {
                        let included = Self::read(&self.root, profile);
                        attributes.extend(included["attributes"].as_object().unwrap().clone());
                    }
                }
                continue;
            }
            let merged = attributes.entry(name.clone()).or_insert_with(|| json!({}));
            for (key, value) in attribute.as_object().unwrap() {
                match (key.as_str(), merged[key.as_str()].as_object_mut()) {
                    ("enum", Some(known)) => known.extend(value.as_object().unwrap().clone()),
                    _ => merged[key.as_str()] = value.clone(),
                }
            }
        }
        (attributes, one_of)
    }

    fn check(&self, at: &str, value: &Value, path: &str, profiles: &[&str]) {
        let (attributes, one_of) = self.attributes(path, profiles);
        let members = value.as_object().unwrap_or_else(|| panic!("{at} is no object"));
        for (name, attribute) in &attributes {
            let needed = attribute["requirement"] == "required";
            assert!(!needed || members.contains_key(name), "{at} lacks {name}");
        }
        let some = one_of.is_empty() || one_of.iter().any(|name| members.contains_key(name));
        assert!(some, "{at} has none of {one_of:?}");
        for (name, value) in members {
            let here = format!("{at}.{name}");
            let attribute = attributes.get(name).unwrap_or_else(|| panic!("{here} is not of the schema"));
            let known = &self.dictionary["attributes"][name];
            let listed = [&attribute["enum"], &known["enum"]].into_iter().filter_map(Value::as_object);
            let listed: Vec<_> = listed.flat_map(|values| values.keys().cloned()).collect();
            let one = |value: &Value| {
                // What these may be is made of the schema's other files.
                let derived = ["category_uid", "class_uid", "type_uid"].contains(&name.as_str());
                if !listed.is_empty() && value.is_number() && !derived {
                    assert!(listed.contains(&value.to_string()), "{here} may not be {value}: {listed:?}");
                }
                self.check_type(&here, value, known["type"].as_str().unwrap());
            };
            match (known["is_array"].as_bool(), value) {
                (Some(true), Value::Array(items)) => items.iter().for_each(one),
                (Some(true), _) => panic!("{here} is no list"),
                (_, value) => one(value),
            }
        }
    }

    fn check_type(&self, here: &str, value: &Value, kind: &str) {
        let fits = match kind {
            "integer_t" | "long_t" | "timestamp_t" | "port_t" => value.is_u64() || value.is_i64(),
            "boolean_t" => value.is_boolean(),
            // Anything may stand there.
            "object" | "json_t" => return,
            kind if kind.ends_with("_t") => value.is_string(),
            object => return self.check(here, value, &format!("objects/{object}.json"), &[]),
        };
        assert!(fits, "{here} is no {kind}: {value}");
    }
}

#[test]
fn every_event_is_of_ocsf_s_own_schema() {
    let Some(schema) = Schema::open() else { return };
    for line in ALL.iter().flat_map(|what| [bare(*what), full(*what, "a text")]) {
        let event = event(&line);
        let path = "events/application/api_activity.json";
        schema.check("event", &event, path, &["ai_operation", "record_integrity"]);
        assert_eq!(event["type_uid"], 600_300 + event["activity_id"].as_u64().unwrap());
        assert_eq!(event["metadata"]["uid"], line.uid());
        let categories = Schema::read(&schema.root, "categories.json");
        assert_eq!(event["category_uid"], categories["attributes"]["application"]["uid"]);
    }
}

#[test]
fn the_schema_s_check_finds_what_is_wrong() {
    let Some(schema) = Schema::open() else { return };
    let good = event(&bare(What::Refused));
    for (pointer, bad) in
        [("/severity_id", json!(42)), ("/time", json!("now")), ("/metadata", json!({})), ("/actor", json!({}))]
    {
        let mut event = good.clone();
        *event.pointer_mut(pointer).unwrap() = bad;
        let checked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            schema.check(
                "event",
                &event,
                "events/application/api_activity.json",
                &["ai_operation", "record_integrity"],
            );
        }));
        assert!(checked.is_err(), "{pointer}");
    }
}

#[test]
fn the_fingerprint_is_of_the_whole_event() {
    let mut event = event(&full(What::Outcome, "a text"));
    let attestation = event.pointer_mut("/attestation_list/0").unwrap().as_object_mut().unwrap();
    let fingerprint = attestation.remove("fingerprint").unwrap();
    assert_eq!(hash_of(&event)["value"], fingerprint["value"]);
    event["message"] = "another".into();
    assert_ne!(hash_of(&event)["value"], fingerprint["value"]);
    // The order of members is nothing that counts.
    let one: Value = serde_json::from_str(r#"{"b":1,"a":["é\n",{"d":0,"c":null}]}"#).unwrap();
    let mut text = String::new();
    write(&one, &mut text);
    assert_eq!(text, r#"{"a":["é\n",{"c":null,"d":0}],"b":1}"#);
}

#[test]
fn an_event_fits_into_what_receivers_take() {
    // The longest that records hold: reasons of 512 bytes, models of 128, and names of some 256.
    let mut line = full(What::Refused, &"x".repeat(256));
    line.reason = Some("\u{1}".repeat(512));
    line.findings.iter_mut().for_each(|(rule, _)| *rule = "x".repeat(40));
    let mut frame = Vec::new();
    crate::syslog::frame(&line, &event(&line).to_string(), &mut frame);
    assert!(frame.len() <= 8192 + 5, "{}", frame.len());
}
