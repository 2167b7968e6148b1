//! What is done with users and groups. Both are the same to it but for their kind.

use countersign_audit::record::Members;
use countersign_core::{Refusal, RequestId};
use countersign_scim::{Fault, Filter, Kind, Patch, Projection, read};
use http::{HeaderName, HeaderValue, header};
use serde_json::Value;

use super::{
    JSON, answer, faulty,
    held::{self, Held},
    listed, root,
};
use crate::{
    admin::{Ask, Reply},
    clock,
};

pub(super) async fn list(ask: &Ask<'_>, kind: Kind) -> Result<Reply, Refusal> {
    let of = |name: &str| ask.parameter(name).map(str::to_owned);
    let number = |name| of(name).map(|text| text.parse().map_err(|_| Fault::Value("a number is expected"))).transpose();
    let wanted = || -> Result<Wanted, Fault> {
        Wanted::new(of("filter"), projection(ask)?, number("startIndex")?, number("count")?)
    };
    find(ask, &[kind], wanted()).await
}

/// A list whose parameters stand in the body (RFC 7644, section 3.4.3).
pub(super) async fn search(ask: &Ask<'_>, kinds: &[Kind]) -> Result<Reply, Refusal> {
    let wanted = || -> Result<Wanted, Fault> {
        let body = read(ask.body())?;
        let asked = body.as_object().ok_or(Fault::Syntax("an object"))?;
        let of = |name: &str| {
            asked.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v).filter(|v| !v.is_null())
        };
        let text =
            |name| of(name).map(|v| v.as_str().map(str::to_owned).ok_or(Fault::Value("text is expected"))).transpose();
        let number = |name| of(name).map(|v| v.as_i64().ok_or(Fault::Value("a number is expected"))).transpose();
        let names = |name| {
            let joined = |v: &Value| {
                let all: Option<Vec<_>> = v.as_array()?.iter().map(Value::as_str).collect();
                Some(all?.join(","))
            };
            of(name).map(|v| joined(v).ok_or(Fault::Value("a list of names is expected"))).transpose()
        };
        let projection = Projection::parse(names("attributes")?.as_deref(), names("excludedAttributes")?.as_deref())?;
        Wanted::new(text("filter")?, projection, number("startIndex")?, number("count")?)
    };
    find(ask, kinds, wanted()).await
}

/// What of a list is asked for.
struct Wanted {
    filter: Option<Filter>,
    projection: Projection,
    /// From 1.
    start: usize,
    count: usize,
}

impl Wanted {
    /// Numbers out of bounds count as the nearest within (RFC 7644, section 3.4.2.4).
    fn new(
        filter: Option<String>,
        projection: Projection,
        start: Option<i64>,
        count: Option<i64>,
    ) -> Result<Self, Fault> {
        Ok(Self {
            filter: filter.as_deref().map(Filter::parse).transpose()?,
            projection,
            start: usize::try_from(start.unwrap_or(1).max(1)).unwrap_or(usize::MAX),
            count: usize::try_from(count.unwrap_or(USUAL).clamp(0, MOST)).unwrap_or_default(),
        })
    }
}

async fn find(ask: &Ask<'_>, kinds: &[Kind], wanted: Result<Wanted, Fault>) -> Result<Reply, Refusal> {
    let Wanted { filter, projection, start, count } = match wanted {
        Ok(wanted) => wanted,
        Err(fault) => return Ok(faulty(fault)),
    };
    let (mut found, root) = (Vec::new(), root(ask));
    for kind in kinds.iter().copied() {
        let groups = groups(ask, kind).await?;
        let shown = held::all(ask, kind).await?.into_iter().map(|held| held.shown(kind, &groups, &root));
        found.extend(shown.filter(|shown| filter.as_ref().is_none_or(|filter| filter.fits(kind, shown))));
    }
    let total = found.len();
    let page = found.into_iter().skip(start - 1).take(count);
    Ok(answer(200, &listed(total, start, page.map(|shown| projection.of(shown).into()).collect())))
}

pub(super) async fn get(ask: &Ask<'_>, kind: Kind) -> Result<Reply, Refusal> {
    let Some(held) = held::find(ask, kind).await? else { return Ok(faulty(Fault::Missing)) };
    if ask.headers().get(header::IF_NONE_MATCH).is_some_and(|tag| matches(tag, &held)) {
        return tagged(Reply::of(304, JSON, "".into()), &held);
    }
    show(ask, kind, 200, &held).await
}

pub(super) async fn create(ask: &Ask<'_>, kind: Kind) -> Result<Reply, Refusal> {
    if let Some(reply) = no_issuer(ask) {
        return Ok(reply);
    }
    let resource = match read(ask.body()).and_then(|body| kind.resource(&body)) {
        Ok(resource) => resource,
        Err(fault) => return Ok(faulty(fault)),
    };
    let prefix = if kind == Kind::User { "usr_" } else { "grp_" };
    let id = RequestId::new(ask.now(), clock::random()).to_string().replacen("req_", prefix, 1);
    let held = Held { id: id.into(), resource, created: ask.now(), modified: ask.now(), version: 1 };
    ask.record(&held.id, Members::new(), held.recorded(kind)).await?;
    held::write(ask, kind, &held).await?;
    show(ask, kind, 201, &held).await
}

