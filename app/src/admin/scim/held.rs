//! Resources as they are kept, and as they are answered.

use std::sync::Arc;

use countersign_audit::record::Members;
use countersign_core::{Code, Refusal, Timestamp};
use countersign_scim::{Kind, Resource};
use countersign_store::{GroupRecord, UserRecord, Written};
use serde_json::{Value, json};

use crate::{
    admin::{Ask, ask::unkept},
    clock,
};

/// A resource with what the server says of it.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) id: Arc<str>,
    /// What a client may write.
    pub(super) resource: Resource,
    pub(super) created: Timestamp,
    pub(super) modified: Timestamp,
    pub(super) version: i64,
}

/// Every resource of a kind that the caller's tenant has.
pub(super) async fn all(ask: &Ask<'_>, kind: Kind) -> Result<Vec<Held>, Refusal> {
    let (store, tenant) = (ask.admin.state.store(), &ask.who()?.principal().tenant);
    Ok(match kind {
        Kind::User => store.users(tenant).await.map_err(unkept)?.into_iter().map(Held::from).collect(),
        Kind::Group => store.groups(tenant).await.map_err(unkept)?.into_iter().map(Held::from).collect(),
    })
}

/// The resource that the path names.
pub(super) async fn find(ask: &Ask<'_>, kind: Kind) -> Result<Option<Held>, Refusal> {
    let (store, tenant) = (ask.admin.state.store(), &ask.who()?.principal().tenant);
    Ok(match kind {
        Kind::User => store.user(tenant, ask.id()).await.map_err(unkept)?.map(Held::from),
        Kind::Group => store.group(tenant, ask.id()).await.map_err(unkept)?.map(Held::from),
    })
}

/// Writes a resource, and has it count. It was put on record before; that it could not be done is a refusal, which goes on record too.
pub(super) async fn write(ask: &Ask<'_>, kind: Kind, held: &Held) -> Result<(), Refusal> {
    let (store, tenant) = (ask.admin.state.store(), ask.who()?.principal().tenant.clone());
    let (text, of) = (|name: &str| held.resource.get(name).and_then(Value::as_str).map(str::to_owned), held.clone());
    let written = match kind {
        Kind::User => {
            let record = UserRecord {
                id: of.id,
                tenant,
                external_id: text("externalId"),
                user_name: text("userName").unwrap_or_default(),
                display: text("displayName"),
                active: held.resource.get("active").and_then(Value::as_bool),
                created: of.created,
                modified: of.modified,
                version: of.version,
            };
            store.write_user(&record).await
        }
        Kind::Group => {
            let record = GroupRecord {
                id: of.id,
                tenant,
                external_id: text("externalId"),
                display: text("displayName").unwrap_or_default(),
                members: held.members().into_iter().map(Into::into).collect(),
                created: of.created,
                modified: of.modified,
                version: of.version,
            };
            store.write_group(&record).await
        }
    };
    conclude(ask, written.map_err(unkept)?).await
}

/// Deletes a resource, and has that count.
pub(super) async fn delete(ask: &Ask<'_>, kind: Kind, held: &Held) -> Result<(), Refusal> {
    let (store, tenant) = (ask.admin.state.store(), &ask.who()?.principal().tenant);
    let written = match kind {
        Kind::User => store.delete_user(tenant, &held.id, held.version, ask.now()).await,
        Kind::Group => store.delete_group(tenant, &held.id, held.version).await,
    };
    conclude(ask, written.map_err(unkept)?).await
}

async fn conclude(ask: &Ask<'_>, written: Written) -> Result<(), Refusal> {
    let (code, why) = match written {
        Written::Done => return ask.admin.force.directory_changed().await.map_err(unkept),
        Written::Missing => (Code::NoSuchThing, "the resource is gone"),
        Written::Changed => (Code::Conflict, "the resource was changed at the same time; try again"),
        Written::Taken => (Code::Conflict, TAKEN),
        Written::NoMember => (Code::Malformed, "a member is no user that is kept here"),
    };
    Err(Refusal::new(code, why))
}

