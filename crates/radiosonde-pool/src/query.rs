//! The span of a query, for whatever makes one: a pool of this crate, another pool, a driver on its own.

use std::fmt::{self, Display};
use std::pin::pin;
use std::time::{Duration, Instant};

use radiosonde::{Span, SpanContext, span};

use crate::ending::{Polled, fail};
use crate::events;
use crate::operation::operation;

/// What an error is called that nobody has classified.
const UNCLASSIFIED: &str = "other";

/// A query that is about to be made: through a pool of this name, with this statement.
///
/// The executors of the feature `sqlx` span their queries themselves. This is for everything else: `tokio-postgres`, `rusqlite`,
/// `diesel`, whatever `bb8` holds.
///
/// The statement is classed secret, as it may hold what should have been a parameter: reporters show `[redacted]`. What they do
/// show is the operation, its first keyword, from a fixed list. The reason of an exception is the kind of the error and not its
/// text, as databases quote the query and its parameters in their errors.
///
/// ```
/// use radiosonde::capture;
/// use radiosonde_pool::query;
///
/// # async fn count(_: &str) -> Result<u64, std::io::Error> { Ok(3) }
/// # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
/// # runtime.block_on(async {
/// let capture = capture(["database.query.*"]);
/// let statement = "SELECT count(*) FROM users";
/// let users = query("primary", statement).source("users").try_instrument(count(statement)).await?;
///
/// let stop = &capture.events()[1];
/// assert_eq!(stop.name(), "database.query.stop");
/// assert!(stop.metadata("operation") == "select" && stop.metadata("source") == "users");
/// # Ok::<(), std::io::Error>(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use = "a query is spanned with `try_instrument`, `try_run` or `start`"]
pub fn query<'a>(pool: &'a str, statement: &'a str) -> Query<'a> {
    Query { pool, statement, source: None }
}

/// A query that is about to be made: see [`query()`].
#[derive(Clone, Copy)]
#[must_use = "a query is spanned with `try_instrument`, `try_run` or `start`"]
pub struct Query<'a> {
    pool: &'a str,
    statement: &'a str,
    source: Option<&'a str>,
}

impl<'a> Query<'a> {
    /// Names the table. It is nobody's guess: what is not named is not there.
    pub fn source(mut self, table: &'a str) -> Self {
        self.source = Some(table);
        self
    }

    /// Starts the span. It has to be ended: dropped, it is an exception of kind `dropped`.
    pub fn start(self) -> QuerySpan<'a> {
        let mut span = self.start_waiting();
        span.execute();
        span.in_future = false;
        span
    }

    /// Starts the span in a future, before there is a connection.
    pub(crate) fn start_waiting(self) -> QuerySpan<'a> {
        let Self { pool, statement, source } = self;
        let span =
            span!(events::QUERY, { pool, operation: operation(statement), source, statement });
        QuerySpan {
            span: Some(span),
            executing: None,
            error_kind: UNCLASSIFIED,
            in_future: true,
            polled: Polled::default(),
        }
    }

    /// Runs a future that makes the query inside the span. An error ends it as an exception, as does being dropped before it is
    /// done (of kind `cancelled`).
    ///
    /// # Errors
    /// That of the future, unchanged.
    pub async fn try_instrument<T, E: Display>(
        self,
        future: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        self.try_instrument_with(future, |_, _| {}).await
    }

    /// The same, and records what there is to know of the outcome: how many rows, what kind of error. It is asked only if
    /// somebody listens.
    ///
    /// ```
    /// use std::io::{Error, ErrorKind};
    /// use radiosonde::capture;
    /// use radiosonde_pool::query;
    ///
    /// # async fn users() -> Result<Vec<String>, Error> { Err(ErrorKind::ConnectionReset.into()) }
    /// # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    /// # runtime.block_on(async {
    /// let capture = capture(["database.query.*"]);
    /// let users = query("primary", "SELECT name FROM users")
    ///     .try_instrument_with(users(), |outcome, span| match outcome {
    ///         Ok(users) => span.rows(users.len() as u64),
    ///         Err(error) if error.kind() == ErrorKind::ConnectionReset => span.error_kind("io"),
    ///         Err(_) => span.error_kind("database"),
    ///     })
    ///     .await;
    /// assert!(users.is_err() && capture.events()[1].metadata("error_kind") == "io");
    /// # });
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// That of the future, unchanged.
    pub async fn try_instrument_with<T, E: Display>(
        self,
        future: impl Future<Output = Result<T, E>>,
        record: impl FnOnce(&Result<T, E>, &mut QuerySpan<'_>),
    ) -> Result<T, E> {
        let mut span = self.start_waiting();
        span.execute();
        let outcome = span.within(future).await;
        span.end(&outcome, record);
        outcome
    }

    /// Runs a function that makes the query inside the span, and waits for it: for drivers that are not asynchronous.
    ///
    /// ```
    /// use radiosonde::capture;
    /// use radiosonde_pool::query;
    ///
    /// # fn delete(_: &str) -> Result<u64, std::io::Error> { Ok(3) }
    /// let capture = capture(["database.query.*"]);
    /// let statement = "DELETE FROM sessions WHERE expires < now()";
    /// let deleted = query("primary", statement).try_run(|_span| delete(statement))?;
    /// assert!(capture.events()[1].metadata("operation") == "delete");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// That of the function, unchanged.
    pub fn try_run<T, E: Display>(
        self,
        make: impl FnOnce(&mut QuerySpan<'a>) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut span = self.start();
        let outcome = match span.context() {
            Some(context) => context.run(|| make(&mut span)),
            None => make(&mut span),
        };
        span.end(&outcome, |_, _| {});
        outcome
    }
}

impl fmt::Debug for Query<'_> {
    /// Without the statement.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Query")
            .field("pool", &self.pool)
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}

