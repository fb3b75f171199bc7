//! The name of a schema, and whether it can be one.

use std::borrow::Cow;

/// The longest part of a schema's name, in characters.
const LONGEST: usize = 1_000;

pub(crate) const NO_SCHEMA: &str =
    "its schema, or that of an entity, must be like `iglu:com.acme/order_placed/jsonschema/1-0-0`";

/// What is said to be the name of a schema. Whether it is one is found out once, as a rule makes many events with it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Schema {
    name: Cow<'static, str>,
    is_valid: bool,
}

impl Schema {
    pub(crate) fn new(name: Cow<'static, str>) -> Self {
        let is_valid = is_schema(&name);
        Self { name, is_valid }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Whether it is an Iglu URI: vendor, name, format, and a version of three numbers.
    pub(crate) const fn is_valid(&self) -> bool {
        self.is_valid
    }
}

fn is_schema(schema: &str) -> bool {
    let Some(path) = schema.strip_prefix("iglu:") else { return false };
    let Some([vendor, name, format, version]) = parts(path, '/') else { return false };
    let is_name = |part: &str, others: &[u8]| {
        !part.is_empty()
            && part.len() <= LONGEST
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || others.contains(&byte))
    };
    is_name(vendor, b"-_.") && is_name(name, b"-_") && is_name(format, b"-_") && is_version(version)
}

/// Whether it is three numbers without leading zeros, of which the first is not zero.
fn is_version(version: &str) -> bool {
    let is_number = |part: &str| {
        let is_digits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        is_digits && part.len() < 10 && (part == "0" || !part.starts_with('0'))
    };
    parts::<3>(version, '-')
        .is_some_and(|parts| parts[0] != "0" && parts.iter().all(|part| is_number(part)))
}

/// The parts of a text, if there are as many as that.
fn parts<const N: usize>(text: &str, separator: char) -> Option<[&str; N]> {
    let mut parts = text.split(separator);
    let mut found = [""; N];
    for part in &mut found {
        *part = parts.next()?;
    }
    parts.next().is_none().then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_names_a_schema_is_one() {
        for schema in
            ["iglu:com.acme/order_placed/jsonschema/1-0-0", "iglu:a-b_c.d/e-f/jsonschema/12-3-40"]
        {
            assert!(is_schema(schema), "{schema}");
        }
        for schema in [
            "",
            "com.acme/order_placed/jsonschema/1-0-0",
            "iglu:com.acme/order_placed/jsonschema",
            "iglu:com.acme/order placed/jsonschema/1-0-0",
            "iglu:com.acme/order.placed/jsonschema/1-0-0",
            "iglu:com.acme//jsonschema/1-0-0",
            "iglu:com.acme/order_placed/jsonschema/1-0",
            "iglu:com.acme/order_placed/jsonschema/0-0-1",
            "iglu:com.acme/order_placed/jsonschema/1-01-0",
            "iglu:com.acme/order_placed/jsonschema/1-0-0/2",
            "iglu:com.acme/order_placed/jsonschema/1-0-x",
        ] {
            assert!(!is_schema(schema), "{schema}");
        }
    }
}
