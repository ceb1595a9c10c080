//! `/agent/v1/`: what agents do.

mod check_in;
mod clones;
mod enrol;
mod hostile;
mod load;
