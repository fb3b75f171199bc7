//! Whether the durations of requests can be true.

use super::Check;
use crate::page::Page;

/// The phases of all requests fit into the requests, and these are not shorter than what the server says it took over them.
pub(crate) fn phases_fit(page: &Page, served: u64) -> Check {
    let sum = |name: &str| page.total(&format!("tuist_http_{name}_sum"));
    let phases = ["queue_duration", "connection_duration", "send_duration", "receive_duration"];
    let phases = phases.map(|phase| sum(&format!("{phase}_nanoseconds")));
    let requests = sum("request_duration_nanosecond");
    let mut failures = Vec::new();
    if phases.iter().sum::<f64>() > requests {
        failures.push(format!("the phases {phases:?} are longer than the requests, {requests}"));
    }
    if phases.contains(&0.0) {
        failures.push(format!("a phase of {phases:?} takes no time at all"));
    }
    if requests < served as f64 {
        failures.push(format!("requests took {requests}, and {served} to serve them"));
    }
    let [requests, served] = [requests, served as f64].map(|nanoseconds| nanoseconds / 1e9);
    let what = format!(
        "the four phases of requests fit into their {requests:.1} s, of which the server took {served:.1} s"
    );
    Check { what, failures }
}
