//! Where people are told of incidents and alerts.

use reqwest::Method;
use sg_types::{
    ChannelId,
    api::{
        Page,
        notifications::{
            ChannelSaved, ChannelView, CreateChannel, CreateSilence, DeliveryAttempt, NotificationView,
            RouteView, SaveRoute, SilenceView,
        },
    },
};

use crate::{Client, ClientError};

const NOTHING: Option<&()> = None;

impl Client {
    /// The tenant's channels by name.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn list_channels(&self) -> Result<Vec<ChannelView>, ClientError> {
        let page: Page<ChannelView> = self
            .call(Method::GET, "monitoring/channels", &[], NOTHING)
            .await?;
        Ok(page.items)
    }

    /// Makes a channel; the answer has a webhook's signing secret.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn create_channel(&self, channel: &CreateChannel) -> Result<ChannelSaved, ClientError> {
        self.call(Method::POST, "monitoring/channels", &[], Some(channel))
            .await
    }

    /// Removes a channel with its routes and its log.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn delete_channel(&self, id: ChannelId) -> Result<(), ClientError> {
        let path = format!("monitoring/channels/{id}");
        self.send(Method::DELETE, &path, &[], NOTHING).await.map(drop)
    }

    /// Sends a test message; what became of it.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn test_channel(&self, id: ChannelId) -> Result<DeliveryAttempt, ClientError> {
        let path = format!("monitoring/channels/{id}/test");
        self.call(Method::POST, &path, &[], NOTHING).await
    }

    /// What goes where, by name.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn list_routes(&self) -> Result<Vec<RouteView>, ClientError> {
        let page: Page<RouteView> = self.call(Method::GET, "monitoring/routes", &[], NOTHING).await?;
        Ok(page.items)
    }

    /// Makes a route.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn create_route(&self, route: &SaveRoute) -> Result<RouteView, ClientError> {
        self.call(Method::POST, "monitoring/routes", &[], Some(route))
            .await
    }

    /// Up to `limit` silences, the newest first.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn list_silences(&self, limit: usize) -> Result<Vec<SilenceView>, ClientError> {
        self.list("monitoring/silences", Vec::new(), limit).await
    }

    /// Mutes something for a while.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn create_silence(&self, silence: &CreateSilence) -> Result<SilenceView, ClientError> {
        self.call(Method::POST, "monitoring/silences", &[], Some(silence))
            .await
    }

    /// Up to `limit` notifications, the newest first; with `waiting` those that wait to be sent.
    ///
    /// # Errors
    /// [`ClientError`]
    pub async fn list_notifications(
        &self,
        waiting: bool,
        limit: usize,
    ) -> Result<Vec<NotificationView>, ClientError> {
        let query = if waiting {
            vec![("waiting", "true".to_owned())]
        } else {
            Vec::new()
        };
        self.list("monitoring/notifications", query, limit).await
    }
}
