//! The names of metrics, and how they are spelled where only letters, digits and underscores are allowed.

/// The name of a metric as it is given: dotted text, or its segments.
///
/// ```
/// use radiosonde_metrics::counter;
///
/// assert_eq!(counter(["ex_atlas", "fly", "request", "count"]).name(), "ex_atlas.fly.request.count");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricName(pub(crate) String);

impl From<&str> for MetricName {
    fn from(dotted: &str) -> Self {
        Self(dotted.to_owned())
    }
}

impl From<&String> for MetricName {
    fn from(dotted: &String) -> Self {
        Self(dotted.clone())
    }
}

impl From<String> for MetricName {
    fn from(dotted: String) -> Self {
        Self(dotted)
    }
}

impl From<&[&str]> for MetricName {
    fn from(segments: &[&str]) -> Self {
        Self(segments.join("."))
    }
}

impl<const COUNT: usize> From<[&str; COUNT]> for MetricName {
    fn from(segments: [&str; COUNT]) -> Self {
        Self(segments.join("."))
    }
}

/// The metric's name with `_` for each dot and for each other character that is not an ASCII letter, a digit, `_` or `:`.
///
/// ```
/// assert_eq!(radiosonde_metrics::exported_name("tuist.runs.duration-ms"), "tuist_runs_duration_ms");
/// ```
#[must_use]
pub fn exported_name(name: &str) -> String {
    map(name, |character| character.is_ascii_alphanumeric() || matches!(character, '_' | ':'))
}

/// The tag's name with `_` for each character that is not an ASCII letter, a digit or `_`.
///
/// ```
/// assert_eq!(radiosonde_metrics::exported_tag("http.status"), "http_status");
/// ```
#[must_use]
pub fn exported_tag(name: &str) -> String {
    map(name, |character| character.is_ascii_alphanumeric() || character == '_')
}

/// How the exported names of the store's own metrics begin. They are not to be had by others.
pub(crate) const OWN_NAMES: &str = "radiosonde_metrics_";

fn map(name: &str, allowed: impl Fn(char) -> bool) -> String {
    let digit_first = name.starts_with(|first: char| first.is_ascii_digit());
    let mapped = name.chars().map(|character| if allowed(character) { character } else { '_' });
    digit_first.then_some('_').into_iter().chain(mapped).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_allowed_stays_and_the_rest_is_an_underscore() {
        assert_eq!(exported_name("a.b_c:d-e f"), "a_b_c:d_e_f");
        assert_eq!(exported_name("größe.5xx"), "gr__e_5xx");
        assert_eq!(exported_name("5xx.count"), "_5xx_count");
        assert_eq!(exported_tag("a:b"), "a_b");
        assert_eq!(exported_tag("0"), "_0");
    }
}
