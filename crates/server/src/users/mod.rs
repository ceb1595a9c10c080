//! Sign-in, people, tenants and API keys.

mod change_password;
mod create_api_key;
mod create_tenant;
mod create_user;
mod current_session;
pub(crate) mod export_tenant;
pub mod factors;
mod memberships;
mod new_password;
mod own_sessions;
mod password_policy;
mod password_routes;
pub(crate) mod providers;
mod rate_limits;
mod redeem_password_reset;
mod remove_tenant;
mod request_password_reset;
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
mod verify_password;

pub(crate) use factors::require_recent;
pub use routes::routes;
pub(crate) use validate::{is_display_name, is_email};
