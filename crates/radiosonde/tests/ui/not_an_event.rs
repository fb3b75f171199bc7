//! What is neither a literal nor an event nor a span.

use radiosonde::{EventName, SpanName, execute, span};

fn main() {
    let text = String::from("http.request");
    execute!(text, { count: 1 });
    execute!(text.as_str());
    execute!(7, { count: 1 });
    span!(text.as_str()).stop();

    let event = EventName::from_static("http.request");
    let span = SpanName::new("http.request").unwrap();
    span!(event).stop();
    execute!(span);
}
