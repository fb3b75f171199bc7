//! Everything a reporter needs to know before it starts, and how it starts.

use std::borrow::Cow;
use std::fmt;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::SystemTime;

use radiosonde::{Bus, Event, FailurePolicy, OwnedValue};
use radiosonde_delivery::permission::Key;
use radiosonde_delivery::permission::forbids_tracking;
use radiosonde_delivery::{Delivery, DropReason, Encode, Endpoint, HttpSink, Options, Spool};

#[cfg(feature = "tls")]
use radiosonde_delivery::Certificates;

use crate::error::StartError;
use crate::event::{Place, PostHogEvent, Text, may_hold};
use crate::outlet::{BeforeSend, Outlet, in_function};
use crate::projection::project;
use crate::protocol::{ApiKey, BatchProtocol, CaptureProtocol, Protocol, USER_AGENT};
use crate::reporter::{Attached, PostHog, off};
use crate::rule::{Rule, Source};
use crate::validate::{is_name, is_object};

/// The largest event, and so the largest batch, in bytes: PostHog discards events of more than a megabyte.
const LARGEST: usize = 900 * 1024;

/// How many events a batch has at most: five times as many as PostHog's own clients send, because one batch is sent after
/// the other, and each takes the time of a round trip.
const BATCH: usize = 500;

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
    pub(crate) do_not_track: bool,
    protocol: Protocol,
    compresses: bool,
    is_historical: bool,
    spool: Option<Spool>,
    super_properties: Vec<(Text, OwnedValue)>,
    /// Property names, and the keys of bus events that they come from.
    super_keys: Vec<(Text, Key)>,
    before_send: Option<Arc<BeforeSend>>,
    #[cfg(feature = "tls")]
    authorities: Option<Certificates>,
}

