//! Whether policies fit the schema.
//!
//! Cedar's validator looks at each policy once for each action and kind of principal. All actions on the gateway itself are declared
//! alike, so to a policy that names none but the first of them they are all the same, and that one stands for them: most policies
//! are about models, and there are many actions they are not about.

use cedar_policy::{PolicyId, PolicySet, Schema, ValidationMode, Validator, ffi::DetailedError};
use serde_json::Value;

use crate::{SCHEMA, administer::Administer, error::Problem, facts::Deed};

/// What the validator says.
pub(crate) struct Validity {
    /// Whether there is nothing to be said.
    pub(crate) whole: bool,
    /// Mistakes; or where there are none, what is suspicious.
    pub(crate) found: Vec<(PolicyId, DetailedError)>,
}

/// Validates `plain` as policies that name no action on the gateway but the first and no call of a tool, and `named` as any.
///
/// # Errors
/// When the schema cannot be read, which would be a defect here.
pub(crate) fn validate(plain: &PolicySet, named: &PolicySet) -> Result<Validity, Problem> {
    let (mut whole, mut errors, mut warnings) = (true, Vec::new(), Vec::new());
    for (set, text) in [(plain, &*brief()), (named, SCHEMA)] {
        if set.is_empty() {
            continue;
        }
        let (schema, _) = Schema::from_cedarschema_str(text).map_err(|error| {
            Problem::cedar("schema.cedarschema", text, 0, "report this defect", &DetailedError::from(&error))
        })?;
        let result = Validator::new(schema).validate(set, ValidationMode::Strict);
        whole &= result.validation_passed_without_warnings();
        errors.extend(result.validation_errors().map(|e| (e.policy_id().clone(), DetailedError::from(e))));
        warnings.extend(result.validation_warnings().map(|w| (w.policy_id().clone(), DetailedError::from(w))));
    }
    // What a mistake leads to is no news beside the mistake.
    Ok(Validity { whole, found: if errors.is_empty() { warnings } else { errors } })
}

/// Whether the policy with this JSON form names an action on the gateway other than the first, or the call of a tool.
pub(crate) fn names_a_deed(node: &Value) -> bool {
    names(node, &|id| !["ask", "receive", FIRST.as_str()].contains(&id))
}

/// Whether the policy with this JSON form names the call of a tool anywhere.
pub(crate) fn names_a_call(node: &Value) -> bool {
    names(node, &|id| id == Deed::CallTool.as_str())
}

/// Whether the policy with this JSON form names an action that `is` the one.
fn names(node: &Value, is: &dyn Fn(&str) -> bool) -> bool {
    match node {
        Value::Array(items) => items.iter().any(|item| names(item, is)),
        Value::Object(members) => {
            let action = members.get("type").is_some_and(|kind| kind == "Countersign::Action");
            // An id in a form that we do not know is as good as any.
            let one = action && members.get("id").is_none_or(|id| id.as_str().is_none_or(is));
            one || members.values().any(|member| names(member, is))
        }
        _ => false,
    }
}

/// The schema with the first action on the gateway alone, and without the call of a tool.
fn brief() -> String {
    let shortened = || {
        let (before, rest) = SCHEMA.split_once(&format!("action {}", Deed::CallTool.as_str()))?;
        let (_, rest) = rest.split_once(&format!("action {},", FIRST.as_str()))?;
        let (_, after) = rest.split_once("appliesTo")?;
        Some(format!("{before}action {} appliesTo{after}", FIRST.as_str()))
    };
    shortened().unwrap_or_else(|| SCHEMA.to_owned())
}

const FIRST: Administer = Administer::Observe;

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use super::*;

    #[test]
    fn one_action_stands_for_those_that_are_declared_alike() {
        assert!(brief().contains("action observe appliesTo") && !brief().contains("listKeys"));
        assert!(!brief().contains("action callTool") && SCHEMA.contains("action callTool"));
        let policies = [
            "permit(principal, action, resource);",
            "permit(principal, action, resource) when { context.stream };",
            "permit(principal, action, resource) when { resource.name == \"gateway\" };",
            "permit(principal, action, resource == Countersign::Gateway::\"gateway\");",
            "permit(principal, action, resource) when { action == Countersign::Action::\"ask\" };",
            "forbid(principal, action == Countersign::Action::\"observe\", resource) when { context.format == \"metrics\" };",
            "permit(principal, action in [Countersign::Action::\"ask\", Countersign::Action::\"observe\"], resource);",
            // Mistakes, and what is suspicious.
            "permit(principal, action, resource) when { context.stram };",
            "permit(principal, action, resource) when { context.findings.contains(\"x\") };",
            "permit(principal, action == Countersign::Action::\"observe\", resource == Countersign::Model::\"m\");",
            "permit(principal, action, resource) when { false };",
            "permit(principal, action == Countersign::Action::\"obsrve\", resource);",
        ];
        for text in policies {
            let set = PolicySet::from_str(text).unwrap();
            let said = |plain: &PolicySet, named: &PolicySet| {
                let validity = validate(plain, named).unwrap();
                (validity.whole, validity.found.into_iter().map(|(_, error)| error.message).collect::<Vec<_>>())
            };
            let none = PolicySet::new();
            let (as_plain, as_any) = (said(&set, &none), said(&none, &set));
            assert_eq!((as_plain.0, as_plain.1.is_empty()), (as_any.0, as_any.1.is_empty()), "{text}");
        }
        let names = |text: &str| names_a_deed(&cedar_policy::Policy::parse(None, text).unwrap().to_json().unwrap());
        for text in [
            "permit(principal, action == Countersign::Action::\"listKeys\", resource);",
            "permit(principal, action in [Countersign::Action::\"ask\", Countersign::Action::\"list\\u{4b}eys\"], resource);",
            "permit(principal, action, resource) unless { action == Countersign::Action::\"revoke\" };",
            "permit(principal, action, resource) when { [Countersign::Action::\"revoke\"].contains(action) };",
        ] {
            assert!(names(text), "{text}");
        }
        assert!(policies.iter().take(11).all(|text| !names(text)));
    }
}
