//! Memory that cannot be had.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    io::Write,
    process,
};

/// The system's allocator, and a sentence where Rust's own end would be an abort: who runs out of memory has given a
/// batch or a model that is too large for the machine, and can change that.
struct OrSay;

#[global_allocator]
static ALLOCATOR: OrSay = OrSay;

// SAFETY: every request is passed on to the system's allocator, with the promises that its caller made.
#[expect(unsafe_code, reason = "an allocator is unsafe by its nature")]
unsafe impl GlobalAlloc for OrSay {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        had(unsafe { System.alloc(layout) }, layout.size())
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        had(unsafe { System.alloc_zeroed(layout) }, layout.size())
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        had(unsafe { System.realloc(place, layout, size) }, size)
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        unsafe { System.dealloc(place, layout) }
    }
}

fn had(place: *mut u8, bytes: usize) -> *mut u8 {
    if place.is_null() {
        give_up(bytes);
    }
    place
}

#[cold]
fn give_up(bytes: usize) -> ! {
    // Nothing before the sentence asks for memory.
    let levers = crate::memory_levers();
    // A standard error that is closed is no reason to abort.
    let _ = writeln!(std::io::stderr(), "error: this machine has no {bytes} bytes of memory left; {levers}");
    gptune_files::abandon();
    process::exit(1)
}
