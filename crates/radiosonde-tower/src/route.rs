//! Templates of routes as text of the program itself, so that no request copies one.

use std::cell::RefCell;
use std::collections::HashSet;

use foldhash::fast::FixedState;
use parking_lot::Mutex;

/// The route of a request that no route was found for.
pub const UNMATCHED: &str = "unmatched";

/// What a route reads where there are more than a program can have: somebody has taken paths for templates.
pub const OTHER: &str = "_OTHER";

/// How many templates are kept.
const LIMIT: usize = 1_000;

/// How many bytes a template may have.
const MAXIMUM_LENGTH: usize = 256;

type Templates = HashSet<&'static str, FixedState>;

/// Those of all threads. They are never freed, which is why there are only so many.
static ALL: Mutex<Templates> = Mutex::new(Templates::with_hasher(FixedState::with_seed(0)));

thread_local! {
    /// Those that this thread has met, so that threads do not wait for each other.
    static MET: RefCell<Templates> = const { RefCell::new(Templates::with_hasher(FixedState::with_seed(0))) };
}

/// The same template, kept as long as the process lives; [`OTHER`] beyond the limits.
pub(crate) fn kept(template: &str) -> &'static str {
    MET.try_with(|met| {
        if let Some(known) = met.borrow().get(template) {
            return *known;
        }
        let kept = keep(&mut ALL.lock(), template, LIMIT);
        if let Some(kept) = kept {
            met.borrow_mut().insert(kept);
        }
        kept.unwrap_or(OTHER)
    })
    .unwrap_or(OTHER)
}

fn keep(all: &mut Templates, template: &str, limit: usize) -> Option<&'static str> {
    if let Some(known) = all.get(template) {
        return Some(*known);
    }
    if all.len() >= limit || template.len() > MAXIMUM_LENGTH {
        return None;
    }
    let kept: &'static str = Box::leak(Box::from(template));
    all.insert(kept);
    Some(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_kept_once_for_all_threads() {
        let here = kept("/route/of/this/test/{id}");
        let text = String::from("/route/of/this/test/{id}");
        let there = std::thread::spawn(move || kept(&text)).join().unwrap();
        assert_eq!(here, "/route/of/this/test/{id}");
        assert!(std::ptr::eq(here, there) && std::ptr::eq(here, kept(here)));
    }

    #[test]
    fn paths_taken_for_templates_are_not_kept_beyond_the_limits() {
        let mut all = Templates::default();
        for id in 0..20 {
            let kept = keep(&mut all, &format!("/users/{id}"), 10);
            assert_eq!(kept.is_some(), id < 10);
        }
        assert_eq!(keep(&mut all, "/users/3", 10), Some("/users/3"));
        assert_eq!(keep(&mut Templates::default(), &"x".repeat(MAXIMUM_LENGTH + 1), 10), None);
        assert_eq!(kept(&"/".repeat(1_000)), OTHER);
    }
}
