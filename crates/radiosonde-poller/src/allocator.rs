//! Ready definitions of metrics of jemalloc, which ask it when they are read.

use radiosonde_metrics::Unit::Byte;
use radiosonde_metrics::{Definitions, last_value};
use tikv_jemalloc_ctl::{Result, epoch, stats};

/// What jemalloc calls a number, what it is, and how to ask for it.
type Reading = (&'static str, &'static str, fn() -> Result<usize>);

/// The metrics of jemalloc, for programs whose global allocator it is: those of `tikv-jemallocator` 0.7.
///
/// | name | |
/// |---|---|
/// | `allocator_allocated_bytes` | what the program has asked for and not given back |
/// | `allocator_active_bytes` | the pages that this is in |
/// | `allocator_metadata_bytes` | what the allocator needs for itself |
/// | `allocator_resident_bytes` | what of it all is in RAM |
/// | `allocator_mapped_bytes` | the address space that is in use |
/// | `allocator_retained_bytes` | the address space that is kept for later and not in RAM |
///
/// They are read when the store is. In a program with another global allocator they tell of one that nobody uses.
///
/// ```
/// use radiosonde_metrics::Store;
/// use radiosonde_poller::{allocator_metrics, process_metrics};
///
/// let store = Store::new(process_metrics().into_iter().chain(allocator_metrics()))?;
/// assert_eq!(store.metrics().len(), 16);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn allocator_metrics() -> Definitions {
    let metric = |(name, description, read): Reading| {
        last_value(format!("allocator.{name}.bytes"))
            .unit(Byte, Byte)
            .description(format!("{description}, in bytes."))
            .callback(move |observe| {
                // The numbers are those of when the epoch began; one that cannot be had has no series.
                if let Ok(bytes) = epoch::advance().and_then(|_| read()) {
                    observe(&[], bytes as f64);
                }
            })
    };
    let readings: [Reading; 6] = [
        ("allocated", "Memory that the program has asked for and not given back", || {
            stats::allocated::read()
        }),
        ("active", "Pages that allocated memory is in", || stats::active::read()),
        ("metadata", "Memory that the allocator needs for itself", || stats::metadata::read()),
        ("resident", "Memory of the allocator that is in RAM", || stats::resident::read()),
        ("mapped", "Address space that the allocator uses", || stats::mapped::read()),
        ("retained", "Address space that the allocator keeps for later", || {
            stats::retained::read()
        }),
    ];
    readings.into_iter().map(metric).collect()
}
