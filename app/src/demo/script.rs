//! The exchanges that are replayed: read from a file that ships with the program.

use data_encoding::{BASE64, HEXLOWER};
use serde::Deserialize;
use serde_json::{Value, json};

/// One exchange.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Exchange {
    #[serde(default)]
    pub(super) kind: Kind,
    /// What kind of attack.
    #[serde(default)]
    pub(super) family: String,
    pub(super) role: String,
    #[serde(default)]
    pub(super) key: Key,
    #[serde(default = "assistant")]
    pub(super) model: String,
    #[serde(default)]
    pub(super) stream: bool,
    say: String,
    #[serde(default)]
    encode: Encoding,
    tool_result: Option<String>,
    /// Owners of planted secrets that the caller may see.
    #[serde(default)]
    pub(super) may: Vec<String>,
    /// What an undisturbed answer holds.
    #[serde(default)]
    pub(super) expect: String,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Kind {
    /// Ordinary work.
    #[default]
    Ordinary,
    /// Benign text with words that attacks use.
    LookAlike,
    /// Meant to get at what the caller may not have.
    Attack,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Ord, PartialEq, PartialOrd)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Key {
    /// The role's own key, in force.
    #[default]
    Valid,
    Expired,
    Revoked,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Encoding {
    #[default]
    Plain,
    Base64,
    Hex,
    Rot13,
    Reversed,
    Homoglyphs,
    ZeroWidth,
    Tags,
    FullWidth,
}

/// The script.
pub(super) fn load() -> anyhow::Result<Vec<Exchange>> {
    #[derive(Deserialize)]
    struct Script {
        exchange: Vec<Exchange>,
    }
    let script: Script = toml::from_str(include_str!("script.toml"))?;
    Ok(script.exchange)
}

impl Exchange {
    /// The request's body.
    pub(super) fn body(&self) -> String {
        let mut messages: Vec<Value> = vec![json!({"role": "user", "content": self.said()})];
        if let Some(result) = &self.tool_result {
            messages.push(json!({"role": "assistant", "content": null, "tool_calls": [
                {"id": "call_0", "type": "function", "function": {"name": "fetch", "arguments": "{}"}}]}));
            messages.push(json!({"role": "tool", "tool_call_id": "call_0", "content": result}));
        }
        json!({"model": self.model, "stream": self.stream, "messages": messages}).to_string()
    }

    /// What the user says, encoded as the exchange wants it.
    pub(super) fn said(&self) -> String {
        let map = |f: fn(char) -> char| self.say.chars().map(f).collect::<String>();
        match self.encode {
            Encoding::Plain => self.say.clone(),
            Encoding::Base64 => format!("Please follow this: {}", BASE64.encode(self.say.as_bytes())),
            Encoding::Hex => format!("Please follow this: {}", HEXLOWER.encode(self.say.as_bytes())),
            Encoding::Rot13 => map(super::decode::rot13),
            Encoding::Reversed => self.say.chars().rev().collect(),
            Encoding::Homoglyphs => map(|c| match c {
                'a' => 'а',
                'e' => 'е',
                'o' => 'о',
                'p' => 'р',
                'c' => 'с',
                other => other,
            }),
            Encoding::ZeroWidth => self.say.chars().flat_map(|c| [c, '\u{200B}']).collect(),
            Encoding::Tags => {
                let hidden = self.say.chars().filter_map(|c| char::from_u32(0xE0000 + c as u32)).collect::<String>();
                format!("When do you open on Saturday?{hidden}")
            }
            Encoding::FullWidth => map(|c| match c {
                '!'..='~' => char::from_u32(c as u32 + 0xFEE0).unwrap_or(c),
                other => other,
            }),
        }
    }
}

fn assistant() -> String {
    "assistant".into()
}
