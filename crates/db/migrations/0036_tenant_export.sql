insert into users.permissions (permission, description, least_role)
values ('tenant_export', 'take everything that the tenant has away as a file', 'admin');