impl Builder {
    pub(crate) fn new(
        key: impl Into<String>,
        url: impl Into<String>,
        do_not_track: Option<String>,
    ) -> Self {
        Self {
            id: "posthog".to_owned(),
            key: ApiKey::new(key),
            url: url.into(),
            bus: radiosonde::global().clone(),
            rules: Vec::new(),
            options: Options::new().batch_records(BATCH).batch_bytes(LARGEST),
            allows_plain_http: false,
            do_not_track: do_not_track.is_some_and(|value| forbids_tracking(&value)),
            protocol: Protocol::default(),
            compresses: false,
            is_historical: false,
            spool: None,
            super_properties: Vec::new(),
            super_keys: Vec::new(),
            before_send: None,
            #[cfg(feature = "tls")]
            authorities: None,
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

    /// Changes the limits of the delivery, which are its defaults with 500 events for a batch, and 900 KiB for the largest
    /// event and batch.
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

    /// A property of every event, unless the event itself has one of that name.
    pub fn super_property(
        mut self,
        name: impl Into<Cow<'static, str>>,
        value: impl Into<OwnedValue>,
    ) -> Self {
        self.super_properties.push((name.into(), value.into()));
        self
    }

    /// A property that every rule takes from the same key, as if each had [`Rule::property`] with it: the section of
    /// the page, say. A rule that has a property of that name decides itself.
    ///
    /// ```
    /// # use radiosonde_posthog::PostHog;
    /// let builder = PostHog::builder("phc_…", "https://eu.i.posthog.com")
    ///     .super_property("deployment", "eu-1")
    ///     .super_property_from("page_section", "section");
    /// # let _ = builder;
    /// ```
    pub fn super_property_from(
        mut self,
        name: impl Into<Cow<'static, str>>,
        key: impl Into<Cow<'static, str>>,
    ) -> Self {
        self.super_keys.push((name.into(), Key::new(key)));
        self
    }

    /// A function that sees every event before it is queued, and may change it or, with none, keep it home. What it
    /// keeps is counted as [`DropReason::Filtered`], and so is an event at which it panics: that is never sent.
    ///
    /// It runs on the emitting thread, so it must be quick. What it executes or captures itself stays home. Of what
    /// is sent it does not see what every event has: `$lib`, `$lib_version`, `$is_server` and `$geoip_disable`, which
    /// the event's own property of such a name replaces.
    ///
    /// ```
    /// # use radiosonde_posthog::PostHog;
    /// let builder = PostHog::builder("phc_…", "https://eu.i.posthog.com")
    ///     .before_send(|event| (event.get("path") != "/health").then(|| event.without("email")));
    /// # let _ = builder;
    /// ```
    pub fn before_send(
        mut self,
        filter: impl Fn(PostHogEvent) -> Option<PostHogEvent> + Send + Sync + 'static,
    ) -> Self {
        self.before_send = Some(Arc::new(filter));
        self
    }

    /// The protocol to speak, version 0 by default.
    pub fn protocol(mut self, protocol: Protocol) -> Self {
        self.protocol = protocol;
        self
    }

    /// Whether requests are compressed with gzip. They are not by default.
    pub fn gzip(mut self, compresses: bool) -> Self {
        self.compresses = compresses;
        self
    }

    /// Tells PostHog that all events are of the past, and are moved here from elsewhere.
    pub fn historical_migration(mut self) -> Self {
        self.is_historical = true;
        self
    }

    /// Keeps on disk what is not sent yet, so that it outlives the process.
    ///
    /// The spool holds events as they are sent, in a directory that this user alone can read.
    pub fn spool(mut self, spool: Spool) -> Self {
        self.spool = Some(spool);
        self
    }

    /// Trusts these authorities instead of the public ones.
    #[cfg(feature = "tls")]
    pub fn trust(mut self, authorities: Certificates) -> Self {
        self.authorities = Some(authorities);
        self
    }

    /// Checks everything, attaches the rules and starts the worker thread.
    ///
    /// With `DO_NOT_TRACK` set in the environment the reporter is checked too, but attaches nothing and starts
    /// nothing; [`PostHog::status`] and one event `telemetry.posthog.off` say so.
    ///
    /// # Errors
    ///
    /// When the key, the URL, a super property or a rule cannot be right, the id is taken, the spool cannot be used, or no
    /// thread can be started. No error holds the key.
    pub fn start(mut self) -> Result<PostHog, StartError> {
        let endpoint = self.check()?;
        let mut attached = Attached { bus: self.bus.clone(), ids: Vec::new() };
        if self.do_not_track {
            off("`DO_NOT_TRACK` is set");
            return Ok(PostHog { attached, outlet: None, delivery: None });
        }
        let (key, is_historical) = (self.key.clone(), self.is_historical);
        let delivery = match self.protocol {
            Protocol::V0 => self.deliver(endpoint, BatchProtocol { key, is_historical }),
            Protocol::V1 => self.deliver(endpoint, CaptureProtocol { key, is_historical }),
        }?;
        let outlet = Outlet {
            queue: delivery.queue(),
            super_properties: self.super_properties.into(),
            before_send: self.before_send,
        };
        for (index, mut rule) in self.rules.into_iter().enumerate() {
            for (name, key) in &self.super_keys {
                if !rule.has_property(name) {
                    rule.map(Place::Property, name.clone(), Source::Key(key.clone()));
                }
            }
            let id = format!("{}/{index}", self.id);
            let (events, outlet) = ([rule.event.clone()], outlet.clone());
            attached
                .bus
                // A rule's function that panics costs one event, not the reporter.
                .attach_with_policy(id.as_str(), events, FailurePolicy::Keep, move |event| {
                    report(&rule, event, &outlet);
                })
                .map_err(StartError::Attach)?;
            attached.ids.push(id);
        }
        Ok(PostHog { attached, outlet: Some(outlet), delivery: Some(delivery) })
    }

    /// Where to send, if everything that was given can be right.
    fn check(&self) -> Result<Endpoint, StartError> {
        if let Some(problem) = self.key.problem() {
            return Err(StartError::Key { problem });
        }
        let endpoint = if self.allows_plain_http {
            Endpoint::parse_allowing_plain_http(&self.url)
        } else {
            Endpoint::parse(&self.url)
        };
        let endpoint = endpoint.map_err(StartError::Endpoint)?.join(self.protocol.path());
        let mut names = self
            .super_properties
            .iter()
            .map(|(name, _)| name)
            .chain(self.super_keys.iter().map(|(name, _)| name));
        let cannot_be = |name: &&Text| !is_name(name) || is_object(name);
        let mut held = self.super_properties.iter().filter(|(name, value)| !may_hold(name, value));
        if let Some(name) = names.find(cannot_be).or_else(|| held.next().map(|(name, _)| name)) {
            return Err(StartError::SuperProperty { name: name.clone().into_owned() });
        }
        for rule in &self.rules {
            if let Some(problem) = rule.problem() {
                return Err(StartError::Rule { event: rule.event.clone(), problem });
            }
        }
        Ok(endpoint)
    }

    fn deliver(
        &mut self,
        endpoint: Endpoint,
        protocol: impl Encode<PostHogEvent>,
    ) -> Result<Delivery<PostHogEvent>, StartError> {
        let sink = HttpSink::new(self.id.as_str(), USER_AGENT, endpoint, protocol);
        let sink = sink.gzip(self.compresses);
        #[cfg(feature = "tls")]
        let sink = match &self.authorities {
            Some(authorities) => sink.trust(authorities),
            None => sink,
        };
        let (reporter, options) = (self.id.as_str(), std::mem::take(&mut self.options));
        match &self.spool {
            Some(spool) => Delivery::start_with_spool(reporter, options, spool, sink),
            None => Delivery::start(reporter, options, sink),
        }
        .map_err(StartError::Delivery)
    }
}

/// What a handler does with an event.
fn report(rule: &Rule, event: &Event<'_>, outlet: &Outlet) {
    // Or a rule for them would have no end.
    let is_own = event.name().as_str().starts_with("telemetry.posthog.");
    if is_own || outlet.turns_away(event.metadata("do_not_track")) {
        return;
    }
    match in_function(|| project(rule, event, SystemTime::now())) {
        Ok(made) => outlet.take(made),
        Err(payload) => {
            outlet.queue.refuse(DropReason::Invalid);
            // The bus says which handler it was, and what it said.
            resume_unwind(payload)
        }
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
