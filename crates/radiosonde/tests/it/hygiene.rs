//! The macros wherever a caller may put them, and whatever else is called what there.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use radiosonde::{EventName, SpanContext, SpanName, ToValue, Value, capture, execute, span};

/// A caller that has nothing in scope, and a crate's own words for everything that the macros could name.
mod without_prelude {
    #![no_implicit_prelude]
    #![allow(dead_code, unused_macros)]

    mod std {}
    mod core {}
    mod radiosonde {}
    struct Some;
    struct None;
    struct Option;
    struct Ok;
    struct Span;
    struct SpanSite;
    struct EventName;
    struct Value;
    trait Into {}
    trait ToValue {}
    fn drop() {}
    macro_rules! concat {
        () => {};
    }
    macro_rules! stringify {
        () => {};
    }
    macro_rules! compile_error {
        () => {};
    }

    ::radiosonde::declare! {
        /// What this caller executes.
        pub(super) static EVENTS;

        /// An event.
        pub(super) event DECLARED = "hygiene.prelude.declared" {
            measurements: { /** How many. */ count: "one" },
            metadata: { text: identifier },
        }

        /// A span.
        span DECLARED_SPAN = "hygiene.prelude.declared_span" { measurements: {}, metadata: {} }

        /// A family.
        family DECLARED_FAMILY = "hygiene.prelude.<which>" { measurements: {}, metadata: {} }
    }

    pub(super) fn call(name: &::radiosonde::EventName, span: &::radiosonde::SpanName) {
        let text = "text";
        ::radiosonde::execute!("hygiene.prelude.literal", { count: 1 }, { text, "a.key": true });
        ::radiosonde::execute!(DECLARED, { count: 1 }, { text });
        ::radiosonde::execute!(name, { count: 1 }, { text });
        ::radiosonde::span!("hygiene.prelude.span", { text, number: text.len() }).stop();
        ::radiosonde::span!(DECLARED_SPAN, { text }).stop();
        ::radiosonde::span!(span, { text, number: text.len() }).stop();
    }
}

#[test]
fn the_macros_work_where_nothing_is_in_scope_and_names_mean_something_else() {
    let capture = capture(["hygiene.prelude.**"]);
    let name = EventName::new("hygiene.prelude.run_time").unwrap();
    let span = SpanName::new("hygiene.prelude.run_time_span").unwrap();
    without_prelude::call(&name, &span);
    let names: Vec<String> =
        capture.events().iter().map(|event| event.name().to_string()).collect();
    assert_eq!(
        names.iter().map(|name| &name["hygiene.prelude.".len()..]).collect::<Vec<_>>(),
        [
            "literal",
            "declared",
            "run_time",
            "span.start",
            "span.stop",
            "declared_span.start",
            "declared_span.stop",
            "run_time_span.start",
            "run_time_span.stop"
        ]
    );
    assert_eq!(without_prelude::EVENTS.len(), 3);
}

#[test]
#[allow(non_snake_case)]
fn the_callers_variables_may_be_called_what_the_macros_call_theirs() {
    let capture = capture(["hygiene.variables.**"]);
    let (SITE, site, listening, source, value, running) = (1, 2, 3, 4, 5, 6);
    let name = EventName::new("hygiene.variables.run_time").unwrap();
    execute!("hygiene.variables.literal", { SITE, site, listening }, { source, value, running, name });
    execute!(name, { SITE, site, listening }, { source, value, running, name });
    span!("hygiene.variables.span", { SITE, site, listening, source, value, running, name }).stop();
    {
        let source = SpanName::new("hygiene.variables.run_time_span").unwrap();
        span!(source, { SITE, site, listening, value, running, name }).stop();
        let listening = &name;
        execute!(listening, { SITE, site }, { source: 4, value, running, name });
    }
    let events = capture.events();
    assert_eq!(events.len(), 7);
    for event in events {
        let field = |key| match event.measurement(key) {
            Value::Null => event.metadata(key),
            measurement => measurement,
        };
        assert!(
            field("SITE") == 1
                && field("site") == 2
                && field("value") == 5
                && field("running") == 6
        );
        assert!(field("name") == "hygiene.variables.run_time", "{event:?}");
    }
}

