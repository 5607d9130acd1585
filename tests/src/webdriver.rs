//! The few words of WebDriver (W3C) that the window tests need.

use std::time::{Duration, Instant};
use std::{fs, thread};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::path::Path;

/// The key under which a reference to an element is passed (WebDriver §12.1).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// The key that presses a button (WebDriver §17.4.2).
pub const ENTER: &str = "\u{E007}";
/// The key that moves the focus on.
pub const TAB: &str = "\u{E004}";

/// One open window.
pub struct Session {
    agent: ureq::Agent,
    url: String,
}

/// One element of its page.
#[derive(Debug, Clone)]
pub struct Element(String);

impl Session {
    /// Opens the application in a driver at `address`.
    pub fn open(address: &str, application: &Path, arguments: &[&str]) -> Self {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(40)))
            .build()
            .into();
        let options = json!({ "application": application, "args": arguments });
        let capabilities =
            json!({ "capabilities": { "alwaysMatch": { "tauri:options": options } } });
        let mut session = Self {
            agent,
            url: format!("{address}/session"),
        };
        let value = session
            .post("", &capabilities)
            .unwrap_or_else(|e| panic!("no window: {e}"));
        let id = value["sessionId"].as_str().expect("a session has an id");
        session.url = format!("{address}/session/{id}");
        session
    }

    fn post(&self, path: &str, body: &Value) -> Result<Value, String> {
        let request = self
            .agent
            .post(format!("{}{path}", self.url))
            .content_type("application/json");
        let answer = request.send(body.to_string()).map_err(|e| e.to_string())?;
        Self::value(answer)
    }

    fn get(&self, path: &str) -> Result<Value, String> {
        Self::value(
            self.agent
                .get(format!("{}{path}", self.url))
                .call()
                .map_err(|e| e.to_string())?,
        )
    }

    fn value(mut answer: ureq::http::Response<ureq::Body>) -> Result<Value, String> {
        let body = answer
            .body_mut()
            .with_config()
            .limit(64 << 20)
            .read_to_string();
        let body = body.map_err(|e| e.to_string())?;
        let mut body: Value = serde_json::from_str(&body).map_err(|e| format!("{e}: {body}"))?;
        match body["value"]["error"].as_str() {
            Some(error) => Err(format!("{error}: {}", body["value"]["message"])),
            None => Ok(body["value"].take()),
        }
    }

    /// Every element that a CSS selector matches now.
    pub fn all(&self, selector: &str) -> Vec<Element> {
        let found = self.post(
            "/elements",
            &json!({ "using": "css selector", "value": selector }),
        );
        let found = found.unwrap_or_else(|e| panic!("{selector}: {e}"));
        let elements = found.as_array().map(Vec::as_slice).unwrap_or_default();
        elements
            .iter()
            .filter_map(|element| element[ELEMENT].as_str())
            .map(|id| Element(id.to_owned()))
            .collect()
    }

    /// The first element that a CSS selector matches, once there is one.
    ///
    /// # Panics
    /// When there is none within `limit`.
    pub fn wait_for(&self, selector: &str, limit: Duration) -> Element {
        self.wait_until(&format!("{selector} in the window"), limit, || {
            self.all(selector).into_iter().next()
        })
    }

    /// Asks again and again until `wanted` has an answer.
    ///
    /// # Panics
    /// When it has none within `limit`.
    pub fn wait_until<T>(&self, what: &str, limit: Duration, wanted: impl Fn() -> Option<T>) -> T {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(found) = wanted() {
                return found;
            }
            assert!(Instant::now() < deadline, "no {what} within {limit:?}");
            thread::sleep(Duration::from_millis(150));
        }
    }

    /// Clicks as a person does: in the middle, if nothing is in front.
    pub fn click(&self, element: &Element) {
        self.post(&format!("/element/{}/click", element.0), &json!({}))
            .unwrap_or_else(|e| panic!("click: {e}"));
    }

    /// Empties a field and types into it.
    pub fn fill(&self, element: &Element, text: &str) {
        let cleared = self.post(&format!("/element/{}/clear", element.0), &json!({}));
        cleared.unwrap_or_else(|e| panic!("clear: {e}"));
        let typed = self.post(
            &format!("/element/{}/value", element.0),
            &json!({ "text": text }),
        );
        typed.unwrap_or_else(|e| panic!("type: {e}"));
    }

    /// Presses keys while the element has the focus, such as [`ENTER`].
    pub fn keys(&self, element: &Element, keys: &str) {
        let pressed = self.post(
            &format!("/element/{}/value", element.0),
            &json!({ "text": keys }),
        );
        pressed.unwrap_or_else(|e| panic!("keys: {e}"));
    }

    /// The element that has the focus.
    pub fn focused(&self) -> Option<Element> {
        let element = self.get("/element/active").ok()?;
        Some(Element(element[ELEMENT].as_str()?.to_owned()))
    }

    /// The text that a person sees on it; `None` when it has gone meanwhile.
    pub fn text(&self, element: &Element) -> Option<String> {
        let text = self.get(&format!("/element/{}/text", element.0)).ok()?;
        text.as_str().map(str::to_owned)
    }

    /// A DOM property, such as a field's `value`.
    pub fn property(&self, element: &Element, name: &str) -> Option<String> {
        let value = self
            .get(&format!("/element/{}/property/{name}", element.0))
            .ok()?;
        value.as_str().map(str::to_owned)
    }

    /// An attribute.
    pub fn attribute(&self, element: &Element, name: &str) -> Option<String> {
        let value = self
            .get(&format!("/element/{}/attribute/{name}", element.0))
            .ok()?;
        value.as_str().map(str::to_owned)
    }

    /// Saves what an element looks like as PNG.
    pub fn picture_of(&self, element: &Element, path: &Path) -> Result<(), String> {
        save(
            &self.get(&format!("/element/{}/screenshot", element.0))?,
            path,
        )
    }

    /// Runs a script in the page and gives what it returns.
    pub fn run(&self, script: &str) -> Result<Value, String> {
        self.post("/execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// Closes the window.
    pub fn close(&self) {
        // At the end of a failed test the driver may have gone already.
        let _ = self.agent.delete(&self.url).call();
    }
}

fn save(png: &Value, path: &Path) -> Result<(), String> {
    let png = png.as_str().ok_or("no picture")?;
    let bytes = STANDARD.decode(png).map_err(|e| e.to_string())?;
    fs::write(path, bytes).map_err(|e| e.to_string())
}
