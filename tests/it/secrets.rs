//! Secrets that are planted in an event, in a URL and in what a reporter is configured with: no sink lets one out.

use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use radiosonde::{Secret, execute};
use radiosonde_delivery::Backoff;
use radiosonde_log::Log;
use radiosonde_metrics::counter;
use radiosonde_posthog::{PostHog, PostHogEvent, Protocol};
use radiosonde_prometheus::Prometheus;
use radiosonde_snowplow::{Field, Method, Snowplow};
use radiosonde_usage_ping::{Metric, UsagePing};

use crate::faults::loopback::{Fault, Loopback};

/// What must be nowhere.
const PLANTED: &str = "pl4nted";

/// What must be where a request carries it, and nowhere else.
const KEY: &str = "phc_k3yk3yk3y";

const DEADLINE: Duration = Duration::from_secs(20);

radiosonde::declare! {
    /// The events of these tests.
    static EVENTS;

    /// Somebody has signed in.
    event SIGN_IN = "planted.user.sign_in" {
        measurements: {
            /// Always 1.
            count: "event",
        },
        metadata: {
            /// Who.
            user_id: identifier,
            /// The page on which it was.
            page,
            /// The session's cookie.
            session: secret,
            /// Declared as if it were for everybody.
            wrapped,
            /// Declared as if it were for everybody, too.
            password,
            /// What somebody has written.
            note,
        },
    }
}

/// The event is on the bus that all of these tests have: one of them at a time.
static TURN: Mutex<()> = Mutex::new(());

fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One event with a secret by its key's class, by its type, by its key's name, in a URL and in a text.
fn sign_in() {
    assert!(EVENTS.len() == 1);
    execute!(
        SIGN_IN,
        { count: 1 },
        {
            user_id: "user-1",
            page: page(),
            session: PLANTED,
            wrapped: &Secret::from(PLANTED),
            password: PLANTED,
            note: note(),
        }
    );
}

fn page() -> String {
    format!("https://user:{PLANTED}@a.example/page?key={PLANTED}#{PLANTED}")
}

/// A line for every form that a secret has in a text.
fn note() -> String {
    let long = format!("{PLANTED}0123456789");
    [
        format!("it failed with password={PLANTED}, twice"),
        format!("{{\"api_key\": \"{PLANTED}\", \"a\": 1}}"),
        format!("Authorization: Digest user=\"me\", response={PLANTED}"),
        format!("sent Bearer {PLANTED} to a.example"),
        format!("a token eyJhbGciOiJIUzI1NiJ9.eyJ{long}.{PLANTED}"),
        format!("ghp_{long} and SG.{long}.{PLANTED} and hf_{long}"),
        format!("curl -u me:{PLANTED} https://a.example"),
        format!("https://hooks.slack.com/services/T0/B0/{PLANTED}"),
        format!("-----BEGIN PRIVATE KEY-----\n{PLANTED}\n-----END PRIVATE KEY-----"),
        "and that is all".to_owned(),
    ]
    .join("\n")
}

/// All events of our own while `work` runs, as they are seen by whoever listens.
fn told_while(id: &str, work: impl FnOnce()) -> String {
    let told = Arc::new(Mutex::new(String::new()));
    let hears = Arc::clone(&told);
    radiosonde::attach(id, "telemetry.**", move |event| {
        hears.lock().unwrap().push_str(&format!("{:?}\n", event.to_owned()));
    })
    .unwrap();
    work();
    radiosonde::detach(id).unwrap();
    std::mem::take(&mut told.lock().unwrap())
}

/// Fails if a planted secret is in what a sink has let out, or if the event is not.
fn assert_clean(sink: &str, shown: &str) {
    assert!(shown.contains("user-1"), "{sink} has not shown the event: {shown}");
    assert!(!shown.contains(PLANTED), "{sink} has shown a secret: {shown}");
    let is_whole = !shown.contains("it failed with") || shown.contains("and that is all");
    assert!(is_whole, "{sink} has lost what is no secret: {shown}");
}

/// A writer that others can look into.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_planted_secret_is_in_no_line_of_the_log() {
    let _turn = turn();
    for is_json in [true, false] {
        let lines = Shared::default();
        let builder = Log::builder().events(["planted.**"]).writer(lines.clone());
        let builder = builder.id(format!("log-of-secrets-{is_json}"));
        let log = if is_json { builder.json() } else { builder.human() }.start().unwrap();
        sign_in();
        let shown = format!("{log:?}");
        let report = log.shutdown(DEADLINE);
        assert_eq!(report.sent, 1, "{report}");
        let lines = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        assert_clean("the log", &lines);
        assert!(!shown.contains(PLANTED), "{shown}");
    }
}

