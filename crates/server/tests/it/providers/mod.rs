//! Proving who one is elsewhere: real providers of other people's making.

mod browser;
mod configuration;
mod directory;
mod hostile;
mod ldap;
mod oidc;
mod process;
mod scim;
mod second_step;
