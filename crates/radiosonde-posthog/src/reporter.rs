//! The reporter: its builder, its handle, and why it may not start.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use radiosonde::{AttachError, Bus, FailurePolicy, execute};
use radiosonde_delivery as delivery;
use radiosonde_delivery::{
    Delivery, DropReason, Endpoint, EndpointError, FlushTimeout, HttpSink, Options, Report,
};

use crate::events;
use crate::opt_out;
use crate::protocol::{ApiKey, BatchProtocol, PATH, USER_AGENT};
use crate::record::{Projection, Record};
use crate::rule::Rule;

/// The variable by which an operator turns user-level analytics off, whatever else is configured.
const DO_NOT_TRACK: &str = "DO_NOT_TRACK";

/// The largest event, and so the largest batch, in bytes: PostHog discards events of more than a megabyte.
const LARGEST: usize = 900 * 1024;

/// A running reporter. Dropping it detaches it from the bus, and flushes for at most a second unless
/// [`Options::drop_deadline`] says otherwise; see [`Delivery`] for what that cannot save.
#[derive(Debug)]
#[must_use = "dropping the reporter detaches it"]
pub struct PostHog {
    /// The first to go, so that nothing more comes while the rest is flushed.
    attached: Attached,
    delivery: Option<Delivery<Record>>,
}

/// Whether a reporter sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Status {
    /// It does.
    On,
    /// The environment's `DO_NOT_TRACK` has turned it off: it is attached to nothing and opens no connection.
    DoNotTrack,
}

impl PostHog {
    /// A reporter that sends to the PostHog at `url` with a project's API `key`.
    pub fn builder(key: impl Into<String>, url: impl Into<String>) -> Builder {
        let environment = |name: &str| std::env::var(name).ok();
        Builder::new(key, url, environment(DO_NOT_TRACK))
    }

    /// A builder from `<prefix>_POSTHOG_API_KEY` and `<prefix>_POSTHOG_URL`; none unless both are set and not
    /// empty, in which case the event `telemetry.posthog.off` names the variable that is missing.
    ///
    /// # Errors
    ///
    /// When a variable is not Unicode.
    ///
    /// ```
    /// use radiosonde_posthog::{PostHog, Rule};
    ///
    /// let posthog = match PostHog::from_env("TUIST")? {
    ///     Some(builder) => Some(builder.rule(Rule::event("analytics.preview.upload")).start()?),
    ///     None => None,
    /// };
    /// # assert!(posthog.is_none());
    /// # Ok::<(), radiosonde_posthog::StartError>(())
    /// ```
    pub fn from_env(prefix: &str) -> Result<Option<Builder>, StartError> {
        Self::from_variables(prefix, |name| match std::env::var(name) {
            Ok(value) => Ok(Some(value)),
            Err(std::env::VarError::NotPresent) => Ok(None),
            Err(std::env::VarError::NotUnicode(_)) => {
                Err(StartError::NotUnicode { variable: name.to_owned() })
            }
        })
    }

    fn from_variables(
        prefix: &str,
        variable: impl Fn(&str) -> Result<Option<String>, StartError>,
    ) -> Result<Option<Builder>, StartError> {
        let required = |name: &str| {
            let name = format!("{prefix}_POSTHOG_{name}");
            let value = variable(&name)?.filter(|value| !value.trim().is_empty());
            if value.is_none() {
                off(&format!("`{name}` is not set"));
            }
            Ok(value)
        };
        let Some(key) = required("API_KEY")? else { return Ok(None) };
        let Some(url) = required("URL")? else { return Ok(None) };
        Ok(Some(Builder::new(key, url, variable(DO_NOT_TRACK)?)))
    }

    /// Whether it sends, and if not, why.
    #[must_use]
    pub fn status(&self) -> Status {
        if self.delivery.is_some() { Status::On } else { Status::DoNotTrack }
    }

    /// What has become of every event that a rule let out so far.
    #[must_use]
    pub fn stats(&self) -> Report {
        self.delivery.as_ref().map(Delivery::stats).unwrap_or_default()
    }

