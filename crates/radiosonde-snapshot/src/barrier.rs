//! The barrier pair between readers and the thread that frees: cheap for readers, expensive for the other side.
//!
//! A reader stores "I am here" and then loads a pointer; whoever frees replaces the pointer and then loads "who is here?".
//! Each side needs its store to be visible before its load (Dekker's pattern), which takes a full fence on both sides:
//! some 6 ns for every dispatch. Linux's `membarrier(2)` runs that fence on all running threads of the process at the
//! request of the rare side, so that readers only have to keep the compiler from reordering.

use super::sync::fence_seq_cst;

/// Asks the system for process-wide barriers. After `true`, readers may use [`light`] without a fence.
#[cfg(all(target_os = "linux", not(loom), not(miri), not(radiosonde_fence)))]
pub(super) fn register() -> bool {
    membarrier(libc::MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED)
}

/// Orders everything before it against everything after it, on every thread of the process.
///
/// `false` when the system refused: then nothing is known about readers without a fence.
#[cfg(all(target_os = "linux", not(loom), not(miri), not(radiosonde_fence)))]
pub(super) fn heavy(readers_fence: bool) -> bool {
    fence_seq_cst();
    readers_fence || membarrier(libc::MEMBARRIER_CMD_PRIVATE_EXPEDITED)
}

#[cfg(all(target_os = "linux", not(loom), not(miri), not(radiosonde_fence)))]
fn membarrier(command: libc::c_int) -> bool {
    // SAFETY: `membarrier` takes a command and flags by value, and touches no memory of the caller.
    unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) == 0 }
}

#[cfg(not(all(target_os = "linux", not(loom), not(miri), not(radiosonde_fence))))]
pub(super) fn register() -> bool {
    false
}

#[cfg(not(all(target_os = "linux", not(loom), not(miri), not(radiosonde_fence))))]
pub(super) fn heavy(readers_fence: bool) -> bool {
    #[cfg(loom)]
    if REFUSED.swap(false, std::sync::atomic::Ordering::Relaxed) {
        return false;
    }
    fence_seq_cst();
    readers_fence
}

#[cfg(loom)]
loom::lazy_static! {
    /// A test sets this to have the next barrier refused.
    pub(super) static ref REFUSED: super::sync::AtomicBool = super::sync::AtomicBool::new(false);
}

/// The reader's half of the pair.
#[inline(always)]
pub(super) fn light(fence: bool) {
    if fence {
        fence_seq_cst();
    } else {
        std::sync::atomic::compiler_fence(std::sync::atomic::Ordering::SeqCst);
    }
}