#[test]
fn a_planted_secret_is_in_no_request_to_posthog_and_its_key_only_where_it_belongs() {
    let _turn = turn();
    let faults = [Fault::Well, Fault::Status(401, None), Fault::Garbage];
    for (protocol, fault) in
        [Protocol::V0, Protocol::V1].into_iter().flat_map(|it| faults.clone().map(|f| (it, f)))
    {
        let server = Loopback::new([fault]);
        let mut shown = String::new();
        let told = told_while("secrets-of-posthog", || {
            let keys = ["page", "session", "wrapped", "count", "password", "note"];
            let rule = radiosonde_posthog::Rule::event("planted.user.sign_in")
                .distinct_id("user_id")
                .properties(keys);
            let posthog = PostHog::builder(KEY, &server.url)
                .id("posthog-of-secrets")
                .protocol(protocol)
                .rule(rule)
                .options(|options| options.backoff(Backoff::new().attempts(1)))
                .start()
                .unwrap();
            sign_in();
            let own = PostHogEvent::new("own").distinct_id("user-1").property("page", page());
            let own = own.property("password", PLANTED).property("note", note());
            posthog.capture(own);
            let _ = posthog.flush(DEADLINE);
            shown = format!("{posthog:?} {:?} {}", posthog.stats(), posthog.stats());
            let report = posthog.shutdown(DEADLINE);
            assert_eq!((report.accepted(), report.retained), (2, 0), "{report}");
        });
        let seen = server.seen();
        assert!(!seen.is_empty());
        for request in seen {
            let body = String::from_utf8(request.body).unwrap();
            assert_clean("PostHog's request", &format!("{}{body}", request.head));
            let line = request.head.lines().next().unwrap();
            assert!(!line.contains(KEY), "the key is in the URL: {line}");
        }
        for text in [shown, told] {
            assert!(!text.contains(PLANTED) && !text.contains(KEY), "{text}");
        }
    }
}

#[test]
fn a_planted_secret_is_in_no_request_to_snowplow() {
    let _turn = turn();
    for method in [Method::Post, Method::Get] {
        let server = Loopback::new([Fault::Status(503, None)]);
        let mut shown = String::new();
        let told = told_while("secrets-of-snowplow", || {
            let rule = radiosonde_snowplow::Rule::event("planted.user.sign_in")
                .self_describing("iglu:com.example/sign_in/jsonschema/1-0-0")
                .field(Field::UserId, "user_id")
                .properties(["page", "session", "wrapped", "count", "password", "note"]);
            let backoff = Backoff::new().initial(Duration::ZERO);
            let snowplow = Snowplow::builder(&server.url, "secrets")
                .id("snowplow-of-secrets")
                .method(method)
                .base64(false)
                .rule(rule)
                .options(|options| options.backoff(backoff))
                .start()
                .unwrap();
            sign_in();
            let _ = snowplow.flush(DEADLINE);
            shown = format!("{snowplow:?} {:?} {}", snowplow.stats(), snowplow.stats());
            let report = snowplow.shutdown(DEADLINE);
            assert_eq!((report.sent, report.retries), (1, 1), "{report}");
        });
        for request in server.seen() {
            let body = String::from_utf8(request.body).unwrap();
            assert_clean("Snowplow's request", &format!("{}{body}", request.head));
        }
        for text in [shown, told] {
            assert!(!text.contains(PLANTED), "{text}");
        }
    }
}

#[test]
fn a_planted_secret_is_on_no_page_for_prometheus() {
    let _turn = turn();
    let tags = ["user_id", "session", "wrapped"];
    let prometheus = Prometheus::builder()
        .metrics([counter("planted.user.sign_in.count").tags(tags)])
        .listen("127.0.0.1:0")
        .bearer_token(PLANTED)
        .start()
        .unwrap();
    sign_in();
    for accept in ["text/plain", "application/openmetrics-text"] {
        let page = String::from_utf8(prometheus.render(Some(accept), None).body).unwrap();
        assert_clean("the page", &page);
    }
    let shown = format!("{prometheus:?}");
    assert!(!shown.contains(PLANTED), "{shown}");
}

#[test]
fn a_planted_secret_is_in_no_report_of_the_usage_ping_and_in_none_of_its_files() {
    let _turn = turn();
    let metric = |name: &str, frame: &str, source: &str| {
        let value_type = if source == "setting" { "text" } else { "integer" };
        format!(
            "[[metric]]\nkey_path = \"counts.{name}\"\ndescription = \"D.\"\nvalue_type = \"{value_type}\"\n\
             status = \"active\"\ntime_frame = \"{frame}\"\nsource = \"{source}\"\n"
        )
    };
    let definitions = [
        metric("sign_ins", "all", "events"),
        metric("users", "28d", "distinct_events"),
        metric("pages", "28d", "distinct_events"),
        metric("sessions", "28d", "distinct_events"),
        metric("password", "none", "setting"),
        metric("note", "none", "setting"),
    ];
    let name = "planted.user.sign_in";
    let directory = std::env::temp_dir().join(format!("radiosonde-secrets-{}", std::process::id()));
    let ping = UsagePing::builder("http://127.0.0.1:1", &directory)
        .definitions("usage_ping.toml", definitions.concat())
        .metric(Metric::counter("counts.sign_ins", name))
        .metric(Metric::distinct("counts.users", name, "user_id"))
        .metric(Metric::distinct("counts.pages", name, "page"))
        .metric(Metric::distinct("counts.sessions", name, "session"))
        .metric(Metric::setting("counts.password", || PLANTED))
        .metric(Metric::setting("counts.note", note))
        .opt_in(false)
        .start()
        .unwrap();
    sign_in();
    let report = ping.preview().unwrap();
    assert!(report.body().contains("\"sign_ins\": 1"), "{}", report.body());
    assert!(report.body().contains("and that is all"), "{}", report.body());
    let shown = format!("{report} {report:?} {ping:?}");
    ping.shutdown(DEADLINE);
    let files = std::fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path());
    let files: Vec<_> = files.filter(|path| path.is_file()).collect();
    let kept: Vec<u8> = files.iter().flat_map(|path| std::fs::read(path).unwrap()).collect();
    std::fs::remove_dir_all(&directory).unwrap();
    assert!(!kept.is_empty());
    let kept = String::from_utf8_lossy(&kept);
    for text in [&shown, report.body(), &*kept] {
        assert!(!text.contains(PLANTED) && !text.contains("user-1"), "{text}");
    }
}
