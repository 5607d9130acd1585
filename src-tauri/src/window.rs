//! The one window, and what may be shown in it.

use std::path::PathBuf;

use tauri::webview::NewWindowResponse;
use tauri::{App, Runtime, Url, WebviewUrl, WebviewWindow, WebviewWindowBuilder};

/// The label that the capability file names.
pub const LABEL: &str = "main";

/// Opens the window. `data` is where its web view keeps what it must.
pub fn open<R: Runtime>(app: &App<R>, data: PathBuf) -> tauri::Result<WebviewWindow<R>> {
    WebviewWindowBuilder::new(app, LABEL, WebviewUrl::App("index.html".into()))
        .title("Conclave")
        .inner_size(1280.0, 800.0)
        .min_inner_size(360.0, 560.0)
        .data_directory(data)
        .zoom_hotkeys_enabled(true)
        .on_navigation(stays_inside)
        .on_new_window(|_, _| NewWindowResponse::Deny)
        .build()
}

/// Only the app's own pages. Tauri itself lets the isolation frame through.
fn stays_inside(url: &Url) -> bool {
    match url.scheme() {
        "tauri" => url.host_str() == Some("localhost"),
        // Windows serves custom schemes this way.
        "http" | "https" => url.host_str() == Some("tauri.localhost"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_page_but_our_own_opens() {
        let may = |url: &str| stays_inside(&url.parse().expect("a URL"));
        assert!(may("tauri://localhost/index.html"));
        assert!(may("http://tauri.localhost/"));
        for outside in [
            "https://example.org/",
            "http://tauri.localhost.example.org/",
            "http://localhost:5173/",
            "file:///etc/passwd",
            "about:blank",
            "data:text/html,x",
            "frame://localhost/next",
            "tauri://other/",
        ] {
            assert!(!may(outside), "{outside}");
        }
    }
}
