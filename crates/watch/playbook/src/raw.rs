//! A playbook as it is written: what of CACAO 2.0 is understood, and nothing beside it.

use std::{collections::BTreeMap, fmt, marker::PhantomData};

use serde::{
    Deserialize,
    de::{Error, MapAccess, Visitor},
};
use serde_json::Value;

/// The top of the file. What has no field here is not understood, and refused.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "what a playbook says of itself is read strictly and used by people alone")]
pub(crate) struct RawPlaybook {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) spec_version: String,
    pub(crate) id: String,
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) description: String,
    #[serde(default)]
    playbook_types: Vec<String>,
    #[serde(default)]
    playbook_activities: Vec<String>,
    pub(crate) created_by: String,
    created: String,
    modified: String,
    #[serde(default)]
    pub(crate) revoked: bool,
    priority: Option<u8>,
    severity: Option<u8>,
    impact: Option<u8>,
    #[serde(default)]
    labels: Vec<String>,
    external_references: Option<Value>,
    pub(crate) workflow_start: String,
    pub(crate) workflow: Unique<RawStep>,
    pub(crate) playbook_extensions: Unique<RawTrigger>,
    pub(crate) agent_definitions: Unique<RawAgent>,
    pub(crate) extension_definitions: Unique<RawExtension>,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum RawStep {
    Start {
        #[serde(default, rename = "name")]
        _name: String,
        on_completion: String,
    },
    Action {
        name: String,
        #[serde(default, rename = "description")]
        _description: String,
        commands: Vec<RawCommand>,
        agent: String,
        on_completion: String,
        step_extensions: Unique<RawAct>,
    },
    IfCondition {
        #[serde(default, rename = "name")]
        _name: String,
        condition: String,
        on_true: String,
        on_false: Option<String>,
        on_completion: Option<String>,
    },
    SwitchCondition {
        #[serde(default, rename = "name")]
        _name: String,
        switch: String,
        cases: Unique<String>,
        on_completion: Option<String>,
    },
    Parallel {
        #[serde(default, rename = "name")]
        _name: String,
        next_steps: Vec<String>,
        on_completion: Option<String>,
    },
    End {
        #[serde(default, rename = "name")]
        _name: String,
    },
}

/// What a command is done by: ours, whose parameters stand in the step's extension.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawCommand {
    #[serde(rename = "type")]
    pub(crate) kind: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawAgent {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    #[serde(rename = "name")]
    _name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawExtension {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    #[serde(rename = "name")]
    _name: String,
    #[serde(rename = "created_by")]
    _created_by: String,
    #[serde(rename = "schema")]
    _schema: String,
    pub(crate) version: String,
}

/// What sets a playbook off.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawTrigger {
    pub(crate) on: Vec<String>,
    pub(crate) of: Vec<String>,
    pub(crate) risk_at_least: u8,
    pub(crate) once_in_minutes: u32,
}

/// What a step does.
#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum RawAct {
    Restrain { measure: String, minutes: u32 },
    Revoke {},
    Notify { channel: String },
}

/// A map in which no name stands twice.
pub(crate) struct Unique<V>(pub(crate) BTreeMap<String, V>);

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Unique<V> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader<V>(PhantomData<V>);
        impl<'de, V: Deserialize<'de>> Visitor<'de> for Reader<V> {
            type Value = Unique<V>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Unique<V>, A::Error> {
                let mut all = BTreeMap::new();
                while let Some((name, value)) = map.next_entry::<String, V>()? {
                    if all.insert(name, value).is_some() {
                        return Err(A::Error::custom("a name stands twice in an object"));
                    }
                }
                Ok(Unique(all))
            }
        }
        deserializer.deserialize_map(Reader(PhantomData))
    }
}
