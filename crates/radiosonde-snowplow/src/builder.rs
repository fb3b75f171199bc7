//! Everything a reporter needs to know before it starts, and how it starts.

use std::fmt;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::SystemTime;

use radiosonde::{Bus, Event, FailurePolicy, OwnedValue};
use radiosonde_delivery::permission::forbids_tracking;
use radiosonde_delivery::{Delivery, DropReason, Endpoint, HttpSink, Options, Spool};

#[cfg(feature = "tls")]
use radiosonde_delivery::Certificates;

use crate::error::StartError;
use crate::event::{Kind, SelfDescribing, SnowplowEvent};
use crate::field::Field;
use crate::outlet::{BeforeSend, Common, Outlet, in_function};
use crate::projection::project;
use crate::protocol::{Method, TrackerProtocol, USER_AGENT};
use crate::reporter::{Attached, Snowplow, off};
use crate::rule::Rule;

/// The largest event, and the largest batch, in bytes: collectors answer 200 to more than a megabyte, and fail it.
const LARGEST: usize = 900 * 1024;

/// How many events a batch has at most: more than official trackers send, because one batch is sent after the other, and
/// each takes the time of a round trip.
const BATCH: usize = 500;

/// The largest event in a query, in bytes, as official trackers have it.
const LARGEST_QUERY: usize = 40_000;

/// Everything a reporter needs to know before it starts.
#[must_use]
pub struct Builder {
    id: String,
    url: String,
    app_id: String,
    namespace: Option<String>,
    bus: Bus,
    rules: Vec<Rule>,
    options: Options,
    event_bytes: Option<usize>,
    allows_plain_http: bool,
    pub(crate) do_not_track: bool,
    method: Method,
    is_base64: bool,
    is_anonymous: bool,
    allows_queries: bool,
    spool: Option<Spool>,
    subject: Vec<(Field, OwnedValue)>,
    entities: Vec<SelfDescribing>,
    before_send: Option<Box<BeforeSend>>,
    #[cfg(feature = "tls")]
    authorities: Option<Certificates>,
}

impl Builder {
    pub(crate) fn new(
        url: impl Into<String>,
        app_id: impl Into<String>,
        do_not_track: Option<String>,
    ) -> Self {
        Self {
            id: "snowplow".to_owned(),
            url: url.into(),
            app_id: app_id.into().trim().to_owned(),
            namespace: None,
            bus: radiosonde::global().clone(),
            rules: Vec::new(),
            options: Options::new().batch_records(BATCH).batch_bytes(LARGEST),
            event_bytes: None,
            allows_plain_http: false,
            do_not_track: do_not_track.is_some_and(|value| forbids_tracking(&value)),
            method: Method::default(),
            is_base64: true,
            is_anonymous: false,
            allows_queries: false,
            spool: None,
            subject: Vec::new(),
            entities: Vec::new(),
            before_send: None,
            #[cfg(feature = "tls")]
            authorities: None,
        }
    }

    /// Adds a rule. Two rules that match the same event make two Snowplow events of it.
    pub fn rule(mut self, rule: Rule) -> Self {
        self.rules.push(rule);
        self
    }

    /// Adds rules.
    pub fn rules(mut self, rules: impl IntoIterator<Item = Rule>) -> Self {
        self.rules.extend(rules);
        self
    }

