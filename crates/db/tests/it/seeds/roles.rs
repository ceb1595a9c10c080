//! A role of the tenant's own; the documented ones are there from its creation.

use super::Seed;

pub(super) fn seed(of: &Seed) -> String {
    let tenant = of.id(0);
    format!(
        "insert into users.roles (tenant_id, role, based_on, scope, description)
         values ({tenant}, 'helpdesk', 'admin', 'tenant', 'Looks after people.');
         insert into users.role_permissions (tenant_id, role, permission)
         values ({tenant}, 'helpdesk', 'users_read'), ({tenant}, 'helpdesk', 'users_manage'), ({tenant}, 'helpdesk', 'endpoints_read');"
    )
}
