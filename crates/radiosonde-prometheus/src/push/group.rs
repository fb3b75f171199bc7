//! The group of a push: which job on which instance the metrics are of, as a path.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The path of a group, or what is wrong with one of its labels.
pub(super) fn path(job: &str, labels: &[(String, String)]) -> Result<String, String> {
    if job.is_empty() {
        return Err("the job has no name".to_owned());
    }
    let mut path = "/metrics".to_owned();
    push_label(&mut path, "job", job);
    for (index, (name, value)) in labels.iter().enumerate() {
        if !is_label(name) {
            return Err(format!(
                "`{name}` is no label: letters, digits and `_`, not first a digit, nor `__`"
            ));
        }
        if name == "job" || labels[..index].iter().any(|(known, _)| known == name) {
            return Err(format!("the label `{name}` is given twice"));
        }
        push_label(&mut path, name, value);
    }
    Ok(path)
}

fn is_label(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    !name.is_empty()
        && name.bytes().all(is_plain)
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && !name.starts_with("__")
}

/// Appends `/name/value`. What is more than letters, digits, `_` and `-` is encoded, as a path has its own ideas of slashes,
/// dots and percent signs.
fn push_label(path: &mut String, name: &str, value: &str) {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    path.push('/');
    path.push_str(name);
    if !value.is_empty() && value.bytes().all(is_plain) {
        path.push('/');
        path.push_str(value);
        return;
    }
    path.push_str("@base64/");
    match value {
        // An empty segment would be lost on the way.
        "" => path.push('='),
        _ => URL_SAFE_NO_PAD.encode_string(value, path),
    }
}

#[cfg(test)]
mod tests {
    use super::path;

    fn with(name: &str, value: &str) -> Result<String, String> {
        path("backup", &[(name.to_owned(), value.to_owned())])
    }

    #[test]
    fn plain_values_are_in_the_path_as_they_are() {
        assert_eq!(path("nightly-backup_2", &[]).unwrap(), "/metrics/job/nightly-backup_2");
        assert_eq!(with("instance", "db1").unwrap(), "/metrics/job/backup/instance/db1");
    }

    #[test]
    fn other_values_are_encoded() {
        for (value, encoded) in [
            ("", "="),
            ("/var/tmp", "L3Zhci90bXA"),
            ("..", "Li4"),
            ("a%2Fb", "YSUyRmI"),
            ("\u{ff}?>", "w78_Pg"),
        ] {
            let expected = format!("/metrics/job/backup/instance@base64/{encoded}");
            assert_eq!(with("instance", value).unwrap(), expected);
        }
        assert_eq!(path("a/b", &[]).unwrap(), "/metrics/job@base64/YS9i");
    }

    #[test]
    fn labels_that_cannot_be_are_named() {
        for name in ["", "a-b", "a b", "1a", "__name__", "\u{e9}", "a/b", "job"] {
            assert!(with(name, "x").unwrap_err().contains(&format!("`{name}`")), "{name}");
        }
        let twice = [("a".to_owned(), "1".to_owned()), ("a".to_owned(), "2".to_owned())];
        assert!(path("backup", &twice).unwrap_err().contains("`a` is given twice"));
        assert!(path("", &[]).is_err());
    }
}
