//! What outlives the process, as bytes that show when they are damaged.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use serde_json::{Map, Value as Json, json};

use crate::collected::{Collected, Counts};
use crate::consent::Given;
use crate::schedule::Due;
use crate::sketch::Sketch;
use crate::tally::Tally;

/// The form of the file. Another one is another program's.
const FORM: u64 = 1;

/// What is remembered beside the counts. Times are in milliseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Book {
    /// Since when events are counted.
    pub(crate) since: u64,
    /// What distinct values are hashed with.
    pub(crate) salt: Arc<str>,
    pub(crate) due: Due,
    pub(crate) last: Option<Last>,
}

/// What became of the last report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Last {
    pub(crate) recorded_at: u64,
    /// Of the stored report, so that nothing else is sent in its place.
    pub(crate) checksum: u32,
    pub(crate) outcome: Outcome,
    /// How often it did not arrive.
    pub(crate) failures: u64,
    /// When it is tried again if it is pending.
    pub(crate) again_at: u64,
    /// The consent of this process that it is sent with.
    pub(crate) consent: Option<Given>,
}

/// What has become of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// It has not arrived yet, or nobody knows: it is tried again.
    Pending,
    /// It has arrived.
    Delivered,
    /// It was refused, could not be stored, or the operator has opted out, and is not tried again. The next report is a new
    /// one.
    Refused,
}

impl Outcome {
    const ALL: [(&'static str, Self); 3] =
        [("pending", Self::Pending), ("delivered", Self::Delivered), ("refused", Self::Refused)];

    fn label(self) -> &'static str {
        Self::ALL.iter().find(|(_, outcome)| *outcome == self).map_or("", |(label, _)| label)
    }
}

pub(crate) fn encode(book: &Book, collected: &[Arc<Collected>]) -> Vec<u8> {
    let counts: Map<String, Json> = collected
        .iter()
        .map(|collected| (collected.key_path.clone(), written(collected)))
        .collect();
    let last = book.last.as_ref().map(|last| {
        json!({
            "recorded_at": last.recorded_at,
            "checksum": last.checksum,
            "outcome": last.outcome.label(),
            "failures": last.failures,
            "again_at": last.again_at,
        })
    });
    let state = json!({
        "form": FORM,
        "since": book.since,
        "salt": &*book.salt,
        "slot": book.due.slot,
        "due": book.due.at,
        "last": last,
        "counts": counts,
    });
    let text = state.to_string();
    format!("{text}\n{:08x}\n", crc32fast::hash(text.as_bytes())).into_bytes()
}

/// The book, and the counts for [`restore`]; or what is wrong.
pub(crate) fn decode(bytes: &[u8]) -> Result<(Book, Json), &'static str> {
    let text = std::str::from_utf8(bytes).map_err(|_| "it is not text")?;
    let (text, checksum) = text.split_once('\n').ok_or("it is cut off")?;
    if checksum != format!("{:08x}\n", crc32fast::hash(text.as_bytes())) {
        return Err("its checksum is wrong");
    }
    let mut state: Json = serde_json::from_str(text).map_err(|_| "it is no JSON")?;
    if state["form"] != FORM {
        return Err("another version has written it");
    }
    let counts = state["counts"].take();
    Ok((book(&state).ok_or("it is not complete")?, counts))
}

fn book(state: &Json) -> Option<Book> {
    let last = match &state["last"] {
        Json::Null => None,
        last => {
            let outcome = last["outcome"].as_str()?;
            Some(Last {
                recorded_at: last["recorded_at"].as_u64()?,
                checksum: last["checksum"].as_u64()?.try_into().ok()?,
                outcome: Outcome::ALL.iter().find(|(label, _)| *label == outcome)?.1,
                failures: last["failures"].as_u64()?,
                again_at: last["again_at"].as_u64()?,
                consent: None,
            })
        }
    };
    Some(Book {
        since: state["since"].as_u64()?,
        salt: state["salt"].as_str()?.into(),
        due: Due { slot: state["slot"].as_u64()?, at: state["due"].as_u64()? },
        last,
    })
}

fn written(collected: &Collected) -> Json {
    let kind = collected.kind;
    match &collected.counts {
        Counts::Sum(tally) => tally_written(kind, &tally.lock().clone(), |sum| json!(sum)),
        Counts::Distinct(tally) => {
            // A copy shares the sketches' memory: nobody waits while they are written.
            let tally = tally.lock().clone();
            tally_written(kind, &tally, |sketch| BASE64.encode(sketch.to_bytes()).into())
        }
    }
}

fn tally_written<C>(kind: &str, tally: &Tally<C>, write: impl Fn(&C) -> Json) -> Json {
    let days: Map<String, Json> =
        tally.days.iter().map(|(day, count)| (day.to_string(), write(count))).collect();
    json!({ "kind": kind, "all": write(&tally.all), "days": days })
}

/// Gives every metric the counts that were written of it. One that is new, or is counted in another way now, begins
/// at nothing. None if what was written makes no sense.
pub(crate) fn restore(counts: &Json, collected: &[Arc<Collected>]) -> Option<()> {
    let mut sums = Vec::new();
    let mut sketches = Vec::new();
    for collected in collected {
        let written = &counts[&collected.key_path];
        if written["kind"] != collected.kind {
            continue;
        }
        match &collected.counts {
            Counts::Sum(tally) => sums.push((tally, read_tally(written, Json::as_u64)?)),
            Counts::Distinct(tally) => {
                let read = |text: &Json| Sketch::from_bytes(&BASE64.decode(text.as_str()?).ok()?);
                sketches.push((tally, read_tally(written, read)?));
            }
        }
    }
    // All or nothing, as the file is set aside if a part of it makes no sense.
    sums.into_iter().for_each(|(tally, read)| *tally.lock() = read);
    sketches.into_iter().for_each(|(tally, read)| *tally.lock() = read);
    Some(())
}

