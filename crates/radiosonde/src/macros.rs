//! The macros `execute!` and `span!`, and what they share.

/// Executes an event: calls the handlers that are attached to it, in this thread.
///
/// First comes the event: a literal, which is checked at compile time; an event declared with [`declare!`](crate::declare!);
/// or an [`EventName`](crate::EventName) made at run time. Then, both optional, the measurements and the metadata. The name
/// of a variable alone stands for the key and the value. Keys are names or literals.
///
/// Values are borrowed. If nobody is attached to the event they are not even evaluated; then the whole line is one load and
/// a branch. Nothing is allocated either way.
///
/// ```
/// use radiosonde::{EventName, Value, execute};
///
/// let (ticket, elapsed, user) = ("T-1", std::time::Duration::from_millis(12), std::net::Ipv4Addr::LOCALHOST);
/// execute!("ex_atlas.fly.deploy.exit");
/// execute!("ex_atlas.fly.deploy.line", { count: 1 }, { ticket_id: ticket });
/// execute!("http.request.done", { elapsed }, { "http.status": 200, user: Value::display(&user) });
///
/// let name = EventName::from_segments(["ex_atlas", "fly", "request"])?;
/// execute!(name, { status: 200 }, { method: "get" });
/// # Ok::<(), radiosonde::EventNameError>(())
/// ```
///
/// A name that is not well formed does not compile:
///
/// ```compile_fail
/// radiosonde::execute!("http..request");
/// ```
#[macro_export]
macro_rules! execute {
    ($event:literal $(, { $($measurements:tt)* } $(, { $($metadata:tt)* })?)? $(,)?) => {{
        $crate::__check_keys!($($($measurements)*)?);
        $crate::__check_keys!($($($($metadata)*)?)?);
        // In a block of its own: the caller's values must not see it, whatever they are called.
        let site: &'static $crate::__private::Site = {
            static SITE: $crate::__private::Site = $crate::__private::Site::new($crate::EventName::from_static($event));
            &SITE
        };
        if site.is_enabled() {
            site.execute(
                &$crate::__fields!(measurement $($($measurements)*)?),
                &$crate::__fields!(metadata $($($($metadata)*)?)?),
            );
        }
    }};
    ({ $($fields:tt)* } $($rest:tt)*) => {
        $crate::__private::compile_error!("the event comes first: `execute!(\"http.request\", { count: 1 }, { method })`")
    };
    ($event:expr $(, { $($measurements:tt)* } $(, { $($metadata:tt)* })?)? $(,)?) => {{
        $crate::__check_keys!($($($measurements)*)?);
        $crate::__check_keys!($($($($metadata)*)?)?);
        if let $crate::__private::Some((listening, name)) = $crate::__private::Executable::listening(&$event) {
            listening.execute(
                name,
                &$crate::__fields!(measurement $($($measurements)*)?),
                &$crate::__fields!(metadata $($($($metadata)*)?)?),
            );
        }
    }};
    ($event:expr, $($rest:tt)*) => {
        $crate::__private::compile_error!(
            "after the event come `{ measurement: number, … }` and then `{ metadata: value, … }`, both in braces"
        )
    };
    () => {
        $crate::__private::compile_error!("`execute!` needs an event: `execute!(\"http.request\", { count: 1 }, { method })`")
    };
}

