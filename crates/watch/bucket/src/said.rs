//! What object storage says in XML: its lists of versions, its locks, and the names of its errors.

use quick_xml::{Reader, de::from_reader, events::Event};
use serde::{Deserialize, de::DeserializeOwned};

/// One version of an object.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Version {
    /// The object's name.
    pub name: String,
    /// Names the version.
    pub id: String,
    /// Whether it is the newest.
    pub is_newest: bool,
    /// Whether it says that the object is gone, and holds nothing.
    pub is_removal: bool,
}

/// Some versions, and where to go on.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Page {
    /// The versions.
    pub versions: Vec<Version>,
    /// Name and version that the next page begins after; none where this is the last.
    pub next: Option<(String, String)>,
}

/// What a bucket knows of retention locks.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Locking {
    /// Whether objects can be locked.
    pub is_on: bool,
    /// How every object is locked that does not say otherwise.
    pub default: Option<String>,
}

/// Reads a list of versions; none where it is not one.
#[must_use]
pub fn versions(xml: &[u8]) -> Option<Page> {
    let list: ListVersionsResult = read(xml, "ListVersionsResult")?;
    let removals = list.markers.into_iter().map(|version| (version, true));
    let versions: Vec<_> = list
        .versions
        .into_iter()
        .map(|version| (version, false))
        .chain(removals)
        .map(|(RawVersion { name, id, is_newest }, is_removal)| Version { name, id, is_newest, is_removal })
        .collect();
    let next = match (list.is_truncated, list.next_name, list.next_id) {
        (false, ..) => None,
        (true, Some(name), Some(id)) => Some((name, id)),
        // More is said to follow, and not where.
        (true, ..) => return None,
    };
    Some(Page { versions, next })
}

/// Reads what a bucket locks; none where it is not that.
#[must_use]
pub fn locking(xml: &[u8]) -> Option<Locking> {
    let said: ObjectLockConfiguration = read(xml, "ObjectLockConfiguration")?;
    let retention = said.rule.and_then(|rule| rule.retention);
    let default = retention.map(|Retention { mode, days, years }| match (days, years) {
        (Some(days), _) => format!("{mode}, {days} days"),
        (_, Some(years)) => format!("{mode}, {years} years"),
        _ => mode,
    });
    Some(Locking { is_on: said.enabled.is_some_and(|word| word == "Enabled"), default })
}

/// The name of an error, where it is one that can be shown.
#[must_use]
pub fn error(xml: &[u8]) -> String {
    let said: Option<Error> = read(xml, "Error");
    let name = said.map(|said| said.code).unwrap_or_default();
    let shows = name.len() <= 64 && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if shows { name } else { String::new() }
}

/// Reads a document whose outermost element has this name: any other well-formed one would be taken for an empty list.
fn read<T: DeserializeOwned>(xml: &[u8], root: &str) -> Option<T> {
    let mut reader = Reader::from_reader(xml);
    loop {
        match reader.read_event().ok()? {
            Event::Start(element) | Event::Empty(element) if element.local_name().as_ref() == root.as_bytes() => {
                return from_reader(xml).ok();
            }
            Event::Decl(_) | Event::Comment(_) | Event::Text(_) | Event::PI(_) => {}
            _ => return None,
        }
    }
}

#[derive(Deserialize)]
struct ListVersionsResult {
    #[serde(rename = "IsTruncated", default)]
    is_truncated: bool,
    #[serde(rename = "NextKeyMarker")]
    next_name: Option<String>,
    #[serde(rename = "NextVersionIdMarker")]
    next_id: Option<String>,
    #[serde(rename = "Version", default)]
    versions: Vec<RawVersion>,
    #[serde(rename = "DeleteMarker", default)]
    markers: Vec<RawVersion>,
}

#[derive(Deserialize)]
struct RawVersion {
    #[serde(rename = "Key")]
    name: String,
    #[serde(rename = "VersionId")]
    id: String,
    #[serde(rename = "IsLatest", default)]
    is_newest: bool,
}

#[derive(Deserialize)]
struct ObjectLockConfiguration {
    #[serde(rename = "ObjectLockEnabled")]
    enabled: Option<String>,
    #[serde(rename = "Rule")]
    rule: Option<Rule>,
}

#[derive(Deserialize)]
struct Rule {
    #[serde(rename = "DefaultRetention")]
    retention: Option<Retention>,
}

#[derive(Deserialize)]
struct Retention {
    #[serde(rename = "Mode", default)]
    mode: String,
    #[serde(rename = "Days")]
    days: Option<u32>,
    #[serde(rename = "Years")]
    years: Option<u32>,
}

#[derive(Deserialize)]
struct Error {
    #[serde(rename = "Code", default)]
    code: String,
}

#[cfg(test)]
mod tests;