/// The span of a query under way. It ends once: with [`QuerySpan::stop`], with [`QuerySpan::error`], or as an exception when it is
/// dropped.
///
/// ```
/// use radiosonde::capture;
/// use radiosonde_pool::query;
///
/// let capture = capture(["database.query.*"]);
/// let mut span = query("primary", "SELECT name FROM users").start();
/// let rows = ["ada", "grace"]; // from wherever they are
/// span.rows(rows.len() as u64);
/// span.stop();
/// assert!(capture.events()[1].measurement("rows") == 2);
/// ```
#[must_use = "a span that is dropped without `stop` ends as an exception"]
pub struct QuerySpan<'a> {
    /// There until it has ended.
    span: Option<Span<'a>>,
    /// Since when the query has had its connection, if anybody listens.
    executing: Option<Instant>,
    error_kind: &'static str,
    /// Whether being dropped means that its future was.
    in_future: bool,
    polled: Polled,
}

impl QuerySpan<'_> {
    /// Whether anybody listens. If not, recording does nothing.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        self.span.as_ref().is_some_and(Span::is_enabled)
    }

    /// The span's context, for the spans inside it.
    #[must_use]
    pub fn context(&self) -> Option<SpanContext> {
        self.span.as_ref().and_then(Span::context)
    }

    /// Records how many rows were returned.
    pub fn rows(&mut self, rows: u64) {
        self.measurement("rows", rows);
    }

    /// Records how long the query had waited for its connection before it was made.
    pub fn queue_time(&mut self, waited: Duration) {
        self.measurement("queue_time", waited);
    }

    /// Says what kind of error it is if it ends with one: a word from a short list, as it becomes a tag. `other` otherwise.
    pub fn error_kind(&mut self, kind: &'static str) {
        self.error_kind = kind;
    }

    /// Ends the span well.
    pub fn stop(mut self) {
        self.record_execution();
        if let Some(span) = self.span.take() {
            span.stop();
        }
    }

    /// Ends the span with an error. Its text is classed secret; the reason is its kind.
    pub fn error(mut self, error: &dyn Display) {
        self.record_execution();
        if let Some(span) = self.span.take() {
            fail(span, self.error_kind, error);
        }
    }

    /// From here on the query has its connection.
    pub(crate) fn execute(&mut self) {
        if self.is_enabled() {
            self.executing = Some(Instant::now());
        }
    }

    /// Runs a future inside the span, which goes on after it.
    pub(crate) async fn within<T>(&mut self, future: impl Future<Output = T>) -> T {
        // Pinned here, so that neither of the two ways has to hold it.
        let future = pin!(future);
        match self.context() {
            Some(context) => self.polled.during(context.instrument(future)).await,
            None => future.await,
        }
    }

    pub(crate) fn end<T, E: Display>(
        mut self,
        outcome: &Result<T, E>,
        record: impl FnOnce(&Result<T, E>, &mut Self),
    ) {
        if self.is_enabled() {
            record(outcome, &mut self);
            match outcome {
                Ok(_) => self.stop(),
                Err(error) => self.error(error),
            }
        }
    }

    fn record_execution(&mut self) {
        if let Some(executing) = self.executing.take() {
            self.measurement("execution_time", executing.elapsed());
        }
    }

    fn measurement(
        &mut self,
        key: &'static str,
        value: impl radiosonde::ToMeasurement + Into<radiosonde::OwnedValue>,
    ) {
        if let Some(span) = &mut self.span {
            span.measurement(key, value);
        }
    }
}

impl Drop for QuerySpan<'_> {
    fn drop(&mut self) {
        match self.span.take() {
            Some(span) if self.in_future => self.polled.end(span),
            span => drop(span),
        }
    }
}

impl fmt::Debug for QuerySpan<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QuerySpan").field("span", &self.span).finish_non_exhaustive()
    }
}