/// Why a name or an id of the directory's cannot be had.
pub(super) const TAKEN: &str = "another resource has that name or `externalId`";

impl Held {
    /// The resource as it is answered. `groups` are those of the tenant, for who is in which.
    pub(super) fn shown(&self, kind: Kind, groups: &[Self], root: &str) -> Resource {
        let mut shown = self.resource.clone();
        let reference = |kind: Kind, id: &str| json!({ "value": id, "$ref": place(root, kind, id) });
        match kind {
            Kind::User => {
                let within = groups.iter().filter(|group| group.members().contains(&&*self.id));
                let within: Vec<_> = within.map(|group| reference(Kind::Group, &group.id)).collect();
                if !within.is_empty() {
                    shown.insert("groups".into(), within.into());
                }
            }
            Kind::Group => {
                let members: Vec<_> = self.members().into_iter().map(|id| reference(Kind::User, id)).collect();
                if !members.is_empty() {
                    shown.insert("members".into(), members.into());
                }
            }
        }
        shown.insert("schemas".into(), json!([kind.schema()]));
        shown.insert("id".into(), json!(*self.id));
        let meta = json!({
            "resourceType": kind.name(),
            "created": clock::rfc3339(self.created),
            "lastModified": clock::rfc3339(self.modified),
            "location": place(root, kind, &self.id),
            "version": self.tag(),
        });
        shown.insert("meta".into(), meta);
        shown
    }

    /// The entity tag of its version.
    pub(super) fn tag(&self) -> String {
        format!("W/\"{}\"", self.version)
    }

    /// Ids of its members.
    fn members(&self) -> Vec<&str> {
        let members = self.resource.get("members").and_then(Value::as_array);
        members.into_iter().flatten().filter_map(|member| member.get("value")?.as_str()).collect()
    }

    /// What the record of a change says of it: ids and whether it is active, no names of people.
    pub(super) fn recorded(&self, kind: Kind) -> Members {
        let word = |name: &str| match self.resource.get(name) {
            Some(Value::String(text)) => text.clone(),
            Some(value) => value.to_string(),
            None => "absent".to_owned(),
        };
        let mut members = Members::from([("externalId".into(), word("externalId"))]);
        match kind {
            Kind::User => {
                members.insert("active".into(), word("active"));
            }
            Kind::Group => {
                members.insert("displayName".into(), word("displayName"));
                let ids = self.members();
                let some = ids.iter().take(MOST_NAMED).copied().collect::<Vec<_>>().join(" ");
                members.insert("members".into(), format!("{}: {some}", ids.len()));
            }
        }
        members
    }
}

/// Where a resource is.
fn place(root: &str, kind: Kind, id: &str) -> String {
    format!("{root}{}/{id}", kind.endpoint())
}

impl From<UserRecord> for Held {
    fn from(record: UserRecord) -> Self {
        let UserRecord { id, external_id, user_name, display, active, created, modified, version, .. } = record;
        let mut resource = Resource::new();
        resource.insert("userName".into(), user_name.into());
        if let Some(id) = external_id {
            resource.insert("externalId".into(), id.into());
        }
        if let Some(name) = display {
            resource.insert("displayName".into(), name.into());
        }
        if let Some(active) = active {
            resource.insert("active".into(), active.into());
        }
        Self { id, resource, created, modified, version }
    }
}

impl From<GroupRecord> for Held {
    fn from(record: GroupRecord) -> Self {
        let GroupRecord { id, external_id, display, members, created, modified, version, .. } = record;
        let mut resource = Resource::new();
        resource.insert("displayName".into(), display.into());
        if let Some(id) = external_id {
            resource.insert("externalId".into(), id.into());
        }
        if !members.is_empty() {
            let members = members.iter().map(|id| json!({ "value": **id })).collect();
            resource.insert("members".into(), Value::Array(members));
        }
        Self { id, resource, created, modified, version }
    }
}

/// Members that a record names.
const MOST_NAMED: usize = 50;
