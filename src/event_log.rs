//! What clients change and transfer, in the log: one line each.

use std::fmt;

use wharf::proto::Quoted;
use wharf::{Notice, ServerBuilder, SessionEvent};

/// Where these lines come from, as the log has it.
pub(crate) const TARGET: &str = "wharf::events";

/// Lets the log hear of changes and transfers.
pub(crate) fn watch(server: ServerBuilder) -> ServerBuilder {
    server.observer_of(Notice::is_operation, |event: &SessionEvent| {
        if event.lost > 0 {
            log::warn!(target: TARGET, "{} changes and transfers are not in the log", event.lost);
        }
        log::info!(target: TARGET, "{}", Line(event));
    })
}

/// A line of the log. As all that are about a client, it begins with the client's address. Names come
/// last: what is too long is cut off at the end.
struct Line<'a>(&'a SessionEvent);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(event) = self;
        let (peer, name) = (event.peer.ip(), event.notice.name());
        write!(f, "{peer}: {name} session={}", event.session)?;
        if let Some(host) = &event.host {
            write!(f, " host={}", Quoted(host.as_bytes()))?;
        }
        let user = event.user.as_deref().unwrap_or_default();
        write!(f, " user={}{}", Quoted(user), event.notice.fields())
    }
}
