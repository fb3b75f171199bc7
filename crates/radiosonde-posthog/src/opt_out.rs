//! What a user or an operator says to be left alone.

use radiosonde::Value;

/// Whether a value of `do_not_track` asks not to be tracked. In doubt it does.
pub(crate) fn is_yes(value: Value<'_>) -> bool {
    match value {
        Value::Null | Value::I64(0) | Value::U64(0) => false,
        Value::Bool(yes) => yes,
        Value::Str(text) => is_set(text),
        _ => true,
    }
}

/// Whether the text of `DO_NOT_TRACK` asks not to be tracked: anything but nothing, `0` and `false` does.
pub(crate) fn is_set(text: &str) -> bool {
    let text = text.trim();
    !(text.is_empty() || text == "0" || text.eq_ignore_ascii_case("false"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anything_but_a_clear_no_is_a_yes() {
        for no in [Value::Null, false.into(), 0.into(), "".into(), "0".into(), "False".into()] {
            assert!(!is_yes(no), "{no}");
        }
        for yes in [true.into(), 1.into(), "1".into(), "true".into(), "yes".into(), Value::Secret] {
            assert!(is_yes(yes), "{yes}");
        }
    }
}
