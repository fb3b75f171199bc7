//! An event as bytes: what a spool keeps of it.

use std::time::{Duration, UNIX_EPOCH};

use radiosonde_delivery::bytes::{Bytes, write_text, write_value};
use radiosonde_delivery::{Spooled, Uuid};

use crate::event::{Field, Place, PostHogEvent};

/// The form of the bytes, as a later version may find them.
const FORM: u8 = 1;

impl Spooled for PostHogEvent {
    fn write(&self, bytes: &mut Vec<u8>) {
        let since = self.time.duration_since(UNIX_EPOCH).unwrap_or_default();
        bytes.push(FORM);
        bytes.extend(self.uuid.to_bytes());
        bytes.extend(since.as_secs().to_le_bytes());
        bytes.extend(since.subsec_nanos().to_le_bytes());
        bytes.push(u8::from(self.has_person));
        write_text(&self.name, bytes);
        bytes.push(u8::from(self.distinct_id.is_some()));
        write_text(self.distinct_id.as_deref().unwrap_or_default(), bytes);
        for Field { place, key, value } in &self.fields {
            bytes.push(*place as u8);
            write_text(key, bytes);
            write_value(value, bytes);
        }
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let mut rest = Bytes::new(bytes);
        if rest.byte()? != FORM {
            return None;
        }
        let uuid = Uuid::from_bytes(rest.array()?);
        let since = Duration::from_secs(rest.number()?)
            .checked_add(Duration::from_nanos(u32::from_le_bytes(rest.array()?).into()))?;
        let time = UNIX_EPOCH.checked_add(since)?;
        let has_person = rest.truth()?;
        let name = rest.text()?.into();
        let has_id = rest.truth()?;
        let distinct_id = Some(rest.text()?).filter(|_| has_id);
        let mut event = Self { uuid, distinct_id, has_person, ..Self::at(name, time, 0) };
        while !rest.is_empty() {
            let place = match rest.byte()? {
                0 => Place::Property,
                1 => Place::Group,
                2 => Place::Set,
                3 => Place::SetOnce,
                _ => return None,
            };
            event.fields.push(Field { place, key: rest.text()?.into(), value: rest.value()? });
        }
        Some(event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> PostHogEvent {
        PostHogEvent::new("order_placed")
            .distinct_id("üser-42")
            .group("organization", "org-7")
            .set("email", "a@example.com")
            .set_once("first_seen", None::<bool>)
            .property("amount", 0.1 + 0.2)
            .property("delta", -3)
            .property("size", u64::MAX)
            .property("ok", true)
            .without_person()
    }

    fn written(event: &PostHogEvent) -> Vec<u8> {
        let mut bytes = Vec::new();
        event.write(&mut bytes);
        bytes
    }

    #[test]
    fn an_event_survives_its_spool_with_its_id_its_time_and_every_value() {
        for event in [event(), PostHogEvent::new("anonymous")] {
            assert!(PostHogEvent::read(&written(&event)) == Some(event));
        }
        let event = PostHogEvent::new("it").property("took", Duration::from_millis(1));
        let read = PostHogEvent::read(&written(&event)).unwrap();
        assert!(read.get("took") == 1_000_000, "{read:?}");
    }

    #[test]
    fn bytes_of_another_form_or_that_end_too_soon_are_no_event() {
        let bytes = written(&event());
        let mut other = bytes.clone();
        other[0] = 2;
        assert!(PostHogEvent::read(&other).is_none());
        let ends: Vec<usize> =
            (0..bytes.len()).filter(|end| PostHogEvent::read(&bytes[..*end]).is_some()).collect();
        // Where a field ends, the rest may as well not have been there: the checksum of the spool's frame tells.
        assert_eq!(ends.len(), event().fields.len());
        let mut long = bytes;
        let length = 1 + 16 + 8 + 4 + 1;
        long[length..length + 8].copy_from_slice(&u64::MAX.to_le_bytes());
        assert!(PostHogEvent::read(&long).is_none());
    }
}
