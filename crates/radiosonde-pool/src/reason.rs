//! Why connections are closed.

/// Why a connection was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// It did not work any more when it was given back.
    Broken,
    /// It did not pass the test before it would have been handed out.
    Invalid,
    /// It was as old as connections may be.
    MaxLifetime,
    /// It was idle for as long as connections may be.
    IdleTimeout,
    /// For none of these reasons: with its pool, say, or taken out of it.
    Closed,
    /// The pool does not tell.
    Unknown,
}

impl Reason {
    /// All of them, in the order of declaration.
    pub const ALL: [Self; 6] = [
        Self::Broken,
        Self::Invalid,
        Self::MaxLifetime,
        Self::IdleTimeout,
        Self::Closed,
        Self::Unknown,
    ];

    /// The reason as a tag's value: `max_lifetime`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Broken => "broken",
            Self::Invalid => "invalid",
            Self::MaxLifetime => "max_lifetime",
            Self::IdleTimeout => "idle_timeout",
            Self::Closed => "closed",
            Self::Unknown => "unknown",
        }
    }
}
