//! What hears what happens in the sessions.

use std::sync::Arc;
use std::time::Duration;

use wharf_host::{Observer, SessionEvent, Upload, Wanted};

use super::ServerBuilder;

impl ServerBuilder {
    /// Lets this observer hear what happens in the sessions: logins, transfers, changes, and more. See
    /// [`Notice`](crate::Notice) for all that is told, and `docs/events.md` for what is guaranteed.
    ///
    /// It hears on a thread of its own, and no session waits for it. There may be several.
    ///
    /// ```
    /// use wharf::{Memory, Permissions, Server, SessionEvent};
    ///
    /// let server = Server::builder().storage(Memory::new()).anonymous(Permissions::READ_ONLY);
    /// let server = server.observer(|event: &SessionEvent| println!("{} {}", event.peer, event.notice));
    /// server.spawn()?.shutdown()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn observer(self, observer: impl Observer + 'static) -> Self {
        self.observer_of(|_| true, observer)
    }

    /// Lets this observer hear the notices for which `wanted` returns `true`; as
    /// [`observer`](Self::observer). The others take no room in its queue. `wanted` is called on the
    /// session's thread, and must do no more than look.
    pub fn observer_of(mut self, wanted: Wanted, observer: impl Observer + 'static) -> Self {
        self.service.observers.push((wanted, Arc::new(observer)));
        self
    }

    /// Calls this for each file that a client has uploaded whole, when it stands under its name. It
    /// may take its time, as an [`observer`](Self::observer) may: uploads wait for their turn.
    ///
    /// ```
    /// use std::io::Read;
    /// use wharf::{Memory, Permissions, Server};
    ///
    /// let server = Server::builder().storage(Memory::new()).anonymous(Permissions::ALL);
    /// let server = server.on_upload(|upload| {
    ///     let mut content = Vec::new();
    ///     let read = upload.open().map(|mut file| file.read_to_end(&mut content));
    ///     println!("{}: {read:?}", upload.path());
    /// });
    /// server.spawn()?.shutdown()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn on_upload(self, process: impl Fn(&Upload<'_>) + Send + Sync + 'static) -> Self {
        self.observer_of(Upload::is_told_by, move |event: &SessionEvent| {
            if let Some(upload) = Upload::of(event) {
                process(&upload);
            }
        })
    }

    /// Sets how many events may wait for each [observer](Self::observer), at least one; 8192 when
    /// unset. Beyond, they are dropped, and their number is told with the next.
    pub fn observer_queue(mut self, most: usize) -> Self {
        self.service.observer_queue = most;
        self
    }

    /// Sets how long a server that stops waits at the most for its [observers](Self::observer) to hear
    /// the events that wait; 5 s when unset. A server that is dropped waits as long.
    pub fn observer_timeout(mut self, timeout: Duration) -> Self {
        self.service.observer_timeout = timeout;
        self
    }
}