/// Starts a [`Span`](crate::Span): executes its `start` event and returns a guard that ends it.
///
/// First comes the span: a literal, one declared with [`declare!`](crate::declare!), or a [`SpanName`](crate::SpanName) made
/// at run time; then, optional, the metadata it is started with. The values are borrowed for as long as the span lives. The
/// span around it is the one that the thread is in; `parent:` names another.
///
/// ```
/// use radiosonde::{SpanContext, span};
///
/// let table = String::from("users");
/// let mut span = span!("db.query", { table });
/// span.measurement("rows", 3);
/// span.stop();
///
/// let context = SpanContext::current(); // from the thread that hands the work over
/// let number = span!(parent: context, "db.decode", { table, rows: 3 }).run(|_span| 42);
/// assert_eq!(number, 42);
/// ```
///
/// A span's context is made for it; `context:` gives it one, as the key `telemetry_span_context` among its metadata does, and is not
/// borrowed: with it a span can outlive what its context was made of.
///
/// ```
/// use radiosonde::{Span, SpanContext, ToValue, capture, span};
///
/// fn start(request: &str) -> Span<'static> {
///     span!(context: SpanContext::new(request.to_owned()), "request.handle", { method: "GET" })
/// }
///
/// let capture = capture(["request.handle.*"]);
/// start("r-17").stop();
/// assert_eq!(capture.events()[1].metadata("telemetry_span_context"), "r-17");
/// ```
#[macro_export]
macro_rules! span {
    (parent: $parent:expr, context: $context:expr, $span:literal $(, { $($metadata:tt)* })? $(,)?) => {{
        // In a block of its own: the caller's values must not see it, whatever they are called.
        let site: &'static $crate::__private::SpanSite = {
            static SITE: $crate::__private::SpanSite = $crate::__private::SpanSite::new(
                $crate::EventName::from_static($crate::__private::concat!($span, ".start")),
                $crate::EventName::from_static($crate::__private::concat!($span, ".stop")),
                $crate::EventName::from_static($crate::__private::concat!($span, ".exception")),
            );
            &SITE
        };
        $crate::span!(parent: $parent, context: $context, site, { $($($metadata)*)? })
    }};
    (parent: $parent:expr, context: $context:expr, $span:expr $(, { $($metadata:tt)* })? $(,)?) => {{
        $crate::__check_keys!($($($metadata)*)?);
        match $crate::__private::Startable::source(&$span) {
            $crate::__private::Some(source) => $crate::Span::start_with(
                source,
                $crate::__private::Into::into($parent),
                $crate::__private::Into::into($context),
                $crate::__fields!(lasting $($($metadata)*)?),
            ),
            $crate::__private::None => $crate::Span::disabled(),
        }
    }};
    (context: $context:expr, $($rest:tt)*) => {
        $crate::span!(parent: $crate::__private::None, context: $context, $($rest)*)
    };
    (parent: $parent:expr, $span:literal $(, { $($metadata:tt)* })? $(,)?) => {{
        $crate::__check_keys!($($($metadata)*)?);
        // In a block of its own: the caller's values must not see it, whatever they are called.
        let site: &'static $crate::__private::SpanSite = {
            static SITE: $crate::__private::SpanSite = $crate::__private::SpanSite::new(
                $crate::EventName::from_static($crate::__private::concat!($span, ".start")),
                $crate::EventName::from_static($crate::__private::concat!($span, ".stop")),
                $crate::EventName::from_static($crate::__private::concat!($span, ".exception")),
            );
            &SITE
        };
        if site.is_enabled() {
            $crate::Span::start(
                site,
                $crate::__private::Into::into($parent),
                $crate::__context_given!($($($metadata)*)?),
                $crate::__fields!(lasting $($($metadata)*)?),
            )
        } else {
            $crate::Span::disabled()
        }
    }};
    (parent: $parent:expr, $span:expr $(, { $($metadata:tt)* })? $(,)?) => {{
        $crate::__check_keys!($($($metadata)*)?);
        match $crate::__private::Startable::source(&$span) {
            $crate::__private::Some(source) => $crate::Span::start_at(
                source,
                $crate::__private::Into::into($parent),
                $crate::__context_given!($($($metadata)*)?),
                $crate::__fields!(lasting $($($metadata)*)?),
            ),
            $crate::__private::None => $crate::Span::disabled(),
        }
    }};
    ($span:literal $(, { $($metadata:tt)* })? $(,)?) => {
        $crate::span!(parent: $crate::__private::None, $span, { $($($metadata)*)? })
    };
    ({ $($metadata:tt)* } $($rest:tt)*) => {
        $crate::__private::compile_error!("the span comes first: `span!(\"db.query\", { table })`")
    };
    ($span:expr $(, { $($metadata:tt)* })? $(,)?) => {
        $crate::span!(parent: $crate::__private::None, $span, { $($($metadata)*)? })
    };
    ($span:expr, $($rest:tt)*) => {
        $crate::__private::compile_error!(
            "after the span comes `{ metadata: value, … }`, in braces; a parent comes before it: `parent: context, \"db.query\"`"
        )
    };
    () => {
        $crate::__private::compile_error!("`span!` needs a name: `span!(\"db.query\", { table })`")
    };
}