/// The names of items are not kept apart as those of variables are.
#[test]
fn the_callers_statics_may_be_called_what_the_macros_call_theirs() {
    static SITE: u64 = 1;
    const DECLARATION: &str = "two";
    let capture = capture(["hygiene.items.**"]);
    execute!("hygiene.items.literal", { SITE }, { DECLARATION });
    span!("hygiene.items.span", { SITE, DECLARATION }).stop();
    let events = capture.events();
    assert!(events[0].measurement("SITE") == 1 && events[0].metadata("DECLARATION") == "two");
    assert!(events[1].metadata("SITE") == 1 && events[1].metadata("DECLARATION") == "two");
}

/// As the macros of another crate would do.
mod wrapped {
    macro_rules! count {
        ($event:literal, $($fields:tt)*) => {
            radiosonde::execute!($event, { count: 1 }, { $($fields)* })
        };
    }

    macro_rules! keys {
        ($event:expr, $($key:ident = $value:expr),* $(; $text:literal = $other:expr)?) => {{
            let name = 1;
            radiosonde::execute!($event, { name }, { $($key: $value,)* $($text: $other)? })
        }};
    }

    macro_rules! timed {
        ($span:literal, $parent:expr, $($key:tt),*) => {
            radiosonde::span!(parent: $parent, $span, { $($key),* })
        };
    }

    pub(super) use {count, keys, timed};
}

#[test]
fn the_macros_work_inside_other_macros() {
    let capture = capture(["hygiene.wrapped.**"]);
    let (name, text) = (EventName::new("hygiene.wrapped.expression").unwrap(), "text");
    wrapped::count!("hygiene.wrapped.literal", text, number: 2,);
    wrapped::keys!(name, text = text, other = name; "a.key" = 3);
    let parent = span!("hygiene.wrapped.parent").run(|span| span.context());
    wrapped::timed!("hygiene.wrapped.span", parent, name, text).stop();

    let events = capture.events();
    assert!(events[0].metadata("text") == "text" && events[0].metadata("number") == 2);
    assert!(events[1].measurement("name") == 1 && events[1].metadata("a.key") == 3);
    assert!(events[1].metadata("other") == "hygiene.wrapped.expression");
    assert!(events[4].metadata("name") == "hygiene.wrapped.expression");
    assert!(!events[4].metadata("telemetry_parent_span_context").is_null());
}

#[test]
fn the_macros_work_in_constants_and_statics() {
    const CONSTANT: fn(u64) = |count| execute!("hygiene.constant.event", { count });
    static STATIC: fn(&str) = |text| span!("hygiene.constant.span", { text }).stop();
    static NAME: EventName = EventName::from_static("hygiene.constant.name");
    const INLINE: fn() = const { || execute!(NAME, { count: 3 }) };
    let capture = capture(["hygiene.constant.**"]);
    CONSTANT(1);
    STATIC("two");
    INLINE();
    let events = capture.events();
    assert!(events[0].measurement("count") == 1 && events[1].metadata("text") == "two");
    assert!(events[3].measurement("count") == 3);
}

mod renamed {
    extern crate radiosonde as rs;

    rs::declare! {
        pub(super) static EVENTS;

        pub(super) event DECLARED = "hygiene.renamed.declared" { measurements: {}, metadata: { text: secret } }
    }

    pub(super) fn call() {
        rs::execute!("hygiene.renamed.literal", { count: 1 }, { text: "text" });
        rs::execute!(DECLARED, { count: 1 }, { text: "text" });
        rs::span!("hygiene.renamed.span", { text: "text" }).stop();
    }
}

