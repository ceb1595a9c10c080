//! Tests of the engine through its public interface.

mod correlations;
mod diagnostics;
mod differential;
#[cfg(test)]
mod files;
mod filters;
#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod mapping;
mod modifiers;
#[cfg(test)]
mod mutate;
#[cfg(test)]
mod pack;
mod robustness;
#[cfg(test)]
mod support;