    /// The name of the reporter in handler ids, thread names and events, `snowplow` by default. Two reporters on one
    /// bus need two.
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = id.into();
        self
    }

    /// The tracker's namespace, by which Snowplow tells trackers of one application apart: the reporter's
    /// [`id`](Self::id) by default.
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = Some(namespace.into());
        self
    }

    /// Attaches to this bus instead of the global one.
    pub fn bus(mut self, bus: &Bus) -> Self {
        self.bus = bus.clone();
        self
    }

    /// Changes the limits of the delivery, which are its defaults with 900 KiB for the largest batch.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use radiosonde_snowplow::Snowplow;
    /// let builder = Snowplow::builder("https://collector.example.com", "shop")
    ///     .options(|options| options.batch_delay(Duration::from_secs(1)));
    /// # let _ = builder;
    /// ```
    pub fn options(mut self, change: impl FnOnce(Options) -> Options) -> Self {
        self.options = change(self.options);
        self
    }

    /// How many bytes an event may take at most: a larger one is dropped and counted. It is 900 KiB by default, and
    /// 40,000 with [`Method::Get`]. A collector that writes to SQS takes less than 192 kB.
    ///
    /// Events are measured without being written: they count for what they can take at most.
    pub fn event_bytes(mut self, bytes: usize) -> Self {
        self.event_bytes = Some(bytes);
        self
    }

    /// Also sends over plain http to other machines, where whoever is on the way can read it.
    pub fn allow_plain_http(mut self) -> Self {
        self.allows_plain_http = true;
        self
    }

    /// A field of the subject of every event, such as its platform or language, unless the event itself has it.
    ///
    /// ```
    /// # use radiosonde_snowplow::{Field, Snowplow};
    /// let builder = Snowplow::builder("https://collector.example.com", "shop")
    ///     .subject(Field::Platform, "app")
    ///     .subject(Field::Timezone, "Europe/Berlin");
    /// # let _ = builder;
    /// ```
    pub fn subject(mut self, field: Field, value: impl Into<OwnedValue>) -> Self {
        self.subject.retain(|(known, _)| *known != field);
        self.subject.push((field, value.into()));
        self
    }

    /// An entity that accompanies every event, such as the deployment.
    pub fn entity(mut self, entity: SelfDescribing) -> Self {
        self.entities.push(entity);
        self
    }

    /// A function that sees every event before it is queued, and may change it or, with none, keep it home. What it
    /// keeps is counted as [`DropReason::Filtered`], and so is an event at which it panics: that is never sent.
    ///
    /// It runs on the emitting thread, so it must be quick. What it executes or tracks itself stays home. What is cut
    /// from events is cut after it has seen them.
    ///
    /// ```
    /// # use radiosonde_snowplow::{Field, Snowplow};
    /// let builder = Snowplow::builder("https://collector.example.com", "shop")
    ///     .before_send(|event| (event.get(Field::UserId) != "monitoring").then(|| event.without(Field::IpAddress)));
    /// # let _ = builder;
    /// ```
    pub fn before_send(
        mut self,
        filter: impl Fn(SnowplowEvent) -> Option<SnowplowEvent> + Send + Sync + 'static,
    ) -> Self {
        self.before_send = Some(Box::new(filter));
        self
    }

    /// How requests are made, with POST by default.
    pub fn method(mut self, method: Method) -> Self {
        self.method = method;
        self
    }

    /// Whether what schemas describe is encoded as base64, as it is by default, or plain JSON.
    pub fn base64(mut self, is_base64: bool) -> Self {
        self.is_base64 = is_base64;
        self
    }

    /// Tracks nobody: every id and the address of the user are taken from events before they are queued, and the header
    /// `SP-Anonymous` keeps the collector from reading and setting cookies and from storing the sender's address.
    pub fn anonymous(mut self) -> Self {
        self.is_anonymous = true;
        self
    }

    /// Leaves the query strings of [`Field::PageUrl`] and [`Field::Referrer`] as they are, as Snowplow recognises
    /// campaigns by them. Whatever else is in them leaves too.
    pub fn allow_queries(mut self) -> Self {
        self.allows_queries = true;
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
    /// nothing; [`Snowplow::status`] and one event `telemetry.snowplow.off` say so.
    ///
    /// # Errors
    ///
    /// When the URL, the application's id, the namespace, the subject, an entity or a rule cannot be right, the id is
    /// taken, the spool cannot be used, or no thread can be started.
    pub fn start(mut self) -> Result<Snowplow, StartError> {
        let endpoint = self.check()?;
        let mut attached = Attached { bus: self.bus.clone(), ids: Vec::new() };
        if self.do_not_track {
            off("`DO_NOT_TRACK` is set");
            return Ok(Snowplow { attached, outlet: None, delivery: None });
        }
        let delivery = self.deliver(endpoint)?;
        let common = Common {
            subject: self.subject,
            entities: self.entities,
            before_send: self.before_send,
            is_anonymous: self.is_anonymous,
            allows_queries: self.allows_queries,
            method: self.method,
            event_bytes: self.event_bytes.unwrap_or(match self.method {
                Method::Post => LARGEST,
                Method::Get => LARGEST_QUERY,
            }),
        };
        let outlet = Outlet { queue: delivery.queue(), common: Arc::new(common) };
        for (index, rule) in self.rules.into_iter().enumerate() {
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
        Ok(Snowplow { attached, outlet: Some(outlet), delivery: Some(delivery) })
    }

    /// Where to send, if everything that was given can be right.
    fn check(&self) -> Result<Endpoint, StartError> {
        if !is_name(&self.app_id, 255) {
            return Err(StartError::AppId);
        }
        let namespace = self.tracker_namespace();
        if !is_name(namespace, 128) || namespace.contains([':', ';']) {
            return Err(StartError::Namespace);
        }
        let endpoint = if self.allows_plain_http {
            Endpoint::parse_allowing_plain_http(&self.url)
        } else {
            Endpoint::parse(&self.url)
        };
        let endpoint = endpoint.map_err(StartError::Endpoint)?.join(self.method.path());
        for (field, value) in &self.subject {
            let problem = if field.is_of(&Kind::PageView) {
                field.problem(value)
            } else {
                Some(format!("`{}` is of some events alone", field.wire_name()))
            };
            if let Some(problem) = problem {
                return Err(StartError::Subject { problem });
            }
        }
        if let Some(entity) = self.entities.iter().find(|entity| !entity.schema.is_valid()) {
            return Err(StartError::Entity { schema: entity.schema().to_owned() });
        }
        if self.is_anonymous && self.method == Method::Get {
            return Err(StartError::AnonymousGet);
        }
        for rule in &self.rules {
            if let Some(problem) = rule.problem() {
                return Err(StartError::Rule { event: rule.event.clone(), problem });
            }
        }
        Ok(endpoint)
    }

    fn tracker_namespace(&self) -> &str {
        self.namespace.as_deref().unwrap_or(&self.id)
    }

    fn deliver(&mut self, endpoint: Endpoint) -> Result<Delivery<SnowplowEvent>, StartError> {
        let protocol = TrackerProtocol {
            app_id: self.app_id.clone(),
            namespace: self.tracker_namespace().to_owned(),
            method: self.method,
            is_base64: self.is_base64,
            is_anonymous: self.is_anonymous,
        };
        let sink = HttpSink::new(self.id.as_str(), USER_AGENT, endpoint, protocol);
        #[cfg(feature = "tls")]
        let sink = match &self.authorities {
            Some(authorities) => sink.trust(authorities),
            None => sink,
        };
        let (reporter, mut options) = (self.id.as_str(), std::mem::take(&mut self.options));
        if self.method == Method::Get {
            options = options.batch_records(1);
        }
        match &self.spool {
            Some(spool) => Delivery::start_with_spool(reporter, options, spool, sink),
            None => Delivery::start(reporter, options, sink),
        }
        .map_err(StartError::Delivery)
    }
}

/// Whether it can stand for itself in every request, and how long it is is known before.
fn is_name(name: &str, longest: usize) -> bool {
    (1..=longest).contains(&name.len())
        && name.bytes().all(|byte| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\'))
}

/// What a handler does with an event.
fn report(rule: &Rule, event: &Event<'_>, outlet: &Outlet) {
    // Or a rule for them would have no end.
    let is_own = event.name().as_str().starts_with("telemetry.snowplow.");
    if is_own || outlet.turns_away(event.metadata("do_not_track")) {
        return;
    }
    match in_function(|| project(rule, event, SystemTime::now())) {
        Ok(Some(made)) => outlet.take(made),
        Ok(None) => {}
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
            .field("app_id", &self.app_id)
            .field("rules", &self.rules)
            .field("options", &self.options)
            .field("method", &self.method)
            .field("is_base64", &self.is_base64)
            .field("is_anonymous", &self.is_anonymous)
            .field("allows_plain_http", &self.allows_plain_http)
            .field("do_not_track", &self.do_not_track)
            .finish_non_exhaustive()
    }
}
