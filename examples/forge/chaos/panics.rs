//! Panics on purpose, of which nobody has to read.

use std::fmt::Display;
use std::panic::{set_hook, take_hook};

/// What a panic on purpose begins with.
const ON_PURPOSE: &str = "chaos: on purpose";

/// Lets panics on purpose pass in silence; all others are printed as before.
pub(crate) fn silence() {
    let print = take_hook();
    set_hook(Box::new(move |panic| {
        let is_on_purpose = panic
            .payload()
            .downcast_ref()
            .is_some_and(|message: &String| message.starts_with(ON_PURPOSE));
        if !is_on_purpose {
            print(panic);
        }
    }));
}

/// Panics on purpose.
pub(crate) fn panic(what: impl Display) -> ! {
    panic!("{ON_PURPOSE}: {what}")
}
