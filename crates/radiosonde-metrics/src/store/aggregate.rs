//! One metric with all that it has accumulated.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use parking_lot::Mutex;
use radiosonde::{Event, execute};
use radiosonde_snapshot::Pin;

use crate::cell::{Cells, Layout};
use crate::events;
use crate::extract::{IN_PLACE, SkipReason};
use crate::metric::{Kind, Metric};
use crate::series::{Group, Series};
use crate::snapshot::{MetricSnapshot, Values};
use crate::table::SeriesTable;
use crate::tags::{TagSet, is_too_long};
use crate::text::{Key, TagTexts, Texts, Words};
use crate::threads::Writing;

/// A metric, its series, and what it counts about itself.
#[derive(Debug)]
pub(crate) struct Aggregate {
    /// Tells it from another one of the same name that was removed, or is to be.
    pub(crate) number: u64,
    pub(crate) metric: Arc<Metric>,
    pub(crate) layout: Layout,
    pub(crate) series: SeriesTable,
    /// Takes what is beyond the limit.
    overflow: OnceLock<Group>,
    /// [`SEEN`], [`OVERFLOWED`], and from [`SKIPPED`] on one for each reason.
    counts: Cells,
    /// A bit for each of the counts whose first event was told.
    told: AtomicU32,
    created: SystemTime,
    is_removed: AtomicBool,
    /// Whether something is to be done with each number beside counting it.
    has_extras: bool,
    /// Where series expire: since when nothing was recorded in each, by their numbers.
    idle: Mutex<HashMap<u32, Instant>>,
}

const SEEN: usize = 0;
const OVERFLOWED: usize = 1;
const SKIPPED: usize = 2;

impl Aggregate {
    pub(crate) fn new(metric: Metric) -> Self {
        let layout = Layout::new(&metric);
        static AGGREGATES: AtomicU64 = AtomicU64::new(0);
        Self {
            number: AGGREGATES.fetch_add(1, Relaxed),
            series: SeriesTable::new(metric.series_limit),
            has_extras: metric.expiry.is_some() || layout.exemplars > 0,
            layout,
            metric: Arc::new(metric),
            overflow: OnceLock::new(),
            counts: Cells::new(&Layout::counter()),
            told: AtomicU32::new(0),
            created: SystemTime::now(),
            is_removed: AtomicBool::new(false),
            idle: Mutex::default(),
        }
    }

    /// Makes the series that are to be seen before their first event: those declared, and that of a metric without tags.
    pub(crate) fn start_from_zero(&self) {
        for values in &self.metric.label_sets {
            let values: Vec<&str> = values.iter().map(String::as_str).collect();
            self.declare(&*values);
        }
        if self.metric.tags.is_empty() && self.metric.kind() != Kind::LastValue {
            self.declare::<[&str]>(&[]);
        }
    }

    fn declare<T: TagTexts + ?Sized>(&self, tags: &T) {
        let Some((group, offset)) = self.find_or_create(tags) else { return };
        if let Some(series) = group.get(offset) {
            series.declare();
        }
        // A last value is there once it is set; the others begin at 0.
        if self.metric.kind() == Kind::LastValue {
            let _ = self.write(&group, offset, 0.0, None);
        }
    }

    /// Records an event of the metric's.
    #[inline]
    pub(crate) fn record_event(&self, event: &Event<'_>) {
        let mut words = Words::NONE;
        let is_recorded = match self.metric.extract_words(event, &mut words) {
            Some(number) => self.record_in_place(&words, number, event),
            None => self.record_texts(event),
        };
        if !is_recorded {
            self.record_extracted(event);
        }
    }

    #[inline(never)]
    fn record_texts(&self, event: &Event<'_>) -> bool {
        let mut room = [""; IN_PLACE];
        let Some((number, texts)) = self.metric.extract_texts(event, &mut room) else {
            return false;
        };
        // They have no words, or these would have been extracted.
        self.record_in_place(&Texts(texts), number, event)
    }

    /// Records what nearly all events are: one of a series that is there, with a number that it can take. Whether it was that.
    #[inline(always)]
    fn record_in_place(&self, key: &impl Key, number: f64, event: &Event<'_>) -> bool {
        let pin = Pin::new();
        let Some((group, offset)) = self.series.find(key, &pin) else { return false };
        {
            // The thread may write elsewhere in what follows, so its right ends here.
            let writing = Writing::start();
            if group.cells.record(&self.layout, writing.slot, offset, number).is_err() {
                return false;
            }
            self.counts.count(writing.slot, SEEN, 1);
        }
        if self.has_extras {
            self.write_extras(group, offset, number, Some(event));
        }
        true
    }