fn read_tally<C>(written: &Json, read: impl Fn(&Json) -> Option<C>) -> Option<Tally<C>> {
    let days: Option<BTreeMap<u64, C>> = written["days"]
        .as_object()?
        .iter()
        .map(|(day, count)| Some((day.parse().ok()?, read(count)?)))
        .collect();
    Some(Tally { all: read(&written["all"])?, days: days? })
}

#[cfg(test)]
mod tests {
    use parking_lot::Mutex;

    use super::*;
    use crate::definition::TimeFrame;
    use crate::schedule::time;

    const DAY: u64 = 86_400_000;

    fn book() -> Book {
        let last = Last {
            recorded_at: 1,
            checksum: u32::MAX,
            outcome: Outcome::Pending,
            failures: 2,
            again_at: 3,
            consent: None,
        };
        Book { since: 4, salt: "salt".into(), due: Due { slot: 5, at: 6 }, last: Some(last) }
    }

    fn collected() -> Vec<Arc<Collected>> {
        let sum = Collected::new("counts.a", "sum", Counts::Sum(Mutex::default()));
        let distinct = Collected::new("counts.b", "distinct", Counts::Distinct(Mutex::default()));
        vec![Arc::new(sum), Arc::new(distinct)]
    }

    fn counted() -> Vec<Arc<Collected>> {
        let collected = collected();
        for day in 100..140 {
            for collected in &collected {
                match &collected.counts {
                    Counts::Sum(tally) => tally.lock().change(day, |count| *count += 2),
                    Counts::Distinct(tally) => {
                        tally.lock().change(day, |sketch| sketch.insert("salt", &day.to_string()));
                    }
                }
            }
        }
        collected
    }

    fn values(collected: &[Arc<Collected>]) -> Vec<Json> {
        let frames = [TimeFrame::All, TimeFrame::Days28, TimeFrame::Days7];
        let now = time(139 * DAY);
        collected.iter().flat_map(|one| frames.map(|frame| one.over(frame, now))).collect()
    }

    #[test]
    fn what_was_written_is_read_back() {
        for book in [book(), Book { last: None, ..book() }] {
            let (read, counts) = decode(&encode(&book, &counted())).unwrap();
            assert_eq!(read, book);
            let restored = collected();
            restore(&counts, &restored).unwrap();
            assert_eq!(values(&restored), [80, 56, 14, 40, 28, 7]);
        }
    }

    #[test]
    fn every_way_to_damage_it_is_noticed() {
        let good = encode(&book(), &counted());
        for length in (0..good.len()).step_by(7).chain([good.len() - 1]) {
            assert!(decode(&good[..length]).is_err(), "cut to {length}");
        }
        for place in (0..good.len()).step_by(5) {
            let mut flipped = good.clone();
            flipped[place] ^= 0x04;
            assert!(decode(&flipped).is_err(), "flipped at {place}");
        }
        let mut longer = good.clone();
        longer.push(b'x');
        assert!(decode(&longer).is_err() && decode(&[0xff; 9]).is_err());
    }

    #[test]
    fn the_state_of_thousands_of_metrics_is_not_too_large_to_be_read() {
        let mut tally = Tally::<Sketch>::default();
        for day in 20_000..20_040 {
            for value in 0..1_000 {
                tally.change(day, |sketch| sketch.insert("salt", &value.to_string()));
            }
        }
        let key_path = format!("counts.{}", "a".repeat(200));
        let counts = Counts::Distinct(Mutex::new(tally));
        let one = Arc::new(Collected::new(&key_path, "distinct", counts));
        let length = encode(&book(), &[one]).len() as u64;
        assert!(length > 100_000 && length * 5_000 < crate::store::LARGEST, "{length}");
    }

    fn sealed(state: &Json) -> Vec<u8> {
        let text = state.to_string();
        format!("{text}\n{:08x}\n", crc32fast::hash(text.as_bytes())).into_bytes()
    }

    #[test]
    fn another_versions_file_is_not_misunderstood() {
        assert_eq!(decode(&sealed(&json!({"form": 2}))), Err("another version has written it"));
        assert_eq!(decode(&sealed(&json!({"form": 1}))), Err("it is not complete"));
        let strange = json!({"counts.a": {"kind": "sum", "all": 7, "days": {}}, "counts.b": {"kind": "distinct", "all": "?"}});
        let restored = collected();
        assert_eq!(restore(&strange, &restored), None);
        assert_eq!(values(&restored)[0], 0, "all or nothing");
    }

    #[test]
    fn a_metric_that_is_counted_in_another_way_begins_anew() {
        let counter = json!({"kind": "counter", "all": 7, "days": {}});
        let distinct = json!({"kind": "distinct", "all": "", "days": {}});
        for other in [counter, distinct] {
            let counts = json!({"counts.a": other, "counts.gone": 7});
            let restored = collected();
            restore(&counts, &restored).unwrap();
            assert!(values(&restored).iter().all(|value| *value == 0));
        }
    }
}
