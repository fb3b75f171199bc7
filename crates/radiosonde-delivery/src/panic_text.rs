//! The text of a panic.

use std::any::Any;

/// What a panic has said. What it has thrown otherwise is forgotten, as dropping it might panic again.
#[must_use]
pub fn panic_text(payload: Box<dyn Any + Send>) -> String {
    payload.downcast::<String>().map_or_else(
        |payload| match payload.downcast::<&'static str>() {
            Ok(text) => (*text).to_owned(),
            Err(payload) => {
                std::mem::forget(payload);
                "a value that is not text".to_owned()
            }
        },
        |text| *text,
    )
}
#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use super::*;

    #[test]
    fn it_is_text_of_either_kind_or_nothing_that_is_dropped() {
        struct PanicsWhenDropped;
        impl Drop for PanicsWhenDropped {
            fn drop(&mut self) {
                panic!("dropped");
            }
        }
        let of = |panics: fn()| panic_text(catch_unwind(panics).unwrap_err());
        assert_eq!(of(|| panic!("literal")), "literal");
        assert_eq!(of(|| panic!("{}", 7)), "7");
        assert_eq!(of(|| std::panic::panic_any(PanicsWhenDropped)), "a value that is not text");
    }
}
