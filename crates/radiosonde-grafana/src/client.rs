//! The [`Grafana`] client: dashboards and annotations by the HTTP API.

use std::env;
use std::io::Read as _;
use std::time::Duration;

use radiosonde::{Secret, span};
use radiosonde_delivery::{Endpoint, EndpointError};
use serde_json::{Value as Json, json};
use ureq::Agent;
use ureq::http::{Method, Request};

use crate::dashboard::Dashboard;
use crate::error::GrafanaError;
use crate::events;

/// How long a request of an upload may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The most that is read of an answer, in bytes: it may be a whole dashboard.
const ANSWER_BYTES: u64 = 16 << 20;

/// A Grafana that the operator has named, for uploads and [`Annotations`](crate::Annotations).
///
/// Nothing is sent until one of these is asked for, and nothing ever to anywhere else: redirects are not followed.
///
/// ```no_run
/// use radiosonde_grafana::{Dashboard, Grafana};
///
/// # let dashboard = Dashboard::new("shop", "The shop");
/// // None unless SHOP_GRAFANA_URL is set.
/// if let Some(grafana) = Grafana::from_env("SHOP")? {
///     let uploaded = grafana.folder("shop", "Shop").upload(&dashboard)?;
///     println!("{}: {uploaded:?}", dashboard.title());
/// }
/// # Ok::<(), radiosonde_grafana::GrafanaError>(())
/// ```
#[derive(Debug, Clone)]
#[must_use = "nothing is sent before it is asked to"]
pub struct Grafana {
    endpoint: Endpoint,
    token: Secret<String>,
    agent: Agent,
    /// The uid and the title.
    folder: Option<(String, String)>,
}

/// What an upload has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Uploaded {
    /// Grafana had no dashboard of this uid.
    Created,
    /// It had another version of it, which it keeps in its history.
    Updated,
    /// It had it as it is, and was not sent anything.
    Unchanged,
}

impl Grafana {
    /// The Grafana at a URL, `https` or on this machine, as a service account with this token.
    ///
    /// # Errors
    /// When the URL or the token cannot be one.
    pub fn new(url: &str, token: impl Into<Secret<String>>) -> Result<Self, GrafanaError> {
        Self::at(Endpoint::parse(url), &token.into())
    }

    /// As [`new`](Self::new), also over plain `http` to another machine: whoever is on the way can read the token.
    ///
    /// # Errors
    /// When the URL or the token cannot be one.
    pub fn allowing_plain_http(
        url: &str,
        token: impl Into<Secret<String>>,
    ) -> Result<Self, GrafanaError> {
        Self::at(Endpoint::parse_allowing_plain_http(url), &token.into())
    }

    /// The one that `<PREFIX>_GRAFANA_URL` and `<PREFIX>_GRAFANA_TOKEN` name; `None` if there is no URL.
    ///
    /// # Errors
    /// When the URL or the token cannot be one, and when there is a URL without a token.
    pub fn from_env(prefix: &str) -> Result<Option<Self>, GrafanaError> {
        let variable = |name| env::var(format!("{prefix}_GRAFANA_{name}")).unwrap_or_default();
        match variable("URL").trim() {
            "" => Ok(None),
            url => Self::new(url, variable("TOKEN")).map(Some),
        }
    }

    /// Uploads dashboards into this folder, which is made if there is none of this uid. Without one they are in Grafana's
    /// own folder for everything.
    pub fn folder(mut self, uid: impl Into<String>, title: impl Into<String>) -> Self {
        self.folder = Some((uid.into(), title.into()));
        self
    }

    /// Creates the dashboard, or replaces the one of its uid, whoever has changed that. Where it is as it should be already,
    /// nothing is written, so that many processes that upload it when they start make no versions of it.
    ///
    /// It waits for Grafana, ten seconds at most for each of up to four requests: call it where that keeps nobody waiting.
    ///
    /// # Errors
    /// When Grafana refuses it or cannot be reached. Nothing is repeated.
    pub fn upload(&self, dashboard: &Dashboard) -> Result<Uploaded, GrafanaError> {
        let wanted = dashboard.json();
        let folder = self.folder.as_ref().map_or("", |(uid, _)| uid);
        let stored = self.find("dashboard", &format!("/api/dashboards/uid/{}", dashboard.uid()))?;
        if stored.as_ref().is_some_and(|stored| is_same(stored, &wanted, folder)) {
            return Ok(Uploaded::Unchanged);
        }
        self.make_folder()?;
        let mut body = json!({
            "dashboard": wanted,
            "overwrite": true,
            "message": concat!("radiosonde-grafana ", env!("CARGO_PKG_VERSION")),
        });
        if !folder.is_empty() {
            body["folderUid"] = folder.into();
        }
        self.post("dashboard", "/api/dashboards/db", &body, TIMEOUT)?;
        Ok(if stored.is_some() { Uploaded::Updated } else { Uploaded::Created })
    }

