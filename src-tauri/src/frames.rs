//! `frame://localhost/next?after=N`: the encoded pictures that the window decodes; with `&raw`
//! decoded ones, for a web view that cannot.
//!
//! The window asks again after each answer, which is all the back-pressure there is. Answers are
//! the others' pictures as this device opened them, and those of its own camera; no key is in them.

use std::time::Duration;

use conclave_client::Form;
use tauri::http::{Request, Response, StatusCode, Uri, header};
use tauri::{Manager as _, Runtime, UriSchemeContext, UriSchemeResponder};

use crate::session::Session;
use crate::window;

/// The scheme's name, as in the content security policy.
pub const SCHEME: &str = "frame";
/// How long an answer may wait for a picture. Empty answers keep the loop alive.
const PATIENCE: Duration = Duration::from_secs(1);
/// Whom the answers are for, by platform.
const OUR_ORIGINS: [&str; 3] = [
    "tauri://localhost",
    "http://tauri.localhost",
    "https://tauri.localhost",
];

/// Answers one request of the pull loop.
pub fn answer<R: Runtime>(
    context: UriSchemeContext<'_, R>,
    request: Request<Vec<u8>>,
    responder: UriSchemeResponder,
) {
    let Some(origin) = allowed_origin(&request) else {
        return responder.respond(plain(StatusCode::FORBIDDEN));
    };
    let (window::LABEL, Some((after, form))) = (context.webview_label(), question(request.uri()))
    else {
        return responder.respond(plain(StatusCode::BAD_REQUEST));
    };
    let app = context.app_handle().clone();
    tauri::async_runtime::spawn(async move {
        let batch = app
            .state::<Session>()
            .next_frames(after, form, PATIENCE)
            .await;
        responder.respond(pictures(origin, batch));
    });
}

/// The page that asks, if it is ours. A same-origin request of some web views names none.
fn allowed_origin(request: &Request<Vec<u8>>) -> Option<&'static str> {
    match request.headers().get(header::ORIGIN) {
        None => Some(OUR_ORIGINS[0]),
        Some(origin) => OUR_ORIGINS
            .into_iter()
            .find(|ours| origin.as_bytes() == ours.as_bytes()),
    }
}

fn question(uri: &Uri) -> Option<(u32, Form)> {
    if uri.path() != "/next" {
        return None;
    }
    let query = uri.query()?.strip_prefix("after=")?;
    match query.strip_suffix("&raw") {
        Some(after) => Some((after.parse().ok()?, Form::Raw)),
        None => Some((query.parse().ok()?, Form::Encoded)),
    }
}

fn pictures(origin: &str, batch: Vec<u8>) -> Response<Vec<u8>> {
    let built = Response::builder()
        .header(header::CONTENT_TYPE, "application/octet-stream")
        .header(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin)
        .header(header::CACHE_CONTROL, "no-store")
        .body(batch);
    built.unwrap_or_else(|_| plain(StatusCode::INTERNAL_SERVER_ERROR))
}

fn plain(status: StatusCode) -> Response<Vec<u8>> {
    let mut response = Response::new(Vec::new());
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_pull_loops_question_is_read() {
        let read = |uri: &str| question(&uri.parse().expect("a URI"));
        assert_eq!(
            read("frame://localhost/next?after=41"),
            Some((41, Form::Encoded))
        );
        assert_eq!(
            read("frame://localhost/next?after=0&raw"),
            Some((0, Form::Raw))
        );
        for wrong in [
            "frame://localhost/next",
            "frame://localhost/next?after=",
            "frame://localhost/next?after=-1",
            "frame://localhost/next?after=4294967296",
            "frame://localhost/next?after=1&x",
            "frame://localhost/other?after=1",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn only_our_page_is_answered() {
        let from = |origin: &str| {
            let request = Request::builder()
                .header(header::ORIGIN, origin)
                .body(Vec::new());
            allowed_origin(&request.expect("a request"))
        };
        assert_eq!(from("tauri://localhost"), Some("tauri://localhost"));
        assert_eq!(from("https://example.org"), None);
        assert_eq!(from("null"), None);
    }
}
