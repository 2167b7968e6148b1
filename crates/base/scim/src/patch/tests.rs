use proptest::prelude::*;
use serde_json::json;

use super::*;

fn group() -> Resource {
    let members: Vec<_> = ["a", "b", "c"].map(|id| json!({ "value": id })).into();
    let body =
        json!({ "schemas": [Kind::Group.schema()], "displayName": "Staff", "externalId": "x", "members": members });
    Kind::Group.resource(&body).unwrap()
}

fn patch(kind: Kind, resource: &Resource, operations: Value) -> Result<Resource, Fault> {
    Patch::read(&json!({ "schemas": [SCHEMA], "Operations": operations }))?.apply(kind, resource)
}

/// The ids of the members after the operations.
fn members(operations: Value) -> Result<Vec<String>, Fault> {
    let patched = patch(Kind::Group, &group(), operations)?;
    let members = patched.get("members").and_then(Value::as_array).cloned().unwrap_or_default();
    Ok(members.iter().map(|member| member["value"].as_str().unwrap().to_owned()).collect())
}

#[test]
fn members_come_and_go() {
    for (operation, after) in [
        (json!({ "op": "add", "path": "members", "value": [{ "value": "d" }, { "value": "a" }] }), "abcd"),
        (
            json!({ "op": "Add", "path": "MEMBERS", "value": { "value": "d", "display": "Dora", "type": "User" } }),
            "abcd",
        ),
        (json!({ "op": "replace", "path": "members", "value": [{ "value": "d" }] }), "d"),
        (json!({ "op": "remove", "path": "members[value eq \"b\"]" }), "ac"),
        (json!({ "op": "remove", "path": "members[value eq \"b\" or value eq \"c\"]" }), "a"),
        (json!({ "op": "remove", "path": "members[value eq \"z\"]" }), "abc"),
        (json!({ "op": "remove", "path": "members" }), ""),
        // What it is to remove stands in the value: not everything goes.
        (json!({ "op": "Remove", "path": "members", "value": [{ "value": "b" }] }), "ac"),
        (json!({ "op": "Remove", "path": "members", "value": [{ "value": "z" }] }), "abc"),
        (json!({ "op": "Remove", "path": "members", "value": [] }), "abc"),
        (json!({ "op": "replace", "path": "members[value eq \"b\"]", "value": { "value": "e" } }), "ace"),
        (
            json!({ "op": "add", "value": { "members": [{ "value": "d" }], "id": "x", "schemas": [], "unheardOf": 1 } }),
            "abcd",
        ),
        (json!({ "op": "replace", "value": { "id": "x", "displayName": "Other" } }), "abc"),
        (
            json!({ "op": "add", "path": "urn:ietf:params:scim:schemas:core:2.0:Group:members", "value": [{ "value": "d" }] }),
            "abcd",
        ),
        (json!({ "op": "replace", "path": "urn:x:2.0:User:department", "value": "y" }), "abc"),
    ] {
        let expected: Vec<String> = after.chars().map(String::from).collect();
        assert_eq!(members(json!([operation])), Ok(expected), "{operation}");
    }
}

#[test]
fn what_cannot_be_done_is_refused_and_changes_nothing() {
    let rename = json!({ "op": "replace", "path": "displayName", "value": "Other" });
    for (operation, fault) in [
        (json!({ "op": "remove" }), Fault::NoTarget),
        (json!({ "op": "remove", "path": "displayName" }), Fault::Value("a required attribute is missing")),
        (json!({ "op": "replace", "path": "members[value eq \"z\"]", "value": { "value": "e" } }), Fault::NoTarget),
        (json!({ "op": "replace", "path": "id", "value": "x" }), Fault::Mutability("it is the server's")),
        (json!({ "op": "replace", "path": "meta.created", "value": "x" }), Fault::Mutability("it is the server's")),
        (json!({ "op": "replace", "path": "displayName.x", "value": "y" }), Fault::Path("the attribute has no parts")),
        (
            json!({ "op": "replace", "path": "members[value eq \"a\"", "value": [] }),
            Fault::Path("a bracket does not close"),
        ),
        (
            json!({ "op": "add", "path": "members", "value": [{ "value": "g", "type": "Group" }] }),
            Fault::Value("members are users; groups within groups are not kept"),
        ),
        (
            json!({ "op": "add", "path": "members", "value": [{ "display": "nobody" }] }),
            Fault::Value("a member has no `value`"),
        ),
        (json!({ "op": "add", "path": "displayName" }), Fault::Value("there is no `value`")),
        (json!({ "op": "move", "path": "displayName", "value": "x" }), Fault::Syntax("`op` is add, replace or remove")),
        (json!({ "op": "add", "value": "x" }), Fault::Value("without a `path` the value is an object of attributes")),
    ] {
        assert_eq!(patch(Kind::Group, &group(), json!([rename, operation])), Err(fault), "{operation}");
    }
    assert!(Patch::read(&json!({ "schemas": [], "Operations": [rename] })).is_err());
    assert!(Patch::read(&json!({ "schemas": [SCHEMA], "Operations": [] })).is_err());
    assert!(Patch::read(&json!({ "schemas": [SCHEMA], "Operations": vec![rename; 101] })).is_err());
}

#[test]
fn whether_a_user_is_active_is_read_as_clients_write_it() {
    let body = json!({ "schemas": [Kind::User.schema()], "userName": "ada" });
    let user = Kind::User.resource(&body).unwrap();
    for (value, active) in [(json!(false), false), (json!("False"), false), (json!("True"), true)] {
        let patched = patch(Kind::User, &user, json!([{ "op": "Replace", "path": "active", "value": value }])).unwrap();
        assert_eq!(patched["active"], active);
        let patched = patch(Kind::User, &user, json!([{ "op": "replace", "value": { "active": value } }])).unwrap();
        assert_eq!(patched["active"], active);
    }
    for value in [json!("no"), json!(0), json!([false])] {
        assert!(patch(Kind::User, &user, json!([{ "op": "replace", "path": "active", "value": value }])).is_err());
    }
}

proptest! {
    #[test]
    fn any_operation_is_done_or_refused(
        deed in "add|replace|remove|Add|x",
        path in proptest::option::of("(members|displayName|id|name)(\\[(value|x) (eq|pr|co) \"?[a-c]?\"?\\])?(\\.value)?|\\PC{0,20}"),
        value in proptest::option::of(prop_oneof![
            Just(json!([{ "value": "a" }])), Just(json!("x")), Just(json!({ "members": [] })), Just(json!(null)), Just(json!([["x"]])),
        ]),
    ) {
        let mut operation = json!({ "op": deed });
        if let Some(path) = path {
            operation["path"] = path.into();
        }
        if let Some(value) = value {
            operation["value"] = value;
        }
        if let Ok(patched) = patch(Kind::Group, &group(), json!([operation])) {
            prop_assert!(patched.contains_key("displayName"));
        }
    }
}