    fn make_folder(&self) -> Result<(), GrafanaError> {
        let Some((uid, title)) = &self.folder else { return Ok(()) };
        let path = format!("/api/folders/{}", escaped(uid));
        if self.find("folder", &path)?.is_some() {
            return Ok(());
        }
        match self.post("folder", "/api/folders", &json!({ "uid": uid, "title": title }), TIMEOUT) {
            // Another process may have made it meanwhile.
            Err(GrafanaError::Refused { status: 409 | 412, .. })
                if self.find("folder", &path)?.is_some() =>
            {
                Ok(())
            }
            made => made,
        }
    }

    /// What Grafana has there, if anything.
    fn find(&self, what: &'static str, path: &str) -> Result<Option<Json>, GrafanaError> {
        match self.request(what, path, None, TIMEOUT) {
            Ok(found) => Ok(Some(found)),
            Err(GrafanaError::Refused { status: 404, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn post(
        &self,
        what: &'static str,
        path: &str,
        body: &Json,
        timeout: Duration,
    ) -> Result<(), GrafanaError> {
        self.request(what, path, Some(body), timeout).map(drop)
    }

    /// A request in its span: with a body it posts, without one it gets.
    fn request(
        &self,
        what: &'static str,
        path: &str,
        body: Option<&Json>,
        timeout: Duration,
    ) -> Result<Json, GrafanaError> {
        let method = if body.is_some() { Method::POST } else { Method::GET };
        let span = span!(events::REQUEST, { what: what, method: method.as_str() });
        let request = Request::builder()
            .method(&method)
            .uri(format!("{}{path}", self.endpoint.url()))
            .header("authorization", format!("Bearer {}", self.token.expose()))
            .header("accept", "application/json")
            .header("content-type", "application/json")
            .body(body.map(ToString::to_string).unwrap_or_default());
        let answer = match request {
            Ok(request) => self.answer(what, request, timeout),
            Err(error) => Err(failed(error.into())),
        };
        match &answer {
            Ok(_) => span.stop(),
            // That there is none yet is an answer.
            Err(GrafanaError::Refused { status: 404, .. }) if method == Method::GET => span.stop(),
            Err(error) => span.error(error),
        }
        answer
    }

    fn answer(
        &self,
        what: &'static str,
        request: Request<String>,
        timeout: Duration,
    ) -> Result<Json, GrafanaError> {
        let request = self.agent.configure_request(request).timeout_global(Some(timeout)).build();
        let mut response = self.agent.run(request).map_err(failed)?;
        let mut text = Vec::new();
        // What breaks off after the status is told as far as it goes.
        let _ = response.body_mut().as_reader().take(ANSWER_BYTES).read_to_end(&mut text);
        let answer = serde_json::from_slice(&text).unwrap_or(Json::Null);
        if response.status().is_success() {
            return Ok(answer);
        }
        let text = String::from_utf8_lossy(&text);
        let message = answer["message"].as_str().unwrap_or(text.trim());
        // There are proxies that show what they were sent.
        let message = message.replace(self.token.expose(), "[redacted]");
        let message = message.chars().take(200).collect();
        Err(GrafanaError::Refused { what, status: response.status().as_u16(), message })
    }

    fn at(
        endpoint: Result<Endpoint, EndpointError>,
        token: &Secret<String>,
    ) -> Result<Self, GrafanaError> {
        let endpoint = endpoint.map_err(GrafanaError::Endpoint)?;
        let token = token.expose().trim();
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(GrafanaError::Token);
        }
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .max_idle_connections(0)
            .user_agent(concat!("radiosonde-grafana/", env!("CARGO_PKG_VERSION")));
        if endpoint.is_loopback() {
            // A proxy from the environment is for what lies beyond this machine.
            config = config.proxy(None);
        }
        Ok(Self {
            token: Secret::new(token.to_owned()),
            agent: config.build().new_agent(),
            endpoint,
            folder: None,
        })
    }
}

fn failed(error: ureq::Error) -> GrafanaError {
    match error {
        ureq::Error::Timeout(_) => GrafanaError::Deadline,
        error => GrafanaError::Unreachable { reason: error.to_string() },
    }
}

/// Whether Grafana has the dashboard as it is wanted, but for what Grafana itself adds to it: its id, the version, and in some
/// versions more.
fn is_same(stored: &Json, wanted: &Json, folder: &str) -> bool {
    let mut wanted = wanted.as_object().into_iter().flatten().filter(|(key, _)| *key != "id");
    wanted.all(|(key, value)| stored["dashboard"][key] == *value)
        && stored["meta"]["folderUid"].as_str().unwrap_or_default() == folder
}

/// A segment of a path.
fn escaped(text: &str) -> String {
    let escape = |byte: u8| {
        let is_plain = byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if is_plain { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    text.bytes().map(escape).collect()
}

#[cfg(test)]
mod tests;
