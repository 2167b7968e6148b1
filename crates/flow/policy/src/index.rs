//! Policies arranged by what their heads let them apply to, so that a question is put only to those that can have a say.
//!
//! The head of a policy (principal, action, resource) is a conjunct of its own before every condition: where it does not fit, the
//! policy neither applies nor fails, whatever its conditions hold. So a policy on a shelf that a question does not reach
//! would have said nothing to it. What is on the shelves is evaluated by Cedar, heads included, so that an index which errs by
//! offering too much changes nothing; that it never offers too little is tested against asking every policy.

use std::collections::{BTreeSet, HashMap};

use ahash::RandomState;
use cedar_policy::{
    ActionConstraint, AuthorizationError, Authorizer, Effect, Entities, EntityTypeName, EntityUid, Policy, PolicyId,
    PolicySet, PrincipalConstraint, Request, ResourceConstraint,
};

/// A set of policies, arranged.
#[derive(Default)]
pub(crate) struct Index {
    permits: Shelves,
    forbids: Shelves,
}

/// What each policy said that had anything to say.
#[derive(Debug, Default, Eq, PartialEq)]
pub(crate) struct Heard {
    /// Permits that apply.
    pub(crate) permits: BTreeSet<PolicyId>,
    /// Forbids that apply.
    pub(crate) forbids: BTreeSet<PolicyId>,
    /// Permits whose evaluation failed.
    pub(crate) failed_permits: BTreeSet<PolicyId>,
    /// Forbids whose evaluation failed.
    pub(crate) failed_forbids: BTreeSet<PolicyId>,
}

/// Policies of one effect, by action, principal and resource of the head. Cedar puts the three in this order as well.
type Shelves = Map<Option<EntityUid>, Map<Fits, Map<Fits, PolicySet>>>;
type Map<K, V> = HashMap<K, V, RandomState>;

/// What the head of a policy says of a principal or a resource.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
enum Fits {
    Anything,
    Type(EntityTypeName),
    Exactly(EntityUid),
    Within(EntityUid),
    TypeWithin(EntityTypeName, EntityUid),
}

impl Index {
    /// Arranges `policies`.
    ///
    /// # Errors
    /// When two have one id.
    pub(crate) fn of<'a>(policies: impl Iterator<Item = &'a Policy>) -> Result<Self, Box<dyn std::error::Error>> {
        let mut index = Self::default();
        for policy in policies {
            let shelves = match policy.effect() {
                Effect::Permit => &mut index.permits,
                Effect::Forbid => &mut index.forbids,
            };
            let actions: BTreeSet<_> = match policy.action_constraint() {
                ActionConstraint::Any => [None].into(),
                ActionConstraint::Eq(action) => [Some(action)].into(),
                ActionConstraint::In(actions) => actions.into_iter().map(Some).collect(),
            };
            for action in actions {
                let by_principal = shelves.entry(action).or_default();
                let by_resource = by_principal.entry(Fits::from(policy.principal_constraint())).or_default();
                by_resource.entry(Fits::from(policy.resource_constraint())).or_default().add(policy.clone())?;
            }
        }
        Ok(index)
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.permits.is_empty() && self.forbids.is_empty()
    }

    /// Asks every policy that can have a say about `request`. A request that leaves principal, action or resource open is
    /// answered by nobody.
    pub(crate) fn ask(&self, request: &Request, entities: &Entities) -> Heard {
        let mut heard = Heard::default();
        let (Some(principal), Some(action), Some(resource)) =
            (request.principal(), request.action(), request.resource())
        else {
            return heard;
        };
        let actions: Vec<_> = [None, Some(action)].into_iter().chain(above(action, entities).map(Some)).collect();
        let (principals, resources) = (fitting(principal, entities), fitting(resource, entities));
        let authorizer = Authorizer::new();
        let sides = [
            (&self.permits, &mut heard.permits, &mut heard.failed_permits),
            (&self.forbids, &mut heard.forbids, &mut heard.failed_forbids),
        ];
        for (shelves, apply, failed) in sides {
            let by_principal = actions.iter().filter_map(|action| shelves.get(&action.cloned()));
            let by_resource = by_principal.flat_map(|shelf| principals.iter().filter_map(|fits| shelf.get(fits)));
            for policies in by_resource.flat_map(|shelf| resources.iter().filter_map(|fits| shelf.get(fits))) {
                // All of one effect, so that the reasons are all that apply.
                let response = authorizer.is_authorized(request, policies, entities);
                apply.extend(response.diagnostics().reason().cloned());
                failed.extend(response.diagnostics().errors().map(|error| {
                    let AuthorizationError::PolicyEvaluationError(error) = error;
                    error.policy_id().clone()
                }));
            }
        }
        heard
    }
}

/// Every way in which a head can fit `entity`.
fn fitting(entity: &EntityUid, entities: &Entities) -> Vec<Fits> {
    let kind = entity.type_name();
    let mut all = vec![Fits::Anything, Fits::Type(kind.clone()), Fits::Exactly(entity.clone())];
    for group in std::iter::once(entity).chain(above(entity, entities)) {
        all.push(Fits::Within(group.clone()));
        all.push(Fits::TypeWithin(kind.clone(), group.clone()));
    }
    all
}

/// What `entity` is a member of, at any distance.
fn above<'a>(entity: &'a EntityUid, entities: &'a Entities) -> impl Iterator<Item = &'a EntityUid> {
    entities.ancestors(entity).into_iter().flatten().filter(move |group| *group != entity)
}

impl From<PrincipalConstraint> for Fits {
    fn from(head: PrincipalConstraint) -> Self {
        match head {
            PrincipalConstraint::Any => Self::Anything,
            PrincipalConstraint::Is(kind) => Self::Type(kind),
            PrincipalConstraint::Eq(entity) => Self::Exactly(entity),
            PrincipalConstraint::In(group) => Self::Within(group),
            PrincipalConstraint::IsIn(kind, group) => Self::TypeWithin(kind, group),
        }
    }
}

impl From<ResourceConstraint> for Fits {
    fn from(head: ResourceConstraint) -> Self {
        match head {
            ResourceConstraint::Any => Self::Anything,
            ResourceConstraint::Is(kind) => Self::Type(kind),
            ResourceConstraint::Eq(entity) => Self::Exactly(entity),
            ResourceConstraint::In(group) => Self::Within(group),
            ResourceConstraint::IsIn(kind, group) => Self::TypeWithin(kind, group),
        }
    }
}

#[cfg(test)]
mod tests;
