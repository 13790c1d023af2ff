//! A server inside a program that uses smol: the example, and each kind of executor.

mod support;

#[path = "../examples/smol.rs"]
#[allow(dead_code, reason = "its main is not run here")]
mod example;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use smol::{Executor, LocalExecutor, future};
use wharf::drivers::smol::{Global, Spawn, serve};
use wharf::{Parts, Stop};

use support::Client;

/// Fetches the file of the example, with a client that blocks its thread.
fn fetch(address: SocketAddr) -> io::Result<()> {
    let mut client = Client::dial(address)?;
    client.expect(220);
    client.enter();
    assert_eq!(client.get("RETR hello.txt"), b"Hello from a task.\n");
    client.ask("QUIT", 221);
    Ok(())
}

#[test]
fn the_example_does_what_it_says() {
    let executor = LocalExecutor::new();
    let served = example::serve(&executor, example::server(), |address| async move {
        smol::unblock(move || fetch(address)).await?;
        #[cfg(target_os = "linux")]
        for task in std::fs::read_dir("/proc/self/task")? {
            let name = std::fs::read_to_string(task?.path().join("comm"))?;
            assert!(!name.starts_with("wharf-smol"), "a thread of the server's own: {name}");
        }
        Ok(())
    });
    smol::block_on(executor.run(served)).unwrap();
}

/// A session that is there is told of the stop, and the server is waited for by a task.
async fn stop_and_wait(
    address: SocketAddr,
    stop: Stop,
    serving: impl Future<Output = io::Result<()>>,
) {
    let (mut client, stopping) = (Client::dial(address).unwrap(), stop.clone());
    let client = smol::unblock(move || {
        client.expect(220);
        client.enter();
        stopping.call();
        client.expect(421);
        client.expect_end();
    });
    let (served, ()) = future::zip(serving, client).await;
    served.unwrap();
}

fn build() -> Parts {
    example::server().build().unwrap()
}

#[test]
fn on_the_executor_of_the_whole_program() {
    let Parts { service, listeners, stop, addresses, .. } = build();
    let serving = smol::spawn(serve(Global, service, listeners, stop.clone()));
    smol::block_on(stop_and_wait(addresses[0], stop, serving));
}

#[test]
fn on_an_executor_that_is_shared() {
    fn is_send<F: Send>(future: F) -> F {
        future
    }
    let Parts { service, listeners, stop, addresses, .. } = build();
    let executor = Arc::new(Executor::new());
    let serving = is_send(serve(executor.clone(), service, listeners, stop.clone()));
    let serving = executor.spawn(serving);
    smol::block_on(executor.run(stop_and_wait(addresses[0], stop, serving)));
    assert!(executor.is_empty());
}

#[test]
fn on_an_executor_that_is_borrowed() {
    let Parts { service, listeners, stop, addresses, .. } = build();
    let executor = LocalExecutor::new();
    let serving = serve(&executor, service, listeners, stop.clone());
    smol::block_on(executor.run(stop_and_wait(addresses[0], stop, serving)));
    assert!(executor.is_empty());
}

/// Its sessions go with it, though the executor is still there.
#[test]
fn a_server_that_is_dropped() {
    let Parts { service, listeners, stop, addresses, .. } = build();
    let executor = LocalExecutor::new();
    let serving = serve(&executor, service, listeners, stop);
    let address = addresses[0];
    smol::block_on(executor.run(async {
        let client = smol::unblock(move || {
            let mut client = Client::dial(address).unwrap();
            client.expect(220);
            client.enter();
            client
        });
        let serving = async {
            serving.await.unwrap();
            panic!("it has not been stopped")
        };
        let mut client = future::or(client, serving).await;
        smol::unblock(move || client.expect_hangup()).await;
    }));
}

/// An executor of the program's own.
#[test]
fn on_an_executor_of_another_kind() {
    struct Counting<'a>(LocalExecutor<'a>, std::cell::Cell<u32>);
    impl Spawn for Counting<'_> {
        fn spawn_session(&self, session: impl Future<Output = ()> + Send + 'static) {
            self.1.set(self.1.get() + 1);
            self.0.spawn(session).detach();
        }
    }
    let Parts { service, listeners, stop, addresses, .. } = build();
    let counting = Counting(LocalExecutor::new(), std::cell::Cell::new(0));
    let serving = serve(&counting, service, listeners, stop.clone());
    smol::block_on(counting.0.run(stop_and_wait(addresses[0], stop, serving)));
    assert_eq!(counting.1.get(), 1);
}
