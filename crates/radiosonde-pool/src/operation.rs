//! What a statement does, by its first keyword: one of a fixed list, so that it can be a tag.

const OPERATIONS: [&str; 32] = [
    "select",
    "insert",
    "update",
    "delete",
    "merge",
    "replace",
    "upsert",
    "with",
    "values",
    "table",
    "call",
    "copy",
    "begin",
    "start",
    "commit",
    "end",
    "rollback",
    "abort",
    "savepoint",
    "release",
    "set",
    "show",
    "explain",
    "pragma",
    "create",
    "alter",
    "drop",
    "truncate",
    "vacuum",
    "analyze",
    "listen",
    "notify",
];

/// A keyword of the list, or `other`.
pub(crate) fn operation(statement: &str) -> &'static str {
    let statement = without_comments(statement);
    let end =
        statement.find(|letter: char| !letter.is_ascii_alphabetic()).unwrap_or(statement.len());
    let keyword = &statement[..end];
    OPERATIONS
        .into_iter()
        .find(|operation| operation.eq_ignore_ascii_case(keyword))
        .unwrap_or("other")
}

/// The statement from its first word on: tools put comments, and authors parentheses, before it.
fn without_comments(mut statement: &str) -> &str {
    loop {
        statement = statement.trim_start_matches(|letter: char| {
            letter.is_whitespace() || letter == '(' || letter == ';'
        });
        let end = if statement.starts_with("--") {
            "\n"
        } else if statement.starts_with("/*") {
            "*/"
        } else {
            return statement;
        };
        match statement.split_once(end) {
            Some((_, rest)) => statement = rest,
            None => return "",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_keyword_is_the_operation_in_whatever_case_and_behind_whatever_comment() {
        for (statement, expected) in [
            ("SELECT 1", "select"),
            ("\n\t insert into users values (1)", "insert"),
            ("-- of the nightly job; delete\nUpdate users set a = 1", "update"),
            ("/* select */ /*+ hint */ (delete from users)", "delete"),
            ("with a as (select 1) select * from a", "with"),
            ("commit;", "commit"),
            ("begin", "begin"),
        ] {
            assert_eq!(operation(statement), expected, "{statement}");
        }
    }

    #[test]
    fn what_is_no_keyword_of_the_list_is_other() {
        for statement in [
            "",
            "selected",
            "users",
            "/* never ends",
            "-- nothing",
            "'s3cret'",
            "select_1",
            "ſelect",
        ] {
            let expected = if statement == "select_1" { "select" } else { "other" };
            assert_eq!(operation(statement), expected, "{statement}");
        }
    }
}
