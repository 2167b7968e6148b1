//! Lists in pages. A cursor says after which item the next page begins; callers hand it back as it came.

use countersign_core::Refusal;
use data_encoding::BASE64URL_NOPAD;
use schemars::JsonSchema;
use serde::Serialize;

use super::{Ask, Param, ask::malformed, schema};

/// Which page is asked for.
pub(crate) struct Page {
    /// The item after which it begins.
    pub(crate) after: Option<String>,
    /// How many items it holds at most.
    pub(crate) limit: usize,
}

/// A page of a list.
#[derive(JsonSchema, Serialize)]
pub(crate) struct List<T> {
    /// The items.
    pub(crate) items: Vec<T>,
    /// The cursor of the next page; absent when there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<String>,
}

/// What every list takes.
pub(crate) const PARAMS: &[Param] = &[
    Param { name: "limit", what: "How many items at most.", form: limit },
    Param { name: "cursor", what: "Where to go on: `next` of the page before.", form: schema::<String> },
];

fn limit(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({ "type": "integer", "minimum": 1, "maximum": MOST, "default": USUAL })
}

impl Page {
    pub(crate) fn read(ask: &Ask<'_>) -> Result<Self, Refusal> {
        let limit = match ask.parameter("limit") {
            None => USUAL,
            Some(text) => {
                let number = text.parse().ok().filter(|n| (1..=MOST).contains(n));
                number.ok_or_else(|| malformed("`limit` is not a number from 1 to 200"))?
            }
        };
        let after = ask.parameter("cursor").map(|cursor| {
            let bytes = BASE64URL_NOPAD.decode(cursor.as_bytes()).ok();
            let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok()).filter(|t| !t.contains(char::is_control));
            text.ok_or_else(|| malformed("`cursor` is none that a list gave"))
        });
        Ok(Self { after: after.transpose()?, limit })
    }
}

impl<T> List<T> {
    /// A page of `items`, which are one more than the page holds where there is another; `place` says where an item stands.
    pub(crate) fn of(mut items: Vec<T>, page: &Page, place: impl Fn(&T) -> &str) -> Self {
        let more = items.len() > page.limit;
        items.truncate(page.limit);
        let last = items.last().filter(|_| more);
        let next = last.map(|item| BASE64URL_NOPAD.encode(place(item).as_bytes()));
        Self { items, next }
    }
}

const USUAL: usize = 50;
const MOST: usize = 200;
