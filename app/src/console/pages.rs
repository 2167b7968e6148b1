//! The console's pages: files of this binary, the same for everybody, with no data in them.
//!
//! Threats it answers: a script or a style from elsewhere or in a name that somebody wrote (the content security policy takes files of
//! this origin alone, and no script may be made of text); a page that frames ours; an address that leaks to others.

use bytes::Bytes;
use countersign_gateway::Said;
use http::{HeaderName, HeaderValue, Response, header};

/// A file.
pub(crate) struct Page {
    path: &'static str,
    kind: &'static str,
    bytes: &'static [u8],
}

impl Page {
    /// As it is sent.
    pub(crate) fn said(&self) -> Said {
        let mut response = Response::new(Bytes::from_static(self.bytes));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.kind));
        // It may be another after an update; a browser asks, and an address of this machine answers at once.
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        for (name, value) in HEADERS {
            headers.insert(name, HeaderValue::from_static(value));
        }
        Said { response, then: None, what: "page".into() }
    }
}

/// Where the console begins.
pub(crate) const HOME: &str = "/console/";

/// The file at that path, to the letter.
pub(crate) fn find(path: &str) -> Option<&'static Page> {
    PAGES.iter().find(|page| page.path == path)
}

/// What every file is sent with.
const HEADERS: [(HeaderName, &str); 7] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=()"),
];

macro_rules! pages {
    ($($path:literal, $kind:ident, $file:literal;)*) => {
        const PAGES: &[Page] =
            &[$(Page { path: $path, kind: $kind, bytes: include_bytes!(concat!("../../../console/", $file)) },)*];
    };
}

pages! {
    "/console/", HTML, "index.html";
    "/console/style.css", CSS, "style.css";
    "/console/icon.svg", SVG, "icon.svg";
    "/console/app.js", JS, "app.js";
    "/console/api.js", JS, "api.js";
    "/console/ui.js", JS, "ui.js";
    "/console/views/live.js", JS, "views/live.js";
    "/console/views/requests.js", JS, "views/requests.js";
    "/console/views/health.js", JS, "views/health.js";
    "/console/views/audit.js", JS, "views/audit.js";
    "/console/views/access.js", JS, "views/access.js";
    "/console/views/risk.js", JS, "views/risk.js";
    "/console/views/policies.js", JS, "views/policies.js";
    "/console/views/detectors.js", JS, "views/detectors.js";
    "/console/views/budgets.js", JS, "views/budgets.js";
    "/console/views/keys.js", JS, "views/keys.js";
    "/console/vendor/preact.js", JS, "vendor/preact.js";
    "/console/vendor/hooks.js", JS, "vendor/hooks.js";
    "/console/vendor/signals-core.js", JS, "vendor/signals-core.js";
    "/console/vendor/signals.js", JS, "vendor/signals.js";
    "/console/vendor/htm.js", JS, "vendor/htm.js";
    "/console/vendor/uplot.js", JS, "vendor/uplot.js";
    "/console/vendor/uplot.css", CSS, "vendor/uplot.css";
}

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use aws_lc_rs::digest::{SHA256, digest};

    use super::*;

    const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../console");

    fn files(folder: &Path) -> Vec<String> {
        let mut found = Vec::new();
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if path.is_dir() {
                found.extend(files(&path));
            } else {
                found.push(path.strip_prefix(FOLDER).unwrap().display().to_string());
            }
        }
        found
    }

    #[test]
    fn every_file_is_served_and_no_other() {
        let served: BTreeSet<String> = PAGES.iter().map(|page| page.path.trim_start_matches(HOME).to_owned()).collect();
        let there: BTreeSet<String> = files(Path::new(FOLDER))
            .into_iter()
            .filter(|name| [".js", ".css", ".svg"].iter().any(|end| name.ends_with(end)))
            .chain([String::new()])
            .collect();
        assert_eq!(served, there);
        assert!(
            find("/console/../app.js").is_none() && find("/console").is_none() && find("/console/app.js/").is_none()
        );
    }

    #[test]
    fn nothing_is_in_line_and_nothing_comes_from_elsewhere() {
        for page in PAGES.iter().filter(|page| !page.path.contains("/vendor/")) {
            let text = String::from_utf8_lossy(page.bytes);
            for bad in
                ["http://", "https://", "innerHTML", "eval(", " style=\"", "onclick=\"", "javascript:", "localStorage"]
            {
                let bare = text.replace("http://www.w3.org/2000/svg", "");
                assert!(!bare.contains(bad), "`{}` holds `{bad}`", page.path);
            }
        }
        let index = String::from_utf8_lossy(find(HOME).unwrap().bytes);
        assert!(
            !index.contains("<style")
                && index.matches("<script").count()
                    == index.matches("<script src=").count() + index.matches("<script type=\"module\" src=").count()
        );
    }

    #[test]
    fn what_others_made_is_what_was_fetched() {
        let sums = fs::read_to_string(Path::new(FOLDER).join("vendor/SHA256SUMS")).unwrap();
        for line in sums.lines() {
            let (sum, name) = line.split_once("  ").unwrap();
            let bytes = fs::read(Path::new(FOLDER).join("vendor").join(name)).unwrap();
            assert_eq!(data_encoding::HEXLOWER.encode(digest(&SHA256, &bytes).as_ref()), sum, "{name}");
        }
        assert_eq!(sums.lines().count(), PAGES.iter().filter(|page| page.path.contains("/vendor/")).count());
    }
}
