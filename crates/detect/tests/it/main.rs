//! Tests of the engine through its public interface.

mod diagnostics;
mod differential;
#[cfg(test)]
mod files;
mod filters;
mod modifiers;
#[cfg(test)]
mod pack;
mod robustness;
#[cfg(test)]
mod support;
