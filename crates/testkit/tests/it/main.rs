//! Kills each part of the product while check-ins run, with the built programs and a ledger of what was acknowledged: afterwards all of it is
//! stored, and stored once.

#[cfg(test)]
mod agent_kills;
#[cfg(test)]
mod database_kills;
#[cfg(test)]
mod fleet;
#[cfg(test)]
mod installation;
#[cfg(test)]
mod ledger;
#[cfg(test)]
mod machine;
#[cfg(test)]
mod server_kills;
#[cfg(test)]
mod silence;