    /// Sends what is waiting: see [`Delivery::flush`].
    ///
    /// # Errors
    ///
    /// When that is not done within `deadline`; nothing is lost by it.
    pub fn flush(&self, deadline: Duration) -> Result<(), FlushTimeout> {
        self.delivery.as_ref().map_or(Ok(()), |delivery| delivery.flush(deadline))
    }

    /// Detaches from the bus, sends what is waiting, and says by the deadline what became of everything: see
    /// [`Delivery::shutdown`].
    #[allow(clippy::must_use_candidate, reason = "who only wants the end need not read the report")]
    pub fn shutdown(self, deadline: Duration) -> Report {
        drop(self.attached);
        self.delivery.map(|delivery| delivery.shutdown(deadline)).unwrap_or_default()
    }
}

/// Says once that nothing will be sent.
fn off(reason: &str) {
    execute!(events::OFF, {}, { reason: reason });
}

/// The handlers of one reporter, attached for as long as this lives.
#[derive(Debug)]
struct Attached {
    bus: Bus,
    ids: Vec<String>,
}

impl Drop for Attached {
    fn drop(&mut self) {
        for id in &self.ids {
            // Somebody else may have detached it by its id.
            let _ = self.bus.detach(id);
        }
    }
}

/// Everything a reporter needs to know before it starts.
#[must_use]
pub struct Builder {
    id: String,
    key: ApiKey,
    url: String,
    bus: Bus,
    rules: Vec<Rule>,
    options: Options,
    allows_plain_http: bool,
    do_not_track: bool,
}

impl Builder {
    fn new(key: impl Into<String>, url: impl Into<String>, do_not_track: Option<String>) -> Self {
        Self {
            id: "posthog".to_owned(),
            key: ApiKey::new(key),
            url: url.into(),
            bus: radiosonde::global().clone(),
            rules: Vec::new(),
            options: Options::new().batch_bytes(LARGEST),
            allows_plain_http: false,
            do_not_track: do_not_track.is_some_and(|value| opt_out::is_set(&value)),
        }
    }

    /// Adds a rule. Two rules that match the same event make two PostHog events of it.
    pub fn rule(mut self, rule: Rule) -> Self {
        self.rules.push(rule);
        self
    }

    /// Adds rules.
    pub fn rules(mut self, rules: impl IntoIterator<Item = Rule>) -> Self {
        self.rules.extend(rules);
        self
    }

