//! The agent's own binary against a small real HTTP server that decodes, keeps a ledger and can be told to misbehave.

#[cfg(test)]
mod agent;
#[cfg(test)]
mod detection;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod identity;
#[cfg(test)]
#[path = "../../../detect/tests/it/mutate.rs"]
mod mutate;
#[cfg(test)]
mod respond;
#[cfg(test)]
mod scan;
#[cfg(test)]
mod server;
#[cfg(test)]
mod stream;