#[test]
fn the_crate_may_be_renamed() {
    let capture = capture(["hygiene.renamed.**"]);
    renamed::call();
    assert_eq!(capture.events().len(), 4);
    assert_eq!(renamed::EVENTS[0].name(), "hygiene.renamed.declared");
}

struct Repository<T, const COLUMNS: usize>(T);

impl<T: ToValue + Send, const COLUMNS: usize> Repository<T, COLUMNS> {
    const QUERY: &'static str = "select";

    fn query<'a>(&'a self, table: &'a str, rows: usize) -> impl Fn() + use<'a, T, COLUMNS> {
        let mut span = span!("hygiene.generic.span", { id: self.0, table, query: Self::QUERY, columns: COLUMNS });
        span.measurement("rows", rows);
        execute!("hygiene.generic.event", { rows }, { id: self.0, table, query: Self::QUERY });
        span.stop();
        move || execute!("hygiene.generic.later", { columns: COLUMNS }, { id: self.0, table })
    }
}

#[test]
fn the_macros_work_in_generic_functions_and_one_site_serves_all_types() {
    let capture = capture(["hygiene.generic.**"]);
    Repository::<_, 2>(7_u8).query("users", 1)();
    Repository::<_, 3>(String::from("seven")).query("runs", 2)();
    let events = capture.events();
    assert_eq!(events.len(), 8);
    assert!(events[0].metadata("id") == 7 && events[4].metadata("id") == "seven");
    assert!(events[3].measurement("columns") == 2 && events[7].measurement("columns") == 3);
}

#[test]
fn spans_take_numbers_values_and_references_that_are_temporaries() {
    struct User {
        name: String,
        nickname: Option<String>,
    }

    impl User {
        fn name(&self) -> &str {
            &self.name
        }
    }

    let capture = capture(["hygiene.temporaries.*"]);
    let user = User { name: "Ada".to_owned(), nickname: None };
    let span = span!("hygiene.temporaries", {
        length: user.name.len(),
        elapsed: std::time::Duration::from_nanos(user.name.len() as u64),
        long: user.name.len() > 2,
        name: user.name(),
        nickname: user.nickname.as_deref(),
        shown: Value::display(&user.name),
        first: user.name.split('d').next(),
        whole: user.name,
        ratio: 1.0 / user.name.len() as f64,
    });
    span.stop();
    let event = &capture.events()[0];
    assert!(
        event.metadata("length") == 3
            && event.metadata("elapsed") == 3
            && event.metadata("long") == true
    );
    assert!(event.metadata("name") == "Ada" && event.metadata("nickname").is_null());
    assert!(
        event.metadata("shown") == "Ada"
            && event.metadata("first") == "A"
            && event.metadata("whole") == "Ada"
    );
}

#[test]
fn futures_that_execute_events_and_hold_spans_can_move_between_threads() {
    fn require_send<F: Future<Output = u64> + Send>(future: F) -> F {
        future
    }

    async fn number() -> u64 {
        17
    }

    async fn work(text: &str, name: EventName, parent: Option<SpanContext>) -> u64 {
        execute!("hygiene.futures.event", { count: number().await }, { text });
        execute!(name, { count: number().await }, { text });
        let mut span =
            span!(parent: parent, "hygiene.futures.span", { text, shown: Value::debug(&name) });
        let bytes = number().await;
        span.measurement("bytes", bytes);
        let inner = span!("hygiene.futures.inner", { text }).instrument(number()).await;
        span.stop();
        bytes + inner
    }

    let capture = capture(["hygiene.futures.**"]);
    let name = EventName::new("hygiene.futures.run_time").unwrap();
    let mut future = pin!(require_send(work("text", name, SpanContext::current())));
    let outcome = future.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert_eq!(outcome, Poll::Ready(34));
    assert_eq!(capture.events().len(), 6);
}