    /// Records an event of which nothing is known, and counts it if it cannot be.
    #[inline(never)]
    fn record_extracted(&self, event: &Event<'_>) {
        let mut tags = TagSet::new();
        let recorded = match self.metric.extract(event, &mut tags) {
            Ok(Some(number)) if tags.is_too_long() => self.record_beyond(number, Some(event)),
            Ok(Some(number)) => self.record(&tags, number, Some(event)),
            Ok(None) => Ok(()),
            Err(reason) => Err(reason),
        };
        self.counts.count(Writing::start().slot, SEEN, 1);
        if let Err(reason) = recorded {
            self.skip(reason);
        }
    }

    /// Records a number in the series with these tags: for a counter, one event.
    #[inline(always)]
    fn record<T: TagTexts + ?Sized>(
        &self,
        tags: &T,
        number: f64,
        event: Option<&Event<'_>>,
    ) -> Result<(), SkipReason> {
        let pin = Pin::new();
        let found = match Words::of(tags) {
            Some(words) => self.series.find(&words, &pin),
            None => self.series.find(&Texts(tags), &pin),
        };
        match found {
            Some((group, offset)) => self.write(group, offset, number, event),
            None => self.record_anew(tags, number, event),
        }
    }

    /// Records a number that comes from no event.
    pub(crate) fn record_direct(&self, tag_values: &[&str], number: f64) {
        let recorded =
            self.metric.accept(number).and_then(|number| self.record(tag_values, number, None));
        if let Err(reason) = recorded {
            self.skip(reason);
        }
    }

    /// Records a number that comes from no event in a series that was found before.
    #[inline(always)]
    pub(crate) fn record_in(
        &self,
        group: &Group,
        offset: usize,
        number: f64,
    ) -> Result<(), SkipReason> {
        self.write(group, offset, self.metric.accept(number)?, None)
    }

    /// Adds so many events to the series of a counter that was found before.
    #[inline(always)]
    pub(crate) fn count_in(&self, group: &Group, offset: usize, events: u64) {
        group.cells.count(Writing::start().slot, offset, events);
        if self.has_extras {
            self.write_extras(group, offset, 1.0, None);
        }
    }

    /// Adds so many events to a counter.
    pub(crate) fn count(&self, tag_values: &[&str], events: u64) {
        let counted = self.find_or_create(tag_values);
        match &counted {
            Some((group, offset)) => self.count_in(group, *offset, events),
            None => self.in_overflow(events, |group| {
                group.cells.count(Writing::start().slot, 0, events);
            }),
        }
    }

    #[inline(always)]
    fn write(
        &self,
        group: &Group,
        offset: usize,
        number: f64,
        event: Option<&Event<'_>>,
    ) -> Result<(), SkipReason> {
        // The thread may write elsewhere in what follows, so its right ends here.
        group.cells.record(&self.layout, Writing::start().slot, offset, number)?;
        if self.has_extras {
            self.write_extras(group, offset, number, event);
        }
        Ok(())
    }

    /// Does what few metrics want of each number.
    #[inline(never)]
    fn write_extras(&self, group: &Group, offset: usize, number: f64, event: Option<&Event<'_>>) {
        if self.metric.expiry.is_some()
            && let Some(series) = group.get(offset)
        {
            series.touch();
        }
        if let Some(exemplar) = group.exemplars(offset).get(self.layout.bucket(number)) {
            exemplar.offer(number, event);
        }
    }

    /// Records the first number of a series, or one that is beyond the limit.
    #[cold]
    #[inline(never)]
    fn record_anew<T: TagTexts + ?Sized>(
        &self,
        tags: &T,
        number: f64,
        event: Option<&Event<'_>>,
    ) -> Result<(), SkipReason> {
        match self.find_or_create(tags) {
            Some((group, offset)) => self.write(&group, offset, number, event),
            None => self.record_beyond(number, event),
        }
    }

    /// The series with these tags, unless it would be one too many, or its tags are too long to be kept.
    pub(crate) fn find_or_create<T: TagTexts + ?Sized>(
        &self,
        tags: &T,
    ) -> Option<(Arc<Group>, usize)> {
        if is_too_long(tags) {
            return None;
        }
        let thread = Writing::start().slot.number();
        self.series.find_or_create(tags, &self.layout, thread, SystemTime::now())
    }

    /// Records a number in the overflow series.
    #[cold]
    #[inline(never)]
    fn record_beyond(&self, number: f64, event: Option<&Event<'_>>) -> Result<(), SkipReason> {
        self.in_overflow(1, |group| self.write(group, 0, number, event))
    }

    fn in_overflow<R>(&self, events: u64, write: impl FnOnce(&Group) -> R) -> R {
        let written = write(self.overflow.get_or_init(|| {
            let group = Group::new(&self.layout);
            group.put(0, Series::new(u32::MAX, SystemTime::now(), &TagSet::new()));
            group
        }));
        self.overflowed_by(events);
        written
    }

