//! Identity providers, and whom they vouch for.

mod configuration;
mod directories;
mod identities;
mod pending;
mod provisioning;
mod secrets;

pub use configuration::{
    Provider, ProviderToSave, delete_provider, end_provider_sessions, find_provider, insert_provider,
    list_enabled_providers, list_offered_providers, list_providers, list_publications, publish_provider,
    set_provider_domains, update_provider, view_provider,
};
pub use directories::{
    DirectoryLink, find_directory_link, has_directory, insert_sync, last_sync_at, list_directory_links,
    list_syncs, note_seen, set_vanished,
};
pub use identities::{
    ExternalAccount, find_account_by_email, find_external_account, link_identity, list_similar_usernames,
    lock_account, session_provider, update_account_names, void_initial_password,
};
pub use pending::{PendingSignIn, insert_pending_sign_in, take_pending_sign_in};
pub use provisioning::{
    GroupFilter, NewGroup, ProvisionedGroup, ProvisionedPerson, ProvisionedUser, ScimFilter, delete_group,
    find_scim_provider, insert_group, list_group_members, list_groups, list_member_group_names,
    list_provisioned_users, rename_group, rename_identity, set_group_members, unlink_identity,
};
pub use secrets::{delete_secret, find_secret_by_id};
