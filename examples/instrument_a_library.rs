//! A library that declares its events, documented where they are executed. Run with `cargo run --example instrument_a_library`.
#![allow(clippy::print_stdout, reason = "an example talks to its reader")]

use radiosonde::{Catalogue, attach_many};

/// Stands for a crate of its own: it depends on `radiosonde` alone and knows none of its users' backends.
mod mailer {
    use radiosonde::{execute, span};

    radiosonde::declare! {
        /// Everything the mailer says.
        pub(crate) static EVENTS;

        /// A message was put into the outbox.
        pub(crate) event QUEUED = "mailer.message.queued" {
            measurements: {
                /// Size of the message, headers included.
                size: "byte",
            },
            metadata: {
                /// The template the message was made from.
                template,
                /// Who gets it.
                recipient: identifier,
            },
        }

        /// One delivery of the whole outbox.
        pub(crate) span DELIVER = "mailer.outbox.deliver" {
            measurements: {
                /// Messages delivered.
                messages: "message",
            },
            metadata: {},
        }
    }

    pub(crate) fn send(template: &str, recipient: &str, body: &str) {
        execute!(QUEUED, { size: body.len() }, { template, recipient });
        let mut delivery = span!(DELIVER);
        delivery.measurement("messages", 1_u64);
        delivery.stop();
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // The application attaches to the declared names: a typing error here does not compile.
    let names = [mailer::QUEUED.name(), mailer::DELIVER.stop()];
    attach_many("mail-log", names, |event| println!("{event:?}"))?;
    let capture = radiosonde::capture(["mailer.**"]);
    mailer::send("welcome", "ada@example.com", "Hello, Ada!");
    assert_eq!(capture.events().len(), 3, "queued, deliver.start, deliver.stop");

    // One list for all crates an application uses; print it, or publish it with the documentation.
    let markdown = Catalogue::new([mailer::EVENTS]).to_markdown();
    println!("\n{markdown}");
    assert!(markdown.contains("mailer.message.queued") && markdown.contains("Who gets it."));
    Ok(())
}