    fn overflowed_by(&self, events: u64) {
        self.counts.count(Writing::start().slot, OVERFLOWED, events);
        if self.is_first(OVERFLOWED) {
            let (limit, metric) = (self.metric.series_limit as u64, self.metric.name());
            let tag = self.most_diverse_tag().unwrap_or_default();
            execute!(events::OVERFLOWED, { limit }, { metric, tag });
        }
    }

    #[cold]
    #[inline(never)]
    pub(crate) fn skip(&self, reason: SkipReason) {
        let count = SKIPPED + reason as usize;
        self.counts.count(Writing::start().slot, count, 1);
        if self.is_first(count) {
            let (metric, reason) = (self.metric.name(), reason.as_str());
            execute!(events::SKIPPED, {}, { metric, reason });
        }
    }

    fn is_first(&self, count: usize) -> bool {
        self.told.fetch_or(1 << count, Relaxed) & 1 << count == 0
    }

    /// The tag with the most values: the one that is likely not to belong there. A part of the series tells as well, and
    /// keeps the thread that asks no longer than that takes.
    fn most_diverse_tag(&self) -> Option<&str> {
        let mut groups = self.series.groups();
        groups.truncate(100);
        let mut values: Vec<HashSet<&str>> = vec![HashSet::new(); self.metric.tags.len()];
        for (_, series) in groups.iter().flat_map(|group| group.iter()) {
            for (values, value) in values.iter_mut().zip(series.tag_values()) {
                values.insert(value);
            }
        }
        // Of several the first.
        let most = values.iter().map(HashSet::len).max()?;
        let tag = values.iter().position(|values| values.len() == most)?;
        self.metric.tag_names().nth(tag)
    }

    /// Says that the metric is in no store any more.
    pub(crate) fn remove(&self) {
        self.is_removed.store(true, Relaxed);
    }

    pub(crate) fn is_removed(&self) -> bool {
        self.is_removed.load(Relaxed)
    }

    pub(crate) fn snapshot(&self, now: Instant) -> MetricSnapshot {
        if self.metric.callback.is_some() {
            return self.observe();
        }
        if let Some(expiry) = self.metric.expiry {
            self.expire(expiry, now);
        }
        MetricSnapshot::read(&self.metric, &self.layout, self.series.groups(), self.overflow.get())
    }

    /// Removes the series in which nothing was recorded for this long, as far as it shows in when this is called.
    fn expire(&self, expiry: Duration, now: Instant) {
        let mut idle = self.idle.lock();
        let mut live = HashMap::with_capacity(idle.len());
        let groups = self.series.groups();
        let series = groups.iter().flat_map(|group| group.iter());
        for (_, series) in series.filter(|(_, series)| !series.is_declared()) {
            let was_touched = series.was_touched();
            let before = idle.remove(&series.number).filter(|_| !was_touched);
            let since = before.unwrap_or(now);
            if now.saturating_duration_since(since) < expiry {
                live.insert(series.number, since);
            } else {
                self.series.remove(&*series.tag_values().collect::<Vec<_>>());
            }
        }
        *idle = live;
    }

    /// What the callback says now. Of several numbers for the same tags the last counts; those beyond the limit are one.
    fn observe(&self) -> MetricSnapshot {
        let (mut places, mut series) = (HashMap::new(), Vec::new());
        let (mut numbers, mut beyond) = (Vec::new(), None);
        self.metric.observe(&mut |values, number| {
            let number = match number {
                Ok(number) => number,
                Err(reason) => return self.skip(reason),
            };
            let key: Vec<String> = values.iter().map(ToString::to_string).collect();
            let place = match places.get(&key) {
                Some(place) => *place,
                None if series.len() < self.metric.series_limit && !is_too_long(values) => {
                    series.push(Series::new(series.len() as u32, self.created, values));
                    numbers.push(number);
                    places.insert(key, series.len() - 1);
                    series.len() - 1
                }
                None => {
                    let is_sum = self.metric.kind() == Kind::Sum;
                    beyond = Some(number + beyond.filter(|_| is_sum).unwrap_or(0.0));
                    self.overflowed_by(1);
                    return;
                }
            };
            numbers[place] = number;
        });
        let overflow = beyond.map(|_| self.created);
        numbers.extend(beyond);
        MetricSnapshot::new(Arc::clone(&self.metric), series, overflow, Values::Numbers(numbers))
    }

    /// How many events the metric was handed, whether or not they were recorded.
    pub(crate) fn seen(&self) -> u64 {
        self.counts.read_count(SEEN)
    }

    /// How many events were recorded in the overflow series.
    pub(crate) fn overflowed(&self) -> u64 {
        self.counts.read_count(OVERFLOWED)
    }

    /// How many events were skipped for this reason.
    pub(crate) fn skipped(&self, reason: SkipReason) -> u64 {
        self.counts.read_count(SKIPPED + reason as usize)
    }
}
