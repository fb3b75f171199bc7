//! The executors: a pool, and a connection that a pool has given; their queries are spans.

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;

use ::sqlx::{Database, Describe, Either, Error, Execute, Executor};
use futures_core::future::BoxFuture;
use futures_core::stream::BoxStream;

use super::hand_over::{Slot, hand_over};
use super::{Pool, error_kind};
use crate::query::{QuerySpan, query};

type Step<DB> = Either<<DB as Database>::QueryResult, <DB as Database>::Row>;
type Statement<'q, DB> = <DB as Database>::Statement<'q>;
type TypeInfo<DB> = <DB as Database>::TypeInfo;

/// An executor whose queries are spans: see [`Pool::on`].
pub struct On<E> {
    pool: Arc<str>,
    executor: E,
}

impl<E> On<E> {
    pub(super) fn new(pool: Arc<str>, executor: E) -> Self {
        Self { pool, executor }
    }
}

impl<E> fmt::Debug for On<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("On").field("pool", &self.pool).finish_non_exhaustive()
    }
}

impl<'c, X: Executor<'c> + 'c> Executor<'c> for On<X> {
    type Database = X::Database;

    fn fetch_many<'e, 'q: 'e, E>(
        self,
        made: E,
    ) -> BoxStream<'e, Result<Step<Self::Database>, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Self::Database>,
    {
        let Self { pool, executor } = self;
        hand_over(move |slot| async move {
            let mut span = start(&pool, made.sql());
            span.execute();
            let outcome = hand_rows_over(executor.fetch_many(made), &mut span, &slot).await;
            end(span, &outcome);
            outcome
        })
    }

    fn fetch_optional<'e, 'q: 'e, E>(
        self,
        made: E,
    ) -> BoxFuture<'e, Result<Option<<Self::Database as Database>::Row>, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Self::Database>,
    {
        let Self { pool, executor } = self;
        Box::pin(async move {
            let mut span = start(&pool, made.sql());
            span.execute();
            let outcome = span.within(executor.fetch_optional(made)).await;
            end_with_row(span, &outcome);
            outcome
        })
    }

    fn prepare_with<'e, 'q: 'e>(
        self,
        statement: &'q str,
        parameters: &'e [TypeInfo<Self::Database>],
    ) -> BoxFuture<'e, Result<Statement<'q, Self::Database>, Error>>
    where
        'c: 'e,
    {
        self.executor.prepare_with(statement, parameters)
    }

    fn describe<'e, 'q: 'e>(
        self,
        statement: &'q str,
    ) -> BoxFuture<'e, Result<Describe<Self::Database>, Error>>
    where
        'c: 'e,
    {
        self.executor.describe(statement)
    }
}

impl<DB: Database> Executor<'_> for &'_ Pool<DB>
where
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
{
    type Database = DB;

    fn fetch_many<'e, 'q: 'e, E>(self, made: E) -> BoxStream<'e, Result<Step<DB>, Error>>
    where
        E: 'q + Execute<'q, DB>,
    {
        let pool = self.clone();
        hand_over(move |slot| async move {
            let mut span = start(pool.name(), made.sql());
            let outcome = async {
                let mut connection = pool.checkout_for(&mut span).await?;
                hand_rows_over(connection.fetch_many(made), &mut span, &slot).await
            };
            let outcome = outcome.await;
            end(span, &outcome);
            outcome
        })
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, made: E) -> BoxFuture<'e, Result<Option<DB::Row>, Error>>
    where
        E: 'q + Execute<'q, DB>,
    {
        let pool = self.clone();
        Box::pin(async move {
            let mut span = start(pool.name(), made.sql());
            let outcome = async {
                let mut connection = pool.checkout_for(&mut span).await?;
                span.within(connection.fetch_optional(made)).await
            };
            let outcome = outcome.await;
            end_with_row(span, &outcome);
            outcome
        })
    }

    fn prepare_with<'e, 'q: 'e>(
        self,
        statement: &'q str,
        parameters: &'e [TypeInfo<DB>],
    ) -> BoxFuture<'e, Result<Statement<'q, DB>, Error>> {
        let pool = self.clone();
        Box::pin(async move { pool.acquire().await?.prepare_with(statement, parameters).await })
    }

    fn describe<'e, 'q: 'e>(
        self,
        statement: &'q str,
    ) -> BoxFuture<'e, Result<Describe<DB>, Error>> {
        let pool = self.clone();
        Box::pin(async move { pool.acquire().await?.describe(statement).await })
    }
}

fn start<'a>(pool: &'a str, statement: &'a str) -> QuerySpan<'a> {
    query(pool, statement).start_waiting()
}

/// Hands the rows of a query over as they come, and counts them.
async fn hand_rows_over<R, Row>(
    mut rows: BoxStream<'_, Result<Either<R, Row>, Error>>,
    span: &mut QuerySpan<'_>,
    slot: &Slot<Either<R, Row>>,
) -> Result<(), Error> {
    let mut returned = 0;
    let outcome = loop {
        match span.within(poll_fn(|task| rows.as_mut().poll_next(task))).await {
            Some(Ok(step)) => {
                returned += u64::from(step.is_right());
                slot.put(step).await;
            }
            Some(Err(error)) => break Err(error),
            None => break Ok(()),
        }
    };
    span.rows(returned);
    outcome
}

fn end<T>(span: QuerySpan<'_>, outcome: &Result<T, Error>) {
    span.end(outcome, |outcome, span| {
        if let Err(error) = outcome {
            span.error_kind(error_kind(error));
        }
    });
}

fn end_with_row<Row>(mut span: QuerySpan<'_>, outcome: &Result<Option<Row>, Error>) {
    if let Ok(row) = outcome {
        span.rows(row.is_some().into());
    }
    end(span, outcome);
}
