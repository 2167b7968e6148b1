//! Which door a request knocks at.

use countersign_core::{Code, Format, Refusal};
use countersign_wire::inspect::Shape;
use http::{Method, uri::Uri};

use crate::{Door, resource};

/// An endpoint of the gateway.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Route {
    /// A provider API.
    Api(Format),
    /// Texts to be looked at and not answered, for identities that policy lets scan.
    Inspect(Shape),
    /// `POST /presidio/anonymize`: a text of the caller's with other things in the places it names, for identities that policy lets scan.
    Anonymize,
    /// `GET /presidio/supportedentities`: the names of what is looked for, for identities that policy lets scan.
    Entities,
    /// `GET /healthz`: the process runs. Asks for no identity.
    Health,
    /// `GET /readyz`: requests would be served. Asks for no identity.
    Ready,
    /// `GET /.well-known/oauth-protected-resource`: where to get a token, asked for without one. It is there where issuers are
    /// configured.
    Resource,
    /// `GET /metrics`: Prometheus text, for identities that policy lets observe.
    Metrics,
    /// What the desk serves, by a door of its.
    Desk(Door),
}

/// Every endpoint: method, path, whether it demands identity.
pub const ROUTES: [(Method, &str, Route); 16] = [
    (Method::POST, Format::Chat.path(), Route::Api(Format::Chat)),
    (Method::POST, Format::Responses.path(), Route::Api(Format::Responses)),
    (Method::POST, Format::Completions.path(), Route::Api(Format::Completions)),
    (Method::POST, Format::Embeddings.path(), Route::Api(Format::Embeddings)),
    (Method::GET, Format::Models.path(), Route::Api(Format::Models)),
    (Method::POST, Format::Messages.path(), Route::Api(Format::Messages)),
    (Method::POST, Format::CountTokens.path(), Route::Api(Format::CountTokens)),
    (Method::POST, Shape::Guard.path(), Route::Inspect(Shape::Guard)),
    (Method::POST, Shape::Moderations.path(), Route::Inspect(Shape::Moderations)),
    (Method::POST, Shape::Analyze.path(), Route::Inspect(Shape::Analyze)),
    (Method::POST, "/presidio/anonymize", Route::Anonymize),
    (Method::GET, "/presidio/supportedentities", Route::Entities),
    (Method::GET, "/healthz", Route::Health),
    (Method::GET, "/readyz", Route::Ready),
    (Method::GET, resource::PATH, Route::Resource),
    (Method::GET, "/metrics", Route::Metrics),
];

impl Route {
    /// Finds the endpoint. The path must be exact: no trailing slash, no encoded or doubled separators, so that no two
    /// parties on the way can disagree about what was asked for.
    ///
    /// # Errors
    /// `CS0103` for an unknown path, `CS0104` for a known path with another method.
    pub fn find(method: &Method, uri: &Uri) -> Result<Self, Refusal> {
        let mut known = false;
        for (takes, path, route) in &ROUTES {
            if uri.path() == *path {
                if takes == method {
                    return Ok(*route);
                }
                known = true;
            }
        }
        let code = if known { Code::MethodNotAllowed } else { Code::NoSuchRoute };
        Err(Refusal::new(code, "no route for this method and path"))
    }

    /// Whether refusals take Anthropic's shape.
    pub(crate) const fn format(self) -> Format {
        match self {
            Self::Api(format) => format,
            Self::Inspect(_)
            | Self::Anonymize
            | Self::Entities
            | Self::Health
            | Self::Ready
            | Self::Resource
            | Self::Metrics
            | Self::Desk(_) => Format::Chat,
        }
    }

    /// The name in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Api(format) => format.as_str(),
            Self::Inspect(shape) => shape.as_str(),
            Self::Anonymize => "anonymize",
            Self::Entities => "supportedentities",
            Self::Health => "healthz",
            Self::Ready => "readyz",
            Self::Resource => "resource",
            Self::Metrics => "metrics",
            Self::Desk(_) => "desk",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_exact_path_is_a_route() {
        let find = |method, path: &'static str| Route::find(&method, &Uri::from_static(path)).map_err(|r| r.code);
        assert_eq!(find(Method::POST, "/v1/messages"), Ok(Route::Api(Format::Messages)));
        assert_eq!(find(Method::GET, "/v1/messages"), Err(Code::MethodNotAllowed));
        for path in ["/", "/v1/messages/", "/V1/messages", "//v1/messages", "/v1/%6dessages", "/v1/../v1/messages"] {
            assert_eq!(find(Method::POST, path), Err(Code::NoSuchRoute), "{path}");
        }
    }
}