/// Keys and values in braces, as an array of pairs. An expression without a block, so that what it borrows lives on.
#[doc(hidden)]
#[macro_export]
macro_rules! __fields {
    ($kind:ident $($key:tt $(: $value:expr)?),* $(,)?) => {
        [$(($crate::__key!($key), $crate::__value!($kind $key $(, $value)?))),*]
    };
    ($kind:ident $($rest:tt)*) => {
        $crate::__private::compile_error!($crate::__private::concat!(
            "expected `key: value` pairs (or a variable alone) with commas between them, found `",
            $crate::__private::stringify!($($rest)*),
            "`"
        ))
    };
}

/// A compile error if a key is there twice. Whatever else is wrong is said by `__fields`.
#[doc(hidden)]
#[macro_export]
macro_rules! __check_keys {
    () => {};
    ($($key:tt $(: $value:expr)?),* $(,)?) => {
        const _: () = $crate::__private::check_keys(&[$($crate::__key!($key)),*]);
    };
    ($($rest:tt)*) => {};
}

/// Where among the fields the span's own context is, if it is given. Whatever is wrong is said by `__fields`.
#[doc(hidden)]
#[macro_export]
macro_rules! __context_given {
    ($($key:tt $(: $value:expr)?),* $(,)?) => {
        const { $crate::__private::context_given(&[$($crate::__key!($key)),*]) }
    };
    ($($rest:tt)*) => {
        $crate::__private::None
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __key {
    ($key:ident) => {
        $crate::__private::stringify!($key)
    };
    ($key:literal) => {
        $key
    };
    ($($key:tt)*) => {
        $crate::__private::compile_error!($crate::__private::concat!(
            "a key is a name or a text, and `",
            $crate::__private::stringify!($($key)*),
            "` is neither"
        ))
    };
}

/// The value as it goes to the handlers: borrowed for the call, or (`lasting`) for as long as the span lives.
#[doc(hidden)]
#[macro_export]
macro_rules! __value {
    (lasting $key:tt, $value:expr) => {{
        #[allow(unused_imports)]
        use $crate::__private::{Borrowed as _, Copied as _};
        (&$crate::__private::Given(&$value)).value()
    }};
    ($kind:ident $key:tt, $value:expr) => {
        $crate::__private::$kind(&$value)
    };
    ($kind:ident $key:ident) => {
        $crate::__value!($kind $key, $key)
    };
    ($kind:ident $key:tt) => {
        $crate::__private::compile_error!($crate::__private::concat!(
            "the key `",
            $crate::__private::stringify!($key),
            "` needs a value: only a variable can stand alone"
        ))
    };
}

/// Declares the events of a crate as documented statics, and a slice of them all for the [`Catalogue`](crate::Catalogue).
///
/// First the slice, then any number of declarations:
///
/// - `event`: one event, a [`DeclaredEvent`](crate::DeclaredEvent), executed with `execute!(IT, …)`;
/// - `span`: the three events of a span, a [`DeclaredSpan`](crate::DeclaredSpan), started with `span!(IT, …)`;
/// - `family`: events whose names differ in some segments, a [`DeclaredFamily`](crate::DeclaredFamily).
///
/// A measurement is a key (a name or a literal) and, optionally, its unit; metadata is a key and, optionally, its
/// [`Privacy`](crate::Privacy): `public` (which it is if nothing is said), `identifier` or `secret`. Documentation comments become those of the statics
/// and the text of the catalogue.
///
/// ```
/// use radiosonde::{Catalogue, execute, span};
///
/// pub mod events {
///     radiosonde::declare! {
///         /// Everything that this crate executes.
///         pub static EVENTS;
///
///         /// One non-empty output line of a streamed deploy.
///         pub event DEPLOY_LINE = "ex_atlas.fly.deploy.line" {
///             measurements: {
///                 /// Always 1.
///                 count: "line",
///             },
///             metadata: {
///                 /// The deploy's ticket.
///                 ticket_id: identifier,
///             },
///         }
///
///         /// One call to obtain a token for an app.
///         pub span TOKEN_ACQUIRE = "ex_atlas.fly.token.acquire" {
///             measurements: {},
///             metadata: { app: identifier, source },
///         }
///
///         /// After a call to a provider.
///         pub family PROVIDER_REQUEST = "ex_atlas.<provider>.request" {
///             measurements: { status },
///             metadata: { api, method, url: secret },
///         }
///     }
/// }
///
/// execute!(events::DEPLOY_LINE, { count: 1 }, { ticket_id: "T-1" });
/// span!(events::TOKEN_ACQUIRE, { app: "web" }).stop();
/// let request = events::PROVIDER_REQUEST.name(["runpod"])?; // make it once, keep it
/// execute!(request, { status: 200 }, { api: "graphql", method: "post" });
/// assert_eq!(Catalogue::new([events::EVENTS]).declarations().count(), 3);
/// # Ok::<(), radiosonde::EventNameError>(())
/// ```
#[macro_export]
macro_rules! declare {
    (
        $(#[$slice_attribute:meta])*
        $slice_visibility:vis static $slice:ident;
        $(
            $(#[doc = $doc:literal])*
            $visibility:vis $kind:ident $name:ident = $text:literal {
                measurements: { $($measurements:tt)* },
                metadata: { $($metadata:tt)* } $(,)?
            }
        )*
    ) => {
        $(#[$slice_attribute])*
        $slice_visibility static $slice: &[&$crate::Declaration] = &[$({
            $crate::__declaration!(
                $kind $text [$($doc)*] [$($measurements)*] [$($metadata)*]
            );
            &DECLARATION
        }),*];
        $(
            $(#[doc = $doc])*
            $visibility static $name: $crate::__declared_type!($kind) = {
                $crate::__declaration!(
                    $kind $text [$($doc)*] [$($measurements)*] [$($metadata)*]
                );
                $crate::__declared!($kind $text)
            };
        )*
    };
}

/// The static declaration, inside the block that uses it.
#[doc(hidden)]
#[macro_export]
macro_rules! __declaration {
    (
        $kind:ident $text:literal [$($doc:literal)*] [$($measurements:tt)*] [$($metadata:tt)*]
    ) => {
        static DECLARATION: $crate::Declaration = $crate::Declaration::new(
            $text,
            $crate::__declaration_kind!($kind),
            $crate::__text!($($doc)*),
            $crate::__declared_measurements!([] $($measurements)*),
            $crate::__declared_metadata!([] $($metadata)*),
        );
    };
}

/// The fields of a declaration, one after the other, because a key may be a name or a literal.
#[doc(hidden)]
#[macro_export]
macro_rules! __declared_measurements {
    ([$($done:expr,)*]) => { &[$($done),*] };
    ([$($done:expr,)*] $(#[doc = $doc:literal])* $key:ident $(: $unit:literal)? $(, $($rest:tt)*)?) => {
        $crate::__declared_measurements!(
            [$($done,)* $crate::__declared_measurement!($key [$($unit)?] [$($doc)*]),] $($($rest)*)?
        )
    };
    ([$($done:expr,)*] $(#[doc = $doc:literal])* $key:literal $(: $unit:literal)? $(, $($rest:tt)*)?) => {
        $crate::__declared_measurements!(
            [$($done,)* $crate::__declared_measurement!($key [$($unit)?] [$($doc)*]),] $($($rest)*)?
        )
    };
    ([$($done:expr,)*] $($rest:tt)*) => {
        $crate::__private::compile_error!($crate::__private::concat!(
            "a declared measurement is `key` or `key: \"unit\"`, found `",
            $crate::__private::stringify!($($rest)*),
            "`"
        ))
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __declared_measurement {
    ($key:tt [$($unit:literal)?] [$($doc:literal)*]) => {
        $crate::__private::MeasurementField::new(
            $crate::__key!($key),
            $crate::__private::concat!($($unit)?),
            $crate::__text!($($doc)*),
        )
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __declared_metadata {
    ([$($done:expr,)*]) => { &[$($done),*] };
    ([$($done:expr,)*] $(#[doc = $doc:literal])* $key:ident $(: $privacy:ident)? $(, $($rest:tt)*)?) => {
        $crate::__declared_metadata!(
            [$($done,)* $crate::__declared_metadatum!($key [$($privacy)?] [$($doc)*]),] $($($rest)*)?
        )
    };
    ([$($done:expr,)*] $(#[doc = $doc:literal])* $key:literal $(: $privacy:ident)? $(, $($rest:tt)*)?) => {
        $crate::__declared_metadata!(
            [$($done,)* $crate::__declared_metadatum!($key [$($privacy)?] [$($doc)*]),] $($($rest)*)?
        )
    };
    ([$($done:expr,)*] $($rest:tt)*) => {
        $crate::__private::compile_error!($crate::__private::concat!(
            "declared metadata is `key` or `key: privacy`, found `",
            $crate::__private::stringify!($($rest)*),
            "`"
        ))
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __declared_metadatum {
    ($key:tt [$($privacy:ident)?] [$($doc:literal)*]) => {
        $crate::__private::MetadataField::new(
            $crate::__key!($key),
            $crate::__privacy!($($privacy)?),
            $crate::__text!($($doc)*),
        )
    };
}

/// The text of a documentation comment, put together at compile time.
#[doc(hidden)]
#[macro_export]
macro_rules! __text {
    ($($line:literal)*) => {
        const {
            const TEXT: &str = $crate::__private::concat!($($line, "\n"),*);
            const TRIMMED: &[u8; $crate::__private::text_length(TEXT)] = &$crate::__private::text(TEXT);
            match $crate::__private::from_utf8(TRIMMED) {
                $crate::__private::Ok(text) => text,
                $crate::__private::Err(_) => TEXT,
            }
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __declared_type {
    (event) => {
        $crate::DeclaredEvent
    };
    (span) => {
        $crate::DeclaredSpan
    };
    (family) => {
        $crate::DeclaredFamily
    };
    ($kind:ident) => {
        $crate::__private::compile_error!($crate::__private::concat!(
            "`",
            $crate::__private::stringify!($kind),
            "` cannot be declared; there are `event`, `span` and `family`"
        ))
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __declaration_kind {
    (span) => {
        $crate::DeclarationKind::Span
    };
    ($kind:ident) => {
        $crate::DeclarationKind::Event
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __declared {
    (event $text:literal) => {
        $crate::DeclaredEvent::new($crate::EventName::from_static($text), &DECLARATION)
    };
    (span $text:literal) => {
        $crate::DeclaredSpan::new(
            $crate::EventName::from_static($crate::__private::concat!($text, ".start")),
            $crate::EventName::from_static($crate::__private::concat!($text, ".stop")),
            $crate::EventName::from_static($crate::__private::concat!($text, ".exception")),
            &DECLARATION,
        )
    };
    (family $text:literal) => {{
        const _: $crate::EventName = $crate::EventName::from_static($text);
        $crate::DeclaredFamily::new(&DECLARATION)
    }};
    // `__declared_type` has said that there is no such kind.
    ($kind:ident $text:literal) => {
        ()
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __privacy {
    () => {
        $crate::Privacy::Public
    };
    (public) => {
        $crate::Privacy::Public
    };
    (identifier) => {
        $crate::Privacy::Identifier
    };
    (secret) => {
        $crate::Privacy::Secret
    };
    ($privacy:ident) => {
        $crate::__private::compile_error!($crate::__private::concat!(
            "`",
            $crate::__private::stringify!($privacy),
            "` is no privacy class; there are `public`, `identifier` and `secret`"
        ))
    };
}
