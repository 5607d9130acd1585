//! The page behind an `https:` invite link: it says that the meeting needs the app, and hands the
//! link over to it.
//!
//! The page is the same for every meeting, whether there is one or not. What stands after `#` in a
//! link never comes here; the page's own script makes the `conclave:` link of it in the browser.
//! Whoever uses this form trusts the server for the page, which the page says.

use axum::Router;
use axum::extract::Path;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use conclave_wire::MeetingId;

/// Script and style stand in the page; nothing comes from anywhere else.
const PAGE: &str = include_str!("../assets/landing.html");

/// Nothing but the page's own script and style, by their SHA-256, which a test compares: whoever
/// changes one of them is told the new value.
const POLICY: &str = "default-src 'none'; \
    script-src 'sha256-ds11uZvlG1ihFvV7lcI2ccIUdKsbZLysqcSy5i/4rj4='; \
    style-src 'sha256-aAzyTp2Q5fpVLUFHb+m9yW2zLP1V+fR3iDoqH4X8Wk0='; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What goes out with the page. The referrer policy keeps even the path from whoever the browser
/// goes to next.
fn headers() -> [(HeaderName, HeaderValue); 8] {
    [
        (
            CONTENT_TYPE,
            HeaderValue::from_static("text/html; charset=utf-8"),
        ),
        (CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            HeaderValue::from_static("same-origin"),
        ),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            HeaderValue::from_static("same-origin"),
        ),
        (
            HeaderName::from_static("permissions-policy"),
            HeaderValue::from_static(
                "camera=(), microphone=(), geolocation=(), display-capture=()",
            ),
        ),
    ]
}

/// The route of the page.
pub fn routes() -> Router {
    Router::new().route("/j/{meeting}", get(page))
}

async fn page(Path(meeting): Path<String>) -> Response {
    if names_a_meeting(&meeting) {
        (headers(), PAGE).into_response()
    } else {
        StatusCode::NOT_FOUND.into_response()
    }
}

/// Whether this is a meeting's id as it stands in a link: base64url without padding.
fn names_a_meeting(text: &str) -> bool {
    let bytes = URL_SAFE_NO_PAD.decode(text);
    bytes.is_ok_and(|bytes| <[u8; 16]>::try_from(bytes).map(MeetingId).is_ok())
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;
    use sha2::{Digest as _, Sha256};

    use super::*;

    /// What stands between the tags, of which there must be one pair.
    fn inside(tag: &str) -> &'static str {
        let (_, rest) = PAGE.split_once(&format!("<{tag}>")).unwrap();
        let (inside, after) = rest.split_once(&format!("</{tag}>")).unwrap();
        assert!(!after.contains(&format!("<{tag}")));
        inside
    }

    #[test]
    fn the_policy_admits_the_pages_own_script_and_style_and_nothing_else() {
        for tag in ["script", "style"] {
            let hash = STANDARD.encode(Sha256::digest(inside(tag)));
            let wanted = format!("{tag}-src 'sha256-{hash}';");
            assert!(POLICY.contains(&wanted), "the policy needs {wanted}");
        }
        assert!(POLICY.starts_with("default-src 'none';"));
        for hole in ["unsafe", "http", "*", "data:", "blob:", "self"] {
            assert!(!POLICY.contains(hole), "{hole}");
        }
    }

    #[test]
    fn the_page_refers_to_nothing_outside_itself() {
        for reference in [
            "src=",
            "<link",
            "<iframe",
            "<img",
            "<form",
            "url(",
            "@import",
            "import",
            "fetch",
            "http:",
            "https:",
            "//",
            "XMLHttp",
            "WebSocket",
            "sendBeacon",
            "eval",
            "innerHTML",
            "onclick",
            "onload",
            "style=",
        ] {
            // The link that it makes is the one place where an address begins.
            let page = PAGE.replace("\"conclave://\"", "");
            // A remark in the script is no address either.
            let page: String = page
                .lines()
                .filter(|line| !line.trim_start().starts_with("// "))
                .collect();
            assert!(!page.contains(reference), "{reference}");
        }
    }

    #[test]
    fn only_an_id_as_links_have_it_names_a_meeting() {
        assert!(names_a_meeting("AQEBAQEBAQEBAQEBAQEBAQ"));
        for other in [
            "",
            "x",
            "AQEBAQEBAQEBAQEBAQEBAQ==",
            "AQEBAQEBAQEBAQEBAQEBAQE",
            "../health",
        ] {
            assert!(!names_a_meeting(other), "{other}");
        }
    }
}
