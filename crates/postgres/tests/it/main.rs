//! Against the real PostgreSQL of this machine.

#[cfg(test)]
mod support;

#[cfg(test)]
mod backup;
#[cfg(test)]
mod errors;
#[cfg(test)]
mod leftovers;
#[cfg(test)]
mod start;
#[cfg(test)]
mod users;
