//! The documentation of the payload, made from its definitions.

use std::fmt::Write as _;

use crate::definition::{Definition, Definitions, MetricStatus};

impl Definitions {
    /// What the payload has, in Markdown: a table of what is reported, and one of what is not any more.
    ///
    /// It depends on the definitions alone, so that a test can compare it with a page.
    #[must_use]
    pub fn to_markdown(&self) -> String {
        let mut page = String::from(
            "| key path | type | time frame | source | status | description |\n|---|---|---|---|---|---|\n",
        );
        page.push_str("| `uuid` | text | none | | active | This installation: a random id, made when it was first started. |\n");
        page.push_str("| `recorded_at` | text | none | | active | When the report was made. |\n");
        page.push_str(
            "| `collected_since` | text | none | | active | Since when events are counted. |\n",
        );
        let is_removed = |definition: &&Definition| definition.status == MetricStatus::Removed;
        for definition in self.iter().filter(|definition| !is_removed(definition)) {
            rows(definition, &mut page);
        }
        page.push_str("| `failures` | list | none | | active | The metrics that could not be computed, and why: their values are fallbacks. |\n");
        let mut removed = self.iter().filter(is_removed).peekable();
        if removed.peek().is_some() {
            page.push_str("\nNot reported any more:\n\n| key path | description |\n|---|---|\n");
        }
        for definition in removed {
            for frame in &definition.time_frames {
                let key_path = frame.key_path(&definition.key_path);
                // Writing to memory does not fail.
                let _ = writeln!(page, "| `{key_path}` | {} |", cell(&definition.description));
            }
        }
        page
    }
}

fn rows(definition: &Definition, page: &mut String) {
    let Definition { key_path, description, value_type, status, source, .. } = definition;
    for frame in &definition.time_frames {
        let key_path = frame.key_path(key_path);
        let description = cell(description);
        // Writing to memory does not fail.
        let _ = writeln!(
            page,
            "| `{key_path}` | {value_type} | {frame} | {source} | {status} | {description} |"
        );
    }
}

/// Text that cannot end its cell.
fn cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_of_the_payload_is_made_from_the_definitions() {
        let file = r#"
            [[metric]]
            key_path = "counts.users"
            description = """People | robots,
                each once."""
            value_type = "integer"
            status = "active"
            time_frame = ["28d", "7d"]
            source = "distinct_events"
            [[metric]]
            key_path = "edition"
            description = "Which one."
            value_type = "text"
            status = "removed"
            time_frame = "none"
            source = "setting"
        "#;
        let page = Definitions::parse([("a.toml", file)]).unwrap().to_markdown();
        let row = "| integer | 28d | distinct_events | active | People \\| robots, each once. |\n";
        assert!(page.contains(&format!("| `counts_monthly.users` {row}")), "{page}");
        assert!(page.contains("| `counts_weekly.users` | integer | 7d |"), "{page}");
        let (reported, removed) = page.split_once("Not reported any more").unwrap();
        assert!(!reported.contains("edition") && removed.contains("| `edition` | Which one. |"));
        for key in ["uuid", "recorded_at", "collected_since", "failures"] {
            assert!(reported.contains(&format!("| `{key}` |")), "{key} in {page}");
        }
    }
}
