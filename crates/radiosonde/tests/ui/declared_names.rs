//! Declared names that are not well formed.

radiosonde::declare! {
    pub static NAMES;

    pub event EMPTY_SEGMENT = "http..request" { measurements: {}, metadata: {} }
    pub span WILDCARD = "http.**" { measurements: {}, metadata: {} }
    pub family EMPTY_END = "http.<provider>." { measurements: {}, metadata: {} }
}

fn main() {}
