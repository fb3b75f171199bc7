//! An event as bytes: what a spool keeps of it.

use std::time::{Duration, UNIX_EPOCH};

use radiosonde_delivery::bytes::{Bytes, write_text, write_value};
use radiosonde_delivery::{Spooled, Uuid};

use crate::event::{Kind, SelfDescribing, SnowplowEvent};
use crate::field::Field;

/// The form of the bytes, as a later version may find them.
const FORM: u8 = 1;

impl Spooled for SnowplowEvent {
    fn write(&self, bytes: &mut Vec<u8>) {
        let since = self.time.duration_since(UNIX_EPOCH).unwrap_or_default();
        bytes.push(FORM);
        bytes.extend(self.id.to_bytes());
        bytes.extend(since.as_secs().to_le_bytes());
        bytes.extend(since.subsec_nanos().to_le_bytes());
        write_text(self.kind.wire_name(), bytes);
        bytes.extend((self.fields.len() as u64).to_le_bytes());
        for (field, value) in &self.fields {
            write_text(field.wire_name(), bytes);
            write_value(value, bytes);
        }
        self.described().for_each(|described| write_described(described, bytes));
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let mut rest = Bytes::new(bytes);
        if rest.byte()? != FORM {
            return None;
        }
        let id = Uuid::from_bytes(rest.array()?);
        let since = Duration::from_secs(rest.number()?)
            .checked_add(Duration::from_nanos(u32::from_le_bytes(rest.array()?).into()))?;
        let time = UNIX_EPOCH.checked_add(since)?;
        let kind = rest.text()?;
        let mut fields = Vec::new();
        for _ in 0..rest.number()? {
            fields.push((Field::from_wire(&rest.text()?)?, rest.value()?));
        }
        let kind = match kind.as_str() {
            "pv" => Kind::PageView,
            "pp" => Kind::PagePing,
            "se" => Kind::Structured,
            "ue" => Kind::SelfDescribing(read_described(&mut rest)?),
            _ => return None,
        };
        let mut entities = Vec::new();
        while !rest.is_empty() {
            entities.push(read_described(&mut rest)?);
        }
        Some(Self { id, time, kind, fields, entities })
    }
}

fn write_described(described: &SelfDescribing, bytes: &mut Vec<u8>) {
    write_text(described.schema(), bytes);
    bytes.extend((described.properties.len() as u64).to_le_bytes());
    for (name, value) in &described.properties {
        write_text(name, bytes);
        write_value(value, bytes);
    }
}

fn read_described(rest: &mut Bytes<'_>) -> Option<SelfDescribing> {
    let mut described = SelfDescribing::new(rest.text()?);
    for _ in 0..rest.number()? {
        described.add(rest.text()?.into(), rest.value()?);
    }
    Some(described)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described() -> SelfDescribing {
        SelfDescribing::new("iglu:com.acme/order/jsonschema/1-0-0")
            .property("amount", 0.1 + 0.2)
            .property("delta", -3)
            .property("note", None::<bool>)
            .property("paid", true)
    }

    fn events() -> [SnowplowEvent; 4] {
        [
            SnowplowEvent::page_view("https://a.example/ü").with(Field::SessionIndex, 3),
            SnowplowEvent::page_ping("https://a.example/")
                .entity(described())
                .with(Field::MaxY, -1),
            SnowplowEvent::structured("shop", "add").with(Field::Value, 2.5),
            SnowplowEvent::self_describing(described()).entity(described()).entity(described()),
        ]
    }

    fn written(event: &SnowplowEvent) -> Vec<u8> {
        let mut bytes = Vec::new();
        event.write(&mut bytes);
        bytes
    }

    #[test]
    fn an_event_survives_its_spool_with_its_id_its_time_and_every_value() {
        for event in events() {
            assert!(SnowplowEvent::read(&written(&event)) == Some(event));
        }
    }

    #[test]
    fn bytes_of_another_form_or_that_end_too_soon_are_no_event() {
        for event in events() {
            let bytes = written(&event);
            let mut other = bytes.clone();
            other[0] = 2;
            assert!(SnowplowEvent::read(&other).is_none());
            let ends = (0..bytes.len()).filter(|end| SnowplowEvent::read(&bytes[..*end]).is_some());
            // Where an entity begins, it may as well not have been there: the checksum of the spool's frame tells.
            assert_eq!(ends.count(), event.entities.len());
        }
    }
}
