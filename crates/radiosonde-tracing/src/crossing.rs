//! Keeps what crosses from one side to the other from coming back.

use std::cell::Cell;

thread_local! {
    static CROSSING: Cell<bool> = const { Cell::new(false) };
}

/// While this lives, its thread hands something over, and what comes of it on the other side stays there.
///
/// One mark for both ways, so that handlers that speak to `tracing`, or layers that execute events, cannot go round for ever either.
#[derive(Debug)]
pub(crate) struct Crossing {
    outer: bool,
}

impl Crossing {
    /// Also where the thread is crossing already: what a nested one says of a span's end must not be lost.
    pub(crate) fn enter() -> Self {
        Self { outer: CROSSING.replace(true) }
    }

    pub(crate) fn is_under_way() -> bool {
        CROSSING.get()
    }
}

impl Drop for Crossing {
    fn drop(&mut self) {
        CROSSING.set(self.outer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_outer_crossing_outlives_the_inner_one() {
        let outer = Crossing::enter();
        drop(Crossing::enter());
        assert!(Crossing::is_under_way());
        drop(outer);
        assert!(!Crossing::is_under_way());
    }
}
