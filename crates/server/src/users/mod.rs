//! Sign-in, people, tenants and API keys.

mod change_password;
mod create_api_key;
mod create_tenant;
mod create_user;
mod current_session;
mod memberships;
mod own_sessions;
mod remove_tenant;
pub mod reset_password;
mod revoke_api_key;
mod role_routes;
mod roles;
mod rotate_api_key;
mod routes;
pub mod seed;
mod sign_in;
mod sign_out;
mod subscription_routes;
mod subscriptions;
mod update_tenant;
mod update_user;
mod validate;

pub use routes::routes;
