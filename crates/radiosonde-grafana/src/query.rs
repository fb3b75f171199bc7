//! The [`Query`] type: PromQL whose range, filters and grouping are filled in where it is used.

use std::fmt::Write as _;

/// PromQL over the series of metrics, made by the methods of [`Series`](crate::Series).
///
/// A dashboard fills in the interval of its panels and the filters of its variables; rules have five minutes, and tell
/// the applications of one Prometheus apart by their `job`.
#[derive(Debug, Clone, Default)]
#[must_use = "a query is for a panel or a rule"]
pub struct Query(Vec<Part>);

#[derive(Debug, Clone)]
enum Part {
    Text(String),
    /// The series of this name with what they are selected by, and the labels that they may be filtered by.
    Selector {
        name: String,
        matchers: Vec<String>,
        labels: Vec<String>,
    },
    /// The labels that series are summed up by.
    By(Vec<String>),
    /// The range in brackets.
    Range,
}

/// What a query is rendered with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Context<'a> {
    /// The range of rates.
    pub(crate) range: &'a str,
    /// Labels and the patterns that they are filtered by, where series have them.
    pub(crate) filters: &'a [(String, String)],
    /// The labels that are kept by every sum.
    pub(crate) kept: &'a [&'a str],
}

/// What all series have, as Prometheus adds it.
pub(crate) const TARGET: &str = "job";

impl Query {
    /// This one divided by another: a share, or how much there is for each.
    pub fn over(self, other: Self) -> Self {
        self.in_parentheses(&[" > ", " < "])
            .text(" / ")
            .then(other.in_parentheses(&[" > ", " < ", " / "]))
    }

    /// Where this one is above a bound, for alerts.
    pub fn above(self, bound: f64) -> Self {
        self.text(&format!(" > {bound}"))
    }

    /// Where this one is below a bound, for alerts.
    pub fn below(self, bound: f64) -> Self {
        self.text(&format!(" < {bound}"))
    }

    /// In parentheses if it has one of these operators.
    fn in_parentheses(self, operators: &[&str]) -> Self {
        let is_operator = |text: &str| operators.iter().any(|operator| text.starts_with(operator));
        if self.0.iter().any(|part| matches!(part, Part::Text(text) if is_operator(text))) {
            return Self::default().text("(").then(self).text(")");
        }
        self
    }

    /// This one, or another one where it has no answer.
    pub(crate) fn or_else(self, other: Self) -> Self {
        Self::default().text("(").then(self).text(" or ").then(other).text(")")
    }

    pub(crate) fn text(mut self, text: &str) -> Self {
        self.0.push(Part::Text(text.to_owned()));
        self
    }

    pub(crate) fn selector(mut self, name: String, matchers: &[String], labels: &[String]) -> Self {
        let (matchers, labels) = (matchers.to_vec(), labels.to_vec());
        self.0.push(Part::Selector { name, matchers, labels });
        self
    }

    pub(crate) fn by(mut self, labels: Vec<String>) -> Self {
        self.0.push(Part::By(labels));
        self
    }

    pub(crate) fn range(mut self) -> Self {
        self.0.push(Part::Range);
        self
    }

    pub(crate) fn then(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// The labels that its series may be filtered by, each with the names of series that have it.
    pub(crate) fn labels(&self) -> impl Iterator<Item = (&str, &[String])> {
        self.0.iter().filter_map(|part| match part {
            Part::Selector { name, labels, .. } => Some((name.as_str(), labels.as_slice())),
            _ => None,
        })
    }

    pub(crate) fn render(&self, context: Context<'_>) -> String {
        let mut text = String::new();
        for part in &self.0 {
            match part {
                Part::Text(part) => text.push_str(part),
                Part::Range => {
                    // Writing to a string does not fail.
                    let _ = write!(text, "[{}]", context.range);
                }
                Part::By(labels) => {
                    let kept = context.kept.iter().copied();
                    let labels: Vec<_> = kept.chain(labels.iter().map(String::as_str)).collect();
                    if !labels.is_empty() {
                        let _ = write!(text, "by ({}) ", labels.join(", "));
                    }
                }
                Part::Selector { name, matchers, labels } => {
                    let has =
                        |label: &str| label == TARGET || labels.iter().any(|own| own == label);
                    let filters = context.filters.iter().filter(|(label, _)| has(label));
                    let filters = filters.map(|(label, pattern)| format!("{label}=~\"{pattern}\""));
                    let all: Vec<_> = matchers.iter().cloned().chain(filters).collect();
                    text.push_str(name);
                    if !all.is_empty() {
                        let _ = write!(text, "{{{}}}", all.join(", "));
                    }
                }
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_divided_stays_together() {
        let text = |query: &Query| query.render(Context { range: "", filters: &[], kept: &[] });
        let [a, b, c] = ["a", "b", "c"].map(|name| Query::default().text(name));
        assert_eq!(text(&a.clone().over(b.clone()).over(c.clone())), "a / b / c");
        assert_eq!(text(&a.clone().over(b.clone().over(c.clone()))), "a / (b / c)");
        assert_eq!(text(&a.above(1.0).over(b.below(0.5))), "(a > 1) / (b < 0.5)");
    }
}
