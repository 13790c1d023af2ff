//! Removes temporary files of uploads that a crash cut off.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::thread;

use wharf::Directory;

use crate::login::Login;

/// A thread that removes remains when the program starts, and on request.
pub(crate) struct Remains(Sender<()>);

impl Remains {
    /// Starts the thread; it looks in all folders that a client may write to.
    pub(crate) fn look(directory: Directory, write: bool, login: Arc<Login>) -> io::Result<Self> {
        let (ask, asked) = mpsc::channel();
        let remains = Self(ask);
        remains.look_again();
        thread::Builder::new().name("wharf-remains".into()).spawn(move || {
            while asked.recv().is_ok() {
                // One look answers all requests so far.
                while asked.try_recv().is_ok() {}
                match &*login {
                    Login::Accounts(accounts) => {
                        for folder in accounts.writable_folders() {
                            folder.remove_remains();
                        }
                    }
                    _ if write => {
                        directory.remove_remains();
                    }
                    _ => {}
                }
            }
        })?;
        Ok(remains)
    }

    /// Has the thread look again.
    pub(crate) fn look_again(&self) {
        // Without the thread there is no program either.
        let _ = self.0.send(());
    }
}
