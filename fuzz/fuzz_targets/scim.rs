//! A filter, a resource and a patch are read or refused, and a patch leaves what a resource needs.

#![no_main]

use countersign_scim::{Filter, Kind, Patch, read};
use libfuzzer_sys::fuzz_target;
use serde_json::json;

fuzz_target!(|data: &[u8]| {
    let members = json!([{ "value": "a" }, { "value": "b" }]);
    let body = json!({ "schemas": [Kind::Group.schema()], "displayName": "Staff", "members": members });
    let Ok(group) = Kind::Group.resource(&body) else { unreachable!() };
    if let Ok(text) = std::str::from_utf8(data)
        && let Ok(filter) = Filter::parse(text)
    {
        let _ = filter.fits(Kind::Group, &group);
    }
    let Ok(body) = read(data) else { return };
    for kind in Kind::ALL {
        if let Ok(resource) = kind.resource(&body) {
            assert!(resource.keys().all(|name| kind.attribute(name).is_some_and(|attribute| attribute.writable)));
        }
    }
    if let Ok(patch) = Patch::read(&body)
        && let Ok(patched) = patch.apply(Kind::Group, &group)
    {
        assert!(patched.contains_key("displayName"));
    }
});
