//! Executors that sessions run on.

use std::future::Future;
use std::sync::Arc;

use smol::{Executor, LocalExecutor};

/// An executor, which runs one task for each session.
///
/// Implemented for smol's [`Executor`] and [`LocalExecutor`], for references to them, and for
/// [`Global`].
pub trait Spawn {
    /// Runs `session` to its end, as a task of its own.
    fn spawn_session(&self, session: impl Future<Output = ()> + Send + 'static);
}

/// The executor of [`smol::spawn`], which belongs to the whole program.
#[derive(Clone, Copy, Debug, Default)]
pub struct Global;

impl Spawn for Global {
    fn spawn_session(&self, session: impl Future<Output = ()> + Send + 'static) {
        smol::spawn(session).detach();
    }
}

impl Spawn for Executor<'_> {
    fn spawn_session(&self, session: impl Future<Output = ()> + Send + 'static) {
        self.spawn(session).detach();
    }
}

impl Spawn for LocalExecutor<'_> {
    fn spawn_session(&self, session: impl Future<Output = ()> + Send + 'static) {
        self.spawn(session).detach();
    }
}

impl<E: Spawn + ?Sized> Spawn for &E {
    fn spawn_session(&self, session: impl Future<Output = ()> + Send + 'static) {
        (**self).spawn_session(session);
    }
}

impl<E: Spawn + ?Sized> Spawn for Arc<E> {
    fn spawn_session(&self, session: impl Future<Output = ()> + Send + 'static) {
        (**self).spawn_session(session);
    }
}
