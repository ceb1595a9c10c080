//! One method for each operation on roles, access from elsewhere, and subscriptions.

use reqwest::Method;
use sg_types::{
    RoleName, TenantId, UserId,
    api::{
        Page,
        roles::{
            CreateRole, GrantMembership, MembershipView, PermissionView, RoleView, UpdateMembership,
            UpdateRole,
        },
        subscriptions::{PlanView, SubscriptionChange, SubscriptionView, UpdateSubscription},
    },
};

use crate::{Client, ClientError};

const NOTHING: Option<&()> = None;

impl Client {
    /// The tenant's roles, the documented ones first.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn list_roles(&self) -> Result<Vec<RoleView>, ClientError> {
        let page: Page<RoleView> = self.call(Method::GET, "users/roles", &[], NOTHING).await?;
        Ok(page.items)
    }

    /// Everything that a role can be allowed to do.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn list_permissions(&self) -> Result<Vec<PermissionView>, ClientError> {
        let page: Page<PermissionView> = self.call(Method::GET, "users/permissions", &[], NOTHING).await?;
        Ok(page.items)
    }

    /// Makes a role.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn create_role(&self, role: &CreateRole) -> Result<RoleView, ClientError> {
        self.call(Method::POST, "users/roles", &[], Some(role)).await
    }

    /// Changes a role.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn update_role(&self, role: &RoleName, update: &UpdateRole) -> Result<RoleView, ClientError> {
        self.call(Method::PATCH, &format!("users/roles/{role}"), &[], Some(update))
            .await
    }

    /// Removes a role.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn delete_role(&self, role: &RoleName) -> Result<(), ClientError> {
        self.send(Method::DELETE, &format!("users/roles/{role}"), &[], NOTHING)
            .await
            .map(drop)
    }

    /// Up to `limit` people of other tenants who have or had access.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn list_memberships(&self, limit: usize) -> Result<Vec<MembershipView>, ClientError> {
        self.list("users/memberships", Vec::new(), limit).await
    }

    /// Gives somebody of another tenant access.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn grant_membership(&self, grant: &GrantMembership) -> Result<MembershipView, ClientError> {
        self.call(Method::POST, "users/memberships", &[], Some(grant))
            .await
    }

    /// Changes somebody's access.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn update_membership(
        &self,
        id: UserId,
        update: &UpdateMembership,
    ) -> Result<MembershipView, ClientError> {
        self.call(
            Method::PATCH,
            &format!("users/memberships/{id}"),
            &[],
            Some(update),
        )
        .await
    }

    /// Ends somebody's access.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn end_membership(&self, id: UserId) -> Result<(), ClientError> {
        self.send(Method::DELETE, &format!("users/memberships/{id}"), &[], NOTHING)
            .await
            .map(drop)
    }

    /// The plans of the installation.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn list_plans(&self) -> Result<Vec<PlanView>, ClientError> {
        let page: Page<PlanView> = self.call(Method::GET, "users/plans", &[], NOTHING).await?;
        Ok(page.items)
    }

    /// The subscription of `tenant`, or of the caller's own.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn find_subscription(&self, tenant: Option<TenantId>) -> Result<SubscriptionView, ClientError> {
        self.call(Method::GET, &subscription_path(tenant), &[], NOTHING)
            .await
    }

    /// Up to `limit` states that the subscription was in, the newest first.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn list_subscription_changes(
        &self,
        tenant: Option<TenantId>,
        limit: usize,
    ) -> Result<Vec<SubscriptionChange>, ClientError> {
        let path = format!("{}/changes", subscription_path(tenant));
        self.list(&path, Vec::new(), limit).await
    }

    /// Changes a tenant's subscription.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn change_subscription(
        &self,
        tenant: TenantId,
        change: &UpdateSubscription,
    ) -> Result<SubscriptionView, ClientError> {
        self.call(Method::PUT, &subscription_path(Some(tenant)), &[], Some(change))
            .await
    }
}

fn subscription_path(tenant: Option<TenantId>) -> String {
    tenant.map_or_else(
        || "users/subscription".to_owned(),
        |tenant| format!("users/tenants/{tenant}/subscription"),
    )
}
