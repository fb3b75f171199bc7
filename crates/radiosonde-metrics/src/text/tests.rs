//! Texts are read as they were given, told from all others, and hashed apart.

use std::collections::HashSet;

use super::*;

/// Sets that are alike when they are put together carelessly, short and long.
fn sets() -> Vec<Vec<String>> {
    let sets: &[&[&str]] = &[
        &[],
        &[""],
        &["", ""],
        &["ab", "c", "x"],
        &["a", "bc", "x"],
        &["abc", "", "x"],
        &["abcx"],
        &["a", "\u{1}c", "x"],
        &["größe", "🚀", "\0"],
        &["\u{2}ab"],
        &["ab", "\u{2}ab"],
        &["a", "\0"],
        &["a\0", ""],
        &["a", ""],
        &["", "a"],
        &["a"],
        &["", "", "", ""],
        &["", "", "", "", ""],
        &["abcdefgh", ""],
        &["abcdefgh"],
        &["abcdefghi"],
        &["abcdefgh", "i"],
        &["abcdefghijklmnop"],
        &["abcdefgh", "ijklmnop"],
        &["abcdefghijklmnop", "abcdefghijklmnop"],
        &["abcdefghijklmnop", "abcdefghijklmnop", ""],
        &["abcdefghijklmnopq"],
        &["twelve bytes", "eight by"],
        &["twelve byteS", "eight by"],
        &["twelve bytes", "eight bY"],
        &["a value of more than sixteen bytes", "and more than in place"],
        &["a value of more than sixteen bytes", "and more than in place!"],
    ];
    let long = [127, 128, 129, 2_047, 2_048, 4_000].map(|length| vec!["x".repeat(length)]);
    let sets = sets.iter().map(|set| set.iter().map(ToString::to_string).collect());
    sets.chain(long).collect()
}

#[test]
fn tags_are_read_back_as_they_were_given() {
    for set in sets() {
        let values: Vec<&str> = set.iter().map(String::as_str).collect();
        let values_of_text = Text::new(&*values);
        let bytes: Vec<_> = values.iter().map(|value| value.as_bytes()).collect();
        assert!(values_of_text.values().eq(bytes), "{set:?}");
    }
}

#[test]
fn sets_of_tags_are_equal_only_value_by_value() {
    let sets = sets();
    for (left, one) in sets.iter().enumerate() {
        let text = Text::new(&*one.iter().map(String::as_str).collect::<Vec<_>>());
        for (right, other) in sets.iter().enumerate() {
            let other: Vec<&str> = other.iter().map(String::as_str).collect();
            let is = match Words::of(&*other) {
                Some(words) => words.is(&text),
                None => Texts(&*other).is(&text),
            };
            assert_eq!(is, left == right, "{one:?} {other:?}");
        }
    }
}

/// Texts with the same ends, of all lengths around those at which they are taken differently.
fn texts() -> Vec<String> {
    let repeated = (0..40).map(|length| "a".repeat(length));
    let changed = (1..40).flat_map(|length| {
        (0..length).map(move |at| {
            let mut text = "a".repeat(length);
            text.replace_range(at..=at, "b");
            text
        })
    });
    repeated.chain(changed).collect()
}

fn hash(hasher: &TagHasher, tags: &[&str]) -> u32 {
    match Words::of(tags) {
        Some(words) => words.hash(hasher),
        None => Texts(tags).hash(hasher),
    }
}

#[test]
fn words_are_the_bytes_of_a_text_and_zeros_behind_it() {
    for text in texts().iter().filter(|text| text.len() <= 16) {
        let words = Words::of(&[&**text][..]).unwrap();
        let bytes = words.words.map(u64::to_le_bytes);
        let (own, rest) = bytes.as_flattened().split_at(text.len());
        assert_eq!((own, words.lengths), (text.as_bytes(), text.len() as u32 + 1));
        assert!(rest.iter().all(|byte| *byte == 0), "{text}");
    }
    assert_eq!(Words::of(&["12345678901234567"][..]), None);
}

#[test]
fn texts_that_are_alike_have_hashes_that_are_not() {
    let (hasher, texts) = (TagHasher::default(), texts());
    let mut hashes = HashSet::new();
    for text in &texts {
        let tags: [&[&str]; 4] = [&[text], &[text, "x"], &["x", text], &["x", "y", "z", text]];
        hashes.extend(tags.map(|tags| hash(&hasher, tags)));
    }
    // Of 3,280 random numbers of 32 bits two are the same once in 800 times, and three pairs once in three thousand million.
    assert!(hashes.len() + 3 > texts.len() * 4, "{} of {}", hashes.len(), texts.len() * 4);
}

#[test]
fn the_upper_bits_of_hashes_are_spread_as_well() {
    for tags in [1, 2, 5] {
        let hasher = TagHasher::default();
        let slot = |number: u32| {
            let text = number.to_string();
            hash(&hasher, &["GET", "200", "rest", "x", &text][5 - tags..]) >> 22
        };
        let slots: HashSet<u32> = (0..1024).map(slot).collect();
        // Where chance decides, so many texts hit 647 of as many slots, give or take 14.
        assert!(slots.len() > 560, "{} with {tags}", slots.len());
    }
}

#[test]
fn each_hasher_has_hashes_of_its_own() {
    let hashes: HashSet<u32> =
        (0..8).map(|_| hash(&TagHasher::default(), &["rest", "GET"])).collect();
    assert!(hashes.len() > 6, "{hashes:?}");
}