    /// The name of the reporter in handler ids, thread names and events, `posthog` by default. Two reporters on one
    /// bus need two.
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = id.into();
        self
    }

    /// Attaches to this bus instead of the global one.
    pub fn bus(mut self, bus: &Bus) -> Self {
        self.bus = bus.clone();
        self
    }

    /// Changes the limits of the delivery, which are its defaults with 900 KiB for the largest event and batch.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use radiosonde_posthog::PostHog;
    /// let builder = PostHog::builder("phc_…", "https://eu.i.posthog.com")
    ///     .options(|options| options.batch_delay(Duration::from_secs(1)));
    /// # let _ = builder;
    /// ```
    pub fn options(mut self, change: impl FnOnce(Options) -> Options) -> Self {
        self.options = change(self.options);
        self
    }

    /// Also sends over plain http to other machines, where whoever is on the way can read it, the key included.
    pub fn allow_plain_http(mut self) -> Self {
        self.allows_plain_http = true;
        self
    }

    /// Checks everything, attaches the rules and starts the worker thread.
    ///
    /// With `DO_NOT_TRACK` set in the environment the reporter is checked too, but attaches nothing and starts
    /// nothing; [`PostHog::status`] and one event `telemetry.posthog.off` say so.
    ///
    /// # Errors
    ///
    /// When the key, the URL or a rule cannot be right, there is no rule, the id is taken, or no thread can be
    /// started. No error holds the key.
    pub fn start(self) -> Result<PostHog, StartError> {
        if let Some(problem) = self.key.problem() {
            return Err(StartError::Key { problem });
        }
        let endpoint = if self.allows_plain_http {
            Endpoint::parse_allowing_plain_http(&self.url)
        } else {
            Endpoint::parse(&self.url)
        };
        let endpoint = endpoint.map_err(StartError::Endpoint)?.join(PATH);
        if self.rules.is_empty() {
            return Err(StartError::NoRules);
        }
        for rule in &self.rules {
            if let Some(problem) = rule.problem() {
                return Err(StartError::Rule { event: rule.event.clone(), problem });
            }
        }
        let mut attached = Attached { bus: self.bus, ids: Vec::new() };
        if self.do_not_track {
            off("`DO_NOT_TRACK` is set");
            return Ok(PostHog { attached, delivery: None });
        }
        let protocol = BatchProtocol { key: self.key };
        let sink = HttpSink::new(self.id.as_str(), USER_AGENT, endpoint, protocol);
        let delivery = Delivery::start(self.id.as_str(), self.options, sink);
        let delivery = delivery.map_err(StartError::Delivery)?;
        for (index, rule) in self.rules.into_iter().enumerate() {
            let id = format!("{}/{index}", self.id);
            let events = [rule.event.clone()];
            let rule = Arc::new(rule);
            let queue = delivery.queue();
            attached
                .bus
                // A rule's function that panics costs one event, not the reporter.
                .attach_with_policy(id.as_str(), events, FailurePolicy::Keep, move |event| {
                    match Record::project(&rule, event, SystemTime::now()) {
                        Projection::Record(record) => queue.try_push(record),
                        Projection::Invalid => queue.refuse(DropReason::Invalid),
                        Projection::StaysHome => {}
                    }
                })
                .map_err(StartError::Attach)?;
            attached.ids.push(id);
        }
        Ok(PostHog { attached, delivery: Some(delivery) })
    }
}

impl fmt::Debug for Builder {
    /// Without the URL: it was not checked yet, and may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("id", &self.id)
            .field("rules", &self.rules)
            .field("options", &self.options)
            .field("allows_plain_http", &self.allows_plain_http)
            .field("do_not_track", &self.do_not_track)
            .finish_non_exhaustive()
    }
}

/// Why the reporter cannot start.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// An environment variable is not Unicode.
    NotUnicode {
        /// Its name.
        variable: String,
    },
    /// The API key cannot be a project's key.
    Key {
        /// Why not.
        problem: &'static str,
    },
    /// The URL is no endpoint that may be sent to.
    Endpoint(EndpointError),
    /// Without rules nothing would ever be sent.
    NoRules,
    /// A rule cannot work.
    Rule {
        /// The rule's bus event.
        event: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The bus refused a rule's event name or the reporter's id.
    Attach(AttachError),
    /// The delivery could not be started.
    Delivery(delivery::StartError),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotUnicode { variable } => {
                write!(f, "the variable `{variable}` is not Unicode: set it again")
            }
            Self::Key { problem } => {
                write!(
                    f,
                    "the PostHog API key cannot be used: {problem}: use the project's `phc_` key"
                )
            }
            Self::Endpoint(error) => write!(f, "the PostHog URL cannot be used: {error}"),
            Self::NoRules => f.write_str("the PostHog reporter has no rules: add one with `rule`"),
            Self::Rule { event, problem } => {
                write!(f, "the rule for `{event}` cannot be used: {problem}")
            }
            Self::Attach(error) => write!(f, "the PostHog reporter could not be attached: {error}"),
            Self::Delivery(error) => error.fmt(f),
        }
    }
}

impl Error for StartError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Endpoint(error) => Some(error),
            Self::Attach(error) => Some(error),
            Self::Delivery(error) => Some(error),
            Self::NotUnicode { .. } | Self::Key { .. } | Self::NoRules | Self::Rule { .. } => None,
        }
    }
}

#[cfg(test)]
#[path = "reporter_tests.rs"]
mod tests;