pub(super) async fn replace(ask: &Ask<'_>, kind: Kind) -> Result<Reply, Refusal> {
    change(ask, kind, |body, _| kind.resource(body)).await
}

pub(super) async fn patch(ask: &Ask<'_>, kind: Kind) -> Result<Reply, Refusal> {
    change(ask, kind, |body, held| Patch::read(body)?.apply(kind, &held.resource)).await
}

pub(super) async fn delete(ask: &Ask<'_>, kind: Kind) -> Result<Reply, Refusal> {
    let Some(held) = held::find(ask, kind).await? else { return Ok(faulty(Fault::Missing)) };
    if changed_since(ask, &held) {
        return Ok(faulty(Fault::Changed));
    }
    ask.record(&held.id, held.recorded(kind), Members::new()).await?;
    held::delete(ask, kind, &held).await?;
    Ok(Reply::of(204, JSON, "".into()))
}

/// What is written counts for the subjects of one issuer; without one it would count for nobody.
fn no_issuer(ask: &Ask<'_>) -> Option<Reply> {
    let fault = Fault::Forbidden("no issuer has `directory = true`, so that there is nobody whom it could count for");
    ask.admin.force.provisioned().is_none().then(|| faulty(fault))
}

/// Puts in place of a resource what `becomes` makes of it and the body.
async fn change(
    ask: &Ask<'_>,
    kind: Kind,
    becomes: impl FnOnce(&Value, &Held) -> Result<countersign_scim::Resource, Fault>,
) -> Result<Reply, Refusal> {
    let Some(before) = held::find(ask, kind).await? else { return Ok(faulty(Fault::Missing)) };
    if changed_since(ask, &before) {
        return Ok(faulty(Fault::Changed));
    }
    let resource = match read(ask.body()).and_then(|body| becomes(&body, &before)) {
        Ok(resource) => resource,
        Err(fault) => return Ok(faulty(fault)),
    };
    // Directories repeat themselves; what changes nothing is no change.
    if resource == before.resource {
        return show(ask, kind, 200, &before).await;
    }
    let after = Held { resource, modified: ask.now(), version: before.version.saturating_add(1), ..before.clone() };
    ask.record(&after.id, before.recorded(kind), after.recorded(kind)).await?;
    held::write(ask, kind, &after).await?;
    show(ask, kind, 200, &after).await
}

async fn show(ask: &Ask<'_>, kind: Kind, status: u16, held: &Held) -> Result<Reply, Refusal> {
    let projection = match projection(ask) {
        Ok(projection) => projection,
        Err(fault) => return Ok(faulty(fault)),
    };
    let shown = held.shown(kind, &groups(ask, kind).await?, &root(ask));
    let place = shown.get("meta").and_then(|meta| meta.get("location")?.as_str()).unwrap_or_default().to_owned();
    let reply = tagged(answer(status, &projection.of(shown).into()), held)?;
    Ok(if status == 201 { reply.with(header::LOCATION, value(place)?) } else { reply })
}

/// The tenant's groups, where a user's answer names those that it is in.
async fn groups(ask: &Ask<'_>, kind: Kind) -> Result<Vec<Held>, Refusal> {
    match kind {
        Kind::User => held::all(ask, Kind::Group).await,
        Kind::Group => Ok(Vec::new()),
    }
}

fn tagged(reply: Reply, held: &Held) -> Result<Reply, Refusal> {
    const TAG: HeaderName = header::ETAG;
    Ok(reply.with(TAG, value(held.tag())?))
}

fn value(text: String) -> Result<HeaderValue, Refusal> {
    HeaderValue::try_from(text)
        .map_err(|_| Refusal::new(countersign_core::Code::Internal, "a header cannot be written"))
}

/// Whether the client saw another version than that which is kept.
fn changed_since(ask: &Ask<'_>, held: &Held) -> bool {
    ask.headers().get(header::IF_MATCH).is_some_and(|tag| !matches(tag, held))
}

fn matches(tags: &HeaderValue, held: &Held) -> bool {
    let tag = held.tag();
    let strong = tag.trim_start_matches("W/");
    let same = |one: &str| one == "*" || one == tag || one == strong;
    tags.to_str().is_ok_and(|tags| tags.split(',').any(|one| same(one.trim())))
}

fn projection(ask: &Ask<'_>) -> Result<Projection, Fault> {
    Projection::parse(ask.parameter("attributes"), ask.parameter("excludedAttributes"))
}

const USUAL: i64 = 100;
const MOST: i64 = 200;
