//! Fly tokens: a cache that any task may read, and one actor per app that fills it.
//!
//! However many tasks ask at once, the actor answers one after the other: the first finds the cache empty and walks the
//! chain (storage, config, command line tool, manual), the others find what the first has put there.

use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::{Mutex, RwLock};
use radiosonde::span;
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;

use super::events;
use super::token_chain::{Chain, Found};

/// A bearer token, which nothing prints.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Token(Arc<str>);

impl Token {
    pub(crate) fn new(token: &str) -> Self {
        Self(token.into())
    }

    pub(crate) fn as_bearer(&self) -> String {
        format!("Bearer {}", self.0)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// What one call came back with.
#[derive(Debug, Clone)]
pub(crate) struct Acquired {
    /// `None` when the whole chain had nothing.
    pub(crate) token: Option<Token>,
    pub(crate) source: &'static str,
    pub(crate) acquirer: &'static str,
}

#[derive(Debug, Clone)]
struct Cached {
    token: Token,
    /// `None`: good until it is invalidated.
    expires: Option<Instant>,
}

enum Message {
    Acquire(oneshot::Sender<Acquired>),
    /// The provider refused this token.
    Invalidate(Token, oneshot::Sender<()>),
}

pub(crate) struct Tokens {
    cache: Arc<Cache>,
    actors: Mutex<HashMap<String, (mpsc::Sender<Message>, AbortHandle)>>,
    chain: Arc<Chain>,
}

impl Tokens {
    pub(crate) fn new(chain: Chain) -> Self {
        Self { cache: Arc::default(), actors: Mutex::default(), chain: Arc::new(chain) }
    }

    /// The app's token, from the cache or through its actor.
    ///
    /// # Errors
    /// When the actor is stopped meanwhile.
    pub(crate) async fn get(&self, app: &str) -> Result<Acquired, ActorStopped> {
        let mut span = span!(events::TOKEN_ACQUIRE, { app });
        let acquired = match self.cache.get(app) {
            Some(token) => Ok(Acquired { token: Some(token), source: "ets", acquirer: "facade" }),
            None => self.ask_actor(app).await.ok_or(ActorStopped),
        };
        match &acquired {
            Ok(acquired) => {
                span.metadata("source", acquired.source);
                span.metadata("acquirer", acquired.acquirer);
                span.stop();
            }
            Err(error) => span.error(error),
        }
        acquired
    }

    /// Stops the app's actor, whatever it is doing, as an operator would. Those who wait for it hear of that, and the next to ask
    /// gets another. What is in the cache stays there.
    pub(crate) fn stop(&self, app: &str) {
        if let Some((_, running)) = self.actors.lock().remove(app) {
            running.abort();
        }
    }

    /// Forgets the token, unless a newer one has taken its place.
    pub(crate) async fn invalidate(&self, app: &str, token: &Token) {
        let (done, when_done) = oneshot::channel();
        let message = Message::Invalidate(token.clone(), done);
        if self.actor(app).send(message).await.is_ok() {
            // An error means that the actor was stopped; the token is refused again, then, and forgotten the next time.
            let _ = when_done.await;
        }
    }

    async fn ask_actor(&self, app: &str) -> Option<Acquired> {
        let (reply, answer) = oneshot::channel();
        self.actor(app).send(Message::Acquire(reply)).await.ok()?;
        answer.await.ok()
    }

    fn actor(&self, app: &str) -> mpsc::Sender<Message> {
        let mut actors = self.actors.lock();
        if let Some((actor, _)) = actors.get(app).filter(|(actor, _)| !actor.is_closed()) {
            return actor.clone();
        }
        let (actor, mailbox) = mpsc::channel(64);
        let worker =
            Actor { app: app.into(), cache: self.cache.clone(), chain: self.chain.clone() };
        let running = tokio::spawn(worker.run(mailbox)).abort_handle();
        actors.insert(app.to_owned(), (actor.clone(), running));
        actor
    }
}

/// Why a call for a token came to nothing.
#[derive(Debug)]
pub(crate) struct ActorStopped;

impl fmt::Display for ActorStopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the app's actor was stopped while it was asked")
    }
}

impl Error for ActorStopped {}

struct Actor {
    app: String,
    cache: Arc<Cache>,
    chain: Arc<Chain>,
}

impl Actor {
    async fn run(self, mut mailbox: mpsc::Receiver<Message>) {
        while let Some(message) = mailbox.recv().await {
            match message {
                // Nobody waits for this any longer.
                Message::Acquire(reply) if reply.is_closed() => {}
                // Whoever asked may have gone, which is no reason to stop.
                Message::Acquire(reply) => {
                    let _ = reply.send(self.acquire().await);
                }
                Message::Invalidate(token, done) => {
                    if self.cache.remove(&self.app, &token) {
                        self.chain.forget(&self.app).await;
                    }
                    let _ = done.send(());
                }
            }
        }
    }

    async fn acquire(&self) -> Acquired {
        let acquirer = "app_server";
        // Somebody may have filled the cache while this message waited.
        if let Some(token) = self.cache.get(&self.app) {
            return Acquired { token: Some(token), source: "ets", acquirer };
        }
        match self.chain.walk(&self.app).await {
            Some(Found { token, source, expires }) => {
                if source != "manual" {
                    self.cache.insert(&self.app, Cached { token: token.clone(), expires });
                }
                Acquired { token: Some(token), source, acquirer }
            }
            None => Acquired { token: None, source: "none", acquirer },
        }
    }
}

#[derive(Default)]
struct Cache(RwLock<HashMap<String, Cached>>);

impl Cache {
    fn get(&self, app: &str) -> Option<Token> {
        let cache = self.0.read();
        let cached = cache.get(app)?;
        let good = cached.expires.is_none_or(|expires| Instant::now() < expires);
        good.then(|| cached.token.clone())
    }

    fn insert(&self, app: &str, cached: Cached) {
        self.0.write().insert(app.to_owned(), cached);
    }

    /// Whether the token was there.
    fn remove(&self, app: &str, token: &Token) -> bool {
        let mut cache = self.0.write();
        let there = cache.get(app).is_some_and(|cached| cached.token == *token);
        if there {
            cache.remove(app);
        }
        there
    }
}
