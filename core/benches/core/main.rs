//! What core costs, in time and in allocations: `cargo bench -p wharf-core`.
//!
//! | file | measures |
//! |---|---|
//! | `session` | commands and dialogues through a [`Session`](wharf_core::Session) |
//! | `text` | lines of listings, TYPE A, patterns |

mod session;
mod text;

#[global_allocator]
static ALLOCATOR: divan::AllocProfiler = divan::AllocProfiler::system();

fn main() {
    divan::main();
}
