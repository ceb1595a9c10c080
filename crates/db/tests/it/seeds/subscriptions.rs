//! Subscriptions. Each tenant has one from its creation; a change of it adds to the history.

use super::Seed;

pub(super) fn seed(of: &Seed) -> String {
    let tenant = of.id(0);
    format!("update users.subscriptions set plan = 'provider' where tenant_id = {tenant};")
}
