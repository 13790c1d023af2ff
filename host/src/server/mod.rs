//! What all sessions of a server share.
//!
//! | file | has |
//! |---|---|
//! | `service` | all of it together: [`Service`] |
//! | `listener` | where clients come in: [`Listener`] |
//! | `rules` | what holds for the clients of one listener: [`ListenerRules`] |
//! | `admission` | how many may be in at once: [`AdmissionControl`] |
//! | `failures` | which clients have failed to log in too often: [`Failures`] |
//! | `client_address` | which addresses count as one client's |
//! | `passive` | where passive ports are opened: [`PassivePorts`] |
//! | `ports` | which are open, and whose: [`OpenPorts`] |
//! | `public_address` | the address that PASV names: [`PublicAddress`] |
//! | `proxy_header` | how a proxy names the client: the PROXY protocol |
//! | `sockets` | how sockets are opened and accepted |
//! | `descriptors` | the open files that the process's limit leaves to sessions |
//! | `seats` | how many sessions each thread of a driver has: [`Seats`] |
//! | `site` | SITE commands of the embedding program |
//! | `clock`, `stop` | the time, and how a server is told to stop: [`Clock`], [`Stop`] |

pub(crate) mod admission;
pub(crate) mod client_address;
pub(crate) mod clock;
pub(crate) mod descriptors;
pub(crate) mod failures;
pub(crate) mod listener;
pub(crate) mod passive;
pub(crate) mod ports;
pub(crate) mod proxy_header;
pub(crate) mod public_address;
pub(crate) mod rules;
mod seats;
mod service;
pub(crate) mod site;
pub(crate) mod sockets;
pub(crate) mod stop;

pub use clock::Clock;
pub use listener::{Accepted, Arrival, EXHAUSTION_PAUSE, Listener};
pub use passive::{PassivePorts, PassivePortsError};
pub use public_address::PublicAddress;
pub use rules::ListenerRules;
pub use seats::{Seat, Seats};
pub use service::{Service, ServiceSettings};
pub use site::{SiteHandler, SiteRequest};
pub use stop::{Stop, StopWhenDropped};
