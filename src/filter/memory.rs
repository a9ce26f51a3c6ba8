//! Memory of this VM: how much is in use, how much is promised to bodies that are still coming, and whether there is room
//! for more.
//!
//! A VM has 1 GiB. One that asks for more dies, and every stream of its worker with it. So the allocator counts what is in
//! use, whoever uses it, and what can be large is asked about before it is taken: the body of a request when its length
//! is declared and as it grows, an answer as it is gathered, the reply to a callout. Up to the mark (`limits.memory`)
//! everything has room; up to a second mark a quarter above it what is small still has; answers that stream take next to
//! nothing, and go on.

#[cfg(target_os = "wasi")]
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
#[cfg(target_os = "wasi")]
use std::sync::atomic::{AtomicUsize, Ordering};

/// The longest body that is small, in bytes. A conversation of some fifty thousand tokens is.
pub(super) const SMALL: usize = 256 << 10;
/// Milliseconds without progress after which only those bytes of a body count that have come. A length costs nothing to
/// declare.
const PATIENCE_MS: u64 = 10_000;

thread_local! {
    /// Bytes promised to bodies that are still coming.
    static PROMISED: Cell<usize> = const { Cell::new(0) };
    #[cfg(not(target_os = "wasi"))]
    static IN_USE: Cell<usize> = const { Cell::new(0) };
}

/// Bytes in use.
#[cfg(target_os = "wasi")]
static IN_USE: AtomicUsize = AtomicUsize::new(0);

/// The allocator of the VM, which counts.
#[cfg(target_os = "wasi")]
#[derive(Debug)]
pub struct Counting;

// SAFETY: the system's allocator does everything.
#[cfg(target_os = "wasi")]
#[expect(unsafe_code, reason = "an allocator can be written in no other way")]
unsafe impl GlobalAlloc for Counting {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise, as in all of these.
        let pointer = unsafe { System.alloc(layout) };
        if !pointer.is_null() {
            IN_USE.fetch_add(layout.size(), Ordering::Relaxed);
        }
        pointer
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: see `alloc`.
        let pointer = unsafe { System.alloc_zeroed(layout) };
        if !pointer.is_null() {
            IN_USE.fetch_add(layout.size(), Ordering::Relaxed);
        }
        pointer
    }

    #[inline]
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: see `alloc`.
        unsafe { System.dealloc(pointer, layout) }
    }

    #[inline]
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: see `alloc`.
        let new = unsafe { System.realloc(pointer, layout, new_size) };
        if !new.is_null() {
            IN_USE.fetch_sub(layout.size(), Ordering::Relaxed);
            IN_USE.fetch_add(new_size, Ordering::Relaxed);
        }
        new
    }
}

#[cfg(target_os = "wasi")]
fn in_use() -> usize {
    IN_USE.load(Ordering::Relaxed)
}

/// A native build, which only tests have, shares its memory with the test: it says what the VM would have in use.
#[cfg(not(target_os = "wasi"))]
fn in_use() -> usize {
    IN_USE.get()
}

/// Says what the VM of this thread would have in use.
#[cfg(feature = "shell")]
pub fn set_memory_in_use(bytes: usize) {
    #[cfg(not(target_os = "wasi"))]
    IN_USE.set(bytes);
    #[cfg(target_os = "wasi")]
    let _ = bytes;
}

/// Bytes in use and bytes promised, together.
pub(super) fn held() -> usize {
    in_use().saturating_add(PROMISED.get())
}

/// True if there is room for so many bytes more.
pub(super) fn has_room(mark: usize, bytes: usize) -> bool {
    let mark = if bytes <= SMALL {
        mark.saturating_add(mark / 4)
    } else {
        mark
    };
    held().saturating_add(bytes) <= mark
}

/// True if so many bytes can be had in one piece, and as many again. What is in use may lie so that no gap is large enough,
/// and a VM that finds none dies.
pub(super) fn can_be_had(bytes: usize) -> bool {
    let mut pieces = [Vec::<u8>::new(), Vec::new()];
    bytes <= SMALL
        || pieces
            .iter_mut()
            .all(|piece| piece.try_reserve_exact(bytes).is_ok())
}

/// Memory promised to one body that is still coming.
#[derive(Debug, Default)]
pub(super) struct Promise {
    bytes: Cell<usize>,
    come: Cell<usize>,
    /// More has come since the last tick.
    moved: Cell<bool>,
    /// The last tick that saw more come.
    seen_ms: Cell<u64>,
}

impl Promise {
    /// So much has come of a body, and so much is declared: whether there is room for it.
    pub(super) fn renew(&self, mark: usize, come: usize, declared: usize) -> bool {
        self.come.set(come);
        self.moved.set(true);
        let whole = come.max(declared);
        if whole != 0 && whole <= self.bytes.get() {
            return true;
        }
        self.keep(0);
        let has_room = has_room(mark, whole);
        if has_room {
            self.keep(whole);
        }
        has_room
    }

    /// Takes back what is promised to a body that does not come.
    pub(super) fn tick(&self, now: u64) {
        if self.bytes.get() <= self.come.get() {
            return;
        }
        if self.moved.take() {
            self.seen_ms.set(now);
        } else if now.saturating_sub(self.seen_ms.get()) > PATIENCE_MS {
            self.keep(self.come.get());
        }
    }

    /// Length of the body that has come, in bytes, with a margin for its translation by a dialect.
    pub(super) fn longest(&self) -> usize {
        let come = self.come.get();
        come.saturating_add(come / 16)
    }

    /// The body has come, or is not wanted any more.
    pub(super) fn end(&self) {
        self.keep(0);
    }

    fn keep(&self, bytes: usize) {
        let others = PROMISED.get().saturating_sub(self.bytes.replace(bytes));
        PROMISED.set(others.saturating_add(bytes));
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        self.end();
    }
}
