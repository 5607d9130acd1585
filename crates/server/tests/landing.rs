//! The page behind an `https:` link, as a browser gets it.

mod process;
mod support;

use process::Server;

const ID: &str = "TU1NTU1NTU1NTU1NTU1NTQ";

#[tokio::test(flavor = "multi_thread")]
async fn a_link_in_a_browser_shows_a_page_that_may_load_nothing() {
    let server = Server::start();
    let response = server.get(&format!("/j/{ID}")).await;
    let (head, page) = response.split_once("\r\n\r\n").unwrap();
    let head = head.to_lowercase();
    assert!(head.starts_with("http/1.1 200"), "{head}");
    for header in [
        "content-type: text/html; charset=utf-8",
        "content-security-policy: default-src 'none'; script-src 'sha256-",
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n",
        "referrer-policy: no-referrer",
        "cache-control: no-store",
        "x-content-type-options: nosniff",
        "cross-origin-opener-policy: same-origin",
    ] {
        assert!(head.contains(header), "{header}: {head}");
    }
    assert!(!head.contains("set-cookie"), "{head}");
    assert!(page.contains("needs the Conclave app") && page.contains("cannot promise"));
    // It says nothing about the meeting, not even whether there is one.
    assert!(!page.contains(ID));

    let (_, log) = server.stop();
    assert!(!log.contains(ID) && !log.contains("/j/"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_link_has_no_page() {
    let server = Server::start();
    for path in [
        "/j",
        "/j/",
        "/j/x",
        &format!("/j/{ID}/"),
        "/j/%ff",
        "/j/..%2fhealth",
    ] {
        let response = server.get(path).await;
        assert!(response.starts_with("HTTP/1.1 4"), "{path}: {response}");
        assert!(!response.contains("<html"), "{path}: {response}");
    }
}
