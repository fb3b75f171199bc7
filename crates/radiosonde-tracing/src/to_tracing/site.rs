//! Call sites of `tracing` that are made while the program runs: `tracing` knows what is said by where, and wants that to last.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering::Relaxed};

use smallvec::SmallVec;
use tracing::callsite::{Callsite, Identifier};
use tracing::field::{Field, FieldSet};
use tracing::metadata::Kind;
use tracing::subscriber::Interest;
use tracing::{Level, Metadata, dispatcher};

/// The target, where a rule gives no other one, and that of `radiosonde-log`.
pub(crate) const TARGET: &str = "radiosonde";

/// The module of all call sites that are made here.
const MODULE: &str = "radiosonde_tracing::to_tracing";

/// How many there are at most in the program, as they stay for ever.
const MAXIMUM: usize = 4_096;

/// How many fields one has at most.
pub(crate) const FIELDS: usize = 32;

pub(crate) type Keys = SmallVec<[&'static str; 8]>;

/// Events of one name with the same keys, or spans.
#[derive(Debug)]
pub(crate) struct Site {
    metadata: OnceLock<Metadata<'static>>,
    /// At least one.
    fields: OnceLock<Box<[Field]>>,
    interest: AtomicU8,
}

const NEVER: u8 = 1;
const SOMETIMES: u8 = 2;
const ALWAYS: u8 = 3;

/// Whether it comes from the bus, or from a log of the bus's events, and so does not go there.
pub(crate) fn is_made_here(metadata: &Metadata<'_>) -> bool {
    metadata.module_path() == Some(MODULE) || metadata.target() == TARGET
}

/// A call site has metadata that name the call site, so that for a moment it is there without them.
static UNMADE: Site = Site::unmade();
static UNMADE_METADATA: Metadata<'static> = Metadata::new(
    "unmade",
    TARGET,
    Level::TRACE,
    None,
    None,
    Some(MODULE),
    FieldSet::new(&[], Identifier(&UNMADE)),
    Kind::EVENT,
);

impl Site {
    const fn unmade() -> Self {
        Self { metadata: OnceLock::new(), fields: OnceLock::new(), interest: AtomicU8::new(0) }
    }

    /// Makes one, if there is room for it.
    pub(crate) fn make(
        name: &str,
        target: &str,
        level: Level,
        keys: &[&'static str],
        kind: Kind,
    ) -> Option<&'static Self> {
        static MADE: AtomicUsize = AtomicUsize::new(0);
        if MADE.fetch_add(1, Relaxed) >= MAXIMUM {
            MADE.store(MAXIMUM, Relaxed);
            return None;
        }
        let site: &'static Self = Box::leak(Box::new(Self::unmade()));
        site.metadata.get_or_init(|| {
            Metadata::new(
                name.to_owned().leak(),
                target.to_owned().leak(),
                level,
                None,
                None,
                Some(MODULE),
                FieldSet::new(keys.to_vec().leak(), Identifier(site)),
                kind,
            )
        });
        site.fields.get_or_init(|| site.metadata().fields().iter().collect());
        tracing::callsite::register(site);
        Some(site)
    }

    /// Its fields, in the order of the keys that it was made with.
    pub(crate) fn fields(&self) -> &[Field] {
        self.fields.get().map_or(&[], |fields| fields)
    }

    /// Whether any layer of the current subscriber wants it.
    pub(crate) fn is_enabled(&'static self) -> bool {
        match self.interest.load(Relaxed) {
            NEVER => false,
            ALWAYS => true,
            _ => dispatcher::get_default(|subscriber| subscriber.enabled(self.metadata())),
        }
    }
}

impl Callsite for Site {
    fn set_interest(&self, interest: Interest) {
        let interest = if interest.is_never() {
            NEVER
        } else if interest.is_always() {
            ALWAYS
        } else {
            SOMETIMES
        };
        self.interest.store(interest, Relaxed);
    }

    fn metadata(&self) -> &Metadata<'static> {
        self.metadata.get().unwrap_or(&UNMADE_METADATA)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_here_is_known_whatever_its_target() {
        let made =
            |target| Site::make("a.b", target, Level::INFO, &["message"], Kind::EVENT).unwrap();
        assert!(is_made_here(made("app").metadata()) && is_made_here(made(TARGET).metadata()));
        assert_eq!(made("app").fields()[0].name(), "message");
        let fields = FieldSet::new(&[], Identifier(made("app")));
        let own =
            Metadata::new("a.b", "app", Level::INFO, None, None, Some("app"), fields, Kind::EVENT);
        assert!(!is_made_here(&own));
    }
}
